"""Predictive pacing of a campaign: thin data, the limit, growth, restarts."""

import json

import numpy as np
import pytest

from astdialer.domain.abandonment import Tally, Window
from astdialer.domain.limit import Limit
from astdialer.domain.pace import Pace
from astdialer.domain.pacer import GROWTH, MOST_LEAN, Pacer
from astdialer.domain.prediction import Traffic

PACE = Pace(ring_s=28, patience_s=2, wrap_up_s=20, aim=0.0275, limit=0.03, usual_risk=0.02)
DAY = Window(Tally(1000, 27))


def taught(calls: int = 2000) -> Pacer:
    pacer, rng = Pacer(PACE), np.random.default_rng(3)
    for _ in range(calls):
        reached = rng.random() < 0.25
        pacer.call_ended(rng.uniform(5, 20) if reached else 26.0, reached=reached)
        if reached:
            pacer.talk_ended(rng.exponential(150))
            pacer.rest_ended(20.0)
            pacer.verdict(2.5, person=True)
    return pacer


def test_before_anything_is_known_there_is_one_call_for_each_free_agent() -> None:
    pacer = Pacer(PACE)
    assert pacer.advise(Traffic(free=7), [DAY], 0.0).calls == 7
    two_under_way = Traffic(free=7, dialing={"": np.array([1.0])}, analysed_s=np.array([1.0]), waiting=1)
    advice = pacer.advise(two_under_way, [DAY], 1.0)
    assert (advice.calls, advice.limit) == (4, Limit.LEARNING)


def test_with_enough_answers_it_predicts() -> None:
    pacer = Pacer(PACE)
    for _ in range(PACE.least_answers * 4):
        pacer.call_ended(10.0, reached=False)
    for _ in range(PACE.least_answers):
        pacer.call_ended(10.0, reached=True)
    advice = pacer.advise(Traffic(free=20), [DAY], 0.0)
    assert advice.limit in (Limit.RISK, Limit.GROWTH)
    assert advice.calls > 20


def test_a_window_at_its_limit_leaves_one_call_for_each_free_agent() -> None:
    assert taught().advise(Traffic(free=4), [Window(Tally(1000, 30))], 0.0).calls == 4
    assert taught().advise(Traffic(free=4), [Window(Tally(20, 1))], 0.0).calls > 4, "one of twenty says nothing"
    assert taught().advise(Traffic(free=4), [DAY, Window(Tally(1000, 30))], 0.0).calls >= 4, "the law's window decides"


def grown(pacer: Pacer, free: int, *, someone_answers: bool = True) -> list[int]:
    """The calls under way second by second."""
    under_way, grown = 0, []
    for second in range(12):
        traffic = Traffic(free=free, dialing={"": np.full(under_way, 1.0)})
        pacer.look(traffic, float(second))
        advice = pacer.advise(traffic, [DAY], float(second))
        under_way += max(0, advice.calls)
        grown.append(under_way)
        if someone_answers:
            pacer.call_ended(5.0, reached=True)
    return grown


def test_at_first_calls_grow_by_steps() -> None:
    found = grown(taught(120), 100)
    assert found[0] == found[4] == int(GROWTH * 100)
    assert found[5] == int(GROWTH * found[4])


def test_without_an_answer_calls_do_not_grow() -> None:
    found = grown(taught(120), 100, someone_answers=False)
    assert found[0] == found[-1] == int(GROWTH * 100)


def test_what_is_known_may_be_used_at_once() -> None:
    assert grown(taught(), 100)[0] == int(GROWTH * 200)


def test_the_risk_is_learned_from_what_comes_of_it() -> None:
    careful, bold = taught(), taught()
    for _ in range(20):
        careful.served(in_time=False)
    for _ in range(300):
        bold.served(in_time=True)
    assert careful.advise(Traffic(free=3), [DAY], 0.0).allowed < 0.01
    assert bold.advise(Traffic(free=3), [DAY], 0.0).allowed > 0.025
    for _ in range(10_000):
        careful.served(in_time=False)
    assert careful.lean == -MOST_LEAN


def test_the_share_that_is_believed_is_told() -> None:
    advice = taught().advise(Traffic(free=5), [DAY], 0.0)
    assert advice.share == pytest.approx(0.25, abs=0.04)
    assert advice.allowed == pytest.approx(0.02, rel=0.1)
    assert 0 <= advice.risk <= advice.allowed


def test_what_was_learned_survives_a_restart() -> None:
    before, after = taught(), Pacer(PACE)
    after.restore(json.loads(json.dumps(before.kept())))
    traffic = Traffic(free=5, talking_s=np.array([10.0, 100.0]), resting_s=np.array([5.0]))
    assert after.advise(traffic, [DAY], 0.0) == before.advise(traffic, [DAY], 0.0)
