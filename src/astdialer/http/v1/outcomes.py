"""What agents may choose after a talk."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from astdialer.domain.typification import parse_outcomes
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.v1.common import PROBLEMS, Found, Name, Page, Reader

router = APIRouter(tags=["outcomes"], route_class=IdempotentRoute, responses=PROBLEMS)


class OutcomeRow(BaseModel):
    """One to three levels, and what they do to the contact."""

    levels: list[str] = Field(examples=[["No", "Too expensive"]])
    action: str = Field(description="success, close, retry, reschedule, blacklist or tag")
    argument: str = Field(description="The campaign that calls again, * for every campaign's blacklist, or the tag.")
    tag: str = Field(description="What the contact is marked with.")


@router.get("/campaigns/{name}/outcomes")
async def list_outcomes(found: Found, access: Reader, name: Name) -> Page[OutcomeRow]:
    """The outcomes of a campaign, and what each does. To change them, change its setting outcomes."""
    settings = (await found.campaign(access, name)).settings
    rows = [
        OutcomeRow(levels=list(one.levels), action=one.action.value, argument=one.argument, tag=one.tag)
        for one in parse_outcomes(settings.outcomes)
    ]
    return Page[OutcomeRow](items=rows)
