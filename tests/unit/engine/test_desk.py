"""Agents as the engine uses them: who is free, whose turn it is, who is reserved or rests."""

from dataclasses import replace
from typing import Any

import pytest
from engine_doubles import NOON, Rig, member

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus, AgentStrategy, Missed, QueueMember
from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import Unavailable
from astdialer.engine.calls import Call
from astdialer.engine.desk import RESERVED, RESTS, WRAPS_UP, Desk, buckets_of

pytest_plugins = ("engine_fixtures",)

FREE, TALKING = AgentStatus.NOT_INUSE, AgentStatus.INUSE
ONE = "PJSIP/0"


def turn_of(engine: Rig, desk: Desk | None = None) -> list[str]:
    """The free agents of the campaign, whose turn it is first."""
    return [found.interface for found in (desk or engine.desk).free_for(engine.now_of())]


def seen(engine: Rig, interface: str = ONE, queue: str = "sales") -> QueueMember:
    members = engine.context.agents.members("default", queue)
    return next(found for found in members if found.interface == interface)


async def reserved(engine: Rig, interface: str = ONE, n: int = 1) -> Call:
    """A live call for which the agent is reserved."""
    (call,) = await engine.claim(n)
    call.attempt = replace(call.attempt, reserved_agent=interface, leg_id=f"leg-{n}")
    engine.desk.reserve("default", interface)
    await engine.desk.settle()
    return call


async def talk(engine: Rig, call: Call, seconds: int = 60) -> None:
    """A talk of the reserved agent with the contact, from its answer to the closed books."""
    engine.tell(call, ev.Sent)
    engine.tell(call, ev.Bridged)
    engine.clock.at += seconds * 1000
    engine.tell(call, ev.HungUp, cause=16)
    engine.tell(call, ev.OriginateEnded, success=True, reason=4)
    await engine.bookkeeper.flush()
    await engine.desk.settle()


async def missed(engine: Rig, how: Missed = Missed.NO_ANSWER, **settings: Any) -> None:
    await engine.set(**settings)
    engine.desk.missed("default", ONE, how, engine.now_of().settings)
    await engine.desk.settle()


# --- who is free -----------------------------------------------------------------------------------------------------


async def test_only_the_queues_own_agents_are_counted(engine: Rig) -> None:
    engine.members(member(), member(interface="PJSIP/2", queue="care"), member(TALKING, interface="PJSIP/3"))
    assert engine.desk.free_in("default", "sales") == 1
    assert engine.desk.free_in("two", "sales") == 0


async def test_a_reserved_agent_is_not_free_even_if_asterisk_says_so(engine: Rig) -> None:
    engine.agents(FREE, FREE)
    await reserved(engine)
    engine.agents(FREE, FREE)  # the pause has not come through
    assert engine.desk.is_reserved(seen(engine))
    assert not engine.desk.is_free(seen(engine))
    assert turn_of(engine) == ["PJSIP/1"]
    assert engine.desk.free_in("default", "sales") == 1


async def test_an_agent_whose_call_is_gone_is_reserved_until_it_is_closed(engine: Rig) -> None:
    """Only then its rest begins: in between nobody may be rung."""
    engine.agents(FREE)
    call = await reserved(engine)
    engine.tell(call, ev.Sent)
    engine.tell(call, ev.Bridged)
    engine.tell(call, ev.HungUp, cause=16)
    engine.desk.wake()
    await engine.desk.settle()
    assert seen(engine).pause_reason == RESERVED
    engine.agents(FREE)
    assert turn_of(engine) == []


async def test_an_agent_on_another_server_is_another_agent(engine: Rig) -> None:
    engine.agents(FREE)
    await reserved(engine)
    engine.context.agents.replace_all("two", [member(server="two", interface=ONE)])
    assert engine.desk.free_in("two", "sales") == 1


async def test_wrap_up_is_the_agents_own_before_the_campaigns(engine: Rig) -> None:
    engine.members(member(interface="PJSIP/0", last_call_at=NOON), member(interface="PJSIP/1", last_call_at=NOON))
    await engine.add_profile("1", wrap_up_s=0)
    assert turn_of(engine) == ["PJSIP/1"]
    engine.clock.at = NOON + 10_000
    assert sorted(turn_of(engine)) == ["PJSIP/0", "PJSIP/1"]


