"""Who of several campaigns gets the agents and trunks that all of them want."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

#: A predictive campaign is so many calls, each divided by its weight, ahead of others for the same agents at most.
AHEAD = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a campaign would place if it were alone, and how much it has had already.

    ``draws``: the shared things that each of its calls takes one of. ``served`` is its calls so far, each divided by
    its weight, see `share`.
    """

    campaign_id: int
    wants: int
    priority: int
    served: float
    draws: tuple[str, ...]


def weights(demands: Sequence[Demand]) -> Mapping[int, int]:
    """How many calls each campaign gets for one of the lowest: one more for each step of priority above it."""
    lowest = min((d.priority for d in demands), default=0)
    return {d.campaign_id: 1 + d.priority - lowest for d in demands}


def held_back(demands: Sequence[Demand], waiting: Collection[int], predicting: Collection[int]) -> list[Demand]:
    """Who dials for agents who are about to be free waits while a campaign that waits until they are is behind, which
    would never find one. ``waiting``, ``predicting``: campaigns. The agents are the last of what each draws on."""
    behind: dict[str, float] = {}
    for demand in demands:
        if demand.campaign_id in waiting:
            behind[demand.draws[-1]] = min(behind.get(demand.draws[-1], demand.served), demand.served)
    return [
        replace(demand, wants=0)
        if demand.campaign_id in predicting and demand.served > behind.get(demand.draws[-1], demand.served) + AHEAD
        else demand
        for demand in demands
    ]


def share(demands: Sequence[Demand], rooms: Mapping[str, int]) -> dict[int, int]:
    """How many calls each campaign may place now, by campaign.

    Stride scheduling (Waldspurger and Weihl 1995): one call after the other goes to whoever has been served least for
    its weight, so that shares follow the priorities and the lowest is never starved.
    """
    weight = weights(demands)
    left = dict(rooms)
    given = {d.campaign_id: 0 for d in demands}
    served = {d.campaign_id: d.served for d in demands}
    hungry = [d for d in demands if d.wants > 0]
    while hungry:
        first = min(hungry, key=lambda d: (served[d.campaign_id], -d.priority, d.campaign_id))
        if given[first.campaign_id] >= first.wants or any(left[draw] <= 0 for draw in first.draws):
            hungry.remove(first)
            continue
        for draw in first.draws:
            left[draw] -= 1
        given[first.campaign_id] += 1
        served[first.campaign_id] += 1 / weight[first.campaign_id]
    return given
