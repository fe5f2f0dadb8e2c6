"""Calls that ring their agent first: reserved, rung, asked, and only then somebody is dialed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from engine_doubles import NOON, Rig, phone, until

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.amd import Action
from astdialer.domain.campaign import CampaignState
from astdialer.domain.contact import Contact
from astdialer.domain.errors import LinkLost, NotFound, OriginateRefused, Unavailable
from astdialer.domain.settings import Mode
from astdialer.engine.calls import Call
from astdialer.engine.desk import RESERVED
from astdialer.ports import BlacklistEntry, Claim, Claimed, ClaimRequest, Offer

pytest_plugins = ("engine_fixtures",)

FREE = AgentStatus.NOT_INUSE
DELAYS: dict[str, Any] = {"busy_delay_s": 11, "reject_delay_s": 22, "no_answer_delay_s": 33}


async def ringing(engine: Rig, mode: Mode = Mode.AGENT_FIRST, **settings: Any) -> Call:
    """The call of the only contact, while the telephone of the only agent rings."""
    await engine.set(mode=mode, **settings)
    await engine.people(1)
    engine.agents(FREE)
    await engine.dialer._turn()
    await until(lambda: len(engine.telephony.placed) == 1)
    (call,) = engine.calls
    return call


async def there(engine: Rig, mode: Mode = Mode.AGENT_FIRST, **settings: Any) -> Call:
    """The call when its agent has answered."""
    call = await ringing(engine, mode, **settings)
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    engine.tell_leg(call, ev.Answered)
    engine.tell_leg(call, ev.OriginateEnded, success=True, reason=4)
    await engine.clock.turn()
    return call


async def dialed(engine: Rig, mode: Mode = Mode.AGENT_FIRST, **settings: Any) -> Call:
    """The call when its contact's telephone rings."""
    call = await there(engine, mode, **settings)
    await until(lambda: len(engine.telephony.placed) == 2)
    engine.tell(call, ev.ChannelCreated, channel="PJSIP/c-1")
    engine.tell(call, ev.Ringing)
    return call


async def over(engine: Rig, call: Call) -> Contact:
    """The contact as its call leaves it."""
    await engine.passes(lambda: call.is_gone)
    await engine.passes(lambda: not engine.agent_first._tasks)
    await engine.bookkeeper.flush()
    await engine.desk.settle()
    (found,) = await engine.store.contacts_with(phone(1), None, open_only=False)
    return found


def rests_s(engine: Rig) -> float:
    (agent,) = engine.context.agents.members()
    return max(0, engine.desk.rests_until(agent) - engine.clock.now()) / 1000


def free(engine: Rig) -> int:
    return engine.desk.free_in("default", "sales")


# --- the agent comes first -------------------------------------------------------------------------------------------


async def test_the_agent_is_reserved_and_rung_and_nobody_else(engine: Rig) -> None:
    call = await ringing(engine, caller_id="911", agent_call_timeout_s=7)
    ((_, order),) = engine.telephony.placed
    assert (order.attempt_id, order.channel, order.timeout_s) == (call.attempt.leg_id, "PJSIP/0", 7)
    assert (order.context, order.caller_id) == ("astdialer-agent-leg", "Ana <34600000001>")
    assert order.variables["ASTDIALER_ID"] == call.attempt.id
    assert order.variables["__CONTACT_name"] == "Ana"
    assert engine.telephony.pauses == [("PJSIP/0", True, RESERVED)]
    assert call.attempt.dialed_at is None
    assert free(engine) == 0


async def test_the_agents_channel_has_the_campaigns_params_too(engine: Rig) -> None:
    await ringing(engine, params="offer=3")
    ((_, order),) = engine.telephony.placed
    assert (order.variables["__CONTACT_offer"], order.variables["__CONTACT_name"]) == ("3", "Ana")


async def test_the_agents_own_time_to_answer_goes_first(engine: Rig) -> None:
    await engine.add_profile("0", call_timeout_s=5)
    await ringing(engine, agent_call_timeout_s=7)
    ((_, order),) = engine.telephony.placed
    assert order.timeout_s == 5


