"""Explanations: which rule binds a campaign and until when, and why a contact is called or not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from use_case_hands import (
    DAY,
    HOUR,
    NOON,
    UTC,
    Clock,
    campaign,
    dial,
    entry,
    hang_up,
    number,
    person,
    phone,
    talk,
)

from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.contact import Contact
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound
from astdialer.domain.limit import Limit
from astdialer.domain.route import Destination, Route
from astdialer.domain.trunk import Trunk
from astdialer.engine.explain import ContactExplanation, Explanation, explain, explain_contact
from astdialer.ports import Store
from astdialer.store import open_store

USUAL = {"trunk": "carrier", "queue": "q"}
D = Disposition


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db", clock) as opened:
        await opened.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@c"))
        yield opened


async def running(store: Store, **settings: str) -> Campaign:
    made = await campaign(store, **{**USUAL, **settings})
    await store.set_state(made.id, CampaignState.RUNNING, now=NOON)
    return made


async def engine_says(store: Store, limit: str, trunks: Mapping[str, Any] | None = None, **known: Any) -> None:
    rows = [{"trunk": "carrier", "calls": 0, "max_calls": 30} | dict(trunks or {})]
    other = {"campaign": "other", "limit": Limit.LIST_EMPTY}
    view = {"campaigns": [other, {"campaign": "sales", "limit": limit} | known], "trunks": rows, "agents": []}
    await store.publish_live_view("engine", view, NOON)


async def explained(store: Store, clock: Clock) -> Explanation:
    return await explain(store, clock, "sales", UTC)


async def resident(store: Store, of: Campaign, n: int, zone: str) -> Contact:
    return await person(store, of, n, base=f"base{n}", numbers=(number(n, zones=zone),))


# --- campaigns -------------------------------------------------------------------------------------------------------


async def test_out_of_hours_the_rule_is_named_with_the_first_opening(store: Store, clock: Clock) -> None:
    sales = await running(store, calling_hours="09:00-18:00")
    await resident(store, sales, 1, "Asia/Tokyo")
    await resident(store, sales, 2, "America/Los_Angeles")
    await engine_says(store, Limit.OUTSIDE_HOURS)
    found = await explained(store, clock)
    assert (found.rule, found.until) == ("calling_hours, weekdays", NOON + 4 * HOUR)
    assert [row["zones"] for row in found.rules["closed_zones"]] == ["America/Los_Angeles", "Asia/Tokyo"]
    assert found.phase == "sleep"


async def test_a_sleeping_calendar_is_told_with_the_time_at_which_it_wakes(store: Store, clock: Clock) -> None:
    values = {"name": "office", "hours": "mon-fri 14:00-18:00", "ends_at": NOON + DAY}
    await store.save_calendar(WorkingCalendar.from_dict(values))
    await person(store, await running(store, calendar="office"), 1)
    await engine_says(store, Limit.OUTSIDE_HOURS)
    found = await explained(store, clock)
    assert (found.rule, found.until) == ("calendar office", NOON + 2 * HOUR)
    assert found.rules["calendar"] == {"calendar": "office", "opens_at": NOON + 2 * HOUR, "ends_at": NOON + DAY}


async def test_when_nothing_is_due_the_first_wait_to_end_binds(store: Store, clock: Clock) -> None:
    sales = await running(store, retry_busy="3/600", retry_no_answer="3/300")
    for n, disposition in ((1, D.BUSY), (2, D.NO_ANSWER)):
        claim = await dial(store, sales, await person(store, sales, n, base=f"b{n}"))
        await hang_up(store, sales, claim, disposition)
    await engine_says(store, Limit.NOTHING_DUE)
    found = await explained(store, clock)
    assert (found.rule, found.until) == ("its next try", NOON + 300_000)
    (row,) = found.rules["put_off"]
    assert (row["n"], row["first_at"], row["last_at"]) == (2, NOON + 300_000, NOON + 600_000)


async def test_what_the_engine_knows_goes_before_what_is_counted(store: Store, clock: Clock) -> None:
    await running(store)
    await engine_says(store, Limit.NOTHING_DUE, until=NOON + 7, detail="its words", calls=3)
    found = await explained(store, clock)
    assert (found.until, found.detail, found.facts["calls"]) == (NOON + 7, "its words", 3)


async def test_a_trunk_that_rests_is_told_with_its_reason(store: Store, clock: Clock) -> None:
    await running(store)
    await engine_says(store, Limit.REFUSED, {"rests_until": NOON + 5000, "why_rests": "congestion"})
    found = await explained(store, clock)
    assert (found.rule, found.until) == ("trunk carrier rests", NOON + 5000)
    assert found.rules["resting_trunks"] == [{"trunk": "carrier", "until": NOON + 5000, "why": "congestion"}]


async def test_a_rest_that_is_over_and_others_trunks_are_not_told(store: Store, clock: Clock) -> None:
    await running(store)
    await engine_says(store, Limit.REFUSED, {"rests_until": NOON - 1})
    assert (await explained(store, clock)).rules["resting_trunks"] == []
    await engine_says(store, Limit.REFUSED, {"trunk": "other", "rests_until": NOON + 5000})
    assert (await explained(store, clock)).rules["resting_trunks"] == []


async def test_caps_that_are_set_are_told_and_those_that_are_not_are_not(store: Store, clock: Clock) -> None:
    await running(store, attempts_per_day="2", attempts_per_week="0")
    caps = (await explained(store, clock)).rules["caps"]
    assert caps["attempts_per_day"] == 2
    assert "attempts_per_week" not in caps


async def test_the_abandonment_of_thirty_days_stands_in_the_facts(store: Store, clock: Clock) -> None:
    sales = await running(store)
    for n, disposition in ((1, D.ABANDONED), (2, D.ANSWERED), (3, D.ANSWERED), (4, D.SHORT), (5, D.BUSY)):
        claim = await dial(store, sales, await person(store, sales, n, base=f"b{n}"))
        await hang_up(store, sales, claim, disposition)
    month = (await explained(store, clock)).facts["abandonment_30_days"]
    assert (month["people"], month["abandoned"], month["rate"]) == (4, 1, 0.25)


async def test_without_an_engine_the_rules_are_told_all_the_same(store: Store, clock: Clock) -> None:
    sales = await running(store, calling_hours="14:00-18:00")
    await person(store, sales, 1)
    found = await explained(store, clock)
    assert (found.limit, found.until) == ("the engine is not running", None)
    assert found.rules["closed_zones"][0]["opens_at"] == NOON + 2 * HOUR
    await store.set_state(sales.id, CampaignState.PAUSED, now=NOON)
    assert (await explained(store, clock)).limit == Limit.NOT_RUNNING


async def test_an_old_view_is_no_engine(store: Store, clock: Clock) -> None:
    await running(store)
    await engine_says(store, Limit.NO_AGENTS)
    assert (await explained(store, clock)).limit == Limit.NO_AGENTS
    clock.at += 5000
    assert (await explained(store, clock)).limit == Limit.NO_AGENTS
    clock.at += 1
    assert (await explained(store, clock)).limit == "the engine is not running"


# --- contacts --------------------------------------------------------------------------------------------------------


async def told(store: Store, clock: Clock, contact: Contact) -> ContactExplanation:
    return await explain_contact(store, clock, UTC, contact.id)


async def test_a_contact_that_may_be_called_is_told_with_its_number_and_way(store: Store, clock: Clock) -> None:
    found = await told(store, clock, await person(store, await running(store), 1))
    assert found.verdict == f"it may be called now, on {phone(1)}"
    (row,) = found.numbers
    assert (row["turn"], row["waits_for"], row["blacklisted"]) == (1, "", "")
    assert row["ways"] == [{"route": "", "trunk": "carrier", "dials": "PJSIP/34600000001@c", "usable": True}]


async def test_a_campaign_that_does_not_run_is_told(store: Store, clock: Clock) -> None:
    found = await told(store, clock, await person(store, await campaign(store, **USUAL), 1))
    assert found.verdict == f"it may be called now, on {phone(1)}, once sales runs"


async def test_numbers_stand_in_the_order_in_which_they_are_tried(store: Store, clock: Clock) -> None:
    sales = await running(store)
    numbers = (number(1), replace(number(2), priority=5), number(3))
    found = await told(store, clock, await person(store, sales, 1, numbers=numbers))
    assert [(row["number"], row["turn"]) for row in found.numbers] == [(phone(2), 1), (phone(1), 2), (phone(3), 3)]


async def test_hours_are_told_by_their_rule_and_opening(store: Store, clock: Clock) -> None:
    sales = await running(store, calling_hours="09:00-18:00")
    found = await told(store, clock, await resident(store, sales, 1, "America/Los_Angeles"))
    assert (found.verdict, found.until) == ("it waits for calling hours", NOON + 4 * HOUR)
    (row,) = found.numbers
    assert (row["waits_for"], row["from"], row["turn"]) == ("calling_hours, weekdays", NOON + 4 * HOUR, None)


async def test_routes_are_told_with_what_each_trunk_is_given(store: Store, clock: Clock) -> None:
    await store.save_trunk(Trunk(name="spare", dial="PJSIP/{number}@s", enabled=False))
    to = (Destination("spare"), Destination("carrier", rewrite="00$&"), Destination("gone"))
    await store.save_route(Route("es", "^34", to))
    sales = await running(store, routes="es", trunk="")
    found = await told(store, clock, await person(store, sales, 1))
    assert [(way["trunk"], way["dials"], way["usable"]) for way in found.numbers[0]["ways"]] == [
        ("spare", "PJSIP/34600000001@s", False),
        ("carrier", "PJSIP/0034600000001@c", True),
        ("gone", "", False),
    ]


async def test_a_number_without_a_way_waits_for_one(store: Store, clock: Clock) -> None:
    await store.save_route(Route("uk", "^44", (Destination("carrier"),)))
    ana = await person(store, await running(store, routes="uk", trunk=""), 1)
    found = await told(store, clock, ana)
    assert (found.verdict, found.numbers[0]["ways"]) == ("it waits for a route for its number", [])
    await store.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@c", enabled=False))
    await store.save_route(Route("uk", "^34", (Destination("carrier"),)))
    assert (await told(store, clock, ana)).verdict == "it waits for a free trunk"
    await store.save_route(Route("uk", "^34", (Destination("carrier"),), enabled=False))
    assert (await told(store, clock, ana)).verdict == "it waits for a route for its number that is enabled and works"


async def test_the_entry_of_the_blacklist_is_quoted(store: Store, clock: Clock) -> None:
    sales = await running(store)
    ana = await person(store, sales, 1, 2)
    await store.add_to_blacklist([entry(1), entry(2, "other")])
    rows = {row["number"]: row for row in (await told(store, clock, ana)).numbers}
    assert rows[phone(1)]["blacklisted"] == f"{phone(1)}, campaign *: asked (ana)"
    assert (rows[phone(1)]["waits_for"], rows[phone(1)]["turn"]) == ("the blacklist", None)
    assert (rows[phone(2)]["blacklisted"], rows[phone(2)]["turn"]) == ("", 1)


async def test_of_several_entries_the_one_that_bars_is_quoted(store: Store, clock: Clock) -> None:
    ana = await person(store, await running(store), 5)
    others = [replace(entry(n), reason="not this") for n in (1, 9)]
    others += [replace(entry(5, "other"), reason="not this"), replace(entry(5), number="+35600*", reason="not this")]
    others += [replace(entry(5, until=NOON - HOUR), number="+34600*", reason="not this")]
    await store.add_to_blacklist([*others, entry(5, "sales")])
    assert (await told(store, clock, ana)).numbers[0]["blacklisted"] == f"{phone(5)}, campaign sales: asked (ana)"


async def test_an_entry_for_a_prefix_and_a_time_is_found(store: Store, clock: Clock) -> None:
    ana = await person(store, await running(store), 1)
    await store.add_to_blacklist([replace(entry(1, until=NOON + HOUR), number="+34600*")])
    found = await told(store, clock, ana)
    assert found.numbers[0]["blacklisted"].startswith("+34600*, campaign *: asked")
    assert (found.verdict, found.until) == ("it waits for the blacklist", NOON + HOUR)


async def test_caps_are_told_with_what_is_used(store: Store, clock: Clock) -> None:
    sales = await running(store, attempts_per_day="1", retry_busy="9/60")
    ana = await person(store, sales, 1)
    await hang_up(store, sales, await dial(store, sales, ana), D.BUSY)
    clock.at += HOUR
    found = await told(store, clock, ana)
    assert found.until == NOON + 20 * HOUR  # midnight, and then the next day's hours
    (row,) = found.numbers
    assert (row["today"], row["week"]) == ("1 of 1", "1 of 7")


async def test_a_used_up_day_binds_until_midnight(store: Store, clock: Clock) -> None:
    sales = await running(store, attempts_per_day="1", retry_busy="9/60", calling_hours="00:00-24:00")
    ana = await person(store, sales, 1)
    await hang_up(store, sales, await dial(store, sales, ana), D.BUSY)
    clock.at += HOUR
    found = await told(store, clock, ana)
    assert (found.verdict, found.until) == ("it waits for attempts_per_day", NOON + 12 * HOUR)
    assert found.numbers[0]["waits_for"] == "attempts_per_day"


async def test_the_last_attempts_say_what_each_did(store: Store, clock: Clock) -> None:
    sales = await running(store, retry_busy="4/60")
    ana = await person(store, sales, 1)
    await hang_up(store, sales, await dial(store, sales, ana), D.CANCELED)
    await hang_up(store, sales, await dial(store, sales, ana), D.BUSY)
    await dial(store, sales, ana)
    did = [row["what_it_did"] for row in (await told(store, clock, ana)).attempts]
    assert sorted(did) == ["a try: retry_busy=4/60", "it is live", "no try: nothing was learned about the number"]


@pytest.mark.parametrize("state", ["in_call", "held", "done"])
async def test_a_state_that_binds_is_the_verdict(store: Store, clock: Clock, state: str) -> None:
    sales = await running(store, wait_for_result=str(state == "held").lower())
    ana = await person(store, sales, 1)
    if state == "in_call":
        await dial(store, sales, ana)
    else:
        await talk(store, sales, ana)
    found = await told(store, clock, ana)
    assert found.state == state
    assert found.verdict.startswith(
        {"in_call": "it is in a call", "held": "the result of its last talk", "done": "it is done: answered"}[state]
    )
    assert found.until == (NOON + 60_000 if state == "held" else None)


async def test_a_contact_of_one_agent_is_told(store: Store, clock: Clock) -> None:
    found = await told(store, clock, await person(store, await running(store), 1, agentphone="1001"))
    assert (found.only, found.verdict.endswith("only @1001 may have the call")) == ("@1001", True)


async def test_an_expired_contact_is_told(store: Store, clock: Clock) -> None:
    ana = await person(store, await running(store), 1, expires_at=NOON + HOUR)
    clock.at += HOUR
    assert (await told(store, clock, ana)).verdict == "it has expired"


async def test_there_is_nothing_to_explain_about_nobody(store: Store, clock: Clock) -> None:
    with pytest.raises(NotFound):
        await explain_contact(store, clock, UTC, 5)


async def test_a_contact_of_an_agent_is_never_called_by_a_broadcast(store: Store, clock: Clock) -> None:
    of = await running(store, mode="broadcast", sound="hello")
    contact = await person(store, of, 1, agentphone="1001")
    found = await explain_contact(store, clock, UTC, contact.id)
    assert found.verdict.startswith("it is for @1001 alone, and a broadcast has no agents: set another mode")
    assert found.until is None
