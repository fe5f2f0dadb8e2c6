"""Dividing what campaigns share, in one turn: by priority and by what each has had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.sharing import AHEAD, Demand, held_back, share, weights


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


def test_who_predicts_waits_for_who_waits_for_agents_and_is_behind() -> None:
    bold, timid = demand(1, 9, served=AHEAD + 1, draws="tq"), demand(2, 0, draws="tq")
    assert [d.wants for d in held_back([bold, timid], {2}, {1})] == [0, 0]
    assert held_back([bold, timid], set(), {1}) == [bold, timid], "nobody waits"
    assert held_back([bold, timid], {2}, set()) == [bold, timid], "nobody predicts"
    elsewhere = demand(2, 0, draws="tp")
    assert held_back([bold, elsewhere], {2}, {1}) == [bold, elsewhere], "for other agents"
    level = demand(1, 9, served=AHEAD, draws="tq")
    assert held_back([level, timid], {2}, {1}) == [level, timid]
