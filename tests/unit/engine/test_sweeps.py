"""What comes by time alone: late results, expiry, midnights, sleep, rests; and what ends a campaign by itself."""

import asyncio
import logging
from typing import Any

import pytest
from engine_doubles import NOON, Rig, member, phone

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.amd import Action
from astdialer.domain.campaign import Campaign, CampaignState, Phase
from astdialer.domain.contact import Contact, ContactState
from astdialer.domain.errors import NotFound, Unavailable
from astdialer.domain.limit import Limit
from astdialer.domain.settings import Mode
from astdialer.engine.calls import Call
from astdialer.engine.desk import RESTS
from astdialer.engine.sweeps import EXPIRY_S, Sweeps
from astdialer.ports import CampaignCounts, CampaignEvent

pytest_plugins = ("engine_fixtures",)

FREE = AgentStatus.NOT_INUSE
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MIDNIGHT = NOON + 12 * HOUR_MS


async def contact(engine: Rig, n: int = 1) -> Contact:
    (found,) = await engine.store.contacts_with(phone(n), None, open_only=False)
    return found


async def talked(engine: Rig, n: int = 1) -> Call:
    """A contact after a talk."""
    (call,) = await engine.claim(n)
    engine.tell(call, ev.Sent)
    engine.tell(call, ev.ChannelCreated, channel="PJSIP/c-1")
    engine.tell(call, ev.ActionTaken, action=Action.QUEUE)
    engine.tell(call, ev.AgentConnected, agent="PJSIP/0")
    engine.tell(call, ev.AgentFinished, agent="PJSIP/0", ended_by="caller")
    engine.tell(call, ev.HungUp, cause=16)
    engine.tell(call, ev.OriginateEnded, success=True, reason=4)
    await engine.bookkeeper.flush()
    return call


async def told(engine: Rig, campaign: Campaign | None = None) -> list[str]:
    """The campaign's history, the oldest first."""
    events = await engine.store.history((campaign or engine.campaign).id, 99)
    return [event.event for event in reversed(events)]


async def looks(engine: Rig, at: int) -> None:
    engine.clock.at = at
    await engine.sweeps.look()
    await engine.desk.settle()


async def state(engine: Rig, name: str = "demo") -> CampaignState:
    return (await engine.store.campaign(name)).state


# --- results that do not come ----------------------------------------------------------------------------------------


async def test_a_contact_whose_result_does_not_come_is_given_back(engine: Rig) -> None:
    await engine.set(wait_for_result=True, result_timeout_s=60, result_retry_s=600)
    await talked(engine)
    assert (await contact(engine)).state is ContactState.HELD
    await looks(engine, NOON + 59_999)
    assert (await contact(engine)).state is ContactState.HELD
    await looks(engine, NOON + 60_000)
    found = await contact(engine)
    assert (found.state, found.next_at, found.tries) == (ContactState.WAITING, NOON + 660_000, 0)


async def test_a_result_that_does_not_come_counts_if_the_campaign_says_so(engine: Rig) -> None:
    await engine.set(wait_for_result=True, result_timeout_counts=True)
    await talked(engine)
    await looks(engine, NOON + 60_000)
    assert (await contact(engine)).tries == 1


async def test_the_dialing_loop_is_told_when_such_a_contact_is_due(engine: Rig) -> None:
    await engine.set(wait_for_result=True, result_retry_s=20)
    await talked(engine)
    engine.agents(FREE)
    await engine.turn()
    await engine.sweeps.look()  # the settings have changed
    standing = engine.dialer.standings[engine.campaign.id]
    standing.idle_until = NOON + HOUR_MS
    await looks(engine, NOON + 60_000)
    assert standing.idle_until == NOON + 80_000


