"""Calling windows in a number's own zone, across daylight-saving changes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from astdialer.domain.errors import InvalidSetting

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE_MS, DAY_MS = 60_000, 86_400_000
#: A window of one weekday may be skipped once by a change of the clock.
SEARCHED_DAYS = 16
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingWindow:
    """Minutes of the local day, from (inclusive) to (exclusive), on some weekdays (0 is Monday)."""

    start_minute: int
    end_minute: int
    weekdays: frozenset[int]

    def is_open(self, zone: str, at: int) -> bool:
        """Whether a number in ``zone`` (IANA) may be dialed at ``at``."""
        local = _local(zone, at)
        return local.weekday() in self.weekdays and self.start_minute <= _minute(local) < self.end_minute

    def next_open(self, zone: str, at: int) -> int | None:
        """The first instant from ``at`` on at which it may be dialed, or None if no weekday is allowed."""
        if self.is_open(zone, at):
            return at
        today = _local(zone, at).date()
        for day in (today + timedelta(days=n) for n in range(SEARCHED_DAYS)):
            for instant in self._candidates(day, zone):
                if instant >= at and self.is_open(zone, instant):
                    return instant
        return None

    def _candidates(self, day: date, zone: str) -> Iterable[int]:
        """Instants of a local day at which the window may open: its start, or any minute where the clock is changed."""
        midnight, next_midnight = _instant(day, 0, zone), _instant(day + timedelta(days=1), 0, zone)
        if next_midnight - midnight == DAY_MS:
            return (_instant(day, self.start_minute, zone),)
        return range(midnight, next_midnight, MINUTE_MS)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name; raises InvalidSetting for any other name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSetting("timezone", name, "an IANA name such as Europe/Madrid") from error


def parse_hours(text: str) -> tuple[int, int]:
    """``08:00-21:00`` as minutes of the day; raises InvalidSetting."""
    match = _HOURS.fullmatch(text.strip())
    if match:
        from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
        start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
        if max(from_minute, to_minute) < 60 and start < end <= 24 * 60:
            return start, end
    raise InvalidSetting("calling_hours", text, "HH:MM-HH:MM within one day, such as 08:00-21:00")


def parse_weekdays(text: str) -> frozenset[int]:
    """``mon-fri`` or ``mon,wed,sat`` as weekday numbers, 0 is Monday; raises InvalidSetting."""
    days: set[int] = set()
    for part in filter(None, (piece.strip().lower() for piece in text.split(","))):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise InvalidSetting("weekdays", text, "names such as mon-fri or mon,wed,sat")
        span = (DAYS.index(last or first) - DAYS.index(first)) % 7
        days.update((DAYS.index(first) + n) % 7 for n in range(span + 1))
    return frozenset(days)


def _instant(day: date, minute: int, zone: str) -> int:
    local = datetime.combine(day, time(*divmod(minute, 60)), tzinfo=zone_of(zone))
    return int(local.astimezone(UTC).timestamp() * 1000)


def _local(zone: str, at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, tz=zone_of(zone))


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute
