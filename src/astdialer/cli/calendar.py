"""``astdialer calendar``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import click

from astdialer.cli.context import clock, config, local_time, with_store
from astdialer.cli.output import emit_record, emit_rows, json_option, print_table, say
from astdialer.domain.calendar import WorkingCalendar, holiday_text, parse_holiday, zone_of
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.names import check_name
from astdialer.domain.settings import Settings
from astdialer.engine.rulebook import dialing_rules
from astdialer.store import SqliteStore

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
NONE = "none"


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

    async def create(store: SqliteStore) -> None:
        if any(known.name == name for known in await store.calendars()):
            raise Conflict(f"there is a calendar {name!r} already: astdialer calendar set {name}")
        await store.save_calendar(_changed({"name": check_name(name)}, given))

    with_store(create)
    say(f"calendar {name} is made; next: astdialer campaign set CAMPAIGN calendar={name}")


@calendar.command("set")
@click.argument("name")
@_options
@click.option("--remove-holiday", "removed", multiple=True, metavar="DATE", help="Off no more. Repeatable.")
def set_(name: str, removed: tuple[str, ...], **given: Any) -> None:
    """Change a calendar, in use or not. Days off are added to those there are."""

    async def change(store: SqliteStore) -> None:
        known = (await _calendar(store, name)).to_dict()
        known["exceptions"] = _without(known["exceptions"], removed)
        await store.save_calendar(_changed(known, given))

    with_store(change)
    say(f"calendar {name} is changed; a running engine takes it up within a second")


@calendar.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """A calendar, whether it is open now, and which campaigns use it."""

    async def record(store: SqliteStore) -> Mapping[str, Any]:
        one = await _calendar(store, name)
        users = [campaign.name for campaign in await store.campaigns() if campaign.settings.calendar == name]
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
    """In the calendar's own zone, whatever a campaign's calling_hours say."""
    whole_day = Settings(calling_hours="00:00-24:00")
    rules = dialing_rules(whole_day, one, config().engine.zone)
    now = clock.now()
    return {
        "open_now": rules.is_open("", now),
        "opens_at": None if rules.is_open("", now) else rules.opens_at("", now),
        "in_zone": rules.default_zone,
    }


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


async def _calendar(store: SqliteStore, name: str) -> WorkingCalendar:
    known = next((one for one in await store.calendars() if one.name == name), None)
    if known is None:
        raise NotFound("calendar", name, "see astdialer calendar list")
    return known


def _changed(known: Mapping[str, Any], given: Mapping[str, Any]) -> WorkingCalendar:
    """Raises InvalidSetting."""
    values = dict(known)
    values |= {key: given[key] for key in ("hours", "timezone") if given[key] is not None}
    values["exceptions"] = [*known.get("exceptions", []), *_new_days(known.get("exceptions", []), given["holidays"])]
    zone = values.get("timezone") or config().engine.zone
    zone_of(zone)
    for key, text, later in (("starts_at", given["starts"], 0), ("ends_at", given["ends"], 1)):
        if text == NONE:
            values.pop(key, None)
        elif text is not None:
            values[key] = _midnight(text, zone, days=later)
    _check_span(values, zone)
    return WorkingCalendar.from_dict(values)


def _check_span(values: Mapping[str, Any], zone: str) -> None:
    """Raises InvalidSetting in the words of the options: the calendar knows instants only."""
    starts_at, ends_at = values.get("starts_at"), values.get("ends_at")
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        first, last = _day(starts_at, zone), _day(ends_at - 1, zone)
        raise InvalidSetting("--until", last.isoformat(), f"the day of --from, {first.isoformat()}, or a later one")


def _day(at: int, zone: str) -> date:
    return datetime.fromtimestamp(at / 1000, tz=zone_of(zone)).date()


def _new_days(known: Sequence[str], given: Sequence[str]) -> list[str]:
    return [text for text in (holiday_text(parse_holiday(each)) for each in given) if text not in known]


def _without(known: Sequence[str], dates: Sequence[str]) -> list[str]:
    """The days off but for these dates; raises NotFound for one that there is not."""
    for day in dates:
        if not any(text.split(" ")[0] == day for text in known):
            raise NotFound("day off", day, "see astdialer calendar show; expected YYYY-MM-DD")
    return [text for text in known if text.split(" ")[0] not in dates]


def _midnight(text: str, zone: str, *, days: int) -> int:
    """The beginning of a day of the zone, ``days`` later, as an instant; raises click.BadParameter."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        day = date.fromisoformat(text) + timedelta(days=days)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r}: expected YYYY-MM-DD, or {NONE}") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=zone_of(zone)).timestamp() * 1000)
