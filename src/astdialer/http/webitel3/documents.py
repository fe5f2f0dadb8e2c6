"""Dialers as documents: what was sent, and what is known beside it; or written from settings made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from astdialer.domain.calendar import zone_of
from astdialer.domain.campaign import Campaign, Phase, phase_of
from astdialer.domain.disposition import PERSON_REACHED, Disposition
from astdialer.domain.errors import Conflict
from astdialer.domain.names import parse_names
from astdialer.domain.params import parse_params
from astdialer.domain.ranges import parse_ranges
from astdialer.domain.settings import Mode, NotSure, Settings
from astdialer.engine.directory import Directory
from astdialer.engine.rulebook import calendar_of, dialing_rules
from astdialer.http.services import Services
from astdialer.http.webitel3 import ids
from astdialer.http.webitel3.answers import NAME
from astdialer.http.webitel3.translate import AGENT_PARAMS, AMD, DIALER_ID, DIALER_NAME, MODES, PREDICTIVE, PROGRESSIVE
from astdialer.ports import CampaignCounts, CampaignEvent, ForeignObject

KIND = "dialer"
#: What the server alone says of a dialer. A document that comes with it is taken without.
LIVE = ("_id", "domain", "state", "active", "_cause", "stats", "lastModified", "nextTick", "access_token", "x_key")

STATES = {Phase.IDLE: 0, Phase.WORK: 1, Phase.SLEEP: 2, Phase.STOPPING: 3, Phase.END: 4, Phase.ERROR: 5}
CAUSES = {
    Phase.IDLE: "INIT",
    Phase.WORK: "QUEUE_HUNTING",
    Phase.SLEEP: "QUEUE_SLEEP",
    Phase.STOPPING: "QUEUE_STOP",
    Phase.END: "QUEUE_COMPLETE",
    Phase.ERROR: "QUEUE_ERROR",
}
#: Why a campaign has finished, in the engine's words.
CALENDAR_ENDED = "its calendar has ended"
_D = Disposition


def document_of(kept: ForeignObject | None, campaign: Campaign, directory: Directory) -> dict[str, Any]:
    """What was sent, or what says the same."""
    return dict(kept.body["document"]) if kept else written(campaign, directory)


async def kept_of(found: Services, campaign: Campaign) -> ForeignObject | None:
    """The document as it came; None for a campaign that was made elsewhere."""
    return await found.store.foreign(NAME, KIND, str(campaign.id))


def cleaned(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what the server alone says."""
    return {key: value for key, value in document.items() if key not in LIVE}


async def shown(
    found: Services, campaign: Campaign, directory: Directory, kept: ForeignObject | None
) -> dict[str, Any]:
    """The whole document."""
    counts = await found.store.counts(campaign.id)
    phase = await phase_now(found, campaign, directory)
    history = await found.store.history(campaign.id, 200)
    return document_of(kept, campaign, directory) | {
        "_id": ids.object_id(campaign.id),
        "domain": campaign.tenant,
        "state": STATES[phase],
        "active": phase in (Phase.WORK, Phase.SLEEP),
        "_cause": cause(campaign, phase, counts),
        "stats": stats(campaign, counts, history) | {"minuteOfDay": _minute(found, campaign, directory, phase)},
        "lastModified": kept.changed_at if kept else next((event.at for event in history), 0),
    }


# --- what it is doing ------------------------------------------------------------------------------------------------


async def phase_now(found: Services, campaign: Campaign, directory: Directory) -> Phase:
    """As the engine would say; a campaign whose calendar is gone is open to nobody."""
    try:
        rules = dialing_rules(campaign.settings, calendar_of(campaign, directory.calendars), found.zone)
    except Conflict:
        return phase_of(campaign.state, open_now=False)
    now = found.clock.now()
    zones = await found.store.zones(campaign.id) or ("",)
    return phase_of(campaign.state, open_now=any(rules.is_open(text, now) for text in zones))


def cause(campaign: Campaign, phase: Phase, counts: CampaignCounts) -> str:
    """Why it is in that state."""
    if phase is Phase.END and campaign.explanation == CALENDAR_ENDED:
        return "QUEUE_EXPIRE"
    members = counts.ready + counts.waiting + counts.in_call + counts.held + counts.done
    return "NOT_FOUND_MEMBER" if phase is Phase.END and not members else CAUSES[phase]


def stats(campaign: Campaign, counts: CampaignCounts, history: Sequence[CampaignEvent]) -> dict[str, Any]:
    """Totals since they were zeroed."""
    ended = counts.dispositions
    calls = sum(n for name, n in ended.items() if name != _D.CANCELED)
    people = sum(ended.get(name, 0) for name in PERSON_REACHED)
    machines = ended.get(_D.MACHINE, 0)
    success = ended.get(_D.ANSWERED, 0)
    return {
        "active": counts.in_call,
        "callCount": calls,
        "successCall": success,
        "errorCall": calls - success,
        "connectedCall": people + machines,
        "bridgedCall": success + ended.get(_D.SHORT, 0) if campaign.settings.mode.needs_agents else 0,
        "predictAbandoned": ended.get(_D.ABANDONED, 0),
        "predictAdjust": campaign.settings.predict_adjust,
        "queueLimit": campaign.settings.max_calls,
        "amd": {"HUMAN": people, "MACHINE": machines} if campaign.settings.amd else {},
        "readyOn": _last(history, "started", "resumed"),
        "stopOn": _last(history, "stopped", "finished", "error"),
    }


