"""Reading for people, and the blacklist."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from astdialer.domain.disposition import PERSON_REACHED
from astdialer.domain.errors import NotFound
from astdialer.domain.selection import SHORTEST_PREFIX, Why
from astdialer.ports import BlacklistEntry, Ending, Listed
from astdialer.store.claim import blacklist_keys
from astdialer.store.database import Database, Writing

#: Entries of the blacklist that one transaction adds: dialing goes on between them.
ENTRIES = 5000
#: Contacts that come up later are counted together by so much time; all that come up after the horizon as well.
STEP_MS, HORIZON_MS = 15 * 60_000, 26 * 3_600_000
_CONTACT_FILTERS = ("rank", "campaign", "tenant", "base", "state", "end_reason", "number", "reference", "tag", "after")
_CDR_FILTERS = (
    *("campaign", "number", "disposition", "agent", "base", "guid", "from_at", "to_at"),
    *("min_talk_s", "tenant", "before"),
)
_RECORDING_FILTERS = ("date", "campaign", "guid", "tenant", "before")
#: Before and after all instants.
_NEVER = 2**62
#: A recording's date is that of a zone and of its call's begin: its calldate is within so much of the day in UTC.
_DATE_SLACK_MS = 36 * 3_600_000
_JSON = ("params", "tally", "range_tally", "attachment")


class Reports:
    """Implements ports.ReportStore."""

    _db: Database

    async def contacts(self, filters: Mapping[str, Any], limit: int, offset: int = 0) -> Sequence[Mapping[str, Any]]:
        """Contacts by campaign, tenant, base, rank, state, end_reason, number, reference and tag; ``after``: those
        behind a contact, given as its campaign's id and its own."""
        row = {**_only(filters, _CONTACT_FILTERS), "limit": limit, "offset": offset}
        row["after_campaign"], row["after"] = row["after"] or (0, 0)
        is_known = row["number"] is not None or row["reference"] is not None
        return [_unpacked(found) for found in await self._db.read("contacts_found" if is_known else "contacts", row)]

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
        """CDRs, the newest first, by campaign, number, disposition, agent, base, guid, from_at, to_at, min_talk_s,
        tenant, and those behind the place ``before`` (calldate, guid). Whoever reads slowly should ask for pages: an
        open reader shows all others of this store the past."""
        wanted = _only(filters, _CDR_FILTERS)
        query = next((f"cdrs_of_{one}" for one in ("number", "agent", "campaign") if wanted[one]), "cdrs")
        return self._db.stream(query, _window(wanted) | {"limit": -1 if limit is None else limit})

    async def recordings(self, filters: Mapping[str, Any], limit: int) -> Sequence[Mapping[str, Any]]:
        """Recordings by date (YYYYMMDD), campaign, guid, tenant, the newest first, and behind ``before`` as cdrs()."""
        wanted = _only(filters, _RECORDING_FILTERS)
        if wanted["date"]:
            day = int(datetime.strptime(wanted["date"], "%Y%m%d").replace(tzinfo=UTC).timestamp() * 1000)
            wanted |= {"from_at": day - _DATE_SLACK_MS, "to_at": day + 86_400_000 + _DATE_SLACK_MS}
        return await self._db.read("recordings", _window(wanted) | {"limit": limit})

    async def pending_recordings(self) -> int:
        """How many wait to be converted."""
        return int((await self._db.read("pending_recordings"))[0]["n"])

    async def bases(self, campaign_id: int | None) -> Sequence[Mapping[str, Any]]:
        """The uploads of bases with their counts."""
        return await self._db.read("bases", {"campaign_id": campaign_id})

    async def live_view(self) -> Mapping[str, Any] | None:
        """The newest live view."""
        rows = await self._db.read("live_view")
        return {**json.loads(rows[0]["body"]), "written_at": rows[0]["written_at"]} if rows else None

    async def abandonment(self, campaign_id: int, from_day: str) -> Sequence[Mapping[str, Any]]:
        """Of each day on which a person answered: how many did, and how many of them were abandoned."""
        people = json.dumps(sorted(PERSON_REACHED))
        return await self._db.read("abandonment", {"campaign_id": campaign_id, "from_day": from_day, "people": people})

    async def days(self, campaign_id: int, from_day: str) -> Sequence[Mapping[str, Any]]:
        """A campaign's attempts by day and disposition."""
        return await self._db.read("days", {"campaign_id": campaign_id, "from_day": from_day})

    async def trunk_days(self, from_day: str) -> Sequence[Mapping[str, Any]]:
        """Attempts by trunk, day and disposition."""
        return await self._db.read("trunk_days", {"from_day": from_day})

    async def agent_days(self, from_day: str) -> Sequence[Mapping[str, Any]]:
        """What each agent did on each day for each campaign."""
        return await self._db.read("agent_days", {"from_day": from_day})

    async def endings(
        self, after: int, campaign_id: int | None, limit: int, tenant: str | None = None
    ) -> Sequence[Ending]:
        """Ends of contacts with an id above ``after``, in order; of a campaign, or else of a tenant's, or of all."""
        wanted = {"after": after, "campaign_id": campaign_id, "limit": limit, "tenant": tenant}
        every = "endings" if tenant is None else "endings_of_tenant"
        rows = await self._db.read(every if campaign_id is None else "endings_of_campaign", wanted)
        return [Ending(**{**row, "successful": bool(row["successful"])}) for row in rows]

    async def survey(self, campaign_id: int) -> Sequence[Mapping[str, Any]]:
        """How the contacts of each zones and bucket stand, over all bases."""
        return await self._db.read("survey", {"campaign_id": campaign_id})

    async def put_off(self, campaign_id: int) -> Sequence[Mapping[str, Any]]:
        """Waiting contacts by rule, the most frequent first."""
        words = {"retry": Why.RETRY.value, "promised": Why.PROMISED.value}
        return await self._db.read("put_off", {"campaign_id": campaign_id, **words})

    async def coming_up(self, campaign_id: int, now: int) -> Sequence[Mapping[str, Any]]:
        """Waiting contacts by zones, bucket and when."""
        return await self._db.read("coming_up", _times(campaign_id, now))

    async def barred_contacts(self, campaign_id: int, now: int) -> Sequence[Mapping[str, Any]]:
        """Ready and waiting contacts of which every open number is blacklisted, likewise."""
        return await self._db.read("barred_contacts", _times(campaign_id, now) | {"shortest": SHORTEST_PREFIX})

    async def count_duplicates(self, campaign_id: int) -> int:
        """Open contacts whose main number is an earlier open contact's as well."""
        return int((await self._db.read("count_duplicates", {"campaign_id": campaign_id}))[0]["n"])

    def open_numbers(self, campaign_id: int) -> AsyncIterator[Mapping[str, Any]]:
        """Every number that may still be dialed, with its zones."""
        return self._db.stream("open_numbers", {"campaign_id": campaign_id})

    async def blacklist(
        self, campaign: str | None, limit: int, *, tenant: str | None = None, after: tuple[str, str] = ("", "")
    ) -> Sequence[BlacklistEntry]:
        """Entries of a campaign (``*`` are those of all), or every entry, or all that bind a tenant's campaigns."""
        row = {"campaign": campaign, "limit": limit, "tenant": tenant}
        rows = await self._db.read("blacklist", row | {"after_number": after[0], "after_campaign": after[1]})
        return [BlacklistEntry(**row) for row in rows]

    async def barring(self, number: str, campaign: str | None, now: int) -> Sequence[BlacklistEntry]:
        """The entries that bar a number now, itself or by how it begins; of one campaign and of all, or of any."""
        row = {"numbers": json.dumps(blacklist_keys(number)), "campaign": campaign, "now": now}
        return [BlacklistEntry(**found) for found in await self._db.read("barring", row)]

    async def add_to_blacklist(self, entries: Sequence[BlacklistEntry]) -> Listed:
        """An entry that is there already and ends no sooner is kept as it is."""
        done = [await self._forbid(entries[at : at + ENTRIES]) for at in range(0, len(entries), ENTRIES)]
        return Listed(sum(each.added for each in done), sum(each.kept for each in done))

    async def _forbid(self, entries: Sequence[BlacklistEntry]) -> Listed:
        keys = {(entry.number, entry.campaign) for entry in entries}
        rows = [dataclasses.asdict(entry) for entry in entries]

        async def add(tx: Writing) -> Listed:
            known = (await tx.fetch("known_entries", {"keys": json.dumps(list(keys))}))[0]["n"]
            written = await tx.execute_many("add_to_blacklist", rows) if rows else 0
            return Listed(len(keys) - int(known), len(rows) - written)

        listed: Listed = await self._db.write(add)
        return listed


def _window(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """From ``from_at``, ``to_at`` and ``before`` to instants that an index can be searched by."""
    before_at, before_guid = wanted["before"] or (None, None)
    first_at, to_at = wanted.get("from_at"), wanted.get("to_at")
    return {key: value for key, value in wanted.items() if key not in ("before", "from_at", "to_at")} | {
        "first_at": -_NEVER if first_at is None else first_at,
        "last_at": min(_NEVER if to_at is None else to_at - 1, _NEVER if before_at is None else before_at),
        "before_at": before_at,
        "before_guid": before_guid,
    }


def _times(campaign_id: int, now: int) -> dict[str, int]:
    return {"campaign_id": campaign_id, "now": now, "step": STEP_MS, "horizon": now + HORIZON_MS}


def _only(filters: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    unknown = set(filters) - set(names)
    if unknown:
        raise ValueError(f"unknown filters {sorted(unknown)}")
    return {name: filters.get(name) for name in names}


def _unpacked(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: json.loads(value) if key in _JSON else value for key, value in row.items()}
