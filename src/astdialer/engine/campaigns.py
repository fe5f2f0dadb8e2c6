"""What an administrator does with campaigns: the use cases of CLI and HTTP. The engine follows within a second.

Each leaves a line in the campaign's history; ``done_by`` is who did it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence

from astdialer.domain.caller_id import parse_caller_id
from astdialer.domain.campaign import ACTIVE, Campaign, CampaignState, problems
from astdialer.domain.errors import Conflict
from astdialer.domain.names import check_name, parse_names
from astdialer.domain.settings import Settings, check_together, parse_settings, settings_texts
from astdialer.engine.directory import Directory
from astdialer.ports import CampaignEvent, Clock, Store

S = CampaignState

#: Who did it, where nobody says.
SOMEBODY = "unknown"
#: What a campaign may name that has to be there; a change is checked for what it names itself.
NAMING = ("trunk", "routes", "calendar", "caller_id")
#: Longest value that the history quotes.
QUOTED = 40


async def create(
    store: Store,
    clock: Clock,
    name: str,
    texts: Mapping[str, str],
    *,
    done_by: str = SOMEBODY,
    tenant: str = "",
    must_exist: bool = True,
) -> Campaign:
    """A new campaign with these settings, of nobody in particular or of a tenant.

    ``must_exist`` False: what it names may come later; it can't be started before. Raises InvalidSetting, and Conflict
    for a name that is taken or unknown.
    """
    settings = read_settings(texts)
    made = Campaign(id=0, name=check_name(name), state=S.IDLE, settings=settings)
    await _check_named(store, made, texts if must_exist else {})
    event = entry(clock, "created", changes(Settings(), settings), done_by=done_by)
    return await store.create_campaign(name, settings, clock.now(), tenant, event)


async def change(
    store: Store,
    clock: Clock,
    name: str,
    texts: Mapping[str, str],
    *,
    done_by: str = SOMEBODY,
    must_exist: bool = True,
) -> Settings:
    """Change settings, of a running campaign too. Raises NotFound, InvalidSetting and Conflict, and then changes
    nothing. ``must_exist`` False: what it names may come later, unless it runs."""
    campaign = await store.campaign(name)
    settings = read_settings(texts, campaign.settings)
    await _check_named(store, dataclasses.replace(campaign, settings=settings), texts if must_exist else {})
    await save_settings(store, clock, campaign, settings, done_by)
    return settings


def read_settings(texts: Mapping[str, str], base: Settings | None = None) -> Settings:
    """``base`` with these settings, each of them and all together as they may be. Raises InvalidSetting."""
    return check_together(parse_settings(texts, base))


async def save_settings(store: Store, clock: Clock, campaign: Campaign, settings: Settings, done_by: str) -> None:
    """Give the campaign these settings, and note what is different."""
    different = changes(campaign.settings, settings)
    if different:
        await store.save_settings(campaign.id, settings, entry(clock, "changed", different, done_by=done_by))


def changes(before: Settings, after: Settings) -> str:
    """What is different, for the history: ``max_calls 30 → 20, queue (none) → sales``."""
    old, new = settings_texts(before), settings_texts(after)
    return ", ".join(f"{key} {_quoted(old[key])} → {_quoted(new[key])}" for key in new if old[key] != new[key])


def _quoted(text: str) -> str:
    return (text if len(text) <= QUOTED else text[: QUOTED - 1] + "…") or "(none)"


async def start(store: Store, clock: Clock, name: str, *, done_by: str = SOMEBODY) -> Campaign:
    """Let a campaign dial, after an error too. Raises NotFound, and Conflict with what is missing."""
    return await _start(store, clock, await store.campaign(name), "started", done_by)


async def pause(store: Store, clock: Clock, name: str, *, done_by: str = SOMEBODY) -> Campaign:
    """Place no new call; live ones run on. Raises NotFound, and Conflict unless it is running."""
    campaign = await store.campaign(name)
    if campaign.state is not S.RUNNING:
        raise Conflict(f"{name} is {campaign.state.value}, not running")
    event = entry(clock, "paused", done_by=done_by)
    await store.set_state(campaign.id, S.PAUSED, now=clock.now(), event=event)
    return await store.campaign(name)


async def resume(store: Store, clock: Clock, name: str, *, done_by: str = SOMEBODY) -> Campaign:
    """Dial on. Raises NotFound, and Conflict unless it is paused."""
    campaign = await store.campaign(name)
    if campaign.state is not S.PAUSED:
        raise Conflict(f"{name} is {campaign.state.value}, not paused")
    return await _start(store, clock, campaign, "resumed", done_by)


async def stop(store: Store, clock: Clock, name: str, *, hang_up: bool, done_by: str = SOMEBODY) -> Campaign:
    """No new calls, and stopped when the live ones have ended or been hung up. Raises NotFound and Conflict."""
    campaign = await store.campaign(name)
    if campaign.state not in ACTIVE:
        raise Conflict(f"{name} is {campaign.state.value}, not running")
    event = entry(clock, "stopping", "its calls are hung up" if hang_up else "its calls run on", done_by=done_by)
    await store.set_state(campaign.id, S.STOPPING, hang_up=hang_up, now=clock.now(), event=event)
    return await store.campaign(name)


async def halt(store: Store, clock: Clock, name: str, *, done_by: str = SOMEBODY) -> Campaign:
    """Stop it, whatever it is doing: also one that has not started. Live calls run on. Raises NotFound."""
    campaign = await store.campaign(name)
    if campaign.state in (S.RUNNING, S.PAUSED):
        return await stop(store, clock, name, hang_up=False, done_by=done_by)
    if campaign.state not in (S.STOPPING, S.STOPPED):
        event = entry(clock, "stopped", f"it was {campaign.state.value}", done_by=done_by)
        await store.set_state(campaign.id, S.STOPPED, now=clock.now(), event=event)
    return await store.campaign(name)


async def history(store: Store, name: str, limit: int) -> Sequence[CampaignEvent]:
    """What was done to the campaign, the newest first. Raises NotFound."""
    return await store.history((await store.campaign(name)).id, limit)


async def note(
    store: Store, clock: Clock, campaign: Campaign, event: str, detail: str = "", *, done_by: str = SOMEBODY
) -> None:
    """Add a line to the campaign's history. What the store changes with it is given its entry at once instead."""
    await store.add_event(campaign.id, entry(clock, event, detail, done_by=done_by))


