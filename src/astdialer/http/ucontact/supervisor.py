"""Queues and agents as they are now: uContact's queuesummary and campaignstatus, from the engine's live view.

uContact's campaigns are queues. Here a campaign has one, so that each campaign is shown with its queue's figures, and
queues of which no campaign makes use under their own names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from astdialer.domain.access import Access, Permission
from astdialer.domain.agent import AgentStatus
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import NotFound
from astdialer.domain.names import spellings
from astdialer.domain.queue import QueueFigures
from astdialer.http.access import Needs
from astdialer.http.services import Services, services
from astdialer.http.ucontact.forms import fields_of

router = APIRouter(prefix="/Supervisor")
Reader = Annotated[Access, Depends(Needs(Permission.READ))]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_S = AgentStatus
_AWAY = (_S.INVALID, _S.UNAVAILABLE)
_BUSY = (_S.INUSE, _S.BUSY, _S.RINGING, _S.RINGINUSE, _S.ONHOLD)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A campaign's queue, or a queue by itself, with its figures and members."""

    name: str
    figures: QueueFigures
    wrap_up_s: int
    members: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What uContact's answers say of the moment at which Asterisk told it."""

    action_id: str
    zone: str
    now: int

    def at(self, instant: int) -> dict[str, str]:
        """The two keys that every object ends with."""
        return {"internalActionId": self.action_id, "dateReceived": self.text(instant)}

    def text(self, instant: int) -> str:
        """``Nov 2, 2018 11:31:42 AM``."""
        local = datetime.fromtimestamp(instant / 1000, tz=zone_of(self.zone))
        clock = f"{local.hour % 12 or 12}:{local:%M:%S} {'AM' if local.hour < 12 else 'PM'}"
        return f"{_MONTHS[local.month - 1]} {local.day}, {local.year} {clock}"


@router.post("/queuesummary")
async def queue_summary(request: Request, access: Reader) -> Response:
    """Every queue in short, and at the end an object that is none: Asterisk's end of the list."""
    found = services(request)
    view = await found.live.view()
    stamp = _stamp(found, view)
    last = stamp.at(stamp.now)
    rows = [_summary(shown) | last for shown in await _shown(found, access, view)]
    return JSONResponse([*rows, last])


@router.post("/campaignstatus")
async def campaign_status(request: Request, access: Reader) -> Response:
    """Every queue's figures; of a queue that is named, its members as well."""
    found, fields = services(request), await fields_of(request)
    view, name = await found.live.view(), fields.line("queue", "campaign")
    stamp, every = _stamp(found, view), await _shown(found, access, view)
    if not name:
        return JSONResponse({shown.name: _status(shown) for shown in every})
    shown = _named(every, name)
    members = {row["agent"]: _member(shown.name, row, stamp) for row in shown.members}
    return JSONResponse({shown.name: _status(shown), **members})


def _stamp(found: Services, view: Row) -> Stamp:
    asked = max((row["asked_at"] for row in view.get("queues", ())), default=view["written_at"])
    return Stamp(action_id=f"{asked // 1000}_{asked % 100_000}", zone=found.zone, now=view["written_at"])


# --- which ones ------------------------------------------------------------------------------------------------------


async def _shown(found: Services, access: Access, view: Row) -> list[Shown]:
    """By name. A tenant's token sees its campaigns."""
    figures = {(row["server"], row["queue"]): _figures(row) for row in view.get("queues", ())}
    servers = {row["campaign"]: row["server"] for row in view["campaigns"]}
    made, used = [], set()
    for campaign in await found.campaigns(access):
        key = (servers.get(campaign.name, ""), campaign.settings.queue)
        if campaign.settings.queue:
            used.add(key)
            made.append(_one(campaign.name, key, figures, view, campaign.settings.wrap_up_s))
    others = [] if access.tenant else [key for key in figures if key not in used]
    made += [_one(queue, (server, queue), figures, view, 0) for server, queue in others]
    return sorted(made, key=lambda shown: shown.name)


