"""Agents as the engine uses them: who is free, whose turn it is, who is reserved or rests.

A reserved or resting agent is paused in Asterisk as well, with a reason of ours, so that no queue rings them meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from astdialer.domain.agent import (
    OUR_PAUSE,
    AgentProfile,
    AgentRecord,
    AgentStatus,
    Missed,
    QueueMember,
    in_turn,
    is_agent,
    parse_strategy,
)
from astdialer.domain.attempt import Attempt
from astdialer.domain.campaign import ACTIVE, Campaign
from astdialer.domain.errors import Unavailable
from astdialer.domain.names import parse_names
from astdialer.domain.settings import Settings
from astdialer.engine.context import Context

logger = logging.getLogger(__name__)

RESERVED, RESTS, WRAPS_UP = OUR_PAUSE + "reserved", OUR_PAUSE + "rests", OUR_PAUSE + "wrap-up"


@dataclass(slots=True)
class Seat:
    """What is known about one agent beyond app_queue; derived, and begun anew with the engine."""

    calls: int = 0
    talk_s: float = 0
    idle_since: int = 0
    offered_at: int = 0
    here_since: int = 0
    missed_in_a_row: int = 0
    rests_until: int = 0
    asked: str = ""  #: the reason of the pause that Asterisk was last asked for; empty: none


class Desk:
    """``rng`` gives numbers from 0 to 1, for the random strategy."""

    def __init__(self, context: Context, rng: Callable[[], float] = random.random) -> None:
        self._context, self._calls, self._agents = context, context.calls, context.agents
        self._clock, self._telephony, self._directory = context.clock, context.telephony, context.directory
        self._rng = rng
        self._seats: dict[tuple[str, str], Seat] = {}
        self._promised: set[tuple[str, str]] = set()
        self._pauses: set[asyncio.Task[None]] = set()

    def seat(self, server: str, interface: str) -> Seat:
        """The agent's seat, made when it is first asked for."""
        now = self._clock.now()
        return self._seats.setdefault((server, interface), Seat(here_since=now, idle_since=now))

    # --- who is free -------------------------------------------------------------------------------------------------

    def is_free(self, member: QueueMember) -> bool:
        """Whether a call may be placed for the agent now."""
        return self._is_free(member, self.reserved(member.server))

    def _is_free(self, member: QueueMember, reserved: Collection[str]) -> bool:
        return member.interface not in reserved and self.is_idle(member)

    def is_idle(self, member: QueueMember) -> bool:
        """Whether the agent could take a call, unless it is reserved for one."""
        now = self._clock.now()
        return self.rests_until(member) <= now and member.is_free(now, self._wrap_up_s(member))

    def is_still_idle(self, member: QueueMember) -> bool:
        """Whether the agent, as the mirror has it now, may take the call that it is promised to."""
        current = self._current(member)
        return current is not None and self.is_idle(current)

    def _current(self, member: QueueMember) -> QueueMember | None:
        found = (m for m in self._agents.members(member.server, member.queue) if m.interface == member.interface)
        return next(found, None)

    def reserved(self, server: str) -> set[str]:
        """Who is promised to a call, or in one; after its end until it is closed, for only then the rest begins."""
        in_calls = {call.attempt.reserved_agent for call in self._calls if call.attempt.server == server}
        return in_calls | {interface for on, interface in self._promised if on == server}

    @contextmanager
    def promised(self, server: str, interface: str) -> Iterator[None]:
        """Nobody else may have the agent while a call is claimed for it."""
        self._promised.add((server, interface))
        try:
            yield
        finally:
            self._promised.discard((server, interface))

    def rests_until(self, member: QueueMember) -> int:
        """Until when the agent rests after a call or a missed one; 0: not at all."""
        seat = self._seats.get((member.server, member.interface))
        return seat.rests_until if seat else 0

    def is_resting(self, member: QueueMember) -> bool:
        """Whether the agent is in wrap-up, or rests after a call that it missed."""
        now = self._clock.now()
        in_wrap_up = member.status_at(now, self._wrap_up_s(member)) is AgentStatus.WRAPUP
        return in_wrap_up or (not member.is_away and self.rests_until(member) > now)

    def is_reserved(self, member: QueueMember) -> bool:
        """Whether the agent is promised to a call, or in one that is not closed yet."""
        return member.interface in self.reserved(member.server)

    def _wrap_up_s(self, member: QueueMember) -> int:
        own = self._directory.profile(member.interface, member.name).wrap_up_s
        return self._directory.wrap_up_s(member.server, member.queue) if own is None else own

    def free_in(self, server: str, queue: str) -> int:
        """How many agents of a queue a call may be placed for."""
        reserved = self.reserved(server)
        return sum(self._is_free(member, reserved) for member in self._agents.members(server, queue))

    def free_for(self, campaign: Campaign) -> list[QueueMember]:
        """The free agents that a campaign may reserve, whose turn it is first."""
        reserved = self.reserved(self._directory.server_of(campaign))
        free = {m.interface: m for m in self.team(campaign) if self._is_free(m, reserved)}
        strategy = parse_strategy(campaign.settings.agent_strategy)
        records = [self._record(member, position) for position, member in enumerate(free.values())]
        return [free[r.interface] for r in in_turn(strategy, records, self._clock.now(), self._rng)]

    def still_free_for(self, campaign: Campaign, limit: int) -> Iterator[QueueMember]:
        """The first of the free agents, each asked again when it is its turn: a claim for those before takes time."""
        for member in self.free_for(campaign)[:limit]:
            if self.is_still_idle(member) and not self.is_reserved(member):
                yield member

    def team(self, campaign: Campaign) -> list[QueueMember]:
        """Who takes the campaign's agent-first calls: its queue's agents, or those it names and who have its skills."""
        server, settings = self._directory.server_of(campaign), campaign.settings
        members = self._agents.members(server, settings.queue)
        named, skills = parse_names("agents", settings.agents), parse_names("skills", settings.skills)
        if not named and not skills:
            return members
        chosen = [m for m in members if any(is_agent(text, m.interface, m.name) for text in named)]
        return chosen + [m for m in self._agents.members(server) if self._has_skill(m, skills)]

    def _has_skill(self, member: QueueMember, skills: tuple[str, ...]) -> bool:
        return not set(skills).isdisjoint(self._directory.profile(member.interface, member.name).skills)

    def _record(self, member: QueueMember, position: int) -> AgentRecord:
        seat = self.seat(member.server, member.interface)
        return AgentRecord(
            interface=member.interface,
            calls=seat.calls,
            talk_s=seat.talk_s,
            idle_since=max(seat.idle_since, member.last_call_at),
            offered_at=seat.offered_at,
            here_since=seat.here_since,
            position=position,
        )

    # --- what happens to them ----------------------------------------------------------------------------------------

    def reserve(self, server: str, interface: str) -> None:
        """A call is about to be placed for the agent."""
        self.seat(server, interface).offered_at = self._clock.now()
        self._hold_back(server, interface, RESERVED)

    def released(self, attempt: Attempt, settings: Settings) -> None:
        """A call that the agent was reserved for has ended."""
        server, interface, now = attempt.server, attempt.reserved_agent, self._clock.now()
        seat = self.seat(server, interface)
        if attempt.connected_at is not None:
            ended_at = attempt.talk_ended_at or attempt.gone_at or now
            seat.calls, seat.missed_in_a_row, seat.idle_since = seat.calls + 1, 0, ended_at
            seat.talk_s += max(0, ended_at - attempt.connected_at) / 1000
            self._agents.talked(server, interface, ended_at)
            own = self._directory.profile(interface).wrap_up_s
            self.rest(server, interface, settings.wrap_up_s if own is None else own, WRAPS_UP)
        elif seat.asked == RESERVED and seat.rests_until <= now:
            self._let_go(server, interface)

    def missed(self, server: str, interface: str, how: Missed, settings: Settings) -> None:
        """The agent did not take a call: it rests as the campaign says, and is paused after too many."""
        seat, profile = self.seat(server, interface), self._directory.profile(interface)
        seat.missed_in_a_row += 1
        limit = _own(profile.max_no_answer, settings.max_no_answer)
        if how is Missed.NO_ANSWER and limit and seat.missed_in_a_row >= limit:
            logger.warning("agent.paused", extra={"agent": interface, "missed": seat.missed_in_a_row})
            self.pause(server, interface, paused=True, reason=f"{seat.missed_in_a_row} calls not answered")
            seat.missed_in_a_row, seat.rests_until = 0, 0
            return
        self.rest(server, interface, _delay_s(how, profile, settings), RESTS)

    def rest(self, server: str, interface: str, seconds: float, reason: str) -> None:
        """No call for the agent for so long."""
        now, seat = self._clock.now(), self.seat(server, interface)
        seat.rests_until = now + int(seconds * 1000)
        if seconds > 0:
            self._hold_back(server, interface, reason)
        elif seat.asked.startswith(OUR_PAUSE):
            self._let_go(server, interface)

    def _hold_back(self, server: str, interface: str, reason: str) -> None:
        """Keep the queues from ringing the agent; one who has paused is not rung anyway, and keeps the own reason."""
        if not self._is_away(server, interface):
            self.pause(server, interface, paused=True, reason=reason)

    def _let_go(self, server: str, interface: str) -> None:
        if not self._is_away(server, interface):
            self.pause(server, interface, paused=False)

    def _is_away(self, server: str, interface: str) -> bool:
        """Whether the agent has paused, or was paused for not answering: that is not ours to end."""
        return any(m.is_away for m in self._agents.members(server) if m.interface == interface)

    def wake(self) -> None:
        """End the pauses of ours that are over, and those that an engine before us has left."""
        now = self._clock.now()
        for member in self._agents.members():
            held = self.is_reserved(member) or self.rests_until(member) > now
            if member.is_paused_by_us and not held:
                self.pause(member.server, member.interface, paused=False)

    def dismiss(self) -> None:
        """The engine ends: no pause of ours stays behind."""
        for member in self._agents.members():
            asked = self.seat(member.server, member.interface).asked.startswith(OUR_PAUSE)
            if member.is_paused_by_us or (asked and not member.is_away):
                self.pause(member.server, member.interface, paused=False)

    def pause(self, server: str, interface: str, *, paused: bool, reason: str = "") -> None:
        """Tell Asterisk, in the background: nobody waits for it."""
        self.seat(server, interface).asked = reason if paused else ""
        task = asyncio.create_task(self._pause(server, interface, paused=paused, reason=reason))
        self._pauses.add(task)
        task.add_done_callback(self._pauses.discard)

    async def _pause(self, server: str, interface: str, *, paused: bool, reason: str) -> None:
        try:
            await self._telephony.pause_member(server, interface, paused=paused, reason=reason)
        except Unavailable as error:
            logger.warning("agent.pause_failed", extra={"agent": interface, "error": str(error)})

    def new_day(self, campaign: Campaign) -> None:
        """The day's counts of the campaign's agents begin anew."""
        for member in self.team(campaign):
            seat = self.seat(member.server, member.interface)
            seat.calls, seat.talk_s, seat.here_since = 0, 0.0, self._clock.now()

    def missed_in_queue(self, server: str, queue: str, interface: str) -> None:
        """app_queue rang the agent in vain: the campaign that dials for the queue says what that means."""
        active = [campaign for campaign in self._directory.of_queue(server, queue) if campaign.state in ACTIVE]
        if active:
            strictest = min((campaign.settings for campaign in active), key=_patience)
            self.missed(server, interface, Missed.NO_ANSWER, strictest)

    def took_from_queue(self, server: str, interface: str) -> None:
        """The agent took a call of a queue."""
        seat = self.seat(server, interface)
        seat.calls, seat.missed_in_a_row = seat.calls + 1, 0

    async def settle(self) -> None:
        """Wait until Asterisk has been told everything."""
        await asyncio.gather(*self._pauses, return_exceptions=True)

    def callable_by_hand(self, member: QueueMember) -> bool:
        """Whether the agent's telephone may be rung for a call that it asked for: pauses and rests do not matter."""
        return _is_on_hook(member) and not self.is_reserved(member)

    def is_still_callable_by_hand(self, member: QueueMember) -> bool:
        """The same of an agent as the mirror has it now, who is promised to the call by hand."""
        current = self._current(member)
        return current is not None and _is_on_hook(current)


