"""astdialer's own pacing in the simulator: the code of ``domain/`` that the engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from astdialer.domain.abandonment import Tally, Window
from astdialer.domain.campaign import CampaignState
from astdialer.domain.pacer import Pacer
from astdialer.domain.pacing import Forecast, Snapshot, decide
from astdialer.domain.settings import Mode
from astdialer.simulator.day import Day, Pacing, Record
from astdialer.simulator.world import End


@dataclass
class OwnPacing(Pacing):
    """A campaign of any mode that calls for agents; the block of days before this one has seen ``block``."""

    pacer: Pacer
    block: Tally = field(default_factory=Tally)
    mode: Mode = Mode.PREDICTIVE
    lines_per_agent: float = 1.0
    max_calls: int = 1_000_000
    choose_among: int = 20
    by_day: bool = True  #: the law counts days as well, not the block alone

    def __post_init__(self) -> None:
        self.window = self.choose_among if self.mode is Mode.PREDICTIVE else 1

    def decide(self, day: Day) -> int:
        """Calls to place now."""
        return decide(self._look(day), day.now).calls

    def tally(self, record: Record) -> Tally:
        """As the law counts the day so far."""
        return Tally(record.answered, record.abandoned)

    def windows(self, day: Day) -> tuple[Window, ...]:
        """Those of the law, the longest first."""
        today, left = self.tally(day.record), self._in_list(day)
        whole = Window(self.block + today, in_list=left)
        return (whole, Window(today, day.now, day.world.ends_s - day.now, left)) if self.by_day else (whole,)

    def _in_list(self, day: Day) -> float | None:
        """Answers that are left, where the list is known to have an end."""
        world, record = day.world, day.record
        if world.answers is not None:  # the list is as long as that
            return float(world.answers - record.answered)
        return None if world.contacts is None else (world.contacts - record.dialed) * self.pacer.beliefs.of("").share

    def _look(self, day: Day) -> Snapshot:
        traffic = day.traffic()
        self.pacer.look(traffic, day.now)
        return self._snapshot(day, Forecast(self.pacer, traffic, self.windows(day)))

    def _snapshot(self, day: Day, forecast: Forecast) -> Snapshot:
        traffic, lines = forecast.traffic, day.world.max_lines
        calls = traffic.under_way + traffic.waiting + len(traffic.talking_s)
        return Snapshot(
            state=CampaignState.RUNNING,
            mode=self.mode,
            lines_per_agent=self.lines_per_agent,
            max_calls=self.max_calls,
            calls=calls,
            waiting_calls=traffic.under_way + traffic.waiting,
            logged_in_agents=day.logged_in,
            free_agents=traffic.free,
            trunk_usable=True,
            trunk_max_calls=lines,
            trunk_calls=calls,
            trunk_rate_room=lines,
            engine_room=lines,
            server_up=True,
            store_writes=True,
            refused=False,
            open_zones=1,
            forecast=forecast,
        )

    def choose(self, day: Day, line: Sequence[tuple[str, ...]]) -> int:
        """Which contact is called."""
        if day.world.score_noise is None or self.window == 1:
            return 0
        return self.pacer.order(line, 1, day.traffic(), day.now)[0]

    def steps(self, known: tuple[str, ...]) -> int:
        """How likely a contact is to answer."""
        return self.pacer.propensities.steps(known)

    # --- facts -------------------------------------------------------------------------------------------------------

    def call_ended(self, age_s: float, end: End, known: tuple[str, ...]) -> None:
        """A call has led to a person who needs an agent, or has ended without."""
        self.pacer.call_ended(age_s, reached=end is End.PERSON, features=known)

    def served(self, *, in_time: bool) -> None:
        """A person got an agent, or was abandoned."""
        self.pacer.served(in_time=in_time)

    def verdict(self, age_s: float, *, person: bool) -> None:
        """AMD took so long to say who has answered."""
        self.pacer.verdict(age_s, person=person)

    def talk_ended(self, age_s: float) -> None:
        """An agent was so long in a call."""
        self.pacer.talk_ended(age_s)

    def rest_ended(self, age_s: float) -> None:
        """An agent was free again so long after its talk."""
        self.pacer.rest_ended(age_s)
