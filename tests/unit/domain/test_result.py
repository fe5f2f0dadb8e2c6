"""What becomes of a contact by a word from outside: source-systems.md 1.8 and 1.9, field by field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import NOW, by_id, contact, ended_so, number, several

from astdialer.domain.cause import EndCause
from astdialer.domain.contact import FOR_GOOD, STOPPED, Contact, ContactState, Held, Number, NumberType
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict
from astdialer.domain.ranges import parse_ranges
from astdialer.domain.result import (
    NEXT_NUMBER_PRIORITY,
    ResultRules,
    apply_result,
    result_timed_out,
    terminate,
    withdrawn,
)
from astdialer.domain.retry import RedialRules, after_attempt
from astdialer.domain.typification import Result

D = Disposition
REDIAL = RedialRules(hold_s=60, max_tries=5)
RULES = ResultRules(redial=REDIAL, retry_s=600)
LATER = NOW + 600_000
RANGE = "2027-01-15/420-600"
FAILURE = Result(success=False)


def held(*numbers: Number, **known: Any) -> Contact:
    """A contact whose first number had a talk, of which the result is awaited."""
    attempt = ended_so(D.ANSWERED, (numbers or (number(),))[0].id, id="call", range_key=RANGE)
    return after_attempt(contact(*numbers, **known), attempt, D.ANSWERED, REDIAL, NOW)


TWO = (number(0), number(1))


def test_a_talk_is_held_until_its_result_comes() -> None:
    one = held(*TWO)
    assert (one.state, one.tries, one.held_until, one.next_at) == (ContactState.HELD, 1, NOW + 60_000, NOW + 60_000)
    assert one.held == Held(attempt_id="call", number_id=0, disposition=D.ANSWERED, range_key=RANGE)


def test_a_success_ends_the_contact_and_every_number() -> None:
    left = apply_result(held(*TWO), Result(success=True), RULES, NOW)
    assert (left.state, left.successful, left.next_at) == (ContactState.DONE, True, None)
    assert (left.end_cause, left.end_reason) == (EndCause.NORMAL_CLEARING, "success")
    assert [n.end_reason for n in left.numbers] == ["success", "success"]
    assert (left.held, left.held_until) == (None, None)


def test_a_failure_is_tried_again_after_the_campaigns_time() -> None:
    left = apply_result(held(*TWO), FAILURE, RULES, NOW)
    assert (left.state, left.successful, left.next_at, left.tries) == (ContactState.WAITING, False, LATER, 1)
    assert [n.next_at for n in left.numbers] == [LATER, LATER]
    assert (left.held, left.held_until, left.end_cause) == (None, None, "")


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_failure_is_tried_again_when_the_result_says(seconds: int) -> None:
    left = apply_result(held(*TWO), replace(FAILURE, next_after_s=seconds), RULES, NOW)
    assert [n.next_at for n in left.numbers] == [NOW + seconds * 1000] * 2


def test_a_failure_brings_forward_what_was_due_later() -> None:
    left = apply_result(held(number(0), number(1, next_at=NOW + 10**9)), replace(FAILURE, next_after_s=0), RULES, NOW)
    assert [n.next_at for n in left.numbers] == [NOW, NOW]


def test_a_failure_opens_no_number_that_was_closed() -> None:
    left = apply_result(held(number(0), number(1, next_at=None, end_reason="busy")), FAILURE, RULES, NOW)
    assert [(n.next_at, n.end_reason) for n in left.numbers] == [(LATER, ""), (None, "busy")]


def test_a_failure_after_the_last_try_ends_the_contact() -> None:
    left = apply_result(held(*TWO, tries=4), FAILURE, RULES, NOW)
    assert (left.state, left.end_cause, left.end_reason) == (ContactState.DONE, EndCause.MAX_TRY_COUNT, "answered")
    assert [n.end_reason for n in left.numbers] == ["answered", "answered"]


ONCE_A_NUMBER = replace(RULES, redial=replace(REDIAL, number_tries=1))


def test_a_failure_after_the_last_try_of_a_number_closes_it_and_leaves_the_others() -> None:
    left = apply_result(held(*TWO), FAILURE, ONCE_A_NUMBER, NOW)
    assert [(n.next_at, n.end_reason) for n in left.numbers] == [(None, "answered"), (LATER, "")]
    assert (left.state, left.next_at) == (ContactState.WAITING, LATER)


def test_a_failure_after_the_last_try_of_the_last_number_ends_the_contact() -> None:
    left = apply_result(held(), FAILURE, ONCE_A_NUMBER, NOW)
    assert (left.state, left.end_cause, left.end_reason) == (ContactState.DONE, EndCause.MAX_TRY_COUNT, "answered")
    again = apply_result(held(), replace(FAILURE, reset_retries=True), ONCE_A_NUMBER, NOW)
    assert (again.state, again.next_at) == (ContactState.WAITING, LATER)


def test_a_failure_ends_a_task_for_one_day_whose_day_is_over() -> None:
    by = replace(RULES, redial=replace(REDIAL, one_day=True, ranges=parse_ranges("M=07:00-10:00/1")))
    left = apply_result(held(), FAILURE, by, NOW)
    assert (left.end_cause, left.end_reason) == (EndCause.MEMBER_EXPIRED, "its day is over")


# --- reset_retries ----------------------------------------------------------------------------------------------------


def test_a_reset_clears_every_counter_and_opens_what_the_rules_closed() -> None:
    busy = number(1, next_at=None, end_reason="busy", tries=3, tally={"busy": 3}, range_tally={RANGE: 3})
    left = apply_result(held(number(0, tries=1), busy, tries=4), replace(FAILURE, reset_retries=True), RULES, NOW)
    assert left.tries == 0
    for each in left.numbers:
        assert (each.tries, each.tally, each.range_tally, each.end_reason) == (0, {}, {}, "")
        assert each.next_at == LATER
    assert left.next_at == LATER


def test_a_reset_is_not_ended_by_tries_that_it_has_just_given_back() -> None:
    one = held(*TWO, tries=99)
    assert apply_result(one, replace(FAILURE, reset_retries=True), RULES, NOW).next_at == LATER
    assert apply_result(one, FAILURE, RULES, NOW).next_at is None


@pytest.mark.parametrize("reason", ["stopped", "blacklisted", "replaced"])
def test_a_reset_leaves_closed_what_was_closed_for_good(reason: str) -> None:
    assert reason in FOR_GOOD
    one = held(number(0), number(1, next_at=None, end_reason=reason))
    left = apply_result(one, replace(FAILURE, reset_retries=True), RULES, NOW)
    assert [n.is_open for n in left.numbers] == [True, False]


def test_a_reset_may_come_with_a_time_numbers_to_stop_and_a_next_one() -> None:
    result = Result(
        success=False, reset_retries=True, next_after_s=60, stop_numbers=(number(0).number,), next_number="+34611"
    )
    left = apply_result(held(*TWO, tries=4), result, RULES, NOW)
    assert [(n.next_at, n.end_reason) for n in left.numbers[:2]] == [(None, STOPPED), (NOW + 60_000, "")]
    assert (left.preferred, left.numbers[2].next_at, left.tries) == ("+34611", NOW + 60_000, 0)


# --- next_communication -----------------------------------------------------------------------------------------------


def test_a_new_next_number_is_added_first_in_rank_and_without_a_type() -> None:
    result = replace(
        FAILURE, next_number="+380910000000", next_number_as_given="380 91", next_number_zones="Europe/Kyiv"
    )
    left = apply_result(held(*TWO), result, RULES, NOW)
    added = left.numbers[2]
    assert (added.id, added.number, added.as_uploaded) == (0, "+380910000000", "380 91")
    assert (added.type, added.priority, added.position) == (NumberType.UNKNOWN, NEXT_NUMBER_PRIORITY, 2)
    assert (added.zones, added.next_at, added.tries) == ("Europe/Kyiv", LATER, 0)
    assert left.preferred == "+380910000000"
    assert NEXT_NUMBER_PRIORITY == 100


def test_a_new_next_number_that_came_as_it_is_stored_is_dialed_by_its_digits() -> None:
    left = apply_result(held(), replace(FAILURE, next_number="+380910000000"), RULES, NOW)
    assert left.numbers[1].as_uploaded == "380910000000"


def test_a_next_number_that_the_contact_has_is_preferred_and_not_added() -> None:
    left = apply_result(held(*TWO), replace(FAILURE, next_number=number(1).number), RULES, NOW)
    assert [n.id for n in left.numbers] == [0, 1]
    assert left.preferred == number(1).number


@pytest.mark.parametrize("reason", ["busy", STOPPED, "blacklisted"])
def test_a_next_number_that_was_closed_is_opened_again_in_its_place(reason: str) -> None:
    closed = number(0, next_at=None, end_reason=reason, tries=2)
    left = apply_result(held(number(1), closed), replace(FAILURE, next_number=closed.number), RULES, NOW)
    assert [n.id for n in left.numbers] == [0, 1]
    assert (by_id(left, 0).next_at, by_id(left, 0).end_reason, by_id(left, 0).tries) == (LATER, "", 2)


@pytest.mark.parametrize("named", ["+34611", number(1).number])
def test_after_the_last_try_a_next_number_has_one_more_and_no_other_has_any(named: str) -> None:
    """As Webitel's: the tries that are used up close every number, and then the named one is opened."""
    left = apply_result(held(*TWO, tries=4), replace(FAILURE, next_number=named), RULES, NOW)
    assert (left.end_cause, left.next_at, left.preferred, left.tries) == ("", LATER, named, 5)
    assert [n.number for n in left.numbers if n.is_open] == [named]
    (dialed,) = (n for n in left.numbers if n.is_open)
    after = after_attempt(left, ended_so(D.NO_ANSWER, dialed.id, id="next"), D.NO_ANSWER, REDIAL, NOW)
    assert (after.end_cause, after.next_at) == (EndCause.MAX_TRY_COUNT, None)


