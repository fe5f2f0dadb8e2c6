"""Tasks behind the endpoints: made, found, started, shown. A task is a campaign, and the document it was made of."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request

from astdialer.domain.access import Access, Permission
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.hooks import Form, Webhook
from astdialer.domain.settings import Settings
from astdialer.engine import campaigns, webhooks
from astdialer.http.services import Services
from astdialer.http.twin24.cps import cps_of
from astdialer.http.twin24.models import AutoCall
from astdialer.http.twin24.states import AUTOCALL, DIALECT, iso, task_status
from astdialer.http.twin24.translate import Place, Reading, Receiver, params_of, receivers, settings_of
from astdialer.ports import ForeignObject

#: The base of candidates.
BASE = "candidates"
DAY_MS = 86_400_000
#: Who is told of a task is forgotten so long after its end. What has finished may be played again: it gets them back.
HALTED_KEPT_MS, FINISHED_KEPT_MS = DAY_MS, 3 * DAY_MS
#: So many at once: a request waits for it.
FORGOTTEN_AT_A_TIME = 10
S = CampaignState


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A campaign, under Twin24's id, with its document."""

    id: str
    campaign: Campaign
    body: Mapping[str, Any]
    created_at: int

    @property
    def status(self) -> str:
        """BLANK, READY, PROCESS, PAUSED, HALTED or FINISHED."""
        return task_status(self.campaign)

    def why_closed(self, now: int) -> str:
        """Why nobody whom it is given would be called; empty if it may dial, now or later."""
        if self.status == "HALTED":
            return "the task is halted, for ever: make another one"
        return "".join(f"the task's lifetime has ended: {why}" for why in campaigns.over(self.campaign, now))

    def text(self, key: str) -> str:
        """A field of the document as text, empty where there is none."""
        return str(self.body.get(key) or "")


async def raw_body(request: Request) -> dict[str, Any]:
    """The document as it came. Raises InvalidSetting for what can't be kept, or be said back."""
    found: dict[str, Any] = await request.json()
    try:
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise InvalidSetting("body", "NaN or half of a character", "JSON in UTF-8") from None
    return found


async def make(found: Services, access: Access, task: AutoCall, body: Mapping[str, Any]) -> Task:
    """A new task. Raises InvalidSetting, and Forbidden when its receivers of events need more rights."""
    texts, told = await prepared(found, access, task)
    return await made_of(found, access, texts, body, told)


async def prepared(found: Services, access: Access, task: AutoCall) -> tuple[dict[str, str], list[Receiver]]:
    """Settings and receivers, all checked. Raises as `make` does."""
    told = receivers(task.webhookUrls)
    if told:
        access.require(Permission.HOOKS)
    texts = settings_of(task, await place_of(found))
    campaigns.read_settings(texts)
    return texts, told


async def made_of(
    found: Services, access: Access, texts: Mapping[str, str], body: Mapping[str, Any], told: Sequence[Receiver]
) -> Task:
    """A task of settings and a document. What its settings name need not be there before it is started."""
    await forget_receivers(found)
    identity, now, settings = str(uuid.uuid4()), found.clock.now(), campaigns.read_settings(texts)
    name = campaign_name(str(body["name"]), identity)
    document = ForeignObject(
        dialect=DIALECT, kind=AUTOCALL, id=identity, tenant=access.tenant, body=body, created_at=now, changed_at=now
    )
    campaign_id = await found.store.make_task(
        name,
        settings,
        document,
        event=campaigns.entry(found.clock, "created", campaigns.changes(Settings(), settings), done_by=access.name),
        receivers=_webhooks(found, access, identity, body, told),
    )
    campaign = Campaign(id=campaign_id, name=name, state=S.IDLE, settings=settings, tenant=access.tenant)
    return Task(id=identity, campaign=campaign, body=body, created_at=now)


def _webhooks(
    found: Services, access: Access, identity: str, body: Mapping[str, Any], told: Sequence[Receiver]
) -> list[Webhook]:
    """Of a task's campaign, which they do not know yet."""
    of = {"taskId": identity, "botId": body.get("defaultExecData"), "channel": body.get("secondExecData")}
    return [
        Webhook(
            id=str(uuid.uuid4()),
            url=one.url,
            secret=webhooks.new_secret(),
            events=one.events,
            form=Form.TWIN24,
            tenant=access.tenant,
            options={**of, **one.options},
            created_at=found.clock.now(),
            created_by=access.name,
        )
        for one in told
    ]


async def forget_receivers(found: Services) -> None:
    """Remove some receivers of tasks that ended long ago, and were told of it: some clients make a task for each call,
    and each new one pays for few."""
    now = found.clock.now()
    spent = await found.store.spent_receivers(
        stopped_before=now - HALTED_KEPT_MS, finished_before=now - FINISHED_KEPT_MS, limit=FORGOTTEN_AT_A_TIME
    )
    for webhook_id in spent:
        with contextlib.suppress(NotFound):  # another request does the same
            await found.store.remove_webhook(webhook_id)


async def return_receivers(found: Services, access: Access, task: Task) -> None:
    """Those of its document, if they were forgotten since it finished."""
    hooks = AutoCall.model_validate(task.body).webhookUrls if task.body.get("webhookUrls") else ()
    if told := receivers(hooks):
        again = _webhooks(found, access, task.id, task.body, told)
        mine = [replace(webhook, tenant=task.campaign.tenant) for webhook in again]
        await found.store.return_receivers(task.campaign.id, mine)


