"""``astdialer trunk``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from astdialer.cli.context import config, with_store
from astdialer.cli.output import emit_rows, json_option, say
from astdialer.domain.caller_id import parse_caller_id
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.names import check_name
from astdialer.domain.trunk import Trunk, check_dial
from astdialer.store import SqliteStore


@click.group()
def trunk() -> None:
    """Where calls leave, how many at a time, how many a second."""


def _options(function: Any) -> Any:
    options = (
        click.option("--dial", help="Dial string, such as PJSIP/{number}@carrier or Local/{number}@from-internal."),
        click.option("--server", help="Asterisk server: default, or a name under [ami.servers]."),
        click.option("--max-calls", type=click.IntRange(0, 10000), help="Channels at a time."),
        click.option("--cps", type=click.FloatRange(0.01, 1000), help="Calls per second."),
        click.option("--caller-id", help="In place of the campaign's: as its caller_id; '' takes it away."),
        click.option("--enabled/--disabled", default=None, help="Whether campaigns may use it."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _changes(values: dict[str, Any]) -> dict[str, Any]:
    names = {"cps": "calls_per_second"}
    given = {names.get(key, key): value for key, value in values.items() if value is not None}
    if "dial" in given:
        check_dial(given["dial"])
    if "caller_id" in given:
        given["caller_id"] = str(parse_caller_id("caller_id", given["caller_id"]))
    if "server" in given and given["server"] not in config().asterisks:
        raise NotFound("Asterisk server", given["server"], "expected one of " + ", ".join(config().asterisks))
    return given


async def _check_pool(store: SqliteStore, given: dict[str, Any]) -> None:
    """Raises NotFound for a pool of caller ids that there is not."""
    pool = parse_caller_id("caller_id", given.get("caller_id", "")).pool
    if pool and pool not in await store.caller_id_pools():
        raise NotFound("pool", pool, f"astdialer callerid create {pool} NUMBER…")


@trunk.command("create")
@click.argument("name")
@_options
def create_(name: str, **values: Any) -> None:
    """Make a trunk."""
    given = _changes(values)
    if "dial" not in given:
        raise click.UsageError("a trunk needs --dial, such as --dial 'PJSIP/{number}@carrier'")

    async def create(store: SqliteStore) -> None:
        if any(known.name == name for known in await store.trunks()):
            raise Conflict(f"there is a trunk {name!r} already: astdialer trunk set {name}")
        await _check_pool(store, given)
        await store.save_trunk(Trunk(name=check_name(name), **given))

    with_store(create)
    say(f"trunk {name} is made")


@trunk.command("set")
@click.argument("name")
@_options
def set_(name: str, **values: Any) -> None:
    """Change a trunk, in use or not."""

    async def change(store: SqliteStore) -> None:
        known = next((one for one in await store.trunks() if one.name == name), None)
        if known is None:
            raise NotFound("trunk", name, "see astdialer trunk list")
        changes = _changes(values)
        await _check_pool(store, changes)
        await store.save_trunk(dataclasses.replace(known, **changes))

    with_store(change)
    say(f"trunk {name} is changed; a running engine takes it up within a second")


@trunk.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a trunk that no campaign and no route names any more."""
    with_store(lambda store: store.remove_trunk(name))
    say(f"trunk {name} is removed")


@trunk.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All trunks."""
    rows = [dataclasses.asdict(one) for one in with_store(lambda store: store.trunks())]
    columns = ("name", "dial", "server", "max_calls", "calls_per_second", "caller_id", "enabled")
    emit_rows(rows, columns, as_json=as_json)
