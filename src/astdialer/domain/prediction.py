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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from astdialer.domain.laws import Answering, Array, Lifetimes, shifted
from astdialer.domain.propensity import MOST_STEPS, STEP

#: The seconds that are looked ahead at, each for the two around it.
AHEAD_S: Array = np.arange(1.0, 30.0, 2.0)
_N, _LAST_S = len(AHEAD_S), 30
#: The law is computed exactly when no more than so many agents and calls are there.
_FEW = 63
_HORIZONS_S = np.concatenate([AHEAD_S, AHEAD_S + 1])
#: Tables are made anew so often, for laws change slowly; while little is known and more comes in, sooner.
_TABLES_S, _NEW_TABLES_S, _NEWS = 30.0, 5.0, 1.03
#: And when the believed share of answers has moved by so much.
_SHARE_MOVED = 0.01
#: Ages of talks and rests beyond these are taken as these; talks in steps of so many seconds.
_TALK_STEPS, _TALK_STEP_S, _REST_STEPS = 300, 5, 200
_NOTHING: Array = np.empty(0)
_STEPS = np.arange(-MOST_STEPS, MOST_STEPS + 1.0)
_USUAL = np.zeros(1)
_DENSITY_AT_0 = 0.3989422804014327
_A = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a dialer sees at one instant of the agents of a queue, and of a campaign's calls for them.

    Arrays are ages in seconds. Calls and talks of other campaigns are in ``others``.
    """

    free: int  #: agents without a call
    waiting: int = 0  #: persons without an agent, over all campaigns
    dialing: Mapping[str, Array] = field(default_factory=dict)  #: calls that nobody has answered, by trunk, since then
    steps: Mapping[str, Array] = field(default_factory=dict)  #: and how likely each is to be, see propensity
    analysed_s: Array = field(default_factory=lambda: _NOTHING)  #: answered calls that AMD listens to, since the answer
    talking_s: Array = field(default_factory=lambda: _NOTHING)  #: agents in a talk, since they were reserved for it
    resting_s: Array = field(default_factory=lambda: _NOTHING)  #: agents in wrap-up, since their talk ended
    others: Sequence[Part] = ()
    trunk: str = ""  #: by which the next call leaves

    @property
    def under_way(self) -> int:
        """The campaign's calls without an agent."""
        return sum(map(len, self.dialing.values())) + len(self.analysed_s)

    @property
    def busy(self) -> int:
        """Agents in the campaign's talks, or in wrap-up after them."""
        return len(self.talking_s) + len(self.resting_s)


@dataclass(frozen=True, slots=True)
class Part:
    """What one campaign's calls and talks add to the number of free agents."""

    rows: Sequence[tuple[_Chances, NDArray[np.int64]]]
    answers: float  #: expected of its calls under way
    busy: int


class Beliefs:
    """What a campaign has learned. Everything is mutable and learns on.

    ``make``: what is assumed of a trunk of which nothing is known, given what is known of another one.
    """

    def __init__(
        self, *, make: Callable[[Answering | None], Answering], verdicts: Answering, talks: Lifetimes, rests: Lifetimes
    ) -> None:
        self._make, self.answers = make, dict[str, Answering]()  #: by trunk: of calls, until a person needs an agent
        self.verdicts = verdicts  #: of answered calls, until AMD says that it is a person
        self.talks, self.rests = talks, rests

    def of(self, trunk: str) -> Answering:
        """Of calls by a trunk."""
        if trunk not in self.answers:
            self.answers[trunk] = self._make(max(self.answers.values(), key=lambda a: a.seen, default=None))
        return self.answers[trunk]

    @property
    def count(self) -> float:
        """How much has been learned that is not forgotten: calls and talks."""
        return self.talks.count + sum(answers.seen for answers in self.answers.values())


