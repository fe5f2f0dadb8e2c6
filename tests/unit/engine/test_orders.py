"""What others ask of the running engine: carried out at once, or not at all."""

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from engine_doubles import NOON, Rig, member, phone, until

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus, QueueMember
from astdialer.domain.campaign import CampaignState
from astdialer.domain.contact import ContactState
from astdialer.domain.errors import Conflict, NoAnswer, Unavailable
from astdialer.domain.selection import Judgement
from astdialer.domain.settings import Mode
from astdialer.engine.calls import Call
from astdialer.engine.desk import RESERVED
from astdialer.engine.orders import GRACE_S, ORDER_S, ask
from astdialer.engine.origination import AUTO_ANSWER
from astdialer.engine.progress import STALE_S
from astdialer.ports import BlacklistEntry, Claim, ClaimRequest, NewTask, Order
from astdialer.store.database import Write

pytest_plugins = ("engine_fixtures",)

FREE = AgentStatus.NOT_INUSE
_ids = itertools.count(1)


async def give(engine: Rig, kind: str, body: Mapping[str, Any], *, for_s: float = ORDER_S) -> str:
    order_id, now = f"order-{next(_ids)}", engine.clock.now()
    expires_at = now + int(for_s * 1000)
    await engine.store.give_order(Order(id=order_id, kind=kind, body=body, created_at=now, expires_at=expires_at))
    return order_id


async def carried_out(engine: Rig, kind: str, **body: Any) -> Mapping[str, Any]:
    """What comes of an order. Raises Conflict with the engine's words."""
    order_id = await give(engine, kind, body)
    for order in await engine.store.take_orders(engine.clock.now()):
        await engine.orders._carry_out(order)
    answer = await engine.store.order(order_id)
    if answer.state == "failed":
        raise Conflict(answer.result)
    assert answer.state == "done"
    return dict(json.loads(answer.result))


async def call_by_hand(engine: Rig, n: int = 1, **body: Any) -> Mapping[str, Any]:
    return await carried_out(engine, "agent_call", **{"campaign": "demo", "agent": "0", "number": phone(n), **body})


async def left(engine: Rig, n: int = 1) -> list[ContactState]:
    """How the contacts with the number stand."""
    return [found.state for found in await engine.store.contacts_with(phone(n), None, open_only=False)]


async def tried(engine: Rig) -> Call:
    """The one call, once its agent's telephone is rung."""
    await until(lambda: len(engine.telephony.placed) == 1)
    (call,) = engine.calls
    return call


# --- asking ----------------------------------------------------------------------------------------------------------


async def in_step(engine: Rig, asked: asyncio.Task[Any], sleepers: int) -> None:
    """Let time go on only when everybody waits for it, until who asked has an answer."""
    while not asked.done():
        await until(lambda: asked.done() or len(engine.clock._sleepers) >= sleepers)
        await engine.clock.advance(0.1)


async def answered(engine: Rig, kind: str, **body: Any) -> Mapping[str, Any]:
    """Ask, as a command does, while the engine carries orders out."""
    run = asyncio.create_task(engine.orders.run())
    asked = asyncio.create_task(ask(engine.store, engine.clock, kind, body))
    await in_step(engine, asked, 2)
    run.cancel()
    return await asked


async def test_who_asks_gets_the_answer(engine: Rig) -> None:
    engine.agents(FREE)
    assert await answered(engine, "agent_pause", agent="0", paused=True) == {"agents": ["PJSIP/0"]}
    assert engine.telephony.pauses == [("PJSIP/0", True, "")]


async def test_who_asks_for_what_cant_be_done_gets_the_engines_words(engine: Rig) -> None:
    with pytest.raises(Conflict, match="agent"):
        await answered(engine, "agent_pause", agent="9", paused=True)


async def test_an_order_that_the_engine_does_not_know_is_refused(engine: Rig) -> None:
    with pytest.raises(Conflict, match="knows no order 'dance'"):
        await answered(engine, "dance")


async def test_without_an_engine_the_asker_is_told_soon_and_the_order_is_void(engine: Rig) -> None:
    asked = asyncio.create_task(ask(engine.store, engine.clock, "agent_pause", {"agent": "0", "paused": True}))
    await in_step(engine, asked, 1)
    with pytest.raises(Unavailable, match="astdialer serve"):
        await asked
    assert engine.clock.now() - NOON < (GRACE_S + 1) * 1000
    assert await engine.store.take_orders(engine.clock.now()) == []


