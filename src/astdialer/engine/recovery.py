"""After a start, an AMI cut or an Asterisk restart: live calls are found again, dead ones are closed once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from astdialer.domain.attempt import LATE_FACT_S, Attempt, State
from astdialer.domain.errors import Unavailable
from astdialer.domain.events import Adopted, Answered, AttemptEvent, Ringing, Vanished
from astdialer.engine.context import Context
from astdialer.ports import LiveChannel

logger = logging.getLogger(__name__)

RETRY_S = 2.0
#: How often calls are compared with Asterisk's channels while all is well.
RECONCILE_S = 30.0


class Legs(Protocol):
    """The channels of agents who are called first; each is followed like an attempt."""

    def legs_of(self, server: str) -> Mapping[str, Attempt]:
        """Those that there should be on a server, by their ids."""

    def handle(self, event: AttemptEvent) -> None:
        """A fact about one of them, or about anything else."""

    async def hang_up_left(self, server: str) -> None:
        """Let those go that could not be hung up while the link was down."""


class Recovery:
    """Brings calls and agents of one server in line with what Asterisk has. ``synced`` servers may be dialed on."""

    def __init__(self, context: Context, legs: Legs | None = None) -> None:
        self._legs = legs
        self._telephony, self._clock = context.telephony, context.clock
        self._calls, self._agents = context.calls, context.agents
        self.synced: set[str] = set()

    def link_down(self, server: str) -> None:
        """Nothing is known about the server any more."""
        self.synced.discard(server)
        self._agents.forget(server)

    async def link_up(self, server: str) -> None:
        """Look at what is there, until it has been seen. Runs beside the events that arrive from now on."""
        before = self._open(server)
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
            if self._legs:
                await self._legs.hang_up_left(server)
            await self._close_the_lost(server, before, channels)
            return

    def _open(self, server: str) -> dict[str, Attempt]:
        """What should have a channel: calls, and legs of agents."""
        legs = self._legs.legs_of(server) if self._legs else {}
        calls = {call.attempt.id: call.attempt for call in self._calls.of_server(server)}
        return {key: attempt for key, attempt in (calls | dict(legs)).items() if attempt.dialed_at}

    def _tell(self, event: AttemptEvent) -> None:
        self._calls.handle(event)
        if self._legs:
            self._legs.handle(event)

    def _adopt(self, before: Mapping[str, Attempt], channels: dict[str, LiveChannel]) -> None:
        at = self._clock.now()
        for attempt_id in before:
            channel = channels.get(attempt_id)
            if channel is None:
                continue
            self._tell(Adopted(attempt_id=attempt_id, at=at, channel=channel.channel))
            if channel.is_ringing:
                self._tell(Ringing(attempt_id=attempt_id, at=at))
            if channel.is_up:
                self._tell(Answered(attempt_id=attempt_id, at=at))

    async def reconcile(self) -> None:
        """Compare live calls with Asterisk's channels, until canceled: an event may get lost, a count must not drift.

        A call without a channel in two rounds is lost; between them its last events have had time to come.
        """
        missing: set[str] = set()
        while True:
            await self._clock.sleep(RECONCILE_S)
            found: set[str] = set()
            for server in list(self.synced):
                lost = await self._without_channel(server)
                for attempt_id in missing & lost:
                    self._vanish(server, attempt_id)
                found |= lost
            missing = found

    async def _without_channel(self, server: str) -> set[str]:
        sent_before = self._clock.now() - int(RECONCILE_S * 1000)
        suspects = {
            key
            for key, attempt in self._open(server).items()
            if attempt.dialed_at and attempt.dialed_at < sent_before and attempt.state < State.GONE
        }
        try:
            return suspects - {channel.uniqueid for channel in await self._telephony.live_channels(server)}
        except Unavailable:
            return set()

    async def _close_the_lost(
        self, server: str, before: Mapping[str, Attempt], channels: dict[str, LiveChannel]
    ) -> None:
        """Calls without a channel: what is still in the line is waited for first, and whoever speaks is not lost."""
        await self._clock.sleep(LATE_FACT_S)
        now = self._open(server)
        for attempt_id, attempt in before.items():
            if attempt_id not in channels and now.get(attempt_id) == attempt:
                self._vanish(server, attempt_id)

    def _vanish(self, server: str, attempt_id: str) -> None:
        attempt = self._open(server).get(attempt_id)
        if attempt and attempt.state < State.GONE:
            logger.warning("recovery.lost_call", extra={"attempt": attempt_id})
            self._tell(Vanished(attempt_id=attempt_id, at=self._clock.now()))
