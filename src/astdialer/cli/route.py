"""``astdialer route``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import click

from astdialer.cli.context import e164, with_store
from astdialer.cli.output import Exit, emit_record, emit_rows, json_option, print_table, say
from astdialer.domain.route import Destination, Route, destination_text, in_order, parse_destination, to_dict
from astdialer.engine import routes
from astdialer.engine.campaigns import loaded
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
    made = Route(name, pattern, _destinations(destinations), enabled is not False)
    with_store(lambda store: routes.create(store, made))
    say(f"route {name} is made; next: astdialer campaign set CAMPAIGN routes={name}")


@route.command("set")
@click.argument("name")
@_options
def set_(name: str, pattern: str | None, destinations: tuple[str, ...], enabled: bool | None) -> None:
    """Change a route, in use or not."""
    given = {"pattern": pattern, "destinations": _destinations(destinations) or None, "enabled": enabled}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    with_store(lambda store: routes.change(store, name, changes))
    say(f"route {name} is changed; a running engine takes it up within a second")


@route.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """A route with its destinations, and which campaigns use it."""

    async def read(store: SqliteStore) -> tuple[Route, list[str]]:
        return await routes.find(store, name), await routes.users(store, name)

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
        return list(routes.ways(directory, one, plain, number))

    rows = with_store(read)
    emit_rows(rows, TEST_COLUMNS, as_json=as_json)
    if not any(row["turn"] for row in rows):
        say(f"no way for {plain}" + (f" in {campaign}" if campaign else ""))
        ctx.exit(Exit.FAILURE)


def _destinations(texts: Iterable[str]) -> tuple[Destination, ...]:
    return tuple(map(parse_destination, texts))
