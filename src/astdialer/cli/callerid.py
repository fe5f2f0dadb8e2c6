"""``astdialer callerid``."""

from __future__ import annotations

import click

from astdialer.cli.context import with_store
from astdialer.cli.output import emit_rows, json_option, say
from astdialer.engine import pools


@click.group()
def callerid() -> None:
    """Pools of caller ids, whose numbers take turns: caller_id=pool:NAME of a campaign or trunk."""


@callerid.command("create")
@click.argument("name")
@click.argument("numbers", nargs=-1, required=True)
def create_(name: str, numbers: tuple[str, ...]) -> None:
    """Make a pool of NUMBERS, each a number or 'Name <number>'."""
    made = with_store(lambda store: pools.create(store, name, numbers))
    say(f"pool {name} has {len(made)} numbers; next: astdialer campaign set CAMPAIGN caller_id=pool:{name}")


@callerid.command("set")
@click.argument("name")
@click.argument("numbers", nargs=-1, required=True)
def set_(name: str, numbers: tuple[str, ...]) -> None:
    """Give a pool these NUMBERS in place of those it has."""
    made = with_store(lambda store: pools.change(store, name, numbers))
    say(f"pool {name} has {len(made)} numbers; a running engine takes them up within a second")


@callerid.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All pools with their numbers."""
    found = with_store(lambda store: store.caller_id_pools())
    rows = [{"name": name, "numbers": list(numbers)} for name, numbers in found.items()]
    if not as_json:
        rows = [row | {"numbers": ", ".join(row["numbers"])} for row in rows]
    emit_rows(rows, ("name", "numbers"), as_json=as_json)


@callerid.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a pool that no campaign and no trunk uses."""
    with_store(lambda store: pools.remove(store, name))
    say(f"pool {name} is removed")
