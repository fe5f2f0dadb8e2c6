"""Working calendars and schedules against a slow oracle that looks at every minute."""

import json
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astdialer.domain.calendar import (
    DAY_MS,
    CallingWindow,
    Holiday,
    Hours,
    Schedule,
    WorkingCalendar,
    calendar_hours_text,
    holiday_text,
    parse_calendar_hours,
    parse_holiday,
    parse_hours,
    parse_weekdays,
)
from astdialer.domain.errors import InvalidSetting

MINUTE = 60_000
ALWAYS = CallingWindow(start_minute=0, end_minute=1440, weekdays=frozenset(range(7)))
MADRID = ("Europe/Madrid",)
WEEK = "mon-fri 09:00-13:00, mon-fri 14:00-18:00, sat 10:00-14:00"
ZONES = (
    "UTC",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Europe/Madrid",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "Pacific/Auckland",
)


def instant(zone: str, text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def window(hours: str, days: str = "mon-sun") -> CallingWindow:
    start, end = parse_hours(hours)
    return CallingWindow(start_minute=start, end_minute=end, weekdays=parse_weekdays(days))


def calendar(hours: str = WEEK, *exceptions: str, **more: Any) -> WorkingCalendar:
    return WorkingCalendar(
        name="office", hours=parse_calendar_hours(hours), exceptions=tuple(map(parse_holiday, exceptions)), **more
    )


# --- the oracle


def oracle_is_open(schedule: Schedule, zones: Sequence[str], at: int) -> bool:
    of = schedule.calendar
    if of and ((of.starts_at is not None and at < of.starts_at) or (of.ends_at is not None and at >= of.ends_at)):
        return False
    return all(_oracle(schedule, datetime.fromtimestamp(at / 1000, tz=ZoneInfo(zone))) for zone in zones)


def _oracle(schedule: Schedule, local: datetime) -> bool:
    minute, day, when = local.hour * 60 + local.minute, local.date(), schedule.window
    if local.weekday() not in when.weekdays or not when.start_minute <= minute < when.end_minute:
        return False
    if schedule.calendar is None:
        return True
    for off in schedule.calendar.exceptions:
        if off.date == day or (off.yearly and (off.date.month, off.date.day) == (day.month, day.day)):
            return False
    return any(
        local.weekday() in h.weekdays and h.start_minute <= minute < h.end_minute for h in schedule.calendar.hours
    )


def oracle_next_open(schedule: Schedule, zones: Sequence[str], at: int, days: int) -> int | None:
    """Looks at every minute, and at the two instants that need not be at a minute's start."""
    starts_at = schedule.calendar.starts_at if schedule.calendar else None
    first_minute = at - at % MINUTE + MINUTE
    looks = {at, *range(first_minute, at + days * DAY_MS, MINUTE)} | ({starts_at} if starts_at else set())
    return next((t for t in sorted(looks) if t >= at and oracle_is_open(schedule, zones, t)), None)


hours = st.builds(
    lambda days, start, length: Hours(frozenset(days), start, min(1440, start + length)),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 600),
)
names = st.text("abcdefghij \u00e9", max_size=20).map(lambda text: " ".join(text.split()))
dates = st.dates(date(2026, 1, 1), date(2026, 12, 31))
holidays = st.builds(Holiday, names | st.sampled_from(["yearly", "once more"]), dates, st.booleans())
instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001
    lambda at: int(at.replace(tzinfo=UTC).timestamp() * 1000)
)
calendars = st.builds(
    WorkingCalendar,
    name=st.just("office"),
    timezone=st.sampled_from(["", "Europe/Madrid", "UTC-03:00"]),
    hours=st.lists(hours, min_size=1, max_size=4).map(tuple),
    exceptions=st.lists(holidays, max_size=8).map(tuple),
    starts_at=st.none() | st.integers(1_767_000_000_000, 1_772_000_000_000),
    ends_at=st.none() | st.integers(1_790_000_000_000, 1_798_000_000_000),
)
windows = st.builds(
    lambda start, length, days: CallingWindow(
        start_minute=start, end_minute=min(1440, start + length), weekdays=frozenset(days)
    ),
    st.integers(0, 1200),
    st.integers(30, 1440),
    st.sets(st.integers(0, 6), min_size=3),
)


