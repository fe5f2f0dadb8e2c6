"""The adapter against a real Asterisk: typed events, lost links, wrong secrets."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from labs import lab_in

from astdialer import lab as laboratory
from astdialer.ami.telephony import AmiTelephony
from astdialer.ami.values import BadValue
from astdialer.config import Ami, Secret
from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.amd import Action
from astdialer.domain.attempt import Attempt, apply, is_over
from astdialer.domain.errors import LinkLost, OriginateRefused, Unavailable
from astdialer.lab import Lab
from astdialer.ports import LinkDown, LinkUp, LiveChannel, MemberSeen, MemberTalk, Origination, TelephonyEvent

pytestmark = pytest.mark.asterisk

PBX = "pbx"
PERSON, BUSY, RINGS, DEAD, CONGESTION = (f"447700900{behaviour}01" for behaviour in (0, 2, 3, 4, 6))


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Watcher:
    """Keeps what happens on the server."""

    def __init__(self, events: AsyncIterator[TelephonyEvent]) -> None:
        self.seen: list[TelephonyEvent] = []
        self._events = events
        self._next: asyncio.Future[TelephonyEvent] | None = None

    async def until(self, holds: Callable[[list[TelephonyEvent]], bool], within_s: float = 20) -> None:
        """Read until it holds of all that was seen."""
        async with asyncio.timeout(within_s):
            while not (self.seen and holds(self.seen)):
                await self._read(within_s)

    async def _read(self, within_s: float) -> None:
        """The next event, if one comes in time; one that does not is waited for the next time."""
        self._next = self._next or asyncio.ensure_future(anext(self._events))
        if (await asyncio.wait({self._next}, timeout=within_s))[0]:
            self.seen.append(self._next.result())
            self._next = None

    async def over(self, attempt_id: str) -> Attempt:
        """The attempt, when nothing more can be learned of it; the order of the facts does not matter."""

        def merged(seen: list[TelephonyEvent]) -> Attempt:
            found = Attempt(
                id=attempt_id,
                campaign_id=1,
                contact_id=1,
                number_id=1,
                number="",
                trunk="",
                server=PBX,
                created_at=0,
            )
            for event in seen:
                if isinstance(event, ev.AttemptEvent) and event.attempt_id == attempt_id:
                    found = apply(found, event)
            return found

        async with asyncio.timeout(20):
            while not is_over(merged(self.seen), SystemClock().now()):
                await self._read(0.1)
        return merged(self.seen)


@asynccontextmanager
async def linked(
    lab: Lab, *, port: int = 0, secret: str = "", watchdog_s: float = 10
) -> AsyncIterator[tuple[AmiTelephony, Watcher]]:
    settings = Ami(
        host=lab.host,
        port=port or lab.ami_port,
        username=lab.ami_username,
        secret=Secret(secret or lab.ami_secret),
        watchdog_s=watchdog_s,
    )
    telephony = AmiTelephony({PBX: settings}, SystemClock())
    watcher = Watcher(telephony.events(PBX))
    async with telephony.running():
        if not secret:
            await telephony.connection(PBX).wait_up(10)
        yield telephony, watcher


async def own_channels(telephony: AmiTelephony, placed: Origination) -> list[LiveChannel]:
    """The channels of this call, whatever else is still ending on the shared PBX."""
    return [c for c in await telephony.live_channels(PBX) if c.linkedid == placed.attempt_id]


def call(channel: str, *, timeout_s: float = 15, fallback: str = "hangup", **variables: str) -> Origination:
    attempt_id = str(uuid.uuid4())
    return Origination(
        attempt_id=attempt_id,
        server=PBX,
        channel=channel,
        caller_id="Shop <442079460000>",
        timeout_s=timeout_s,
        account="campaign",
        context="astdialer-answered",
        variables={
            "ASTDIALER_ID": attempt_id,
            "ASTDIALER_AGI": "127.0.0.1:1",
            "ASTDIALER_FALLBACK": fallback,
            "ASTDIALER_QUEUE": "astdialer",
            "ASTDIALER_LIMIT": "20",
            "ASTDIALER_NUMBER": PERSON,
        }
        | variables,
    )


def trunk(number: str) -> str:
    return f"PJSIP/{number}@carrier"


@pytest.mark.parametrize(
    ("number", "status", "cause", "code"),
    [(BUSY, "BUSY", 17, 486), (DEAD, "NOANSWER", 1, 404), (CONGESTION, "CONGESTION", 34, 503)],
)
async def test_calls_that_fail(quiet_lab: Lab, number: str, status: str, cause: int, code: int) -> None:
    async with linked(quiet_lab) as (telephony, watcher):
        placed = call(trunk(number))
        await telephony.originate(placed)
        attempt = await watcher.over(placed.attempt_id)
        assert watcher.seen[0] == LinkUp()
        assert (attempt.cause, attempt.sip_code) == (cause, code)
        assert attempt.dial_status in (status, "")  # DialEnd may be the last of the four events
        assert attempt.originate_success is False
        assert attempt.originate_reason == 0
        assert not attempt.was_answered


async def test_a_person_who_answers_and_is_hung_up(quiet_lab: Lab) -> None:
    async with linked(quiet_lab) as (telephony, watcher):
        placed = call(trunk(PERSON), fallback="goto", ASTDIALER_GOTO="astdialer-message,s,1")
        await telephony.originate(placed)
        await watcher.until(lambda seen: any(isinstance(event, ev.Answered) for event in seen))
        (channel,) = await own_channels(telephony, placed)
        assert (channel.uniqueid, channel.linkedid, channel.is_up) == (placed.attempt_id, placed.attempt_id, True)
        assert await telephony.hang_up(PBX, placed.attempt_id)
        attempt = await watcher.over(placed.attempt_id)
        assert attempt.ringing_at
        assert attempt.was_answered
        assert attempt.originate_reason == 4
        assert attempt.hung_up_by == "asterisk"
        assert not await telephony.hang_up(PBX, placed.attempt_id)
        assert await own_channels(telephony, placed) == []


async def test_a_call_that_rings_out(quiet_lab: Lab) -> None:
    async with linked(quiet_lab) as (telephony, watcher):
        placed = call(trunk(RINGS), timeout_s=1.5)
        began = time.monotonic()
        await telephony.originate(placed)
        attempt = await watcher.over(placed.attempt_id)
        assert 1 < time.monotonic() - began < 5
        assert attempt.ringing_at
        assert (attempt.originate_reason, attempt.cause) == (3, 19)


async def test_an_endpoint_and_a_context_that_do_not_exist(quiet_lab: Lab) -> None:
    async with linked(quiet_lab) as (telephony, watcher):
        placed = call(f"PJSIP/{PERSON}@nowhere")
        await telephony.originate(placed)
        await watcher.until(lambda seen: any(isinstance(event, ev.OriginateEnded) for event in seen))
        (ended,) = (event for event in watcher.seen if isinstance(event, ev.AttemptEvent))
        assert isinstance(ended, ev.OriginateEnded)
        assert (ended.attempt_id, ended.success, ended.reason) == (placed.attempt_id, False, 0)
        with pytest.raises(BadValue, match="expected technology/number"):
            await telephony.originate(call("nonsense"))
        refused = Origination(**{name: getattr(placed, name) for name in placed.__slots__} | {"context": "no-such"})
        with pytest.raises(OriginateRefused, match="does not exist"):
            await telephony.originate(refused)


async def test_a_local_channel_busy_and_answered(quiet_lab: Lab) -> None:
    async with linked(quiet_lab) as (telephony, watcher):
        placed = call(f"Local/{BUSY}@from-internal/n")
        await telephony.originate(placed)
        attempt = await watcher.over(placed.attempt_id)
        assert (attempt.leg_cause, attempt.leg_sip_code, attempt.cause) == (17, 486, 17)
        assert attempt.channel.endswith(";1")
        placed = call(f"Local/{PERSON}@from-internal/n")
        await telephony.originate(placed)
        attempt = await watcher.over(placed.attempt_id)
        assert attempt.ringing_at
        assert attempt.answered_at
        assert attempt.ringing_at < attempt.answered_at


async def test_an_agent_takes_the_call(quiet_lab: Lab) -> None:
    async with linked(quiet_lab) as (telephony, watcher):
        members = await telephony.queue_members(PBX)
        assert [member.interface for member in members] == ["PJSIP/agent1", "PJSIP/agent2", "PJSIP/agent3"]
        placed = call(trunk(PERSON), fallback="queue")
        await telephony.originate(placed)
        attempt = await watcher.over(placed.attempt_id)
        assert attempt.action is Action.QUEUE
        assert attempt.agent in {member.interface for member in members}
        assert attempt.talk_ended_by == "agent"
        talks = [event.in_call for event in watcher.seen if isinstance(event, MemberTalk)]
        assert talks == [True, False]
        assert AgentStatus.RINGING in {e.member.status for e in watcher.seen if isinstance(e, MemberSeen)}


async def test_values_arrive_as_they_were(quiet_lab: Lab) -> None:
    tricky = 'Per"ez, J\\uan, CALLERID(num)=666; ${SHELL(id)} é Жук \\'
    async with linked(quiet_lab) as (telephony, watcher):
        goto = "astdialer-message,s,1"
        placed = call(trunk(PERSON), fallback="goto", CONTACT_NAME=tricky, ASTDIALER_GOTO=goto)
        await telephony.originate(placed)
        await watcher.until(lambda seen: any(isinstance(event, ev.Answered) for event in seen))
        (channel,) = await own_channels(telephony, placed)
        asked = {"Action": "Getvar", "Channel": channel.channel, "Variable": "CONTACT_NAME"}
        assert (await telephony.connection(PBX).action(asked))["Value"] == tricky
        await telephony.hang_up(PBX, placed.attempt_id)


async def test_a_wrong_secret(lab: Lab) -> None:
    async with linked(lab, secret="wrong") as (telephony, _):
        with pytest.raises(Unavailable, match="refuses the manager user 'astdialer': Authentication failed"):
            await telephony.connection(PBX).wait_up(3)
        with pytest.raises(OriginateRefused, match="nothing was sent"):
            await telephony.originate(call(trunk(PERSON)))


class Wire:
    """A TCP proxy that can be cut, or fall silent."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: list[asyncio.Task[None]] = []
        self.silent = False

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._lab.host, self._lab.ami_port)
        self._writers += [writer, far_writer]
        for source, target in ((reader, far_writer), (far_reader, writer)):
            self._pumps.append(asyncio.create_task(self._pump(source, target)))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if not self.silent:
                    target.write(data)
        except ConnectionError:
            pass
        target.close()

    def cut(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        self.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)


