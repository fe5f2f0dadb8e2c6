"""Where each agent of a queue is, and since when: free, in a talk, at rest or away. Derived at each look."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from astdialer.domain.agent import AgentStatus, QueueMember
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk

_Key = tuple[str, str, str]  # server, queue, interface

_NOT_HERE = (AgentStatus.UNAVAILABLE, AgentStatus.INVALID, AgentStatus.UNKNOWN)


class Stage(Enum):
    """What an agent is doing, as far as calls for it are concerned."""

    FREE = auto()
    TALKING = auto()  #: from the moment at which its telephone rings
    RESTING = auto()
    AWAY = auto()


@dataclass(slots=True)
class Post:
    """One agent in one queue."""

    stage: Stage
    since: int
    campaign_id: int | None = None  #: whose talk it is in, or rests from; None: nobody's that is known


class Listener(Protocol):
    """Who wants to know how long talks and rests last."""

    def talk_ended(self, campaign_id: int, lasted_s: float) -> None:
        """An agent was so long in one of the campaign's calls."""

    def rest_ended(self, campaign_id: int, lasted_s: float) -> None:
        """An agent was free again so long after a talk of the campaign's."""

    def surprised(self, server: str, queue: str) -> None:
        """An agent was found in a talk or at rest: since when, nobody has seen."""


class Floor:
    """Agents by server, queue and interface."""

    def __init__(self, context: Context, desk: Desk, listener: Listener) -> None:
        self._context, self._desk, self._listener = context, desk, listener
        self._posts: dict[_Key, Post] = {}

    def posts(self, server: str, queue: str) -> list[Post]:
        """The agents of a queue, as at the last look."""
        return [post for (on, of, _), post in self._posts.items() if on == server and of == queue]

    def look(self) -> None:
        """See who has come and gone, and what has ended."""
        now, owners = self._context.clock.now(), self._owners()
        members = {(m.server, m.queue, m.interface): m for m in self._context.agents.members()}
        for key in set(self._posts) - set(members):
            del self._posts[key]
        for key, stage in self._stages(members):
            owner = owners.get(key) if stage is Stage.TALKING else None
            self._move(key, stage, now, owner)

    def _owners(self) -> Mapping[_Key, Call]:
        """The call that an agent is in, in the queue that the call is for."""
        context = self._context
        return {
            (call.attempt.server, context.campaign_of(call).settings.queue, call.attempt.agent): call
            for call in context.calls
            if call.has_agent and not call.is_gone
        }

    def _stages(self, members: Mapping[_Key, QueueMember]) -> Iterator[tuple[_Key, Stage]]:
        reserved = {server: self._desk.reserved(server) for server in {key[0] for key in members}}
        for key, member in members.items():
            yield key, self._stage(member, reserved[key[0]])

    def _stage(self, member: QueueMember, reserved: Collection[str]) -> Stage:
        if member.status in _NOT_HERE or member.is_away:
            return Stage.AWAY
        if member.interface in reserved:
            return Stage.TALKING
        idle = member.status is AgentStatus.NOT_INUSE and not member.in_call
        if not idle or self._desk.is_resting(member):
            return Stage.RESTING if idle else Stage.TALKING
        return Stage.FREE if self._desk.is_idle(member) else Stage.TALKING

    def _move(self, key: _Key, stage: Stage, now: int, owner: Call | None) -> None:
        post = self._posts.get(key)
        if post is None:
            post = self._posts[key] = Post(stage, now)
            if owner is None and stage in (Stage.TALKING, Stage.RESTING):
                self._listener.surprised(key[0], key[1])
        elif post.stage is not stage:
            self._ended(post, stage, (now - post.since) / 1000)
            keeps = post.stage is Stage.TALKING and stage is Stage.RESTING
            post.campaign_id = post.campaign_id if keeps else None
            post.stage, post.since = stage, now
        if owner is not None:
            post.campaign_id = owner.attempt.campaign_id
            post.since = min(post.since, owner.attempt.connected_at or now)

    def _ended(self, post: Post, then: Stage, lasted_s: float) -> None:
        """Tell what has ended. Who has paused in wrap-up has not ended it."""
        if post.campaign_id is None:
            return
        if post.stage is Stage.TALKING:
            self._listener.talk_ended(post.campaign_id, lasted_s)
        if Stage.TALKING is post.stage and then is Stage.FREE:
            self._listener.rest_ended(post.campaign_id, 0.0)
        elif post.stage is Stage.RESTING and then is not Stage.AWAY:
            self._listener.rest_ended(post.campaign_id, lasted_s)
