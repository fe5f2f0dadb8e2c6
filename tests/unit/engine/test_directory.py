"""What administrators have set, and what of it the engine notices."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from engine_doubles import NOON, USUAL, Rig
from engine_doubles import FakeClock as Clock

from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import Conflict
from astdialer.domain.settings import Settings
from astdialer.store import SqliteStore, open_store

pytest_plugins = ("engine_fixtures",)


@pytest.fixture
async def elsewhere(engine: Rig, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """The same store, as another process has it."""
    async with open_store(tmp_path / "store.db", Clock()) as other:
        yield other


# --- what has changed ------------------------------------------------------------------------------------------------


async def test_what_another_process_writes_is_read_once(engine: Rig, elsewhere: SqliteStore) -> None:
    await engine.context.directory.refresh()
    assert not await engine.context.directory.refresh()
    await elsewhere.save_settings(engine.campaign.id, Settings(**USUAL | {"max_calls": 7}))
    assert await engine.context.directory.refresh()
    assert engine.now_of().settings.max_calls == 7
    assert not await engine.context.directory.refresh()


async def test_what_the_engine_writes_itself_is_no_change_from_outside(engine: Rig) -> None:
    await engine.context.directory.refresh()
    await engine.store.save_settings(engine.campaign.id, Settings(**USUAL | {"max_calls": 7}))
    assert not await engine.context.directory.refresh()


async def test_a_campaign_whose_settings_have_changed_is_named(engine: Rig) -> None:
    other = await engine.add_campaign("another")
    assert engine.context.directory.changed_rules == set()
    await engine.set(attempts_per_day=5)
    assert engine.context.directory.changed_rules == {engine.campaign.id}
    assert other.id not in engine.context.directory.changed_rules


async def test_a_campaign_whose_calendar_has_changed_is_named(engine: Rig) -> None:
    await engine.add_calendar("office")
    await engine.set(calendar="office")
    await engine.add_campaign("another")
    engine.context.directory.changed_rules.clear()
    await engine.add_calendar("office", "mon-fri 09:00-17:00")
    assert engine.context.directory.changed_rules == {engine.campaign.id}


async def test_a_campaign_whose_routes_have_changed_is_named(engine: Rig) -> None:
    await engine.add_route("all", ".*", "carrier", enabled=False)
    await engine.set(routes="all")
    engine.context.directory.changed_rules.clear()
    await engine.add_route("of_others", ".*", "carrier")
    assert engine.context.directory.changed_rules == set()
    await engine.add_route("all", ".*", "carrier")
    assert engine.context.directory.changed_rules == {engine.campaign.id}


async def test_a_state_is_no_rule(engine: Rig) -> None:
    await engine.state(CampaignState.PAUSED)
    assert engine.context.directory.changed_rules == set()


async def test_pools_are_read_of_campaigns_that_dial(engine: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    other, zones, asked = await engine.add_campaign("another"), engine.store.zones, list[int]()
    await engine.people(1, zone="Asia/Tokyo", campaign=other)
    await engine.store.set_state(other.id, CampaignState.FINISHED, now=NOON)

    async def asking(campaign_id: int) -> Sequence[str]:
        asked.append(campaign_id)
        return await zones(campaign_id)

    monkeypatch.setattr(engine.store, "zones", asking)
    await engine.people(2, base="c", zone="Asia/Seoul", campaign=other)
    assert asked == [engine.campaign.id]
    await engine.store.set_state(other.id, CampaignState.RUNNING, now=NOON)
    await engine.context.directory.load()
    assert set(engine.context.directory.zones(other.id)) == {"Asia/Tokyo", "Asia/Seoul"}


async def test_the_campaigns_are_the_same_object_for_ever(engine: Rig) -> None:
    campaigns = engine.context.directory.campaigns
    added = await engine.add_campaign("another")
    assert campaigns[added.id] == added
    assert campaigns is engine.context.directory.campaigns


async def test_a_campaign_of_this_very_moment_can_be_taken_up(engine: Rig) -> None:
    made = await engine.store.create_campaign("new", Settings(**USUAL), NOON)
    engine.context.directory.require(made)
    assert engine.context.directory.campaigns[made.id] == made
    assert engine.context.directory.zones(made.id) == ()
    assert engine.context.directory.bound(made.id) == frozenset()


async def test_pools_tell_their_zones_and_their_agents(engine: Rig) -> None:
    await engine.people(1, zone="America/Lima")
    await engine.people(2, agentphone="1001")
    await engine.people(3, bucket="vip")
    assert set(engine.context.directory.zones(engine.campaign.id)) == {"America/Lima", ""}
    assert engine.context.directory.bound(engine.campaign.id) == {"@1001", "vip"}


async def test_campaigns_of_a_queue_name_it_and_call_on_its_server(engine: Rig) -> None:
    await engine.add_trunk("far", server="two")
    for name, of in (("same", {}), ("other", {"queue": "care"}), ("elsewhere", {"trunk": "far"})):
        await engine.add_campaign(name, **of)
    directory, queue = engine.context.directory, engine.now_of().settings.queue
    assert [campaign.name for campaign in directory.of_queue("default", queue)] == [engine.campaign.name, "same"]
    assert [campaign.name for campaign in directory.of_queue("two", queue)] == ["elsewhere"]
    assert directory.of_queue("two", "care") == []


# --- trunks ----------------------------------------------------------------------------------------------------------


async def test_without_routes_a_campaign_has_its_one_trunk(engine: Rig) -> None:
    await engine.add_trunk("carrier", server="two")
    directory = engine.context.directory
    assert [trunk.name for trunk in directory.trunks_of(engine.now_of())] == ["carrier"]
    assert directory.server_of(engine.now_of()) == "two"


async def test_a_trunk_that_does_not_exist_is_on_no_server(engine: Rig) -> None:
    await engine.set(trunk="nowhere")
    assert engine.context.directory.trunks_of(engine.now_of()) == []
    assert engine.context.directory.server_of(engine.now_of()) == ""


async def test_trunks_of_routes_come_in_the_order_in_which_they_are_tried(engine: Rig) -> None:
    for name in ("a", "b", "c"):
        await engine.add_trunk(name)
    await engine.add_route("second", ".*", "c", "a")
    await engine.add_route("first", ".*", "b@2", "a@1", "nowhere")
    await engine.set(routes="first,second,gone")
    trunks = engine.context.directory.trunks_of(engine.now_of())
    assert [trunk.name for trunk in trunks] == ["a", "b", "c"]


async def test_the_server_is_that_of_the_destination_that_is_tried_first(engine: Rig) -> None:
    await engine.add_trunk("far", server="two")
    await engine.add_trunk("near", server="default")
    await engine.add_route("out", ".*", "far@2", "near@1")
    await engine.set(routes="out")
    assert engine.context.directory.server_of(engine.now_of()) == "default"


async def test_a_disabled_route_says_nothing_about_the_server(engine: Rig) -> None:
    await engine.add_trunk("far", server="two")
    await engine.add_trunk("near", server="default")
    await engine.add_route("off", ".*", "far", enabled=False)
    await engine.add_route("on", ".*", "near")
    await engine.set(routes="off,on")
    assert [trunk.name for trunk in engine.context.directory.trunks_of(engine.now_of())] == ["near"]
    assert engine.context.directory.server_of(engine.now_of()) == "default"


# --- calendars and zones ---------------------------------------------------------------------------------------------


async def test_a_calendar_that_is_gone_is_a_conflict_with_a_remedy(engine: Rig) -> None:
    await engine.set(calendar="office")
    with pytest.raises(Conflict, match=r"no calendar 'office'.*calendar="):
        engine.context.directory.rules(engine.now_of())


async def test_what_an_attempt_does_can_be_said_without_the_calendar(engine: Rig) -> None:
    """Calls that are live when it goes must still be closed."""
    await engine.set(calendar="office")
    assert engine.context.directory.redial_rules(engine.now_of()).default_zone == "UTC"


@pytest.mark.parametrize(
    ("own", "calendars", "zone"),
    [
        ("Europe/Madrid", "America/Lima", "Europe/Madrid"),
        ("", "America/Lima", "America/Lima"),
        ("", "", "UTC"),
    ],
)
async def test_the_zone_is_the_campaigns_then_the_calendars_then_the_engines(
    engine: Rig, own: str, calendars: str, zone: str
) -> None:
    await engine.add_calendar("office", timezone=calendars)
    await engine.set(calendar="office", timezone=own)
    assert engine.context.directory.zone_of(engine.now_of()) == zone


# --- agents ----------------------------------------------------------------------------------------------------------


async def test_an_agent_is_known_by_extension_or_interface_and_else_has_an_empty_profile(engine: Rig) -> None:
    await engine.add_profile("1001", skills=("spanish",))
    directory = engine.context.directory
    assert directory.profile("PJSIP/1001").skills == ("spanish",)
    assert directory.profile("PJSIP/1002").skills == ()
    assert directory.profile("PJSIP/1002").wrap_up_s is None


@pytest.mark.parametrize(
    ("others", "wrap_up_s"),
    [(CampaignState.RUNNING, 30), (CampaignState.PAUSED, 30), (CampaignState.STOPPED, 10)],
)
async def test_wrap_up_is_the_longest_of_the_queues_active_campaigns(
    engine: Rig, others: CampaignState, wrap_up_s: int
) -> None:
    other = await engine.add_campaign("another", wrap_up_s=30)
    await engine.add_campaign("elsewhere", wrap_up_s=90, queue="care")
    await engine.store.set_state(other.id, others, now=NOON)
    await engine.context.directory.load()
    assert engine.context.directory.wrap_up_s("default", "sales") == wrap_up_s
    assert engine.context.directory.wrap_up_s("two", "sales") == 0


# --- what is gone ----------------------------------------------------------------------------------------------------


async def test_a_removed_campaign_is_not_present_and_its_last_calls_still_find_it(
    engine: Rig, elsewhere: SqliteStore
) -> None:
    other = await engine.add_campaign("another")
    directory = engine.context.directory
    assert [one.id for one in directory.present()] == [engine.campaign.id, other.id]
    await elsewhere.set_state(other.id, CampaignState.STOPPED, now=NOON)
    await elsewhere.remove_campaign(other.id, NOON)
    assert await directory.refresh()
    assert [one.id for one in directory.present()] == [engine.campaign.id]
    assert directory.campaigns[other.id].name == "another"
    assert other.id not in {one.id for one in directory.of_queue("default", "sales")}
