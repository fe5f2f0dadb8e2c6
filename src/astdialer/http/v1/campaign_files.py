"""Campaigns from files: what export has written."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from astdialer.domain.access import Access, Permission
from astdialer.domain.settings import settings_texts
from astdialer.engine import transfer
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.tenants import check_settings
from astdialer.http.v1.campaigns import CampaignDetail, detail
from astdialer.http.v1.common import PROBLEMS, CampaignKeeper, Found
from astdialer.http.v1.numbers import refusal

router = APIRouter(tags=["campaigns"], route_class=IdempotentRoute, responses=PROBLEMS)

#: As text: application/toml is no type that clients made from the document can send.
_TOML = {
    "schema": {"type": "string"},
    "example": 'format = 1\nname = "spring"\ntrunks = ["carrier"]\n\n[settings]\ntrunk = "carrier"\n',
}
TOML_BODY = {"requestBody": {"required": True, "content": {"text/plain": _TOML}}}


class ImportedCampaign(CampaignDetail):
    """The campaign, and what else was made or changed for it."""

    saved: list[str] = Field(examples=[["calendar office", "route uk"]])


@router.post(
    "/campaigns/import", status_code=201, openapi_extra=TOML_BODY, responses={200: {"model": ImportedCampaign}}
)
async def import_campaign(
    request: Request,
    response: Response,
    found: Found,
    access: CampaignKeeper,
    *,
    name: Annotated[str, Query(max_length=70, description="Call it so, whatever the file says.")] = "",
    replace: Annotated[
        bool, Query(description="In place of a campaign, calendar, route or pool that is there.")
    ] = False,
) -> ImportedCampaign:
    """Make a campaign from a file that export has written: all of it or nothing. 200 in place of 201: it was there."""
    file = _read(await request.body())
    await check_settings(found, access, settings_texts(file.settings))
    done = await transfer.import_campaign(
        found.store,
        found.clock,
        file,
        name=name,
        replace=replace,
        done_by=access.name,
        tenant=access.tenant,
        may_save=_may_save(access),
    )
    response.status_code = 201 if done.created else 200
    response.headers["location"] = f"/v1/campaigns/{done.campaign.name}"
    return ImportedCampaign(**await detail(found, done.campaign), saved=list(done.saved))


def _read(body: bytes) -> transfer.CampaignFile:
    try:
        return transfer.read(body.decode("utf-8-sig"), "the file")
    except UnicodeDecodeError as error:
        raise refusal([("body", f"expected UTF-8; byte {error.start + 1} is none")]) from None
    except transfer.BadCampaignFile as error:
        raise refusal([("body", str(error))]) from None


def _may_save(access: Access) -> frozenset[str]:
    """What the token may make and change beside campaigns: these are the whole installation's."""
    calendars = set() if access.tenant else {"calendar"}
    return frozenset(calendars | ({"route", "callerid"} if access.may(Permission.SETUP) else set()))
