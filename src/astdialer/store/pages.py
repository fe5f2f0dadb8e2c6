"""Many contacts at a time, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.contact import Contact
from astdialer.domain.disposition import Disposition
from astdialer.ports.pages import PastAttempt
from astdialer.store.claim import with_numbers
from astdialer.store.database import Database
from astdialer.store.rows import attempt_of


class Pages:
    """Implements ports.PageStore."""

    _db: Database

    async def contacts_page(self, campaign_id: int, after: int, limit: int) -> Sequence[Contact]:
        """With an id above ``after``, by id."""
        return await self._page("contacts_page", {"campaign_id": campaign_id, "after": after, "limit": limit})

    async def contacts_at(self, campaign_id: int, offset: int, limit: int) -> Sequence[Contact]:
        """From the ``offset``-th on, by id. Whoever has the last page's last id should ask for what is after it."""
        return await self._page("contacts_at", {"campaign_id": campaign_id, "offset": offset, "limit": limit})

    async def _page(self, query: str, parameters: Mapping[str, Any]) -> list[Contact]:
        """Beside the dialing, which must not wait for it: a contact may change before its numbers are read."""
        return await with_numbers(self._db, await self._db.read(query, parameters))

    async def attempts_of(self, contact_ids: Sequence[int]) -> Mapping[int, Sequence[PastAttempt]]:
        """By contact, the oldest first."""
        found: dict[int, list[PastAttempt]] = {}
        for row in await self._db.read("attempts_of_contacts", {"ids": json.dumps(list(contact_ids))}):
            disposition = Disposition(row["disposition"]) if row["disposition"] else None
            past = PastAttempt(attempt=attempt_of(row), disposition=disposition, closed_at=row["closed_at"])
            found.setdefault(row["contact_id"], []).append(past)
        return found

    async def base_dates(self, campaign_id: int) -> Mapping[int, int]:
        """When each base was made."""
        rows = await self._db.read("base_dates", {"campaign_id": campaign_id})
        return {row["id"]: row["created_at"] for row in rows}
