"""Time."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time. ``now`` is ms since 1970 UTC; ``sleep`` takes seconds."""

    def now(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...
