"""What is learned of durations and answers, from what has ended and from what still lasts."""

import json

import numpy as np
import pytest

from astdialer.domain.laws import Answering, Lifetimes, shifted

NOBODY = np.empty(0)


def lives(**known: float) -> Lifetimes:
    usual = {"step_s": 5.0, "steps": 100, "mean_s": 120.0, "memory": 3000.0}
    values = usual | known
    return Lifetimes(
        step_s=values["step_s"], steps=int(values["steps"]), mean_s=values["mean_s"], memory=values["memory"]
    )


def answering(**known: float) -> Answering:
    return Answering(step_s=0.5, longest_s=28.0, share=known.get("share", 0.25), memory=known.get("memory", 500.0))


# --- lifetimes -------------------------------------------------------------------------------------------------------


def test_before_anything_is_known_lives_end_at_a_constant_rate() -> None:
    survival = lives().survival(NOBODY)
    assert survival[0] == 1
    assert survival[24] == pytest.approx(np.exp(-1), abs=1e-9)


@pytest.mark.parametrize("mean_s", [30.0, 200.0])
def test_what_still_lasts_counts_as_well_as_what_has_ended(mean_s: float) -> None:
    """Half of the talks are looked at before their end: the ends alone would show talks half as long."""
    rng, learned = np.random.default_rng(1), lives(memory=1e9)
    talks, looked_at = rng.exponential(mean_s, 4000), rng.exponential(mean_s, 4000)
    for talk_s in talks[talks <= looked_at]:
        learned.ended(talk_s)
    survival = learned.survival(looked_at[talks > looked_at])
    for step in (2, 6, 12):
        assert survival[step] == pytest.approx(np.exp(-5 * step / mean_s), abs=0.03)


def test_a_law_that_is_not_exponential_is_learned_by_age() -> None:
    learned = lives(step_s=1.0, mean_s=20.0)
    for _ in range(500):
        learned.ended(20.5)
    survival = learned.survival(NOBODY)
    assert survival[20] > 0.75
    assert survival[21] / survival[20] < 0.5


def test_what_is_long_ago_is_forgotten() -> None:
    learned = lives(memory=50.0)
    for _ in range(300):
        learned.ended(300.0)
    before = learned.survival(NOBODY)[12]
    for _ in range(300):
        learned.ended(10.0)
    assert learned.survival(NOBODY)[12] < before / 4


def test_an_age_beyond_the_last_step_is_its_own() -> None:
    learned = lives(steps=10)
    learned.ended(5000.0)
    assert learned.ends[-1] == 1
    assert learned.survival(np.array([7000.0]))[-1] > 0


def test_what_was_learned_survives_a_restart() -> None:
    learned, again = lives(), lives()
    for age_s in (3.0, 50.0, 400.0):
        learned.ended(age_s)
    again.restore(json.loads(json.dumps(learned.kept())))
    np.testing.assert_array_equal(again.survival(NOBODY), learned.survival(NOBODY))
    other = lives(steps=7)
    other.restore(learned.kept())
    assert other.ends.sum() == 0, "steps of another size say nothing"


# --- answers ---------------------------------------------------------------------------------------------------------


def test_the_share_of_answers_is_learned_and_forgotten() -> None:
    calls = answering(share=0.5, memory=200.0)
    for turn in range(2000):
        calls.ended(10.0, reached=turn % 10 == 0)
    assert calls.believed(NOBODY) == pytest.approx(0.1, abs=0.02)
    for turn in range(2000):
        calls.ended(10.0, reached=turn % 2 == 0)
    assert calls.believed(NOBODY) == pytest.approx(0.5, abs=0.02)


def test_calls_under_way_do_not_count_as_failed() -> None:
    """A hundred calls are placed at once; after five seconds a quarter has failed and nobody can have answered yet."""
    calls = answering()
    for turn in range(2000):
        reached = turn % 4 == 0
        calls.ended(12.0 if reached else (4.0 if turn % 3 else 27.0), reached=reached)
    before = calls.believed(NOBODY)
    for _ in range(40):
        calls.ended(4.0, reached=False)
    assert calls.reached / calls.seen < before - 0.01, "what has ended misleads"
    assert calls.believed(np.full(40, 5.0)) == pytest.approx(before, abs=0.01)


def test_caution_fades_as_calls_are_seen() -> None:
    calls = answering()
    at_first = calls.cautious(0) / calls.believed(NOBODY)
    for turn in range(1000):
        calls.ended(10.0, reached=turn % 4 == 0)
    later = calls.cautious(0) / calls.believed(NOBODY)
    assert at_first > 1.5
    assert 1 < later < 1.03


def test_chances_are_those_of_the_call_s_age() -> None:
    calls = answering()
    for turn in range(3000):
        reached = turn % 4 == 0
        calls.ended(10.0 + turn % 5 if reached else 26.0, reached=reached)
    shares = np.array([0.25, 0.5])
    found = calls.chances(np.array([1.0, 5.0, 30.0]), shares)
    now, ringing, late = 0, 18, 32  # 0, 9 and 16 s, in steps of half a second
    chances = found[0]
    assert chances[now, 2] == pytest.approx(0.25, abs=0.01)
    assert chances[now, 0] < 0.005
    assert chances[ringing, 1] > 0.15
    assert chances[late, 2] < 0.01, "whoever has not answered by now will not"
    assert (np.diff(chances, axis=1) >= 0).all()
    assert found[1][now, 2] == pytest.approx(0.5, abs=0.01)
    assert (found[1] >= found[0]).all()


def test_calls_that_are_likely_to_be_answered_weigh_more_while_they_ring() -> None:
    """Of forty calls that have rung for 10 s nobody has answered yet; what is likely for each is expected of them."""
    calls = answering(share=0.25)
    for turn in range(400):
        calls.ended(10.0 if turn % 4 == 0 else 26.0, reached=turn % 4 == 0)
    ages = np.full(40, 5.0)
    usual = calls.believed(ages)
    likely = calls.believed(ages, np.full(40, 1.0))
    unlikely = calls.believed(ages, np.full(40, -1.0))
    assert unlikely < usual < likely
    assert shifted(0.25, np.array([0.0, 1.0])) == pytest.approx([0.25, 0.4754], abs=1e-3)


def test_answers_survive_a_restart_and_another_ring_time() -> None:
    calls, again, longer = answering(), answering(), Answering(step_s=0.5, longest_s=60.0, share=0.5)
    for turn in range(100):
        calls.ended(8.0, reached=turn % 10 == 0)
    kept = json.loads(json.dumps(calls.kept()))
    again.restore(kept)
    longer.restore(kept)
    assert again.believed(NOBODY) == longer.believed(NOBODY) == pytest.approx(calls.believed(NOBODY))
    np.testing.assert_array_equal(again.reached_at, calls.reached_at)
    assert len(longer.reached_at) > len(calls.reached_at)
