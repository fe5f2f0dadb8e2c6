"""``astdialer route``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from astdialer.cli.context import e164, with_store
from astdialer.cli.output import Exit, emit_record, emit_rows, json_option, print_table, say
from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.names import parse_names
from astdialer.domain.route import (
    Destination,
    Route,
    check_route,
    destination_text,
    in_order,
    look_up,
    parse_destination,
    to_dict,
)
from astdialer.domain.trunk import Trunk
from astdialer.engine.campaigns import loaded
from astdialer.engine.directory import Directory
from astdialer.store import SqliteStore

TEST_COLUMNS = ("turn", "route", "trunk", "dials", "note")


@click.group()
def route() -> None:
    """Which numbers leave by which trunks, and what each of them is given to dial."""


def _options(function: Any) -> Any:
    options = (
        click.option("--pattern", metavar="REGEX", help=r"Of the numbers, as in JavaScript, such as '^\+?44(\d+)$'."),
        click.option(
            "--to",
            "destinations",
            multiple=True,
            metavar="TRUNK[=REWRITE][@ORDER]",
            help="Where to, such as carrier=0$1@2; in place of all there are. Repeatable, in the order of trying.",
        ),
        click.option("--enabled/--disabled", default=None, help="Whether campaigns may use it."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@route.command("create")
@click.argument("name")
@_options
def create_(name: str, pattern: str | None, destinations: tuple[str, ...], enabled: bool | None) -> None:
    """Make a route. A campaign uses it by routes=NAME,…"""
    if not pattern or not destinations:
        raise click.UsageError("a route needs --pattern and --to, such as --pattern '^44' --to carrier")
    made = check_route(Route(name, pattern, _destinations(destinations), enabled is not False))

    async def create(store: SqliteStore) -> None:
        if any(known.name == name for known in await store.routes()):
            raise Conflict(f"there is a route {name!r} already: astdialer route set {name}")
        await _save(store, made)

    with_store(create)
    say(f"route {name} is made; next: astdialer campaign set CAMPAIGN routes={name}")


@route.command("set")
@click.argument("name")
@_options
def set_(name: str, pattern: str | None, destinations: tuple[str, ...], enabled: bool | None) -> None:
    """Change a route, in use or not."""
    given = {"pattern": pattern, "destinations": _destinations(destinations) or None, "enabled": enabled}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}

    async def change(store: SqliteStore) -> None:
        await _save(store, check_route(dataclasses.replace(await _route(store, name), **changes)))

    with_store(change)
    say(f"route {name} is changed; a running engine takes it up within a second")


@route.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """A route with its destinations, and which campaigns use it."""

    async def read(store: SqliteStore) -> tuple[Route, list[str]]:
        users = [one.name for one in await store.campaigns() if name in parse_names("routes", one.settings.routes)]
        return await _route(store, name), users

    one, users = with_store(read)
    if as_json:
        emit_record(to_dict(one) | {"campaigns": users}, as_json=True)
        return
    words = {"name": one.name, "pattern": one.pattern, "enabled": one.enabled}
    emit_record(words | {"campaigns": ", ".join(users) or "none"})
    click.echo()
    print_table(map(dataclasses.asdict, in_order(one.destinations)), ("trunk", "rewrite", "order"))


@route.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All routes."""
    rows = [
        to_dict(one) | {"to": ", ".join(map(destination_text, in_order(one.destinations)))}
        for one in with_store(lambda store: store.routes())
    ]
    emit_rows(rows, ("name", "pattern", "to", "enabled"), as_json=as_json)


@route.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a route that no campaign uses."""
    with_store(lambda store: store.remove_route(name))
    say(f"route {name} is removed")


@route.command("test")
@click.argument("number")
@click.option("--campaign", default="", help="By this campaign's routes, or its trunk.  [default: by all routes]")
@json_option
@click.pass_context
def test(ctx: click.Context, number: str, campaign: str, as_json: bool) -> None:
    """Show by which routes NUMBER would leave, where to, and what is dialed there. Exit code 1 when there is no way."""
    plain = e164(number)

    async def read(store: SqliteStore) -> list[dict[str, Any]]:
        directory = await loaded(store)
        one = await store.campaign(campaign) if campaign else None
        return list(_ways(directory, one, plain, number))

    rows = with_store(read)
    emit_rows(rows, TEST_COLUMNS, as_json=as_json)
    if not any(row["turn"] for row in rows):
        say(f"no way for {plain}" + (f" in {campaign}" if campaign else ""))
        ctx.exit(Exit.FAILURE)


def _ways(directory: Directory, campaign: Campaign | None, number: str, as_typed: str) -> Iterator[dict[str, Any]]:
    """What is tried one after the other; what can't be has no turn, and a note that says why."""
    if campaign and not campaign.settings.routes:
        yield _row(campaign.settings.trunk, directory, 1, dial=(number, as_typed, ""))
        return
    turn = 0
    for one in directory.routes_of(campaign) if campaign else directory.routes.values():
        ways, problems = look_up([one], number)
        for way in ways:
            row = _row(way.trunk, directory, turn + 1, dial=(number, as_typed, way.digits), route=one.name)
            turn += row["turn"] is not None
            yield row
        for problem in problems:
            yield {"turn": None, "route": one.name, "trunk": "", "dials": "", "note": problem.words}
        if not ways and not problems:
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


def _destinations(texts: Iterable[str]) -> tuple[Destination, ...]:
    return tuple(map(parse_destination, texts))


async def _route(store: SqliteStore, name: str) -> Route:
    known = next((one for one in await store.routes() if one.name == name), None)
    if known is None:
        raise NotFound("route", name, "see astdialer route list")
    return known


async def _save(store: SqliteStore, made: Route) -> None:
    """Raises NotFound for a trunk that there is not."""
    await _check_trunks(store, [destination.trunk for destination in made.destinations])
    await store.save_route(made)


async def _check_trunks(store: SqliteStore, names: Sequence[str]) -> None:
    known = {trunk.name for trunk in await store.trunks()}
    for name in names:
        if name not in known:
            raise NotFound("trunk", name, "see astdialer trunk list; in --to, = begins the rewrite and @ the order")
