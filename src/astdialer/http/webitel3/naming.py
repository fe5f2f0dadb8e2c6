"""Names here for what may be called anything there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from astdialer.domain.errors import Conflict
from astdialer.domain.names import folded, free_names
from astdialer.http.webitel3.answers import Said

#: How often a name that somebody has taken meanwhile is chosen anew.
NAME_TRIES = 20
T = TypeVar("T")


async def under_free_name(text: str, usual: str, taken: Collection[str], make: Callable[[str], Awaitable[T]]) -> T:
    """Make something under a name that is like the text, ``usual`` if nothing of it can be a name, and free.

    ``make`` raises Conflict for one that is not free any more. Raises Said.
    """
    names = free_names(folded(text, usual), taken)
    for _ in range(NAME_TRIES):
        try:
            return await make(next(names))
        except Conflict:
            continue
    raise Said(409, f"name = {text[:80]!r}: others took every name like it; choose another")
