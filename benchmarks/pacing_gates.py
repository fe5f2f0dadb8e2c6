"""What predictive pacing has to attain, and by how much it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacing_figures import LIMIT, Figures
from pacing_ways import OWN

_RATIO = "ratio × idle*"
#: Utilisation in percent, by agents.
_UTILISATION: Mapping[str, Mapping[int, float]] = {
    "S1 25 %": {5: 80, 10: 84, 30: 91, 100: 96, 500: 98.5},
    "S2 drift": {5: 78, 10: 83, 30: 90, 100: 95},
}
_MOST_DAYS_ABOVE = 1.0
_BELOW_BOUND = 0.5
_ABOVE_RATIO, _MOST_AGENTS = 1.0, 100
_COLD_START = 1.5


@dataclass(frozen=True, slots=True)
class Gate:
    """``needed`` is the least or the most that ``found`` may be."""

    says: str
    found: float
    needed: float
    at_least: bool

    @property
    def margin(self) -> float:
        """By how much it is met; negative: not met."""
        return self.found - self.needed if self.at_least else self.needed - self.found

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.margin >= 0


def gates(results: Sequence[Figures], bounds: Mapping[int, float]) -> list[Gate]:
    """Those on what was measured; ``bounds``: the proven ones of S10 in percent, by agents."""
    own = [r for r in results if r.way == OWN]
    found = [*_utilisation(own), *_limits(own)]
    found += [
        Gate(f"S10: below the bound, {r.agents} agents, points", bounds[r.agents] - r.utilisation, _BELOW_BOUND, False)
        for r in own
        if r.scenario == "S10 exponential" and r.agents in bounds
    ]
    for mine in own:
        others = [r for r in results if r.way != OWN and (r.scenario, r.agents) == (mine.scenario, mine.agents)]
        found += _above_others(mine, others)
    return [*found, *_cold_starts(own)]


def _utilisation(own: Sequence[Figures]) -> Iterator[Gate]:
    for r in own:
        needed = _UTILISATION.get(r.scenario, {}).get(r.agents)
        if needed is not None:
            yield Gate(f"{r.scenario}: utilisation, {r.agents} agents, %", r.utilisation, needed, True)


def _limits(own: Sequence[Figures]) -> Iterator[Gate]:
    """No block above the limit, and hardly a day; a cold campaign is a block of its own."""
    limit = 100 * LIMIT
    for scenario in dict.fromkeys(r.scenario for r in own):
        of_it = [r for r in own if r.scenario == scenario]
        worst = max(max(r.blocks) for r in of_it)
        yield Gate(f"{scenario}: abandoned, worst block, %", worst, limit, False)
        if scenario in _UTILISATION:
            days, above = sum(r.days for r in of_it), sum(r.days_above for r in of_it)
            yield Gate(
                f"{scenario}: days above {limit:.0f} % of {days}, %", 100 * above / days, _MOST_DAYS_ABOVE, False
            )


def _above_others(mine: Figures, others: Sequence[Figures]) -> Iterator[Gate]:
    """Better than whatever else keeps to the limit, and by a point than the best ratio in hindsight."""
    where = f"{mine.scenario}, {mine.agents} agents"
    feasible = [r for r in others if not r.blocks_above]
    if feasible:
        best = max(feasible, key=lambda r: r.utilisation)
        yield Gate(f"{where}: above {best.way}, points", mine.utilisation - best.utilisation, 0.0, True)
    for ratio in feasible:
        if ratio.way == _RATIO and mine.agents <= _MOST_AGENTS:
            yield Gate(f"{where}: above {_RATIO}, points", mine.utilisation - ratio.utilisation, _ABOVE_RATIO, True)


def _cold_starts(own: Sequence[Figures]) -> Iterator[Gate]:
    for r in own:
        if r.scenario == "S1 25 %" and r.days > 1:
            says = f"{r.scenario}: calls under way on the first day to later ones, {r.agents} agents"
            yield Gate(says, r.first_most / r.usual_most, _COLD_START, False)


def smoke_gates(results: Sequence[Figures]) -> list[Gate]:
    """Coarse ones, for the few days of the continuous integration."""
    by = {(r.scenario, r.agents, r.way): r for r in results}
    ten, thirty = by["S1 25 %", 10, OWN], by["S1 25 %", 30, OWN]
    drift, fault = by["S2 drift", 10, OWN], by["S8 fault", 10, OWN]
    gain = ten.utilisation - by["S1 25 %", 10, "progressive"].utilisation
    return [
        Gate("S1 25 %: utilisation, 10 agents, %", ten.utilisation, 81, True),
        Gate("S1 25 %: above progressive, 10 agents, points", gain, 10, True),
        Gate("S1 25 %: abandoned, 10 agents, %", ten.abandoned, 3.3, False),
        Gate("S1 25 %: utilisation, 30 agents, %", thirty.utilisation, 88, True),
        Gate("S1 25 %: abandoned, 30 agents, %", thirty.abandoned, 3.3, False),
        Gate("S1 25 %: calls under way at most, 30 agents", thirty.first_most, 120, False),
        Gate("S2 drift: utilisation, 10 agents, %", drift.utilisation, 79, True),
        Gate("S2 drift: abandoned, 10 agents, %", drift.abandoned, 3.5, False),
        Gate("S8 fault: calls under way at most, 10 agents", fault.first_most, 60, False),
        Gate("S8 fault: abandoned, 10 agents, %", fault.abandoned, 4.0, False),
    ]
