"""What a way of pacing came to in a scenario: figures over simulated days, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import mean

from astdialer.simulator.day import Record
from astdialer.simulator.interval import half_width

LIMIT = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Shares in percent, times in seconds. Lists are by day; a cold day is a block of its own."""

    scenario: str
    agents: int
    way: str
    value: float  #: of the parameter that was tuned
    used: list[float]  #: utilisation
    rates: list[float]  #: abandonment
    blocks: list[float]  #: abandonment, over the days of which the law takes account together
    talk_share: float
    idle_s: float  #: of agents for one connected person
    idle_p90_s: float  #: nine in ten idle spans are no longer
    wait_s: float  #: of connected people, mean
    wait_p95_s: float
    waited_share: float  #: of connected people who waited more than 0.5 s
    worst_hundred: float  #: abandonment over the worst 100 successive answers of a day
    most_in_a_row: int  #: successive people who were abandoned
    calls_per_connect: float
    first_most: int  #: calls under way at a time, on the first day
    usual_most: float  #: and on the others, on average
    ms_per_decision: float
    took_s: float  #: of the processor

    @property
    def days(self) -> int:
        """How many were simulated."""
        return len(self.used)

    @property
    def utilisation(self) -> float:
        """Mean over days."""
        return mean(self.used)

    @property
    def half_width(self) -> float:
        """Of the interval of the utilisation."""
        return half_width(self.used)

    @property
    def abandoned(self) -> float:
        """Over all answers of a block, mean over blocks."""
        return mean(self.blocks)

    @property
    def days_above(self) -> int:
        """How many exceed the limit."""
        return sum(rate > 100 * LIMIT for rate in self.rates)

    @property
    def blocks_above(self) -> int:
        """How many exceed the limit."""
        return sum(rate > 100 * LIMIT for rate in self.blocks)


def rate(records: Sequence[Record]) -> float:
    """The share of all answers that found no agent in time."""
    return sum(r.abandoned for r in records) / max(1, sum(r.answered for r in records))


def figures(
    records: Sequence[Record], *, scenario: str, agents: int, way: str, cold: bool, value: float, took_s: float
) -> Figures:
    """Sum the days up."""
    whole = _together(records)
    rates = [100 * r.abandonment for r in records]
    return Figures(
        scenario=scenario,
        agents=agents,
        way=way,
        value=value,
        used=[100 * r.utilisation for r in records],
        rates=rates,
        blocks=rates if cold else [100 * whole.abandonment],
        talk_share=100 * whole.talk_share,
        idle_s=whole.idle_per_connect_s,
        idle_p90_s=whole.idle_within_s(0.9),
        wait_s=mean(whole.waits_s) if whole.waits_s else 0.0,
        wait_p95_s=whole.waited_within_s(0.95),
        waited_share=100 * whole.waited_over(0.5),
        worst_hundred=100 * max(r.worst_abandonment for r in records),
        most_in_a_row=max(r.most_lost_in_a_row for r in records),
        calls_per_connect=whole.dialed / max(1, whole.connected),
        first_most=records[0].most_calls,
        usual_most=mean(r.most_calls for r in records[1:]) if len(records) > 1 else math.nan,
        ms_per_decision=whole.ms_per_decision,
        took_s=took_s,
    )


def _together(records: Sequence[Record]) -> Record:
    """One record of all days, as far as days can be added up."""
    return Record(
        agents_s=sum(r.agents_s for r in records),
        talk_s=sum(r.talk_s for r in records),
        busy_s=sum(r.busy_s for r in records),
        dialed=sum(r.dialed for r in records),
        connected=sum(r.connected for r in records),
        abandoned=sum(r.abandoned for r in records),
        decisions=sum(r.decisions for r in records),
        deciding_s=sum(r.deciding_s for r in records),
        waits_s=list(chain.from_iterable(r.waits_s for r in records)),
        idle_s=list(chain.from_iterable(r.idle_s for r in records)),
    )
