"""Predictive pacing against other ways, and against the proven bound: utilisation at 3 % abandoned people.

    python benchmarks/pacing.py [--only "S1 25 %"] [--agents 5,10] [--days 4] [--baselines] [--json FILE]

Days are eight hours in virtual time; what was learned goes from one day to the next as over a restart. A way that
exceeds 3 % over its days is marked; those with a star had one parameter tuned in hindsight to 3 %.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

from baselines import Steady, UpTo, Vicidial, Webitel, tuned
from scenarios import DAYS, SCENARIOS

from astdialer.domain.abandonment import USUAL_RISK, Tally
from astdialer.domain.pace import Pace
from astdialer.domain.pacer import Pacer
from astdialer.simulator.bound import Exponentials, bound
from astdialer.simulator.day import Day, Pacing, Record
from astdialer.simulator.own import OwnPacing
from astdialer.simulator.world import World

AIM, LIMIT = 0.0275, 0.03


@dataclass(frozen=True, slots=True)
class Result:
    """One way of pacing in one scenario; shares in percent, seconds."""

    scenario: str
    agents: int
    way: str
    days: int
    utilisation: float
    half_width: float  #: of the 95 % interval of the utilisation, over days
    abandoned: float
    days_above: int
    worst_day: float
    wait_mean_s: float
    calls_per_connect: float
    first_most: int
    usual_most: float
    took_s: float


def pace_of(world: World) -> Pace:
    """What the campaign's settings would say."""
    return Pace(ring_s=world.ring_s + 3, patience_s=2, wrap_up_s=20, aim=AIM, limit=LIMIT, usual_risk=USUAL_RISK)


def own_days(world: World, days: int) -> Iterator[Record]:
    """astdialer, learning everything from the first day on; the legal block is that of these days."""
    pacer, block = Pacer(pace_of(world)), Tally()
    for seed in range(days):
        kept = pacer.kept()
        pacer = Pacer(pace_of(world))
        pacer.restore(kept)
        record = Day(world, OwnPacing(pacer, block), seed).run()
        block = Tally(block.answered + record.answered, block.abandoned + record.abandoned)
        yield record


def plain_days(make: Callable[[], Pacing], world: World, days: int) -> Iterator[Record]:
    """A way that begins anew each day."""
    return (Day(world, make(), seed).run() for seed in range(days))


def _total(records: Sequence[Record]) -> float:
    return sum(r.abandoned for r in records) / max(1, sum(r.answered for r in records))


#: Ways with one parameter: how it is made, and where it is looked for.
TUNED: Mapping[str, tuple[Callable[[float], Pacing], float, float]] = {
    "ratio × idle*": (UpTo, 1.0, 20.0),
    "affine*": (lambda slope: UpTo(slope, 1.0), 1.0, 30.0),
    "VICIdial fixed level*": (lambda level: Vicidial(level=level), 1.0, 12.0),
    "steady rate*": (Steady, 0.0, 0.08),
}
FIXED: Mapping[str, Callable[[], Pacing]] = {
    "progressive": UpTo,
    "VICIdial AVERAGE": lambda: Vicidial(method="average"),
    "VICIdial HARD_LIMIT": lambda: Vicidial(method="hard"),
    "VICIdial TAPERED": lambda: Vicidial(method="tapered"),
    "Webitel": Webitel,
}


def measure(task: tuple[str, int, str, int]) -> Result:
    """Run one way in one scenario."""
    scenario, agents, way, days = task
    world, began = SCENARIOS[scenario](agents), time.perf_counter()
    if way == "astdialer":
        records = list(own_days(world, days))
    elif way in FIXED:
        records = list(plain_days(FIXED[way], world, days))
    else:
        make, low, high = TUNED[way]

        def rate(value: float) -> float:
            return _total(list(plain_days(lambda: make(value), world, days)))

        best = tuned(rate, low, high)
        records = list(plain_days(lambda: make(best), world, days))
    return _result(scenario, agents, way, records, time.perf_counter() - began)


def _result(scenario: str, agents: int, way: str, records: Sequence[Record], took_s: float) -> Result:
    used = [100 * r.utilisation for r in records]
    waits = [wait for r in records for wait in r.waits_s]
    return Result(
        scenario=scenario,
        agents=agents,
        way=way,
        days=len(records),
        utilisation=mean(used),
        half_width=1.96 * stdev(used) / math.sqrt(len(used)) if len(used) > 1 else math.nan,
        abandoned=100 * _total(records),
        days_above=sum(r.abandonment > LIMIT for r in records),
        worst_day=100 * max(r.abandonment for r in records),
        wait_mean_s=mean(waits) if waits else 0.0,
        calls_per_connect=sum(r.dialed for r in records) / max(1, sum(r.connected for r in records)),
        first_most=records[0].most_calls,
        usual_most=mean(r.most_calls for r in records[1:]) if len(records) > 1 else math.nan,
        took_s=took_s,
    )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="a scenario; may be repeated")
    parser.add_argument("--agents", default="5,10,30,100,500")
    parser.add_argument("--days", type=int, help="in place of 20 for 5 and 10 agents, 8 for 30, 4 for 100, 2 for 500")
    parser.add_argument("--baselines", action="store_true", help="the other ways as well")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sizes = [int(n) for n in options.agents.split(",")]
    ways = ["astdialer", *(FIXED if options.baselines else ()), *(TUNED if options.baselines else ())]
    tasks = [
        (scenario, agents, way, options.days or DAYS[agents])
        for scenario in options.only or SCENARIOS
        for agents in sizes
        for way in ways
    ]
    tasks.sort(key=lambda task: -task[1] * task[3])
    results = []
    with ProcessPoolExecutor() as pool:
        for done, result in enumerate(pool.map(measure, tasks), 1):
            results.append(result)
            print(f"{done} of {len(tasks)}: {line(result)}", file=sys.stderr, flush=True)
    for result in sorted(results, key=lambda r: (r.scenario, r.agents)):
        print(line(result))
    if any("S10" in scenario for scenario in options.only or SCENARIOS):
        for agents in sizes:
            if agents <= 100:
                print(f"S10 exponential | {agents} | bound | {100 * bound(Exponentials(agents=agents)):.1f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))


def line(r: Result) -> str:
    """One row."""
    above = f"{r.days_above}/{r.days} days above, worst {r.worst_day:.2f} %"
    return (
        f"{r.scenario} | {r.agents} | {r.way} | {r.utilisation:.2f} ± {r.half_width:.2f} | {r.abandoned:.2f} % | "
        f"{above} | wait {r.wait_mean_s:.2f} s | {r.calls_per_connect:.1f} calls/connect | "
        f"in flight {r.first_most} first, {r.usual_most:.0f} later | {r.took_s:.0f} s"
    )


if __name__ == "__main__":
    main()
