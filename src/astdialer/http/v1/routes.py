"""Routes: which numbers leave by which trunks, and what each of them is given to dial."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from astdialer.domain.access import Access
from astdialer.domain.route import WHOLE_MATCH, Destination, Route, to_dict
from astdialer.engine import routes
from astdialer.engine.campaigns import loaded
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.v1.common import PROBLEMS, Administrator, Found, Model, Page, Reader
from astdialer.http.v1.kinds import Name, Row

router = APIRouter(prefix="/routes", tags=["routes"], route_class=IdempotentRoute, responses=PROBLEMS)

_PATTERN = "Regular expression as in JavaScript, tried on the digits with and without a plus."


class DestinationModel(Model):
    """A trunk of a route, and how it wants the number."""

    trunk: str = Field(max_length=70, examples=["carrier"])
    rewrite: str = Field(
        default=WHOLE_MATCH,
        max_length=200,
        examples=["0$1"],
        description="What takes the place of the match: $1 to $99 are its groups, $& all of it.",
    )
    order: int = Field(default=0, examples=[1], description="Smaller is tried first.")
    enabled: bool = True


Destinations = Annotated[list[DestinationModel], Field(min_length=1, max_length=100)]


class RouteChange(Model):
    """What to change."""

    pattern: str | None = Field(default=None, max_length=1000, examples=[r"^\+?44(\d+)$"], description=_PATTERN)
    destinations: Destinations | None = Field(default=None, description="In place of all there are.")
    enabled: bool | None = Field(default=None, description="Whether campaigns may use it.")


class NewRoute(Model):
    """A route to make."""

    name: str = Field(max_length=70, examples=["uk"])
    pattern: str = Field(max_length=1000, examples=[r"^\+?44(\d+)$"], description=_PATTERN)
    destinations: Destinations
    enabled: bool = Field(default=True, description="Whether campaigns may use it.")


class RouteRow(Row):
    """A route. A tenant's token is shown the name alone: routes are the whole installation's."""

    name: str = Field(examples=["uk"])
    pattern: str | None = Field(default=None, examples=[r"^\+?44(\d+)$"])
    destinations: list[DestinationModel] | None = None
    enabled: bool | None = Field(default=None, examples=[True])


class RouteDetail(RouteRow):
    """With the campaigns that name it."""

    campaigns: list[str] | None = Field(default=None, examples=[["spring"]])


class RouteTest(Model):
    """A number to try."""

    number: str = Field(max_length=80, examples=["+442079460123"], description="As an upload takes it.")
    campaign: str = Field(
        default="", max_length=70, examples=["spring"], description="By its routes or trunk; else by all routes."
    )


class Way(Row):
    """One way out, or why it is none."""

    turn: int | None = Field(examples=[1], description="When it is tried; null: never.")
    route: str = Field(examples=["uk"])
    trunk: str = Field(examples=["carrier"])
    dials: str = Field(examples=["PJSIP/02079460123@carrier"], description="What Asterisk is given to dial.")
    note: str = Field(examples=[""], description="Why it is not tried.")


class Ways(Row):
    """By which routes a number would leave."""

    number: str = Field(examples=["+442079460123"])
    leaves: bool = Field(description="Whether there is any way for it.")
    ways: list[Way]


def _destinations(listed: list[DestinationModel]) -> tuple[Destination, ...]:
    return tuple(Destination(**each.model_dump()) for each in listed)


def _row(access: Access, route: Route) -> RouteRow:
    return RouteRow(name=route.name) if access.tenant else RouteRow(**to_dict(route))


@router.get("", response_model_exclude_unset=True)
async def list_routes(found: Found, access: Reader) -> Page[RouteRow]:
    """All routes, by name."""
    return Page[RouteRow](items=[_row(access, one) for one in await found.store.routes()], next=None)


@router.post("", status_code=201)
async def create_route(found: Found, access: Administrator, new: NewRoute, response: Response) -> RouteRow:
    """Make a route. A campaign uses it by its setting `routes`."""
    made = Route(new.name, new.pattern, _destinations(new.destinations), new.enabled)
    saved = await routes.create(found.store, made)
    response.headers["location"] = f"/v1/routes/{saved.name}"
    return _row(access, saved)


@router.post("/test")
async def try_route(found: Found, _access: Administrator, test: RouteTest) -> Ways:
    """By which routes a number would leave, where to, and what is dialed there. Rings nobody."""
    number = found.read_number(test.number, "U").number
    campaign = await found.store.campaign(test.campaign) if test.campaign else None
    rows = list(routes.ways(await loaded(found.store), campaign, number, test.number))
    ways = [Way(**row) for row in rows]
    return Ways(number=number, leaves=any(way.turn for way in ways), ways=ways)


@router.get("/{name}", response_model_exclude_unset=True)
async def show_route(found: Found, access: Reader, name: Name) -> RouteDetail:
    """One route, and which campaigns name it."""
    route = await routes.find(found.store, name)
    shown = _row(access, route).model_dump(exclude_unset=True)
    return (
        RouteDetail(**shown) if access.tenant else RouteDetail(**shown, campaigns=await routes.users(found.store, name))
    )


@router.patch("/{name}")
async def change_route(found: Found, access: Administrator, name: Name, change: RouteChange) -> RouteRow:
    """Change a route, in use or not; a running engine takes it up within a second."""
    changes = {key: value for key, value in change.model_dump().items() if value is not None}
    if change.destinations is not None:
        changes["destinations"] = _destinations(change.destinations)
    return _row(access, await routes.change(found.store, name, changes))


@router.delete("/{name}", status_code=204)
async def remove_route(found: Found, _access: Administrator, name: Name) -> None:
    """Forget a route that no campaign uses."""
    await found.store.remove_route(name)
