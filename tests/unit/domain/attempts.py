"""Attempts for tests, and the events of calls as asterisk.md 1.3 and 1.4 measured them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from astdialer.domain import events as ev
from astdialer.domain.amd import Action, Verdict
from astdialer.domain.attempt import Attempt, apply
from astdialer.domain.disposition import Disposition
from astdialer.domain.outcome import OutcomeRules

D = Disposition


def fresh(**known: Any) -> Attempt:
    usual: dict[str, Any] = {
        "id": "a",
        "campaign_id": 1,
        "contact_id": 1,
        "number_id": 1,
        "number": "+34600000001",
        "trunk": "carrier",
        "server": "default",
        "created_at": 0,
    }
    return Attempt(**usual | known)


def at(at_ms: int, kind: type[ev.AttemptEvent], **facts: Any) -> ev.AttemptEvent:
    return kind(attempt_id="a", at=at_ms, **facts)


def after(events: Iterable[ev.AttemptEvent], attempt: Attempt | None = None) -> Attempt:
    attempt = attempt or fresh()
    for event in events:
        attempt = apply(attempt, event)
    return attempt


@dataclass(frozen=True)
class Story:
    """The events of one call, and what it must come to."""

    name: str
    events: tuple[ev.AttemptEvent, ...]
    disposition: Disposition
    hung_up_by: str = "asterisk"
    rules: OutcomeRules = OutcomeRules(agent_wait_s=2, short_call_s=0)
    begin: Attempt = fresh()

    def __str__(self) -> str:
        return self.name

    def told(self, events: Iterable[ev.AttemptEvent] | None = None) -> Attempt:
        """The attempt after all of its events, or after these."""
        return after(self.events if events is None else events, self.begin)

    def orders(self) -> Iterator[Sequence[ev.AttemptEvent]]:
        """Every order of a short story, many of a long one."""
        if len(self.events) <= 6:
            yield from permutations(self.events)
            return
        shuffle = random.Random(self.name)
        yield self.events
        yield self.events[::-1]
        for _ in range(400):
            yield shuffle.sample(self.events, len(self.events))


SENT = at(10, ev.Sent)
CHANNEL = at(20, ev.ChannelCreated, channel="PJSIP/carrier-00000001")
RINGS = at(500, ev.Ringing)
UP = (
    SENT,
    CHANNEL,
    RINGS,
    at(4000, ev.Answered),
    at(4001, ev.DialEnded, dial_status="ANSWER"),
    at(4002, ev.OriginateEnded, success=True, reason=4),
)
IN_QUEUE = (*UP, at(4100, ev.ActionTaken, action=Action.QUEUE))
AGENT = "PJSIP/agent1"
TALK = (*IN_QUEUE, at(5000, ev.AgentConnected, agent=AGENT, ring_s=0.8))
BYE = at(60_000, ev.HungUp, cause=16)
RESERVED = fresh(reserved_agent=AGENT, leg_id="b")
TO_AGENT = (*UP, at(4100, ev.ActionTaken, action=Action.AGENT))
BRIDGED = at(4150, ev.Bridged)


def failed(cause: int, sip: int, dial_status: str, *before: ev.AttemptEvent) -> tuple[ev.AttemptEvent, ...]:
    return (
        SENT,
        CHANNEL,
        *before,
        at(900, ev.DialEnded, dial_status=dial_status),
        at(901, ev.HungUp, cause=cause, sip_code=sip),
        at(902, ev.OriginateEnded, success=False, reason=0),
    )


def amd(verdict: Verdict, action: Action) -> tuple[ev.AttemptEvent, ...]:
    return (at(6000, ev.AmdFinished, verdict=verdict, cause="TOOLONG-5000"), at(6001, ev.ActionTaken, action=action))


CONTACT_ASKS = at(59_000, ev.HangupAsked, by_contact=True)

STORIES = (
    Story("486 at once", failed(17, 486, "BUSY"), D.BUSY),
    Story("180 then 486", failed(17, 486, "BUSY", RINGS), D.BUSY),
    Story(
        "our own timeout, ringing",
        (
            SENT,
            CHANNEL,
            RINGS,
            at(30_000, ev.OriginateEnded, success=False, reason=3),
            at(30_001, ev.HungUp, cause=19, sip_code=480),
        ),
        D.NO_ANSWER,
    ),
    Story(
        "the agent hangs up",
        (
            *TALK,
            at(59_000, ev.AgentFinished, agent=AGENT, ended_by="agent"),
            at(59_500, ev.Concluded, queue_status="", agent="Local/agent1@sales"),
            BYE,
        ),
        D.ANSWERED,
        "agent",
    ),
    Story(
        "the contact hangs up in the talk",
        (*TALK, CONTACT_ASKS, at(59_100, ev.AgentFinished, agent=AGENT, ended_by="caller"), BYE),
        D.ANSWERED,
        "contact",
    ),
    Story(
        "a talk shorter than the campaign's",
        (*TALK, at(5900, ev.AgentFinished, agent=AGENT, ended_by="caller"), BYE),
        D.SHORT,
        "contact",
        OutcomeRules(short_call_s=1),
    ),
    Story("a transfer", (*TALK, at(9000, ev.AgentFinished, agent=AGENT, ended_by="transfer"), BYE), D.ANSWERED),
    Story("a machine", (*UP, *amd(Verdict.MACHINE, Action.HANGUP), at(6100, ev.HungUp, cause=16)), D.MACHINE),
    Story(
        "a machine that heard the message",
        (*UP, *amd(Verdict.MACHINE, Action.MESSAGE), at(20_000, ev.Concluded, result="message"), BYE),
        D.MACHINE,
    ),
    Story(
        "not sure, taken for a machine",
        (*UP, *amd(Verdict.NOTSURE, Action.HANGUP), BYE),
        D.MACHINE,
        rules=OutcomeRules(not_sure_is_machine=True),
    ),
    Story(
        "not sure, taken for a person",
        (*UP, *amd(Verdict.NOTSURE, Action.QUEUE), at(7000, ev.AgentConnected, agent=AGENT), BYE),
        D.ANSWERED,
    ),
    Story(
        "abandoned",
        (*IN_QUEUE, at(6200, ev.Concluded, result="abandoned", queue_status="TIMEOUT"), at(9000, ev.HungUp, cause=16)),
        D.ABANDONED,
    ),
    Story(
        "hung up during the safe-harbour message",
        (*IN_QUEUE, CONTACT_ASKS, at(7000, ev.Concluded, result="abandoned", queue_status="TIMEOUT"), BYE),
        D.ABANDONED,
        "contact",
    ),
    Story("hung up before the limit", (*IN_QUEUE, at(6000, ev.HungUp, cause=16)), D.SHORT),
    Story("hung up past the limit", (*IN_QUEUE, at(6500, ev.HungUp, cause=16)), D.ABANDONED),
    Story(
        "in the queue by the dialplan's own fallback",
        (*UP, at(5000, ev.Concluded, queue_status="LEAVEEMPTY"), BYE),
        D.ABANDONED,
    ),
    Story(
        "we hang up a waiting person",
        (*IN_QUEUE, at(4300, ev.Canceled), at(4400, ev.HungUp, cause=16)),
        D.ABANDONED,
        "engine",
    ),
    Story(
        "hung up during AMD",
        (
            *UP,
            CONTACT_ASKS,
            at(4500, ev.AmdFinished, verdict=Verdict.HANGUP, cause=""),
            at(4600, ev.Concluded, queue_status="", result=""),
            at(4700, ev.HungUp, cause=16),
        ),
        D.SHORT,
        "contact",
    ),
    Story(
        "a broadcast heard to its end",
        (*UP, at(4100, ev.ActionTaken, action=Action.PLAY), at(30_000, ev.Concluded, result="played"), BYE),
        D.ANSWERED,
    ),
    Story(
        "a broadcast with a key",
        (*UP, at(4100, ev.ActionTaken, action=Action.PLAY), at(30_000, ev.Concluded, key="1"), BYE),
        D.ANSWERED,
    ),
    Story(
        "a broadcast broken off",
        (*UP, at(4100, ev.ActionTaken, action=Action.PLAY), CONTACT_ASKS, at(5000, ev.HungUp, cause=16)),
        D.SHORT,
        "contact",
    ),
    Story(
        "own dialplan, long enough",
        (*UP, at(4100, ev.ActionTaken, action=Action.GOTO), at(9000, ev.HungUp, cause=16)),
        D.ANSWERED,
        rules=OutcomeRules(short_call_s=5),
    ),
    Story(
        "a Local channel whose trunk leg is busy",
        (
            SENT,
            at(20, ev.ChannelCreated, channel="Local/x@out-0001;1"),
            at(700, ev.LegEnded, dial_status="BUSY"),
            at(701, ev.LegEnded, cause=17, sip_code=486),
            at(702, ev.OriginateEnded, success=False, reason=0),
            at(703, ev.HungUp, cause=16),
        ),
        D.BUSY,
    ),
    Story(
        "the agent who was called first hangs up",
        (*TO_AGENT, BRIDGED, at(59_500, ev.Concluded, result="agent_hung_up", agent=AGENT), BYE),
        D.ANSWERED,
        "agent",
        begin=RESERVED,
    ),
    Story(
        "the contact hangs up on the agent who was called first",
        (*TO_AGENT, BRIDGED, CONTACT_ASKS, at(59_100, ev.Concluded, agent=AGENT), BYE),
        D.ANSWERED,
        "contact",
        begin=RESERVED,
    ),
    Story(
        "a short talk with the agent who was called first",
        (*TO_AGENT, BRIDGED, at(5000, ev.HungUp, cause=16)),
        D.SHORT,
        rules=OutcomeRules(short_call_s=2),
        begin=RESERVED,
    ),
    Story(
        "nobody but the channel saw that talk",
        (SENT, at(59_100, ev.Concluded, agent=AGENT), at(60_000, ev.HungUp, cause=16)),
        D.ANSWERED,
        begin=RESERVED,
    ),
    Story(
        "the agent who was called first is gone",
        (*TO_AGENT, at(4200, ev.Concluded, result="abandoned"), at(6000, ev.HungUp, cause=16)),
        D.ABANDONED,
        begin=RESERVED,
    ),
    Story(
        "we hang up the person whose agent is gone",
        (*UP, at(4300, ev.Canceled), at(4400, ev.HungUp, cause=16)),
        D.ABANDONED,
        "engine",
        begin=RESERVED,
    ),
    Story(
        "a person who does not wait for the bridge",
        (*TO_AGENT, CONTACT_ASKS, at(4200, ev.HungUp, cause=16)),
        D.SHORT,
        "contact",
        begin=RESERVED,
    ),
    Story("in a queue, a bridge says nothing", (*IN_QUEUE, BRIDGED, at(6500, ev.HungUp, cause=16)), D.ABANDONED),
    Story("no channel at all", (SENT, at(40, ev.OriginateEnded, success=False, reason=0)), D.FAILED),
    Story("refused", (SENT, at(40, ev.Refused, message="Extension does not exist")), D.FAILED),
    Story(
        "withdrawn before it was sent",
        (at(5, ev.Canceled), at(5, ev.Refused, message="blacklisted")),
        D.CANCELED,
        "engine",
    ),
    Story(
        "canceled while it rings",
        (
            SENT,
            CHANNEL,
            RINGS,
            at(3000, ev.Canceled),
            at(3002, ev.HungUp),
            at(3003, ev.OriginateEnded, success=False, reason=0),
        ),
        D.CANCELED,
        "engine",
    ),
    Story(
        "adopted after a restart",
        (SENT, at(8000, ev.Adopted, channel="PJSIP/carrier-00000001"), at(8000, ev.Answered), BYE),
        D.SHORT,
    ),
    Story("vanished", (SENT, CHANNEL, RINGS, at(40_000, ev.Vanished)), D.UNKNOWN, ""),
    Story("vanished while it waited", (*IN_QUEUE, at(40_000, ev.Vanished)), D.UNKNOWN, ""),
    Story("vanished from a talk", (*TALK, at(40_000, ev.Vanished)), D.ANSWERED, ""),
)