def _last(history: Sequence[CampaignEvent], *events: str) -> int | None:
    return next((event.at for event in history if event.event in events), None)


def _minute(found: Services, campaign: Campaign, directory: Directory, phase: Phase) -> int | None:
    """The minute of the campaign's day, while it works."""
    if phase is not Phase.WORK:
        return None
    calendar = directory.calendars.get(campaign.settings.calendar)
    zone = campaign.settings.timezone or (calendar.timezone if calendar else "") or found.zone
    local = datetime.fromtimestamp(found.clock.now() / 1000, tz=zone_of(zone))
    return local.hour * 60 + local.minute


# --- what was made elsewhere -----------------------------------------------------------------------------------------

_TYPES = {mode: kind for kind, mode in MODES.items()} | {Mode.PREVIEW: PROGRESSIVE}


def written(campaign: Campaign, directory: Directory) -> dict[str, Any]:
    """A campaign that was made elsewhere, as a document. What Webitel has no word for is not in it."""
    settings = campaign.settings
    variables = {
        name: value
        for name, value in parse_params("params", settings.params).items()
        if name not in (DIALER_ID, DIALER_NAME)
    }
    return {
        "name": campaign.name,
        "type": _TYPES.get(settings.mode, PREDICTIVE),
        "priority": settings.priority,
        "calendar": {"id": ids.id_of_name(settings.calendar), "name": settings.calendar} if settings.calendar else {},
        "parameters": _parameters(settings),
        "amd": _amd(settings),
        "variables": variables,
        "numberStrategy": settings.number_strategy.value,
        "membersStrategy": settings.contact_strategy.value,
        "autoResetStats": settings.auto_reset_stats,
        "resources": _resources(campaign, directory),
        "agentParams": {key: getattr(settings, setting) for key, setting in AGENT_PARAMS},
        "agents": list(parse_names("agents", settings.agents)),
        "skills": list(parse_names("skills", settings.skills)),
        "agentStrategy": settings.agent_strategy,
        "communications": {"types": _types(settings)},
        "queue": settings.queue,
    }


def _parameters(settings: Settings) -> dict[str, Any]:
    return {
        "limit": settings.max_calls,
        "minBillSec": settings.short_call_s,
        "originateTimeout": settings.originate_timeout_s,
        "maxTryCount": settings.max_tries,
        "intervalTryCount": settings.retry_interval_s,
        "wrapUpTime": settings.result_timeout_s,
        "predictAdjust": settings.predict_adjust,
        "targetPredictiveSilentCalls": settings.abandonment_target,
        "maxPredictiveSilentCalls": settings.abandonment_limit,
        "predictStartBridgedCount": settings.predict_after_answers,
        "maxLocateAgentSec": settings.agent_wait_s,
        "waitingForResultStatus": settings.wait_for_result,
        "recordSession": settings.record,
        "eternalQueue": settings.eternal_queue,
        "retryAbandoned": settings.retry_abandoned.tries != 1,
        "retriesByNumber": settings.retries_by_number,
        "oneDayTask": settings.one_day_task,
    }


def _amd(settings: Settings) -> dict[str, Any]:
    switches = {"enabled": settings.amd, "allowNotSure": settings.amd_not_sure is NotSure.PERSON}
    return switches | {key: getattr(settings, f"amd_{name}") for key, _, name in AMD}


def _resources(campaign: Campaign, directory: Directory) -> list[dict[str, Any]]:
    routes = directory.routes_of(campaign)
    if not routes and campaign.settings.trunk:
        way = _destination(campaign.settings.trunk, "$&", 0, directory) | {"enabled": True}
        return [{"dialedNumber": "^.+$", "destinations": [way]}]
    return [
        {
            "dialedNumber": route.pattern,
            "disabled": not route.enabled,
            "destinations": [
                _destination(to.trunk, to.rewrite, to.order, directory) | {"enabled": to.enabled}
                for to in route.destinations
            ],
        }
        for route in routes
    ]


def _destination(trunk: str, rewrite: str, order: int, directory: Directory) -> dict[str, Any]:
    known = directory.trunks.get(trunk)
    return {
        "gwName": trunk,
        "gwProto": "sip",
        "dialString": rewrite,
        "order": order,
        "limit": known.max_calls if known else 0,
        "callerIdNumber": known.caller_id if known else "",
    }


def _types(settings: Settings) -> list[dict[str, Any]]:
    return [
        {
            "name": code,
            "code": code,
            "ranges": [
                {
                    "startTime": each.start_minute,
                    "endTime": each.end_minute,
                    "attempts": each.attempts,
                    "priority": each.priority,
                }
                for each in of_type
            ],
        }
        for code, of_type in parse_ranges(settings.ranges).items()
    ]
