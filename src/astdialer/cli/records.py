"""``astdialer records``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import click

from astdialer.cli.context import config, open_store, run, with_store
from astdialer.cli.output import Exit, csv_option, emit_record, emit_rows, json_option, say
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import AstdialerError, NotFound
from astdialer.engine.recordings import trim_s
from astdialer.ports import Converted
from astdialer.records import layout, retention
from astdialer.records.duration import NotAudio, duration_s
from astdialer.records.files import RecordingFiles
from astdialer.records.find import unconverted
from astdialer.store import SqliteStore

COLUMNS = ("date", "campaign", "number", "state", "duration_s", "tries", "guid", "path", "error")
RESULT_COLUMNS = ("guid", "result", "duration_s", "path", "error")
BATCH = 64

date_option = click.option("--date", metavar="YYYYMMDD", help="The call's date; without it every folder is searched.")


@click.group()
def records() -> None:
    """Recordings: find, convert, trim and remove them."""


@records.command("list")
@click.option("--date", metavar="YYYYMMDD", help="Only of this day.")
@click.option("--campaign", help="Only of this campaign.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@json_option
@csv_option
def list_(date: str | None, campaign: str | None, limit: int, as_json: bool, as_csv: bool) -> None:
    """Recordings of attempts, the newest first, and whether they are converted: pending, done, none, failed."""
    filters = {"date": layout.checked_date(date) if date else None, "campaign": campaign}

    async def work() -> Sequence[Mapping[str, Any]]:
        async with open_store() as store:
            return await store.recordings(filters, limit)

    emit_rows(run(work()), COLUMNS, as_json=as_json, as_csv=as_csv)


@records.command("find")
@click.argument("guid")
@date_option
@json_option
def find(guid: str, date: str | None, as_json: bool) -> None:
    """Print where a recording is: MP3 before GSM, the records directory before the backup."""
    path = RecordingFiles(config().records).find(guid, date)
    if path is None:
        raise NotFound("recording", guid, "neither in the records directory nor in the backup")
    if as_json:
        emit_record({"guid": guid, "path": str(path), "bytes": path.stat().st_size} | _duration(path), as_json=True)
    else:
        click.echo(path)


def _duration(path: Path) -> dict[str, float | None]:
    try:
        return {"duration_s": round(duration_s(path), 2)}
    except NotAudio:
        return {"duration_s": None}


# --- convert ---------------------------------------------------------------------------------------------------------


@records.command("convert")
@click.argument("guid", required=False)
@date_option
@click.option("--all", "everything", is_flag=True, help="Every GSM file on disk that has no MP3 beside it.")
@click.option(
    "--untouched",
    type=click.IntRange(0),
    default=60,
    show_default=True,
    metavar="MINUTES",
    help="With --all: only files not written to for so long; a call on hold writes nothing.",
)
@json_option
def convert(guid: str | None, date: str | None, everything: bool, untouched: int, as_json: bool) -> None:
    """Convert one recording, or all that are left, from GSM to MP3. The engine does so by itself after each call."""
    if bool(guid) == everything:
        raise click.UsageError("expected either a GUID or --all")
    if everything and date:
        raise click.UsageError("--date goes with a GUID, not with --all")
    rows = with_store(lambda store: _convert_one(store, guid, date) if guid else _convert_all(store, untouched * 60))
    emit_rows(rows, RESULT_COLUMNS, as_json=as_json)
    if any(row["error"] for row in rows):
        raise SystemExit(Exit.TRY_AGAIN)


async def _convert_one(store: SqliteStore, guid: str, date: str | None) -> list[dict[str, Any]]:
    async with RecordingFiles(config().records) as files:
        path = await asyncio.to_thread(files.find, guid, date)
        if path is None:
            raise NotFound("recording", guid)
        gsm = path.with_suffix(".gsm")
        return [_row(gsm, await files.convert_path(gsm, trim_s=await trim_s(store, guid)))]


async def _convert_all(store: SqliteStore, untouched_s: float) -> list[dict[str, Any]]:
    async with RecordingFiles(config().records) as files:
        await asyncio.to_thread(retention.sweep, files.root)
        found = iter(await asyncio.to_thread(_untouched, files.root, untouched_s))
        rows: list[dict[str, Any]] = []
        while batch := list(islice(found, BATCH)):
            rows += await asyncio.gather(*(_attempt(store, files, gsm) for gsm in batch))
            say(f"{len(rows)} looked at")
        return rows


def _untouched(root: Path, seconds: float) -> list[Path]:
    latest = time.time() - seconds
    return [path for path in unconverted(root) if path.stat().st_mtime <= latest]


async def _attempt(store: SqliteStore, files: RecordingFiles, gsm: Path) -> dict[str, Any]:
    try:
        return _row(gsm, await files.convert_path(gsm, trim_s=await trim_s(store, gsm.stem)))
    except AstdialerError as error:
        return _row(gsm, None) | {"result": "failed", "error": str(error)}


def _row(gsm: Path, converted: Converted | None) -> dict[str, Any]:
    row = {"guid": gsm.stem, "result": "nothing recorded", "duration_s": None, "path": str(gsm), "error": ""}
    if converted is None:
        return row
    return row | {"result": "converted", "duration_s": round(converted.duration_s, 2), "path": str(converted.path)}


# --- trim, prune -----------------------------------------------------------------------------------------------------


@records.command("trim")
@click.argument("guid")
@date_option
@click.option("--left", type=click.FloatRange(0), default=0.0, help="Cut so many seconds off the beginning.")
@click.option("--length", type=click.FloatRange(0, min_open=True), help="Keep so many seconds behind that.")
@json_option
def trim(guid: str, date: str | None, left: float, length: float | None, as_json: bool) -> None:
    """Cut a recording in place. What is cut off is gone; the rest is encoded anew."""
    if not left and length is None:
        raise click.UsageError("expected --left, --length or both, in seconds")

    async def work() -> Converted:
        async with RecordingFiles(config().records) as files:
            return await files.trim(guid, date, left_s=left, length_s=length)

    done = run(work())
    emit_record({"path": str(done.path), "duration_s": round(done.duration_s, 2)}, as_json=as_json)


@records.command("prune")
@click.option("--days", type=click.IntRange(1), required=True, help="Keep so many days before today.")
@click.option("--backup", is_flag=True, help="In the backup directory too.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def prune(days: int, backup: bool, dry_run: bool, yes: bool) -> None:
    """Remove recordings of calls more than so many days ago, from the date folders only; prints each path."""
    today = datetime.now(zone_of(config().engine.zone)).date()
    work = partial(RecordingFiles(config().records).prune, days=days, today=today, backup=backup)
    old = list(work(dry_run=True))
    if dry_run:
        _print(old)
        say(f"{len(old)} would be removed")
        return
    if old and not yes:
        click.confirm(f"Remove {len(old)} recordings older than {days} days?", abort=True, err=True)
    say(f"{_print(work())} removed")


def _print(paths: Iterable[Path]) -> int:
    count = 0
    for path in paths:
        click.echo(path)
        count += 1
    return count
