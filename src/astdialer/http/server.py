"""uvicorn inside the engine's process: it listens where the configuration says, or says why it can't."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from astdialer import config
from astdialer.config import ConfigError
from astdialer.domain.errors import Unavailable
from astdialer.http.access import is_loopback
from astdialer.ports import Clock, TokenStore

logger = logging.getLogger(__name__)

#: Between tries to listen: the port may be held for a moment by the engine before us.
LISTEN_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
#: Requests that are under way at a stop get so long.
GRACE_S = 3


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


@contextlib.asynccontextmanager
async def serving(app: FastAPI, settings: config.Http, clock: Clock) -> AsyncIterator[None]:
    """Serve inside. Raises Unavailable when the address can't be had, ConfigError for a certificate that can't."""
    listener = await _listen(settings, clock)
    server = _Server(_uvicorn(app, settings))
    try:
        server.config.load()
    except OSError as error:
        raise ConfigError(f"[http] tls_cert, tls_key: can't be used: {error}") from error
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        logger.info("http.listens", extra={"host": settings.host, "port": settings.port})
        yield
    finally:
        app.state.feed.end()  # streams last as long as they are let
        server.should_exit = True
        await asyncio.wait([task], timeout=GRACE_S + 2)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        listener.close()


def _uvicorn(app: FastAPI, settings: config.Http) -> uvicorn.Config:
    for name in ("tls_cert", "tls_key"):
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            raise ConfigError(f"[http] {name} = {path!r}: no such file")
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise ConfigError("[http] tls_cert, tls_key: expected both or none")
    return uvicorn.Config(
        app,
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
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    # asyncio sets it only where the protocol is named, which create_server does not: an answer's second packet would
    # wait 40 ms for the peer's acknowledgement of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
