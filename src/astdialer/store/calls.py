"""Single calls, live or over, as those outside ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.errors import NotFound
from astdialer.ports import Delivery
from astdialer.store.database import Database


class Calls:
    """Implements ports.CallStore."""

    _db: Database

    async def attempt(self, guid: str) -> Mapping[str, Any]:
        """An attempt with ``campaign``, ``tenant``, ``base``, its recording's ``recording_…``. Raises NotFound."""
        rows = await self._db.read("attempt_by_guid", {"guid": guid})
        if not rows:
            raise NotFound("attempt", guid)
        return rows[0]

    async def cdr(self, guid: str) -> Mapping[str, Any] | None:
        """The record of an attempt; None while it is not over."""
        return next(iter(await self._db.read("cdr_of_guid", {"guid": guid})), None)

    async def live_attempts(self, tenant: str | None, campaign: str | None = None) -> Sequence[Mapping[str, Any]]:
        """Attempts that are not over, the oldest first, with ``campaign``, ``tenant``, ``base``."""
        return await self._db.read("live_attempts", {"tenant": tenant, "campaign": campaign})

    async def tag_call(self, guid: str, tag: str) -> None:
        """Say what a call was, live or over; the contact's own tag stays as it is."""
        await self._db.write(lambda tx: tx.execute("tag_call", {"guid": guid, "tag": tag}))

    async def delivery(self, delivery_id: str) -> Delivery:
        """One message to a webhook. Raises NotFound."""
        rows = await self._db.read("delivery", {"id": delivery_id})
        if not rows:
            raise NotFound("delivery", delivery_id, "see astdialer webhook deliveries")
        return Delivery(**rows[0])
