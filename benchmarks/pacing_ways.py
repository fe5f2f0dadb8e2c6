"""The ways of pacing that are compared, and what it takes to measure one of them in a scenario."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from baselines import Steady, UpTo, Vicidial, Webitel, tuned
from pacing_figures import LIMIT, Figures, figures, rate
from scenarios import SCENARIOS, Scenario

from astdialer.domain.abandonment import USUAL_RISK, Tally
from astdialer.domain.pace import Pace
from astdialer.domain.pacer import Pacer
from astdialer.domain.settings import Settings
from astdialer.simulator.day import Day, Pacing, Record
from astdialer.simulator.own import OwnPacing
from astdialer.simulator.world import World

OWN = "astdialer"
#: It does not choose among the next contacts.
IN_ORDER = "astdialer, contacts in order"
CHOOSE_AMONG = Settings().choose_among
#: Ways without a parameter that is tuned: as they are by default.
FIXED: Mapping[str, Callable[[], Pacing]] = {
    "progressive": UpTo,
    "VICIdial AVERAGE": lambda: Vicidial(method="average"),
    "VICIdial AVERAGE, slots freed at once": lambda: Vicidial(method="average", slots_late=False),
    "VICIdial HARD_LIMIT": lambda: Vicidial(method="hard"),
    "VICIdial HARD_LIMIT, available only": lambda: Vicidial(method="hard", available_only=True),
    "VICIdial TAPERED": lambda: Vicidial(method="tapered"),
    "Webitel": Webitel,
}
#: Ways with one parameter: how it is made, and where it is looked for.
TUNED: Mapping[str, tuple[Callable[[float], Pacing], float, float]] = {
    "ratio × idle*": (UpTo, 1.0, 40.0),
    "affine*": (lambda slope: UpTo(slope, 0.5), 1.0, 40.0),
    "VICIdial fixed level*": (lambda level: Vicidial(level=level, slots_late=False), 1.0, 12.0),
    "steady rate*": (Steady, 0.002, 0.2),
}


@dataclass(frozen=True, slots=True)
class Task:
    """One way in one scenario. ``hours``: of each day, in place of the scenario's."""

    scenario: str
    agents: int
    way: str
    days: int
    hours: float | None = None

    @property
    def world(self) -> World:
        """Everything that is drawn."""
        world = SCENARIOS[self.scenario].world(self.agents)
        return replace(world, hours=self.hours) if self.hours else world


def measure(task: Task) -> Figures:
    """Run one way in one scenario."""
    began, value = time.process_time(), math.nan
    if task.way in (OWN, IN_ORDER):
        choose_among = 1 if task.way == IN_ORDER else CHOOSE_AMONG
        records = list(own_days(SCENARIOS[task.scenario], task.world, task.days, choose_among))
    elif task.way in FIXED:
        records = list(plain_days(FIXED[task.way], task.world, task.days))
    else:
        make, low, high = TUNED[task.way]

        def tried(value: float) -> float:
            return rate(list(plain_days(lambda: make(value), task.world, task.days)))

        value = tuned(tried, low, high, LIMIT)
        records = list(plain_days(lambda: make(value), task.world, task.days))
    return figures(
        records,
        scenario=task.scenario,
        agents=task.agents,
        way=task.way,
        cold=SCENARIOS[task.scenario].cold,
        value=value,
        took_s=time.process_time() - began,
    )


def own_days(scenario: Scenario, world: World, days: int, choose_among: int = CHOOSE_AMONG) -> Iterator[Record]:
    """astdialer, learning everything from the first call on; the days are a block of the law, unless each is cold."""
    pacer, block = new_pacer(scenario, world), Tally()
    for seed in range(days):
        pacing = OwnPacing(pacer, block, by_day=scenario.by_day, choose_among=choose_among)
        record = Day(world, pacing, seed, timed=True).run()
        yield record
        kept, pacer = pacer.kept(), new_pacer(scenario, world)
        if not scenario.cold:
            pacer.restore(kept)
            block += pacing.tally(record)


def new_pacer(scenario: Scenario, world: World) -> Pacer:
    """As the campaign's settings would make it; it believes what the scenario says."""
    aim, limit = scenario.aim, scenario.brake
    pace = Pace(ring_s=world.ring_s + 3, patience_s=2, wrap_up_s=20, aim=aim, limit=limit, usual_risk=USUAL_RISK)
    pacer = Pacer(pace)
    if scenario.believed is not None:
        answers = pacer.beliefs.of("")
        answers.share, answers.reached = scenario.believed, answers.seen * scenario.believed
    return pacer


def plain_days(make: Callable[[], Pacing], world: World, days: int) -> Iterator[Record]:
    """A way that begins anew each day."""
    return (Day(world, make(), seed, timed=True).run() for seed in range(days))
