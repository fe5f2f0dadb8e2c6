"""The check before the first call: whom a campaign may call now, when the others, and what is missing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from use_case_hands import DAY, HOUR, NOON, UTC, Clock, campaign, dial, entry, hang_up, number, person, phone

from astdialer.domain.agent import AgentProfile
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewContact
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound
from astdialer.domain.route import Destination, Route
from astdialer.domain.trunk import Trunk
from astdialer.engine.check import Preflight, check
from astdialer.ports import Store
from astdialer.store import open_store

USUAL = {"trunk": "carrier", "queue": "q"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db", clock) as opened:
        await opened.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@c"))
        yield opened


async def checked(store: Store, clock: Clock, zone: str = UTC) -> Preflight:
    return await check(store, clock, zone, "sales")


def some(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: n for key, n in counts.items() if n}


async def resident(store: Store, of: Campaign, n: int, zone: str) -> None:
    """A contact whose zone is known."""
    await person(store, of, n, base=f"base{n}", numbers=(number(n, zones=zone),))


async def office(store: Store, **values: Any) -> None:
    known = {"name": "office", "hours": "mon-fri 09:00-18:00"}
    await store.save_calendar(WorkingCalendar.from_dict(known | values))


async def test_a_campaign_that_lacks_nothing_has_no_obstacle(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL)
    await person(store, sales, 1)
    found = await checked(store, clock)
    assert (found.obstacles, found.warnings, some(found.contacts)) == ([], [], {"callable_now": 1, "without_zone": 1})
    assert found.trunks == {"carrier": 1}


async def test_contacts_are_counted_by_when_their_zone_opens(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, calling_hours="09:00-18:00")
    await resident(store, sales, 1, "Europe/Madrid")  # 14:00
    await resident(store, sales, 2, "America/Los_Angeles")  # 05:00
    await resident(store, sales, 3, "Asia/Tokyo")  # 21:00
    found = await checked(store, clock)
    assert some(found.contacts) == {"callable_now": 1, "later_today": 1, "later": 1}
    assert [(row["zones"], row["contacts"], row["opens_at"]) for row in found.closed] == [
        ("America/Los_Angeles", 1, NOON + 4 * HOUR),
        ("Asia/Tokyo", 1, NOON + 12 * HOUR),
    ]


async def test_a_contact_in_two_zones_waits_for_both(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, calling_hours="09:00-18:00")
    await person(store, sales, 1, numbers=(number(1, zones="America/Lima|Europe/Madrid"),))
    (row,) = (await checked(store, clock)).closed
    assert (row["zones"], row["opens_at"]) == ("America/Lima and Europe/Madrid", NOON + 2 * HOUR)


async def test_with_two_numbers_the_first_zone_to_open_counts(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, calling_hours="09:00-18:00")
    numbers = (number(1, zones="America/Los_Angeles"), number(2, zones="Asia/Tokyo"))
    await person(store, sales, 1, numbers=numbers)
    (row,) = (await checked(store, clock)).closed
    assert (row["zones"], row["opens_at"]) == ("America/Los_Angeles or Asia/Tokyo", NOON + 4 * HOUR)


async def test_the_rule_that_keeps_a_zone_closed_is_named(store: Store, clock: Clock) -> None:
    await office(store, exceptions=["2026-09-22 Mercy"])
    sales = await campaign(store, **USUAL, calendar="office", calling_hours="08:00-20:00")
    await resident(store, sales, 1, "Europe/Madrid")
    await resident(store, sales, 2, "America/Los_Angeles")
    rules = {row["zones"]: row["rule"] for row in (await checked(store, clock)).closed}
    assert rules == {"Europe/Madrid": "calendar office: Mercy", "America/Los_Angeles": "calling_hours, weekdays"}


async def test_of_several_days_off_todays_is_named(store: Store, clock: Clock) -> None:
    others = ["2026-09-21 Yesterday", "2025-09-22 Long ago", "2026-10-22 yearly Later"]
    await office(store, exceptions=[*others, "2020-09-22 yearly Every year"])
    await person(store, await campaign(store, **USUAL, calendar="office"), 1)
    assert (await checked(store, clock)).closed[0]["rule"] == "calendar office: Every year"


async def test_of_two_zones_the_closed_one_gives_the_rule(store: Store, clock: Clock) -> None:
    await office(store, exceptions=["2026-09-23 Tomorrow"])
    sales = await campaign(store, **USUAL, calendar="office", calling_hours="00:00-24:00")
    await resident(store, sales, 1, "Africa/Abidjan|Pacific/Auckland")  # 12:00, and 00:00 of the next day
    assert (await checked(store, clock)).closed[0]["rule"] == "calendar office: Tomorrow"


async def test_who_is_never_called_stands_last(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, require_zone="true", calling_hours="09:00-18:00")
    await resident(store, sales, 1, "Asia/Tokyo")
    await person(store, sales, 2, base="b")
    await resident(store, sales, 3, "America/Los_Angeles")
    zones = [row["zones"] for row in (await checked(store, clock)).closed]
    assert zones == ["America/Los_Angeles", "Asia/Tokyo", "not known"]


async def test_who_needs_a_zone_and_has_none_is_never_called(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, require_zone="true")
    await person(store, sales, 1)
    await resident(store, sales, 2, "Europe/Madrid")
    found = await checked(store, clock)
    assert some(found.contacts) == {"callable_now": 1, "never": 1, "without_zone": 1}
    assert found.closed[0]["rule"] == "require_zone"
    assert "1 contacts have no known zone" in found.warnings[0]
    assert found.obstacles == []


async def test_an_unknown_zone_is_the_campaigns_own(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, calling_hours="09:00-18:00")
    await person(store, sales, 1)
    assert some((await checked(store, clock, "Asia/Tokyo")).contacts)["later"] == 1
    assert some((await checked(store, clock, UTC)).contacts)["callable_now"] == 1


async def test_who_waits_is_told_with_the_rule_and_the_time(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, retry_busy="3/600")
    claim = await dial(store, sales, await person(store, sales, 1))
    await hang_up(store, sales, claim, Disposition.BUSY)
    found = await checked(store, clock)
    assert some(found.contacts) == {"later_today": 1, "without_zone": 1}
    (row,) = found.waiting
    assert (row["why"], row["n"], row["first_at"]) == ("its next try", 1, NOON + 600_000)


@pytest.mark.parametrize(
    ("seconds", "when"),
    [
        (3 * 3600, "later_today"),  # 15:00
        (7 * 3600, "later"),  # 19:00: out of hours, and then tomorrow
        (13 * 3600, "later"),
        (40 * 3600, "later"),
    ],
)
async def test_who_waits_is_counted_by_when_it_comes_up_and_its_zone_is_open(
    store: Store, clock: Clock, seconds: int, when: str
) -> None:
    sales = await campaign(store, **USUAL, retry_busy=f"3/{seconds}", calling_hours="09:00-18:00")
    claim = await dial(store, sales, await person(store, sales, 1))
    await hang_up(store, sales, claim, Disposition.BUSY)
    assert some((await checked(store, clock)).contacts) == {when: 1, "without_zone": 1}


async def test_who_has_waited_long_enough_is_callable_now(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, retry_busy="3/60")
    await hang_up(store, sales, await dial(store, sales, await person(store, sales, 1)), Disposition.BUSY)
    clock.at = NOON + 60_000
    assert some((await checked(store, clock)).contacts) == {"callable_now": 1, "without_zone": 1}


async def test_who_is_due_and_whose_zone_is_closed_is_out_of_hours(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, retry_busy="3/60", calling_hours="09:00-18:00")
    await hang_up(store, sales, await dial(store, sales, await person(store, sales, 1)), Disposition.BUSY)
    clock.at = NOON + 8 * HOUR
    found = await checked(store, clock)
    assert some(found.contacts) == {"later": 1, "without_zone": 1}
    assert [(row["contacts"], row["opens_at"]) for row in found.closed] == [(1, NOON + 21 * HOUR)]


async def test_calls_holds_and_ends_are_told_apart(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, wait_for_result="true")
    await dial(store, sales, await person(store, sales, 1))
    await hang_up(store, sales, await dial(store, sales, await person(store, sales, 2, base="b")))
    refused = await dial(store, sales, await person(store, sales, 3, base="c"))
    await hang_up(store, sales, refused, Disposition.REJECTED)
    assert some((await checked(store, clock)).contacts) == {"in_call": 1, "held": 1, "done": 1, "without_zone": 2}


async def test_blacklisted_and_double_contacts_are_counted(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL)
    await person(store, sales, 1)
    await person(store, sales, 1, base="b")
    await person(store, sales, 2, base="c")
    await store.add_to_blacklist([entry(2)])
    found = await checked(store, clock)
    assert some(found.contacts) == {"callable_now": 2, "blacklisted": 1, "duplicates": 1, "without_zone": 3}
    assert found.obstacles == []


async def test_who_is_blacklisted_is_counted_nowhere_else(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL, calling_hours="09:00-18:00")
    await resident(store, sales, 1, "Europe/Madrid")
    await resident(store, sales, 2, "Asia/Tokyo")
    await resident(store, sales, 3, "Asia/Tokyo")
    await person(store, sales, 4, 5, base="other")
    waiting = [entry(4, until=NOON + 2 * HOUR), entry(5, until=NOON + 2 * HOUR)]
    await store.add_to_blacklist([entry(1), entry(2), *waiting])
    await store.withdraw(waiting, NOON)
    found = await checked(store, clock)
    assert some(found.contacts) == {"later": 1, "blacklisted": 3, "without_zone": 1}
    assert [(row["zones"], row["contacts"]) for row in found.closed] == [("Asia/Tokyo", 1)]


async def test_with_another_number_a_contact_is_not_blacklisted(store: Store, clock: Clock) -> None:
    await person(store, await campaign(store, **USUAL), 1, 2)
    await store.add_to_blacklist([entry(1)])
    assert some((await checked(store, clock)).contacts) == {"callable_now": 1, "without_zone": 1}


async def test_numbers_are_counted_by_the_trunk_that_is_tried_first(store: Store, clock: Clock) -> None:
    await store.save_trunk(Trunk(name="mobile", dial="PJSIP/{number}@m"))
    await store.save_route(Route("mobiles", r"^34600000001$", (Destination("mobile"), Destination("carrier"))))
    await store.save_route(Route("rest", "^346", (Destination("carrier"),)))
    sales = await campaign(store, routes="mobiles,rest", queue="q")
    await person(store, sales, 1, 2)
    await person(store, sales, 3, base="b")
    found = await checked(store, clock)
    assert found.trunks == {"carrier": 2, "mobile": 1}
    assert (found.contacts["without_route"], found.obstacles) == (0, [])


async def test_a_contact_is_without_a_route_when_none_of_its_numbers_has_one(store: Store, clock: Clock) -> None:
    await store.save_route(Route("one", f"^{phone(1)[1:]}$", (Destination("carrier"),)))
    sales = await campaign(store, routes="one", queue="q")
    await person(store, sales, 1, 2)
    await person(store, sales, 3, 4, base="b")
    await person(store, sales, 5, base="c")
    found = await checked(store, clock)
    assert found.contacts["without_route"] == 2
    assert set(found.without_route) == {phone(n) for n in (2, 3, 4, 5)}
    assert "2 contacts have no number with a route" in found.warnings[0]


async def test_only_some_numbers_without_a_route_are_named(store: Store, clock: Clock) -> None:
    await store.save_route(Route("uk", "^44", (Destination("carrier"),)))
    await person(store, await campaign(store, routes="uk", queue="q"), *range(1, 10))
    assert len((await checked(store, clock)).without_route) == 5


async def test_a_campaign_without_a_trunk_has_none(store: Store, clock: Clock) -> None:
    await person(store, await campaign(store, queue="q"), 1)
    assert (await checked(store, clock)).trunks == {}


async def test_a_rewrite_that_fails_is_told_with_its_route(store: Store, clock: Clock) -> None:
    await store.save_route(Route("nothing", r"^.*$", (Destination("carrier", rewrite=""),)))
    sales = await campaign(store, routes="nothing", queue="q")
    await person(store, sales, 1)
    found = await checked(store, clock)
    assert "route nothing fails for 1 numbers" in found.warnings[0]
    assert "no number has a route" in found.obstacles[0]


async def test_contacts_for_certain_agents_are_told_and_buckets_that_nobody_has(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL)
    await person(store, sales, 1, agentphone="1001")
    await person(store, sales, 2, base="b", bucket="vip")
    await person(store, sales, 3, base="c", bucket="gone")
    await store.save_agent(AgentProfile(agent="1002", buckets=("vip",)))
    found = await checked(store, clock)
    assert [(row["only"], row["contacts"], row["agents"]) for row in found.bound] == [
        ("@1001", 1, "1001"),
        ("gone", 1, ""),
        ("vip", 1, "1002"),
    ]
    assert [text for text in found.warnings if "bucket" in text] == [
        "1 contacts are for bucket gone, which no agent has: astdialer agent set"
    ]


async def test_a_broadcast_says_whom_it_never_calls(store: Store, clock: Clock) -> None:
    sales = await campaign(store, trunk="carrier", mode="broadcast", sound="hello")
    await person(store, sales, 1, agentphone="1001")
    found = await checked(store, clock)
    assert found.warnings == ["1 contacts are for @1001 alone: a broadcast has no agents, and never calls them"]
    assert some(found.contacts) == {"never": 1, "without_zone": 1}
    assert "nobody may ever be dialed" in found.obstacles[0]


# --- obstacles -------------------------------------------------------------------------------------------------------


async def test_without_contacts_nothing_is_dialed(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL)
    assert "there are no contacts" in (await checked(store, clock)).obstacles[0]
    await hang_up(store, sales, await dial(store, sales, await person(store, sales, 1)))
    assert "every contact is done" in (await checked(store, clock)).obstacles[0]


async def test_what_is_missing_is_an_obstacle(store: Store, clock: Clock) -> None:
    sales = await campaign(store, trunk="gone", calendar="gone")
    await person(store, sales, 1)
    words = "; ".join((await checked(store, clock)).obstacles)
    assert "set queue=NAME" in words
    assert "no trunk 'gone'" in words
    assert "no calendar 'gone'" in words


async def test_a_calendar_that_has_ended_is_an_obstacle(store: Store, clock: Clock) -> None:
    await office(store, ends_at=NOON - DAY)
    await person(store, await campaign(store, **USUAL, calendar="office"), 1)
    assert "calendar office ended on 2026-09-21 12:00 UTC" in (await checked(store, clock)).obstacles[0]


async def test_a_calendar_that_has_not_begun_is_told(store: Store, clock: Clock) -> None:
    await office(store, starts_at=NOON + DAY)
    await person(store, await campaign(store, **USUAL, calendar="office"), 1)
    found = await checked(store, clock)
    assert (found.obstacles, found.warnings) == ([], ["calendar office begins on 2026-09-23 12:00 UTC"])
    assert found.closed[0]["rule"] == "calendar office: it has not begun"


async def test_a_calendar_that_has_begun_is_no_news(store: Store, clock: Clock) -> None:
    await office(store, starts_at=NOON - DAY, ends_at=NOON + DAY)
    await person(store, await campaign(store, **USUAL, calendar="office"), 1)
    found = await checked(store, clock)
    assert (found.obstacles, found.warnings, found.closed) == ([], [], [])


async def test_hours_that_never_meet_are_an_obstacle(store: Store, clock: Clock) -> None:
    await office(store)
    await person(store, await campaign(store, **USUAL, calendar="office", calling_hours="19:00-20:00"), 1)
    found = await checked(store, clock)
    assert "never open together" in found.obstacles[0]
    assert found.contacts["never"] == 1


async def test_trunks_that_are_all_switched_off_are_an_obstacle(store: Store, clock: Clock) -> None:
    await store.save_trunk(Trunk(name="spare", dial="PJSIP/{number}@c", enabled=False))
    await store.save_route(Route("all", "^34", (Destination("carrier"), Destination("spare"))))
    await person(store, await campaign(store, routes="all", queue="q"), 1)
    found = await checked(store, clock)
    assert (found.obstacles, len(found.warnings)) == ([], 1)
    assert "trunk spare is disabled" in found.warnings[0]
    await store.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@c", max_calls=0))
    assert "no trunk may be used (carrier, spare)" in (await checked(store, clock)).obstacles[0]


async def test_a_route_that_is_switched_off_is_told(store: Store, clock: Clock) -> None:
    await store.save_route(Route("off", "^34", (Destination("carrier"),), enabled=False))
    await person(store, await campaign(store, routes="off", queue="q"), 1)
    found = await checked(store, clock)
    assert "route off is disabled" in found.warnings[0]
    assert "1 contacts wait, for the routes of their numbers are disabled or fail" in found.warnings[1]
    assert (found.contacts["without_route"], found.without_route) == (1, [])
    assert "no number has a route" in found.obstacles[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, []),
        ({"abandonment_limit": "5", "abandonment_profile": "ca"}, []),
        ({"abandonment_limit": "5"}, ["abandonment_limit is 5 %; profile us is known for 3 %"]),
        ({"agent_wait_s": "4"}, ["agent_wait_s is 4: a person who waits longer than 2 s"]),
        ({"abandonment_profile": "uk", "amd": "yes"}, ["set amd_false_machines by a test of your own"]),
        ({"abandonment_profile": "uk", "amd": "yes", "amd_false_machines": "1"}, []),
        ({"mode": "progressive", "agent_wait_s": "4", "abandonment_limit": "5"}, []),
    ],
)
async def test_what_the_law_hardly_means_is_told_of_a_predictive_campaign(
    store: Store, clock: Clock, settings: dict[str, str], said: list[str]
) -> None:
    sales = await campaign(store, **USUAL | {"mode": "predictive"} | settings)
    await person(store, sales, 1)
    warnings = (await checked(store, clock)).warnings
    assert len(warnings) == len(said)
    assert all(part in warning for part, warning in zip(said, warnings, strict=True))


async def test_a_base_of_which_every_number_is_blacklisted_is_an_obstacle(store: Store, clock: Clock) -> None:
    await person(store, await campaign(store, **USUAL), 1)
    await store.add_to_blacklist([entry(1)])
    assert "every contact is blacklisted" in (await checked(store, clock)).obstacles[0]


async def test_nobody_is_checked_whom_there_is_not(store: Store, clock: Clock) -> None:
    with pytest.raises(NotFound, match="no campaign 'sales'"):
        await checked(store, clock)


async def test_a_check_changes_nothing(store: Store, clock: Clock) -> None:
    sales = await campaign(store, **USUAL)
    ana = await person(store, sales, 1)
    await store.add_to_blacklist([entry(1)])
    await checked(store, clock)
    assert await store.load_contact(ana.id) == ana
    assert await store.history(sales.id, 10) == []


async def test_many_contacts_are_checked_in_little_time(store: Store, clock: Clock) -> None:
    """By pool, and by one look at each number: 10,000 in a second or so of a busy machine."""
    await store.save_route(Route("all", r"^34(6\d+)$", (Destination("carrier", rewrite="$1"),)))
    sales = await campaign(store, routes="all", queue="q")
    upload = await store.open_upload(sales.id, "big", file_name="big", timezone="Europe/Madrid", now=NOON)
    known: dict[str, Any] = {"params": {}, "priority": 1, "agentphone": ""}
    for begin in range(0, 10_000, 5000):
        people = [NewContact(numbers=(number(n),), line=n, **known) for n in range(begin, begin + 5000)]
        await store.add_contacts(upload, people, NOON)
    await store.publish_uploads([upload], NOON)
    began = time.monotonic()
    found = await checked(store, clock)
    assert found.contacts["callable_now"] == 10_000
    assert time.monotonic() - began < 5
