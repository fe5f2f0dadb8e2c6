"""``astdialer callerid``."""

from __future__ import annotations

import click

from astdialer.cli.context import with_store
from astdialer.cli.output import emit_rows, json_option, say
from astdialer.domain.caller_id import check_pool_number, parse_caller_id
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.names import check_name
from astdialer.store import SqliteStore


@click.group()
def callerid() -> None:
    """Pools of caller ids, whose numbers take turns: caller_id=pool:NAME of a campaign or trunk."""


def _numbers(texts: tuple[str, ...]) -> list[str]:
    return [check_pool_number("number", text) for text in texts]


@callerid.command("create")
@click.argument("name")
@click.argument("numbers", nargs=-1, required=True)
def create_(name: str, numbers: tuple[str, ...]) -> None:
    """Make a pool of NUMBERS, each a number or 'Name <number>'."""
    plain = _numbers(numbers)

    async def create(store: SqliteStore) -> None:
        if name in await store.caller_id_pools():
            raise Conflict(f"there is a pool {name!r} already: astdialer callerid set {name}")
        await store.save_caller_id_pool(check_name(name), plain)

    with_store(create)
    say(f"pool {name} has {len(plain)} numbers; next: astdialer campaign set CAMPAIGN caller_id=pool:{name}")


@callerid.command("set")
@click.argument("name")
@click.argument("numbers", nargs=-1, required=True)
def set_(name: str, numbers: tuple[str, ...]) -> None:
    """Give a pool these NUMBERS in place of those it has."""
    plain = _numbers(numbers)

    async def change(store: SqliteStore) -> None:
        if name not in await store.caller_id_pools():
            raise NotFound("pool", name, "see astdialer callerid list")
        await store.save_caller_id_pool(name, plain)

    with_store(change)
    say(f"pool {name} has {len(plain)} numbers; a running engine takes them up within a second")


@callerid.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All pools with their numbers."""
    pools = with_store(lambda store: store.caller_id_pools())
    rows = [{"name": name, "numbers": list(numbers)} for name, numbers in pools.items()]
    if not as_json:
        rows = [row | {"numbers": ", ".join(row["numbers"])} for row in rows]
    emit_rows(rows, ("name", "numbers"), as_json=as_json)


@callerid.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a pool that no campaign and no trunk uses."""

    async def forget(store: SqliteStore) -> None:
        users = [f"campaign {one.name}" for one in await store.campaigns() if _uses(one.settings.caller_id, name)]
        users += [f"trunk {one.name}" for one in await store.trunks() if _uses(one.caller_id, name)]
        if users:
            raise Conflict(f"pool {name!r} is the caller_id of {', '.join(users)}: change that first")
        await store.remove_caller_id_pool(name)

    with_store(forget)
    say(f"pool {name} is removed")


def _uses(caller_id: str, pool: str) -> bool:
    return parse_caller_id("caller_id", caller_id).pool == pool
