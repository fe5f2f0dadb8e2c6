"""Taking campaigns and contacts away, in SQLite.

A removed contact lies in an upload of the state ``removed``, which nothing finds. It is deleted if it was never called.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from astdialer.domain.cause import EndCause
from astdialer.domain.contact import REMOVED, Contact, ContactState
from astdialer.domain.errors import Conflict
from astdialer.domain.retry import ended
from astdialer.store.claim import with_numbers
from astdialer.store.contact_write import forget_documents, pool_id, save_contacts
from astdialer.store.database import Database, Writing


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
            await _end(tx, [contact for contact in found if contact.state is not ContactState.DONE], now)
            await take_away(tx, campaign_id, found, now)
            return [contact.id for contact in found]

        removed: list[int] = await self._db.write(remove)
        return removed

    async def erase_some(self, limit: int, now: int) -> int:
        """Of one removed campaign: messages of its webhooks, then its history, then contacts."""

        async def erase(tx: Writing) -> int:
            rows = await tx.fetch("next_to_erase")
            if not rows:
                return 0
            campaign = dict(rows[0]) | {"limit": limit}
            for query in ("erase_deliveries", "erase_history"):
                if erased := await tx.execute(query, campaign):
                    return erased
            await tx.execute("erase_webhooks", campaign)
            found = [dict(row) for row in await tx.fetch("contacts_to_erase", campaign)]
            await _end(tx, await with_numbers(tx, [row for row in found if row["state"] == "held"]), now)
            ids = [row["id"] for row in found]
            await _erase(tx, ids)
            await tx.execute("erased_to", {"id": campaign["id"], "erased_to": ids[-1] if ids else None})
            return len(ids)

        if not await self._db.read("next_to_erase"):
            return 0
        erased: int = await self._db.write(erase)
        return erased


#: What takes no time, however much there is of the campaign. The rest is erased in steps.
_FORGET = ("remove_uploads", "forget_learned", "forget_totals", "silence_webhooks")


#: What refers to a contact goes before it.
_ERASE = (
    "forget_attachments",
    "erase_uncalled_numbers",
    "erase_uncalled_contacts",
    "erase_contacts",
    "erase_descriptions",
)


async def _end(tx: Writing, contacts: Sequence[Contact], now: int) -> None:
    await save_contacts(tx, [ended(contact, REMOVED, EndCause.MANAGER_REQUEST) for contact in contacts], now)


async def take_away(tx: Writing, campaign_id: int, contacts: Sequence[Contact], now: int) -> None:
    """Contacts of the campaign that are done."""
    for base_id in {contact.base_id for contact in contacts}:
        of_base = [contact.id for contact in contacts if contact.base_id == base_id]
        await _hide(tx, campaign_id, base_id, of_base, now)
    await _erase(tx, [contact.id for contact in contacts])


async def _hide(tx: Writing, campaign_id: int, base_id: int, ids: Sequence[int], now: int) -> None:
    """Into an upload that nothing finds, and their counts with them."""
    base = {"base_id": base_id, "campaign_id": campaign_id}
    rows = await tx.fetch("removed_upload", base)
    upload_id = rows[0]["id"] if rows else await tx.insert("make_removed_upload", base | {"now": now})
    pool = await pool_id(tx, upload_id, campaign_id, "", "")
    await tx.execute("move_to_removed", {"ids": json.dumps(list(ids)), "upload_id": upload_id, "pool_id": pool})


async def _erase(tx: Writing, ids: Sequence[int]) -> None:
    listed = {"ids": json.dumps(list(ids))}
    for query in _ERASE:
        await tx.execute(query, listed)
    await tx.execute("erase_call_tags", listed)
    await forget_documents(tx, ids)
