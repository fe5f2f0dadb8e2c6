"""Which ways are measured in which scenarios, with how many agents and on how many days.

A complete run takes 20 minutes on two cores. Where a size is missing, the scenario says nothing new with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pacing_ways import FIXED, IN_ORDER, OWN, TUNED, Task

#: Scenario → agents → days, or campaigns.
DAYS: Mapping[str, Mapping[int, int]] = {
    "S1 10 %": {5: 3, 10: 3, 30: 2, 100: 1},
    "S1 25 %": {5: 10, 10: 8, 30: 4, 100: 2, 500: 2},
    "S1 50 %": {5: 3, 10: 3, 30: 2, 100: 1},
    "S2 drift": {5: 12, 10: 8, 30: 3, 100: 2},
    "S3 up": {10: 2},
    "S3 down": {10: 2},
    "S4 low": {10: 6, 30: 2},
    "S4 high": {10: 6, 30: 2},
    "S5 agents": {10: 2, 30: 1},
    "S6 contacts": {5: 4, 10: 4},
    "S7 short": {5: 15, 10: 15, 30: 15},
    "S8 fault": {10: 2, 30: 2},
    "S8 AMD": {10: 2},
    "S9 month": {10: 30},
    "S10 exponential": {5: 8, 10: 12, 30: 5, 100: 2},
    "V mixed talks": {10: 2},
    "V short talks": {10: 2},
    "V long talks": {10: 2},
    "V few lines": {10: 2},
    "V slow carrier": {30: 1},
    "V handoff": {10: 2},
}
#: In these scenarios all ways are measured, in the others, and with more agents than these, a few.
_ALL_WAYS, _ALL_WAYS_AGENTS = ("S1 25 %", "S2 drift"), 100
_FEW_WAYS = ("progressive", "VICIdial AVERAGE", "Webitel", "ratio × idle*")


def ways(scenario: str, agents: int) -> Sequence[str]:
    """The other ways that are measured in a scenario."""
    if scenario in _ALL_WAYS and agents <= _ALL_WAYS_AGENTS:
        return (*FIXED, *TUNED)
    return (IN_ORDER, *_FEW_WAYS) if scenario == "S6 contacts" else _FEW_WAYS


def tasks(
    scenarios: Sequence[str], sizes: Sequence[int], *, baselines: bool, days: int | None = None, times: float = 1.0
) -> Iterator[Task]:
    """What is to be measured; ``days`` in place of those planned, or ``times`` as many."""
    for scenario in scenarios:
        for agents, planned in DAYS[scenario].items():
            if agents in sizes:
                for way in (OWN, *(ways(scenario, agents) if baselines else ())):
                    yield Task(scenario, agents, way, days or max(1, round(planned * times)))


#: What the continuous integration runs: half a minute on two cores.
SMOKE: Sequence[Task] = (
    Task("S1 25 %", 10, OWN, 1),
    Task("S1 25 %", 30, OWN, 1, hours=3.0),
    Task("S2 drift", 10, OWN, 1, hours=4.0),
    Task("S8 fault", 10, OWN, 1, hours=3.0),
    Task("S1 25 %", 10, "progressive", 1),
)
