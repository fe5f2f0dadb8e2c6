"""The HTTP application over a real store, asked without a socket; and a server that takes webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from astdialer import config
from astdialer.domain.access import Role
from astdialer.domain.campaign import Campaign
from astdialer.domain.trunk import Trunk
from astdialer.engine import campaigns, tokens
from astdialer.http.access import Gate
from astdialer.http.application import make
from astdialer.http.dialects import dialects
from astdialer.http.notify import HttpNotifier
from astdialer.http.services import Services
from astdialer.ports import Order
from astdialer.records.files import RecordingFiles
from astdialer.store import SqliteStore, open_store
from astdialer.upload.spool import covered_reader, number_reader

NOW = 1_760_000_000_000  # 2025-10-09 08:53:20 UTC


class SteppedClock:
    """Stands still until it is told to go on; whoever sleeps moves it."""

    def __init__(self, at: int = NOW) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += round(seconds * 1000)
        await asyncio.sleep(0)


@dataclass(slots=True)
class Hands:
    """A client of the application, as a token's holder."""

    store: SqliteStore
    clock: SteppedClock
    services: Services
    client: httpx.AsyncClient
    secrets: dict[tuple[Role, str], str] = field(default_factory=dict)

    async def token(self, role: Role = Role.ADMIN, tenant: str = "") -> str:
        """The secret of a token; one of each role and tenant."""
        if (role, tenant) not in self.secrets:
            made = await tokens.create(
                self.store,
                self.clock,
                f"{role.value}{tenant}",
                role,
                tenant=tenant,
                agent="1001" if role is Role.AGENT else "",
            )
            self.secrets[role, tenant] = made.secret
        return self.secrets[role, tenant]

    async def bearer(self, role: Role = Role.ADMIN, tenant: str = "") -> dict[str, str]:
        return {"authorization": f"Bearer {await self.token(role, tenant)}"}

    async def ask(
        self, method: str, path: str, *, role: Role = Role.ADMIN, tenant: str = "", **more: Any
    ) -> httpx.Response:
        """A request of the native API, with a token."""
        headers = await self.bearer(role, tenant) | dict(more.pop("headers", {}))
        return await self.client.request(method, path, headers=headers, **more)

    async def campaign(self, name: str = "demo", *, tenant: str = "", **settings: str) -> Campaign:
        """A campaign on the trunk ``carrier``, which is made."""
        await self.store.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@carrier"))
        merged = {"trunk": "carrier", "queue": "sales"} | settings
        return await campaigns.create(self.store, self.clock, name, merged, tenant=tenant)

    async def view(self, **parts: Any) -> None:
        """Publish what an engine would see."""
        empty: dict[str, Any] = {
            "servers": [{"server": "default", "up": True, "why_down": ""}],
            "store_writes": True,
            "calls": 0,
            "campaigns": [],
            "agents": [],
            "trunks": [],
        }
        await self.store.publish_live_view("test", empty | parts, self.clock.now())
        self.services.live._read_at = -(10**9)

    async def orders(self) -> Sequence[Order]:
        """What the engine is asked to do, taken."""
        return await self.store.take_orders(self.clock.now())


_MADE: dict[config.Http, FastAPI] = {}


def application(services: Services) -> FastAPI:
    """The application over these services. Making one takes a second: of the same settings there is one."""
    app = _MADE.setdefault(services.settings, _MADE.get(services.settings) or make(services, dialects()))
    app.state.services, app.state.gate = services, Gate()
    return app


@contextlib.asynccontextmanager
async def hands(folder: Path, **settings: Any) -> AsyncIterator[Hands]:
    """``settings`` are those of [http]."""
    clock = SteppedClock()
    http = dataclasses.replace(config.Http(rate_per_second=100_000, burst=100_000), **settings)
    records = config.Records(directory=str(folder / "records"))
    engine = config.Engine(default_country="GB", number_check="possible")
    async with (
        open_store(folder / "s.db", clock) as store,
        HttpNotifier(config.Webhooks(allow_private=True)) as notifier,
        RecordingFiles(records) as library,
    ):
        services = Services(
            store=store,
            clock=clock,
            zone="UTC",
            settings=http,
            agi=config.Agi(),
            read_number=number_reader(engine),
            read_covered=covered_reader(engine),
            library=library,
            notifier=notifier,
            spool=folder / "spool",
        )
        transport = httpx.ASGITransport(application(services), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://dialer") as client:
            yield Hands(store, clock, services, client)


# --- a receiver of webhooks ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Receiver:
    """What came, and the status that each is answered with: the last one again and again."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [200])
    taken: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    answer: bytes = b""
    delay_s: float = 0.0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.taken]

    async def wait_for(self, count: int, timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while len(self.taken) < count:  # noqa: ASYNC110  (a plain list is easier to look at)
                await asyncio.sleep(0.01)

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def end(self) -> None:
        """No connection is left for whoever comes next."""
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.answer_all(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = [line.partition(":") for line in head[1:] if line]
            headers = {name.lower(): value.strip() for name, _, value in pairs} | {":line": head[0]}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            self.taken.append((headers, body))
            await asyncio.sleep(self.delay_s)
            size = len(self.answer)
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {size}\r\n\r\n".encode() + self.answer)
            await writer.drain()


@contextlib.asynccontextmanager
async def receiver(**values: Any) -> AsyncIterator[Receiver]:
    """A server on a free port of loopback."""
    found = Receiver(**values)
    server = await asyncio.start_server(found.begin, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await found.end()
