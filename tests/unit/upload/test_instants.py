"""Zones and points in time as a base writes them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.calendar import zone_of
from astdialer.upload.errors import RowError
from astdialer.upload.instants import instant, zone_name


def at(text: str, zone: str = "Europe/Madrid", *, day_ends: bool = False) -> str:
    ms = instant("expires", text, zone, day_ends=day_ends)
    return datetime.fromtimestamp(ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("America/Lima", "America/Lima"),
        ("UTC", "UTC"),
        ("UTC+07:00", "UTC+07:00"),
        ("25200", "UTC+07:00"),
        ("+25200", "UTC+07:00"),
        ("-10800", "UTC-03:00"),
        ("20700", "UTC+05:45"),
        ("0", "UTC"),
        ("50400", "UTC+14:00"),
    ],
)
def test_a_zone_is_a_name_or_an_offset_in_seconds(text: str, zone: str) -> None:
    assert zone_name(text) == zone
    zone_of(zone)


@pytest.mark.parametrize("text", ["Mars", "UTC+7", "../etc/passwd", "America/Lima|Europe/Madrid", "54000", "99999"])
def test_any_other_zone_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(RowError, match="expected an IANA name such as America/Lima, UTC-05:00, or an offset") as caught:
        zone_name(text)
    assert caught.value.reason == "timezone"
    assert text in str(caught.value)


@pytest.mark.parametrize("minutes", [-300, -180, 60, 180, 330, 420, 600, 7, -3])
def test_an_offset_in_minutes_or_hours_is_not_taken_for_seconds(minutes: int) -> None:
    with pytest.raises(RowError, match="a multiple of 900"):
        zone_name(str(minutes))


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-07-01 10:30", "2026-07-01 08:30:00"),
        ("2026-01-01 10:30:15", "2026-01-01 09:30:15"),
        ("2026-07-01T10:30", "2026-07-01 08:30:00"),
        ("2026-07-01", "2026-06-30 22:00:00"),
        ("2026-07-01T10:30:00Z", "2026-07-01 10:30:00"),
        ("2026-07-01T10:30:00.250+05:30", "2026-07-01 05:00:00"),
        ("2026-07-01 10:30 -0300", "2026-07-01 13:30:00"),
        ("1497992400000", "2017-06-20 21:00:00"),
        ("2026-03-29 02:30", "2026-03-29 01:30:00"),  # skipped by the clocks
    ],
)
def test_a_time_is_local_unless_it_has_an_offset_or_is_in_milliseconds(text: str, utc: str) -> None:
    assert at(text) == utc


def test_fractions_of_a_second_are_kept() -> None:
    assert instant("expires", "1970-01-01T00:00:01.250Z", "UTC") == 1250


def test_a_date_that_ends_something_is_its_end_on_a_day_of_any_length() -> None:
    assert at("2026-03-29", day_ends=True) == "2026-03-29 22:00:00"  # 23 hours after its beginning
    assert at("2026-03-29") == "2026-03-28 23:00:00"
    assert at("2026-03-29 00:00", day_ends=True) == at("2026-03-29")


@pytest.mark.parametrize(
    "text",
    ["soon", "2026-13-01", "2026-02-30", "01/07/2026", "2026-07-01 25:00", "1497992400", "2026-07", "2026-07-01 10"],
)
def test_a_bad_time_names_its_column_and_what_was_expected(text: str) -> None:
    with pytest.raises(RowError, match=f"not_before '{text}': expected YYYY-MM-DD, YYYY-MM-DD HH:MM") as caught:
        instant("not_before", text, "UTC")
    assert caught.value.reason == "not_before"


def test_never_is_a_time_that_the_calendar_can_still_handle() -> None:
    for text in ("9999-12-31", "9999-12-31 23:59:59", "9999-12-31T23:59:59-12:00"):
        assert at(text, day_ends=True) == "3000-01-01 00:00:00"
    for text in ("0001-01-01T00:00:00+14:00", "1970-01-01 00:00"):
        assert instant("expires", text, "Asia/Tokyo") == 0


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}([+-]\d{2}:\d{2})?)?", fullmatch=True))
def test_any_text_is_a_time_or_a_row_error(text: str) -> None:
    for day_ends in (False, True):
        try:
            found = instant("expires", text, "Asia/Tokyo", day_ends=day_ends)
        except RowError:
            continue
        assert 0 <= found <= 32_503_680_000_000 + 86_400_000
