"""What campaigns, trunks, routes, calendars and bases may be called."""

from __future__ import annotations

import re

from astdialer.domain.errors import InvalidSetting

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}(->|<-)?")
#: A name that no text can have twice over, so that lists of names need no quotes.
_LIST = re.compile(r"\s*,\s*")


def check_name(name: str) -> str:
    """The name if it can be one; raises InvalidSetting."""
    if not NAME.fullmatch(name):
        raise InvalidSetting("name", name, "1 to 64 letters, digits or _ . @ + -, optionally ending in <- or ->")
    return name


def parse_names(key: str, text: str) -> tuple[str, ...]:
    """``a,b,c`` as names; empty is none. Raises InvalidSetting."""
    names = tuple(filter(None, _LIST.split(text.strip())))
    for name in names:
        if not NAME.fullmatch(name):
            raise InvalidSetting(key, text, f"names joined by commas; {name!r} can't be one")
    return names
