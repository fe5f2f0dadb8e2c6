"""The dialing loop: how many calls now, and why not more."""

import pytest
from engine_doubles import NOON, Rig, until

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.amd import Action
from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import OriginateRefused
from astdialer.domain.limit import Limit
from astdialer.domain.settings import Mode
from astdialer.engine.calls import Call
from astdialer.engine.dialer import Standing
from astdialer.engine.directory import Directory
from astdialer.ports import Claimed, ClaimRequest

pytest_plugins = ("engine_fixtures",)

FREE, RINGING, TALKING = AgentStatus.NOT_INUSE, AgentStatus.RINGING, AgentStatus.INUSE


def standing(engine: Rig) -> Standing:
    return engine.dialer.standings[engine.campaign.id]


async def state(engine: Rig) -> CampaignState:
    return (await engine.store.campaign("demo")).state


def end(engine: Rig, call: Call, cause: int = 1) -> None:
    engine.tell(call, ev.HungUp, cause=cause)
    engine.tell(call, ev.OriginateEnded, success=False, reason=0)


def waiting_for_agent(engine: Rig, call: Call) -> None:
    engine.tell(call, ev.Answered)
    engine.tell(call, ev.ActionTaken, action=Action.QUEUE)


# --- agents ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("free", [0, 1, 3])
async def test_progressive_never_has_more_calls_than_free_agents(engine: Rig, free: int) -> None:
    await engine.people(*range(10))
    engine.agents(*[FREE] * free, TALKING)
    for _ in range(4):
        await engine.turn()
        assert len(engine.calls) == len(engine.telephony.placed) == free
    assert standing(engine).limit is (Limit.AGENTS_COVERED if free else Limit.NO_FREE_AGENT)


async def test_a_failed_call_makes_room_for_the_next(engine: Rig) -> None:
    await engine.people(*range(5))
    engine.agents(FREE)
    await engine.turn()
    (call,) = engine.calls
    end(engine, call)
    await engine.turn()
    assert len(engine.telephony.placed) == 2


async def test_a_ringing_agent_is_not_counted_twice(engine: Rig) -> None:
    """Its call waits in the queue, and the agent is not free any more: the other free agent still gets one."""
    await engine.people(*range(5))
    engine.agents(FREE, FREE)
    await engine.turn()
    first, second = engine.calls
    waiting_for_agent(engine, first)
    engine.agents(RINGING, FREE)
    assert engine.outlook.snapshot(engine.context.directory.campaigns[engine.campaign.id]).waiting_calls == 1
    await engine.turn()
    assert len(engine.calls) == 2, "the second agent has the second call"
    end(engine, second)
    await engine.turn()
    assert len(engine.telephony.placed) == 3


async def test_a_talk_needs_no_agent_any_more(engine: Rig) -> None:
    await engine.people(*range(5))
    engine.agents(FREE, FREE)
    await engine.turn()
    first, _ = engine.calls
    waiting_for_agent(engine, first)
    engine.tell(first, ev.AgentConnected, agent="PJSIP/0")
    engine.agents(TALKING, FREE)
    await engine.turn()
    assert len(engine.calls) == 2


async def test_a_waiting_person_takes_the_next_free_agent(engine: Rig) -> None:
    await engine.people(*range(5))
    engine.agents(FREE)
    await engine.turn()
    (call,) = engine.calls
    waiting_for_agent(engine, call)
    engine.agents(FREE)
    await engine.turn()
    assert len(engine.calls) == 1


async def test_power_places_lines_for_each_free_agent(engine: Rig) -> None:
    await engine.set(mode=Mode.POWER, lines_per_agent=2.5)
    await engine.people(*range(20))
    engine.agents(FREE, FREE)
    await engine.turn()
    assert len(engine.calls) == 5


async def test_nobody_logged_in_is_said_so(engine: Rig) -> None:
    await engine.people(1)
    engine.agents(AgentStatus.UNAVAILABLE)
    await engine.turn()
    assert standing(engine).limit is Limit.NO_AGENTS


# --- the campaign's own pace -----------------------------------------------------------------------------------------


async def test_a_campaign_keeps_its_own_pace_and_says_when_the_next_call_leaves(engine: Rig) -> None:
    await engine.set(mode=Mode.BROADCAST, sound="hello", calls_per_second=1 / 60)
    await engine.people(*range(5))
    await engine.turn()
    assert len(engine.telephony.placed) == 1
    await engine.turn()
    found = standing(engine)
    assert (found.limit, found.until) == (Limit.CAMPAIGN_RATE, NOON + 60_000)
    engine.clock.at = NOON + 59_000
    await engine.turn()
    assert len(engine.calls) == 1
    engine.clock.at = NOON + 60_000
    await engine.turn()
    assert len(engine.telephony.placed) == 2


async def test_agents_who_are_rung_first_are_not_made_to_wait_for_the_campaigns_pace(engine: Rig) -> None:
    await engine.set(mode=Mode.AGENT_FIRST, calls_per_second=1 / 60)
    await engine.people(*range(5))
    engine.agents(FREE, FREE, FREE)
    for _ in range(3):
        await engine.dialer._turn()
        await engine.desk.settle()
    assert len(engine.calls) == 1
    assert standing(engine).limit is Limit.CAMPAIGN_RATE


