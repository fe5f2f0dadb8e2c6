"""The laws of a simulated contact centre, and its scenarios. Times are seconds.

Draws are keyed by the contact's turn and the agents' talks, so that every way of pacing meets the same contacts and the
same talks (common random numbers).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

_BLOCK = 4096
#: Where the tenths of the normal law begin.
_TENTHS = [NormalDist().inv_cdf(n / 10) for n in range(1, 10)]
#: A fault of the carrier ends a call so soon.
_FAULT_S = 0.5


class End(IntEnum):
    """What becomes of a call that is placed."""

    PERSON = 0
    MACHINE = 1
    NOBODY = 2


@dataclass(frozen=True, slots=True)
class Lognormal:
    """``mean`` in seconds and coefficient of variation."""

    mean: float
    cv: float

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Durations."""
        variance = math.log(1 + self.cv * self.cv)
        return rng.lognormal(math.log(self.mean) - variance / 2, math.sqrt(variance), count)


@dataclass(frozen=True, slots=True)
class Exponential:
    """``mean`` in seconds."""

    mean: float

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Durations."""
        return rng.exponential(self.mean, count)


@dataclass(frozen=True, slots=True)
class Mixture:
    """``share`` of the durations follow the first law."""

    share: float
    first: Law
    second: Law

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Durations."""
        return np.where(rng.random(count) < self.share, self.first.draw(rng, count), self.second.draw(rng, count))


@dataclass(frozen=True, slots=True)
class Nothing:
    """It takes no time."""

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Zeros."""
        return np.zeros(count)


@dataclass(frozen=True, slots=True)
class Empirical:
    """Each of the ``seconds`` that were seen is as likely as the others; a single one is what it always takes."""

    seconds: Sequence[float]

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Durations."""
        return rng.choice(np.array(self.seconds, float), count)


@dataclass(frozen=True, slots=True)
class AtMost:
    """What would last longer than ``most_s`` ends there."""

    most_s: float
    law: Law

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Durations."""
        capped: np.ndarray = np.minimum(self.law.draw(rng, count), self.most_s)
        return capped


Law = Lognormal | Exponential | Mixture | Nothing | Empirical | AtMost


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """How long calls take from being placed to their ends."""

    person: Law
    machine: Law
    nobody: Law

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
        """Times to a person's answer, to a machine's, and to the other failures."""
        return tuple(law.draw(rng, count) for law in (self.person, self.machine, self.nobody))


def ringing(rng: np.random.Generator, count: int, ring_s: float) -> tuple[np.ndarray, ...]:
    """Times to a person's answer, to a machine's, and to the other failures.

    Set-up 1.5 s and an exponential second; people answer by a Gamma law of shape 2.5 and mean 9 s, within ``ring_s``;
    machines at about 22 s; of the rest, five of thirteen fail within seconds, and eight ring to the end.
    """
    setup = 1.5 + rng.exponential(1.0, count)
    person = rng.gamma(2.5, 9 / 2.5, count)
    while (late := person > ring_s).any():
        person[late] = rng.gamma(2.5, 9 / 2.5, int(late.sum()))
    machine = np.clip(rng.normal(21.5, 2.0, count), 5.0, ring_s)
    quick = rng.random(count) < 25 / 65
    nobody = np.where(quick, 1.5 + rng.exponential(1.5, count), ring_s)
    return setup + person, setup + machine, setup + nobody


def exponential_ringing(rng: np.random.Generator, count: int, mean_s: float) -> tuple[np.ndarray, ...]:
    """The same law for all ends: the world whose bound can be computed."""
    times = rng.exponential(mean_s, count)
    return times, times, times


@dataclass(frozen=True, slots=True, kw_only=True)
class Amd:
    """Detection of answering machines: it takes time, and errs."""

    takes_s: float = 2.5
    person_as_machine: float = 0.05
    machine_as_person: float = 0.10
    machine_s: float = 8.0  #: how long a machine occupies an agent


#: Joins (+1) and leaves (-1) of agents, in order of time.
Shift = Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that is drawn. ``share``: of the calls that a person answers, at a time of the day."""

    agents: int
    share: Callable[[float], float]
    hours: float = 8.0
    ring_s: float = 25.0
    mean_ring_s: float | None = None  #: exponential ringing, with this mean
    ringing: Ringing | None = None  #: in place of both
    machines: float = 0.35  #: of the calls that no person answers, a machine does
    talk: Law = field(default_factory=lambda: Lognormal(150, 1.0))
    wrap_up: Law = field(default_factory=lambda: Lognormal(20, 0.6))
    patience: Law | None = None  #: how long people wait; None: exactly ``patience_s``
    patience_s: float = 2.0
    handoff_s: float = 0.0  #: an agent's telephone rings so long
    amd: Amd | None = None
    shift: Shift = ()  #: after the start with ``agents``
    faults: Sequence[tuple[float, float]] = ()  #: from, to: every call fails at once
    lag_s: float = 0.0  #: a fault's failures are heard of so late; until then the calls seem to be under way
    spread: float = 0.0  #: of the contacts' log-odds of an answer
    score_noise: float | None = None  #: a score tells their log-odds with an error of this deviation; None: no score
    contacts: int | None = None  #: the list: dialing ends when so many were dialed
    answers: int | None = None  #: dialing ends when so many people have answered
    max_lines: int = 1_000_000
    calls_per_second: int | None = None  #: no more calls than these start within a second

    @property
    def ends_s(self) -> float:
        """Length of the day."""
        return self.hours * 3600


