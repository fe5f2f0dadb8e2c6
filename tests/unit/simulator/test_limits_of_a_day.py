"""What ends a simulated day early or holds its calls back, and what its record says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from astdialer.simulator.day import Day, Pacing, Record
from astdialer.simulator.world import End, Exponential, Nothing, World

PLAIN = World(agents=10, share=lambda _: 0.25, hours=2.0)


@dataclass
class UpTo(Pacing):
    """So many calls under way for each free agent; at each decision it writes down when, and how many were placed."""

    slope: float = 3.0

    def __post_init__(self) -> None:
        self.dialed_at: list[tuple[float, int]] = []
        self.failed_s: list[float] = []
        self.answers_seen = self._answers = 0

    def decide(self, day: Day) -> int:
        self.answers_seen = self._answers
        self.dialed_at.append((day.now, day.record.dialed))
        under_way = len(day.dialing) + len(day.analysed)
        return max(0, round(self.slope * (day.free - len(day.waiting))) - under_way)

    def call_ended(self, age_s: float, end: End, known: tuple[str, ...]) -> None:
        self._answers += end is End.PERSON
        if end is End.NOBODY:
            self.failed_s.append(age_s)

    def served(self, *, in_time: bool) -> None: ...
    def verdict(self, age_s: float, *, person: bool) -> None: ...
    def talk_ended(self, age_s: float) -> None: ...
    def rest_ended(self, age_s: float) -> None: ...


# --- the end of the dialing ------------------------------------------------------------------------------------------


def test_a_list_is_dialed_to_its_end_and_the_last_talk_is_waited_for() -> None:
    pacing = UpTo()
    simulated = Day(replace(PLAIN, contacts=400), pacing, 1)
    record = simulated.run()
    assert record.dialed == 400
    assert simulated.dialing == simulated.waiting == simulated.talking == {}
    assert 0 < record.dialing_ended_s < record.ended_s < simulated.world.ends_s
    assert pacing.dialed_at[-1][0] == record.dialing_ended_s, "nobody is asked for calls that can't be placed"


def test_agents_time_does_not_count_when_nobody_is_left_to_call() -> None:
    record = Day(replace(PLAIN, contacts=400), UpTo(), 1).run()
    assert record.agents_s == pytest.approx(10 * record.dialing_ended_s)
    assert sum(record.idle_s) <= record.agents_s - record.busy_s + 0.001


def test_a_list_that_is_too_long_for_the_day_ends_with_the_day() -> None:
    limited, plain = (Day(replace(PLAIN, contacts=contacts), UpTo(), 1).run() for contacts in (1_000_000, None))
    assert limited == plain
    assert plain.dialing_ended_s == plain.ended_s == 7200


def test_dialing_ends_at_the_last_answer_that_is_wanted_and_calls_under_way_go_on() -> None:
    simulated = Day(replace(PLAIN, answers=100), UpTo(), 1)
    record = simulated.run()
    under_way_at_most = 3 * 10
    assert 100 <= record.answered <= 100 + under_way_at_most
    assert record.dialing_ended_s < record.ended_s
    assert not simulated.dialing


@pytest.mark.parametrize("answers", [1, 2, 3, 4])
def test_people_who_wait_have_answered(answers: int) -> None:
    pacing = UpTo(slope=8)
    Day(replace(PLAIN, agents=1, answers=answers), pacing, 1).run()
    assert pacing.answers_seen == answers - 1, "nobody is called after the last one has answered"


# --- what holds calls back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_second_has_more_calls_than_the_carrier_takes(limit: int) -> None:
    pacing = UpTo()
    Day(replace(PLAIN, agents=50, hours=0.1, calls_per_second=limit), pacing, 1).run()
    decided = zip(pacing.dialed_at, pacing.dialed_at[1:], strict=False)
    starts = [at for (at, before), (_, after) in decided for _ in range(after - before)]
    assert all(later - earlier >= 1 for earlier, later in zip(starts, starts[limit:], strict=False))
    assert sum(at < 20 for at in starts) == 20 * limit, "it takes longer than that to call enough people for 50 agents"


def test_a_faults_failures_are_seen_late() -> None:
    faulty = replace(PLAIN, hours=0.1, faults=((0.0, 1e9),))
    at_once, late = UpTo(), UpTo()
    dialed = [Day(replace(faulty, lag_s=lag_s), way, 1).run().dialed for lag_s, way in ((0, at_once), (10, late))]
    assert set(map(round, at_once.failed_s)) <= {0, 1}
    assert {round(age_s, 6) for age_s in late.failed_s} == {10.5}
    assert dialed[1] < dialed[0] / 5, "calls that seem to be under way hold others back"


# --- the record ------------------------------------------------------------------------------------------------------


def test_the_longest_idle_agent_gets_the_next_person() -> None:
    """Talks of 1 s and no rest: were the same agent taken again and again, its idle spans would be short."""
    world = replace(PLAIN, talk=Exponential(1), wrap_up=Nothing())
    record = Day(world, UpTo(1), 1).run()
    idle_s = (record.agents_s - record.busy_s) / record.connected
    assert record.idle_per_connect_s == idle_s
    assert sum(record.idle_s) / len(record.idle_s) == pytest.approx(idle_s, rel=0.05)
    assert idle_s < record.idle_within_s(0.9) < 2 * idle_s


def test_talks_and_rests_add_up_to_the_busy_time() -> None:
    record = Day(replace(PLAIN, wrap_up=Exponential(50)), UpTo(), 1).run()
    rests_s = record.busy_s - record.talk_s
    assert rests_s / record.connected == pytest.approx(50, rel=0.15)
    assert 0 < record.talk_share < record.utilisation
    restless = Day(replace(PLAIN, wrap_up=Nothing()), UpTo(), 1).run()
    assert restless.talk_s == pytest.approx(restless.busy_s)


def test_the_record_of_abandoned_people_is_in_their_order() -> None:
    record = Record(connected=150, abandoned=10, lost=bytearray([0] * 100 + [1] * 4 + [0, 0] + [1] * 6 + [0] * 48))
    assert record.most_lost_in_a_row == 6
    assert record.worst_abandonment == 0.10
    assert record.abandonment == 10 / 160
    spread = Record(connected=190, abandoned=10, lost=bytearray([1, *[0] * 19] * 10))
    assert spread.worst_abandonment == 0.05
    assert spread.most_lost_in_a_row == 1
    assert Record(connected=1, abandoned=1, lost=bytearray([1, 0])).worst_abandonment == 0.5
    assert Record().most_lost_in_a_row == 0


def test_every_person_is_in_the_record_once() -> None:
    record = Day(PLAIN, UpTo(4), 1).run()
    assert len(record.lost) == record.answered
    assert sum(record.lost) == record.abandoned > 0


def test_waits_are_summed_up() -> None:
    record = Record(waits_s=[0.0] * 90 + [0.6, 0.8] * 5)
    assert record.waited_over(0.5) == 0.1
    assert record.waited_within_s(0.5) == 0
    assert 0.6 <= record.waited_within_s(0.95) <= 0.8
    assert Record().waited_within_s(0.95) == Record().waited_over(0.5) == 0


def test_decisions_are_timed_only_if_asked_for_and_the_day_stays_the_same() -> None:
    short = replace(PLAIN, hours=0.2)
    timed, plain = Day(short, UpTo(), 1, timed=True).run(), Day(short, UpTo(), 1).run()
    assert plain.ms_per_decision == plain.decisions == 0
    assert timed.decisions > 720
    assert 0 < timed.ms_per_decision < 5
    assert timed.waits_s == plain.waits_s