async def test_other_campaigns_go_on_at_theirs(engine: Rig) -> None:
    quick = await engine.add_campaign("quick", mode=Mode.BROADCAST, sound="hello")
    await engine.set(mode=Mode.BROADCAST, sound="hello", calls_per_second=0.01)
    await engine.people(*range(5))
    await engine.people(*range(100, 110), campaign=quick)
    for _ in range(3):
        await engine.turn()
    of = [call.attempt.campaign_id for call in engine.calls]
    assert (of.count(engine.campaign.id), of.count(quick.id)) == (1, 10)


async def test_a_pace_goes_on_after_a_restart(engine: Rig) -> None:
    """A call in sixty seconds, and not one for each start of the engine."""
    await engine.set(mode=Mode.BROADCAST, sound="hello", calls_per_second=1 / 60)
    await engine.people(*range(3))
    await engine.turn()
    (call,) = engine.calls
    end(engine, call)
    await engine.bookkeeper.flush()
    again = Directory(engine.store)
    await again.load()
    pace = again.pace(engine.now_of())
    assert pace is not None
    assert pace.wait_s(NOON + 20_000) == pytest.approx(40)


async def test_a_live_call_of_an_earlier_run_counts_in_its_campaigns_pace(engine: Rig) -> None:
    await engine.set(calls_per_second=0.01)
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Sent)
    engine.placer.take_up(call)
    pace = engine.context.directory.pace(engine.now_of())
    assert pace is not None
    assert pace.wait_s(NOON) == 100


async def test_a_pace_that_is_taken_away_binds_nobody(engine: Rig) -> None:
    await engine.set(calls_per_second=0.01)
    assert engine.context.directory.pace(engine.now_of()) is not None
    await engine.set(calls_per_second=2.0)
    pace = engine.context.directory.pace(engine.now_of())
    assert pace is not None
    assert pace.per_second == 2
    await engine.set()
    assert engine.context.directory.pace(engine.now_of()) is None


# --- what binds ------------------------------------------------------------------------------------------------------


async def test_outside_hours_says_when_it_opens(engine: Rig) -> None:
    await engine.people(1)
    await engine.set(calling_hours="13:00-14:00")
    engine.agents(FREE)
    await engine.turn()
    assert (standing(engine).limit, standing(engine).until) == (Limit.OUTSIDE_HOURS, NOON + 3_600_000)
    engine.clock.at = NOON + 3_600_000
    await engine.turn()
    assert len(engine.calls) == 1


async def test_only_zones_within_hours_are_called(engine: Rig) -> None:
    await engine.set(calling_hours="08:00-13:00")
    await engine.people(1, base="lima", zone="America/Lima")  # 07:00 there
    await engine.people(2, base="home")
    engine.agents(FREE, FREE)
    await engine.turn()
    assert [call.base for call in engine.calls] == ["home"]


async def test_an_asterisk_that_is_down_is_said_in_its_own_words(engine: Rig) -> None:
    await engine.people(1)
    engine.agents(FREE)
    engine.telephony.up, engine.telephony.reason = False, "connection refused"
    await engine.turn()
    assert (standing(engine).limit, standing(engine).detail) == (
        Limit.ASTERISK_DOWN,
        "server default: connection refused",
    )
    assert engine.telephony.placed == []


async def test_nothing_is_dialed_before_asterisk_has_been_looked_at(engine: Rig) -> None:
    await engine.people(1)
    engine.agents(FREE)
    engine.recovery.synced.clear()
    await engine.turn()
    assert standing(engine).limit is Limit.ASTERISK_DOWN


async def test_a_refused_campaign_rests_and_says_why(engine: Rig) -> None:
    await engine.people(1, 2)
    engine.agents(FREE, FREE)
    engine.telephony.refusal = OriginateRefused("no such context")
    await engine.dialer._turn()
    await until(lambda: bool(engine.trouble))
    await engine.turn()
    assert (standing(engine).limit, standing(engine).detail) == (Limit.REFUSED, "no such context")
    assert standing(engine).until == NOON + 10_000


async def test_without_its_trunk_a_campaign_says_so(engine: Rig) -> None:
    await engine.people(1)
    await engine.set(trunk="nowhere")
    engine.agents(FREE)
    await engine.turn()
    assert standing(engine).limit is Limit.NO_TRUNK