def test_a_next_number_does_not_outlive_the_day_of_a_task_for_one_day() -> None:
    redial = replace(REDIAL, one_day=True, ranges=parse_ranges("U=00:00-00:01/0"), default_zone="UTC")
    left = apply_result(held(*TWO, tries=4), replace(FAILURE, next_number="+34611"), replace(RULES, redial=redial), NOW)
    assert (left.end_cause, left.next_at) == (EndCause.MEMBER_EXPIRED, None)


# --- stop_communications ----------------------------------------------------------------------------------------------


def test_numbers_are_stopped_for_good() -> None:
    left = apply_result(held(*TWO), replace(FAILURE, stop_numbers=(number(1).number, "+34999")), RULES, NOW)
    assert [(n.next_at, n.end_reason) for n in left.numbers] == [(LATER, ""), (None, STOPPED)]


def test_all_numbers_may_be_stopped_but_the_next_one() -> None:
    left = apply_result(held(*TWO), replace(FAILURE, stop_all=True, next_number="+34611"), RULES, NOW)
    assert [n.is_open for n in left.numbers] == [False, False, True]
    known = apply_result(held(*TWO), replace(FAILURE, stop_all=True, next_number=number(0).number), RULES, NOW)
    assert [n.is_open for n in known.numbers] == [True, False]


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "stops", [{"stop_all": True}, {"stop_numbers": (number(0).number, number(1).number)}], ids=["all", "each"]
)
def test_a_contact_without_a_number_left_is_done(reset: bool, stops: dict[str, Any]) -> None:
    left = apply_result(held(*TWO), replace(FAILURE, reset_retries=reset, **stops), RULES, NOW)
    assert (left.state, left.successful) == (ContactState.DONE, False)
    assert (left.end_cause, left.end_reason) == (EndCause.NO_COMMUNICATIONS, "no number left")
    assert [n.end_reason for n in left.numbers] == [STOPPED, STOPPED]


