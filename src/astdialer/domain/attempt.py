"""The life of an attempt: facts arrive in any order, the state only ever moves forward.

Every fact is merged so that the order of arrival makes no difference (asterisk.md 1.4 measured several orders of the
same call), and the state is the furthest one that any fact proves: ``PROVES`` is the one transition table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from astdialer.domain import events as ev
from astdialer.domain.amd import Action, Verdict

#: How long a fact that may still be under way is waited for before an attempt is closed without it.
LATE_FACT_S = 2.0
#: The trunk's leg behind a Local channel may say its last word, with the SIP code, after that channel is gone.
LEG_FACT_S = 0.5


class State(IntEnum):
    """How far an attempt has come. Ordered: a later fact never takes it back."""

    CREATED = 0  #: claimed; nothing was sent yet
    DIALING = 1  #: Originate was written
    RINGING = 2  #: the far end rings
    ANSWERED = 3  #: the far end took the call
    CONNECTED = 4  #: an agent talks
    GONE = 5  #: no channel, or none any more; late facts may still come
    CLOSED = 6  #: the disposition is written; set by the engine when the store has it

    @property
    def word(self) -> str:
        """The state in the spelling of tables and JSON."""
        return self.name.lower()


#: Which state a fact proves at least.
PROVES: Mapping[type[ev.AttemptEvent], State] = {
    ev.Sent: State.DIALING,
    ev.Refused: State.GONE,
    ev.OriginateEnded: State.DIALING,  # a failure without a channel is judged by is_over
    ev.ChannelCreated: State.DIALING,
    ev.Ringing: State.RINGING,
    ev.Answered: State.ANSWERED,
    ev.DialEnded: State.DIALING,
    ev.LegEnded: State.DIALING,
    ev.AmdFinished: State.ANSWERED,
    ev.ActionTaken: State.ANSWERED,
    ev.AgentConnected: State.CONNECTED,
    ev.Bridged: State.CONNECTED,  # with a reserved agent, see apply
    ev.AgentFinished: State.CONNECTED,
    ev.HangupAsked: State.DIALING,
    ev.Canceled: State.CREATED,
    ev.Concluded: State.ANSWERED,
    ev.HungUp: State.GONE,
    ev.Adopted: State.DIALING,
    ev.Vanished: State.GONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to reach one number. ``id`` is the channel's Uniqueid and the call's guid."""

    id: str
    campaign_id: int
    contact_id: int
    number_id: int
    number: str  #: E.164 digits with a leading +
    trunk: str
    server: str
    created_at: int
    reason: str = ""  #: which limit bound when it was claimed
    dialed_as: str = ""  #: the number as a route rewrote it; empty: as the trunk's template says
    caller_id: str = ""  #: what the called person is shown
    range_key: str = ""  #: the day's range of the number's type that it counts in, see ranges.key
    manual: bool = False  #: an agent asked for it: no campaign's pace or state binds it
    reserved_agent: str = ""  #: the interface of the agent it was made for, who is called first
    leg_id: str = ""  #: the Uniqueid of that agent's channel
    state: State = State.CREATED
    dialed_at: int | None = None
    ringing_at: int | None = None
    answered_at: int | None = None
    connected_at: int | None = None
    talk_ended_at: int | None = None
    gone_at: int | None = None
    channel: str = ""
    refusal: str = ""
    uncounted: bool = False  #: the refusal costs the number no try
    retry_s: int | None = None  #: when a refused call is due again, in place of the rules
    originate_ended_at: int | None = None
    originate_success: bool | None = None
    originate_reason: int | None = None
    adopted: bool = False
    vanished: bool = False
    canceled: bool = False
    dial_status: str = ""
    cause: int = 0
    sip_code: int = 0
    leg_dial_status: str = ""
    leg_cause: int = 0
    leg_sip_code: int = 0
    amd_verdict: Verdict | None = None
    amd_cause: str = ""
    action: Action | None = None
    action_at: int | None = None
    agent: str = ""
    agent_ring_s: float = 0
    talk_ended_by: str = ""
    contact_hung_up: bool = False
    concluded: bool = False
    result: str = ""
    queue_status: str = ""
    key: str = ""

    @property
    def was_answered(self) -> bool:
        """Whether the far end took the call."""
        return self.answered_at is not None

    @property
    def hung_up_by(self) -> str:
        """Who ended the call: contact, agent, engine, network (it never was answered), asterisk (dialplan or
        timeout), or empty when not known."""
        if self.vanished:
            return ""
        if self.canceled:
            return "engine"
        if self.talk_ended_by:
            return {"caller": "contact", "agent": "agent"}.get(self.talk_ended_by, "asterisk")
        if self.contact_hung_up:
            return "contact" if self.was_answered else "network"
        return "agent" if self.result == "agent_hung_up" else "asterisk"


def _earliest(known: int | None, seen: int) -> int:
    return seen if known is None else min(known, seen)


def _originate_ended(a: Attempt, e: ev.OriginateEnded) -> dict[str, Any]:
    return {
        "originate_ended_at": _earliest(a.originate_ended_at, e.at),
        "originate_success": e.success,
        "originate_reason": e.reason,
    }


