"""Twin24's cps, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.errors import InvalidSetting
from astdialer.domain.settings import parse_settings
from astdialer.http.twin24.cps import cps_of, setting_of


@pytest.mark.parametrize(
    ("cps", "setting"),
    [
        (1.03, "3"),
        ("1.03", "3"),
        (1.01, "1"),
        (1, "1"),
        ("1", "1"),
        (1.0, "1"),
        (1.5, "50"),
        (2, "100"),
        (101, "10000"),
        (0.4, "1/60"),
        (0.97, "1/3"),
        ("0.97", "1/3"),
        (0.99, "1/1"),
        (0.01, "1/99"),
        (1.0299999, "3"),
        (1.034999, "3"),
        (" 1.03 ", "3"),
    ],
)
def test_a_number_is_calls_a_second_or_seconds_of_a_call(cps: object, setting: str) -> None:
    assert setting_of(cps) == setting
    parse_settings({"calls_per_second": setting})


@pytest.mark.parametrize(
    "cps",
    [0, 0.004, -1, 101.01, "", "fast", "1,03", None, True, [1.03], "nan", "inf", float("nan"), float("inf"), 1e300],
)
def test_what_is_no_pace_is_refused_by_name(cps: object) -> None:
    with pytest.raises(InvalidSetting) as caught:
        setting_of(cps)
    assert caught.value.key == "cps"


@given(st.integers(1, 9999).filter(lambda hundredths: hundredths not in (99, 100)))
def test_what_is_read_is_said_again(hundredths: int) -> None:
    cps = hundredths / 100
    rate = parse_settings({"calls_per_second": setting_of(cps)}).calls_per_second
    assert cps_of(rate) == cps


@given(st.integers(1, 99))
def test_a_call_in_so_many_seconds_is_exactly_that(seconds: int) -> None:
    rate = parse_settings({"calls_per_second": setting_of(1 - seconds / 100)}).calls_per_second
    assert 1 / rate == pytest.approx(seconds, rel=1e-11)


@given(st.integers(1, 10_000))
def test_so_many_calls_a_second_are_exactly_so_many(calls: int) -> None:
    assert parse_settings({"calls_per_second": setting_of(1 + calls / 100)}).calls_per_second == calls


@given(st.floats(0, 10_000) | st.floats(0, 1))
def test_whatever_pace_a_campaign_has_is_said_as_near_as_two_decimals_go(rate: float) -> None:
    cps = cps_of(rate)
    if cps is None:
        assert rate < 1 / 99.5 + 1e-9
    else:
        read = parse_settings({"calls_per_second": setting_of(cps)}).calls_per_second
        assert read == pytest.approx(rate, abs=0.51) if rate >= 1 else 1 / read == pytest.approx(1 / rate, abs=0.51)


@given(st.text() | st.floats() | st.integers() | st.none())
def test_whatever_comes_is_a_pace_or_refused(cps: object) -> None:
    blamed = "cps"
    try:
        parse_settings({"calls_per_second": setting_of(cps)})
    except InvalidSetting as error:
        blamed = error.key
    assert blamed == "cps"