def campaign_name(title: str, identity: str) -> str:
    """What the administrator sees: as much of the title as a name may have, and the beginning of the id."""
    plain = re.sub(r"[^A-Za-z0-9_.@+]+", "-", title).strip("-_.@+")[:48]
    return f"{plain or 'autocall'}-{identity[:8]}"


async def place_of(found: Services) -> Place:
    """What tasks take from the configuration. Raises Conflict when the template is gone."""
    return Place(
        now=found.clock.now(),
        zone=found.zone,
        scenario_context=found.settings.scenario_context,
        trunk=await usual_trunk(found),
        base=await template(found),
    )


async def usual_trunk(found: Services) -> str:
    """The trunk of tasks that name none: empty where nobody has said which."""
    names = [trunk.name for trunk in await found.store.trunks()]
    return found.settings.default_trunk or (names[0] if len(names) == 1 else "")


async def template(found: Services) -> Settings | None:
    """The settings that tasks begin with, None for the usual ones. Raises Conflict."""
    name = found.settings.autocall_template
    if not name:
        return None
    try:
        return (await found.store.campaign(name)).settings
    except NotFound:
        raise Conflict(f"[http] autocall_template = {name!r}: there is no such campaign") from None


# --- tasks that are there --------------------------------------------------------------------------------------------


async def find(found: Services, access: Access, identity: str) -> Task:
    """Raises NotFound, for another tenant's too."""
    made = await found.store.foreign(DIALECT, AUTOCALL, identity)
    if made is None or not access.sees(made.tenant):
        raise NotFound("autoCall", identity[:64])
    return await _task(found, access, made)


async def of_campaign(found: Services, access: Access, campaign: Campaign) -> Task | None:
    """The task that a campaign is, None if it is none."""
    made = await found.store.foreign_by_name(DIALECT, AUTOCALL, str(campaign.id))
    return await _task(found, access, made) if made and access.sees(made.tenant) else None


async def _task(found: Services, access: Access, made: ForeignObject) -> Task:
    campaign = await found.campaign_by_id(access, int(made.name))
    return Task(id=made.id, campaign=campaign, body=made.body, created_at=made.created_at)


async def find_all(found: Services, access: Access) -> list[Task]:
    """The tasks that the token sees, the oldest first."""
    by_id = {campaign.id: campaign for campaign in await found.campaigns(access)}
    made = await found.store.foreign_all(DIALECT, AUTOCALL, access.tenant or None)
    return [
        Task(id=one.id, campaign=by_id[int(one.name)], body=one.body, created_at=one.created_at)
        for one in made
        if int(one.name) in by_id
    ]


def reading(found: Services, body: Mapping[str, Any]) -> Reading:
    """How the candidates of a task with this document are read."""
    return Reading(
        read_number=found.read_number,
        russian=body.get("phoneNormalization") == "RU",
        strict=str(body.get("checkPhone")).lower() in ("true", "1"),
        reserved=params_of(str(body.get("secondExec") or ""), str(body.get("secondExecData") or "")),
    )


async def shown(found: Services, task: Task) -> dict[str, Any]:
    """A task as lists have it: its document as it came, and what it is doing."""
    counts, campaign = await found.store.counts(task.campaign.id), task.campaign
    waiting = counts.ready + counts.waiting + counts.held
    return dict(task.body) | {
        "id": task.id,
        "status": task.status,
        "statusComment": campaign.explanation,
        "createdAt": iso(task.created_at),
        "cps": cps_of(campaign.settings.calls_per_second) or task.body.get("cps"),
        "campaign": campaign.name,
        "candidates": {
            "total": waiting + counts.in_call + counts.done,
            "waiting": waiting,
            "inCall": counts.in_call,
            "done": counts.done,
        },
    }


# --- what it is to do ------------------------------------------------------------------------------------------------


async def play(found: Services, access: Access, identity: str) -> Task:
    """Let it dial; nothing happens if it does. Raises NotFound, and Conflict with what is missing.

    It is found anew: one that has just been given candidates may have finished before they came.
    """
    task = await find(found, access, identity)
    await check_playable(found, task)
    state, name = task.campaign.state, task.campaign.name
    if state is S.FINISHED:
        await return_receivers(found, access, task)
    if state is not S.RUNNING:
        move = campaigns.resume if state is S.PAUSED else campaigns.start
        try:
            await move(found.store, found.clock, name, done_by=access.name)
        except Conflict:  # or another request has just done it
            if (await find(found, access, identity)).campaign.state is not S.RUNNING:
                raise
    return await find(found, access, identity)


async def check_playable(found: Services, task: Task) -> None:
    """Raises Conflict unless the task could be started now."""
    check_open(found, task)
    missing = campaigns.lacks(await campaigns.loaded(found.store, found.zone), task.campaign)
    if missing and task.campaign.state is not S.RUNNING:
        raise Conflict(f"the task can't start: {'; '.join(missing)}")


def check_open(found: Services, task: Task) -> None:
    """Raises Conflict for a task that was halted, or whose lifetime has ended."""
    if why := task.why_closed(found.clock.now()):
        raise Conflict(why)


async def pause(found: Services, access: Access, task: Task) -> Task:
    """Place no new call; nothing happens if it is paused already. Raises Conflict."""
    if task.campaign.state is not S.PAUSED:
        await campaigns.pause(found.store, found.clock, task.campaign.name, done_by=access.name)
    return await find(found, access, task.id)


async def halt(found: Services, access: Access, task: Task) -> Task:
    """End it for ever; live calls run on."""
    await campaigns.halt(found.store, found.clock, task.campaign.name, done_by=access.name)
    return await find(found, access, task.id)
