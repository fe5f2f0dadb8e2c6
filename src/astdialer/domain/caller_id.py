"""Caller ids: fixed, one of a list, one of a range, a pool's in rotation, or the contact's own.

The text form is that of the campaign's setting and of trunks:

``442079460000``, ``Name <442079460000>``  fixed
``A | B | C``  one of these at random for each call
``1234567-89``  a range: 1234567 to 1234589, at random. What stands before the dash has at least 7 digits, what follows
replaces its last 1 to 4, is not smaller than those, and the range has at most 1000 numbers. Anything else with a dash
is a number that people write with one: ``555-0100``, ``4420-79460000``
``pool:NAME``  the numbers of a pool in turn
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import NAME

#: The contact's own parameters.
NUMBER_PARAM = "outbound_caller_id_number"
NAME_PARAM = "outbound_caller_id_name"
LONGEST_ENTRY = 80
MOST_ENTRIES = 100
LARGEST_RANGE = 1000

_POOL = "pool:"
_BARRED = r"\x00-\x1f\x7f-\x9f\ud800-\udfff,;|\"'\\$`{}"
#: Travels in an AMI header, and from there into the dialplan.
_PLAIN = re.compile(rf"[^{_BARRED}]{{1,{LONGEST_ENTRY}}}")
_NOT_IN_NAME = re.compile(rf"[{_BARRED}<>]+")
_QUOTED_NAME = re.compile(r'\A"([^"]*)"(?=\s*<[^<>]*>\Z)')
_RANGE = re.compile(
    r"(?P<before>(?:[^<>]*(?P<named><))?\+?)(?P<left>[0-9]{7,20})-(?P<right>[0-9]{1,4})(?P<after>(?(named)>))"
)
_PUNCTUATION = re.compile(r"[\s().\-/]+")
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_NUMBER_WITHIN = re.compile(r"[^<>]*<([^<>]*)>|([^<>]*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A caller id, or ``before`` and ``after`` around a number from ``first`` to ``last`` of so many ``digits``."""

    before: str
    first: int = 0
    last: int = 0
    digits: int = 0  #: 0: no range
    after: str = ""


@dataclass(frozen=True, slots=True)
class CallerId:
    """What calls may show. False when nothing is set; its text form is ``str()``."""

    text: str = ""
    entries: tuple[Entry, ...] = ()
    pool: str = ""

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return self.text


class Picked(NamedTuple):
    """A call's caller id, empty for none, and what stood in the way of a preferred one."""

    text: str
    problems: tuple[str, ...] = ()


def parse_caller_id(key: str, text: str) -> CallerId:
    """Empty is no caller id. Raises InvalidSetting."""
    text = text.strip()
    if not text:
        return CallerId()
    if text.startswith(_POOL):
        return _pool(key, text)
    texts = [_unquoted(each) for each in text.split("|")]
    if len(texts) > MOST_ENTRIES:
        raise InvalidSetting(key, text, f"{MOST_ENTRIES} numbers at most: make a pool of them")
    return CallerId(" | ".join(texts), entries=tuple(_entry(key, each) for each in texts))


def check_pool_number(key: str, text: str) -> str:
    """One of a pool's caller ids, number or Name <number>, as it is kept; raises InvalidSetting."""
    text = _unquoted(text)
    if _entry(key, text).digits:
        raise InvalidSetting(key, text, "one number; a pool has no ranges")
    return text


def _pool(key: str, text: str) -> CallerId:
    name = text.removeprefix(_POOL).strip()
    if not NAME.fullmatch(name):
        raise InvalidSetting(key, text, "pool:NAME with the name of one pool of numbers")
    return CallerId(_POOL + name, pool=name)


def _unquoted(text: str) -> str:
    """Asterisk's own spelling, "Name" <number>, without the quotes."""
    return _QUOTED_NAME.sub(r"\1", text.strip(), count=1)


def _entry(key: str, text: str) -> Entry:
    if not _PLAIN.fullmatch(text) or not _has_number(text) or text.startswith(_POOL):
        expected = "a number, Name <number>, several of them joined by |, a range such as 1234567-89, or pool:NAME"
        limits = f"no commas, quotes, braces or control characters, {LONGEST_ENTRY} characters at most each"
        raise InvalidSetting(key, text, f"{expected}; {limits}")
    match = _RANGE.fullmatch(text)
    return (match and _range(match)) or Entry(text)


def _has_number(text: str) -> bool:
    """Whether it is a number, as people write them, or a name and one."""
    match = _NUMBER_WITHIN.fullmatch(text)
    return bool(match and _NUMBER.fullmatch(_PUNCTUATION.sub("", match[1] or match[2] or "")))


def _range(match: re.Match[str]) -> Entry | None:
    """None if it is no range but a number that is written with a dash."""
    left, right = match["left"], match["right"]
    head, tail = left[: -len(right)], left[-len(right) :]
    if not 0 <= int(right) - int(tail) < LARGEST_RANGE:
        return None
    return Entry(match["before"] + head, int(tail), int(right), len(right), match["after"])


def choose(
    caller_id: CallerId,
    rng: Callable[[], float],
    pools: Mapping[str, Sequence[str]],
    turn: Callable[[str], int],
) -> str:
    """The caller id of one call; empty if none is set, or if problem() knows one.

    ``rng`` gives numbers from 0 to below 1, ``turn`` a pool's running number, which is asked for only when used.
    """
    if caller_id.pool:
        numbers = pools.get(caller_id.pool)
        return numbers[turn(caller_id.pool) % len(numbers)] if numbers else ""
    if not caller_id.entries:
        return ""
    entry = caller_id.entries[_below(len(caller_id.entries), rng)]
    if not entry.digits:
        return entry.before
    number = entry.first + _below(entry.last - entry.first + 1, rng)
    return f"{entry.before}{number:0{entry.digits}}{entry.after}"


def _below(count: int, rng: Callable[[], float]) -> int:
    return min(int(rng() * count), count - 1)


def problem(caller_id: CallerId, pools: Mapping[str, Sequence[str]]) -> str:
    """Why nothing can be chosen, in the administrator's words; empty if something can, or nothing is set."""
    if not caller_id.pool or pools.get(caller_id.pool):
        return ""
    known = caller_id.pool in pools
    return f"the pool of numbers {caller_id.pool} " + ("is empty" if known else "does not exist")


def contact_caller_id(params: Mapping[str, str]) -> str:
    """What the contact's own parameters ask for; empty without a usable number, whatever the name says."""
    number = _PUNCTUATION.sub("", params.get(NUMBER_PARAM, ""))
    if not _NUMBER.fullmatch(number):
        return ""
    name = " ".join(_NOT_IN_NAME.sub(" ", params.get(NAME_PARAM, "")).split())
    name = name[: LONGEST_ENTRY - len(number) - len(" <>")].strip()
    return f"{name} <{number}>" if name else number


def pick(
    params: Mapping[str, str],
    trunk: CallerId,
    campaign: CallerId,
    *,
    rng: Callable[[], float],
    pools: Mapping[str, Sequence[str]],
    turn: Callable[[str], int],
) -> Picked:
    """The contact's own caller id before the trunk's before the campaign's. A pool without numbers is passed over."""
    own = contact_caller_id(params)
    if own:
        return Picked(own)
    problems: tuple[str, ...] = ()
    for caller_id in filter(None, (trunk, campaign)):
        text = choose(caller_id, rng, pools, turn)
        if text:
            return Picked(text, problems)
        problems += (problem(caller_id, pools),)
    return Picked("", problems)
