"""What predictive dialing reckons with: facts, traffic, other campaigns, the law's windows, restarts."""

import asyncio
import json
from dataclasses import replace

import pytest
from engine_doubles import NOON, Rig, member

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.amd import Action, Verdict
from astdialer.domain.limit import Limit
from astdialer.domain.pacer import BLIND_S, Pacer
from astdialer.domain.pacing import Forecast
from astdialer.domain.settings import Mode, Settings
from astdialer.engine.calls import Call
from astdialer.engine.forecasting import SAVE_S, Forecaster
from astdialer.ports import Claimed, ClaimRequest, MemberSeen, MemberTalk

pytest_plugins = ("engine_fixtures",)

FREE, TALKING, RINGING = AgentStatus.NOT_INUSE, AgentStatus.INUSE, AgentStatus.RINGING
DAY_MS = 86_400_000


async def predictive(engine: Rig, **settings: object) -> None:
    await engine.set(**{"mode": Mode.PREDICTIVE} | settings)
    await engine.forecaster.take_up(engine.now_of())


async def placed(engine: Rig, *numbers: int) -> list[Call]:
    """Calls that were sent this moment."""
    calls = await engine.claim(*numbers)
    for call in calls:
        engine.tell(call, ev.Sent)
    return calls


def pass_s(engine: Rig, seconds: float) -> None:
    engine.clock.at += int(seconds * 1000)


def forecast(engine: Rig) -> Forecast:
    engine.forecaster.look()
    found = engine.forecaster.forecast(engine.now_of())
    assert found is not None
    return found


def hung_up(engine: Rig, call: Call) -> None:
    engine.tell(call, ev.HungUp, cause=17)


# --- facts about calls -----------------------------------------------------------------------------------------------


async def test_a_call_that_nobody_takes_and_one_that_a_person_takes_are_learned_with_their_ages(engine: Rig) -> None:
    await predictive(engine)
    failing, answered = await placed(engine, 1, 2)
    pass_s(engine, 4)
    hung_up(engine, failing)
    pass_s(engine, 5)
    engine.tell(answered, ev.Answered)
    known = forecast(engine).pacer
    law = known.beliefs.of("carrier")
    assert known.answers == 1
    assert law.seen == pytest.approx(12, abs=0.05), "ten that are assumed, and these two"
    assert law.failed_at[8] == pytest.approx(1, abs=0.5), "after 4 s, in steps of half a second"
    assert law.reached_at.argmax() == 18 or law.reached_at[18] > 1, "after 9 s"


async def test_what_follows_an_answer_is_not_learned_twice(engine: Rig) -> None:
    await predictive(engine)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.ActionTaken, action=Action.QUEUE)
    engine.tell(call, ev.AgentConnected, agent="PJSIP/0", ring_s=1)
    hung_up(engine, call)
    assert forecast(engine).pacer.answers == 1
    assert forecast(engine).pacer.beliefs.of("carrier").seen == pytest.approx(11, abs=0.02)


@pytest.mark.parametrize(
    ("verdict", "action", "answers"), [(Verdict.HUMAN, Action.QUEUE, 1), (Verdict.MACHINE, Action.HANGUP, 0)]
)
async def test_with_amd_an_answer_counts_once_it_is_judged(
    engine: Rig, verdict: Verdict, action: Action, answers: int
) -> None:
    await predictive(engine, amd=True)
    (call,) = await placed(engine, 1)
    pass_s(engine, 6)
    engine.tell(call, ev.Answered)
    pass_s(engine, 2)
    asked = forecast(engine)
    assert asked.pacer.beliefs.of("carrier").seen == 10, "AMD still listens"
    assert asked.traffic.analysed_s.tolist() == [2.0]
    pass_s(engine, 0.5)
    engine.tell(call, ev.AmdFinished, verdict=verdict, cause="")
    engine.tell(call, ev.ActionTaken, action=action)
    known = forecast(engine).pacer
    assert known.answers == answers
    assert known.beliefs.of("carrier").seen == pytest.approx(11, abs=0.02)
    judged = known.beliefs.verdicts.reached_at if answers else known.beliefs.verdicts.failed_at
    assert judged[10] >= 1, "after 2.5 s, in steps of a quarter"


