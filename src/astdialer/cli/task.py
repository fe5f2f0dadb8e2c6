"""``astdialer task``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from astdialer.cli import context
from astdialer.cli.context import clock, e164, instant, local_time, pairs, with_store
from astdialer.cli.output import csv_option, emit_record, emit_rows, json_option, say
from astdialer.domain.contact import Contact
from astdialer.domain.errors import Unavailable
from astdialer.engine import tasks
from astdialer.engine.explain import is_stale
from astdialer.store import SqliteStore

COLUMNS = ("id", "at", "number", "agent", "tries", "promised", "data")


@click.group()
def task() -> None:
    """Calls outside of any list: at a time, as soon as possible, or at once."""


@task.command("add")
@click.argument("campaign")
@click.argument("number")
@click.option("--at", metavar="TIME", help="Call at this time: YYYY-MM-DD or 'YYYY-MM-DD HH:MM:SS'.")
@click.option("--promised", is_flag=True, help="At that time whatever the calling hours: the person was promised it.")
@click.option("--agent", default="", help="Who alone may have the call, such as 1001.")
@click.option("--manual", is_flag=True, help="The agent makes the call at once: its telephone rings first.")
@click.option("--list", "to_list", is_flag=True, help="Call it in its turn, as an entry of a base.")
@click.option("--alternative", multiple=True, help="Another number, or W=NUMBER with its type. Repeatable.")
@click.option("--data", multiple=True, metavar="NAME=VALUE", help="A param. Repeatable.")
@click.option("--priority", type=int, help="Smaller is dialed first.  [default: 1, in a list 9999]")
@json_option
def add(
    campaign: str,
    number: str,
    *,
    at: str | None,
    promised: bool,
    agent: str,
    manual: bool,
    to_list: bool,
    alternative: tuple[str, ...],
    data: tuple[str, ...],
    priority: int | None,
    as_json: bool,
) -> None:
    """Have CAMPAIGN call NUMBER: as soon as possible, unless an option says otherwise."""
    if sum((at is not None, manual, to_list)) > 1:
        raise click.UsageError("one of --at, --manual and --list: each says when to call")
    if promised and at is None:
        raise click.UsageError("--promised needs the time that was promised: --at")
    wish = tasks.Wish(
        campaign=campaign,
        numbers=[context.new_number(number), *map(context.alternative, alternative)],
        at=instant(at) if at else None,
        agent=agent,
        params=pairs(data),
        automatic=not (manual or to_list),
        bulk=to_list,
        any_hour=promised,
        priority=priority,
    )
    record = with_store(lambda store: _manual(store, wish) if manual else _added(store, wish))
    if as_json:
        emit_record(record, as_json=True)


async def _added(store: SqliteStore, wish: tasks.Wish) -> Mapping[str, Any]:
    added = await tasks.add(store, clock, wish)
    when = f"called at {local_time(wish.at)}" if wish.at else "called in its turn" if wish.bulk else "called next"
    say(f"contact {added.contact_id}: {wish.number} is {when}")
    if added.words:
        say(added.words)
    return {"contact": added.contact_id}


async def _manual(store: SqliteStore, wish: tasks.Wish) -> Mapping[str, Any]:
    if is_stale(await store.live_view(), clock.now()):
        raise Unavailable("the engine is not running: start it with astdialer serve, or systemctl start astdialer")
    added = await tasks.add(store, clock, wish)
    say(f"{wish.agent} calls {wish.number}")
    return {"contact": added.contact_id, "guid": added.guid}


@task.command("list")
@click.argument("campaign")
@click.option("--number", help="Only with this number, as an upload takes it.")
@click.option("--from", "from_", metavar="TIME", help="Only from this time on.")
@click.option("--to", metavar="TIME", help="Only before this time.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@json_option
@csv_option
def list_(
    campaign: str, *, number: str | None, from_: str | None, to: str | None, limit: int, as_json: bool, as_csv: bool
) -> None:
    """The scheduled calls of CAMPAIGN, by their time. Those without a time: contact list --rank task."""
    plain = e164(number) if number else None
    from_at, to_at = instant(from_) if from_ else None, instant(to) if to else None
    found = with_store(lambda store: tasks.scheduled(store, campaign, plain, from_at=from_at, to_at=to_at, limit=limit))
    emit_rows([_row(one, as_json) for one in found], COLUMNS, as_json=as_json, as_csv=as_csv)


def _row(one: Contact, as_json: bool) -> dict[str, Any]:
    at = tasks.due_at(one)
    return {
        "id": one.id,
        "at": at if as_json else local_time(at),
        "number": one.numbers[0].number,
        "alternatives": [number.number for number in one.numbers[1:]],
        "agent": one.agentphone,
        "tries": one.tries,
        "promised": one.any_hour,
        "data": dict(one.params),
    }


@task.command("remove")
@click.argument("campaign")
@click.argument("number")
@click.option("--from", "from_", metavar="TIME", help="Only from this time on.")
@click.option("--to", metavar="TIME", help="Only before this time.")
def remove(campaign: str, number: str, from_: str | None, to: str | None) -> None:
    """Do not make the scheduled calls of CAMPAIGN to NUMBER."""
    plain = e164(number)
    from_at, to_at = instant(from_) if from_ else None, instant(to) if to else None
    removed = with_store(lambda store: tasks.remove(store, clock, campaign, plain, from_at=from_at, to_at=to_at))
    say(f"{removed} removed")
