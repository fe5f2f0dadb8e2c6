"""What became of people who answered, by day, as the law wants it counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from astdialer.domain.abandonment import BLOCK_DAYS, Counts, Tally, Window, spans, tally
from astdialer.domain.calendar import local_day
from astdialer.domain.disposition import PERSON_REACHED, Disposition
from astdialer.domain.settings import Settings

_DAY_MINUTES = 1440


class LegalCount:
    """Of one campaign: from the statistics of its days, which nothing zeroes, and from calls as they are closed."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], first_call_at: int | None) -> None:
        self._days: dict[date, Counts] = defaultdict(Counts)
        self._first_day: date | None = None
        self._first_call_at = first_call_at  #: of today, as far as that is known
        for row in rows:
            self.add(row["day"], Disposition(row["disposition"]), row["n"])

    def add(self, day: str, disposition: Disposition, count: int = 1) -> None:
        """Attempts of a day have ended so."""
        on = date.fromisoformat(day)
        abandoned = count if disposition is Disposition.ABANDONED else 0
        connected = count - abandoned if disposition in PERSON_REACHED else 0
        machines = count if disposition is Disposition.MACHINE else 0
        self._days[on] += Counts(connected=connected, abandoned=abandoned, machines=machines)
        self._first_day = min(self._first_day or on, on)
        for old in [each for each in self._days if each < on - timedelta(days=BLOCK_DAYS + 1)]:
            del self._days[old]  # no window reaches so far back

    def windows(self, settings: Settings, zone: str, now: int, connected: int) -> Sequence[Window]:
        """Those that ``now`` is in, the longest first. ``connected``: people who talk right now."""
        today, minute = local_day(zone, now)
        return [
            Window(
                self._tally(settings, since, connected),
                dialed_s=self._dialed_s(zone, today, now),
                left_s=_left_s(settings, minute) if span == "day" else None,
                span=span,
                since=since.isoformat(),
            )
            for span, since in spans(settings.abandonment_profile, self._first_day or today, today)
        ]

    def _tally(self, settings: Settings, since: date, connected: int) -> Tally:
        counts = sum((of for day, of in self._days.items() if day >= since), Counts(connected=connected))
        false_machines = settings.amd_false_machines / 100
        return tally(settings.abandonment_profile, counts, amd=settings.amd, false_machines=false_machines)

    def _dialed_s(self, zone: str, today: date, now: int) -> float:
        """Since today's first call."""
        first = self._first_call_at
        if first is None or local_day(zone, first)[0] != today:
            first = self._first_call_at = now
        return (now - first) / 1000


def _left_s(settings: Settings, minute: int) -> float:
    """Until the calling hours end, or the day."""
    end = settings.window.end_minute
    return 60.0 * ((end if minute < end else _DAY_MINUTES) - minute)
