"""Who comes next: a campaign's ready contacts over all of its open pools, in its order.

A pool's contacts are read from an index, from its start or from behind a place on, and no further than is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.settings import ContactStrategy
from astdialer.ports import Place
from astdialer.store.database import Writing

#: Most contacts that are read of a pool's index at once.
MOST_READ = 500
_FIRST, _BEYOND = -(2**63), 2**63 - 1


class LineUp:
    """``pools`` are the open ones, by id; ``after``: what is up to there has been looked at."""

    def __init__(self, pools: Mapping[int, Mapping[str, Any]], strategy: ContactStrategy, after: Place | None) -> None:
        self._pools = {
            free: [pool_id for pool_id, pool in pools.items() if (pool["bucket"] == "") is free]
            for free in (False, True)
        }
        self._strategy = strategy
        self.after = after

    async def read(self, tx: Writing, count: int) -> Sequence[tuple[Place, int]]:
        """The places and ids of the next ``count`` contacts."""
        limit = min(count, MOST_READ)
        heads = [place for free in self._pools for place in await self._heads(tx, free, limit)]
        return [(place, place[-1]) for place in sorted(heads)[:limit]]

    async def _heads(self, tx: Writing, free: bool, limit: int) -> Sequence[Place]:
        """Of each pool the places of its next ``limit`` contacts, at least."""
        wanted: dict[str, Any] = {"pools": json.dumps(self._pools[free]), "limit": limit}
        if self._strategy is ContactStrategy.STRICT_CIRCUIT:
            query = "ready_by_last_call"
            for rank in range(3):
                wanted |= self._from(f"{rank}", ("last_call_at", "priority", "id"), (free, rank))
        else:
            query = "ready"
            for rank in range(3):
                for name, called in (("new", False), ("again", True)):
                    wanted |= self._from(f"{name}_{rank}", ("priority", "id"), (free, rank, self._circuit(int(called))))
        rows = await tx.fetch(query, wanted) if self._pools[free] else []
        return [self._place(free, *contact) for row in rows for contact in json.loads(row["head"])]

    def _from(self, branch: str, columns: tuple[str, ...], head: tuple[int, ...]) -> dict[str, int]:
        """Where to begin in the part of the order that starts with ``head``."""
        after = self.after or ()
        done = after[: len(head)]
        elsewhere = [_BEYOND if done > head else _FIRST] * len(columns)
        begin = after[len(head) :] if done == head else elsewhere
        return {f"{column}_{branch}": value for column, value in zip(columns, begin, strict=True)}

    def _circuit(self, last_call_at: int) -> int:
        """What of a contact's last call counts for its place."""
        match self._strategy:
            case ContactStrategy.PRIORITY:
                return 0
            case ContactStrategy.NEXT_TRIES_CIRCUIT:
                return int(last_call_at == 0)
            case ContactStrategy.STRICT_CIRCUIT:
                return last_call_at

    def _place(self, free: bool, contact_id: int, rank: int, last_call_at: int, priority: int) -> Place:
        """Contacts for some agents only come first; then tasks before lists; and then as the strategy says."""
        return free, rank, self._circuit(last_call_at), priority, contact_id
