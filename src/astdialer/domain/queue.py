"""Queues as app_queue counts them, since Asterisk's start or the last reset of its statistics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """One queue of one Asterisk. Times are averages in whole seconds, as app_queue smooths them."""

    server: str
    queue: str
    strategy: str = ""
    waiting: int = 0  #: callers in it now
    longest_wait_s: int = 0  #: of those
    logged_in: int = 0  #: agents whose telephone works
    available: int = 0  #: of those, who could take a call; Asterisk counts who is in wrap-up
    completed: int = 0
    abandoned: int = 0
    hold_s: int = 0
    talk_s: int = 0
    service_level_s: int = 0
    service_level: float = 0.0  #: % of all calls that were answered within service_level_s
    service_level_2: float = 0.0  #: the same, in Asterisk's second way of counting

    @property
    def calls(self) -> int:
        """How many have ended, one way or the other."""
        return self.completed + self.abandoned

    @property
    def abandoned_percent(self) -> int:
        """Of those, how many had nobody to talk to."""
        return round(100 * self.abandoned / self.calls) if self.calls else 0
