"""The mirror of app_queue: every queue member, from QueueStatus at connect and events from then on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from astdialer.domain.agent import AgentStatus, QueueMember, is_agent
from astdialer.ports import MemberGone, MemberSeen, MemberTalk

_Key = tuple[str, str, str]  # server, queue, interface


class AgentMirror:
    """Queue members by server, queue and interface. ``on_change`` is called after each event."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._members: dict[_Key, QueueMember] = {}
        self._on_change = on_change

    def replace_all(self, server: str, members: Iterable[QueueMember]) -> None:
        """What QueueStatus lists is all there is."""
        known = self._members
        kept = {key: member for key, member in known.items() if key[0] != server}
        listed = {(server, m.queue, m.interface): m for m in members}
        self._members = kept | listed
        self._on_change()

    def forget(self, server: str) -> None:
        """The link is down: nothing is known about this server's agents."""
        self.replace_all(server, ())

    def handle(self, event: MemberSeen | MemberGone | MemberTalk) -> None:
        """Follow one event."""
        match event:
            case MemberSeen(member=member):
                self._see(member)
            case MemberGone():
                self._members.pop((event.server, event.queue, event.interface), None)
            case MemberTalk():
                self._talk(event)
        self._on_change()

    def _see(self, seen: QueueMember) -> None:
        key = (seen.server, seen.queue, seen.interface)
        known = self._members.get(key)
        if known:
            # The status event of a talk that begins still says InCall: 0, and LastCall has whole seconds only.
            talking = seen.in_call or (known.in_call and seen.status is not AgentStatus.NOT_INUSE)
            last = max(known.last_call_at, seen.last_call_at)
            seen = replace(seen, in_call=talking, last_call_at=last)
        self._members[key] = seen

    def _talk(self, event: MemberTalk) -> None:
        key = (event.server, event.queue, event.interface)
        member = self._members.get(key)
        if member:
            self._members[key] = replace(member, in_call=True) if event.in_call else member.talk_ended(event.at)

    def talked(self, server: str, interface: str, at: int) -> None:
        """An agent's talk ended that no queue knew of: its wrap-up begins, in all of its queues."""
        for key, member in self._members.items():
            if key[0] == server and key[2] == interface:
                self._members[key] = member.talk_ended(at)
        self._on_change()

    def member(self, server: str, text: str) -> QueueMember | None:
        """The agent whom an extension, interface or name means, in any queue; None if there is none."""
        found = (m for m in self._members.values() if m.server == server and is_agent(text, m.interface, m.name))
        return next(found, None)

    def members(self, server: str | None = None, queue: str | None = None) -> list[QueueMember]:
        """Members by server and queue, in no order."""
        return [
            member
            for (at, of, _), member in self._members.items()
            if (server is None or at == server) and (queue is None or of == queue)
        ]

    def logged_in(self, server: str, queue: str) -> int:
        """How many agents have a telephone that works and have not paused."""
        absent = (AgentStatus.UNAVAILABLE, AgentStatus.INVALID)
        return sum(m.status not in absent and not m.is_away for m in self.members(server, queue))

    def ringing(self, server: str, queue: str, but: Collection[str] = ()) -> int:
        """How many agents' telephones ring, without those of the interfaces ``but``."""
        rings = (m for m in self.members(server, queue) if m.status is AgentStatus.RINGING)
        return sum(m.interface not in but for m in rings)
