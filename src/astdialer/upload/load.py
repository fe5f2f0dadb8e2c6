"""Loading a base: all of its good rows become dialable at once, or none is kept."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from astdialer.domain import calendar
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewContact
from astdialer.domain.errors import Unavailable
from astdialer.domain.names import check_name
from astdialer.ports import Clock
from astdialer.upload.errors import RowError, UploadError
from astdialer.upload.formats import Layout
from astdialer.upload.numbers import NumberReader
from astdialer.upload.read import BaseFile, Record, open_source
from astdialer.upload.report import BaseCount, SideFile, Tally, UploadReport, zones_text
from astdialer.upload.rows import RowReader
from astdialer.upload.targets import DryTarget, LoadStore, StoreTarget, Target

#: Called with the bytes read so far and the size of the file.
Progress = Callable[[int, int], None]

_QUIET_S = 300  # an upload writes every batch: quiet for so long, its process is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to load a base. Empty texts mean: detect it, or take what the file says."""

    base: str
    file_name: str = ""  #: what the base's upload is called; empty: as the file is
    job: str = ""  #: whose upload it is, if somebody sent it to us
    campaign: str = ""  #: for all rows, whatever they say
    fallback: str = ""  #: for rows that name no campaign
    spellings: bool = False  #: rows may spell campaigns in other ways, see names.spellings
    timezone: str = ""  #: zone of the base; empty: the one it has, or each number's own by its digits
    local_zone: str = "UTC"  #: of times in the file, where neither the contact nor its base has a zone
    country: str = ""  #: ISO 3166, of numbers without a country code
    number_check: str = "valid"  #: valid, possible or none
    mapping: tuple[tuple[str, str], ...] = ()  #: (role or param name, column)
    encoding: str = ""
    delimiter: str = ""
    rejects: Path | None = None
    warnings: Path | None = None
    dry_run: bool = False
    batch: int = 2000  #: rows per transaction


async def load(
    source: str,
    store: LoadStore,
    campaigns: Mapping[str, Campaign],
    options: Options,
    clock: Clock,
    *,
    progress: Progress = lambda done, size: None,
) -> UploadReport:
    """Load the file at ``source`` (``-``: standard input) for ``campaigns`` by name.

    Raises UploadError when the file can't be loaded, Unavailable when the store fails, and lets a cancellation
    through; in each case nothing is kept.
    """
    started = time.monotonic()
    _check(source, campaigns, options)
    removed = () if options.dry_run else await _clear_interrupted(store, clock)
    tally = Tally(rejects=SideFile(options.rejects), warnings=SideFile(options.warnings))
    zones = await _zones(store, campaigns, options)
    target = _target(source, store, options, zones, clock)
    with open_source(source) as opened:
        file = await asyncio.to_thread(
            BaseFile, opened, encoding=options.encoding, delimiter=options.delimiter, mapping=options.mapping
        )
        rows = _row_reader(file.layout, zones, options, clock.now())
        try:
            async with aclosing(_ahead(_batches(file, rows, tally, options.batch))) as batches:
                async for batch in batches:
                    await _add(batch, campaigns, target, tally)
                    progress(file.done, file.size)
            await _to_the_end(target.finish())
        except BaseException as error:
            kept = await _abandon(target, tally)
            if isinstance(error, Exception):
                kind = Unavailable if isinstance(error, Unavailable) else UploadError
                raise kind(f"{error}\n{kept}") from error
            raise
    return _report(source, file, options, tally=tally, removed=removed, seconds=time.monotonic() - started)


def _check(source: str, campaigns: Mapping[str, Campaign], options: Options) -> None:
    check_name(options.base)
    if options.timezone:
        calendar.zone_of(options.timezone)
    for name in filter(None, (options.campaign, options.fallback)):
        if name not in campaigns:
            raise UploadError(f"no campaign {name!r}; there are: {_known(campaigns)}")
    if any(path and path.resolve() == Path(source).resolve() for path in (options.rejects, options.warnings)):
        raise UploadError(f"{source}: the rejects can't be written over the base itself")


def _known(campaigns: Iterable[str]) -> str:
    return ", ".join(sorted(campaigns)) or "none: make one with astdialer campaign create"


async def _zones(store: LoadStore, campaigns: Mapping[str, Campaign], options: Options) -> dict[str, str]:
    """The zone of the base in each campaign: the one it has, or that of the options if it is yet to be made.

    Asked for before any row is read: what a row's times and numbers mean depends on it.
    """
    there = {row["campaign"]: row["timezone"] for row in await store.bases(None) if row["base"] == options.base}
    return {name: there.get(name, options.timezone) for name in campaigns}


