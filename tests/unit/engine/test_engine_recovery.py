"""Recovery: live calls are found again, dead ones are closed once."""

import asyncio

import pytest
from engine_doubles import NOON, Rig, member, until

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.attempt import LATE_FACT_S, State
from astdialer.domain.disposition import Disposition
from astdialer.domain.settings import Mode
from astdialer.engine.calls import Call
from astdialer.engine.recovery import RECONCILE_S, RETRY_S
from astdialer.ports import LiveChannel

pytest_plugins = ("engine_fixtures",)


def channel(call: Call, *, up: bool = False, ringing: bool = False) -> LiveChannel:
    return LiveChannel(
        uniqueid=call.attempt.id, linkedid=call.attempt.id, channel="PJSIP/c-1", is_up=up, is_ringing=ringing
    )


async def dialing(engine: Rig, *numbers: int) -> list[Call]:
    calls = await engine.claim(*numbers)
    for call in calls:
        engine.tell(call, ev.Sent)
    return calls


async def link_up(engine: Rig) -> asyncio.Task[None]:
    engine.recovery.link_down("default")
    task = asyncio.create_task(engine.recovery.link_up("default"))
    await engine.clock.turn()
    return task


async def test_calls_that_live_are_adopted_in_their_state(engine: Rig) -> None:
    up, ringing, dialed = await dialing(engine, 1, 2, 3)
    engine.telephony.channels = [channel(up, up=True), channel(ringing, ringing=True), channel(dialed)]
    task = await link_up(engine)
    assert [call.attempt.state for call in (up, ringing, dialed)] == [State.ANSWERED, State.RINGING, State.DIALING]
    assert all(call.attempt.adopted and call.attempt.channel == "PJSIP/c-1" for call in engine.calls)
    await engine.clock.advance(LATE_FACT_S)
    await task
    assert len(engine.calls.over(engine.clock.now())) == 0
    engine.tell(up, ev.HungUp, cause=16)
    assert engine.calls.over(engine.clock.now()) == [up], "its OriginateResponse will not come any more"


async def test_a_call_without_a_channel_vanishes_only_after_its_last_words_had_time(engine: Rig) -> None:
    (call,) = await dialing(engine, 1)
    task = await link_up(engine)
    await engine.clock.advance(LATE_FACT_S - 0.001)
    assert not call.attempt.vanished
    await engine.clock.advance(0.001)
    await task
    assert call.attempt.vanished
    await engine.bookkeeper.flush()
    assert [closing.disposition for closing in engine.closed] == [Disposition.UNKNOWN]


async def test_a_late_hangup_beats_the_vanishing(engine: Rig) -> None:
    (call,) = await dialing(engine, 1)
    task = await link_up(engine)
    engine.tell(call, ev.HungUp, cause=17, sip_code=486)
    await engine.clock.advance(LATE_FACT_S)
    await task
    assert not call.attempt.vanished
    await engine.bookkeeper.flush()
    assert [closing.disposition for closing in engine.closed] == [Disposition.BUSY]


async def test_a_call_claimed_after_the_look_does_not_vanish(engine: Rig) -> None:
    task = await link_up(engine)
    (call,) = await dialing(engine, 1)
    await engine.clock.advance(LATE_FACT_S)
    await task
    assert not call.attempt.vanished


async def test_a_call_that_was_not_sent_at_the_look_is_left_alone(engine: Rig) -> None:
    """It is sent while CoreShowChannels is under way, or later: its channel is in no list, and it is not lost."""
    (sent, waiting) = await engine.claim(1, 2)
    task = await link_up(engine)
    engine.tell(sent, ev.Sent)
    engine.tell(sent, ev.ChannelCreated, channel="PJSIP/c-1")
    await engine.clock.advance(LATE_FACT_S)
    await task
    assert not sent.attempt.vanished
    assert not waiting.attempt.vanished


async def test_a_call_that_speaks_after_the_look_is_not_lost(engine: Rig) -> None:
    (call,) = await dialing(engine, 1)
    task = await link_up(engine)
    engine.tell(call, ev.Ringing)
    await engine.clock.advance(LATE_FACT_S)
    await task
    assert not call.attempt.vanished


