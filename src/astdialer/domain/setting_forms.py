"""The text forms that settings come in: each maker gives a parser of (key, text) that raises InvalidSetting."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from astdialer.domain import calendar
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import NAME
from astdialer.domain.retry import Retry

Parser = Callable[[str, str], Any]

#: Sent to the dialplan in an AMI header: no control characters, no separators.
_PLAIN = re.compile(r"[^\x00-\x1f\x7f,;|\"'\\$`{}]*")
_GOTO = re.compile(r"[\w.-]{1,79},[\w.+*#-]{1,79},([0-9]{1,4}|[A-Za-z]\w{0,78})")
_RETRY = re.compile(r"([0-9]{1,3}|\*)/([0-9]{1,8}(?:,[0-9]{1,8}){0,29})")
_RATE = re.compile(r"[0-9]{1,5}(\.[0-9]{1,15})?")
_PERIOD = re.compile(r"1/([0-9]{1,3})")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})")
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def whole(low: int, high: int) -> Parser:
    """A whole number within limits."""

    def parse(key: str, text: str) -> int:
        if re.fullmatch(r"-?[0-9]{1,9}", text) and low <= int(text) <= high:
            return int(text)
        raise InvalidSetting(key, text, f"a whole number from {low} to {high}")

    return parse


def number(low: float, high: float) -> Parser:
    """A number within limits."""

    def parse(key: str, text: str) -> float:
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) and low <= float(text) <= high:
            return float(text)
        raise InvalidSetting(key, text, f"a number from {low:g} to {high:g}")

    return parse


def rate(slowest_s: int, fastest: float) -> Parser:
    """So many a second, or 1/SECONDS; 0 is no limit. Kept to twelve digits, which is what its text form has."""

    def parse(key: str, text: str) -> float:
        period = _PERIOD.fullmatch(text)
        if period and 1 <= int(period[1]) <= slowest_s:
            return float(f"{1 / int(period[1]):.12g}")
        value = float(text) if _RATE.fullmatch(text) else -1.0
        if value and not float(f"{1 / slowest_s:.12g}") <= value <= fastest:
            raise InvalidSetting(key, text, f"0, a number from {1 / slowest_s:g} to {fastest:g}, or 1/SECONDS")
        return float(f"{value:.12g}")

    return parse


def instant(key: str, text: str) -> str:
    """A point in time with its offset, or nothing."""
    if text:
        instant_ms(key, text)
    return text


def instant_ms(key: str, text: str) -> int:
    """Milliseconds since 1970 UTC of a point in time. Raises InvalidSetting."""
    try:
        at = datetime.fromisoformat(text) if _INSTANT.fullmatch(text) else None
    except ValueError:
        at = None
    if at is None or not 1970 < at.year < 3000:
        raise InvalidSetting(key, text, "YYYY-MM-DDTHH:MM with Z or an offset, such as 2026-12-01T10:00+03:00")
    return int(at.timestamp() * 1000)


def flag(key: str, text: str) -> bool:
    """True or false, in the usual words."""
    if text.lower() not in _WORDS:
        raise InvalidSetting(key, text, "true or false")
    return _WORDS[text.lower()]


def choice(kind: type[StrEnum]) -> Parser:
    """One of an enumeration's words."""

    def parse(key: str, text: str) -> Any:
        if text not in list(kind):
            raise InvalidSetting(key, text, "one of " + ", ".join(kind))
        return kind(text)

    return parse


def matching(pattern: re.Pattern[str], expected: str, longest: int = 255) -> Parser:
    """Empty, or a text of the pattern."""

    def parse(key: str, text: str) -> str:
        if text and (len(text) > longest or not pattern.fullmatch(text)):
            raise InvalidSetting(key, text, expected)
        return text

    return parse


def name(what: str) -> Parser:
    """The name of ``what``, or nothing."""
    return matching(NAME, f"{what} name")


def plain(what: str) -> Parser:
    """One line that may travel in an AMI header."""
    return matching(_PLAIN, f"{what} without commas, quotes, braces or control characters, 255 characters at most")


goto = matching(_GOTO, "context,extension,priority")


def hours(_key: str, text: str) -> str:
    """HH:MM-HH:MM."""
    calendar.parse_hours(text)
    return text


def weekdays(key: str, text: str) -> str:
    """mon-fri and the like, at least one day."""
    if not calendar.parse_weekdays(text):
        raise InvalidSetting(key, text, "at least one day, such as mon-fri")
    return text


def zone(_key: str, text: str) -> str:
    """A zone, or nothing."""
    if text:
        calendar.zone_of(text)
    return text


def retry(key: str, text: str) -> Retry:
    """TRIES/DELAY or TRIES/DELAY,DELAY,…; * for any number of tries."""
    match = _RETRY.fullmatch(text.replace(" ", ""))
    if not match or not match[1].strip("0"):
        expected = "TRIES/DELAY, attempts (1 or more, or *) and seconds between them, such as 3/600 or 4/60,300,3600"
        raise InvalidSetting(key, text, expected)
    tries = None if match[1] == "*" else int(match[1])
    return Retry(tries=tries, delays_s=tuple(map(int, match[2].split(","))))


def canonical(parse: Callable[[str, str], object]) -> Parser:
    """The text itself, once ``parse`` has read it: for settings that are kept as they came."""

    def check(key: str, text: str) -> str:
        if text:
            parse(key, text)
        return text

    return check
