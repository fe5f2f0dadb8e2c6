"""``autoCallCandidate/single``: calls without a task of one's own.

The day's task of a template and a scenario is made when the first of them comes, and started.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request

from astdialer.domain.access import Access, Permission
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.settings import Settings, settings_texts
from astdialer.http.services import Services
from astdialer.http.twin24 import task as tasks
from astdialer.http.twin24.candidates import add
from astdialer.http.twin24.models import AutoCall, Candidate, SingleCall, SingleCalls
from astdialer.http.twin24.states import AUTOCALL, DAILY, DIALECT
from astdialer.http.twin24.task import Task
from astdialer.http.twin24.translate import goto
from astdialer.http.v1.common import ContactKeeper, Found
from astdialer.ports import ForeignObject

router = APIRouter(prefix="/autoCallCandidate/single", tags=["twin24"])


@router.post("")
async def call_one(request: Request, found: Found, access: ContactKeeper, person: SingleCall) -> dict[str, Any]:
    """Call one person as a template says, at once."""
    task = await _todays(request, found, access, person, "")
    (added,) = await add(found, access, {task.id: task}, [_candidate(task, person)], [""], start=True)
    return added


@router.post("/batch")
async def call_many(request: Request, found: Found, access: ContactKeeper, batch: SingleCalls) -> dict[str, Any]:
    """Call many, each as its template says."""
    known: dict[str, Task] = {}
    candidates = []
    for at, person in enumerate(batch.batch):
        task = await _todays(request, found, access, person, f"batch.{at}.")
        known[task.id] = task
        candidates.append(_candidate(task, person))
    fields = [f"batch.{at}." for at in range(len(candidates))]
    items = await add(found, access, known, candidates, fields, start=True)
    return {"count": sum(item["added"] for item in items), "items": items}


def _candidate(task: Task, person: SingleCall) -> Candidate:
    return Candidate(**person.model_dump(), autoCallId=task.id)


async def _todays(request: Request, found: Services, access: Access, person: SingleCall, field: str) -> Task:
    """The task of this day, scenario and template; made if there is none, or if it was halted."""
    state = request.app.state
    if not hasattr(state, "twin24_daily"):
        state.twin24_daily = asyncio.Lock()
    async with state.twin24_daily:  # two that come together are of one task
        template = person.autoCallTemplateId or found.settings.autocall_template
        if not template:
            raise InvalidSetting(
                f"{field}autoCallTemplateId", None, "a task's or a campaign's id; there is no [http] autocall_template"
            )
        day = datetime.fromtimestamp(found.clock.now() / 1000, tz=zone_of(found.zone)).date().isoformat()
        key = "/".join((access.tenant, template, person.botSettingsId or "", day))
        known = await found.store.foreign(DIALECT, DAILY, key)
        if known:
            task = await tasks.find(found, access, known.name)
            if task.status != "HALTED":
                return task
        task = await _made(found, access, template, person.botSettingsId, day=day, field=field)
        now = found.clock.now()
        kept = ForeignObject(
            dialect=DIALECT, kind=DAILY, id=key, tenant=access.tenant, name=task.id, created_at=now, changed_at=now
        )
        await found.store.save_foreign(kept)
        return task


async def _made(found: Services, access: Access, template: str, scenario: str | None, *, day: str, field: str) -> Task:
    """Of a task's document, or of a campaign. Raises InvalidSetting, and Forbidden."""
    access.require(Permission.CAMPAIGNS)
    model = await found.store.foreign(DIALECT, AUTOCALL, template)
    if model is not None and access.sees(model.tenant):
        body = dict(model.body) | {"startType": "manual", "startMoment": None, "name": f"{model.body['name']} {day}"}
        body |= {"defaultExecData": scenario} if scenario else {}
        return await tasks.make(found, access, AutoCall.model_validate(body), body)
    settings = await _campaign_settings(found, access, template, field)
    if not scenario and not settings.goto:
        raise InvalidSetting(f"{field}botSettingsId", None, "a scenario: the template has none")
    texts = settings_texts(settings) | {"mode": "broadcast", "start_at": "", "stop_at": ""}
    texts |= {"goto": goto(scenario, found.settings.scenario_context)} if scenario else {}
    body = {
        "name": f"{template} {day}",
        "defaultExec": "robot",
        "defaultExecData": scenario or settings.goto.split(",")[1],
        "startType": "manual",
        "autoCallTemplateId": template,
    }
    return await tasks.made_of(found, access, texts, body, [])


async def _campaign_settings(found: Services, access: Access, template: str, field: str) -> Settings:
    """The administrator's own template is for every tenant."""
    try:
        if template == found.settings.autocall_template:
            return (await found.store.campaign(template)).settings
        return (await found.campaign(access, template)).settings
    except NotFound:
        if template == found.settings.autocall_template:
            raise Conflict(f"[http] autocall_template = {template!r}: there is no such campaign") from None
        raise InvalidSetting(f"{field}autoCallTemplateId", template, "a task's id, or a campaign's name") from None