@given(windows, st.none() | calendars, st.lists(st.sampled_from(ZONES), min_size=1, max_size=3), instants)
@settings(max_examples=120, deadline=None)
def test_the_next_opening_is_the_first_open_minute(
    when: CallingWindow, office: WorkingCalendar | None, zones: list[str], at: int
) -> None:
    days = 15
    schedule = Schedule(when, office)
    found, expected = schedule.next_open(zones, at), oracle_next_open(schedule, zones, at, days)
    assert schedule.is_open(zones, at) == oracle_is_open(schedule, zones, at)
    if expected is None:
        assert found is None or found >= at + days * DAY_MS
    else:
        assert found == expected
    if found is not None:
        assert schedule.is_open(zones, found)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Madrid", "2026-03-29"),  # 02:00 becomes 03:00
        ("Europe/Madrid", "2026-10-25"),
        ("America/New_York", "2026-03-08"),
        ("America/New_York", "2026-11-01"),
        ("Australia/Lord_Howe", "2026-04-05"),  # by half an hour
        ("Australia/Lord_Howe", "2026-10-04"),
        ("Australia/Adelaide", "2026-04-05"),
        ("America/Sao_Paulo", "2018-02-18"),  # midnight becomes 23:00 of the day before
        ("America/Sao_Paulo", "2018-11-04"),  # midnight does not exist
        ("America/Havana", "2026-03-08"),  # midnight does not exist
        ("America/Havana", "2026-11-01"),  # 01:00 becomes midnight
        ("Pacific/Apia", "2011-12-30"),  # the day does not exist
        ("Africa/Casablanca", "2026-02-15"),
        ("Asia/Pyongyang", "2018-05-05"),  # 23:30 becomes midnight
    ],
)
@pytest.mark.parametrize(
    ("opening", "exceptions"),
    [
        ("mon-sun 00:00-00:30, mon-sun 01:15-02:45, mon-sun 23:30-24:00", ()),
        ("sat-sun 00:00-24:00", ()),
        ("mon-sun 02:10-02:20, mon-sun 23:50-23:55", ()),
        ("mon-sun 00:00-03:00, mon-sun 23:00-24:00", ("day off",)),
    ],
)
def test_each_minute_around_a_change_of_the_clock_is_right(
    zone: str, day: str, opening: str, exceptions: tuple[str, ...]
) -> None:
    schedule = Schedule(ALWAYS, calendar(opening, *(f"{day} {name}" for name in exceptions)))
    middle = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
    opens: int | None = None
    for at in range(middle + 9 * DAY_MS, middle - 2 * DAY_MS, -MINUTE):
        is_open = oracle_is_open(schedule, (zone,), at)
        opens = at if is_open else opens
        if at < middle + 2 * DAY_MS:
            assert schedule.is_open((zone,), at) == is_open
            if at // MINUTE % 5 == 0:
                assert schedule.next_open((zone,), at) == opens


def test_a_number_of_several_zones_is_dialed_when_all_of_them_are_open() -> None:
    schedule = Schedule(window("09:00-21:00"))
    zones = ("Asia/Kamchatka", "Europe/Moscow")  # nine hours apart
    opens = instant("Europe/Moscow", "2026-11-20 09:00")
    assert schedule.next_open(zones, opens - 12 * 60 * MINUTE) == opens
    assert schedule.is_open(zones, opens)
    assert not schedule.is_open(zones, opens - 1)
    assert not schedule.is_open(zones, instant("Europe/Moscow", "2026-11-20 12:00"))


def test_zones_that_are_never_open_together_have_no_next_opening() -> None:
    schedule = Schedule(window("09:00-18:00"))
    assert schedule.next_open(("Asia/Kamchatka", "Europe/London"), instant("UTC", "2026-11-20 12:00")) is None


def test_without_a_zone_nothing_is_open() -> None:
    schedule = Schedule(ALWAYS)
    assert not schedule.is_open((), 0)
    assert schedule.next_open((), 0) is None


def test_without_a_calendar_the_window_alone_decides() -> None:
    schedule = Schedule(window("08:00-21:00", "mon-fri"))
    opens = instant("Europe/Madrid", "2026-11-23 08:00")
    assert schedule.next_open(MADRID, instant("Europe/Madrid", "2026-11-20 21:00")) == opens
    assert schedule.has_begun(0)
    assert not schedule.has_ended(opens)


def test_the_narrower_of_window_and_calendar_decides() -> None:
    schedule = Schedule(window("10:00-12:00", "mon,sat,sun"), calendar())
    asked = instant("Europe/Madrid", "2026-11-20 12:00")  # a Friday
    assert schedule.next_open(MADRID, asked) == instant("Europe/Madrid", "2026-11-21 10:00")
    assert not schedule.is_open(MADRID, instant("Europe/Madrid", "2026-11-21 12:00"))
    assert not schedule.is_open(MADRID, instant("Europe/Madrid", "2026-11-22 11:00"))


