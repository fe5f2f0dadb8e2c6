"""From a claim to Originate, at each trunk's pace."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import chain
from pathlib import Path

from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import AstdialerError, LinkLost, OriginateRefused, Unavailable
from astdialer.domain.events import Canceled, Refused, Sent
from astdialer.domain.trunk import Trunk
from astdialer.engine.bookkeeper import local_date
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.origination import origination

logger = logging.getLogger(__name__)


class Placer:
    """Sends claimed calls, evenly spaced on each trunk."""

    def __init__(self, context: Context) -> None:
        self._context, self._calls, self._clock = context, context.calls, context.clock
        self._lines: dict[str, deque[tuple[Call, Trunk]]] = {}
        self._arrivals: dict[str, asyncio.Semaphore] = {}
        self._pacers: list[asyncio.Task[None]] = []
        self._sends: set[asyncio.Task[None]] = set()

    def queued(self, trunk: str) -> int:
        """Claimed calls that wait for the trunk's pace."""
        return len(self._lines.get(trunk, ()))

    def place(self, call: Call, trunk: Trunk) -> None:
        """Send the call when the trunk's pace allows."""
        if trunk.name not in self._lines:
            self._lines[trunk.name], self._arrivals[trunk.name] = deque(), asyncio.Semaphore(0)
            self._pacers.append(asyncio.create_task(self._pace(trunk.name)))
        self._lines[trunk.name].append((call, trunk))
        self._arrivals[trunk.name].release()

    async def stop(self) -> None:
        """Send nothing more: what waits for its pace is given back, what is being sent is seen through."""
        for pacer in self._pacers:
            pacer.cancel()
        await asyncio.gather(*self._pacers, *self._sends, return_exceptions=True)
        for call, _ in chain.from_iterable(self._lines.values()):
            self._withdraw(call, "the engine stops")

    async def _pace(self, name: str) -> None:
        """One call after the other; a call stays in the line until it leaves, so that none is lost at a stop."""
        line = self._lines[name]
        while True:
            await self._arrivals[name].acquire()
            _, trunk = line[0]
            rate = self._context.directory.rate(trunk)
            wait_s = rate.wait_s(self._clock.now())
            if wait_s:
                await self._clock.sleep(wait_s)
            rate.take(self._clock.now())
            send = asyncio.create_task(self._send(*line.popleft()))
            self._sends.add(send)
            send.add_done_callback(self._sends.discard)

    async def _send(self, call: Call, trunk: Trunk) -> None:
        attempt_id = call.attempt.id
        try:
            if not await self._still_wanted(call):
                return
            order = origination(
                call, self._context.campaign_of(call), trunk, self._context.options.places, self._record_path(call)
            )
            logger.info("attempt.dialed", extra={"attempt": attempt_id, "campaign": order.account, "trunk": trunk.name})
            self._calls.handle(Sent(attempt_id=attempt_id, at=self._clock.now()))
            await self._context.telephony.originate(order)
        except LinkLost as error:
            # It may be ringing: recovery looks for it when the link is back.
            logger.warning("originate.link_lost", extra={"attempt": attempt_id, "error": str(error)})
        except (OriginateRefused, Unavailable, OSError) as error:
            self._context.trouble.refused(call.attempt.campaign_id, str(error), self._clock.now())
            self._refuse(call, error, counted=False)
        except AstdialerError as error:  # the contact's own data can't be sent
            self._refuse(call, error, counted=True)
        except Exception as error:  # a call that nobody foresaw must not stay open for ever
            logger.exception("originate.failed", extra={"attempt": attempt_id})
            self._refuse(call, error, counted=True)

    def _refuse(self, call: Call, error: Exception, *, counted: bool) -> None:
        attempt_id = call.attempt.id
        logger.error("originate.refused", extra={"attempt": attempt_id, "error": str(error)})
        self._calls.handle(Refused(attempt_id=attempt_id, at=self._clock.now(), message=str(error), counted=counted))

    async def _still_wanted(self, call: Call) -> bool:
        """The last look before a telephone rings: the campaign still runs, the number is not blacklisted."""
        campaign, attempt = self._context.campaign_of(call), call.attempt
        if self._calls.get(attempt.id) is not call or call.is_gone:
            return False
        if campaign.state is not CampaignState.RUNNING:
            self._withdraw(call, f"the campaign is {campaign.state.value}")
        elif await self._context.store.is_blacklisted(attempt.number, campaign.name):
            self._withdraw(call, "blacklisted")
        else:
            return not attempt.canceled
        return False

    def _withdraw(self, call: Call, why: str) -> None:
        at = self._clock.now()
        self._calls.handle(Canceled(attempt_id=call.attempt.id, at=at))
        self._calls.handle(Refused(attempt_id=call.attempt.id, at=at, message=why, counted=False))

    def _record_path(self, call: Call) -> Path | None:
        if not self._context.campaign_of(call).settings.record:
            return None
        return self._context.recordings.gsm_path(
            call.attempt.id, local_date(call.attempt.created_at, self._context.options.zone)
        )