def _target(source: str, store: LoadStore, options: Options, zones: Mapping[str, str], clock: Clock) -> Target:
    if options.dry_run:
        return DryTarget(store, options.base, timezone=options.timezone, zones=zones)
    name = options.file_name or (Path(source).name if source != "-" else "standard input")
    return StoreTarget(
        store,
        options.base,
        file_name=name,
        timezone=options.timezone,
        zones=zones,
        clock=clock,
        job=options.job,
    )


def _row_reader(layout: Layout, zones: Mapping[str, str], options: Options, now: int) -> RowReader:
    if layout.campaign < 0 and not (options.campaign or options.fallback):
        raise UploadError(
            f"no column names the campaign: give --campaign NAME or --map campaign=COLUMN. Campaigns: {_known(zones)}"
        )
    return RowReader(
        layout=layout,
        numbers=NumberReader(options.country, options.number_check),
        campaigns=zones,
        campaign=options.campaign,
        fallback=options.fallback,
        spellings=options.spellings,
        local_zone=options.local_zone,
        now=now,
    )


async def _clear_interrupted(store: LoadStore, clock: Clock) -> tuple[str, ...]:
    """Remove what earlier uploads left whose processes died; their campaign/base."""
    uploads = await store.interrupted_uploads(clock.now(), _QUIET_S)
    await store.discard_uploads(uploads)
    return tuple(f"{upload.campaign}/{upload.base}" for upload in uploads)


# --- rows ------------------------------------------------------------------------------------------------------------

_Batch = Mapping[str, list[NewContact]]  #: contacts by campaign


def _batches(file: BaseFile, rows: RowReader, tally: Tally, size: int) -> Iterator[_Batch]:
    records = iter(file)
    while chunk := list(islice(records, size)):
        batch: dict[str, list[NewContact]] = defaultdict(list)
        for record in chunk:
            _take(record, rows, tally, batch)
        yield batch


def _take(record: Record, rows: RowReader, tally: Tally, batch: dict[str, list[NewContact]]) -> None:
    tally.rows += 1
    try:
        campaign, contact, warnings = rows.read(record)
    except RowError as error:
        tally.rejects.add(record, error)
        return
    batch[campaign].append(contact)
    for warning in warnings:
        tally.warnings.add(record, warning)


async def _add(batch: _Batch, campaigns: Mapping[str, Campaign], target: Target, tally: Tally) -> None:
    for name, contacts in batch.items():
        added = await target.add(campaigns[name], contacts)
        tally.added[name] += len(added)
        tally.duplicates[name] += len(contacts) - len(added)
        tally.zones.update(map(zones_text, added))


async def _ahead(batches: Iterator[_Batch]) -> AsyncGenerator[_Batch, None]:
    """Batches, each read in a thread while the one before it is being stored."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, "upload") as reader:
        coming = loop.run_in_executor(reader, next, batches, None)
        while (batch := await coming) is not None:
            coming = loop.run_in_executor(reader, next, batches, None)
            yield batch


# --- the end ---------------------------------------------------------------------------------------------------------


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await ``work`` through cancellation: half of it would be worse than a moment's wait."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()


async def _abandon(target: Target, tally: Tally) -> str:
    """Keep nothing; says so."""
    tally.rejects.drop()
    tally.warnings.drop()
    try:
        await _to_the_end(target.abandon())
    except Exception as error:
        return f"None of its rows will be dialed, but they could not be removed ({error}); the next upload removes them"
    return "Nothing of the file was kept"


def _report(
    source: str, file: BaseFile, options: Options, *, tally: Tally, removed: tuple[str, ...], seconds: float
) -> UploadReport:
    names = sorted({*tally.added, *tally.duplicates})
    return UploadReport(
        file=source,
        dry_run=options.dry_run,
        encoding=file.encoding,
        delimiter=file.delimiter,
        columns=file.layout.meanings(file.header),
        rows=tally.rows,
        bases=tuple(
            BaseCount(campaign=name, base=options.base, added=tally.added[name], duplicates=tally.duplicates[name])
            for name in names
        ),
        added=tally.added.total(),
        duplicates=tally.duplicates.total(),
        rejected=tally.rejects.counts.total(),
        rejects=dict(tally.rejects.counts.most_common()),
        reject_examples=tuple(tally.rejects.examples),
        rejects_file=tally.rejects.keep(),
        zones={zones: count for zones, count in tally.zones.most_common() if zones},
        without_zone=tally.zones[""],
        warnings=tally.warnings.counts.total(),
        warning_reasons=dict(tally.warnings.counts.most_common()),
        warning_examples=tuple(tally.warnings.examples),
        warnings_file=tally.warnings.keep(),
        removed=removed,
        seconds=round(seconds, 3),
    )
