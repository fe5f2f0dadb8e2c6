"""Reading for people, and the blacklist."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from astdialer.domain.errors import NotFound
from astdialer.ports import BlacklistEntry
from astdialer.store.database import Database, Writing

_CONTACT_FILTERS = ("campaign", "base", "state", "end_reason", "number")
_CDR_FILTERS = ("campaign", "number", "disposition", "agent", "base", "guid", "from_at", "to_at")
_RECORDING_FILTERS = ("date", "campaign", "guid")


class Reports:
    """Implements ports.ReportStore."""

    _db: Database

    async def contacts(self, filters: Mapping[str, Any], limit: int, offset: int = 0) -> Sequence[Mapping[str, Any]]:
        """Contacts by campaign, base, state, end_reason, number."""
        row = {**_only(filters, _CONTACT_FILTERS), "limit": limit, "offset": offset}
        return [_unpacked(found) for found in await self._db.read("contacts", row)]

    async def contact(self, contact_id: int) -> Mapping[str, Any]:
        """The contact, its numbers and its attempts; raises NotFound."""
        key = {"id": contact_id}
        rows = await self._db.read("contact", key)
        if not rows:
            raise NotFound("contact", contact_id, "see astdialer contact list")
        numbers = [_unpacked(row) for row in await self._db.read("contact_numbers", key)]
        attempts = await self._db.read("contact_attempts", key)
        return {**_unpacked(rows[0]), "numbers": numbers, "attempts": attempts}

    def cdrs(self, filters: Mapping[str, Any], limit: int | None) -> AsyncIterator[Mapping[str, Any]]:
        """CDRs, the newest first, by campaign, number, disposition, agent, base, guid, from_at, to_at."""
        row = {**_only(filters, _CDR_FILTERS), "limit": -1 if limit is None else limit}
        return self._db.stream("cdrs", row)

    async def recordings(self, filters: Mapping[str, Any], limit: int) -> Sequence[Mapping[str, Any]]:
        """Recordings by date (YYYYMMDD), campaign, guid, the newest first."""
        return await self._db.read("recordings", {**_only(filters, _RECORDING_FILTERS), "limit": limit})

    async def bases(self, campaign_id: int | None) -> Sequence[Mapping[str, Any]]:
        """The uploads of bases with their counts."""
        return await self._db.read("bases", {"campaign_id": campaign_id})

    async def live_view(self) -> Mapping[str, Any] | None:
        """The newest live view."""
        rows = await self._db.read("live_view")
        return {**json.loads(rows[0]["body"]), "written_at": rows[0]["written_at"]} if rows else None

    async def blacklist(self, campaign: str | None, limit: int) -> Sequence[BlacklistEntry]:
        """Entries of a campaign (``*`` are those of all), or every entry."""
        rows = await self._db.read("blacklist", {"campaign": campaign, "limit": limit})
        return [BlacklistEntry(**row) for row in rows]

    async def add_to_blacklist(self, entries: Sequence[BlacklistEntry]) -> int:
        """How many of them are new."""

        async def add(tx: Writing) -> int:
            return sum([await tx.execute("add_to_blacklist", dataclasses.asdict(entry)) for entry in entries])

        added: int = await self._db.write(add)
        return added

    async def remove_from_blacklist(self, number: str, campaign: str) -> bool:
        """Whether it was there."""
        key = {"number": number, "campaign": campaign}
        return bool(await self._db.write(lambda tx: tx.execute("remove_from_blacklist", key)))


def _only(filters: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    unknown = set(filters) - set(names)
    if unknown:
        raise ValueError(f"unknown filters {sorted(unknown)}")
    return {name: filters.get(name) for name in names}


def _unpacked(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: json.loads(value) if key in ("params", "tally") else value for key, value in row.items()}
