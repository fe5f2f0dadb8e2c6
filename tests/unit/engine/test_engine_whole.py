"""The engine in one piece, over a scripted Asterisk and a clock that the test drives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from engine_doubles import AGENT, NOON, FakeClock, FakeRecordings, FakeTelephony, Rig, member, rig

from astdialer.domain import events as ev
from astdialer.domain.amd import Action, Verdict
from astdialer.domain.campaign import CampaignState
from astdialer.domain.contact import ContactState
from astdialer.domain.errors import LinkLost
from astdialer.domain.settings import Mode
from astdialer.engine.context import EngineOptions
from astdialer.engine.desk import RESERVED, RESTS, WRAPS_UP
from astdialer.engine.engine import Engine
from astdialer.engine.explain import explain
from astdialer.engine.orders import ask
from astdialer.engine.origination import DialplanPlaces
from astdialer.ports import (
    LinkDown,
    LinkUp,
    MemberGone,
    MemberMissed,
    MemberSeen,
    MemberTalk,
    Origination,
    TelephonyEvent,
)

Script = Callable[["ScriptedAsterisk", Origination], None]


class ScriptedAsterisk(FakeTelephony):
    """Every call goes as ``script`` says; events arrive as in Asterisk's own line."""

    def __init__(self, clock: FakeClock, script: Script) -> None:
        super().__init__(clock)
        self._script = script
        self.clock = clock
        self.line: asyncio.Queue[TelephonyEvent] = asyncio.Queue()
        self.members = [member()]
        self.on_pause = self.tells_of_pause

    async def events(self, server: str) -> AsyncIterator[TelephonyEvent]:
        while True:
            yield await self.line.get()

    async def originate(self, call: Origination) -> None:
        await super().originate(call)
        self._script(self, call)

    def tells_of_pause(self, interface: str, paused: bool, reason: str) -> None:
        self.members = [member(interface=interface, paused=paused, pause_reason=reason)]
        self.line.put_nowait(MemberSeen(self.members[0]))

    def say(self, call: Origination, kind: type[ev.AttemptEvent], **facts: object) -> None:
        self.line.put_nowait(kind(attempt_id=call.attempt_id, at=self.clock.now(), **facts))

    def begins(self, call: Origination) -> None:
        self.say(call, ev.ChannelCreated, channel="PJSIP/c-1")
        self.say(call, ev.Ringing)

    def ends(self, call: Origination, cause: int, *, answered: bool) -> None:
        self.say(call, ev.HungUp, cause=cause)
        self.say(call, ev.OriginateEnded, success=answered, reason=4 if answered else 0)


def unknown_number(asterisk: ScriptedAsterisk, call: Origination) -> None:
    asterisk.begins(call)
    asterisk.ends(call, 1, answered=False)


def talk(asterisk: ScriptedAsterisk, call: Origination) -> None:
    asterisk.begins(call)
    asterisk.say(call, ev.Answered)
    asterisk.say(call, ev.ActionTaken, action=Action.QUEUE)
    asterisk.say(call, ev.AgentConnected, agent=AGENT)
    asterisk.line.put_nowait(MemberTalk(server="default", queue="sales", interface=AGENT, in_call=True, at=NOON))
    asterisk.say(call, ev.AgentFinished, agent=AGENT, ended_by="caller")
    asterisk.line.put_nowait(
        MemberTalk(server="default", queue="sales", interface=AGENT, in_call=False, at=asterisk.clock.now())
    )
    asterisk.ends(call, 16, answered=True)


def agent_first(asterisk: ScriptedAsterisk, call: Origination) -> None:
    """Whoever is called answers; they talk, the contact hangs up, and the agent is hung up after it."""
    asterisk.begins(call)
    asterisk.say(call, ev.Answered)
    if call.context == "astdialer-answered":
        asterisk.say(call, ev.ActionTaken, action=Action.AGENT)
        asterisk.say(call, ev.Bridged)
        asterisk.ends(call, 16, answered=True)


