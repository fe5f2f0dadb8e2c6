"""How quickly the engine and Asterisk work together, counted since the engine began."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

#: Upper bounds of the histogram's buckets, seconds.
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: The longest lag is told of so many ms.
LAG_KEPT_MS = 10_000


class Vitals:
    """Derived, and lost with the process, as every process's counters are."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0
        self._lag_ms = self._lag_at = 0

    def originated(self, seconds: float) -> None:
        """Asterisk has taken an Originate after so long."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def handled(self, seen_at: int, now: int) -> None:
        """An event was handled that had been read at ``seen_at``."""
        lag_ms = max(0, now - seen_at)
        if lag_ms >= self._lag_ms or not self._is_of_late(now):
            self._lag_ms, self._lag_at = lag_ms, now

    def _is_of_late(self, now: int) -> bool:
        return 0 <= now - self._lag_at <= LAG_KEPT_MS

    def view(self, now: int) -> dict[str, Any]:
        """For the live view: counts up to each bound, and the longest lag of late."""
        total, up_to = 0, []
        for count in self._counts:
            total += count
            up_to.append(total)
        return {
            "originate": {"bounds_s": list(BOUNDS_S), "up_to": up_to, "sum_s": round(self._sum_s, 4)},
            "event_lag_s": self._lag_ms / 1000 if self._is_of_late(now) else 0.0,
        }
