"""The placer: each trunk's pace, and the last look before a telephone rings."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_doubles import NOON, Rig, phone, rig, until

from astdialer.domain import events as ev
from astdialer.domain.attempt import State
from astdialer.domain.campaign import CampaignState
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import AstdialerError, LinkLost, OriginateRefused, Unavailable
from astdialer.engine.calls import Call
from astdialer.engine.trouble import REFUSED_PAUSE_S
from astdialer.ports import BlacklistEntry

pytest_plugins = ("engine_fixtures",)


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path, calls_per_second=2) as parts:
        yield parts


async def sent(engine: Rig, call: Call) -> None:
    """The call is placed, or is known not to be."""
    engine.placer.place(call, engine.trunk)
    await until(lambda: call.is_gone or bool(engine.telephony.placed))
    await engine.clock.turn()


async def test_a_call_goes_out_with_everything_asterisk_needs(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    await sent(engine, call)
    ((_, order),) = engine.telephony.placed
    assert (order.attempt_id, order.server, order.channel) == (call.attempt.id, "default", "PJSIP/34600000001@c")
    assert (order.account, order.context, order.timeout_s) == ("demo", "astdialer-answered", 30)
    assert order.variables["ASTDIALER_ID"] == call.attempt.id
    assert order.variables["ASTDIALER_RECORD"] == f"/records/20260922/{call.attempt.id}"
    assert order.variables["__CONTACT_name"] == "Ana"
    assert call.attempt.state is State.DIALING


async def test_a_campaigns_params_are_those_of_every_contact_without_them(engine: Rig) -> None:
    await engine.set(params=r"NAME=Nobody;offer=3\;4")
    (call,) = await engine.claim(1)
    await sent(engine, call)
    ((_, order),) = engine.telephony.placed
    found = {name: value for name, value in order.variables.items() if name.startswith("__CONTACT_")}
    assert found == {"__CONTACT_name": "Ana", "__CONTACT_offer": "3;4"}


async def test_calls_leave_evenly_spaced(slow: Rig) -> None:
    calls = await slow.claim(1, 2, 3)
    for call in calls:
        slow.placer.place(call, slow.trunk)
    assert slow.placer.queued() == {"carrier": 3}
    for count in (1, 2, 3):
        await until(lambda count=count: len(slow.telephony.placed) == count)  # type: ignore[misc]
        await slow.clock.advance(0.5)
    assert [at - NOON for at, _ in slow.telephony.placed] == [0, 500, 1000]
    assert slow.placer.queued()["carrier"] == 0


async def test_a_number_blacklisted_just_before_is_not_dialed(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    entry = BlacklistEntry(number=phone(1), campaign="demo", reason="", added_by="", added_at=NOON)
    await engine.store.add_to_blacklist([entry])
    await sent(engine, call)
    await engine.bookkeeper.flush()
    assert engine.telephony.placed == []
    assert [(c.disposition, dict(c.contact.numbers[0].tally)) for c in engine.closed] == [(Disposition.CANCELED, {})]


@pytest.mark.parametrize("state", [CampaignState.PAUSED, CampaignState.STOPPING, CampaignState.STOPPED])
async def test_a_campaign_that_runs_no_more_withdraws_its_call_uncounted(engine: Rig, state: CampaignState) -> None:
    (call,) = await engine.claim(1)
    await engine.state(state)
    await sent(engine, call)
    await engine.bookkeeper.flush()
    assert engine.telephony.placed == []
    assert state.value in call.attempt.refusal
    assert [(c.disposition, dict(c.contact.numbers[0].tally)) for c in engine.closed] == [(Disposition.CANCELED, {})]
    assert engine.trouble is None


@pytest.mark.parametrize("refusal", [OriginateRefused("no such context"), Unavailable("no link")])
async def test_a_refusal_pauses_the_campaign_and_costs_no_try(engine: Rig, refusal: Exception) -> None:
    (call,) = await engine.claim(1)
    engine.telephony.refusal = refusal
    await sent(engine, call)
    until_at = NOON + int(REFUSED_PAUSE_S * 1000)
    assert engine.trouble == (until_at, str(refusal))
    await engine.bookkeeper.flush()
    assert [(c.disposition, dict(c.contact.numbers[0].tally)) for c in engine.closed] == [(Disposition.FAILED, {})]


async def test_a_contact_that_cant_be_sent_costs_a_try_and_pauses_nobody(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.telephony.refusal = AstdialerError("a value is too long")
    await sent(engine, call)
    assert engine.trouble is None
    assert not call.attempt.uncounted
    assert call.attempt.refusal == "a value is too long"


async def test_a_lost_link_leaves_the_call_to_recovery(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.telephony.refusal = LinkLost("cut")
    await sent(engine, call)
    await engine.bookkeeper.flush()
    assert engine.closed == []
    assert call.attempt.state is State.DIALING
    assert engine.trouble is None


async def test_a_call_that_ended_while_it_waited_is_not_dialed(engine: Rig) -> None:
    gone, forgotten = await engine.claim(1, 2)
    engine.tell(gone, ev.Vanished)
    engine.context.calls.remove([forgotten])
    await engine.placer._send(gone, engine.context.directory.trunks["carrier"], asyncio.Event())
    await engine.placer._send(forgotten, engine.context.directory.trunks["carrier"], asyncio.Event())
    assert engine.telephony.placed == []


async def test_a_call_canceled_while_it_waited_is_not_dialed(engine: Rig) -> None:
    first, second = await engine.claim(1, 2)
    engine.tell(first, ev.Canceled)
    engine.placer.place(first, engine.trunk)
    engine.placer.place(second, engine.trunk)
    await engine.clock.advance(0.01)
    await until(lambda: len(engine.telephony.placed) == 1)
    assert engine.telephony.placed[0][1].attempt_id == second.attempt.id


# --- a campaign's own pace -------------------------------------------------------------------------------------------


async def paced(engine: Rig, count: int, **settings: Any) -> list[Call]:
    """Calls of the campaign, which has a pace of its own, all placed now."""
    await engine.set(**settings)
    calls = await engine.claim(*range(count))
    for call in calls:
        engine.placer.place(call, engine.trunk)
    return calls


async def test_a_campaigns_own_pace_spaces_its_calls_evenly(engine: Rig) -> None:
    await paced(engine, 10, calls_per_second=3.0)
    await engine.passes(lambda: len(engine.telephony.placed) == 10, step_s=0.001)
    sent = [at for at, _ in engine.telephony.placed]
    for start in sent:
        assert sum(start <= at < start + 1000 for at in sent) <= 3
    assert sent[-1] - sent[0] == pytest.approx(3000, abs=20)


async def test_one_call_in_a_hundred_seconds_is_a_pace(engine: Rig) -> None:
    await paced(engine, 2, calls_per_second=0.01)
    await engine.passes(lambda: len(engine.telephony.placed) == 1)
    await engine.clock.advance(99)
    assert len(engine.telephony.placed) == 1
    await engine.passes(lambda: len(engine.telephony.placed) == 2)
    assert engine.telephony.placed[1][0] - engine.telephony.placed[0][0] >= 100_000


async def test_a_slow_campaign_keeps_no_other_waiting(engine: Rig) -> None:
    slow_calls = await paced(engine, 2, calls_per_second=0.01)
    await engine.passes(lambda: len(engine.telephony.placed) == 1)
    other = await engine.add_campaign("other")
    await engine.people(100, campaign=other)
    (claim,) = await engine.store.claim(engine.dialer.request(other, 1, "test"))
    (call,) = engine.calls.add([claim])
    engine.placer.place(call, engine.trunk)
    await engine.passes(lambda: len(engine.telephony.placed) == 2)
    assert engine.telephony.placed[1][1].attempt_id == call.attempt.id
    assert slow_calls[1].attempt.dialed_at is None


async def test_a_call_that_was_late_to_leave_makes_the_next_one_later(engine: Rig) -> None:
    """The store may take its time to say that a number is not blacklisted."""
    ask, asked = engine.store.is_blacklisted, []

    async def slowly(*arguments: Any) -> bool:
        asked.append(engine.clock.at)
        if len(asked) == 1:
            await engine.clock.sleep(0.7)
        return await ask(*arguments)

    engine.store.is_blacklisted = slowly  # type: ignore[method-assign, assignment]
    await paced(engine, 2, calls_per_second=1.0)
    await engine.passes(lambda: len(engine.telephony.placed) == 2, step_s=0.01)
    first, second = (at for at, _ in engine.telephony.placed)
    assert second - first >= 1000


async def test_a_call_by_hand_waits_for_no_campaigns_pace(engine: Rig) -> None:
    await engine.set(calls_per_second=0.01)
    first, by_hand = await engine.claim(1, 2)
    by_hand.attempt = replace(by_hand.attempt, manual=True)
    for call in (first, by_hand):
        engine.placer.place(call, engine.trunk)
    await engine.passes(lambda: len(engine.telephony.placed) == 2)
    assert engine.clock.at < NOON + 1000


async def test_lines_of_campaigns_that_have_nothing_to_send_are_forgotten(engine: Rig) -> None:
    await paced(engine, 1, calls_per_second=3.0)
    await engine.passes(lambda: len(engine.telephony.placed) == 1)
    await engine.clock.advance(1)
    await until(lambda: not engine.placer._pacers)
    assert engine.placer._lines == {}


async def test_nothing_is_sent_after_a_stop(slow: Rig) -> None:
    calls = await slow.claim(1, 2)
    for call in calls:
        slow.placer.place(call, slow.trunk)
    await until(lambda: len(slow.telephony.placed) == 1)
    await slow.placer.stop()
    await slow.clock.advance(10)
    assert len(slow.telephony.placed) == 1


# --- the last look ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"calling_hours": "13:00-14:00"}, {"calendar": "gone"}])
async def test_a_call_that_waited_past_the_hours_is_withdrawn_uncounted(engine: Rig, settings: dict[str, str]) -> None:
    (call,) = await engine.claim(1)
    await engine.set(**settings)
    await sent(engine, call)
    await engine.bookkeeper.flush()
    assert engine.telephony.placed == []
    assert call.attempt.refusal == "calling hours are over"
    assert [(c.disposition, c.contact.tries) for c in engine.closed] == [(Disposition.CANCELED, 0)]


async def test_what_was_promised_for_its_hour_goes_out_whatever_the_window(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    await engine.set(calling_hours="13:00-14:00")
    call.contact = replace(call.contact, any_hour=True)
    await sent(engine, call)
    assert len(engine.telephony.placed) == 1


async def test_the_hours_are_those_of_the_numbers_own_zone(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    await engine.set(calling_hours="08:00-13:00")
    (number,) = call.contact.numbers
    call.contact = replace(call.contact, numbers=(replace(number, zones="UTC|America/Lima"),))  # 07:00 in Lima
    await sent(engine, call)
    assert engine.telephony.placed == []


async def test_a_call_by_hand_goes_out_whatever_the_campaigns_state(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    call.attempt = replace(call.attempt, manual=True)
    await engine.state(CampaignState.STOPPED)
    await sent(engine, call)
    assert len(engine.telephony.placed) == 1


async def test_what_waits_at_a_stop_is_given_back(slow: Rig) -> None:
    first, second = await slow.claim(1, 2)
    for call in (first, second):
        slow.placer.place(call, slow.trunk)
    await until(lambda: len(slow.telephony.placed) == 1)
    await slow.placer.stop()
    await slow.bookkeeper.flush()
    assert second.attempt.refusal == "the engine stops"
    assert [(c.attempt.id, c.contact.tries) for c in slow.closed] == [(second.attempt.id, 0)]


# --- calls that have their agent -------------------------------------------------------------------------------------


async def with_agent(engine: Rig) -> Call:
    (call,) = await engine.claim(1)
    call.attempt = replace(call.attempt, reserved_agent="PJSIP/0", leg_id="leg")
    return call


async def test_that_a_contact_is_dialed_for_an_agent_is_written_first(engine: Rig) -> None:
    """An engine that comes after us has to know whether somebody was dialed."""
    call = await with_agent(engine)
    written = []
    engine.store.before_save = lambda: written.append(len(engine.telephony.placed))
    await sent(engine, call)
    assert written == [0]
    assert len(engine.telephony.placed) == 1
    (open_,) = await engine.store.open_attempts()
    assert open_.attempt.dialed_at == NOON


async def test_nobody_is_dialed_for_an_agent_while_the_store_does_not_write(engine: Rig) -> None:
    call = await with_agent(engine)
    engine.store.fails = True
    await sent(engine, call)
    assert engine.telephony.placed == []
    assert (call.attempt.refusal, call.attempt.uncounted) == ("the disk is full", True)


async def test_an_agent_that_hangs_up_while_that_is_written_stops_the_call(engine: Rig) -> None:
    call = await with_agent(engine)
    engine.store.before_save = lambda: engine.tell(call, ev.Canceled)
    await sent(engine, call)
    assert engine.telephony.placed == []
    assert call.is_gone
