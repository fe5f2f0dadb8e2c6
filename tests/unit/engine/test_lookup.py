"""Who calls us: asked of the customer's system, and made safe for the dialplan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.errors import Unavailable
from astdialer.engine.lookup import LONGEST_NAME, LONGEST_VALUE_BYTES, MOST_VALUES, Answer, Lookup, read_answer

URL = "https://crm.example.com/who"


class Notifier:
    """Somebody's HTTP server."""

    def __init__(self, answer: Mapping[str, Any] | Exception, delay_s: float = 0) -> None:
        self._answer, self._delay_s = answer, delay_s
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        raise AssertionError("nothing is sent")

    async def get_json(self, url: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        self.asked.append((url, query))
        await asyncio.sleep(self._delay_s)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_the_number_is_asked_for_and_found() -> None:
    notifier = Notifier({"name": "Ana", "debt": 12.5, "vip": True})
    answer = await Lookup(notifier, URL, 1).ask("+447700900001")
    assert notifier.asked == [(URL, {"cid": "+447700900001"})]
    assert answer == Answer("found", {"NAME": "Ana", "DEBT": "12.5", "VIP": "true"})


async def test_a_server_that_fails_or_is_slow_is_an_error_and_no_wait() -> None:
    assert await Lookup(Notifier(Unavailable("answered 500")), URL, 1).ask("1") == Answer("error")
    async with asyncio.timeout(5):
        assert await Lookup(Notifier({}, delay_s=60), URL, 0.05).ask("1") == Answer("error")


async def test_without_an_address_nobody_is_asked() -> None:
    notifier = Notifier({})
    assert await Lookup(notifier, "", 1).ask("1") == Answer("error")
    assert notifier.asked == []


@pytest.mark.parametrize("cid", ["", " ", "a b", "1\r\nX: y", "1" * 81, "\u0661"])
async def test_a_caller_who_shows_no_number_is_not_looked_for(cid: str) -> None:
    notifier = Notifier({"name": "Ana"})
    assert await Lookup(notifier, URL, 1).ask(cid) == Answer("none")
    assert notifier.asked == []


@pytest.mark.parametrize("found", [{}, {"found": False}, {"Found": "no"}, {"found": 0}, {"FOUND": "FALSE"}])
def test_nobody_is_known_by_that_number(found: dict[str, Any]) -> None:
    assert read_answer(found).word == "none"


@pytest.mark.parametrize(
    ("key", "value", "values"),
    [
        ("client-name", "Ana", {"CLIENT_NAME": "Ana"}),
        ("a.b c", 1, {"A_B_C": "1"}),
        ("n", None, {"N": ""}),
        ("x", "a\r\nb\x00c\u2028d", {"X": "a b c d"}),
        ("x", "\ud800y", {"X": "y"}),
        ("x", float("inf"), {"X": "Infinity"}),
        ("é$", "y", {}),
        ("", "y", {}),
        ("list", [1], {}),
        ("object", {"a": 1}, {}),
        ("k" * 50, "v", {"K" * LONGEST_NAME: "v"}),
        ("v", "é" * 1000, {"V": "é" * (LONGEST_VALUE_BYTES // 2)}),
    ],
)
def test_names_and_values_are_made_safe(key: str, value: Any, values: dict[str, str]) -> None:
    assert read_answer({key: value}).values == values


def test_the_first_of_two_that_become_the_same_counts_and_there_is_an_end() -> None:
    assert read_answer({"a-b": 1, "a b": 2}).values == {"A_B": "1"}
    assert len(read_answer({f"n{n}": n for n in range(500)}).values) == MOST_VALUES


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.dictionaries(st.text(), SCALARS | st.lists(SCALARS) | st.dictionaries(st.text(), SCALARS)))
def test_whatever_comes_can_be_sent_to_asterisk(found: dict[str, Any]) -> None:
    for name, value in read_answer(found).values.items():
        assert name.replace("_", "").isalnum()
        assert name.isascii()
        assert len(f'SET VARIABLE "LOOKUP_{name}" "{value}"'.encode()) < 2000
        assert not set(value) & set("\r\n\0")
