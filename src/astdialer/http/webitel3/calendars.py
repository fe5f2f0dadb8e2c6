"""Calendars, in Webitel's words. They are the working calendars that campaigns name, kept with their documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from astdialer.domain.access import Access
from astdialer.domain.calendar import Holiday, Hours, WorkingCalendar, zone_of
from astdialer.domain.errors import InvalidSetting
from astdialer.http.services import Services
from astdialer.http.webitel3 import answers, ids
from astdialer.http.webitel3.answers import NAME, Said
from astdialer.http.webitel3.auth import Found, OnceRoute, Reads, Writes, check_domain
from astdialer.http.webitel3.bodies import Table, table_of
from astdialer.http.webitel3.naming import under_free_name
from astdialer.http.webitel3.queries import listing
from astdialer.ports import ForeignObject

router = APIRouter(prefix="/api/v2/calendars", tags=["webitel3"], route_class=OnceRoute)

KIND = "calendar"
BAD_ID = "Bad request calendar id."
LAST_MINUTE, MINUTES = 1439, 1440
#: What the server knows of a document and nobody else says.
_OURS = ("_id", "domain", "access_token", "x_key")


@router.get("")
async def list_calendars(request: Request, found: Found, access: Reads) -> Response:
    """All that the token sees."""
    return answers.data(listing(request).page(await _all(found, access)))


@router.get("/{calendar}")
async def show_calendar(found: Found, access: Reads, calendar: str) -> Response:
    """One calendar."""
    return answers.data(await _one(found, access, calendar))


@router.post("")
async def create_calendar(request: Request, found: Found, access: Writes) -> Response:
    """A new one, under an id of its own."""
    document = await table_of(request)
    tenant = access.tenant or check_tenant(document)
    parse(document, "calendar")  # what can't be one is said before anything is written
    name = await _add(found, document)
    now = found.clock.now()
    kept = ForeignObject(
        dialect=NAME,
        kind=KIND,
        id=ids.random_id(now),
        tenant=tenant,
        name=name,
        body=_cleaned(document),
        created_at=now,
        changed_at=now,
    )
    await found.store.save_foreign(kept)
    return answers.inserted([kept.id])


@router.put("/{calendar}")
async def change_calendar(request: Request, found: Found, access: Writes, calendar: str) -> Response:
    """The document in place of what there was; campaigns that use it take it up within a second."""
    document = await table_of(request)
    kept = await _kept(found, access, calendar)
    changed = parse(document, kept.name)
    await found.store.save_calendar(changed)
    now = found.clock.now()
    await found.store.save_foreign(
        ForeignObject(
            dialect=NAME,
            kind=KIND,
            id=kept.id,
            tenant=kept.tenant,
            name=kept.name,
            body=_cleaned(document),
            created_at=kept.created_at or now,
            changed_at=now,
        )
    )
    return answers.updated()


@router.delete("/{calendar}")
async def remove_calendar(found: Found, access: Writes, calendar: str) -> Response:
    """Not while a campaign uses it: that would never be dialed again, and nobody would know why."""
    kept = await _kept(found, access, calendar)
    await found.store.remove_calendar(kept.name)
    await found.store.remove_foreign(NAME, KIND, kept.id)
    return answers.deleted()


async def _add(found: Services, document: Mapping[str, Any]) -> str:
    """The name here: no other calendar's, though it is made at the same moment."""

    async def make(name: str) -> str:
        await found.store.add_calendar(parse(document, name))
        return name

    taken = {one.name for one in await found.store.calendars()}
    return await under_free_name(Table(document).text("name"), "calendar", taken, make)


def check_tenant(document: Mapping[str, Any]) -> str:
    """The domain that a document names, for a token of no tenant. Raises Said."""
    domain = document.get("domain")
    return check_domain(domain) if isinstance(domain, str) and domain else ""


def _cleaned(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in _OURS}


# --- finding ---------------------------------------------------------------------------------------------------------


async def _all(found: Services, access: Access) -> list[dict[str, Any]]:
    """Those of the token's tenant; without a tenant, those of all, and those that were made elsewhere."""
    calendars = {one.name: one for one in await found.store.calendars()}
    kept = await found.store.foreign_all(NAME, KIND)
    shown = [_shown(one) for one in kept if access.sees(one.tenant) and one.name in calendars]
    known = {one.name for one in kept}
    return shown + [written(one) for name, one in calendars.items() if name not in known and access.sees("")]


async def _one(found: Services, access: Access, calendar_id: str) -> dict[str, Any]:
    ids.number_of(calendar_id, BAD_ID)
    for document in await _all(found, access):
        if document["_id"] == calendar_id.lower():
            return document
    raise Said(404, "Not found.")


