"""Store contract: campaigns, and what an administrator sets up for them."""

from dataclasses import replace

import pytest
from stores import HOUR, NOW, TODAY, FreshDatabase, closing, load, person, request

from astdialer.domain.agent import AgentProfile
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.retry import Retry
from astdialer.domain.route import Destination, Route, check_route
from astdialer.domain.settings import Mode, Settings
from astdialer.domain.trunk import Trunk
from astdialer.ports import CampaignEvent, Store

pytest_plugins = ("store_fixtures",)

RICH = Settings(
    mode=Mode.BROADCAST, sound="hola ñ", lines_per_agent=1.25, retry_busy=Retry(tries=9, delays_s=(1, 60)), amd=True
)


async def test_a_campaign_comes_back_as_it_was_made(store: Store) -> None:
    made = await store.create_campaign("demo", RICH, NOW)
    assert made == Campaign(id=made.id, name="demo", state=CampaignState.IDLE, settings=RICH)
    assert await store.campaign("demo") == made
    assert await store.campaign_by_id(made.id) == made
    assert list(await store.campaigns()) == [made]


async def test_settings_that_did_not_change_are_not_read_anew(store: Store) -> None:
    first = await store.create_campaign("demo", RICH, NOW)
    assert (await store.campaign("demo")).settings is first.settings


async def test_a_taken_name_is_a_conflict(store: Store, demo: Campaign) -> None:
    with pytest.raises(Conflict, match="demo"):
        await store.create_campaign("demo", Settings(), NOW)
    assert list(await store.campaigns()) == [demo]


async def test_an_unknown_campaign_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="nobody"):
        await store.campaign("nobody")
    with pytest.raises(NotFound, match="7"):
        await store.campaign_by_id(7)


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


async def test_a_campaign_is_finished_if_every_contact_is_done(store: Store, demo: Campaign) -> None:
    event = CampaignEvent(at=NOW, event="finished", detail="every contact is done")
    await store.add_to_base(demo.id, "b", [person(1), person(2)], NOW)
    await store.set_state(demo.id, CampaignState.RUNNING, now=NOW)
    first, second = await store.claim(request(demo, limit=2))
    await store.close([closing(first, Disposition.ANSWERED)])
    assert not await store.finish_campaign(demo.id, event), "the second is in its call"
    assert (await store.campaign("demo")).state is CampaignState.RUNNING
    assert await store.history(demo.id, 9) == []
    await store.close([closing(second, Disposition.ANSWERED)])
    assert await store.finish_campaign(demo.id, event)
    found = await store.campaign("demo")
    assert (found.state, found.explanation) == (CampaignState.FINISHED, "every contact is done")
    assert await store.history(demo.id, 9) == [event]


async def test_a_campaign_that_was_moved_meanwhile_is_not_finished(store: Store, demo: Campaign) -> None:
    await store.set_state(demo.id, CampaignState.PAUSED, now=NOW)
    assert not await store.finish_campaign(demo.id, CampaignEvent(at=NOW, event="finished"))
    assert (await store.campaign("demo")).state is CampaignState.PAUSED


async def test_trunks_are_made_changed_and_removed(store: Store) -> None:
    trunk = Trunk(
        name="t",
        dial="PJSIP/{number}@c",
        server="two",
        max_calls=3,
        calls_per_second=0.5,
        enabled=False,
        caller_id="A <1>",
    )
    await store.save_trunk(trunk)
    await store.save_trunk(Trunk(name="a", dial="SIP/{e164}"))
    assert [one.name for one in await store.trunks()] == ["a", "t"]
    assert (await store.trunks())[1] == trunk
    changed = replace(trunk, enabled=True, max_calls=4, caller_id="pool:p")
    await store.save_trunk(changed)
    assert (await store.trunks())[1] == changed
    await store.remove_trunk("t")
    assert [one.name for one in await store.trunks()] == ["a"]
    with pytest.raises(NotFound, match="'t'"):
        await store.remove_trunk("t")


async def test_a_trunk_that_a_campaign_or_a_route_names_is_not_removed(store: Store, demo: Campaign) -> None:
    for name in ("one", "two", "on"):
        await store.save_trunk(Trunk(name=name, dial="PJSIP/{number}@c"))
    await store.save_route(ROUTE)
    await store.save_settings(demo.id, Settings(trunk="one"))
    words = r"'one' is in the setting trunk of demo .astdialer campaign set., and a destination of route mobiles "
    with pytest.raises(Conflict, match=words):
        await store.remove_trunk("one")
    with pytest.raises(Conflict, match=r"'two' is a destination of route mobiles .astdialer route set.: change that"):
        await store.remove_trunk("two")
    await store.remove_trunk("on")
    await store.save_settings(demo.id, Settings())
    await store.remove_route("mobiles")
    await store.remove_trunk("one")
    assert [trunk.name for trunk in await store.trunks()] == ["two"]


ROUTE = check_route(
    Route(
        name="mobiles",
        pattern=r"^\+?34(6\d+)$",
        destinations=(Destination("one", "0$1", 2), Destination("two", "", 1, enabled=False)),
        enabled=False,
    )
)
CALENDAR = WorkingCalendar.from_dict(
    {
        "name": "Büro",
        "timezone": "Europe/Madrid",
        "hours": "mon-fri 09:00-13:00, sat 10:00-14:00",
        "exceptions": ["2026-12-25 yearly Navidad"],
        "starts_at": NOW,
        "ends_at": NOW + HOUR,
    }
)


