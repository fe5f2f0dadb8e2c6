"""Bodies: JSON of strangers, whose values are read one by one, each error with the place it is at."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from astdialer.http.webitel3.answers import Said

#: Objects and lists within each other.
DEEPEST = 60
#: Bodies from so many bytes on are parsed in another thread.
LARGE = 65_536


async def body_of(request: Request) -> Any:
    """The body; None if there is none. Raises Said."""
    body = await request.body()
    if len(body) < LARGE:
        return parsed(body, "the body")
    return await asyncio.to_thread(parsed, body, "the body")  # calls go on in this one


def parsed(text: bytes | str, what: str) -> Any:
    """JSON that can be kept and shown again. Raises Said."""
    if not text.strip():
        return None
    try:
        found = json.loads(text)
        # NaN and 1e999 are no numbers, and a surrogate on its own is no text.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as problem:
        words = "it is nested too deeply" if isinstance(problem, RecursionError) else str(problem)
        raise Said(400, f"{what} is no JSON: {words}") from None
    if _is_deep(found):
        raise Said(400, f"{what} is nested more than {DEEPEST} deep")
    return found


def _is_deep(value: Any) -> bool:
    """Whether whoever walks through it would go too deep."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)


async def table_of(request: Request) -> dict[str, Any]:
    """A body that is an object; none is an empty one. Raises Said."""
    found = await body_of(request)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Said(400, "Bad request: data is required. Expected a JSON object")
    return found


@dataclass(frozen=True, slots=True)
class Table:
    """An object of a document, and where in it that is."""

    values: Mapping[str, Any]
    path: str = ""

    def at(self, key: str) -> str:
        """The place of a key."""
        return f"{self.path}.{key}" if self.path else key

    def bad(self, key: str, expected: str) -> Said:
        """A value can't be."""
        return Said(400, f"{self.at(key)} = {_shown(self.values.get(key))}: expected {expected}")

    def has(self, key: str) -> bool:
        """Whether there is anything."""
        return self.values.get(key) is not None

    def table(self, key: str) -> Table:
        """An object; an empty one if there is none."""
        found = self.values.get(key)
        if found is not None and not isinstance(found, dict):
            raise self.bad(key, "an object")
        return Table(found or {}, self.at(key))

    def items(self, key: str) -> Sequence[Any]:
        """A list; an empty one if there is none."""
        found = self.values.get(key)
        if found is not None and not isinstance(found, list):
            raise self.bad(key, "a list")
        return found or []

    def tables(self, key: str) -> Iterator[Table]:
        """A list of objects."""
        for at, found in enumerate(self.items(key)):
            if not isinstance(found, dict):
                raise Said(400, f"{self.at(key)}[{at}] = {_shown(found)}: expected an object")
            yield Table(found, f"{self.at(key)}[{at}]")

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; numbers are texts as well."""
        return tuple(self._text(key, each) for each in self.items(key))

    def text(self, key: str, default: str = "") -> str:
        """A text; numbers are texts as well."""
        found = self.values.get(key)
        return default if found is None else self._text(key, found)

    def _text(self, key: str, found: Any) -> str:
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            raise self.bad(key, "text")
        return scalar_text(found)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        found = self.values.get(key)
        if found is None:
            return default
        words = {True: True, False: False, "true": True, "false": False}
        if not isinstance(found, bool | int | str) or found not in words:
            raise self.bad(key, "true or false")
        return words[found]

    def number(self, key: str, default: float) -> float:
        """A number, be it written as a text."""
        found = self.values.get(key)
        if found is None:
            return float(default)
        try:
            value = math.nan if isinstance(found, bool) else float(found)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            raise self.bad(key, "a number")
        return value

    def whole(self, key: str, default: int, low: int = -(10**15), high: int = 10**15) -> int:
        """A whole number, be it written as a text, within limits."""
        value = self.number(key, default)
        if not value.is_integer() or not low <= value <= high:
            raise self.bad(key, f"a whole number from {low} to {high}" if high < 10**15 else "a whole number")
        return int(value)


def scalar_text(value: Any) -> str:
    """A value of JSON as text: what it is in JSON, but for texts, which are themselves, and null, which is nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