async def test_an_engine_that_is_busy_is_waited_for_until_the_order_expires(engine: Rig) -> None:
    async def shows_life() -> None:
        while True:
            await engine.store.publish_live_view("engine", {}, engine.clock.now())
            await engine.clock.sleep(STALE_S / 2)

    life = asyncio.create_task(shows_life())
    await until(lambda: bool(engine.clock._sleepers))
    asked = asyncio.create_task(ask(engine.store, engine.clock, "agent_pause", {"agent": "0", "paused": True}))
    await in_step(engine, asked, 2)
    life.cancel()
    with pytest.raises(Unavailable):
        await asked
    assert engine.clock.now() - NOON >= ORDER_S * 1000


async def test_who_asks_an_engine_that_dies_over_the_order_is_told_to_look(engine: Rig) -> None:
    asked = asyncio.create_task(ask(engine.store, engine.clock, "agent_pause", {"agent": "0", "paused": True}))
    await until(lambda: bool(engine.clock._sleepers))
    assert await engine.store.take_orders(engine.clock.now())
    await in_step(engine, asked, 1)
    with pytest.raises(NoAnswer, match="look whether it was done"):
        await asked


async def test_an_order_is_never_carried_out_late(engine: Rig) -> None:
    engine.agents(FREE)
    order_id = await give(engine, "agent_call", {"campaign": "demo", "agent": "0", "number": phone(1)})
    engine.clock.at += int(ORDER_S * 1000)
    run = asyncio.create_task(engine.orders.run())
    async with asyncio.timeout(10):
        while (await engine.store.order(order_id)).state == "new":
            await engine.clock.advance(0.1)
    run.cancel()
    assert (await engine.store.order(order_id)).state == "failed"
    assert engine.telephony.placed == []
    assert await left(engine) == []


