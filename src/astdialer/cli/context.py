"""What commands share: the configuration, the store, and running asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from astdialer import app
from astdialer import config as configuration
from astdialer.clock import SystemClock
from astdialer.config import Config
from astdialer.domain.base_fields import Alternative
from astdialer.domain.calendar import zone_of
from astdialer.domain.contact import NewNumber, NumberType
from astdialer.engine import cdrs
from astdialer.store import SqliteStore
from astdialer.upload.errors import RowError
from astdialer.upload.formats import parse_alternative
from astdialer.upload.numbers import NumberReader
from astdialer.upload.zones import zones_of

clock = SystemClock()


@dataclass(slots=True)
class Invocation:
    """The global flags; the configuration is read when a command first asks for it."""

    file: Path | None
    overrides: Mapping[str, str] = field(default_factory=dict)
    loaded: Config | None = None


def config() -> Config:
    """The configuration of this invocation. Raises ConfigError."""
    invocation = click.get_current_context().find_object(Invocation) or Invocation(None)
    if invocation.loaded is None:
        invocation.loaded = configuration.load(invocation.file, flags=invocation.overrides)
    return invocation.loaded


@contextlib.asynccontextmanager
async def open_store() -> AsyncIterator[SqliteStore]:
    """The store of this invocation's configuration."""
    async with app.open_store(config(), clock) as store:
        yield store


T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def with_store(work: Callable[[SqliteStore], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work on the store."""

    async def opened() -> T:
        async with open_store() as store:
            return await work(store)

    return run(opened())


def number_reader() -> NumberReader:
    """Reads numbers as an upload does, with the configured country and strictness."""
    engine = config().engine
    return NumberReader(engine.default_country, engine.number_check)


def e164(text: str) -> str:
    """A number that somebody typed, as the store has it; raises click.BadParameter."""
    try:
        return number_reader().read(text, NumberType.UNKNOWN).number
    except RowError as error:
        raise click.BadParameter(str(error)) from None


def new_number(text: str) -> NewNumber:
    """A main number that somebody typed, with the zones in which it may be; raises click.BadParameter."""
    return _number(Alternative(NumberType.PRIORITY, text))


def alternative(text: str) -> NewNumber:
    """``NUMBER``, or with its type ``W=NUMBER``, as an upload takes it; raises click.BadParameter."""
    try:
        return _number(parse_alternative(text))
    except RowError as error:
        raise click.BadParameter(str(error)) from None


def _number(one: Alternative) -> NewNumber:
    try:
        number = number_reader().read(one.text, one.type)
    except RowError as error:
        raise click.BadParameter(str(error)) from None
    return replace(number, zones=zones_of(number.number), priority=one.priority, description=one.description)


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """``name=value``; raises click.BadParameter."""
    split = [(text, *text.partition("=")) for text in texts]
    for text, name, equals, _ in split:
        if not name.strip() or not equals:
            raise click.BadParameter(f"{text!r}: expected name=value")
    return {name.strip(): value.strip() for _, name, _, value in split}


def user() -> str:
    """Who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def local_time(at: int | None) -> str | None:
    """An instant in the configured zone, for people and for the source systems' calldate: YYYY-MM-DD HH:MM:SS."""
    return None if at is None else cdrs.local_time(at, config().engine.zone)


def instant(text: str) -> int:
    """``YYYY-MM-DD`` or ``YYYY-MM-DD HH:MM[:SS]`` in the configured zone; raises click.BadParameter."""
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        with contextlib.suppress(ValueError):
            local = datetime.strptime(text, form).replace(tzinfo=zone_of(config().engine.zone))
            return int(local.timestamp() * 1000)
    raise click.BadParameter(f"{text!r}: expected YYYY-MM-DD or 'YYYY-MM-DD HH:MM:SS'")
