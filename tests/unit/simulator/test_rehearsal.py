"""Rehearsals against what is known beforehand."""

import math
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorded import cdrs

from astdialer.domain.abandonment import Counts, Profile, Tally, tally
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.limit import Limit
from astdialer.domain.pacer import Pacer
from astdialer.domain.settings import Mode, Settings
from astdialer.domain.trunk import CallRate
from astdialer.engine.legalcount import LegalCount
from astdialer.simulator.callers import Callers, Stated, callers
from astdialer.simulator.day import Day
from astdialer.simulator.history import history
from astdialer.simulator.picture import chart, charts, write_png
from astdialer.simulator.rehearsal import CampaignPacing, Figures, Plan, Step, rehearse, world
from astdialer.simulator.scope import MODES
from astdialer.simulator.world import Draws, End

SETTINGS = Settings(wrap_up_s=20, max_calls=1000)
NOTHING = Stated()


def plan(settings: Settings = SETTINGS, stated: Stated = NOTHING, **given: object) -> Plan:
    usual: dict[str, object] = {"agents": 10, "hours": 1.0, "days": 1}
    return Plan(settings=settings, callers=callers(settings, stated), **{**usual, **given})  # type: ignore[arg-type]


def one(of: Plan, mode: Mode = Mode.PROGRESSIVE) -> Figures:
    return rehearse(of, [mode])[0]


# --- what is known beforehand ----------------------------------------------------------------------------------------


def test_progressive_agents_are_as_idle_as_the_calls_to_a_talk_take() -> None:
    """Three of four calls fail, 5 of 13 of those after 5.5 s and the rest after 30 s; then a person answers."""
    idle_s = 3 * (5 / 13 * 5.5 + 8 / 13 * 30) + 11.5
    found = one(plan(agents=40, hours=4.0))
    assert found.busy == pytest.approx(170 / (170 + idle_s), abs=0.02)
    assert found.talks_per_agent_hour == pytest.approx(3600 / (170 + idle_s), rel=0.04)
    assert found.calls_per_talk == pytest.approx(4, rel=0.06)
    assert (found.abandoned, found.days_above_limit, found.wait_mean_s) == (0, 0, 0)
    assert found.lines_most == 40
    assert 35 < found.lines_mean < 38  # nobody rests in a call


def test_predictive_keeps_agents_busier_and_uses_more_lines() -> None:
    progressive, predictive = rehearse(plan(hours=1.5), [Mode.PROGRESSIVE, Mode.PREDICTIVE])
    assert predictive.busy > progressive.busy + 0.05
    assert 0 < predictive.abandoned < 0.08
    assert predictive.lines_most > progressive.lines_most == 10


def test_power_places_its_lines_for_each_free_agent() -> None:
    found = one(plan(replace(SETTINGS, lines_per_agent=3.0)), Mode.POWER)
    assert found.lines_most >= 30
    assert found.abandoned > 0


def test_the_same_seed_gives_the_same_figures() -> None:
    assert one(plan(seed=4)) == one(plan(seed=4))
    assert one(plan(seed=4)).busy != one(plan(seed=5)).busy


def test_days_differ_and_the_interval_says_how_much() -> None:
    found = one(plan(replace(SETTINGS, lines_per_agent=3.0), days=3), Mode.POWER)
    assert found.abandoned_low is not None
    assert found.abandoned_high is not None
    assert found.abandoned_low < found.abandoned < found.abandoned_high
    assert found.days_above_limit == 3
    assert one(plan()).abandoned_low is None


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({"settings": replace(SETTINGS, max_calls=7)}, Limit.CAMPAIGN_FULL),
        ({"lines": 7}, Limit.TRUNK_FULL),
    ],
    ids=["campaign", "trunk"],
)
def test_lines_are_not_exceeded_and_the_limit_is_told(given: dict[str, object], limit: Limit) -> None:
    found = one(plan(**given))  # type: ignore[arg-type]
    assert found.lines_most == 7
    assert next(iter(found.binds)) == limit


@pytest.mark.parametrize("per_second", [0.1, 0.5])
def test_a_trunks_rate_is_kept_over_time(per_second: float) -> None:
    found = one(plan(agents=40, calls_per_second=per_second))
    calls = (found.calls_per_talk or 0) * found.talks_per_agent_hour * 40
    assert calls == pytest.approx(3600 * per_second, rel=0.05)
    assert next(iter(found.binds)) == Limit.TRUNK_RATE


# --- the list --------------------------------------------------------------------------------------------------------


def test_a_list_that_ends_tells_when() -> None:
    """The last talk may be a long one."""
    found = one(plan(calls=800, hours=4.0))
    assert found.calls_per_talk is not None
    least = 800 / (found.calls_per_talk * found.talks_per_agent_hour * 10)
    assert least <= (found.hours_to_finish or 0) < least + 0.5
    assert found.contacts_left == 0


