"""Store contract: campaigns and trunks."""

from dataclasses import replace

import pytest
from stores import NOW, FreshDatabase

from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.retry import Retry
from astdialer.domain.settings import Mode, Settings
from astdialer.domain.trunk import Trunk
from astdialer.ports import Store

pytest_plugins = ("store_fixtures",)

RICH = Settings(
    mode=Mode.BROADCAST, sound="hola ñ", lines_per_agent=1.25, retry_busy=Retry(tries=9, delays_s=(1, 60)), amd=True
)


async def test_a_campaign_comes_back_as_it_was_made(store: Store) -> None:
    made = await store.create_campaign("demo", RICH, NOW)
    assert made == Campaign(id=made.id, name="demo", state=CampaignState.IDLE, settings=RICH)
    assert await store.campaign("demo") == made
    assert list(await store.campaigns()) == [made]


async def test_a_taken_name_is_a_conflict(store: Store, demo: Campaign) -> None:
    with pytest.raises(Conflict, match="demo"):
        await store.create_campaign("demo", Settings(), NOW)
    assert list(await store.campaigns()) == [demo]


async def test_an_unknown_campaign_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="nobody"):
        await store.campaign("nobody")


async def test_campaigns_are_listed_by_name(store: Store) -> None:
    for name in ("b", "c", "a"):
        await store.create_campaign(name, Settings(), NOW)
    assert [campaign.name for campaign in await store.campaigns()] == ["a", "b", "c"]


async def test_settings_are_replaced(store: Store, demo: Campaign) -> None:
    await store.save_settings(demo.id, RICH)
    assert (await store.campaign("demo")).settings == RICH
    await store.save_settings(demo.id, Settings())
    assert (await store.campaign("demo")).settings == Settings()


@pytest.mark.parametrize("state", CampaignState)
async def test_every_state_can_be_kept(store: Store, demo: Campaign, state: CampaignState) -> None:
    await store.set_state(demo.id, state, hang_up=True, explanation="why", now=NOW)
    assert await store.campaign("demo") == replace(demo, state=state, hang_up=True, explanation="why")
    await store.set_state(demo.id, CampaignState.IDLE, now=NOW)
    assert await store.campaign("demo") == demo


async def test_trunks_are_made_changed_and_removed(store: Store) -> None:
    trunk = Trunk(name="t", dial="PJSIP/{number}@c", server="two", max_calls=3, calls_per_second=0.5, enabled=False)
    await store.save_trunk(trunk)
    await store.save_trunk(Trunk(name="a", dial="SIP/{e164}"))
    assert [one.name for one in await store.trunks()] == ["a", "t"]
    await store.save_trunk(replace(trunk, enabled=True, max_calls=4))
    assert (await store.trunks())[1] == replace(trunk, enabled=True, max_calls=4)
    await store.remove_trunk("t")
    assert [one.name for one in await store.trunks()] == ["a"]
    with pytest.raises(NotFound, match="'t'"):
        await store.remove_trunk("t")


async def test_everything_is_there_after_opening_again(database: FreshDatabase) -> None:
    async with database.open() as store:
        made = await store.create_campaign("demo", RICH, NOW)
    async with database.open() as store:
        assert list(await store.campaigns()) == [made]
