"""What the benchmark of pacing reckons: its scenarios, its intervals, its gates and its tables."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from pacing_figures import Figures, figures
from pacing_gates import gates, smoke_gates
from pacing_plan import DAYS, SMOKE, tasks
from pacing_tables import markdown
from pacing_ways import FIXED, OWN, TUNED, Task, measure, new_pacer, own_days
from scenarios import HOUR, SCENARIOS

from astdialer.simulator.day import Day, Record
from astdialer.simulator.interval import half_width
from astdialer.simulator.own import OwnPacing
from astdialer.simulator.world import Draws


def result(**given: Any) -> Figures:
    """Of ten agents in S1 25 %."""
    usual: dict[str, Any] = dict.fromkeys(Figures.__dataclass_fields__, 1.0)
    named = {"scenario": "S1 25 %", "agents": 10, "way": OWN, "value": math.nan}
    lists = {"used": [85.0, 86.0], "rates": [2.5, 2.9], "blocks": [2.7]}
    return Figures(**(usual | named | lists | given))


# --- scenarios -------------------------------------------------------------------------------------------------------


def test_every_scenario_is_planned_and_says_what_it_is() -> None:
    assert set(DAYS) == set(SCENARIOS)
    assert all(scenario.says and "\n" not in scenario.says for scenario in SCENARIOS.values())
    assert all(SCENARIOS[name].world(30).ends_s > 0 for name in SCENARIOS)


@pytest.mark.parametrize(("name", "share"), [("S4 low", 0.1), ("S4 high", 0.5), ("S1 25 %", 0.2)])
def test_a_prior_is_what_the_pacing_believes_before_the_first_call(name: str, share: float) -> None:
    answers = new_pacer(SCENARIOS[name], SCENARIOS[name].world(10)).beliefs.of("")
    usual = new_pacer(SCENARIOS["S1 25 %"], SCENARIOS["S1 25 %"].world(10)).beliefs.of("")
    assert answers.share == share
    assert answers.reached / answers.seen == pytest.approx(share)
    assert answers.seen == usual.seen, "with its usual weight"


def test_short_campaigns_end_at_200_answers_and_learn_from_none_before() -> None:
    scenario = SCENARIOS["S7 short"]
    assert scenario.cold
    assert scenario.world(5).answers == 200
    shorter = replace(scenario.world(5), answers=20)
    first, second = own_days(scenario, shorter, 2)
    assert min(first.answered, second.answered) >= 20
    pacing = OwnPacing(new_pacer(scenario, shorter))
    assert Day(shorter, pacing, seed=1).run().waits_s == second.waits_s


def test_days_of_one_campaign_learn_from_those_before() -> None:
    scenario = SCENARIOS["S1 25 %"]
    world = replace(scenario.world(5), hours=1.0)
    _, learned = own_days(scenario, world, 2)
    assert learned.busy_s != Day(world, OwnPacing(new_pacer(scenario, world)), seed=1).run().busy_s


def test_shares_drift_and_step_as_the_scenarios_say() -> None:
    drift, up = SCENARIOS["S2 drift"].world(5).share, SCENARIOS["S3 up"].world(5).share
    assert drift(0) == 0.25
    assert drift(2 * HOUR) == pytest.approx(0.25 * 1.35)
    assert drift(1.9 * HOUR) < 0.6 * drift(1.4 * HOUR)
    assert (up(HOUR - 1), up(HOUR)) == (0.15, 0.45)


def test_agents_come_and_go() -> None:
    world = SCENARIOS["S5 agents"].world(10)
    assert world.agents + sum(change for _, change in world.shift) == 5
    at_ten = world.agents + sum(change for at, change in world.shift if at < HOUR)
    assert at_ten == 10


def test_talks_are_mixed_short_and_long() -> None:
    means_s = {}
    for name in ("V mixed talks", "V short talks", "V long talks"):
        draws = Draws(SCENARIOS[name].world(5), 1)
        means_s[name] = sum(draws.handle()[0] for _ in range(10_000)) / 10_000
    assert means_s == pytest.approx({"V mixed talks": 147, "V short talks": 60, "V long talks": 300}, rel=0.05)


# --- figures ---------------------------------------------------------------------------------------------------------


def test_intervals_are_students() -> None:
    assert half_width([80.0, 81.0, 82.0]) == pytest.approx(4.303 / math.sqrt(3))
    assert half_width([0.0, 1.0] * 50) == pytest.approx(1.984 * 0.5025 / 10, rel=0.002)
    assert math.isnan(half_width([80.0]))


@pytest.mark.parametrize(("cold", "blocks"), [(False, [4.0]), (True, [2.0, 6.0])])
def test_days_and_blocks_above_the_limit_are_counted(cold: bool, blocks: list[float]) -> None:
    days = [
        Record(connected=98, abandoned=2, agents_s=100, busy_s=80, waits_s=[0.0, 1.0], lost=bytearray([1, 1])),
        Record(connected=94, abandoned=6, agents_s=100, busy_s=90, waits_s=[0.0, 0.0], lost=bytearray([1, 0, 1])),
    ]
    found = figures(days, scenario="S1 25 %", agents=10, way=OWN, cold=cold, value=math.nan, took_s=1.0)
    assert found.blocks == pytest.approx(blocks)
    assert found.blocks_above == 1
    assert found.days_above == 1
    assert found.abandoned == pytest.approx(4.0)
    assert found.utilisation == pytest.approx(85.0)
    assert found.waited_share == 25.0
    assert found.most_in_a_row == 2
    assert found.idle_s == pytest.approx(30 / 192)


def test_ways_are_measured_and_tuned_to_the_limit() -> None:
    plain = measure(Task("S1 25 %", 5, "progressive", 2, hours=1.0))
    assert (plain.days, plain.abandoned) == (2, 0.0)
    assert math.isnan(plain.value)
    tuned = measure(Task("S1 25 %", 5, "ratio × idle*", 2, hours=1.0))
    assert 1 < tuned.value < 40
    assert tuned.abandoned <= 3
    assert tuned.utilisation > plain.utilisation


# --- the plan --------------------------------------------------------------------------------------------------------


def test_the_plan_gives_every_way_the_same_days() -> None:
    planned = list(tasks(["S1 25 %"], [5, 100], baselines=True, times=2))
    assert {task.agents for task in planned} == {5, 100}
    assert {task.days for task in planned if task.agents == 5} == {2 * DAYS["S1 25 %"][5]}
    assert {task.way for task in planned} == {OWN, *FIXED, *TUNED}
    assert len(list(tasks(["S1 25 %"], [500], baselines=True))) < len(planned) / 2, "for 500 agents only a few"
    assert [task.way for task in tasks(["S1 25 %"], [5], baselines=False)] == [OWN]
    assert [task.days for task in tasks(["S9 month"], [10], baselines=False, days=3)] == [3]


def test_hours_may_be_fewer_for_a_smoke_run() -> None:
    assert Task("S1 25 %", 10, OWN, 1, hours=2.0).world.ends_s == 7200
    assert Task("S1 25 %", 10, OWN, 1).world.ends_s == 8 * 3600


# --- gates and tables ------------------------------------------------------------------------------------------------


def verdicts(*results: Figures, bounds: dict[int, float] | None = None) -> dict[str, float]:
    """Gates that are not met, and by how much."""
    return {gate.says: round(gate.margin, 2) for gate in gates(results, bounds or {}) if not gate.met}


def test_gates_are_met_by_what_is_good_enough() -> None:
    ratio = result(way="ratio × idle*", used=[83.0, 84.0])
    exponential = result(scenario="S10 exponential", used=[86.4])
    assert verdicts(result(), ratio, exponential, bounds={10: 86.8}) == {}


def test_gates_say_what_is_not_good_enough_and_by_how_much() -> None:
    assert verdicts(result(used=[82.0, 83.0])) == {"S1 25 %: utilisation, 10 agents, %": -1.5}
    assert verdicts(result(rates=[2.5, 3.1])) == {"S1 25 %: days above 3 % of 2, %": -49.0}
    assert verdicts(result(blocks=[3.2])) == {"S1 25 %: abandoned, worst block, %": -0.2}
    ratio = result(way="ratio × idle*", used=[84.2, 85.2])
    assert verdicts(result(), ratio) == {"S1 25 %, 10 agents: above ratio × idle*, points": -0.2}
    other = result(way="Webitel", used=[86.0, 87.0])
    assert verdicts(result(), other) == {"S1 25 %, 10 agents: above Webitel, points": -1.0}
    assert verdicts(result(), replace(other, blocks=[3.1])) == {}, "it does not keep to the limit"
    assert verdicts(result(first_most=30, usual_most=15.0)) == {
        "S1 25 %: calls under way on the first day to later ones, 10 agents": -0.5
    }
    exponential = result(scenario="S10 exponential", used=[86.0])
    assert verdicts(exponential, bounds={10: 86.8}) == {"S10: below the bound, 10 agents, points": -0.3}


def test_every_short_campaign_is_a_block() -> None:
    assert verdicts(result(scenario="S7 short", rates=[1.0, 2.9], blocks=[1.0, 2.9])) == {}
    assert verdicts(result(scenario="S7 short", rates=[1.0, 3.5], blocks=[1.0, 3.5])) == {
        "S7 short: abandoned, worst block, %": -0.5
    }


def test_a_smoke_run_fails_when_pacing_got_much_worse() -> None:
    good = [
        result(scenario=task.scenario, agents=task.agents, way=task.way, used=[70.0 if task.way != OWN else 91.0])
        for task in SMOKE
    ]
    assert all(gate.met for gate in smoke_gates(good))
    worse = [replace(r, used=[75.0]) if r.way == OWN else r for r in good]
    assert sum(not gate.met for gate in smoke_gates(worse)) == 4
    floods = [replace(r, blocks=[5.0], first_most=500) for r in good]
    assert sum(not gate.met for gate in smoke_gates(floods)) == 6


def test_tables_have_a_row_for_each_way_and_a_column_for_each_size() -> None:
    results = [
        result(),
        result(agents=30, used=[91.0], rates=[2.6]),
        result(way="Webitel"),
        result(scenario="S10 exponential"),
    ]
    text = markdown(results, {10: 86.8}, gates(results, {10: 86.8}))
    assert "| scenario | way | 10 agents | 30 agents |" in text
    assert "| S1 25 % | astdialer | 85.5 ± 6.4 (2.70 %, 0/2) | 91.0 (2.70 %, 0/1) |" in text
    assert "| S1 25 % | Webitel | 85.5 ± 6.4 (2.70 %, 0/2) | – |" in text
    assert "| S10 exponential | the bound | 86.8 |" in text
    assert "- S1 25 %: people answer 25 % of the calls, all day." in text
    assert "**not met**, -0.80" in text
    assert text.count("### ") == 4, "S1, S10, details, gates"


def test_a_timed_day_costs_no_more_than_it_measures() -> None:
    world = replace(SCENARIOS["S1 25 %"].world(5), hours=0.1)
    record = Day(world, FIXED["Webitel"](), 1, timed=True).run()
    assert 0 < record.ms_per_decision < 1
