"""How long one predictive decision takes, against the exact law of the same sum by numpy.convolve.

    python benchmarks/decide.py [--rounds 200]

A decision is what the engine asks at each event: how many calls may be placed; ages of calls and talks are new each
time. The convolution is that of one second ahead only, as any textbook does it for a Poisson binomial sum; a decision
needs fifteen of these, several times.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median, quantiles

import numpy as np

from astdialer.domain.abandonment import Tally, Window
from astdialer.domain.pacer import Pacer
from astdialer.domain.prediction import Traffic
from astdialer.domain.settings import Settings

#: Agents, and calls in flight.
SIZES = ((5, 15), (30, 80), (100, 300), (500, 2000))


def taught(rng: np.random.Generator) -> Pacer:
    """A pacer after a day."""
    pacer = Pacer(Settings().pace)
    for _ in range(4000):
        reached = bool(rng.random() < 0.25)
        pacer.call_ended(rng.uniform(4, 20) if reached else 27.0, reached=reached)
        pacer.talk_ended(rng.exponential(150))
        pacer.rest_ended(10.0)
    return pacer


def timed(ask: Callable[[int], object], rounds: int) -> tuple[float, float]:
    """Milliseconds: the median, and what 99 of 100 do not exceed."""
    took = []
    for n in range(rounds):
        began = time.perf_counter()
        ask(n)
        took.append(1000 * (time.perf_counter() - began))
    return median(took), quantiles(took, n=100)[-1]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(1)
    pacer, windows = taught(rng), [Window(Tally(5000, 130)), Window(Tally(400, 10), 3600, 20000)]
    print("| agents | calls in flight | decision, median | 99 % within | one numpy.convolve law | ratio |")
    print("|---|---|---|---|---|---|")
    for agents, calls in SIZES:

        def decision(n: int, agents: int = agents, calls: int = calls) -> object:
            traffic = Traffic(
                free=max(1, agents // 50),
                dialing={"": rng.uniform(0, 25, calls)},
                talking_s=rng.exponential(150, agents),
                resting_s=rng.uniform(0, 10, max(1, agents // 15)),
            )
            pacer.look(traffic, float(n))
            return pacer.advise(traffic, windows, float(n))

        def convolved(n: int, agents: int = agents, calls: int = calls) -> object:
            law = np.array([1.0])
            for chance in rng.random(agents + calls) / 4:
                law = np.convolve(law, [1 - chance, chance])
            return law

        decision(0)
        ours, high = timed(decision, rounds)
        theirs, _ = timed(convolved, max(5, rounds // 10))
        print(f"| {agents} | {calls} | {ours:.2f} ms | {high:.1f} ms | {theirs:.2f} ms | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
