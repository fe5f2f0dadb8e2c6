"""Dialers: campaigns in Webitel's words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from astdialer.domain.access import Access
from astdialer.domain.campaign import ACTIVE, Campaign, CampaignState
from astdialer.domain.errors import Conflict
from astdialer.domain.route import Route
from astdialer.domain.settings import Settings, settings_texts
from astdialer.engine import campaigns, statistics
from astdialer.engine.directory import Directory
from astdialer.engine.removal import remove_campaign
from astdialer.http.services import Services
from astdialer.http.tenants import check_settings
from astdialer.http.turns import turn
from astdialer.http.webitel3 import answers, ids
from astdialer.http.webitel3.answers import NAME, Said
from astdialer.http.webitel3.auth import Found, OnceRoute, Reads, Writes
from astdialer.http.webitel3.bodies import Table, body_of, table_of
from astdialer.http.webitel3.calendars import check_tenant, resolve
from astdialer.http.webitel3.documents import KIND, cleaned, document_of, kept_of, shown
from astdialer.http.webitel3.figures import agent_rows, history_rows
from astdialer.http.webitel3.naming import under_free_name
from astdialer.http.webitel3.queries import listing
from astdialer.http.webitel3.resources import routes_prefix
from astdialer.http.webitel3.translate import House, Translation, placeholder, translate
from astdialer.ports import ForeignObject

router = APIRouter(prefix="/api/v2/dialer", tags=["webitel3"], route_class=OnceRoute)

START, STOP = "1", "3"


@router.get("")
async def list_dialers(request: Request, found: Found, access: Reads) -> Response:
    """All that the token sees, in the order of their names."""
    wanted = listing(request)
    directory = await campaigns.loaded(found.store, found.zone)
    kept = {one.id: one for one in await found.store.foreign_all(NAME, KIND)}
    rows = [await shown(found, one, directory, kept.get(str(one.id))) for one in await found.campaigns(access)]
    return answers.data(wanted.page(rows))


@router.post("")
async def create_dialer(request: Request, found: Found, access: Writes) -> Response:
    """A new campaign of these rules."""
    document = await table_of(request)
    tenant = access.tenant or check_tenant(document)
    document = with_uuids(cleaned(document))
    check_required(document)
    house = await _house(found, tenant, document, Draft())
    draft = translate(document, house)  # what can't be said is told before anything is written
    texts = dict(draft.settings) | {"routes": ""}
    campaigns.read_settings(texts)
    await check_settings(found, access, texts)
    campaign = await _create(found, access, Table(document).text("name"), texts, tenant)
    house = replace(house, dialer_id=ids.object_id(campaign.id), campaign=routes_prefix(campaign.name, campaign.id))
    await _apply(found, access, campaign, translate(document, house), texts)
    await _keep(found, campaign, document, None)
    return answers.inserted([ids.object_id(campaign.id)])


@router.get("/{dialer}")
async def show_dialer(found: Found, access: Reads, dialer: str) -> Response:
    """The document as it was sent, with what is known of it now."""
    campaign = await campaign_of(found, access, dialer)
    directory = await campaigns.loaded(found.store, found.zone)
    return answers.data(await shown(found, campaign, directory, await kept_of(found, campaign)))


@router.put("/{dialer}")
async def change_dialer(request: Request, found: Found, access: Writes, dialer: str) -> Response:
    """Put every key that is given in the place of what was there; a running campaign follows within a second."""
    campaign = await campaign_of(found, access, dialer)
    changed = with_uuids(cleaned(await table_of(request)))
    async with turn(NAME, KIND, campaign.id):
        await _change(found, access, await campaign_of(found, access, dialer), changed)
    return answers.updated()


async def _change(found: Services, access: Access, campaign: Campaign, changed: Mapping[str, Any]) -> None:
    kept = await kept_of(found, campaign)
    directory = await campaigns.loaded(found.store, found.zone)
    before = document_of(kept, campaign, directory)
    document = {**before, **changed}
    if changed.keys() & {"name", "type", "calendar"}:
        check_required(document)
    place = Draft(campaign)
    old = dict(_settings_of(before, await _house(found, campaign.tenant, before, place)))
    new = translate(document, await _house(found, campaign.tenant, document, place))
    if not kept:  # its routes were made elsewhere: they are its own until it gets resources
        old, new = _own_routes(old, new, changes="resources" in changed)
    await _apply(found, access, campaign, new, old)
    await _keep(found, campaign, document, kept)


def _own_routes(old: Mapping[str, str], new: Translation, *, changes: bool) -> tuple[dict[str, str], Translation]:
    keys = ("routes", "trunk", "caller_id")
    if changes:
        return {key: text for key, text in old.items() if key not in keys}, new
    kept = {key: text for key, text in new.settings.items() if key not in keys}
    return {key: text for key, text in old.items() if key not in keys}, Translation(settings=kept)


@router.delete("/{dialer}")
async def remove_dialer(found: Found, access: Writes, dialer: str) -> Response:
    """The campaign with its members and its history; its CDRs stay."""
    campaign = await campaign_of(found, access, dialer)
    await remove_campaign(found.store, found.clock, campaign, done_by=access.name)
    await found.store.remove_foreign(NAME, KIND, str(campaign.id))
    await _forget_routes(found, campaign, ())
    return answers.deleted()


@router.put("/{dialer}/state/{state}")
async def set_state(found: Found, access: Writes, dialer: str, state: str) -> Response:
    """1 starts, 3 stops: no new calls, and live ones run to their end."""
    campaign = await campaign_of(found, access, dialer)
    if state == START:
        await start(found, access, campaign)
    elif state != STOP:
        raise Said(400, "Bad set state")
    elif campaign.state in ACTIVE:
        await campaigns.stop(found.store, found.clock, campaign.name, hang_up=False, done_by=access.name)
    return answers.done()


@router.put("/{dialer}/reset")
async def reset_dialer(request: Request, found: Found, access: Writes, dialer: str) -> Response:
    """``resetStats`` zeroes the totals. What ``resetProcess`` and ``resetAgents`` mended can't come about here."""
    campaign = await campaign_of(found, access, dialer)
    body = await body_of(request)
    wanted = Table(body if isinstance(body, dict) else {})
    flags = [wanted.flag(key, False) for key in ("resetStats", "resetProcess", "resetAgents")]
    if campaign.state in ACTIVE:
        raise Said(400, f"dialer {dialer} is active: stop it first")
    if flags[0]:
        await statistics.reset(found.store, found.clock, found.zone, campaign.name, done_by=access.name)
    return answers.updated()


