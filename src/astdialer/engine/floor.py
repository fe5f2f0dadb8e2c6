"""Where each agent of a queue is, and since when: free, in a talk, at rest or away. Derived at each look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from astdialer.domain.agent import AgentStatus, QueueMember
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk

_Key = tuple[str, str, str]  # server, queue, interface

#: So large a share of a team may be in talks of unknown age before that is a surprise.
_FEW = 0.2
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
    attempt_id: str = ""  #: the call that it talks in


class Listener(Protocol):
    """Who wants to know how long talks and rests last."""

    def talk_ended(self, campaign_id: int, lasted_s: float) -> None:
        """An agent was so long in one of the campaign's calls."""

    def rest_ended(self, campaign_id: int, lasted_s: float) -> None:
        """An agent was free again so long after a talk of the campaign's."""

    def surprised(self, server: str, queue: str) -> None:
        """A link came up, and many agents were found in talks or at rest: since when, nobody has seen."""


class Floor:
    """Agents by server, queue and interface."""

    def __init__(self, context: Context, desk: Desk, listener: Listener) -> None:
        self._context, self._desk, self._listener = context, desk, listener
        self._posts: dict[_Key, Post] = {}
        self._by_queue: Mapping[tuple[str, str], Sequence[Post]] = {}

    def posts(self, server: str, queue: str) -> Sequence[Post]:
        """The agents of a queue, as at the last look."""
        return self._by_queue.get((server, queue), ())

    def look(self) -> None:
        """See who has come and gone, and what has ended."""
        now, owners = self._context.clock.now(), self._owners()
        members = {(m.server, m.queue, m.interface): m for m in self._context.agents.members()}
        known_servers = {key[0] for key in self._posts}
        for key in set(self._posts) - set(members):
            del self._posts[key]
        by_queue: dict[tuple[str, str], list[Post]] = defaultdict(list)
        for key, stage in self._stages(members):
            self._move(key, stage, now, owners.get(key) if stage is Stage.TALKING else None)
            by_queue[key[0], key[1]].append(self._posts[key])
        self._by_queue = by_queue
        for (server, queue), posts in by_queue.items():
            if server not in known_servers and _are_many(posts):
                self._listener.surprised(server, queue)

    def _owners(self) -> Mapping[_Key, Call]:
        """The call that an agent is in, in the queue that the call is for."""
        context = self._context
        return {
            (call.attempt.server, context.campaign_of(call).settings.queue, call.attempt.agent): call
            for call in context.calls
            if call.has_agent and not call.is_gone and call.attempt.talk_ended_at is None
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
        post = self._posts.setdefault(key, Post(stage, now))
        if post.stage is not stage:
            self._ended(post, stage, (now - post.since) / 1000)
            keeps = post.stage is Stage.TALKING and stage is Stage.RESTING
            self._posts[key] = post = Post(stage, now, post.campaign_id if keeps else None)
        if owner is not None:
            self._talks_in(post, owner, now)

    def _talks_in(self, post: Post, owner: Call, now: int) -> None:
        attempt = owner.attempt
        began = (attempt.connected_at or now) - int(1000 * attempt.agent_ring_s)
        if post.attempt_id not in ("", attempt.id):  # the next talk has begun before anybody looked
            self._ended(post, Stage.FREE, (began - post.since) / 1000)
            post.since = began
        post.campaign_id, post.attempt_id, post.since = attempt.campaign_id, attempt.id, min(post.since, began)

    def _ended(self, post: Post, then: Stage, lasted_s: float) -> None:
        """Tell what has ended. Who has paused in a talk or in wrap-up has not ended it."""
        if post.campaign_id is None or then is Stage.AWAY:
            return
        if post.stage is Stage.TALKING:
            self._listener.talk_ended(post.campaign_id, lasted_s)
        if post.stage is Stage.RESTING or then is Stage.FREE:
            self._listener.rest_ended(post.campaign_id, lasted_s if post.stage is Stage.RESTING else 0.0)


def _are_many(posts: Sequence[Post]) -> bool:
    """Whether so many agents of a team are in talks or at rest, since nobody knows when, that it matters."""
    busy = sum(post.campaign_id is None and post.stage in (Stage.TALKING, Stage.RESTING) for post in posts)
    return busy > _FEW * len(posts)
