"""FastAGI without I/O: bytes in, events out; words in, command lines out.

Theory of operation. Asterisk speaks first: the environment, ``key: value`` lines up to an empty one. From then on
each command line is answered by one reply. A reply is one line (``200 result=1 (value)``, ``510 …``), or several: a
usage text from ``520-`` to ``520 ``, or a value that has line breaks of its own and goes on to a line that ends with
``)``. ``100 Trying`` announces a reply and is none. A bare ``HANGUP`` line may come anywhere between the lines; it
answers nothing, and taking it for a reply would shift every later reply by one. Whatever else comes is a violation:
there is no way to find the next reply, so the session is over.

The parser gives the same events however the bytes are split.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

from astdialer.agi.errors import AgiViolation, InvalidCommand

MAX_PIECE = 65_536  #: bytes of an environment, and of a reply
MAX_COMMAND = 2_047  #: bytes with the line break; Asterisk before 22.6.0 cuts longer ones (AGI_BUF_LEN in res_agi.c)

_REPLY = re.compile(r"(\d{3})(?:([ -])(.*))?", re.DOTALL)
_FORBIDDEN = re.compile(r"[\r\n\0]")


@dataclass(frozen=True)
class Environment:
    """What Asterisk tells first."""

    values: Mapping[str, str]

    @property
    def script(self) -> str:
        """The path of agi://host/PATH?QUERY, without slashes at its ends."""
        return self.values.get("agi_network_script", "").partition("?")[0].strip("/")

    @cached_property
    def query(self) -> dict[str, str]:
        """The query of the address; of a name that comes twice, the last."""
        return dict(parse_qsl(self.values.get("agi_network_script", "").partition("?")[2], keep_blank_values=True))

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """agi_arg_1 and so on."""
        found: list[str] = []
        while (value := self.values.get(f"agi_arg_{len(found) + 1}")) is not None:
            found.append(value)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command. ``value`` is what stood in brackets; ``text`` is all after the code."""

    code: int
    result: str = ""
    value: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The channel hung up; commands that are safe on a dead channel still work."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Asterisk closed the connection."""


Event = Environment | Reply | HungUp | Closed


class Parser:
    """Feed it bytes, take events until None. Raises AgiViolation, from then on always."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._read: Callable[[str], Event | None] = self._environment_line
        self._values: dict[str, str] = {}
        self._open: list[str] = []  # the lines so far of a reply that goes on
        self._size = 0  # bytes so far of the environment, or of a reply that goes on
        self._ended = False
        self._violation: AgiViolation | None = None

    def feed(self, data: bytes) -> None:
        """Take what was read; nothing at all is the end of the stream."""
        self._buffer += data
        self._ended = self._ended or not data

    def next_event(self) -> Event | None:
        """The next event; None until more is fed."""
        if self._violation:
            raise self._violation
        try:
            return self._next_event()
        except AgiViolation as violation:
            self._violation = violation
            raise

    def _next_event(self) -> Event | None:
        while (line := self._line()) is not None:
            if (event := self._read(line)) is not None:
                return event
        return Closed() if self._ended else None

    def _line(self) -> str | None:
        end = self._buffer.find(b"\n")
        pending = len(self._buffer) if end < 0 else end + 1
        if self._size + pending > MAX_PIECE:
            raise AgiViolation(f"more than {MAX_PIECE} bytes in one piece")
        if end < 0:
            return None
        line = self._buffer[:end].decode(errors="replace").removesuffix("\r")
        del self._buffer[:pending]
        self._size += pending
        return line

    def _environment_line(self, line: str) -> Environment | None:
        if not line:
            return self._environment()
        key, colon, value = line.partition(":")
        if not colon:
            raise AgiViolation(f"not an environment line: {line[:80]!r}")
        if key in self._values:
            # A line break smuggled into a value would look like this.
            raise AgiViolation(f"{key[:80]!r} comes twice in the environment")
        self._values[key] = value.removeprefix(" ")
        return None

    def _environment(self) -> Environment:
        if "agi_network_script" not in self._values:
            raise AgiViolation("the environment has no agi_network_script: not agi://host/script")
        self._read, self._size = self._reply_line, 0
        return Environment(self._values)

    def _reply_line(self, line: str) -> Event | None:
        if line == "HANGUP":
            self._size = self._size if self._open else 0
            return HungUp()
        self._open.append(line)
        if self._goes_on():
            return None
        text = "\n".join(self._open)
        self._open, self._size = [], 0
        return _reply(text)

    def _goes_on(self) -> bool:
        first, last = self._open[0], self._open[-1]
        if first[3:4] == "-" and first[:3].isdigit():
            return len(self._open) == 1 or not last.startswith(first[:3] + " ")
        _, bracket, value = first.partition(" (")
        return first.startswith("200 result=") and bool(bracket) and ")" not in value and not last.endswith(")")


def _reply(text: str) -> Reply | None:
    match = _REPLY.fullmatch(text)
    if not match:
        raise AgiViolation(f"not a reply: {text[:80]!r}")
    code, rest = int(match[1]), match[3] or ""
    if code == 100:
        return None
    if code != 200:
        return Reply(code=code, text=rest)
    if not rest.startswith("result="):
        raise AgiViolation(f"a reply without a result: {text[:80]!r}")
    result, _, more = rest.removeprefix("result=").partition(" ")
    return Reply(code=code, result=result, value=_value(more), text=rest)


def _value(text: str) -> str | None:
    """``(value)``, ``(value) endpos=0`` or nothing. A value may have brackets of its own."""
    if not text.startswith("("):
        return None
    return text[1:-1] if text.endswith(")") else text[1:].partition(")")[0]


def quote(argument: str) -> str:
    """An argument as parse_args() in res_agi.c reads it back; InvalidCommand for CR, LF or NUL."""
    if _FORBIDDEN.search(argument):
        raise InvalidCommand(f"line break or NUL in {argument[:80]!r}")
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def command_line(command: str, *arguments: str) -> bytes:
    """A command (its words as they are) and its arguments (quoted) as a line; InvalidCommand when that can't be."""
    if _FORBIDDEN.search(command):
        raise InvalidCommand(f"line break or NUL in {command[:80]!r}")
    line = (" ".join((command, *map(quote, arguments))) + "\n").encode(errors="replace")
    if len(line) > MAX_COMMAND:
        raise InvalidCommand(f"{command[:80]!r} is {len(line)} bytes long; Asterisk reads {MAX_COMMAND}")
    return line