@asynccontextmanager
async def wired(lab: Lab) -> AsyncIterator[tuple[Wire, int]]:
    wire = Wire(lab)
    server = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    try:
        yield wire, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await wire.close()


async def test_a_cut_link_comes_back_and_finds_the_call_again(quiet_lab: Lab) -> None:
    async with wired(quiet_lab) as (wire, port), linked(quiet_lab, port=port) as (telephony, watcher):
        placed = call(trunk(PERSON), fallback="goto", ASTDIALER_GOTO="astdialer-message,s,1")
        await telephony.originate(placed)
        await watcher.until(lambda seen: any(isinstance(event, ev.Answered) for event in seen))
        wire.cut()
        await watcher.until(lambda seen: isinstance(seen[-1], LinkDown))
        with pytest.raises(OriginateRefused, match="nothing was sent"):
            await telephony.originate(call(trunk(PERSON)))
        await watcher.until(lambda seen: seen[-1] == LinkUp())
        (channel,) = await own_channels(telephony, placed)
        assert channel.uniqueid == placed.attempt_id
        assert await telephony.hang_up(PBX, placed.attempt_id)
        await watcher.until(lambda seen: isinstance(seen[-1], ev.HungUp))


async def test_an_answer_that_is_lost_on_the_way_means_not_known_and_nothing_is_dialed_twice(quiet_lab: Lab) -> None:
    async with wired(quiet_lab) as (wire, port), linked(quiet_lab, port=port) as (telephony, watcher):
        placed = call(trunk(RINGS), timeout_s=30)
        original = wire._pumps[1]
        original.cancel()  # what Asterisk writes no longer arrives
        asked = asyncio.create_task(telephony.originate(placed))
        await asyncio.sleep(0.5)
        wire.cut()
        with pytest.raises(LinkLost):
            await asked
        await watcher.until(lambda seen: any(isinstance(event, LinkDown) for event in seen) and seen[-1] == LinkUp())
        (channel,) = await own_channels(telephony, placed)
        assert (channel.uniqueid, channel.is_ringing) == (placed.attempt_id, True)
        await asyncio.sleep(0.5)
        assert len(await own_channels(telephony, placed)) == 1
        await telephony.hang_up(PBX, placed.attempt_id)


