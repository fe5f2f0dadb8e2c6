"""A scripted manager interface and a clock for tests. Shares no code with the adapter."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from astdialer.ami.telephony import AmiTelephony
from astdialer.config import Ami, Secret

SECRET = "Zauberwort-4711"
WATCHDOG_S = 10.0

Headers = list[tuple[str, str]]
Reply = Callable[["Session", dict[str, str]], None]


class FakeClock:
    """Sleeping takes no time and is written down; only the watchdog's sleep waits for `tick`."""

    def __init__(self) -> None:
        self.time = 1_700_000_000_000
        self.slept: list[float] = []
        self._sleepers: list[asyncio.Future[None]] = []

    def now(self) -> int:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if seconds != WATCHDOG_S:
            self.slept.append(seconds)
            await asyncio.sleep(0.001)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append(sleeper)
        await sleeper

    async def tick(self) -> None:
        """Let WATCHDOG_S pass."""
        await until(lambda: any(not sleeper.done() for sleeper in self._sleepers))
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)
        self._sleepers.clear()
        await asyncio.sleep(0.02)


class Session:
    """One connection to the peer."""

    def __init__(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peer, self._reader, self._writer = peer, reader, writer
        self.actions: list[Headers] = []
        self.raw = b""

    @property
    def names(self) -> list[str]:
        return [dict(action)["Action"] for action in self.actions]

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def message(self, *lines: str) -> None:
        self.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def answer(self, action: dict[str, str], *lines: str) -> None:
        """A response to this action."""
        self.message(lines[0], f"ActionID: {action['ActionID']}", *lines[1:])

    def cut(self) -> None:
        """End the connection without a word."""
        self._writer.transport.abort()

    async def serve(self) -> None:
        self.write(b"Asterisk Call Manager/11.0.0\r\n")
        while True:
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            self.raw += head
            headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if line]
            self.actions.append([(pair[0], pair[1] if len(pair) > 1 else "") for pair in headers])
            action = dict(self.actions[-1])
            self._peer.script.get(action["Action"], success)(self, action)
        self._writer.close()


class Peer:
    """A server; `script` says by action name what to answer, and everything else succeeds."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.script: dict[str, Reply] = {"Challenge": challenge, "Login": login, "Ping": pong}
        self.port = 0

    @property
    def last(self) -> Session:
        return self.sessions[-1]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions.append(Session(self, reader, writer))
        await self.last.serve()

    def settings(self, *, action_timeout_s: float = 5, secret: str = SECRET, tls: bool = False, ca: str = "") -> Ami:
        return Ami(
            host="127.0.0.1",
            port=self.port,
            secret=Secret(secret),
            tls=tls,
            tls_ca=ca,
            action_timeout_s=action_timeout_s,
            watchdog_s=WATCHDOG_S,
        )


def success(session: Session, action: dict[str, str]) -> None:
    session.answer(action, "Response: Success", "Message: Done")


def nothing(_session: Session, _action: dict[str, str]) -> None:
    """No answer at all."""


def pong(session: Session, action: dict[str, str]) -> None:
    session.answer(action, "Response: Success", "Ping: Pong", "Timestamp: 1.0")


def challenge(session: Session, action: dict[str, str]) -> None:
    assert action["AuthType"] == "MD5"
    session.answer(action, "Response: Success", "Challenge: 123456789")


def login(session: Session, action: dict[str, str]) -> None:
    expected = hashlib.md5(f"123456789{SECRET}".encode()).hexdigest()
    if action["Key"] == expected:
        session.answer(action, "Response: Success", "Message: Authentication accepted")
    else:
        session.answer(action, "Response: Error", "Message: Authentication failed")
        session._writer.close()


async def until(holds: Callable[[], bool], seconds: float = 3) -> None:
    """Wait for it, and fail if it does not come."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # nobody tells when
            await asyncio.sleep(0.001)


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A peer that accepts connections."""
    peer = Peer()
    server = await asyncio.start_server(peer.connected, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for session in peer.sessions:
            session.cut()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def linked(*, action_timeout_s: float = 5) -> AsyncIterator[tuple[AmiTelephony, Peer, FakeClock]]:
    """A telephony with one server, `pbx`, whose link is up."""
    clock = FakeClock()
    async with listening() as peer:
        telephony = AmiTelephony({"pbx": peer.settings(action_timeout_s=action_timeout_s)}, clock, rng=lambda: 1.0)
        async with telephony.running():
            await telephony.connection("pbx").wait_up(3)
            yield telephony, peer, clock
