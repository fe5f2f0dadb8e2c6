"""The ways that astdialer's pacing is compared with, by worked examples of what they are known to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from baselines import Drops, Steady, UpTo, Vicidial, Webitel, tuned, webitel_factor

from astdialer.simulator.day import Day, Record
from astdialer.simulator.world import End, World


def seen(now: float = 0.0, *, free: int = 0, record: Record | None = None, **calls: int) -> Day:
    """What a way of pacing is shown; ``calls``: how many are dialing, waiting and talking. Nobody rests."""
    since = {name: dict.fromkeys(range(calls.get(name, 0)), 0.0) for name in ("dialing", "waiting", "talking")}
    logged_in = free + calls.get("talking", 0)
    day = SimpleNamespace(now=now, free=free, logged_in=logged_in, analysed={}, record=record or Record(), **since)
    return cast(Day, day)


# --- order up to -----------------------------------------------------------------------------------------------------


def test_progressive_is_one_call_for_each_free_agent() -> None:
    assert UpTo().decide(seen(free=4, dialing=1, waiting=1)) == 2
    assert UpTo().decide(seen(free=1, dialing=3)) == 0


def test_ratio_and_reserve() -> None:
    assert UpTo(2.5).decide(seen(free=4, dialing=3)) == 7
    assert UpTo(3.0, 0.5).decide(seen(free=4, dialing=3)) == round(3 * 3.5) - 3


def test_a_steady_rate_adds_up() -> None:
    way = Steady(0.02)
    assert [way.decide(seen(now, free=10)) for now in (0.0, 2.0, 4.0, 5.5, 10.5)] == [0, 0, 0, 1, 1]


# --- VICIdial --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "ready", "waiting", "total", "next_level"),
    [
        (1.0, 4.0, 0.0, 10.0, 1.4),  # the level grows by the share of agents who are ready
        (2.0, 1.0, 3.0, 10.0, 1.6),  # and falls by that of the calls that wait
        (1.0, 0.0, 5.0, 10.0, 1.0),  # never below 1
        (2.9, 5.0, 0.0, 10.0, 3.0),  # nor above the highest
        (1.237, 1.0, 0.0, 3.0, 1.649),  # three decimals
        (1.5, 0.0, 0.0, 0.0, 1.5),  # nobody is logged in
    ],
)
def test_vicidials_level_follows_agents_and_calls_that_wait(
    level: float, ready: float, waiting: float, total: float, next_level: float
) -> None:
    assert Vicidial(level=level, method="average").next_level(ready, waiting, total, 0.0) == next_level


@pytest.mark.parametrize(
    ("method", "now_s", "next_level"),
    [
        ("hard", 0, 1.0),
        ("average", 0, 1.2),
        ("tapered", 0, 2.4),  # 2100 - 0900 is 1200, more than 1000
        ("tapered", 2.5 * 3600, 2.4 * 0.970),  # 2100 - 1130 is 970
        ("tapered", 2.5 * 3600 + 60, 2.4 * 0.969),
        ("tapered", 2.5 * 3600 - 60, 2.4 * 0.971),  # 1129
        ("tapered", 3 * 3600, 2.4 * 0.900),  # 1200: from 1159 it is a step of 41
        ("tapered", 11 * 3600 + 59 * 60, 1.0),  # 2059: 0.041, and 1 is the least
        ("tapered", 12 * 3600 + 60, 1.0),  # past the hour
    ],
)
def test_beyond_the_drop_limit_each_method_brakes_in_its_way(method: str, now_s: float, next_level: float) -> None:
    way = Vicidial(level=2.0, method=method, drops=Drops(calls_today=400, answers_today=100, drops_today=4))
    assert way.next_level(2.0, 0.0, 10.0, now_s) == pytest.approx(next_level)


@pytest.mark.parametrize(
    ("drops", "next_level"),
    [
        (Drops(calls_today=400, answers_today=100, drops_today=3), 2.4),  # 3 % is not above 3 %
        (Drops(calls_today=50, answers_today=12, drops_today=6), 2.4),  # too few calls
        (Drops(calls_today=51, answers_today=12, drops_today=6), 1.0),
        (Drops(calls_today=400, answers_today=100, drops_today=3, calls_minute=21, drops_minute=11), 1.2),
        (Drops(calls_today=400, answers_today=100, drops_today=3, calls_minute=20, drops_minute=11), 2.4),
    ],
)
def test_drops_count_from_the_51st_call_and_a_bad_minute_from_its_21st(drops: Drops, next_level: float) -> None:
    assert Vicidial(level=2.0, method="hard", drops=drops).next_level(2.0, 0.0, 10.0, 0.0) == next_level


def test_the_level_is_renewed_each_15_seconds_from_means_and_drops_each_minute() -> None:
    way = Vicidial(method="hard")
    record = Record(connected=90, abandoned=10, dialed=400)
    levels = []
    for second in range(76):
        if second == 1:
            record.connected, record.abandoned, record.dialed = 180, 20, 800
        way.decide(seen(float(second), free=2 if second % 2 else 0, talking=8, record=record))
        levels.append(way.level)
    assert way.drops == Drops(800, 200, 20, 400, 10)
    assert levels[13] == 1.0
    assert set(levels[14:]) == {1.0}, "ten per cent are dropped"


def test_talking_calls_take_up_the_goal_and_wrap_up_has_none() -> None:
    way = Vicidial(level=2.0, slots_late=False)
    assert way.decide(seen(free=3, talking=7, dialing=4, waiting=1)) == 2 * (3 + 7) - (4 + 1 + 7)
    assert way.decide(seen(2.4, free=3)) == 0, "it dials each 2.5 seconds"
    assert way.decide(seen(2.5, free=3)) == 6


def test_only_ready_agents_count_if_told_so() -> None:
    way = Vicidial(level=2.0, available_only=True, slots_late=False)
    assert way.decide(seen(free=3, talking=7, dialing=4)) == 2 * 3 + 7 - (4 + 7)


def test_an_unanswered_call_keeps_its_slot_for_38_seconds_since_it_was_placed() -> None:
    late, prompt = Vicidial(), Vicidial(slots_late=False)
    calls = {}
    for way in (late, prompt):
        way.decide(seen(30.0))
        way.call_ended(28.0, End.NOBODY)
        way.call_ended(10.0, End.PERSON)
        calls[way.slots_late] = [way.decide(seen(now, free=5)) for now in (35.0, 39.0, 42.0)]
    assert calls == {True: [4, 4, 5], False: [5, 5, 5]}


# --- Webitel ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "now", "target", "most", "factor"),
    [
        (4.0, 0.0, 3.0, 3.0, 4 * 1.3),  # nothing abandoned: 3 points away, 10 % for each
        (4.0, 1.0, 3.0, 3.0, 4 * 1.2),
        (4.0, 3.0, 3.0, 3.0, 1.0),  # at the most
        (4.0, 2.0, 2.0, 3.0, 4 * 1.099),  # on the target
        (4.0, 2.5, 2.0, 3.0, 4 * 0.5 * 110 / 3 / 100),  # between target and most
    ],
)
def test_webitels_factor(over: float, now: float, target: float, most: float, factor: float) -> None:
    assert webitel_factor(over, now, target=target, most=most) == pytest.approx(factor)


def test_webitel_counts_talks_when_they_are_over_and_starts_with_ten() -> None:
    way = Webitel()
    way.decide(seen(0.0))
    for _ in range(9):
        way.talk_ended(100.0)
    for _ in range(30):
        way.call_ended(20.0, End.NOBODY)
        way.call_ended(8.0, End.PERSON)  # they talk still
    assert way.decide(seen(60.0, free=3)) == 3
    way.talk_ended(100.0)
    assert way.decide(seen(119.0, free=3)) == 3, "statistics are renewed each minute"
    assert way.decide(seen(120.0, free=3)) == round(3 * 4 * 1.3)
    way.served(in_time=False)
    assert way.decide(seen(180.0, free=3)) == 3, "one of eleven is more than 3 %"


def test_webitel_forgets_what_is_older_than_an_hour() -> None:
    way = Webitel()
    way.decide(seen(0.0))
    for _ in range(20):
        way.talk_ended(100.0)
    way.decide(seen(60.0))
    assert way.factor == 1.3
    way.decide(seen(3661.0))
    assert way.factor == 1.0, "no attempts in the last hour"


# --- all of them -----------------------------------------------------------------------------------------------------


def test_the_parameter_in_hindsight_is_the_largest_within_the_limit() -> None:
    asked = []

    def rate(value: float) -> float:
        asked.append(value)
        return value / 100

    assert 2.8 < tuned(rate, 1.0, 40.0) <= 3.0
    assert len(asked) == 7


@pytest.mark.parametrize(
    ("way", "utilisation", "abandoned"),
    [
        (UpTo, 0.694, 0.0),
        (lambda: Vicidial(method="average", slots_late=False), 0.695, 0.034),
        (Webitel, 0.801, 0.030),
        (lambda: UpTo(3.7), 0.904, 0.030),
    ],
)
def test_thirty_agents_do_as_in_the_reference(way: type[UpTo], utilisation: float, abandoned: float) -> None:
    """pacing.md section 2.3, by another program: 30 agents, a quarter of the calls answered."""
    record = Day(World(agents=30, share=lambda _: 0.25), way(), 2).run()
    assert record.utilisation == pytest.approx(utilisation, abs=0.02)
    assert record.abandonment == pytest.approx(abandoned, abs=0.008)
