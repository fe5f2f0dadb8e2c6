"""What scripts, people and the converter ask of the engine."""

import asyncio
import dataclasses
from pathlib import Path

import pytest
from engine_doubles import NOON, FakeRecordings, Rig, until

from astdialer.domain import events as ev
from astdialer.domain.amd import Action, Verdict
from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound, Unavailable
from astdialer.domain.trunk import Trunk
from astdialer.engine import campaigns
from astdialer.engine.answered import CallAnswering
from astdialer.engine.answering import Conclusion
from astdialer.engine.origination import DialplanPlaces
from astdialer.engine.recordings import PAUSES_S, convert_due
from astdialer.ports import Converted

pytest_plugins = ("engine_fixtures",)

S = CampaignState


# --- answered calls --------------------------------------------------------------------------------------------------


async def test_a_campaign_without_amd_asks_for_none(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    assert (await CallAnswering(engine.context).answered(call.attempt.id)).amd is None
    assert call.attempt.answered_at == NOON


async def test_a_call_that_is_not_live_gets_no_plan_and_no_action(engine: Rig) -> None:
    answering = CallAnswering(engine.context)
    with pytest.raises(NotFound):
        await answering.answered("nobody")
    with pytest.raises(NotFound):
        await answering.next_action("nobody")
    await answering.amd_finished("nobody", Verdict.HUMAN, "")
    await answering.concluded("nobody", Conclusion())


async def test_what_the_channel_says_at_its_end_is_kept(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    said = Conclusion(result="abandoned", queue_status="TIMEOUT", agent="PJSIP/1", key="3")
    await CallAnswering(engine.context).concluded(call.attempt.id, said)
    a = call.attempt
    assert (a.concluded, a.result, a.queue_status, a.agent, a.key) == (True, "abandoned", "TIMEOUT", "PJSIP/1", "3")
    assert a.action is None


async def test_what_the_dialplan_decided_alone_is_taken_from_it(engine: Rig) -> None:
    alone, decided = await engine.claim(1, 2)
    said = Conclusion(action=Action.HANGUP, amd_verdict=Verdict.MACHINE, amd_cause="LONGGREETING")
    answering = CallAnswering(engine.context)
    await answering.concluded(alone.attempt.id, said)
    assert (alone.attempt.action, alone.attempt.amd_verdict) == (Action.HANGUP, Verdict.MACHINE)
    engine.tell(decided, ev.AmdFinished, verdict=Verdict.HUMAN, cause="")
    engine.tell(decided, ev.ActionTaken, action=Action.QUEUE)
    await answering.concluded(decided.attempt.id, said)
    assert (decided.attempt.action, decided.attempt.amd_verdict) == (Action.QUEUE, Verdict.HUMAN)


async def test_a_call_that_is_handed_over_is_an_event(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    answering = CallAnswering(engine.context)
    await answering.redirected("nobody", "10103")
    await answering.redirected(call.attempt.id, "10103")
    (event,) = [event for event in await engine.store.events(0, 100) if event.kind == "attempt.redirected"]
    assert (event.at, event.contact_id, event.attempt_id) == (NOON, call.contact.id, call.attempt.id)
    assert event.body == {"number": call.attempt.number, "to": "10103"}


# --- campaigns -------------------------------------------------------------------------------------------------------

MOVES = {"start": campaigns.start, "pause": campaigns.pause, "resume": campaigns.resume}


async def move(engine: Rig, name: str) -> CampaignState:
    if name == "stop":
        return (await campaigns.stop(engine.store, engine.clock, "demo", hang_up=True)).state
    return (await MOVES[name](engine.store, engine.clock, "demo")).state


@pytest.mark.parametrize(
    ("state", "moves"),
    [
        (S.IDLE, {"start": S.RUNNING}),
        (S.RUNNING, {"start": S.RUNNING, "pause": S.PAUSED, "stop": S.STOPPING}),
        (S.PAUSED, {"start": S.RUNNING, "resume": S.RUNNING, "stop": S.STOPPING}),
        (S.STOPPING, {"stop": S.STOPPING}),
        (S.STOPPED, {"start": S.RUNNING}),
        (S.FINISHED, {"start": S.RUNNING}),
    ],
)
async def test_a_campaign_moves_only_as_it_may(
    engine: Rig, state: CampaignState, moves: dict[str, CampaignState]
) -> None:
    for name in ("start", "pause", "resume", "stop"):
        await engine.state(state)
        if name in moves:
            assert await move(engine, name) is moves[name]
        else:
            with pytest.raises(Conflict, match=state.value):
                await move(engine, name)
            assert (await engine.store.campaign("demo")).state is state


async def test_a_campaign_does_not_start_without_its_trunk(engine: Rig) -> None:
    await engine.state(S.IDLE)
    await engine.set(trunk="gone")
    with pytest.raises(Conflict, match="there is no trunk 'gone'"):
        await move(engine, "start")


async def test_a_running_campaign_keeps_what_it_needs(engine: Rig) -> None:
    with pytest.raises(Conflict, match="queue=NAME"):
        await campaigns.change(engine.store, engine.clock, "demo", {"queue": ""})
    with pytest.raises(InvalidSetting):
        await campaigns.change(engine.store, engine.clock, "demo", {"max_calls": "7", "nonsense": "1"})
    assert (await engine.store.campaign("demo")).settings.max_calls == 30
    await campaigns.change(engine.store, engine.clock, "demo", {"max_calls": "7"})
    assert (await engine.store.campaign("demo")).settings.max_calls == 7


async def test_a_changed_trunk_keeps_its_pace(engine: Rig) -> None:
    rate = engine.context.directory.rate(engine.trunk)
    rate.take(NOON)
    await engine.store.save_trunk(dataclasses.replace(engine.trunk, calls_per_second=2))
    await engine.store.save_trunk(Trunk(name="new", dial="SIP/{e164}"))
    await engine.context.directory.load()
    assert engine.context.directory.rate(engine.trunk) is rate
    assert rate.per_second == 2
    assert set(engine.context.directory.trunks) == {"carrier", "new"}


# --- words for Asterisk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "name", "sound"),
    [
        ("", "hello", "hello"),
        ("", "hello.wav", "hello"),
        ("/sounds", "hello.gsm", "/sounds/hello"),
        ("/sounds", "/own/hello.ulaw", "/own/hello"),
        ("/sounds", "hello.v2", "/sounds/hello.v2"),
        ("/sounds", "", ""),
    ],
)
def test_a_sound_has_no_ending_and_its_folder(folder: str, name: str, sound: str) -> None:
    assert DialplanPlaces(agi_address="", sound_directory=folder).sound(name) == sound


# --- recordings ------------------------------------------------------------------------------------------------------


async def recorded(engine: Rig) -> FakeRecordings:
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.HungUp, cause=16)
    engine.tell(call, ev.OriginateEnded, success=True, reason=4)
    await engine.bookkeeper.flush()
    recordings = engine.context.recordings
    assert isinstance(recordings, FakeRecordings)
    return recordings


async def recording_state(engine: Rig) -> tuple[str, int]:
    (row,) = await engine.store.recordings({}, 10)
    return row["state"], row["tries"]


@pytest.mark.parametrize(("result", "state"), [(Converted(path=Path("/a.mp3"), duration_s=1), "done"), (None, "none")])
async def test_a_recording_is_converted_once(engine: Rig, result: Converted | None, state: str) -> None:
    recordings = await recorded(engine)
    recordings.result = result
    task = asyncio.create_task(convert_due(engine.store, recordings, engine.clock))
    await until(lambda: len(engine.clock._sleepers) == 1)
    await engine.clock.advance(1)
    await until(lambda: len(engine.clock._sleepers) == 1)
    task.cancel()
    assert await recording_state(engine) == (state, 1)
    assert len(recordings.asked) == 1


async def test_a_failed_conversion_is_tried_again_with_growing_pauses_and_then_given_up(engine: Rig) -> None:
    recordings = await recorded(engine)
    recordings.result = Unavailable("no ffmpeg")
    task = asyncio.create_task(convert_due(engine.store, recordings, engine.clock))
    began = engine.clock.at
    while (await recording_state(engine))[0] == "pending":
        await until(lambda: len(engine.clock._sleepers) == 1)
        pause = PAUSES_S[min(len(recordings.asked), len(PAUSES_S)) - 1]
        await engine.clock.advance(pause)
    task.cancel()
    assert await recording_state(engine) == ("failed", len(PAUSES_S) + 1)
    assert engine.clock.at - began >= sum(PAUSES_S) * 1000
