"""Fields of a base that hold several things: ``k=v:k=v``, and numbers with their types joined by colons.

uContact's spelling (source-systems.md 4.3), which files, commands and requests have alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from astdialer.domain.contact import NumberType
from astdialer.domain.errors import AstdialerError, InvalidSetting

MAX_VALUE_BYTES = 900

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]")
_LINE_BREAKS = re.compile(r"[\r\n\t]+")
_TYPE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NUMBER_PRIORITY = re.compile(r"[+-]?[0-9]{1,6}")
_LETTERS = frozenset(NumberType)
_RANK: dict[str, int] = {NumberType.PRIORITY: 0, NumberType.UNKNOWN: 2}  # the others lie between them


class InvalidField(InvalidSetting):
    """A field, or a part of it, can't be read; ``words`` say what was found and what was expected."""

    def __init__(self, field: str, words: str) -> None:
        AstdialerError.__init__(self, words)
        self.key, self.value, self.expected = field, "", words


class Alternative(NamedTuple):
    """An alternative number as the base has it."""

    type: str  #: a NumberType, or a code of the campaign's own
    text: str
    priority: int = 0  #: higher first
    description: str = ""


def short(text: str) -> str:
    """A value for a message: quoted, 40 characters at most."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def is_param_name(name: str) -> bool:
    """Whether a param may be called so: it becomes the channel variable CONTACT_NAME."""
    return _NAME.fullmatch(name) is not None


def parse_params(text: str) -> dict[str, str]:
    """``k=v:k=v``. Raises InvalidField."""
    params: dict[str, str] = {}
    seen: set[str] = set()
    for piece in text.split(":"):
        name, equals, value = piece.partition("=")
        name = name.strip()
        if not equals:
            if not piece.strip():
                continue
            raise InvalidField("params", f"param {short(piece)}: expected name=value; a value with a colon needs CSV")
        if not _NAME.fullmatch(name):
            raise InvalidField("params", f"param name {short(name)}: expected 1 to 64 letters A-Z, digits or _")
        if name.lower() in seen:
            raise InvalidField("params", f"param {name} is given twice")
        seen.add(name.lower())
        params[name] = param_value(name, value)
    return params


def param_value(name: str, value: str) -> str:
    """The value as a channel variable can have it. Raises InvalidField."""
    value = value.strip()
    if value.isascii() and value.isprintable() and len(value) <= MAX_VALUE_BYTES:
        return value
    return _checked("params", f"param {name}", value)


def _checked(field: str, what: str, value: str) -> str:
    value = _LINE_BREAKS.sub(" ", value)  # a cell of several lines: a channel variable has one
    if _CONTROL.search(value):
        raise InvalidField(field, f"{what} has a control character: {short(value)}")
    if len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE_BYTES:
        raise InvalidField(field, f"{what} is longer than {MAX_VALUE_BYTES} bytes")
    return value


def params_text(params: Iterable[tuple[str, str]]) -> str:
    """``k=v:k=v``. What would be read as something else is shown with a space for it."""
    return ":".join(f"{name}={value.replace(':', ' ')}" for name, value in params)


def pieces(text: str) -> list[str]:
    """The numbers of a field, as they are written."""
    return [piece.strip() for piece in text.split(":") if piece.strip()]


def parse_alternatives(text: str) -> list[Alternative]:
    """Numbers joined by colons, in the order of trying. Raises InvalidField."""
    return in_order(map(parse_alternative, pieces(text)))


def in_order(alternatives: Iterable[Alternative]) -> list[Alternative]:
    """The higher priority first, then P first, U last."""
    return sorted(alternatives, key=lambda one: (-one.priority, _RANK.get(one.type, 1)))


def parse_alternative(piece: str) -> Alternative:
    """``NUMBER``, ``TYPE=PRIORITY=NUMBER``, or that with ``=DESCRIPTION``; ``TYPE=NUMBER`` too. Raises InvalidField.

    uContact's examples have 0 for the priority, which is what a number has that is given none.
    """
    type_, *rest = (part.strip() for part in piece.split("=", 3))
    if not rest:
        return Alternative(NumberType.UNKNOWN, piece)
    priority, number, description = ["", *rest, ""] if len(rest) == 1 else [*rest, ""][:3]
    return Alternative(
        _type(type_), number, _number_priority(priority), _checked("alternative", "description", description)
    )


def alternatives_text(alternatives: Iterable[Alternative]) -> str:
    """What parse_alternatives reads: a number without a type of its own by itself."""
    return ":".join(map(_alternative_text, alternatives))


def _alternative_text(one: Alternative) -> str:
    if one.type in (NumberType.UNKNOWN, NumberType.PRIORITY) and not one.priority and not one.description:
        return one.text
    description = f"={one.description}" if one.description else ""
    return f"{one.type}={one.priority}={one.text}{description.replace(':', ' ')}"


def _type(text: str) -> str:
    if text.upper() in _LETTERS:
        return text.upper()
    if not _TYPE.fullmatch(text):
        raise InvalidField("alternative", f"type {short(text)}: expected 1 to 32 letters A-Z, digits, _ or -")
    return text


def _number_priority(text: str) -> int:
    if text and not _NUMBER_PRIORITY.fullmatch(text):
        expected = "a whole number, 0 usually, in TYPE=PRIORITY=NUMBER=DESCRIPTION"
        raise InvalidField("alternative", f"priority {short(text)}: expected {expected}")
    return int(text or 0)
