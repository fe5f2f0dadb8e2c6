"""Params and alternatives as text. That they are read right: tests/unit/upload/test_formats.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.base_fields import (
    Alternative,
    InvalidField,
    alternatives_text,
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