def test_the_calendar_closes_over_lunch() -> None:
    schedule = Schedule(ALWAYS, calendar())
    lunch = instant("Europe/Madrid", "2026-11-20 13:00")
    assert schedule.is_open(MADRID, lunch - 1)
    assert not schedule.is_open(MADRID, lunch)
    assert schedule.next_open(MADRID, lunch) == lunch + 60 * MINUTE


def test_hours_that_overlap_or_touch_are_one() -> None:
    schedule = Schedule(ALWAYS, calendar("mon 09:00-12:00, mon 10:00-11:00, mon 12:00-13:00, mon 12:30-14:00"))
    assert schedule.spans(date(2026, 11, 23)) == ((9 * 60 * MINUTE, 14 * 60 * MINUTE),)


def test_holidays_in_a_row_are_passed_over() -> None:
    row = [f"2026-12-{day} Shutdown" for day in range(21, 32)] + ["2020-01-01 yearly New Year"]
    schedule = Schedule(ALWAYS, calendar(WEEK, *row))
    asked = instant("Europe/Madrid", "2026-12-19 14:00")
    assert schedule.next_open(MADRID, asked) == instant("Europe/Madrid", "2027-01-02 10:00")


def test_a_day_off_is_one_of_the_number_s_own_zone() -> None:
    schedule = Schedule(ALWAYS, calendar("mon-sun 00:00-24:00", "2026-12-25 Christmas"))
    at = instant("Europe/Madrid", "2026-12-25 02:00")
    assert not schedule.is_open(MADRID, at)
    assert schedule.is_open(("America/New_York",), at)


def test_29_february_is_a_yearly_day_off_in_leap_years_only() -> None:
    office = calendar(WEEK, "2024-02-29 yearly Leap day")
    assert office.is_day_off(date(2028, 2, 29))
    assert not office.is_day_off(date(2027, 2, 28))
    assert not office.is_day_off(date(2027, 3, 1))


def test_a_holiday_once_comes_in_its_year_only() -> None:
    office = calendar(WEEK, "2026-12-24 Bridge")
    assert office.is_day_off(date(2026, 12, 24))
    assert not office.is_day_off(date(2027, 12, 24))


def test_nothing_is_open_before_the_start_or_from_the_end_on() -> None:
    begins = instant("Europe/Madrid", "2026-11-20 10:15") + 7
    ends = instant("Europe/Madrid", "2026-11-20 11:00")
    schedule = Schedule(ALWAYS, calendar(starts_at=begins, ends_at=ends))
    assert schedule.next_open(MADRID, begins - DAY_MS) == begins
    assert not schedule.is_open(MADRID, begins - 1)
    assert not schedule.has_begun(begins - 1)
    assert schedule.has_begun(begins)
    assert schedule.is_open(MADRID, ends - 1)
    assert not schedule.has_ended(ends - 1)
    assert schedule.next_open(MADRID, ends - 1) == ends - 1
    assert not schedule.is_open(MADRID, ends)
    assert schedule.has_ended(ends)
    assert schedule.next_open(MADRID, ends) is None


def test_a_calendar_that_ends_before_its_next_opening_does_not_open() -> None:
    schedule = Schedule(ALWAYS, calendar(ends_at=instant("Europe/Madrid", "2026-11-23 09:00")))
    assert schedule.next_open(MADRID, instant("Europe/Madrid", "2026-11-21 14:00")) is None


@pytest.mark.parametrize(("days_off", "is_found"), [(399, True), (400, False)])
def test_an_opening_is_looked_for_over_400_days(days_off: int, is_found: bool) -> None:
    first = date(2026, 1, 1)
    offs = tuple(Holiday("", first + timedelta(days=n), False) for n in range(days_off))
    office = WorkingCalendar(name="office", hours=parse_calendar_hours("mon-sun 00:00-24:00"), exceptions=offs)
    found = Schedule(ALWAYS, office).next_open(("UTC",), instant("UTC", "2026-01-01"))
    assert found == (instant("UTC", "2027-02-04") if is_found else None)


def test_a_search_over_a_year_of_days_off_is_quick() -> None:
    offs = tuple(Holiday("", date(2026, 1, 1) + timedelta(days=n), False) for n in range(401))
    schedule = Schedule(ALWAYS, WorkingCalendar(name="office", hours=parse_calendar_hours(WEEK), exceptions=offs))
    zones, at = (*MADRID, "Australia/Lord_Howe"), instant("UTC", "2026-01-01")
    took_s = []
    for _ in range(5):
        began = perf_counter()
        assert schedule.next_open(zones, at) is None
        took_s.append(perf_counter() - began)
    assert min(took_s) < 1  # generous: it takes some ms, and looking at each minute of a year would take many seconds


