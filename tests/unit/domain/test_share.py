"""Dividing what campaigns share, over many turns: by priority, and nobody starves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.sharing import Demand, share, weights

THINGS = ("engine", "trunk a", "trunk b", "queue x", "queue y")
TINY = 1e-6  #: what adding many fractions may make of a sum


def demand(campaign_id: int, wants: int = 1000, priority: int = 0, draws: tuple[str, ...] = ("queue x",)) -> Demand:
    return Demand(campaign_id=campaign_id, wants=wants, priority=priority, served=0.0, draws=draws)


@st.composite
def many_demands(draw: st.DrawFn) -> list[Demand]:
    wishes = st.builds(
        Demand,
        campaign_id=st.just(0),
        wants=st.integers(0, 20),
        priority=st.integers(-5, 5),
        served=st.floats(0, 100),
        draws=st.lists(st.sampled_from(THINGS), unique=True).map(tuple),
    )
    found = draw(st.lists(wishes, min_size=1, max_size=6))
    return [replace(each, campaign_id=n) for n, each in enumerate(found)]


rooms = st.fixed_dictionaries({thing: st.integers(-3, 30) for thing in THINGS})
priorities = st.lists(st.integers(-5, 5), min_size=2, max_size=5)


def over_turns(demands: Sequence[Demand], room: int, turns: int) -> tuple[list[dict[int, int]], list[Demand]]:
    """What each turn gave, and the demands afterwards, when every call is remembered as the dialing loop does."""
    given, weight = [], weights(demands)
    for _ in range(turns):
        given.append(share(demands, {"queue x": room}))
        demands = [replace(d, served=d.served + given[-1][d.campaign_id] / weight[d.campaign_id]) for d in demands]
    return given, list(demands)


@given(many_demands(), rooms)
def test_what_was_served_least_for_its_weight_goes_first(demands: list[Demand], room: dict[str, int]) -> None:
    """Of two that want the same things, nobody is ahead of the other by more than the call that it got last."""
    shares, weight = share(demands, room), weights(demands)
    served = {d.campaign_id: d.served + shares[d.campaign_id] / weight[d.campaign_id] for d in demands}
    for one in demands:
        for other in demands:
            same = set(one.draws) == set(other.draws) and shares[other.campaign_id] < other.wants
            if same and shares[one.campaign_id]:
                ahead = served[one.campaign_id] - served[other.campaign_id]
                assert ahead <= 1 / weight[one.campaign_id] + TINY


@given(priorities, st.integers(1, 4), st.integers(1, 60))
def test_in_the_long_run_shares_follow_the_weights_within_one_call(found: list[int], room: int, turns: int) -> None:
    demands = [demand(n, priority=priority) for n, priority in enumerate(found)]
    given, _ = over_turns(demands, room, turns)
    weight = weights(demands)
    total = Counter({d.campaign_id: sum(each[d.campaign_id] for each in given) for d in demands})
    assert total.total() == room * turns
    for one in demands:
        ideal = room * turns * weight[one.campaign_id] / sum(weight.values())
        assert total[one.campaign_id] < ideal + 1 + TINY
        for other in demands:
            turns_of = [total[d.campaign_id] / weight[d.campaign_id] for d in (one, other)]
            assert turns_of[0] - turns_of[1] <= 1 / weight[one.campaign_id] + TINY


@given(priorities)
def test_the_lowest_is_never_starved(found: list[int]) -> None:
    """With one call a turn, everybody has one after as many turns as there are weights."""
    demands = [demand(n, priority=priority) for n, priority in enumerate(found)]
    given, _ = over_turns(demands, 1, sum(weights(demands).values()))
    assert all(any(each[d.campaign_id] for each in given) for d in demands)


def test_equal_campaigns_take_turns() -> None:
    given, _ = over_turns([demand(1), demand(2), demand(3)], 1, 6)
    assert [next(campaign for campaign, n in each.items() if n) for each in given] == [1, 2, 3, 1, 2, 3]


def test_what_others_do_not_share_is_given_whole() -> None:
    demands = [demand(1, wants=5, draws=("queue x",)), demand(2, wants=5, priority=9, draws=("queue y",))]
    assert share(demands, {"queue x": 4, "queue y": 3}) == {1: 4, 2: 3}
