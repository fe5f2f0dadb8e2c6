"""``astdialer serve``: the engine in the foreground, for systemd or a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from astdialer import app
from astdialer.cli.context import clock, config, run
from astdialer.doctor.examine import Subject, examine_campaign
from astdialer.domain.errors import Conflict

logger = logging.getLogger(__name__)


@click.command()
def serve() -> None:
    """Run the engine until SIGTERM or Ctrl-C. Live calls go on in Asterisk and are taken up again at the next start."""
    settings = config()
    with _only_one(settings.store.path):
        run(_until_signal())


async def _until_signal() -> None:
    engine = asyncio.ensure_future(app.serve(config(), clock, _ready, _examine))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await engine
    logger.info("engine.stopped")


async def _examine(name: str) -> list[dict[str, Any]]:
    """The checks of Asterisk that ``campaign check`` makes, for HTTP."""
    subject = Subject(config=config(), file=Path(), clock=clock, campaign=name)
    return [dataclasses.asdict(finding) for finding in await examine_campaign(subject)]


def _ready() -> None:
    logger.info("engine.ready")
    _notify("READY=1")


def _notify(state: str) -> None:
    """sd_notify(3), when systemd started us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.connect("\0" + address[1:] if address[0] == "@" else address)
        notifier.send(state.encode())


@contextlib.contextmanager
def _only_one(store: Path) -> Iterator[None]:
    """Two engines on one store would dial every contact twice."""
    store.parent.mkdir(parents=True, exist_ok=True)
    with store.with_name(store.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"another astdialer serve runs on {store}: stop it first") from None
        yield
