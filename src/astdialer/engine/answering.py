"""What the FastAGI scripts ask of the engine about an answered call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from astdialer.domain.amd import Action, AmdParameters, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan:
    """What to do first with an answered call: AMD with these parameters, or nothing."""

    amd: AmdParameters | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What only the channel knows, said at its end. Empty where there is nothing to say.

    ``action`` and the AMD fields repeat what this engine decided, or tell what the dialplan did without it.
    """

    result: str = ""  #: abandoned, played, message or agent_hung_up
    queue_status: str = ""
    agent: str = ""
    key: str = ""
    action: Action | None = None
    amd_verdict: Verdict | None = None
    amd_cause: str = ""


class Answering(Protocol):
    """The answered path of an attempt, as the scripts see it."""

    async def answered(self, attempt_id: str) -> AnswerPlan:
        """The call was answered. Raises NotFound for an attempt that is not live."""

    async def amd_finished(self, attempt_id: str, verdict: Verdict, cause: str) -> None:
        """Keep AMD's verdict with the attempt."""

    async def next_action(self, attempt_id: str) -> Action:
        """What the call does next, by the campaign's rules and AMD's verdict. Raises NotFound."""

    async def preview_answer(self, attempt_id: str, key: str) -> str:
        """What an agent's phone does who looks at a contact: ``wait``, ``dial`` or ``hangup``. Asked each second, with
        the key that was pressed meanwhile or nothing. Raises NotFound."""

    async def redirected(self, attempt_id: str, to: str) -> None:
        """An own dialplan is about to hand the call over, to an extension or a queue of its own. An unknown attempt is
        ignored."""

    async def concluded(self, attempt_id: str, conclusion: Conclusion) -> None:
        """What the channel said in its hangup handler. An unknown attempt is ignored."""
