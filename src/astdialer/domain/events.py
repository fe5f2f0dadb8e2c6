"""What can be learned about an attempt, from AMI, AGI or recovery. Frozen facts; they may arrive in any order."""

from __future__ import annotations

from dataclasses import dataclass

from astdialer.domain.amd import Action, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEvent:
    """A fact about one attempt, seen at ``at`` (ms since 1970 UTC)."""

    attempt_id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(AttemptEvent):
    """Originate is about to be written to Asterisk."""

    caller_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(AttemptEvent):
    """Asterisk refused the Originate, or it was not sent: nothing was dialed. ``counted``: the fault is the contact's
    own data, and costs a try. ``retry_s``: when it is due again, in place of the rules."""

    message: str
    counted: bool = False
    retry_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginateEnded(AttemptEvent):
    """OriginateResponse: ``reason`` is an AST_CONTROL number, 0 for every PJSIP failure, 3 for our own timeout."""

    success: bool
    reason: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCreated(AttemptEvent):
    """Newchannel for the attempt's own channel."""

    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing(AttemptEvent):
    """The far end rings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(AttemptEvent):
    """The attempt's channel is up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialEnded(AttemptEvent):
    """DialEnd of the attempt's own channel."""

    dial_status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnded(AttemptEvent):
    """What a channel behind the attempt's own one says of its end: a Local channel's trunk leg, or, after the answer,
    an agent's phone. Empty or 0 where it says nothing."""

    dial_status: str = ""
    cause: int = 0
    sip_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AmdFinished(AttemptEvent):
    """AMD() has decided; ``cause`` is AMDCAUSE as Asterisk wrote it."""

    verdict: Verdict
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTaken(AttemptEvent):
    """What the answered call was sent to do."""

    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConnected(AttemptEvent):
    """An agent took the call. ``agent`` is the member's interface, ``ring_s`` how long its phone rang."""

    agent: str
    ring_s: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFinished(AttemptEvent):
    """The talk is over; ``ended_by`` is app_queue's word: agent, caller or transfer."""

    agent: str
    ended_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridged(AttemptEvent):
    """The attempt's channel entered a bridge. It tells something of a call with a reserved agent only: of others,
    app_queue says who took them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangupAsked(AttemptEvent):
    """The far side (``by_contact``) or Asterisk itself asked the channel to hang up."""

    by_contact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled(AttemptEvent):
    """The engine has asked Asterisk to hang this call up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded(AttemptEvent):
    """What the channel itself said in its hangup handler. ``result``: abandoned, played, message, agent_hung_up or
    empty; ``agent``: who took the call."""

    result: str = ""
    queue_status: str = ""
    agent: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp(AttemptEvent):
    """The attempt's channel is gone: Q.850 ``cause`` and SIP code, 0 where Asterisk gave none."""

    cause: int = 0
    sip_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted(AttemptEvent):
    """Recovery found the attempt's channel alive; its OriginateResponse will not come any more."""

    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished(AttemptEvent):
    """Recovery found no channel of this attempt: it ended, or never began, while nobody watched."""
