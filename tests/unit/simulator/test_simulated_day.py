"""The simulated contact centre against what is known of it beforehand, and astdialer's pacing in it."""

from dataclasses import dataclass, field, replace
from itertools import count

import pytest

from astdialer.domain.abandonment import USUAL_RISK
from astdialer.domain.pace import Pace
from astdialer.domain.pacer import Pacer
from astdialer.simulator.bound import Exponentials, bound
from astdialer.simulator.day import Day, Pacing, Record
from astdialer.simulator.own import OwnPacing
from astdialer.simulator.world import (
    Amd,
    AtMost,
    Draws,
    Empirical,
    End,
    Exponential,
    Lognormal,
    Mixture,
    Nothing,
    Ringing,
    World,
)

PLAIN = World(agents=10, share=lambda _: 0.25, hours=2.0)


@dataclass
class UpTo(Pacing):
    """So many calls under way for each free agent; it writes down what it is told."""

    slope: float = 1.0
    ends: list[End] = field(default_factory=list)
    served_in_time: list[bool] = field(default_factory=list)
    verdicts: list[bool] = field(default_factory=list)
    talks_s: list[float] = field(default_factory=list)
    rests_s: list[float] = field(default_factory=list)

    def decide(self, day: Day) -> int:
        assert day.logged_in == day.free + len(day.talking) + len(day.resting), "agents are somewhere, and once"
        under_way = len(day.dialing) + len(day.analysed)
        return max(0, round(self.slope * (day.free - len(day.waiting))) - under_way)

    def call_ended(self, age_s: float, end: End, known: tuple[str, ...]) -> None:
        assert age_s > 0
        self.ends.append(end)

    def served(self, *, in_time: bool) -> None:
        self.served_in_time.append(in_time)

    def verdict(self, age_s: float, *, person: bool) -> None:
        self.verdicts.append(person)

    def talk_ended(self, age_s: float) -> None:
        self.talks_s.append(age_s)

    def rest_ended(self, age_s: float) -> None:
        self.rests_s.append(age_s)


def day(world: World, pacing: UpTo | OwnPacing, seed: int = 1) -> Record:
    return Day(world, pacing, seed).run()


def own() -> OwnPacing:
    pace = Pace(ring_s=28, patience_s=2, wrap_up_s=20, aim=0.0275, limit=0.03, usual_risk=USUAL_RISK)
    return OwnPacing(Pacer(pace))


# --- what is known beforehand ----------------------------------------------------------------------------------------


def test_one_call_for_each_free_agent_is_as_idle_as_it_must_be() -> None:
    """Between talks an agent waits for as many calls as it takes until a person answers: 74.5 s (progressive.)"""
    record = day(replace(PLAIN, agents=40), UpTo())
    assert record.abandoned == 0
    assert record.utilisation == pytest.approx(170 / (170 + 74.5), abs=0.02)
    idle_s = record.agents_s - record.busy_s
    assert idle_s / record.connected == pytest.approx(74.5, rel=0.08)


def test_nothing_is_lost_on_the_way() -> None:
    told = UpTo(slope=3)
    simulated = Day(PLAIN, told, 1)
    record = simulated.run()
    assert record.dialed == len(told.ends) + len(simulated.dialing)
    assert record.answered == told.ends.count(End.PERSON) - len(simulated.waiting)
    assert told.served_in_time.count(False) == record.abandoned > 0
    assert told.served_in_time.count(True) == record.connected == len(record.waits_s)
    assert max(record.waits_s) <= 2
    assert record.most_calls <= 30


def test_every_way_of_pacing_meets_the_same_contacts_and_talks() -> None:
    first, second = Draws(PLAIN, 7), Draws(PLAIN, 7)
    assert [first.fate(first.contact(), 0) for _ in range(100)] == [
        second.fate(second.contact(), n) for n in range(100)
    ]
    assert [first.handle() for _ in range(50)] == [second.handle() for _ in range(50)]
    other = Draws(PLAIN, 8)
    assert [first.fate(first.contact(), 0) for _ in range(100)] != [other.fate(other.contact(), 0) for _ in range(100)]