async def test_who_hangs_up_while_amd_listens_leads_to_nobody(engine: Rig) -> None:
    await predictive(engine, amd=True)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    hung_up(engine, call)
    known = forecast(engine).pacer
    assert (known.answers, round(known.beliefs.of("carrier").seen)) == (0, 11)


async def test_calls_that_say_nothing_of_people_are_not_learned(engine: Rig) -> None:
    await predictive(engine)
    refused, canceled, lost = await placed(engine, 1, 2, 3)
    engine.tell(refused, ev.Refused, message="no")
    engine.tell(canceled, ev.Canceled)
    hung_up(engine, canceled)
    engine.tell(lost, ev.Vanished)
    assert forecast(engine).pacer.beliefs.answers.get("carrier") is None or (
        forecast(engine).pacer.beliefs.of("carrier").seen == 10
    )


async def test_who_is_served_and_who_is_abandoned_moves_the_risk(engine: Rig) -> None:
    await predictive(engine)
    served, lost = await placed(engine, 1, 2)
    for call in (served, lost):
        engine.tell(call, ev.Answered)
        engine.tell(call, ev.ActionTaken, action=Action.QUEUE)
    engine.tell(served, ev.AgentConnected, agent="PJSIP/0", ring_s=0)
    assert (bolder := forecast(engine).pacer.lean) > 0
    engine.tell(lost, ev.Concluded, result="abandoned", queue_status="TIMEOUT")
    hung_up(engine, lost)
    engine.tell(lost, ev.OriginateEnded, success=True, reason=4)
    await engine.bookkeeper.flush()
    assert forecast(engine).pacer.lean < bolder - 0.04


async def test_other_modes_learn_but_for_the_risk(engine: Rig) -> None:
    await engine.forecaster.take_up(engine.now_of())
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.AgentConnected, agent="PJSIP/0", ring_s=0)
    known = forecast(engine).pacer
    assert (known.answers, known.lean) == (1, 0.0)


# --- agents ----------------------------------------------------------------------------------------------------------


def says(engine: Rig, status: AgentStatus, **known: object) -> None:
    found = member(status, interface="PJSIP/0", **known)
    engine.context.agents.handle(MemberSeen(found))
    engine.forecaster.look()


async def talked(engine: Rig, ring_s: float, talk_s: float) -> None:
    """An agent of the campaign has a talk, which ends now."""
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.ActionTaken, action=Action.QUEUE)
    says(engine, RINGING)
    pass_s(engine, ring_s)
    engine.tell(call, ev.AgentConnected, agent="PJSIP/0", ring_s=ring_s)
    talk = MemberTalk(server="default", queue="sales", interface="PJSIP/0", in_call=True, at=engine.clock.at)
    engine.context.agents.handle(talk)
    says(engine, TALKING, in_call=True)
    pass_s(engine, talk_s)
    over = MemberTalk(server="default", queue="sales", interface="PJSIP/0", in_call=False, at=engine.clock.at)
    engine.context.agents.handle(over)
    says(engine, FREE)


async def test_a_talk_lasts_from_the_ringing_on_and_then_comes_the_rest(engine: Rig) -> None:
    await predictive(engine)
    engine.agents(FREE)
    await talked(engine, ring_s=3, talk_s=40)
    asked = forecast(engine)
    assert asked.pacer.beliefs.talks.ends[8] == 1, "43 s, in steps of 5"
    assert (asked.traffic.free, asked.traffic.resting_s.tolist()) == (0, [0.0])
    pass_s(engine, 10)
    asked = forecast(engine)
    assert asked.pacer.beliefs.rests.ends[10] == 1
    assert (asked.traffic.free, len(asked.traffic.resting_s)) == (1, 0)


async def test_a_talk_of_nobodys_that_is_known_counts_as_the_campaigns_and_teaches_nothing(engine: Rig) -> None:
    await predictive(engine)
    engine.agents(FREE)
    forecast(engine)
    says(engine, TALKING)
    pass_s(engine, 30)
    assert forecast(engine).traffic.talking_s.tolist() == [30.0]
    says(engine, FREE)
    assert forecast(engine).pacer.beliefs.talks.ends.sum() == 0


async def test_who_pauses_in_wrap_up_has_not_ended_it(engine: Rig) -> None:
    await predictive(engine)
    engine.agents(FREE)
    await talked(engine, ring_s=0, talk_s=20)
    pass_s(engine, 2)
    says(engine, FREE, paused=True, pause_reason="lunch")
    known = forecast(engine)
    assert known.pacer.beliefs.rests.ends.sum() == 0
    assert (known.traffic.free, known.traffic.busy) == (0, 0)


