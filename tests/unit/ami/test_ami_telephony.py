"""AmiTelephony against a scripted peer: answers, several servers, TLS, and the secret that nobody sees."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
import ssl
import subprocess
import uuid
from pathlib import Path

import pytest
from ami_peer import SECRET, FakeClock, Session, linked, listening, nothing, until
from test_guards import call, member, next_name, take

from astdialer.ami.feed import Feed
from astdialer.ami.telephony import NO_MEMBER, AmiTelephony
from astdialer.ami.values import BadValue
from astdialer.domain.agent import AgentStatus
from astdialer.domain.errors import LinkLost, OriginateRefused, Unavailable
from astdialer.domain.queue import QueueFigures
from astdialer.ports import LinkDown, LinkUp, Telephony

PROOF = hashlib.md5(f"123456789{SECRET}".encode()).hexdigest()


def as_port(telephony: AmiTelephony) -> Telephony:
    """mypy checks here that the port is implemented."""
    return telephony


async def test_an_originate_is_one_message_with_one_header_for_each_variable() -> None:
    attempt = str(uuid.uuid4())
    async with linked() as (telephony, peer, _):
        await as_port(telephony).originate(call(attempt, variables={"A": "1,2", "B": "Жук"}))
        sent = peer.last.actions[-1]
        assert sorted(value for name, value in sent if name == "Variable") == ["A=1\\,2", "B=Жук"]
        assert dict(sent)["ChannelId"] == attempt
        assert dict(sent)["Async"] == "true"
        assert peer.last.raw.count(b"\r\n\r\n") == 4


async def test_asterisks_refusal_is_told_in_its_own_words() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["Originate"] = lambda s, a: s.answer(a, "Response: Error", "Message: Extension does not exist.")
        with pytest.raises(OriginateRefused, match=r"^Extension does not exist\.$"):
            await telephony.originate(call())


async def test_a_link_that_breaks_while_it_answers_is_lost_not_refused() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["Originate"] = lambda s, _: s.cut()
        with pytest.raises(LinkLost):
            await telephony.originate(call())


async def test_hanging_up() -> None:
    attempt = str(uuid.uuid4())
    async with linked() as (telephony, peer, _):
        assert await telephony.hang_up("pbx", attempt)
        assert dict(peer.last.actions[-1]) | {"ActionID": ""} == {
            "Action": "Hangup",
            "ActionID": "",
            "Channel": attempt,
            "Cause": "16",
        }
        peer.script["Hangup"] = lambda s, a: s.answer(a, "Response: Error", "Message: No such channel")
        assert not await telephony.hang_up("pbx", attempt)
        peer.script["Hangup"] = lambda s, a: s.answer(a, "Response: Error", "Message: Permission denied")
        with pytest.raises(Unavailable, match="Permission denied"):
            await telephony.hang_up("pbx", attempt)
        with pytest.raises(BadValue):
            await telephony.hang_up("pbx", "/.*/")
        assert peer.last.names.count("Hangup") == 3


async def test_pausing_an_agent_in_all_queues() -> None:
    async with linked() as (telephony, peer, _):
        await as_port(telephony).pause_member("pbx", "PJSIP/ann", paused=True, reason="astdialer")
        assert dict(peer.last.actions[-1]) | {"ActionID": ""} == {
            "Action": "QueuePause",
            "ActionID": "",
            "Interface": "PJSIP/ann",
            "Paused": "true",
            "Reason": "astdialer",
        }
        await telephony.pause_member("pbx", "PJSIP/ann", paused=False)
        assert dict(peer.last.actions[-1])["Paused"] == "false"
        assert "Reason" not in dict(peer.last.actions[-1])
        with pytest.raises(BadValue):
            await telephony.pause_member("pbx", "PJSIP/ann\nQueue: one", paused=True)


async def test_pausing_somebody_who_is_in_no_queue_is_nothing() -> None:
    async with linked() as (telephony, peer, _):
        peer.script["QueuePause"] = lambda s, a: s.answer(a, "Response: Error", "Message: Interface not found")
        await telephony.pause_member("pbx", "PJSIP/nobody", paused=True)
        peer.script["QueuePause"] = lambda s, a: s.answer(a, "Response: Error", "Message: Permission denied")
        with pytest.raises(Unavailable, match="refuses to unpause PJSIP/ann: Permission denied"):
            await telephony.pause_member("pbx", "PJSIP/ann", paused=False)
    with pytest.raises(Unavailable):
        await telephony.pause_member("pbx", "PJSIP/ann", paused=True)


async def test_queue_members() -> None:
    def reply(session: Session, action: dict[str, str]) -> None:
        session.answer(action, "Response: Success", "EventList: start", "Message: Queue status will follow")
        session.answer(action, "Event: QueueParams", "Queue: q")
        session.answer(action, "Event: QueueMember", "Queue: q", "Name: Ann", "Location: PJSIP/ann", "Status: 6")
        session.answer(action, "Event: QueueStatusComplete", "EventList: Complete", "ListItems: 2")

    async with linked() as (telephony, peer, _):
        peer.script["QueueStatus"] = reply
        (ann,) = await telephony.queue_members("pbx")
        assert (ann.server, ann.queue, ann.name, ann.interface) == ("pbx", "q", "Ann", "PJSIP/ann")
        assert ann.status is AgentStatus.RINGING


async def test_the_figures_of_queues_come_without_their_members() -> None:
    def status(session: Session, action: dict[str, str]) -> None:
        assert action["Member"] == NO_MEMBER
        session.answer(action, "Response: Success", "EventList: start", "Message: Queue status will follow")
        params = ("Strategy: rrmemory", "Calls: 2", "Holdtime: 3", "TalkTime: 41", "Completed: 7", "Abandoned: 1")
        levels = ("ServiceLevel: 15", "ServicelevelPerf: 85.7", "ServicelevelPerf2: n/a")
        session.answer(action, "Event: QueueParams", "Queue: q", *params, *levels)
        session.answer(action, "Event: QueueParams", "Queue: idle", "Strategy: ringall")
        session.answer(action, "Event: QueueEntry", "Queue: q", "Position: 1")
        session.answer(action, "Event: QueueStatusComplete", "EventList: Complete", "ListItems: 3")

    def summary(session: Session, action: dict[str, str]) -> None:
        session.answer(action, "Response: Success", "EventList: start", "Message: Queue summary will follow")
        counts = ("LoggedIn: 4", "Available: 1", "Callers: 2", "HoldTime: 3", "TalkTime: 41", "LongestHoldTime: 9")
        session.answer(action, "Event: QueueSummary", "Queue: q", *counts)
        session.answer(action, "Event: QueueSummaryComplete", "EventList: Complete", "ListItems: 1")

    async with linked() as (telephony, peer, _):
        peer.script["QueueStatus"], peer.script["QueueSummary"] = status, summary
        found, idle = await as_port(telephony).queues("pbx")
        assert found == QueueFigures(
            server="pbx",
            queue="q",
            strategy="rrmemory",
            waiting=2,
            longest_wait_s=9,
            logged_in=4,
            available=1,
            completed=7,
            abandoned=1,
            hold_s=3,
            talk_s=41,
            service_level_s=15,
            service_level=85.7,
        )
        assert idle == QueueFigures(server="pbx", queue="idle", strategy="ringall")


async def test_whether_the_dialplan_leads_somewhere() -> None:
    def listed(session: Session, action: dict[str, str]) -> None:
        session.answer(action, "Response: Success", "EventList: start", "Message: DialPlan list will follow")
        session.answer(action, "Event: ListDialplan", "Context: from-agents", "Extension: _X.", "Priority: 1")
        session.answer(action, "Event: ShowDialPlanComplete", "EventList: Complete", "ListItems: 1")

    async with linked() as (telephony, peer, _):
        peer.script["ShowDialPlan"] = listed
        assert await as_port(telephony).leads("pbx", "from-agents", "442079460123")
        asked = dict(peer.last.actions[-1])
        assert (asked["Context"], asked["Extension"]) == ("from-agents", "442079460123")
        for context, extension in (("a,b", "1"), ("<context>", "1"), ("x", "1)${SHELL(id)}"), ("", "1"), ("x", "")):
            assert not await telephony.leads("pbx", context, extension)
        assert peer.last.names.count("ShowDialPlan") == 1, "what can't be one is not asked for"
        missing = "Message: Did not find context nowhere"
        peer.script["ShowDialPlan"] = lambda s, a: s.answer(a, "Response: Error", missing)
        assert not await telephony.leads("pbx", "nowhere", "1")
        peer.script["ShowDialPlan"] = lambda s, a: s.answer(a, "Response: Error", "Message: Permission denied")
        with pytest.raises(Unavailable, match="Permission denied"):
            await telephony.leads("pbx", "from-agents", "1")


async def test_a_list_that_never_ends_is_given_up() -> None:
    async with linked(action_timeout_s=0.05) as (telephony, peer, _):
        peer.script["QueueStatus"] = lambda s, a: s.answer(a, "Response: Success", "EventList: start")
        with pytest.raises(LinkLost, match="no answer to QueueStatus"):
            await telephony.queue_members("pbx")


async def test_servers_are_apart_and_one_that_is_dead_does_not_hinder_the_other() -> None:
    async with listening() as dead:
        pass
    async with listening() as peer:
        telephony = AmiTelephony({"dead": dead.settings(), "pbx": peer.settings()}, FakeClock())
        events = telephony.events("pbx")
        async with telephony.running():
            await telephony.connection("pbx").wait_up(3)
            assert telephony.is_up("pbx")
            assert telephony.why_down("pbx") == ""
            assert not telephony.is_up("dead")
            assert await take(events) == LinkUp()
            with pytest.raises(Unavailable, match="Connect call failed"):
                await telephony.connection("dead").wait_up(0.05)
    with pytest.raises(Unavailable, match="no Asterisk server 'nowhere'"):
        telephony.events("nowhere")
    assert not telephony.is_up("nowhere")


async def test_every_follower_hears_everything_and_a_late_one_begins_with_link_up() -> None:
    async with linked() as (telephony, peer, _):
        first = telephony.events("pbx")
        peer.last.message(*member("one"))
        assert await take(first) == LinkUp()
        assert await next_name(first) == "one"
        late = telephony.events("pbx")
        peer.last.message(*member("two"))
        assert await take(late) == LinkUp()
        assert await next_name(late) == await next_name(first) == "two"
        peer.last.cut()
        down, up = await take(late), await take(late)
        assert isinstance(down, LinkDown)
        assert up == LinkUp()


def test_a_follower_that_nobody_holds_is_forgotten() -> None:
    feed = Feed()
    kept = feed.follow(is_up=False)
    feed.follow(is_up=False)
    assert len(feed._followers) == 1
    feed.put((LinkUp(),))
    assert len(kept) == 1


async def test_a_peer_that_does_not_answer_the_login_is_given_up() -> None:
    async with listening() as peer:
        peer.script["Challenge"] = nothing
        clock = FakeClock()
        telephony = AmiTelephony({"pbx": peer.settings(action_timeout_s=0.05)}, clock)
        async with telephony.running():
            await until(lambda: len(clock.slept) >= 2)
            assert "no answer to Challenge" in telephony.why_down("pbx")


async def test_a_server_without_challenge_is_not_sent_the_secret() -> None:
    async with listening() as peer:
        peer.script["Challenge"] = lambda s, a: s.answer(a, "Response: Error", "Message: Must specify AuthType")
        clock = FakeClock()
        telephony = AmiTelephony({"pbx": peer.settings()}, clock)
        async with telephony.running():
            await until(lambda: len(clock.slept) >= 2)
            assert "no MD5 challenge: Must specify AuthType" in telephony.why_down("pbx")
        assert all(SECRET.encode() not in session.raw for session in peer.sessions)


@pytest.mark.parametrize("secret", [SECRET, "wrong-" + SECRET])
async def test_the_secret_is_nowhere_to_be_seen(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening() as peer:
        clock = FakeClock()
        settings = peer.settings(secret=secret, action_timeout_s=0.2)
        telephony = AmiTelephony({"pbx": settings}, clock)
        async with telephony.running():
            await until(lambda: telephony.is_up("pbx") or len(clock.slept) > 1)
            peer.script["Ping"] = nothing
            with pytest.raises(Unavailable) as error:
                await telephony.connection("pbx").action({"Action": "Ping"})
            peer.last.cut()
            await until(lambda: len(peer.sessions) > 1)
        seen = repr((error.value, settings, telephony, telephony.connection("pbx"))) + telephony.why_down("pbx")
        seen += "".join(str(vars(record)) for record in caplog.records) + caplog.text
        assert any(record.name.startswith("astdialer.ami") for record in caplog.records)
        proof = hashlib.md5(f"123456789{secret}".encode()).hexdigest()
        assert secret not in seen
        assert proof not in seen
        assert all(secret.encode() not in session.raw for session in peer.sessions)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    made = tmp_path / "asterisk.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    made.write_text(made.read_text() + (tmp_path / "key").read_text())
    return made


@pytest.mark.parametrize("known", [True, False])
async def test_tls_with_a_certificate_that_is_verified(certificate: Path, known: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with listening(context) as peer:
        clock = FakeClock()
        settings = peer.settings(tls=True, ca=str(certificate) if known else "")
        telephony = AmiTelephony({"pbx": settings}, clock)
        async with telephony.running():
            await until(lambda: telephony.is_up("pbx") or len(clock.slept) > 1)
            assert telephony.is_up("pbx") == known
            assert known or "certificate verify failed" in telephony.why_down("pbx")
    await asyncio.sleep(0.05)


async def test_a_ca_file_that_is_not_there_is_named() -> None:
    async with listening() as peer:
        clock = FakeClock()
        telephony = AmiTelephony({"pbx": peer.settings(tls=True, ca="/no/such.pem")}, clock)
        async with telephony.running():
            await until(lambda: len(clock.slept) > 1)
            assert "tls_ca = '/no/such.pem' can't be used" in telephony.why_down("pbx")