def test_the_same_day_is_the_same_again() -> None:
    assert day(PLAIN, UpTo(2)) == day(PLAIN, UpTo(2))


@pytest.mark.parametrize(
    ("law", "mean_s"),
    [
        (Lognormal(150, 1.0), 150),
        (Exponential(60), 60),
        (Mixture(0.6, Exponential(25), Lognormal(330, 1.0)), 147),
        (Nothing(), 0),
    ],
)
def test_talks_last_as_their_law_says(law: Lognormal | Exponential | Mixture | Nothing, mean_s: float) -> None:
    draws = Draws(replace(PLAIN, talk=law), 3)
    assert sum(draws.handle()[0] for _ in range(20_000)) / 20_000 == pytest.approx(mean_s, rel=0.05)


# --- what can happen -------------------------------------------------------------------------------------------------


def test_agents_come_and_go_and_finish_their_talk_first() -> None:
    leaves = tuple((3600.0, -1) for _ in range(8))
    simulated = Day(replace(PLAIN, shift=((600.0, 1), *leaves)), UpTo(), 1)
    record = simulated.run()
    assert simulated.logged_in == 3
    assert record.agents_s == pytest.approx(600 * 10 + 3000 * 11 + 3600 * 3, rel=0.05)


def test_detection_takes_time_and_errs_both_ways() -> None:
    told = UpTo()
    record = day(replace(PLAIN, agents=30, amd=Amd(), talk=Lognormal(150, 0.1)), told)
    assert len(told.verdicts) > 300
    assert 0.01 < record.false_machines / told.verdicts.count(True) < 0.12
    machines = [talk_s for talk_s in told.talks_s if talk_s < 10]
    assert 0.02 < len(machines) / len(told.talks_s) < 0.25


def test_an_agents_telephone_rings_and_it_is_busy_meanwhile() -> None:
    told = UpTo()
    day(replace(PLAIN, handoff_s=3.0, talk=Nothing()), told)
    assert min(told.talks_s) == pytest.approx(3.0)


def test_a_fault_of_the_carrier_ends_every_call_at_once() -> None:
    told, at = UpTo(), count()
    draws = Draws(replace(PLAIN, faults=((100.0, 200.0),)), 1)
    during = [draws.fate(draws.contact(), 150.0) for _ in zip(range(50), at, strict=False)]
    assert {(fate.end, fate.after_s) for fate in during} == {(End.NOBODY, 0.5)}
    assert End.PERSON in {draws.fate(draws.contact(), 250.0).end for _ in range(50)}
    assert day(replace(PLAIN, hours=0.2, faults=((0.0, 1e9),)), told).connected == 0


def test_contacts_may_differ_in_how_likely_they_answer() -> None:
    draws = Draws(replace(PLAIN, spread=1.2), 1)
    answered = sum(draws.fate(draws.contact(), 0).end is End.PERSON for _ in range(5000)) / 5000
    assert 0.25 < answered < 0.36


def test_there_are_no_more_lines_than_there_are() -> None:
    assert day(replace(PLAIN, max_lines=12), UpTo(3)).most_calls <= 12


# --- astdialer in it -------------------------------------------------------------------------------------------------


def test_predictive_keeps_agents_busier_than_one_call_each_within_the_limit() -> None:
    hours = replace(PLAIN, hours=4.0)
    predictive, progressive = day(hours, own()), day(hours, UpTo())
    assert predictive.abandonment < 0.03
    assert predictive.utilisation > progressive.utilisation + 0.1


def test_at_a_cold_start_calls_do_not_flood() -> None:
    cold = day(replace(PLAIN, agents=30, hours=0.2), own())
    assert cold.most_calls < 30 / 0.25, "so many would be placed by one who knows that a quarter answers"


