"""Predictive pacing against other ways, and against the proven bound: utilisation at 3 % abandoned people.

    python benchmarks/pacing.py --baselines --markdown FILE                everything: 20 minutes on two cores
    python benchmarks/pacing.py --only "S1 25 %" --agents 5,10 --days 4    some of it
    python benchmarks/pacing.py --smoke                                    less than a minute; fails if it is much worse

Days are in virtual time; what was learned goes from one day to the next as over a restart. Ways with a star had one
parameter tuned in hindsight to 3 %. What is measured on how many days: pacing_plan.py.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from pacing_figures import Figures
from pacing_gates import gates, smoke_gates
from pacing_plan import DAYS, SMOKE, tasks
from pacing_tables import gate_line, line, markdown
from pacing_ways import Task, measure

from astdialer.simulator.bound import Exponentials, bound

#: The bound takes seconds for 100 agents, and minutes for 500.
_MOST_BOUND = 100


def main() -> int:
    """Measure, and print a table; 1 if a gate of ``--smoke`` is not met."""
    options = _options()
    if options.smoke:
        results = run(SMOKE, options.jobs)
        verdicts = smoke_gates(results)
    else:
        scenarios, sizes = options.only or list(DAYS), [int(n) for n in options.agents.split(",")]
        planned = tasks(scenarios, sizes, baselines=options.baselines, days=options.days, times=options.times)
        results = run(list(planned), options.jobs)
        bounds = proven(results)
        verdicts = gates(results, bounds)
        if options.markdown:
            options.markdown.write_text(markdown(results, bounds, verdicts))
        for agents, most in bounds.items():
            print(f"S10 exponential | {agents} | the bound | {most:.2f}")
    for result in results:
        print(line(result))
    for gate in verdicts:
        print(gate_line(gate))
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return int(options.smoke and not all(gate.met for gate in verdicts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(DAYS), help="a scenario; may be repeated")
    parser.add_argument("--agents", default="5,10,30,100,500")
    parser.add_argument("--days", type=int, help="in place of those planned")
    parser.add_argument("--times", type=float, default=1.0, help="so many times the planned days")
    parser.add_argument("--baselines", action="store_true", help="the other ways as well")
    parser.add_argument("--smoke", action="store_true", help="a few days, with coarse gates")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--markdown", type=Path, help="write the tables of the documentation to this file")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def run(planned: Sequence[Task], jobs: int) -> list[Figures]:
    """Measure in the order of what takes longest, and return in the order of the plan."""
    began, found = time.perf_counter(), {}
    longest_first = sorted(planned, key=lambda task: -task.days * (task.agents + 20))
    with ProcessPoolExecutor(jobs) as pool:
        for task, result in zip(longest_first, pool.map(measure, longest_first), strict=True):
            found[task] = result
            spent = f"{len(found)} of {len(planned)}, {time.perf_counter() - began:.0f} s"
            print(f"{spent}: {line(result)}", file=sys.stderr, flush=True)
    return [found[task] for task in planned]


def proven(results: Sequence[Figures]) -> Mapping[int, float]:
    """The best that any pacing can do where S10 was measured, in percent by agents."""
    sizes = {r.agents for r in results if r.scenario == "S10 exponential" and r.agents <= _MOST_BOUND}
    return {agents: 100 * bound(Exponentials(agents=agents)) for agents in sorted(sizes)}


if __name__ == "__main__":
    sys.exit(main())