async def test_a_fault_in_one_order_is_said_and_the_next_is_carried_out(
    engine: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    engine.agents(FREE)
    with caplog.at_level(logging.CRITICAL), pytest.raises(Conflict, match="a fault of astdialer: KeyError"):
        await answered(engine, "agent_pause")
    assert await answered(engine, "agent_pause", agent="0", paused=False) == {"agents": ["PJSIP/0"]}


async def test_a_store_that_takes_no_answer_does_not_end_the_engine(
    engine: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.agents(FREE)
    failures = []

    async def fails(*_: object, **__: object) -> None:
        failures.append(1)
        raise Unavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(engine.store, "order_done", fails)
        await give(engine, "agent_pause", {"agent": "0", "paused": True})
        run = asyncio.create_task(engine.orders.run())
        await engine.passes(lambda: bool(failures))
    second = await give(engine, "agent_pause", {"agent": "0", "paused": False})
    await engine.passes(lambda: len(engine.telephony.pauses) == 2)
    await engine.clock.turn()
    run.cancel()
    await until(run.done)
    assert run.cancelled()
    assert (await engine.store.order(second)).kind == "agent_pause"


# --- a call by hand --------------------------------------------------------------------------------------------------


async def test_a_call_by_hand_rings_the_agent_and_then_the_number(engine: Rig) -> None:
    engine.agents(FREE)
    answer = await call_by_hand(engine, data={"name": "Luz", "order": 7})
    call = await tried(engine)
    assert answer == {"guid": call.attempt.id, "contact_id": call.contact.id}
    assert (call.attempt.manual, call.attempt.reserved_agent) == (True, "PJSIP/0")
    assert call.contact.params == {"name": "Luz", "order": "7"}
    assert engine.telephony.pauses == [("PJSIP/0", True, RESERVED)]
    ((_, leg),) = engine.telephony.placed
    assert (leg.attempt_id, leg.channel) == (call.attempt.leg_id, "PJSIP/0")
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    engine.tell_leg(call, ev.Answered)
    await until(lambda: len(engine.telephony.placed) == 2)
    assert engine.telephony.placed[1][1].channel == "PJSIP/34600000001@c"


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_agents_telephone_may_be_asked_to_answer_by_itself(engine: Rig, wanted: bool) -> None:
    engine.agents(FREE)
    await call_by_hand(engine, auto_answer=wanted)
    call = await tried(engine)
    engine.tell_leg(call, ev.Answered)
    await until(lambda: len(engine.telephony.placed) == 2)
    leg, contact = (order.headers for _, order in engine.telephony.placed)
    assert leg == (AUTO_ANSWER if wanted else {})
    assert contact == {}, "it is the agent's alone"


async def test_a_call_by_hand_may_leave_by_a_dialplan_context(engine: Rig) -> None:
    engine.agents(FREE)
    await call_by_hand(engine, context="from-internal")
    call = await tried(engine)
    engine.tell_leg(call, ev.Answered)
    await until(lambda: len(engine.telephony.placed) == 2)
    assert engine.telephony.placed[1][1].channel == "Local/34600000001@from-internal"


@pytest.mark.parametrize("state", [CampaignState.IDLE, CampaignState.PAUSED, CampaignState.STOPPED])
async def test_no_state_of_the_campaign_forbids_a_call_by_hand(engine: Rig, state: CampaignState) -> None:
    engine.agents(FREE)
    await engine.state(state)
    await call_by_hand(engine)
    engine.tell_leg(await tried(engine), ev.Answered)
    await until(lambda: len(engine.telephony.placed) == 2)


async def test_a_paused_agent_may_call_by_hand(engine: Rig) -> None:
    engine.members(member(interface="PJSIP/0", paused=True, pause_reason="paperwork"))
    await call_by_hand(engine)
    await tried(engine)
    assert engine.telephony.pauses == []


@pytest.mark.parametrize(
    ("who", "words"),
    [
        (member(AgentStatus.INUSE, interface="PJSIP/0"), "is on a call"),
        (member(AgentStatus.UNAVAILABLE, interface="PJSIP/0"), "out of reach"),
        (member(FREE, interface="PJSIP/7"), "'?0'?.*member of a queue"),
    ],
)
async def test_an_agent_that_cant_be_rung_is_said_so(engine: Rig, who: QueueMember, words: str) -> None:
    engine.members(who)
    with pytest.raises(Conflict, match=words):
        await call_by_hand(engine)
    assert await left(engine) == []


async def test_what_forbids_the_call_is_said_and_the_task_is_forgotten(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.set(calling_hours="13:00-14:00", timezone="Europe/Madrid")  # it is 14:00 there
    with pytest.raises(
        Conflict, match=r"\+34600000001 can't be called now.*hours until 2026-09-23 13:00 Europe/Madrid"
    ):
        await call_by_hand(engine)
    assert await left(engine) == [ContactState.DONE]
    assert len(engine.calls) == 0
    assert engine.desk.free_in("default", "sales") == 1


async def test_any_hour_is_meant(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.set(calling_hours="13:00-14:00")
    await call_by_hand(engine, any_hour=True)
    engine.tell_leg(await tried(engine), ev.Answered)
    await until(lambda: len(engine.telephony.placed) == 2)


async def test_nobody_on_the_blacklist_is_called_by_hand(engine: Rig) -> None:
    engine.agents(FREE)
    entry = BlacklistEntry(number=phone(1), campaign="*", reason="", added_by="", added_at=NOON)
    await engine.store.add_to_blacklist([entry])
    with pytest.raises(Conflict, match="blacklisted"):
        await call_by_hand(engine)
    assert await left(engine) == [ContactState.DONE]


async def test_a_number_in_a_live_call_is_not_called_by_hand(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.claim(1)
    with pytest.raises(Conflict, match="live call"):
        await call_by_hand(engine)
    assert sorted(await left(engine)) == [ContactState.DONE, ContactState.IN_CALL]


@pytest.mark.parametrize("settings", [{"calendar": "gone"}, {"trunk": "gone"}])
async def test_a_campaign_that_cant_dial_takes_no_task(engine: Rig, settings: dict[str, str]) -> None:
    engine.agents(FREE)
    await engine.set(**settings)
    with pytest.raises(Conflict):
        await call_by_hand(engine)
    assert not {ContactState.READY, ContactState.WAITING, ContactState.IN_CALL} & set(await left(engine))


async def test_a_context_that_is_usual_elsewhere_is_taken_only_if_it_leads_to_the_number(engine: Rig) -> None:
    engine.agents(FREE, FREE)
    engine.telephony.dialplan = {("from-agents", phone(1).lstrip("+"))}
    await call_by_hand(engine, 1, usual_context="from-agents")
    await call_by_hand(engine, 2, usual_context="from-agents", agent="1")
    assert [call.via_context for call in engine.calls] == ["from-agents", ""]
    await until(lambda: len(engine.telephony.placed) == 2)


async def test_a_bad_context_is_refused_before_anything_is_begun(engine: Rig) -> None:
    engine.agents(FREE)
    with pytest.raises(Conflict, match="dialplan context"):
        await call_by_hand(engine, context="a,b\nc")
    assert await left(engine) == []
    assert len(engine.calls) == 0


async def test_two_orders_at_once_ring_an_agent_once(engine: Rig) -> None:
    engine.agents(FREE)
    for n in (1, 2):
        await give(engine, "agent_call", {"campaign": "demo", "agent": "0", "number": phone(n)})
    orders = await engine.store.take_orders(engine.clock.now())
    await asyncio.gather(*map(engine.orders._carry_out, orders))
    answers = [await engine.store.order(order.id) for order in orders]
    assert sorted(answer.state for answer in answers) == ["done", "failed"]
    assert len(engine.calls) == 1


async def test_an_unknown_campaign_is_said_so(engine: Rig) -> None:
    with pytest.raises(Conflict, match="nothing"):
        await call_by_hand(engine, campaign="nothing")


async def test_a_call_by_hand_that_its_agent_did_not_take_is_not_made_later(engine: Rig) -> None:
    engine.agents(FREE)
    await call_by_hand(engine)
    call = await tried(engine)
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    engine.tell_leg(call, ev.HungUp, cause=21)
    await until(lambda: call.is_gone)
    await engine.bookkeeper.flush()
    assert await left(engine) == [ContactState.DONE]


@pytest.mark.parametrize("gone", ["agent", "trunk"])
async def test_a_call_by_hand_that_cant_be_begun_any_more_is_said_so_and_not_made(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    claim = engine.store.claim_task

    async def meanwhile(task: NewTask, request: ClaimRequest, reason: str) -> Claim | Judgement:
        found = await claim(task, request, reason)
        if gone == "agent":
            engine.agents(AgentStatus.INUSE)
        else:
            engine.context.directory.trunks = {}
        return found

    monkeypatch.setattr(engine.store, "claim_task", meanwhile)
    engine.agents(FREE)
    with pytest.raises(Conflict, match="agent PJSIP/0 is on a call" if gone == "agent" else "no trunk 'carrier'"):
        await call_by_hand(engine)
    await engine.bookkeeper.flush()
    assert (len(engine.calls), await left(engine)) == (0, [ContactState.DONE])
    assert engine.telephony.placed == []


@pytest.mark.parametrize("writes", range(4))
async def test_an_engine_that_dies_in_between_leaves_no_call_for_later(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """However many transactions of it were committed."""

    class Dies(BaseException):
        pass

    engine.agents(FREE)
    await engine.set(mode=Mode.AGENT_FIRST)
    write, left_over = engine.store._db.write, writes

    async def until_death(change: Write) -> Any:
        nonlocal left_over
        if not left_over:
            raise Dies
        left_over -= 1
        return await write(change)

    with monkeypatch.context() as dying:
        dying.setattr(engine.store._db, "write", until_death)
        with contextlib.suppress(Dies):
            await engine.orders._agent_call({"campaign": "demo", "agent": "0", "number": phone(1)})
            await engine.clock.turn()
        await engine.agent_first.stop()
    engine.calls.remove(list(engine.calls))
    await next_engine_takes_up(engine)
    await engine.clock.advance(3600)
    await engine.dialer._turn()
    assert len(engine.calls) == 0
    assert set(await left(engine)) <= {ContactState.DONE}


async def next_engine_takes_up(engine: Rig) -> None:
    """The calls that the store has, as Engine.load does; nobody was dialed."""
    for call in engine.calls.add(await engine.store.open_attempts()):
        engine.tell(call, ev.Refused, message="the engine died", retry_s=1)
    await engine.bookkeeper.flush()
    await engine.context.directory.load()


# --- telephones and pauses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["0", "PJSIP/0", "Ana"])
async def test_whatever_call_an_agent_has_is_hung_up(engine: Rig, agent: str) -> None:
    engine.agents(AgentStatus.INUSE)
    assert await carried_out(engine, "agent_hangup", agent=agent) == {"hung_up": 1}
    assert engine.telephony.hung_up == ["PJSIP/0"]


async def test_a_telephone_in_no_queue_is_hung_up_by_its_interface(engine: Rig) -> None:
    assert await carried_out(engine, "agent_hangup", agent="PJSIP/99") == {"hung_up": 1}
    assert await carried_out(engine, "agent_hangup", agent="99") == {"hung_up": 0}


async def test_an_order_may_hold_on_one_asterisk_alone(engine: Rig) -> None:
    engine.agents(FREE)
    here = {"agent": "0", "server": "default", "paused": True}
    assert await carried_out(engine, "agent_pause", **here) == {"agents": ["PJSIP/0"]}
    assert await carried_out(engine, "agent_hangup", agent="PJSIP/99", server="elsewhere") == {"hung_up": 0}
    with pytest.raises(Conflict, match="no agent '0'"):
        await carried_out(engine, "agent_pause", **here | {"server": "elsewhere"})


async def test_a_pause_may_not_look_like_one_of_ours(engine: Rig) -> None:
    engine.agents(FREE)
    with pytest.raises(Conflict, match="does not begin with"):
        await carried_out(engine, "agent_pause", agent="0", paused=True, reason=RESERVED)
    assert engine.telephony.pauses == []


async def test_an_agent_is_paused_with_its_reason_and_goes_on(engine: Rig) -> None:
    engine.agents(FREE)
    await carried_out(engine, "agent_pause", agent="0", paused=True, reason="lunch")
    assert engine.desk.free_in("default", "sales") == 0
    await carried_out(engine, "agent_pause", agent="0", paused=False)
    assert engine.telephony.pauses == [("PJSIP/0", True, "lunch"), ("PJSIP/0", False, "")]
    assert engine.desk.free_in("default", "sales") == 1


# --- live calls ------------------------------------------------------------------------------------------------------


async def test_the_live_call_of_a_contact_is_hung_up_once(engine: Rig) -> None:
    first, other = await engine.claim(1, 2)
    for call in (first, other):
        engine.tell(call, ev.Sent)
    assert await carried_out(engine, "hangup_call", contact_id=first.contact.id) == {"hung_up": 1}
    assert await carried_out(engine, "hangup_call", contact_id=first.contact.id) == {"hung_up": 1}
    assert engine.telephony.hung_up == [first.attempt.id]
    assert await carried_out(engine, "hangup_call", contact_id=999) == {"hung_up": 0}


async def test_a_call_that_still_waits_for_its_trunk_is_not_dialed_after_it_was_hung_up(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    assert await carried_out(engine, "hangup_call", contact_id=call.contact.id) == {"hung_up": 1}
    engine.placer.place(call, engine.trunk)
    await engine.bookkeeper.flush()
    assert engine.telephony.placed == []
    assert [closing.disposition.value for closing in engine.closed] == ["canceled"]


async def test_a_call_whose_agent_is_still_rung_ends_with_its_agents_leg(engine: Rig) -> None:
    engine.agents(FREE)
    answer = await call_by_hand(engine)
    call = await tried(engine)
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    await carried_out(engine, "hangup_call", contact_id=answer["contact_id"])
    await engine.passes(lambda: engine.telephony.hung_up == [call.attempt.leg_id])
    assert len(engine.telephony.placed) == 1


# --- tags ------------------------------------------------------------------------------------------------------------


async def test_a_tag_of_a_live_contact_outlives_its_call(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    assert await carried_out(engine, "tag_contact", contact_id=call.contact.id, tag="vip") == {}
    engine.tell(call, ev.Refused, message="no")
    await engine.bookkeeper.flush()
    assert (await engine.store.load_contact(call.contact.id)).tag == "vip"


async def test_a_tag_of_an_idle_contact_is_written_at_once(engine: Rig) -> None:
    await engine.people(1)
    (contact,) = await engine.store.contacts_with(phone(1), None)
    await carried_out(engine, "tag_contact", contact_id=contact.id, tag="vip")
    assert await engine.store.load_contact(contact.id) == replace(contact, tag="vip")
