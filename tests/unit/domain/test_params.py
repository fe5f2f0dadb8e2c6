"""Params of contacts and campaigns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.errors import InvalidSetting
from astdialer.domain.params import LONGEST_VALUE_BYTES, MOST, check_params, params_text, parse_params, with_own

names = st.from_regex(r"[A-Za-z0-9_]{1,64}", fullmatch=True)
values = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=60)


@given(st.dictionaries(names, values, max_size=10).filter(lambda d: len({k.lower() for k in d}) == len(d)))
def test_what_is_written_is_read_back(params: dict[str, str]) -> None:
    assert parse_params("params", params_text(params)) == params


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" ; ;", {}),
        ("a=1", {"a": "1"}),
        (" a = 1 ;b=", {"a": " 1 ", "b": ""}),
        (r"a=1\;2;b=C:\\dir=x", {"a": "1;2", "b": r"C:\dir=x"}),
        ("source=spring;offer=3 for 2", {"source": "spring", "offer": "3 for 2"}),
    ],
)
def test_params_are_read(text: str, expected: dict[str, str]) -> None:
    assert parse_params("params", text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source", "NAME=VALUE"),
        (r"a=C:\dir", r"a ; or \\ in a value"),
        ("a=1;a=2", "each name once"),
        ("a=1;A=2", "each name once"),
        ("a b=1", "names of 1 to 64"),
        ("=1", "names of 1 to 64"),
        ("a=x\r\ny", "without control characters"),
        ("a=" + "é" * (LONGEST_VALUE_BYTES // 2 + 1), "at most 900 bytes"),
        (";".join(f"n{i}=x" for i in range(MOST + 1)), "at most 60"),
    ],
)
def test_what_cant_become_a_channel_variable_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidSetting, match=words) as refused:
        parse_params("params", text)
    assert refused.value.key == "params"


def test_a_contacts_params_are_checked_likewise() -> None:
    check_params({"a": "1", "b": ""})
    with pytest.raises(InvalidSetting, match=r"data = 'b\.c'"):
        check_params({"b.c": "1"})


def test_a_contacts_own_go_before_those_of_its_campaign() -> None:
    common = {"source": "spring", "Offer": "3 for 2"}
    assert with_own({"offer": "none", "name": "Ana"}, common) == {"source": "spring", "offer": "none", "name": "Ana"}
    assert with_own({}, common) == common
