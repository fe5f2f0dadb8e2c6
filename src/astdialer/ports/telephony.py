"""What the engine needs of Asterisk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from astdialer.domain.agent import QueueMember
from astdialer.domain.events import AttemptEvent
from astdialer.domain.queue import QueueFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Origination:
    """One call to place. ``variables`` become channel variables; values are data and are escaped by the adapter."""

    attempt_id: str
    server: str
    channel: str
    caller_id: str
    timeout_s: float
    account: str
    context: str
    variables: Mapping[str, str]
    exten: str = "s"
    headers: Mapping[str, str] = field(default_factory=dict)  #: SIP headers of its INVITE; other technologies have none


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChannel:
    """A channel that Asterisk has right now."""

    uniqueid: str
    linkedid: str
    channel: str
    is_up: bool
    is_ringing: bool


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Logged in; every event from here on will be seen. Those before may have been missed."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is gone; ``reason`` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class MemberSeen:
    """A queue member as app_queue now has it."""

    member: QueueMember


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberGone:
    """A member left a queue."""

    server: str
    queue: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTalk:
    """A member began (``in_call``) or ended a talk of the queue, ours or anybody's."""

    server: str
    queue: str
    interface: str
    in_call: bool
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberMissed:
    """A queue rang a member in vain."""

    server: str
    queue: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCall:
    """A caller of a queue, ours or anybody's: a member's telephone rings for it, or the member has ``taken`` it."""

    server: str
    queue: str
    interface: str
    uniqueid: str  #: the caller's channel
    cid: str  #: the caller's number, empty if it shows none
    taken: bool
    at: int


TelephonyEvent = AttemptEvent | LinkUp | LinkDown | MemberSeen | MemberGone | MemberTalk | MemberMissed | QueueCall


class Telephony(Protocol):
    """One or more Asterisk servers. Everything has a timeout; nothing is sent again after a reconnect."""

    @property
    def servers(self) -> Sequence[str]: ...

    def is_up(self, server: str) -> bool:
        """Whether calls can be placed there now."""

    def why_down(self, server: str) -> str:
        """The last reason for the link being down, empty when it is up."""

    def events(self, server: str) -> AsyncIterator[TelephonyEvent]:
        """What happens on a server, in Asterisk's order, LinkUp and LinkDown among it."""

    async def originate(self, call: Origination) -> None:
        """Place a call. Returns when Asterisk has accepted it.

        Raises OriginateRefused (nothing was dialed) or LinkLost (unknown; recovery will tell).
        """

    async def hang_up(self, server: str, attempt_id: str) -> bool:
        """Hang the attempt's channel up; False if there is none. Raises Unavailable."""

    async def hang_up_phone(self, server: str, interface: str) -> int:
        """Hang up every channel of a telephone, whoever placed the call; how many. Raises Unavailable."""

    async def live_channels(self, server: str) -> Sequence[LiveChannel]:
        """CoreShowChannels. Raises Unavailable."""

    async def queue_members(self, server: str) -> Sequence[QueueMember]:
        """QueueStatus: every member of every queue. Raises Unavailable."""

    async def queues(self, server: str) -> Sequence[QueueFigures]:
        """The figures of every queue. Raises Unavailable."""

    async def leads(self, server: str, context: str, extension: str) -> bool:
        """Whether the dialplan has the extension in the context. Raises Unavailable."""

    async def pause_member(self, server: str, interface: str, *, paused: bool, reason: str = "") -> None:
        """Pause or unpause an agent in all of its queues; one that is in none is no error. Raises Unavailable."""
