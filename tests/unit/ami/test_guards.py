"""Every known fault of panoramisk's AMI side (asterisk.md 8, P1 to P24) is guarded.

P14 to P19 are faults of its FastAGI server, which the AGI adapter does not use.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator

import pytest
from ami_peer import FakeClock, Session, linked, listening, nothing, success, until

from astdialer.ami.connection import Connection
from astdialer.ami.telephony import AmiTelephony
from astdialer.ami.values import BadValue
from astdialer.config import Ami
from astdialer.domain import events as ev
from astdialer.domain.errors import LinkLost, OriginateRefused, Unavailable
from astdialer.ports import LinkDown, LinkUp, MemberSeen, Origination, TelephonyEvent

PING = {"Action": "Ping"}
READY = ["Challenge", "Login", "QueueStatus"]  #: what is sent before the link is up


def call(attempt_id: str = "", **changes: object) -> Origination:
    given = {
        "attempt_id": attempt_id or str(uuid.uuid4()),
        "server": "pbx",
        "channel": "PJSIP/447700900001@carrier",
        "caller_id": "",
        "timeout_s": 30.0,
        "account": "c1",
        "context": "astdialer-answered",
        "variables": {"ASTDIALER_ID": attempt_id},
    }
    return Origination(**(given | changes))  # type: ignore[arg-type]


def member(name: str) -> tuple[str, ...]:
    return ("Event: QueueMemberStatus", "Queue: q", f"MemberName: {name}", "Interface: PJSIP/1", "Status: 1")


async def take(events: AsyncIterator[TelephonyEvent]) -> TelephonyEvent:
    return await asyncio.wait_for(anext(events), 3)


async def next_name(events: AsyncIterator[TelephonyEvent]) -> str:
    event = await take(events)
    assert isinstance(event, MemberSeen)
    return event.member.name


async def test_p1_an_unanswered_action_is_not_sent_again_after_a_reconnect() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["Originate"] = nothing
        asked = asyncio.create_task(telephony.originate(call()))
        await until(lambda: "Originate" in peer.last.names)
        peer.last.cut()
        with pytest.raises(LinkLost):
            await asked
        await until(lambda: len(peer.sessions) == 2 and telephony.is_up("pbx"))
        await telephony.connection("pbx").action(PING)
        assert peer.last.names == [*READY, "Ping"]


async def test_p2_nothing_is_kept_for_later_while_the_link_is_down() -> None:
    async with listening() as peer:
        telephony = AmiTelephony({"pbx": peer.settings()}, FakeClock())
        with pytest.raises(Unavailable, match="nothing was sent"):
            await telephony.connection("pbx").action(PING)
        with pytest.raises(OriginateRefused, match="nothing was sent"):
            await telephony.originate(call())
        async with telephony.running():
            await telephony.connection("pbx").wait_up(3)
            await asyncio.sleep(0.02)
            assert peer.last.names == READY


async def test_p3_the_link_is_up_without_fully_booted_and_an_action_without_answer_ends() -> None:
    async with linked(action_timeout_s=0.05) as (telephony, peer, _):
        peer.script["Originate"] = nothing
        with pytest.raises(LinkLost, match=r"no answer to Originate within 0\.05 s"):
            await telephony.originate(call())
        await telephony.connection("pbx").action(PING)


async def test_p3_the_link_is_up_only_when_asterisk_has_loaded_its_modules() -> None:
    def loading(session: Session, action: dict[str, str]) -> None:
        if session.names.count("QueueStatus") < 4:
            session.answer(action, "Response: Error", "Message: Invalid/unknown command: QueueStatus.")
            return
        session.answer(action, "Response: Success", "EventList: start")
        session.answer(action, "Event: QueueStatusComplete", "EventList: Complete")

    async with listening() as peer:
        peer.script["QueueStatus"] = loading
        clock = FakeClock()
        telephony = AmiTelephony({"pbx": peer.settings()}, clock)
        async with telephony.running():
            await until(lambda: bool(clock.slept))
            assert telephony.why_down("pbx") == "Asterisk is starting"
            await telephony.connection("pbx").wait_up(3)
            assert clock.slept == [0.2, 0.2, 0.2]


async def test_p3_an_asterisk_without_queues_is_taken_as_it_is_after_a_minute() -> None:
    async with listening() as peer:
        peer.script["QueueStatus"] = lambda s, a: s.answer(a, "Response: Error", "Message: Invalid/unknown command")
        clock = FakeClock()
        telephony = AmiTelephony({"pbx": peer.settings()}, clock)
        async with telephony.running():
            await telephony.connection("pbx").wait_up(10)
            assert sum(clock.slept) == pytest.approx(60)


async def test_p4_an_originate_without_async_does_not_end_the_link() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["Originate"] = lambda s, a: s.answer(
            a, "Response: Success", "Message: Originate successfully queued"
        )
        answer = await telephony.connection("pbx").action({"Action": "Originate", "Channel": "PJSIP/1@a"})
        assert answer["Response"] == "Success"
        await telephony.connection("pbx").action(PING)
        assert len(peer.sessions) == 1


async def test_p5_an_exception_over_one_message_does_not_end_the_link(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def on_event(message: dict[str, str]) -> None:
        seen.append(message["Channel"])
        if message["Channel"] == "bad":
            raise RuntimeError("over this one")

    async with listening() as peer:
        clock = FakeClock()
        connection = Connection(
            peer.settings(), clock, lambda: 1.0, wanted=frozenset({"Newchannel"}), on_event=on_event
        )
        running = asyncio.create_task(connection.run())
        await connection.wait_up(3)
        for name in ("good", "bad", "good again"):
            peer.last.message("Event: Newchannel", f"Channel: {name}")
        await connection.action(PING)
        assert seen == ["good", "bad", "good again"]
        assert "ami.message_failed" in caplog.messages
        assert len(peer.sessions) == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("event_first", [False, True])
async def test_p6_originate_response_reaches_us_though_its_action_is_pending(event_first: bool) -> None:
    attempt = str(uuid.uuid4())

    def reply(session: Session, action: dict[str, str]) -> None:
        event = ("Event: OriginateResponse", f"ActionID: {action['ActionID']}", "Response: Failure", "Reason: 0")
        if event_first:
            session.message(*event)
        session.answer(action, "Response: Success", "Message: Originate successfully queued")
        if not event_first:
            session.message(*event)

    async with linked() as (telephony, peer, clock):
        peer.script["Originate"] = reply
        events = telephony.events("pbx")
        await telephony.originate(call(attempt))
        assert await take(events) == LinkUp()
        ended = ev.OriginateEnded(attempt_id=attempt, at=clock.now(), success=False, reason=0)
        assert await take(events) == ended


async def test_p7_queue_add_is_answered() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["QueueAdd"] = lambda s, a: s.answer(a, "Response: Success", "Message: Added interface to queue")
        answer = await telephony.connection("pbx").action({"Action": "QueueAdd", "Queue": "q", "Interface": "PJSIP/1"})
        assert answer["Message"] == "Added interface to queue"


async def test_p8_a_list_that_is_refused_ends_with_asterisks_words() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["CoreShowChannels"] = lambda s, a: s.answer(a, "Response: Error", "Message: Permission denied")
        with pytest.raises(Unavailable, match="CoreShowChannels: Permission denied"):
            await telephony.live_channels("pbx")


async def test_p8_a_list_is_complete_at_its_end_and_lets_other_events_pass() -> None:
    def reply(session: Session, action: dict[str, str]) -> None:
        session.answer(action, "Response: Success", "EventList: start", "Message: Channels will follow")
        session.answer(action, "Event: CoreShowChannel", "Uniqueid: a", "Linkedid: b", "ChannelState: 6")
        session.message(*member("in between"))
        session.answer(action, "Event: CoreShowChannel", "Uniqueid: c", "Linkedid: d", "ChannelState: 5")
        session.answer(action, "Event: CoreShowChannelsComplete", "EventList: Complete", "ListItems: 2")

    async with linked() as (telephony, peer, _):
        peer.script["CoreShowChannels"] = reply
        events = telephony.events("pbx")
        found = await telephony.live_channels("pbx")
        assert [(c.uniqueid, c.linkedid, c.is_up, c.is_ringing) for c in found] == [
            ("a", "b", True, False),
            ("c", "d", False, True),
        ]
        await take(events)
        assert await next_name(events) == "in between"


async def test_p9_letters_split_over_two_reads_survive() -> None:
    async with linked() as (telephony, peer, _):
        events = telephony.events("pbx")
        await take(events)
        for byte in ("\r\n".join(member("José Жук 日本")) + "\r\n\r\n").encode():
            peer.last.write(bytes([byte]))
            await asyncio.sleep(0.0005)
        assert await next_name(events) == "José Жук 日本"


@pytest.mark.parametrize("bad", ["a\r\nAction: Logoff", "a\nVariable: B=x", "a\rb", "a\0b", "a\ud800"])
@pytest.mark.parametrize("where", ["channel", "caller_id", "account", "context", "variables"])
async def test_p10_line_ends_and_nul_are_refused_before_anything_is_written(bad: str, where: str) -> None:
    value: object = {"CONTACT_NAME": bad} if where == "variables" else f"PJSIP/{bad}"
    async with linked() as (telephony, peer, _):
        with pytest.raises(BadValue, match=r"one line without NUL|UTF-8"):
            await telephony.originate(call("", **{where: value}))
        with pytest.raises(BadValue):
            await telephony.connection("pbx").action({"Action": "Setvar", "Value": bad})
        await telephony.connection("pbx").action(PING)
        assert peer.last.names == [*READY, "Ping"]


async def test_p11_a_half_open_link_is_seen_and_replaced() -> None:
    async with linked() as (telephony, peer, clock):
        peer.script["Ping"] = nothing
        events = telephony.events("pbx")
        await clock.tick()
        assert peer.last.names[-1] == "Ping"
        assert telephony.is_up("pbx")
        await clock.tick()
        assert await take(events) == LinkUp()
        down = await take(events)
        assert isinstance(down, LinkDown)
        assert "silent for 20 s" in down.reason
        await until(lambda: len(peer.sessions) == 2 and telephony.is_up("pbx"))
        assert await take(events) == LinkUp()


async def test_p11_a_pong_keeps_the_link() -> None:
    async with linked() as (telephony, peer, clock):
        for _ in range(6):
            await clock.tick()
        assert telephony.is_up("pbx")
        assert len(peer.sessions) == 1
        assert peer.last.names.count("Ping") == 3


async def test_p12_a_wrong_secret_backs_off_to_a_minute() -> None:
    async with listening() as peer:
        clock = FakeClock()
        telephony = AmiTelephony({"pbx": peer.settings(secret="wrong")}, clock, rng=lambda: 1.0)
        async with telephony.running():
            await until(lambda: len(clock.slept) >= 8)
            assert "refuses the manager user 'astdialer': Authentication failed" in telephony.why_down("pbx")
        assert clock.slept[:8] == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_p12_a_dead_port_backs_off_to_ten_seconds_with_jitter() -> None:
    async with listening() as peer:
        settings = peer.settings()
    clock = FakeClock()
    telephony = AmiTelephony({"pbx": settings}, clock, rng=lambda: 0.0)
    async with telephony.running():
        await until(lambda: len(clock.slept) >= 8)
        assert "Connect call failed" in telephony.why_down("pbx")
    assert clock.slept[:8] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])


async def test_p12_a_link_that_was_good_begins_the_back_off_anew_a_flapping_one_does_not() -> None:
    async with linked() as (telephony, peer, clock):
        for sessions, lived_ms in ((2, 0), (3, 0), (4, 10_000), (5, 0)):
            clock.time += lived_ms
            peer.last.cut()
            await until(lambda n=sessions: len(peer.sessions) == n and telephony.is_up("pbx"))  # type: ignore[misc]
        assert clock.slept == pytest.approx([0.2, 0.4, 0.2, 0.4])


async def test_p12_stopping_leaves_no_task_and_no_waiting_action() -> None:
    before = asyncio.all_tasks()
    async with listening() as peer:
        telephony = AmiTelephony({"pbx": peer.settings()}, FakeClock())
        async with telephony.running():
            await telephony.connection("pbx").wait_up(3)
            peer.script["Originate"] = nothing
            asked = asyncio.create_task(telephony.originate(call()))
            await until(lambda: "Originate" in peer.last.names)
        with pytest.raises(LinkLost, match="stopped"):
            await asked
        assert telephony.why_down("pbx") == "stopped"
    await until(lambda: asyncio.all_tasks() == before)
    assert len(peer.sessions) == 1


async def test_p13_calls_of_the_same_second_are_not_mixed() -> None:
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    async with linked() as (telephony, peer, clock):
        events = telephony.events("pbx")
        await take(events)
        for attempt, code in ((first, "486"), (second, "404")):
            ids = (f"Uniqueid: {attempt}", f"Linkedid: {attempt}")
            peer.last.message("Event: Hangup", *ids, "Cause: 17", f"TechCause: {code}")
        peer.last.message("Event: Hangup", "Uniqueid: 1795247293.9", "Linkedid: 1795247293.8", "Cause: 16")
        peer.last.message("Event: Hangup", "Uniqueid: <unknown>", "Linkedid: <unknown>", "Cause: 16")
        peer.last.message(*member("last"))
        at = clock.now()
        assert await take(events) == ev.HungUp(attempt_id=first, at=at, cause=17, sip_code=486)
        assert await take(events) == ev.HungUp(attempt_id=second, at=at, cause=17, sip_code=404)
        assert await next_name(events) == "last"


@pytest.mark.filterwarnings("error")
def test_p20_it_can_be_made_outside_of_an_event_loop() -> None:
    telephony = AmiTelephony({"pbx": Ami(), "second": Ami()}, FakeClock())
    assert telephony.servers == ("pbx", "second")
    assert telephony.why_down("pbx") == "no connection yet"


def test_p21_panoramisks_testing_module_is_not_loaded() -> None:
    script = "import sys, astdialer.ami.telephony; sys.exit('panoramisk.testing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


async def test_p22_a_header_is_text_whether_it_comes_once_or_more_often() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["Status"] = lambda s, a: s.answer(a, "Response: Success", "Variable: a=1")
        assert await telephony.connection("pbx").action({"Action": "Status"}) == {
            "Response": "Success",
            "ActionID": "astdialer-4",
            "Variable": "a=1",
        }
        peer.script["Status"] = lambda s, a: s.answer(a, "Response: Success", "Variable: a=1", "Variable: b=2")
        assert (await telephony.connection("pbx").action({"Action": "Status"}))["Variable"] == "a=1\nb=2"


async def test_p23_events_keep_their_order() -> None:
    async with linked() as (telephony, peer, _):
        events = telephony.events("pbx")
        for n in range(2000):
            peer.last.message(*member(str(n)))
        assert await take(events) == LinkUp()
        assert [await next_name(events) for _ in range(2000)] == [str(n) for n in range(2000)]


async def test_p23_events_read_together_with_the_login_come_after_link_up() -> None:
    def login(session: Session, action: dict[str, str]) -> None:
        early = "\r\n".join(member("early"))
        session.write(f"Response: Success\r\nActionID: {action['ActionID']}\r\n\r\n{early}\r\n\r\n".encode())

    async with listening() as peer:
        peer.script["Login"] = login
        telephony = AmiTelephony({"pbx": peer.settings()}, FakeClock())
        events = telephony.events("pbx")
        async with telephony.running():
            assert await take(events) == LinkUp()
            assert await next_name(events) == "early"


async def test_p24_headers_that_repeat_where_one_is_expected_do_not_end_the_link() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["PresenceState"] = lambda s, a: s.answer(a, "Response: Success", "Message: one", "Message: two")
        peer.last.message("Response: Success", "Response: Error", "ActionID: nobody")
        peer.last.message("Event: Shutdown", "Event: Newchannel", "ActionID: x", "ActionID: y")
        answer = await telephony.connection("pbx").action({"Action": "PresenceState", "Provider": "x"})
        assert answer["Message"] == "one\ntwo"
        assert len(peer.sessions) == 1


async def test_a_peer_that_is_no_manager_is_given_up() -> None:
    async with linked() as (telephony, peer, _):
        events = telephony.events("pbx")
        peer.last.write(b"x" * 1_100_000)
        await take(events)
        assert await take(events) == LinkDown("what answers there is not Asterisk's manager interface")


async def test_what_was_asked_twice_at_once_is_refused() -> None:
    attempt = str(uuid.uuid4())
    async with linked() as (telephony, peer, _):
        peer.script["Originate"] = nothing
        first = asyncio.create_task(telephony.originate(call(attempt)))
        await until(lambda: "Originate" in peer.last.names)
        with pytest.raises(BadValue, match="was sent already"):
            await telephony.originate(call(attempt))
        success(peer.last, dict(peer.last.actions[-1]))
        await first