# --- the team --------------------------------------------------------------------------------------------------------


async def test_without_names_and_skills_the_whole_queue_takes_part(engine: Rig) -> None:
    engine.members(member(interface="PJSIP/1"), member(interface="PJSIP/2"), member(interface="PJSIP/3", queue="care"))
    assert sorted(turn_of(engine)) == ["PJSIP/1", "PJSIP/2"]


@pytest.mark.parametrize("agents", ["2", "PJSIP/2", "9, 2"])
async def test_named_agents_alone_take_part(engine: Rig, agents: str) -> None:
    engine.members(member(interface="PJSIP/1"), member(interface="PJSIP/2"))
    await engine.set(agents=agents)
    assert turn_of(engine) == ["PJSIP/2"]


async def test_who_has_a_skill_takes_part_from_any_queue_once(engine: Rig) -> None:
    await engine.add_profile("2", skills=("spanish",))
    await engine.add_profile("3", skills=("french", "basque"))
    await engine.add_profile("4", skills=("latin",))
    found = [member(interface=f"PJSIP/{n}", queue="care") for n in (2, 3, 4)]
    engine.members(member(interface="PJSIP/1"), member(interface="PJSIP/2"), *found)
    await engine.set(agents="1,2", skills="spanish,french")
    assert sorted(turn_of(engine)) == ["PJSIP/1", "PJSIP/2", "PJSIP/3"]
    await engine.set(skills="french")
    assert turn_of(engine) == ["PJSIP/3"]


async def test_buckets_are_those_of_the_agent_itself_and_of_its_profile(engine: Rig) -> None:
    bound = frozenset({"@1001", "@Ana", "@1002", "vip", "late"})
    await engine.add_profile("1001", buckets=("vip", "other"))
    found = member(interface="PJSIP/1001", name="Ana")
    profile = engine.context.directory.profile("PJSIP/1001")
    assert sorted(buckets_of(found, profile, bound)) == ["@1001", "@Ana", "vip"]


# --- whose turn it is ------------------------------------------------------------------------------------------------


async def history(engine: Rig) -> None:
    """PJSIP/0 had the shortest talk and the last offer; PJSIP/1 two calls; PJSIP/2 one long talk, and is idle longest.

    It is an hour later, and everybody is free.
    """
    engine.agents(FREE, FREE, FREE)
    await engine.set(wrap_up_s=0)
    for n, (agent, seconds) in enumerate([(2, 600), (1, 200), (1, 200), (0, 60)]):
        call = await reserved(engine, f"PJSIP/{agent}", n)
        engine.clock.at += 1000
        await talk(engine, call, seconds)
    engine.clock.at += 3_600_000
    for seat in ("PJSIP/0", "PJSIP/1", "PJSIP/2"):
        assert engine.desk.seat("default", seat).calls


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        (AgentStrategy.FEWEST_CALLS, "2 0 1"),
        (AgentStrategy.LEAST_TALK_TIME, "0 1 2"),
        (AgentStrategy.LONGEST_IDLE, "2 1 0"),
        (AgentStrategy.LEAST_UTILIZATION, "0 1 2"),
        (AgentStrategy.HIGHEST_WAITING_TIME, "2 1 0"),
        (AgentStrategy.TOP_DOWN, "0 1 2"),
    ],
)
async def test_the_strategy_decides_whose_turn_it_is(engine: Rig, strategy: AgentStrategy, order: str) -> None:
    await history(engine)
    await engine.set(agent_strategy=strategy.value)
    assert turn_of(engine) == [f"PJSIP/{n}" for n in order.split()]


async def test_chance_decides_when_that_is_the_strategy(engine: Rig) -> None:
    engine.agents(FREE, FREE, FREE)
    await engine.set(agent_strategy="random")
    chances = iter((0.9, 0.1, 0.5))
    assert turn_of(engine, Desk(engine.context, lambda: next(chances))) == ["PJSIP/1", "PJSIP/2", "PJSIP/0"]


async def test_calls_from_the_queue_count_as_well(engine: Rig) -> None:
    engine.agents(FREE, FREE)
    await engine.set(agent_strategy="with-fewest-calls")
    engine.desk.took_from_queue("default", "PJSIP/0")
    assert turn_of(engine) == ["PJSIP/1", "PJSIP/0"]


