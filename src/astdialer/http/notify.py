"""Speaking to other people's HTTP servers, and to no address that the configuration forbids.

The address is checked where the connection is made, after the name was resolved: a name that leads elsewhere the next
time it is asked is of no use to anybody. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpcore

from astdialer import config
from astdialer.domain.errors import Unavailable

#: Largest answer that is read.
LARGEST = 1024 * 1024
CONNECTIONS = 100
#: Answers that say that there is nothing.
NOTHING = (204, 404)


class HttpNotifier:
    """Implements ports.Notifier. As an async context manager it keeps connections open for the next message."""

    def __init__(self, settings: config.Webhooks) -> None:
        self._settings = settings
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(cafile=settings.ca_file or None),
            max_connections=CONNECTIONS,
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
        status, _ = await self._ask("POST", url, self._settings.timeout_s, body, headers)
        return status

    async def get_json(self, url: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """A JSON object; an empty one for 204 and 404. Raises Unavailable when neither comes, or not in time."""
        parts = urlsplit(url)
        asked = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))))
        headers = {"accept": "application/json", "user-agent": "astdialer"}
        status, body = await self._ask("GET", asked, self._settings.lookup_timeout_s, b"", headers)
        if status in NOTHING:
            return {}
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not 200 <= status < 300 or not isinstance(found, dict):
            raise Unavailable(f"{url} answered {status}, and no JSON object")
        return found

    async def _ask(
        self, method: str, url: str, timeout_s: float, body: bytes, headers: Mapping[str, str]
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
                return answer.status, await _read(answer)
        except TimeoutError:
            raise Unavailable(f"{url} did not answer within {timeout_s:g} s") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            raise Unavailable(f"{url} can't be reached: {error or type(error).__name__}") from error


def _with_host(url: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {"host": urlsplit(url).netloc, **headers}


async def _read(answer: httpcore.Response) -> bytes:
    taken = b""
    async for chunk in answer.aiter_stream():
        taken += chunk
        if len(taken) > LARGEST:
            break
    return taken[:LARGEST]


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are allowed."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend = httpcore.AnyIOBackend()

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
        for address in await self._addresses(host, port):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failed = error
        raise failed

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        barred = [address for address in addresses if not self._allow_private and not is_public(address)]
        if barred:
            raise httpcore.ConnectError(
                f"{host} is at {barred[0]}, a private address: set [webhooks] allow_private = true to send there"
            )
        return addresses

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise httpcore.ConnectError("only TCP")

    async def sleep(self, seconds: float) -> None:
        """As the backend does."""
        await self._backend.sleep(seconds)


def is_public(address: str) -> bool:
    """Whether anybody's server may be there: not this machine, its network, nor what no host has."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return (mapped or found).is_global and not found.is_multicast
