"""Agents: queue members as app_queue sees them, and status 9, which is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from astdialer.domain.errors import InvalidSetting


class AgentStatus(IntEnum):
    """Status of a queue member. 0 to 8 are Asterisk's device states (devicestate.h), 9 is ours."""

    UNKNOWN = 0
    NOT_INUSE = 1
    INUSE = 2
    BUSY = 3
    INVALID = 4
    UNAVAILABLE = 5
    RINGING = 6
    RINGINUSE = 7
    ONHOLD = 8
    WRAPUP = 9  #: idle for Asterisk, but within wrap-up after its last talk


#: How the reason of a pause begins that the dialer itself asked for: the agent is reserved, rests, or wraps up.
OUR_PAUSE = "astdialer: "


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMember:
    """A member of one queue on one Asterisk, as its events describe it."""

    server: str
    queue: str
    interface: str
    name: str
    status: AgentStatus
    paused: bool = False
    pause_reason: str = ""
    in_call: bool = False
    last_call_at: int = 0  #: end of the last talk; 0: none
    wrap_up_s: int = 0  #: the member's own; 0: the campaign's
    calls_taken: int = 0
    penalty: int = 0
    state_interface: str = ""  #: whose device state is watched, where it is not the interface's own

    @property
    def is_paused_by_us(self) -> bool:
        """Whether the dialer holds the agent back from the queue, not the agent."""
        return self.paused and self.pause_reason.startswith(OUR_PAUSE)

    @property
    def is_away(self) -> bool:
        """Whether the agent has paused."""
        return self.paused and not self.is_paused_by_us

    def wrap_up_until(self, campaign_wrap_up_s: int) -> int:
        """When wrap-up after the last talk ends, 0 if there was none."""
        return self.last_call_at + (self.wrap_up_s or campaign_wrap_up_s) * 1000 if self.last_call_at else 0

    def status_at(self, now: int, campaign_wrap_up_s: int) -> AgentStatus:
        """The status 0 to 9. Only an idle member that has not paused is in wrap-up."""
        idle = self.status in (AgentStatus.UNKNOWN, AgentStatus.NOT_INUSE)
        resting = idle and not self.is_away and not self.in_call and now < self.wrap_up_until(campaign_wrap_up_s)
        return AgentStatus.WRAPUP if resting else self.status

    def is_free(self, now: int, campaign_wrap_up_s: int) -> bool:
        """Whether a call may be placed for it: NOT_INUSE, not paused, not in a call, past wrap-up."""
        status = self.status_at(now, campaign_wrap_up_s)
        return status is AgentStatus.NOT_INUSE and not self.paused and not self.in_call

    def talk_ended(self, at: int) -> QueueMember:
        """The member after a talk that ended at ``at``."""
        return replace(self, in_call=False, last_call_at=at, calls_taken=self.calls_taken + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """What an administrator says about one agent. None: as the campaign says."""

    agent: str  #: extension or interface
    name: str = ""
    skills: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()  #: whose contacts it alone, with others of the bucket, may have
    call_timeout_s: int | None = None
    wrap_up_s: int | None = None
    max_no_answer: int | None = None
    busy_delay_s: int | None = None
    reject_delay_s: int | None = None
    no_answer_delay_s: int | None = None


def extension_of(interface: str) -> str:
    """``1001`` of PJSIP/1001, Local/1001@from-queue/n or SIP/1001."""
    return interface.partition("/")[2].partition("@")[0].partition("/")[0]


def is_agent(text: str, interface: str, name: str = "") -> bool:
    """Whether ``text``, an extension, interface or name, means the agent of this interface."""
    return bool(text) and text in (interface, extension_of(interface), name)


class AgentStrategy(StrEnum):
    """Which free agent comes first."""

    RANDOM = "random"
    FEWEST_CALLS = "with-fewest-calls"
    LEAST_TALK_TIME = "with-least-talk-time"
    LONGEST_IDLE = "longest-idle-agent"
    LEAST_UTILIZATION = "with-least-utilization"
    HIGHEST_WAITING_TIME = "with-highest-waiting-time"  #: who was offered a call longest ago
    TOP_DOWN = "top-down"  #: in the order of the queue


def parse_strategy(text: str) -> AgentStrategy:
    """The strategy in any of the source systems' spellings: ``with_fewest_calls``, ``agent-with-fewest-calls``,
    ``longest_idle_agent``, …; raises InvalidSetting."""
    plain = text.strip().lower().replace("_", "-").removeprefix("agent-")
    if plain not in list(AgentStrategy):
        raise InvalidSetting("agent_strategy", text, "one of " + ", ".join(AgentStrategy))
    return AgentStrategy(plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """What strategies look at, of today; instants in ms since 1970 UTC, 0: never."""

    interface: str
    calls: int = 0
    talk_s: float = 0
    idle_since: int = 0
    offered_at: int = 0
    here_since: int = 0
    position: int = 0  #: in the queue's list

    def utilization(self, now: int) -> float:
        """Talk time per time present, 0 to 1."""
        present_s = (now - self.here_since) / 1000 if self.here_since else 0
        return self.talk_s / present_s if present_s > 0 else 0.0


def in_turn(
    strategy: AgentStrategy, agents: Iterable[AgentRecord], now: int, rng: Callable[[], float]
) -> list[AgentRecord]:
    """The agents, whose turn it is first. Among equals, who has been idle longest."""
    keys: Mapping[AgentStrategy, Callable[[AgentRecord], float]] = {
        AgentStrategy.RANDOM: lambda _: rng(),
        AgentStrategy.FEWEST_CALLS: lambda a: a.calls,
        AgentStrategy.LEAST_TALK_TIME: lambda a: a.talk_s,
        AgentStrategy.LONGEST_IDLE: lambda a: a.idle_since,
        AgentStrategy.LEAST_UTILIZATION: lambda a: a.utilization(now),
        AgentStrategy.HIGHEST_WAITING_TIME: lambda a: a.offered_at,
        AgentStrategy.TOP_DOWN: lambda a: a.position,
    }
    return sorted(agents, key=lambda a: (keys[strategy](a), a.idle_since, a.position))


class Missed(StrEnum):
    """How an agent did not take a call."""

    BUSY = "busy"
    REJECTED = "rejected"
    NO_ANSWER = "no answer"


def missed_by(cause: int, sip_code: int) -> Missed:
    """From the agent leg's Q.850 cause and SIP code."""
    if cause == 17 or sip_code in (486, 600):
        return Missed.BUSY
    return Missed.REJECTED if cause == 21 or sip_code in (403, 603) else Missed.NO_ANSWER
