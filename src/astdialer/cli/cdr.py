"""``astdialer cdr``."""

from __future__ import annotations

import json
from typing import Any

import click

from astdialer.cli.context import config, e164, instant, with_store
from astdialer.cli.output import csv_option, emit_rows, json_option
from astdialer.domain.disposition import Disposition
from astdialer.engine.cdrs import COLUMNS as ALL_COLUMNS
from astdialer.engine.cdrs import shown
from astdialer.engine.csv_rows import csv_text
from astdialer.store import SqliteStore

COLUMNS = (
    "calldate",
    "campaign",
    "dst",
    "disposition",
    "causecode",
    "sip_code",
    "amd_verdict",
    "agent",
    "duration",
    "billsec",
    "talk_s",
    "hung_up_by",
    "guid",
)


@click.group()
def cdr() -> None:
    """Call detail records: one for each attempt."""


def _filters(function: Any) -> Any:
    options = (
        click.option("--campaign", help="Only of this campaign."),
        click.option("--number", help="Only to this number, as an upload takes it."),
        click.option("--disposition", type=click.Choice([d.value for d in Disposition]), help="Only ended so."),
        click.option("--agent", help="Only with this agent, such as PJSIP/agent1."),
        click.option("--base", help="Only from this base."),
        click.option("--guid", help="Only this attempt."),
        click.option("--from", "from_text", help="From this time on: YYYY-MM-DD or 'YYYY-MM-DD HH:MM:SS'."),
        click.option("--to", "to_text", help="Before this time."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _where(from_text: str | None, to_text: str | None, filters: dict[str, Any]) -> dict[str, Any]:
    return filters | {
        "number": e164(filters["number"]) if filters["number"] else None,
        "from_at": instant(from_text) if from_text else None,
        "to_at": instant(to_text) if to_text else None,
    }


@cdr.command("list")
@_filters
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
@csv_option
def list_(from_text: str | None, to_text: str | None, limit: int, as_json: bool, as_csv: bool, **filters: Any) -> None:
    """The newest records first."""

    async def rows(store: SqliteStore) -> list[dict[str, Any]]:
        return [_shown(row) async for row in store.cdrs(_where(from_text, to_text, filters), limit)]

    emit_rows(with_store(rows), ALL_COLUMNS if as_csv else COLUMNS, as_json=as_json, as_csv=as_csv)


@cdr.command("export")
@_filters
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of CSV.")
@csv_option
def export(from_text: str | None, to_text: str | None, as_json: bool, as_csv: bool, **filters: Any) -> None:
    """Every record with every field on stdout, as CSV or JSON lines, however many there are."""
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")

    async def export_all(store: SqliteStore) -> None:
        if not as_json:
            click.echo(csv_text([], ALL_COLUMNS), nl=False)
        async for row in store.cdrs(_where(from_text, to_text, filters), None):
            if as_json:
                click.echo(json.dumps(_shown(row), ensure_ascii=False))
            else:
                click.echo(csv_text([_shown(row)], ALL_COLUMNS, header=False), nl=False)

    with_store(export_all)


def _shown(row: Any) -> dict[str, Any]:
    return shown(row, config().engine.zone)