async def test_a_talk_that_ends_in_a_pause_teaches_nothing_and_frees_nobody(engine: Rig) -> None:
    await predictive(engine)
    engine.agents(FREE)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.AgentConnected, agent="PJSIP/0", ring_s=0)
    says(engine, TALKING, in_call=True)
    pass_s(engine, 20)
    says(engine, TALKING, in_call=True, paused=True, pause_reason="lunch")
    known = forecast(engine)
    assert known.pacer.beliefs.talks.ends.sum() == 0
    assert known.traffic.busy == 0


async def test_a_talk_that_follows_at_once_is_another_one(engine: Rig) -> None:
    await predictive(engine, wrap_up_s=0)
    engine.agents(FREE)
    first, second = await placed(engine, 1, 2)
    engine.tell(first, ev.Answered)
    engine.tell(first, ev.AgentConnected, agent="PJSIP/0", ring_s=0)
    says(engine, TALKING, in_call=True)
    pass_s(engine, 60)
    engine.tell(first, ev.AgentFinished, agent="PJSIP/0", ended_by="caller")
    engine.tell(second, ev.Answered)
    engine.tell(second, ev.AgentConnected, agent="PJSIP/0", ring_s=0)
    says(engine, TALKING, in_call=True)
    pass_s(engine, 2)
    known = forecast(engine)
    assert known.pacer.beliefs.talks.ends[12] == 1, "60 s, in steps of 5"
    assert known.traffic.talking_s.tolist() == [2.0]


async def test_one_who_logs_in_from_a_telephone_that_talks_is_no_surprise(engine: Rig) -> None:
    await predictive(engine, predict_after_answers=1)
    await engine.people(*range(50, 80))
    engine.agents(FREE, FREE)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    engine.forecaster.look()
    engine.agents(FREE, FREE, TALKING)
    engine.forecaster.look()
    assert engine.outlook.decide(engine.now_of()).limit is not Limit.LEARNING


async def test_after_talks_of_unknown_age_nothing_is_predicted_for_a_while(engine: Rig) -> None:
    await predictive(engine, predict_after_answers=1)
    await engine.people(*range(50, 80))
    engine.agents(FREE, TALKING)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    engine.forecaster.look()
    assert engine.outlook.decide(engine.now_of()).limit is Limit.LEARNING
    pass_s(engine, BLIND_S + 1)
    assert engine.outlook.decide(engine.now_of()).limit is not Limit.LEARNING


# --- traffic ---------------------------------------------------------------------------------------------------------


async def test_the_traffic_is_what_is_under_way_for_the_agents_of_the_queue(engine: Rig) -> None:
    await predictive(engine)
    engine.agents(FREE, FREE, RINGING)
    first, _second, waiting, taken = await placed(engine, 1, 2, 3, 4)
    pass_s(engine, 7)
    for call in (waiting, taken):
        engine.tell(call, ev.Answered)
        engine.tell(call, ev.ActionTaken, action=Action.QUEUE)
    hung_up(engine, first)
    found = forecast(engine).traffic
    assert (found.free, found.waiting) == (2, 1), "for one of two in the queue a telephone rings"
    assert found.dialing["carrier"].tolist() == [7.0]
    assert (found.under_way, found.trunk) == (1, "carrier")


@pytest.mark.parametrize("action", [None, Action.QUEUE, Action.GOTO])
async def test_who_has_answered_needs_an_agent_wherever_it_is_led_first(engine: Rig, action: Action | None) -> None:
    await predictive(engine, predict_adjust=0)
    await engine.people(*range(50, 60))
    engine.agents(FREE, FREE, FREE)
    for call in await placed(engine, 1, 2):
        engine.tell(call, ev.Answered)
        if action:
            engine.tell(call, ev.ActionTaken, action=action)
    assert forecast(engine).traffic.waiting == 2
    assert engine.outlook.decide(engine.now_of()).calls == 1


async def test_a_machine_that_hears_its_message_needs_no_agent(engine: Rig) -> None:
    engine.agents(FREE)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.ActionTaken, action=Action.MESSAGE)
    assert engine.outlook.snapshot(engine.now_of()).waiting_calls == 0


