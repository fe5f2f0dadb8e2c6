"""What call detail records tell about callers."""

from typing import Any

import pytest
from recorded import BEGAN_AT, D, cdr, cdrs

from astdialer.domain.errors import Conflict
from astdialer.simulator.history import history


def test_shares_and_times_are_those_of_the_records() -> None:
    found = history("sales", cdrs(4000, machines=0.2))
    assert found.attempts == 4000
    assert found.answer_rate == pytest.approx(30, abs=2)
    assert found.machines == pytest.approx(20, abs=2)
    assert found.answer_mean_s == pytest.approx(8, abs=0.5)
    assert found.talk_mean_s == pytest.approx(60, rel=0.06)
    assert set(found.machine_s) == {22.0}
    assert set(found.nobody_s) == {2.0, 25.0}
    assert found.nobody_s.count(2.0) / len(found.nobody_s) == pytest.approx(0.4, abs=0.03)
    assert found.attempts_per_contact == 8
    assert (found.since, found.until) == (BEGAN_AT, BEGAN_AT + 3999 * 10_000)


def test_the_wait_of_most_people_is_the_ringing_of_an_agents_telephone_and_the_detection() -> None:
    assert history("sales", cdrs(600)).handoff_s == pytest.approx(1.5)
    with_amd = history("sales", [*cdrs(600), cdr(601, D.MACHINE, duration=20, billsec=2, wait_s=1.1)])
    assert with_amd.amd_s == 1.1
    assert with_amd.handoff_s == pytest.approx(0.4)


def test_a_message_hides_how_long_the_detection_took() -> None:
    found = history("sales", cdrs(600, machines=0.3), plays_to_machines=True)
    assert found.amd_s is None


def test_abandoned_and_short_calls_were_answered_by_people() -> None:
    rows = cdrs(600, share=0.2)
    usual = history("sales", rows).answer_rate
    more = [cdr(1000 + n, d, duration=12, billsec=2) for n in range(30) for d in (D.ABANDONED, D.SHORT)]
    found = history("sales", [*rows, *more])
    assert found.answer_rate == pytest.approx((usual * 600 + 100 * 60) / 660)
    assert found.talk_mean_s == history("sales", rows).talk_mean_s


@pytest.mark.parametrize(
    "row",
    [cdr(9, D.CANCELED, duration=9), cdr(9, D.UNKNOWN, duration=9), cdr(9, D.FAILED, channel="")],
    ids=["canceled", "unknown", "never placed"],
)
def test_what_tells_nothing_about_callers_is_left_out(row: dict[str, Any]) -> None:
    rows = cdrs(600)
    assert history("sales", [*rows, row]) == history("sales", rows)


@pytest.mark.parametrize(
    ("rows", "words"),
    [(cdrs(150), "150 recorded calls with 4"), (cdrs(400, share=0.02), "400 recorded calls with"), ([], "0 recorded")],
    ids=["few calls", "few talks", "none"],
)
def test_too_few_records_are_refused_with_their_number_and_what_to_do(rows: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(Conflict, match=words) as refused:
        history("sales", rows)
    assert "expected at least 200 with 30" in str(refused.value)
    assert "--answer-rate" in str(refused.value)
