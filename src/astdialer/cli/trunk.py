"""``astdialer trunk``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from astdialer.cli.context import config, with_store
from astdialer.cli.output import emit_rows, json_option, say
from astdialer.domain.trunk import Trunk
from astdialer.engine import trunks


@click.group()
def trunk() -> None:
    """Where calls leave, how many at a time, how many a second."""


def _options(function: Any) -> Any:
    options = (
        click.option("--dial", help="Dial string, such as PJSIP/{number}@carrier or Local/{number}@from-internal."),
        click.option("--server", help="Asterisk server: default, or a name under [ami.servers]."),
        click.option("--max-calls", type=click.IntRange(*trunks.MAX_CALLS), help="Channels at a time."),
        click.option("--cps", type=click.FloatRange(*trunks.CALLS_PER_SECOND), help="Calls per second."),
        click.option("--caller-id", help="In place of the campaign's: as its caller_id; '' takes it away."),
        click.option("--enabled/--disabled", default=None, help="Whether campaigns may use it."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _changes(values: dict[str, Any]) -> dict[str, Any]:
    names = {"cps": "calls_per_second"}
    return {names.get(key, key): value for key, value in values.items() if value is not None}


@trunk.command("create")
@click.argument("name")
@_options
def create_(name: str, **values: Any) -> None:
    """Make a trunk."""
    given = _changes(values)
    if "dial" not in given:
        raise click.UsageError("a trunk needs --dial, such as --dial 'PJSIP/{number}@carrier'")
    with_store(lambda store: trunks.create(store, Trunk(name=name, **given), config().asterisks))
    say(f"trunk {name} is made")


@trunk.command("set")
@click.argument("name")
@_options
def set_(name: str, **values: Any) -> None:
    """Change a trunk, in use or not."""
    with_store(lambda store: trunks.change(store, name, _changes(values), config().asterisks))
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
