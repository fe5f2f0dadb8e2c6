"""What happens on one server, for whoever follows it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from weakref import WeakSet

from astdialer.ports import LinkUp, TelephonyEvent


class Follower(AsyncIterator[TelephonyEvent]):
    """One reader's queue: first in, first out, as long as memory lasts. Never ends by itself."""

    def __init__(self) -> None:
        self._waiting: deque[TelephonyEvent] = deque()
        self._filled = asyncio.Event()

    def put(self, events: Iterable[TelephonyEvent]) -> None:
        """Append events; never blocks."""
        self._waiting.extend(events)
        self._filled.set()

    def __len__(self) -> int:
        return len(self._waiting)

    async def __anext__(self) -> TelephonyEvent:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()


class Feed:
    """Hands every event to every follower. A follower that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        self._followers: WeakSet[Follower] = WeakSet()

    def follow(self, *, is_up: bool) -> Follower:
        """A new follower; it begins with LinkUp if the link is up."""
        follower = Follower()
        if is_up:
            follower.put((LinkUp(),))
        self._followers.add(follower)
        return follower

    def put(self, events: Iterable[TelephonyEvent]) -> None:
        """Hand these to all followers, in this order."""
        for follower in self._followers:
            follower.put(events)