def _is_on_hook(member: QueueMember) -> bool:
    return member.status in (AgentStatus.NOT_INUSE, AgentStatus.UNKNOWN) and not member.in_call


def _own(profiles: int | None, campaigns: int) -> int:
    return campaigns if profiles is None else profiles


def _patience(settings: Settings) -> tuple[bool, int, int]:
    """Orders campaigns by how soon an agent who does not answer is paused, and then by how long it rests."""
    return not settings.max_no_answer, settings.max_no_answer, -settings.no_answer_delay_s


def _delay_s(how: Missed, profile: AgentProfile, settings: Settings) -> int:
    return {
        Missed.BUSY: _own(profile.busy_delay_s, settings.busy_delay_s),
        Missed.REJECTED: _own(profile.reject_delay_s, settings.reject_delay_s),
        Missed.NO_ANSWER: _own(profile.no_answer_delay_s, settings.no_answer_delay_s),
    }[how]


def buckets_of(member: QueueMember, profile: AgentProfile, bound: frozenset[str]) -> tuple[str, ...]:
    """Of the buckets that have contacts, those that are this agent's: by extension or name, or by its profile."""
    mine = [b for b in bound if b.startswith("@") and is_agent(b[1:], member.interface, member.name)]
    return (*mine, *(bucket for bucket in profile.buckets if bucket in bound))
