"""Campaigns that share agents, trunks and the whole engine: the dialing loop divides by priority."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from engine_doubles import NOON, Rig, phone, rig, until

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.campaign import Campaign
from astdialer.domain.limit import Limit
from astdialer.domain.settings import Mode
from astdialer.engine.calls import Call
from astdialer.ports import BlacklistEntry, Claim, ClaimRequest

pytest_plugins = ("engine_fixtures",)

FREE = AgentStatus.NOT_INUSE
HOUR_MS = 3_600_000
LAST = 50_000_000  #: the number +34650…, where all others begin with +34600


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Rig]:
    """An engine for three calls at a time."""
    async with rig(tmp_path, max_calls=3) as parts:
        yield parts


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Rig]:
    """An engine for two calls a second."""
    async with rig(tmp_path, engine_calls_per_second=2) as parts:
        yield parts


async def serve(engine: Rig, turns: int) -> Counter[str]:
    """Calls by campaign when each of them ends before the next turn."""
    served: Counter[str] = Counter()
    for _ in range(turns):
        await engine.clock.advance(0.1)
        await engine.turn()
        for call in engine.calls:
            served[engine.context.campaign_of(call).name] += 1
            end(engine, call)
        await engine.bookkeeper.flush()
        await engine.desk.settle()
    return served


def end(engine: Rig, call: Call) -> None:
    """There is no such number."""
    engine.tell(call, ev.ChannelCreated, channel="PJSIP/c-1")
    engine.tell(call, ev.HungUp, cause=1)
    engine.tell(call, ev.OriginateEnded, success=False, reason=0)


async def rival(engine: Rig, contacts: int = 0, **settings: object) -> Campaign:
    """A second campaign, with contacts of its own."""
    other = await engine.add_campaign("rival", **settings)
    await engine.people(*range(1000, 1000 + contacts), campaign=other)
    return other


def limit(engine: Rig, campaign: Campaign) -> Limit:
    return engine.dialer.standings[campaign.id].limit


async def test_two_campaigns_on_one_queue_get_calls_by_their_priority(engine: Rig) -> None:
    await engine.people(*range(60))
    await rival(engine, 60, priority=3)
    engine.agents(FREE)
    assert await serve(engine, 50) == {"demo": 10, "rival": 40}


async def test_two_campaigns_on_one_trunk_get_calls_by_their_priority(engine: Rig) -> None:
    await engine.add_trunk("carrier", max_calls=2)
    await engine.set(mode=Mode.BROADCAST, sound="hello")
    await engine.people(*range(60))
    await rival(engine, 60, mode=Mode.BROADCAST, sound="hello", priority=1)
    assert await serve(engine, 15) == {"demo": 10, "rival": 20}


async def test_who_waits_for_its_turn_is_told_so(engine: Rig) -> None:
    await engine.people(1)
    other = await rival(engine, 1, priority=1)
    engine.agents(FREE)
    await engine.turn()
    assert limit(engine, engine.campaign) is Limit.SHARED
    assert limit(engine, other) is Limit.AGENTS_COVERED


async def test_a_campaign_with_nothing_to_dial_leaves_everything_to_the_others(engine: Rig) -> None:
    await rival(engine, priority=9)
    await engine.people(2000, campaign=engine.context.directory.campaigns[2], not_before=NOON + HOUR_MS)
    await engine.people(*range(10))
    engine.agents(FREE)
    await engine.turn()  # finds out that the rival has nothing due
    assert await serve(engine, 5) == {"demo": 5}


async def test_turns_are_not_saved_up_while_there_is_nothing_to_dial(engine: Rig) -> None:
    other = await rival(engine)
    await engine.people(*range(30))
    engine.agents(FREE)
    await serve(engine, 12)
    await engine.people(*range(1000, 1030), campaign=other)
    engine.dialer.due_at(other.id, 0)
    found = await serve(engine, 10)
    assert abs(found["demo"] - found["rival"]) <= 1


async def test_campaigns_take_turns_however_long_a_third_one_has_had_nothing_to_dial(engine: Rig) -> None:
    third = await engine.add_campaign("third")
    await engine.people(5000, campaign=third, not_before=NOON + HOUR_MS)
    await engine.people(*range(200))
    await rival(engine, 200)
    engine.agents(*[FREE] * 25)
    await serve(engine, 10)
    engine.agents(FREE)
    assert await serve(engine, 6) == {"demo": 3, "rival": 3}


async def test_who_had_contacts_for_some_agents_only_holds_nobody_back_when_they_are_done(engine: Rig) -> None:
    await engine.people(1, agentphone="0")
    await engine.people(2, not_before=NOON + HOUR_MS)
    engine.agents(FREE)
    await engine.dialer._turn()
    (call,) = engine.calls
    end(engine, call)
    await engine.bookkeeper.flush()
    await engine.desk.settle()
    await engine.dialer._turn()  # finds nobody who is left for this agent
    engine.clock.at += 2000
    await rival(engine, 10)
    assert await serve(engine, 5) == {"rival": 5}


async def test_a_fault_in_dialing_one_campaign_does_not_stop_the_others(
    engine: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.people(1)
    other = await rival(engine, 1)
    engine.agents(FREE, FREE)
    claim = engine.store.claim

    async def fails(request: ClaimRequest) -> Sequence[Claim]:
        if request.campaign == "demo":
            raise ValueError("nobody foresaw this")
        return await claim(request)

    monkeypatch.setattr(engine.store, "claim", fails)
    await engine.turn()
    assert [call.attempt.campaign_id for call in engine.calls] == [other.id]


async def test_the_engine_has_no_more_calls_than_it_may(small: Rig) -> None:
    await small.set(mode=Mode.BROADCAST, sound="hello")
    await small.people(*range(5))
    other = await rival(small, 5, mode=Mode.BROADCAST, sound="hello")
    await small.turn()
    assert Counter(call.attempt.campaign_id for call in small.calls) == {small.campaign.id: 2, other.id: 1}
    await small.turn()
    assert len(small.calls) == 3
    assert {limit(small, small.campaign), limit(small, other)} == {Limit.ENGINE_FULL}


async def test_the_engine_starts_no_more_calls_a_second_than_it_may(slow: Rig) -> None:
    """On whatever trunks: one call is let out within the horizon of a claim."""
    await slow.add_trunk("second")
    await slow.set(mode=Mode.BROADCAST, sound="hello")
    await slow.people(*range(10))
    other = await rival(slow, 10, mode=Mode.BROADCAST, sound="hello", trunk="second")
    await slow.turn()
    assert [call.attempt.campaign_id for call in slow.calls] == [slow.campaign.id]
    await slow.turn()
    assert {limit(slow, slow.campaign), limit(slow, other)} == {Limit.ENGINE_RATE}
    slow.clock.at = NOON + 500
    await slow.turn()
    assert [call.attempt.campaign_id for call in slow.calls] == [slow.campaign.id, other.id]


async def test_two_trunks_do_not_take_the_same_turn_of_the_engine(slow: Rig) -> None:
    second = await slow.add_trunk("second")
    calls = await slow.claim(1, 2, 3)
    for call, trunk in zip(calls, (slow.trunk, slow.trunk, second), strict=True):
        slow.placer.place(call, trunk)
    for count in (1, 2, 3):
        await until(lambda count=count: len(slow.telephony.placed) >= count)  # type: ignore[misc]
        await slow.clock.advance(0.5)
    assert [at - NOON for at, _ in slow.telephony.placed] == [0, 500, 1000]


# --- what can never be placed holds nobody back ----------------------------------------------------------------------


async def test_a_broadcasts_contacts_for_some_agents_only_hold_nobody_back(engine: Rig) -> None:
    broadcast = {"mode": Mode.BROADCAST, "sound": "hello"}
    await engine.add_trunk("carrier", max_calls=1)
    await engine.set(**broadcast)
    await engine.people(1, agentphone="7")
    await rival(engine, 10, **broadcast)
    await serve(engine, 2)
    assert await serve(engine, 5) == {"rival": 5}


async def test_a_campaign_whose_contacts_fit_no_free_trunk_holds_nobody_back_for_long(engine: Rig) -> None:
    await engine.add_trunk("full", max_calls=0)
    await engine.add_route("out", ".*", "full")
    await engine.add_route("other", "^44", "carrier")
    await engine.set(routes="out,other")
    await engine.people(1, 2)
    await rival(engine, 20)
    engine.agents(FREE)
    found = await serve(engine, 10)
    assert found["rival"] >= 5, "every second turn, at least"


# --- contacts that can't be called are in front of others -------------------------------------------------------------


async def far_behind(engine: Rig, **settings: object) -> None:
    """Thousands of contacts whose only trunk is full, and one behind them for a trunk that is free."""
    await engine.add_trunk("full", max_calls=0)
    await engine.add_route("one", r"^\+34600", "full")
    await engine.add_route("other", r"^\+34650", "carrier")
    await engine.set(routes="one,other", **settings)
    await engine.people(*range(5000))
    await engine.people(LAST, base="last")


@pytest.mark.parametrize("settings", [{"mode": Mode.BROADCAST, "sound": "hello"}, {"mode": Mode.AGENT_FIRST}])
async def test_thousands_whose_trunk_is_full_hide_nobody(engine: Rig, settings: dict[str, object]) -> None:
    await far_behind(engine, **settings)
    engine.agents(FREE)
    for _ in range(4):
        await engine.dialer._turn()
        await engine.clock.advance(1)
    assert [call.attempt.number for call in engine.calls] == [phone(LAST)]


async def test_who_is_looked_past_comes_first_when_its_trunk_is_free_again(engine: Rig) -> None:
    await far_behind(engine, mode=Mode.BROADCAST, sound="hello", max_calls=2)
    await engine.turn()
    await engine.add_trunk("full", max_calls=1)
    await engine.clock.advance(1)
    await engine.turn()
    assert phone(0) in [call.attempt.number for call in engine.calls]


async def test_thousands_that_are_put_off_hide_nobody_for_long(engine: Rig) -> None:
    """They wait for the end of a blacklisting; it is said that the engine looks on, not that nothing is due."""
    await engine.set(mode=Mode.BROADCAST, sound="hello")
    await engine.people(*range(5000))
    await engine.people(LAST, base="last")
    until_tomorrow = BlacklistEntry(
        number="+34600*", campaign="*", reason="", added_by="", added_at=NOON, expires_at=NOON + 24 * HOUR_MS
    )
    await engine.store.add_to_blacklist([until_tomorrow])
    await engine.turn()
    assert limit(engine, engine.campaign) is Limit.LOOKING_ON
    for _ in range(3):
        await engine.clock.advance(1)
        await engine.turn()
    assert [call.attempt.number for call in engine.calls] == [phone(LAST)]
