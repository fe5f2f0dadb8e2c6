"""Laws learned from what a dialer sees: how long talks and rests last, and what becomes of calls.

Both learn from what has ended and from what still lasts: leaving the latter out makes short talks and quick failures
seem the rule, worst so in the first minutes. Both forget, at a settable pace. Times are seconds, ages begin at the
start of what lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A step of a life goes by its own rate of ends once so many seconds were spent in it, and by the overall rate before.
_THIN_S = 60.0
#: What is assumed of calls before any was seen counts like so many.
_ASSUMED_CALLS = 10.0
#: And of the laws of their times, like so many.
_ASSUMED_TIMES = 20.0
#: While few calls were seen, the share is taken so many standard errors higher: too many calls do more harm than few.
_CAUTION, _CAUTIOUS_CALLS = 1.3, 60.0
#: No share is believed to be beyond these.
_LEAST, _MOST = 0.005, 0.97


class Lifetimes:
    """How long something lasts: the rate of ends at each age (Kaplan and Meier 1958, in steps).

    ``memory``: after so many further ends an end counts 1/e. ``mean_s``: what is assumed at first; it counts like one
    end. Ages beyond the last step go by its rate.
    """

    def __init__(self, *, step_s: float, steps: int, mean_s: float, memory: float) -> None:
        self.step_s, self.mean_s, self.memory = step_s, mean_s, memory
        self.ends: Array = np.zeros(steps)
        self.spent_s: Array = np.zeros(steps)

    def ended(self, age_s: float) -> None:
        """One has lasted ``age_s``."""
        keep = 1 - 1 / self.memory
        self.ends *= keep
        self.spent_s *= keep
        step = min(int(age_s / self.step_s), len(self.ends) - 1)
        self.ends[step] += 1
        self.spent_s[:step] += self.step_s
        self.spent_s[step] += age_s - step * self.step_s

    @property
    def count(self) -> float:
        """Of the ends that are remembered."""
        return float(self.ends.sum())

    def survival(self, lasting_s: Array) -> Array:
        """P(one lasts longer than 0, 1, … steps); ``lasting_s``: the ages of those that have not ended."""
        spent_s = self.spent_s + self._spent(lasting_s)
        overall = (self.ends.sum() + 1) / (spent_s.sum() + self.mean_s)
        rate = (self.ends + overall * _THIN_S) / (spent_s + _THIN_S)
        survival: Array = np.exp(-np.concatenate([[0.0], np.cumsum(rate * self.step_s)]))
        return survival

    def _spent(self, ages_s: Array) -> Array:
        """How long those of these ages have been in each step."""
        last = len(self.ends) - 1
        steps = np.minimum((ages_s / self.step_s).astype(np.int64), last)
        within = np.bincount(steps, minlength=last + 1)
        behind = within[::-1].cumsum()[::-1] - within
        within_s = np.bincount(steps, weights=ages_s - steps * self.step_s, minlength=last + 1)
        return np.asarray(behind * self.step_s + within_s, np.float64)

    def kept(self) -> dict[str, Any]:
        """What is to be kept over a restart, for `restore`."""
        return {"ends": self.ends.tolist(), "spent_s": self.spent_s.tolist()}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from what was kept; what does not fit, of an older version, is left."""
        ends, spent_s = np.array(kept["ends"], float), np.array(kept["spent_s"], float)
        if ends.shape == spent_s.shape == self.ends.shape:
            self.ends, self.spent_s = ends, spent_s