class Prediction:
    """``patience_s``: how long a person may wait; an agent who becomes free within it comes in time."""

    def __init__(self, beliefs: Beliefs, patience_s: float) -> None:
        self.beliefs, self.patience_s = beliefs, patience_s
        self._made_at, self._made_of = float("-inf"), 0.0
        self._tables: _Tables | None = None

    def share(self, trunk: str) -> float:
        """Of calls by a trunk that lead to a person, as ``calls`` has last reckoned with."""
        assert self._tables is not None
        return self._tables.share(trunk)

    def part(self, traffic: Traffic, now_s: float) -> Part:
        """What the campaign's traffic adds to the number of agents who will be free."""
        tables = self._up_to_date(traffic, now_s)
        rows = tables.rows(traffic)
        return Part(rows, sum(chances.taking(of) for chances, of in rows), traffic.busy)

    def calls(self, traffic: Traffic, risk: float, now_s: float, most: int) -> tuple[int, float]:
        """How many calls may be placed now, up to ``most``, so that an answer to the last of them finds nobody free
        with a probability of ``risk`` at most; and that probability for the first one."""
        net = self._net(traffic, now_s)
        first = net.risk(0)
        if not first <= risk:  # so that what is no number allows nothing
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

    def expected_free(self, traffic: Traffic, now_s: float) -> float:
        """How many agents are expected to be free when a call that is placed now is answered, less those who wait."""
        tables = self._up_to_date(traffic, now_s)
        rows = [*tables.rows(traffic), *(row for other in traffic.others for row in other.rows)]
        _, answer_at = tables.call(traffic.trunk)
        more = sum((chances.mean(ages) for chances, ages in rows), np.zeros(_N))
        return float(traffic.free - traffic.waiting + more @ answer_at)

    def _net(self, traffic: Traffic, now_s: float) -> _Exact | _Approximate:
        """The law of the number of free agents, less the persons without one."""
        tables = self._up_to_date(traffic, now_s)
        rows = [*tables.rows(traffic), *(row for other in traffic.others for row in other.rows)]
        free = traffic.free - traffic.waiting
        span = sum(len(ages) for _, ages in rows) + abs(free)
        if span > _FEW:
            return _Approximate(free, rows, *tables.call(traffic.trunk))
        return _Exact(free, rows, _GRIDS[max(32, 2 << span.bit_length())], *tables.call(traffic.trunk))

    def _up_to_date(self, traffic: Traffic, now_s: float) -> _Tables:
        tables, ends = self._tables, self.beliefs.count
        old_s = now_s - self._made_at
        if tables is None or old_s >= _TABLES_S or (old_s >= _NEW_TABLES_S and ends > self._made_of * _NEWS):
            tables = self._tables = _Tables(self.beliefs, traffic, self.patience_s)
            self._made_at, self._made_of = now_s, ends
        for trunk in {traffic.trunk, *traffic.dialing}:
            tables.look_at(trunk, traffic.dialing.get(trunk, _NOTHING), traffic.steps.get(trunk))
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
        verdicts = beliefs.verdicts
        judged = np.array([verdicts.believed(traffic.analysed_s)])
        self._beliefs = beliefs
        self._talking = _Chances(_free_after_talk(talks, rests, in_time), _TALK_STEP_S)
        self._resting = _Chances(1 - rests[ages + in_time] / rests[ages], 1.0)
        self._analysed = _Chances(verdicts.chances(AHEAD_S, judged)[0], verdicts.step_s, -1)
        self._calls: dict[str, tuple[float, _Chances, Array]] = {}

    def share(self, trunk: str) -> float:
        """Of calls by the trunk that lead to a person."""
        return self._calls[trunk][0]

    def look_at(self, trunk: str, dialing_s: Array, steps: Array | None) -> None:
        """Reckon with the share of answers that the calls now under way make likely."""
        answers = self._beliefs.of(trunk)
        answers.believed(dialing_s, None if steps is None else steps * STEP)
        share = answers.cautious(len(dialing_s))
        known = self._calls.get(trunk)
        if known is None or abs(share - known[0]) > _SHARE_MOVED * share:
            chances = answers.chances(_HORIZONS_S, shifted(share, _STEPS * STEP))
            at = np.diff(chances[MOST_STEPS, 0, _N:], prepend=0.0)
            table = _Chances(chances[:, :, :_N].reshape(-1, _N), answers.step_s, -1, len(answers.reached_at))
            self._calls[trunk] = share, table, at / at.sum()

    def call(self, trunk: str) -> tuple[_Chances, Array]:
        """Of a call by the trunk: what it takes at each age, and when it is answered if it is."""
        return self._calls[trunk][1:]

    def rows(self, traffic: Traffic) -> _Rows:
        """Of each call and agent."""
        rows = [
            (self._calls[trunk][1], self._calls[trunk][1].rows(ages_s, traffic.steps.get(trunk, _USUAL)))
            for trunk, ages_s in traffic.dialing.items()
        ]
        rows.append((self._analysed, self._analysed.rows(traffic.analysed_s)))
        rows.append((self._talking, self._talking.rows(traffic.talking_s)))
        rows.append((self._resting, self._resting.rows(traffic.resting_s)))
        return [(chances, of) for chances, of in rows if len(of)]


