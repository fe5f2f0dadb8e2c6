"""What app_queue counts of its queues, asked for now and then while the link is up; and since when members are as they
are, which Asterisk tells nobody. Both are for those who look: dialing needs neither."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from astdialer.domain.agent import QueueMember
from astdialer.domain.errors import Unavailable
from astdialer.domain.queue import QueueFigures
from astdialer.engine.context import Context

logger = logging.getLogger(__name__)

#: Between two times of asking; and while a server has not told anything, as after a start.
PERIOD_S, SOON_S = 3.0, 0.5
#: A server that has not answered by then is asked again the next time.
PATIENCE_S = 20.0


class QueueWatch:
    """The newest figures of each server's queues; of one whose link is down there are none."""

    def __init__(self, context: Context) -> None:
        self._telephony, self._clock = context.telephony, context.clock
        self._figures: dict[str, Sequence[QueueFigures]] = {}
        self.asked_at: dict[str, int] = {}  #: by server, when its figures were true

    async def run(self) -> None:
        """Until canceled."""
        while True:
            await asyncio.gather(*(self._look(server) for server in self._telephony.servers))
            know_all = len(self._figures) == len(self._telephony.servers)
            await self._clock.sleep(PERIOD_S if know_all else SOON_S)

    async def _look(self, server: str) -> None:
        try:
            if not self._telephony.is_up(server):
                raise Unavailable(self._telephony.why_down(server))
            async with asyncio.timeout(PATIENCE_S):
                found = await self._telephony.queues(server)
        except (Unavailable, TimeoutError) as error:
            self._figures.pop(server, None)
            logger.debug("queues.not_told", extra={"server": server, "error": str(error)})
        except Exception:  # figures must not end all calls
            self._figures.pop(server, None)
            logger.exception("queues.failed", extra={"server": server})
        else:
            self._figures[server], self.asked_at[server] = found, self._clock.now()

    def figures(self) -> list[QueueFigures]:
        """Every queue, by server and name."""
        found = (each for of_server in self._figures.values() for each in of_server)
        return sorted(found, key=lambda each: (each.server, each.queue))


class Stays:
    """Since when each member is in its present status, as it was seen from one look to the next."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], tuple[object, int]] = {}

    def since(self, member: QueueMember, status: object, now: int) -> int:
        """The look at which the member was first seen in this status."""
        key = (member.server, member.queue, member.interface)
        known = self._seen.get(key)
        if known is None or known[0] != status:
            known = self._seen[key] = (status, now)
        return known[1]

    def forget_others(self, members: Collection[QueueMember]) -> None:
        """Who is no member any more comes anew when it comes again."""
        there = {(m.server, m.queue, m.interface) for m in members}
        self._seen = {key: seen for key, seen in self._seen.items() if key in there}
