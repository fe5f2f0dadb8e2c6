"""Other ways of pacing, for comparison: known ones by their descriptions, and plain ones with a parameter.

VICIdial's and Webitel's loops are written from descriptions of what they do (docs/explanation/predictive-dialing.md
names them), in our own words; the talking is shortened by the simulator's law of two seconds for all alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from astdialer.simulator.day import Day
from astdialer.simulator.world import End


class Plain:
    """Pacing that learns nothing."""

    def call_ended(self, age_s: float, end: End) -> None: ...
    def served(self, *, in_time: bool) -> None: ...
    def verdict(self, age_s: float, *, person: bool) -> None: ...
    def talk_ended(self, age_s: float) -> None: ...
    def rest_ended(self, age_s: float) -> None: ...


@dataclass
class UpTo(Plain):
    """Calls under way up to ``slope`` · (idle agents - persons waiting - ``reserve``); 1 and 0: progressive."""

    slope: float = 1.0
    reserve: float = 0.0

    def decide(self, day: Day) -> int:
        wanted = self.slope * (day.free - len(day.waiting) - self.reserve)
        return max(0, round(wanted) - len(day.dialing) - len(day.analysed))


@dataclass
class Steady(Plain):
    """So many calls per second and logged-in agent, whatever happens."""

    rate: float
    _due: float = 0.0
    _at: float = 0.0

    def decide(self, day: Day) -> int:
        self._due += self.rate * day.logged_in * (day.now - self._at)
        self._at = day.now
        calls = int(self._due)
        self._due -= calls
        return calls


@dataclass
class Vicidial(Plain):
    """``method``: ratio (the level stays), hard, average or tapered."""

    level: float = 1.0
    method: str = "ratio"
    most: float = 3.0
    limit: float = 0.03
    available_only: bool = False
    _samples: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=15))
    _ticks: int = 0
    _next_dial: float = 0.0
    _next_tick: float = 0.0
    _now: float = 0.0
    _late: list[float] = field(default_factory=list)  # when the slots of unanswered calls are free again
    _minute: deque[tuple[float, int, int, int]] = field(default_factory=deque)

    def call_ended(self, age_s: float, end: End) -> None:
        if end is End.NOBODY:  # counted until the dial timeout, the drop time and 7 s have passed
            self._late.append(self._now + max(0.0, 26 + 5 + 7 - age_s))

    def decide(self, day: Day) -> int:
        self._now = day.now
        if day.now >= self._next_tick:
            self._next_tick = day.now + 1
            self._tick(day)
        if day.now < self._next_dial:
            return 0
        self._next_dial = day.now + 2.5
        self._late = [at for at in self._late if at > day.now]
        busy = len(day.talking)
        agents = day.free if self.available_only else day.free + busy
        goal = round(self.level * agents + (busy if self.available_only else 0))
        have = len(day.dialing) + len(day.analysed) + len(day.waiting) + busy + len(self._late)
        return max(0, goal - have)

    def _tick(self, day: Day) -> None:
        self._samples.append((day.free, len(day.waiting), day.logged_in))
        self._ticks += 1
        self._minute.append((day.now, day.record.abandoned, day.record.dialed, day.record.answered))
        while self._minute[0][0] < day.now - 60:
            self._minute.popleft()
        if self.method != "ratio" and self._ticks % 15 == 0:
            self._adapt(day)

    def _adapt(self, day: Day) -> None:
        count = len(self._samples)
        ready, waiting, total = (sum(column) / count for column in zip(*self._samples, strict=True))
        level = round(self.level * (1 + (ready - waiting) / total), 3) if total else self.level
        level = max(1.0, min(level, self.most))
        record, (_, drops, calls, _) = day.record, self._minute[0]
        placed = record.dialed - calls
        if placed > 20 and (record.abandoned - drops) / placed > 0.5:
            level /= 2
        if record.answered > 50 and record.abandonment > self.limit:
            level = self._over(day, level)
        self.level = max(1.0, level)

    def _over(self, day: Day, level: float) -> float:
        """The limit is passed: what the method does."""
        if self.method == "average":
            return level / 2
        if self.method == "tapered":
            hours, seconds = divmod(9 * 3600 + day.now, 3600)
            left = 1700 - (int(hours) * 100 + int(seconds // 60))  # plain subtraction of HHMM
            return level * min(1.0, left / 1000) if left >= 0 else 1.0
        return 1.0


@dataclass
class Webitel(Plain):
    """The over-dial factor of version 4, renewed each 30 s over the last hour; in flight up to factor x idle."""

    target: float = 0.03
    most: float = 0.03
    load: float = 10.0
    least_bridged: int = 10
    _factor: float = 1.0
    _next: float = 0.0
    _hour: deque[tuple[float, int, int, int]] = field(default_factory=deque)

    def decide(self, day: Day) -> int:
        if day.now >= self._next:
            self._next = day.now + 30
            self._renew(day)
        wanted = round(self._factor * (day.free - len(day.waiting)))
        return max(0, wanted - len(day.dialing) - len(day.analysed))

    def _renew(self, day: Day) -> None:
        record = day.record
        self._hour.append((day.now, record.dialed, record.answered, record.abandoned))
        while self._hour[0][0] < day.now - 3600:
            self._hour.popleft()
        _, dialed, answered, abandoned = self._hour[0]
        dialed, answered, abandoned = record.dialed - dialed, record.answered - answered, record.abandoned - abandoned
        if record.connected < self.least_bridged or not answered or not dialed:
            self._factor = 1.0
            return
        over, now = dialed / answered, 100 * abandoned / answered
        target, most = 100 * self.target, 100 * self.most
        away = target - now or 0.99
        if now >= most:
            self._factor = 1.0
        elif away > 0:
            self._factor = over + over * away * self.load / 100
        else:
            self._factor = over * ((most - now) * (100 + self.load) / most) / 100
        self._factor = max(1.0, self._factor)


def tuned(make: Callable[[float], float], low: float, high: float, limit: float = 0.03, steps: int = 7) -> float:
    """In hindsight: the largest parameter whose abandonment, which ``make`` gives, is within the limit."""
    for _ in range(steps):
        middle = (low + high) / 2
        if make(middle) <= limit:
            low = middle
        else:
            high = middle
    return low
