"""What the engine sees right now, as `astdialer top` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from astdialer.domain.access import Access
from astdialer.engine.progress import progress
from astdialer.engine.visible import sight
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.services import Services
from astdialer.http.v1.common import PROBLEMS, Found, Reader, Shown
from astdialer.http.v1.kinds import Name

router = APIRouter(tags=["live"], route_class=IdempotentRoute, responses=PROBLEMS)


class LiveCampaign(Shown):
    """A campaign as it dials. Of one that the engine does not know yet, only its state and counts are there."""

    campaign: str = Field(examples=["spring"])
    state: str = Field(examples=["running"])
    mode: str | None = Field(default=None, examples=["progressive"])
    limit: str | None = Field(
        default=None, examples=["no free agent"], description="What binds the number of calls now."
    )
    until: int | None = Field(default=None, examples=[None], description="Until when, ms, if that is known.")
    detail: str = Field(default="", description="More about it.")
    calls: dict[str, int] = Field(
        default={}, examples=[{"ringing": 3, "connected": 5}], description="Live calls by state."
    )
    free_agents: int | None = Field(default=None, examples=[0])
    logged_in_agents: int | None = Field(default=None, examples=[8])
    contacts: dict[str, int] = Field(
        default={}, examples=[{"ready": 10, "waiting": 4, "in_call": 8, "held": 0, "done": 90}]
    )
    dispositions: dict[str, int] = Field(
        default={}, examples=[{"answered": 40, "busy": 12}], description="Attempts so far."
    )
    abandonment: float | None = Field(default=None, examples=[0.01], description="Of the totals, 0 to 1.")


class LiveAgent(Shown):
    """An agent of a queue; see `GET /v1/agents`."""

    agent: str = Field(examples=["PJSIP/1001"])
    queue: str = Field(examples=["sales"])
    code: int = Field(examples=[2], description="0 to 9.")
    status: str = Field(examples=["INUSE"])


class LiveServer(Shown):
    """An Asterisk."""

    server: str = Field(examples=["default"])
    up: bool


class LiveTrunk(Shown):
    """A trunk and its calls."""

    trunk: str = Field(examples=["carrier"])
    calls: int = Field(examples=[8])
    max_calls: int = Field(examples=[30])


class LiveView(Shown):
    """Everything; of a tenant's, its campaigns and the agents of their queues, and no trunks."""

    written_at: int = Field(examples=[1760000000000], description="When the engine wrote it, ms.")
    servers: list[LiveServer]
    store_writes: bool = Field(description="Whether the store's last write went through.")
    calls: int = Field(examples=[8], description="Live calls.")
    campaigns: list[LiveCampaign]
    agents: list[LiveAgent]
    trunks: list[LiveTrunk]


class LiveOfCampaign(Shown):
    """One campaign and the agents of its queue."""

    written_at: int = Field(examples=[1760000000000])
    campaign: LiveCampaign
    agents: list[LiveAgent]


async def part_of(found: Services, access: Access, view: Mapping[str, Any]) -> dict[str, Any]:
    """What of the live view a token may see."""
    if not access.tenant:
        return dict(view)
    return (await sight(found.store, await found.campaigns(access))).of(view)


async def part_of_campaign(found: Services, access: Access, view: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What of the live view is about one campaign; of one that the engine does not know yet, what the store has.
    Raises NotFound."""
    campaign = await found.campaign(access, name)
    seen = (await sight(found.store, [campaign])).of(view)
    row = next(iter(seen["campaigns"]), None)
    if row is None:
        row = {"campaign": name, "state": campaign.state.value, **progress(await found.store.counts(campaign.id))}
    return {"written_at": seen["written_at"], "campaign": row, "agents": seen["agents"]}


@router.get("/live")
async def live_view(found: Found, access: Reader) -> LiveView:
    """Campaigns, agents, trunks and servers as the engine sees them, written once a second."""
    return LiveView(**await part_of(found, access, await found.live.view()))


@router.get("/campaigns/{name}/live")
async def live_campaign(found: Found, access: Reader, name: Name) -> LiveOfCampaign:
    """One campaign: its calls by state, what binds, and the agents of its queue."""
    return LiveOfCampaign(**await part_of_campaign(found, access, await found.live.view(), name))
