"""Writes what becomes known about attempts, and closes those that are over. Nothing is kept in memory only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from astdialer.domain.attempt import Attempt
from astdialer.domain.calendar import zone_of
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.errors import Unavailable
from astdialer.domain.outcome import classify
from astdialer.domain.retry import after_attempt
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.notices import Notices
from astdialer.ports import Closing, Recording

logger = logging.getLogger(__name__)

#: Pause between two writes: facts that come together are written together.
GATHER_S = 0.05
#: Pause after the store failed to write.
STORE_RETRY_S = 1.0


def local_date(at: int, zone: str) -> str:
    """YYYYMMDD of an instant: the folder of a recording."""
    return datetime.fromtimestamp(at / 1000, tz=zone_of(zone)).strftime("%Y%m%d")


def iso_date(at: int, zone: str) -> str:
    """YYYY-MM-DD of an instant: the day that statistics count it in."""
    return datetime.fromtimestamp(at / 1000, tz=zone_of(zone)).strftime("%Y-%m-%d")


class Bookkeeper:
    """``on_closed`` is told each call that was closed, with the contact as it was left. ``notices`` go first."""

    def __init__(self, context: Context, on_closed: Callable[[Closing], None], notices: Notices | None = None) -> None:
        self._context, self._on_closed, self._notices = context, on_closed, notices
        self._store, self._calls, self._clock = context.store, context.calls, context.clock
        self._closings: dict[str, Closing] = {}  # kept while the store fails: each is decided once

    async def run(self) -> None:
        """Until canceled."""
        while True:
            await self._clock.sleep(GATHER_S)
            try:
                await self.flush()
            except Unavailable as error:
                logger.error("store.write_failed", extra={"error": str(error)})
                await self._clock.sleep(STORE_RETRY_S)

    async def flush(self) -> None:
        """Write everything that is not written yet, once. Raises Unavailable, and keeps it for the next time."""
        if self._notices:
            await self._notices.flush()
        over = self._calls.over(self._clock.now())
        if over:
            await self._close(over)
        unsaved = self._calls.unsaved()
        if unsaved:
            written = {call.attempt.id: call.attempt for call in unsaved}
            await self._store.save_attempts(list(written.values()))
            for call in unsaved:
                call.unsaved = call.attempt is not written[call.attempt.id]

    async def _close(self, over: list[Call]) -> None:
        for call in over:
            if call.attempt.id not in self._closings:
                self._closings[call.attempt.id] = self._closing(call)
        closings = [self._closings[call.attempt.id] for call in over]
        await asyncio.shield(self._store.close(closings))
        self._calls.remove(over)
        for closing in closings:
            del self._closings[closing.attempt.id]
            facts = {
                "campaign": closing.cdr.campaign,
                "disposition": closing.cdr.disposition,
                "cause": closing.cdr.causecode,
            }
            logger.info("attempt.closed", extra={"attempt": closing.attempt.id, **facts})
            self._on_closed(closing)

    def _closing(self, call: Call) -> Closing:
        attempt, now = call.attempt, self._clock.now()
        campaign = self._context.campaign_of(call)
        settings = campaign.settings
        disposition = classify(attempt, settings.outcome_rules)
        if not self._context.trouble.ended(attempt, now):
            attempt = replace(attempt, uncounted=True)  # the fault was ours
        contact = after_attempt(call.contact, attempt, disposition, self._context.directory.redial_rules(campaign), now)
        context = CdrContext(campaign=campaign.name, base=call.base, caller_id=attempt.caller_id, queue=settings.queue)
        return Closing(
            attempt=attempt,
            disposition=disposition,
            contact=contact,
            cdr=cdr_of(attempt, disposition, context, now),
            recording=self._recording(attempt) if settings.record else None,
            now=now,
            day=iso_date(now, self._context.directory.zone_of(campaign)),
        )

    def _recording(self, attempt: Attempt) -> Recording | None:
        """Whatever was answered may have left a file; the converter finds out."""
        if not attempt.was_answered:
            return None
        return Recording(attempt_id=attempt.id, date=local_date(attempt.created_at, self._context.options.zone))