def test_of_a_list_that_does_not_end_it_tells_what_is_left() -> None:
    found = one(plan(stated=Stated(attempts=2.0), calls=8000))
    assert found.hours_to_finish is None
    assert found.contacts_left is not None
    assert 3500 < found.contacts_left < 4000
    assert found.days_to_finish == pytest.approx(4000 / (4000 - found.contacts_left), rel=0.01)


def test_a_list_without_end_takes_no_time() -> None:
    found = one(plan())
    assert (found.hours_to_finish, found.contacts_left, found.days_to_finish) == (None, None, None)


# --- callers ---------------------------------------------------------------------------------------------------------


def ends(who: Callers, settings: Settings = SETTINGS) -> dict[End, float]:
    draws = Draws(world(replace(plan(settings), callers=who)), 1)
    drawn = [draws.fate(draws.contact(), 0).end for _ in range(8000)]
    return {end: drawn.count(end) / len(drawn) for end in End}


def test_what_is_stated_is_reckoned_with() -> None:
    who = callers(SETTINGS, Stated(answer_rate=10, machines=50, talk_s=33, ring_s=9, attempts=1.5))
    assert ends(who)[End.PERSON] == pytest.approx(0.10, abs=0.01)
    assert ends(who)[End.MACHINE] == pytest.approx(0.45, abs=0.02)
    said = {one.source: one.value for one in who.assumptions if one.source.startswith("--")}
    assert said == {"--answer-rate": 10, "--machines": 50, "--talk": 33, "--ring": 9, "--attempts": 1.5}


def test_what_is_assumed_says_how_to_say_otherwise() -> None:
    sources = [one.source for one in callers(SETTINGS, NOTHING).assumptions]
    for option in ("--answer-rate", "--machines", "--talk", "--ring", "--attempts"):
        assert f"assumed; say {option}" in sources


def test_nobody_rings_longer_than_the_campaign_lets_it() -> None:
    settings = replace(SETTINGS, originate_timeout_s=12, min_ring_s=0)
    for who in (callers(settings, Stated(machines=40)), callers(settings, NOTHING, history("sales", cdrs(500)))):
        draws = Draws(world(replace(plan(settings), callers=who)), 1)
        assert max(draws.fate(draws.contact(), 0).after_s for _ in range(3000)) == 12


def test_people_can_t_answer_later_than_it_rings() -> None:
    with pytest.raises(InvalidSetting, match=r"--ring = 40.* less than the 30 s"):
        callers(SETTINGS, Stated(ring_s=40))


def test_recorded_callers_are_met_again() -> None:
    settings = replace(SETTINGS, amd=True)
    recorded = history("sales", cdrs(4000, machines=0.2))
    who = callers(settings, NOTHING, recorded)
    assert ends(who, settings)[End.PERSON] == pytest.approx(recorded.answer_rate / 100, abs=0.015)
    assert ends(who, settings)[End.MACHINE] == pytest.approx(0.7 * recorded.machines / 100, abs=0.015)
    assert who.handoff_s == 0  # all of the wait was detection
    assert who.amd is not None
    assert (who.amd.takes_s, who.amd.person_as_machine, who.amd.machine_as_person) == (3.0, 0, 0)
    assert {one.source for one in who.assumptions} == {"recorded"}


def test_what_is_stated_goes_before_what_is_recorded() -> None:
    who = callers(SETTINGS, Stated(answer_rate=50), history("sales", cdrs(1000)))
    assert who.share == 0.5
    assert [one.source for one in who.assumptions].count("recorded") >= 4


def test_without_detection_machines_take_agents() -> None:
    without, with_amd = (one(plan(replace(SETTINGS, amd=amd), Stated(machines=40), agents=20)) for amd in (False, True))
    assert without.talks_per_agent_hour > 1.3 * with_amd.talks_per_agent_hour  # most of it machines
    assert callers(SETTINGS, NOTHING).amd is None


def test_amd_s_own_test_says_how_many_people_it_takes_for_machines() -> None:
    settings = replace(SETTINGS, amd=True, amd_false_machines=10)
    amd = callers(settings, Stated(answer_rate=20, machines=50)).amd
    assert amd is not None
    judged_people, judged_machines = 0.2 * amd.person_as_machine, 0.8 * 0.5 * (1 - amd.machine_as_person)
    assert judged_people / (judged_people + judged_machines) == pytest.approx(0.10)


# --- windows of the law ----------------------------------------------------------------------------------------------


def pacing(settings: Settings, block: Tally) -> CampaignPacing:
    return CampaignPacing(Pacer(settings.pace), block, settings=settings, rate=CallRate(5))


