"""When a number may be dialed: calling windows and working calendars in the number's own zones.

Everything is reduced to the spans of a local day in which it is open, and one search, ``first_open``, that walks from
one span or midnight to the next. Between two changes of the clock a zone's local time is plain arithmetic, so the
search asks for the offset once a step and looks for the change only where the offset differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from astdialer.domain.errors import InvalidSetting

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE_MS, DAY_MS = 60_000, 86_400_000
#: How far ahead an opening is looked for: a yearly one is found.
SEARCHED_MS = 400 * DAY_MS
#: Milliseconds of the local day, from (inclusive) to (exclusive).
Span = tuple[int, int]
#: The spans of a local day in which something is open, sorted and apart.
Spans = Callable[[date], Sequence[Span]]

_EPOCH = date(1970, 1, 1).toordinal()
_NEW_YEAR_2026, _YEAR_3000 = 1_767_225_600_000, 32_503_680_000_000
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_FIXED = re.compile(r"UTC([+-])(0\d|1[0-4]):([0-5]\d)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ZONES, _NAMES, _INSTANTS = "an IANA name such as Europe/Madrid, or UTC+05:30", 64, "milliseconds since 1970 UTC"
_CALENDAR_HOURS = "days and hours such as mon-fri 09:00-13:00, mon-fri 14:00-18:00, sat 10:00-14:00"
_HOLIDAY = f"DATE [yearly] NAME, such as 2026-12-25 yearly Christmas, the name of {_NAMES} characters at most"


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name, or of a fixed offset such as UTC+05:30; raises InvalidSetting for any other name."""
    if name == "UTC":
        return UTC
    if fixed := _FIXED.fullmatch(name):
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(-offset if fixed[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSetting("timezone", name, _ZONES) from error


def split_zones(text: str) -> tuple[str, ...]:
    """The zones of a number's zones text: none if they are unknown, several if its prefix spans several."""
    return tuple(filter(None, text.split("|")))


def join_zones(zones: Iterable[str]) -> str:
    """Zones as the text that is stored with a number: ``Asia/Omsk|Europe/Moscow``."""
    return "|".join(sorted(set(filter(None, zones))))


def local_day(zone: str, at: int) -> tuple[date, int]:
    """The local date and the minute of that day."""
    day, since_midnight = divmod(at + _offset(zone, at), DAY_MS)
    return date.fromordinal(day + _EPOCH), since_midnight // MINUTE_MS


def first_open(zone: str, at: int, until: int, spans: Spans) -> int | None:
    """The first instant in [at, until) inside a span of its local day."""
    offset = _offset(zone, at)
    while at < until:
        wait = _wait(zone, at, offset, spans)
        if wait == 0:
            return at
        following = _offset(zone, at + wait)
        # what was skipped or repeated by a change of the clock is seen by looking again at the change
        at = at + wait if following == offset else _change(zone, at, at + wait)
        offset = _offset(zone, at)
    return None


def first_agreed(at: int, searches: Sequence[Callable[[int], int | None]]) -> int | None:
    """The first instant from ``at`` on that every search returns for itself; None if one finds no more.

    Without searches it is None: nothing is known to be open.
    """
    agreed = 0
    while agreed < len(searches):
        found = searches[agreed](at)
        if found is None:
            return None
        # after one that moved on, the first are asked again: they are those that are likely to disagree
        agreed = agreed + 1 if found == at or agreed == 0 else 0
        at = found
    return at if searches else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingWindow:
    """Minutes of the local day, from (inclusive) to (exclusive), on some weekdays (0 is Monday)."""

    start_minute: int
    end_minute: int
    weekdays: frozenset[int]

    def is_open(self, zone: str, at: int) -> bool:
        """Whether a number in ``zone`` may be dialed at ``at``."""
        return _wait(zone, at, _offset(zone, at), self.spans) == 0

    def next_open(self, zone: str, at: int) -> int | None:
        """The first instant from ``at`` on at which it may be dialed, or None if no weekday is allowed."""
        return first_open(zone, at, at + SEARCHED_MS, self.spans)

    def spans(self, day: date) -> tuple[Span, ...]:
        """When it is open on a day."""
        if day.weekday() not in self.weekdays:
            return ()
        return ((self.start_minute * MINUTE_MS, self.end_minute * MINUTE_MS),)


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes of the local day, from (inclusive) to (exclusive), on some weekdays (0 is Monday)."""

    weekdays: frozenset[int]
    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day off, whole, once or in every year. 29 February comes in leap years only."""

    name: str
    date: date
    yearly: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """The hours in which an organisation dials, its days off, and from when until when it dials at all."""

    name: str
    timezone: str = ""  #: of numbers whose own zone is unknown; empty: none
    hours: tuple[Hours, ...]
    exceptions: tuple[Holiday, ...] = ()
    starts_at: int | None = None  #: nothing is open before
    ends_at: int | None = None  #: nothing is open from then on
    _once: frozenset[date] = field(init=False, repr=False, compare=False)
    _yearly: frozenset[tuple[int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Days off are asked for at every step of a search: found without walking the list."""
        yearly = frozenset((off.date.month, off.date.day) for off in self.exceptions if off.yearly)
        object.__setattr__(self, "_once", frozenset(off.date for off in self.exceptions if not off.yearly))
        object.__setattr__(self, "_yearly", yearly)

    def is_day_off(self, day: date) -> bool:
        """Whether a local date is excepted."""
        return day in self._once or (day.month, day.day) in self._yearly

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and TOML, from which ``from_dict`` makes the same calendar."""
        plain = {
            "name": self.name,
            "timezone": self.timezone,
            "hours": calendar_hours_text(self.hours),
            "exceptions": [holiday_text(off) for off in self.exceptions],
        }
        instants = {"starts_at": self.starts_at, "ends_at": self.ends_at}
        return plain | {key: at for key, at in instants.items() if at is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WorkingCalendar:
        """Raises InvalidSetting that names the key and what was expected."""
        unknown = set(values) - {"name", "timezone", "hours", "exceptions", "starts_at", "ends_at"}
        if unknown:
            raise InvalidSetting(min(unknown), values[min(unknown)], "name, timezone, hours, exceptions or an instant")
        starts_at, ends_at = _instant(values, "starts_at"), _instant(values, "ends_at")
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            raise InvalidSetting("ends_at", ends_at, f"an instant after starts_at, {starts_at}")
        return cls(
            name=_calendar_name(values.get("name")),
            timezone=_calendar_zone(values.get("timezone", "")),
            hours=parse_calendar_hours(values.get("hours")),
            exceptions=_holidays(values.get("exceptions", [])),
            starts_at=starts_at,
            ends_at=ends_at,
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """A campaign's window and calendar together, in the zones of a number: open when both are, in all of them.

    Without any zone nothing is open: whoever knows a default has to put it in.
    """

    window: CallingWindow
    calendar: WorkingCalendar | None = None
    _week: tuple[tuple[Span, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """What is open on each weekday is the same in every week."""
        object.__setattr__(self, "_week", tuple(_weekday_spans(self.window, self.calendar, n) for n in range(7)))

    def is_open(self, zones: Sequence[str], at: int) -> bool:
        """Whether a number in ``zones`` may be dialed at ``at``."""
        if not zones or not self.has_begun(at) or self.has_ended(at):
            return False
        return all(_wait(zone, at, _offset(zone, at), self.spans) == 0 for zone in zones)

    def next_open(self, zones: Sequence[str], at: int) -> int | None:
        """The first instant from ``at`` on at which it may be dialed; None: not in 400 days, or not any more."""
        starts_at = (self.calendar and self.calendar.starts_at) or at
        until = at + SEARCHED_MS
        if self.calendar and self.calendar.ends_at is not None:
            until = min(until, self.calendar.ends_at)
        searches = [lambda t, zone=zone: first_open(zone, t, until, self.spans) for zone in _spread(tuple(zones))]
        return first_agreed(max(at, starts_at), searches)

    def has_begun(self, at: int) -> bool:
        """Whether the calendar's first instant has come."""
        return self.calendar is None or self.calendar.starts_at is None or self.calendar.starts_at <= at

    def has_ended(self, at: int) -> bool:
        """Whether nothing will be open any more."""
        return self.calendar is not None and self.calendar.ends_at is not None and self.calendar.ends_at <= at

    def spans(self, day: date) -> tuple[Span, ...]:
        """When it is open on a local day."""
        spans = self._week[day.weekday()]
        return () if spans and self.calendar and self.calendar.is_day_off(day) else spans


def parse_hours(text: str) -> tuple[int, int]:
    """``08:00-21:00`` as minutes of the day; raises InvalidSetting."""
    match = _HOURS.fullmatch(text.strip())
    if match:
        from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
        start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
        if max(from_minute, to_minute) < 60 and start < end <= 24 * 60:
            return start, end
    raise InvalidSetting("calling_hours", text, "HH:MM-HH:MM within one day, such as 08:00-21:00")


def hours_text(start_minute: int, end_minute: int) -> str:
    """Minutes of the day as ``08:00-21:00``."""
    return f"{start_minute // 60:02}:{start_minute % 60:02}-{end_minute // 60:02}:{end_minute % 60:02}"


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


def weekdays_text(weekdays: frozenset[int]) -> str:
    """Weekday numbers as ``mon-fri`` or ``mon,wed,sat``."""
    firsts = [day for day in range(7) if day in weekdays and day - 1 not in weekdays]
    lasts = [day for day in range(7) if day in weekdays and day + 1 not in weekdays]
    runs = zip(firsts, lasts, strict=True)
    return ",".join(DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}" for first, last in runs)


def parse_calendar_hours(text: Any) -> tuple[Hours, ...]:
    """``mon,wed-fri 09:00-13:00, sat 10:00-14:00``; raises InvalidSetting, also for no hours at all."""
    hours: list[Hours] = []
    days: list[str] = []
    try:
        for words in (piece.split() for piece in _text("hours", text, _CALENDAR_HOURS).split(",")):
            day, *times = words
            days.append(day)
            if times:
                hours.append(Hours(parse_weekdays(",".join(days)), *parse_hours(" ".join(times))))
                days.clear()
    except (InvalidSetting, ValueError) as error:
        raise InvalidSetting("hours", text, _CALENDAR_HOURS) from error
    if days:
        raise InvalidSetting("hours", text, _CALENDAR_HOURS)
    return tuple(hours)


def calendar_hours_text(hours: Iterable[Hours]) -> str:
    """What parse_calendar_hours reads."""
    return ", ".join(f"{weekdays_text(h.weekdays)} {hours_text(h.start_minute, h.end_minute)}" for h in hours)


def parse_holiday(text: Any) -> Holiday:
    """``2026-12-25 yearly Christmas`` or ``2026-12-28 Bridge``; raises InvalidSetting."""
    day, *words = _text("exceptions", text, _HOLIDAY).split() or [""]
    repeat = words.pop(0) if words and words[0] in {"yearly", "once"} else "once"
    name = " ".join(words)
    try:
        if not _DATE.fullmatch(day) or len(name) > _NAMES or not name.isprintable():
            raise ValueError(day)
        return Holiday(name, date.fromisoformat(day), repeat == "yearly")
    except ValueError as error:
        raise InvalidSetting("exceptions", text, _HOLIDAY) from error


def holiday_text(off: Holiday) -> str:
    """What parse_holiday reads. ``once`` is only said where the name would be taken for it."""
    is_mistakable = off.name.split(" ")[0] in {"yearly", "once"}
    repeat = "yearly" if off.yearly else "once" if is_mistakable else ""
    return " ".join(filter(None, (off.date.isoformat(), repeat, off.name)))


def _holidays(texts: Any) -> tuple[Holiday, ...]:
    if not isinstance(texts, list | tuple):
        raise InvalidSetting("exceptions", texts, f"a list of {_HOLIDAY}")
    return tuple(map(parse_holiday, texts))


def _calendar_name(value: Any) -> str:
    expected = f"a name of 1 to {_NAMES} printable characters"
    name = _text("name", value, expected).strip()
    if not 1 <= len(name) <= _NAMES or not name.isprintable():
        raise InvalidSetting("name", value, expected)
    return name


def _calendar_zone(value: Any) -> str:
    zone = _text("timezone", value, _ZONES)
    if zone:
        zone_of(zone)
    return zone


def _text(key: str, value: Any, expected: str) -> str:
    if not isinstance(value, str):
        raise InvalidSetting(key, value, expected)
    return value


def _instant(values: Mapping[str, Any], key: str) -> int | None:
    at = values.get(key)
    if at is None or (type(at) is int and 0 <= at < _YEAR_3000):
        return at
    raise InvalidSetting(key, at, _INSTANTS)


def _weekday_spans(window: CallingWindow, calendar: WorkingCalendar | None, weekday: int) -> tuple[Span, ...]:
    """What window and calendar have in common on a weekday, days off apart; hours that touch become one span."""
    if weekday not in window.weekdays:
        return ()
    low, high = window.start_minute, window.end_minute
    hours = calendar.hours if calendar else (Hours(window.weekdays, low, high),)
    spans: list[Span] = []
    for h in sorted((h for h in hours if weekday in h.weekdays), key=lambda h: h.start_minute):
        start, end = max(low, h.start_minute) * MINUTE_MS, min(high, h.end_minute) * MINUTE_MS
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        elif start < end:
            spans.append((start, end))
    return tuple(spans)


@lru_cache(maxsize=1024)
def _spread(zones: tuple[str, ...]) -> tuple[str, ...]:
    """The zones in the order in which each is farthest from those before it, round the clock.

    Of many zones the first few then tell what is never open together; the order changes no result.
    """
    rest = {zone: _offset(zone, _NEW_YEAR_2026) for zone in sorted(set(zones))}
    chosen: dict[str, int] = {}
    while rest:
        zone = max(rest, key=lambda z: min((_apart(rest[z], other) for other in chosen.values()), default=0))
        chosen[zone] = rest.pop(zone)
    return tuple(chosen)


def _apart(offset: int, other: int) -> int:
    """Milliseconds between two times of the day."""
    return min((offset - other) % DAY_MS, (other - offset) % DAY_MS)


def _wait(zone: str, at: int, offset: int, spans: Spans) -> int:
    """Milliseconds from ``at`` to the next span of its local day, or to midnight; 0 inside a span."""
    day, since_midnight = divmod(at + offset, DAY_MS)
    for start, end in spans(date.fromordinal(day + _EPOCH)):
        if since_midnight < end:
            return max(0, start - since_midnight)
    return DAY_MS - since_midnight


def _offset(zone: str, at: int) -> int:
    """Milliseconds by which local time is ahead of UTC."""
    offset = datetime.fromtimestamp(at // 1000, tz=zone_of(zone)).utcoffset() or timedelta()
    return (offset.days * 86_400 + offset.seconds) * 1000


def _change(zone: str, before: int, after: int) -> int:
    """The instant in (before, after], at most a day apart, at which the clock is changed.

    No zone has ever changed its clock twice within two days.
    """
    old = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after