# --- which result is awaited ------------------------------------------------------------------------------------------


def test_a_result_may_name_the_call_that_it_is_about() -> None:
    assert apply_result(held(), replace(FAILURE, attempt_id="call"), RULES, NOW).state is ContactState.WAITING
    with pytest.raises(Conflict, match="contact 1: the result of call call is awaited, not of that one"):
        apply_result(held(), replace(FAILURE, attempt_id="other"), RULES, NOW)


@pytest.mark.parametrize("state", [state for state in ContactState if state is not ContactState.HELD])
def test_a_result_that_nobody_awaits_is_refused(state: ContactState) -> None:
    with pytest.raises(Conflict, match=f"contact 1: no result is awaited, it is {state}"):
        apply_result(contact(state=state), Result(success=True), RULES, NOW)


def test_a_result_is_taken_once() -> None:
    left = apply_result(held(), FAILURE, RULES, NOW)
    with pytest.raises(Conflict, match="no result is awaited"):
        apply_result(left, FAILURE, RULES, NOW)


def test_a_hold_of_nothing_is_refused() -> None:
    with pytest.raises(Conflict, match="no result is awaited"):
        apply_result(contact(state=ContactState.HELD), FAILURE, RULES, NOW)


# --- no result came ---------------------------------------------------------------------------------------------------


