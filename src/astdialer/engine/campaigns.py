"""What an administrator does with campaigns: the use cases of CLI and HTTP. The engine follows within a second."""

from __future__ import annotations

from collections.abc import Mapping

from astdialer.domain.campaign import (
    ACTIVE,
    Campaign,
    CampaignState,
    Settings,
    check_name,
    parse_settings,
    problems,
)
from astdialer.domain.errors import Conflict
from astdialer.ports import Clock, Store

S = CampaignState


async def create(store: Store, clock: Clock, name: str, texts: Mapping[str, str]) -> Campaign:
    """A new campaign with these settings. Raises InvalidSetting and Conflict."""
    return await store.create_campaign(check_name(name), parse_settings(texts), clock.now())


async def change(store: Store, name: str, texts: Mapping[str, str]) -> Settings:
    """Change settings, of a running campaign too. Raises NotFound and InvalidSetting, and then changes nothing."""
    campaign = await store.campaign(name)
    settings = parse_settings(texts, campaign.settings)
    missing = problems(settings)
    if missing and campaign.state is S.RUNNING:
        raise Conflict(f"{name} is running and needs it: " + "; ".join(missing))
    await store.save_settings(campaign.id, settings)
    return settings


async def start(store: Store, clock: Clock, name: str) -> Campaign:
    """Let a campaign dial. Raises NotFound, and Conflict with what is missing."""
    campaign = await store.campaign(name)
    if campaign.state is S.STOPPING:
        raise Conflict(f"{name} is stopping: wait until its last calls have ended (astdialer campaign show {name})")
    missing = problems(campaign.settings)
    trunks = {trunk.name for trunk in await store.trunks()}
    if campaign.settings.trunk and campaign.settings.trunk not in trunks:
        missing.append(f"there is no trunk {campaign.settings.trunk!r}: astdialer trunk create")
    if missing:
        raise Conflict(f"{name} can't start: " + "; ".join(missing))
    return await _move(store, clock, campaign, S.RUNNING)


async def pause(store: Store, clock: Clock, name: str) -> Campaign:
    """Place no new call; live ones run on. Raises NotFound, and Conflict unless it is running."""
    campaign = await store.campaign(name)
    if campaign.state is not S.RUNNING:
        raise Conflict(f"{name} is {campaign.state.value}, not running")
    return await _move(store, clock, campaign, S.PAUSED)


async def resume(store: Store, clock: Clock, name: str) -> Campaign:
    """Dial on. Raises NotFound, and Conflict unless it is paused."""
    campaign = await store.campaign(name)
    if campaign.state is not S.PAUSED:
        raise Conflict(f"{name} is {campaign.state.value}, not paused")
    return await start(store, clock, name)


async def stop(store: Store, clock: Clock, name: str, *, hang_up: bool) -> Campaign:
    """No new calls, and stopped when the live ones have ended or been hung up. Raises NotFound and Conflict."""
    campaign = await store.campaign(name)
    if campaign.state not in ACTIVE:
        raise Conflict(f"{name} is {campaign.state.value}, not running")
    return await _move(store, clock, campaign, S.STOPPING, hang_up=hang_up)


async def _move(
    store: Store, clock: Clock, campaign: Campaign, state: CampaignState, *, hang_up: bool = False
) -> Campaign:
    await store.set_state(campaign.id, state, hang_up=hang_up, now=clock.now())
    return await store.campaign(campaign.name)
