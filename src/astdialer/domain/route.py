r"""Routes: which trunks a number may leave by, and what each of them is given to dial.

A route matches numbers by a user's regular expression, in JavaScript's words, and names destinations. These patterns
are data of strangers: how they are kept from stalling the engine is in ADR 7. ``^\+?60(\d{8,11})$`` with ``0$1`` makes
0123456789 of +60123456789.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import regex

from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import check_name

#: What a destination dials unless it says otherwise: the match as it is.
WHOLE_MATCH = "$&"
LONGEST_PATTERN = 256
LONGEST_NUMBER = 20  #: digits; longer ones match nothing
LONGEST_RESULT = 64  #: characters, of a rewrite and of what it makes
#: A search that takes longer is given up. Seconds of processor time, as ``regex`` measures.
MATCH_S = 0.005
#: At definition the limit is harder, so that a pattern that was taken is not given up afterwards.
PROBE_S = 0.002
#: Most steps of a compiled pattern: a repeat is written out, and nothing else limits what compiling takes.
HEAVIEST = 1_000

_DIGITS = "0123456789"
_DIALABLE = re.compile(rf"[0-9A-Za-z+*#._-]{{1,{LONGEST_RESULT}}}")
_REFERENCE = re.compile(r"\$(\$|&|[0-9]{1,2})")
_REWRITE = re.compile(rf"(?=.{{0,{LONGEST_RESULT}}}\Z)(?:[0-9A-Za-z+*#._-]|\$(?:&|0?[1-9]))*")
_DESTINATION = re.compile(r"(?P<trunk>[^=]+?)(?:=(?P<rewrite>[^=@]*))?(?:@(?P<order>-?[0-9]{1,6}))?")
_LAST_ORDER = 999_999
_SLASHED = re.compile(r"/(.+)/[imsu]*")
#: JavaScript's syntax as far as it is of use for digits. The extensions of ``regex`` stay out.
_TOKEN = re.compile(
    r"""(?P<open> \( (?: \? (?: [:=!] | <[=!] | <[A-Za-z]\w{0,30}> ) )? )
    | (?P<close> \) )
    | (?P<repeat> (?: [*+?] | \{ (?P<least>[0-9]{1,3}) (?:,[0-9]{0,3})? \} ) \?? )
    | (?P<bar> \| )
    | (?P<atom> \\ (?: [1-9][0-9]? | [dDwWsSbB] | [^A-Za-z0-9] )
              | \[ \^? (?: \\[dDwWsSb] | \\[^A-Za-z0-9] | [^\]\[\\] )+ \]
              | [^\\()\[\]{}*+?|] )""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Destination:
    """One trunk of a route, and how it wants the number: ``$1`` to ``$99``, ``$&`` as in String.replace."""

    trunk: str
    rewrite: str = WHOLE_MATCH
    order: int = 0  #: smaller is tried first; equals in the order of definition
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """Numbers that ``pattern`` finds anything in may leave by the destinations. To be made by check_route."""

    name: str
    pattern: str
    destinations: tuple[Destination, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Way:
    """A way out for one number: what the trunk is given in place of the number."""

    route: str
    trunk: str
    digits: str


class Problem(NamedTuple):
    """Why a route, or one of its destinations, is no way for a number that it may have been meant for."""

    route: str
    words: str


class Lookup(NamedTuple):
    """All that the routes say about a number. ``problems`` are the administrator's to mend."""

    ways: tuple[Way, ...]
    problems: tuple[Problem, ...]


class Rewritten(NamedTuple):
    """What a trunk is given. No digits and no problem: the pattern does not match."""

    digits: str = ""
    problem: str = ""


class _Found(NamedTuple):
    """Where a pattern matched: what it does not cover stays; ``groups`` starts with the whole match."""

    before: str
    groups: tuple[str, ...]
    after: str


def candidates(routes: Sequence[Route], number: str) -> tuple[Way, ...]:
    """Every way for the number, the one to try first in front; empty: there is no route."""
    return look_up(routes, number).ways


def look_up(routes: Sequence[Route], number: str) -> Lookup:
    """The ways as candidates() gives them, and what stood in the way of others. Takes 2 * MATCH_S a route at most."""
    ways, problems = [], []
    for route in filter(lambda each: each.enabled, routes):
        found, words = _search(route.pattern, number)
        if words:
            problems.append(Problem(route.name, words))
        for destination in in_order(route.destinations):
            digits, words = _rewritten(found, destination.rewrite)
            if digits:
                ways.append(Way(route.name, destination.trunk, digits))
            elif words:
                problems.append(Problem(route.name, f"trunk {destination.trunk}: {words}"))
    return Lookup(tuple(ways), tuple(problems))


def may_lead(routes: Sequence[Route], number: str) -> bool:
    """Whether any route is meant for the number, disabled ones too. One that can't be searched may be."""
    searches = (_search(route.pattern, number) for route in routes)
    return any(found or words for found, words in searches)


def in_order(destinations: Sequence[Destination]) -> list[Destination]:
    """The enabled ones as they are tried."""
    return sorted((each for each in destinations if each.enabled), key=lambda each: each.order)


def rewrite_number(pattern: str, rewrite: str, number: str) -> Rewritten:
    """``digits(number).replace(pattern, rewrite)`` as in JavaScript. Never raises."""
    found, problem = _search(pattern, number)
    return Rewritten(problem=problem) if problem else _rewritten(found, rewrite)


def _search(pattern: str, number: str) -> tuple[_Found | None, str]:
    """Where the pattern matches the number's digits, and a problem in the user's words."""
    digits = re.sub(r"[^0-9]", "", number)
    if not 0 < len(digits) <= LONGEST_NUMBER:
        return None, ""
    try:
        return _find(pattern, digits), ""
    except TimeoutError:
        return None, f"the pattern {pattern!r} takes too long for {digits}"
    except InvalidSetting as error:
        return None, str(error)


@lru_cache(maxsize=4096)
def _find(pattern: str, digits: str) -> _Found | None:
    """Raises TimeoutError and InvalidSetting, which are not kept: the next time may be better."""
    compiled = _compiled(pattern)
    for text in (digits, "+" + digits):  # ^\+44 is what people write
        match = compiled.search(text, timeout=MATCH_S)
        if match:
            groups = tuple(group or "" for group in (match[0], *match.groups()))
            return _Found(text[: match.start()], groups, text[match.end() :])
    return None


def _rewritten(found: _Found | None, rewrite: str) -> Rewritten:
    if not found:
        return Rewritten()
    text = found.before + _expand(rewrite, found.groups) + found.after
    if _DIALABLE.fullmatch(text):
        return Rewritten(text)
    of = found.before + found.groups[0] + found.after
    limits = f"expected 1 to {LONGEST_RESULT} digits, letters or + * # . _ -"
    return Rewritten(problem=f"the rewrite {rewrite!r} makes {text!r} of {of}: {limits}")


def _expand(rewrite: str, groups: Sequence[str]) -> str:
    """JavaScript's GetSubstitution: $10 is the tenth group, or the first and a 0, or stays as it is."""

    def value(reference: re.Match[str]) -> str:
        name = reference[1]
        if name in "$&":
            return groups[0] if name == "&" else "$"
        for length in (2, 1):
            if 0 < int(name[:length]) < len(groups):
                return groups[int(name[:length])] + name[length:]
        return reference[0]

    return _REFERENCE.sub(value, rewrite)


def check_route(route: Route) -> Route:
    """The route with its pattern as check_pattern gives it; raises InvalidSetting."""
    route = dataclasses.replace(route, name=check_name(route.name), pattern=check_pattern(route.pattern))
    groups = _compiled(route.pattern).groups
    for destination in route.destinations:
        check_name(destination.trunk)
        rewrite = check_rewrite(destination.rewrite)
        if "$" in _expand(rewrite, [""] * (groups + 1)):
            raise InvalidSetting("rewrite", rewrite, f"no group beyond the {groups} of {route.pattern!r}")
        if abs(destination.order) > _LAST_ORDER:
            raise InvalidSetting("order", destination.order, f"a whole number from -{_LAST_ORDER} to {_LAST_ORDER}")
    return route


def check_rewrite(text: str) -> str:
    """The rewrite if it can make something to dial; raises InvalidSetting. Empty takes the match away."""
    if not _REWRITE.fullmatch(text):
        expected = "digits, letters or + * # . _ -, with $1 to $99 for groups and $& for the whole match"
        raise InvalidSetting("rewrite", text, f"{expected}, {LONGEST_RESULT} characters at most")
    return text


@lru_cache(maxsize=512)
def check_pattern(text: str) -> str:
    """The pattern, freed of ``/…/`` around it, if it can be used; raises InvalidSetting. Some 20 ms the first time."""
    slashed = _SLASHED.fullmatch(text)
    pattern = slashed[1] if slashed else text
    if not 0 < len(pattern) <= LONGEST_PATTERN:
        raise InvalidSetting("pattern", text, f"a regular expression of 1 to {LONGEST_PATTERN} characters")
    compiled = _compiled(pattern)
    try:
        for probe in _probes(compiled):
            compiled.search(probe, timeout=PROBE_S)
    except TimeoutError:
        raise _too_slow(text) from None
    return pattern


def _too_slow(pattern: str) -> InvalidSetting:
    remedy = r"this one takes too long: repeat nothing that repeats itself, as in (\d|\d\d)+"
    return InvalidSetting("pattern", pattern, f"a regular expression that is quick for every number; {remedy}")


def _probes(compiled: regex.Pattern[str]) -> Iterator[str]:
    """Long numbers that the pattern has the most work with. Raises TimeoutError."""
    for digit in _DIGITS:
        counted = (_DIGITS[int(digit) :] + _DIGITS[: int(digit)]) * 2
        for wished in (digit * LONGEST_NUMBER, counted):
            yield _led(compiled, "", wished)
            yield _led(compiled, "+", wished)


def _led(compiled: regex.Pattern[str], text: str, wished: str) -> str:
    """Digits that lead as far into the pattern as can be, the ``wished`` ones wherever they will do."""
    for digit in wished:
        follows = (each for each in digit + _DIGITS if compiled.match(text + each, partial=True, timeout=PROBE_S))
        text += next(follows, digit)
    return text


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> regex.Pattern[str]:
    """Raises InvalidSetting. Weighs first: compiling can't be interrupted."""
    if _weight(pattern) > HEAVIEST:
        raise _too_slow(pattern)
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise InvalidSetting("pattern", pattern, f"a JavaScript regular expression: {error}") from error


def _weight(pattern: str) -> int:
    """How many steps it has when each repeat is written out as often as it must match, and once more."""
    sums, last = [0], 0  # of the groups that are open, and of what a repeat would repeat
    for token in _tokens(pattern):
        kind = token.lastgroup
        if kind == "open":
            sums.append(0)
        elif kind == "close" and len(sums) > 1:
            last = sums.pop() + 1
            sums[-1] += last
        elif kind == "repeat" and last:
            sums[-1] += last * int(token["least"] or 1)
        elif kind == "atom":
            sums[-1] += 1
        elif kind != "bar":
            raise _unreadable(pattern, token.start())
        last = {"close": last, "atom": 1}.get(kind or "", 0)
    return sum(sums)


def _tokens(pattern: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if not token:
            raise _unreadable(pattern, at)
        yield token
        at = token.end()


def _unreadable(pattern: str, at: int) -> InvalidSetting:
    return InvalidSetting("pattern", pattern, f"a JavaScript regular expression; can't read it from {pattern[at:]!r}")


def parse_destination(text: str) -> Destination:
    """``TRUNK[=REWRITE][@ORDER]``; raises InvalidSetting. A trunk whose name ends in @5 needs its @ORDER."""
    match = _DESTINATION.fullmatch(text)
    if not match:
        raise InvalidSetting("destination", text, "TRUNK[=REWRITE][@ORDER], such as carrier=0$1@2")
    rewrite = WHOLE_MATCH if match["rewrite"] is None else match["rewrite"]
    return Destination(check_name(match["trunk"]), check_rewrite(rewrite), int(match["order"] or 0))


def destination_text(destination: Destination) -> str:
    """The form that parse_destination takes; whether it is enabled is not in it."""
    rewrite = "" if destination.rewrite == WHOLE_MATCH else f"={destination.rewrite}"
    ordered = destination.order or re.search(r"@[0-9-]+\Z", destination.trunk)
    return destination.trunk + rewrite + (f"@{destination.order}" if ordered else "")


def to_dict(route: Route) -> dict[str, Any]:
    """The route in values of JSON and TOML."""
    values = dataclasses.asdict(route)
    return values | {"destinations": list(values["destinations"])}


def from_dict(values: object) -> Route:
    """The route that to_dict gave, checked. Raises InvalidSetting naming the key, as in route.destinations[0].order."""
    fields = _typed("route", values, {"name": str, "pattern": str, "destinations": list, "enabled": bool}, 2)
    kinds = {"trunk": str, "rewrite": str, "order": int, "enabled": bool}
    destinations = (
        Destination(**_typed(f"route.destinations[{at}]", each, kinds, 1))
        for at, each in enumerate(fields.pop("destinations", ()))
    )
    return check_route(Route(**fields, destinations=tuple(destinations)))


def _typed(where: str, values: object, kinds: Mapping[str, type], required: int) -> dict[str, Any]:
    """The values if each has a known key and its kind, and the first ``required`` kinds are there."""
    if not isinstance(values, Mapping):
        raise InvalidSetting(where, values, "a table with " + ", ".join(kinds))
    for key, value in values.items():
        if key not in kinds:
            raise InvalidSetting(f"{where}.{key}", value, "one of the keys " + ", ".join(kinds))
        if type(value) is not kinds[key]:  # isinstance takes True for a number
            raise InvalidSetting(f"{where}.{key}", value, f"a value of type {kinds[key].__name__}")
    for key in list(kinds)[:required]:
        if key not in values:
            raise InvalidSetting(f"{where}.{key}", None, "a value")
    return dict(values)
