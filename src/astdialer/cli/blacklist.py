"""``astdialer blacklist``."""

from __future__ import annotations

import dataclasses
import getpass
from collections.abc import Iterator
from itertools import islice
from typing import IO

import click

from astdialer.cli.context import clock, e164, local_time, number_reader, with_store
from astdialer.cli.output import csv_option, emit_rows, json_option, say
from astdialer.domain.contact import NumberType
from astdialer.ports import BlacklistEntry, CampaignStore
from astdialer.store import SqliteStore
from astdialer.upload.errors import RowError

BATCH = 5000


@click.group()
def blacklist() -> None:
    """Numbers that are not dialed, for one campaign or for all."""


campaign_option = click.option("--campaign", default="*", show_default=True, help="The campaign; * is all of them.")
reason_option = click.option("--reason", default="", help="Why.")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _entry(number: str, campaign: str, reason: str) -> BlacklistEntry:
    return BlacklistEntry(number=number, campaign=campaign, reason=reason, added_by=_user(), added_at=clock.now())


@blacklist.command("add")
@click.argument("numbers", nargs=-1, required=True)
@campaign_option
@reason_option
def add(numbers: tuple[str, ...], campaign: str, reason: str) -> None:
    """Never dial NUMBERS; waiting calls to them are not placed any more."""
    entries = [_entry(e164(text), campaign, reason) for text in numbers]

    async def add_all(store: SqliteStore) -> int:
        await _check_campaign(store, campaign)
        return await store.add_to_blacklist(entries)

    say(f"{with_store(add_all)} added, {len(entries)} given")


@blacklist.command("remove")
@click.argument("numbers", nargs=-1, required=True)
@campaign_option
def remove(numbers: tuple[str, ...], campaign: str) -> None:
    """Allow NUMBERS again. Contacts that were closed for it stay closed."""
    plain = [e164(text) for text in numbers]

    async def remove_all(store: SqliteStore) -> int:
        return sum([await store.remove_from_blacklist(number, campaign) for number in plain])

    say(f"{with_store(remove_all)} removed, {len(plain)} given")


@blacklist.command("list")
@click.option("--campaign", help="Only of this campaign; * for those of all.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@json_option
@csv_option
def list_(campaign: str | None, limit: int, as_json: bool, as_csv: bool) -> None:
    """Who is not dialed, since when and why."""
    entries = with_store(lambda store: store.blacklist(campaign, limit))
    rows = [dataclasses.asdict(entry) | {"added": local_time(entry.added_at)} for entry in entries]
    emit_rows(rows, ("number", "campaign", "reason", "added_by", "added"), as_json=as_json, as_csv=as_csv)


@blacklist.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig", errors="replace"))
@campaign_option
@reason_option
def import_(file: IO[str], campaign: str, reason: str) -> None:
    """Add every number of FILE (- for standard input): one a line; what follows a comma or semicolon is its reason."""

    async def add_file(store: SqliteStore) -> int:
        await _check_campaign(store, campaign)
        return sum([await store.add_to_blacklist(batch) for batch in _batches(_entries(file, campaign, reason, bad))])

    bad: list[str] = []
    added = with_store(add_file)
    for line in bad[:20]:
        say(line)
    say(f"{added} added, {len(bad)} lines could not be read")


def _entries(file: IO[str], campaign: str, reason: str, bad: list[str]) -> Iterator[BlacklistEntry]:
    reader = number_reader()
    for line, text in enumerate(file, 1):
        number, _, own_reason = text.strip().replace(";", ",").partition(",")
        if not number:
            continue
        try:
            yield _entry(reader.read(number, NumberType.UNKNOWN).number, campaign, own_reason.strip() or reason)
        except RowError as error:
            bad.append(f"line {line}: {error}")


def _batches(entries: Iterator[BlacklistEntry]) -> Iterator[list[BlacklistEntry]]:
    while batch := list(islice(entries, BATCH)):
        yield batch


async def _check_campaign(store: CampaignStore, campaign: str) -> None:
    if campaign != "*":
        await store.campaign(campaign)
