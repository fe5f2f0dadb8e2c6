"""Contacts that come one by one, and are added together."""

import asyncio
from collections.abc import Sequence
from typing import cast

from use_case_hands import Clock

from astdialer.domain.contact import NewContact
from astdialer.engine.adding import Adder
from astdialer.ports import RequestStore

NOBODY = NewContact(numbers=(), params={}, priority=1, agentphone="", line=0)


async def test_a_campaign_that_gets_contacts_without_end_does_not_keep_another_waiting() -> None:
    added: list[int] = []

    class Busy:
        async def add_to_base(self, campaign_id: int, base: str, contacts: Sequence[NewContact], now: int) -> list[int]:
            added.append(campaign_id)
            if campaign_id == 1 and len(added) < 10:
                tasks.create_task(adder.add(1, base, NOBODY))
                await asyncio.sleep(0)
            return [len(added)] * len(contacts)

    adder = Adder(cast(RequestStore, Busy()), Clock())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(adder.add(2, "b", NOBODY))
        tasks.create_task(adder.add(1, "b", NOBODY))
    assert added == [2] + [1] * 9
