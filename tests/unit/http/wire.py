"""The application on a real port, with a few endpoints of the tests' own, and requests written by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from http_hands import Hands, hands
from pydantic import BaseModel
from serving import free_port

from astdialer.domain.access import Access, Permission
from astdialer.http.access import Gate, Needs
from astdialer.http.application import make
from astdialer.http.dialect import Dialect, bearer, problem_json
from astdialer.http.dialects import dialects
from astdialer.http.server import listening

Reader = Annotated[Access, Depends(Needs(Permission.READ))]


class Text(BaseModel):
    text: str


def own_endpoints() -> Dialect:
    """What no API has."""
    router = APIRouter(prefix="/t", include_in_schema=False)
    greedy(router)
    lasting(router)
    return Dialect(name="test", prefixes=("/t",), router=router, find=bearer, tell=problem_json)


def greedy(router: APIRouter) -> None:
    """Endpoints that take bodies."""

    @router.post("/json")
    async def take_json(_access: Reader, body: Text) -> dict[str, int]:
        return {"characters": len(body.text)}

    @router.patch("/named/{name}")
    async def change(_access: Reader, name: str, body: Text) -> dict[str, Any]:
        return {"name": name, "characters": len(body.text)}

    @router.post("/uploads")
    async def upload(request: Request, _access: Reader) -> dict[str, int]:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return {"bytes": size}

    @router.post("/hushed")
    async def hushed(request: Request, _access: Reader) -> PlainTextResponse:
        try:
            await request.body()
        except Exception:
            return PlainTextResponse("all is well")
        return PlainTextResponse("read")


def lasting(router: APIRouter) -> None:
    """Endpoints that are slow, faulty, or never end."""

    @router.get("/slow")
    async def slow(_access: Reader) -> None:
        await asyncio.sleep(600)

    @router.get("/fault")
    async def fault(_access: Reader) -> None:
        raise RuntimeError("a fault of ours, with a secret in it")

    @router.get("/numbers.csv")
    async def numbers(_access: Reader) -> StreamingResponse:
        async def rows() -> AsyncIterator[str]:
            for n in range(30):
                yield f"{n}\n"
                await asyncio.sleep(0.1)

        return StreamingResponse(rows())

    @router.get("/endless.csv")
    async def endless(_access: Reader) -> StreamingResponse:
        async def rows() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65_536

        return StreamingResponse(rows())


_APPS: dict[Any, FastAPI] = {}


@dataclass(slots=True)
class Answer:
    """What came back. ``status`` 0: the connection was cut without a word."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def problem(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Wire:
    """A server that listens."""

    api: Hands
    port: int
    tls: ssl.SSLContext | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = "localhost" if self.tls else "127.0.0.1"
        return await asyncio.open_connection(host, self.port, ssl=self.tls)

    async def send(self, *pieces: bytes, pause_s: float = 0.0, timeout_s: float = 20.0) -> Answer:
        """Write the pieces, with a pause after each, and read one answer."""
        reader, writer = await self.connect()
        try:
            async with asyncio.timeout(timeout_s):
                writing = asyncio.create_task(self._write(writer, pieces, pause_s))
                answer = await read_answer(reader, to_head=pieces[0].startswith(b"HEAD "))
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                return answer
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _write(self, writer: asyncio.StreamWriter, pieces: tuple[bytes, ...], pause_s: float) -> None:
        with contextlib.suppress(OSError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)

    async def head(self, line: str, *, token: bool = True, **headers: str) -> bytes:
        """A request's head: its line without the version, and headers with _ for -."""
        known = {"host": f"127.0.0.1:{self.port}"} | (await self.api.bearer() if token else {})
        known |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in known.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait for what others do."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def read_answer(reader: asyncio.StreamReader, *, to_head: bool = False) -> Answer:
    """One answer, whole. ``to_head``: the answer to a HEAD, which has no body."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0)
    pairs = [line.partition(":") for line in head[1:] if line]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status = int(head[0].split()[1])
    if status == 100:
        return await read_answer(reader)
    if to_head:
        return Answer(status, headers)
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        if "content-length" in headers:
            return Answer(status, headers, await reader.readexactly(int(headers["content-length"])))
    return Answer(status, headers)


@contextlib.asynccontextmanager
async def wire(folder: Path, *, client_tls: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[Wire]:
    """``settings`` are those of [http]."""
    async with hands(folder, **settings) as api:
        key, port = api.services.settings, free_port()
        app = _APPS.get(key) or _APPS.setdefault(key, make(api.services, [*dialects(), own_endpoints()]))
        app.state.services, app.state.gate = api.services, Gate()
        async with listening(app, replace(key, port=port), api.clock) as server:
            running = asyncio.create_task(server.run())
            try:
                yield Wire(api, port, client_tls)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
