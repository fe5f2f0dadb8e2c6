"""From what Asterisk says to our disposition: asterisk.md 1.3 row by row, and everything else."""

from collections.abc import Sequence

import pytest
from attempts import CHANNEL, RINGS, SENT, UP, after, at, fresh
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain import events as ev
from astdialer.domain.amd import Action
from astdialer.domain.disposition import BY_CAUSE, BY_DIAL_STATUS, BY_SIP_CODE, Disposition, unanswered
from astdialer.domain.events import AttemptEvent
from astdialer.domain.outcome import OutcomeRules, classify

D = Disposition
RULES = OutcomeRules()


def failed(dial_status: str | None, cause: int, sip: int, reason: int) -> list[AttemptEvent]:
    ends = [at(1, ev.DialEnded, dial_status=dial_status)] if dial_status else []
    return [
        SENT,
        CHANNEL,
        *ends,
        at(2, ev.HungUp, cause=cause, sip_code=sip),
        at(3, ev.OriginateEnded, success=False, reason=reason),
    ]


@pytest.mark.parametrize(
    ("case", "events", "expected"),
    [
        ("486", failed("BUSY", 17, 486, 0), D.BUSY),
        ("404", failed("NOANSWER", 1, 404, 0), D.INVALID_NUMBER),
        ("480", failed("NOANSWER", 19, 480, 0), D.NO_ANSWER),
        ("603", failed("NOANSWER", 21, 603, 0), D.REJECTED),
        ("503", failed("CONGESTION", 34, 503, 0), D.CONGESTION),
        ("302", failed("CANCEL", 23, 302, 0), D.NO_ANSWER),
        ("local timeout, 180 seen", [*failed(None, 19, 480, 3), RINGS], D.NO_ANSWER),
        ("local timeout, peer silent", failed(None, 19, 480, 3), D.NO_ANSWER),
        ("AMI Hangup while ringing", [*failed("NOANSWER", 0, 0, 0), at(1, ev.Canceled)], D.CANCELED),
        ("answered, nobody listened", [*UP, at(4005, ev.HungUp, cause=16)], D.SHORT),
        ("unknown endpoint", [SENT, at(3, ev.OriginateEnded, success=False, reason=0)], D.FAILED),
        ("607 Unwanted", failed("NOANSWER", 127, 607, 0), D.REJECTED),
        ("608 Rejected", failed("NOANSWER", 127, 608, 0), D.REJECTED),
        ("410 Gone", failed("NOANSWER", 22, 410, 0), D.INVALID_NUMBER),
        ("484 too short", failed("NOANSWER", 28, 484, 0), D.INVALID_NUMBER),
        ("600 busy everywhere", failed("BUSY", 17, 600, 0), D.BUSY),
        ("500", failed("CONGESTION", 38, 500, 0), D.CONGESTION),
        ("a busy Local, by its Reason alone", failed(None, 0, 0, 5), D.BUSY),
        ("a congested Local, by its Reason alone", failed(None, 0, 0, 8), D.CONGESTION),
        ("no cause, a dial status", failed("CHANUNAVAIL", 0, 0, 0), D.FAILED),
        ("normal clearing and nothing more", failed(None, 16, 0, 0), D.NO_ANSWER),
        ("a cause nobody knows", failed(None, 111, 0, 0), D.FAILED),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_of_the_measured_table(case: str, events: Sequence[AttemptEvent], expected: Disposition) -> None:
    assert classify(after(events), RULES) is expected, case


@given(
    canceled=st.booleans(),
    reason=st.none() | st.integers(0, 20),
    causes=st.tuples(st.integers(0, 127), st.integers(0, 127)),
    sip_codes=st.tuples(st.sampled_from([0, *BY_SIP_CODE, 486]), st.integers(300, 699)),
    statuses=st.tuples(st.sampled_from(["", *BY_DIAL_STATUS]), st.text(max_size=5)),
)
def test_what_nobody_took_never_counts_as_a_person(
    canceled: bool, reason: int | None, causes: tuple[int, int], sip_codes: tuple[int, int], statuses: tuple[str, str]
) -> None:
    found = unanswered(canceled=canceled, reason=reason, causes=causes, sip_codes=sip_codes, dial_statuses=statuses)
    assert found not in (D.ANSWERED, D.MACHINE, D.ABANDONED, D.SHORT, D.UNKNOWN)
    assert (found is D.CANCELED) == canceled


@given(st.sampled_from([cause for cause in BY_CAUSE if cause != 16]), st.sampled_from([0, *BY_CAUSE]))
def test_the_own_channel_is_believed_before_the_leg(own: int, leg: int) -> None:
    found = unanswered(canceled=False, reason=0, causes=(own, leg), sip_codes=(0, 0), dial_statuses=("", ""))
    assert found is BY_CAUSE[own]


def test_a_call_with_no_known_end_was_up_for_no_time() -> None:
    queue = fresh(answered_at=1, action=Action.QUEUE)
    assert classify(queue, RULES) is D.SHORT
