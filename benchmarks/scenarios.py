"""The scenarios S1 to S10 in which ways of pacing are compared. Times are seconds of an eight-hour day."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from astdialer.simulator.world import Amd, Exponential, Nothing, World

HOUR = 3600.0
Scenario = Callable[[int], World]


def steady(share: float) -> Scenario:
    """S1: the same share of answers all day."""
    return lambda agents: World(agents=agents, share=lambda _: share)


def _drifting(now: float) -> float:
    slow = 1 + 0.35 * math.sin(2 * math.pi * now / (8 * HOUR))
    return 0.25 * slow * (0.55 if now % (2 * HOUR) > 1.5 * HOUR else 1)


def _breaks(agents: int) -> World:
    """Agents come one a minute, half of them have lunch, half leave at three within two minutes."""
    half = agents // 2
    come = [(60.0 * n, 1) for n in range(1, agents - 1)]
    lunch = [(4 * HOUR, -1)] * half + [(4.5 * HOUR, 1)] * half
    leave = [(6 * HOUR + 120 * n / max(half, 1), -1) for n in range(half)]
    return World(agents=min(2, agents), share=lambda _: 0.25, shift=sorted(come + lunch + leave))


def _exponential(agents: int) -> World:
    return World(
        agents=agents,
        share=lambda _: 0.25,
        mean_ring_s=12.0,
        ring_s=120.0,
        talk=Exponential(170.0),
        wrap_up=Nothing(),
        patience=Exponential(2.0),
    )


SCENARIOS: Mapping[str, Scenario] = {
    "S1 10 %": steady(0.10),
    "S1 25 %": steady(0.25),
    "S1 50 %": steady(0.50),
    "S2 drift": lambda agents: World(agents=agents, share=_drifting),
    "S3 up": lambda agents: World(agents=agents, share=lambda now: 0.15 if now < HOUR else 0.45),
    "S3 down": lambda agents: World(agents=agents, share=lambda now: 0.45 if now < HOUR else 0.15),
    "S5 agents": _breaks,
    "S6 contacts": lambda agents: World(agents=agents, share=lambda _: 0.25, spread=1.2),
    "S8 fault": lambda agents: World(agents=agents, share=lambda _: 0.25, faults=((2 * HOUR, 2 * HOUR + 300),)),
    "S8 AMD": lambda agents: World(agents=agents, share=lambda _: 0.25, amd=Amd()),
    "S10 exponential": _exponential,
}

#: Simulated days by number of agents.
DAYS: Mapping[int, int] = {5: 20, 10: 20, 30: 8, 100: 4, 500: 2}
