"""From a claim to Originate, at the pace of the trunk, of the engine, and of a campaign that has one of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import AstdialerError, Conflict, LinkLost, OriginateRefused, Unavailable
from astdialer.domain.events import Canceled, Refused, Sent
from astdialer.domain.trunk import CallRate, Trunk
from astdialer.engine.bookkeeper import local_date
from astdialer.engine.callerids import CallerIds
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.origination import origination

logger = logging.getLogger(__name__)


class _Line(NamedTuple):
    """Who waits for whom: the trunk, and the campaign if it has a pace of its own, which keeps no other waiting."""

    trunk: str
    campaign_id: int | None


class Placer:
    """Sends claimed calls, evenly spaced on each trunk."""

    def __init__(self, context: Context, caller_ids: CallerIds) -> None:
        self._context, self._calls, self._clock = context, context.calls, context.clock
        self._caller_ids = caller_ids
        self._rate = CallRate(context.options.calls_per_second)  # of the whole engine
        self._lines: dict[_Line, deque[tuple[Call, Trunk]]] = {}
        self._pacers: dict[_Line, asyncio.Task[None]] = {}  # one for each line that is not empty
        self._sends: set[asyncio.Task[None]] = set()

    def queued(self) -> Mapping[str, int]:
        """Claimed calls that wait for their trunk's pace, by trunk."""
        waiting = Counter[str]()
        for key, line in self._lines.items():
            waiting[key.trunk] += len(line)
        return waiting

    def rate_room(self, horizon_s: float) -> int:
        """Calls that the engine's own pace lets out within the horizon, but for those that wait already."""
        return self._rate.room(self._clock.now(), horizon_s) - sum(self.queued().values())

    def place(self, call: Call, trunk: Trunk) -> None:
        """Send the call when the trunk's pace allows, and that of its campaign; no campaign's binds a call by hand."""
        campaign = self._context.campaign_of(call)
        own = campaign.settings.calls_per_second and not call.attempt.manual
        key = _Line(trunk.name, campaign.id if own else None)
        self._lines.setdefault(key, deque()).append((call, trunk))
        if key not in self._pacers:
            self._pacers[key] = asyncio.create_task(self._pace(key))

    def take_up(self, call: Call) -> None:
        """A call that was sent, by an earlier run perhaps, counts in its campaign's own pace."""
        pace = self._pace_of(call)
        if pace and call.attempt.dialed_at:
            pace.took(call.attempt.dialed_at)

    async def stop(self) -> None:
        """Send nothing more: what waits for its pace is given back, what is being sent is seen through."""
        pacers = list(self._pacers.values())
        for pacer in pacers:
            pacer.cancel()
        await asyncio.gather(*pacers, *self._sends, return_exceptions=True)
        for call, _ in chain.from_iterable(self._lines.values()):
            self._withdraw(call, "the engine stops")

    async def _pace(self, key: _Line) -> None:
        """One call after the other; a call stays in the line until it leaves, so that none is lost at a stop."""
        line = self._lines[key]
        while line:
            # Another line may have taken the trunk's or the engine's turn meanwhile. The clock counts milliseconds.
            while (wait_s := max(rate.wait_s(self._clock.now()) for rate in self._rates(*line[0]))) >= 0.001:
                await self._clock.sleep(wait_s)
            call, trunk = line.popleft()
            for rate in self._rates(call, trunk):
                rate.take(self._clock.now())
            left = asyncio.Event()
            send = asyncio.create_task(self._send(call, trunk, left))
            self._sends.add(send)
            send.add_done_callback(self._sends.discard)
            if key.campaign_id is not None:
                await self._after(call, left)
        del self._lines[key], self._pacers[key]

    async def _after(self, call: Call, left: asyncio.Event) -> None:
        """The next call of a campaign with a pace of its own waits from when this one has really left."""
        await left.wait()
        self.take_up(call)

    def _rates(self, call: Call, trunk: Trunk) -> list[CallRate]:
        """What a call has to wait for. Settings may change while it does."""
        pace = self._pace_of(call)
        return [self._context.directory.rate(trunk), self._rate, *([pace] if pace else [])]

    def _pace_of(self, call: Call) -> CallRate | None:
        return None if call.attempt.manual else self._context.directory.pace(self._context.campaign_of(call))

    async def _send(self, call: Call, trunk: Trunk, left: asyncio.Event) -> None:
        try:
            await self._originate(call, trunk, left)
        finally:
            left.set()

    async def _originate(self, call: Call, trunk: Trunk, left: asyncio.Event) -> None:
        attempt_id = call.attempt.id
        try:
            if not await self._still_wanted(call):
                return
            campaign = self._context.campaign_of(call)
            call.caller_id = self._caller_ids.pick(call, campaign, trunk)
            order = origination(call, campaign, trunk, self._context.options.places, self._record_path(call))
            logger.info("attempt.dialed", extra={"attempt": attempt_id, "campaign": order.account, "trunk": trunk.name})
            self._calls.handle(Sent(attempt_id=attempt_id, at=self._clock.now(), caller_id=call.caller_id))
            left.set()
            if call.attempt.leg_id and not await self._is_written(call):
                return
            asked_at = self._clock.now()
            await self._context.telephony.originate(order)
            self._context.vitals.originated((self._clock.now() - asked_at) / 1000)
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

    async def _is_written(self, call: Call) -> bool:
        """Whether the contact may be dialed now that the store knows of it; raises Unavailable when it does not write.

        A call whose agent is rung first is claimed long before that: an engine that comes after us has to know whether
        the contact was dialed. The agent may have hung up meanwhile.
        """
        await self._context.store.save_attempts([call.attempt])
        if call.attempt.canceled:
            self._refuse(call, Conflict("the agent hung up"), counted=False)
        return not call.is_gone

    def _refuse(self, call: Call, error: Exception, *, counted: bool) -> None:
        attempt_id = call.attempt.id
        logger.error("originate.refused", extra={"attempt": attempt_id, "error": str(error)})
        self._calls.handle(Refused(attempt_id=attempt_id, at=self._clock.now(), message=str(error), counted=counted))

    async def _still_wanted(self, call: Call) -> bool:
        """The last look before a telephone rings: the campaign still runs, the hour is right, nobody has blacklisted
        the number meanwhile."""
        campaign, attempt = self._context.campaign_of(call), call.attempt
        if self._calls.get(attempt.id) is not call or call.is_gone:
            return False
        if campaign.state is not CampaignState.RUNNING and not attempt.manual:
            self._withdraw(call, f"the campaign is {campaign.state.value}")
        elif not self._is_open(call, campaign):
            self._withdraw(call, "calling hours are over")
        elif await self._context.store.is_blacklisted(attempt.number, campaign.name, self._clock.now()):
            self._withdraw(call, "blacklisted")
        else:
            return not call.is_gone and not call.attempt.canceled
        return False

    def _is_open(self, call: Call, campaign: Campaign) -> bool:
        """A call may have waited for its agent, or for its trunk's pace, past the end of the hours."""
        number = next(n for n in call.contact.numbers if n.id == call.attempt.number_id)
        try:
            rules = self._context.directory.rules(campaign)
        except Conflict:  # its calendar is gone
            return False
        return call.contact.any_hour or rules.schedule.is_open(rules.zones(number), self._clock.now())

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
