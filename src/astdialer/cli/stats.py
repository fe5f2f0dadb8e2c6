"""``astdialer stats``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import click

from astdialer.cli.context import clock, config, with_store
from astdialer.cli.output import csv_option, emit_record, emit_rows, json_option, say
from astdialer.domain.disposition import Disposition
from astdialer.engine import statistics
from astdialer.store import SqliteStore

FIGURES = ("attempts", "people", "picked_up", *map(str, Disposition))
AGENT_COLUMNS = ("agent", "campaign", "offered", "answered", "talk_s", "average_talk_s")

days_option = click.option(
    "--days",
    type=click.IntRange(1, 3660),
    default=7,
    show_default=True,
    help="The last so many days, today among them.",
)


@click.group()
def stats() -> None:
    """Figures by day: campaigns, trunks, agents, abandonment."""


@stats.command("campaign")
@click.argument("name")
@days_option
@json_option
@csv_option
def campaign(name: str, days: int, as_json: bool, as_csv: bool) -> None:
    """A campaign's attempts by day and disposition, the campaign's local days. A reset leaves them alone."""
    rows = with_store(lambda store: statistics.campaign_days(store, clock, config().engine.zone, name, days))
    if as_json:
        emit_record({"campaign": name, "days": rows, "total": statistics.total(rows)}, as_json=True)
        return
    shown = rows if as_csv else [*rows, {"day": "total"} | statistics.total(rows)]
    _emit(shown, ("day", *FIGURES), as_csv=as_csv)


@stats.command("trunks")
@days_option
@json_option
@csv_option
def trunks(days: int, as_json: bool, as_csv: bool) -> None:
    """Attempts of each trunk by disposition, and how many of them anybody or anything picked up."""
    rows = with_store(lambda store: statistics.trunk_totals(store, clock, config().engine.zone, days))
    _emit(rows, ("trunk", *FIGURES), as_json=as_json, as_csv=as_csv)


@stats.command("agents")
@days_option
@json_option
@csv_option
def agents(days: int, as_json: bool, as_csv: bool) -> None:
    """Calls that each agent was offered and answered, and the time it talked."""
    rows = with_store(lambda store: statistics.agent_totals(store, clock, config().engine.zone, days))
    emit_rows(rows, AGENT_COLUMNS, as_json=as_json, as_csv=as_csv)


@stats.command("abandonment")
@click.argument("name")
@json_option
@csv_option
def abandonment(name: str, as_json: bool, as_csv: bool) -> None:
    """Calls abandoned of those that people answered: each of the last 30 days, and all of them together."""

    async def work(store: SqliteStore) -> statistics.Abandonment:
        return await statistics.abandonment(store, clock, config().engine.zone, name)

    found = with_store(work)
    if as_json:
        emit_record({"campaign": name} | dataclasses.asdict(found), as_json=True)
        return
    emit_rows(_in_words(found.days, as_csv=as_csv), ("day", "people", "abandoned", "rate"), as_csv=as_csv)
    rate = "nobody answered yet" if found.rate is None else f"{found.rate:.2%}"
    say(f"since {found.from_day}: {found.abandoned} of {found.people} abandoned, {rate}")


def _emit(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], **form: bool) -> None:
    """People see no column that is all zeros."""
    shown = [key for key in columns if key in FIGURES[:3] or key not in FIGURES or any(row[key] for row in rows)]
    machine = any(form.values())
    emit_rows(rows if machine else _in_words(rows), columns if machine else shown, **form)


def _in_words(rows: Sequence[Mapping[str, Any]], *, as_csv: bool = False) -> list[dict[str, Any]]:
    """Rates as percentages, for people."""
    shown = [dict(row) for row in rows]
    for row in () if as_csv else shown:
        for key in ("picked_up", "rate"):
            if row.get(key) is not None:
                row[key] = f"{row[key]:.1%}"
    return shown