async def test_routes_are_made_changed_and_removed(store: Store) -> None:
    await store.save_route(ROUTE)
    await store.save_route(replace(ROUTE, name="all", pattern="."))
    assert list(await store.routes()) == [replace(ROUTE, name="all", pattern="."), ROUTE]
    await store.save_route(replace(ROUTE, enabled=True, destinations=()))
    assert list(await store.routes())[1] == replace(ROUTE, enabled=True, destinations=())
    await store.remove_route("all")
    assert [route.name for route in await store.routes()] == ["mobiles"]
    with pytest.raises(NotFound, match="'all'"):
        await store.remove_route("all")


async def test_a_route_that_a_campaign_names_is_not_removed(store: Store, demo: Campaign) -> None:
    for name in ("mobiles", "bil", "mobiles.2"):
        await store.save_route(replace(ROUTE, name=name))
    await store.save_settings(demo.id, Settings(routes="other,mobiles"))
    await store.create_campaign("third", Settings(routes="mobiles"), NOW)
    with pytest.raises(Conflict, match="'mobiles' is in the setting routes of demo, third"):
        await store.remove_route("mobiles")
    assert [route.name for route in await store.routes()] == ["bil", "mobiles", "mobiles.2"]
    await store.remove_route("bil")
    await store.remove_route("mobiles.2")


async def test_calendars_are_made_changed_and_removed(store: Store) -> None:
    await store.save_calendar(CALENDAR)
    assert list(await store.calendars()) == [CALENDAR]
    open_end = replace(CALENDAR, starts_at=None, ends_at=None, exceptions=())
    await store.save_calendar(open_end)
    assert list(await store.calendars()) == [open_end]
    await store.remove_calendar("Büro")
    assert not await store.calendars()
    with pytest.raises(NotFound, match="Büro"):
        await store.remove_calendar("Büro")


async def test_a_calendar_is_added_once(store: Store) -> None:
    await store.add_calendar(CALENDAR)
    with pytest.raises(Conflict, match="there is a calendar 'Büro' already"):
        await store.add_calendar(replace(CALENDAR, hours=()))
    assert list(await store.calendars()) == [CALENDAR]


async def test_a_calendar_that_a_campaign_names_is_not_removed(store: Store, demo: Campaign) -> None:
    await store.save_calendar(replace(CALENDAR, name="office"))
    await store.save_settings(demo.id, Settings(calendar="office"))
    with pytest.raises(Conflict, match="'office' is in the setting calendar of demo"):
        await store.remove_calendar("office")
    await store.save_settings(demo.id, Settings())
    await store.remove_calendar("office")


async def test_pools_of_caller_ids_keep_the_order_of_their_numbers(store: Store) -> None:
    assert await store.caller_id_pools() == {}
    await store.save_caller_id_pool("p", ["3", "1", "Ñ <2>"])
    await store.save_caller_id_pool("a", [])
    assert await store.caller_id_pools() == {"a": [], "p": ["3", "1", "Ñ <2>"]}
    await store.save_caller_id_pool("p", ["9"])
    await store.remove_caller_id_pool("a")
    assert await store.caller_id_pools() == {"p": ["9"]}
    with pytest.raises(NotFound, match="caller id pool 'a'"):
        await store.remove_caller_id_pool("a")


async def test_agents_profiles_are_made_changed_and_removed(store: Store) -> None:
    full = AgentProfile(
        agent="1002",
        name="Begoña",
        skills=("es", "vip"),
        buckets=("b",),
        call_timeout_s=1,
        wrap_up_s=0,
        max_no_answer=3,
        busy_delay_s=4,
        reject_delay_s=5,
        no_answer_delay_s=6,
    )
    plain = AgentProfile(agent="PJSIP/1001")
    for profile in (plain, full):
        await store.save_agent(profile)
    assert list(await store.agents()) == [full, plain]
    await store.save_agent(replace(full, skills=()))
    assert (await store.agents())[0] == replace(full, skills=())
    await store.remove_agent("1002")
    assert list(await store.agents()) == [plain]
    with pytest.raises(NotFound, match="1002"):
        await store.remove_agent("1002")


# --- history and statistics ------------------------------------------------------------------------------------------


async def test_what_was_done_to_a_campaign_is_remembered_newest_first(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    done = [CampaignEvent(at=NOW, event=event, detail="ñ", done_by="ana") for event in ("created", "started", "paused")]
    for event in done:
        await store.add_event(demo.id, event)
    await store.add_event(other.id, CampaignEvent(at=NOW, event="created"))
    assert list(await store.history(demo.id, 10)) == done[::-1]
    assert list(await store.history(demo.id, 2)) == [done[2], done[1]]


async def test_zeroing_forgets_the_totals_and_keeps_the_days(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    for campaign in (demo, other):
        await load(store, campaign, [person(1)])
        (claim,) = await store.claim(request(campaign))
        await store.close([closing(claim, Disposition.ABANDONED, campaign=campaign.name)])
    assert await store.stats_day(demo.id) == ""
    await store.zero_statistics(demo.id, TODAY)
    assert (await store.counts(demo.id)).dispositions == {}
    assert (await store.counts(other.id)).dispositions == {"abandoned": 1}
    assert (await store.stats_day(demo.id), await store.stats_day(other.id)) == (TODAY, "")
    assert [row["abandoned"] for row in await store.abandonment(demo.id, "")] == [1]


async def test_everything_is_there_after_opening_again(database: FreshDatabase) -> None:
    async with database.open() as store:
        made = await store.create_campaign("demo", RICH, NOW)
        await store.save_route(ROUTE)
        await store.save_calendar(CALENDAR)
    async with database.open() as store:
        assert list(await store.campaigns()) == [made]
        assert list(await store.routes()) == [ROUTE]
        assert list(await store.calendars()) == [CALENDAR]