@router.get("/{dialer}/history")
async def dialer_history(request: Request, found: Found, access: Reads, dialer: str) -> Response:
    """What was done to it, the newest first."""
    campaign = await campaign_of(found, access, dialer)
    wanted = listing(request)
    events = await campaigns.history(found.store, campaign.name, 10_000)
    return answers.info(wanted.page(history_rows(campaign, events)))


@router.post("/{dialer}/agents/stats")
async def agent_stats(request: Request, found: Found, access: Reads, dialer: str) -> Response:
    """What these agents did for it today."""
    campaign = await campaign_of(found, access, dialer)
    body = await body_of(request)
    given = body if isinstance(body, dict) else {}
    if not isinstance(given.get("agents"), list):
        raise Said(400, "Bad request: agent is required.")
    if not isinstance(given.get("skills"), list):
        raise Said(400, "Bad request: skills is required.")
    wanted = Table(given)
    return answers.data(await agent_rows(found, access, campaign, wanted.texts("agents"), wanted.texts("skills")))


# --- what they share -------------------------------------------------------------------------------------------------


async def campaign_of(found: Services, access: Access, dialer: str) -> Campaign:
    """Raises Said; another tenant's dialer is not there."""
    number = ids.number_of(dialer)
    for campaign in await found.campaigns(access):
        if campaign.id == number:
            return campaign
    raise Said(404, f"Not found {dialer}")


