"""Taking campaigns and contacts away, in SQLite.

A removed contact lies in an upload of the state ``removed``, which nothing finds. It is deleted if it was never called.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from astdialer.domain.cause import EndCause
from astdialer.domain.contact import ContactState
from astdialer.domain.errors import Conflict
from astdialer.domain.retry import ended
from astdialer.ports.requests import CONTACT_DOCUMENTS
from astdialer.store.claim import with_numbers
from astdialer.store.contact_write import pool_id, save_contacts
from astdialer.store.database import Database, Writing

#: End reason of contacts that were removed while they were to be called.
REMOVED = "removed"


class Removal:
    """Implements ports.RemovalStore."""

    _db: Database

    async def remove_campaign(self, campaign_id: int, now: int) -> None:
        """Raises Conflict while it is active or has a live call, and if it was removed already."""
        key = {"id": campaign_id}

        async def remove(tx: Writing) -> None:
            if await tx.fetch("live_call_of_campaign", key):
                raise Conflict("it has a live call: wait until that has ended")
            if not await tx.execute("remove_campaign", key | {"now": now}):
                raise Conflict("it is active, or removed already")
            for query in _FORGET:
                await tx.execute(query, key)

        await self._db.write(remove)

    async def remove_contacts(self, campaign_id: int, contact_ids: Sequence[int], now: int) -> Sequence[int]:
        """Those that were there and in no call; the others stay."""

        async def remove(tx: Writing) -> list[int]:
            wanted = {"ids": json.dumps(list(contact_ids)), "campaign_id": campaign_id}
            rows = [dict(row) for row in await tx.fetch("removable_contacts", wanted)]
            found = await with_numbers(tx, rows)
            open_ones = [contact for contact in found if contact.state is not ContactState.DONE]
            await save_contacts(tx, [ended(c, REMOVED, EndCause.MANAGER_REQUEST) for c in open_ones], now)
            for base_id in {contact.base_id for contact in found}:
                of_base = [contact.id for contact in found if contact.base_id == base_id]
                await _hide(tx, campaign_id, base_id, of_base, now)
            ids = [contact.id for contact in found]
            await _erase(tx, ids)
            return ids

        removed: list[int] = await self._db.write(remove)
        return removed

    async def erase_some(self, limit: int) -> int:
        """Some contacts of one removed campaign."""

        async def erase(tx: Writing) -> int:
            rows = await tx.fetch("next_to_erase")
            if not rows:
                return 0
            campaign = dict(rows[0])
            ids = [row["id"] for row in await tx.fetch("contacts_to_erase", campaign | {"limit": limit})]
            await _erase(tx, ids)
            await tx.execute("erased_to", {"id": campaign["id"], "erased_to": ids[-1] if ids else None})
            return len(ids)

        if not await self._db.read("next_to_erase"):
            return 0
        erased: int = await self._db.write(erase)
        return erased


_FORGET = (
    "remove_uploads",
    "forget_history",
    "forget_learned",
    "forget_totals",
    "forget_deliveries_of_campaign",
    "forget_webhooks_of_campaign",
)


async def _hide(tx: Writing, campaign_id: int, base_id: int, ids: Sequence[int], now: int) -> None:
    """Into an upload that nothing finds, and their counts with them."""
    base = {"base_id": base_id, "campaign_id": campaign_id}
    rows = await tx.fetch("removed_upload", base)
    upload_id = rows[0]["id"] if rows else await tx.insert("make_removed_upload", base | {"now": now})
    pool = await pool_id(tx, upload_id, campaign_id, "", "")
    await tx.execute("move_to_removed", {"ids": json.dumps(list(ids)), "upload_id": upload_id, "pool_id": pool})


async def _erase(tx: Writing, ids: Sequence[int]) -> None:
    listed = {"ids": json.dumps(list(ids))}
    for query in ("erase_uncalled_numbers", "erase_uncalled_contacts", "erase_contacts", "erase_descriptions"):
        await tx.execute(query, listed)
    await tx.execute("erase_call_tags", listed)
    for dialect, kind in CONTACT_DOCUMENTS:
        await tx.execute("erase_documents", listed | {"dialect": dialect, "kind": kind})
