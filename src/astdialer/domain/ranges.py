"""Types of number and the ranges of the local day in which each may be dialed, with attempts for every range and day.

Webitel's ``communications.types[].ranges``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from astdialer.domain.calendar import (
    MINUTE_MS,
    SEARCHED_MS,
    Schedule,
    Span,
    first_agreed,
    first_open,
    hours_text,
    local_day,
    parse_hours,
)
from astdialer.domain.errors import InvalidSetting

_RANGE = re.compile(r"([A-Za-z0-9_-]{1,32})=([\d:]+-[\d:]+)/(\d{1,6})(?:@(-?\d{1,6}))?", re.ASCII)
_EXPECTED = "TYPE=HH:MM-HH:MM/ATTEMPTS@PRIORITY joined by ; such as M=09:00-12:00/2@10;H=18:00-21:00/1"


@dataclass(frozen=True, slots=True)
class Range:
    """Minutes of the local day, from (inclusive) to (exclusive), in which a type's numbers may be dialed."""

    type: str
    start_minute: int
    end_minute: int
    attempts: int  #: to one number, on each day
    priority: int = 0  #: of the type's numbers while it is current; higher first


def parse_ranges(text: str) -> dict[str, tuple[Range, ...]]:
    """``M=09:00-12:00/2@10;M=14:00-18:00/1`` as each type's ranges, in their order; raises InvalidSetting."""
    ranges: dict[str, tuple[Range, ...]] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        found = _range(part)
        ranges[found.type] = (*ranges.get(found.type, ()), found)
    return ranges


def ranges_text(ranges: Mapping[str, Iterable[Range]]) -> str:
    """What parse_ranges reads."""
    return ";".join(_range_text(each) for of_type in ranges.values() for each in of_type)


def current(ranges: Iterable[Range], minute: int) -> Range | None:
    """The range of a minute of the local day: the first that fits and allows attempts at all."""
    fitting = (r for r in ranges if r.attempts > 0 and r.start_minute <= minute < r.end_minute)
    return next(fitting, None)


def key(of: Range, local_date: date) -> str:
    """Under which the attempts in a range are counted: a new day is a new key."""
    return f"{local_date.isoformat()}/{of.start_minute}-{of.end_minute}"


def next_callable(
    ranges: tuple[Range, ...], tally: Mapping[str, int], schedule: Schedule, zones: Sequence[str], at: int
) -> int | None:
    """The first instant from ``at`` on at which the schedule is open and a range is current that has attempts left.

    Ranges are read in the first zone, the schedule in all. No ranges are no restriction. None: not in 400 days.
    """
    if not ranges or not zones:
        return schedule.next_open(zones, at)
    pieces, until = _pieces(ranges), at + SEARCHED_MS

    def spans(day: date) -> list[Span]:
        return [span for span, its_range in pieces if _left(its_range, tally, day) > 0]

    return first_agreed(at, (lambda t: schedule.next_open(zones, t), lambda t: first_open(zones[0], t, until, spans)))


def exhausted_today(ranges: Iterable[Range], tally: Mapping[str, int], zone: str, at: int) -> bool:
    """Whether today's latest range that allows attempts has none left (Webitel's oneDayTask).

    Ranges that allow no attempts at all are exhausted on every day, no ranges on none.
    """
    today, _ = local_day(zone, at)
    known = tuple(ranges)
    latest = max((r for r in known if r.attempts > 0), key=lambda r: r.end_minute, default=None)
    return bool(known) and (latest is None or _left(latest, tally, today) <= 0)


def _range(part: str) -> Range:
    match = _RANGE.fullmatch(part)
    if not match:
        raise InvalidSetting("ranges", part, _EXPECTED)
    kind, hours, attempts, priority = match.groups(default="0")
    try:
        return Range(kind, *parse_hours(hours), int(attempts), int(priority))
    except InvalidSetting as error:
        raise InvalidSetting("ranges", part, _EXPECTED) from error


def _range_text(of: Range) -> str:
    priority = f"@{of.priority}" if of.priority else ""
    return f"{of.type}={hours_text(of.start_minute, of.end_minute)}/{of.attempts}{priority}"


def _pieces(ranges: tuple[Range, ...]) -> list[tuple[Span, Range]]:
    """A local day cut at every start and end, each piece with the range that is current in it."""
    cuts = sorted({minute for r in ranges for minute in (r.start_minute, r.end_minute)})
    pairs = ((start, end, current(ranges, start)) for start, end in pairwise(cuts))
    return [((start * MINUTE_MS, end * MINUTE_MS), its_range) for start, end, its_range in pairs if its_range]


def _left(of: Range, tally: Mapping[str, int], day: date) -> int:
    return of.attempts - tally.get(key(of, day), 0)
