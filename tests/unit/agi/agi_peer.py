"""What Asterisk does on a FastAGI connection, over a bare socket; shares no code with the adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from astdialer.agi.server import AgiServer
from astdialer.agi.session import Script
from astdialer.config import Agi

ATTEMPT = "0f8fad5b-d9cb-469f-a165-70867728950e"


def environment(script: str, *arguments: str, **values: str) -> str:
    """The environment as res_agi.c writes it."""
    lines = {
        "agi_network": "yes",
        "agi_network_script": script,
        "agi_request": f"agi://127.0.0.1/{script}",
        "agi_channel": "PJSIP/carrier-00000001",
        "agi_uniqueid": ATTEMPT,
        "agi_calleridname": 'Zoë O\'Hara: "sales"',
        "agi_extension": "",
    }
    lines |= values | {f"agi_arg_{number}": argument for number, argument in enumerate(arguments, 1)}
    return "".join(f"{key}: {value}\n" for key, value in lines.items()) + "\n"


class Peer:
    """One connection. Every wait has a limit."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> Peer:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def call(cls, port: int, script: str, *arguments: str) -> Peer:
        """Connect and send the environment."""
        peer = await cls.connect(port)
        await peer.send(environment(script, *arguments))
        return peer

    async def send(self, text: str) -> None:
        self._writer.write(text.encode())
        await asyncio.wait_for(self._writer.drain(), 5)

    async def line(self, within_s: float = 5) -> str:
        """The next command; empty at the end."""
        try:
            return (await asyncio.wait_for(self._reader.readline(), within_s)).decode().rstrip("\n")
        except ConnectionError:
            return ""

    async def serve(self, answer: Callable[[str], str]) -> list[str]:
        """Answer every command to the end of the connection, and return them."""
        seen: list[str] = []
        while command := await self.line():
            seen.append(command)
            await self.send(answer(command))
        self.close()
        return seen

    async def ended(self, within_s: float = 5) -> bool:
        """Whether the server closes within that time."""
        try:
            await asyncio.wait_for(self._reader.read(), within_s)
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        finally:
            self.close()
        return True

    def end_of_stream(self) -> None:
        """Say no more; still listen."""
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def serving(
    routes: Mapping[str, Script],
    *,
    peers: tuple[str, ...] = ("127.0.0.1",),
    max_connections: int = 2000,
    scripts: str = "",
    environment_s: float = 5,
    stop_s: float = 5,
) -> AsyncIterator[AgiServer]:
    """A server on a free port."""
    settings = Agi(port=0, peers=peers, max_connections=max_connections, scripts=scripts)
    async with AgiServer(settings, routes, environment_s=environment_s, stop_s=stop_s) as server:
        yield server


class Heartbeat:
    """Measures the longest time the event loop was held up, in seconds."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def __aenter__(self) -> Heartbeat:
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.longest_s = max(self.longest_s, time.monotonic() - before - 0.01)