async def test_calls_of_other_campaigns_for_the_same_agents_are_in_the_forecast(engine: Rig) -> None:
    await predictive(engine)
    other = await engine.add_campaign("other", mode=Mode.PREDICTIVE)
    await engine.people(5, campaign=other)
    engine.agents(FREE, FREE)
    await engine.dialer._turn()
    mine = [call for call in engine.calls if call.attempt.campaign_id == other.id]
    assert len(mine) == 1
    found = forecast(engine).traffic
    assert found.under_way == 0
    assert [part.answers for part in found.others] == [pytest.approx(0.36, abs=0.1)], "one call, with all caution"


async def test_a_progressive_campaign_beside_a_predictive_one_counts_its_calls_by_their_chance(engine: Rig) -> None:
    other = await engine.add_campaign("other", mode=Mode.PREDICTIVE)
    engine.agents(FREE)
    await placed(engine, *range(1, 11))
    for call in engine.calls:
        call.attempt = replace(call.attempt, campaign_id=other.id)
    assert engine.outlook.snapshot(engine.now_of()).waiting_calls == 2, "a fifth of ten, as assumed at first"
    assert engine.outlook.snapshot(engine.now_of(other)).waiting_calls == 10


async def test_a_new_campaign_finds_agents_beside_one_that_over_dials(engine: Rig) -> None:
    """The bold one is ahead and keeps more calls under way than agents are free; the new one still gets its turn."""
    await predictive(engine, predict_after_answers=1)
    timid = await engine.add_campaign("timid", mode=Mode.PREDICTIVE, predict_after_answers=1000)
    await engine.people(*range(100, 160))
    await engine.people(*range(200, 230), campaign=timid)
    engine.agents(*[FREE] * 4)
    pacer = forecast(engine).pacer
    for turn in range(400):
        pacer.call_ended(10.0, reached=turn % 4 == 0, trunk="carrier")
    placed_by: list[int] = []
    for _ in range(60):
        await engine.turn()
        pass_s(engine, 12)
        for call in engine.calls:
            if not call.is_gone:
                placed_by.append(call.attempt.campaign_id)
                engine.tell(call, ev.ChannelCreated, channel="PJSIP/c")
                hung_up(engine, call)
                engine.tell(call, ev.OriginateEnded, success=False, reason=0)
        await engine.bookkeeper.flush()
        pass_s(engine, 5)
    assert placed_by.count(timid.id) >= 10
    assert placed_by.count(engine.campaign.id) >= 10


# --- the law's windows -----------------------------------------------------------------------------------------------


async def closed(engine: Rig, number: int, *, abandoned: bool) -> None:
    (call,) = await placed(engine, number)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.ActionTaken, action=Action.QUEUE)
    if not abandoned:
        engine.tell(call, ev.AgentConnected, agent="PJSIP/0", ring_s=0)
    engine.tell(call, ev.Concluded, result="abandoned" if abandoned else "", queue_status="TIMEOUT" * abandoned)
    hung_up(engine, call)
    engine.tell(call, ev.OriginateEnded, success=True, reason=4)
    await engine.bookkeeper.flush()


async def test_windows_count_days_and_blocks_and_who_talks_now(engine: Rig) -> None:
    await predictive(engine)
    await engine.forecaster.take_up(engine.now_of())
    await closed(engine, 1, abandoned=True)
    await closed(engine, 2, abandoned=False)
    engine.clock.at += DAY_MS
    (talking,) = await placed(engine, 3)
    engine.tell(talking, ev.Answered)
    engine.tell(talking, ev.AgentConnected, agent="PJSIP/0", ring_s=0)
    block, day = forecast(engine).windows
    assert (block.tally.answered, block.tally.abandoned) == (3, 1)
    assert (day.tally.answered, day.tally.abandoned) == (1, 0)
    assert day.since > block.since


async def test_who_hangs_up_at_once_is_neither_connected_nor_abandoned(engine: Rig) -> None:
    await predictive(engine)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.ActionTaken, action=Action.QUEUE)
    pass_s(engine, 0.5)
    hung_up(engine, call)
    engine.tell(call, ev.OriginateEnded, success=True, reason=4)
    await engine.bookkeeper.flush()
    assert [closing.disposition.value for closing in engine.closed] == ["short"]
    assert forecast(engine).windows[0].tally.answered == 0


