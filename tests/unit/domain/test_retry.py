"""Retry decisions: bounded tries, and no contact without a next time or an end."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import NOW, by_id, contact, ended_so, number, several

from astdialer.domain.cause import Cause, CauseRules, EndCause
from astdialer.domain.contact import Contact, ContactState, Number
from astdialer.domain.disposition import NOT_COUNTED, PERSON_REACHED, Disposition
from astdialer.domain.ranges import parse_ranges
from astdialer.domain.retry import (
    DEFAULTS,
    RedialRules,
    Retry,
    after_attempt,
    day_is_over,
    shared_tally,
    without_number,
)

D = Disposition
USUAL = RedialRules()


def rules(**retries: Retry) -> RedialRules:
    """The defaults, but for these redial rules."""
    return RedialRules(retries={**DEFAULTS, **{D(key): retry for key, retry in retries.items()}})


def often(*delays_s: int, tries: int | None = None) -> Retry:
    return Retry(tries=tries, delays_s=delays_s)


def after(one: Contact, *ends: Disposition, by: RedialRules = USUAL, number_id: int = 0, **facts: Any) -> Contact:
    """The contact after attempts to one of its numbers that ended so."""
    for disposition in ends:
        one = after_attempt(one, ended_so(disposition, number_id, **facts), disposition, by, NOW)
    return one


any_retry = st.builds(
    Retry, tries=st.integers(1, 4), delays_s=st.lists(st.integers(0, 7200), min_size=1, max_size=3).map(tuple)
)
retry_rules = st.fixed_dictionaries(dict.fromkeys(Disposition, any_retry))
redial_rules = st.builds(
    RedialRules,
    retries=retry_rules,
    max_tries=st.integers(0, 6),
    number_tries=st.integers(0, 4),
    interval_s=st.sampled_from([0, 0, 60]),
)
results = st.lists(st.tuples(st.sampled_from(Disposition), st.booleans()), min_size=1, max_size=30)


def due(one: Contact, now: int) -> Number | None:
    return next((n for n in one.numbers if n.next_at is not None and n.next_at <= now), None)


@given(st.integers(1, 4), results, redial_rules)
def test_every_step_of_a_contacts_life_is_sound(
    numbers: int, results: list[tuple[Disposition, bool]], by: RedialRules
) -> None:
    one, now = several(numbers), NOW
    for disposition, uncounted in results:
        if one.next_at is None:
            break
        now = max(now, one.next_at)
        dialed = due(one, now)
        assert dialed is not None, "a contact that is due has a number that is due"
        one = after_attempt(one, ended_so(disposition, dialed.id, uncounted=uncounted), disposition, by, now)
        check(one, by)
        check_dialed(by_id(one, dialed.id), dialed, disposition, now, counted=not uncounted, by=by)


def check(one: Contact, by: RedialRules) -> None:
    is_done = one.state is ContactState.DONE
    assert (one.next_at is None) == bool(one.end_reason) == bool(one.end_cause) == is_done
    assert one.next_at == min((n.next_at for n in one.numbers if n.next_at is not None), default=None)
    assert one.tries == sum(n.tries for n in one.numbers)
    assert not by.max_tries or one.tries < by.max_tries or is_done
    for each in one.numbers:
        assert (each.next_at is None) == bool(each.end_reason)
        assert not by.number_tries or each.tries < by.number_tries or not each.is_open
        bounded = by.interval_s or all(count <= (by.retries[D(d)].tries or 0) for d, count in each.tally.items())
        assert bounded, "no rule's tries are exceeded, unless there is an interval in place of the rules"


def check_dialed(
    dialed: Number, before: Number, disposition: Disposition, now: int, *, counted: bool, by: RedialRules
) -> None:
    counted = counted and disposition not in NOT_COUNTED
    assert sum(dialed.tally.values()) == sum(before.tally.values()) + counted
    assert dialed.tries == before.tries + counted
    assert dialed.last_call_at == (now if counted else before.last_call_at)
    ended_so = dialed.tally.get(disposition, 0) if counted else 1
    assert dialed.next_at in (None, now + by.rule(disposition).delay_s(ended_so) * 1000)
    assert counted or dialed.is_open


@given(st.integers(1, 3), retry_rules, st.integers(0, 8), st.data())
def test_a_contact_comes_to_an_end(
    numbers: int, retries: Mapping[Disposition, Retry], max_tries: int, data: st.DataObject
) -> None:
    by = RedialRules(retries=retries, max_tries=max_tries)
    one, now, tries = several(numbers), NOW, 0
    counting = [d for d in Disposition if d not in NOT_COUNTED]
    while one.next_at is not None:
        now = max(now, one.next_at)
        dialed = due(one, now)
        assert dialed is not None
        disposition = data.draw(st.sampled_from(counting))
        one = after_attempt(one, ended_so(disposition, dialed.id), disposition, by, now)
        tries += 1
    assert tries <= numbers * sum(retries[d].tries or 0 for d in counting)
    assert not max_tries or tries <= max_tries


# --- one rule for each outcome ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("disposition", [D.BUSY, D.NO_ANSWER, D.MACHINE, D.CONGESTION, D.SHORT])
def test_each_outcome_has_a_counter_of_its_own(disposition: Disposition) -> None:
    by = rules(**{disposition.value: often(60, tries=3)})
    one = after(several(1), disposition, disposition, by=by)
    assert (one.numbers[0].tally, one.next_at) == ({disposition: 2}, NOW + 60_000)
    one = after(one, disposition, by=by)
    assert (one.next_at, one.end_reason, one.end_cause) == (None, disposition, EndCause.MAX_TRY_COUNT)


def test_an_attempt_that_ends_otherwise_counts_for_that_other_outcome_only() -> None:
    by = rules(busy=often(60, tries=3), no_answer=often(90, tries=2))
    one = after(several(1), D.BUSY, D.BUSY, D.NO_ANSWER, by=by)
    assert one.numbers[0].tally == {"busy": 2, "no_answer": 1}
    assert one.next_at == NOW + 90_000
    assert after(one, D.NO_ANSWER, by=by).end_reason == D.NO_ANSWER
    assert after(one, D.BUSY, by=by).end_reason == D.BUSY


def test_a_rule_with_several_delays_goes_through_them_and_repeats_the_last() -> None:
    by, one, waits = rules(busy=often(60, 300, 3600)), several(1), []
    for _ in range(5):
        one = after(one, D.BUSY, by=by)
        assert one.next_at is not None
        waits.append((one.next_at - NOW) // 1000)
    assert waits == [60, 300, 3600, 3600, 3600]


def test_a_rule_without_a_limit_never_closes_a_number() -> None:
    one = after(several(1), *[D.BUSY] * 50, by=rules(busy=often(60)))
    assert (one.next_at, one.numbers[0].tally) == (NOW + 60_000, {"busy": 50})


@pytest.mark.parametrize(
    ("retry", "text"), [(often(60, tries=3), "3/60"), (often(60, 300), "*/60,300"), (often(0, tries=1), "1/0")]
)
def test_a_rule_is_written_as_tries_and_delays(retry: Retry, text: str) -> None:
    assert retry.text == text


def test_every_disposition_has_a_rule() -> None:
    assert set(DEFAULTS) == set(Disposition)


def test_numbers_are_counted_apart() -> None:
    by = rules(busy=often(60, tries=2))
    one = after(several(2), D.BUSY, D.BUSY, by=by)
    one = after(one, D.BUSY, by=by, number_id=1)
    assert [n.tally for n in one.numbers] == [{"busy": 2}, {"busy": 1}]
    assert (one.numbers[0].end_reason, one.next_at, one.tries) == ("busy", NOW + 60_000, 3)


def test_a_number_has_its_tries_over_all_outcomes_and_the_others_theirs() -> None:
    by = replace(rules(busy=often(60, tries=9), no_answer=often(60, tries=9)), number_tries=2)
    one = after(several(2), D.BUSY, D.NO_ANSWER, by=by)
    assert [number.is_open for number in one.numbers] == [False, True]
    assert (one.numbers[0].end_reason, one.end_reason) == (D.NO_ANSWER, "")


# --- the contact's limits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_tries", [1, 5])
def test_a_contact_has_its_tries_over_all_numbers_and_outcomes(max_tries: int) -> None:
    by = RedialRules(retries=rules(busy=often(60)).retries, max_tries=max_tries)
    one, tries = several(2), 0
    while one.next_at is not None:
        one = after(one, D.BUSY, by=by, number_id=tries % 2)
        tries += 1
    assert (tries, one.end_cause, one.end_reason) == (max_tries, EndCause.MAX_TRY_COUNT, "busy")
    assert [n.end_reason for n in one.numbers] == ["busy", "busy"]


def test_no_tries_means_no_such_limit() -> None:
    one = after(several(1), *[D.BUSY] * 99, by=RedialRules(interval_s=60, max_tries=0))
    assert (one.next_at, one.tries) == (NOW + 60_000, 99)


def test_a_number_that_does_not_exist_costs_one_of_the_contacts_tries() -> None:
    one = after(several(2), D.INVALID_NUMBER, by=RedialRules(max_tries=1))
    assert (one.end_cause, one.end_reason) == (EndCause.MAX_TRY_COUNT, "invalid_number")


def test_the_interval_takes_the_place_of_the_rules_and_is_the_contacts() -> None:
    by = RedialRules(interval_s=180)
    for disposition in (D.BUSY, D.REJECTED, D.SHORT, D.UNKNOWN, D.MACHINE):
        one = after(several(2), disposition, by=by)
        assert [n.next_at for n in one.numbers] == [NOW + 180_000] * 2


def test_the_interval_passes_before_the_next_number_when_one_does_not_exist() -> None:
    one = after(several(2), D.INVALID_NUMBER, by=RedialRules(interval_s=180))
    assert [n.next_at for n in one.numbers] == [None, NOW + 180_000]


def test_the_interval_brings_no_number_forward() -> None:
    one = after(contact(number(0), number(1, next_at=NOW + 999_000)), D.BUSY, by=RedialRules(interval_s=180))
    assert [n.next_at for n in one.numbers] == [NOW + 180_000, NOW + 999_000]


@pytest.mark.parametrize("interval_s", [0, 180])
def test_an_abandoned_person_is_not_redialed_by_itself(interval_s: int) -> None:
    one = after(several(2), D.ABANDONED, by=RedialRules(interval_s=interval_s))
    assert (one.end_cause, one.end_reason) == (EndCause.ABANDONED, "abandoned")
    assert not any(n.is_open for n in one.numbers)


def test_an_abandoned_person_is_redialed_where_the_campaign_says_so() -> None:
    by = rules(abandoned=often(3600, tries=2))
    one = after(several(1), D.ABANDONED, by=by)
    assert (one.next_at, one.tries) == (NOW + 3_600_000, 1)
    assert after(one, D.ABANDONED, by=by).end_cause == EndCause.ABANDONED
    assert after(several(1), D.ABANDONED, by=replace(by, interval_s=180)).next_at == NOW + 180_000


# --- a person was reached ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disposition", sorted(PERSON_REACHED))
def test_a_person_reached_is_not_sought_at_the_other_numbers(disposition: Disposition) -> None:
    one = after(several(3), disposition)
    assert one.next_at is None
    assert one.end_reason == disposition
    assert all(n.end_reason == disposition for n in one.numbers)


def test_the_other_numbers_rest_until_the_person_may_be_tried_again() -> None:
    by = rules(short=often(600, tries=3))
    one = after(several(2), D.BUSY, by=by)
    one = after(one, D.SHORT, by=by, number_id=1)
    assert [n.next_at for n in one.numbers] == [NOW + 600_000] * 2


def test_a_number_closed_before_keeps_its_own_reason_when_a_person_is_reached() -> None:
    again = rules(short=often(60, tries=2))
    one = after(several(3), D.INVALID_NUMBER, by=again)
    one = after(one, D.SHORT, by=again, number_id=1)
    assert one.numbers[0].end_reason == D.INVALID_NUMBER
    one = after(one, D.ANSWERED, by=again, number_id=1)
    assert [n.end_reason for n in one.numbers] == [D.INVALID_NUMBER, D.ANSWERED, D.ANSWERED]
    closed_before = after(after(several(3), D.INVALID_NUMBER), D.SHORT, number_id=1)
    assert [n.end_reason for n in closed_before.numbers] == [D.INVALID_NUMBER, D.SHORT, D.SHORT]


def test_the_next_number_is_tried_at_once_when_one_does_not_exist() -> None:
    one = after(several(2), D.INVALID_NUMBER)
    assert (one.next_at, one.end_reason) == (0, "")


# --- what counts as no try --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disposition", [D.CANCELED, D.FAILED])
def test_our_own_fault_costs_no_try(disposition: Disposition) -> None:
    one = after(several(2), disposition, uncounted=True)
    assert (one.tries, one.numbers[0].tries, one.numbers[0].tally, one.last_call_at) == (0, 0, {}, 0)
    assert [n.next_at for n in one.numbers] == [NOW + DEFAULTS[disposition].delay_s(1) * 1000, 0]


def test_a_call_that_was_taken_back_costs_no_try_whoever_is_to_blame() -> None:
    assert after(several(1), D.CANCELED).numbers[0].tally == {}


def test_a_refusal_that_says_when_rests_the_whole_contact() -> None:
    """A skipped contact does not come up at once with its other number."""
    one = after(several(2), D.CANCELED, uncounted=True, retry_s=3600)
    assert [n.next_at for n in one.numbers] == [NOW + 3_600_000] * 2
    assert after(several(1), D.FAILED, uncounted=True, retry_s=0).next_at == NOW


def test_a_promised_call_stays_promised_until_an_attempt_counts() -> None:
    promised = several(1, any_hour=True, preferred="+34600000000")
    again = after(promised, D.FAILED, uncounted=True)
    assert (again.any_hour, again.preferred) == (True, "+34600000000")
    tried = after(promised, D.BUSY)
    assert (tried.any_hour, tried.preferred) == (False, "")


def test_a_number_that_was_closed_during_its_call_stays_closed() -> None:
    barred = contact(number(0, next_at=None, end_reason="blacklisted"), number(1))
    for one in (after(barred, D.BUSY), after(barred, D.FAILED, uncounted=True)):
        assert (one.numbers[0].is_open, one.numbers[0].end_reason) == (False, "blacklisted")
        assert one.next_at == 0


def test_an_attempt_without_a_range_counts_in_none() -> None:
    assert after(several(1), D.BUSY).numbers[0].range_tally == {}
    assert after(several(1), D.BUSY, D.BUSY, range_key="a").numbers[0].range_tally == {"a": 2}


# --- how a contact ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "facts", "cause"),
    [
        (D.ANSWERED, {}, EndCause.NORMAL_CLEARING),
        (D.REJECTED, {}, EndCause.MAX_TRY_COUNT),
        (D.ABANDONED, {}, EndCause.ABANDONED),
        (D.SHORT, {}, EndCause.MAX_TRY_COUNT),
        (D.INVALID_NUMBER, {}, Cause.UNALLOCATED_NUMBER),
        (D.INVALID_NUMBER, {"cause": 28}, Cause.INVALID_NUMBER_FORMAT),
        (D.INVALID_NUMBER, {"cause": 22}, EndCause.MAX_TRY_COUNT),
        (D.FAILED, {"sip_code": 488}, Cause.INCOMPATIBLE_DESTINATION),
    ],
)
def test_a_contact_ends_with_the_cause_that_closed_its_last_number(
    disposition: Disposition, facts: dict[str, Any], cause: str
) -> None:
    one = after(several(1), disposition, **facts)
    assert (one.state, one.end_cause, one.end_reason) == (ContactState.DONE, cause, disposition)
    assert one.successful is (disposition is D.ANSWERED)
    assert (type(one.end_cause), type(one.end_reason), type(one.numbers[0].end_reason)) == (str, str, str)


def test_a_contact_whose_calls_vanish_ends_as_after_a_crash() -> None:
    one = after(several(1), D.UNKNOWN, D.UNKNOWN)
    assert (one.end_cause, one.end_reason) == (EndCause.PROCESS_CRASH, "unknown")


def test_an_answer_is_no_success_where_its_cause_is_not_in_the_list_of_successes() -> None:
    one = after(several(1), D.ANSWERED, by=RedialRules(causes=CauseRules(ok=frozenset({"USER_BUSY"}))))
    assert (one.end_cause, one.successful) == (EndCause.NORMAL_CLEARING, False)


def test_a_blacklisted_number_ends_its_contact_only_as_the_last_one() -> None:
    one = without_number(several(2), 0, "blacklisted")
    assert (one.next_at, one.numbers[0].end_reason) == (0, "blacklisted")
    one = without_number(one, 1, "blacklisted")
    assert (one.next_at, one.end_reason, one.end_cause) == (None, "blacklisted", EndCause.NO_COMMUNICATIONS)


def test_a_number_of_somebody_else_is_an_error() -> None:
    for uncounted in (False, True):
        with pytest.raises(KeyError):
            after(several(1), D.BUSY, number_id=99, uncounted=uncounted)


# --- ranges and the task for one day ----------------------------------------------------------------------------------

MORNING, EVENING = "2027-01-15/540-720", "2027-01-15/1080-1260"
#: NOW is 08:00 UTC on Friday, 15 January 2027.
ONE_DAY = RedialRules(
    interval_s=60,
    one_day=True,
    ranges=parse_ranges("M=09:00-12:00/2;M=18:00-21:00/1;H=18:00-21:00/1"),
)


@pytest.mark.parametrize(("by_number", "total"), [(True, {"a": 1}), (False, {"a": 3, "b": 5})])
def test_a_type_has_its_attempts_together_or_each_number_for_itself(by_number: bool, total: dict[str, int]) -> None:
    one = contact(
        number(0, range_tally={"a": 1}),
        number(1, range_tally={"a": 2, "b": 5}, next_at=None),
        number(2, type="H", range_tally={"a": 9}),
    )
    assert shared_tally(one, one.numbers[0], by_number) == total


def test_a_task_for_one_day_ends_when_its_latest_range_is_used_up() -> None:
    one = contact(number(range_tally={MORNING: 1}))
    left = after(one, D.BUSY, by=ONE_DAY, range_key=EVENING)
    assert (left.end_cause, left.end_reason) == (EndCause.MEMBER_EXPIRED, "its day is over")
    assert left.numbers[0].end_reason == "its day is over"


def test_a_task_for_one_day_goes_on_while_its_latest_range_has_attempts() -> None:
    left = after(several(1), D.BUSY, by=ONE_DAY, range_key=MORNING)
    assert left.next_at == NOW + 60_000


def test_a_task_for_one_day_goes_on_while_any_open_number_has_attempts() -> None:
    used_up, fresh_one = number(0, range_tally={MORNING: 1}), number(1, type="H")
    assert after(contact(used_up, fresh_one), D.BUSY, by=ONE_DAY, range_key=EVENING).next_at == NOW + 60_000
    closed = replace(fresh_one, next_at=None, end_reason="busy")
    assert after(contact(used_up, closed), D.BUSY, by=ONE_DAY, range_key=EVENING).next_at is None


def test_a_number_without_ranges_has_no_last_attempt_of_the_day() -> None:
    left = after(contact(number(0), number(1, type="")), D.BUSY, by=ONE_DAY, range_key=EVENING)
    assert left.next_at == NOW + 60_000


def test_a_task_for_many_days_goes_on_the_next_day() -> None:
    left = after(several(1), D.BUSY, by=replace(ONE_DAY, one_day=False), range_key=EVENING)
    assert left.next_at == NOW + 60_000


def test_the_day_is_that_of_the_number() -> None:
    one = contact(number(zones="Pacific/Kiritimati|Asia/Tokyo", range_tally={EVENING: 1}))
    assert not day_is_over(one, ONE_DAY, NOW + 2 * 3_600_000), "it is 16 January there"
    assert day_is_over(contact(number(range_tally={EVENING: 1})), ONE_DAY, NOW + 2 * 3_600_000)
