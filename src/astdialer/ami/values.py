"""Rules for everything that is written to Asterisk's manager interface, and the Originate that keeps them.

Asterisk's limits are those of asterisk.md 1.1 and 1.6: a line of 1024 bytes, 128 headers, 64 variables, 255 characters
of Channel and CallerID. A comma, a quote and a backslash in a variable's value are syntax to it, so they are escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from astdialer.domain.errors import AstdialerError
from astdialer.ports import Origination

Fields = Mapping[str, str | Sequence[str]]

LONGEST_LINE = 1000  #: bytes of "Name: value"; Asterisk refuses the whole message above 1024
MOST_HEADERS = 128
MOST_VARIABLES = 64
LONGEST_DIAL_STRING = 255  #: Asterisk cuts Channel and CallerID there without a word

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_VARIABLE = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9_]*")
_LINE_ENDS = re.compile(r"[\r\n\0]")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", ",": r"\,"})


class BadValue(AstdialerError):
    """A value that must not be sent to Asterisk. Nothing was sent."""

    code = "bad_value"


def check(action: Fields) -> None:
    """Raise BadValue unless Asterisk will read exactly these headers."""
    lines = 0
    for name, value in _lines(action):
        lines += 1
        _check_line(name, value)
    if lines > MOST_HEADERS:
        raise BadValue(f"{action.get('Action')}: {lines} lines; Asterisk reads {MOST_HEADERS}")


def check_uuid(what: str, text: str) -> str:
    """The text itself. Raises BadValue unless it is a UUID of 36 characters in lower case.

    Ids of one fixed length can't be prefixes of each other, which is how Asterisk compares them, and one that is not a
    UUID could be a regular expression to Hangup (`/.*/`).
    """
    if not _UUID.fullmatch(text):
        raise BadValue(f"{what} {text!r}: expected a UUID of 36 characters in lower case")
    return text


def escape(value: str) -> str:
    """A variable's value as Asterisk has to see it in `Variable: NAME=value`."""
    return value.translate(_ESCAPES)


def originate(call: Origination) -> dict[str, str | list[str]]:
    """The Originate action. Raises BadValue.

    Async, because without it Asterisk holds back all events of the session until the call is answered.
    """
    attempt_id = check_uuid("attempt", call.attempt_id)
    action: dict[str, str | list[str]] = {
        "Action": "Originate",
        "ActionID": originate_id(attempt_id),
        "Channel": _kept(_dial_string(call.channel)),
        "Context": call.context,
        "Exten": "s",
        "Priority": "1",
        "Timeout": str(_timeout_ms(call.timeout_s)),
        "CallerID": _at_most("CallerID", call.caller_id),
        "Account": call.account,
        "Async": "true",
        "ChannelId": attempt_id,
        "Variable": [*_variables(call.variables), *_sip_headers(call)],
    }
    if call.channel.lower().startswith("local/"):
        # Not a bare UUID, so that nobody takes the other half for an attempt.
        action["OtherChannelId"] = f"local-{attempt_id}"
    if not call.caller_id:
        del action["CallerID"]
    check(action)
    return action


def originate_id(attempt_id: str) -> str:
    """The ActionID by which OriginateResponse names the attempt."""
    return f"originate-{attempt_id}"


def _lines(action: Fields) -> Iterator[tuple[str, str]]:
    for name, value in action.items():
        if isinstance(value, str):
            yield name, value
        else:
            for each in value:
                yield name, each


def _check_line(name: str, value: str) -> None:
    if not _HEADER.fullmatch(name):
        raise BadValue(f"{name!r} is no header of the manager interface")
    if found := _LINE_ENDS.search(value):
        raise BadValue(f"{name}: {found[0]!r} at character {found.start() + 1}; a value is one line without NUL")
    try:
        length = len(f"{name}: {value}".encode())
    except UnicodeEncodeError as error:
        raise BadValue(f"{name}: character {error.start} can't be written as UTF-8") from error
    if length > LONGEST_LINE:
        raise BadValue(f"{name}: {value[:20]!r}… makes a line of {length} bytes; {LONGEST_LINE} are allowed")


def _variables(variables: Mapping[str, str]) -> list[str]:
    if len(variables) > MOST_VARIABLES:
        raise BadValue(f"{len(variables)} variables; Asterisk takes {MOST_VARIABLES}")
    for name in variables:
        # CALLERID(num) and other functions would be run, not set.
        if not _VARIABLE.fullmatch(name):
            raise BadValue(f"variable {name!r}: expected letters, digits and _")
    return [f"{name}={escape(value)}" for name, value in variables.items()]


def _sip_headers(call: Origination) -> list[str]:
    """Headers of a PJSIP channel's INVITE: this one function is run on purpose, with names of ours."""
    if not call.channel.lower().startswith("pjsip/"):
        return []
    for name in call.headers:
        if not _HEADER.fullmatch(name):
            raise BadValue(f"{name!r} is no SIP header")
    return [f"PJSIP_HEADER(add,{name})={escape(value)}" for name, value in call.headers.items()]


def _dial_string(channel: str) -> str:
    technology, slash, data = channel.partition("/")
    if not (technology and slash and data):
        raise BadValue(f"dial string {channel!r}: expected technology/number, as in PJSIP/{{number}}@trunk")
    return _at_most("Channel", channel)


def _kept(channel: str) -> str:
    """A Local channel with its option n. Without it Asterisk takes it out of a talk, and its id ends with it."""
    place, _, options = channel.removeprefix(channel[:6]).partition("/")
    if not channel.lower().startswith("local/") or "n" in options:
        return channel
    return _at_most("Channel", f"{channel[:6]}{place}/n{options}")


def _at_most(name: str, value: str) -> str:
    if len(value.encode(errors="replace")) > LONGEST_DIAL_STRING:
        raise BadValue(f"{name}: {value[:20]!r}… is longer than {LONGEST_DIAL_STRING} bytes")
    return value


def _timeout_ms(seconds: float) -> int:
    """Milliseconds. Asterisk takes 0 and less for "ring for ever"."""
    if not math.isfinite(seconds) or seconds <= 0:
        raise BadValue(f"timeout {seconds!r}: expected more than 0 s")
    return max(1, round(seconds * 1000))
