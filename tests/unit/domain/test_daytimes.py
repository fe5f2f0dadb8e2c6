"""Hours of the local day, and the clocks of zones."""

from datetime import UTC, datetime

import pytest

from astdialer.domain.daytimes import DayRange, offsets, parse_day_range
from astdialer.domain.errors import InvalidSetting

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("09:00-18:30", 9.0, 18.5), ("9-18", 9, 18), (" 0900 - 1830 ", 9, 18.5), ("22-6", 22, 6), ("00:00-24:00", 0, 24)],
)
def test_hours_of_the_day(text: str, start: float, end: float) -> None:
    assert parse_day_range("range", text) == DayRange(int(start * HOUR), int(end * HOUR))


@pytest.mark.parametrize("text", ["", "9", "9-9", "24-1", "9-25", "9:60-10", "-1-3", "morning", "٩-١٠", "9-10;DROP"])
def test_what_is_no_range_names_its_field(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^range = "):
        parse_day_range("range", text)


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_the_offsets_of_a_zone_change_at_its_own_instants() -> None:
    found = offsets("Europe/Madrid", _at("2026-01-01"), _at("2027-01-01"))
    assert found == [
        (_at("2026-01-01"), HOUR),
        (_at("2026-03-29T01:00"), 2 * HOUR),
        (_at("2026-10-25T01:00"), HOUR),
    ]


def test_zones_without_changes_and_spans_without_length() -> None:
    assert offsets("UTC", 0, _at("2030-01-01")) == [(0, 0)]
    assert offsets("UTC-05:00", 5, 5) == [(5, -5 * HOUR)]
    with pytest.raises(InvalidSetting):
        offsets("Nowhere/Land", 0, 1)
