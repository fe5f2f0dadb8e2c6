"""Messages on their way to one receiver: several at a time while it takes them, one now and then while it does not.

Signed as Standard Webhooks are (standardwebhooks.com, version 1): a receiver checks them with any of its libraries.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections import deque
from collections.abc import Sequence

from astdialer.domain.errors import Unavailable
from astdialer.domain.hooks import Webhook, rest_s, retry_at
from astdialer.ports import Clock, Delivery, HookStore, Notifier, Tried

logger = logging.getLogger(__name__)

#: What a webhook's secret begins with; base64 follows.
SECRET = "whsec_"
#: Messages on their way to one receiver at a time, read ahead, and sent without that being written down yet.
TO_ONE, AHEAD, UNNOTED = 8, 32, 200
#: A receiver that fails so often in a row is left alone for a while; see domain.hooks.RESTS_S.
FAILING = 5
#: Longest rest, ms: a clock that went back must not make it longer.
LONGEST_REST_MS = 60_000


def signed(webhook: Webhook, delivery: Delivery, at_s: int) -> dict[str, str]:
    """The headers of a message that is sent at ``at_s``, seconds since 1970."""
    key = base64.b64decode(webhook.secret.removeprefix(SECRET))
    text = f"{delivery.id}.{at_s}.{delivery.body}".encode()
    signature = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "user-agent": "astdialer",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{signature}",
        "x-astdialer-event": delivery.kind,
    }


class Line:
    """The messages of one webhook. ``look`` sends what is due; ``tried`` is what came of it, until it is ``noted``."""

    def __init__(self, store: HookStore, notifier: Notifier, clock: Clock, webhook: Webhook) -> None:
        self._store, self._notifier, self._clock, self._webhook = store, notifier, clock, webhook
        self._ready: deque[Delivery] = deque()
        self._busy: set[str] = set()  # read, and not noted: the store has them as pending still
        self._workers: set[asyncio.Task[None]] = set()
        self._is_reading = self._is_dropped = False
        self._failed_in_a_row = self._strikes = self._rests_until = 0
        self.tried: list[Tried] = []

    @property
    def is_failing(self) -> bool:
        """Whether the receiver has taken nothing of late, for longer than a moment."""
        return self._strikes > 1

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way, and nothing is left to be noted."""
        return not self._workers and not self.tried

    async def look(self, webhook: Webhook) -> None:
        """Begin to send what is due to the webhook as it is now."""
        self._webhook, self._is_dropped = webhook, False
        if self._may_send():
            await self._read()
            self._staff()

    def drop(self) -> None:
        """Send nothing more; what is on its way is seen through."""
        self._is_dropped = True
        self._busy -= {delivery.id for delivery in self._ready}
        self._ready.clear()

    async def stop(self, within_s: float) -> None:
        """End; what is on its way has so long to arrive, else it is sent again some time."""
        self.drop()
        if self._workers:
            await asyncio.wait(self._workers, timeout=within_s)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def noted(self, tries: Sequence[Tried]) -> None:
        """The store knows of these, the first of ``tried``."""
        self._busy -= {tried.id for tried in tries}
        del self.tried[: len(tries)]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _may_send(self) -> bool:
        rests = 0 < self._rests_until - self._clock.now() <= LONGEST_REST_MS
        return not rests and not self._is_dropped and len(self.tried) < UNNOTED

    def _most(self) -> int:
        return 1 if self._failed_in_a_row >= FAILING else TO_ONE

    def _staff(self) -> None:
        for _ in range(min(len(self._ready), self._most() - len(self._workers))):
            worker = asyncio.create_task(self._work(), name=f"webhook-{self._webhook.id}")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _read(self) -> None:
        """What is due next, if nothing is at hand."""
        if self._ready or self._is_reading:
            return
        self._is_reading = True
        try:
            limit = AHEAD + len(self._busy)
            due = await self._store.due_deliveries(self._webhook.id, self._clock.now(), limit)
        finally:
            self._is_reading = False
        if self._is_dropped:
            return
        new = [delivery for delivery in due if delivery.id not in self._busy][:AHEAD]
        self._ready.extend(new)
        self._busy |= {delivery.id for delivery in new}

    async def _work(self) -> None:
        while (delivery := await self._next()) is not None:
            status, error = await self._try(delivery)
            self.tried.append(self._outcome(delivery, status, error))

    async def _next(self) -> Delivery | None:
        if not self._may_send() or len(self._workers) > self._most():
            return None
        try:
            await self._read()
        except Exception:
            return None  # the next look meets it as well, and it is told there
        taken = self._ready.popleft() if self._ready else None
        self._staff()
        return taken

    async def _try(self, delivery: Delivery) -> tuple[int, str]:
        """The status of the answer, 0 for none, and what is wrong with it."""
        try:
            headers = signed(self._webhook, delivery, self._clock.now() // 1000)
            status = await self._notifier.post(self._webhook.url, delivery.body.encode(), headers)
        except Unavailable as error:
            return 0, str(error)
        except Exception as error:  # whatever one receiver does
            logger.exception("webhook.failed", extra={"webhook": self._webhook.id})
            return 0, repr(error)
        return status, "" if 200 <= status < 300 else f"the receiver answered {status}"

    def _outcome(self, delivery: Delivery, status: int, error: str) -> Tried:
        now = self._clock.now()
        if not error:
            self._failed_in_a_row = self._strikes = self._rests_until = 0
            return Tried(
                id=delivery.id, created_at=delivery.created_at, state="delivered", status=status, delivered_at=now
            )
        self._failed(now)
        gone = status == 410  # the receiver wants no more of it
        again = None if gone else retry_at(delivery.created_at, delivery.tries + 1, now)
        log = logger.error if again is None else logger.info
        log("webhook.not_delivered", extra={"webhook": self._webhook.id, "delivery": delivery.id, "error": error})
        state = "dead" if again is None else "pending"
        return Tried(
            id=delivery.id,
            created_at=delivery.created_at,
            state=state,
            status=status,
            error=error[:500],
            retry_at=again,
        )

    def _failed(self, now: int) -> None:
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= FAILING and self._may_send():
            self._strikes += 1
            self._rests_until = now + rest_s(self._strikes) * 1000
