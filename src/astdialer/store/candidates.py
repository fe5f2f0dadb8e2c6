"""Contacts as Twin24 sees them, with their calls and what came with them, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.campaign import Campaign
from astdialer.store.database import Database

#: What SQLite counts up to.
LARGEST_ID = 2**63 - 1
_JSON = ("params", "attachment", "numbers", "attempts")


class Candidates:
    """Implements ports.CandidateStore."""

    _db: Database

    async def candidates(
        self, campaign_id: int, limit: int, offset: int = 0, *, contact_id: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The campaign's contacts, by id."""
        ids = {"first": contact_id or 0, "last": contact_id or LARGEST_ID}
        key = {"campaign_id": campaign_id, "limit": limit, "offset": offset}
        rows = await self._db.read("candidates", key | ids)
        return [{name: json.loads(value) if name in _JSON else value for name, value in row.items()} for row in rows]

    async def attachments(self, contact_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """What came with these contacts, where anything did."""
        rows = await self._db.read("attachments", {"ids": json.dumps(list(contact_ids))})
        return {row["contact_id"]: json.loads(row["body"]) for row in rows}

    async def last_call_at(self, campaign: Campaign) -> int | None:
        """When the last of the campaign's calls began that have ended."""
        at: int | None = (await self._db.read("last_call_at", {"campaign": campaign.name}))[0]["at"]
        return at