async def test_a_new_day_begins_the_counts_anew(engine: Rig) -> None:
    await history(engine)
    engine.desk.new_day(engine.now_of())
    seats = [engine.desk.seat("default", f"PJSIP/{n}") for n in range(3)]
    assert [(seat.calls, seat.talk_s) for seat in seats] == [(0, 0.0)] * 3


# --- reserved, released, at rest -------------------------------------------------------------------------------------


async def test_a_reserved_agent_is_paused_in_its_queues_and_let_go_if_nobody_was_reached(engine: Rig) -> None:
    engine.agents(FREE)
    call = await reserved(engine)
    assert engine.telephony.pauses == [(ONE, True, RESERVED)]
    engine.tell(call, ev.Sent)
    engine.tell(call, ev.HungUp, cause=17)
    engine.tell(call, ev.OriginateEnded, success=False, reason=5)
    await engine.bookkeeper.flush()
    await engine.desk.settle()
    assert engine.telephony.pauses[1:] == [(ONE, False, "")]
    assert engine.desk.is_free(seen(engine))


async def test_after_a_direct_talk_the_agent_wraps_up_in_all_its_queues(engine: Rig) -> None:
    """No queue knows of the talk: app_queue would ring the agent at once."""
    engine.members(member(interface=ONE), member(interface=ONE, queue="care"))
    await talk(engine, await reserved(engine))
    assert engine.telephony.pauses[-1] == (ONE, True, WRAPS_UP)
    assert [found.last_call_at for found in engine.context.agents.members()] == [engine.clock.at] * 2
    assert engine.desk.free_in("default", "sales") == engine.desk.free_in("default", "care") == 0
    engine.clock.at += 9_999
    engine.desk.wake()
    await engine.desk.settle()
    assert seen(engine).paused
    engine.clock.at += 1
    engine.desk.wake()
    await engine.desk.settle()
    assert engine.desk.free_in("default", "sales") == engine.desk.free_in("default", "care") == 1


@pytest.mark.parametrize(("own", "seconds"), [(30, 30), (0, 0)])
async def test_wrap_up_after_a_direct_talk_is_the_agents_own_first(engine: Rig, own: int, seconds: int) -> None:
    engine.agents(FREE)
    await engine.add_profile("0", wrap_up_s=own)
    await talk(engine, await reserved(engine))
    assert engine.desk.rests_until(seen(engine)) == engine.clock.at + seconds * 1000
    assert engine.desk.is_free(seen(engine)) == (not seconds)


async def test_an_agent_that_pauses_during_its_talk_stays_paused(engine: Rig) -> None:
    engine.agents(FREE)
    call = await reserved(engine)
    engine.paused(ONE, True, "lunch")
    await talk(engine, call)
    engine.clock.at += 60_000
    engine.desk.wake()
    await engine.desk.settle()
    assert seen(engine).pause_reason == "lunch"
    assert not engine.desk.is_free(seen(engine))


async def test_an_agent_that_pauses_while_it_is_called_stays_paused_if_nobody_was_reached(engine: Rig) -> None:
    engine.agents(FREE)
    call = await reserved(engine)
    engine.paused(ONE, True, "lunch")
    engine.tell(call, ev.Refused, message="declined")
    await engine.bookkeeper.flush()
    await engine.desk.settle()
    assert seen(engine).pause_reason == "lunch"


async def test_a_paused_agent_that_calls_by_hand_stays_paused(engine: Rig) -> None:
    engine.members(member(interface=ONE, paused=True, pause_reason="paperwork"))
    await talk(engine, await reserved(engine))
    engine.clock.at += 60_000
    engine.desk.wake()
    await engine.desk.settle()
    assert seen(engine).pause_reason == "paperwork"


# --- missed calls ----------------------------------------------------------------------------------------------------

DELAYS: dict[str, Any] = {"busy_delay_s": 11, "reject_delay_s": 22, "no_answer_delay_s": 33}


