"""How likely a contact is to answer, from what is known of it."""

import json
import math

import numpy as np
import pytest

from astdialer.domain.contact import Number
from astdialer.domain.propensity import MOST_STEPS, STEP, Propensities, features

NUMBER = Number(id=1, number="+34600000001", as_uploaded="600000001", type="M", position=0)


def taught(shares: dict[str, float], calls: int = 6000, level: float = 0.25) -> Propensities:
    learned, rng = Propensities(), np.random.default_rng(5)
    names = list(shares)
    for _ in range(calls):
        name = names[rng.integers(len(names))]
        learned.ended([name, "base b"], reached=bool(rng.random() < shares[name]), level=level)
    return learned


def odds(share: float) -> float:
    return math.log(share / (1 - share))


def test_what_is_known_of_a_number() -> None:
    assert features(NUMBER, base="june", hour=9) == ("type M", "tries 0", "last none", "hour 9", "base june")
    tried = Number(
        id=1, number="+1", as_uploaded="1", type="H", position=1, tries=9, last_disposition="busy", last_call_at=5
    )
    assert features(tried, base="june", hour=9)[:3] == ("type H", "tries 4", "last busy")


def test_before_anything_is_known_everybody_is_alike() -> None:
    assert Propensities().steps(["type M", "tries 1"]) == 0


def test_features_are_told_apart_by_how_their_calls_end() -> None:
    learned = taught({"type M": 0.4, "type H": 0.25, "type W": 0.08})
    for name, share in (("type M", 0.4), ("type H", 0.25), ("type W", 0.08)):
        beyond = (odds(share) - odds(0.25)) / STEP
        assert learned.steps([name, "base b"]) == pytest.approx(beyond, abs=0.8)


def test_features_that_say_nothing_move_nothing() -> None:
    learned = taught({"hour 9": 0.25, "hour 10": 0.25, "hour 11": 0.25})
    assert {learned.steps([f"hour {hour}", "base b"]) for hour in (9, 10, 11)} == {0}


def test_what_has_changed_is_learned_anew() -> None:
    learned = Propensities(memory=500)
    for turn in range(3000):
        learned.ended(["type M"], reached=turn % 2 == 0, level=0.25)
    assert learned.steps(["type M"]) > 0
    for turn in range(3000):
        learned.ended(["type M"], reached=turn % 10 == 0, level=0.25)
    assert learned.steps(["type M"]) < 0


def test_there_is_a_most_and_a_least() -> None:
    learned = Propensities()
    for _ in range(20_000):
        for n in range(5):
            learned.ended([f"good {n}"], reached=True, level=0.25)
            learned.ended([f"bad {n}"], reached=False, level=0.25)
    assert learned.steps([f"good {n}" for n in range(5)]) == MOST_STEPS
    assert learned.steps([f"bad {n}" for n in range(5)]) == -MOST_STEPS


def test_it_survives_a_restart() -> None:
    learned, again = taught({"type M": 0.4, "type W": 0.1}), Propensities()
    again.restore(json.loads(json.dumps(learned.kept())))
    for learner in (learned, again):
        learner.ended(["type M", "base b"], reached=True, level=0.25)
    assert again.kept() == learned.kept()


def test_of_many_features_the_best_known_are_kept() -> None:
    learned = Propensities()
    for base in range(500):
        for _ in range(1 + (base < 10)):
            learned.ended([f"base {base}"], reached=True, level=0.25)
    kept = learned.kept()
    assert len(kept) == 300
    assert {f"base {base}" for base in range(10)} <= set(kept)