def _answered(a: Attempt, e: ev.AttemptEvent) -> dict[str, Any]:
    return {"answered_at": _earliest(a.answered_at, e.at)}


def _leg_ended(a: Attempt, e: ev.LegEnded) -> dict[str, Any]:
    """Several legs may speak: the largest value wins, so that the order of their words makes no difference."""
    return {
        "leg_dial_status": max(a.leg_dial_status, e.dial_status),
        "leg_cause": max(a.leg_cause, e.cause),
        "leg_sip_code": max(a.leg_sip_code, e.sip_code),
    }


def _agent_connected(a: Attempt, e: ev.AgentConnected) -> dict[str, Any]:
    return _answered(a, e) | {
        "connected_at": _earliest(a.connected_at, e.at),
        "agent": e.agent or a.agent,
        "agent_ring_s": e.ring_s or a.agent_ring_s,
    }


def _agent_finished(a: Attempt, e: ev.AgentFinished) -> dict[str, Any]:
    return _answered(a, e) | {
        "connected_at": _earliest(a.connected_at, e.at),
        "talk_ended_at": _earliest(a.talk_ended_at, e.at),
        "talk_ended_by": e.ended_by,
        "agent": e.agent or a.agent,
    }


def _bridged(a: Attempt, e: ev.Bridged) -> dict[str, Any]:
    return _answered(a, e) | {"connected_at": _earliest(a.connected_at, e.at), "agent": a.reserved_agent}


def _concluded(a: Attempt, e: ev.Concluded) -> dict[str, Any]:
    return _answered(a, e) | {
        "concluded": True,
        "result": e.result or a.result,
        "queue_status": e.queue_status or a.queue_status,
        "agent": a.agent or e.agent,
        "key": e.key or a.key,
    }


def _hung_up(a: Attempt, e: ev.HungUp) -> dict[str, Any]:
    return {
        "gone_at": _earliest(a.gone_at, e.at),
        "cause": max(a.cause, e.cause),
        "sip_code": max(a.sip_code, e.sip_code),
    }


_MERGE: Mapping[type[ev.AttemptEvent], Callable[[Attempt, Any], dict[str, Any]]] = {
    ev.Sent: lambda a, e: {"dialed_at": _earliest(a.dialed_at, e.at), "caller_id": e.caller_id or a.caller_id},
    ev.Refused: lambda a, e: {
        "refusal": e.message,
        "uncounted": not e.counted,
        "retry_s": e.retry_s,
        "gone_at": _earliest(a.gone_at, e.at),
    },
    ev.OriginateEnded: _originate_ended,
    ev.ChannelCreated: lambda a, e: {"channel": e.channel},
    ev.Ringing: lambda a, e: {"ringing_at": _earliest(a.ringing_at, e.at)},
    ev.Answered: _answered,
    ev.DialEnded: lambda _a, e: {"dial_status": e.dial_status},
    ev.LegEnded: _leg_ended,
    ev.AmdFinished: lambda a, e: _answered(a, e) | {"amd_verdict": e.verdict, "amd_cause": e.cause},
    ev.ActionTaken: lambda a, e: _answered(a, e) | {"action": e.action, "action_at": _earliest(a.action_at, e.at)},
    ev.AgentConnected: _agent_connected,
    ev.AgentFinished: _agent_finished,
    ev.Bridged: _bridged,
    ev.HangupAsked: lambda a, e: {"contact_hung_up": a.contact_hung_up or e.by_contact},
    ev.Canceled: lambda _a, _e: {"canceled": True},
    ev.Concluded: _concluded,
    ev.HungUp: _hung_up,
    ev.Adopted: lambda a, e: {"adopted": True, "channel": a.channel or e.channel},
    ev.Vanished: lambda a, e: {"vanished": True, "gone_at": _earliest(a.gone_at, e.at)},
}


def apply(attempt: Attempt, event: ev.AttemptEvent) -> Attempt:
    """The attempt with the fact merged in. A closed attempt is not changed any more."""
    if attempt.state is State.CLOSED or (isinstance(event, ev.Bridged) and not attempt.reserved_agent):
        return attempt
    proved = PROVES[type(event)]
    return replace(attempt, state=max(attempt.state, proved), **_MERGE[type(event)](attempt, event))


def is_over(attempt: Attempt, now: int) -> bool:
    """Whether nothing more will be learned: the attempt can be closed.

    OriginateResponse and Hangup come in either order, and a failure without any channel has no Hangup at all; the
    one that is missing is waited for LATE_FACT_S.
    """
    if attempt.refusal or attempt.vanished:
        return True
    if attempt.gone_at is not None:
        last_word = attempt.originate_ended_at is not None or attempt.adopted
        has_legs = attempt.channel.startswith("Local/") and not attempt.was_answered
        if last_word and not has_legs:
            return True
        return now - attempt.gone_at >= (LEG_FACT_S if last_word else LATE_FACT_S) * 1000
    never_was = attempt.originate_success is False and not attempt.channel and not attempt.adopted
    return never_was and now - (attempt.originate_ended_at or now) >= LATE_FACT_S * 1000
