"""Trunks, as an administrator makes them: the use cases of CLI and HTTP. The engine follows within a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from astdialer.domain.caller_id import parse_caller_id
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound, UnknownName
from astdialer.domain.names import check_name
from astdialer.domain.trunk import Trunk, check_dial
from astdialer.ports import Store

#: Channels at a time, and calls a second, that a trunk may be given.
MAX_CALLS, CALLS_PER_SECOND = (0, 10_000), (0.01, 1000)


async def find(store: Store, name: str) -> Trunk:
    """Raises NotFound."""
    for trunk in await store.trunks():
        if trunk.name == name:
            return trunk
    raise NotFound("trunk", name, "see astdialer trunk list")


async def create(store: Store, trunk: Trunk, servers: Collection[str]) -> Trunk:
    """A new trunk on one of these Asterisk servers. Raises InvalidSetting, and Conflict for a name that is taken."""
    if any(known.name == trunk.name for known in await store.trunks()):
        raise Conflict(f"there is a trunk {trunk.name!r} already: astdialer trunk set {trunk.name}")
    check_name(trunk.name)
    return await _save(store, trunk, servers)


async def change(store: Store, name: str, changes: Mapping[str, Any], servers: Collection[str]) -> Trunk:
    """Change a trunk, in use or not. Raises NotFound and InvalidSetting, and then changes nothing."""
    return await _save(store, dataclasses.replace(await find(store, name), **changes), servers)


async def _save(store: Store, trunk: Trunk, servers: Collection[str]) -> Trunk:
    check_dial(trunk.dial)
    caller_id = parse_caller_id("caller_id", trunk.caller_id)
    if trunk.server not in servers:
        raise UnknownName("server", "Asterisk server", trunk.server, "expected one of " + ", ".join(servers))
    for key, value, (low, high) in (
        ("max_calls", trunk.max_calls, MAX_CALLS),
        ("calls_per_second", trunk.calls_per_second, CALLS_PER_SECOND),
    ):
        if not low <= value <= high:
            raise InvalidSetting(key, value, f"a number from {low:g} to {high:g}")
    if caller_id.pool and caller_id.pool not in await store.caller_id_pools():
        remedy = f"astdialer callerid create {caller_id.pool} NUMBER…"
        raise UnknownName("caller_id", "pool", caller_id.pool, remedy)
    saved = dataclasses.replace(trunk, caller_id=str(caller_id))
    await store.save_trunk(saved)
    return saved
