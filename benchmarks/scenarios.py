"""The scenarios S1 to S10, and variants, in which ways of pacing are compared. Times are seconds of a simulated day."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from astdialer.simulator.world import Amd, Exponential, Lognormal, Mixture, Nothing, World

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``says``: what it is, in one line. ``cold``: each day is the first of another campaign."""

    says: str
    world: Callable[[int], World]  #: for so many agents
    cold: bool = False
    believed: float | None = None  #: the share of answers that astdialer assumes before the first call; None: its own
    aim: float = 0.0275  #: the rate of abandoned people that astdialer aims at
    brake: float = 0.03  #: and at which it dials one call for each free agent
    by_day: bool = True  #: it keeps to it on each day, not over the block alone


def steady(share: float) -> Callable[[int], World]:
    """The same share of answers all day."""
    return lambda agents: World(agents=agents, share=lambda _: share)


def _drifting(now: float) -> float:
    slow = 1 + 0.35 * math.sin(2 * math.pi * now / (8 * HOUR))
    return 0.25 * slow * (0.55 if now % (2 * HOUR) > 1.5 * HOUR else 1)


def _stepping(before: float, after: float) -> Callable[[int], World]:
    return lambda agents: World(agents=agents, share=lambda now: before if now < HOUR else after)


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


def _faulty(agents: int) -> World:
    fault = (2 * HOUR, 2 * HOUR + 300)
    return World(agents=agents, share=lambda _: 0.25, hours=4.0, faults=(fault,), lag_s=10.0)


SCENARIOS: Mapping[str, Scenario] = {
    "S1 10 %": Scenario(says="people answer 10 % of the calls, all day", world=steady(0.10)),
    "S1 25 %": Scenario(says="people answer 25 % of the calls, all day", world=steady(0.25)),
    "S1 50 %": Scenario(says="people answer 50 % of the calls, all day", world=steady(0.50)),
    "S2 drift": Scenario(
        says="the share of answers swings by 35 % over the day, and is 45 % lower in each fourth half hour",
        world=lambda agents: World(agents=agents, share=_drifting),
    ),
    "S3 up": Scenario(says="a new list after an hour: 15 % answers, then 45 %", world=_stepping(0.15, 0.45)),
    "S3 down": Scenario(says="a new list after an hour: 45 % answers, then 15 %", world=_stepping(0.45, 0.15)),
    "S4 low": Scenario(
        says="the first two hours of campaigns for which 10 % answers are assumed beforehand, and 25 % is right",
        world=lambda agents: World(agents=agents, share=lambda _: 0.25, hours=2.0),
        cold=True,
        believed=0.1,
    ),
    "S4 high": Scenario(
        says="the same, and 50 % are assumed",
        world=lambda agents: World(agents=agents, share=lambda _: 0.25, hours=2.0),
        cold=True,
        believed=0.5,
    ),
    "S5 agents": Scenario(
        says="agents come one a minute, half of them have lunch for 30 minutes, half leave at three within 2 minutes",
        world=_breaks,
    ),
    "S6 contacts": Scenario(
        says="contacts differ in how likely they answer: log-odds with a deviation of 1.2; a score tells it, AUC 0.7",
        world=lambda agents: World(agents=agents, share=lambda _: 0.25, spread=1.2, score_noise=1.106),
    ),
    "S7 short": Scenario(
        says="campaigns that end at 200 answers, of which 3 % are six; nothing is known beforehand",
        world=lambda agents: World(agents=agents, share=lambda _: 0.25, answers=200),
        cold=True,
    ),
    "S8 fault": Scenario(
        says="four hours; in the third, all calls fail for 5 minutes, and that is heard of 10 s late", world=_faulty
    ),
    "S8 AMD": Scenario(
        says="AMD takes 2.5 s, takes 5 % of people for machines, and 10 % of machines for people",
        world=lambda agents: World(agents=agents, share=lambda _: 0.25, amd=Amd()),
    ),
    "S9 month": Scenario(
        says="thirty days of four hours of one campaign under the drift of S2: each day counts, and all together",
        world=lambda agents: World(agents=agents, share=_drifting, hours=4.0),
    ),
    "S10 exponential": Scenario(
        says="all times are exponential: the best that any pacing can do at 3 % is computed beside it; "
        "it knows no days and no brake, so astdialer aims at 2.95 % over all of them, and brakes at 3.5 %",
        world=_exponential,
        aim=0.0295,
        brake=0.035,
        by_day=False,
    ),
    "V mixed talks": Scenario(
        says="60 % of the talks take 25 s on average (no thanks), 40 % take 330 s",
        world=lambda agents: World(
            agents=agents, share=lambda _: 0.25, talk=Mixture(0.6, Exponential(25), Lognormal(330, 1.0))
        ),
    ),
    "V short talks": Scenario(
        says="talks take 60 s on average",
        world=lambda agents: World(agents=agents, share=lambda _: 0.25, talk=Lognormal(60, 1.0)),
    ),
    "V long talks": Scenario(
        says="talks take 300 s on average",
        world=lambda agents: World(agents=agents, share=lambda _: 0.25, talk=Lognormal(300, 1.0)),
    ),
    "V few lines": Scenario(
        says="three lines for each agent, talks included; people answer 10 % of the calls",
        world=lambda agents: World(agents=agents, share=lambda _: 0.10, max_lines=3 * agents),
    ),
    "V slow carrier": Scenario(
        says="the carrier takes 2 calls a second; people answer 10 % of them",
        world=lambda agents: World(agents=agents, share=lambda _: 0.10, calls_per_second=2),
    ),
    "V handoff": Scenario(
        says="an agent's telephone rings for 3 s before the talk",
        world=lambda agents: World(agents=agents, share=lambda _: 0.25, handoff_s=3.0),
    ),
}
