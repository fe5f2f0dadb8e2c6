"""What became of people who answered, by day, as the law wants it counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from astdialer.domain.abandonment import BLOCK_DAYS, Counts, Span, Tally, Window, spans, tally
from astdialer.domain.calendar import local_day
from astdialer.domain.disposition import Disposition
from astdialer.domain.settings import Settings

_DAY_MINUTES = 1440


class _Instant(NamedTuple):
    """Now, in the campaign's zone."""

    at: int
    today: date
    minute: int  #: of the day


class LegalCount:
    """Of one campaign: from the statistics of its days, which nothing zeroes, and from calls as they are closed."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], first_call: tuple[date, int] | None = None) -> None:
        """``first_call``: of today, and when it began."""
        self._days: dict[date, Counts] = defaultdict(Counts)
        self._first_day: date | None = None
        self._first_call = first_call
        for row in rows:
            self.add(row["day"], Disposition(row["disposition"]), row["n"])

    def add(self, day: str, disposition: Disposition, count: int = 1, *, dialed_at: int | None = None) -> None:
        """Attempts of a day have ended so. Who hung up at once, ``short``, was neither connected nor abandoned."""
        on = date.fromisoformat(day)
        if dialed_at is not None and (self._first_call is None or self._first_call[0] != on):
            self._first_call = on, dialed_at
        abandoned = count if disposition is Disposition.ABANDONED else 0
        connected = count if disposition is Disposition.ANSWERED else 0
        machines = count if disposition is Disposition.MACHINE else 0
        self._days[on] += Counts(connected=connected, abandoned=abandoned, machines=machines)
        self._first_day = min(self._first_day or on, on)
        for old in [each for each in self._days if each < on - timedelta(days=BLOCK_DAYS + 1)]:
            del self._days[old]  # no window reaches so far back

    def windows(self, settings: Settings, zone: str, now: int, connected: int) -> Sequence[Window]:
        """Those that ``now`` is in, the longest first. ``connected``: people who talk right now."""
        instant = _Instant(now, *local_day(zone, now))
        first = self._first_day or instant.today
        of_law = spans(settings.abandonment_profile, first, instant.today)
        return [self._window(settings, span, instant, connected) for span in of_law]

    def _window(self, settings: Settings, span: Span, now: _Instant, connected: int) -> Window:
        """How long a window of several days lasts still is reckoned in days of calling hours."""
        day_s = 60.0 * (settings.window.end_minute - settings.window.start_minute)
        days_before = sum(span.begins <= day < now.today for day in self._days)
        return Window(
            self._tally(settings, span.begins, connected),
            dialed_s=days_before * day_s + self._dialed_s(now),
            left_s=(span.ends - now.today).days * day_s + _left_s(settings, now.minute),
            span=span.name,
            since=span.begins.isoformat(),
        )

    def _tally(self, settings: Settings, since: date, connected: int) -> Tally:
        counts = sum((of for day, of in self._days.items() if day >= since), Counts(connected=connected))
        false_machines = settings.amd_false_machines / 100
        return tally(settings.abandonment_profile, counts, amd=settings.amd, false_machines=false_machines)

    def _dialed_s(self, now: _Instant) -> float:
        """Since today's first call."""
        on, began_at = self._first_call or (None, 0)
        return (now.at - began_at) / 1000 if on == now.today else 0.0


def _left_s(settings: Settings, minute: int) -> float:
    """Until the calling hours end, or the day."""
    end = settings.window.end_minute
    return 60.0 * ((end if minute < end else _DAY_MINUTES) - minute)
