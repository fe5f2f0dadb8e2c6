"""One session with a manager interface: panoramisk's protocol, guarded.

panoramisk makes the text of an action and parses what Asterisk writes. What it does between the two is replaced here,
fault by fault (asterisk.md 8, P1 to P24): it sends unanswered actions again after a reconnect, swallows
OriginateResponse, loses letters that are split over two reads, and dies of an exception in a callback. Its Manager,
CallManager and testing modules are not used at all.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message as ParsedMessage

from astdialer.ami import values
from astdialer.domain.errors import LinkLost, Unavailable

Message = dict[str, str]  #: headers as Asterisk spells them; one that is repeated has its values on lines of their own
OnEvent = Callable[[Message], None]
OnLost = Callable[[str], None]

MOST_UNFINISHED = 1 << 20  #: bytes of a message without an end: this is no manager interface
MOST_UNWRITTEN = 1 << 22  #: bytes that Asterisk has not taken yet

_END = b"\r\n\r\n"
_EVENT = b"Event: "

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pending:
    """An action without its answer, or a list that is not complete."""

    answer: asyncio.Future[list[Message]]
    is_list: bool
    messages: list[Message] = field(default_factory=list)

    def add(self, message: Message) -> bool:
        """Take a message that has the action's id; whether the answer is complete."""
        self.messages.append(message)
        if not self._is_complete(message):
            return False
        if not self.answer.done():
            self.answer.set_result(self.messages)
        return True

    def _is_complete(self, message: Message) -> bool:
        if "Response" in message and "Event" not in message:
            # An error is the end of a list as well: nothing will follow it.
            return not self.is_list or message["Response"] != "Success" or message.get("EventList") != "start"
        return message.get("EventList") in ("Complete", "Cancelled")


class GuardedProtocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """Sends actions, hands events on in the order of their arrival, and tells once when the link is lost.

    `wanted` are the names of the events to parse; others are dropped unread.
    """

    encoding = "utf-8"

    def __init__(self, on_event: OnEvent, on_lost: OnLost, wanted: frozenset[str]) -> None:
        self._on_event = on_event
        self._on_lost = on_lost
        self.version: str | None = None  #: of the manager interface, as its first line says
        self._wanted = frozenset(name.encode() for name in wanted)
        self._unfinished = b""
        self._pending: dict[str, _Pending] = {}
        self._ids = itertools.count(1)
        self.chunks = 0  #: reads so far; the watchdog looks whether it moves
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        # Its logger would format every message; errors are reported by us.
        self.log = logging.getLogger("panoramisk.quiet")
        self.log.setLevel(logging.CRITICAL)

    def request(self, action: values.Fields, *, as_list: bool = False) -> asyncio.Future[list[Message]]:
        """Write an action; the future gets the response, and with `as_list` what follows it.

        Raises BadValue or Unavailable, and then nothing was written. The future fails with LinkLost.
        """
        fields = {"ActionID": f"astdialer-{next(self._ids)}", **action}
        values.check(fields)
        if self.gone or self.transport.get_write_buffer_size() > MOST_UNWRITTEN:
            raise Unavailable("Asterisk does not read from the manager connection; nothing was sent")
        action_id = str(fields["ActionID"])
        if action_id in self._pending:
            raise values.BadValue(f"{action_id} was sent already and is not answered yet")
        wire = str(Action(fields)).encode(self.encoding)
        answer: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        self._pending[action_id] = _Pending(answer, as_list)
        answer.add_done_callback(lambda _: self._pending.pop(action_id, None))
        self.transport.write(wire)
        return answer

    def data_received(self, data: bytes) -> None:
        """Called by the event loop. Only whole messages are parsed, each by itself."""
        if self.gone:
            return
        self.chunks += 1
        *whole, self._unfinished = (self._unfinished + data).split(_END)
        for raw in whole:
            if self._is_wanted(raw):
                self._parse(raw)
        if len(self._unfinished) > MOST_UNFINISHED:
            self.fail("what answers there is not Asterisk's manager interface")

    def _is_wanted(self, raw: bytes) -> bool:
        if not raw.startswith(_EVENT):
            return True
        end = raw.find(b"\r\n")
        name = raw[len(_EVENT) : end if end >= 0 else len(raw)]
        # An item of a list may have any name; it is known by its ActionID.
        return name in self._wanted or (bool(self._pending) and b"\r\nActionID: " in raw)

    def _parse(self, raw: bytes) -> None:
        try:
            if self.version is None:
                self.version, raw = _banner(raw)
            if message := _Headers.from_line(raw.decode(self.encoding, "replace").strip()):
                self.handle_message(message)
        except Exception:
            # One message that nobody expected must not end the link.
            logger.exception("ami.message_failed", extra={"text": raw[:40].decode(errors="replace")})

    def handle_message(self, message: Message) -> None:
        """Hand a message on: to the action it answers, or as an event."""
        pending = self._pending.get(message.get("ActionID", ""))
        if "Event" not in message:
            if pending:
                self._answer(message, pending)
        elif pending and pending.is_list:
            self._answer(message, pending)
        else:
            self._on_event(message)

    def _answer(self, message: Message, pending: _Pending) -> None:
        if pending.add(message):
            self._pending.pop(message["ActionID"], None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._end(f"the connection broke: {exc}" if exc else "Asterisk closed the connection")

    def fail(self, reason: str) -> None:
        """End the session at once; what is still unwritten is thrown away."""
        self._end(reason)
        self.transport.abort()

    def close(self) -> None:
        """End the session. (panoramisk's own keeps the unanswered actions to send them again.)"""
        self.fail("closed")

    def _end(self, reason: str) -> None:
        if self.gone:
            return
        self.gone = self.closed = True
        for pending in list(self._pending.values()):
            if not pending.answer.done():
                pending.answer.set_exception(LinkLost(f"no answer from Asterisk: {reason}"))
        self._pending.clear()
        self._on_lost(reason)


class _Headers(ParsedMessage):  # type: ignore[misc]  # panoramisk has no types
    """What panoramisk's parser finds, as a plain dictionary of texts.

    Its own Message looks headers up in any case and has a list where one is repeated: half the speed, and two kinds of
    value.
    """

    quoted_keys = ()

    def __new__(cls, headers: dict[str, str | list[str]], content: str = "") -> Message:  # type: ignore[misc]
        if content:
            headers["content"] = content  # the text after the headers of `Response: Follows`
        if list in map(type, headers.values()):
            return {name: value if isinstance(value, str) else "\n".join(value) for name, value in headers.items()}
        return cast(Message, headers)


def _banner(raw: bytes) -> tuple[str, bytes]:
    """The version in the first line, and the rest. Only a manager interface begins so."""
    banner, _, rest = raw.partition(b"\r\n")
    name, _, version = banner.decode(errors="replace").partition("/")
    return (version, rest) if name == "Asterisk Call Manager" else ("", raw)
