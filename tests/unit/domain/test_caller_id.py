"""Caller ids: what a setting may say, and which of them a call shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.caller_id import (
    LARGEST_RANGE,
    LONGEST_ENTRY,
    MOST_ENTRIES,
    CallerId,
    Picked,
    check_pool_number,
    choose,
    contact_caller_id,
    parse_caller_id,
    pick,
    problem,
)
from astdialer.domain.errors import InvalidSetting

POOLS = {"sales": ("101", "102", "103"), "empty": ()}
fractions = st.floats(0, 1, exclude_max=True)


def one(text: str, fraction: float = 0.0, turn: int = 0) -> str:
    return choose(parse_caller_id("caller_id", text), lambda: fraction, POOLS, lambda _pool: turn)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("  ", ""),
        ("442079460000", "442079460000"),
        (" +442079460000 ", "+442079460000"),
        ("Acme Ltd <442079460000>", "Acme Ltd <442079460000>"),
        ('"Acme Ltd" <442079460000>', "Acme Ltd <442079460000>"),
        ("Ærø & søn <45>", "Ærø & søn <45>"),
    ],
)
@pytest.mark.parametrize("fraction", [0.0, 0.999])
def test_a_fixed_caller_id_is_shown_as_it_is(text: str, shown: str, fraction: float) -> None:
    assert one(text, fraction) == shown


@pytest.mark.parametrize(
    "text",
    [
        "555-0100",  # the left part is no whole number
        "020-79460000",
        "1-800-555-0199",
        "44207946-0001",  # not beyond the tail that it would replace
        "1234567-12",
        "1234567-",
        "1234567-89012",
        "1212555-9100",  # 6546 numbers
        "123456-89",
        "+49 30 1234567-89",
    ],
)
def test_a_number_that_people_write_with_a_dash_is_no_range(text: str) -> None:
    assert one(text) == one(text, 0.999) == text


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1234567-89", "1234567", "1234589"),
        ("4420794600-10", "4420794600", "4420794610"),
        ("+442079460000-0199", "+442079460000", "+442079460199"),
        ("1234500-00", "1234500", "1234500"),
        ("1234567-8", "1234567", "1234568"),
        ("Acme <1234098-101>", "Acme <1234098>", "Acme <1234101>"),
        ("<1234567-89>", "<1234567>", "<1234589>"),
        ("9990000-0999", "9990000", "9990999"),
    ],
)
def test_a_range_goes_from_its_first_to_its_last_number(text: str, first: str, last: str) -> None:
    assert (one(text, 0.0), one(text, 0.9999999)) == (first, last)
    assert one(text, 1.0) == last  # a careless source of chance adds none


@given(st.integers(10**6, 10**15), st.integers(1, 4), st.integers(0, LARGEST_RANGE - 1), fractions)
def test_whatever_a_range_shows_is_in_it_and_as_long(left: int, width: int, more: int, fraction: float) -> None:
    tail = int(str(left)[-width:])
    right = min(tail + more, 10**width - 1)
    shown = one(f"{left}-{right:0{width}}", fraction)
    assert left <= int(shown) <= left - tail + right
    assert len(shown) == len(str(left))


def test_each_of_a_list_has_its_turn_by_chance() -> None:
    text = '101 |"Acme" <102>| 1234567-89'
    assert [one(text, fraction) for fraction in (0.0, 0.34, 0.67)] == ["101", "Acme <102>", "1234582"]
    assert str(parse_caller_id("caller_id", text)) == "101 | Acme <102> | 1234567-89"


def test_a_pools_numbers_are_shown_in_rotation() -> None:
    turns = count(5)
    caller_id = parse_caller_id("caller_id", "pool: sales")
    assert str(caller_id) == "pool:sales"
    shown = [choose(caller_id, lambda: 0.5, POOLS, lambda _pool: next(turns)) for _ in range(4)]
    assert shown == ["103", "101", "102", "103"]


@pytest.mark.parametrize(("name", "words"), [("empty", "is empty"), ("none", "does not exist")])
def test_a_pool_without_numbers_shows_nothing_and_is_told(name: str, words: str) -> None:
    assert one(f"pool:{name}") == ""
    assert problem(parse_caller_id("caller_id", f"pool:{name}"), POOLS) == f"the pool of numbers {name} {words}"


@pytest.mark.parametrize("text", ["", "101", "pool:sales"])
def test_nothing_is_told_of_what_can_be_shown_or_is_not_set(text: str) -> None:
    assert problem(parse_caller_id("caller_id", text), POOLS) == ""


@pytest.mark.parametrize(
    "text",
    [
        "101,102",
        "x<y",
        "x<y>",
        "x<101",
        "x<1234567-89",
        "1234567-89>",
        "x1234567-89",
        "12345678901-a",
        "<101> x",
        "Acme",
        "Acme <>",
        "Acme <1> <2>",
        "-",
        "1" * 33,
        "101;102",
        '"Acme"',
        '"Acme, Ltd" <101>',
        '101 "<102>"',
        "O'Neill <101>",
        "101\r\nAction: Logoff",
        "1\x8501",
        "101\x7f",
        "${SHELL(x)}",
        "101 | | 102",
        "|101",
        "101 | pool:sales",
        "pool:",
        "pool:a b",
        "pool:sales | 101",
        "101 | pool:sales <102>",
        "a" * (LONGEST_ENTRY - 5) + " <101>",
        " | ".join(["101"] * (MOST_ENTRIES + 1)),
        "\ud800",
    ],
)
def test_an_unusable_caller_id_is_refused_by_its_key(text: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse_caller_id("caller_id", text)
    assert caught.value.key == "caller_id"


def test_the_longest_list_of_the_longest_caller_ids_is_taken() -> None:
    text = " | ".join(["a" * (LONGEST_ENTRY - 6) + " <101>"] * MOST_ENTRIES)
    assert len(parse_caller_id("caller_id", text).entries) == MOST_ENTRIES


@given(st.text() | st.text('0123456789-+|<>" pol:Aé', max_size=30), fractions)
def test_any_text_is_refused_or_shows_one_line_without_separators(text: str, fraction: float) -> None:
    try:
        caller_id = parse_caller_id("caller_id", text)
    except InvalidSetting:
        return
    assert parse_caller_id("caller_id", str(caller_id)) == caller_id
    assert bool(caller_id) == bool(str(caller_id))
    shown = choose(caller_id, lambda: fraction, {}, lambda _pool: 0)
    assert len(shown) <= LONGEST_ENTRY
    assert not re.search(r"[\x00-\x1f\x7f,;|\"'\\$`{}]", shown)


def test_a_pool_has_single_numbers_only() -> None:
    assert check_pool_number("numbers", ' "Acme" <101> ') == "Acme <101>"
    for wrong in ("1234567-89", "101 | 102", "pool:sales", ""):
        with pytest.raises(InvalidSetting, match="numbers"):
            check_pool_number("numbers", wrong)


@pytest.mark.parametrize(
    ("number", "name", "shown"),
    [
        ("+44 (20) 7946-0000", "", "+442079460000"),
        ("101", "Acme", "Acme <101>"),
        ("101", 'Acme, "the"\r\nbest <x> $$', "Acme the best x <101>"),
        ("101", "x" * 200, "x" * (LONGEST_ENTRY - 6) + " <101>"),
        ("101", '"";', "101"),
        ("", "Acme", ""),
        ("anonymous", "", ""),
        ("101;102", "", ""),
        ("1" * 33, "", ""),
        ("1\n2", "", "12"),
    ],
)
def test_a_contacts_own_caller_id_is_made_harmless_or_left_out(number: str, name: str, shown: str) -> None:
    params = {"outbound_caller_id_number": number, "outbound_caller_id_name": name}
    assert contact_caller_id(params) == shown
    assert not shown or str(parse_caller_id("caller_id", shown)) == shown


def test_a_contact_without_the_parameters_has_no_caller_id() -> None:
    assert contact_caller_id({"city": "London"}) == ""


@given(st.text(), st.text())
def test_no_base_can_write_anything_else_into_a_caller_id(number: str, name: str) -> None:
    shown = contact_caller_id({"outbound_caller_id_number": number, "outbound_caller_id_name": name})
    assert shown == "" or re.fullmatch(r"(?:[^\x00-\x1f\x7f,;|\"'\\$`{}<>]* <)?\+?[0-9*#]{1,32}>?", shown)
    assert len(shown) <= LONGEST_ENTRY


def counting() -> Callable[[str], int]:
    running: Iterator[int] = count()
    return lambda _pool: next(running)


@pytest.mark.parametrize(
    ("own", "trunk", "campaign", "expected"),
    [
        ("100", "200", "300", Picked("100")),
        ("", "200", "300", Picked("200")),
        ("", "", "300", Picked("300")),
        ("", "", "", Picked("")),
        ("", "pool:sales", "300", Picked("101")),
        ("", "pool:none", "300", Picked("300", ("the pool of numbers none does not exist",))),
        (
            "",
            "pool:none",
            "pool:empty",
            Picked("", ("the pool of numbers none does not exist", "the pool of numbers empty is empty")),
        ),
    ],
)
def test_the_contacts_caller_id_goes_before_the_trunks_and_that_before_the_campaigns(
    own: str, trunk: str, campaign: str, expected: Picked
) -> None:
    picked = pick(
        {"outbound_caller_id_number": own},
        parse_caller_id("caller_id", trunk),
        parse_caller_id("caller_id", campaign),
        rng=lambda: 0.0,
        pools=POOLS,
        turn=counting(),
    )
    assert picked == expected


def test_nothing_set_is_false() -> None:
    assert not CallerId()