async def test_each_free_agent_has_one_call(engine: Rig) -> None:
    await engine.set(mode=Mode.AGENT_FIRST)
    await engine.people(1, 2, 3)
    engine.agents(FREE, AgentStatus.INUSE, FREE)
    for _ in range(3):
        await engine.dialer._turn()
    assert sorted(call.attempt.reserved_agent for call in engine.calls) == ["PJSIP/0", "PJSIP/2"]


async def test_when_the_agent_answers_the_contact_is_dialed_for_it(engine: Rig) -> None:
    call = await there(engine, caller_id="911")
    await until(lambda: len(engine.telephony.placed) == 2)
    order = engine.telephony.placed[1][1]
    assert (order.attempt_id, order.channel) == (call.attempt.id, "PJSIP/34600000001@c")
    assert (order.context, order.caller_id) == ("astdialer-answered", "911")
    assert order.variables["ASTDIALER_LEG"] == call.attempt.leg_id
    assert order.variables["ASTDIALER_AGENT"] == "PJSIP/0"
    assert order.variables["ASTDIALER_NAME"] == "Ana"
    assert call.attempt.dialed_at == NOON


async def test_a_talk_counts_as_the_agents_and_then_it_wraps_up(engine: Rig) -> None:
    call = await dialed(engine, wrap_up_s=10)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.ActionTaken, action=Action.AGENT)
    engine.tell(call, ev.Bridged)
    engine.clock.at += 60_000
    engine.tell(call, ev.HungUp, cause=16)
    engine.tell(call, ev.OriginateEnded, success=True, reason=4)
    contact = await over(engine, call)
    assert (contact.end_reason, contact.successful) == ("answered", True)
    assert call.attempt.agent == "PJSIP/0"
    assert engine.desk.seat("default", "PJSIP/0").calls == 1
    assert rests_s(engine) > 9
    assert engine.telephony.hung_up == [call.attempt.leg_id]


