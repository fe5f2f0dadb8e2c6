"""Reports on attempts and changes of contacts, by the rules of Webitel v4 (source-systems.md 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import NOW, by_id, contact, ended_so, number, several

from astdialer.domain.cause import EndCause
from astdialer.domain.contact import BLACKLISTED, INVALID, REPLACED, STOPPED, Contact, ContactState, NewNumber, Number
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict
from astdialer.domain.processing import FINAL, Change, Report, changed, reported
from astdialer.domain.result import ResultRules
from astdialer.domain.retry import RedialRules, after_attempt, ended, succeeded

REDIAL = RedialRules(hold_s=60, max_tries=3)
RULES = ResultRules(redial=REDIAL, retry_s=600)
HOUR = 3_600_000
LATER = NOW + HOUR


def held(count: int = 2, **known: Any) -> Contact:
    """Its first number had a talk, of which the report is awaited."""
    attempt = ended_so(Disposition.ANSWERED, 0, id="call")
    return after_attempt(several(count, **known), attempt, Disposition.ANSWERED, REDIAL, NOW)


def after(before: Contact, **said: Any) -> Contact:
    return reported(before, Report(attempt_id="call", **said), RULES, NOW)


def test_success_ends_the_member_well() -> None:
    left = after(held(), status="success")
    assert (left.state, left.successful, left.end_reason, left.held) == (ContactState.DONE, True, "success", None)
    assert left.end_cause == EndCause.NORMAL_CLEARING


@pytest.mark.parametrize("status", [word for word in FINAL if word != "success"])
def test_a_canceled_member_ends_with_that_word(status: str) -> None:
    left = after(held(), status=status)
    assert (left.state, left.successful, left.end_reason) == (ContactState.DONE, False, status)
    assert left.end_cause == EndCause.MANAGER_REQUEST


@pytest.mark.parametrize("status", ["abandoned", "timeout", "a word of the customer's"])
def test_any_other_word_is_tried_again_after_the_campaigns_pause(status: str) -> None:
    left = after(held(), status=status)
    assert (left.state, left.next_at, left.tries) == (ContactState.WAITING, NOW + 600_000, 1)
    assert {n.next_at for n in left.numbers} == {NOW + 600_000}


@pytest.mark.parametrize(
    ("said", "at"),
    [({"retry_s": 60}, NOW + 60_000), ({"next_at": LATER}, LATER), ({"next_at": LATER, "retry_s": 60}, LATER)],
)
def test_the_report_may_say_when(said: dict[str, Any], at: int) -> None:
    assert after(held(), **said).next_at == at


@pytest.mark.parametrize("status", FINAL)
def test_a_time_that_is_given_goes_before_the_status(status: str) -> None:
    left = after(held(), status=status, next_at=LATER)
    assert (left.state, left.next_at, left.successful) == (ContactState.WAITING, LATER, False)


def test_who_has_no_tries_left_is_done_unless_a_time_is_given() -> None:
    last = held(tries=2)
    assert (after(last).end_cause, after(last).state) == (EndCause.MAX_TRY_COUNT, ContactState.DONE)
    assert after(last, next_at=LATER).next_at == LATER
    assert after(last, only_number=True).state is ContactState.WAITING


def test_a_number_without_tries_left_is_closed_unless_a_time_is_given() -> None:
    by = replace(RULES, redial=replace(REDIAL, number_tries=1))
    left = reported(held(), Report(attempt_id="call"), by, NOW)
    assert [(n.is_open, n.end_reason) for n in left.numbers] == [(False, "answered"), (True, "")]
    assert reported(held(1), Report(attempt_id="call"), by, NOW).end_cause == EndCause.MAX_TRY_COUNT
    assert reported(held(1), Report(attempt_id="call", next_at=LATER), by, NOW).next_at == LATER


def test_the_number_of_the_attempt_may_be_closed_for_good() -> None:
    left = after(held(), exclude_number=True)
    assert [n.end_reason for n in left.numbers] == [STOPPED, ""]


def test_every_other_number_may_be() -> None:
    left = after(held(3), status="success", only_number=True)
    assert [n.end_reason for n in left.numbers] == ["", STOPPED, STOPPED]
    assert left.state is ContactState.WAITING


@pytest.mark.parametrize("said", [{"exclude_number": True}, {"exclude_number": True, "next_at": LATER}])
def test_without_a_number_left_the_member_is_done(said: dict[str, Any]) -> None:
    left = after(held(1), **said)
    assert (left.state, left.end_cause) == (ContactState.DONE, EndCause.NO_COMMUNICATIONS)


def test_a_number_that_was_closed_before_keeps_its_reason() -> None:
    before = held(2)
    barred = replace(before, numbers=(before.numbers[0], replace(before.numbers[1], next_at=None, end_reason="busy")))
    assert [n.end_reason for n in after(barred, only_number=True).numbers] == ["", "busy"]


def test_what_else_a_report_says_is_kept() -> None:
    left = after(held(params={"a": "1", "b": "2"}), params={"b": "3"}, expires_at=LATER, agent="1001")
    assert (left.params, left.expires_at, left.agentphone) == ({"a": "1", "b": "3"}, LATER, "1001")
    same = after(held(params={"a": "1"}, expires_at=LATER, agentphone="1002"))
    assert (same.params, same.expires_at, same.agentphone) == ({"a": "1"}, LATER, "1002")


def test_a_report_is_taken_once_and_of_the_last_call_alone() -> None:
    with pytest.raises(Conflict, match="no result is awaited"):
        after(after(held()))
    with pytest.raises(Conflict, match="not of that one"):
        reported(held(), Report(attempt_id="another"), RULES, NOW)


REPORTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([*FINAL, "abandoned"]),
        "next_at": st.none() | st.integers(NOW, LATER),
        "exclude_number": st.booleans(),
        "only_number": st.booleans(),
    }
)


@given(st.integers(1, 3), st.integers(0, 4), REPORTS)
def test_a_report_always_leaves_a_next_time_or_an_end(count: int, tries: int, said: dict[str, Any]) -> None:
    left = after(held(count, tries=tries), **said)
    assert left.held is None
    if left.state is ContactState.DONE:
        assert not any(n.is_open for n in left.numbers)
        assert left.end_reason
        assert left.end_cause
    else:
        assert (left.state, left.next_at) == (
            ContactState.WAITING,
            min(n.next_at for n in left.numbers if n.next_at is not None),
        )


# --- changes ---------------------------------------------------------------------------------------------------------


def idle(count: int = 2, **known: Any) -> Contact:
    return several(count, **{"state": ContactState.WAITING, "next_at": LATER} | known)


def test_nothing_that_is_not_named_is_changed() -> None:
    for before in (idle(), held(), ended(idle(), "busy", EndCause.MAX_TRY_COUNT)):
        assert changed(before, Change(), NOW) == before


def test_plain_values_are_set() -> None:
    left = changed(idle(), Change(priority=3, expires_at=None, agent="1001", bucket="vip", tries=2), NOW)
    assert (left.priority, left.expires_at, left.agentphone, left.bucket, left.tries) == (3, None, "1001", "vip", 2)


def test_zones_of_numbers_are_set_by_number() -> None:
    before = idle()
    left = changed(before, Change(zones={before.numbers[1].number: "UTC", "+34999": "Asia/Tokyo"}), NOW)
    assert [n.zones for n in left.numbers] == [before.numbers[0].zones, "UTC"]


def test_params_are_added_and_an_empty_one_is_taken_away() -> None:
    left = changed(idle(params={"a": "1", "b": "2", "c": ""}), Change(params={"a": "", "d": "4"}), NOW)
    assert left.params == {"b": "2", "c": "", "d": "4"}


def test_another_time_counts_for_whoever_waits() -> None:
    assert changed(idle(), Change(next_at=NOW), NOW).next_at == NOW
    assert changed(held(), Change(next_at=LATER), NOW).state is ContactState.HELD
    done = ended(idle(), "busy", EndCause.MAX_TRY_COUNT)
    assert changed(done, Change(next_at=NOW), NOW).state is ContactState.DONE


def test_a_reason_ends_the_member_and_a_done_one_keeps_its_own() -> None:
    assert changed(held(), Change(stop="cancel"), NOW).end_reason == "cancel"
    assert changed(idle(), Change(stop="success"), NOW).successful
    done = succeeded(idle(), "success")
    assert changed(done, Change(stop="cancel"), NOW) == done


@pytest.mark.parametrize(
    "before", [ended(idle(), "busy", EndCause.MAX_TRY_COUNT), succeeded(idle(), "success"), held(), idle(tries=2)]
)
def test_an_empty_reason_begins_everything_anew(before: Contact) -> None:
    left = changed(before, Change(stop=""), NOW)
    assert (left.state, left.next_at, left.tries, left.successful) == (ContactState.WAITING, NOW, 0, False)
    assert (left.end_reason, left.end_cause, left.held) == ("", "", None)
    assert {(n.tries, n.next_at, n.end_reason) for n in left.numbers} == {(0, NOW, "")}
    assert changed(before, Change(stop="", next_at=LATER), NOW).next_at == LATER


def test_a_number_that_a_report_had_stopped_is_open_again_and_a_blacklisted_one_is_not() -> None:
    closed = [STOPPED, BLACKLISTED, INVALID, REPLACED]
    numbers = [number(n, next_at=None, end_reason=reason) for n, reason in enumerate(closed)]
    left = changed(contact(*numbers, state=ContactState.DONE), Change(stop=""), NOW)
    assert [n.is_open for n in left.numbers] == [True, False, False, False]
    with pytest.raises(Conflict, match="none of its numbers"):
        changed(contact(*numbers[1:], state=ContactState.DONE), Change(stop=""), NOW)


def new(of: Number | str, **known: Any) -> NewNumber:
    text = of if isinstance(of, str) else of.number
    return NewNumber(number=text, as_uploaded=text, type="1", **known)


def test_numbers_are_replaced_and_known_ones_keep_their_counts() -> None:
    before = idle(3)
    first, second, third = before.numbers
    before = replace(before, numbers=(replace(first, tries=2), second, third))
    left = changed(before, Change(numbers=[new("+34999"), new(first, priority=4)]), NOW)
    assert [(n.id, n.number, n.position) for n in left.numbers] == [
        (0, "+34999", 0),
        (0, first.number, 1),
        (1, second.number, 2),
        (2, third.number, 3),
    ]
    assert [(n.tries, n.priority) for n in left.numbers[1:]] == [(2, 4), (0, 0), (0, 0)]
    assert [n.end_reason for n in left.numbers] == ["", "", REPLACED, REPLACED]
    assert left.numbers[0].next_at == LATER, "not before the contact is due"


def test_what_is_no_number_may_stand_twice() -> None:
    reception = new("Reception", end_reason=INVALID)
    before = changed(idle(1), Change(numbers=[reception, reception]), NOW)
    left = changed(before, Change(numbers=[reception, reception]), NOW)
    assert [n.number for n in left.numbers] == ["Reception"] * 2 + [before.numbers[2].number]


def test_a_number_is_opened_by_naming_it_unless_it_is_blacklisted() -> None:
    numbers = (number(0, next_at=None, end_reason=STOPPED), number(1, next_at=None, end_reason=BLACKLISTED), number(2))
    before = contact(*numbers, state=ContactState.WAITING, next_at=LATER)
    left = changed(before, Change(numbers=[new(n) for n in numbers]), NOW)
    assert [n.is_open for n in left.numbers] == [True, False, True]


def test_nobody_is_called_who_has_only_numbers_that_are_none() -> None:
    left = changed(idle(), Change(numbers=[new("Reception", end_reason=INVALID)]), NOW)
    assert (left.state, left.end_cause) == (ContactState.DONE, EndCause.NO_COMMUNICATIONS)


def test_numbers_of_a_member_that_is_done_stay_closed() -> None:
    done = succeeded(idle(1), "success")
    left = changed(done, Change(numbers=[new("+34999")]), NOW)
    assert (left.state, by_id(left, 0).is_open) == (ContactState.DONE, False)
    assert not any(n.is_open for n in left.numbers)
    assert changed(left, Change(stop=""), NOW).numbers[0].is_open
