"""`astdialer upload`: a file of contacts into campaigns' bases."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from astdialer.cli import context
from astdialer.cli.output import Exit, emit_record, emit_rows, json_option, say
from astdialer.domain.calendar import split_zones
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import base_of, check_name
from astdialer.engine.uploads import delimiter_of, mapping_of
from astdialer.upload import load as uploading
from astdialer.upload.report import Quote, UploadReport

_ZONES_SHOWN = 5
_WARNED = {"alternative": "alternatives left out", "expired": "contacts never dialed: EXPIRED"}


def _mapping(_ctx: click.Context, _param: click.Parameter, texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    try:
        return mapping_of(texts)
    except InvalidSetting as error:
        raise click.BadParameter(f"{error.value!r}: expected {error.expected}") from None


def _delimiter(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    try:
        return delimiter_of(text)
    except InvalidSetting as error:
        raise click.BadParameter(f"{error.value!r}: expected {error.expected}") from None


@click.command()
@click.argument("file")
@click.option("--campaign", default="", metavar="NAME", help="Campaign of all rows, whatever they say.")
@click.option("--base", default="", metavar="NAME", help="Name of the base.  [default: the file's name]")
@click.option(
    "--timezone", default="", metavar="ZONE", help="Its zone, such as America/Lima.  [default: each number's]"
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="FIELD=COLUMN",
    callback=_mapping,
    help="CSV: the column of number, campaign, alt (repeatable), priority, agentphone, bucket, timezone, "
    "not_before, expires or params; any other FIELD names a param.",
)
@click.option("--country", default="", metavar="CC", help="Country of numbers without a code, in place of the default.")
@click.option("--encoding", default="", help="Such as utf-8 or cp1251.  [default: detected]")
@click.option("--delimiter", default="", callback=_delimiter, help="One character, or tab.  [default: detected]")
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where rows with errors go.  [default: FILE.rejects.csv]",
)
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@json_option
def upload(
    file: str,
    *,
    campaign: str,
    base: str,
    timezone: str,
    mapping: tuple[tuple[str, str], ...],
    country: str,
    encoding: str,
    delimiter: str,
    rejects: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Load FILE (- for standard input) into the bases of its campaigns.

    The semicolon format and CSV with a header are recognised, as are encoding and delimiter. Rows
    with errors go to a file of their own; all good rows become dialable together, at the end. If the
    upload is interrupted, nothing of the file is kept.
    """
    if file == "-" and not base:
        raise click.UsageError("standard input has no name: give --base NAME")
    engine = context.config().engine
    options = uploading.Options(
        base=check_name(base) if base else base_of(file),
        campaign=campaign,
        timezone=timezone,
        local_zone=engine.zone,
        country=country or engine.default_country,
        number_check=engine.number_check,
        mapping=mapping,
        encoding=encoding,
        delimiter=delimiter,
        rejects=rejects or (None if dry_run else _beside(file, "rejects")),
        warnings=None if dry_run else _beside(file, "warnings"),
        dry_run=dry_run,
    )
    try:
        report = context.run(_load(file, options))
    except asyncio.CancelledError:  # SIGTERM; asyncio makes KeyboardInterrupt of SIGINT
        raise SystemExit(Exit.INTERRUPTED) from None
    if as_json:
        emit_record(report.as_dict(), as_json=True)
    else:
        _show(report)
    if report.is_failure:
        raise SystemExit(Exit.FAILURE)


def _beside(file: str, what: str) -> Path:
    return Path(f"{'stdin' if file == '-' else file}.{what}.csv")


async def _load(file: str, options: uploading.Options) -> UploadReport:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with context.open_store() as store:
            campaigns = {campaign.name: campaign for campaign in await store.campaigns()}
            with _progress() as progress:
                return await uploading.load(file, store, campaigns, options, context.clock, progress=progress)
    except asyncio.CancelledError:
        say("Interrupted. Nothing of the file was kept.")
        raise


@contextlib.contextmanager
def _progress() -> Iterator[uploading.Progress]:
    """A bar on a terminal's stderr; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Uploading", total=None)

        def show(done: int, size: int) -> None:
            bar.update(task, completed=done, total=size)

        yield show


# --- the report ------------------------------------------------------------------------------------------------------


def _show(report: UploadReport) -> None:
    for name in report.removed:
        say(f"Removed what an interrupted earlier upload had left in {name}.")
    if report.columns:
        say("Columns: " + ", ".join(f"{column} = {meaning}" for column, meaning in report.columns.items()))
    rows = [
        {"campaign": b.campaign, "base": b.base, "added": b.added, "duplicates": b.duplicates} for b in report.bases
    ]
    emit_rows(rows, ("campaign", "base", "added", "duplicates"))
    rate = f"{report.rows / report.seconds:,.0f} rows/s" if report.seconds else ""
    say(f"{report.rows:,} rows in {report.seconds:.1f} s ({rate}), read as {report.encoding}")
    _show_zones(report)
    if report.dry_run:
        say("Dry run: nothing was written.")
    if report.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.rejects.items())
        where = f"; they are in {report.rejects_file}" if report.rejects_file else ""
        _tell(f"{report.rejected:,} rows REJECTED ({reasons}){where}", report.reject_examples)
    if report.warnings:
        where = f"; their rows are in {report.warnings_file}" if report.warnings_file else ""
        reasons = ", ".join(f"{count:,} {_WARNED.get(name, name)}" for name, count in report.warning_reasons.items())
        _tell(f"{reasons}{where}", report.warning_examples)
    if report.is_failure:
        say("Nothing could be loaded.")


def _show_zones(report: UploadReport) -> None:
    """In which hours contacts will be dialed, before anybody is."""
    top = list(report.zones.items())[:_ZONES_SHOWN]
    rest = sum(report.zones.values()) - sum(count for _, count in top)
    shown = [f"{count:,} {_zones_words(split_zones(text))}" for text, count in top]
    if shown:
        say("Zones of the contacts: " + ", ".join([*shown, f"{rest:,} in others"] if rest else shown))
    if report.without_zone:
        text = f"{report.without_zone:,} contacts with a number of NO KNOWN ZONE"
        meaning = "their campaign's zone holds; with require_zone that number is not dialed"
        say(f"{click.style(text, fg='red', bold=True)}: {meaning}")


def _zones_words(zones: Sequence[str]) -> str:
    if len(zones) < 3:
        return "in " + " and ".join(zones) + (" at once" if len(zones) == 2 else "")
    return f"in {len(zones)} zones at once ({zones[0]} ... {zones[-1]})"


def _tell(headline: str, examples: Sequence[Quote]) -> None:
    say(click.style(headline, fg="red", bold=True))
    for quote in examples:
        say(f"  line {quote.line}: {quote.message}")