async def test_a_day_is_dialed_from_its_first_call_on_and_lasts_until_the_hours_end(engine: Rig) -> None:
    await predictive(engine, calling_hours="08:00-20:00")
    await closed(engine, 1, abandoned=False)
    engine.clock.at += DAY_MS - 3 * 3_600_000  # 9:00 of the next day
    assert forecast(engine).windows[-1].dialed_s == 0, "nobody was called yet"
    await closed(engine, 2, abandoned=False)
    pass_s(engine, 1800)
    block, day = forecast(engine).windows
    assert day.dialed_s == pytest.approx(1800, abs=5)
    assert day.left_s == pytest.approx(10.5 * 3600, abs=61)
    assert block.dialed_s == pytest.approx(12 * 3600 + 1800, abs=5)
    assert block.left_s == pytest.approx(28 * 12 * 3600 + 10.5 * 3600, abs=61)


async def test_the_end_of_the_list_is_in_the_windows(engine: Rig) -> None:
    await predictive(engine)
    assert forecast(engine).windows[0].in_list is None
    engine.forecaster.contacts_left(engine.now_of(), 50)
    assert [window.in_list for window in forecast(engine).windows] == [pytest.approx(10)] * 2, "a fifth of fifty"
    await predictive(engine, eternal_queue=True)
    assert forecast(engine).windows[0].in_list is None, "there will be more"


async def test_a_restarted_engine_counts_and_knows_the_same(engine: Rig) -> None:
    await predictive(engine)
    await engine.forecaster.take_up(engine.now_of())
    await closed(engine, 1, abandoned=True)
    await closed(engine, 2, abandoned=False)
    before = forecast(engine)
    await engine.forecaster.save()
    again = Forecaster(engine.context, engine.desk)
    await again.take_up(engine.now_of())
    again.look()
    after = again.forecast(engine.now_of())
    assert after is not None
    assert [w.tally for w in after.windows] == [w.tally for w in before.windows]
    assert after.pacer.answers == before.pacer.answers == 2
    assert after.pacer.kept() == json.loads(json.dumps(before.pacer.kept()))


async def test_what_was_learned_is_written_down_by_itself(engine: Rig) -> None:
    await predictive(engine)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    running = asyncio.create_task(engine.forecaster.run())
    await engine.clock.turn()
    await engine.clock.advance(SAVE_S + 0.1)
    async with asyncio.timeout(10):
        while await engine.store.learned(engine.campaign.id) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()


def spoiled(**values: object) -> str:
    """What a day has taught, but for these."""
    kept = Pacer(Settings().pace).kept() | {"count": 500}
    return json.dumps(kept | values)


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "not JSON",
        '{"count": 1}',
        "[]",
        spoiled(lean=float("nan")),
        spoiled(propensities={"type M": [1]}),
        spoiled(answers={"carrier": {"seen": 0, "reached": 0, "reached_at": [], "failed_at": []}}),
        spoiled(count="x"),
    ],
)
async def test_what_cannot_be_read_is_learned_anew(engine: Rig, body: str) -> None:
    await engine.set(mode=Mode.PREDICTIVE)
    await engine.store.save_learned(engine.campaign.id, body, NOON)
    await engine.forecaster.take_up(engine.now_of())
    known = forecast(engine).pacer
    assert (known.answers, known.lean) == (0, 0.0)
    assert known.propensities.kept() == {}


async def test_a_start_in_the_middle_of_the_day_is_blind_at_first_whatever_was_kept(engine: Rig) -> None:
    await engine.set(mode=Mode.PREDICTIVE)
    await engine.store.save_learned(
        engine.campaign.id, json.dumps(Pacer(Settings().pace).kept() | {"count": 500}), NOON
    )
    engine.agents(FREE, TALKING, TALKING)
    await engine.people(*range(50, 60))
    await engine.turn()
    assert engine.dialer.standings[engine.campaign.id].limit is Limit.LEARNING
    pass_s(engine, BLIND_S + 1)
    await engine.turn()
    assert engine.dialer.standings[engine.campaign.id].limit is not Limit.LEARNING


