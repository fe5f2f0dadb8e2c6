"""Looking calls up, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.calendar import DAY_MS
from astdialer.domain.daytimes import offsets
from astdialer.ports import CallSearch
from astdialer.store.database import Database


class CallRecords:
    """Implements ports.CallRecordStore."""

    _db: Database

    async def call_records(self, search: CallSearch, limit: int, offset: int) -> Sequence[Mapping[str, Any]]:
        """The calls of a page, the oldest first."""
        wanted = _parameters(search) | await self._hours(search) | {"limit": limit, "offset": offset}
        guids = [row["guid"] for row in await self._db.read(_page(search), wanted)]
        rows = await self._db.read("call_records", {"guids": json.dumps(guids)})
        return [_unpacked(row) for row in rows]

    async def _hours(self, search: CallSearch) -> dict[str, Any]:
        """The hours of the day as the query takes them, and the zone's offsets while there were calls."""
        if search.hours is None:
            return {"day_start": None, "day_length": None, "offsets": "[]"}
        start, end = search.hours
        (span,) = await self._db.read("call_record_span")
        first, last = max(search.from_at, span["first"] or 0), min(search.to_at, (span["last"] or 0) + 1)
        found = offsets(search.zone, first, max(first, last))
        return {"day_start": start, "day_length": (end - start) % DAY_MS or DAY_MS, "offsets": json.dumps(found)}

    async def called_agents(self) -> Sequence[str]:
        """Interfaces of all agents that ever had a call."""
        return [row["agent"] for row in await self._db.read("called_agents")]

    async def call_of_agents(self, agents: Sequence[str]) -> str | None:
        """The guid of their live call, else of their last one."""
        wanted = {"agents": json.dumps(list(agents))}
        live = await self._db.read("live_call_of_agents", wanted)
        if live:
            return str(live[0]["id"])
        last = await self._db.read("last_call_of_agents", wanted)
        return str(last[0]["guid"]) if last else None


def _page(search: CallSearch) -> str:
    """The query that reads least."""
    if search.number is not None:
        return "call_record_page_of_number"
    if search.agents is not None:
        return "call_record_page_of_agents"
    return "call_record_page_of_campaign" if _campaign(search) else "call_record_page"


def _campaign(search: CallSearch) -> str | None:
    """The only one that is looked for."""
    return search.campaigns[0] if search.campaigns and len(search.campaigns) == 1 else None


def _parameters(search: CallSearch) -> dict[str, Any]:
    return {
        "number": search.number,
        "campaign": _campaign(search),
        "from_at": search.from_at,
        "to_at": search.to_at,
        "campaigns": _listed(search.campaigns),
        "agents": _listed(search.agents),
        "source": search.source,
        "excluded": search.excluded,
        "shortest_s": search.shortest_s,
        "tag": search.tag,
        "calls_at_least": search.calls_at_least,
    }


def _listed(values: Sequence[str] | None) -> str | None:
    return None if values is None else json.dumps(list(values))


def _unpacked(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "params": json.loads(row["params"] or "{}"), "others": json.loads(row["others"])}