async def _kept(found: Services, access: Access, calendar_id: str) -> ForeignObject:
    """What is kept of a calendar, or would be of one that was made elsewhere."""
    document = await _one(found, access, calendar_id)
    kept = await found.store.foreign(NAME, KIND, document["_id"])
    return kept or ForeignObject(dialect=NAME, kind=KIND, id=document["_id"], name=document["name"])


async def resolve(found: Services, tenant: str, wanted: Table) -> str:
    """The name here of the calendar that a dialer's document means, by its id or else by its name; empty: none.

    A tenant's dialer may mean a calendar of its tenant, or of nobody in particular.
    """
    calendar_id, name = wanted.text("id"), wanted.text("name")
    calendars = {one.name for one in await found.store.calendars()}
    kept = [one for one in await found.store.foreign_all(NAME, KIND) if one.name in calendars]
    visible = [one for one in kept if one.tenant in ("", tenant)]
    others = calendars - {one.name for one in kept}
    for one in visible:
        if one.id == calendar_id.lower():
            return one.name
    for known in sorted(others):
        if calendar_id in (ids.id_of_name(known), known):
            return known
    for one in visible:
        if name and one.body.get("name") == name:
            return one.name
    return name if name in others else ""


# --- between documents and calendars ---------------------------------------------------------------------------------


def parse(document: Mapping[str, Any], name: str) -> WorkingCalendar:
    """The document as a calendar of this name. Raises Said."""
    root = Table(document)
    if not root.text("name"):
        raise Said(400, "Name is required.")
    if not isinstance(document.get("accept"), list):
        raise Said(400, "Accept is required.")
    hours = tuple(_hours(each) for each in root.tables("accept"))
    if not hours:
        raise root.bad("accept", "hours such as {weekDay: 1, startTime: 540, endTime: 1080}")
    zone = root.table("timeZone").text("id")
    try:
        zone_of(zone or "UTC")
    except InvalidSetting as error:
        raise root.table("timeZone").bad("id", error.expected) from None
    starts_at, ends_at = _instant(root, "startDate"), _instant(root, "endDate")
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise root.bad("endDate", "an instant after startDate")
    return WorkingCalendar(
        name=name,
        timezone=zone,
        hours=hours,
        exceptions=tuple(_holiday(each, zone or "UTC") for each in root.tables("except")),
        starts_at=starts_at,
        ends_at=ends_at,
    )


def _hours(given: Table) -> Hours:
    """The end is the first minute in which nobody is called; 23:59 is the end of the day."""
    day = given.whole("weekDay", 0, 1, 7)
    start, end = given.whole("startTime", 0, 0, MINUTES), given.whole("endTime", MINUTES, 0, MINUTES)
    end = MINUTES if end == LAST_MINUTE else end
    if start >= end:
        raise given.bad("endTime", f"minutes of the day after startTime, {start}")
    return Hours(frozenset({day - 1}), start, end)


def _instant(root: Table, key: str) -> int | None:
    found = root.whole(key, 0, 0, 32_503_679_999_999)
    return found or None


def _holiday(given: Table, zone: str) -> Holiday:
    name = " ".join(given.text("name").split())[:64]
    if not name.isprintable():
        raise given.bad("name", "printable characters")
    return Holiday(name, _day(given, zone), given.whole("repeat", 0, 0, 1) == 1)


def _day(given: Table, zone: str) -> date:
    """Milliseconds since 1970, or a date, with or without a time."""
    value = given.values.get("date")
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, tz=zone_of(zone)).date()
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return (at.astimezone(zone_of(zone)) if at.tzinfo else at).date()
    except (ValueError, OverflowError, OSError):
        pass
    raise given.bad("date", "milliseconds since 1970, or a date such as 2026-12-25")


def _shown(kept: ForeignObject) -> dict[str, Any]:
    return dict(kept.body) | {"_id": kept.id, "domain": kept.tenant}


def written(calendar: WorkingCalendar) -> dict[str, Any]:
    """The document of a calendar that was made elsewhere."""
    found: dict[str, Any] = {
        "_id": ids.id_of_name(calendar.name),
        "domain": "",
        "name": calendar.name,
        "timeZone": {"id": calendar.timezone},
        "accept": _accepted(calendar.hours),
        "except": [
            {"name": off.name, "date": _noon(off.date), "repeat": int(off.yearly)} for off in calendar.exceptions
        ],
    }
    instants = {"startDate": calendar.starts_at, "endDate": calendar.ends_at}
    return found | {key: at for key, at in instants.items() if at is not None}


def _accepted(hours: Sequence[Hours]) -> list[dict[str, int]]:
    return [
        {"weekDay": day + 1, "startTime": each.start_minute, "endTime": each.end_minute}
        for each in hours
        for day in sorted(each.weekdays)
    ]


def _noon(day: date) -> int:
    """In UTC: the same day in nearly every zone."""
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)
