"""Writing contacts back: where they stand, their numbers, and the pool in which the claim will look for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from astdialer.domain.contact import Contact, ContactState
from astdialer.domain.selection import pool_zones
from astdialer.ports.requests import CONTACT_DOCUMENTS
from astdialer.store.database import Writing
from astdialer.store.rows import contact_row, number_row


async def save_contacts(
    tx: Writing, contacts: Iterable[Contact], now: int, *, why: str = "", deferred: bool = False
) -> None:
    """Write contacts and all of their numbers.

    ``deferred``: they wait for a rule of their campaign, ``why``, and come up again when it is changed.
    """
    kept = list(contacts)
    for contact in kept:
        if any(number.id == 0 for number in contact.numbers):
            await _add_numbers(tx, contact)
    known = [(c, n) for c in kept for n in c.numbers if n.id]
    await tx.execute_many("save_number", [number_row(number) for _, number in known])
    await tx.execute_many("save_contact", [_row(contact, now, why, deferred) for contact in kept])


def _row(contact: Contact, now: int, why: str, deferred: bool) -> dict[str, object]:
    done = contact.state is ContactState.DONE
    own = {"why": why, "deferred": deferred, "ended_at": now if done else None, "changed_at": now}
    return contact_row(contact) | own


async def _add_numbers(tx: Writing, contact: Contact) -> None:
    """New numbers may lie in other zones: the contact moves to the pool that fits all of its open ones."""
    for number in contact.numbers:
        if number.id == 0:
            await tx.execute("insert_number", number_row(number) | {"contact_id": contact.id})
    await move_to_pool(tx, contact)


async def move_to_pool(tx: Writing, contact: Contact) -> None:
    """Put the contact where the claim looks for its numbers' zones and its agent."""
    rows = await tx.fetch("upload_of_contact", {"id": contact.id})
    zones = pool_zones([n.zones for n in contact.numbers if n.is_open], any_hour=contact.any_hour)
    pool = await pool_id(tx, rows[0]["upload_id"], contact.campaign_id, zones, contact.pool_bucket)
    await tx.execute("move_contact", {"id": contact.id, "pool_id": pool})


async def pool_id(tx: Writing, upload_id: int, campaign_id: int, zones: str, bucket: str) -> int:
    """The pool of an upload for these zones and this bucket; made if there is none yet."""
    key = {"upload_id": upload_id, "campaign_id": campaign_id, "zones": zones, "bucket": bucket}
    await tx.execute("make_pool", key)
    return int((await tx.fetch("pool", key))[0]["id"])


async def forget_documents(tx: Writing, ids: Sequence[int]) -> None:
    """What other systems' APIs keep of contacts: another contact may get the id of one that was discarded."""
    for dialect, kind in CONTACT_DOCUMENTS:
        await tx.execute("erase_documents", {"ids": json.dumps(list(ids)), "dialect": dialect, "kind": kind})
