"""Calls that ring their agent first: reserve the agent, ring it, let it look and decide, and only then dial.

Each call has a task here from its claim until both of its legs are gone. What it waits for are facts: of the agent's
leg, which is followed like an attempt under the id ``leg_id``, and of the attempt itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from astdialer.domain import attempt as life
from astdialer.domain.agent import Missed, missed_by
from astdialer.domain.amd import Action
from astdialer.domain.attempt import Attempt
from astdialer.domain.errors import AstdialerError, NotFound, OriginateRefused, Unavailable
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
#: A call that is taken back may have no channel yet: it is hung up again so often.
TAKE_BACK_TRIES = 5


@dataclass(slots=True)
class _Leg:
    """An agent's telephone that is rung for a call."""

    call: Call
    attempt: Attempt  #: the leg, in the shape of an attempt
    answer: str = ""  #: preview: accept or skip, once that is known
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class AgentFirst:
    """``place`` sends the customer's call; it is the placer's. ``on_ring`` is told each call whose agent's telephone
    rings."""

    def __init__(
        self,
        context: Context,
        desk: Desk,
        caller_ids: CallerIds,
        place: Callable[[Call, Trunk], None],
        on_ring: Callable[[Call], None] = lambda _: None,
    ) -> None:
        self._context, self._desk, self._caller_ids, self._place = context, desk, caller_ids, place
        self._calls, self._clock, self._store = context.calls, context.clock, context.store
        self._telephony, self._on_ring = context.telephony, on_ring
        self._legs: dict[str, _Leg] = {}
        self._of_attempts: dict[str, _Leg] = {}
        self._left: set[tuple[str, str]] = set()  #: legs that could not be hung up for want of a link
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, event: AttemptEvent) -> None:
        """A fact about an agent's leg, or about the call that it is for; those of strangers are ignored."""
        leg = self._legs.get(event.attempt_id)
        if leg:
            before = leg.attempt
            leg.attempt = life.apply(before, event)
            if _has_rung(leg.attempt) and not _has_rung(before):
                self._on_ring(leg.call)
            leg.changed.set()
        elif event.attempt_id in self._of_attempts:
            self._of_attempts[event.attempt_id].changed.set()

    def begin(self, call: Call, trunk: Trunk, *, preview: bool) -> None:
        """Ring the agent that the attempt is reserved for, and go on from there."""
        leg = self._leg(call)
        self._start(leg, self._through(leg, trunk, preview=preview), preview=preview)

    def take_up(self, call: Call) -> None:
        """Go on with a call that an engine before us has begun: its agent, if it is there, waits for nobody else."""
        leg = self._leg(call)
        leg.attempt = life.apply(leg.attempt, Sent(attempt_id=leg.attempt.id, at=call.attempt.created_at))
        self._start(leg, self._resume(leg), preview=True)

    def _leg(self, call: Call) -> _Leg:
        leg = _Leg(call, _leg_of(call.attempt, self._clock.now()))
        self._legs[leg.attempt.id] = self._of_attempts[call.attempt.id] = leg
        return leg

    def _start(self, leg: _Leg, life_of_call: Coroutine[Any, Any, None], *, preview: bool) -> None:
        task = asyncio.create_task(self._run(leg, life_of_call, preview=preview))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Dial nobody any more; agents who wait for nobody are let go. Who is called already is the next engine's."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what recovery asks ------------------------------------------------------------------------------------------

    def legs_of(self, server: str) -> dict[str, Attempt]:
        """The agents' channels that there should be on a server, by their ids."""
        return {key: leg.attempt for key, leg in self._legs.items() if leg.attempt.server == server}

    async def hang_up_left(self, server: str) -> None:
        """The link is back: let go the agents whose calls have ended meanwhile."""
        for each in [each for each in self._left if each[0] == server]:
            self._left.discard(each)
            await self._hang_up_leg(*each)

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

    async def _run(self, leg: _Leg, life_of_call: Coroutine[Any, Any, None], *, preview: bool) -> None:
        try:
            await life_of_call
        except asyncio.CancelledError:
            self._give_up(leg, "the engine stops", AGENT_MISSED_S)
            raise
        except AstdialerError as error:
            self._give_up(leg, str(error), AGENT_MISSED_S)
        except Exception as error:  # a fault that nobody foresaw must not keep the agent and the contact for ever
            logger.exception("agent_first.failed", extra={"attempt": leg.call.attempt.id})
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
        await self._see_through(leg)

    async def _resume(self, leg: _Leg) -> None:
        """The rest of a call that an engine before us has begun."""
        await self._until(leg, lambda: self._telephony.is_up(leg.attempt.server))
        await self._see_through(leg)

    async def _see_through(self, leg: _Leg) -> None:
        """From the moment at which the contact is called."""
        call = leg.call
        await self._until(leg, lambda: call.is_gone or self._is_over(leg) or _is_machine(call))
        if _is_machine(call):
            return  # what the machine is told does not concern the agent
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
            expires_at=now + (self._ring_s(leg) + settings.preview_s) * 1000,
        )
        await self._store.make_offer(offer)

    def _ring_s(self, leg: _Leg) -> int:
        """How long the agent's telephone rings."""
        own_s = self._context.directory.profile(leg.call.attempt.reserved_agent).call_timeout_s
        return self._context.campaign_of(leg.call).settings.agent_call_timeout_s if own_s is None else own_s

    async def _ring(self, leg: _Leg, trunk: Trunk, *, preview: bool) -> None:
        campaign = self._context.campaign_of(leg.call)
        leg.call.caller_id = self._caller_ids.pick(leg.call, campaign, trunk)
        places = self._context.options.places
        order = agent_leg(leg.call, campaign, places, timeout_s=self._ring_s(leg), preview=preview)
        self.handle(Sent(attempt_id=leg.attempt.id, at=self._clock.now()))
        try:
            await self._telephony.originate(order)
        except OriginateRefused as error:  # no fault of the agent's: without a rest it would be asked again and again
            self._context.trouble.refused(leg.call.attempt.campaign_id, str(error), self._clock.now())
            raise

    async def _agent_is_there(self, leg: _Leg) -> bool:
        """Until the agent has answered; False, with the consequences, if that will not be."""
        call = leg.call
        await self._until(leg, lambda: leg.attempt.was_answered or self._is_over(leg) or call.is_gone)
        if call.is_gone or (leg.attempt.was_answered and not self._is_over(leg)):
            return not call.is_gone
        self._missed(leg, _how(leg.attempt))
        return False

    async def _accepted(self, leg: _Leg) -> bool:
        """Until the agent, who has just answered, has decided; False unless it wants the call."""
        settings, attempt = self._context.campaign_of(leg.call).settings, leg.call.attempt
        until = self._clock.now() + settings.preview_s * 1000
        await self._quietly(self._store.limit_offer(attempt.id, until))
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
        """The agent hung up before the contact answered."""
        call = leg.call
        if call.attempt.dialed_at is None:
            self._give_up(leg, f"agent {call.attempt.reserved_agent} hung up", AGENT_MISSED_S)
            return
        self._calls.handle(Canceled(attempt_id=call.attempt.id, at=self._clock.now()))
        for _ in range(TAKE_BACK_TRIES):
            if call.is_gone:
                return
            await self._quietly(self._telephony.hang_up(call.attempt.server, call.attempt.id))
            await self._until(leg, lambda: call.is_gone, at_most_s=LOOK_S)

    async def _end(self, leg: _Leg, *, preview: bool) -> None:
        """Let the agent go, unless the contact is called: then the talk is theirs, with an engine or without."""
        waits = not leg.call.is_gone and leg.call.attempt.dialed_at is not None and not _is_machine(leg.call)
        if leg.attempt.dialed_at and not self._is_over(leg) and not waits:
            await self._hang_up_leg(leg.attempt.server, leg.attempt.id)
        if preview:
            await self._quietly(self._store.withdraw_offer(leg.call.attempt.id))
        del self._legs[leg.attempt.id], self._of_attempts[leg.call.attempt.id]

    async def _hang_up_leg(self, server: str, leg_id: str) -> None:
        if not await self._quietly(self._telephony.hang_up(server, leg_id)):
            self._left.add((server, leg_id))

    async def _quietly(self, work: Awaitable[object]) -> bool:
        try:
            await work
        except Unavailable as error:
            logger.warning("agent_first.cleaning_failed", extra={"error": str(error)})
            return False
        return True

    def _is_over(self, leg: _Leg) -> bool:
        return leg.attempt.gone_at is not None or life.is_over(leg.attempt, self._clock.now())

    async def _until(self, leg: _Leg, condition: Callable[[], bool], *, at_most_s: float | None = None) -> None:
        """Wait for the condition; facts of the leg are seen at once, all else within LOOK_S."""
        waited_s = 0.0
        while not condition() and (at_most_s is None or waited_s < at_most_s):
            leg.changed.clear()
            await _first(self._clock.sleep(LOOK_S), leg.changed.wait())
            waited_s += LOOK_S


def _has_rung(leg: Attempt) -> bool:
    """Some telephones answer without a ring."""
    return leg.ringing_at is not None or leg.was_answered


def _is_machine(call: Call) -> bool:
    """Whether a machine took the call: no agent is needed for it."""
    return call.attempt.action in (Action.MESSAGE, Action.HANGUP)


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
