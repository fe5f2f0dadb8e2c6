"""What runs beside the engine: one that fails is begun anew, and no call ends for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from astdialer.ports import Clock

logger = logging.getLogger(__name__)

#: Pause before one that has failed is begun anew; and how long its failure is told of.
PAUSE_S, TOLD_S = 2.0, 30.0


class Beside:
    """Tasks by name. ``states`` says of each what is the matter with it, ``ok`` if nothing is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[int, str] | None] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Have the work done until ``stop``; it is not expected to end by itself."""
        self._failed[name] = None
        self._tasks.append(asyncio.create_task(self._keep(name, work), name=name))

    def states(self) -> Mapping[str, str]:
        """How each does."""
        return {name: self._state(failed) for name, failed in self._failed.items()}

    def _state(self, failed: tuple[int, str] | None) -> str:
        if failed is None or not 0 <= self._clock.now() - failed[0] < TOLD_S * 1000:
            return "ok"
        return f"failed and was begun anew: {failed[1]}"

    async def stop(self) -> None:
        """End all of them, the last one first."""
        while self._tasks:
            task = self._tasks.pop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                error = "it ended by itself"
                logger.error("beside.ended", extra={"task": name})
            except Exception as failed:
                error = type(failed).__name__  # anybody may ask; the log has the rest
                logger.exception("beside.failed", extra={"task": name})
            self._failed[name] = (self._clock.now(), error)
            await self._clock.sleep(PAUSE_S)