def agent_declines(asterisk: ScriptedAsterisk, call: Origination) -> None:
    asterisk.begins(call)
    asterisk.ends(call, 21, answered=False)


def silence(asterisk: ScriptedAsterisk, call: Origination) -> None:
    asterisk.begins(call)


def lost(asterisk: ScriptedAsterisk, call: Origination) -> None:
    raise LinkLost("cut")


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def running(
    parts: Rig, script: Script, may_dial: asyncio.Event | None = None
) -> AsyncIterator[tuple[Engine, ScriptedAsterisk]]:
    """The engine runs, and time with it, a hundredth of a second at a time."""
    asterisk = ScriptedAsterisk(parts.clock, script)
    options = EngineOptions(places=DialplanPlaces(agi_address="127.0.0.1:4573"))
    engine = Engine(parts.store, asterisk, FakeRecordings(), parts.clock, options)
    await engine.load()
    run = asyncio.create_task(engine.run(may_dial))
    asterisk.line.put_nowait(LinkUp())
    try:
        yield engine, asterisk
    finally:
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            while not run.done():
                await parts.clock.advance(0.05)
                await asyncio.sleep(0.001)
            await run


async def passes(parts: Rig, condition: Callable[[], bool], *, step_s: float = 0.01) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await parts.clock.advance(step_s)
            await asyncio.sleep(0.001)


async def dispositions(parts: Rig) -> dict[str, int]:
    return dict((await parts.store.counts(parts.campaign.id)).dispositions)


async def finished(parts: Rig) -> None:
    async with asyncio.timeout(20):
        while (await parts.store.campaign("demo")).state is not CampaignState.FINISHED:
            await parts.clock.advance(0.05)
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("script", "disposition"), [(unknown_number, "invalid_number"), (talk, "answered")])
async def test_a_campaign_runs_to_its_end(parts: Rig, script: Script, disposition: str) -> None:
    await parts.people(1, 2, 3)
    async with running(parts, script) as (_, asterisk):
        await finished(parts)
    assert await dispositions(parts) == {disposition: 3}
    assert len(asterisk.placed) == 3
    assert await parts.store.open_attempts() == []


async def test_one_agent_has_one_call_at_a_time_and_rests_after_a_talk(parts: Rig) -> None:
    await parts.people(1, 2)
    async with running(parts, talk) as (_, asterisk):
        await passes(parts, lambda: len(asterisk.placed) == 2)
    first, second = (at for at, _ in asterisk.placed)
    assert second - first >= 10_000


async def test_calls_of_an_earlier_run_are_taken_up_and_closed_once(parts: Rig) -> None:
    await parts.people(1)
    async with running(parts, silence) as (_, asterisk):
        await passes(parts, lambda: len(asterisk.placed) == 1)
    assert len(await parts.store.open_attempts()) == 1
    async with running(parts, silence) as (_, asterisk):
        await passes(parts, lambda: parts.clock.at > NOON + 10_000, step_s=0.2)
        assert asterisk.placed == []
    assert await dispositions(parts) == {"unknown": 1}
    assert len([row async for row in parts.store.cdrs({}, None)]) == 1


async def test_nobody_is_called_before_it_may_dial_and_calls_that_there_are_end(parts: Rig) -> None:
    await parts.claim(1)
    await parts.people(2)
    may_dial = asyncio.Event()
    async with running(parts, talk, may_dial) as (_, asterisk):
        await passes(parts, lambda: parts.clock.at > NOON + 10_000, step_s=0.2)
        assert await dispositions(parts) == {"unknown": 1}
        assert asterisk.placed == []
        may_dial.set()
        await passes(parts, lambda: len(asterisk.placed) == 1)


async def test_calls_of_a_server_that_is_gone_from_the_configuration_end(parts: Rig) -> None:
    await parts.claim(1, server="gone")
    async with running(parts, silence):
        async with asyncio.timeout(20):
            while not await dispositions(parts):
                await parts.clock.advance(0.05)
    assert await dispositions(parts) == {"unknown": 1}