class _Grid:
    """Where a characteristic function is needed for a sum from -``points`` / 2 to ``points`` / 2 - 1.

    ``turns``: e to the power of i times each frequency; the others are conjugates of these. ``none_free``: what each
    counts for in the probability that the sum is 0 or less.
    """

    def __init__(self, points: int) -> None:
        frequencies = np.arange(points // 2 + 1)
        self.turns = np.exp(2j * np.pi * frequencies / points)
        twice = np.where((frequencies == 0) | (frequencies == points // 2), 1, 2)
        self.none_free = twice / points * (self.turns[None, :] ** frequencies[:, None]).sum(0)


_GRIDS = {points: _Grid(points) for points in (32, 64, 128)}


class _Chances:
    """Of something at each age (rows) to have happened by each second ahead (columns); ``sign`` -1: it takes an agent
    rather than giving one. Of calls there are ``ages`` rows for each step of how likely an answer is."""

    def __init__(self, chances: Array, step_s: float, sign: int = 1, ages: int = 0) -> None:
        self._chances, self._step_s, self._sign = chances, step_s, sign
        self._ages = ages or len(chances)
        self._cumulants: Array | None = None

    def rows(self, ages_s: Array, steps: Array | None = None) -> NDArray[np.int64]:
        """The row of each age, and of each call's step."""
        ages = np.minimum((ages_s / self._step_s).astype(np.int64), self._ages - 1)
        return ages if steps is None else ages + (steps.astype(np.int64) + MOST_STEPS) * self._ages

    def taking(self, rows: NDArray[np.int64]) -> float:
        """How many agents these are expected to take in the end."""
        return float(self._chances[rows, -1].sum()) if self._sign < 0 else 0.0

    def mean(self, rows: NDArray[np.int64]) -> Array:
        """The expected number of free agents more, at each second ahead."""
        mean: Array = self._sign * self._chances[rows].sum(0)
        return mean

    @property
    def cumulants(self) -> Array:
        """The first three of each yes or no, side by side."""
        if self._cumulants is None:
            spread = self._chances * (1 - self._chances)
            third = self._sign * spread * (1 - 2 * self._chances)
            self._cumulants = np.concatenate([self._sign * self._chances, spread, third], axis=-1)
        return self._cumulants

    def product(self, rows: NDArray[np.int64], grid: _Grid) -> NDArray[np.complex128]:
        """The characteristic function of the sum of the yes and no of these rows: second ahead, frequency."""
        turn = grid.turns if self._sign > 0 else grid.turns.conj()
        product: NDArray[np.complex128] = np.multiply.reduce(1 + self._chances[rows][:, :, None] * (turn - 1), axis=0)
        return product


_Rows = Sequence[tuple[_Chances, NDArray[np.int64]]]


class _Exact:
    """The law of a sum, from the product of characteristic functions."""

    def __init__(self, free: int, rows: _Rows, grid: _Grid, call: _Chances, answer_at: Array) -> None:
        weighted = grid.turns**free * grid.none_free * answer_at[:, None]
        for chances, ages in rows:
            weighted *= chances.product(ages, grid)
        self._weighted = weighted
        self._call = call.product(call.rows(_USUAL, _USUAL), grid)

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
        self._net, self._call, self._answer_at = net, call.cumulants[call.rows(_USUAL, _USUAL)[0]], answer_at

    def risk(self, more: int) -> float:
        """See _Exact."""
        return float(_none_free(self._net + more * self._call) @ self._answer_at)


def _by_second(lifetimes: Lifetimes, lasting_s: Array, until_s: int) -> Array:
    """P(it lasts longer than 0, 1, … seconds)."""
    survival = np.maximum(lifetimes.survival(lasting_s), 1e-300)
    edges, seconds = np.arange(len(survival)) * lifetimes.step_s, np.arange(until_s + 1.0)
    rate = np.log(survival[-2] / survival[-1]) / lifetimes.step_s  # of the last step, and of all ages beyond it
    beyond = np.exp(-rate * np.maximum(seconds - edges[-1], 0))
    found: Array = np.maximum(np.interp(seconds, edges, survival) * beyond, 1e-9)
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
