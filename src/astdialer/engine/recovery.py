"""After a start, an AMI cut or an Asterisk restart: live calls are found again, dead ones are closed once."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from astdialer.domain.attempt import LATE_FACT_S, Attempt, State
from astdialer.domain.errors import Unavailable
from astdialer.domain.events import Adopted, Answered, Ringing, Vanished
from astdialer.engine.context import Context
from astdialer.ports import LiveChannel

logger = logging.getLogger(__name__)

RETRY_S = 2.0
#: How often calls are compared with Asterisk's channels while all is well.
RECONCILE_S = 30.0


class Recovery:
    """Brings calls and agents of one server in line with what Asterisk has. ``synced`` servers may be dialed on."""

    def __init__(self, context: Context) -> None:
        self._telephony, self._clock = context.telephony, context.clock
        self._calls, self._agents = context.calls, context.agents
        self.synced: set[str] = set()

    def link_down(self, server: str) -> None:
        """Nothing is known about the server any more."""
        self.synced.discard(server)
        self._agents.forget(server)

    async def link_up(self, server: str) -> None:
        """Look at what is there, until it has been seen. Runs beside the events that arrive from now on."""
        before = {call.attempt.id: call.attempt for call in self._calls.of_server(server) if call.attempt.dialed_at}
        while self._telephony.is_up(server):
            try:
                channels = {c.uniqueid: c for c in await self._telephony.live_channels(server)}
                self._agents.replace_all(server, await self._telephony.queue_members(server))
            except Unavailable as error:
                logger.warning("recovery.waits", extra={"server": server, "error": str(error)})
                await self._clock.sleep(RETRY_S)
                continue
            self._adopt(before, channels)
            self.synced.add(server)
            await self._close_the_lost(before, channels)
            return

    def _adopt(self, before: Mapping[str, Attempt], channels: dict[str, LiveChannel]) -> None:
        at = self._clock.now()
        for attempt_id in before:
            channel = channels.get(attempt_id)
            if channel is None:
                continue
            self._calls.handle(Adopted(attempt_id=attempt_id, at=at, channel=channel.channel))
            if channel.is_ringing:
                self._calls.handle(Ringing(attempt_id=attempt_id, at=at))
            if channel.is_up:
                self._calls.handle(Answered(attempt_id=attempt_id, at=at))

    async def reconcile(self) -> None:
        """Compare live calls with Asterisk's channels, until canceled: an event may get lost, a count must not drift.

        A call without a channel in two rounds is lost; between them its last events have had time to come.
        """
        missing: set[str] = set()
        while True:
            await self._clock.sleep(RECONCILE_S)
            found: set[str] = set()
            for server in list(self.synced):
                found |= await self._without_channel(server)
            for attempt_id in missing & found:
                self._vanish(attempt_id)
            missing = found

    async def _without_channel(self, server: str) -> set[str]:
        sent_before = self._clock.now() - int(RECONCILE_S * 1000)
        suspects = {
            call.attempt.id
            for call in self._calls.of_server(server)
            if call.attempt.dialed_at and call.attempt.dialed_at < sent_before and not call.is_gone
        }
        try:
            return suspects - {channel.uniqueid for channel in await self._telephony.live_channels(server)}
        except Unavailable:
            return set()

    async def _close_the_lost(self, before: Mapping[str, Attempt], channels: dict[str, LiveChannel]) -> None:
        """Calls without a channel: what is still in the line is waited for first, and whoever speaks is not lost."""
        await self._clock.sleep(LATE_FACT_S)
        for attempt_id, attempt in before.items():
            call = self._calls.get(attempt_id)
            if call and attempt_id not in channels and call.attempt == attempt:
                self._vanish(attempt_id)

    def _vanish(self, attempt_id: str) -> None:
        call = self._calls.get(attempt_id)
        if call and call.attempt.state < State.GONE:
            logger.warning("recovery.lost_call", extra={"attempt": attempt_id})
            self._calls.handle(Vanished(attempt_id=attempt_id, at=self._clock.now()))
