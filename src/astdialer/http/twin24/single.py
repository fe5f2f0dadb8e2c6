"""``autoCallCandidate/single``: calls without a task of one's own.

The day's task of a template and a scenario is made when the first of them comes, and started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter

from astdialer.domain.access import Access, Permission
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.domain.settings import Settings, settings_texts
from astdialer.http.access import CheckedRoute
from astdialer.http.services import Services
from astdialer.http.turns import turn
from astdialer.http.twin24 import task as tasks
from astdialer.http.twin24.candidates import Wanted, add, read
from astdialer.http.twin24.models import LONGEST_NAME, AutoCall, SingleCall, SingleCalls
from astdialer.http.twin24.states import AUTOCALL, DAILY, DIALECT
from astdialer.http.twin24.task import Task
from astdialer.http.twin24.translate import Receiver, goto
from astdialer.http.v1.common import ContactKeeper, Found
from astdialer.ports import ForeignObject

router = APIRouter(prefix="/autoCallCandidate/single", tags=["twin24"], route_class=CheckedRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The task of this day, template and scenario: the one that is there, or what it is to be made of."""

    key: str
    task: Task | None
    body: Mapping[str, Any]
    texts: Mapping[str, str]
    told: Sequence[Receiver] = ()


@router.post("")
async def call_one(found: Found, access: ContactKeeper, person: SingleCall) -> dict[str, Any]:
    """Call one person as a template says, at once."""
    (item,) = await _call(found, access, [person], [""])
    return item


@router.post("/batch")
async def call_many(found: Found, access: ContactKeeper, batch: SingleCalls) -> dict[str, Any]:
    """Call many, each as its template says."""
    fields = [f"batch.{at}." for at in range(len(batch.batch))]
    items = await _call(found, access, batch.batch, fields)
    return {"count": sum(item["added"] for item in items), "items": items}


async def _call(
    found: Services, access: Access, people: Sequence[SingleCall], fields: Sequence[str]
) -> list[dict[str, Any]]:
    """Look at everything first: for what can't be called no task is made."""
    async with turn(DIALECT, DAILY):  # two that come together are of one task
        keys = [_key(found, access, person, field) for person, field in zip(people, fields, strict=True)]
        plans: dict[str, Plan] = {}
        for person, field, key in zip(people, fields, keys, strict=True):
            if key not in plans:
                plans[key] = await _plan(found, access, person, field, key)
        how = {key: tasks.reading(found, plan.body) for key, plan in plans.items()}
        contacts = await read(people, fields, [how[key] for key in keys])
        of = {key: plan.task or await _made(found, access, plan) for key, plan in plans.items()}
    wanted = [Wanted(of[key], person, new) for key, person, new in zip(keys, people, contacts, strict=True)]
    return await add(found, access, wanted, start={task.id for task in of.values()})


def _key(found: Services, access: Access, person: SingleCall, field: str) -> str:
    template = person.autoCallTemplateId or found.settings.autocall_template
    if not template:
        expected = "a task's id or a campaign's name; there is no [http] autocall_template"
        raise InvalidSetting(f"{field}autoCallTemplateId", None, expected)
    return "/".join((access.tenant, template, person.botSettingsId or "", _day(found)))


def _name(found: Services, template: str) -> str:
    """Of a template's task of this day, not longer than a task's may be."""
    day = _day(found)
    return f"{template[: LONGEST_NAME - len(day) - 1]} {day}"


def _day(found: Services) -> str:
    """The company's."""
    return datetime.fromtimestamp(found.clock.now() / 1000, tz=zone_of(found.zone)).date().isoformat()


async def _plan(found: Services, access: Access, person: SingleCall, field: str, key: str) -> Plan:
    known = await found.store.foreign(DIALECT, DAILY, key)
    if known:
        task = await tasks.find(found, access, known.name)
        if not task.why_closed(found.clock.now()):
            return Plan(key=key, task=task, body=task.body, texts={})
    access.require(Permission.CAMPAIGNS)
    template, scenario = person.autoCallTemplateId or found.settings.autocall_template, person.botSettingsId
    model = await found.store.foreign(DIALECT, AUTOCALL, template)
    if model is not None and access.sees(model.tenant):
        body = dict(model.body) | {"startType": "manual", "startMoment": None}
        body |= {"name": _name(found, str(body["name"]))} | ({"defaultExecData": scenario} if scenario else {})
        texts, told = await tasks.prepared(found, access, AutoCall.model_validate(body))
        return Plan(key=key, task=None, body=body, texts=texts, told=told)
    settings = await _settings(found, access, template, field)
    texts = _as_campaign(found, settings, scenario, field)
    body = {
        "name": _name(found, template),
        "defaultExec": "robot",
        "defaultExecData": texts["goto"].split(",")[1],
        "startType": "manual",
        "autoCallTemplateId": template,
    }
    return Plan(key=key, task=None, body=body, texts=texts)


async def _settings(found: Services, access: Access, template: str, field: str) -> Settings:
    """Of a campaign; the administrator's own template is every tenant's."""
    if template == found.settings.autocall_template:
        usual = await tasks.template(found)
        if usual is not None:
            return usual
    try:
        return (await found.campaign(access, template)).settings
    except NotFound:
        raise InvalidSetting(f"{field}autoCallTemplateId", template, "a task's id, or a campaign's name") from None


def _as_campaign(found: Services, settings: Settings, scenario: str | None, field: str) -> dict[str, str]:
    if not scenario and not settings.goto:
        raise InvalidSetting(f"{field}botSettingsId", None, "a scenario: the template has none")
    texts = settings_texts(settings) | {"mode": "broadcast", "start_at": "", "stop_at": ""}
    if scenario:
        try:
            texts["goto"] = goto(scenario, found.settings.scenario_context)
        except InvalidSetting as error:
            raise InvalidSetting(f"{field}botSettingsId", error.value, error.expected) from None
    return texts


async def _made(found: Services, access: Access, plan: Plan) -> Task:
    task = await tasks.made_of(found, access, plan.texts, plan.body, plan.told)
    now = found.clock.now()
    kept = ForeignObject(
        dialect=DIALECT, kind=DAILY, id=plan.key, tenant=access.tenant, name=task.id, created_at=now, changed_at=now
    )
    await found.store.save_foreign(kept)
    return task
