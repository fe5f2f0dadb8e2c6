"""Whose telephone rings for which call: told in the order of the facts, and never at the cost of a call."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
from engine_doubles import AGENT, NOON, Rig, phone, until

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.errors import Unavailable
from astdialer.domain.hooks import Event
from astdialer.domain.settings import Mode
from astdialer.engine import notices
from astdialer.engine.calls import Call
from astdialer.ports import NewEvent, QueueCall

pytest_plugins = ("engine_fixtures",)

RINGS = QueueCall(
    server="default", queue="sales", interface=AGENT, uniqueid="1795247293.9", cid="0770", taken=False, at=NOON + 5
)


async def told(engine: Rig) -> Sequence[Event]:
    """What has been written of calls that were offered or taken."""
    kinds = ("attempt.offered", "attempt.connected", "call.offered", "call.connected")
    return [event for event in await engine.store.events(0, 1000) if event.kind in kinds]


def offered(engine: Rig, call: Call) -> None:
    engine.notices.queue_call(replace(RINGS, uniqueid=call.attempt.id))


async def test_a_call_of_ours_is_offered_and_then_taken(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    offered(engine, call)
    engine.tell(call, ev.AgentConnected, agent=AGENT)
    engine.notices.queue_call(replace(RINGS, uniqueid=call.attempt.id, taken=True))
    await engine.bookkeeper.flush()
    first, second = await told(engine)
    assert (first.kind, second.kind) == ("attempt.offered", "attempt.connected")
    assert (first.at, first.attempt_id, first.contact_id) == (NOON + 5, call.attempt.id, call.contact.id)
    assert first.campaign_id == engine.campaign.id
    assert first.body == {"number": phone(1), "agent": AGENT, "queue": "sales"}


async def test_another_caller_is_told_of_without_a_campaign(engine: Rig) -> None:
    engine.notices.queue_call(RINGS)
    engine.notices.queue_call(replace(RINGS, taken=True, at=NOON + 9))
    await engine.notices.flush()
    first, second = await told(engine)
    assert (first.kind, second.kind, second.at) == ("call.offered", "call.connected", NOON + 9)
    assert (first.campaign_id, first.contact_id, first.attempt_id) == (None, None, "")
    body = {"queue": "sales", "uuid": "1795247293.9", "agent": AGENT, "cid": "0770", "server": "default"}
    assert first.body == second.body == body


@pytest.mark.parametrize("facts", [(ev.Ringing, ev.Answered), (ev.Answered,), (ev.Ringing, ev.Ringing)])
async def test_an_agent_who_is_called_first_is_offered_the_call_once(
    engine: Rig, facts: tuple[type[ev.AttemptEvent], ...]
) -> None:
    await engine.set(mode=Mode.AGENT_FIRST)
    await engine.people(1)
    engine.agents(AgentStatus.NOT_INUSE)
    await engine.dialer._turn()
    await until(lambda: len(engine.telephony.placed) == 1)
    (call,) = engine.calls
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    assert len(engine.notices) == 0, "nothing rings yet"
    for fact in facts:
        engine.tell_leg(call, fact)
    await engine.bookkeeper.flush()
    (event,) = await told(engine)
    assert (event.kind, event.attempt_id) == ("attempt.offered", call.attempt.id)
    assert event.body == {"number": phone(1), "agent": "PJSIP/0", "queue": "sales"}


async def test_a_telephone_that_never_rang_was_offered_nothing(engine: Rig) -> None:
    await engine.set(mode=Mode.AGENT_FIRST)
    await engine.people(1)
    engine.agents(AgentStatus.NOT_INUSE)
    await engine.dialer._turn()
    await until(lambda: len(engine.telephony.placed) == 1)
    (call,) = engine.calls
    engine.tell_leg(call, ev.HungUp, cause=17, sip_code=486)
    engine.tell_leg(call, ev.OriginateEnded, success=False, reason=0)
    await engine.passes(lambda: call.is_gone)
    await engine.bookkeeper.flush()
    assert await told(engine) == []


class Failing:
    """A store that can't write for a while."""

    def __init__(self, engine: Rig, error: Exception) -> None:
        self.error: Exception | None = error
        self._add = engine.store.add_events

    async def add_events(self, events: Sequence[NewEvent]) -> None:
        if self.error:
            raise self.error
        await self._add(events)


@pytest.fixture
def failing(engine: Rig, monkeypatch: pytest.MonkeyPatch) -> Failing:
    found = Failing(engine, Unavailable("the disk is full"))
    monkeypatch.setattr(engine.store, "add_events", found.add_events)
    return found


async def test_what_can_t_be_written_is_kept_in_its_order_and_calls_go_on(
    engine: Rig, failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    (call,) = await engine.claim(1)
    offered(engine, call)
    engine.tell(call, ev.Refused, message="no line")
    await engine.bookkeeper.flush()
    assert len(engine.closed) == 1, "the call was closed whatever became of its telling"
    assert any(record.message == "notices.not_written" for record in caplog.records)
    engine.notices.queue_call(RINGS)
    failing.error = None
    await engine.notices.flush()
    assert [event.kind for event in await told(engine)] == ["attempt.offered", "call.offered"]
    assert len(engine.notices) == 0


async def test_a_fault_loses_the_telling_and_no_call(
    engine: Rig, failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    failing.error = ValueError("nobody foresaw it")
    engine.notices.queue_call(RINGS)
    with caplog.at_level(logging.ERROR):
        await engine.bookkeeper.flush()
    assert len(engine.notices) == 0
    assert any(record.message == "notices.lost" for record in caplog.records)


async def test_of_too_many_the_newest_are_kept(engine: Rig, failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MOST_KEPT", 3)
    monkeypatch.setattr(notices, "BATCH", 2)
    engine.notices = notices.Notices(engine.context)

    def rings(*numbers: int) -> None:
        for n in numbers:
            engine.notices.queue_call(replace(RINGS, at=n))

    rings(1, 2, 3, 4)
    await engine.notices.flush()
    rings(5)

    async def meanwhile(events: Sequence[NewEvent]) -> None:
        rings(6)
        raise Unavailable("still full")

    monkeypatch.setattr(engine.store, "add_events", meanwhile)
    await engine.notices.flush()
    failing.error = None
    monkeypatch.setattr(engine.store, "add_events", failing.add_events)
    await engine.notices.flush()
    assert [event.at for event in await told(engine)] == [4, 5, 6]
