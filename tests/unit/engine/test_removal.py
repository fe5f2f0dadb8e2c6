"""Taking campaigns and contacts away, as others ask for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from use_case_hands import Clock, campaign, person

from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import Conflict, NotFound
from astdialer.engine.removal import remove_campaign, remove_contacts
from astdialer.store import SqliteStore, open_store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "s.db", clock) as opened:
        yield opened


async def test_an_active_campaign_says_how_it_can_be_removed(store: SqliteStore, clock: Clock) -> None:
    of = await campaign(store, "sales")
    await store.set_state(of.id, CampaignState.RUNNING, now=clock.now())
    with pytest.raises(Conflict, match="sales is running: stop it first"):
        await remove_campaign(store, clock, await store.campaign("sales"))
    assert (await store.campaign("sales")).name == "sales"


async def test_a_campaign_that_is_not_active_is_removed(store: SqliteStore, clock: Clock) -> None:
    await remove_campaign(store, clock, await campaign(store, "sales"), done_by="ana")
    with pytest.raises(NotFound):
        await store.campaign("sales")


async def test_contacts_are_removed(store: SqliteStore, clock: Clock) -> None:
    of = await campaign(store, "sales")
    first = await person(store, of, 1)
    assert await remove_contacts(store, clock, of, [first.id, 77]) == [first.id]
    with pytest.raises(NotFound):
        await store.load_contact(first.id)
