"""``astdialer blacklist``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

import click

from astdialer.cli.context import clock, config, e164, instant, local_time, user, with_store
from astdialer.cli.output import csv_option, emit_rows, json_option, say
from astdialer.domain.errors import InvalidNumber
from astdialer.engine.contacts import Forbidden, forbid, number_and_reason
from astdialer.ports import BlacklistEntry, CampaignStore
from astdialer.store import SqliteStore
from astdialer.upload.spool import covered_reader

BATCH = 5000
COLUMNS = ("number", "campaign", "reason", "added_by", "added", "until")
#: More than any blacklist has.
ALL = 1_000_000_000


@click.group()
def blacklist() -> None:
    """Numbers that are not dialed, for one campaign or for all."""


campaign_option = click.option("--campaign", default="*", show_default=True, help="The campaign; * is all of them.")
reason_option = click.option("--reason", default="", help="Why.")
until_option = click.option("--until", metavar="DATE", help="Only until then: YYYY-MM-DD or 'YYYY-MM-DD HH:MM:SS'.")


# --- what is meant ---------------------------------------------------------------------------------------------------


def covered(text: str) -> str:
    """A number as the store has it, or with a ``*`` at its end how such numbers begin; raises click.BadParameter."""
    try:
        return covered_reader(config().engine)(text)
    except InvalidNumber as error:
        raise click.BadParameter(str(error)) from None


def _until(text: str | None) -> int | None:
    if text is None:
        return None
    at = instant(text)
    if at <= clock.now():
        raise click.BadParameter(f"{text!r} has passed: expected a time to come", param_hint="--until")
    return at


# --- commands --------------------------------------------------------------------------------------------------------


@blacklist.command("add")
@click.argument("numbers", nargs=-1, required=True)
@campaign_option
@reason_option
@until_option
def add(numbers: tuple[str, ...], campaign: str, reason: str, until: str | None) -> None:
    """Never dial NUMBERS; waiting calls to them are not placed any more.

    A * at the end means every number that begins so: +4477*. Of what is listed already the later end counts, with its
    reason; to shorten an entry, remove it first.
    """
    expires_at, who = _until(until), user()
    plain = {text: covered(text) for text in numbers}
    entries = [_entry(number, campaign, reason, who, expires_at) for number in plain.values()]

    async def add_all(store: SqliteStore) -> Forbidden:
        await _check_campaign(store, campaign)
        return await forbid(store, clock, entries)

    forbidden = with_store(add_all)
    for text, number in plain.items():
        if number.endswith("*") and number != text:
            say(f"{text} is {number}")
    _tell_withdrawn(forbidden.withdrawn)
    say(f"{_counted(forbidden)}, {len(entries)} given")


def _tell_withdrawn(withdrawn: int) -> None:
    if withdrawn:
        say(f"waiting contacts that are not called there any more, or only later: {withdrawn}")


def _counted(forbidden: Forbidden) -> str:
    kept = f", {forbidden.kept} there already and kept as they were" if forbidden.kept else ""
    return f"{forbidden.added} added{kept}"


def _entry(number: str, campaign: str, reason: str, who: str, expires_at: int | None) -> BlacklistEntry:
    return BlacklistEntry(
        number=number, campaign=campaign, reason=reason, added_by=who, added_at=clock.now(), expires_at=expires_at
    )


@blacklist.command("remove")
@click.argument("numbers", nargs=-1, required=True)
@campaign_option
def remove(numbers: tuple[str, ...], campaign: str) -> None:
    """Allow NUMBERS again. Who only waited for the end of an entry comes up; who was closed for it stays closed."""
    plain = [covered(text) for text in numbers]

    async def remove_all(store: SqliteStore) -> int:
        return sum([await store.remove_from_blacklist(number, campaign) for number in plain])

    say(f"{with_store(remove_all)} removed, {len(plain)} given")


@blacklist.command("list")
@click.option("--campaign", help="Only of this campaign; * for those of all.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@json_option
@csv_option
def list_(campaign: str | None, limit: int, as_json: bool, as_csv: bool) -> None:
    """Who is not dialed, since when, until when and why."""
    entries = with_store(lambda store: store.blacklist(campaign, limit))
    emit_rows(map(_row, entries), COLUMNS, as_json=as_json, as_csv=as_csv)


def _row(entry: BlacklistEntry) -> dict[str, Any]:
    times = {"added": local_time(entry.added_at), "until": local_time(entry.expires_at)}
    return dataclasses.asdict(entry) | times


@blacklist.command("check")
@click.argument("number")
@click.option("--campaign", help="Only for this campaign's calls.  [default: for any]")
@json_option
@csv_option
def check(number: str, campaign: str | None, as_json: bool, as_csv: bool) -> None:
    """Which entries keep NUMBER from being dialed now."""
    plain = e164(number)

    async def find(store: SqliteStore) -> list[BlacklistEntry]:
        if campaign:
            await _check_campaign(store, campaign)
        return list(await store.barring(plain, campaign, clock.now()))

    found = with_store(find)
    emit_rows(map(_row, found), COLUMNS, as_json=as_json, as_csv=as_csv)
    if not found:
        say(f"{plain} is not blacklisted")


@blacklist.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig", errors="replace"))
@campaign_option
@reason_option
@until_option
def import_(file: IO[str], campaign: str, reason: str, until: str | None) -> None:
    """Add every number of FILE (- for standard input): one a line; what follows a comma or semicolon is its reason."""
    expires_at, bad = _until(until), list[str]()
    entries = _entries(file, campaign, reason, expires_at, bad)

    async def add_file(store: SqliteStore) -> Forbidden:
        await _check_campaign(store, campaign)
        done = [await forbid(store, clock, batch) for batch in _batches(entries)]
        return Forbidden(*(sum(getattr(each, key) for each in done) for key in ("added", "kept", "withdrawn")))

    forbidden = with_store(add_file)
    for line in bad[:20]:
        say(line)
    _tell_withdrawn(forbidden.withdrawn)
    say(f"{_counted(forbidden)}, {len(bad)} lines could not be read")


def _entries(
    file: IO[str], campaign: str, reason: str, expires_at: int | None, bad: list[str]
) -> Iterator[BlacklistEntry]:
    who = user()
    for line, text in enumerate(file, 1):
        number, own_reason = number_and_reason(text)
        if not number:
            continue
        try:
            yield _entry(covered(number), campaign, own_reason or reason, who, expires_at)
        except click.BadParameter as error:
            bad.append(f"line {line}: {error.message}")


def _batches(entries: Iterator[BlacklistEntry]) -> Iterator[list[BlacklistEntry]]:
    while batch := list(islice(entries, BATCH)):
        yield batch


async def _check_campaign(store: CampaignStore, campaign: str) -> None:
    if campaign != "*":
        await store.campaign(campaign)
