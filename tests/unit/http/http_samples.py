"""A request for every endpoint: its path filled in with things that are there, its body made of the document."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from call_hands import DATE, called
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from http_hands import Hands, SteppedClock

from astdialer import config
from astdialer.domain.access import PERMISSIONS, Permission, Role
from astdialer.domain.calendar import WorkingCalendar, parse_calendar_hours
from astdialer.domain.contact import NewContact, NewNumber
from astdialer.engine import tokens, webhooks
from astdialer.http.access import Needs
from astdialer.http.application import make
from astdialer.http.dialects import dialects
from astdialer.http.services import Services
from astdialer.http.webitel3.ids import object_id
from astdialer.ports import Delivery, UploadJob


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path, and the permissions that it asks for: any one of each set."""

    method: str
    path: str
    asked: tuple[frozenset[Permission], ...]

    def lets_in(self, role: Role) -> bool:
        """Whether a role's permissions are enough."""
        return all(any_of & PERMISSIONS[role] for any_of in self.asked)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def application() -> FastAPI:
    """The application without anything behind it."""
    nothing = cast(Any, None)
    services = Services(
        store=nothing,
        clock=SteppedClock(),
        zone="UTC",
        settings=config.Http(),
        agi=config.Agi(),
        read_number=nothing,
        read_covered=nothing,
        library=nothing,
        notifier=nothing,
        spool=nothing,
    )
    return make(services, dialects())


def endpoints() -> Iterator[Endpoint]:
    """All there are."""
    for context in iter_route_contexts(APP.routes):
        dependant = getattr(context, "dependant", None)
        if dependant is not None:
            for method in sorted(context.methods or ()):
                yield Endpoint(method, str(context.path), tuple(_permissions(dependant)))


def _permissions(dependant: Dependant) -> Iterator[frozenset[Permission]]:
    for each in dependant.dependencies:
        if isinstance(each.call, Needs):
            yield frozenset(each.call.permissions)
        yield from _permissions(each)


APP = application()
DOCUMENT = APP.openapi()


# --- what is there ---------------------------------------------------------------------------------------------------

#: Which of the furnished things stands for a parameter of a path: the first pattern that the path up to it fits.
PLACES = (
    (r"/campaigns.*\{name\}$", "campaign"),
    (r"^/api/v2/dialer/\{dialer\}$", "dialer"),
    (r"^/api/v2/dialer/.*\{member\}$", "member"),
    (r"^/api/v2/calendars/\{calendar\}$", "dialer_calendar"),
    (r"^/api/v2/dialer/.*\{(state|number)\}$", "dialer_state"),
    (r"/trunks/\{name\}$", "trunk"),
    (r"/routes/\{name\}$", "route"),
    (r"/calendars/\{name\}$", "calendar"),
    (r"/callerids/\{name\}$", "pool"),
    (r"/tokens/\{\w+\}$", "token"),
    (r"/webhooks/\{\w+\}$", "webhook"),
    (r"/deliveries/\{\w+\}$", "delivery"),
    (r"/uploads/\{job_id\}$", "job"),
    (r"agents?(-profiles)?/\{agent(_id)?(:path)?\}$", "agent"),
    (r"\{guid\}$|\{attempt_id\}$|/calls/(active/)?\{call_id\}$", "guid"),
    (r"/records/\{name\}$|/records/\{folder\}/\{name\}$", "file"),
    (r"/records/\{folder\}$", "folder"),
    (r"\{contact_id\}$|\{member_id\}$", "contact"),
    (r"/queues/\{queue_id\}$", "campaign_id"),
    (r"/buckets/\{bucket_id\}$|/autoCallCandidate/\{identity\}$", "contact"),
    (r"/autoCall/\{identity\}$", "task"),
)


@dataclass(frozen=True, slots=True)
class Furnished:
    """What is there, and the texts that nobody else may see."""

    values: Mapping[str, str]
    secrets: tuple[str, ...]


async def furnish(api: Hands, tenant: str = "") -> Furnished:
    """One thing of every kind, of a tenant; what belongs to the whole installation has nobody's name."""
    store, clock = api.store, api.clock
    campaign = await api.campaign("theirs", tenant=tenant)
    number = NewNumber(number="+442079469999", as_uploaded="02079469999", type="U")
    contact = NewContact(numbers=(number,), params={"name": "Their Ann"}, priority=1, agentphone="", line=0)
    (contact_id,) = await store.add_to_base(campaign.id, "theirbase", [contact], clock.now())
    guid = await called(api, campaign, 1, agent="PJSIP/1001", talk_s=9, record=True)
    hook = await webhooks.create(store, clock, "https://their.example.com/", campaign=campaign, created_by="them")
    token = (await tokens.create(store, clock, "theirtoken", Role.READ_ONLY, tenant=tenant)).token
    job = UploadJob(
        id=str(uuid.UUID(int=7)),
        campaign_id=campaign.id,
        base="theirjob",
        tenant=tenant,
        file_name="t.csv",
        path="/nowhere",
        created_at=clock.now(),
    )
    await store.add_job(job)
    delivery = Delivery(
        id=str(uuid.UUID(int=8)),
        webhook_id=hook.id,
        event_id=1,
        kind="contact.ended",
        body="{}",
        created_at=clock.now(),
        retry_at=clock.now(),
    )
    await store.queue_deliveries("webhooks", 1, [delivery])
    await store.save_calendar(WorkingCalendar(name="office", hours=parse_calendar_hours("mon-fri 09:00-17:00")))
    values = {
        "campaign": "theirs",
        "campaign_id": str(campaign.id),
        "contact": str(contact_id),
        "guid": guid,
        "webhook": hook.id,
        "token": token.id,
        "delivery": delivery.id,
        "job": job.id,
        "calendar": "office",
        "trunk": "carrier",
        "route": "main",
        "pool": "sales",
        "agent": "1001",
        "folder": DATE,
        "file": f"{guid}.mp3",
        "task": await _task(api, tenant),
        "dialer": object_id(campaign.id),
        "member": object_id(contact_id or 0),
        "dialer_calendar": object_id(1),
        "dialer_state": "1",
    }
    secrets = ("theirs", "theirbase", "theirjob", "theirtoken", "their.example.com", "Their Ann", "+442079469999", guid)
    return Furnished(values, secrets)


