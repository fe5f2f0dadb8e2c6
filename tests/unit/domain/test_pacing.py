"""How many calls to place, and the limit that is named for it."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.campaign import CampaignState
from astdialer.domain.disposition import abandonment
from astdialer.domain.pacing import Demand, Limit, Snapshot, agent_room, decide, share, weights
from astdialer.domain.settings import Mode

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
    server_up=st.booleans(),
    store_writes=st.booleans(),
    refused=st.booleans(),
    open_zones=st.integers(0, 2),
)


@given(snapshots | st.builds(lambda s: dataclasses.replace(s, **GOOD), snapshots))
def test_calls_never_exceed_any_room_and_the_named_limit_binds(s: Snapshot) -> None:
    decision = decide(s)
    rooms = {
        Limit.CAMPAIGN_FULL: s.max_calls - s.calls,
        Limit.TRUNK_FULL: s.trunk_max_calls - s.trunk_calls,
        Limit.TRUNK_RATE: s.trunk_rate_room,
        Limit.ENGINE_FULL: s.engine_room,
        Limit.ENGINE_RATE: s.engine_rate_room,
    }
    if s.mode.needs_agents:
        for limit in (Limit.AGENTS_COVERED, Limit.NO_FREE_AGENT, Limit.NO_AGENTS):
            rooms[limit] = agent_room(s)
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
    decision = decide(dataclasses.replace(ROOMY, **change))
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


# --- campaigns that share agents and trunks ---------------------------------------------------------------------------


def demand(campaign_id: int, wants: int, priority: int = 0, served: float = 0, draws: str = "t") -> Demand:
    return Demand(campaign_id=campaign_id, wants=wants, priority=priority, served=served, draws=tuple(draws))


def test_a_campaigns_weight_is_one_more_for_each_step_of_priority_above_the_lowest() -> None:
    assert weights([demand(1, 1, -5), demand(2, 1, -4), demand(3, 1, 4)]) == {1: 1, 2: 2, 3: 10}
    assert weights([]) == share([], {}) == {}


@pytest.mark.parametrize(
    ("demands", "room", "given"),
    [
        ([demand(1, 3)], 10, {1: 3}),
        ([demand(1, 3)], 2, {1: 2}),
        ([demand(1, 0), demand(2, -4)], 5, {1: 0, 2: 0}),
        ([demand(1, 9), demand(2, 9)], 6, {1: 3, 2: 3}),
        ([demand(1, 9), demand(2, 1)], 6, {1: 5, 2: 1}),
        ([demand(1, 9), demand(2, 9, priority=2)], 8, {1: 2, 2: 6}),
        ([demand(1, 9, served=2), demand(2, 9)], 4, {1: 1, 2: 3}),
        ([demand(2, 1), demand(1, 1)], 1, {1: 1, 2: 0}),
        ([demand(1, 1), demand(2, 1, priority=1)], 1, {1: 0, 2: 1}),
    ],
)
def test_what_is_shared_goes_to_who_was_served_least_for_its_weight(
    demands: list[Demand], room: int, given: dict[int, int]
) -> None:
    assert share(demands, {"t": room}) == given


def test_a_call_takes_one_of_each_thing_that_it_draws_on() -> None:
    demands = [demand(1, 9, draws="ta"), demand(2, 9, draws="t")]
    assert share(demands, {"t": 10, "a": 2}) == {1: 2, 2: 8}
    assert share([demand(1, 9, draws="ta")], {"t": 10, "a": 0}) == {1: 0}


def test_the_lowest_priority_is_never_starved() -> None:
    served, calls = {1: 0.0, 2: 0.0}, {1: 0, 2: 0}
    for _ in range(110):
        demands = [demand(1, 1, served=served[1]), demand(2, 1, priority=9, served=served[2])]
        weight = weights(demands)
        for campaign, n in share(demands, {"t": 1}).items():
            served[campaign] += n / weight[campaign]
            calls[campaign] += n
    assert calls == {1: 10, 2: 100}


demands = st.lists(
    st.builds(
        demand,
        st.integers(1, 9),
        st.integers(-2, 9),
        st.integers(-3, 3),
        st.integers(0, 20),
        st.sampled_from(["", "t", "a", "ta", "tae"]),
    ),
    max_size=5,
    unique_by=lambda d: d.campaign_id,
)


@given(demands, st.fixed_dictionaries(dict.fromkeys("tae", st.integers(-1, 12))))
def test_sharing_exceeds_no_room_and_no_wish_and_leaves_nothing_that_is_wanted(
    demands: list[Demand], rooms: dict[str, int]
) -> None:
    given_to = share(demands, rooms)
    assert set(given_to) == {d.campaign_id for d in demands}
    left = {
        thing: room - sum(given_to[d.campaign_id] for d in demands if thing in d.draws) for thing, room in rooms.items()
    }
    assert all(left[thing] >= min(0, rooms[thing]) for thing in rooms)
    for d in demands:
        assert 0 <= given_to[d.campaign_id] <= max(0, d.wants)
        assert given_to[d.campaign_id] == max(0, d.wants) or any(left[thing] <= 0 for thing in d.draws)
