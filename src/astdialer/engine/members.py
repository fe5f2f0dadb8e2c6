"""Contacts that another system sends, few or many at a time, each with a document that is kept beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewContact
from astdialer.ports import Clock, ForeignObject, Store

#: So many are added in one transaction; dialing goes on between two.
BATCH = 500
FILE_NAME = "bulk"
T = TypeVar("T")


async def add(
    store: Store, clock: Clock, campaign: Campaign, base: str, new: Sequence[tuple[NewContact, ForeignObject]]
) -> Sequence[int]:
    """Add contacts that can be dialed at once, all of them or none; their ids. The documents get the contacts' ids.

    Many become an upload of their own, which is published when all of it is there: if anything dies before, nobody of
    them is ever called.
    """
    if len(new) > BATCH:
        return await _add_many(store, clock, campaign, base, new)
    contacts, documents = [contact for contact, _ in new], [document for _, document in new]
    return await store.add_members(campaign.id, base, contacts, documents, clock.now())


async def _add_many(
    store: Store, clock: Clock, campaign: Campaign, base: str, new: Sequence[tuple[NewContact, ForeignObject]]
) -> Sequence[int]:
    upload = await store.open_upload(campaign.id, base, file_name=FILE_NAME, timezone="", now=clock.now())
    ids: list[int] = []
    try:
        for batch in _batches(new):
            contacts, documents = [contact for contact, _ in batch], [document for _, document in batch]
            ids += await store.add_to_upload(upload, contacts, documents, clock.now())
        await store.publish_uploads([upload], clock.now())
    except BaseException:
        await asyncio.shield(store.discard_uploads([upload]))
        raise
    for some in _batches(list(zip(ids, new, strict=True))):
        await store.end_unreachable({at: contact for at, (contact, _) in some}, clock.now())
    return ids


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