def entry(clock: Clock, event: str, detail: str = "", *, done_by: str = SOMEBODY) -> CampaignEvent:
    """A line of a campaign's history."""
    return CampaignEvent(at=clock.now(), event=event, detail=detail, done_by=done_by or SOMEBODY)


async def _start(store: Store, clock: Clock, campaign: Campaign, event: str, done_by: str) -> Campaign:
    name = campaign.name
    if campaign.state is S.STOPPING:
        raise Conflict(f"{name} is stopping: wait until its last calls have ended (astdialer campaign show {name})")
    missing = [*over(campaign, clock.now()), *lacks(await loaded(store), campaign)]
    if missing:
        raise Conflict(f"{name} can't start: " + "; ".join(missing))
    if campaign.state is not S.RUNNING:
        detail = f"after an error: {campaign.explanation}" if campaign.state is S.ERROR else ""
        told = entry(clock, event, detail, done_by=done_by)
        await store.set_state(campaign.id, S.RUNNING, now=clock.now(), event=told)
    return await store.campaign(name)


# --- what a campaign needs -------------------------------------------------------------------------------------------


async def loaded(store: Store, zone: str = "UTC") -> Directory:
    """Everything that campaigns may name."""
    directory = Directory(store, zone)
    await directory.load()
    return directory


async def _check_named(store: Store, campaign: Campaign, texts: Mapping[str, str]) -> None:
    """A change may name nothing that is not there, and take nothing from a running campaign that it needs."""
    directory = await loaded(store)
    unknown = list(unknown_names(directory, campaign, set(NAMING) & set(texts)))
    if unknown:
        raise Conflict(f"{campaign.name}: " + "; ".join(unknown))
    missing = lacks(directory, campaign) if campaign.state is S.RUNNING else []
    if missing:
        raise Conflict(f"{campaign.name} is running and needs it: " + "; ".join(missing))


def over(campaign: Campaign, now: int) -> Iterator[str]:
    """That its stop_at has come, if it has, with the remedy."""
    if campaign.settings.stops and campaign.settings.stops <= now:
        yield f"its stop_at {campaign.settings.stop_at} is over: set a later one, or none (stop_at=)"


def lacks(directory: Directory, campaign: Campaign) -> list[str]:
    """What keeps the campaign from being started, each with its remedy."""
    keys = set(NAMING) - ({"trunk"} if campaign.settings.routes else set())
    return [*problems(campaign.settings), *unknown_names(directory, campaign, keys)]


def unknown_names(directory: Directory, campaign: Campaign, keys: Collection[str]) -> Iterator[str]:
    """What these settings name that is not there, or is not as it must be, each with its remedy."""
    settings = campaign.settings
    pool = parse_caller_id("caller_id", settings.caller_id).pool
    if "trunk" in keys and settings.trunk and settings.trunk not in directory.trunks:
        yield no_trunk(settings.trunk)
    if "calendar" in keys and settings.calendar and settings.calendar not in directory.calendars:
        yield f"there is no calendar {settings.calendar!r}: astdialer calendar create {settings.calendar}"
    if "caller_id" in keys and pool and not directory.caller_id_pools.get(pool):
        yield f"there are no numbers for caller_id=pool:{pool}: astdialer callerid create {pool} NUMBER…"
    if "routes" in keys and settings.routes:
        yield from _route_troubles(directory, campaign)


def no_trunk(name: str) -> str:
    """A trunk that is not there."""
    return f"there is no trunk {name!r}: astdialer trunk create {name} (astdialer trunk list)"


def _route_troubles(directory: Directory, campaign: Campaign) -> Iterator[str]:
    for name in parse_names("routes", campaign.settings.routes):
        if name not in directory.routes:
            yield f"there is no route {name!r}: astdialer route create {name} (astdialer route list)"
    for route in directory.routes_of(campaign):
        gone = {to.trunk for to in route.destinations if to.enabled} - set(directory.trunks)
        for trunk in sorted(gone):
            yield f"route {route.name} leads to trunk {trunk!r}, which does not exist: astdialer route set {route.name}"
    servers = {trunk.name: trunk.server for trunk in directory.trunks_of(campaign)}
    if len(set(servers.values())) > 1:
        where = ", ".join(f"{trunk} on {server}" for trunk, server in servers.items())
        yield f"its routes lead to several Asterisk servers ({where}), but agents are on one: a campaign for each"