async def test_a_campaign_without_bases_has_an_empty_list(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.turn()
    assert standing(engine).limit is Limit.LIST_EMPTY


async def test_what_another_process_changes_is_taken_up(engine: Rig) -> None:
    await engine.people(1)
    engine.agents(FREE)
    await engine.state(CampaignState.PAUSED)
    await engine.turn()
    assert standing(engine).limit is Limit.NOT_RUNNING
    await engine.state(CampaignState.RUNNING)
    await engine.turn()
    assert len(engine.calls) == 1


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_nothing_due_says_when_it_is(engine: Rig) -> None:
    await engine.people(1)
    engine.agents(FREE)
    await engine.turn()
    (call,) = engine.calls
    end(engine, call, cause=17)
    await engine.bookkeeper.flush()
    await engine.turn()
    assert (standing(engine).limit, standing(engine).until) == (Limit.NOTHING_DUE, NOON + 300_000)
    engine.clock.at = NOON + 300_000
    await engine.turn()
    assert len(engine.telephony.placed) == 2


async def test_a_campaign_is_finished_when_its_last_contact_is_done(engine: Rig) -> None:
    await engine.people(1)
    engine.agents(FREE, FREE)
    await engine.turn()
    await engine.turn()
    assert standing(engine).limit in (Limit.LAST_CALLS, Limit.NOTHING_DUE)
    assert await state(engine) is CampaignState.RUNNING
    (call,) = engine.calls
    end(engine, call)
    await engine.bookkeeper.flush()
    await engine.turn()
    assert await state(engine) is CampaignState.FINISHED
    assert (await engine.store.campaign("demo")).explanation == "every contact is done"


async def test_a_stopped_campaign_lets_its_calls_end(engine: Rig) -> None:
    await engine.people(1, 2)
    engine.agents(FREE)
    await engine.turn()
    await engine.state(CampaignState.STOPPING)
    await engine.turn()
    assert await state(engine) is CampaignState.STOPPING
    assert engine.telephony.hung_up == []
    (call,) = engine.calls
    end(engine, call)
    await engine.bookkeeper.flush()
    await engine.turn()
    assert await state(engine) is CampaignState.STOPPED
    assert len(engine.telephony.placed) == 1


@pytest.mark.parametrize("fails", [False, True])
async def test_a_campaign_stopped_with_hang_up_hangs_each_call_up_once(engine: Rig, fails: bool) -> None:
    await engine.people(1, 2)
    engine.agents(FREE, FREE)
    await engine.turn()
    engine.telephony.hang_up_fails = fails
    await engine.state(CampaignState.STOPPING, hang_up=True)
    await engine.turn()
    await engine.turn()
    assert sorted(engine.telephony.hung_up) == sorted(call.attempt.id for call in engine.calls)
    assert all(call.attempt.canceled for call in engine.calls)
    assert await state(engine) is CampaignState.STOPPING
    for call in engine.calls:
        end(engine, call, 0)
    await engine.bookkeeper.flush()
    await engine.turn()
    assert await state(engine) is CampaignState.STOPPED
    assert dict((await engine.store.counts(engine.campaign.id)).dispositions) == {"canceled": 2}


async def test_the_campaign_with_priority_gets_the_agent(engine: Rig) -> None:
    await engine.people(1)
    await engine.set(priority=1)
    other = await engine.store.create_campaign("another", engine.context.directory.campaigns[1].settings, NOON)
    await engine.store.set_state(other.id, CampaignState.RUNNING, now=NOON)
    await engine.set(priority=2)
    engine.campaign, first = other, engine.campaign
    await engine.people(2)
    engine.agents(FREE)
    await engine.turn()
    assert [call.attempt.campaign_id for call in engine.calls] == [first.id]


async def test_a_call_whose_trunk_was_removed_while_it_was_claimed_is_given_back(
    engine: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = engine.store.claim

    async def trunk_goes(request: ClaimRequest) -> Claimed:
        found = await claim(request)
        engine.context.directory.trunks = {}
        return found

    monkeypatch.setattr(engine.store, "claim", trunk_goes)
    await engine.people(1, 2)
    engine.agents(FREE, FREE)
    await engine.dialer._turn()
    await engine.bookkeeper.flush()
    assert {closing.attempt.refusal for closing in engine.closed} == {"there is no trunk 'carrier' any more"}
    counts = await engine.store.counts(engine.campaign.id)
    assert (counts.waiting, counts.in_call, engine.now_of().state) == (2, 0, CampaignState.RUNNING)


@pytest.mark.parametrize("not_before", [None, NOON])
async def test_a_broadcast_says_that_contacts_which_are_bound_to_agents_are_not_for_it(
    engine: Rig, not_before: int | None
) -> None:
    await engine.set(mode=Mode.BROADCAST, sound="hello")
    await engine.people(1, agentphone="1001", not_before=not_before)
    await engine.dialer._turn()
    standing = engine.dialer.standings[engine.campaign.id]
    assert (standing.limit, standing.until) == (Limit.NEEDS_AGENTS, None)
    assert "astdialer contact respool --agentphone ''" in standing.detail
    assert engine.now_of().state is CampaignState.RUNNING


async def test_a_contact_that_is_due_again_for_an_agent_who_is_not_free_is_said_so(engine: Rig) -> None:
    engine.agents(FREE)
    await engine.people(1, agentphone="1001", not_before=NOON)
    await engine.dialer._turn()
    standing = engine.dialer.standings[engine.campaign.id]
    assert (standing.limit, standing.until) == (Limit.OTHERS_CONTACTS, None)
