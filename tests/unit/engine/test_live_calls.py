"""Live calls: derived from open attempts, followed by events."""

from engine_doubles import NOON, Rig

from astdialer.domain import events as ev
from astdialer.domain.amd import Action
from astdialer.domain.attempt import LATE_FACT_S, Attempt
from astdialer.engine.calls import Call, LiveCalls

pytest_plugins = ("engine_fixtures",)


async def test_calls_are_counted_by_campaign_server_and_trunk(engine: Rig) -> None:
    first, _ = await engine.claim(1, 2)
    assert (
        len(engine.calls) == len(engine.calls.of_campaign(engine.campaign.id)) == engine.calls.on_trunk("carrier") == 2
    )
    assert engine.calls.of_campaign(99) == engine.calls.of_server("two") == []
    assert len(engine.calls.of_server("default")) == 2
    engine.tell(first, ev.HungUp, cause=16)
    assert (len(engine.calls), engine.calls.on_trunk("carrier")) == (2, 1)


async def test_an_attempt_is_followed_once(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Sent)
    assert engine.calls.add(await engine.store.open_attempts()) == []
    assert engine.calls.get(call.attempt.id) is call


async def test_only_what_says_something_new_is_a_change(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    changes: list[tuple[Call, Attempt]] = []
    calls = LiveCalls(lambda call, before: changes.append((call, before)))
    calls.add(await engine.store.open_attempts())
    event = ev.Ringing(attempt_id=call.attempt.id, at=NOON)
    calls.handle(event)
    calls.handle(event)
    calls.handle(ev.Ringing(attempt_id="a stranger", at=NOON))
    assert len(changes) == 1
    assert [one.attempt.id for one in calls.unsaved()] == [call.attempt.id]


async def test_calls_may_be_removed_while_they_are_looked_through(engine: Rig) -> None:
    await engine.claim(1, 2, 3)
    for call in engine.calls:
        engine.calls.remove([call])
    assert len(engine.calls) == 0


async def test_a_call_is_over_when_its_attempt_is(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.tell(call, ev.HungUp, cause=17)
    assert engine.calls.over(NOON) == []
    assert engine.calls.over(NOON + int(LATE_FACT_S * 1000)) == [call]


async def test_a_call_waits_in_the_queue_until_an_agent_takes_it(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Answered)
    assert not call.waits_in_queue
    engine.tell(call, ev.ActionTaken, action=Action.QUEUE)
    assert call.waits_in_queue
    engine.tell(call, ev.AgentConnected, agent="PJSIP/1")
    assert call.has_agent
    assert not call.waits_in_queue
    engine.tell(call, ev.HungUp)
    assert call.is_gone
