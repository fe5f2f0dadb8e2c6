"""What campaigns, trunks, routes, calendars and bases may be called."""

from __future__ import annotations

import re

from astdialer.domain.errors import InvalidSetting

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}(->|<-)?")
#: An agent: extension or interface, such as Local/1001@from-queue/n.
AGENT = re.compile(r"[A-Za-z0-9+*#][A-Za-z0-9_.@+*#:/-]{0,127}")
_LIST = re.compile(r"\s*,\s*")
#: Lists of something else than names.
_ITEMS = {"agents": (AGENT, "extensions or interfaces")}


def check_name(name: str) -> str:
    """The name if it can be one; raises InvalidSetting."""
    if not NAME.fullmatch(name):
        raise InvalidSetting("name", name, "1 to 64 letters, digits or _ . @ + -, optionally ending in <- or ->")
    return name


def parse_names(key: str, text: str) -> tuple[str, ...]:
    """``a,b,c`` as names, or what else the list ``key`` is of; empty is none. Raises InvalidSetting."""
    names = tuple(filter(None, _LIST.split(text.strip())))
    pattern, what = _ITEMS.get(key, (NAME, "names"))
    for name in names:
        if not pattern.fullmatch(name):
            raise InvalidSetting(key, text, f"{what} joined by commas; {name!r} can't be one")
    return names
