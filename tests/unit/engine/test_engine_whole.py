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
from astdialer.domain.errors import LinkLost
from astdialer.engine.context import EngineOptions
from astdialer.engine.engine import Engine
from astdialer.engine.explain import explain
from astdialer.engine.origination import DialplanPlaces
from astdialer.ports import LinkDown, LinkUp, MemberGone, MemberSeen, MemberTalk, Origination, TelephonyEvent

Script = Callable[["ScriptedAsterisk", Origination], None]


class ScriptedAsterisk(FakeTelephony):
    """Every call goes as ``script`` says; events arrive as in Asterisk's own line."""

    def __init__(self, clock: FakeClock, script: Script) -> None:
        super().__init__(clock)
        self._script = script
        self.clock = clock
        self.line: asyncio.Queue[TelephonyEvent] = asyncio.Queue()
        self.members = [member()]

    async def events(self, server: str) -> AsyncIterator[TelephonyEvent]:
        while True:
            yield await self.line.get()

    async def originate(self, call: Origination) -> None:
        await super().originate(call)
        self._script(self, call)

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


def silence(asterisk: ScriptedAsterisk, call: Origination) -> None:
    asterisk.begins(call)


def lost(asterisk: ScriptedAsterisk, call: Origination) -> None:
    raise LinkLost("cut")


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def running(parts: Rig, script: Script) -> AsyncIterator[tuple[Engine, ScriptedAsterisk]]:
    """The engine runs, and time with it, a hundredth of a second at a time."""
    asterisk = ScriptedAsterisk(parts.clock, script)
    options = EngineOptions(places=DialplanPlaces(agi_address="127.0.0.1:4573"))
    engine = Engine(parts.store, asterisk, FakeRecordings(), parts.clock, options)
    await engine.load()
    run = asyncio.create_task(engine.run())
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
