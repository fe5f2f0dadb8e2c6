"""Ids as Webitel has them: 24 hex digits, of which the first eight are a time."""

from __future__ import annotations

import hashlib
import re
import secrets

from astdialer.http.webitel3.answers import Said

#: "astd". Behind it stand 16 digits of our own id: a dialer's is its campaign's, a member's its contact's.
OURS = "61737464"
#: "caln": a calendar that was not made by this API is known by its name.
NAMED = "63616c6e"
_FORM = re.compile(r"[0-9a-fA-F]{24}")
#: What SQLite can count.
_LARGEST = 2**63 - 1


def object_id(number: int) -> str:
    """The id of a campaign or contact."""
    return f"{OURS}{number:016x}"


def number_of(text: str, complaint: str = "Bad objectId.") -> int:
    """What object_id made; 0 for an id that is none of ours. Raises Said for what is no id at all."""
    if not _FORM.fullmatch(text):
        raise Said(400, complaint)
    number = int(text[len(OURS) :], 16)
    return number if text[: len(OURS)] == OURS and number <= _LARGEST else 0


def random_id(now: int) -> str:
    """A new one."""
    return f"{now // 1000:08x}{secrets.token_hex(8)}"


def id_of_name(name: str) -> str:
    """Always the same for a name."""
    return NAMED + hashlib.sha256(name.encode()).hexdigest()[:16]