@pytest.mark.parametrize(("how", "seconds"), [(Missed.BUSY, 11), (Missed.REJECTED, 22), (Missed.NO_ANSWER, 33)])
async def test_each_way_of_missing_a_call_has_its_own_rest(engine: Rig, how: Missed, seconds: int) -> None:
    engine.agents(FREE)
    await missed(engine, how, **DELAYS)
    assert engine.telephony.pauses == [(ONE, True, RESTS)]
    assert engine.desk.rests_until(seen(engine)) == NOON + seconds * 1000
    engine.agents(FREE)  # the pause has not come through
    engine.clock.at = NOON + seconds * 1000 - 1
    assert not engine.desk.is_free(seen(engine))
    engine.clock.at += 1
    assert engine.desk.is_free(seen(engine))


@pytest.mark.parametrize(("how", "seconds"), [(Missed.BUSY, 1), (Missed.REJECTED, 0), (Missed.NO_ANSWER, 3)])
async def test_the_agents_own_rests_go_before_the_campaigns(engine: Rig, how: Missed, seconds: int) -> None:
    engine.agents(FREE)
    await engine.add_profile("0", busy_delay_s=1, reject_delay_s=0, no_answer_delay_s=3)
    await missed(engine, how, **DELAYS)
    assert engine.desk.rests_until(seen(engine)) == NOON + seconds * 1000


async def test_a_rest_that_is_over_ends_its_pause(engine: Rig) -> None:
    engine.agents(FREE)
    await missed(engine, no_answer_delay_s=5)
    engine.desk.wake()
    await engine.desk.settle()
    assert seen(engine).paused
    engine.clock.at += 5_000
    engine.desk.wake()
    await engine.desk.settle()
    assert not seen(engine).paused


async def test_too_many_missed_calls_in_a_row_pause_the_agent_with_the_reason(engine: Rig) -> None:
    engine.agents(FREE)
    for _ in range(2):
        await missed(engine, max_no_answer=3)
        assert not seen(engine).paused
    await missed(engine, max_no_answer=3)
    assert engine.telephony.pauses[-1] == (ONE, True, "3 calls not answered")
    engine.clock.at += 86_400_000
    engine.desk.wake()
    await engine.desk.settle()
    assert seen(engine).pause_reason == "3 calls not answered"


async def test_after_such_a_pause_the_count_begins_anew(engine: Rig) -> None:
    engine.agents(FREE)
    for _ in range(2):
        await missed(engine, max_no_answer=2)
    engine.paused(ONE, False, "")
    await missed(engine, max_no_answer=2)
    assert not seen(engine).paused


async def test_the_end_of_the_call_does_not_end_that_pause(engine: Rig) -> None:
    """Even if Asterisk has not told of the pause yet."""
    engine.agents(FREE)
    call = await reserved(engine)
    engine.telephony.on_pause = lambda *_: None
    await missed(engine, max_no_answer=1)
    engine.tell(call, ev.Refused, message="no answer")
    await engine.bookkeeper.flush()
    await engine.desk.settle()
    assert engine.telephony.pauses[-1] == (ONE, True, "1 calls not answered")


async def test_busy_and_declined_calls_do_not_pause_for_good(engine: Rig) -> None:
    engine.agents(FREE)
    for how in (Missed.BUSY, Missed.REJECTED):
        await missed(engine, how, max_no_answer=1)
    assert not seen(engine).paused


