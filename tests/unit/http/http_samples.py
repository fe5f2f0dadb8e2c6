"""A request for every endpoint: its path filled in with things that are there, its body made of the document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx
from call_hands import called
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from http_hands import Hands, SteppedClock

from astdialer import config
from astdialer.domain.access import Permission
from astdialer.domain.contact import NewContact, NewNumber
from astdialer.http.access import Needs
from astdialer.http.application import make
from astdialer.http.dialects import dialects
from astdialer.http.services import Services


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path, and the permissions that it asks for."""

    method: str
    path: str
    asked: frozenset[Permission]

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
                yield Endpoint(method, str(context.path), frozenset(_permissions(dependant)))


def _permissions(dependant: Dependant) -> Iterator[Permission]:
    for each in dependant.dependencies:
        if isinstance(each.call, Needs):
            yield each.call.permission
        yield from _permissions(each)


APP = application()
DOCUMENT = APP.openapi()


# --- what is there ---------------------------------------------------------------------------------------------------

#: Which of the furnished things stands for a parameter of a path: the first pattern of ``path {parameter}`` that fits.
PLACES = (
    (r"^/v1/campaigns.*\{name\}", "campaign"),
    (r"\{guid\}", "guid"),
    (r"\{contact_id\}", "contact"),
)


@dataclass(frozen=True, slots=True)
class Furnished:
    """What is there, and the texts that nobody else may see."""

    values: Mapping[str, str]
    secrets: tuple[str, ...]


async def furnish(api: Hands, tenant: str = "") -> Furnished:
    """One thing of every kind, of a tenant."""
    campaign = await api.campaign("theirs", tenant=tenant)
    number = NewNumber(number="+442079469999", as_uploaded="02079469999", type="U")
    contact = NewContact(numbers=(number,), params={"name": "Their Ann"}, priority=1, agentphone="", line=0)
    (contact_id,) = await api.store.add_to_base(campaign.id, "theirbase", [contact], api.clock.now())
    guid = await called(api, campaign, 1, agent="PJSIP/1001", talk_s=9, record=True)
    values = {"campaign": "theirs", "contact": str(contact_id), "guid": guid}
    return Furnished(values, ("theirs", "theirbase", "Their Ann", "+442079469999", guid))


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
    body = body_of(endpoint)
    return await api.client.request(endpoint.method, path_of(endpoint, known), headers=dict(headers), **body)


def body_of(endpoint: Endpoint) -> dict[str, Any]:
    """Its body as httpx takes it, made of the document."""
    operation = DOCUMENT["paths"].get(endpoint.path, {}).get(endpoint.method.lower(), {})
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
