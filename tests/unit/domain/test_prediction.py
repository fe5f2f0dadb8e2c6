"""The probability that an answer finds nobody free, and the calls that a risk allows."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from astdialer.domain import prediction
from astdialer.domain.laws import Answering, Array, Lifetimes
from astdialer.domain.prediction import AHEAD_S, Beliefs, Prediction, Traffic

CHANCES = st.lists(st.floats(0, 1), min_size=0, max_size=30)


def learned(share: float = 0.25) -> Beliefs:
    """As after a day: people answer after 5 to 20 s, talks last 150 s, rests exactly 20 s."""
    rng = np.random.default_rng(2)
    beliefs = Beliefs(
        make=lambda alike: Answering(step_s=0.5, longest_s=28.0, share=alike.share if alike else share),
        verdicts=Answering(step_s=0.25, longest_s=6.0, share=0.5),
        talks=Lifetimes(step_s=5.0, steps=300, mean_s=120.0, memory=3000),
        rests=Lifetimes(step_s=1.0, steps=240, mean_s=20.0, memory=3000),
    )
    for _ in range(3000):
        reached = rng.random() < share
        beliefs.of("").ended(rng.uniform(5, 20) if reached else rng.choice([4.0, 26.0]), reached=reached)
        beliefs.verdicts.ended(2.5, reached=rng.random() < 0.4)
        beliefs.talks.ended(rng.exponential(150))
        beliefs.rests.ended(20.0)
    return beliefs


BELIEFS = learned()
MANY = 10_000


def ages(*seconds: float) -> Array:
    return np.array(seconds, float)


def first_risk(traffic: Traffic) -> float:
    return Prediction(BELIEFS, 2.0).calls(traffic, 0.0, 0.0, MANY)[1]


# --- the arithmetic --------------------------------------------------------------------------------------------------


def exactly_none_free(free: int, ends: Sequence[float], answers: Sequence[float]) -> float:
    """By convolution, without any approximation."""
    law = np.array([1.0])
    for chance in ends:
        law = np.convolve(law, [1 - chance, chance])
    for chance in answers:
        law = np.convolve(law, [chance, 1 - chance])
    lowest = free - len(answers)
    return float(law[: max(0, -lowest + 1)].sum())


def law_of(free: int, ends: Sequence[float], answers: Sequence[float], *, exact: bool) -> float:
    """As the prediction reckons, for chances that are the same at each second ahead."""

    def rows(chances: Sequence[float], sign: int) -> tuple[prediction._Chances, NDArray[np.int64]]:
        table = np.repeat(np.array(chances)[:, None], len(AHEAD_S), axis=1)
        return prediction._Chances(table, 1.0, sign), np.arange(len(chances))

    groups = [rows(chances, sign) for chances, sign in ((ends, 1), (answers, -1)) if chances]
    call = prediction._Chances(np.full((13, len(AHEAD_S)), 0.5), 1.0, -1, ages=1)
    answer_at = np.full(len(AHEAD_S), 1 / len(AHEAD_S))
    if exact:
        return prediction._Exact(free, groups, prediction._GRIDS[128], call, answer_at).risk(0)
    return prediction._Approximate(free, groups, call, answer_at).risk(0)


@given(st.integers(-5, 5), CHANCES, CHANCES)
def test_small_sums_are_exact(free: int, ends: list[float], answers: list[float]) -> None:
    assert law_of(free, ends, answers, exact=True) == pytest.approx(exactly_none_free(free, ends, answers), abs=1e-9)


@given(st.integers(-3, 5), st.lists(st.floats(0.2, 0.8), min_size=20, max_size=30), CHANCES)
def test_large_sums_are_nearly_exact(free: int, ends: list[float], answers: list[float]) -> None:
    found = law_of(free, ends, answers, exact=False)
    assert found == pytest.approx(exactly_none_free(free, ends, answers), abs=0.01)


def test_both_ways_agree_where_one_takes_over_from_the_other() -> None:
    """Sixty-three calls and agents, and one more."""
    many = np.linspace(1, 20, 12)
    talks = np.linspace(5, 600, 50)
    exact = first_risk(Traffic(free=1, dialing={"": many}, talking_s=talks))
    approximate = first_risk(Traffic(free=1, dialing={"": np.append(many, 27.9)}, talking_s=talks))
    assert approximate == pytest.approx(exact, abs=0.01)


def test_the_normal_distribution_is_right_to_seven_digits() -> None:
    x = np.array([-3.0, -1.0, 0.0, 0.5, 2.0])
    found = prediction._normal_below(x, np.exp(-x * x / 2) * prediction._DENSITY_AT_0)
    assert found == pytest.approx([0.0013498980, 0.1586552539, 0.5, 0.6914624613, 0.9772498681], abs=1e-7)


# --- what makes a risk -----------------------------------------------------------------------------------------------


def test_what_helps_lowers_the_risk_and_what_hurts_raises_it() -> None:
    usual = Traffic(free=1, dialing={"": ages(2, 5, 9, 14)}, talking_s=ages(20, 80, 200), resting_s=ages(3))
    risk = first_risk(usual)
    assert 0.01 < risk < 0.99
    assert first_risk(Traffic(free=2, dialing=usual.dialing, talking_s=usual.talking_s)) < risk
    for worse in (
        Traffic(free=1, waiting=1, dialing=usual.dialing, talking_s=usual.talking_s, resting_s=usual.resting_s),
        Traffic(free=1, dialing={"": ages(2, 5, 9, 14, 9)}, talking_s=usual.talking_s, resting_s=usual.resting_s),
        Traffic(free=1, dialing=usual.dialing, talking_s=usual.talking_s),
        Traffic(
            free=1,
            dialing=usual.dialing,
            analysed_s=ages(1, 1),
            talking_s=usual.talking_s,
            resting_s=usual.resting_s,
        ),
    ):
        assert first_risk(worse) > risk


def test_a_rest_that_is_nearly_over_is_worth_an_agent_and_one_that_begins_is_not_yet() -> None:
    calls = ages(8, 9)
    assert first_risk(Traffic(free=0, dialing={"": calls}, resting_s=ages(19, 19, 19))) < 0.1
    assert first_risk(Traffic(free=0, dialing={"": calls}, resting_s=ages(0, 0, 0))) > 0.5


def test_a_call_that_rings_for_long_will_hardly_be_answered() -> None:
    early, late = (first_risk(Traffic(free=1, dialing={"": np.full(6, age_s)})) for age_s in (8.0, 21.0))
    assert late < early / 2


def test_without_any_agent_no_call_is_placed() -> None:
    calls, risk = Prediction(BELIEFS, 2.0).calls(Traffic(free=0), 0.5, 0.0, MANY)
    assert calls == 0
    assert risk == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("free", [1, 3, 20, 400])
def test_as_many_calls_as_the_risk_allows_and_no_more(share: float, free: int) -> None:
    """Calls that are placed now are answered later: their number follows from the agents that are free then."""
    found, risk = Prediction(learned(share), 2.0).calls(Traffic(free=free), 0.02, 0.0, MANY)
    assert risk <= 0.02
    expected = found * share
    assert expected < 1.1 * free
    assert free < 20 or expected > 0.6 * free
    again, _ = Prediction(learned(share), 2.0).calls(Traffic(free=free, dialing={"": np.zeros(found)}), 0.02, 0.0, MANY)
    assert again <= 0.2 * found + 1, "but for the caution, which fades as more calls are seen"


def test_what_is_believed_is_asked_anew_as_it_changes() -> None:
    beliefs = learned()
    asked = Prediction(beliefs, 2.0)
    before, _ = asked.calls(Traffic(free=10), 0.02, 0.0, MANY)
    for _ in range(500):
        beliefs.of("").ended(10.0, reached=True)
    after, _ = asked.calls(Traffic(free=10), 0.02, 1.0, MANY)
    assert after < before / 1.5


@pytest.mark.parametrize("most", [1, 2, 5, 16, 17])
def test_no_more_than_there_is_room_for(most: int) -> None:
    assert Prediction(BELIEFS, 2.0).calls(Traffic(free=30), 0.02, 0.0, most)[0] == most


def test_a_call_that_is_likely_to_be_answered_takes_an_agent_sooner() -> None:
    def with_steps(steps: int) -> float:
        traffic = Traffic(free=2, dialing={"": ages(3, 5, 7)}, steps={"": np.full(3, steps)})
        return Prediction(learned(), 2.0).calls(traffic, 0.0, 0.0, MANY)[1]

    unlikely, usual, likely = with_steps(-4), with_steps(0), with_steps(4)
    assert unlikely < usual < likely
    assert usual == pytest.approx(first_risk(Traffic(free=2, dialing={"": ages(3, 5, 7)})), abs=1e-3)


def test_how_many_agents_are_expected_to_be_free() -> None:
    asked = Prediction(BELIEFS, 2.0)
    assert asked.expected_free(Traffic(free=3, waiting=1), 0.0) == 2
    fewer = asked.expected_free(Traffic(free=3, dialing={"": ages(*[8.0] * 8)}), 0.0)
    assert 0.5 < fewer < 2.5
    assert asked.expected_free(Traffic(free=3, resting_s=ages(19, 19)), 0.0) == pytest.approx(5, abs=0.1)
