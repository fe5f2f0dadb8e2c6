"""Looking calls up: uContact's getrecords, with the keys of its CDRs in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from astdialer.domain.access import Access, Permission
from astdialer.domain.agent import extension_of, is_agent
from astdialer.domain.base_fields import Alternative, alternatives_text, params_text
from astdialer.domain.daytimes import parse_day_range
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import InvalidSetting
from astdialer.http.access import Needs
from astdialer.http.services import Services, services
from astdialer.http.ucontact.forms import Fields, fields_of
from astdialer.http.ucontact.values import campaign_of, instant_of, local_text, number_of, whole_number, written
from astdialer.ports import CallSearch
from astdialer.ports.callrecords import AFTER_ALL, BEFORE_ALL

router = APIRouter(prefix="/Cdr")

#: Records of a page unless asked otherwise, and at most.
USUAL, MOST = 50, 10_000
RECORD = "record"
_LARGE = 2**31 - 1

#: Asterisk's words for what came of a call: ANSWERED is a talk.
_WORDS: Mapping[str, str] = {
    Disposition.ANSWERED: "ANSWERED",
    Disposition.BUSY: "BUSY",
    Disposition.CONGESTION: "CONGESTION",
    Disposition.FAILED: "FAILED",
    Disposition.INVALID_NUMBER: "FAILED",
    Disposition.UNKNOWN: "FAILED",
}


@router.post("/getrecords")
async def get_records(request: Request, access: Annotated[Access, Depends(Needs(Permission.READ))]) -> Response:
    """A page of calls, the oldest first."""
    found, fields = services(request), await fields_of(request)
    offset = whole_number("lastrow", fields.raw("lastrow") or 0, 0, _LARGE)
    limit = whole_number("searchLimit", fields.raw("searchLimit") or USUAL, 1, MOST)
    search = await _search(found, access, fields.object("filter"))
    rows = [] if search is None else await found.store.call_records(search, limit, offset)
    names = {profile.agent: profile.name for profile in await found.store.agents() if profile.name}
    return JSONResponse([_record(found, row, names) for row in rows])


async def _search(found: Services, access: Access, wanted: Fields) -> CallSearch | None:
    """What is looked for; None if nothing can be found. Raises InvalidSetting and NotFound."""
    if wanted.line("type") not in ("", RECORD):
        raise InvalidSetting("type", wanted.line("type"), RECORD)
    if wanted.line("rating") and whole_number("rating", wanted.line("rating"), 0, 10):
        return None  # nobody rates calls here: all are 0
    until = _instant(found, wanted, "calldatef")
    hours, shortest = wanted.line("range"), wanted.line("mindur")
    least, source = wanted.line("cont"), wanted.line("source")
    return CallSearch(
        from_at=_instant(found, wanted, "calldatei") or BEFORE_ALL,
        to_at=AFTER_ALL if until is None else until + 1000,
        campaigns=await _campaigns(found, access, wanted.line("campaign")),
        agents=await _agents(found, wanted.line("agent")),
        number=_number(found, wanted, "destination"),
        source=source.lstrip("+") or None,
        excluded=_number(found, wanted, "exclude"),
        shortest_s=whole_number("mindur", shortest, 0, _LARGE) if shortest else None,
        tag=wanted.line("data") or None,
        hours=parse_day_range("range", hours) if hours else None,
        zone=found.zone,
        calls_at_least=whole_number("cont", least, 0, _LARGE) if least else None,
    )


def _instant(found: Services, wanted: Fields, name: str) -> int | None:
    return instant_of(found, name, wanted.line(name)) if wanted.line(name) else None


def _number(found: Services, wanted: Fields, name: str) -> str | None:
    return number_of(found, name, wanted.raw(name)).number if wanted.line(name) else None


async def _campaigns(found: Services, access: Access, name: str) -> Sequence[str] | None:
    if name:
        return [(await campaign_of(found, access, name)).name]
    return [campaign.name for campaign in await found.campaigns(access)] if access.tenant else None


async def _agents(found: Services, text: str) -> Sequence[str] | None:
    """Interfaces of the agents whom an extension, interface or name means."""
    if not text:
        return None
    named = [profile.agent for profile in await found.store.agents() if profile.name == text]
    view = await found.live.newest() or {"agents": ()}
    named += [str(row["agent"]) for row in view["agents"] if row["name"] == text]
    known = await found.store.called_agents()
    return [agent for agent in known if any(is_agent(wanted, agent) for wanted in (text, *named))]


# --- a record --------------------------------------------------------------------------------------------------------


def _record(found: Services, row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """In the order of the source document."""
    ended_at = row["gone_at"] or row["calldate"] + row["duration"] * 1000
    return {
        "id": row["id"],
        "calldate": local_text(found, row["calldate"]),
        "clid": row["clid"] if "<" in row["clid"] else f'"{row["campaign"]}" <{row["src"]}>',
        "src": row["src"],
        "dst": written(found, row["dst"], row["as_uploaded"]),
        "dcontext": row["dcontext"],
        "channel": row["channel"],
        "dstchannel": row["dstchannel"],
        "lastapp": row["lastapp"],
        "lastdata": row["queue"] if row["lastapp"] == "Queue" else "",
        "duration": row["duration"],
        "billsec": row["billsec"],
        "disposition": _word(row),
        "amaflags": 3,
        "accountcode": row["accountcode"],
        "userfield": row["disposition"],
        "uniqueid": row["uniqueid"],
        "type": RECORD,
        "guid": row["guid"],
        "causecode": str(row["causecode"]),
        "campaign": row["campaign"],
        "direction": row["direction"],
        "carrier": row["carrier"],
        "linkedid": row["linkedid"],
        "peeraccount": _agent_name(row["agent"], names),
        "sequence": 0,
        "charged_balance": None,
        "real_balance": None,
        "note": row["tag"] or None,
        "contact": row["contact_id"],
        "finishtime": local_text(found, ended_at),
        "rating": 0,
        "dialerbase": row["dialerbase"] or None,
        "parandvalues": params_text(row["params"].items()) or None,
        "alternatives": alternatives_text(_alternatives(found, row)) or None,
        "quality": 0,
    }


def _alternatives(found: Services, row: Mapping[str, Any]) -> Iterator[Alternative]:
    for kind, number, as_uploaded, priority, description in row["others"]:
        yield Alternative(kind, written(found, number, as_uploaded), priority, description)


def _word(row: Mapping[str, Any]) -> str:
    """A call that was short, but had an agent, was a talk; one that nobody or a machine took had none."""
    if row["disposition"] == Disposition.SHORT and row["agent"]:
        return _WORDS[Disposition.ANSWERED]
    return _WORDS.get(row["disposition"], "NO ANSWER")


def _agent_name(interface: str, names: Mapping[str, str]) -> str:
    extension = extension_of(interface)
    return names.get(interface) or names.get(extension) or extension
