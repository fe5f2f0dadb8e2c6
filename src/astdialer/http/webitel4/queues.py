"""Queues: our campaigns, by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from astdialer.domain.access import Access
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import NotFound
from astdialer.domain.settings import Mode
from astdialer.http.services import Services
from astdialer.http.webitel4.ids import whole
from astdialer.http.webitel4.shapes import Found, Ids, Pages, PathId, Reader, Search

router = APIRouter(prefix="/call_center/queues", tags=["webitel v4"])

#: Webitel's types of queues.
TYPES: Mapping[Mode, int] = {
    Mode.BROADCAST: 2,
    Mode.PREVIEW: 3,
    Mode.AGENT_FIRST: 4,
    Mode.PROGRESSIVE: 4,
    Mode.POWER: 5,
    Mode.PREDICTIVE: 5,
}


async def queue_of(found: Services, access: Access, queue_id: str) -> Campaign:
    """The campaign that is meant. Raises NotFound, for another tenant's too."""
    number = whole(queue_id)
    if number is None:
        raise NotFound("queue", queue_id, "its id is the campaign's")
    try:
        return await found.campaign_by_id(access, number)
    except NotFound:
        raise NotFound("queue", queue_id, "its id is the campaign's") from None


async def _shown(found: Services, campaign: Campaign) -> dict[str, Any]:
    counts, settings = await found.store.counts(campaign.id), campaign.settings
    return {
        "id": str(campaign.id),
        "name": campaign.name,
        "type": TYPES[settings.mode],
        "enabled": campaign.state is CampaignState.RUNNING,
        "priority": settings.priority,
        "strategy": settings.contact_strategy.value,
        "calendar": {"id": settings.calendar, "name": settings.calendar} if settings.calendar else None,
        "team": {"id": settings.queue, "name": settings.queue} if settings.queue else None,
        "processing": settings.wait_for_result,
        "processing_sec": settings.result_timeout_s,
        "count": counts.ready + counts.waiting + counts.in_call + counts.held + counts.done,
        "waiting": counts.ready + counts.waiting,
        "active": counts.in_call + counts.held,
    }


@router.get("")
async def list_queues(found: Found, access: Reader, pages: Pages, ids: Ids = None, q: Search = "") -> dict[str, Any]:
    """The campaigns that the token sees, by name."""
    campaigns = await found.campaigns(access)
    wanted = [one for one in campaigns if (not ids or str(one.id) in ids) and q.strip("*") in one.name]
    return pages.shown([await _shown(found, one) for one in wanted[pages.offset : pages.offset + pages.limit]])


@router.get("/{queue_id}")
async def show_queue(found: Found, access: Reader, queue_id: PathId) -> dict[str, Any]:
    """One campaign."""
    return await _shown(found, await queue_of(found, access, queue_id))
