"""The mirror of app_queue."""

import dataclasses

import pytest
from engine_doubles import AGENT, NOON, member

from astdialer.domain.agent import AgentStatus, QueueMember
from astdialer.engine.agents import AgentMirror
from astdialer.ports import MemberGone, MemberSeen, MemberTalk

S = AgentStatus
BEGINS = MemberTalk(server="default", queue="sales", interface=AGENT, in_call=True, at=NOON)
ENDS = dataclasses.replace(BEGINS, in_call=False, at=NOON + 60_000)


class Changes:
    count = 0

    def __call__(self) -> None:
        self.count += 1


def mirror(*members: QueueMember) -> AgentMirror:
    made = AgentMirror(lambda: None)
    made.replace_all("default", members)
    return made


def free(agents: AgentMirror, server: str, queue: str, now: int, wrap_up_s: int) -> int:
    return sum(found.is_free(now, wrap_up_s) for found in agents.members(server, queue))


def only(agents: AgentMirror) -> QueueMember:
    (found,) = agents.members()
    return found


@pytest.mark.parametrize("status", [status for status in S if status is not S.WRAPUP])
def test_only_not_in_use_is_free(status: AgentStatus) -> None:
    assert free(mirror(member(status)), "default", "sales", NOON, 0) == (status is S.NOT_INUSE)


@pytest.mark.parametrize("status", [status for status in S if status is not S.WRAPUP])
def test_who_has_no_telephone_is_not_logged_in(status: AgentStatus) -> None:
    absent = status in (S.UNAVAILABLE, S.INVALID)
    assert mirror(member(status)).logged_in("default", "sales") == (not absent)


def test_a_paused_agent_is_neither_free_nor_logged_in_and_keeps_its_reason() -> None:
    agents = mirror()
    agents.handle(MemberSeen(member(paused=True, pause_reason="lunch")))
    assert free(agents, "default", "sales", NOON, 0) == agents.logged_in("default", "sales") == 0
    assert only(agents).pause_reason == "lunch"
    agents.handle(MemberSeen(member()))
    assert free(agents, "default", "sales", NOON, 0) == 1


def test_wrap_up_follows_a_talk_and_ends_by_the_clock() -> None:
    agents = mirror(member())
    agents.handle(BEGINS)
    assert free(agents, "default", "sales", NOON, 10) == 0
    agents.handle(ENDS)
    assert only(agents).status_at(ENDS.at + 9_999, 10) is S.WRAPUP
    assert free(agents, "default", "sales", ENDS.at + 9_999, 10) == 0
    assert free(agents, "default", "sales", ENDS.at + 10_000, 10) == 1
    assert only(agents).calls_taken == 1


def test_a_status_of_a_talk_that_begins_does_not_end_it() -> None:
    """Its event still says InCall: 0."""
    agents = mirror(member())
    agents.handle(BEGINS)
    agents.handle(MemberSeen(member(S.INUSE, in_call=False)))
    assert only(agents).in_call
    agents.handle(MemberSeen(member(S.NOT_INUSE, in_call=False)))
    assert not only(agents).in_call


def test_an_event_knows_of_a_talk_that_nobody_saw_begin() -> None:
    agents = mirror(member())
    agents.handle(MemberSeen(member(S.INUSE, in_call=True)))
    assert only(agents).in_call


def test_the_end_of_the_last_talk_is_the_later_one() -> None:
    """LastCall has whole seconds; ours has milliseconds."""
    agents = mirror(member())
    agents.handle(ENDS)
    agents.handle(MemberSeen(member(last_call_at=ENDS.at - 999)))
    assert only(agents).last_call_at == ENDS.at


def test_a_talk_of_a_stranger_is_ignored() -> None:
    agents = mirror()
    agents.handle(BEGINS)
    agents.handle(MemberGone(server="default", queue="sales", interface=AGENT))
    assert agents.members() == []


def test_a_member_that_left_is_gone() -> None:
    agents = mirror(member(), member(interface="PJSIP/2"))
    agents.handle(MemberGone(server="default", queue="sales", interface=AGENT))
    assert [found.interface for found in agents.members()] == ["PJSIP/2"]


def test_each_server_and_queue_has_its_own() -> None:
    agents = mirror(member(), member(queue="care"))
    agents.replace_all("two", [member(server="two", interface="PJSIP/9")])
    assert len(agents.members()) == 3
    assert [found.queue for found in agents.members("default", "care")] == ["care"]
    assert free(agents, "two", "sales", NOON, 0) == 1
    agents.forget("default")
    assert [found.server for found in agents.members()] == ["two"]


def test_a_list_replaces_all_that_was_known_of_its_server() -> None:
    agents = mirror(member(), member(interface="PJSIP/2"))
    agents.replace_all("default", [member(S.RINGING)])
    assert agents.ringing("default", "sales") == 1
    assert len(agents.members()) == 1


def test_every_event_is_told() -> None:
    changes = Changes()
    agents = AgentMirror(changes)
    agents.handle(MemberSeen(member()))
    agents.handle(BEGINS)
    agents.forget("default")
    assert changes.count == 3