async def test_a_fault_with_one_campaigns_result_leaves_the_others(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.set(wait_for_result=True)
    await talked(engine, 1)
    await talked(engine, 2)
    change, broken = engine.store.change_contact, (await contact(engine, 1)).id

    async def fails(contact_id: int, *rest: Any) -> Contact:
        if contact_id == broken:
            raise ValueError("nobody foresaw this")
        return await change(contact_id, *rest)

    monkeypatch.setattr(engine.store, "change_contact", fails)
    with caplog.at_level(logging.CRITICAL):
        await looks(engine, NOON + 60_000)
    assert (await contact(engine, 1)).state is ContactState.HELD
    assert (await contact(engine, 2)).state is ContactState.WAITING


@pytest.mark.parametrize("part", ["due_results", "rewake", "expire", "erase_some"])
async def test_a_fault_in_one_look_at_all_leaves_the_others(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    await dated(engine, start_at=START)
    engine.context.directory.changed_rules.add(engine.campaign.id)

    async def fails(*_: Any) -> None:
        raise ValueError("nobody foresaw this")

    monkeypatch.setattr(engine.store, part, fails)
    with caplog.at_level(logging.CRITICAL):
        await looks(engine, NOON + HOUR_MS)
    assert await state(engine) is CampaignState.RUNNING


# --- starting and stopping by the clock ------------------------------------------------------------------------------


async def dated(engine: Rig, state_: CampaignState = CampaignState.IDLE, **settings: Any) -> None:
    await engine.set(**settings)
    await engine.state(state_)


START, STOP = "2026-09-22T13:00Z", "2026-09-22T14:00+00:00"  # an hour and two after NOON


async def test_a_campaign_starts_by_itself_when_it_is_time(engine: Rig) -> None:
    await dated(engine, start_at=START)
    await looks(engine, NOON + HOUR_MS - 1)
    assert await state(engine) is CampaignState.IDLE
    await engine.dialer._turn()
    assert engine.dialer.standings[engine.campaign.id].until == NOON + HOUR_MS
    await looks(engine, NOON + HOUR_MS)
    assert await state(engine) is CampaignState.RUNNING
    assert await told(engine) == ["started"]


async def test_a_start_that_is_long_past_is_made_up_for(engine: Rig) -> None:
    await dated(engine, start_at="2023-06-02T10:00+03:00")
    await looks(engine, NOON)
    assert await state(engine) is CampaignState.RUNNING


@pytest.mark.parametrize("before", [CampaignState.PAUSED, CampaignState.STOPPED, CampaignState.FINISHED])
async def test_what_was_started_before_does_not_start_by_itself(engine: Rig, before: CampaignState) -> None:
    await dated(engine, before, start_at=START)
    await looks(engine, NOON + 2 * HOUR_MS)
    assert await state(engine) is before


async def test_what_is_missing_delays_the_start_and_is_said_once(engine: Rig) -> None:
    await dated(engine, start_at=START, caller_id="pool:none")
    for second in range(3):
        await looks(engine, NOON + HOUR_MS + second * 1000)
    campaign = await engine.store.campaign("demo")
    assert (campaign.state, await told(engine)) == (CampaignState.IDLE, ["delayed"])
    assert campaign.explanation.startswith("there are no numbers for caller_id=pool:none")
    await engine.store.save_caller_id_pool("none", ["34910000000"])
    await engine.context.directory.load()
    await looks(engine, NOON + HOUR_MS + 5000)
    campaign = await engine.store.campaign("demo")
    assert (campaign.state, campaign.explanation) == (CampaignState.RUNNING, "")
    assert await told(engine) == ["delayed", "started"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (CampaignState.IDLE, CampaignState.STOPPED),
        (CampaignState.RUNNING, CampaignState.STOPPING),
        (CampaignState.PAUSED, CampaignState.STOPPING),
        (CampaignState.STOPPING, CampaignState.STOPPING),
        (CampaignState.FINISHED, CampaignState.FINISHED),
    ],
)
async def test_a_campaign_is_stopped_when_it_is_time(engine: Rig, before: CampaignState, after: CampaignState) -> None:
    await dated(engine, before, stop_at=STOP)
    await looks(engine, NOON + 2 * HOUR_MS - 1)
    assert await state(engine) is before
    await looks(engine, NOON + 2 * HOUR_MS)
    assert await state(engine) is after
    assert await told(engine) == ([after.value] if after is not before else [])


# --- expiry ----------------------------------------------------------------------------------------------------------


async def test_who_has_expired_is_ended_every_few_minutes(engine: Rig) -> None:
    await engine.people(1, expires_at=NOON)
    await engine.people(2, expires_at=NOON + 1)
    await engine.people(3)
    await looks(engine, NOON)
    assert [(await contact(engine, n)).state for n in (1, 2, 3)] == [ContactState.DONE, "ready", "ready"]
    await looks(engine, NOON + int(EXPIRY_S * 1000) - 1)
    assert (await contact(engine, 2)).state is ContactState.READY
    await looks(engine, NOON + int(EXPIRY_S * 1000))
    assert (await contact(engine, 2)).state is ContactState.DONE
    assert (await contact(engine, 2)).end_reason == "expired"


# --- midnight --------------------------------------------------------------------------------------------------------


async def zeroed(engine: Rig) -> int:
    return (await told(engine)).count("zeroed")


async def counted(engine: Rig) -> dict[str, int]:
    return dict((await engine.store.counts(engine.campaign.id)).dispositions)


@pytest.mark.parametrize(("zone", "midnight"), [("UTC", MIDNIGHT), ("America/Lima", MIDNIGHT + 5 * HOUR_MS)])
async def test_statistics_begin_anew_at_the_campaigns_own_midnight(engine: Rig, zone: str, midnight: int) -> None:
    await engine.set(auto_reset_stats=True, timezone=zone)
    await looks(engine, NOON)
    await talked(engine)
    before = await zeroed(engine)
    await looks(engine, midnight - 1)
    assert (await zeroed(engine), await counted(engine)) == (before, {"answered": 1})
    for at in (midnight, midnight + 1000, midnight + HOUR_MS):
        await looks(engine, at)
        assert (await zeroed(engine), await counted(engine)) == (before + 1, {})


async def test_a_restart_after_midnight_does_not_zero_twice(engine: Rig) -> None:
    await engine.set(auto_reset_stats=True)
    await looks(engine, MIDNIGHT)
    before = await zeroed(engine)
    await talked(engine)
    await Sweeps(engine.context, engine.desk, engine.dialer).look()
    assert (await zeroed(engine), await counted(engine)) == (before, {"answered": 1})


async def test_a_midnight_without_an_engine_is_made_up_for(engine: Rig) -> None:
    await engine.set(auto_reset_stats=True)
    await looks(engine, NOON)
    await talked(engine)
    before = await zeroed(engine)
    engine.clock.at = MIDNIGHT + 9 * HOUR_MS
    await Sweeps(engine.context, engine.desk, engine.dialer).look()
    assert (await zeroed(engine), await counted(engine)) == (before + 1, {})


async def test_a_midnight_at_which_the_store_failed_is_made_up_for(
    engine: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.set(auto_reset_stats=True)
    await looks(engine, NOON)
    before = await zeroed(engine)

    async def fails(*_: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(engine.store, "zero_statistics", fails)
        with pytest.raises(Unavailable):
            await looks(engine, MIDNIGHT)
    await looks(engine, MIDNIGHT + 1000)
    assert await zeroed(engine) == before + 1


async def test_who_does_not_want_it_keeps_its_statistics(engine: Rig) -> None:
    await looks(engine, NOON)
    await talked(engine)
    await looks(engine, MIDNIGHT)
    assert (await zeroed(engine), await counted(engine)) == (0, {"answered": 1})


async def test_agents_counts_begin_anew_at_midnight_and_not_with_a_new_campaign(engine: Rig) -> None:
    engine.agents(FREE)
    await looks(engine, NOON)
    engine.desk.took_from_queue("default", "PJSIP/0")
    await engine.add_campaign("another")
    await looks(engine, NOON + 1000)
    assert engine.desk.seat("default", "PJSIP/0").calls == 1
    await looks(engine, MIDNIGHT)
    assert engine.desk.seat("default", "PJSIP/0").calls == 0


# --- sleep -----------------------------------------------------------------------------------------------------------


async def test_a_campaign_sleeps_and_wakes_with_its_hours_and_says_so_once(engine: Rig) -> None:
    await engine.people(1)
    await engine.set(calling_hours="08:00-13:00")
    for at, known in [
        (NOON, []),
        (NOON + HOUR_MS - 1, []),
        (NOON + HOUR_MS, ["sleeps"]),
        (NOON + 2 * HOUR_MS, ["sleeps"]),
        (NOON + 20 * HOUR_MS, ["sleeps", "wakes"]),
        (NOON + 21 * HOUR_MS, ["sleeps", "wakes"]),
    ]:
        await looks(engine, at)
        assert await told(engine) == known


async def test_a_campaign_sleeps_with_its_calendar_too(engine: Rig) -> None:
    await engine.add_calendar("office", "mon 09:00-17:00")  # it is Tuesday
    await engine.set(calendar="office")
    assert engine.sweeps.phase(engine.now_of()) is Phase.SLEEP


async def test_a_campaign_is_awake_while_one_of_its_zones_is(engine: Rig) -> None:
    await engine.set(calling_hours="08:00-13:00")
    await engine.people(1, base="lima", zone="America/Lima")  # 07:00 there
    assert engine.sweeps.phase(engine.now_of()) is Phase.SLEEP
    await engine.people(2, base="lisbon", zone="Europe/Lisbon")  # 13:00 there
    assert engine.sweeps.phase(engine.now_of()) is Phase.SLEEP
    await engine.people(3, base="home", zone="UTC")
    assert engine.sweeps.phase(engine.now_of()) is Phase.WORK


async def test_a_campaign_without_contacts_is_awake_in_its_hours(engine: Rig) -> None:
    assert engine.sweeps.phase(engine.now_of()) is Phase.WORK
    await engine.set(calling_hours="08:00-09:00")
    assert engine.sweeps.phase(engine.now_of()) is Phase.SLEEP


async def test_a_campaign_that_is_paused_asleep_does_not_wake_by_that(engine: Rig) -> None:
    await engine.set(calling_hours="08:00-09:00")
    await looks(engine, NOON)
    await engine.state(CampaignState.PAUSED)
    await looks(engine, NOON + 1000)
    assert await told(engine) == ["sleeps"]


async def test_only_a_running_campaign_sleeps(engine: Rig) -> None:
    await engine.set(calling_hours="08:00-09:00")
    await engine.state(CampaignState.PAUSED)
    await looks(engine, NOON)
    assert await told(engine) == []
    await engine.state(CampaignState.RUNNING)
    await looks(engine, NOON)
    assert await told(engine) == ["sleeps"]


# --- rests and rules -------------------------------------------------------------------------------------------------


async def test_each_look_ends_the_rests_that_are_over(engine: Rig) -> None:
    engine.members(member(interface="PJSIP/0", paused=True, pause_reason=RESTS))
    await looks(engine, NOON)
    assert engine.telephony.pauses == [("PJSIP/0", False, "")]


async def test_changed_rules_wake_whoever_waited_for_them(engine: Rig) -> None:
    await engine.set(mode=Mode.BROADCAST, sound="hello", ranges="M=18:00-20:00/3")
    await engine.people(1)
    await engine.sweeps.look()
    await engine.turn()
    await engine.sweeps.look()  # nothing has changed since the contact was put off
    assert (await contact(engine)).next_at == NOON + 6 * HOUR_MS
    await engine.set(mode=Mode.BROADCAST, sound="hello", ranges="M=11:00-13:00/3")
    await engine.sweeps.look()
    await engine.turn()
    assert [call.attempt.number for call in engine.calls] == [phone(1)]
    assert engine.context.directory.changed_rules == set()


async def test_changed_rules_do_not_wake_who_waits_for_its_next_try(engine: Rig) -> None:
    (call,) = await engine.claim(1)
    engine.tell(call, ev.Sent)
    engine.tell(call, ev.ChannelCreated, channel="PJSIP/c-1")
    engine.tell(call, ev.HungUp, cause=17)
    engine.tell(call, ev.OriginateEnded, success=False, reason=5)
    await engine.bookkeeper.flush()
    due_at = (await contact(engine)).next_at
    assert due_at == NOON + 300_000
    await engine.set(attempts_per_day=9)
    await engine.sweeps.look()
    assert (await contact(engine)).next_at == due_at


# --- faults ----------------------------------------------------------------------------------------------------------


async def test_a_fault_inside_one_campaign_does_not_stop_the_sweeps_of_others(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = await engine.add_campaign("another", calling_hours="08:00-09:00")
    await engine.set(calling_hours="08:00-09:00")
    add_event, broken = engine.store.add_event, engine.campaign.id

    async def fails(campaign_id: int, event: CampaignEvent) -> None:
        if campaign_id == broken:
            raise ValueError("nobody foresaw this")
        await add_event(campaign_id, event)

    monkeypatch.setattr(engine.store, "add_event", fails)
    with caplog.at_level(logging.ERROR):
        await looks(engine, NOON)
    assert await told(engine, other) == ["sleeps"]
    assert [vars(record)["campaign"] for record in caplog.records] == ["demo"]


async def test_the_sweeps_go_on_after_the_store_failed(engine: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await engine.people(1, expires_at=NOON)
    failures = []

    async def fails(*_: object) -> int:
        failures.append(1)
        raise Unavailable("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(engine.store, "expire", fails)
        run = asyncio.create_task(engine.sweeps.run())
        await engine.passes(lambda: len(failures) == 2)
    async with asyncio.timeout(10):
        while (await contact(engine)).state is not ContactState.DONE:
            await engine.clock.advance(0.5)
    run.cancel()


# --- what ends a campaign by itself ----------------------------------------------------------------------------------


async def test_a_campaign_whose_calendar_is_gone_ends_in_an_error_and_others_go_on(engine: Rig) -> None:
    await engine.people(1)
    other = await engine.add_campaign("another")
    await engine.people(2, campaign=other)
    await engine.set(calendar="gone")
    engine.agents(FREE)
    await engine.turn()
    demo = await engine.store.campaign("demo")
    assert demo.state is CampaignState.ERROR
    assert "there is no calendar 'gone'" in demo.explanation
    assert [call.attempt.campaign_id for call in engine.calls] == [other.id]
    assert (await told(engine))[-1] == "error"


async def test_a_campaign_whose_calendar_has_ended_is_finished(engine: Rig) -> None:
    await engine.people(1)
    await engine.add_calendar("spring", starts_at=NOON - DAY_MS, ends_at=NOON + 1000)
    await engine.set(calendar="spring")
    engine.agents(FREE)
    await engine.turn()
    assert (await state(engine), len(engine.calls)) == (CampaignState.RUNNING, 1)
    engine.clock.at = NOON + 1000
    await engine.turn()
    demo = await engine.store.campaign("demo")
    assert (demo.state, demo.explanation) == (CampaignState.FINISHED, "its calendar has ended")
    assert (await contact(engine)).state is ContactState.IN_CALL, "its last calls run on"


async def test_a_fault_inside_one_campaign_is_told_in_its_state_and_others_go_on(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.people(1)
    other = await engine.add_campaign("another")
    await engine.people(2, campaign=other)
    engine.agents(FREE)
    snapshot = engine.outlook.snapshot

    def fails(campaign: Campaign) -> Any:
        if campaign.name == "demo":
            raise ValueError("nobody foresaw this")
        return snapshot(campaign)

    monkeypatch.setattr(engine.outlook, "snapshot", fails)
    with caplog.at_level(logging.CRITICAL):
        await engine.turn()
    demo = await engine.store.campaign("demo")
    assert (demo.state, "nobody foresaw this" in demo.explanation) == (CampaignState.ERROR, True)
    assert [call.attempt.campaign_id for call in engine.calls] == [other.id]


async def finds_nothing(engine: Rig) -> Limit:
    """The dialing loop looks again, with agents and nothing due."""
    engine.agents(FREE, FREE)
    engine.dialer.due_at(engine.campaign.id, 0)
    await engine.dialer._turn()
    return engine.dialer.standings[engine.campaign.id].limit


async def test_a_campaign_goes_on_while_a_result_is_awaited(engine: Rig) -> None:
    await engine.set(wait_for_result=True)
    await talked(engine)
    assert await finds_nothing(engine) is Limit.LAST_CALLS
    assert await state(engine) is CampaignState.RUNNING


async def test_a_campaign_goes_on_while_a_call_is_live(engine: Rig) -> None:
    await engine.claim(1)
    assert await finds_nothing(engine) is Limit.LAST_CALLS
    assert await state(engine) is CampaignState.RUNNING


@pytest.mark.parametrize("known", [{"not_before": NOON + HOUR_MS}, {"agentphone": "9"}])
async def test_a_campaign_goes_on_while_somebody_waits_or_is_meant_for_another_agent(
    engine: Rig, known: dict[str, Any]
) -> None:
    await talked(engine, 1)
    await engine.people(2, **known)
    await finds_nothing(engine)
    assert await state(engine) is CampaignState.RUNNING


async def test_a_campaign_without_contacts_is_not_finished(engine: Rig) -> None:
    assert await finds_nothing(engine) is Limit.LIST_EMPTY
    assert await state(engine) is CampaignState.RUNNING


async def test_a_campaign_is_finished_when_everybody_is_done(engine: Rig) -> None:
    await talked(engine)
    await finds_nothing(engine)
    assert await state(engine) is CampaignState.FINISHED


@pytest.mark.parametrize("meanwhile", ["added", "paused"])
async def test_a_campaign_is_not_finished_over_what_happens_at_that_moment(
    engine: Rig, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    await talked(engine)
    counts = engine.store.counts

    async def stale(campaign_id: int) -> CampaignCounts:
        found = await counts(campaign_id)
        if meanwhile == "added":
            await engine.people(2)
        else:
            await engine.store.set_state(campaign_id, CampaignState.PAUSED, now=NOON)
        return found

    monkeypatch.setattr(engine.store, "counts", stale)
    await finds_nothing(engine)
    monkeypatch.undo()
    assert await state(engine) is (CampaignState.RUNNING if meanwhile == "added" else CampaignState.PAUSED)
    await engine.dialer._turn()
    assert [call.attempt.number for call in engine.calls] == ([phone(2)] if meanwhile == "added" else [])


async def test_an_eternal_queue_waits_for_more(engine: Rig) -> None:
    await engine.set(eternal_queue=True)
    await talked(engine)
    assert await finds_nothing(engine) is Limit.LIST_EMPTY
    assert await state(engine) is CampaignState.RUNNING
    await engine.people(2)
    engine.dialer.due_at(engine.campaign.id, 0)
    await engine.turn()
    assert [call.attempt.number for call in engine.calls] == [phone(2)]


# --- what was removed ------------------------------------------------------------------------------------------------


async def test_contacts_of_a_removed_campaign_are_erased(engine: Rig) -> None:
    await engine.people(1, 2)
    known = await contact(engine, 1)
    await engine.store.set_state(engine.campaign.id, CampaignState.STOPPED, now=NOON)
    await engine.store.remove_campaign(engine.campaign.id, NOON)
    await engine.context.directory.load()
    await looks(engine, NOON + 1000)
    with pytest.raises(NotFound):
        await engine.store.contact(known.id)
    assert await engine.store.erase_some(9, NOON) == 0
