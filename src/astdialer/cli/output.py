"""How commands speak: data on stdout, words on stderr, tables for people, JSON and CSV for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from astdialer.engine.csv_rows import csv_text


class Exit(IntEnum):
    """Exit codes that scripts may rely on; 2 (wrong usage) is click's."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    UNAVAILABLE = 69  #: Asterisk, the store or the engine does not answer
    TRY_AGAIN = 75
    CONFIG = 78
    INTERRUPTED = 130


def say(text: str) -> None:
    """A word to the person at the terminal, on stderr."""
    click.echo(text, err=True)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
csv_option = click.option("--csv", "as_csv", is_flag=True, help="CSV instead of a table.")


def emit_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool = False, as_csv: bool = False
) -> None:
    """Rows as a JSON array of whole rows, as CSV, or as a table of ``columns``."""
    if as_json:
        click.echo(json.dumps([dict(row) for row in rows], ensure_ascii=False, indent=2, default=str))
    elif as_csv:
        click.echo(csv_text(rows, columns), nl=False)
    else:
        print_table(rows, columns)


def emit_record(record: Mapping[str, Any], *, as_json: bool = False) -> None:
    """One thing: a JSON object, or lines of key and value."""
    if as_json:
        click.echo(json.dumps(dict(record), ensure_ascii=False, indent=2, default=str))
        return
    width = max(map(len, record), default=0)
    for key, value in record.items():
        click.echo(f"{key:<{width}}  {words(value)}")


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table as wide as it needs to be; on a terminal as wide as that."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def _cell(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else escape(words(value))


def words(value: Any) -> str:
    """A value for people: counts as ``busy 3, answered 2``, nothing as a dash."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words(n)}" for key, n in value.items()) or "-"
    return "-" if value is None else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))
