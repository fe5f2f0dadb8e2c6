"""The composition root: configuration → store, telephony, scripts, recordings → engine."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astdialer import config as configuration
from astdialer.agi.scripts import routes
from astdialer.agi.server import AgiServer
from astdialer.agi.session import Script
from astdialer.ami.telephony import AmiTelephony
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import Unavailable
from astdialer.engine.context import EngineOptions
from astdialer.engine.lookup import Lookup
from astdialer.engine.origination import DialplanPlaces
from astdialer.ports import Clock, Notifier
from astdialer.records.files import RecordingFiles
from astdialer.store import Sharing, SqliteStore
from astdialer.store import open_store as open_sqlite

if TYPE_CHECKING:
    from astdialer.http.services import Services

logger = logging.getLogger(__name__)

#: Checks of Asterisk for a campaign, see http/services.py.
Examine = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]

#: Between tries to listen for FastAGI.
LISTEN_PAUSES_S = (0.2, 0.5, 1.0, 2.0)


@contextlib.asynccontextmanager
async def open_store(
    config: configuration.Config, clock: Clock, sharing: Sharing | None = None
) -> AsyncIterator[SqliteStore]:
    """The store that the configuration names. ``sharing``: for a process that opens it more than once."""
    async with open_sqlite(config.store.path, clock, sharing) as store:
        yield store


async def serve(
    config: configuration.Config, clock: Clock, ready: Callable[[], None], examine: Examine | None = None
) -> None:
    """Run the engine, and the HTTP API beside it, until canceled. ``ready`` is called once calls could be taken up
    again; ``examine`` looks at Asterisk for a campaign's check.

    Raises ConfigError, and Unavailable when the store, the FastAGI port or the HTTP port can't be had.
    """
    from astdialer.engine.engine import Engine  # it brings arrays, which all other commands do without
    from astdialer.http.notify import HttpNotifier

    zone_of(config.engine.zone)
    turn = asyncio.Lock()
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(config, clock, Sharing(turn=turn, announces=False)))
        recordings = await stack.enter_async_context(RecordingFiles(config.records))
        telephony = AmiTelephony(config.asterisks, clock)
        engine = Engine(store, telephony, recordings, clock, engine_options(config))
        await engine.load()
        notifier = await stack.enter_async_context(HttpNotifier(config.webhooks))
        lookup = Lookup(notifier, config.webhooks.lookup_url, config.webhooks.lookup_timeout_s)
        await _listen(stack, config.agi, routes(engine.answering, lookup), clock)
        await stack.enter_async_context(telephony.running())
        # Calls of an earlier run are followed at once. What runs beside takes a second or two to begin, and may be set
        # up so that it can't: nobody is called before that is known.
        may_dial = asyncio.Event()
        running = asyncio.create_task(engine.run(may_dial), name="engine")
        stack.push_async_callback(_end, running)
        await stack.enter_async_context(
            _beside(config, clock, recordings, examine=examine, notifier=notifier, turn=turn)
        )
        gc.freeze()  # what is loaded stays, and looking through it for garbage would hold up calls
        may_dial.set()
        ready()
        await running


@contextlib.asynccontextmanager
async def _beside(
    config: configuration.Config,
    clock: Clock,
    recordings: RecordingFiles,
    *,
    examine: Examine | None,
    notifier: Notifier,
    turn: asyncio.Lock,
) -> AsyncIterator[None]:
    """What runs beside the engine: webhooks, uploads, the HTTP API. One that fails is begun anew, and ends no call.

    They have connections of their own to the store, as any other process would: the engine sees what they change. They
    and the engine write by turns: whoever has many writes keeps the other waiting for one of them.
    """
    # They bring much that all other commands do without, and that is not to hold up the first calls.
    await asyncio.to_thread(importlib.import_module, "astdialer.http.dialects")
    from astdialer.engine.beside import Beside
    from astdialer.engine.uploads import UploadRunner
    from astdialer.engine.webhooks import Herald
    from astdialer.http.application import make
    from astdialer.http.dialects import WORDS, dialects
    from astdialer.http.server import check, listening
    from astdialer.upload.spool import spool_loader

    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(config, clock, Sharing(turn=turn)))
        herald = Herald(store, notifier, clock, WORDS)
        uploads = UploadRunner(store, clock, spool_loader(store, clock, config.engine), _spool(config))
        beside = Beside(clock)
        server = None
        if config.http.enabled:
            await check(config.http, store, clock)
            services = _services(
                config, clock, store, recordings, examine=examine, notifier=notifier, beside=beside.states
            )
            application = await asyncio.to_thread(lambda: make(services, dialects()))
            server = await stack.enter_async_context(listening(application, config.http, clock))
        stack.push_async_callback(beside.stop)
        beside.start("webhooks", herald.run)
        beside.start("uploads", uploads.run)
        if server:
            beside.start("http", server.run)
        yield


def _services(
    config: configuration.Config,
    clock: Clock,
    store: SqliteStore,
    recordings: RecordingFiles,
    *,
    examine: Examine | None,
    notifier: Notifier,
    beside: Callable[[], Mapping[str, str]],
) -> Services:
    """What the HTTP API works with."""
    from astdialer.http.services import Services
    from astdialer.upload.spool import covered_reader, number_reader

    return Services(
        store=store,
        clock=clock,
        zone=config.engine.zone,
        settings=config.http,
        agi=config.agi,
        read_number=number_reader(config.engine),
        read_covered=covered_reader(config.engine),
        library=recordings,
        notifier=notifier,
        spool=_spool(config),
        servers=tuple(config.asterisks),
        examine=examine,
        beside=beside,
    )


def _spool(config: configuration.Config) -> Path:
    """Where uploaded files wait to be read."""
    return config.store.path.parent / "spool"


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _listen(
    stack: contextlib.AsyncExitStack, settings: configuration.Agi, scripts: Mapping[str, Script], clock: Clock
) -> None:
    """Serve the scripts. The port may be held for a moment: by the engine before us, or by doctor."""
    for pause_s in LISTEN_PAUSES_S:
        with contextlib.suppress(Unavailable):
            await stack.enter_async_context(AgiServer(settings, scripts))
            return
        await clock.sleep(pause_s)
    await stack.enter_async_context(AgiServer(settings, scripts))


def engine_options(config: configuration.Config) -> EngineOptions:
    """What the engine takes from the configuration."""
    return EngineOptions(
        places=DialplanPlaces(agi_address=config.agi.address, sound_directory=config.engine.sound_directory),
        zone=config.engine.zone,
        max_calls=config.engine.max_calls,
        calls_per_second=config.engine.calls_per_second,
        name=f"{socket.gethostname()}:{os.getpid()}",
    )
