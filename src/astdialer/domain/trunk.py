"""Trunks: where calls leave, how many at a time, how many a second."""

from __future__ import annotations

import re
from dataclasses import dataclass

from astdialer.domain.errors import InvalidSetting

_TEMPLATE = re.compile(r"[A-Za-z0-9_-]+/[^\x00-\x20\x7f,;&|\"'\\$`]*")
_PLACES = ("{number}", "{e164}", "{as_uploaded}")
_NOT_DIGITS = re.compile(r"[^0-9+*#]")
_NOT_REWRITTEN = re.compile(r"[^0-9A-Za-z+*#._-]")  #: as domain/route.py lets a rewrite make


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """A way out. ``dial`` is a dial string with a place for the number:

    ``{number}`` E.164 digits without the plus, ``{e164}`` with it, ``{as_uploaded}`` the digits as the base had them.
    """

    name: str
    dial: str
    server: str = "default"  #: which Asterisk, a name under [ami]
    max_calls: int = 30  #: channels at a time
    calls_per_second: float = 5.0
    enabled: bool = True
    caller_id: str = ""  #: what the called person sees, in place of the campaign's

    def dial_string(self, number: str, as_uploaded: str, dialed_as: str = "") -> str:
        """The Channel of Originate for an E.164 number. What a route made of it, if it did, stands in every place."""
        values = {"{number}": number.lstrip("+"), "{e164}": number, "{as_uploaded}": as_uploaded}
        barred = _NOT_DIGITS
        if dialed_as:
            values, barred = dict.fromkeys(_PLACES, dialed_as), _NOT_REWRITTEN
        text = self.dial
        for place, digits in values.items():
            text = text.replace(place, barred.sub("", digits))
        return text


def check_dial(template: str) -> str:
    """The template if Asterisk can dial it for every number; raises InvalidSetting."""
    rest = template
    for place in _PLACES:
        rest = rest.replace(place, "")
    usable = _TEMPLATE.fullmatch(rest) and any(place in template for place in _PLACES)
    if not usable or "{" in rest or "}" in rest or len(template) > 200:
        raise InvalidSetting("dial", template, "technology/… with {number}, such as PJSIP/{number}@carrier")
    return template


class CallRate:
    """A token bucket of one token: at most ``per_second`` calls start each second, evenly spaced.

    ``now`` is an argument, in ms; the state is only when the next call may leave.
    """

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._next_at = 0.0

    def wait_s(self, now: int) -> float:
        """Seconds until the next call may start."""
        return max(0.0, (self._next_at - now) / 1000)

    def take(self, now: int) -> None:
        """A call starts now."""
        self._next_at = max(self._next_at, float(now)) + 1000 / self.per_second

    def took(self, at: int) -> None:
        """A call started at ``at``, before anybody asked here."""
        self._next_at = max(self._next_at, at + 1000 / self.per_second)

    def room(self, now: int, horizon_s: float) -> int:
        """How many calls may start within the next ``horizon_s`` seconds."""
        return max(0, int((horizon_s - self.wait_s(now)) * self.per_second // 1) + 1)