async def test_a_link_that_is_cut_stops_dialing_until_it_is_back(parts: Rig) -> None:
    await parts.people(1, 2)
    async with running(parts, lost) as (_, asterisk):
        await passes(parts, lambda: len(asterisk.placed) == 1)
        asterisk.up = False
        asterisk.line.put_nowait(LinkDown("cut"))
        await passes(parts, lambda: parts.clock.at > NOON + 3_000, step_s=0.1)
        assert len(asterisk.placed) == 1
        asterisk.up = True
        asterisk.line.put_nowait(LinkUp())
        await passes(parts, lambda: len(asterisk.placed) == 2, step_s=0.1)
    assert (await dispositions(parts))["unknown"] == 1


async def test_agents_follow_their_events(parts: Rig) -> None:
    async with running(parts, silence) as (engine, asterisk):
        agents = engine._context.agents
        await passes(parts, lambda: len(agents.members()) == 1)
        asterisk.line.put_nowait(MemberSeen(member(interface="PJSIP/2", name="Luz")))
        await passes(parts, lambda: len(agents.members()) == 2)
        asterisk.line.put_nowait(MemberGone(server="default", queue="sales", interface=AGENT))
        await passes(parts, lambda: [m.name for m in agents.members()] == ["Luz"])


async def test_what_it_sees_is_published_and_explained_and_withdrawn_at_the_end(parts: Rig) -> None:
    await parts.people(1, 2)
    async with running(parts, silence) as (_, asterisk):
        await passes(parts, lambda: len(asterisk.placed) == 1)
        await passes(parts, lambda: parts.clock.at > NOON + 3_000, step_s=0.05)
        view = await parts.store.live_view()
        assert view is not None
        assert view["campaigns"][0]["calls"] == {"ringing": 1}
        assert [row["code"] for row in view["agents"]] == [1]
        found = await explain(parts.store, parts.clock, "demo")
        assert (found.state, found.limit) == ("running", "all free agents are covered")
        assert (found.facts["free_agents"], found.facts["waiting_calls"], found.facts["contacts"]["ready"]) == (1, 1, 1)
    assert (await explain(parts.store, parts.clock, "demo")).limit == "the engine is not running"


async def test_the_scripts_ask_the_same_engine(parts: Rig) -> None:
    await parts.set(amd=True)
    await parts.people(1)
    async with running(parts, silence) as (engine, asterisk):
        await passes(parts, lambda: len(asterisk.placed) == 1)
        attempt_id = asterisk.placed[0][1].attempt_id
        plan = await engine.answering.answered(attempt_id)
        assert plan.amd is not None
        await engine.answering.amd_finished(attempt_id, Verdict.MACHINE, "TOOLONG")
        assert await engine.answering.next_action(attempt_id) is Action.HANGUP
        asterisk.ends(asterisk.placed[0][1], 16, answered=True)
        await passes(parts, lambda: len(engine._context.calls) == 0)
    assert await dispositions(parts) == {"machine": 1}


# --- agents first ----------------------------------------------------------------------------------------------------


async def test_an_agent_first_campaign_runs_to_its_end_with_rests_between(parts: Rig) -> None:
    await parts.set(mode=Mode.AGENT_FIRST, wrap_up_s=10)
    await parts.people(1, 2)
    async with running(parts, agent_first) as (_, asterisk):
        await finished(parts)
    assert await dispositions(parts) == {"answered": 2}
    assert [order.channel for _, order in asterisk.placed] == [
        AGENT,
        "PJSIP/34600000001@c",
        AGENT,
        "PJSIP/34600000002@c",
    ]
    legs = [(at, order.attempt_id) for at, order in asterisk.placed if order.channel == AGENT]
    assert legs[1][0] - legs[0][0] >= 10_000
    assert asterisk.hung_up == [leg_id for _, leg_id in legs]
    assert [reason for _, paused, reason in asterisk.pauses if paused] == [RESERVED, WRAPS_UP] * 2
    assert not asterisk.members[0].paused, "no pause of ours stays behind"


