"""Recorded traces of a real Asterisk (tests/captures), and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from astdialer.ami.translate import (
    Message,
    is_attempt_id,
    live_channel,
    queue_member,
    sip_code,
    translate,
)
from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus, QueueMember
from astdialer.domain.amd import Action
from astdialer.ports import LiveChannel, MemberGone, MemberSeen, MemberTalk, QueueCall, TelephonyEvent

ME = "11111111-1111-4111-8111-111111111111"  #: every recorded call's id
AT = 1_700_000_000_000
CAPTURES = Path(__file__).parents[2] / "captures"
MEMBER = QueueMember(server="pbx", queue="astdialer", interface="PJSIP/a", name="A", status=AgentStatus.NOT_INUSE)


def messages(name: str) -> Iterator[Message]:
    text = (CAPTURES / f"{name}.ami").read_bytes().decode()
    for block in text.split("\r\n\r\n"):
        lines = [line.partition(":") for line in block.split("\r\n") if line]
        if lines:
            yield {key: value.strip() for key, _, value in lines}


def facts(name: str) -> list[TelephonyEvent]:
    return [fact for message in messages(name) for fact in translate("pbx", message, AT)]


def of_the_attempt(name: str) -> set[ev.AttemptEvent]:
    return {fact for fact in facts(name) if isinstance(fact, ev.AttemptEvent)}


def created(channel: str) -> ev.ChannelCreated:
    return ev.ChannelCreated(attempt_id=ME, at=AT, channel=channel)


def ended(reason: int, *, success: bool = False) -> ev.OriginateEnded:
    return ev.OriginateEnded(attempt_id=ME, at=AT, success=success, reason=reason)


def hung_up(cause: int, code: int = 0) -> ev.HungUp:
    return ev.HungUp(attempt_id=ME, at=AT, cause=cause, sip_code=code)


def dial_ended(status: str) -> ev.DialEnded:
    return ev.DialEnded(attempt_id=ME, at=AT, dial_status=status)


def leg(status: str = "", cause: int = 0, code: int = 0) -> ev.LegEnded:
    return ev.LegEnded(attempt_id=ME, at=AT, dial_status=status, cause=cause, sip_code=code)


def asked(*, by_contact: bool) -> ev.HangupAsked:
    return ev.HangupAsked(attempt_id=ME, at=AT, by_contact=by_contact)


RINGING = ev.Ringing(attempt_id=ME, at=AT)
ANSWERED = ev.Answered(attempt_id=ME, at=AT)


@pytest.mark.parametrize(
    ("name", "status", "cause", "code"),
    [
        ("busy", "BUSY", 17, 486),
        ("dead_number", "NOANSWER", 1, 404),
        ("rejected", "NOANSWER", 21, 403),
        ("congestion", "CONGESTION", 34, 503),
    ],
)
def test_a_refused_call_has_cause_and_sip_code(name: str, status: str, cause: int, code: int) -> None:
    found = {fact for fact in of_the_attempt(name) if not isinstance(fact, ev.ChannelCreated)}
    assert found == {asked(by_contact=True), dial_ended(status), ended(0), hung_up(cause, code)}


def test_an_answered_call_that_we_end() -> None:
    found = of_the_attempt("answered_then_hung_up_by_us")
    assert {RINGING, ANSWERED, dial_ended("ANSWER"), ended(4, success=True), asked(by_contact=False)} <= found
    assert asked(by_contact=True) not in found
    assert any(isinstance(fact, ev.HungUp) for fact in found)


def test_an_answered_call_that_the_contact_ends() -> None:
    found = of_the_attempt("answered_then_hung_up_by_contact")
    assert {RINGING, ANSWERED, asked(by_contact=True), hung_up(16)} <= found


def test_a_call_that_rings_out_has_reason_3_and_a_code_that_asterisk_invented() -> None:
    found = {fact for fact in of_the_attempt("timeout_ringing") if not isinstance(fact, ev.ChannelCreated)}
    assert found == {RINGING, ended(3), hung_up(19, 480)}


def test_an_endpoint_that_does_not_exist_never_has_a_channel() -> None:
    assert facts("no_such_endpoint") == [ended(0)]


def test_hanging_up_while_it_rings() -> None:
    found = of_the_attempt("hang_up_while_ringing")
    assert {RINGING, dial_ended("NOANSWER"), ended(0)} <= found
    assert ANSWERED not in found


def test_a_local_channel_rings_and_answers_with_its_trunk_leg() -> None:
    found = [fact for fact in facts("local_answered") if isinstance(fact, ev.AttemptEvent)]
    assert {RINGING, ANSWERED, dial_ended("ANSWER"), ended(4, success=True)} <= set(found)
    assert [f.channel.endswith(";1") for f in found if isinstance(f, ev.ChannelCreated)] == [True]
    assert found.index(RINGING) < found.index(ANSWERED)


def test_behind_a_local_channel_the_trunk_leg_has_the_sip_code() -> None:
    found = of_the_attempt("local_busy")
    assert {leg("BUSY"), leg(cause=17, code=486), dial_ended("BUSY"), hung_up(17)} <= found
    found = of_the_attempt("local_dead_number")
    assert leg(cause=1, code=404) in found
    assert hung_up(1) in found


def test_a_contact_behind_a_local_channel_hangs_up() -> None:
    assert {asked(by_contact=True), hung_up(16)} <= of_the_attempt("local_hung_up_by_contact")


@pytest.mark.parametrize("name", ["queue", "local_queue", "queue_agent_hangs_up"])
def test_a_talk_with_an_agent(name: str) -> None:
    found = facts(name)
    connected = next(fact for fact in found if isinstance(fact, ev.AgentConnected))
    agent = connected.agent
    assert agent.startswith("PJSIP/agent")
    assert connected == ev.AgentConnected(attempt_id=ME, at=AT, agent=agent, ring_s=connected.ring_s)
    assert 0 <= connected.ring_s <= 2
    by = "caller" if name == "queue" else "agent"
    talk = MemberTalk(server="pbx", queue="astdialer", interface=agent, in_call=True, at=AT)
    order: list[TelephonyEvent] = [
        ev.ActionTaken(attempt_id=ME, at=AT, action=Action.QUEUE),
        connected,
        talk,
        ev.AgentFinished(attempt_id=ME, at=AT, agent=agent, ended_by=by),
        replace(talk, in_call=False),
    ]
    assert [fact for fact in found if fact in order] == order


@pytest.mark.parametrize("name", ["queue", "local_queue", "queue_nobody_takes"])
def test_an_agents_phone_that_rings_is_not_the_contacts(name: str) -> None:
    found = facts(name)
    assert max(n for n, fact in enumerate(found) if fact == RINGING) < found.index(
        ev.ActionTaken(attempt_id=ME, at=AT, action=Action.QUEUE)
    )


def test_whom_nobody_takes() -> None:
    found = facts("queue_nobody_takes")
    assert not any(isinstance(fact, ev.AgentConnected | MemberTalk) for fact in found)
    statuses = [fact.member.status for fact in found if isinstance(fact, MemberSeen)]
    assert AgentStatus.RINGING in statuses


def test_a_members_times_are_in_milliseconds() -> None:
    last = [fact.member for fact in facts("queue_agent_hangs_up") if isinstance(fact, MemberSeen)][-1]
    assert last.status is AgentStatus.NOT_INUSE
    assert not last.in_call
    assert last.calls_taken > 0
    assert last.last_call_at > 1_700_000_000_000
    assert last.last_call_at % 1000 == 0


def test_queue_status_names_its_fields_otherwise() -> None:
    found = [queue_member("pbx", item) for item in messages("queue_status") if item.get("Event") == "QueueMember"]
    assert [(member.interface, member.name) for member in found] == [
        (f"PJSIP/agent{n}", f"Lab Agent {n}") for n in (1, 2, 3)
    ]
    assert {member.status for member in found} == {AgentStatus.NOT_INUSE}


@pytest.mark.parametrize("event", ["Added", "Pause", "Penalty", "Ringinuse", "Status"])
def test_every_event_of_a_member_tells_all_of_it(event: str) -> None:
    message = {
        "Event": f"QueueMember{event}",
        "Queue": "astdialer",
        "MemberName": "A",
        "Interface": "PJSIP/a",
        "Penalty": "3",
        "CallsTaken": "7",
        "LastCall": "1700000000",
        "InCall": "1",
        "Status": "2",
        "Paused": "1",
        "PausedReason": "lunch",
        "Wrapuptime": "15",
    }
    expected = replace(
        MEMBER,
        status=AgentStatus.INUSE,
        paused=True,
        pause_reason="lunch",
        in_call=True,
        last_call_at=1_700_000_000_000,
        wrap_up_s=15,
        calls_taken=7,
        penalty=3,
    )
    assert translate("pbx", message, AT) == (MemberSeen(expected),)


def test_the_attempts_channel_enters_a_bridge_whatever_it_is_linked_to_then() -> None:
    agents = "22222222-2222-4222-8222-222222222222"
    message = {"Event": "BridgeEnter", "Uniqueid": ME, "Linkedid": agents, "BridgeNumChannels": "2"}
    assert translate("pbx", message, AT) == (ev.Bridged(attempt_id=ME, at=AT),)


def test_a_member_that_leaves() -> None:
    message = {"Event": "QueueMemberRemoved", "Queue": "q", "Interface": "PJSIP/a"}
    assert translate("pbx", message, AT) == (MemberGone(server="pbx", queue="q", interface="PJSIP/a"),)


@pytest.mark.parametrize(("status", "meant"), [("", 0), ("x", 0), ("-1", 0), ("9", 0), ("77", 0), ("8", 8)])
def test_a_status_that_asterisk_does_not_have_is_unknown(status: str, meant: int) -> None:
    assert queue_member("pbx", {"Status": status}).status == meant


def test_a_talk_of_somebody_elses_caller_is_the_members_only() -> None:
    message = {"Event": "AgentConnect", "Queue": "q", "Interface": "PJSIP/a", "Uniqueid": "1795247293.9"}
    talk = MemberTalk(server="pbx", queue="q", interface="PJSIP/a", in_call=True, at=AT)
    call = QueueCall(server="pbx", queue="q", interface="PJSIP/a", uniqueid="1795247293.9", cid="", taken=True, at=AT)
    assert translate("pbx", message, AT) == (call, talk)
    assert translate("pbx", message | {"Event": "AgentComplete"}, AT) == (replace(talk, in_call=False),)


@pytest.mark.parametrize(("shown", "cid"), [("447700900001", "447700900001"), ("<unknown>", ""), ("", "")])
def test_an_agents_telephone_rings_for_a_caller(shown: str, cid: str) -> None:
    message = {"Queue": "q", "Interface": "PJSIP/a", "Uniqueid": "17.9", "CallerIDNum": shown, "DestUniqueid": "17.10"}
    rings = QueueCall(server="pbx", queue="q", interface="PJSIP/a", uniqueid="17.9", cid=cid, taken=False, at=AT)
    assert translate("pbx", message | {"Event": "AgentCalled"}, AT) == (rings,)


@pytest.mark.parametrize(("name", "taken"), [("queue", True), ("local_queue", True), ("queue_nobody_takes", False)])
def test_a_recorded_call_is_offered_before_it_is_taken(name: str, taken: bool) -> None:
    calls = [fact for fact in facts(name) if isinstance(fact, QueueCall)]
    assert {(call.queue, call.uniqueid) for call in calls} == {("astdialer", ME)}
    assert all(call.interface.startswith("PJSIP/agent") for call in calls)
    assert [call.taken for call in calls][-1] is taken
    assert not any(call.taken for call in calls[:-1])
    assert all(call.cid.startswith("447700900") for call in calls)


def test_the_attempts_own_hangup_counts_whatever_it_was_linked_to() -> None:
    other = "22222222-2222-4222-8222-222222222222"
    message = {"Event": "Hangup", "Uniqueid": ME, "Linkedid": other, "Cause": "16"}
    assert translate("pbx", message, AT) == (hung_up(16),)


@pytest.mark.parametrize(
    ("text", "code"), [("486", 486), ("SIP 486 Busy Here", 486), ("", 0), ("ISDN", 0), ("SIP 603 Decline 7", 603)]
)
def test_tech_cause_in_either_shape(text: str, code: int) -> None:
    assert sip_code(text) == code


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"Event": "NoSuchEvent", "Uniqueid": ME},
        {"Event": "Newstate", "Uniqueid": ME, "ChannelState": "4"},
        {"Event": "Newstate", "Uniqueid": "1795247293.9", "Linkedid": ME, "ChannelState": "5"},
        {"Event": "Newchannel", "Uniqueid": f"local-{ME}", "Linkedid": ME},
        {"Event": "DialState", "DestUniqueid": ME, "DialStatus": "PROGRESS"},
        {"Event": "OriginateResponse", "ActionID": "somebody", "Uniqueid": ME, "Response": "Failure"},
        {"Event": "OriginateResponse", "ActionID": "originate-x", "Uniqueid": ME, "Response": "Failure"},
        {"Event": "Hangup", "Uniqueid": "1795247293.9", "Linkedid": "1795247293.9"},
        {"Event": "DialEnd", "DestUniqueid": "1.2", "DestLinkedid": "1.1"},
        {"Event": "HangupRequest", "Uniqueid": "1.2", "Linkedid": ME},
        {"Event": "SoftHangupRequest", "Uniqueid": "1.2", "Linkedid": ME},
        {"Event": "QueueCallerJoin", "Uniqueid": "1.2"},
        {"Event": "BridgeEnter", "Uniqueid": "1.2", "Linkedid": ME},
        {"Event": "BridgeEnter", "Uniqueid": f"local-{ME}", "Linkedid": ME},
    ],
)
def test_what_says_nothing_of_an_attempt(message: Message) -> None:
    assert translate("pbx", message, AT) == ()


@pytest.mark.parametrize("text", ["", "1795247293.9", "x" * 36, f"local-{ME}", ME[:-1], "<unknown>"])
def test_what_is_no_attempts_id(text: str) -> None:
    assert not is_attempt_id(text)


def test_a_live_channel() -> None:
    item = {"Uniqueid": ME, "Linkedid": ME, "Channel": "PJSIP/x-1", "ChannelState": "5"}
    assert live_channel(item) == LiveChannel(
        uniqueid=ME, linkedid=ME, channel="PJSIP/x-1", is_up=False, is_ringing=True
    )