async def start(found: Services, access: Access, campaign: Campaign) -> None:
    """Let it dial. Raises Said with what is missing."""
    kept = await kept_of(found, campaign)
    document = kept.body["document"] if kept else {}
    unsaid: Sequence[str] = ()
    if kept:
        house = await _house(found, campaign.tenant, document, Draft(campaign))
        campaign = await _found_by_now(found, access, campaign, house)
        unsaid = translate(document, house).unsaid
    directory = await campaigns.loaded(found.store, found.zone)
    missing = _missing(campaign, directory, document, unsaid)
    if missing:
        raise Said(400, f"dialer {ids.object_id(campaign.id)} can't start: " + "; ".join(missing))
    await campaigns.start(found.store, found.clock, campaign.name, done_by=access.name)


async def _found_by_now(found: Services, access: Access, campaign: Campaign, house: House) -> Campaign:
    """What the document names may have been made since."""
    directory = await campaigns.loaded(found.store, found.zone)
    settings, texts = campaign.settings, {}
    if settings.calendar not in directory.calendars and house.calendar in directory.calendars:
        texts["calendar"] = house.calendar
    if not settings.queue and settings.mode.needs_agents and house.queue:
        texts["queue"] = house.queue
    if not settings.routes and not settings.trunk and house.trunk:
        texts["trunk"] = house.trunk
    if not texts:
        return campaign
    await check_settings(found, access, texts)
    await campaigns.change(found.store, found.clock, campaign.name, texts, done_by=access.name)
    return await found.store.campaign(campaign.name)


def _missing(campaign: Campaign, directory: Directory, document: Mapping[str, Any], unsaid: Sequence[str]) -> list[str]:
    """What the document names and is not there, each with its remedy."""
    settings, found = campaign.settings, []
    if settings.calendar and settings.calendar not in directory.calendars:
        wanted = Table(document).table("calendar")
        name = f"{wanted.text('name')!r} ({wanted.text('id')})" if document else repr(settings.calendar)
        found.append(f"there is no calendar {name}: POST /api/v2/calendars, or astdialer calendar create")
    routes = directory.routes_of(campaign)
    if routes and not _ways(routes):
        found.append("; ".join(unsaid) or "none of its resources has a destination that is enabled, with a limit")
    return found + [_no_gateway(name) for name in sorted(_ways(routes) - set(directory.trunks))]


def _ways(routes: Sequence[Route]) -> set[str]:
    """The trunks that routes lead to."""
    return {to.trunk for route in routes if route.enabled for to in route.destinations if to.enabled}


def _no_gateway(name: str) -> str:
    return f"there is no trunk {name!r}, which is a gwName: astdialer trunk create {name}"


class Draft:
    """Where a document's campaign is, or will be."""

    def __init__(self, campaign: Campaign | None = None) -> None:
        self.dialer_id = ids.object_id(campaign.id if campaign else 0)
        self.routes = routes_prefix(campaign.name, campaign.id) if campaign else "dialer.0"


async def _house(found: Services, tenant: str, document: Mapping[str, Any], place: Draft) -> House:
    wanted = Table(document).table("calendar")
    name = await resolve(found, tenant, wanted)
    return House(
        dialer_id=place.dialer_id,
        campaign=place.routes,
        calendar=name or (placeholder(wanted.text("id")) if wanted.has("id") else ""),
        queue=found.settings.default_queue or await _only_queue(found),
        trunk=found.settings.default_trunk or await _only_trunk(found),
        scenario_context=found.settings.scenario_context,
    )


async def _only_queue(found: Services) -> str:
    """The one queue that the running engine sees."""
    view = await found.live.newest() or {}
    queues = {row["queue"] for row in view.get("agents", ())}
    return str(queues.pop()) if len(queues) == 1 else ""


