"""What predictive pacing has to attain, and by how much it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacing_figures import LIMIT, Figures
from pacing_ways import OWN
from scenarios import SCENARIOS

_RATIO = "ratio × idle*"
#: Utilisation in percent, by agents.
_UTILISATION: Mapping[str, Mapping[int, float]] = {
    "S1 25 %": {5: 80, 10: 84, 30: 91, 100: 96, 500: 98.5},
    "S2 drift": {5: 78, 10: 83, 30: 90, 100: 95},
}
_MOST_DAYS_ABOVE = 1.0
_BELOW_BOUND = 0.5
_ABOVE_RATIO, _OF_DAYS = 1.0, 90.0
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
    ratio = {(r.scenario, r.agents): r for r in results if r.way == _RATIO}
    found = [*_utilisation(own), *_limits(own)]
    found += [
        Gate(f"S10: below the bound, {r.agents} agents, points", bounds[r.agents] - r.utilisation, _BELOW_BOUND, False)
        for r in own
        if r.scenario == "S10 exponential" and r.agents in bounds
    ]
    for result in own:
        if result.scenario == "S1 25 %":
            other = ratio.get((result.scenario, result.agents))
            if other and result.agents <= 100:
                found.append(_above_ratio(result, other))
            if result.days > 1:
                in_flight = result.first_most / result.usual_most
                says = f"{result.scenario}: calls under way on the first day to later ones, {result.agents} agents"
                found.append(Gate(says, in_flight, _COLD_START, False))
    return found


def _utilisation(own: Sequence[Figures]) -> Iterator[Gate]:
    for r in own:
        needed = _UTILISATION.get(r.scenario, {}).get(r.agents)
        if needed is not None:
            yield Gate(f"{r.scenario}: utilisation, {r.agents} agents, %", r.utilisation, needed, True)


def _limits(own: Sequence[Figures]) -> Iterator[Gate]:
    """No block above the limit, and hardly a day; of cold campaigns the mean counts, for they are short."""
    limit = 100 * LIMIT
    for scenario in dict.fromkeys(r.scenario for r in own):
        of_it = [r for r in own if r.scenario == scenario]
        if SCENARIOS[scenario].cold:
            worst = max(r.abandoned for r in of_it)
            yield Gate(f"{scenario}: abandoned, mean over campaigns, worst size, %", worst, limit, False)
            continue
        days, above = sum(r.days for r in of_it), sum(r.days_above for r in of_it)
        yield Gate(f"{scenario}: days above {limit:.0f} % of {days}, %", 100 * above / days, _MOST_DAYS_ABOVE, False)
        yield Gate(f"{scenario}: abandoned, worst block, %", max(max(r.blocks) for r in of_it), limit, False)


def _above_ratio(own: Figures, ratio: Figures) -> Gate:
    better = sum(mine - other >= _ABOVE_RATIO for mine, other in zip(own.used, ratio.used, strict=True))
    says = f"{own.scenario}: days a point better than the best ratio, {own.agents} agents, %"
    return Gate(says, 100 * better / own.days, _OF_DAYS, True)


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
