"""Working calendars: made, changed, looked at. The use cases of CLI and HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from astdialer.domain.calendar import WorkingCalendar, holiday_text, parse_holiday, zone_of
from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.domain.names import check_name
from astdialer.domain.settings import Settings
from astdialer.engine.rulebook import dialing_rules
from astdialer.ports import CampaignStore

#: In place of a day: there is none any more.
NONE: Literal["none"] = "none"
#: What the bounds of a calendar are called where nobody calls them otherwise.
BOUNDS = ("from", "until")
#: Days that a calendar may begin or end with, by their years.
_YEARS = range(1970, 3000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is changed of a calendar; None: it stays as it is."""

    hours: str | None = None
    timezone: str | None = None  #: of numbers whose own is not known
    exceptions: Sequence[str] | None = None  #: all days off, as parse_holiday reads them
    first: date | Literal["none"] | None = None  #: nothing is dialed before this day of the calendar's zone
    last: date | Literal["none"] | None = None  #: nor after this one


async def find(store: CampaignStore, name: str) -> WorkingCalendar:
    """The calendar. Raises NotFound."""
    known = next((one for one in await store.calendars() if one.name == name), None)
    if known is None:
        raise NotFound("calendar", name, "see astdialer calendar list")
    return known


async def create(
    store: CampaignStore, engine_zone: str, name: str, wanted: Change, bounds: tuple[str, str] = BOUNDS
) -> WorkingCalendar:
    """A new calendar. Raises InvalidSetting, which calls the first and the last day as ``bounds`` says, and Conflict
    when there is one of this name."""
    made = changed({"name": check_name(name)}, wanted, engine_zone, bounds)
    await store.add_calendar(made)
    return made


async def change(
    store: CampaignStore, engine_zone: str, name: str, wanted: Change, bounds: tuple[str, str] = BOUNDS
) -> WorkingCalendar:
    """Change a calendar, in use or not. Raises NotFound, and InvalidSetting as above; then nothing is changed."""
    made = changed((await find(store, name)).to_dict(), wanted, engine_zone, bounds)
    await store.save_calendar(made)
    return made


async def users(store: CampaignStore, name: str) -> Sequence[Campaign]:
    """The campaigns that name the calendar."""
    return [campaign for campaign in await store.campaigns() if campaign.settings.calendar == name]


def opening(one: WorkingCalendar, engine_zone: str, now: int) -> dict[str, Any]:
    """Whether it is open now, or when it will be, in its own zone and whatever a campaign's calling_hours say."""
    whole_day = Settings(calling_hours="00:00-24:00")
    rules = dialing_rules(whole_day, one, engine_zone)
    return {
        "open_now": rules.is_open("", now),
        "opens_at": None if rules.is_open("", now) else rules.opens_at("", now),
        "in_zone": rules.default_zone,
    }


def days(one: WorkingCalendar, engine_zone: str) -> tuple[date | None, date | None]:
    """Its first and its last day, if it has them, in its own zone."""
    zone = one.timezone or engine_zone
    first = None if one.starts_at is None else _day(one.starts_at, zone)
    return first, None if one.ends_at is None else _day(one.ends_at - 1, zone)


def with_days(known: Sequence[str], added: Sequence[str], removed: Sequence[str]) -> list[str]:
    """Days off with some more, each once, and without those of some dates (YYYY-MM-DD).

    Raises InvalidSetting, and NotFound for a date that is none of them.
    """
    for day in removed:
        if not any(text.split(" ")[0] == day for text in known):
            raise NotFound("day off", day, "see astdialer calendar show; expected YYYY-MM-DD")
    kept = [text for text in known if text.split(" ")[0] not in removed]
    return [*kept, *(text for text in (holiday_text(parse_holiday(each)) for each in added) if text not in kept)]


def changed(known: Mapping[str, Any], wanted: Change, engine_zone: str, bounds: tuple[str, str]) -> WorkingCalendar:
    """The calendar of these values once it is changed. Raises InvalidSetting."""
    values = dict(known)
    values |= {key: value for key in ("hours", "timezone", "exceptions") if (value := getattr(wanted, key)) is not None}
    zone = values.get("timezone") or engine_zone
    zone_of(zone)
    for key, word, day, later in (("starts_at", bounds[0], wanted.first, 0), ("ends_at", bounds[1], wanted.last, 1)):
        if day == NONE:
            values.pop(key, None)
        elif isinstance(day, date):
            values[key] = _midnight(word, day, zone, days=later)
    _check_span(values, zone, bounds)
    return WorkingCalendar.from_dict(values)


def _check_span(values: Mapping[str, Any], zone: str, bounds: tuple[str, str]) -> None:
    """Raises InvalidSetting in words of days: the calendar knows instants only."""
    starts_at, ends_at = values.get("starts_at"), values.get("ends_at")
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        first, last = _day(starts_at, zone), _day(ends_at - 1, zone)
        expected = f"the day of {bounds[0]}, {first.isoformat()}, or a later one"
        raise InvalidSetting(bounds[1], last.isoformat(), expected)


def _day(at: int, zone: str) -> date:
    return datetime.fromtimestamp(at / 1000, tz=zone_of(zone)).date()


def _midnight(key: str, day: date, zone: str, *, days: int) -> int:
    """The beginning of a day of the zone, ``days`` later, as an instant."""
    if day.year not in _YEARS:
        raise InvalidSetting(key, day.isoformat(), f"a day of the years {_YEARS[0]} to {_YEARS[-1]}")
    later = day + timedelta(days=days)
    return max(0, int(datetime(later.year, later.month, later.day, tzinfo=zone_of(zone)).timestamp() * 1000))
