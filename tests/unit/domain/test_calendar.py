"""Calling windows across daylight-saving changes, half hours and midnights."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from astdialer.domain.calendar import (
    DAYS,
    CallingWindow,
    hours_text,
    join_zones,
    local_day,
    parse_hours,
    parse_weekdays,
    split_zones,
    weekdays_text,
    zone_of,
)
from astdialer.domain.errors import InvalidSetting

MINUTE = 60_000
EVERY_DAY = frozenset(range(7))
ZONES = (
    "UTC",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Madrid",
    "America/New_York",
    "America/Sao_Paulo",
)


def instant(zone: str, text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def window(hours: str, days: str = "mon-sun") -> CallingWindow:
    start, end = parse_hours(hours)
    return CallingWindow(start_minute=start, end_minute=end, weekdays=parse_weekdays(days))


@pytest.mark.parametrize("zone", ZONES)
def test_a_window_opens_and_closes_to_the_minute(zone: str) -> None:
    day = window("08:00-21:00")
    assert not day.is_open(zone, instant(zone, "2026-11-20 07:59:59"))
    assert day.is_open(zone, instant(zone, "2026-11-20 08:00:00"))
    assert day.is_open(zone, instant(zone, "2026-11-20 20:59:59"))
    assert not day.is_open(zone, instant(zone, "2026-11-20 21:00:00"))


@pytest.mark.parametrize(
    ("zone", "before", "opens"),
    [
        ("Europe/Madrid", "2026-03-28 22:00", "2026-03-29 08:00"),  # the clocks go forward
        ("Europe/Madrid", "2026-10-24 22:00", "2026-10-25 08:00"),  # and back
        ("America/New_York", "2026-03-07 22:00", "2026-03-08 08:00"),
        ("America/New_York", "2026-10-31 22:00", "2026-11-01 08:00"),
        ("Australia/Lord_Howe", "2026-10-03 22:00", "2026-10-04 08:00"),  # by half an hour
        ("Australia/Lord_Howe", "2026-04-04 22:00", "2026-04-05 08:00"),
        ("Asia/Kolkata", "2026-11-20 22:00", "2026-11-21 08:00"),
    ],
)
def test_the_morning_after_a_change_opens_by_the_new_clock(zone: str, before: str, opens: str) -> None:
    at = instant(zone, opens)
    assert window("08:00-21:00").next_open(zone, instant(zone, before)) == at
    assert not window("08:00-21:00").is_open(zone, at - 1)


@given(
    zone=st.sampled_from(ZONES),
    at=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001
    start=st.integers(0, 22 * 60),
    length=st.integers(1, 18 * 60),
    days=st.sets(st.integers(0, 6), min_size=1),
)
@example(zone="Europe/Madrid", at=datetime(2026, 3, 29, 1, 59), start=240, length=60, days={6})  # noqa: DTZ001
@example(zone="Europe/Madrid", at=datetime(2026, 10, 25, 2, 30), start=240, length=60, days={6})  # noqa: DTZ001
@settings(max_examples=60)
def test_next_open_is_open_and_the_earliest(zone: str, at: datetime, start: int, length: int, days: set[int]) -> None:
    """Brute force over every minute."""
    when = CallingWindow(start_minute=start, end_minute=min(24 * 60, start + length), weekdays=frozenset(days))
    now = int(at.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    found = when.next_open(zone, now)
    assert found is not None
    assert when.is_open(zone, found)
    minutes = range(now, found, MINUTE)
    assert not any(when.is_open(zone, minute) for minute in minutes)


@pytest.mark.parametrize(
    ("hours", "days", "asked", "opens"),
    [
        ("02:30-05:00", "mon-sun", "2026-03-29 01:00", "2026-03-29 03:00"),  # begins in an hour that does not exist
        ("02:00-02:30", "sun", "2026-03-27 12:00", "2026-04-05 02:00"),  # is skipped with that hour, for a week
        ("02:00-02:30", "sun", "2026-10-24 12:00", "2026-10-25 02:00"),  # comes twice: the first one
    ],
)
def test_a_window_inside_the_hour_of_the_change(hours: str, days: str, asked: str, opens: str) -> None:
    zone = "Europe/Madrid"
    assert window(hours, days).next_open(zone, instant(zone, asked)) == instant(zone, opens)


def test_midnight_belongs_to_the_new_day() -> None:
    monday = window("00:00-24:00", "mon")
    zone = "America/Lima"
    opens = instant(zone, "2026-11-23 00:00")
    assert monday.next_open(zone, instant(zone, "2026-11-20 12:00")) == opens
    assert monday.is_open(zone, opens)
    assert not monday.is_open(zone, opens - 1)
    assert not monday.is_open(zone, instant(zone, "2026-11-24 00:00"))


def test_an_open_window_is_open_now() -> None:
    at = instant("UTC", "2026-11-20 12:34") + 567
    assert window("08:00-21:00").next_open("UTC", at) == at


def test_without_a_weekday_it_never_opens() -> None:
    assert CallingWindow(start_minute=0, end_minute=1440, weekdays=frozenset()).next_open("UTC", 0) is None


@given(st.integers(0, 1439), st.integers(1, 1440))
def test_hours_are_read_as_minutes_or_refused(start: int, end: int) -> None:
    text = f"{start // 60:02}:{start % 60:02}-{end // 60}:{end % 60:02}"
    if start < end:
        assert parse_hours(f" {text} ") == (start, end)
    else:
        with pytest.raises(InvalidSetting, match="calling_hours"):
            parse_hours(text)


@pytest.mark.parametrize("text", ["", "8-21", "08:00-21:60", "08:60-21:00", "08:00-24:01", "21:00-08:00", "08:00"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="08:00-21:00"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("Sat, sun", {5, 6}),
        ("fri-mon", {4, 5, 6, 0}),
        ("mon-mon", {0}),
        ("mon,mon", {0}),
        ("", set()),
        (",".join(DAYS), EVERY_DAY),
    ],
)
def test_weekdays_are_read(text: str, days: set[int]) -> None:
    assert parse_weekdays(text) == days


@pytest.mark.parametrize("text", ["monday", "-mon", "mon-xyz", "1", "mon;tue"])
def test_weekdays_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="weekdays"):
        parse_weekdays(text)


@given(st.sets(st.integers(0, 6)))
def test_weekdays_survive_their_text(days: set[int]) -> None:
    assert parse_weekdays(weekdays_text(frozenset(days))) == days


@given(st.integers(0, 1439), st.integers(1, 1440))
def test_hours_survive_their_text(start: int, length: int) -> None:
    hours = (start, min(24 * 60, start + length))
    assert parse_hours(hours_text(*hours)) == hours


def test_weekdays_are_written_in_runs() -> None:
    assert weekdays_text(frozenset({0, 1, 2, 4, 6})) == "mon-wed,fri,sun"


@given(st.text(max_size=30))
@example("")
@example("UTC+05:30")
@example("UTC")
@example("../../etc/passwd")
@example("/etc/localtime")
@example("Europe")
@example("a\x00b")
@example("x" * 5000)
def test_a_zone_is_an_iana_name_or_an_invalid_setting(name: str) -> None:
    try:
        found = str(zone_of(name))
    except InvalidSetting as error:
        found = str(error.value)
    assert found == name


@pytest.mark.parametrize(
    ("name", "minutes"),
    [("UTC", 0), ("UTC+00:00", 0), ("UTC+05:30", 330), ("UTC-03:00", -180), ("UTC+14:00", 840), ("UTC-09:30", -570)],
)
def test_a_fixed_offset_is_a_zone(name: str, minutes: int) -> None:
    assert datetime.now(UTC).astimezone(zone_of(name)).utcoffset() == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "name", ["UTC+5:30", "UTC+15:00", "UTC+05:60", "utc+05:30", "UTC+05:30 ", "+05:30", "UTC+٠5:30"]
)
def test_an_offset_spelled_otherwise_is_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match=r"UTC\+05:30"):
        zone_of(name)


def test_a_window_opens_by_a_fixed_offset() -> None:
    opens = instant("Asia/Kolkata", "2026-11-21 08:00")
    assert window("08:00-21:00").next_open("UTC+05:30", opens - MINUTE) == opens


@pytest.mark.parametrize(
    ("text", "zones"),
    [
        ("", ()),
        ("Europe/Madrid", ("Europe/Madrid",)),
        ("Asia/Omsk|Europe/Moscow", ("Asia/Omsk", "Europe/Moscow")),
    ],
)
def test_a_zones_text_is_zones_in_sorted_order(text: str, zones: tuple[str, ...]) -> None:
    assert split_zones(text) == zones
    assert join_zones([*reversed(zones), *zones, ""]) == text


def test_the_local_day_of_an_instant_is_that_of_its_zone() -> None:
    at = instant("UTC", "2026-11-20 20:15:59")
    assert local_day("UTC", at) == (date(2026, 11, 20), 20 * 60 + 15)
    assert local_day("Asia/Kolkata", at) == (date(2026, 11, 21), 105)
    assert local_day("America/Lima", -1) == (date(1969, 12, 31), 18 * 60 + 59)