async def test_an_agent_that_declines_is_left_alone_for_a_while_and_the_contact_has_lost_nothing(parts: Rig) -> None:
    await parts.set(mode=Mode.AGENT_FIRST, reject_delay_s=20)
    await parts.people(1)
    async with running(parts, agent_declines) as (_, asterisk):
        await passes(parts, lambda: len(asterisk.placed) == 2, step_s=0.05)
    first, second = (at for at, _ in asterisk.placed)
    assert second - first >= 20_000
    assert {reason for _, paused, reason in asterisk.pauses if paused} == {RESERVED, RESTS}
    (row,) = await parts.store.contacts({}, 10)
    assert row["tries"] == 0


async def test_a_call_whose_agent_was_rung_when_the_engine_died_is_given_back(parts: Rig) -> None:
    """Nobody was dialed: it is not closed as unknown, and costs no try."""
    await parts.set(mode=Mode.AGENT_FIRST)
    await parts.people(1)
    parts.agents(member().status)
    await parts.dialer._turn()
    await parts.state(CampaignState.PAUSED)
    (call,) = parts.calls
    async with running(parts, silence) as (_, asterisk):
        await passes(parts, lambda: parts.clock.at > NOON + 10_000, step_s=0.2)
        assert asterisk.hung_up == [call.attempt.leg_id]
    assert "unknown" not in await dispositions(parts)
    contact = await parts.store.load_contact(call.contact.id)
    assert (contact.state, contact.tries) == (ContactState.WAITING, 0)


async def test_a_pause_that_an_engine_before_us_has_left_ends_and_the_agents_own_does_not(parts: Rig) -> None:
    async with running(parts, silence) as (_, asterisk):
        await passes(parts, lambda: parts.clock.at > NOON + 1_000, step_s=0.05)
        for name, reason in (("left", RESERVED), ("own", "lunch")):
            seen = member(interface=f"PJSIP/{name}", paused=True, pause_reason=reason)
            asterisk.line.put_nowait(MemberSeen(seen))
        await passes(parts, lambda: bool(asterisk.pauses), step_s=0.05)
        await passes(parts, lambda: parts.clock.at > NOON + 5_000, step_s=0.05)
    assert {(interface, paused) for interface, paused, _ in asterisk.pauses} == {("PJSIP/left", False)}


async def test_an_agent_that_a_queue_rang_in_vain_rests(parts: Rig) -> None:
    await parts.set(no_answer_delay_s=30)
    async with running(parts, silence) as (_, asterisk):
        await passes(parts, lambda: parts.clock.at > NOON + 1_000, step_s=0.05)
        asterisk.line.put_nowait(MemberMissed(server="default", queue="sales", interface=AGENT))
        await passes(parts, lambda: bool(asterisk.pauses), step_s=0.05)
        assert asterisk.pauses == [(AGENT, True, RESTS)]
        await passes(parts, lambda: len(asterisk.pauses) == 2, step_s=0.1)
    assert asterisk.pauses[1] == (AGENT, False, "")
    assert parts.clock.at - NOON >= 30_000


async def test_an_order_of_another_process_is_carried_out(parts: Rig) -> None:
    async with running(parts, agent_first) as (_, asterisk):
        await passes(parts, lambda: parts.clock.at > NOON + 1_000, step_s=0.05)
        body = {"campaign": "demo", "agent": "agent1", "number": "+34600000009"}
        asked = asyncio.create_task(ask(parts.store, parts.clock, "agent_call", body))
        await passes(parts, asked.done)
        await passes(parts, lambda: len(asterisk.placed) == 2)
    assert asterisk.placed[1][1].attempt_id == (await asked)["guid"]