async def _only_trunk(found: Services) -> str:
    trunks = await found.store.trunks()
    return trunks[0].name if len(trunks) == 1 else ""


def check_required(document: Mapping[str, Any]) -> None:
    """Raises Said."""
    root = Table(document)
    if not root.text("name"):
        raise Said(400, "Name is required")
    if not root.text("type"):
        raise Said(400, "Type is required")
    if not root.table("calendar").text("id"):
        raise Said(400, "Calendar is required")


def with_uuids(document: dict[str, Any]) -> dict[str, Any]:
    """Each destination has one."""
    resources = document.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        destinations = resource.get("destinations") if isinstance(resource, dict) else None
        for destination in destinations if isinstance(destinations, list) else ():
            if isinstance(destination, dict) and not destination.get("uuid"):
                destination["uuid"] = str(uuid.uuid4())
    return document


async def _create(found: Services, access: Access, name: str, texts: Mapping[str, str], tenant: str) -> Campaign:
    """Under a name that is like the document's, and free; a removed campaign's is not."""

    async def make(free: str) -> Campaign:
        return await campaigns.create(
            found.store, found.clock, free, texts, done_by=access.name, tenant=tenant, must_exist=False
        )

    return await under_free_name(name, "dialer", {one.name for one in await found.store.campaigns()}, make)


def _settings_of(document: Mapping[str, Any], house: House) -> Mapping[str, str]:
    """What a document means; nothing for one that can't be read any more."""
    try:
        return translate(document, house).settings
    except Said:
        return {}


async def _apply(
    found: Services, access: Access, campaign: Campaign, translation: Translation, before: Mapping[str, str]
) -> None:
    """Give the campaign what is new in its document; what was changed elsewhere since stays. Raises Said and Forbidden,
    and then has changed nothing."""
    usual = settings_texts(Settings())
    after = translation.settings
    different = {key: after.get(key, usual[key]) for key in {*before, *after} if before.get(key) != after.get(key)}
    settings = campaigns.read_settings(different, campaign.settings)
    await check_settings(found, access, different)
    if campaign.state in ACTIVE:
        await _check_running(found, replace(campaign, settings=settings), translation.routes)
    for route in translation.routes:
        await found.store.save_route(route)
    await campaigns.change(found.store, found.clock, campaign.name, different, done_by=access.name, must_exist=False)
    await _forget_routes(found, campaign, translation.routes)


async def _check_running(found: Services, changed: Campaign, routes: Sequence[Route]) -> None:
    """An active campaign loses nothing that it needs: its new routes are its own before its settings are. Raises
    Said."""
    directory = await campaigns.loaded(found.store, found.zone)
    missing = [_no_gateway(name) for name in sorted(_ways(routes) - set(directory.trunks))]
    if not missing and changed.state is CampaignState.RUNNING:
        directory.routes = {**directory.routes, **{route.name: route for route in routes}}
        missing = campaigns.lacks(directory, changed)
    if missing:
        raise Said(400, f"dialer {ids.object_id(changed.id)} is active: " + "; ".join(missing))


async def _forget_routes(found: Services, campaign: Campaign, kept: Sequence[Route]) -> None:
    """Routes that the campaign had and has no more; one that others have come to use stays."""
    prefix = routes_prefix(campaign.name, campaign.id) + "."
    names = {route.name for route in kept}
    for route in await found.store.routes():
        if route.name.startswith(prefix) and route.name not in names:
            try:
                await found.store.remove_route(route.name)
            except Conflict:
                continue


async def _keep(found: Services, campaign: Campaign, document: Mapping[str, Any], kept: ForeignObject | None) -> None:
    now = found.clock.now()
    await found.store.save_foreign(
        ForeignObject(
            dialect=NAME,
            kind=KIND,
            id=str(campaign.id),
            tenant=campaign.tenant,
            name=campaign.name,
            body={"document": dict(document)},
            created_at=kept.created_at if kept else now,
            changed_at=now,
        )
    )
