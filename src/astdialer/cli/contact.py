"""``astdialer contact``."""

from __future__ import annotations

from typing import Any

import click

from astdialer.cli.context import e164, local_time, with_store
from astdialer.cli.output import csv_option, emit_record, emit_rows, json_option, print_table
from astdialer.domain.contact import ContactState

COLUMNS = ("id", "campaign", "base", "number", "state", "next_try", "end_reason", "attempts", "dispositions")


@click.group()
def contact() -> None:
    """Look at contacts: where they stand and why."""


@contact.command("list")
@click.option("--campaign", help="Only of this campaign.")
@click.option("--base", help="Only of this base.")
@click.option("--state", type=click.Choice([state.value for state in ContactState]), help="Only in this state.")
@click.option("--end-reason", help="Only ended so, such as answered or blacklisted.")
@click.option("--number", help="Only with this number, as an upload takes it.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out so many first.")
@json_option
@csv_option
def list_(limit: int, offset: int, as_json: bool, as_csv: bool, **filters: Any) -> None:
    """Contacts, in the order of their bases."""
    filters["number"] = e164(filters["number"]) if filters["number"] else None
    found = with_store(lambda store: store.contacts(filters, limit, offset))
    rows = [dict(row) | {"next_try": local_time(row["next_at"])} for row in found]
    emit_rows(rows, COLUMNS, as_json=as_json, as_csv=as_csv)


@contact.command("show")
@click.argument("contact_id", type=int)
@json_option
def show(contact_id: int, as_json: bool) -> None:
    """A contact with its numbers, its attempts and what each of them came to."""
    found = dict(with_store(lambda store: store.contact(contact_id)))
    if as_json:
        emit_record(found, as_json=True)
        return
    numbers, attempts = found.pop("numbers"), found.pop("attempts")
    emit_record(found | {"next_at": local_time(found["next_at"])})
    click.echo()
    print_table(
        [n | {"next_try": local_time(n["next_at"]) if n["next_at"] else None} for n in numbers],
        ("number", "type", "last_disposition", "tally", "next_try", "end_reason"),
    )
    click.echo()
    print_table(
        [a | {"began": local_time(a["dialed_at"] or a["created_at"])} for a in attempts],
        ("began", "number", "state", "disposition", "cause", "sip_code", "amd_verdict", "agent", "refusal", "id"),
    )
