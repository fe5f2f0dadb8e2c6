"""Predictive pacing of a campaign: thin data, the limit, growth, restarts."""

import dataclasses
import json
from math import ceil

import numpy as np
import pytest

from astdialer.domain.abandonment import Tally, Window
from astdialer.domain.limit import Limit
from astdialer.domain.pace import Pace
from astdialer.domain.pacer import BLIND_S, GROWTH, MOST_LEAN, STALE_S, Pacer
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
    def calls(*windows: Window) -> int:
        return taught().advise(Traffic(free=4), windows, 0.0).calls

    assert calls(Window(Tally(1000, 36))) == 4
    assert calls(Window(Tally(1000, 31))) > 4, "that may be chance, and is steered back"
    assert calls(Window(Tally(1000, 31), in_list=20.0)) == 4, "nothing is left to make up for it"
    assert calls(Window(Tally(20, 1))) > 4, "one of twenty says nothing"
    assert calls(DAY, Window(Tally(1000, 36))) >= 4, "the law's longest window decides"


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
    assert found[0] == found[4] == ceil(GROWTH * 100)
    assert found[5] == ceil(GROWTH * found[4])


def test_without_an_answer_calls_do_not_grow() -> None:
    found = grown(taught(120), 100, someone_answers=False)
    assert found[0] == found[-1] == ceil(GROWTH * 100)


def test_what_is_known_may_be_used_at_once() -> None:
    assert grown(taught(), 100)[0] == ceil(GROWTH * 200)


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


# --- what keeps it to one call for each free agent -------------------------------------------------------------------


def test_after_nothing_was_seen_for_a_while_it_does_not_predict() -> None:
    pacer = taught()
    pacer.went_blind(1000.0)
    blind = pacer.advise(Traffic(free=4), [DAY], 1000.0 + BLIND_S - 1)
    assert (blind.calls, blind.limit) == (4, Limit.LEARNING)
    assert pacer.advise(Traffic(free=4), [DAY], 1000.0 + BLIND_S).calls > 4


def test_what_is_stale_is_only_the_best_guess_until_there_are_new_answers() -> None:
    kept = taught().kept()
    fresh, stale = Pacer(PACE), Pacer(PACE)
    fresh.restore(kept, age_s=STALE_S)
    stale.restore(kept, age_s=STALE_S + 1)
    assert fresh.advise(Traffic(free=4), [DAY], 0.0).limit is not Limit.LEARNING
    assert stale.advise(Traffic(free=4), [DAY], 0.0).limit is Limit.LEARNING
    assert stale.beliefs.of("").seen == pytest.approx(10)
    assert stale.beliefs.of("").share == pytest.approx(fresh.beliefs.of("").share, abs=0.01)


def test_without_any_risk_there_is_one_call_for_each_free_agent() -> None:
    careful = Pacer(dataclasses.replace(PACE, usual_risk=0.0))
    careful.restore(taught().kept())
    advice = careful.advise(Traffic(free=4, dialing={"": np.array([3.0])}), [DAY], 0.0)
    assert (advice.calls, advice.limit) == (3, Limit.AGENTS_COVERED)


def test_a_spent_window_is_named() -> None:
    assert taught().advise(Traffic(free=4), [Window(Tally(1000, 36))], 0.0).limit is Limit.ABANDONMENT


# --- trunks, and campaigns that share agents -------------------------------------------------------------------------


def test_each_trunk_has_its_own_share_and_a_new_one_begins_with_the_best_known() -> None:
    pacer = taught()
    for _ in range(400):
        pacer.call_ended(6.0, reached=False, trunk="poor")
    pacer.call_ended(6.0, reached=True)
    pacer.look(Traffic(free=0, dialing={"": np.full(300, 5.0)}), 0.0)  # growth is not what binds
    usual = pacer.advise(Traffic(free=20), [DAY], 0.0)
    poor = pacer.advise(Traffic(free=20, trunk="poor"), [DAY], 0.0)
    new = pacer.advise(Traffic(free=20, trunk="new"), [DAY], 0.0)
    assert poor.share < 0.1 < usual.share
    assert poor.calls > usual.calls, "fewer people answer: more calls are needed"
    assert pacer.beliefs.of("new").share == pytest.approx(pacer.beliefs.of("").share, abs=0.03)
    assert new.calls <= usual.calls, "and it is taken with caution"


