"""The blacklist: numbers that are never dialed, for one campaign or, with ``*``, for all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from astdialer.domain.access import Access, Forbidden, Permission
from astdialer.domain.errors import InvalidSetting
from astdialer.engine import contacts
from astdialer.http.access import Needs
from astdialer.http.services import Services, services
from astdialer.http.ucontact.forms import Fields, objects_of
from astdialer.http.ucontact.values import campaign_of, done, number_of
from astdialer.ports import BlacklistEntry

router = APIRouter(prefix="/admin")
Keeper = Annotated[Access, Depends(Needs(Permission.CONTACTS))]
#: The source document does not say what the field is called.
NAMES = ("black", "blacklist", "blackList", "blackObject", "blackobject", "object")
ALL = "*"
#: Entries that are read before others may go on.
AT_A_TIME = 200


@router.post("/addblack")
@router.post("/addblackbulk")
async def add_black(request: Request, access: Keeper) -> Response:
    """Never dial these numbers; what waits for them is withdrawn. All of them, or none if one is wrong."""
    found = services(request)
    entries = await _entries(found, access, await objects_of(request, *NAMES))
    await contacts.forbid(found.store, found.clock, entries)
    return done()


@router.post("/deleteblack")
@router.post("/deleteblackbulk")
async def delete_black(request: Request, access: Keeper) -> Response:
    """Dial these numbers again. One that is not listed is no error."""
    found = services(request)
    for entry in await _entries(found, access, await objects_of(request, *NAMES)):
        await found.store.remove_from_blacklist(entry.number, entry.campaign)
    return done()


async def _entries(found: Services, access: Access, objects: Iterable[Fields]) -> list[BlacklistEntry]:
    """Raises InvalidSetting, NotFound and Forbidden, each for the first that is wrong."""
    campaigns: dict[str, str] = {ALL: ALL}
    entries = []
    for at, each in enumerate(objects):
        if at % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)
        name = each.line("campaign")
        if name not in campaigns:
            campaigns[name] = (await campaign_of(found, access, name)).name
        if campaigns[name] == ALL and access.tenant:
            raise Forbidden(f"a token of tenant {access.tenant} can't speak for all campaigns: name one")
        entries.append(_entry(found, access, each, campaigns[name]))
    if not entries:
        raise InvalidSetting(NAMES[0], "", 'a JSON object such as {"phone": "12341234", "campaign": "Campaign"}')
    return entries


def _entry(found: Services, access: Access, each: Fields, campaign: str) -> BlacklistEntry:
    phone: Any = each.raw("phone")
    who = (each.line(name) for name in ("name", "job_title", "company"))
    return BlacklistEntry(
        number=number_of(found, "phone", phone).number,
        campaign=campaign,
        reason=", ".join(filter(None, who)),
        added_by=each.line("username") or access.name,
        added_at=found.clock.now(),
    )
