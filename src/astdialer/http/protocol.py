"""uvicorn's HTTP/1.1, with bounds on what it takes in before there is a request that the guard can bound."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Time until a request's head is there, and its size: request line and headers, or what follows a body in pieces.
HEAD_S, LARGEST_HEAD = 20.0, 65_536
#: Connections beyond [http] max_connections that still hear why they are refused; further ones are cut.
SPARE = 100


class Protocol(HttpToolsProtocol):
    """One connection."""

    _late: asyncio.TimerHandle | None = None
    _unused = 0  #: bytes since the parser last made something of them

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        if self.limit_concurrency and len(self.connections) > self.limit_concurrency + SPARE:
            transport.abort()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        self._unused += len(data)
        super().data_received(data)
        if self._unused > LARGEST_HEAD and not self.transport.is_closing():
            self.transport.abort()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._unused = 0
        self._head_is_there()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of its body."""
        self._unused = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it."""
        self._unused = 0
        super().on_message_complete()

    def _expect_head(self) -> None:
        self._head_is_there()
        self._late = self.loop.call_later(HEAD_S, self.transport.abort)

    def _head_is_there(self) -> None:
        if self._late:
            self._late.cancel()
            self._late = None
