"""The best that any way of pacing can do in the exponential world, proven by the computation itself.

Calls ring for an exponential time and are then answered by a person with a fixed probability; talks and patience are
exponential. A state is how many people are with an agent or wait for one, and how many calls ring; at every event more
calls may be placed. Minimise ``idle agents + L · (abandoned - allowed)`` over all rules, by value iteration: for every
L ≥ 0 the result bounds the utilisation of every rule that keeps the limit (weak duality), and the best L gives the
bound. Anything that is not yet exact in the iteration makes the bound weaker, never wrong: it uses the lower end of the
interval in which the cost lies (Odoni 1969).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponentials:
    """Means in seconds; ``limit`` is the share of answers that may find no agent."""

    agents: int
    share: float = 0.25
    ring_s: float = 12.0
    handle_s: float = 170.0
    patience_s: float = 2.0
    limit: float = 0.03


def bound(world: Exponentials) -> float:
    """The utilisation that no rule exceeds."""
    rate = world.agents / world.handle_s / world.share
    people = world.agents + 12 + int(world.agents**0.5)
    calls = int(2 * rate * world.ring_s + 6 * (rate * world.ring_s) ** 0.5 + 25)
    values: Array = np.zeros((people + 1, calls + 1))

    def at(log_price: float) -> float:
        nonlocal values
        cost, values = _least_cost(world, math.exp(log_price), values)
        return 1 - cost / world.agents

    low, high, golden = 0.0, math.log(2000.0), (5**0.5 - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = at(left), at(right)
    for _ in range(20):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = at(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = at(right)
    return min(at_left, at_right)


def _least_cost(world: Exponentials, price: float, values: Array) -> tuple[float, Array]:
    """The least mean cost per second, from below, and the relative values of the states."""
    people, calls = (n - 1 for n in values.shape)
    x, r = np.arange(people + 1)[:, None], np.arange(calls + 1)[None, :]
    busy, waiting = np.minimum(x, world.agents), np.maximum(x - world.agents, 0)
    allowed = world.limit / (1 - world.limit) / world.handle_s
    cost = (world.agents - busy) * (1 + price * allowed) + price * (waiting / world.patience_s) + 0.0 * r
    cost = cost - price * world.agents * allowed
    events = world.agents / world.handle_s + calls / world.ring_s + (people - world.agents) / world.patience_s
    answers = r / world.ring_s * world.share / events
    failures = r / world.ring_s * (1 - world.share) / events
    ends = (busy / world.handle_s + waiting / world.patience_s) / events
    stays = 1 - answers - failures - ends
    while True:
        best = np.minimum.accumulate(values[:, ::-1], axis=1)[:, ::-1]  # more calls may be placed at once
        answered, failed, ended = np.zeros_like(best), np.zeros_like(best), np.zeros_like(best)
        answered[:-1, 1:], answered[-1, 1:] = best[1:, :-1], best[-1, :-1]
        failed[:, 1:] = best[:, :-1]
        ended[1:] = best[:-1]
        new = cost / events + answers * answered + failures * failed + ends * ended + stays * best
        change = (new - values) * events
        values = new - new[0, 0]
        if change.max() - change.min() < 1e-6 * world.agents:
            return float(change.min()), values
