"""The FastAGI server: who may connect, how many, and an end within a limit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from types import TracebackType
from typing import Self

from astdialer.agi.application import ENVIRONMENT_S, GuardedApplication
from astdialer.agi.own import load_folder
from astdialer.agi.session import Script
from astdialer.config import Agi, ConfigError
from astdialer.domain.errors import Unavailable

STOP_S = 5.0  #: longest wait for the sessions at the end
BACKLOG = 1_024  #: connections that wait to be accepted: a burst of answers must not meet SYN retries of 1 s
READ_LIMIT = 65_536  #: bytes read ahead of a script

logger = logging.getLogger(__name__)


class AgiServer:
    """``async with AgiServer(settings, routes):`` listens. Raises ConfigError, and Unavailable for a taken port.

    ``broken`` has the own scripts that could not be loaded: name → what is wrong.
    """

    def __init__(
        self,
        settings: Agi,
        routes: Mapping[str, Script],
        *,
        environment_s: float = ENVIRONMENT_S,
        stop_s: float = STOP_S,
    ) -> None:
        self._settings = settings
        self._routes = dict(routes)
        self._peers = [_network(peer) for peer in settings.peers]
        self._environment_s, self._stop_s = environment_s, stop_s
        self._sessions: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self._stopping = False
        self.broken: Mapping[str, str] = {}

    @property
    def port(self) -> int:
        """The port that is listened on."""
        if self._server is None or not self._server.sockets:
            raise Unavailable("the FastAGI server is not listening")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def sessions(self) -> int:
        """How many connections are served now."""
        return len(self._sessions)

    async def __aenter__(self) -> Self:
        self._application = self._make_application()
        host, port = self._settings.host, self._settings.port
        try:
            self._server = await asyncio.start_server(self._connected, host, port, backlog=BACKLOG, limit=READ_LIMIT)
        except OSError as error:
            raise Unavailable(f"[agi] can't listen on {host}:{port}: {error.strerror or error}") from error
        logger.info("agi.listening", extra={"host": host, "port": self.port, "routes": ",".join(self._routes)})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        if self._server:
            self._server.close()
        await self._end_sessions()

    def _make_application(self) -> GuardedApplication:
        if self._settings.scripts:
            own = load_folder(Path(self._settings.scripts), reserved=self._routes.keys())
            self._routes |= own.routes
            self.broken = own.broken
        application = GuardedApplication(self._environment_s)
        for path, script in self._routes.items():
            application.add_route(path, script)
        return application

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if reason := self._why_refused(peer):
            logger.warning("agi.refused", extra={"peer": str(peer), "reason": reason})
            writer.transport.abort()
            return
        session = asyncio.get_running_loop().create_task(self._application.handler(reader, writer))
        self._sessions[session] = writer
        session.add_done_callback(self._ended)

    def _ended(self, session: asyncio.Task[None]) -> None:
        # A task that was cancelled before its first step has closed nothing.
        self._sessions.pop(session).transport.abort()

    def _why_refused(self, peer: tuple[str, int] | None) -> str:
        if self._stopping:
            return "the server is stopping"
        if not peer or not self.is_listed(peer[0]):
            return "not among [agi] peers"
        if len(self._sessions) >= self._settings.max_connections:
            return f"[agi] max_connections = {self._settings.max_connections} are open"
        return ""

    def is_listed(self, text: str) -> bool:
        """Whether an address may connect."""
        address = ip_address(text.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._peers)

    async def _end_sessions(self) -> None:
        if not self._sessions:
            return
        for session in self._sessions:
            session.cancel()
        await asyncio.wait(self._sessions, timeout=self._stop_s)
        for writer in self._sessions.values():
            logger.error("agi.script_does_not_end", extra={"peer": str(writer.get_extra_info("peername"))})
            writer.transport.abort()


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise ConfigError(f"[agi] peers: {text!r}: expected an address or a network, such as 10.0.0.0/24") from None