def test_without_a_result_the_attempt_is_given_back() -> None:
    before = number(0, tries=2, tally={"busy": 2}, range_tally={RANGE: 1})
    left = result_timed_out(held(before, number(1), tries=2), RULES, NOW)
    dialed = left.numbers[0]
    assert (left.state, left.next_at, left.tries, left.held) == (ContactState.WAITING, LATER, 2, None)
    assert (dialed.tries, dialed.tally, dialed.range_tally) == (2, {"busy": 2}, {RANGE: 1})
    assert [n.next_at for n in left.numbers] == [LATER, LATER]


def test_what_is_given_back_entirely_leaves_no_trace_in_the_counters() -> None:
    left = result_timed_out(held(), RULES, NOW)
    assert (left.numbers[0].tally, left.numbers[0].range_tally, left.numbers[0].tries) == ({}, {}, 0)


def test_the_attempt_stays_counted_where_the_campaign_says_so() -> None:
    counting = replace(RULES, timeout_counts=True)
    left = result_timed_out(held(*TWO), counting, NOW)
    assert (left.tries, left.numbers[0].tally, left.next_at) == (1, {"answered": 1}, LATER)
    last = result_timed_out(held(*TWO, tries=4), counting, NOW)
    assert (last.end_cause, last.next_at) == (EndCause.MAX_TRY_COUNT, None)
    assert result_timed_out(held(*TWO, tries=4), RULES, NOW).next_at == LATER


def test_a_number_whose_last_try_stays_counted_is_closed() -> None:
    left = result_timed_out(held(*TWO), replace(ONCE_A_NUMBER, timeout_counts=True), NOW)
    assert [n.is_open for n in left.numbers] == [False, True]
    assert [n.is_open for n in result_timed_out(held(*TWO), ONCE_A_NUMBER, NOW).numbers] == [True, True]


def test_a_hold_of_an_attempt_that_nobody_remembers_gives_nothing_back() -> None:
    left = result_timed_out(contact(state=ContactState.HELD, tries=3), RULES, NOW)
    assert (left.tries, left.next_at) == (3, LATER)


def test_a_contact_whose_numbers_were_closed_while_it_was_held_is_done() -> None:
    left = result_timed_out(withdrawn(held(), [number().number], None), RULES, NOW)
    assert (left.state, left.end_cause) == (ContactState.DONE, EndCause.NO_COMMUNICATIONS)
    assert left.numbers[0].end_reason == "blacklisted"


@pytest.mark.parametrize("result", [Result(success=True), FAILURE])
def test_a_wait_that_has_ended_does_not_end_again(result: Result) -> None:
    left = apply_result(held(), result, RULES, NOW)
    assert result_timed_out(left, RULES, NOW + 60_000) is left