async def test_agents_are_unknown_while_the_link_is_down_and_listed_when_it_is_back(engine: Rig) -> None:
    engine.agents(AgentStatus.NOT_INUSE)
    engine.recovery.link_down("default")
    assert engine.context.agents.members() == []
    assert engine.recovery.synced == set()
    engine.telephony.members = [member(AgentStatus.INUSE)]
    await link_up(engine)
    assert [found.status for found in engine.context.agents.members()] == [AgentStatus.INUSE]
    assert engine.recovery.synced == {"default"}


async def test_an_asterisk_that_does_not_answer_is_asked_again(engine: Rig) -> None:
    engine.telephony.silent = 2
    await link_up(engine)
    await engine.clock.advance(RETRY_S)
    assert engine.recovery.synced == set()
    await engine.clock.advance(RETRY_S)
    assert engine.recovery.synced == {"default"}


async def test_a_link_that_went_down_again_is_given_up(engine: Rig) -> None:
    engine.telephony.silent = 1
    task = await link_up(engine)
    engine.telephony.up = False
    await engine.clock.advance(RETRY_S)
    assert task.done()
    assert engine.recovery.synced == set()


@pytest.mark.parametrize(("rounds", "vanished"), [(1, False), (2, True)])
async def test_a_call_missing_in_two_rounds_is_lost(engine: Rig, rounds: int, vanished: bool) -> None:
    lost, alive = await dialing(engine, 1, 2)
    engine.telephony.channels = [channel(alive)]
    engine.clock.at = NOON + 1
    task = asyncio.create_task(engine.recovery.reconcile())
    await engine.clock.advance(1)
    await engine.clock.advance(RECONCILE_S * rounds)
    task.cancel()
    assert (lost.attempt.vanished, alive.attempt.vanished) == (vanished, False)


async def test_a_round_without_an_answer_loses_nobody(engine: Rig) -> None:
    (call,) = await dialing(engine, 1)
    engine.clock.at = NOON + 1
    engine.telephony.silent = 100
    task = asyncio.create_task(engine.recovery.reconcile())
    await engine.clock.advance(5 * RECONCILE_S)
    task.cancel()
    assert not call.attempt.vanished


# --- agents that are called first ------------------------------------------------------------------------------------


async def agent_rung(engine: Rig) -> Call:
    """A call whose agent's telephone rings; nobody else is called yet."""
    await engine.set(mode=Mode.AGENT_FIRST)
    await engine.people(1)
    engine.agents(AgentStatus.NOT_INUSE)
    await engine.dialer._turn()
    await until(lambda: len(engine.telephony.placed) == 1)
    (call,) = engine.calls
    return call


def leg_channel(call: Call, *, up: bool = False) -> LiveChannel:
    leg_id = call.attempt.leg_id
    return LiveChannel(uniqueid=leg_id, linkedid=leg_id, channel="PJSIP/0-1", is_up=up, is_ringing=not up)


async def test_an_agent_that_answered_during_a_cut_is_found_and_the_contact_dialed(engine: Rig) -> None:
    call = await agent_rung(engine)
    engine.telephony.channels = [leg_channel(call, up=True)]
    await link_up(engine)
    await until(lambda: len(engine.telephony.placed) == 2)
    assert engine.telephony.placed[1][1].attempt_id == call.attempt.id


async def test_an_agent_that_hung_up_during_a_cut_is_not_waited_for(engine: Rig) -> None:
    call = await agent_rung(engine)
    await link_up(engine)
    await engine.clock.advance(LATE_FACT_S - 0.1)
    assert not call.is_gone
    await engine.passes(lambda: call.is_gone)
    await engine.bookkeeper.flush()
    assert [(closing.contact.tries, closing.attempt.dialed_at) for closing in engine.closed] == [(0, None)]


async def test_a_ringing_agent_is_not_taken_for_lost(engine: Rig) -> None:
    call = await agent_rung(engine)
    engine.telephony.channels = [leg_channel(call)]
    task = asyncio.create_task(engine.recovery.reconcile())
    await engine.clock.advance(3 * RECONCILE_S + 1)
    task.cancel()
    assert not call.is_gone
