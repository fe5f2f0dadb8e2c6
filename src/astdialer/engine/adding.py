"""Contacts that come one by one: those that come at the same time are added together.

Each write to the disk takes its time, and each statement a turn of the store's thread: a contact costs a fraction of
that when it shares them with others.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from astdialer.domain.contact import NewContact
from astdialer.domain.errors import Unavailable
from astdialer.ports import Clock, RequestStore

#: Most contacts that are added together.
TOGETHER = 500

#: A contact, and who waits for its id.
_Waiting = tuple[NewContact, "asyncio.Future[int | None]"]


class Adder:
    """Adds to bases of campaigns. One for each store that is written to."""

    def __init__(self, store: RequestStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._waiting: OrderedDict[tuple[int, str], list[_Waiting]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    async def add(self, campaign_id: int, base: str, contact: NewContact) -> int | None:
        """As ports.RequestStore.add_to_base adds one; returns when it is on the disk. Raises Unavailable."""
        added: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault((campaign_id, base), []).append((contact, added))
        if self._task is None:
            self._task = asyncio.create_task(self._add_all(), name="adder")
        return await added

    async def _add_all(self) -> None:
        """Whoever comes while some are being added is in the next lot of that base, after the other bases'."""
        try:
            while self._waiting:
                (campaign_id, base), waiting = self._waiting.popitem(last=False)
                for first in range(0, len(waiting), TOGETHER):
                    await self._add(campaign_id, base, waiting[first : first + TOGETHER])
        finally:
            self._task = None

    async def _add(self, campaign_id: int, base: str, some: list[_Waiting]) -> None:
        contacts = [contact for contact, _ in some]
        try:
            ids = await self._store.add_to_base(campaign_id, base, contacts, self._clock.now())
        except Exception as error:
            if len(some) > 1 and not isinstance(error, Unavailable):
                for one in some:  # what is wrong with one of them is not the others' fault
                    await self._add(campaign_id, base, [one])
                return
            for _, added in some:
                if not added.done():
                    added.set_exception(error)
            return
        for (_, added), contact_id in zip(some, ids, strict=True):
            if not added.done():  # its request may have been given up
                added.set_result(contact_id)
