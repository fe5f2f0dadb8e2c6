"""astdialer's own pacing in the simulator: the code of ``domain/`` that the engine runs."""

from __future__ import annotations

from astdialer.domain.abandonment import Tally, Window
from astdialer.domain.pacer import Pacer
from astdialer.simulator.day import Day
from astdialer.simulator.world import End


class OwnPacing:
    """Predictive; the block of days before this one has seen ``block``."""

    def __init__(self, pacer: Pacer, block: Tally | None = None) -> None:
        self._pacer = pacer
        self._block = block or Tally()
        self.served, self.verdict = pacer.served, pacer.verdict
        self.talk_ended, self.rest_ended = pacer.talk_ended, pacer.rest_ended

    def call_ended(self, age_s: float, end: End) -> None:
        """A call has led to a person who needs an agent, or has ended without."""
        self._pacer.call_ended(age_s, reached=end is End.PERSON)

    def decide(self, day: Day) -> int:
        """Calls to place now."""
        record = day.record
        today = Tally(record.answered, record.abandoned)
        block = Tally(self._block.answered + today.answered, self._block.abandoned + today.abandoned)
        windows = (Window(block), Window(today, day.now, day.world.ends_s - day.now))
        return self._pacer.advise(day.traffic(), windows, day.now).calls
