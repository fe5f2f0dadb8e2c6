"""Which number is dialed now, when one can be, and which rule stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from people import NOW, contact, number, several

from astdialer.domain.calendar import CallingWindow, Hours, Schedule, WorkingCalendar, join_zones
from astdialer.domain.cause import EndCause
from astdialer.domain.contact import Contact, ContactState, NewContact, Number
from astdialer.domain.ranges import parse_ranges
from astdialer.domain.route import Way
from astdialer.domain.selection import (
    ANY_ZONE,
    DAY_MS,
    FOR_EVER,
    HOUR_MS,
    IN_CALL_MS,
    LOOK_AGAIN_MS,
    MINUTE_MS,
    NO_FACTS,
    NO_OPEN_ROUTE_MS,
    WEEK_MS,
    DialingRules,
    Finding,
    Judgement,
    NoOpenRoute,
    NoRoute,
    NumberFacts,
    Why,
    current_range,
    examine,
    in_order,
    judge,
    pool_zones,
    range_key,
    soonest,
)
from astdialer.domain.settings import NumberStrategy

EVERY_DAY = frozenset(range(7))
ALWAYS = Schedule(CallingWindow(start_minute=0, end_minute=1440, weekdays=EVERY_DAY))
#: NOW is 08:00 UTC on Friday, 15 January 2027.
OFFICE = Schedule(CallingWindow(start_minute=540, end_minute=1260, weekdays=EVERY_DAY))
NINE = NOW + HOUR_MS
FREE = DialingRules(schedule=ALWAYS, default_zone="UTC")
WAY = Way("route", "carrier", "digits")


def rules(**known: Any) -> DialingRules:
    return replace(FREE, **known)


def ranges(text: str, **known: Any) -> DialingRules:
    return rules(ranges=parse_ranges(text), **known)


def facts(**known: Any) -> dict[str, NumberFacts]:
    """What is known of the number that ``contact()`` has."""
    return {number().number: NumberFacts(**known)}


def judged(
    one: Contact, by: DialingRules = FREE, known: Mapping[str, NumberFacts] | None = None, now: int = NOW
) -> Judgement:
    return judge(one, by, known or {}, lambda _: WAY, now)


def chosen(one: Contact, by: DialingRules = FREE, now: int = NOW) -> list[int]:
    """The ids of the numbers that may be dialed now, in order."""
    return [finding.number.id for finding in in_order(one, examine(one, by, {}, now), by, now)]


def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]


# --- every rule that may stand in the way -----------------------------------------------------------------------------

TODAY = (NOW - 3 * HOUR_MS, NOW - 2 * HOUR_MS)
CLOSED_YEARS = WorkingCalendar(name="over", hours=(Hours(EVERY_DAY, 0, 1440),), ends_at=NOW - 1)


@pytest.mark.parametrize(
    ("why", "at", "one", "by", "known"),
    [
        (Why.PROMISED, NOW + 5, contact(number(next_at=NOW + 5)), FREE, {}),
        (Why.PROMISED, NOW + 5, contact(number(next_at=NOW + 5), last_call_at=9, any_hour=True), FREE, {}),
        (Why.RETRY, NOW + 5, contact(number(next_at=NOW + 5), last_call_at=9), FREE, {}),
        (Why.HOURS, NINE, contact(), rules(schedule=OFFICE), {}),
        (Why.HOURS, NINE + DAY_MS, contact(number(next_at=NOW + 20 * HOUR_MS)), rules(schedule=OFFICE), {}),
        (Why.RANGE, NINE, contact(), ranges("M=09:00-12:00/1"), {}),
        (Why.HOURS, NINE, contact(), ranges("M=09:00-12:00/1", schedule=OFFICE), {}),
        (Why.BLACKLISTED, NOW + 5, contact(), FREE, facts(blacklisted_until=NOW + 5)),
        (Why.IN_CALL, NOW + IN_CALL_MS, contact(), FREE, facts(in_call=True)),
        (Why.DAY_CAP, NOW + 16 * HOUR_MS, contact(), rules(per_day=2), facts(placed_at=TODAY)),
        (Why.DAY_CAP, NINE + DAY_MS, contact(), rules(schedule=OFFICE, per_day=2), facts(placed_at=TODAY)),
        (Why.WEEK_CAP, TODAY[0] + WEEK_MS, contact(), rules(per_week=2), facts(placed_at=TODAY)),
        (Why.ABANDONED, NOW + 71 * HOUR_MS, contact(), rules(abandoned_rest_ms=72 * HOUR_MS),
         facts(abandoned_at=NOW - HOUR_MS)),
        (Why.NO_ZONE, NOW + LOOK_AGAIN_MS, contact(), rules(require_zone=True), {}),
        (Why.NEVER, NOW + LOOK_AGAIN_MS, contact(), rules(schedule=Schedule(ALWAYS.window, CLOSED_YEARS)), {}),
        (Why.NEVER, NOW + LOOK_AGAIN_MS, contact(), ranges("M=09:00-12:00/0"), {}),
    ],
)  # fmt: skip
def test_a_contact_that_can_t_be_called_waits_for_a_rule_until_an_instant(
    why: Why, at: int, one: Contact, by: DialingRules, known: dict[str, NumberFacts]
) -> None:
    left = judged(one, by, known)
    assert (left.why, left.contact.next_at, left.number, left.stay) == (why, at, None, False)
    assert left.contact.numbers == one.numbers
    if why not in (Why.NO_ZONE, Why.NEVER, Why.IN_CALL):
        assert judged(one, by, {n: replace(f, in_call=False) for n, f in known.items()}, at).number is not None
        assert judged(one, by, known, at - 1).number is None


def test_a_contact_that_nothing_keeps_is_called_now_by_its_way() -> None:
    left = judged(contact())
    assert (left.why, left.number, left.way, left.range_key) == (Why.READY, number(), WAY, "")


@pytest.mark.parametrize("expires_at", [NOW, NOW - 1])
def test_an_expired_contact_is_not_called_any_more(expires_at: int) -> None:
    left = judged(contact(expires_at=expires_at))
    assert (left.why, left.number) == (Why.EXPIRED, None)
    assert (left.contact.end_cause, left.contact.end_reason) == (EndCause.MEMBER_EXPIRED, "expired")
    assert left.contact.numbers[0].end_reason == "expired"


def test_a_contact_that_has_not_expired_is_called() -> None:
    assert judged(contact(expires_at=NOW + 1)).why is Why.READY


def test_a_contact_that_expires_before_it_can_be_called_comes_up_to_expire() -> None:
    left = judged(contact(expires_at=NOW + 1), rules(schedule=OFFICE))
    assert (left.why, left.contact.next_at) == (Why.HOURS, NOW + 1)


def test_of_several_numbers_the_soonest_says_when_and_why() -> None:
    one = contact(
        number(0, zones="Europe/London"), number(1, zones="Asia/Tokyo", next_at=NOW + MINUTE_MS), last_call_at=1
    )
    left = judged(one, rules(schedule=OFFICE))
    assert (left.why, left.contact.next_at) == (Why.RETRY, NOW + MINUTE_MS)


def test_a_number_of_which_nobody_knows_comes_after_all_others() -> None:
    unknown = Finding(number(0), None, Why.NO_ZONE)
    later = Finding(number(1), NOW + 300 * DAY_MS, Why.RETRY)
    assert soonest([unknown, later], NOW) is later
    assert soonest([unknown], NOW) is unknown


# --- blacklist, live calls, routes and trunks -------------------------------------------------------------------------


def test_a_number_blacklisted_for_ever_is_closed_and_the_next_one_dialed() -> None:
    left = judged(several(2), known=facts(blacklisted_until=FOR_EVER))
    assert left.number is not None
    assert left.number.id == 1
    assert [n.end_reason for n in left.contact.numbers] == ["blacklisted", ""]


def test_a_contact_whose_last_number_is_blacklisted_is_done() -> None:
    closed = number(1, next_at=None, end_reason="busy")
    left = judged(contact(number(0), closed), known=facts(blacklisted_until=FOR_EVER))
    assert (left.why, left.contact.state) == (Why.CLOSED, ContactState.DONE)
    assert (left.contact.end_cause, left.contact.end_reason) == (EndCause.NO_COMMUNICATIONS, "blacklisted")
    assert left.contact.numbers[1].end_reason == "busy"


def test_a_number_that_is_closed_already_is_not_closed_again_by_the_blacklist() -> None:
    one = contact(number(0, next_at=None, end_reason="busy"), number(1))
    left = judged(one, known=facts(blacklisted_until=FOR_EVER))
    assert left.contact == one


def test_what_is_barred_can_be_explained_without_looking_for_an_end() -> None:
    findings = examine(contact(), rules(schedule=OFFICE), facts(blacklisted_until=FOR_EVER), NOW)
    assert findings == [Finding(number(), None, Why.BLACKLISTED)]
    assert NumberFacts(blacklisted_until=FOR_EVER).is_barred
    assert not NumberFacts(blacklisted_until=NOW + WEEK_MS).is_barred
    assert not NO_FACTS.is_barred


def test_a_contact_without_an_open_number_is_done_whoever_left_it_open() -> None:
    left = judged(contact(number(next_at=None, end_reason="busy")))
    assert (left.why, left.contact.end_cause) == (Why.CLOSED, EndCause.NO_COMMUNICATIONS)


def test_while_one_number_is_in_a_call_the_other_may_be_dialed() -> None:
    left = judged(several(2), known=facts(in_call=True))
    assert left.number is not None
    assert left.number.id == 1


def test_a_number_without_a_route_is_closed_and_the_next_one_dialed() -> None:
    def find_way(dialed: Number) -> Way:
        if dialed.id == 0:
            raise NoRoute
        return WAY

    left = judge(several(2), FREE, {}, find_way, NOW)
    assert left.number is not None
    assert left.number.id == 1
    assert left.contact.numbers[0].end_reason == "no route"


def no_route(_: Number) -> Way:
    raise NoRoute


def test_a_contact_ends_when_no_route_leads_to_its_last_number() -> None:
    left = judge(several(2), FREE, {}, no_route, NOW)
    assert (left.why, left.number, left.stay) == (Why.NO_ROUTE, None, False)
    assert (left.contact.state, left.contact.end_cause) == (ContactState.DONE, EndCause.NO_ROUTE)
    assert left.contact.end_reason == "no route"


def test_a_number_without_a_route_does_not_end_a_contact_that_has_one_for_later() -> None:
    one = contact(number(0), number(1, next_at=NOW + 5))
    left = judge(one, FREE, {}, no_route, NOW)
    assert (left.why, left.contact.next_at) == (Why.PROMISED, NOW + 5)
    assert [n.is_open for n in left.contact.numbers] == [False, True]


def no_open_route(_: Number) -> Way:
    raise NoOpenRoute


def test_a_contact_whose_routes_are_disabled_is_put_off_and_keeps_its_numbers() -> None:
    left = judge(several(2), FREE, {}, no_open_route, NOW)
    assert (left.why, left.contact.next_at, left.stay) == (Why.NO_OPEN_ROUTE, NOW + NO_OPEN_ROUTE_MS, False)
    assert left.contact.numbers == several(2).numbers


def test_a_contact_whose_routes_are_disabled_comes_up_for_its_next_number_and_to_expire() -> None:
    soon = contact(number(0), number(1, next_at=NOW + 5))
    assert (left := judge(soon, FREE, {}, no_open_route, NOW)).contact.next_at == NOW + 5
    assert left.why is Why.PROMISED
    expiring = contact(expires_at=NOW + 5)
    assert judge(expiring, FREE, {}, no_open_route, NOW).contact.next_at == NOW + 5


@pytest.mark.parametrize(("other", "why"), [(WAY, Why.READY), (None, Why.TRUNKS_FULL)])
def test_where_the_routes_of_one_number_are_disabled_the_other_decides(other: Way | None, why: Why) -> None:
    def find_way(dialed: Number) -> Way | None:
        if dialed.id == 0:
            raise NoOpenRoute
        return other

    left = judge(several(2), FREE, {}, find_way, NOW)
    assert (left.why, left.stay) == (why, other is None)
    assert left.contact == several(2)


def test_a_contact_whose_trunks_are_full_keeps_its_place() -> None:
    left = judge(several(2), FREE, {}, lambda _: None, NOW)
    assert (left.why, left.stay, left.number) == (Why.TRUNKS_FULL, True, None)
    assert left.contact == several(2)


def test_where_one_trunk_is_full_the_number_of_another_is_dialed() -> None:
    left = judge(several(2), FREE, {}, lambda dialed: WAY if dialed.id == 1 else None, NOW)
    assert (left.why, left.number, left.stay) == (Why.READY, number(1), False)


# --- limits over all campaigns ----------------------------------------------------------------------------------------


def test_the_day_is_the_numbers_own() -> None:
    """At 16:30 UTC it is half past one of the next day in Tokyo; an hour earlier it was that day as well."""
    now, one = utc(2027, 1, 15, 16, 30), contact(number(zones="Asia/Tokyo"))
    by = rules(per_day=1)
    assert judged(one, by, facts(placed_at=(now - 2 * HOUR_MS,)), now).why is Why.READY
    left = judged(one, by, facts(placed_at=(now - HOUR_MS,)), now)
    assert (left.why, left.contact.next_at) == (Why.DAY_CAP, utc(2027, 1, 16, 15, 0))


@pytest.mark.parametrize(
    ("zone", "now", "midnight"),
    [
        ("Asia/Kolkata", utc(2027, 1, 15, 12), utc(2027, 1, 15, 18, 30)),
        ("Europe/Madrid", utc(2027, 3, 28, 0, 30), utc(2027, 3, 28, 22)),  # a day of 23 hours
        ("Europe/Madrid", utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 23)),  # a day of 25 hours
        ("Africa/Cairo", utc(2027, 4, 29, 12), utc(2027, 4, 29, 22)),  # no midnight: the clock goes from 23:59 to 01:00
    ],
)
def test_the_next_day_begins_at_the_local_midnight(zone: str, now: int, midnight: int) -> None:
    one, by = contact(number(zones=zone)), rules(per_day=1)
    left = judged(one, by, facts(placed_at=(now,)), now)
    assert (left.why, left.contact.next_at) == (Why.DAY_CAP, midnight)
    assert judged(one, by, facts(placed_at=(now,)), midnight).why is Why.READY


def test_the_week_is_any_seven_days() -> None:
    placed = tuple(NOW - days * DAY_MS for days in (6, 4, 2))
    assert judged(contact(), rules(per_week=4), facts(placed_at=placed)).why is Why.READY
    left = judged(contact(), rules(per_week=3), facts(placed_at=placed))
    assert (left.why, left.contact.next_at) == (Why.WEEK_CAP, placed[0] + WEEK_MS)
    left = judged(contact(), rules(per_week=2), facts(placed_at=placed))
    assert (left.why, left.contact.next_at) == (Why.WEEK_CAP, placed[1] + WEEK_MS)
    old = (NOW - 9 * DAY_MS, NOW - WEEK_MS)
    assert judged(contact(), rules(per_week=1), facts(placed_at=old)).why is Why.READY


def test_without_caps_any_number_of_attempts_is_right() -> None:
    assert judged(contact(), known=facts(placed_at=(NOW - 1,) * 99)).why is Why.READY


@pytest.mark.parametrize(("rest_h", "why"), [(72, Why.ABANDONED), (0, Why.READY)])
def test_an_abandoned_person_rests_as_long_as_the_campaign_says(rest_h: int, why: Why) -> None:
    assert judged(contact(), rules(abandoned_rest_ms=rest_h * HOUR_MS), facts(abandoned_at=NOW - 1)).why is why


# --- promised calls ---------------------------------------------------------------------------------------------------

PROMISED = contact(any_hour=True)


@pytest.mark.parametrize(
    "by", [rules(schedule=OFFICE), ranges("M=09:00-12:00/1"), rules(schedule=Schedule(ALWAYS.window, CLOSED_YEARS))]
)
def test_a_promised_call_asks_for_no_hours_and_no_ranges(by: DialingRules) -> None:
    left = judged(PROMISED, by)
    assert (left.why, left.range_key) == (Why.READY, "")


def test_a_promised_call_within_a_range_counts_in_it() -> None:
    assert judged(PROMISED, ranges("M=07:00-09:00/1")).range_key == "2027-01-15/420-540"


@pytest.mark.parametrize(
    ("why", "by", "known"),
    [
        (Why.BLACKLISTED, FREE, facts(blacklisted_until=NOW + 5)),
        (Why.IN_CALL, FREE, facts(in_call=True)),
        (Why.DAY_CAP, rules(per_day=2), facts(placed_at=TODAY)),
        (Why.WEEK_CAP, rules(per_week=2), facts(placed_at=TODAY)),
        (Why.ABANDONED, rules(abandoned_rest_ms=72 * HOUR_MS), facts(abandoned_at=NOW - 1)),
        (Why.NO_ZONE, rules(require_zone=True), {}),
    ],
)
def test_a_promised_call_keeps_what_the_law_asks_for(why: Why, by: DialingRules, known: dict[str, NumberFacts]) -> None:
    assert judged(PROMISED, by, known).why is why


def test_a_promised_call_is_not_made_before_its_time() -> None:
    assert judged(contact(number(next_at=NOW + 5), any_hour=True)).contact.next_at == NOW + 5


# --- ranges -----------------------------------------------------------------------------------------------------------

NOW_RANGE, LATE_RANGE = "2027-01-15/420-600", "2027-01-15/960-1080"
DAILY = "M=07:00-10:00/2@5;M=16:00-18:00/1"


@pytest.mark.parametrize(
    ("tally", "at"),
    [
        ({}, NOW),
        ({NOW_RANGE: 1}, NOW),
        ({NOW_RANGE: 2}, NOW + 8 * HOUR_MS),
        ({NOW_RANGE: 9}, NOW + 8 * HOUR_MS),
        ({NOW_RANGE: 2, LATE_RANGE: 1}, NOW + 23 * HOUR_MS),
        ({"2027-01-14/420-600": 2}, NOW),
    ],
)
def test_a_range_allows_its_attempts_on_each_day(tally: dict[str, int], at: int) -> None:
    (found,) = examine(contact(number(range_tally=tally)), ranges(DAILY), {}, NOW)
    assert (found.at, found.why) == (at, Why.READY if at == NOW else Why.RANGE)


@pytest.mark.parametrize(("by_number", "callable_ids"), [(True, [1, 2]), (False, [2])])
def test_the_attempts_of_a_range_are_shared_unless_each_number_has_its_own(
    by_number: bool, callable_ids: list[int]
) -> None:
    one = contact(number(0, range_tally={NOW_RANGE: 2}), number(1), number(2, type="W"))
    by = ranges(DAILY + ";W=07:00-10:00/1", retries_by_number=by_number)
    assert sorted(chosen(one, by)) == callable_ids


def test_an_attempt_is_told_which_range_it_counts_in() -> None:
    assert judged(contact(), ranges(DAILY)).range_key == NOW_RANGE
    assert range_key(number(), ranges(DAILY), NOW + 4 * HOUR_MS) == ""
    assert range_key(number(type="W"), ranges(DAILY), NOW) == ""


def test_a_range_is_of_the_numbers_own_day() -> None:
    tokyo = number(zones="Asia/Tokyo")  # 17:00 there
    current = current_range(tokyo, ranges(DAILY), NOW)
    assert current is not None
    assert current.start_minute == 960
    assert range_key(tokyo, ranges(DAILY), NOW + 8 * HOUR_MS) == ""
    assert range_key(tokyo, ranges("M=00:00-24:00/1"), NOW + 8 * HOUR_MS) == "2027-01-16/0-1440"


# --- zones ------------------------------------------------------------------------------------------------------------


def test_a_number_without_a_zone_is_called_by_the_campaigns() -> None:
    tokyo = rules(schedule=OFFICE, default_zone="Asia/Tokyo")
    assert judged(contact(), tokyo).why is Why.READY
    assert judged(contact(number(zones="Europe/London")), tokyo).why is Why.HOURS


def test_where_a_zone_is_required_only_numbers_that_have_one_are_called() -> None:
    left = judged(contact(number(0), number(1, zones="UTC")), rules(require_zone=True))
    assert left.number is not None
    assert left.number.id == 1
    assert left.contact.numbers[0].is_open


def test_a_number_with_several_zones_is_called_when_it_is_open_in_all() -> None:
    one = contact(number(zones="America/New_York|America/Los_Angeles"))
    left = judged(one, rules(schedule=OFFICE))
    assert (left.why, left.contact.next_at) == (Why.HOURS, utc(2027, 1, 15, 17))
    assert judged(one, rules(schedule=OFFICE), now=utc(2027, 1, 16, 1, 59)).why is Why.READY
    assert judged(one, rules(schedule=OFFICE), now=utc(2027, 1, 16, 2)).why is Why.HOURS


# --- order ------------------------------------------------------------------------------------------------------------

RANKED = "A=00:00-24:00/9@10;B=00:00-24:00/9@5"


def made(id: int, type: str = "", called: int = 0, priority: int = 0, tries: int = 0) -> Number:
    return number(id, type=type, last_call_at=called, priority=priority, tries=tries)


@pytest.mark.parametrize(
    ("by_priority", "top_down", "numbers"),
    [
        ([1, 0], [1, 0], [made(0), made(1, "B")]),  # typed first
        ([1, 0], [1, 0], [made(0, "X"), made(1, "B")]),  # a type that the campaign does not know is none
        ([1, 0], [1, 0], [made(0), made(1, "B", called=9, tries=9)]),
        ([1, 0], [1, 0], [made(0, "B"), made(1, "A")]),  # the range's priority
        ([1, 0], [0, 1], [made(0, "B"), made(1, "A", called=9)]),  # or the longest not called
        ([1, 0], [1, 0], [made(0, "A", called=9), made(1, "A", called=8)]),
        ([1, 0], [1, 0], [made(0, "A", called=9, priority=7), made(1, "A", called=8)]),
        ([1, 0], [1, 0], [made(0, "A", tries=0), made(1, "A", priority=1, tries=5)]),  # the number's priority
        ([1, 0], [1, 0], [made(0, "A", tries=2), made(1, "A", tries=1)]),  # the fewest tries
        ([0, 1], [0, 1], [made(1, "A"), made(0, "A")]),  # the order in the base
        ([1, 0], [1, 0], [made(0, called=2), made(1, called=1)]),  # untyped ones among themselves, likewise
        ([2, 1, 0], [1, 2, 0], [made(0), made(1, "B", called=1), made(2, "A", called=2)]),
    ],
)
def test_numbers_come_in_the_order_of_the_strategy(
    by_priority: list[int], top_down: list[int], numbers: list[Number]
) -> None:
    one, by = contact(*numbers), ranges(RANKED)
    assert chosen(one, by) == by_priority
    assert chosen(one, replace(by, number_strategy=NumberStrategy.TOP_DOWN)) == top_down


@pytest.mark.parametrize("strategy", NumberStrategy)
def test_the_number_that_was_asked_for_comes_first(strategy: NumberStrategy) -> None:
    one = contact(made(0, "A"), made(1, called=9, tries=9), preferred=number(1).number)
    assert chosen(one, ranges(RANKED, number_strategy=strategy)) == [1, 0]


def test_the_number_that_was_asked_for_waits_its_time_and_then_another_is_dialed() -> None:
    one = contact(number(0), number(1, next_at=NOW + 5), preferred=number(1).number)
    assert chosen(one) == [0]


def test_top_down_goes_round_all_numbers_before_it_repeats_one() -> None:
    one, by, dialed = several(3), rules(number_strategy=NumberStrategy.TOP_DOWN), []
    for turn in range(6):
        first = chosen(one, by)[0]
        dialed.append(first)
        numbers = tuple(replace(n, last_call_at=turn + 1) if n.id == first else n for n in one.numbers)
        one = replace(one, numbers=numbers)
    assert dialed == [0, 1, 2, 0, 1, 2]


def test_numbers_without_a_type_are_dialed_at_any_time() -> None:
    one = contact(number(0), number(1, type=""), number(2, type="X"))
    assert chosen(one, ranges("M=09:00-12:00/1")) == [1, 2]


# --- pools ------------------------------------------------------------------------------------------------------------

ZONES = (
    "",
    "UTC",
    "Europe/Madrid",
    "Asia/Kolkata",
    "America/New_York",
    "Asia/Kathmandu",
    "America/Chicago|Pacific/Apia",
)


@pytest.mark.parametrize(
    ("zones", "text"),
    [
        ([], ""),
        ([""], ""),
        (["B", "A", "B"], "A;B"),
        (["", "A"], ";A"),
        (["A|B", "A"], "A;A|B"),
        (["A", "B", "C", "D"], "A;B;C;D"),
        (["A", "B", "C", "D", "E"], ANY_ZONE),
    ],
)
def test_a_pool_has_the_zones_of_its_contacts_numbers_unless_they_are_too_many(zones: list[str], text: str) -> None:
    assert pool_zones(zones) == text


def test_a_pool_is_open_when_any_of_its_zones_is() -> None:
    by = rules(schedule=OFFICE, default_zone="Asia/Tokyo")
    assert not by.is_open("Europe/London", NOW)
    assert by.is_open("Asia/Tokyo;Europe/London", NOW)
    assert by.is_open(";Europe/London", NOW)
    assert by.is_open("", NOW)
    assert not by.is_open("Asia/Tokyo|Europe/London", NOW)
    assert by.is_open(ANY_ZONE, NOW)
    assert not replace(by, require_zone=True).is_open("", NOW)
    assert replace(by, require_zone=True).is_open(";Asia/Tokyo", NOW)


def test_a_pool_opens_when_the_first_of_its_zones_does() -> None:
    by = rules(schedule=OFFICE, default_zone="Asia/Tokyo")
    assert by.opens_at("Europe/London", NOW) == NINE
    assert by.opens_at("America/New_York;Europe/London", NOW) == NINE
    assert by.opens_at("", NOW) == by.opens_at(ANY_ZONE, NOW) == NOW
    assert replace(by, require_zone=True).opens_at("", NOW) is None
    assert replace(by, require_zone=True).opens_at(";Europe/London", NOW) == NINE
    assert rules(schedule=Schedule(ALWAYS.window, CLOSED_YEARS)).opens_at("Europe/London;UTC", NOW) is None


@pytest.mark.parametrize(
    ("agentphone", "bucket", "alone"),
    [("", "", ""), ("", "vip", "vip"), ("1001", "", "@1001"), ("1001", "vip", "@1001")],
)
def test_a_contact_of_one_agent_or_bucket_has_a_pool_of_its_own(agentphone: str, bucket: str, alone: str) -> None:
    kept = contact(agentphone=agentphone, bucket=bucket)
    coming = NewContact(numbers=(), params={}, priority=1, agentphone=agentphone, line=1, bucket=bucket)
    assert kept.pool_bucket == coming.pool_bucket == alone


windows = st.builds(
    lambda start, length, weekdays: CallingWindow(
        start_minute=start, end_minute=min(start + length, 1440), weekdays=frozenset(weekdays)
    ),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.sets(st.integers(0, 6), min_size=1),
)
calendars = st.none() | st.builds(
    WorkingCalendar,
    name=st.just("c"),
    hours=st.just((Hours(frozenset(range(5)), 480, 1020),)),
    starts_at=st.none() | st.integers(NOW - DAY_MS, NOW + DAY_MS),
    ends_at=st.none() | st.integers(NOW + 3 * DAY_MS, NOW + 9 * DAY_MS),
)
any_rules = st.builds(
    DialingRules,
    schedule=st.builds(Schedule, windows, calendars),
    default_zone=st.sampled_from(["UTC", "Asia/Kolkata"]),
    require_zone=st.booleans(),
    ranges=st.sampled_from([{}, parse_ranges("M=09:00-12:00/1"), parse_ranges(RANKED)]),
    number_strategy=st.sampled_from(NumberStrategy),
)
any_numbers = st.lists(
    st.builds(
        lambda id, zones, kind, next_at: number(id, zones=zones, type=kind, next_at=next_at),
        st.integers(0, 9),
        st.sampled_from(ZONES) | st.lists(st.sampled_from(ZONES[1:6]), max_size=3).map(join_zones),
        st.sampled_from(["M", "A", ""]),
        st.sampled_from([0, 0, None, NOW + DAY_MS]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda each: each.id,
)


@given(any_numbers, any_rules, st.integers(NOW, NOW + 14 * DAY_MS))
def test_a_contact_may_only_be_called_while_its_pool_is_open(numbers: list[Number], by: DialingRules, now: int) -> None:
    one = contact(*numbers)
    zones = pool_zones([n.zones for n in one.numbers if n.is_open])
    assert judged(one, by, now=now).number is None or by.is_open(zones, now)
    opens = by.opens_at(zones, now)
    assert (opens == now) == by.is_open(zones, now)
    assert opens is None or by.is_open(zones, opens)


@given(any_numbers, any_rules, st.integers(NOW, NOW + 14 * DAY_MS))
def test_what_is_found_is_the_first_instant_and_later_than_now_unless_it_is_now(
    numbers: list[Number], by: DialingRules, now: int
) -> None:
    one = contact(*numbers)
    assume(any(n.is_open for n in numbers))
    left = judged(one, by, now=now)
    if left.number is not None:
        assert left.number in one.numbers
        return
    assert left.contact.next_at is not None
    assert left.contact.next_at > now
    between = range(now, left.contact.next_at, max(MINUTE_MS, (left.contact.next_at - now) // 6))
    assert all(judged(one, by, now=at).number is None for at in between)
    again = judged(one, by, now=left.contact.next_at)
    assert again.number is not None or left.why in (Why.NO_ZONE, Why.NEVER)
