"""A tiny AMI client over a bare socket: independent of the project's own, so that it can judge the lab."""

import socket
import time
import uuid
from types import TracebackType
from typing import Self

from astdialer.lab import Lab

Message = dict[str, str]


class RawAmi:
    """One AMI session. Every wait has a limit; events that come while waiting for something else are kept."""

    def __init__(self, lab: Lab, *, secret: str | None = None) -> None:
        self._socket = socket.create_connection((lab.host, lab.ami_port), timeout=10)
        self._buffer = b""
        self.events: list[Message] = []
        self.banner = self._line()
        self.login = self.action("Login", Username=lab.ami_username, Secret=secret or lab.ami_secret)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def action(self, name: str, **fields: str) -> Message:
        """Send an action and return its response."""
        return self.actions(name, list(fields.items()))

    def actions(self, name: str, fields: list[tuple[str, str]]) -> Message:
        """The same, for fields that come more than once."""
        action_id = uuid.uuid4().hex
        lines = [("Action", name), ("ActionID", action_id), *fields]
        self._socket.sendall(("".join(f"{key}: {value}\r\n" for key, value in lines) + "\r\n").encode())
        end = time.monotonic() + 10
        while True:
            message = self._message(end)
            if message.get("ActionID") == action_id and "Response" in message:
                return message
            self.events.append(message)

    def originate(self, number: str, timeout_s: float = 10, **fields: str) -> str:
        """Call a number through the carrier; the call's Uniqueid."""
        unique_id = str(uuid.uuid4())
        asked = {
            "Channel": f"PJSIP/{number}@carrier",
            "Application": "Wait",
            "Data": "20",
            "Timeout": str(round(timeout_s * 1000)),
            "ChannelId": unique_id,
            "Async": "true",
        }
        response = self.action("Originate", **(asked | fields))
        assert response["Response"] == "Success", response
        return unique_id

    def wait(self, event: str, within_s: float = 15, **matching: str) -> Message:
        """The first event, old or new, of that name with those fields."""
        end = time.monotonic() + within_s
        seen = 0
        while True:
            for message in self.events[seen:]:
                if message.get("Event") == event and matching.items() <= message.items():
                    return message
            seen = len(self.events)
            self.events.append(self._message(end))

    def _message(self, end: float) -> Message:
        message: Message = {}
        while line := self._line(end):
            key, _, value = line.partition(":")
            message[key] = value.strip()
        return message

    def _line(self, end: float | None = None) -> str:
        while b"\r\n" not in self._buffer:
            self._socket.settimeout(max(0.01, end - time.monotonic()) if end else 10)
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError("Asterisk closed the AMI connection")
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode(errors="replace")
