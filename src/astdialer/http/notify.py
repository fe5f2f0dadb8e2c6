"""Speaking to other people's HTTP servers, and to no address that the configuration forbids.

The address is checked where the connection is made, after the name was resolved: a name that leads elsewhere the next
time it is asked is of no use to anybody. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import functools
import json
import ssl
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpcore

from astdialer import config
from astdialer.config import ConfigError
from astdialer.domain.errors import Unavailable
from astdialer.http.addresses import Names, is_public

#: Largest answer that is read: what a receiver says to a message is of no interest, and it may be a page.
LARGEST, LARGEST_TO_POST = 1024 * 1024, 16 * 1024
#: Connections that are kept for the next message. How many there may be is for those to bound who send: a common bound
#: would let dead receivers take the places of all others.
KEPT = 100
#: Addresses of a name that are tried; they share the time.
TRIED = 4
#: Answers that say that there is nothing.
NOTHING = (204, 404)


class HttpNotifier:
    """Implements ports.Notifier. As an async context manager it keeps connections open for the next message."""

    def __init__(self, settings: config.Webhooks) -> None:
        self._settings = settings
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_trust(settings.ca_file),
            max_connections=None,
            max_keepalive_connections=KEPT,
            keepalive_expiry=30,
            network_backend=_Guarded(allow_private=settings.allow_private),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Raises Unavailable when there is none in time, or the address is not allowed."""
        timeout_s = self._settings.timeout_s
        status, _ = await self._ask("POST", url, headers, body, timeout_s=timeout_s, largest=LARGEST_TO_POST)
        return status

    async def get_json(self, url: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """A JSON object; an empty one for 204 and 404. Raises Unavailable when neither comes, or not in time."""
        parts = urlsplit(url)
        asked = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))))
        headers = {"accept": "application/json", "user-agent": "astdialer"}
        timeout_s = self._settings.lookup_timeout_s
        status, body = await self._ask("GET", asked, headers, b"", timeout_s=timeout_s, largest=LARGEST)
        if status in NOTHING:
            return {}
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not 200 <= status < 300 or not isinstance(found, dict):
            raise Unavailable(f"{_place(url)} answered {status}, and no JSON object")
        return found

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, largest: int
    ) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._pool.stream(
                    method,
                    url,
                    headers=[(name.encode(), value.encode()) for name, value in _with_host(url, headers).items()],
                    content=body,
                    extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)},
                ) as answer,
            ):
                return answer.status, await _read(answer, largest)
        except (TimeoutError, httpcore.TimeoutException):
            raise Unavailable(f"{_place(url)} did not answer within {timeout_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise Unavailable(f"{_place(url)} can't be reached: {error or type(error).__name__}") from error
        except (httpcore.UnsupportedProtocol, ValueError, TypeError) as error:
            raise Unavailable(f"{_place(url)} can't be asked: {error}") from error


@functools.cache  # reading the machine's authorities takes a tenth of a second
def _trust(ca_file: str) -> ssl.SSLContext:
    """The authorities that this machine trusts, and one's own."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigError(f"[webhooks] ca_file = {ca_file!r}: can't be used: {error}") from error
    return context


def _place(url: str) -> str:
    """Of an address what may be told: paths and queries often hold keys."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "what is no address"
    return f"{parts.scheme}://{parts.netloc}"


def _with_host(url: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {"host": urlsplit(url).netloc, **headers}


async def _read(answer: httpcore.Response, largest: int) -> bytes:
    taken = b""
    async for chunk in answer.aiter_stream():
        taken += chunk
        if len(taken) > largest:
            break
    return taken[:largest]


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are allowed."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend, self._names = httpcore.AnyIOBackend(), Names()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The name's first allowed address that answers."""
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        addresses = await self._allowed(host, port)
        share_s = timeout / max(1, len(addresses)) if timeout is not None else None
        for address in addresses:
            try:
                return await self._backend.connect_tcp(address, port, share_s, local_address, socket_options)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failed = error
        raise failed

    async def _allowed(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._names.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        barred = [address for address in addresses if not self._allow_private and not is_public(address)]
        if barred:
            raise httpcore.ConnectError(
                f"{host} is at a private address: set [webhooks] allow_private = true to send there"
            )
        return addresses[:TRIED]

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise httpcore.ConnectError("only TCP")

    async def sleep(self, seconds: float) -> None:
        """As the backend does."""
        await self._backend.sleep(seconds)
