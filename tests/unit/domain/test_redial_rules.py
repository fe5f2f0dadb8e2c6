"""What comes of a contact after a call: source-systems.md 1.7b, row by row, from the call's events and the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from attempts import CHANNEL, IN_QUEUE, RINGS, SENT, UP, after, at, failed, fresh
from people import NOW, by_id, contact, number, several

from astdialer.domain import events as ev
from astdialer.domain.amd import Action
from astdialer.domain.attempt import Attempt
from astdialer.domain.cause import Cause, CauseClass, EndCause, cause_of, classify_cause
from astdialer.domain.contact import Contact, ContactState
from astdialer.domain.disposition import Disposition
from astdialer.domain.outcome import classify
from astdialer.domain.retry import after_attempt
from astdialer.domain.settings import Settings, parse_settings
from astdialer.engine.rulebook import redial_rules

D = Disposition
C = CauseClass
#: A campaign as Webitel v3 describes it: intervalTryCount 180, maxTryCount 5, minBillSec 10.
WEBITEL = {"retry_interval_s": "180", "max_tries": "5", "short_call_s": "10"}
LATER = NOW + 180_000


def broadcast(seconds: int) -> tuple[ev.AttemptEvent, ...]:
    """Answered at 4 s, hung up by the called person after so many seconds of the sound."""
    gone = 4000 + seconds * 1000
    asked = at(gone, ev.HangupAsked, by_contact=True)
    return (*UP, at(4100, ev.ActionTaken, action=Action.PLAY), asked, at(gone, ev.HungUp, cause=16))


def talk(seconds: int) -> tuple[ev.AttemptEvent, ...]:
    """Bridged at 5 s, and so many seconds of talk."""
    agent, gone = "PJSIP/agent1", 5000 + seconds * 1000
    return (
        *IN_QUEUE,
        at(5000, ev.AgentConnected, agent=agent, ring_s=0.8),
        at(gone, ev.AgentFinished, agent=agent, ended_by="caller"),
        at(gone + 1, ev.HungUp, cause=16),
    )


@dataclass(frozen=True)
class Row:
    """A call, and what the contact must come to."""

    name: str
    events: Sequence[ev.AttemptEvent]
    disposition: Disposition
    cause: Cause
    kind: CauseClass
    next_at: int | None
    end_cause: str = ""
    end_reason: str = ""
    tries: int = 1
    before: Contact = field(default_factory=lambda: several(1))
    texts: dict[str, str] = field(default_factory=dict)
    state: ContactState | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def settings(self) -> Settings:
        return parse_settings(WEBITEL | self.texts)

    @property
    def attempt(self) -> Attempt:
        return after(self.events, fresh(number_id=0))

    def played(self) -> Contact:
        settings = self.settings
        disposition = classify(self.attempt, settings.outcome_rules)
        return after_attempt(self.before, self.attempt, disposition, redial_rules(settings, None, "UTC"), NOW)


def tried(times: int, **tally: int) -> Contact:
    return contact(number(tries=times, tally=tally or {"busy": times}), tries=times)


BUSY = failed(17, 486, "BUSY", RINGS)
UNALLOCATED = failed(1, 404, "NOANSWER")
TEMPORARY = failed(41, 503, "CONGESTION")
NEVER_BRIDGED = (*IN_QUEUE, at(5000, ev.HangupAsked, by_contact=True), at(5001, ev.HungUp, cause=16))
ABANDONED = (
    *IN_QUEUE,
    at(6200, ev.Concluded, result="abandoned", queue_status="TIMEOUT"),
    at(9000, ev.HungUp, cause=16),
)
VANISHED = (SENT, CHANNEL, RINGS, at(40_000, ev.Vanished))
NORMAL, TRIES, TEMP = Cause.NORMAL_CLEARING, EndCause.MAX_TRY_COUNT, Cause.NORMAL_TEMPORARY_FAILURE

ROWS = (
    Row("a broadcast of 12 s, 10 are enough", broadcast(12), D.ANSWERED, NORMAL, C.OK, None, NORMAL, "answered"),
    Row("a broadcast of 5 s", broadcast(5), D.SHORT, NORMAL, C.OK, LATER),
    Row("a talk of 12 s", talk(12), D.ANSWERED, NORMAL, C.OK, None, NORMAL, "answered"),
    Row("bridged for 5 s", talk(5), D.SHORT, NORMAL, C.OK, LATER),
    Row("answered, never bridged, not abandoned", NEVER_BRIDGED, D.SHORT, NORMAL, C.OK, LATER),
    Row("abandoned, and retry_abandoned is off", ABANDONED, D.ABANDONED, Cause.ABANDONED, C.RETRY, None,
        EndCause.ABANDONED, "abandoned"),
    Row("abandoned, and retry_abandoned is on", ABANDONED, D.ABANDONED, Cause.ABANDONED, C.RETRY, LATER,
        texts={"retry_abandoned": "5/3600"}),
    Row("busy for the first of five times", BUSY, D.BUSY, Cause.USER_BUSY, C.RETRY, LATER),
    Row("busy for the fourth of five times", BUSY, D.BUSY, Cause.USER_BUSY, C.RETRY, LATER, tries=4, before=tried(3)),
    Row("busy for the fifth of five times", BUSY, D.BUSY, Cause.USER_BUSY, C.RETRY, None, TRIES, "busy", tries=5,
        before=tried(4)),
    Row("the only number is unallocated", UNALLOCATED, D.INVALID_NUMBER, Cause.UNALLOCATED_NUMBER, C.ERROR, None,
        Cause.UNALLOCATED_NUMBER, "invalid_number"),
    Row("the first of two numbers is unallocated", UNALLOCATED, D.INVALID_NUMBER, Cause.UNALLOCATED_NUMBER, C.ERROR,
        LATER, before=several(2)),
    Row("a temporary failure after two tries", TEMPORARY, D.CONGESTION, TEMP, C.MINUS, LATER, tries=2,
        before=tried(2)),
    Row("nobody knows how it ended", VANISHED, D.UNKNOWN, Cause.NORMAL_UNSPECIFIED, C.RETRY, LATER),
    Row("bridged, and a result is awaited", talk(12), D.ANSWERED, NORMAL, C.OK, NOW + 60_000,
        texts={"wait_for_result": "yes"}, state=ContactState.HELD),
    Row("bridged for too short, and a result is awaited", talk(5), D.SHORT, NORMAL, C.OK, NOW + 90_000,
        texts={"wait_for_result": "yes", "result_timeout_s": "90"}, state=ContactState.HELD),
    Row("a result is awaited of talks only", BUSY, D.BUSY, Cause.USER_BUSY, C.RETRY, LATER,
        texts={"wait_for_result": "yes"}),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_call_comes_to_what_the_table_says(row: Row) -> None:
    attempt, rules = row.attempt, row.settings.cause_rules
    disposition = classify(attempt, row.settings.outcome_rules)
    cause = cause_of(attempt, disposition)
    assert (disposition, cause, classify_cause(attempt, cause, rules)) == (row.disposition, row.cause, row.kind)
    left = row.played()
    assert (left.next_at, left.end_cause, left.end_reason) == (row.next_at, row.end_cause, row.end_reason)
    done_or_open = ContactState.DONE if row.next_at is None else ContactState.WAITING
    assert left.state is (row.state or done_or_open)
    assert left.tries == row.tries
    assert left.successful is (row.end_cause == NORMAL)


def row(name: str) -> Row:
    return next(r for r in ROWS if r.name == name)


def test_success_closes_every_number() -> None:
    left = replace(row("a talk of 12 s"), before=several(3)).played()
    assert [n.end_reason for n in left.numbers] == ["answered"] * 3


def test_an_unallocated_number_closes_itself_alone() -> None:
    left = row("the first of two numbers is unallocated").played()
    assert [(n.is_open, n.end_reason) for n in left.numbers] == [(False, "invalid_number"), (True, "")]


def test_class_minus_costs_no_try_but_counts_for_its_own_rule() -> None:
    busy = contact(number(tries=2, tally={"busy": 2}, range_tally={"day": 1}), tries=2)
    events = row("a temporary failure after two tries").events
    attempt = after(events, fresh(number_id=0, range_key="day"))
    left = after_attempt(busy, attempt, D.CONGESTION, redial_rules(Settings(), None, "UTC"), NOW)
    counted = left.numbers[0]
    assert (left.tries, counted.tries, counted.range_tally) == (2, 2, {"day": 1})
    assert counted.tally == {"busy": 2, "congestion": 1}
    assert left.next_at == NOW + 120_000


def test_the_rule_of_congestion_bounds_class_minus() -> None:
    rules = redial_rules(parse_settings({"retry_congestion": "5/120"}), None, "UTC")
    left, events = several(1), row("a temporary failure after two tries").events
    for _ in range(5):
        assert left.next_at is not None
        left = after_attempt(left, after(events, fresh(number_id=0)), D.CONGESTION, rules, NOW)
    assert (left.tries, left.end_cause, left.end_reason) == (0, EndCause.MAX_TRY_COUNT, "congestion")


def test_a_held_contact_remembers_the_call_and_what_it_counted_for() -> None:
    waiting = row("bridged, and a result is awaited")
    attempt = after(waiting.events, fresh(id="call", number_id=0, range_key="day"))
    rules = redial_rules(waiting.settings, None, "UTC")
    left = after_attempt(waiting.before, attempt, D.ANSWERED, rules, NOW)
    assert left.held is not None
    assert (left.held.attempt_id, left.held.number_id) == ("call", 0)
    assert (left.held.disposition, left.held.range_key) == (D.ANSWERED, "day")
    assert left.held_until == NOW + 60_000
    assert by_id(left, 0).is_open


def test_a_talk_that_only_the_channel_tells_of_is_held_as_well() -> None:
    events = (SENT, at(59_100, ev.Concluded, agent="PJSIP/agent1"), at(60_000, ev.HungUp, cause=16))
    seen_by_nobody = replace(row("bridged, and a result is awaited"), events=events)
    assert seen_by_nobody.played().state is ContactState.HELD


def test_a_talk_whose_cause_costs_no_try_is_counted_while_its_result_is_awaited() -> None:
    """So that it can be given back when none comes."""
    free = replace(row("bridged, and a result is awaited"), texts={"wait_for_result": "yes", "causes_minus": "16"})
    assert free.played().tries == 1


def test_lists_of_the_campaign_take_the_place_of_the_usual_ones() -> None:
    strict = replace(row("busy for the first of five times"), texts={"causes_error": "USER_BUSY"})
    assert strict.played().end_cause == Cause.USER_BUSY
    lax = replace(row("the only number is unallocated"), texts={"causes_error": "USER_BUSY"})
    assert lax.played().next_at == LATER


def test_an_answer_that_is_no_success_by_the_campaigns_causes_follows_the_redial_rule() -> None:
    again = replace(row("a talk of 12 s"), texts={"causes_ok": "USER_BUSY"})
    left = again.played()
    assert (left.next_at, left.successful) == (LATER, False)
