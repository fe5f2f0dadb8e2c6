"""panoramisk's FastAGI application with its faults guarded: routing, and what happens on one connection."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable

from panoramisk.fast_agi import Application

from astdialer.agi.errors import AgiFault, AgiHangup, AgiViolation
from astdialer.agi.protocol import Closed, Environment, Parser
from astdialer.agi.session import READ_SIZE, AgiSession, Script

ENVIRONMENT_S = 5.0  #: longest wait for the whole environment
CLOSE_S = 2.0  #: longest wait for the peer to take what was written, at the end

logger = logging.getLogger(__name__)


class GuardedApplication(Application):  # type: ignore[misc]  # panoramisk has no types
    """Make it in the loop that runs it. ``add_route`` takes coroutine functions only."""

    def __init__(self, environment_s: float = ENVIRONMENT_S) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._environment_s = environment_s

    def add_route(self, path: str, endpoint: Script) -> None:
        """Answer agi://host/PATH. Raises ValueError for a path that is taken, TypeError for a plain function."""
        if not inspect.iscoroutinefunction(endpoint):
            raise TypeError(f"the script of route {path!r} is not an async function")
        super().add_route(path, endpoint)

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end. Raises nothing but CancelledError."""
        peer = str(writer.get_extra_info("peername"))
        try:
            session = await self._greet(reader, writer)
            if session:
                await self._run(session, peer)
        except AgiViolation as violation:
            logger.warning("agi.violation", extra={"peer": peer, "error": str(violation)})
        except TimeoutError:
            logger.warning("agi.no_environment", extra={"peer": peer, "after_s": self._environment_s})
        except OSError as error:
            logger.info("agi.connection_broke", extra={"peer": peer, "error": str(error)})
        finally:
            await _close(writer)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AgiSession | None:
        """The session, or None if the peer left before it said what it wants (a port scan)."""
        parser = Parser()
        async with asyncio.timeout(self._environment_s):
            while (event := parser.next_event()) is None:
                parser.feed(await reader.read(READ_SIZE))
        match event:
            case Environment():
                return AgiSession(event, parser, reader, writer)
            case Closed():
                return None
        raise AgiViolation(f"not an environment: {event}")

    async def _run(self, session: AgiSession, peer: str) -> None:
        about = {"route": session.script, "attempt": session.uniqueid, "peer": peer}
        script: Callable[[AgiSession], object] | None = self._route.get(session.script)
        if script is None:
            logger.error("agi.no_route", extra=about)
            return
        logger.debug("agi.started", extra=about)
        await _guard(script, session, about)


async def _guard(script: Callable[[AgiSession], object], session: AgiSession, about: dict[str, str]) -> None:
    """Whatever a script does ends with it; SystemExit too, which would end the loop."""
    try:
        await script(session)  # type: ignore[misc]
    except AgiHangup:
        logger.info("agi.hung_up", extra=about)
    except AgiFault as fault:
        logger.warning("agi.fault", extra={**about, "error": str(fault)})
    except (Exception, SystemExit):
        logger.exception("agi.script_failed", extra=about)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close, and cut off a peer that does not take what is left or does not let go."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except OSError:  # TimeoutError is one
        writer.transport.abort()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
