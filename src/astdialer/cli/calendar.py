"""``astdialer calendar``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import click

from astdialer.cli.context import clock, config, local_time, with_store
from astdialer.cli.output import emit_record, emit_rows, json_option, print_table, say
from astdialer.domain.calendar import WorkingCalendar
from astdialer.engine import calendars
from astdialer.store import SqliteStore

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
#: What the options call the first and the last day.
BOUNDS = ("--from", "--until")


@click.group()
def calendar() -> None:
    """Working calendars: hours, days off, from when until when."""


def _options(function: Any) -> Any:
    options = (
        click.option("--hours", help="Days and hours, such as 'mon-fri 09:00-18:00, sat 10:00-14:00'."),
        click.option("--zone", "timezone", metavar="ZONE", help="Of numbers whose own zone is not known."),
        click.option(
            "--holiday", "holidays", multiple=True, metavar="DAY", help="'2026-12-25 yearly Christmas'. Repeatable."
        ),
        click.option("--from", "starts", metavar="DATE", help="Nothing is dialed before this day; none takes it away."),
        click.option("--until", "ends", metavar="DATE", help="The last day; none takes it away."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@calendar.command("create")
@click.argument("name")
@_options
def create_(name: str, **given: Any) -> None:
    """Make a calendar. A campaign uses it by calendar=NAME."""
    if not given["hours"]:
        raise click.UsageError("a calendar needs --hours, such as --hours 'mon-fri 09:00-18:00'")

    wanted = _change(given, calendars.with_days((), given["holidays"], ()))
    with_store(lambda store: calendars.create(store, config().engine.zone, name, wanted, BOUNDS))
    say(f"calendar {name} is made; next: astdialer campaign set CAMPAIGN calendar={name}")


@calendar.command("set")
@click.argument("name")
@_options
@click.option("--remove-holiday", "removed", multiple=True, metavar="DATE", help="Off no more. Repeatable.")
def set_(name: str, removed: tuple[str, ...], **given: Any) -> None:
    """Change a calendar, in use or not. Days off are added to those there are."""

    async def change(store: SqliteStore) -> None:
        known = (await calendars.find(store, name)).to_dict()["exceptions"]
        wanted = _change(given, calendars.with_days(known, given["holidays"], removed))
        await calendars.change(store, config().engine.zone, name, wanted, BOUNDS)

    with_store(change)
    say(f"calendar {name} is changed; a running engine takes it up within a second")


@calendar.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """A calendar, whether it is open now, and which campaigns use it."""

    async def record(store: SqliteStore) -> Mapping[str, Any]:
        one = await calendars.find(store, name)
        users = [campaign.name for campaign in await calendars.users(store, name)]
        return one.to_dict() | _now(one) | {"campaigns": users}

    found = dict(with_store(record))
    if as_json:
        emit_record(found, as_json=True)
        return
    holidays = found.pop("exceptions")
    for key in ("starts_at", "ends_at", "opens_at"):
        if key in found:
            found[key] = local_time(found[key])
    emit_record(found | {"campaigns": ", ".join(found["campaigns"]) or "none"})
    if holidays:
        click.echo("\nDays off:")
        print_table([{"day": text} for text in sorted(holidays)], ("day",))


def _now(one: WorkingCalendar) -> dict[str, Any]:
    return calendars.opening(one, config().engine.zone, clock.now())


@calendar.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All calendars."""
    rows = [
        one.to_dict() | {"open_now": _now(one)["open_now"], "days_off": len(one.exceptions)}
        for one in with_store(lambda store: store.calendars())
    ]
    emit_rows(rows, ("name", "hours", "timezone", "days_off", "open_now"), as_json=as_json)


@calendar.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a calendar that no campaign uses."""
    with_store(lambda store: store.remove_calendar(name))
    say(f"calendar {name} is removed")


def _change(given: Mapping[str, Any], days_off: Sequence[str]) -> calendars.Change:
    return calendars.Change(
        hours=given["hours"],
        timezone=given["timezone"],
        exceptions=days_off,
        first=_day(given["starts"]),
        last=_day(given["ends"]),
    )


def _day(text: str | None) -> date | Literal["none"] | None:
    """A day; raises click.BadParameter."""
    if text is None:
        return None
    if text == calendars.NONE:
        return calendars.NONE
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r}: expected YYYY-MM-DD, or {calendars.NONE}") from None
