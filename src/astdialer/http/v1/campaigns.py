"""Campaigns: made, changed, steered, checked, explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field

from astdialer.domain.access import Access, Forbidden, Permission
from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import Conflict
from astdialer.domain.settings import settings_texts
from astdialer.engine import campaigns, removal, statistics, transfer
from astdialer.engine.check import check
from astdialer.engine.explain import explain
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import page, place_of
from astdialer.http.services import Services
from astdialer.http.tenants import check_settings
from astdialer.http.v1.common import (
    PROBLEMS,
    USUAL_LIMIT,
    CampaignKeeper,
    Cursor,
    Found,
    Limit,
    Model,
    Name,
    Page,
    Reader,
    Shown,
)

router = APIRouter(prefix="/campaigns", tags=["campaigns"], route_class=IdempotentRoute, responses=PROBLEMS)

SettingTexts = dict[Annotated[str, Field(max_length=60)], str | int | float | bool]
SETTINGS_EXAMPLE = {"mode": "progressive", "trunk": "carrier", "queue": "sales", "max_calls": 20}


class NewCampaign(Model):
    """A campaign to make. Its settings are those of docs/reference/campaign-settings.md."""

    name: Name = Field(examples=["spring"])
    settings: SettingTexts = Field(default_factory=dict, examples=[SETTINGS_EXAMPLE])


class CampaignChange(Model):
    """Settings to change; a running campaign takes them up within a second."""

    settings: SettingTexts = Field(examples=[{"max_calls": 40}])


class CampaignRow(Shown):
    """A campaign and how its contacts stand."""

    id: int
    name: str
    state: str = Field(description="idle, running, paused, stopping, stopped, finished or error")
    explanation: str = ""
    contacts: dict[str, int]
    dispositions: dict[str, int]
    next_due_at: int | None = None


class CampaignDetail(CampaignRow):
    """With every setting as text."""

    settings: dict[str, str]


class Stop(Model):
    """How to stop."""

    hang_up: bool = Field(default=False, description="Hang live calls up instead of letting them end.")


def texts(settings: SettingTexts) -> dict[str, str]:
    """Settings as the use cases take them."""
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in settings.items()}


async def row(found: Services, one: Campaign) -> dict[str, Any]:
    """A CampaignRow."""
    counts = await found.store.counts(one.id)
    states = ("ready", "waiting", "in_call", "held", "done")
    return {
        "id": one.id,
        "name": one.name,
        "tenant": one.tenant,
        "state": one.state.value,
        "explanation": one.explanation,
        "contacts": {state: getattr(counts, state) for state in states},
        "dispositions": dict(counts.dispositions),
        "next_due_at": counts.next_due_at,
    }


async def detail(found: Services, one: Campaign) -> dict[str, Any]:
    """A CampaignDetail."""
    return await row(found, one) | {"settings": settings_texts(one.settings)}


@router.get("")
async def list_campaigns(
    found: Found, access: Reader, limit: Limit = USUAL_LIMIT, cursor: Cursor = None
) -> Page[CampaignRow]:
    """All campaigns, by name."""
    after = (place_of(cursor, str) or ("",))[0]
    listed = [one for one in await found.campaigns(access) if one.name > after][:limit]
    rows = [await row(found, one) for one in listed]
    return Page[CampaignRow](**page(rows, limit, *(one.name for one in listed[-1:])))


@router.post("", status_code=201)
async def create_campaign(found: Found, access: CampaignKeeper, new: NewCampaign, response: Response) -> CampaignDetail:
    """Make a campaign. It belongs to the token's tenant."""
    await check_settings(found, access, texts(new.settings))
    made = await campaigns.create(
        found.store, found.clock, new.name, texts(new.settings), done_by=access.name, tenant=access.tenant
    )
    response.headers["location"] = f"/v1/campaigns/{made.name}"
    return CampaignDetail(**await detail(found, made))


@router.get("/{name}")
async def show_campaign(found: Found, access: Reader, name: Name) -> CampaignDetail:
    """One campaign with every setting."""
    return CampaignDetail(**await detail(found, await found.campaign(access, name)))


@router.patch("/{name}")
async def change_campaign(found: Found, access: CampaignKeeper, name: Name, change: CampaignChange) -> CampaignDetail:
    """Change settings: all of those given, or none."""
    await found.campaign(access, name)
    await check_settings(found, access, texts(change.settings))
    await campaigns.change(found.store, found.clock, name, texts(change.settings), done_by=access.name)
    return await show_campaign(found, access, name)


