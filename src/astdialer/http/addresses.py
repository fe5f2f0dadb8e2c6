"""Where names lead, and which addresses are anybody's rather than this network's."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from ipaddress import IPv4Address, IPv6Address

#: What the internet's hosts have in IPv6; all else is local, or wraps another address.
_UNICAST = ipaddress.ip_network("2000::/3")
#: An IPv6 address behind which a translator reaches an IPv4 one, in its last 32 bits (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: Names that are looked up at a time.
MOST = 128


def is_public(address: str) -> bool:
    """Whether anybody's server may be there: not this machine, its network, nor what no host has."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is None and found not in _UNICAST:
            return False
        found = inner or found
    return found.is_global and not found.is_multicast


def _inner(found: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is reached through this one."""
    if found in _NAT64:
        return IPv4Address(int(found) & 0xFFFF_FFFF)
    return found.ipv4_mapped or found.sixtofour


class Names:
    """Looks names up in threads of its own.

    A name server that does not answer holds a thread for half a minute. The event loop's own threads are few, and
    others need them; and at the end of the process nobody waits for these.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a name, or the address itself. Raises OSError and UnicodeError."""
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        key = host, port
        if key not in self._asked:
            if len(self._asked) >= MOST:
                raise OSError("the name server does not answer")
            self._ask(key)
        return await asyncio.shield(self._asked[key])

    def _ask(self, key: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()
        self._asked[key] = answer
        answer.add_done_callback(lambda done: self._answered(key, done))
        threading.Thread(target=_look_up, args=(*key, loop, answer), name="names", daemon=True).start()

    def _answered(self, key: tuple[str, int], done: asyncio.Future[list[str]]) -> None:
        del self._asked[key]
        done.exception()  # whoever asked may have gone


def _look_up(host: str, port: int, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[list[str]]) -> None:
    found: list[str] = []
    error: Exception | None = None
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    except (OSError, UnicodeError) as failed:
        error = failed
    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(_tell, answer, found, error)


def _tell(answer: asyncio.Future[list[str]], found: list[str], error: Exception | None) -> None:
    if error:
        answer.set_exception(error)
    else:
        answer.set_result(found)