async def test_what_was_kept_is_not_written_over_before_it_was_read(engine: Rig) -> None:
    await predictive(engine)
    (first,) = await placed(engine, 1)
    engine.tell(first, ev.Answered)
    await engine.forecaster.save()
    again = Forecaster(engine.context, engine.desk)
    (second,) = await placed(engine, 2)
    before = second.attempt
    second.attempt = replace(before, answered_at=NOON)
    again.call_changed(second, before)
    await again.save()
    await again.take_up(engine.now_of())
    again.look()
    found = again.forecast(engine.now_of())
    assert found is not None
    assert found.pacer.answers == 1, "the second was seen before the first was remembered: it is left out"


async def test_a_changed_pace_keeps_what_was_learned(engine: Rig) -> None:
    await predictive(engine)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    await predictive(engine, abandonment_target=1.0)
    known = forecast(engine).pacer
    assert (known.answers, known.pace.aim) == (1, 0.01)


# --- in the loop -----------------------------------------------------------------------------------------------------


async def test_it_places_more_calls_than_agents_are_free_once_it_knows(engine: Rig) -> None:
    await predictive(engine, predict_after_answers=5)
    await engine.people(*range(100, 140))
    engine.agents(*[FREE] * 6)
    for number in range(1, 21):
        (call,) = await placed(engine, number)
        engine.tell(call, ev.ChannelCreated, channel=f"PJSIP/c-{number}")
        pass_s(engine, 8)
        if number % 4:
            hung_up(engine, call)
            engine.tell(call, ev.OriginateEnded, success=False, reason=0)
        else:
            await engine.bookkeeper.flush()
            engine.tell(call, ev.Answered)
            hung_up(engine, call)
            engine.tell(call, ev.OriginateEnded, success=True, reason=4)
    await engine.bookkeeper.flush()
    pass_s(engine, BLIND_S)
    before = len(engine.telephony.placed)
    await engine.turn()
    standing = engine.dialer.standings[engine.campaign.id]
    assert len(engine.telephony.placed) - before > 6, standing
    assert standing.limit in (Limit.RISK, Limit.GROWTH)
    assert standing.decision is not None
    assert standing.decision.advice is not None


async def test_without_over_dialing_it_is_progressive(engine: Rig) -> None:
    await predictive(engine, predict_adjust=0)
    await engine.people(*range(100, 120))
    engine.agents(FREE, FREE)
    await engine.turn()
    assert len(engine.telephony.placed) == 2
    assert engine.dialer.standings[engine.campaign.id].limit is Limit.AGENTS_COVERED


async def test_without_agents_nobody_is_called(engine: Rig) -> None:
    await predictive(engine)
    await engine.people(1, 2)
    await engine.turn()
    assert engine.telephony.placed == []
    assert engine.dialer.standings[engine.campaign.id].limit is Limit.NO_AGENTS


# --- which contact ---------------------------------------------------------------------------------------------------


async def test_what_is_known_of_a_number_is_learned_with_its_calls_end(engine: Rig) -> None:
    await predictive(engine)
    (call,) = await placed(engine, 1)
    engine.tell(call, ev.Answered)
    known = forecast(engine).pacer.propensities.kept()
    assert {"type M", "tries 0", "last none", "base b"} <= set(known)
    assert [feature for feature in known if feature.startswith("hour ")] == ["hour 12"]
    assert all(weight > 0 for weight, _ in known.values()), "it led to a person"


async def test_calls_under_way_count_with_their_own_chance(engine: Rig) -> None:
    await predictive(engine)
    pacer = forecast(engine).pacer
    for _ in range(400):
        pacer.propensities.ended(["type M"], reached=True, level=0.2)
    await placed(engine, 1, 2)
    assert forecast(engine).traffic.steps["carrier"].min() >= 4


async def test_a_predictive_campaign_claims_whom_its_pacing_chooses_and_others_go_by_order(engine: Rig) -> None:
    assert engine.forecaster.arranger(engine.now_of(), 1) is None
    await predictive(engine, choose_among=1)
    assert engine.forecaster.arranger(engine.now_of(), 1) is None
    await predictive(engine, choose_among=5)
    await engine.people(*range(1, 11))
    engine.agents(FREE)
    asked: list[ClaimRequest] = []
    claim = engine.store.claim

    async def watched(request: ClaimRequest) -> Claimed:
        asked.append(request)
        return await claim(request)

    engine.store.claim = watched  # type: ignore[method-assign]
    await engine.turn()
    (request,) = asked
    assert (request.limit, request.window) == (1, 5)
    assert request.arrange is not None
    assert len(engine.telephony.placed) == 1
