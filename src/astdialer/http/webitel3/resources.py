"""Resources of a dialer as routes: numbers by a pattern, each with its destinations, which are trunks."""

from __future__ import annotations

from dataclasses import dataclass

from astdialer.domain.caller_id import parse_caller_id
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.names import NAME, folded
from astdialer.domain.route import WHOLE_MATCH, Destination, Route, check_route
from astdialer.http.webitel3.answers import Said
from astdialer.http.webitel3.bodies import Table

#: The campaign's name in those of its routes, at most: its id and a number stand behind it.
_LONGEST = 32
#: A destination without a limit of its own.
NO_LIMIT = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The routes, and what else a dialer's destinations say of its calls."""

    routes: tuple[Route, ...]
    unsaid: tuple[str, ...]  #: what can't be used, with its place
    caller_id: str
    caller_id_at: str  #: its place
    room: int  #: calls that all destinations take together; 0: none says


@dataclass(frozen=True, slots=True)
class _Found:
    destination: Destination | None
    unsaid: str = ""
    caller_id: str = ""
    place: str = ""
    limit: int = 0


def resources(root: Table, campaign: str) -> Resources:
    """Raises Said for a pattern, rewrite or caller id that can't be."""
    routes, found = [], []
    for at, resource in enumerate(root.tables("resources"), 1):
        destinations = [_destination(each) for each in resource.tables("destinations")]
        found += destinations
        usable = tuple(each.destination for each in destinations if each.destination)
        enabled = not resource.flag("disabled", False)
        routes.append(_checked(resource, Route(f"{campaign}.{at}", resource.text("dialedNumber"), usable, enabled)))
    on = [each for each in found if each.destination and each.destination.enabled]
    shown = next((each for each in on if each.caller_id), _Found(None))
    return Resources(
        routes=tuple(routes),
        unsaid=tuple(each.unsaid for each in found if each.unsaid),
        caller_id=shown.caller_id,
        caller_id_at=shown.place or "resources",
        room=sum(each.limit for each in on),
    )


def routes_prefix(campaign: str, campaign_id: int) -> str:
    """How the names of a campaign's routes begin."""
    return f"{folded(campaign, 'dialer')[:_LONGEST]}.{campaign_id}"


def trunk_of(gateway: str) -> str:
    """The trunk that a gateway's name means: it has the same name, as far as a trunk may be called so."""
    return gateway if NAME.fullmatch(gateway) else folded(gateway, "gateway")


def _destination(given: Table) -> _Found:
    gateway = given.text("gwName")
    enabled, limit = given.flag("enabled", True), given.whole("limit", NO_LIMIT, 0)
    if given.text("gwProto", "sip") != "sip" or not gateway:
        words = "gwProto has to be sip, and gwName a trunk's name (astdialer trunk list)"
        return _Found(None, f"{given.path}: {words}" if enabled else "")
    destination = Destination(
        trunk=trunk_of(gateway),
        rewrite=given.text("dialString", WHOLE_MATCH),
        order=given.whole("order", 0, -999_999, 999_999),
        enabled=enabled and limit > 0,  # 0: blocked
    )
    caller_id, key = _caller_id(given)
    return _Found(destination, caller_id=caller_id, place=given.at(key), limit=limit)


def _caller_id(given: Table) -> tuple[str, str]:
    """What is shown: one of a list of lines at random, else one number. With the key that it is at."""
    several = [line.strip() for line in given.text("callerIdNumbers").splitlines() if line.strip()]
    text, key = (
        (" | ".join(several), "callerIdNumbers") if several else (given.text("callerIdNumber"), "callerIdNumber")
    )
    try:
        return str(parse_caller_id(key, text)), key
    except InvalidSetting as error:
        raise given.bad(key, error.expected) from None


def _checked(given: Table, route: Route) -> Route:
    try:
        return check_route(route)
    except InvalidSetting as error:
        key = {"pattern": "dialedNumber", "rewrite": "destinations[].dialString"}.get(error.key, error.key)
        raise Said(400, f"{given.at(key)} = {error.value!r}: expected {error.expected}") from None