def _figures(row: Row) -> QueueFigures:
    return QueueFigures(**{name: row[name] for name in QueueFigures.__dataclass_fields__})


def _one(
    name: str, key: tuple[str, str], figures: Mapping[tuple[str, str], QueueFigures], view: Row, wrap_up_s: int
) -> Shown:
    """One that Asterisk does not have, or has not told of, has zeros."""
    server, queue = key
    return Shown(
        name=name,
        figures=figures.get(key) or QueueFigures(server=server, queue=queue),
        wrap_up_s=wrap_up_s,
        members=[row for row in view["agents"] if (row["server"], row["queue"]) == key],
    )


def _named(every: Sequence[Shown], name: str) -> Shown:
    """The one of this name, which may be spelled as uContact does. Raises NotFound."""
    by_name = {shown.name: shown for shown in every}
    for spelled in (name, *spellings(name)):
        if spelled in by_name:
            return by_name[spelled]
    raise NotFound("queue", name, f"there are {', '.join(by_name) or 'none'}")


# --- what is said of them --------------------------------------------------------------------------------------------


def _summary(shown: Shown) -> dict[str, Any]:
    figures = shown.figures
    return {
        "queue": shown.name,
        "loggedIn": figures.logged_in,
        "available": figures.available,
        "callers": figures.waiting,
        "holdTime": figures.hold_s,
        "talkTime": figures.talk_s,
        "longestHoldTime": figures.longest_wait_s,
    }


def _status(shown: Shown) -> dict[str, Any]:
    figures, kinds = shown.figures, list(_kinds(shown.members))
    away = kinds.count("notavailables")
    return {
        "campaign": shown.name,
        "availables": kinds.count("availables"),
        "notavailables": away,
        "paused": kinds.count("paused"),
        "busy": kinds.count("busy"),
        "busypaused": kinds.count("busypaused"),
        "totalagents": len(kinds),
        "logged": len(kinds) - away,
        "onwrapup": kinds.count("onwrapup"),
        "completed": figures.completed,
        "abandoned": figures.abandoned,
        "talked": f"{_clock(figures.talk_s)}-{figures.talk_s}",
        "hold": f"{_clock(figures.hold_s)}-{figures.hold_s}",
        "abandonedlevel": str(figures.abandoned_percent),
        "totalcalls": figures.calls,
        "acd": figures.waiting,
        "servicelevel": str(figures.service_level),
        "servicelevel2": str(figures.service_level_2),
        "strategy": figures.strategy,
        "slevelthreshold": str(figures.service_level_s),
        "wrapup": shown.wrap_up_s,
    }


def _kinds(members: Sequence[Row]) -> Iterator[str]:
    """What each member counts as. Who is paused by the dialer itself is promised to a call, or rests after one."""
    for row in members:
        if row["code"] in _AWAY:
            yield "notavailables"
        elif row["code"] == _S.WRAPUP:
            yield "onwrapup"
        elif row["code"] in _BUSY or row["reserved"]:
            yield "busypaused" if row["paused"] and not row["reserved"] else "busy"
        else:
            yield "paused" if row["paused"] else "availables"


def _member(queue: str, row: Row, stamp: Stamp) -> dict[str, Any]:
    """In the order of the source document. Its date is when the member came into its present status."""
    return {
        "queue": queue,
        "location": row["agent"],
        "membership": "",
        "name": row["name"],
        "penalty": row["penalty"],
        "callsTaken": row["calls_taken"],
        "lastCall": (row["last_call_at"] or 0) // 1000,
        "status": row["code"],
        "paused": row["paused"],
        "stateinterface": row["state_interface"],
        "incall": int(row["in_call"]),
        "pausedreason": row["pause_reason"],
        **stamp.at(row["since"]),
        "server": _clock(max(0, stamp.now - row["since"]) // 1000),
    }


def _clock(seconds: int) -> str:
    """``HH:MM:SS``."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