async def test_the_agents_own_limit_goes_first(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.add_profile("0", max_no_answer=0)
    for _ in range(5):
        await missed(engine, max_no_answer=1)
    assert not seen(engine).paused


@pytest.mark.parametrize("by_queue", [True, False])
async def test_a_call_that_is_taken_begins_the_count_anew(engine: Rig, by_queue: bool) -> None:
    engine.agents(FREE)
    await missed(engine, max_no_answer=2, wrap_up_s=0)
    if by_queue:
        engine.desk.took_from_queue("default", ONE)
    else:
        await talk(engine, await reserved(engine))
    await missed(engine, max_no_answer=2, wrap_up_s=0)
    assert not seen(engine).paused


# --- calls that the queue rang in vain -------------------------------------------------------------------------------


async def test_a_call_that_the_queue_rang_in_vain_counts_by_the_queues_campaign(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.set(no_answer_delay_s=15)
    await engine.add_campaign("elsewhere", queue="care", no_answer_delay_s=99)
    engine.desk.missed_in_queue("default", "sales", ONE)
    assert engine.desk.rests_until(seen(engine)) == NOON + 15_000


async def test_a_queue_that_nobody_dials_for_is_left_alone(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.set(no_answer_delay_s=15)
    await engine.state(CampaignState.STOPPED)
    engine.desk.missed_in_queue("default", "sales", ONE)
    engine.desk.missed_in_queue("default", "care", ONE)
    engine.desk.missed_in_queue("two", "sales", ONE)
    assert engine.desk.rests_until(seen(engine)) == 0


@pytest.mark.parametrize(
    ("others", "calls"),
    [({"max_no_answer": 2}, 2), ({"max_no_answer": 0}, 3), ({"max_no_answer": 9, "no_answer_delay_s": 99}, 3)],
)
async def test_the_strictest_of_several_campaigns_counts(engine: Rig, others: dict[str, int], calls: int) -> None:
    engine.agents(FREE)
    await engine.set(max_no_answer=3, no_answer_delay_s=1)
    await engine.add_campaign("another", **others)
    for _ in range(calls):
        assert not seen(engine).is_away
        engine.desk.missed_in_queue("default", "sales", ONE)
        await engine.desk.settle()
    assert seen(engine).pause_reason == f"{calls} calls not answered"


async def test_of_equally_strict_campaigns_the_longest_rest_counts(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.set(no_answer_delay_s=5)
    await engine.add_campaign("another", no_answer_delay_s=25)
    engine.desk.missed_in_queue("default", "sales", ONE)
    assert engine.desk.rests_until(seen(engine)) == NOON + 25_000


# --- after a restart -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [RESERVED, RESTS, WRAPS_UP])
async def test_pauses_that_an_engine_before_us_has_left_end(engine: Rig, reason: str) -> None:
    engine.members(member(interface=ONE, paused=True, pause_reason=reason))
    engine.desk.wake()
    await engine.desk.settle()
    assert engine.telephony.pauses == [(ONE, False, "")]


async def test_pauses_of_agents_do_not_end(engine: Rig) -> None:
    engine.members(member(interface=ONE, paused=True, pause_reason="lunch"), member(interface="PJSIP/2", paused=True))
    engine.desk.wake()
    await engine.desk.settle()
    assert engine.telephony.pauses == []


async def test_a_call_that_was_taken_up_keeps_its_agent(engine: Rig) -> None:
    engine.members(member(interface=ONE, paused=True, pause_reason=RESERVED))
    (call,) = await engine.claim(1)
    call.attempt = replace(call.attempt, reserved_agent=ONE)
    engine.desk.wake()
    await engine.desk.settle()
    assert engine.telephony.pauses == []


async def test_at_the_end_no_pause_of_ours_stays_behind(engine: Rig) -> None:
    engine.members(
        member(interface=ONE),
        member(interface="PJSIP/2", paused=True, pause_reason="lunch"),
        member(interface="PJSIP/3"),
    )
    await reserved(engine)
    await missed(engine, no_answer_delay_s=60)
    engine.desk.dismiss()
    await engine.desk.settle()
    assert engine.telephony.pauses[-1] == (ONE, False, "")
    assert {interface for interface, _, _ in engine.telephony.pauses} == {ONE}


# --- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "callable_"),
    [
        ({}, True),
        ({"status": AgentStatus.UNKNOWN}, True),
        ({"paused": True, "pause_reason": "lunch"}, True),
        ({"last_call_at": NOON}, True),
        ({"in_call": True}, False),
        *(({"status": status}, False) for status in AgentStatus if status > FREE and status < AgentStatus.WRAPUP),
    ],
)
async def test_who_may_call_by_hand(engine: Rig, known: dict[str, Any], callable_: bool) -> None:
    assert engine.desk.callable_by_hand(member(**{"interface": ONE, **known})) is callable_


async def test_nobody_calls_by_hand_in_a_call(engine: Rig) -> None:
    engine.agents(FREE)
    await reserved(engine)
    assert not engine.desk.callable_by_hand(seen(engine))


async def test_an_asterisk_that_does_not_answer_is_no_fault(engine: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object, **__: object) -> None:
        raise Unavailable("no answer")

    monkeypatch.setattr(engine.telephony, "pause_member", silent)
    engine.agents(FREE)
    engine.desk.reserve("default", ONE)
    await engine.desk.settle()
    assert engine.desk.seat("default", ONE).offered_at == NOON
