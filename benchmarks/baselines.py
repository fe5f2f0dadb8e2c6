"""Other ways of pacing, for comparison: known ones by their descriptions, and plain ones with a parameter.

VICIdial's and Webitel's loops are written from descriptions of what they do (docs/explanation/predictive-dialing.md
names them), in our own words. People wait two seconds for all alike, though VICIdial's default is five.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from astdialer.simulator.day import Day, Pacing
from astdialer.simulator.world import End


@dataclass
class UpTo(Pacing):
    """Calls under way up to ``slope`` · (idle agents - persons waiting - ``reserve``); 1 and 0: progressive."""

    slope: float = 1.0
    reserve: float = 0.0

    def decide(self, day: Day) -> int:
        wanted = self.slope * (day.free - len(day.waiting) - self.reserve)
        return max(0, round(wanted) - len(day.dialing) - len(day.analysed))


@dataclass
class Steady(Pacing):
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


@dataclass(frozen=True, slots=True)
class Drops:
    """What VICIdial counts of a campaign, renewed each minute."""

    calls_today: int = 0
    answers_today: int = 0
    drops_today: int = 0
    calls_minute: int = 0
    drops_minute: int = 0

    @property
    def share_today(self) -> float:
        """Of today's answers, drops included."""
        return self.drops_today / self.answers_today if self.answers_today else 0.0


@dataclass
class Vicidial(Pacing):
    """``method``: ratio (the level stays), hard, average or tapered; what is not given is its default.

    One server, and no delay between its calls (it has 0.2 s), which favours it. ``slots_late``: it takes a call that
    nobody answered to be under way until the dial timeout, the drop time and 7 s have passed, unless told to log
    disconnections in more detail.
    """

    level: float = 1.0
    method: str = "ratio"
    most: float = 3.0
    limit: float = 0.03
    available_only: bool = False
    slots_late: bool = True
    slot_s: float = 26 + 5 + 7
    begins_s: float = 9 * 3600  #: the time of day at which the simulated one begins
    latest: int = 2100  #: HHMM until when tapered is tapering
    drops: Drops = Drops()
    _samples: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=15))
    _ticks: int = 0
    _next_dial: float = 0.0
    _next_tick: float = 0.0
    _now: float = 0.0
    _late: list[float] = field(default_factory=list)  # when the slots of unanswered calls are free again
    _minute_ago: tuple[int, int] = (0, 0)  # calls and drops

    def call_ended(self, age_s: float, end: End, known: tuple[str, ...] = ()) -> None:
        if end is End.NOBODY and self.slots_late:
            self._late.append(self._now + max(0.0, self.slot_s - age_s))

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
        if self._ticks % 60 == 0:
            self._count(day)
        self._ticks += 1
        if self.method != "ratio" and self._ticks % 15 == 0:
            count = len(self._samples)
            ready, waiting, total = (sum(column) / count for column in zip(*self._samples, strict=True))
            self.level = self.next_level(ready, waiting, total, day.now)

    def _count(self, day: Day) -> None:
        record, (calls, drops) = day.record, self._minute_ago
        of_minute = record.dialed - calls, record.abandoned - drops
        self.drops = Drops(record.dialed, record.answered, record.abandoned, *of_minute)
        self._minute_ago = record.dialed, record.abandoned

    def next_level(self, ready: float, waiting: float, total: float, now: float) -> float:
        """From the means of the last fifteen samples of agents and calls."""
        level = round(self.level * (1 + (ready - waiting) / total), 3) if total else self.level
        level = max(1.0, min(level, self.most))
        drops = self.drops
        if drops.calls_minute > 20 and drops.drops_minute / drops.calls_minute > 0.5:
            level /= 2
        if drops.calls_today > 50 and drops.share_today > self.limit:
            level = self._over(level, now)
        return max(1.0, level)

    def _over(self, level: float, now: float) -> float:
        """The limit is passed: what the method does."""
        if self.method == "average":
            return level / 2
        if self.method == "tapered":
            minutes = int(self.begins_s + now) // 60
            left = self.latest - (minutes // 60 * 100 + minutes % 60)  # plain subtraction of HHMM
            return level * min(1.0, left / 1000) if left >= 0 else 1.0
        return 1.0


def webitel_factor(over: float, now: float, *, target: float = 3.0, most: float = 3.0, load: float = 10.0) -> float:
    """Webitel's over-dial factor: ``over`` is calls per answer, ``now`` the abandoned answers in percent."""
    if now >= most:
        return 1.0
    away = target - now or 0.99
    if away > 0:
        return over + over * away * load / 100
    return over * ((most - now) * (100 + load) / most) / 100


@dataclass
class Webitel(Pacing):
    """Version 4: the over-dial factor over the last hour, renewed each minute; in flight up to factor x idle.

    Its statistics are of attempts that are over: people who are talking are not in them, abandoned ones are.
    """

    target: float = 3.0
    most: float = 3.0
    load: float = 10.0
    least_bridged: int = 10
    factor: float = 1.0
    _next: float = 0.0
    _over: list[int] = field(default_factory=lambda: [0, 0, 0])  # attempts that are: all, bridged, abandoned
    _hour: deque[tuple[float, int, int, int]] = field(default_factory=deque)

    def call_ended(self, age_s: float, end: End, known: tuple[str, ...] = ()) -> None:
        self._over[0] += end is not End.PERSON

    def served(self, *, in_time: bool) -> None:
        if not in_time:
            self._over[0] += 1
            self._over[2] += 1

    def talk_ended(self, age_s: float) -> None:
        self._over[0] += 1
        self._over[1] += 1

    def decide(self, day: Day) -> int:
        if day.now >= self._next:
            self._next = day.now + 60
            self._renew(day.now)
        wanted = round(self.factor * (day.free - len(day.waiting)))
        return max(0, wanted - len(day.dialing) - len(day.analysed))

    def _renew(self, now: float) -> None:
        self._hour.append((now, self._over[0], self._over[1], self._over[2]))
        while self._hour[0][0] < now - 3600:
            self._hour.popleft()
        attempts, bridged, abandoned = (n - before for n, before in zip(self._over, self._hour[0][1:], strict=True))
        self.factor = 1.0
        if bridged >= self.least_bridged:
            answered = bridged + abandoned
            rates = {"target": self.target, "most": self.most, "load": self.load}
            self.factor = max(1.0, webitel_factor(attempts / answered, 100 * abandoned / answered, **rates))


def tuned(rate: Callable[[float], float], low: float, high: float, limit: float = 0.03, steps: int = 7) -> float:
    """In hindsight: the largest parameter whose abandonment ``rate`` is within the limit, by halving the logarithm."""
    for _ in range(steps):
        middle = (low * high) ** 0.5
        if rate(middle) <= limit:
            low = middle
        else:
            high = middle
    return low
