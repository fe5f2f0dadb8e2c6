"""Working calendars: hours, days off, from when until when. They are the whole installation's."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from astdialer.domain.access import Access, Forbidden
from astdialer.domain.calendar import WorkingCalendar
from astdialer.engine import calendars
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import page, place_of
from astdialer.http.services import Services
from astdialer.http.v1.common import (
    PROBLEMS,
    USUAL_LIMIT,
    CampaignKeeper,
    Cursor,
    Found,
    Limit,
    Model,
    Page,
    Reader,
)

router = APIRouter(prefix="/calendars", tags=["calendars"], route_class=IdempotentRoute, responses=PROBLEMS)

Name = Annotated[str, Field(max_length=64)]
HOURS = "mon-fri 09:00-18:00, sat 10:00-14:00"
Hours = Annotated[str, Field(max_length=2000, examples=[HOURS])]
Zone = Annotated[str, Field(max_length=64, description="Of numbers whose own is not known.", examples=["Europe/Rome"])]
DaysOff = Annotated[
    list[Annotated[str, Field(max_length=200)]],
    Field(max_length=1000, description="Days off: DATE [yearly] NAME.", examples=[["2026-12-25 yearly Christmas"]]),
]
First = Annotated[date | None, Field(alias="from", description="Nothing is dialed before this day.")]
Last = Annotated[date | None, Field(description="The last day.")]


class NewCalendar(Model):
    """A calendar to make. A campaign uses it by its setting calendar."""

    name: Name = Field(examples=["office"])
    hours: Hours
    timezone: Zone = ""
    exceptions: DaysOff = Field(default_factory=list)
    first: First = None
    until: Last = None


class CalendarChange(Model):
    """What is changed; what is left out stays as it is. null takes `from` and `until` away."""

    hours: Hours | None = None
    timezone: Zone | None = None
    exceptions: DaysOff | None = Field(default=None, description="In place of all days off.")
    first: First = None
    until: Last = None


class Calendar(BaseModel):
    """A calendar, and whether it is open now."""

    name: str
    hours: str
    timezone: str
    exceptions: list[str]
    first: date | None = Field(alias="from")
    until: date | None
    starts_at: int | None = Field(description="Nothing is open before this instant.")
    ends_at: int | None = Field(description="Nothing is open from this instant on.")
    open_now: bool
    opens_at: int | None = Field(description="When it is not open: the next time that it is, null for never.")
    in_zone: str = Field(description="The zone that it is open in.")
    campaigns: list[str] = Field(description="Who uses it.")


async def _shown(found: Services, access: Access, one: WorkingCalendar) -> Calendar:
    users = [campaign.name for campaign in await calendars.users(found.store, one.name) if access.sees(campaign.tenant)]
    first, last = calendars.days(one, found.zone)
    bounds = {"from": first, "until": last, "starts_at": one.starts_at, "ends_at": one.ends_at}
    opening = calendars.opening(one, found.zone, found.clock.now())
    return Calendar.model_validate(one.to_dict() | bounds | opening | {"campaigns": users})


def _check(access: Access) -> None:
    if access.tenant:
        raise Forbidden("calendars are the whole installation's: a tenant's token may only read them")


@router.get("")
async def list_calendars(
    found: Found, access: Reader, limit: Limit = USUAL_LIMIT, cursor: Cursor = None
) -> Page[Calendar]:
    """All calendars, by name."""
    after = (place_of(cursor, str) or ("",))[0]
    listed = sorted((one for one in await found.store.calendars() if one.name > after), key=lambda one: one.name)[
        :limit
    ]
    rows = [await _shown(found, access, one) for one in listed]
    return Page[Calendar](**page(rows, limit, *(one.name for one in listed[-1:])))


@router.post("", status_code=201)
async def create_calendar(found: Found, access: CampaignKeeper, new: NewCalendar, response: Response) -> Calendar:
    """Make a calendar."""
    _check(access)
    wanted = calendars.Change(
        hours=new.hours, timezone=new.timezone, exceptions=new.exceptions, first=new.first, last=new.until
    )
    made = await calendars.create(found.store, found.zone, new.name, wanted)
    response.headers["location"] = f"/v1/calendars/{made.name}"
    return await _shown(found, access, made)


@router.get("/{name}")
async def show_calendar(found: Found, access: Reader, name: Name) -> Calendar:
    """A calendar, whether it is open now, and which campaigns use it."""
    return await _shown(found, access, await calendars.find(found.store, name))


@router.patch("/{name}")
async def change_calendar(found: Found, access: CampaignKeeper, name: Name, change: CalendarChange) -> Calendar:
    """Change a calendar, in use or not; a running engine takes it up within a second."""
    _check(access)
    given = change.model_fields_set
    wanted = calendars.Change(
        hours=change.hours,
        timezone=change.timezone,
        exceptions=change.exceptions,
        first=(change.first or calendars.NONE) if "first" in given else None,
        last=(change.until or calendars.NONE) if "until" in given else None,
    )
    return await _shown(found, access, await calendars.change(found.store, found.zone, name, wanted))


@router.delete("/{name}", status_code=204)
async def remove_calendar(found: Found, access: CampaignKeeper, name: Name) -> None:
    """Forget a calendar that no campaign uses."""
    _check(access)
    await found.store.remove_calendar(name)
