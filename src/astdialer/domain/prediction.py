"""How likely it is that an answer would find no agent: the heart of predictive dialing.

At each of the next seconds, the number of agents who would be free if nobody else was called is a sum of independent
yes and no: each agent in a talk or in wrap-up may have become free, each call under way may have been answered. Placing
one call more raises the expected number of people without an agent by its chance of an answer times the probability
that nobody is free then. So the rule that costs the fewest idle seconds for a given number of abandoned people is to
place calls as long as this probability is below a threshold (docs/explanation/predictive-dialing.md).

For small teams the law of the sum is computed exactly, from its characteristic function, which is a product of one
factor for each agent and call; for large ones from its first three cumulants, which add. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from astdialer.domain.laws import Answering, Array, Lifetimes

#: The seconds that are looked ahead at, each for the two around it.
AHEAD_S: Array = np.arange(1.0, 30.0, 2.0)
_N, _LAST_S = len(AHEAD_S), 30
#: The law is computed exactly on so many points around 0, when no more agents and calls than half of them are there.
_POINTS = 128
#: Tables are made anew so often: laws change slowly.
_TABLES_S = 5.0
#: And when the believed share of answers has moved by so much.
_SHARE_MOVED = 0.01
#: Ages of talks and rests beyond these are taken as these; talks in steps of so many seconds.
_TALK_STEPS, _TALK_STEP_S, _REST_STEPS = 300, 5, 200
_NOTHING: Array = np.empty(0)
_DENSITY_AT_0 = 0.3989422804014327
#: e to the power of i times each frequency; the others are conjugates of these. And what each counts for in the
#: probability that a sum of -64 to 63 is 0 or less.
_FREQUENCIES = np.arange(_POINTS // 2 + 1)
_TURNS = np.exp(2j * np.pi * _FREQUENCIES / _POINTS)
_NONE_FREE = (
    np.where((_FREQUENCIES == 0) | (_FREQUENCIES == _POINTS // 2), 1, 2)
    / _POINTS
    * (_TURNS[None, :] ** np.arange(_POINTS // 2 + 1)[:, None]).sum(0)
)
_A = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a dialer sees of a campaign's calls and agents at one instant. Arrays are ages in seconds."""

    free: int  #: agents without a call
    waiting: int = 0  #: persons without an agent
    dialing_s: Array = field(default_factory=lambda: _NOTHING)  #: calls that nobody has answered, since placed
    analysed_s: Array = field(default_factory=lambda: _NOTHING)  #: answered calls that AMD listens to, since the answer
    talking_s: Array = field(default_factory=lambda: _NOTHING)  #: agents in a talk, since they were reserved for it
    resting_s: Array = field(default_factory=lambda: _NOTHING)  #: agents in wrap-up, since their talk ended


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What a campaign has learned. All are mutable and learn on."""

    answers: Answering  #: of calls, until a person needs an agent
    verdicts: Answering  #: of answered calls, until AMD says that it is a person
    talks: Lifetimes
    rests: Lifetimes


class Prediction:
    """``patience_s``: how long a person may wait; an agent who becomes free within it comes in time."""

    def __init__(self, beliefs: Beliefs, patience_s: float) -> None:
        self.beliefs, self.patience_s = beliefs, patience_s
        self.share = beliefs.answers.share  #: of calls that lead to a person, as last reckoned with
        self._made_at = -_TABLES_S
        self._tables: _Tables | None = None

    def calls(self, traffic: Traffic, risk: float, now_s: float, most: int) -> tuple[int, float]:
        """How many calls may be placed now, up to ``most``, so that an answer to the last of them finds nobody free
        with a probability of ``risk`` at most; and that probability for the first one."""
        net = self._up_to_date(traffic, now_s).net(traffic)
        first = net.risk(0)
        if first > risk:
            return 0, first
        fits, beyond = 1, 2
        while beyond <= most and net.risk(beyond - 1) <= risk:
            fits, beyond = beyond, beyond * 2
        beyond = min(beyond, most + 1)
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            if net.risk(middle - 1) <= risk:
                fits = middle
            else:
                beyond = middle
        return fits, first

    def _up_to_date(self, traffic: Traffic, now_s: float) -> _Tables:
        answers, tables = self.beliefs.answers, self._tables
        answers.believed(traffic.dialing_s)
        share = answers.cautious(len(traffic.dialing_s))
        if tables is None or now_s - self._made_at >= _TABLES_S:
            tables = _Tables(self.beliefs, traffic, self.patience_s)
            self._made_at, self.share = now_s, 0.0
        if abs(share - self.share) > _SHARE_MOVED * share:
            tables.of_calls(answers, share)
            self.share = share
        self._tables = tables
        return tables


class _Tables:
    """What a call or an agent of each age adds to the number of free agents, at each second ahead."""

    def __init__(self, beliefs: Beliefs, traffic: Traffic, patience_s: float) -> None:
        late_s = int(patience_s)  # an agent who is free by then comes in time
        until_s = _LAST_S + late_s
        talks = _by_second(beliefs.talks, traffic.talking_s, _TALK_STEPS * _TALK_STEP_S + until_s)
        rests = _by_second(beliefs.rests, traffic.resting_s, _REST_STEPS + until_s)
        in_time = AHEAD_S.astype(np.int64) + late_s
        ages = np.arange(_REST_STEPS)[:, None]
        verdicts = beliefs.verdicts.chances(AHEAD_S, beliefs.verdicts.believed(traffic.analysed_s))
        self._talking = _Chances(_free_after_talk(talks, rests, in_time), _TALK_STEP_S)
        self._resting = _Chances(1 - rests[ages + in_time] / rests[ages], 1.0)
        self._analysed = _Chances(verdicts.reaching, verdicts.step_s, -1)
        self._dialing = self._analysed
        self._answer_at: Array = _NOTHING

    def of_calls(self, answers: Answering, share: float) -> None:
        """Reckon with this share of calls that lead to a person."""
        chances = answers.chances(AHEAD_S + 1, share).reaching[0]
        at = np.diff(np.concatenate([[0.0], chances]))
        self._answer_at = at / at.sum()
        chances_of = answers.chances(AHEAD_S, share)
        self._dialing = _Chances(chances_of.reaching, chances_of.step_s, -1)

    def net(self, traffic: Traffic) -> _Exact | _Approximate:
        """The law of the number of free agents, less the persons without one."""
        groups = (
            (self._dialing, traffic.dialing_s),
            (self._analysed, traffic.analysed_s),
            (self._talking, traffic.talking_s),
            (self._resting, traffic.resting_s),
        )
        rows = [(chances, chances.rows(ages_s)) for chances, ages_s in groups if len(ages_s)]
        free = traffic.free - traffic.waiting
        law = _Exact if sum(len(r) for _, r in rows) + abs(free) < _POINTS // 2 else _Approximate
        return law(free, rows, self._dialing, self._answer_at)


class _Chances:
    """Of something at each age (rows) to have happened by each second ahead (columns); ``sign`` -1: it takes an agent
    rather than giving one."""

    def __init__(self, chances: Array, step_s: float, sign: int = 1) -> None:
        self._chances, self._step_s, self._sign = chances, step_s, sign
        self._cumulants: Array | None = None

    def rows(self, ages_s: Array) -> NDArray[np.int64]:
        """The row of each age."""
        return np.minimum((ages_s / self._step_s).astype(np.int64), len(self._chances) - 1)

    @property
    def cumulants(self) -> Array:
        """The first three of each yes or no, side by side."""
        if self._cumulants is None:
            spread = self._chances * (1 - self._chances)
            third = self._sign * spread * (1 - 2 * self._chances)
            self._cumulants = np.concatenate([self._sign * self._chances, spread, third], axis=-1)
        return self._cumulants

    def product(self, rows: NDArray[np.int64]) -> NDArray[np.complex128]:
        """The characteristic function of the sum of the yes and no of these rows: second ahead, frequency."""
        turn = _TURNS if self._sign > 0 else _TURNS.conj()
        product: NDArray[np.complex128] = np.multiply.reduce(1 + self._chances[rows][:, :, None] * (turn - 1), axis=0)
        return product


_Rows = Sequence[tuple[_Chances, NDArray[np.int64]]]


class _Exact:
    """The law of a sum, from the product of characteristic functions."""

    def __init__(self, free: int, rows: _Rows, call: _Chances, answer_at: Array) -> None:
        product = np.broadcast_to(_TURNS**free, (_N, len(_TURNS)))
        for chances, ages in rows:
            product = product * chances.product(ages)
        self._weighted = product * _NONE_FREE * answer_at[:, None]
        self._call = call.product(np.zeros(1, np.int64))

    def risk(self, more: int) -> float:
        """P(nobody is free when a call is answered | it is, and so many more were placed at the same time)."""
        weighted = self._weighted * self._call**more if more else self._weighted
        return min(max(float(weighted.sum().real), 0.0), 1.0)


class _Approximate:
    """The law of a large sum: normal, with a correction for skewness (Volkova 1996, Theory of Probability and its
    Applications 40:791)."""

    def __init__(self, free: int, rows: _Rows, call: _Chances, answer_at: Array) -> None:
        net = np.zeros(3 * _N)
        net[:_N] = free
        for chances, ages in rows:
            net += chances.cumulants[ages].sum(0)
        self._net, self._call, self._answer_at = net, call.cumulants[0], answer_at

    def risk(self, more: int) -> float:
        """See _Exact."""
        return float(_none_free(self._net + more * self._call) @ self._answer_at)


def _by_second(lifetimes: Lifetimes, lasting_s: Array, until_s: int) -> Array:
    """P(it lasts longer than 0, 1, … seconds)."""
    survival = lifetimes.survival(lasting_s)
    edges = np.arange(len(survival)) * lifetimes.step_s
    found: Array = np.maximum(np.interp(np.arange(until_s + 1.0), edges, survival), 1e-9)
    return found


def _free_after_talk(talks: Array, rests: Array, in_time: NDArray[np.int64]) -> Array:
    """P(talk and rest are over in time | the talk has lasted so long): rows are ages."""
    ages, seconds = np.arange(0, _TALK_STEPS * _TALK_STEP_S, _TALK_STEP_S)[:, None], np.arange(in_time[-1])
    talk_ends = (talks[ages + seconds] - talks[ages + seconds + 1]) / talks[ages]
    rested = 1 - (rests[1 : len(seconds) + 1] + rests[: len(seconds)]) / 2  # it ends in the middle of its second
    left = in_time[None, :] - 1 - seconds[:, None]
    free: Array = talk_ends @ np.where(left >= 0, rested[np.maximum(left, 0)], 0.0)
    return free


def _none_free(net: Array) -> Array:
    """P(the sum is 0 or less), from its cumulants."""
    mean, variance, third = net[:_N], net[_N : 2 * _N] + 1e-9, net[2 * _N :]
    deviation = np.sqrt(variance)
    x = (0.5 - mean) / deviation
    density = np.exp(-x * x / 2) * _DENSITY_AT_0
    corrected = _normal_below(x, density) - third / (variance * deviation) * (x * x - 1) * density / 6
    return np.minimum(np.maximum(corrected, 0.0), 1.0)


def _normal_below(x: Array, density: Array) -> Array:
    """The normal distribution function, within 1e-7 (Abramowitz and Stegun 1964, 26.2.17): numpy has none."""
    t = 1 / (1 + 0.2316419 * np.abs(x))
    tail = density * t * (_A[0] + t * (_A[1] + t * (_A[2] + t * (_A[3] + t * _A[4]))))
    return np.where(x >= 0, 1 - tail, tail)
