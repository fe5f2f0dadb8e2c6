"""The calls that are live now: derived from the store's open attempts, and followed by events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from astdialer.domain import attempt as life
from astdialer.domain.amd import Action
from astdialer.domain.attempt import Attempt, State
from astdialer.domain.contact import Contact
from astdialer.domain.events import AttemptEvent
from astdialer.ports import Claim


@dataclass(slots=True)
class Call:
    """An open attempt with what it was claimed from. The contact is as the claim left it."""

    attempt: Attempt
    contact: Contact
    base: str
    unsaved: bool = False  #: the attempt knows more than the store
    via_context: str = ""  #: a manual call that leaves by this dialplan context, not by its trunk
    auto_answer: bool = False  #: its agent's telephone is asked to answer by itself
    caller_id: str = ""  #: what the called person will be shown, once that is chosen
    steps: int | None = None  #: how likely an answer is, see domain.propensity; None: not reckoned yet

    @property
    def has_agent(self) -> bool:
        """Whether an agent has taken it."""
        return self.attempt.connected_at is not None

    @property
    def is_gone(self) -> bool:
        """Whether its channel has ended, though it is not closed yet."""
        return self.attempt.state >= State.GONE

    @property
    def may_need_agent(self) -> bool:
        """Whether an agent may have to take it: nobody has or is reserved for it, and no machine answered."""
        attempt = self.attempt
        taken = attempt.connected_at is not None or attempt.reserved_agent or attempt.state >= State.GONE
        return not taken and attempt.action not in (Action.MESSAGE, Action.HANGUP)

    @property
    def waits_in_queue(self) -> bool:
        """Answered, in the queue, and without an agent."""
        return self.attempt.action is Action.QUEUE and not self.has_agent and not self.is_gone


class LiveCalls:
    """Every open attempt of this engine, by id. ``on_change`` is called after each fact that was news, with the
    call and its attempt as it was before."""

    def __init__(self, on_change: Callable[[Call, Attempt], None]) -> None:
        self._calls: dict[str, Call] = {}
        self._on_change = on_change

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls.values()))

    def add(self, claims: Iterable[Claim]) -> list[Call]:
        """Begin to follow these attempts; those that are followed already are left out."""
        new = [
            Call(claim.attempt, claim.contact, claim.base) for claim in claims if claim.attempt.id not in self._calls
        ]
        self._calls.update((call.attempt.id, call) for call in new)
        return new

    def get(self, attempt_id: str) -> Call | None:
        """The live call, or None."""
        return self._calls.get(attempt_id)

    def handle(self, event: AttemptEvent) -> None:
        """Merge a fact into its attempt. Facts about strangers are none of our business."""
        call = self._calls.get(event.attempt_id)
        if call is None:
            return
        before = call.attempt
        call.attempt = life.apply(before, event)
        if call.attempt != before:
            call.unsaved = True
            self._on_change(call, before)

    def unsaved(self) -> list[Call]:
        """Calls whose attempt knows more than the store."""
        return [call for call in self._calls.values() if call.unsaved]

    def over(self, now: int) -> list[Call]:
        """Calls that can be closed."""
        return [call for call in self._calls.values() if life.is_over(call.attempt, now)]

    def remove(self, calls: Iterable[Call]) -> None:
        """Forget calls that the store has closed."""
        for call in calls:
            self._calls.pop(call.attempt.id, None)

    def of_campaign(self, campaign_id: int) -> list[Call]:
        """Live calls of a campaign."""
        return [call for call in self._calls.values() if call.attempt.campaign_id == campaign_id]

    def of_server(self, server: str) -> list[Call]:
        """Live calls on an Asterisk."""
        return [call for call in self._calls.values() if call.attempt.server == server]

    def on_trunk(self, trunk: str) -> int:
        """How many calls a trunk carries."""
        return sum(1 for call in self._calls.values() if call.attempt.trunk == trunk and not call.is_gone)

    def untried_on(self, trunk: str) -> int:
        """How many calls of a trunk nobody has heard of yet: they were placed and have neither rung nor ended."""
        return sum(
            1
            for call in self._calls.values()
            if call.attempt.trunk == trunk and not call.is_gone and call.attempt.state < State.RINGING
        )

    def reserved_agents(self, server: str) -> dict[str, Call]:
        """The agents, by interface, who are reserved for a live call or talk in one."""
        return {
            call.attempt.reserved_agent: call
            for call in self._calls.values()
            if call.attempt.reserved_agent and call.attempt.server == server and not call.is_gone
        }
