"""The abandonment rate as the law counts it, and the risk that its windows leave room for."""

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from astdialer.domain.abandonment import USUAL_RISK, Counts, Profile, Tally, Window, risk, spans, tally

COUNTS = Counts(connected=96, abandoned=4, machines=50)


@pytest.mark.parametrize(
    ("profile", "amd", "rate"),
    [
        (Profile.US, True, 4 / 100),
        (Profile.CANADA, False, 4 / 100),
        (Profile.ITALY, False, 4 / 96),
        (Profile.UK, True, (4 + 0.02 * 50) / (100 + 0.02 * 50)),
        (Profile.UK, False, 4 / 100),
    ],
)
def test_each_profile_counts_in_its_own_way(profile: Profile, amd: bool, rate: float) -> None:
    found = tally(profile, COUNTS, amd=amd, false_machines=0.02)
    assert found.rate == pytest.approx(rate)


def test_nobody_has_answered() -> None:
    empty = tally(Profile.UK, Counts(), amd=False)
    assert (empty.rate, empty.at_most()) == (0.0, 1.0)


def test_counts_add_up() -> None:
    both = COUNTS + COUNTS
    assert both == Counts(connected=192, abandoned=8, machines=100)


def test_tallies_add_up() -> None:
    assert Tally(96, 4) + Tally(10, 0.5) == Tally(106, 4.5)


def test_more_may_be_abandoned_than_connected_where_the_others_are_not_counted() -> None:
    found = tally(Profile.ITALY, Counts(connected=1, abandoned=2), amd=False)
    assert found.rate == 2
    assert found.at_most() == pytest.approx(1)
    assert Window(found).room(0.03) == 0


def test_the_upper_bound_is_wilsons() -> None:
    assert Tally(1000, 30).at_most() == pytest.approx(0.04014, abs=1e-4)
    assert Tally(100_000, 3000).at_most() == pytest.approx(0.0309, abs=1e-4)


# --- risk ------------------------------------------------------------------------------------------------------------


def at(answered: float, abandoned: float, dialed_s: float = 0, left_s: float | None = None) -> Window:
    return Window(Tally(answered, abandoned), dialed_s, left_s)


def allowed(*windows: Window) -> float:
    return risk(windows, aim=0.0275)


def test_a_window_that_is_on_its_way_gets_the_usual_risk() -> None:
    assert allowed() == USUAL_RISK
    assert allowed(at(1000, 27.5)) == pytest.approx(USUAL_RISK)
    assert allowed(at(0, 0)) == pytest.approx(USUAL_RISK)


def test_what_is_left_is_used_and_what_was_too_much_is_made_up_for() -> None:
    assert allowed(at(1000, 20)) > 1.2 * USUAL_RISK
    assert allowed(at(1000, 35)) < 0.8 * USUAL_RISK
    assert allowed(at(1000, 80)) < USUAL_RISK / 100


def test_the_strictest_window_counts() -> None:
    assert allowed(at(20_000, 700), at(100, 0)) == allowed(at(20_000, 700))


def test_near_its_end_a_window_is_planned_to_its_end_only() -> None:
    early = allowed(at(500, 15, dialed_s=20_000, left_s=9_000))
    late = allowed(at(500, 15, dialed_s=28_000, left_s=800))
    assert late < early < USUAL_RISK


@given(st.integers(0, 5000), st.integers(0, 5000), st.floats(0, 1e6))
@example(1052, 45, 2144.0)  # what is left comes just below what is left of a window that is spent
def test_one_more_abandoned_person_never_raises_the_risk(answered: int, abandoned: int, left_s: float) -> None:
    abandoned = min(abandoned, answered)
    windows = [at(answered + 1, n, dialed_s=3600, left_s=left_s) for n in (abandoned, abandoned + 1)]
    more, less = (allowed(window) for window in windows)
    assert 0 < less <= more <= 0.6


# --- windows ---------------------------------------------------------------------------------------------------------

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("profile", "first", "begins"),
    [
        (Profile.US, date(2026, 11, 21), [date(2026, 11, 21)] * 2),
        (Profile.US, date(2026, 10, 23), [date(2026, 10, 23), TODAY]),
        (Profile.US, date(2026, 10, 22), [TODAY, TODAY]),
        (Profile.US, date(2026, 1, 1), [date(2026, 10, 28), TODAY]),
        (Profile.ITALY, date(2026, 11, 1), [date(2026, 11, 1), TODAY]),
        (Profile.CANADA, date(2026, 1, 7), [date(2026, 11, 1), TODAY]),
        (Profile.UK, date(2026, 1, 7), [TODAY]),
    ],
)
def test_the_windows_that_a_day_is_in(profile: Profile, first: date, begins: list[date]) -> None:
    """Successive blocks of 30 days from the campaign's first day on, not the last 30; a calendar month; the day."""
    found = spans(profile, first, TODAY)
    assert [span.begins for span in found] == begins
    assert (found[-1].name, found[-1].ends) == ("day", TODAY)
    ends = {Profile.CANADA: date(2026, 11, 30), Profile.UK: TODAY}
    assert found[0].ends == ends.get(profile, begins[0] + timedelta(days=29))


@given(st.integers(0, 5000), st.integers(0, 300))
def test_the_room_of_a_window_is_what_may_still_be_abandoned_and_no_more(connected: int, abandoned: int) -> None:
    window = Window(Tally(connected + abandoned, abandoned))
    room = window.room(0.03)
    answered = connected + abandoned
    assert room == 0 or Tally(answered, abandoned + room).rate <= 0.03 + 1e-9
    assert answered == 0 or Tally(answered, abandoned + room + 1).rate > 0.03 - 1e-9


def test_what_is_left_of_a_window_is_known_by_its_pace_and_by_the_list() -> None:
    assert Window(Tally(95, 1)).answers_left is None
    assert Window(Tally(95, 1), dialed_s=3540, left_s=1800).answers_left == pytest.approx(50)
    assert Window(Tally(95, 1), dialed_s=3540, left_s=1800, in_list=12.0).answers_left == 12
    assert Window(Tally(95, 1), in_list=0.0).answers_left == 0


@pytest.mark.parametrize(
    ("abandoned", "left", "spent"),
    [(6, None, False), (9, None, True), (6, 0.0, True), (6, 10.0, False), (7, 10.0, True), (7, 100.0, False)],
)
def test_a_window_is_spent_beyond_chance_or_beyond_what_can_be_made_up(
    abandoned: int, left: float | None, spent: bool
) -> None:
    """Of 200 answers six are 3 %, and chance makes 2.4 more of it; ten further answers let 0.3 more."""
    assert Window(Tally(200, abandoned), in_list=left).is_spent(0.03) is spent
