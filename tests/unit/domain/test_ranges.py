"""Ranges of the day with attempts of their own, against a slow oracle that looks at every minute."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astdialer.domain.calendar import (
    DAY_MS,
    CallingWindow,
    Schedule,
    WorkingCalendar,
    parse_calendar_hours,
    parse_hours,
    parse_weekdays,
)
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.ranges import Range, current, exhausted_today, key, next_callable, parse_ranges, ranges_text

MINUTE = 60_000
MADRID = ("Europe/Madrid",)
TEXT = "M=09:00-12:00/2@10;M=14:00-18:00/1@5;H=18:00-21:00/1"
MOBILE = (Range("M", 540, 720, 2, 10), Range("M", 840, 1080, 1, 5))
HOME = (Range("H", 1080, 1260, 1, 0),)


def instant(zone: str, text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def schedule(hours: str = "08:00-21:00", days: str = "mon-sun", calendar: WorkingCalendar | None = None) -> Schedule:
    start, end = parse_hours(hours)
    window = CallingWindow(start_minute=start, end_minute=end, weekdays=parse_weekdays(days))
    return Schedule(window, calendar)


def next_local(ranges: tuple[Range, ...], tally: Mapping[str, int], asked: str, days: str = "mon-sun") -> str | None:
    """In Madrid, to the minute."""
    found = next_callable(ranges, tally, schedule(days=days), MADRID, instant(*MADRID, asked))
    if found is None:
        return None
    return datetime.fromtimestamp(found / 1000, tz=ZoneInfo(*MADRID)).strftime("%Y-%m-%d %H:%M")


def test_ranges_are_read_by_type() -> None:
    assert parse_ranges(TEXT) == {"M": MOBILE, "H": HOME}
    assert parse_ranges(" a_B-9=0:00-24:00/0@-3 ; ") == {"a_B-9": (Range("a_B-9", 0, 1440, 0, -3),)}


def test_no_text_is_no_ranges() -> None:
    assert parse_ranges("") == {}
    assert ranges_text({}) == ""


ranges_of_a_type = st.lists(
    st.builds(
        lambda start, length, attempts, priority: Range("M", start, min(1440, start + length), attempts, priority),
        st.integers(0, 1439),
        st.integers(1, 700),
        st.integers(0, 3),
        st.integers(-5, 5),
    ),
    max_size=4,
).map(tuple)


@given(ranges_of_a_type.filter(bool))
def test_ranges_survive_their_text(ranges: tuple[Range, ...]) -> None:
    assert parse_ranges(ranges_text({"M": ranges})) == {"M": ranges}
    assert ranges_text(parse_ranges(TEXT)) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "M",
        "=09:00-12:00/2",
        "M=09:00-12:00",
        "M=09:00-12:00/",
        "M=09:00-12:00/-1",
        "M=09:00-12:00/2@",
        "M=12:00-09:00/2",
        "M=09:00-24:01/2",
        "M=9-12/2",
        "M N=09:00-12:00/2",
        f"{'M' * 33}=09:00-12:00/2",
        "M=09:00-12:00/2,H=09:00-12:00/2",
        "\u00f1=09:00-12:00/2",
    ],
)
def test_ranges_that_can_t_be_read_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"ranges = .*M=09:00-12:00/2@10;H=18:00-21:00/1"):
        parse_ranges(text)


@pytest.mark.parametrize(
    ("minute", "expected"),
    [(539, None), (540, MOBILE[0]), (719, MOBILE[0]), (720, None), (840, MOBILE[1]), (1079, MOBILE[1]), (1080, None)],
)
def test_the_current_range_is_the_one_around_the_minute(minute: int, expected: Range | None) -> None:
    assert current(MOBILE, minute) == expected


def test_of_overlapping_ranges_the_first_that_allows_attempts_is_current() -> None:
    none, first, second = Range("M", 0, 1440, 0), Range("M", 600, 720, 1), Range("M", 540, 1440, 9)
    assert current((none, first, second), 600) == first
    assert current((none, first, second), 720) == second
    assert current((none,), 600) is None


def test_attempts_are_counted_by_day_and_range() -> None:
    assert key(MOBILE[0], date(2026, 11, 5)) == "2026-11-05/540-720"


@pytest.mark.parametrize(
    ("tally", "asked", "expected"),
    [
        ({}, "2026-11-20 07:00", "2026-11-20 09:00"),
        ({}, "2026-11-20 11:59", "2026-11-20 11:59"),
        ({}, "2026-11-20 12:00", "2026-11-20 14:00"),
        ({"2026-11-20/540-720": 1}, "2026-11-20 10:00", "2026-11-20 10:00"),
        ({"2026-11-20/540-720": 2}, "2026-11-20 10:00", "2026-11-20 14:00"),
        ({"2026-11-20/840-1080": 1}, "2026-11-20 15:00", "2026-11-21 09:00"),
        ({"2026-11-19/540-720": 2}, "2026-11-20 10:00", "2026-11-20 10:00"),  # yesterday's do not count
        ({"2026-11-20/540-720": 99, "2026-11-20/840-1080": 99}, "2026-11-20 10:00", "2026-11-21 09:00"),
    ],
)
def test_a_number_is_callable_while_its_range_has_attempts_left(
    tally: dict[str, int], asked: str, expected: str
) -> None:
    assert next_local(MOBILE, tally, asked) == expected


def test_a_used_up_range_hides_those_behind_it() -> None:
    ranges = (Range("M", 600, 720, 1), Range("M", 540, 780, 1))
    assert next_local(ranges, {"2026-11-20/600-720": 1}, "2026-11-20 10:00") == "2026-11-20 12:00"


def test_no_ranges_are_no_restriction() -> None:
    assert next_local((), {"2026-11-20/540-720": 9}, "2026-11-20 05:00") == "2026-11-20 08:00"


def test_ranges_without_attempts_are_never_callable() -> None:
    assert next_local((Range("M", 0, 1440, 0),), {}, "2026-11-20 05:00") is None


def test_a_range_outside_the_schedule_is_never_callable() -> None:
    assert next_local((Range("M", 1320, 1440, 1),), {}, "2026-11-20 05:00") is None


def test_without_a_zone_no_number_is_callable() -> None:
    assert next_callable(MOBILE, {}, schedule(), (), 0) is None


def test_a_closed_day_makes_ranges_wait_for_the_next_open_one() -> None:
    assert next_local(MOBILE, {}, "2026-11-20 18:00", days="mon-fri") == "2026-11-23 09:00"


def test_ranges_are_read_in_the_first_zone_and_the_schedule_in_all() -> None:
    zones = ("Europe/Madrid", "America/New_York")  # six hours apart
    found = next_callable(MOBILE, {}, schedule(), zones, instant("Europe/Madrid", "2026-11-20 07:00"))
    assert found == instant("Europe/Madrid", "2026-11-20 14:00") == instant("America/New_York", "2026-11-20 08:00")
    found = next_callable(MOBILE, {}, schedule(), zones[::-1], instant("Europe/Madrid", "2026-11-20 07:00"))
    assert found == instant("America/New_York", "2026-11-20 09:00")


@pytest.mark.parametrize(
    ("tally", "expected"),
    [
        ({}, False),
        ({"2026-11-20/540-720": 2}, False),  # the afternoon is left
        ({"2026-11-20/840-1080": 1}, True),
        ({"2026-11-19/840-1080": 1}, False),
    ],
)
def test_a_day_is_exhausted_when_its_latest_range_is(tally: dict[str, int], expected: bool) -> None:
    assert exhausted_today(MOBILE, tally, *MADRID, instant(*MADRID, "2026-11-20 10:00")) is expected


def test_a_day_is_one_of_the_number_s_zone() -> None:
    at = instant("Europe/Madrid", "2026-11-20 23:30")
    tally = {"2026-11-21/840-1080": 1}
    assert not exhausted_today(MOBILE, tally, "Europe/Madrid", at)
    assert exhausted_today(MOBILE, tally, "Asia/Tokyo", at)


def test_ranges_without_attempts_do_not_count_as_the_latest() -> None:
    ranges = (*MOBILE, Range("M", 1200, 1260, 0))
    assert exhausted_today(ranges, {"2026-11-20/840-1080": 1}, *MADRID, instant(*MADRID, "2026-11-20 10:00"))


def test_only_ranges_without_any_attempts_are_exhausted_from_the_start() -> None:
    assert exhausted_today((Range("M", 0, 1440, 0),), {}, *MADRID, 0)
    assert not exhausted_today((), {}, *MADRID, 0)


# --- the oracle


def oracle(
    ranges: tuple[Range, ...], tally: Mapping[str, int], when: Schedule, zones: Sequence[str], looks: Iterable[int]
) -> int | None:
    for look in looks:
        local = datetime.fromtimestamp(look / 1000, tz=ZoneInfo(zones[0]))
        minute = local.hour * 60 + local.minute
        fitting = [r for r in ranges if r.start_minute <= minute < r.end_minute and r.attempts > 0]
        used = tally.get(f"{local:%Y-%m-%d}/{fitting[0].start_minute}-{fitting[0].end_minute}", 0) if fitting else 0
        is_free = not ranges or bool(fitting and used < fitting[0].attempts)
        if is_free and when.is_open(zones, look):
            return look
    return None


@st.composite
def tallies(draw: st.DrawFn, ranges: tuple[Range, ...]) -> dict[str, int]:
    """Attempts in some of the ranges on some of the days around the changes of the clocks."""
    days = st.sampled_from([date(2026, month, day) for month in (3, 10) for day in (24, 25, 26, 28, 29)])
    counted = draw(st.lists(st.tuples(st.sampled_from(ranges), days, st.integers(0, 3)), max_size=6)) if ranges else []
    return {key(of, day): count for of, day, count in counted}


@given(
    ranges_of_a_type,
    st.data(),
    st.sampled_from(["mon-fri", "mon-sun", "sat,sun"]),
    st.sampled_from(
        [MADRID, ("Australia/Lord_Howe",), ("America/New_York", "Europe/Madrid"), ("Asia/Kolkata", "Asia/Kathmandu")]
    ),
    st.builds(
        lambda start, later: int(start.timestamp() * 1000) + later,
        st.sampled_from([datetime(2026, 3, 24, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)]),
        st.integers(0, 5 * DAY_MS),
    ),
)
@settings(max_examples=80, deadline=None)
def test_the_next_callable_instant_is_the_first_callable_minute(
    ranges: tuple[Range, ...], data: st.DataObject, days: str, zones: tuple[str, ...], at: int
) -> None:
    until = at + 9 * DAY_MS
    tally = data.draw(tallies(ranges))
    office = WorkingCalendar(name="office", hours=parse_calendar_hours("mon-sun 00:00-02:30, mon-sun 09:00-19:00"))
    when = schedule("00:00-24:00", days, office)
    found = next_callable(ranges, tally, when, zones, at)
    expected = oracle(ranges, tally, when, zones, (at, *range(at - at % MINUTE + MINUTE, until, MINUTE)))
    if expected is None:
        assert found is None or found >= until
    else:
        assert found == expected