@given(st.integers(1, 3), st.integers(0, 4), st.booleans())
def test_a_held_contact_always_comes_to_a_next_time_or_an_end(numbers: int, tries: int, counts: bool) -> None:
    one = held(*several(numbers).numbers, tries=tries)
    for left in (
        result_timed_out(one, replace(RULES, timeout_counts=counts), NOW),
        apply_result(one, FAILURE, RULES, NOW),
        apply_result(one, Result(success=True), RULES, NOW),
    ):
        assert (left.next_at is None) == bool(left.end_reason) == bool(left.end_cause)
        assert left.next_at is None or left.next_at > NOW
        assert left.state is (ContactState.DONE if left.next_at is None else ContactState.WAITING)


# --- terminate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [ContactState.READY, ContactState.WAITING])
def test_an_idle_contact_is_terminated(state: ContactState) -> None:
    left = terminate(several(2, state=state))
    assert (left.state, left.end_cause, left.end_reason) == (ContactState.DONE, EndCause.MANAGER_REQUEST, "terminated")
    assert [n.end_reason for n in left.numbers] == ["terminated", "terminated"]
    assert terminate(contact(), "left the company").end_reason == "left the company"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (contact(state=ContactState.DONE, end_reason="busy"), "contact 1 is done already: busy"),
        (contact(state=ContactState.IN_CALL), "contact 1 is in a call"),
        (held(), "contact 1 waits for the result of its last call"),
    ],
)
def test_any_other_contact_is_not_terminated(one: Contact, words: str) -> None:
    with pytest.raises(Conflict, match=words):
        terminate(one)


# --- withdrawn --------------------------------------------------------------------------------------------------------

FIRST, SECOND = (n.number for n in TWO)


def test_a_blacklisted_number_is_closed_and_the_others_go_on() -> None:
    left = withdrawn(several(2), [FIRST], None)
    assert [n.end_reason for n in left.numbers] == ["blacklisted", ""]
    assert (left.state, left.next_at) == (ContactState.WAITING, 0)


def test_a_contact_is_done_when_its_last_number_is_blacklisted() -> None:
    left = withdrawn(withdrawn(several(2), [FIRST], None), [SECOND], None)
    assert withdrawn(several(2), [FIRST, SECOND], None) == left
    assert (left.state, left.end_cause, left.end_reason) == (
        ContactState.DONE,
        EndCause.NO_COMMUNICATIONS,
        "blacklisted",
    )


def test_a_contact_that_is_blacklisted_for_a_while_is_due_afterwards() -> None:
    left = withdrawn(several(2), [FIRST, SECOND], NOW)
    assert (left.state, left.next_at) == (ContactState.WAITING, NOW)
    assert withdrawn(contact(number(next_at=NOW + 5)), [FIRST], NOW).next_at == NOW + 5
    assert withdrawn(contact(next_at=NOW + 7), [FIRST], NOW).next_at == NOW + 7


def test_an_entry_that_may_be_removed_before_its_end_leaves_the_numbers_due_as_they_were() -> None:
    assert withdrawn(several(2), [FIRST, SECOND], NOW).numbers == several(2).numbers


def test_a_contact_with_another_number_keeps_its_place() -> None:
    assert withdrawn(several(2), [FIRST], NOW) == several(2)
    closed = contact(number(0), number(1, next_at=None, end_reason="busy"))
    assert withdrawn(closed, [FIRST], NOW).next_at == NOW


@pytest.mark.parametrize("until", [None, NOW])
def test_a_number_that_is_closed_keeps_its_reason(until: int | None) -> None:
    one = contact(number(0, next_at=None, end_reason="busy"), number(1))
    assert withdrawn(one, [FIRST], until).numbers == one.numbers


@pytest.mark.parametrize("until", [None, NOW])
def test_a_contact_that_is_done_stays_as_it_ended(until: int | None) -> None:
    done = apply_result(held(), Result(success=True), RULES, NOW)
    assert withdrawn(done, [FIRST], until) == done


@pytest.mark.parametrize("one", [held(), contact(state=ContactState.IN_CALL, next_at=None)])
def test_a_contact_in_a_call_or_held_is_not_set_free_by_the_blacklist(one: Contact) -> None:
    left = withdrawn(one, [FIRST], None)
    assert withdrawn(one, [FIRST], NOW) == one
    assert replace(left, numbers=one.numbers) == one
    assert left.numbers[0].end_reason == "blacklisted"