def test_a_carriers_fault_is_no_reason_to_place_thousands() -> None:
    record = day(replace(PLAIN, hours=1.0, faults=((1800.0, 2100.0),)), own())
    assert record.most_calls < 120
    assert record.abandonment < 0.06


# --- the bound -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "most"),
    [
        ({"agents": 5}, 0.836),
        ({"agents": 10}, 0.868),
        ({"agents": 10, "share": 0.5}, 0.901),
        ({"agents": 10, "limit": 0.01}, 0.839),
    ],
)
def test_the_bound_is_that_of_the_reference(known: dict[str, float], most: float) -> None:
    """pacing.md section 3.2 has these, computed by another program."""
    world = Exponentials(**{"agents": 10, **known})  # type: ignore[arg-type]
    assert bound(world) == pytest.approx(most, abs=0.001)


# --- contacts that differ --------------------------------------------------------------------------------------------


def test_a_score_tells_contacts_apart_as_well_as_it_is_said_to() -> None:
    """The chance that of two contacts the one who answers has the higher score: an AUC of about 0.7."""
    draws = Draws(replace(PLAIN, spread=1.2, score_noise=1.106), 3)
    by_answer: dict[bool, list[int]] = {True: [], False: []}
    for _ in range(4000):
        contact = draws.contact()
        person = draws.fate(contact, 0.0).end is End.PERSON
        by_answer[person].append(int(contact.known[0].removeprefix("score ")))
    pairs = [(a > b) + (a == b) / 2 for a in by_answer[True][:300] for b in by_answer[False][:300]]
    assert sum(pairs) / len(pairs) == pytest.approx(0.70, abs=0.04)


def test_with_a_score_agents_are_busier_and_the_same_people_are_called() -> None:
    world = replace(PLAIN, agents=5, hours=6.0, spread=1.5, score_noise=0.3)
    plain, chosen = day(replace(world, score_noise=None), own()), day(world, own())
    assert chosen.utilisation > plain.utilisation + 0.01
    assert chosen.abandonment < 0.035
    assert chosen.answered / chosen.dialed == pytest.approx(plain.answered / plain.dialed, abs=0.03)


# --- laws that were recorded, and who watches ------------------------------------------------------------------------


def test_recorded_times_are_drawn_again() -> None:
    draws = Draws(replace(PLAIN, talk=Empirical((10.0, 20.0, 90.0)), wrap_up=AtMost(15, Empirical((20.0, 5.0)))), 1)
    handled = [draws.handle() for _ in range(3000)]
    assert {talk_s for talk_s, _ in handled} == {10.0, 20.0, 90.0}
    assert sum(talk_s for talk_s, _ in handled) / 3000 == pytest.approx(40, rel=0.05)
    assert {rest_s for _, rest_s in handled} == {15.0, 5.0}


def test_each_end_of_a_call_may_have_its_own_law() -> None:
    law = Ringing(person=Empirical((7.0,)), machine=Empirical((21.0,)), nobody=Empirical((3.0, 30.0)))
    draws = Draws(replace(PLAIN, ringing=law, machines=0.5), 1)
    fates = [draws.fate(draws.contact(), 0) for _ in range(4000)]
    assert {(fate.end, fate.after_s) for fate in fates} == {
        (End.PERSON, 7.0),
        (End.MACHINE, 21.0),
        (End.NOBODY, 3.0),
        (End.NOBODY, 30.0),
    }
    others = [fate.end for fate in fates if fate.end is not End.PERSON]
    assert others.count(End.MACHINE) / len(others) == pytest.approx(0.5, abs=0.03)


def test_who_watches_looks_each_minute_and_changes_nothing() -> None:
    seen: list[tuple[float, int]] = []
    record = Day(PLAIN, UpTo(), 1, watch=lambda day: seen.append((day.now, day.record.dialed))).run()
    assert [now for now, _ in seen] == [60.0 * n for n in range(121)]
    assert seen[-1][1] == record.dialed
    assert record == day(PLAIN, UpTo())