def test_calls_and_talks_of_another_campaign_take_and_give_agents() -> None:
    mine, other = taught(), taught()
    alone = mine.advise(Traffic(free=6), [DAY], 0.0)
    calls = other.part(Traffic(free=6, dialing={"": np.full(12, 4.0)}), 0.0)
    crowded = mine.advise(Traffic(free=6, others=[calls]), [DAY], 0.0)
    assert crowded.calls < alone.calls
    assert crowded.risk > alone.risk
    rests = other.part(Traffic(free=6, resting_s=np.full(4, 15.0)), 0.0)
    assert mine.advise(Traffic(free=6, others=[rests]), [DAY], 0.0).calls > alone.calls
    thin = Pacer(PACE)
    thin.look(Traffic(free=20), 0.0)
    given = thin.advise(Traffic(free=20, others=[calls]), [DAY], 0.0).calls
    assert 12 < given < 20, "of twelve calls of others a quarter takes an agent"


def test_calls_of_others_are_as_good_as_its_own_to_the_law() -> None:
    pacer = taught()
    ages = np.array([2.0, 8.0, 14.0])
    own = pacer.advise(Traffic(free=2, dialing={"": ages}), [DAY], 0.0)
    others = pacer.advise(Traffic(free=2, others=[pacer.part(Traffic(free=2, dialing={"": ages}), 0.0)]), [DAY], 0.0)
    assert others.risk == pytest.approx(own.risk, abs=0.02)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_restored(bad: float) -> None:
    kept = taught().kept()
    kept["answers"][""]["seen"] = bad
    with pytest.raises(ValueError, match="no number"):
        Pacer(PACE).restore(kept)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("count", None, "can't be read: TypeError"),
        ("lean", "much", "could not convert"),
        ("lean", 10**400, "can't be read: OverflowError"),
        ("answers", [], "can't be read: AttributeError"),
        ("answers", {"": {}}, "can't be read: KeyError"),
        ("answers", {"": {"seen": 0, "reached": 0}}, "can't be read: ZeroDivisionError"),
        ("propensities", {"type M": [1.0]}, "can't be read: IndexError"),
    ],
)
def test_what_cant_have_been_kept_is_a_wrong_value(key: str, value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Pacer(PACE).restore(taught().kept() | {key: value})


def test_with_other_settings_it_knows_the_same_and_stays_blind() -> None:
    before = taught()
    before.look(Traffic(free=0, dialing={"": np.full(80, 5.0)}), 0.0)
    before.went_blind(100.0)
    after = before.paced(dataclasses.replace(PACE, aim=0.01))
    assert after.kept() == before.kept()
    assert after.pace.aim == 0.01
    assert after.advise(Traffic(free=4), [DAY], 101.0).limit is Limit.LEARNING
    assert after.advise(Traffic(free=50), [DAY], 100.0 + BLIND_S).calls == ceil(GROWTH * 100)


# --- which contact ---------------------------------------------------------------------------------------------------


def chooser() -> Pacer:
    """It knows that M answers more than U, and U more than W."""
    pacer = taught()
    for turn in range(3000):
        kind = "MUW"[turn % 3]
        pacer.call_ended(10.0, reached=turn // 3 % {"M": 2, "U": 4, "W": 12}[kind] == 0, features=[f"type {kind}"])
    return pacer


LINE = [["type U"], ["type W"], ["type M"], ["type U"]]


def first(pacer: Pacer, free: int) -> int:
    return pacer.order(LINE, 1, Traffic(free=free), 0.0)[0]


def test_the_shorter_agents_are_the_likelier_is_who_is_called() -> None:
    for free, fits in ((0, 2), (30, 1)):
        pacer = chooser()
        for before in range(41):
            first(pacer, before % 21)
        assert [first(pacer, free) for _ in range(3)] == [fits] * 3


def test_who_is_first_in_line_is_called_soon() -> None:
    pacer = chooser()
    assert 0 in {first(pacer, free=30) for _ in range(30)}


def test_everybody_in_line_has_a_place_and_equals_keep_theirs() -> None:
    pacer = chooser()
    for calls in range(6):
        assert sorted(pacer.order(LINE, calls, Traffic(free=3), 0.0)) == [0, 1, 2, 3]
    new = Pacer(PACE)
    assert new.order([["a"], ["b"], ["c"]], 0, Traffic(free=3), 0.0) == [0, 1, 2]
    assert new.order([], 3, Traffic(free=3), 0.0) == []


def test_what_is_known_of_contacts_is_learned_and_kept() -> None:
    pacer, again = taught(), Pacer(PACE)
    for turn in range(2000):
        kind = "type M" if turn % 2 else "type W"
        pacer.call_ended(10.0, reached=turn % (3 if kind == "type M" else 11) == 0, features=[kind])
    assert pacer.propensities.steps(["type M"]) > pacer.propensities.steps(["type W"])
    again.restore(json.loads(json.dumps(pacer.kept())))
    assert again.propensities.kept() == pacer.propensities.kept()
