"""Pools of caller ids, as an administrator makes them: the use cases of CLI and HTTP. The engine follows within a
second."""

from __future__ import annotations

from collections.abc import Sequence

from astdialer.domain.caller_id import check_pool_number, parse_caller_id
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.names import check_name
from astdialer.ports import Store


async def find(store: Store, name: str) -> Sequence[str]:
    """The numbers of a pool, in the order of their turns. Raises NotFound."""
    numbers = (await store.caller_id_pools()).get(name)
    if numbers is None:
        raise NotFound("pool", name, "see astdialer callerid list")
    return numbers


async def create(store: Store, name: str, numbers: Sequence[str]) -> Sequence[str]:
    """A new pool. Raises InvalidSetting, and Conflict for a name that is taken."""
    checked = _checked(numbers)
    if name in await store.caller_id_pools():
        raise Conflict(f"there is a pool {name!r} already: astdialer callerid set {name}")
    await store.save_caller_id_pool(check_name(name), checked)
    return checked


async def change(store: Store, name: str, numbers: Sequence[str]) -> Sequence[str]:
    """Give a pool these numbers in place of those it has. Raises NotFound and InvalidSetting."""
    checked = _checked(numbers)
    await find(store, name)
    await store.save_caller_id_pool(name, checked)
    return checked


async def remove(store: Store, name: str) -> None:
    """Forget a pool. Raises NotFound, and Conflict while a campaign or a trunk uses it."""
    users = [f"campaign {one.name}" for one in await store.campaigns() if _uses(one.settings.caller_id, name)]
    users += [f"trunk {one.name}" for one in await store.trunks() if _uses(one.caller_id, name)]
    if users:
        raise Conflict(f"pool {name!r} is the caller_id of {', '.join(users)}: change that first")
    await store.remove_caller_id_pool(name)


def _checked(numbers: Sequence[str]) -> list[str]:
    if not numbers:
        raise InvalidSetting("numbers", list(numbers), "at least one number")
    return [check_pool_number("number", text) for text in numbers]


def _uses(caller_id: str, pool: str) -> bool:
    return parse_caller_id("caller_id", caller_id).pool == pool
