"""Whose telephone rings for which call, and who took it: events that no row of the store shows.

They are told in small batches with what the bookkeeper writes, before it, so that a ring is told before its answer. A
store that fails delays them; nobody's call waits for them.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from astdialer.domain.errors import Unavailable
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.ports import NewEvent, QueueCall

logger = logging.getLogger(__name__)

#: Events of one write, and those that are kept while the store fails; beyond it the oldest are lost.
BATCH, MOST_KEPT = 500, 20_000


class Notices:
    """``queue_call`` and ``leg_rang`` are told of facts as they come; ``flush`` writes them."""

    def __init__(self, context: Context) -> None:
        self._context, self._store, self._clock = context, context.store, context.clock
        self._waiting: deque[NewEvent] = deque(maxlen=MOST_KEPT)

    def __len__(self) -> int:
        return len(self._waiting)

    def queue_call(self, seen: QueueCall) -> None:
        """A queue rings an agent for a caller, or the agent has taken it. That our own were taken is told by the store,
        from the attempt."""
        call = self._context.calls.get(seen.uniqueid)
        if call is None:
            self._foreign(seen)
        elif not seen.taken:
            self._offered(call, seen.interface, seen.queue, seen.at)

    def leg_rang(self, call: Call) -> None:
        """The telephone of the agent who is called first rings, or was answered at once."""
        queue = self._context.campaign_of(call).settings.queue
        self._offered(call, call.attempt.reserved_agent, queue, self._clock.now())

    def _foreign(self, seen: QueueCall) -> None:
        body = {"queue": seen.queue, "uuid": seen.uniqueid, "agent": seen.interface, "cid": seen.cid}
        kind = "call.connected" if seen.taken else "call.offered"
        self._waiting.append(NewEvent(at=seen.at, kind=kind, body=body | {"server": seen.server}))

    def _offered(self, call: Call, agent: str, queue: str, at: int) -> None:
        attempt = call.attempt
        event = NewEvent(
            at=at,
            kind="attempt.offered",
            campaign_id=attempt.campaign_id,
            contact_id=attempt.contact_id,
            attempt_id=attempt.id,
            body={"number": attempt.number, "agent": agent, "queue": queue},
        )
        self._waiting.append(event)

    async def flush(self) -> None:
        """Write what has come. Raises nothing: what can't be written now is kept."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._store.add_events(batch)
            except Unavailable as error:
                logger.error("notices.not_written", extra={"waiting": len(batch) + len(self), "error": str(error)})
                self._keep(batch)
                return
            except Exception:  # a telling that nobody foresaw must not keep calls from being closed
                logger.exception("notices.lost", extra={"events": len(batch)})

    def _keep(self, batch: Sequence[NewEvent]) -> None:
        """Put a batch back in front. What came meanwhile may have taken its room: then its oldest are lost."""
        room = MOST_KEPT - len(self._waiting)
        self._waiting.extendleft(reversed(batch[max(0, len(batch) - room) :]))
