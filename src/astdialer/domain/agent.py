"""Agents: queue members as app_queue sees them, and status 9, which is ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum


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

    def wrap_up_until(self, campaign_wrap_up_s: int) -> int:
        """When wrap-up after the last talk ends, 0 if there was none."""
        return self.last_call_at + (self.wrap_up_s or campaign_wrap_up_s) * 1000 if self.last_call_at else 0

    def status_at(self, now: int, campaign_wrap_up_s: int) -> AgentStatus:
        """The status 0 to 9. Only an idle member that is not paused is in wrap-up."""
        idle = self.status in (AgentStatus.UNKNOWN, AgentStatus.NOT_INUSE)
        resting = idle and not self.paused and not self.in_call and now < self.wrap_up_until(campaign_wrap_up_s)
        return AgentStatus.WRAPUP if resting else self.status

    def is_free(self, now: int, campaign_wrap_up_s: int) -> bool:
        """Whether a call may be placed for it: NOT_INUSE, not paused, not in a call, past wrap-up."""
        status = self.status_at(now, campaign_wrap_up_s)
        return status is AgentStatus.NOT_INUSE and not self.paused and not self.in_call

    def talk_ended(self, at: int) -> QueueMember:
        """The member after a talk that ended at ``at``."""
        return replace(self, in_call=False, last_call_at=at, calls_taken=self.calls_taken + 1)