@router.delete("/{name}", status_code=204)
async def remove_campaign(found: Found, access: CampaignKeeper, name: Name) -> None:
    """Take a campaign away that is not active, with its contacts and its history. Its CDRs, recordings and days stay,
    and its name remains taken."""
    await removal.remove_campaign(found.store, found.clock, await found.campaign(access, name), done_by=access.name)


@router.post("/{name}/start")
async def start_campaign(found: Found, access: CampaignKeeper, name: Name) -> CampaignDetail:
    """Let it dial."""
    await found.campaign(access, name)
    return CampaignDetail(
        **await detail(found, await campaigns.start(found.store, found.clock, name, done_by=access.name))
    )


@router.post("/{name}/pause")
async def pause_campaign(found: Found, access: CampaignKeeper, name: Name) -> CampaignDetail:
    """Place no new call; live ones run on."""
    await found.campaign(access, name)
    return CampaignDetail(
        **await detail(found, await campaigns.pause(found.store, found.clock, name, done_by=access.name))
    )


@router.post("/{name}/resume")
async def resume_campaign(found: Found, access: CampaignKeeper, name: Name) -> CampaignDetail:
    """Dial on after a pause."""
    await found.campaign(access, name)
    return CampaignDetail(
        **await detail(found, await campaigns.resume(found.store, found.clock, name, done_by=access.name))
    )


@router.post("/{name}/stop")
async def stop_campaign(found: Found, access: CampaignKeeper, name: Name, stop: Stop | None = None) -> CampaignDetail:
    """End it: no new calls, and stopped when the live ones have ended."""
    await found.campaign(access, name)
    hang_up = stop.hang_up if stop else False
    stopped = await campaigns.stop(found.store, found.clock, name, hang_up=hang_up, done_by=access.name)
    return CampaignDetail(**await detail(found, stopped))


@router.post("/{name}/reset", status_code=204)
async def reset_campaign(found: Found, access: CampaignKeeper, name: Name) -> None:
    """Zero the totals of a campaign that is not active. Its days stay: the law asks for them."""
    await found.campaign(access, name)
    await statistics.reset(found.store, found.clock, found.zone, name, done_by=access.name)


@router.get("/{name}/explain")
async def explain_campaign(found: Found, access: Reader, name: Name) -> dict[str, Any]:
    """Which limit binds now, when it ends, and the counts and rules behind it."""
    await found.campaign(access, name)
    return dataclasses.asdict(await explain(found.store, found.clock, name, found.zone))


@router.get("/{name}/check")
async def check_campaign(
    found: Found,
    access: Reader,
    name: Name,
    asterisk: Annotated[
        bool, Query(description="Look at Asterisk too, by calls that ring nobody; needs `agents`, and no tenant.")
    ] = False,
) -> dict[str, Any]:
    """Whom it may call now, when the others, and what is missing. Rings nobody and changes nothing."""
    await found.campaign(access, name)
    findings = await _infrastructure(found, access, name) if asterisk else []
    preflight = dataclasses.asdict(await check(found.store, found.clock, found.zone, name))
    return preflight | {"infrastructure": [dict(finding) for finding in findings]}


async def _infrastructure(found: Services, access: Access, name: str) -> Sequence[Mapping[str, Any]]:
    """One look at a time. Raises Forbidden, and Conflict while another is under way."""
    access.require(Permission.AGENTS)
    if access.tenant:
        raise Forbidden("Asterisk is the whole installation's: a tenant's token asks without asterisk=true")
    if found.examining.locked():
        raise Conflict("Asterisk is being looked at for somebody else: try again in some seconds")
    async with found.examining:
        return await found.examine(name) if found.examine else ()


@router.get("/{name}/history")
async def campaign_history(
    found: Found, access: Reader, name: Name, limit: Limit = USUAL_LIMIT
) -> Page[dict[str, Any]]:
    """What was done to it, when and by whom, the newest first."""
    await found.campaign(access, name)
    events = await campaigns.history(found.store, name, limit)
    return Page[dict[str, Any]](items=[dataclasses.asdict(event) for event in events])


@router.get("/{name}/export", response_class=PlainTextResponse)
async def export_campaign(found: Found, access: Reader, name: Name) -> PlainTextResponse:
    """The campaign as TOML: settings, calendar, routes; no secrets, no contacts. For a tenant's token routes and the
    pool of caller ids are names alone: they are the whole installation's."""
    await found.campaign(access, name)
    text = await transfer.export(found.store, name, shared=not access.tenant)
    return PlainTextResponse(text, media_type="application/toml")
