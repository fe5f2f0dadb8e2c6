"""Params and alternatives as text. That rows of files are read right: tests/unit/upload/test_formats.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.base_fields import (
    Alternative,
    InvalidField,
    alternatives_text,
    is_param_name,
    params_text,
    parse_alternatives,
    parse_params,
)

_NAMES = st.from_regex(r"[a-z0-9_]{1,64}", fullmatch=True)
_VALUES = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters=":"), max_size=40)


@given(st.dictionaries(_NAMES, _VALUES, max_size=5))
def test_params_are_read_as_they_were_written(params: dict[str, str]) -> None:
    assert parse_params(params_text(params.items())) == params


def test_a_value_with_a_colon_is_shown_with_a_space() -> None:
    assert parse_params(params_text([("url", "http://x")])) == {"url": "http //x"}


def test_alternatives_are_read_as_they_were_written() -> None:
    plain = "099124484:099111111"
    assert alternatives_text(parse_alternatives(plain)) == plain
    typed = parse_alternatives("H=0=999555555:W=7=999666666=his boss:P=0=1: 5 ")
    assert typed == [
        Alternative("W", "999666666", 7, "his boss"),
        Alternative("P", "1"),
        Alternative("H", "999555555"),
        Alternative("U", "5"),
    ]
    assert alternatives_text(typed) == "W=7=999666666=his boss:1:H=0=999555555:5"


@pytest.mark.parametrize(("text", "field"), [("a b=0=1", "alternative"), ("H=x=1", "alternative")])
def test_a_bad_alternative_names_its_field(text: str, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_alternatives(text)
    assert (caught.value.key, caught.value.code) == (field, "invalid_setting")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name=Ana:plain", "param 'plain': expected name=value"),
        ("a b=1", "param name 'a b': expected 1 to 64 letters"),
        ("Name=Ana:name=Eva", "param name is given twice"),
        ("name=\x07", "has a control character"),
        ("name=" + "é" * 451, "is longer than 900 bytes"),
    ],
)
def test_a_bad_param_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(InvalidField, match=says) as caught:
        parse_params(text)
    assert caught.value.key == "params"


def test_what_may_be_left_out_or_goes_over_lines() -> None:
    assert parse_params("name=Ana: :city=New\r\n\tYork:") == {"name": "Ana", "city": "New York"}
    assert parse_alternatives("M=600123123:boss=0=1") == [Alternative("M", "600123123"), Alternative("boss", "1")]


@pytest.mark.parametrize(("name", "may"), [("order_id", True), ("a b", False), ("", False), ("x" * 65, False)])
def test_a_params_name(name: str, may: bool) -> None:
    assert is_param_name(name) is may
