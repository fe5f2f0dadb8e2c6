r"""Params: what is known of a contact beside its numbers, on its way into channel variables (CONTACT_NAME).

A campaign's own are one line of text: ``source=spring;offer=3 for 2``, with a ``\`` before a ``;`` or ``\`` of a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from astdialer.domain.errors import InvalidSetting

MOST, LONGEST_VALUE_BYTES = 60, 900
NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
#: Of a value: what would end a line somewhere, or can't be written at all.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_EXPECTED = r"NAME=VALUE joined by ;, such as source=spring;offer=3 for 2; a ; or \ in a value is written \; or \\"
#: An entry: up to a ; that no \ stands before.
_ENTRY, _TEXT = re.compile(r"(?:[^;\\]|\\[;\\])+"), re.compile(r"(?:[^\\]|\\[;\\])*", re.DOTALL)
_ESCAPED, _TO_ESCAPE = re.compile(r"\\([;\\])"), re.compile(r"([;\\])")


def check_params(params: Mapping[str, str], key: str = "data") -> None:
    """Raises InvalidSetting for what can't become channel variables."""
    if len(params) > MOST:
        raise InvalidSetting(key, f"{len(params)} params", f"at most {MOST}")
    for name, value in params.items():
        if not NAME.fullmatch(name):
            raise InvalidSetting(key, name, "names of 1 to 64 letters A-Z, digits or _")
        if CONTROL.search(value) or len(value.encode()) > LONGEST_VALUE_BYTES:
            expected = f"values without control characters, of at most {LONGEST_VALUE_BYTES} bytes"
            raise InvalidSetting(key, f"{name}={value[:40]}", expected)
    seen: set[str] = set()
    for name in params:
        if name.lower() in seen:
            raise InvalidSetting(key, name, "each name once, in whatever case")
        seen.add(name.lower())


@lru_cache(maxsize=512)
def parse_params(key: str, text: str) -> Mapping[str, str]:
    """A campaign's params; raises InvalidSetting."""
    params: dict[str, str] = {}
    if not _TEXT.fullmatch(text):
        raise InvalidSetting(key, text[:80], _EXPECTED)
    for entry in filter(str.strip, _ENTRY.findall(text)):
        name, equals, value = entry.partition("=")
        name = name.strip()
        if not equals:
            raise InvalidSetting(key, entry[:80], _EXPECTED)
        if name in params:
            raise InvalidSetting(key, name, "each name once, in whatever case")
        params[name] = _ESCAPED.sub(r"\1", value)
    check_params(params, key)
    return params


def params_text(params: Mapping[str, str]) -> str:
    """What parse_params reads."""
    return ";".join(f"{name}=" + _TO_ESCAPE.sub(r"\\\1", value) for name, value in params.items())


def with_own(own: Mapping[str, str], common: Mapping[str, str]) -> dict[str, str]:
    """A contact's params, and those of its campaign whose names it does not have, in whatever case."""
    names = {name.lower() for name in own}
    return {name: value for name, value in common.items() if name.lower() not in names} | dict(own)