def test_a_search_for_what_many_zones_never_have_in_common_is_quick() -> None:
    zones = tuple(f"UTC{sign}{hours:02}:00" for sign in "+-" for hours in range(1, 13))
    schedule, at = Schedule(window("09:00-18:00")), instant("UTC", "2026-01-01")
    took_s = []
    for _ in range(5):
        began = perf_counter()
        assert schedule.next_open(zones, at) is None
        took_s.append(perf_counter() - began)
    assert min(took_s) < 1  # generous: it takes some ms, and looking at each minute of a year would take many seconds


# --- texts


def test_hours_are_read_day_by_day() -> None:
    assert parse_calendar_hours(" Mon,wed-fri 9:00-13:00 ,sat 10:00-24:00") == (
        Hours(frozenset({0, 2, 3, 4}), 540, 780),
        Hours(frozenset({5}), 600, 1440),
    )


@given(st.lists(hours, min_size=1, max_size=6).map(tuple))
def test_calendar_hours_survive_their_text(opening: tuple[Hours, ...]) -> None:
    assert parse_calendar_hours(calendar_hours_text(opening)) == opening


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "mon",
        "09:00-13:00",
        "mon 09:00-13:00,",
        "mon 09:00-13:00, tue",
        "mon 13:00-09:00",
        "mon 9-13",
        "mon 09:00 - 13:00",
        "monday 09:00-13:00",
        "mon; 09:00-13:00",
        7,
        None,
    ],
)
def test_hours_that_can_t_be_read_are_refused_with_an_example(text: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"hours = .*mon-fri 09:00-13:00, mon-fri 14:00-18:00"):
        parse_calendar_hours(text)


@pytest.mark.parametrize(
    ("text", "off"),
    [
        ("2026-12-25 yearly Christmas", Holiday("Christmas", date(2026, 12, 25), True)),
        ("2026-12-28  Bridge day ", Holiday("Bridge day", date(2026, 12, 28), False)),
        ("2026-12-28 once yearly party", Holiday("yearly party", date(2026, 12, 28), False)),
        ("2026-12-28", Holiday("", date(2026, 12, 28), False)),
        ("2026-12-28 yearly", Holiday("", date(2026, 12, 28), True)),
    ],
)
def test_a_holiday_is_a_date_once_or_yearly_and_a_name(text: str, off: Holiday) -> None:
    assert parse_holiday(text) == off


@given(holidays)
def test_a_holiday_survives_its_text(off: Holiday) -> None:
    assert parse_holiday(holiday_text(off)) == off


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yearly Christmas",
        "25.12.2026 x",
        "2026-02-29 x",
        "20261225 x",
        "2026-12-25 a\x00b",
        f"2026-12-25 {'x' * 65}",
        7,
    ],
)
def test_a_holiday_that_can_t_be_read_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"exceptions = .*2026-12-25 yearly Christmas"):
        parse_holiday(text)


@given(calendars)
def test_a_calendar_survives_json(office: WorkingCalendar) -> None:
    assert WorkingCalendar.from_dict(json.loads(json.dumps(office.to_dict()))) == office


def test_a_calendar_is_read_from_toml() -> None:
    text = """
        name = "Office Madrid"
        timezone = "Europe/Madrid"
        hours = "mon-fri 09:00-13:00, sat 10:00-14:00"
        exceptions = ["2026-12-25 yearly Christmas"]
        ends_at = 1798000000000
    """
    assert WorkingCalendar.from_dict(tomllib.loads(text)) == WorkingCalendar(
        name="Office Madrid",
        timezone="Europe/Madrid",
        hours=parse_calendar_hours("mon-fri 09:00-13:00, sat 10:00-14:00"),
        exceptions=(Holiday("Christmas", date(2026, 12, 25), True),),
        ends_at=1_798_000_000_000,
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", None),
        ("name", "a\r\nb"),
        ("name", "x" * 65),
        ("timezone", "Europe/Atlantis"),
        ("timezone", 1),
        ("hours", ""),
        ("hours", []),
        ("exceptions", "2026-12-25 yearly Christmas"),
        ("exceptions", ["Christmas"]),
        ("exceptions", [None]),
        ("starts_at", "2026-01-01"),
        ("starts_at", -1),
        ("starts_at", True),
        ("ends_at", 1.5),
        ("ends_at", 10**15),
        ("ends_at", 5),
        ("colour", "red"),
    ],
)
def test_a_value_that_can_t_be_read_is_refused_by_its_key(key: str, value: Any) -> None:
    good = {"name": "office", "hours": WEEK, "starts_at": 5}
    assert WorkingCalendar.from_dict(good).starts_at == 5
    with pytest.raises(InvalidSetting) as refused:
        WorkingCalendar.from_dict(good | {key: value})
    assert refused.value.key == key