async def test_a_silent_link_is_replaced(quiet_lab: Lab) -> None:
    async with (
        wired(quiet_lab) as (wire, port),
        linked(quiet_lab, port=port, watchdog_s=0.3) as (telephony, watcher),
    ):
        await asyncio.sleep(1.5)
        assert telephony.is_up(PBX)
        wire.silent = True
        await watcher.until(lambda seen: isinstance(seen[-1], LinkDown))
        assert "did not answer a ping" in telephony.why_down(PBX)
        wire.silent = False
        await watcher.until(lambda seen: seen[-1] == LinkUp(), within_s=30)


async def test_after_a_crash_of_asterisk_the_first_call_is_not_refused(tmp_path: Path) -> None:
    with lab_in(tmp_path / "lab") as own:
        async with linked(own) as (telephony, watcher):
            for _ in range(3):
                await asyncio.to_thread(laboratory.kill_pbx, own)
                await watcher.until(lambda seen: isinstance(seen[-1], LinkDown))
                starting = asyncio.create_task(asyncio.to_thread(laboratory.start_pbx, own))
                await watcher.until(lambda seen: seen[-1] == LinkUp(), within_s=40)
                assert len(await telephony.queue_members(PBX)) == 3
                placed = call(trunk(BUSY))
                await telephony.originate(placed)
                assert (await watcher.over(placed.attempt_id)).sip_code == 486
                await starting
