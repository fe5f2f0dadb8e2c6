"""uvicorn inside the engine's process: it listens where the configuration says, or says why it can't."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import Message

from astdialer import config
from astdialer.config import ConfigError
from astdialer.domain.errors import Unavailable
from astdialer.http.access import is_loopback
from astdialer.http.protocol import Protocol
from astdialer.ports import Clock, TokenStore

logger = logging.getLogger(__name__)

#: Between tries to listen: the port may be held for a moment by the engine before us.
LISTEN_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
#: Requests that are under way at a stop get so long.
GRACE_S = 3
#: A client that takes nothing of what it is sent is cut off after so long, ms.
TAKES_NOTHING_MS = 60_000


class _Server(uvicorn.Server):
    """Signals are the engine's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def check(settings: config.Http, store: TokenStore, clock: Clock) -> None:
    """Raises ConfigError for a way of listening that would let strangers in."""
    if is_loopback(settings.host):
        return
    if not settings.tokens:
        raise ConfigError(
            f"[http] tokens = false: expected true where others than this machine can reach host = {settings.host!r}"
        )
    if not any(token.is_good(clock.now()) for token in await store.tokens()):
        raise ConfigError(
            f"[http] host = {settings.host!r}: it is not listened on without a token. Make one first: "
            "astdialer token create NAME --role admin"
        )


class HttpServer:
    """Listens as long as it is open, whether ``run`` is under way or not."""

    def __init__(self, app: FastAPI, settings: config.Http, listener: socket.socket) -> None:
        self._app, self._settings, self._listener = app, settings, listener

    async def run(self) -> None:
        """Serve until canceled; then requests that are under way get a moment."""
        server = _Server(_uvicorn(self._app, self._settings))
        self._app.state.feed.begin()
        serving = asyncio.create_task(_serve(server, self._listener.dup()), name="uvicorn")
        logger.info("http.listens", extra={"host": self._settings.host, "port": self._settings.port})
        try:
            await asyncio.shield(serving)
        finally:
            self._app.state.feed.end()  # streams last as long as they are let
            server.should_exit = True
            await asyncio.wait([serving], timeout=GRACE_S + 2)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            for left in getattr(server, "servers", ()):  # when it has failed it has closed nothing
                left.close()


async def _serve(server: _Server, listener: socket.socket) -> None:
    """uvicorn ends a process that it can't serve in. Out of a task that would end the loop, and all calls with it."""
    try:
        await server.serve(sockets=[listener])
    except SystemExit as left:
        raise RuntimeError(f"uvicorn has left: {left}") from left


@contextlib.asynccontextmanager
async def listening(app: FastAPI, settings: config.Http, clock: Clock) -> AsyncIterator[HttpServer]:
    """A server that listens inside. Raises Unavailable when the address can't be had, ConfigError for a certificate
    that can't."""
    _check_certificate(settings)
    listener = await _listen(settings, clock)
    await _warm(app)
    try:
        yield HttpServer(app, settings, listener)
    finally:
        listener.close()


def _check_certificate(settings: config.Http) -> None:
    for name in ("tls_cert", "tls_key"):
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            raise ConfigError(f"[http] {name} = {path!r}: no such file")
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise ConfigError("[http] tls_cert, tls_key: expected both or none")
    if not settings.tls_cert:
        return
    try:  # with an empty password: OpenSSL would ask for one on the terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, lambda: "")
    except (OSError, ValueError) as error:
        what = f"[http] tls_cert, tls_key: can't be used: {error}; expected PEM, the key without a password"
        raise ConfigError(what) from error


async def _warm(app: FastAPI) -> None:
    """Ask it once: the first request puts together what all pass through, which would hold up calls then."""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        pass

    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/healthz", "raw_path": b"/healthz"}
    scope |= {"query_string": b"", "root_path": "", "scheme": "http", "headers": [(b"host", b"localhost")]}
    await app(scope | {"client": ("127.0.0.1", 0), "server": ("127.0.0.1", 0)}, receive, send)


def _uvicorn(app: FastAPI, settings: config.Http) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
    )


async def _listen(settings: config.Http, clock: Clock) -> socket.socket:
    for pause_s in LISTEN_PAUSES_S:
        with contextlib.suppress(OSError):
            return _bound(settings)
        await clock.sleep(pause_s)
    try:
        return _bound(settings)
    except OSError as error:
        raise Unavailable(
            f"[http] {settings.host}:{settings.port} can't be listened on: {error.strerror or error}"
        ) from error


def _bound(settings: config.Http) -> socket.socket:
    is_v6 = ":" in settings.host
    listener = socket.create_server(
        (settings.host, settings.port),
        family=socket.AF_INET6 if is_v6 else socket.AF_INET,
        backlog=1024,
        dualstack_ipv6=settings.host == "::" and socket.has_dualstack_ipv6(),
    )
    with contextlib.suppress(AttributeError, OSError):  # Linux has it; those who connect inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TAKES_NOTHING_MS)
    # asyncio sets it only where the protocol is named, which create_server does not: an answer's second packet would
    # wait 40 ms for the peer's acknowledgement of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