class Answering:
    """Whether calls lead to a person, and how long that takes.

    ``share``: how many do, as assumed at first. ``memory``: after so many further calls one counts 1/e for the share;
    ``law_memory``: the same for the times, which change more slowly. ``longest_s``: by then every call has ended.
    """

    def __init__(
        self, *, step_s: float, longest_s: float, share: float, memory: float = 500, law_memory: float = 3000
    ) -> None:
        self.step_s, self.memory, self.law_memory = step_s, memory, law_memory
        self.share = share
        self.seen, self.reached = _ASSUMED_CALLS, _ASSUMED_CALLS * share
        steps = int(longest_s / step_s) + 8
        middle = (np.arange(steps) + 0.5) * step_s / longest_s
        # At first: people answer in the first half, and calls fail at any time, half of them for want of an answer.
        self.reached_at = _ASSUMED_TIMES * _normed(np.exp(-(((middle - 0.4) / 0.25) ** 2) / 2))
        self.failed_at = _ASSUMED_TIMES / 2 * (_normed(middle < 1) + _normed((middle > 0.93) & (middle < 1)))
        self._left: tuple[Array, Array] | None = None

    def ended(self, age_s: float, *, reached: bool) -> None:
        """A call has led to a person, or has failed, at this age."""
        keep = 1 - 1 / self.memory
        self.seen, self.reached = self.seen * keep + 1, self.reached * keep + reached
        self._left = None
        law = self.reached_at if reached else self.failed_at
        law *= 1 - 1 / self.law_memory
        law[min(int(age_s / self.step_s), len(law) - 1)] += 1

    def believed(self, under_way_s: Array, beyond: Array | None = None) -> float:
        """The share of calls that lead to a person, given those that are under way at these ages.

        These count with what is expected of them. Leaving them out, or counting them as failed, goes wrong whenever
        their number changes: of calls placed at the same time the quick failures end first. ``beyond``: the log-odds of
        each beyond what is usual.
        """
        expected = 0.0
        if len(under_way_s):
            rows = np.minimum((under_way_s / self.step_s).astype(np.int64), len(self.reached_at) - 1)
            reaching, failing = self._left_at()
            share = self.share if beyond is None else shifted(self.share, beyond)
            late, failing = share * reaching[rows], (1 - share) * failing[rows]
            expected = float((late / (late + failing + 1e-12)).sum())
        calls = self.seen + len(under_way_s)
        self.share = min(max((self.reached + expected) / calls, _LEAST), _MOST)
        return self.share

    def cautious(self, calls_under_way: int) -> float:
        """A share that the true one hardly exceeds; the more calls were seen, the nearer to the believed one."""
        error = (self.share * (1 - self.share) / (self.seen + calls_under_way)) ** 0.5
        higher: float = _CAUTION * error * min(1.0, _CAUTIOUS_CALLS / self.seen)
        return min(self.share + higher, _MOST)

    def chances(self, horizons_s: Array, shares: Array) -> Array:
        """What becomes of calls, if these shares of them lead to a person: P(it has done so within the horizon | it is
        under way at this age), by share, age in steps, and horizon."""
        reaching, failing = self._left_at()
        steps = len(reaching)
        late = shares[:, None] * reaching
        remaining = late + (1 - shares[:, None]) * failing + 1e-12
        ends = np.arange(steps)[:, None] + np.rint(horizons_s / self.step_s).astype(np.int64)[None, :]
        later = np.concatenate([late, np.zeros((len(shares), 1))], axis=1)[:, np.minimum(ends, steps)]
        found: Array = (late[:, :, None] - later) / remaining[:, :, None]
        return found

    def _left_at(self) -> tuple[Array, Array]:
        """Of calls that lead to a person, and of others, the share that has not ended at each age."""
        if self._left is None:
            self._left = _left(self.reached_at), _left(self.failed_at)
        return self._left

    def doubt(self) -> None:
        """What is known is old, or of something alike: it counts no more than what is assumed at first."""
        self._left = None
        fewer = min(1.0, _ASSUMED_CALLS / self.seen)
        self.seen, self.reached = self.seen * fewer, self.reached * fewer
        self.reached_at *= min(1.0, _ASSUMED_TIMES / self.reached_at.sum())
        self.failed_at *= min(1.0, _ASSUMED_TIMES / self.failed_at.sum())

    def kept(self) -> dict[str, Any]:
        """What is to be kept over a restart, for `restore`."""
        return {
            "seen": self.seen,
            "reached": self.reached,
            "reached_at": self.reached_at.tolist(),
            "failed_at": self.failed_at.tolist(),
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from what was kept; laws that do not fit, because the calls ring longer now, are left."""
        self.seen, self.reached = float(kept["seen"]), float(kept["reached"])
        self.share = min(max(self.reached / self.seen, _LEAST), _MOST)
        reached_at, failed_at = np.array(kept["reached_at"], float), np.array(kept["failed_at"], float)
        if reached_at.shape == failed_at.shape == self.reached_at.shape:
            self.reached_at, self.failed_at, self._left = reached_at, failed_at, None


def shifted(share: float, beyond: Array) -> Array:
    """The share with its log-odds moved by so much."""
    odds = share / (1 - share) * np.exp(beyond)
    moved: Array = odds / (1 + odds)
    return moved


def _left(weights: Array) -> Array:
    """The share of the weights from each step on."""
    left: Array = weights[::-1].cumsum()[::-1] / weights.sum()
    return left


def _normed(weights: Any) -> Array:
    return np.asarray(weights / weights.sum(), float)