async def test_an_agent_for_whom_a_contact_is_looked_for_can_not_call_by_hand_meanwhile(
    engine: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.set(mode=Mode.AGENT_FIRST)
    await engine.people(1)
    engine.agents(FREE)
    claim = engine.store.claim
    found: list[bool] = []

    async def looks(request: ClaimRequest) -> Sequence[Claim]:
        found.extend(engine.desk.callable_by_hand(agent) for agent in engine.context.agents.members())
        return await claim(request)

    monkeypatch.setattr(engine.store, "claim", looks)
    await engine.dialer._turn()
    assert found == [False]


async def after_the_first_claim(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, happens: Callable[[ClaimRequest], Awaitable[object]]
) -> None:
    """Let something happen as soon as the first claim is written, before the dialer goes on."""
    claim = engine.store.claim

    async def claims(request: ClaimRequest) -> Claimed:
        found = await claim(request)
        monkeypatch.setattr(engine.store, "claim", claim)
        await happens(request)
        return found

    monkeypatch.setattr(engine.store, "claim", claims)


@pytest.mark.parametrize("bound", [False, True])
async def test_an_agent_who_calls_by_hand_while_others_are_claimed_for_has_one_call(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, bound: bool
) -> None:
    async def calls_by_hand(request: ClaimRequest) -> None:
        other = "PJSIP/1" if request.reserved_agent == "PJSIP/0" else "PJSIP/0"
        await engine.orders._agent_call({"campaign": "demo", "agent": other, "number": phone(77)})

    await engine.set(mode=Mode.PROGRESSIVE if bound else Mode.AGENT_FIRST)
    await engine.people(1, 2, agentphone="0" if bound else "")
    await engine.people(3, 4, agentphone="1" if bound else "", base="others")
    engine.agents(FREE, FREE)
    await after_the_first_claim(engine, monkeypatch, calls_by_hand)
    await engine.dialer._turn()
    assert sorted(call.attempt.reserved_agent for call in engine.calls) == ["PJSIP/0", "PJSIP/1"]
    await engine.clock.turn()


async def test_who_has_taken_a_call_while_others_were_claimed_for_is_not_rung(
    engine: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def are_taken(_: ClaimRequest) -> None:
        engine.agents(AgentStatus.INUSE, AgentStatus.INUSE)

    await engine.set(mode=Mode.AGENT_FIRST)
    await engine.people(1, 2, 3)
    engine.agents(FREE, FREE)
    await after_the_first_claim(engine, monkeypatch, are_taken)
    await engine.dialer._turn()
    (call,) = engine.calls
    assert (call.attempt.refusal, call.attempt.uncounted) == ("agent PJSIP/0 is not free any more", True)
    await engine.bookkeeper.flush()
    assert engine.telephony.placed == []
    assert engine.telephony.pauses == []
    (contact,) = await engine.store.contacts_with(phone(1), None)
    assert (contact.tries, contact.next_at) == (0, engine.closed[-1].now + 1000)
    engine.agents(FREE, FREE)
    await engine.dialer._turn()
    assert len(engine.calls) == 2, "contacts are due: the campaign does not rest for want of agents"
    await engine.clock.turn()


async def test_a_call_whose_trunk_was_removed_meanwhile_keeps_neither_agent_nor_contact(
    engine: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trunk_goes(_: ClaimRequest) -> None:
        engine.context.directory.trunks = {}

    await engine.set(mode=Mode.AGENT_FIRST)
    await engine.people(1)
    engine.agents(FREE)
    await after_the_first_claim(engine, monkeypatch, trunk_goes)
    await engine.dialer._turn()
    await engine.bookkeeper.flush()
    assert engine.now_of().state is CampaignState.RUNNING
    assert [closing.attempt.refusal for closing in engine.closed] == ["there is no trunk 'carrier' any more"]
    assert (await engine.store.counts(engine.campaign.id)).waiting == 1
    assert free(engine) == 1


# --- the agent does not come -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "how", "seconds"),
    [
        ({"cause": 17, "sip_code": 486}, "busy", 11),
        ({"cause": 21, "sip_code": 603}, "rejected", 22),
        ({"cause": 19, "sip_code": 480}, "no answer", 33),
    ],
)
async def test_an_agent_who_does_not_take_it_rests_and_the_contact_is_free_again(
    engine: Rig, facts: dict[str, int], how: str, seconds: int
) -> None:
    call = await ringing(engine, **DELAYS)
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    engine.tell_leg(call, ev.Ringing)
    engine.tell_leg(call, ev.HungUp, **facts)
    engine.tell_leg(call, ev.OriginateEnded, success=False, reason=5)
    await until(lambda: call.is_gone)
    assert rests_s(engine) == seconds
    contact = await over(engine, call)
    assert call.attempt.refusal == f"agent PJSIP/0: {how}"
    assert (contact.next_at, contact.tries, dict(contact.numbers[0].tally)) == (engine.closed[-1].now + 1000, 0, {})
    assert len(engine.telephony.placed) == 1
    assert engine.telephony.hung_up == []


async def test_a_telephone_that_rang_until_our_own_timeout_was_not_answered(engine: Rig) -> None:
    """Asterisk then gives it the cause of a call that we canceled, whatever the telephone says to that."""
    call = await ringing(engine, **DELAYS)
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    engine.tell_leg(call, ev.OriginateEnded, success=False, reason=3)
    engine.tell_leg(call, ev.HungUp, cause=0, sip_code=486)
    await until(lambda: call.is_gone)
    assert rests_s(engine) == 33


async def test_an_agent_whose_telephone_makes_no_channel_has_not_answered(engine: Rig) -> None:
    call = await ringing(engine, **DELAYS)
    engine.tell_leg(call, ev.OriginateEnded, success=False, reason=0)
    await engine.clock.advance(1.5)
    assert not call.is_gone
    await engine.passes(lambda: call.is_gone, step_s=0.01)
    assert engine.clock.now() - NOON <= 3_000
    assert call.attempt.refusal == "agent PJSIP/0: no answer"
    contact = await over(engine, call)
    assert contact.tries == 0


async def test_without_a_rest_the_agent_is_free_at_once(engine: Rig) -> None:
    call = await ringing(engine)
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    engine.tell_leg(call, ev.HungUp, cause=21)
    await over(engine, call)
    assert engine.telephony.pauses[-1] == ("PJSIP/0", False, "")
    assert free(engine) == 1


@pytest.mark.parametrize("refusal", [OriginateRefused("no such context"), Unavailable("no link"), LinkLost("cut")])
async def test_an_asterisk_that_does_not_ring_the_agent_costs_the_contact_nothing(
    engine: Rig, refusal: Exception
) -> None:
    engine.telephony.refusal = refusal
    call = await ringing(engine)
    contact = await over(engine, call)
    assert (contact.tries, call.attempt.refusal) == (0, str(refusal))
    assert free(engine) == 1


async def test_an_asterisk_that_refuses_to_ring_agents_rests_the_campaign(engine: Rig) -> None:
    engine.telephony.refusal = OriginateRefused("no such context")
    await over(engine, await ringing(engine))
    assert engine.trouble == (NOON + 10_000, "no such context")


async def test_a_fault_that_nobody_foresaw_keeps_neither_agent_nor_contact(
    engine: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    engine.telephony.refusal = ValueError("nobody foresaw this")
    with caplog.at_level(logging.CRITICAL):
        contact = await over(engine, await ringing(engine))
    assert contact.next_at is not None
    assert free(engine) == 1


# --- the contact does not come ---------------------------------------------------------------------------------------


async def test_an_agent_that_hangs_up_while_the_contact_rings_takes_the_call_back(engine: Rig) -> None:
    call = await dialed(engine)
    engine.tell_leg(call, ev.HungUp, cause=16)
    await until(lambda: engine.telephony.hung_up == [call.attempt.id])
    assert call.attempt.canceled
    engine.tell(call, ev.HungUp, cause=0)
    engine.tell(call, ev.OriginateEnded, success=False, reason=0)
    contact = await over(engine, call)
    assert [closing.disposition.value for closing in engine.closed] == ["canceled"]
    assert contact.tries == 0


async def test_a_call_that_has_no_channel_yet_is_taken_back_again(engine: Rig) -> None:
    call = await dialed(engine)
    engine.tell_leg(call, ev.HungUp, cause=16)
    await engine.passes(lambda: len(engine.telephony.hung_up) == 3)
    engine.tell(call, ev.HungUp, cause=0)
    await over(engine, call)
    assert set(engine.telephony.hung_up) == {call.attempt.id}


async def test_an_agent_that_hangs_up_before_anybody_was_dialed_costs_nothing(engine: Rig) -> None:
    await engine.add_trunk("carrier", calls_per_second=1)
    call = await ringing(engine)
    engine.context.directory.rate(engine.trunk).take(NOON)
    engine.tell_leg(call, ev.Answered)
    await engine.clock.turn()
    assert engine.placer.queued() == {"carrier": 1}
    engine.tell_leg(call, ev.HungUp, cause=16)
    contact = await over(engine, call)
    await engine.clock.advance(5)
    assert len(engine.telephony.placed) == 1
    assert (contact.tries, call.attempt.refusal) == (0, "agent PJSIP/0 hung up")


async def test_the_agent_is_let_go_when_the_contact_can_not_be_reached(engine: Rig) -> None:
    call = await dialed(engine)
    engine.tell(call, ev.HungUp, cause=17, sip_code=486)
    engine.tell(call, ev.OriginateEnded, success=False, reason=5)
    contact = await over(engine, call)
    assert engine.telephony.hung_up == [call.attempt.leg_id]
    assert dict(contact.numbers[0].tally) == {"busy": 1}
    assert free(engine) == 1


async def test_the_agent_is_let_go_when_a_machine_took_the_call(engine: Rig) -> None:
    call = await dialed(engine, amd=True)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.ActionTaken, action=Action.MESSAGE)
    await engine.passes(lambda: engine.telephony.hung_up == [call.attempt.leg_id])
    assert not call.is_gone, "the machine hears its message"


@pytest.mark.parametrize("cause", ["paused", "blacklisted", "hours"])
async def test_nobody_is_dialed_if_that_is_forbidden_while_the_agent_is_rung(engine: Rig, cause: str) -> None:
    call = await ringing(engine, calling_hours="08:00-13:00")
    if cause == "paused":
        await engine.state(CampaignState.PAUSED)
    elif cause == "blacklisted":
        entry = BlacklistEntry(number=phone(1), campaign="*", reason="", added_by="", added_at=NOON)
        await engine.store.add_to_blacklist([entry])
    else:
        engine.clock.at += 3_600_000
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    engine.tell_leg(call, ev.Answered)
    contact = await over(engine, call)
    assert len(engine.telephony.placed) == 1
    assert engine.telephony.hung_up == [call.attempt.leg_id]
    assert contact.tries == 0


# --- preview ---------------------------------------------------------------------------------------------------------


async def offers(engine: Rig) -> list[Offer]:
    return list(await engine.store.offers())


async def test_in_a_preview_the_agent_is_asked_and_nobody_dialed(engine: Rig) -> None:
    call = await there(engine, Mode.PREVIEW, preview_s=60)
    (offer,) = await offers(engine)
    assert (offer.attempt_id, offer.agent, offer.number) == (call.attempt.id, "PJSIP/0", phone(1))
    ((_, order),) = engine.telephony.placed
    assert order.context == "astdialer-preview"
    assert engine.agent_first.answer(call.attempt.id, "") == "wait"
    assert engine.agent_first.answer(call.attempt.id, "7") == "wait"
    await engine.clock.advance(5)
    assert len(engine.telephony.placed) == 1


async def test_the_time_to_think_begins_when_the_agent_answers(engine: Rig) -> None:
    call = await ringing(engine, Mode.PREVIEW, preview_s=10, agent_call_timeout_s=20)
    (offer,) = await offers(engine)
    assert offer.expires_at == NOON + 30_000
    await engine.clock.advance(15)
    engine.tell_leg(call, ev.ChannelCreated, channel="PJSIP/0-1")
    engine.tell_leg(call, ev.Answered)
    async with asyncio.timeout(10):
        while (await offers(engine))[0].expires_at != NOON + 25_000:
            await engine.clock.turn()
    await engine.clock.advance(9)
    assert not call.is_gone
    await engine.passes(lambda: call.is_gone)
    assert engine.clock.now() - NOON in range(25_000, 27_000)
    assert call.attempt.refusal == "agent PJSIP/0: no answer"


async def test_a_store_that_fails_takes_no_time_to_think_away(engine: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(engine.store, "limit_offer", fails)
    call = await there(engine, Mode.PREVIEW, preview_s=10)
    assert engine.agent_first.answer(call.attempt.id, "1") == "dial"
    await until(lambda: len(engine.telephony.placed) == 2)


async def test_the_first_key_dials(engine: Rig) -> None:
    call = await there(engine, Mode.PREVIEW)
    assert engine.agent_first.answer(call.attempt.id, "1") == "dial"
    assert engine.agent_first.answer(call.attempt.id, "2") == "dial", "it is decided"
    await until(lambda: len(engine.telephony.placed) == 2)
    assert engine.telephony.placed[1][1].variables["ASTDIALER_LEG"] == call.attempt.leg_id


async def test_the_second_key_skips_the_contact_for_a_while(engine: Rig) -> None:
    call = await there(engine, Mode.PREVIEW, preview_skip_delay_s=600)
    assert engine.agent_first.answer(call.attempt.id, "2") == "hangup"
    contact = await over(engine, call)
    assert call.attempt.refusal == "skipped by PJSIP/0"
    assert contact.next_at is not None
    assert contact.next_at - NOON in range(600_000, 660_000)
    assert (contact.tries, await offers(engine)) == (0, [])
    assert engine.telephony.hung_up == [call.attempt.leg_id]
    assert free(engine) == 1


async def test_the_command_dials_as_the_key_does(engine: Rig) -> None:
    call = await there(engine, Mode.PREVIEW)
    assert await engine.store.answer_offer(call.attempt.id, "accept")
    await engine.passes(lambda: len(engine.telephony.placed) == 2)
    assert engine.agent_first.answer(call.attempt.id, "") == "dial"


async def test_the_command_skips_as_the_key_does(engine: Rig) -> None:
    call = await there(engine, Mode.PREVIEW)
    await engine.store.answer_offer(call.attempt.id, "skip")
    contact = await over(engine, call)
    assert (call.attempt.refusal, contact.tries) == ("skipped by PJSIP/0", 0)


async def test_an_agent_that_does_not_decide_has_missed_the_call(engine: Rig) -> None:
    call = await there(engine, Mode.PREVIEW, preview_s=10, **DELAYS)
    await engine.clock.advance(9)
    assert not call.is_gone
    await engine.passes(lambda: call.is_gone, step_s=0.01)
    assert engine.clock.now() - NOON <= 12_000
    assert rests_s(engine) > 30
    contact = await over(engine, call)
    assert (contact.tries, await offers(engine)) == (0, [])
    assert engine.telephony.hung_up == [call.attempt.leg_id]
    assert len(engine.telephony.placed) == 1


async def test_an_agent_that_hangs_up_in_a_preview_has_declined(engine: Rig) -> None:
    call = await there(engine, Mode.PREVIEW, **DELAYS)
    engine.tell_leg(call, ev.HungUp, cause=16)
    await over(engine, call)
    assert call.attempt.refusal == "agent PJSIP/0: rejected"


async def test_nobody_is_asked_about_a_call_that_there_is_not(engine: Rig) -> None:
    with pytest.raises(NotFound):
        engine.agent_first.answer("nothing", "1")


# --- contacts that only some agents may have --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.PROGRESSIVE, Mode.POWER, Mode.AGENT_FIRST, Mode.PREVIEW])
async def test_an_agents_own_contact_rings_this_agent_first_in_every_mode(engine: Rig, mode: Mode) -> None:
    await engine.set(mode=mode)
    await engine.people(1, agentphone="1")
    engine.agents(FREE, FREE)
    await engine.dialer._turn()
    await until(lambda: len(engine.telephony.placed) == 1)
    assert [call.attempt.reserved_agent for call in engine.calls] == ["PJSIP/1"]
    assert engine.telephony.placed[0][1].channel == "PJSIP/1"


async def test_a_buckets_contact_rings_an_agent_of_the_bucket(engine: Rig) -> None:
    await engine.add_profile("2", buckets=("vip",))
    await engine.people(1, bucket="vip")
    engine.agents(FREE, FREE, FREE)
    await engine.dialer._turn()
    assert [call.attempt.reserved_agent for call in engine.calls] == ["PJSIP/2"]


async def test_a_contact_of_an_agent_that_is_not_there_waits_and_others_go_on(engine: Rig) -> None:
    await engine.people(1, agentphone="7")
    await engine.people(2)
    engine.agents(FREE)
    await engine.turn()
    assert [(call.attempt.number, call.attempt.reserved_agent) for call in engine.calls] == [(phone(2), "")]


async def test_an_agents_own_contacts_go_before_everybodys(engine: Rig) -> None:
    await engine.set(mode=Mode.AGENT_FIRST)
    await engine.people(1)
    await engine.people(2, agentphone="0")
    engine.agents(FREE)
    await engine.dialer._turn()
    assert [call.attempt.number for call in engine.calls] == [phone(2)]


async def test_a_reserved_agent_is_not_counted_for_other_calls(engine: Rig) -> None:
    await engine.people(1, agentphone="0")
    await engine.people(2, 3)
    engine.agents(FREE, FREE)
    for _ in range(3):
        await engine.dialer._turn()
    assert len(engine.calls) == 2


# --- the engine ends -------------------------------------------------------------------------------------------------


async def test_at_the_end_an_agent_that_waits_for_nobody_is_let_go(engine: Rig) -> None:
    call = await there(engine, Mode.PREVIEW)
    await engine.agent_first.stop()
    assert engine.telephony.hung_up == [call.attempt.leg_id]
    contact = await over(engine, call)
    assert (call.attempt.refusal, contact.tries) == ("the engine stops", 0)
    assert await offers(engine) == []


async def test_at_the_end_a_talk_goes_on(engine: Rig) -> None:
    call = await dialed(engine)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.Bridged)
    await engine.agent_first.stop()
    assert engine.telephony.hung_up == []
    assert not call.is_gone


async def test_a_call_that_was_taken_up_lets_its_agent_go_when_its_contact_is_gone(engine: Rig) -> None:
    call = await dialed(engine)
    await engine.agent_first.stop()
    engine.agent_first.take_up(call)
    await engine.clock.turn()
    engine.tell(call, ev.HungUp, cause=17)
    await engine.passes(lambda: engine.telephony.hung_up == [call.attempt.leg_id])


async def test_an_agent_that_could_not_be_hung_up_for_want_of_a_link_is_when_it_is_back(engine: Rig) -> None:
    call = await dialed(engine)
    engine.telephony.hang_up_fails = True
    engine.tell(call, ev.HungUp, cause=17)
    await engine.passes(lambda: engine.telephony.hung_up == [call.attempt.leg_id])
    engine.telephony.hang_up_fails = False
    await engine.agent_first.hang_up_left("default")
    assert engine.telephony.hung_up == [call.attempt.leg_id] * 2
    await engine.agent_first.hang_up_left("default")
    assert engine.telephony.hung_up == [call.attempt.leg_id] * 2
