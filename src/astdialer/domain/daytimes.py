"""Hours of the local day, and what a zone's clock shows over years: for looking calls up by the hour."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from astdialer.domain.calendar import DAY_MS, MINUTE_MS, zone_of
from astdialer.domain.errors import InvalidSetting

_RANGE = re.compile(r"\s*(\d{1,2})(?::?([0-5]\d))?\s*-\s*(\d{1,2})(?::?([0-5]\d))?\s*", re.ASCII)
#: No zone changes its clock twice in so short a time.
_STEP_MS = 7 * DAY_MS


class DayRange(NamedTuple):
    """From (inclusive) to (exclusive), ms of the local day. One that ends before it begins goes past midnight."""

    start: int
    end: int


def parse_day_range(key: str, text: str) -> DayRange:
    """``09:00-18:30``, ``9-18`` or ``0900-1830``, up to 24:00. Raises InvalidSetting."""
    match = _RANGE.fullmatch(text)
    if match:
        first, last = (int(hours) * 60 + int(minutes or 0) for hours, minutes in (match.group(1, 2), match.group(3, 4)))
        if first < 1440 and last <= 1440 and first != last:
            return DayRange(first * MINUTE_MS, last * MINUTE_MS)
    raise InvalidSetting(key, text, "two different times of the day, such as 09:00-18:30 or 9-18")


def offsets(zone: str, from_at: int, until: int) -> list[tuple[int, int]]:
    """What the zone's clock is ahead of UTC, ms, and from when on: at ``from_at``, and at each change before ``until``.

    Raises InvalidSetting for an unknown zone.
    """
    found = [(from_at, _offset(zone, from_at))]
    at = from_at
    while at < until:
        following = min(at + _STEP_MS, until)
        if _offset(zone, following) != found[-1][1]:
            found.append(_change(zone, at, following))
        at = following
    return found


def _offset(zone: str, at: int) -> int:
    ahead = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone_of(zone)).utcoffset()
    return round(ahead.total_seconds() * 1000) if ahead else 0


def _change(zone: str, before: int, after: int) -> tuple[int, int]:
    """When, between two instants, the clock begins to show what it shows at the second one."""
    shown = _offset(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _offset(zone, middle) == shown else (middle, after)
    return after, shown