@pytest.mark.parametrize(
    ("profile", "answered"),
    [(Profile.US, [1000, 0]), (Profile.ITALY, [1000, 0]), (Profile.CANADA, [1000, 0]), (Profile.UK, [0])],
)
def test_each_profile_has_its_windows(profile: Profile, answered: list[int]) -> None:
    used = pacing(replace(SETTINGS, abandonment_profile=profile), Tally(1000, 30))
    windows = used.windows(Day(world(plan()), used, 1))
    assert [window.tally.answered for window in windows] == answered


@pytest.mark.parametrize("profile", Profile)
def test_windows_count_what_those_of_the_engine_count(profile: Profile) -> None:
    settings = replace(SETTINGS, abandonment_profile=profile, amd=True, amd_false_machines=2)
    before = {Disposition.ANSWERED: 970, Disposition.ABANDONED: 30, Disposition.MACHINE: 400}
    today = {Disposition.ANSWERED: 60, Disposition.ABANDONED: 2, Disposition.MACHINE: 50}
    rows = [{"day": "2026-09-21", "disposition": how, "n": n} for how, n in before.items()]
    rows += [{"day": "2026-09-22", "disposition": how, "n": n} for how, n in today.items()]
    noon = int(datetime(2026, 9, 22, 12, tzinfo=UTC).timestamp()) * 1000
    of_engine = LegalCount(rows).windows(settings, "UTC", noon, 0)

    counts = Counts(connected=970, abandoned=30, machines=400)
    used = pacing(settings, tally(profile, counts, amd=True, false_machines=0.02))
    used.machines, day = 50, Day(world(plan()), used, 1)
    day.record.connected, day.record.abandoned = 60, 2
    assert [window.tally for window in used.windows(day)] == [window.tally for window in of_engine]


@pytest.mark.parametrize(("eternal", "calls", "in_list"), [(False, 800, 160), (True, 800, None), (False, None, None)])
def test_the_end_of_the_list_is_in_the_windows(eternal: bool, calls: int | None, in_list: float | None) -> None:
    """A fifth of the calls is assumed to be answered."""
    used = pacing(replace(SETTINGS, eternal_queue=eternal), Tally(1000, 30))
    windows = used.windows(Day(world(plan(calls=calls)), used, 1))
    assert [window.in_list for window in windows] == [in_list, in_list]


def test_what_the_law_s_window_has_used_up_can_t_be_used_again() -> None:
    fresh, spent = (one(plan(block=Tally(5000, n)), Mode.PREDICTIVE) for n in (0, 400))
    assert spent.abandoned < 0.01 < fresh.abandoned
    assert Limit.ABANDONMENT in spent.binds


# --- to look at ------------------------------------------------------------------------------------------------------


def test_the_charts_show_both_shares_of_each_mode() -> None:
    drawn = charts(rehearse(plan(hours=0.5), MODES), 200)
    for mode in MODES:
        assert f"{mode.value}: agents busy, %" in drawn
        assert f"{mode.value}: abandoned so far that day, %" in drawn
    assert "█" in drawn
    assert max(map(len, drawn.splitlines())) <= 200
    assert max(map(len, charts(rehearse(plan(hours=0.5), MODES), 80).splitlines())) <= 80


@pytest.mark.parametrize(
    ("hours", "below"),
    [([0.25, 0.5], "        0.5 h"), ([0.5, 1.0, 1.5, 2.0], "        1 2 h"), ([9.0, 10.0, 11.0], "       9 11 h")],
    ids=["the end", "whole hours", "no room"],
)
def test_hours_stand_below_their_columns(hours: list[float], below: str) -> None:
    steps = [Step(hour=hour, busy=0.5, abandoned=0.0, lines=1.0) for hour in hours]
    drawn = chart("title", [0.5 for _ in steps], 1.0, steps)
    assert drawn[-1] == below
    assert drawn[3].endswith("█" * len(steps))


def test_a_scale_ends_above_what_it_shows() -> None:
    found = one(plan(replace(SETTINGS, lines_per_agent=4.0), hours=0.5), Mode.POWER)
    assert max(step.abandoned for step in found.steps) > 0.04
    top = max(int(number) for number in re.findall(r"^ +(\d+) ┤", charts([found], 80).partition("abandoned")[2], re.M))
    assert top >= 100 * max(step.abandoned for step in found.steps)


def test_steps_add_up_to_the_day() -> None:
    found = one(plan(hours=2.0))
    assert math.fsum(step.busy for step in found.steps) / len(found.steps) == pytest.approx(found.busy, abs=0.01)
    assert found.steps[-1].hour == 2
    assert all(set(asdict(step)) == {"hour", "busy", "abandoned", "lines"} for step in found.steps)


def test_a_picture_is_a_png(tmp_path: Path) -> None:
    write_png(tmp_path / "p.png", "sales $1$", rehearse(plan(hours=0.5), MODES))
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