async def _task(api: Hands, tenant: str) -> str:
    """Twin24's, made as its client does."""
    requests = json.loads((Path(__file__).parents[2] / "requests.json").read_text())
    body = next(each["body"] for each in requests if each["id"] == "TW-01")
    answer = await api.ask("POST", "/api/v1/telephony/autoCall", tenant=tenant, json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"]["identity"])


# --- requests --------------------------------------------------------------------------------------------------------


def path_of(endpoint: Endpoint, known: Mapping[str, str]) -> str:
    """The endpoint's path, with what is there in its places."""

    def value(match: re.Match[str]) -> str:
        before = endpoint.path[: match.end()]
        for pattern, key in PLACES:
            if re.search(pattern, before):
                return known.get(key, "x")
        raise AssertionError(f"say in http_samples.PLACES what stands at the end of {before}")

    return re.sub(r"\{(\w+)(:path)?\}", value, endpoint.path)


async def send(api: Hands, endpoint: Endpoint, known: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
    """Ask it."""
    body = {"data": form(known)} if endpoint.path.startswith("/Integra/") else body_of(endpoint)
    sent = {**body.pop("headers", {}), **headers}
    return await api.client.request(endpoint.method, path_of(endpoint, known), headers=sent, **body)


def form(known: Mapping[str, str]) -> dict[str, str]:
    """Every field that any of uContact's requests has, about things that are there."""
    campaign, guid = known.get("campaign", "x"), known.get("guid", "x")
    call = {"campaign": campaign, "destination": "02079469999", "data": "", "alternatives": "", "agentphone": "1001"}
    dated = call | {"calldate": "2025-10-10 10:00:00"}
    task = {"campaign": campaign, "destination": "02079469999", "bulk": True, "automatic": False, "calldate": None}
    black = {"phone": "02079469999", "campaign": campaign, "username": "u"}
    plain = {
        "campaign": campaign,
        "outqueue": campaign,
        "queue": "",
        "agent": "1001",
        "phone": "1001",
        "callerid": "02079469999",
        "destination": "02079469999",
        "number": "02079469999",
        "guid": guid,
        "folder": known.get("folder", ""),
        "l1": "Sale",
        "data": "tag",
        "filename": "base.csv",
        "fileb64": "eDswMjA3OTQ2OTk5OTs7OzE7",
        "cant": "1",
        "username": "u",
        "timezone": "Europe/London",
        "lastrow": "0",
        "searchLimit": "50",
        "from": "2025-01-01 00:00:00",
        "to": "2026-01-01 00:00:00",
    }
    objects = {
        "callspool": call | {"dialerbase": "theirbase", "status": 1, "contact": 1, "retries": 0, "priority": 9999},
        "callschedule": dated,
        "call": task,
        "black": black,
        "filter": {"campaign": "", "type": "record"},
    }
    return plain | {name: json.dumps(value) for name, value in objects.items()}


#: Paths that stand for others, and have no place in the document.
ALIASES = ("/api", "/cis", "/iam")


def body_of(endpoint: Endpoint) -> dict[str, Any]:
    """Its body as httpx takes it, made of the document."""
    path = endpoint.path.replace(":path}", "}")
    named = (path, *(path.removeprefix(alias) for alias in ALIASES))
    methods: Mapping[str, Any] = next((DOCUMENT["paths"][each] for each in named if each in DOCUMENT["paths"]), {})
    operation = methods.get(endpoint.method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {})
    for kind, media in content.items():
        sample = media.get("example", _sample(media.get("schema", {})))
        if "json" in kind:
            return {"json": sample}
        if kind == "application/x-www-form-urlencoded":
            return {"data": sample}
        return {"content": str(sample).encode(), "headers": {"content-type": kind}}
    return {}


def _sample(schema: Mapping[str, Any]) -> Any:
    """A value that fits a schema, its own example first."""
    if "$ref" in schema:
        return _sample(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("example", "const"):
        if key in schema:
            return schema[key]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _sample(next((each for each in schema[key] if each.get("type") != "null"), {}))
    return _of_type(schema)


def _of_type(schema: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", schema.get("properties", {}))
            return {key: _sample(schema["properties"][key]) for key in wanted}
        case "array":
            return [_sample(schema.get("items", {}))]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case _:
            return "x" * max(1, schema.get("minLength", 1))