class Contact(NamedTuple):
    """What chance has decided of a contact before it is called."""

    luck: float
    machine: float
    ends_after_s: tuple[float, ...]
    odds: float
    misjudged: float
    known: tuple[str, ...]  #: what a dialer may know of it, see domain.propensity


class Fate(NamedTuple):
    """What becomes of one call."""

    end: End
    after_s: float
    misjudged: bool  #: AMD errs


class Draws:
    """What chance decides, the same for every way of pacing with the same seed."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._contacts = self._people(np.random.default_rng([seed, 1]), np.random.default_rng([seed, 4]))
        self._handled = self._handles(np.random.default_rng([seed, 2]))
        self._patience = self._patiences(np.random.default_rng([seed, 3]))

    def contact(self) -> Contact:
        """The next one of the list."""
        return next(self._contacts)

    def fate(self, contact: Contact, now: float) -> Fate:
        """Of the contact, if it is called now."""
        luck, machine, times, odds, misjudged, _ = contact
        world = self._world
        if world.faults and any(begin <= now < end for begin, end in world.faults):
            return Fate(End.NOBODY, _FAULT_S + world.lag_s, False)
        share = world.share(now)
        if odds:
            share = share * odds / (1 - share + share * odds)
        amd = world.amd
        if luck < share:
            return Fate(End.PERSON, times[0], bool(amd and misjudged < amd.person_as_machine))
        if machine < world.machines:
            return Fate(End.MACHINE, times[1], bool(amd and misjudged < amd.machine_as_person))
        return Fate(End.NOBODY, times[2], False)

    def handle(self) -> tuple[float, float]:
        """The next talk, and the rest after it."""
        return next(self._handled)

    def patience_s(self) -> float:
        """Of the next person who waits."""
        return next(self._patience)

    def _people(self, rng: np.random.Generator, scores: np.random.Generator) -> Iterator[Contact]:
        world = self._world
        while True:
            if world.ringing:
                times = world.ringing.draw(rng, _BLOCK)
            elif world.mean_ring_s is None:
                times = ringing(rng, _BLOCK, world.ring_s)
            else:
                times = exponential_ringing(rng, _BLOCK, world.mean_ring_s)
            beyond = rng.normal(0, world.spread, _BLOCK) if world.spread else np.zeros(_BLOCK)
            odds = np.exp(beyond).tolist() if world.spread else [0.0] * _BLOCK
            known = _scores(beyond, world.spread, world.score_noise, scores)
            luck, machine, misjudged = rng.random((3, _BLOCK)).tolist()
            ends = zip(*(t.tolist() for t in times), strict=True)
            yield from map(Contact, luck, machine, ends, odds, misjudged, known)

    def _handles(self, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
        while True:
            talks, rests = self._world.talk.draw(rng, _BLOCK), self._world.wrap_up.draw(rng, _BLOCK)
            yield from zip(talks.tolist(), rests.tolist(), strict=True)

    def _patiences(self, rng: np.random.Generator) -> Iterator[float]:
        law = self._world.patience
        while True:
            yield from law.draw(rng, _BLOCK).tolist() if law else [self._world.patience_s] * _BLOCK


def _scores(beyond: np.ndarray, spread: float, noise: float | None, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """In which tenth of the scores each contact is; nothing if there are no scores."""
    if noise is None:
        return [()] * len(beyond)
    score = (beyond + rng.normal(0, noise, len(beyond))) / math.hypot(spread, noise)
    tenths = np.searchsorted(_TENTHS, score).tolist()
    return [(f"score {tenth}",) for tenth in tenths]
