"""What campaigns, trunks, routes, calendars and bases may be called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import count

from astdialer.domain.errors import InvalidSetting

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}(->|<-)?")
#: An agent: extension or interface, such as Local/1001@from-queue/n.
AGENT = re.compile(r"[A-Za-z0-9+*#][A-Za-z0-9_.@+*#:/-]{0,127}")
#: How names of uContact end, by the direction of their calls.
_SUFFIX = re.compile(r"(->|<-)$")
_LIST = re.compile(r"\s*,\s*")
#: What stands between the letters of a folded name, and does not begin or end it.
_UNFIT, _EDGES, _LONGEST_FOLDED = re.compile(r"[^A-Za-z0-9_.@+-]+"), "_.@+-", 56
#: Lists of something else than names.
_ITEMS = {"agents": (AGENT, "extensions or interfaces")}


def check_name(name: str) -> str:
    """The name if it can be one; raises InvalidSetting."""
    if not NAME.fullmatch(name):
        raise InvalidSetting("name", name, "1 to 64 letters, digits or _ . @ + -, optionally ending in <- or ->")
    return name


def spellings(name: str) -> tuple[str, ...]:
    """What a campaign may be called here that another system calls ``name``, the likeliest first: exactly so, in ASCII
    letters (``nombreCampana<-``), and either without its ``<-`` or ``->``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    found = (name, plain, _SUFFIX.sub("", name), _SUFFIX.sub("", plain))
    return tuple(dict.fromkeys(each for each in found if NAME.fullmatch(each)))


def base_of(file_name: str) -> str:
    """A base's name from its file's: without folders and the last ending, and with _ for what a name can't have."""
    last = file_name.replace("\\", "/").rpartition("/")[2]
    stem = last.rpartition(".")[0] or last
    return _UNFIT.sub("_", stem).lstrip("_.@+-")[:64] or "base"


def parse_names(key: str, text: str) -> tuple[str, ...]:
    """``a,b,c`` as names, or what else the list ``key`` is of; empty is none. Raises InvalidSetting."""
    names = tuple(filter(None, _LIST.split(text.strip())))
    pattern, what = _ITEMS.get(key, (NAME, "names"))
    for name in names:
        if not pattern.fullmatch(name):
            raise InvalidSetting(key, text, f"{what} joined by commas; {name!r} can't be one")
    return names


def folded(text: str, usual: str) -> str:
    """A name that reads like the text, which may be anything: ``Café №1`` is Cafe-No1. ``usual`` if nothing is left."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _UNFIT.sub("-", plain).strip(_EDGES)[:_LONGEST_FOLDED].rstrip(_EDGES) or usual


def free_names(name: str, taken: Collection[str]) -> Iterator[str]:
    """The name, then with -2, -3, … behind it; those that are not taken."""
    numbered = (name if n == 1 else f"{name}-{n}" for n in count(1))
    return (each for each in numbered if each not in taken)
