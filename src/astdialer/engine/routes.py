"""Routes, as an administrator makes and tries them: the use cases of CLI and HTTP. The engine follows within a
second."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import Conflict, NotFound, UnknownName
from astdialer.domain.names import parse_names
from astdialer.domain.route import Route, check_route, look_up
from astdialer.domain.trunk import Trunk
from astdialer.engine.directory import Directory
from astdialer.ports import Store


async def find(store: Store, name: str) -> Route:
    """Raises NotFound."""
    for route in await store.routes():
        if route.name == name:
            return route
    raise NotFound("route", name, "see astdialer route list")


async def create(store: Store, route: Route) -> Route:
    """A new route. Raises InvalidSetting, and Conflict for a name that is taken."""
    checked = check_route(route)
    if any(known.name == route.name for known in await store.routes()):
        raise Conflict(f"there is a route {route.name!r} already: astdialer route set {route.name}")
    return await _save(store, checked)


async def change(store: Store, name: str, changes: Mapping[str, Any]) -> Route:
    """Change a route, in use or not. Raises NotFound and InvalidSetting, and then changes nothing."""
    return await _save(store, check_route(dataclasses.replace(await find(store, name), **changes)))


async def users(store: Store, name: str) -> list[str]:
    """The campaigns that name a route."""
    return [one.name for one in await store.campaigns() if name in parse_names("routes", one.settings.routes)]


async def _save(store: Store, route: Route) -> Route:
    known = {trunk.name for trunk in await store.trunks()}
    for destination in route.destinations:
        if destination.trunk not in known:
            remedy = "see astdialer trunk list; in --to, = begins the rewrite and @ the order"
            raise UnknownName("trunk", "trunk", destination.trunk, remedy)
    await store.save_route(route)
    return route


# --- where a number would go -----------------------------------------------------------------------------------------


def ways(directory: Directory, campaign: Campaign | None, number: str, as_typed: str) -> Iterator[dict[str, Any]]:
    """What is tried one after the other for a number, by a campaign's routes or its trunk, or by all routes.

    Rows of ``turn``, ``route``, ``trunk``, ``dials``, ``note``; what can't be tried has no turn, and a note that says
    why.
    """
    if campaign and not campaign.settings.routes:
        yield _row(campaign.settings.trunk, directory, 1, dial=(number, as_typed, ""))
        return
    turn = 0
    for one in directory.routes_of(campaign) if campaign else directory.routes.values():
        found, problems = look_up([one], number)
        for way in found:
            row = _row(way.trunk, directory, turn + 1, dial=(number, as_typed, way.digits), route=one.name)
            turn += row["turn"] is not None
            yield row
        for problem in problems:
            yield {"turn": None, "route": one.name, "trunk": "", "dials": "", "note": problem.words}
        if not found and not problems:
            note = "is disabled" if not one.enabled else f"{one.pattern} does not match"
            yield {"turn": None, "route": one.name, "trunk": "", "dials": "", "note": note}


def _row(name: str, directory: Directory, turn: int, *, dial: tuple[str, str, str], route: str = "") -> dict[str, Any]:
    trunk = directory.trunks.get(name)
    note = _trunk_note(trunk, name)
    dials = trunk.dial_string(*dial) if trunk else ""
    return {"turn": None if note else turn, "route": route, "trunk": name, "dials": dials, "note": note}


def _trunk_note(trunk: Trunk | None, name: str) -> str:
    if trunk is None:
        return f"there is no trunk {name!r}" if name else "the campaign has neither trunk nor routes"
    return "" if trunk.enabled else "the trunk is disabled"
