"""How many calls to place, and the limit that is named for it."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.abandonment import Tally, Window
from astdialer.domain.campaign import CampaignState
from astdialer.domain.disposition import abandonment
from astdialer.domain.limit import Limit
from astdialer.domain.pacer import Pacer
from astdialer.domain.pacing import Forecast, Snapshot, decide
from astdialer.domain.prediction import Traffic
from astdialer.domain.settings import Mode, Settings

ROOMY = Snapshot(
    state=CampaignState.RUNNING,
    mode=Mode.PROGRESSIVE,
    lines_per_agent=2.0,
    max_calls=30,
    calls=0,
    waiting_calls=0,
    logged_in_agents=5,
    free_agents=3,
    trunk_usable=True,
    trunk_max_calls=30,
    trunk_calls=0,
    trunk_rate_room=10,
    engine_room=100,
    server_up=True,
    store_writes=True,
    refused=False,
    open_zones=1,
)

GOOD: dict[str, Any] = {
    "state": CampaignState.RUNNING,
    "trunk_usable": True,
    "server_up": True,
    "store_writes": True,
    "refused": False,
    "open_zones": 1,
}

small = st.integers(0, 50)
snapshots = st.builds(
    Snapshot,
    state=st.sampled_from(CampaignState),
    mode=st.sampled_from(Mode),
    lines_per_agent=st.floats(1, 10),
    max_calls=st.integers(1, 50),
    calls=small,
    waiting_calls=small,
    logged_in_agents=small,
    free_agents=small,
    trunk_usable=st.booleans(),
    trunk_max_calls=small,
    trunk_calls=small,
    trunk_rate_room=st.integers(-3, 20),
    engine_room=st.integers(-3, 50),
    engine_rate_room=st.integers(-3, 20),
    campaign_rate_room=st.integers(-3, 20),
    server_up=st.booleans(),
    store_writes=st.booleans(),
    refused=st.booleans(),
    open_zones=st.integers(0, 2),
)


@given(snapshots | st.builds(lambda s: dataclasses.replace(s, **GOOD), snapshots))
def test_calls_never_exceed_any_room_and_the_named_limit_binds(s: Snapshot) -> None:
    decision = decide(s, 0.0)
    rooms = {
        Limit.CAMPAIGN_FULL: s.max_calls - s.calls,
        Limit.CAMPAIGN_RATE: s.campaign_rate_room,
        Limit.TRUNK_FULL: s.trunk_max_calls - s.trunk_calls,
        Limit.TRUNK_RATE: s.trunk_rate_room,
        Limit.ENGINE_FULL: s.engine_room,
        Limit.ENGINE_RATE: s.engine_rate_room,
    }
    if s.mode.needs_agents:
        for limit in (Limit.AGENTS_COVERED, Limit.NO_FREE_AGENT, Limit.NO_AGENTS):
            lines = s.lines_per_agent if s.mode is Mode.POWER else 1
            rooms[limit] = int(s.free_agents * lines) - s.waiting_calls if s.logged_in_agents else 0
    assert decision.calls >= 0
    assert not decision.calls or decision.calls <= min(rooms.values())
    if decision.limit in rooms:
        assert decision.calls == max(0, rooms[decision.limit]) == max(0, min(rooms.values()))
    else:
        assert decision.calls == 0


@pytest.mark.parametrize(
    ("change", "calls", "limit"),
    [
        ({}, 3, Limit.AGENTS_COVERED),
        ({"waiting_calls": 3}, 0, Limit.AGENTS_COVERED),
        ({"free_agents": 0}, 0, Limit.NO_FREE_AGENT),
        ({"free_agents": 0, "logged_in_agents": 0}, 0, Limit.NO_AGENTS),
        ({"mode": Mode.POWER}, 6, Limit.AGENTS_COVERED),
        ({"mode": Mode.POWER, "lines_per_agent": 1.5}, 4, Limit.AGENTS_COVERED),
        ({"mode": Mode.BROADCAST, "free_agents": 0}, 10, Limit.TRUNK_RATE),
        ({"calls": 29}, 1, Limit.CAMPAIGN_FULL),
        ({"calls": 40}, 0, Limit.CAMPAIGN_FULL),
        ({"trunk_calls": 28}, 2, Limit.TRUNK_FULL),
        ({"engine_room": 1}, 1, Limit.ENGINE_FULL),
        ({"trunk_rate_room": 0}, 0, Limit.TRUNK_RATE),
        ({"engine_rate_room": 2}, 2, Limit.ENGINE_RATE),
        ({"campaign_rate_room": 1}, 1, Limit.CAMPAIGN_RATE),
        ({"campaign_rate_room": 0, "trunk_rate_room": 0}, 0, Limit.CAMPAIGN_RATE),
        ({"mode": Mode.AGENT_FIRST}, 3, Limit.AGENTS_COVERED),
        ({"mode": Mode.PREVIEW, "waiting_calls": 1}, 2, Limit.AGENTS_COVERED),
        ({"state": CampaignState.PAUSED}, 0, Limit.NOT_RUNNING),
        ({"store_writes": False}, 0, Limit.STORE_DOWN),
        ({"trunk_usable": False}, 0, Limit.NO_TRUNK),
        ({"server_up": False}, 0, Limit.ASTERISK_DOWN),
        ({"refused": True}, 0, Limit.REFUSED),
        ({"open_zones": 0}, 0, Limit.OUTSIDE_HOURS),
        ({"state": CampaignState.STOPPING, "server_up": False}, 0, Limit.NOT_RUNNING),
    ],
)
def test_the_limit_is_named(change: dict[str, Any], calls: int, limit: Limit) -> None:
    decision = decide(dataclasses.replace(ROOMY, **change), 0.0)
    assert (decision.calls, decision.limit) == (calls, limit)


@pytest.mark.parametrize(
    ("attempts", "rate"),
    [
        ({}, None),
        ({"busy": 9, "machine": 9}, None),
        ({"answered": 97, "abandoned": 3, "busy": 900, "machine": 100}, 0.03),
        ({"answered": 1, "short": 1, "abandoned": 1}, 0.3333),
        ({"short": 5}, 0),
    ],
)
def test_abandonment_is_measured_among_calls_that_people_answered(attempts: dict[str, int], rate: float | None) -> None:
    assert abandonment(attempts) == rate


# --- predictive ------------------------------------------------------------------------------------------------------

PREDICTIVE = dataclasses.replace(ROOMY, mode=Mode.PREDICTIVE)


def forecast(*, answers: int, free: int = 3) -> Forecast:
    pacer = Pacer(Settings().pace)
    for n in range(4 * answers):
        pacer.call_ended(8.0, reached=n % 4 == 0)
    return Forecast(pacer, Traffic(free=free), [Window(Tally(1000, 27))])


def test_predictive_dialing_says_which_probability_binds() -> None:
    decision = decide(dataclasses.replace(PREDICTIVE, forecast=forecast(answers=500)), 0.0)
    assert decision.limit is Limit.RISK
    assert decision.advice is not None
    assert decision.calls == decision.agent_room == decision.advice.calls > 3
    assert decision.advice.risk <= decision.advice.allowed
    assert not decision.waits_for_agent
    assert decide(dataclasses.replace(PREDICTIVE, free_agents=0), 0.0).waits_for_agent


def test_predictive_dialing_keeps_to_every_other_limit() -> None:
    known = forecast(answers=500)
    few = decide(dataclasses.replace(PREDICTIVE, forecast=known, trunk_rate_room=1), 0.0)
    assert (few.calls, few.limit) == (1, Limit.TRUNK_RATE)
    assert few.agent_room is not None
    assert few.agent_room > 1
    nobody = decide(dataclasses.replace(PREDICTIVE, forecast=known, logged_in_agents=0, free_agents=0), 0.0)
    assert (nobody.calls, nobody.limit) == (0, Limit.NO_AGENTS)
    down = decide(dataclasses.replace(PREDICTIVE, forecast=known, server_up=False), 0.0)
    assert (down.calls, down.limit, down.advice) == (0, Limit.ASTERISK_DOWN, None)


def test_predictive_dialing_that_knows_too_little_is_progressive() -> None:
    thin = decide(dataclasses.replace(PREDICTIVE, forecast=forecast(answers=5)), 0.0)
    assert (thin.calls, thin.limit) == (3, Limit.LEARNING)
    unknown = decide(PREDICTIVE, 0.0)
    assert (unknown.calls, unknown.limit) == (3, Limit.AGENTS_COVERED)


def test_asking_twice_gives_the_same_answer() -> None:
    asked = dataclasses.replace(PREDICTIVE, forecast=forecast(answers=100))
    assert decide(asked, 7.0) == decide(asked, 7.0)
