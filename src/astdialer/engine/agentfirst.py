"""Calls that ring their agent first: reserve the agent, ring it, let it look and decide, and only then dial.

Each call has a task here from its claim until both of its legs are gone. What it waits for are facts: of the agent's
leg, which is followed like an attempt under the id ``leg_id``, and of the attempt itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from astdialer.domain import attempt as life
from astdialer.domain.agent import Missed, missed_by
from astdialer.domain.attempt import Attempt
from astdialer.domain.errors import AstdialerError, NotFound, Unavailable
from astdialer.domain.events import AttemptEvent, Canceled, Refused, Sent
from astdialer.domain.trunk import Trunk
from astdialer.engine.callerids import CallerIds
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk
from astdialer.engine.origination import agent_leg
from astdialer.ports import Offer

logger = logging.getLogger(__name__)

#: An agent did not take the call: nobody was dialed, and the contact is free again (Webitel: after 1 s).
AGENT_MISSED_S = 1
#: Keys of the agent's telephone in a preview.
ACCEPT_KEY, SKIP_KEY = "1", "2"
#: How soon a decision on a screen, or a fact that nobody told of, is seen.
LOOK_S = 0.5


@dataclass(slots=True)
class _Leg:
    """An agent's telephone that is rung for a call."""

    call: Call
    attempt: Attempt  #: the leg, in the shape of an attempt
    answer: str = ""  #: preview: accept or skip, once that is known
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class AgentFirst:
    """``place`` sends the customer's call; it is the placer's."""

    def __init__(
        self, context: Context, desk: Desk, caller_ids: CallerIds, place: Callable[[Call, Trunk], None]
    ) -> None:
        self._context, self._desk, self._caller_ids, self._place = context, desk, caller_ids, place
        self._calls, self._clock, self._store = context.calls, context.clock, context.store
        self._telephony = context.telephony
        self._legs: dict[str, _Leg] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, event: AttemptEvent) -> None:
        """A fact about an agent's leg; those of strangers are ignored."""
        leg = self._legs.get(event.attempt_id)
        if leg:
            leg.attempt = life.apply(leg.attempt, event)
            leg.changed.set()

    def begin(self, call: Call, trunk: Trunk, *, preview: bool) -> None:
        """Ring the agent that the attempt is reserved for, and go on from there."""
        task = asyncio.create_task(self._run(call, trunk, preview=preview))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Dial nobody any more; agents who wait for nobody are let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def answer(self, attempt_id: str, key: str) -> str:
        """Implements answered.PreviewOffers for the telephone of an agent who looks at a contact."""
        leg = next((leg for leg in self._legs.values() if leg.call.attempt.id == attempt_id), None)
        if leg is None:
            raise NotFound("call that an agent is asked about", attempt_id)
        if not leg.answer and key in (ACCEPT_KEY, SKIP_KEY):
            leg.answer = "accept" if key == ACCEPT_KEY else "skip"
            leg.changed.set()
        return {"accept": "dial", "skip": "hangup"}.get(leg.answer, "wait")

    # --- the life of such a call -------------------------------------------------------------------------------------

    async def _run(self, call: Call, trunk: Trunk, *, preview: bool) -> None:
        leg = _Leg(call, _leg_of(call.attempt, self._clock.now()))
        self._legs[leg.attempt.id] = leg
        try:
            await self._through(leg, trunk, preview=preview)
        except AstdialerError as error:
            self._give_up(leg, str(error), AGENT_MISSED_S)
        except Exception as error:  # a fault that nobody foresaw must not keep the agent and the contact for ever
            logger.exception("agent_first.failed", extra={"attempt": call.attempt.id})
            self._give_up(leg, str(error), AGENT_MISSED_S)
        finally:
            await asyncio.shield(self._end(leg, preview=preview))

    async def _through(self, leg: _Leg, trunk: Trunk, *, preview: bool) -> None:
        call = leg.call
        if preview:
            await self._offer(leg)
        await self._ring(leg, trunk, preview=preview)
        if not await self._agent_is_there(leg):
            return
        if preview and not await self._accepted(leg):
            return
        if call.is_gone:
            return
        self._place(call, trunk)
        await self._until(leg, lambda: call.is_gone or self._is_over(leg))
        if not call.is_gone and not call.attempt.was_answered:
            await self._take_back(leg)
        await self._until(leg, lambda: call.is_gone)

    async def _offer(self, leg: _Leg) -> None:
        attempt, now = leg.call.attempt, self._clock.now()
        settings = self._context.campaign_of(leg.call).settings
        offer = Offer(
            attempt_id=attempt.id,
            agent=attempt.reserved_agent,
            campaign_id=attempt.campaign_id,
            contact_id=attempt.contact_id,
            number=attempt.number,
            made_at=now,
            expires_at=now + settings.preview_s * 1000,
        )
        await self._store.make_offer(offer)

    async def _ring(self, leg: _Leg, trunk: Trunk, *, preview: bool) -> None:
        campaign = self._context.campaign_of(leg.call)
        leg.call.caller_id = self._caller_ids.pick(leg.call, campaign, trunk)
        order = agent_leg(leg.call, campaign, self._context.options.places, preview=preview)
        self.handle(Sent(attempt_id=leg.attempt.id, at=self._clock.now()))
        await self._telephony.originate(order)

    async def _agent_is_there(self, leg: _Leg) -> bool:
        """Until the agent has answered; False, with the consequences, if that will not be."""
        call = leg.call
        await self._until(leg, lambda: leg.attempt.was_answered or self._is_over(leg) or call.is_gone)
        if call.is_gone or (leg.attempt.was_answered and not self._is_over(leg)):
            return not call.is_gone
        self._missed(leg, _how(leg.attempt))
        return False

    async def _accepted(self, leg: _Leg) -> bool:
        """Until the agent has decided; False unless it wants the call."""
        settings, attempt = self._context.campaign_of(leg.call).settings, leg.call.attempt
        until = attempt.created_at + settings.preview_s * 1000
        while not leg.answer and self._clock.now() < until and not leg.call.is_gone and not self._is_over(leg):
            await self._until(leg, lambda: bool(leg.answer), at_most_s=LOOK_S)
            leg.answer = leg.answer or await self._answer_on_screen(attempt.id)
        if leg.call.is_gone or leg.answer == "accept":
            return not leg.call.is_gone
        if leg.answer == "skip":
            self._give_up(leg, f"skipped by {attempt.reserved_agent}", settings.preview_skip_delay_s)
        else:
            self._missed(leg, Missed.REJECTED if self._is_over(leg) else Missed.NO_ANSWER)
        return False

    async def _answer_on_screen(self, attempt_id: str) -> str:
        return next((offer.answer for offer in await self._store.offers() if offer.attempt_id == attempt_id), "")

    def _missed(self, leg: _Leg, how: Missed) -> None:
        attempt = leg.call.attempt
        settings = self._context.campaign_of(leg.call).settings
        self._desk.missed(attempt.server, attempt.reserved_agent, how, settings)
        self._give_up(leg, f"agent {attempt.reserved_agent}: {how.value}", AGENT_MISSED_S)

    def _give_up(self, leg: _Leg, why: str, retry_s: int) -> None:
        """Nobody was dialed: the contact is free again, and it has cost no try."""
        attempt = leg.call.attempt
        if attempt.dialed_at is None:
            at = self._clock.now()
            self._calls.handle(Refused(attempt_id=attempt.id, at=at, message=why, counted=False, retry_s=retry_s))

    async def _take_back(self, leg: _Leg) -> None:
        """The agent hung up before the customer answered."""
        attempt = leg.call.attempt
        if attempt.dialed_at is None:
            self._give_up(leg, f"agent {attempt.reserved_agent} hung up", AGENT_MISSED_S)
            return
        self._calls.handle(Canceled(attempt_id=attempt.id, at=self._clock.now()))
        await self._hang_up(attempt.server, attempt.id)

    async def _end(self, leg: _Leg, *, preview: bool) -> None:
        if not self._is_over(leg) and leg.attempt.dialed_at:
            await self._hang_up(leg.attempt.server, leg.attempt.id)
        if preview:
            await self._quietly(self._store.withdraw_offer(leg.call.attempt.id))
        del self._legs[leg.attempt.id]

    async def _hang_up(self, server: str, channel_id: str) -> None:
        await self._quietly(self._telephony.hang_up(server, channel_id))

    async def _quietly(self, work: Awaitable[object]) -> None:
        try:
            await work
        except Unavailable as error:
            logger.warning("agent_first.cleaning_failed", extra={"error": str(error)})

    def _is_over(self, leg: _Leg) -> bool:
        return leg.attempt.gone_at is not None or life.is_over(leg.attempt, self._clock.now())

    async def _until(self, leg: _Leg, condition: Callable[[], bool], *, at_most_s: float | None = None) -> None:
        """Wait for the condition; facts of the leg are seen at once, all else within LOOK_S."""
        waited_s = 0.0
        while not condition() and (at_most_s is None or waited_s < at_most_s):
            leg.changed.clear()
            await _first(self._clock.sleep(LOOK_S), leg.changed.wait())
            waited_s += LOOK_S


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _leg_of(attempt: Attempt, now: int) -> Attempt:
    return Attempt(
        id=attempt.leg_id,
        campaign_id=attempt.campaign_id,
        contact_id=attempt.contact_id,
        number_id=attempt.number_id,
        number=attempt.number,
        trunk="",
        server=attempt.server,
        created_at=now,
    )


def _how(leg: Attempt) -> Missed:
    return missed_by(leg.cause or leg.leg_cause, 0 if leg.originate_reason == 3 else leg.sip_code or leg.leg_sip_code)
