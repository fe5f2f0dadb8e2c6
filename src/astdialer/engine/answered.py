"""The answered path, as the FastAGI scripts ask for it."""

from __future__ import annotations

from typing import Protocol

from astdialer.domain.amd import Action, Verdict
from astdialer.domain.answer import action_for
from astdialer.domain.errors import NotFound
from astdialer.domain.events import ActionTaken, AmdFinished, Answered, Concluded
from astdialer.engine.answering import AnswerPlan, Conclusion
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.ports import NewEvent


class PreviewOffers(Protocol):
    """Contacts that agents look at before they are dialed."""

    def answer(self, attempt_id: str, key: str) -> str:
        """``wait``, ``dial`` or ``hangup``; ``key`` is what the agent pressed, or empty. Raises NotFound."""


class CallAnswering:
    """Implements engine.answering.Answering over the live calls."""

    def __init__(self, context: Context, offers: PreviewOffers | None = None) -> None:
        self._context, self._calls, self._clock = context, context.calls, context.clock
        self._offers = offers

    async def answered(self, attempt_id: str) -> AnswerPlan:
        """The call was answered; raises NotFound for an attempt that is not live."""
        settings = self._context.campaign_of(self._call(attempt_id)).settings
        self._calls.handle(Answered(attempt_id=attempt_id, at=self._clock.now()))
        return AnswerPlan(amd=settings.amd_parameters if settings.amd else None)

    async def amd_finished(self, attempt_id: str, verdict: Verdict, cause: str) -> None:
        """Keep AMD's verdict."""
        self._calls.handle(AmdFinished(attempt_id=attempt_id, at=self._clock.now(), verdict=verdict, cause=cause))

    async def next_action(self, attempt_id: str) -> Action:
        """What the call does next; raises NotFound."""
        call = self._call(attempt_id)
        settings, attempt = self._context.campaign_of(call).settings, call.attempt
        action = action_for(settings, attempt.amd_verdict, bound=bool(attempt.reserved_agent))
        self._calls.handle(ActionTaken(attempt_id=attempt_id, at=self._clock.now(), action=action))
        return action

    async def preview_answer(self, attempt_id: str, key: str) -> str:
        """What the phone of an agent who looks at a contact does; nobody waits where nothing is offered."""
        return self._offers.answer(attempt_id, key) if self._offers else "hangup"

    async def redirected(self, attempt_id: str, to: str) -> None:
        """Tell whoever listens that the call is handed over."""
        if call := self._calls.get(attempt_id):
            attempt = call.attempt
            event = NewEvent(
                at=self._clock.now(),
                kind="attempt.redirected",
                campaign_id=attempt.campaign_id,
                contact_id=attempt.contact_id,
                attempt_id=attempt.id,
                body={"number": attempt.number, "to": to},
            )
            await self._context.store.add_events([event])

    async def concluded(self, attempt_id: str, conclusion: Conclusion) -> None:
        """What the channel said in its hangup handler; what this engine did not see itself is taken from there."""
        call = self._calls.get(attempt_id)
        if call is None:
            return
        at = self._clock.now()
        if conclusion.amd_verdict and call.attempt.amd_verdict is None:
            await self.amd_finished(attempt_id, conclusion.amd_verdict, conclusion.amd_cause)
        if conclusion.action and call.attempt.action is None:
            self._calls.handle(ActionTaken(attempt_id=attempt_id, at=at, action=conclusion.action))
        event = Concluded(
            attempt_id=attempt_id,
            at=at,
            result=conclusion.result,
            queue_status=conclusion.queue_status,
            agent=conclusion.agent,
            key=conclusion.key,
        )
        self._calls.handle(event)

    def _call(self, attempt_id: str) -> Call:
        call = self._calls.get(attempt_id)
        if call is None:
            raise NotFound("live attempt", attempt_id)
        return call
