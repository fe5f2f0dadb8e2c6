"""Reading an attempt's disposition from its facts, once it is over."""

from __future__ import annotations

from dataclasses import dataclass

from astdialer.domain.amd import Action, is_machine
from astdialer.domain.attempt import Attempt
from astdialer.domain.disposition import Disposition, unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRules:
    """What of the campaign decides between dispositions; seconds."""

    not_sure_is_machine: bool = False
    agent_wait_s: float = 2
    short_call_s: float = 0


def classify(attempt: Attempt, rules: OutcomeRules) -> Disposition:
    """The final result of an attempt that is over."""
    if attempt.was_answered:
        return _of_answered(attempt, rules)
    if attempt.vanished:
        return Disposition.UNKNOWN
    if attempt.refusal:
        return Disposition.CANCELED if attempt.canceled else Disposition.FAILED
    return unanswered(
        canceled=attempt.canceled,
        reason=attempt.originate_reason,
        causes=(attempt.cause, attempt.leg_cause),
        sip_codes=(attempt.sip_code, attempt.leg_sip_code),
        dial_statuses=(attempt.dial_status, attempt.leg_dial_status),
    )


def _of_answered(attempt: Attempt, rules: OutcomeRules) -> Disposition:
    if is_machine(attempt.amd_verdict, not_sure_is_machine=rules.not_sure_is_machine):
        return Disposition.MACHINE
    if attempt.connected_at is not None:
        return _of_talk(attempt, attempt.connected_at, rules)
    if attempt.result == "abandoned":
        return Disposition.ABANDONED
    if attempt.agent or attempt.result in ("message", "agent_hung_up"):
        return Disposition.ANSWERED  # nobody saw the talk, but the channel itself said that there was one
    if attempt.result == "played":
        return _of_played(attempt, rules)
    if attempt.vanished:
        return Disposition.UNKNOWN
    if _waited(attempt):
        return _of_waiting(attempt, rules)
    return _of_listening(attempt, rules)


def _of_talk(attempt: Attempt, connected_at: int, rules: OutcomeRules) -> Disposition:
    ended_at = attempt.talk_ended_at or attempt.gone_at
    known_s = None if ended_at is None or attempt.vanished else (ended_at - connected_at) / 1000
    return Disposition.SHORT if known_s is not None and known_s < rules.short_call_s else Disposition.ANSWERED


def _waited(attempt: Attempt) -> bool:
    """Whether a person waited for an agent: sent to one, or hung up by us although one was to be there."""
    sent = attempt.action in (Action.QUEUE, Action.AGENT) or bool(attempt.queue_status)
    return sent or (bool(attempt.reserved_agent) and attempt.action is None and attempt.canceled)


def _of_waiting(attempt: Attempt, rules: OutcomeRules) -> Disposition:
    """A person who waited for an agent: past the limit, or by our own hangup, we abandoned them.

    The wait begins when the call is sent to the queue: until then AMD was still listening to the greeting.
    """
    limit_passed = _seconds(attempt.action_at or attempt.answered_at, attempt.gone_at) >= rules.agent_wait_s
    return Disposition.ABANDONED if limit_passed or attempt.canceled else Disposition.SHORT


def _listens_from(attempt: Attempt) -> int | None:
    """From when on there was something to hear: until AMD had decided there was not."""
    return attempt.action_at if attempt.amd_verdict else attempt.answered_at


def _of_played(attempt: Attempt, rules: OutcomeRules) -> Disposition:
    """A broadcast heard to its end, or answered by a key; one shorter than the campaign's minimum is short
    (Webitel's minBillSec: from the answer, less the time of AMD)."""
    heard_s = _seconds(_listens_from(attempt), attempt.gone_at)
    return Disposition.ANSWERED if attempt.key or heard_s >= rules.short_call_s else Disposition.SHORT


def _of_listening(attempt: Attempt, rules: OutcomeRules) -> Disposition:
    """A person in a broadcast or in the administrator's own dialplan."""
    if attempt.action in (Action.PLAY, Action.GOTO) and attempt.key:
        return Disposition.ANSWERED
    listened = attempt.action is Action.GOTO or attempt.action is Action.PLAY
    enough = 0 < rules.short_call_s <= _seconds(_listens_from(attempt), attempt.gone_at)
    return Disposition.ANSWERED if listened and enough else Disposition.SHORT


def _seconds(start: int | None, end: int | None) -> float:
    return (end - start) / 1000 if start is not None and end is not None else 0.0
