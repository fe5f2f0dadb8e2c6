"""Figures by day: of campaigns, trunks and agents, and abandonment as the regulator measures it."""

from __future__ import annotations

import dataclasses

from fastapi import APIRouter
from pydantic import Field

from astdialer.domain.access import Forbidden
from astdialer.engine import statistics
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.v1.common import PROBLEMS, Found, Page, Reader
from astdialer.http.v1.kinds import Days, Name, Row

router = APIRouter(prefix="/statistics", tags=["statistics"], route_class=IdempotentRoute, responses=PROBLEMS)


class Figures(Row):
    """Attempts, and how many of them ended how."""

    attempts: int = Field(examples=[120])
    people: int = Field(examples=[40], description="Answered by a person.")
    picked_up: float | None = Field(examples=[0.4167], description="Share that anybody or anything took, 0 to 1.")
    answered: int = Field(examples=[38])
    machine: int = Field(examples=[10])
    busy: int = Field(examples=[12])
    no_answer: int = Field(examples=[50])
    rejected: int = Field(examples=[3])
    invalid_number: int = Field(examples=[2])
    congestion: int = Field(examples=[1])
    failed: int = Field(examples=[1])
    abandoned: int = Field(examples=[1])
    short: int = Field(examples=[1])
    canceled: int = Field(examples=[1])
    unknown: int = Field(examples=[0])


class DayFigures(Figures):
    """Of one day."""

    day: str = Field(examples=["2025-10-09"], description="A local day of the campaign.")


class CampaignStatistics(Row):
    """A campaign's days, and all of them together."""

    campaign: str = Field(examples=["spring"])
    days: list[DayFigures]
    total: Figures


class AbandonmentDay(Row):
    """One day."""

    day: str = Field(examples=["2025-10-09"])
    people: int = Field(examples=[40], description="Answered by a person.")
    abandoned: int = Field(examples=[1], description="Those of them who met no agent in time.")
    rate: float | None = Field(examples=[0.025], description="0 to 1; null before the first.")


class AbandonmentFigures(Row):
    """Of the last 30 days."""

    campaign: str = Field(examples=["spring"])
    from_day: str = Field(examples=["2025-09-10"])
    days: list[AbandonmentDay]
    people: int = Field(examples=[400])
    abandoned: int = Field(examples=[9])
    rate: float | None = Field(examples=[0.0225])


class TrunkFigures(Figures):
    """Of one trunk."""

    trunk: str = Field(examples=["carrier"])


class AgentFigures(Row):
    """Of one agent in one campaign."""

    agent: str = Field(examples=["PJSIP/1001"])
    campaign: str = Field(examples=["spring"])
    offered: int = Field(examples=[20], description="Calls its telephone was rung for.")
    answered: int = Field(examples=[19])
    talk_s: float = Field(examples=[1840.5])
    average_talk_s: float | None = Field(examples=[96.9])


@router.get("/campaigns/{name}")
async def campaign_statistics(found: Found, access: Reader, name: Name, days: Days = 7) -> CampaignStatistics:
    """A campaign's attempts by day and disposition. A reset of its totals leaves its days alone."""
    await found.campaign(access, name)
    rows = await statistics.campaign_days(found.store, found.clock, found.zone, name, days)
    listed = [DayFigures(**row) for row in rows]
    return CampaignStatistics(campaign=name, days=listed, total=Figures(**statistics.total(rows)))


@router.get("/campaigns/{name}/abandonment")
async def campaign_abandonment(found: Found, access: Reader, name: Name) -> AbandonmentFigures:
    """Calls abandoned of those that people answered: each of the last 30 days, and all of them together."""
    campaign = await found.campaign(access, name)
    figures = await statistics.abandonment_of(found.store, found.clock, found.zone, campaign)
    return AbandonmentFigures(campaign=name, **dataclasses.asdict(figures))


@router.get("/trunks")
async def trunk_statistics(found: Found, access: Reader, days: Days = 7) -> Page[TrunkFigures]:
    """Attempts of each trunk by disposition. Not for a tenant's token: trunks carry others' calls too."""
    if access.tenant:
        raise Forbidden("trunks carry every tenant's calls: their figures are for tokens without a tenant")
    rows = await statistics.trunk_totals(found.store, found.clock, found.zone, days)
    return Page[TrunkFigures](items=[TrunkFigures(**row) for row in rows])


@router.get("/agents")
async def agent_statistics(found: Found, access: Reader, days: Days = 7) -> Page[AgentFigures]:
    """Calls that each agent was offered and answered for each campaign, and the time it talked."""
    names = {campaign.name for campaign in await found.campaigns(access)}
    rows = await statistics.agent_totals(found.store, found.clock, found.zone, days)
    return Page[AgentFigures](items=[AgentFigures(**row) for row in rows if row["campaign"] in names])
