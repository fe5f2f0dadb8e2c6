"""A trunk that can make no channel, or answers with congestion, rests, and does not burn the base."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.attempt import Attempt, State
from astdialer.engine.trouble import CONGESTION_STREAK, LONGEST_PAUSE_S, NO_CHANNEL_STREAK, REFUSED_PAUSE_S, Trouble

NOW = 1_800_000_000_000
NO_CHANNEL = Attempt(
    id="a",
    campaign_id=1,
    contact_id=1,
    number_id=1,
    number="+34600000001",
    trunk="t",
    server="default",
    created_at=NOW,
    state=State.DIALING,
    originate_success=False,
)
BUSY = dataclasses.replace(NO_CHANNEL, channel="PJSIP/t-1", cause=17)
CONGESTED = dataclasses.replace(BUSY, cause=34, sip_code=503)


def test_the_first_failures_are_the_numbers_own_then_the_trunk_rests_ever_longer() -> None:
    trouble = Trouble()
    assert [trouble.ended(NO_CHANNEL, NOW) for _ in range(NO_CHANNEL_STREAK + 1)] == [True, True, False, False]
    found = trouble.of(9, "t", NOW)
    assert found is not None
    assert found[0] == NOW + int(REFUSED_PAUSE_S * 2) * 1000
    assert "no channel on trunk t" in found[1]
    assert trouble.of(9, "other", NOW) is None
    assert trouble.of(9, "t", found[0]) is None


@pytest.mark.parametrize("ending", [BUSY, dataclasses.replace(NO_CHANNEL, vanished=True)])
def test_one_call_that_came_through_ends_the_streak(ending: Attempt) -> None:
    trouble = Trouble()
    for _ in range(5):
        assert [trouble.ended(NO_CHANNEL, NOW) for _ in range(NO_CHANNEL_STREAK - 1)] == [True, True]
        assert trouble.ended(ending, NOW)
    assert trouble.of(1, "t", NOW) is None


def test_a_refusal_is_the_campaigns_and_costs_a_try_only_where_the_data_is_at_fault() -> None:
    trouble = Trouble()
    trouble.refused(1, "Extension does not exist.", NOW)
    assert trouble.of(1, "t", NOW + 9_999) == (NOW + 10_000, "Extension does not exist.")
    assert trouble.of(2, "t", NOW) is None
    assert trouble.ended(dataclasses.replace(NO_CHANNEL, refusal="too long"), NOW)
    assert not trouble.ended(dataclasses.replace(NO_CHANNEL, refusal="no link", uncounted=True), NOW)


@given(st.integers(1, 60) | st.just(3000), st.sampled_from([NO_CHANNEL, CONGESTED]))
def test_no_rest_is_longer_than_the_longest(failures: int, failure: Attempt) -> None:
    trouble = Trouble()
    for _ in range(failures):
        trouble.ended(failure, NOW)
    found = trouble.of(1, "t", NOW)
    assert found is None or found[0] <= NOW + LONGEST_PAUSE_S * 1000


def rests_s(trouble: Trouble, now: int) -> float | None:
    found = trouble.trunk("t", now)
    return (found[0] - now) / 1000 if found else None


def congest(trouble: Trouble, now: int, ending: Attempt = CONGESTED, times: int = CONGESTION_STREAK) -> list[bool]:
    """Calls that are claimed and over at once."""
    return [trouble.ended(dataclasses.replace(ending, created_at=now), now) for _ in range(times)]


@pytest.mark.parametrize(
    "facts",
    [
        {"cause": 34, "sip_code": 503},
        {"cause": 127, "sip_code": 503},
        {"sip_code": 0, "cause": 42},
        {"channel": "Local/1@out-1;1", "cause": 0, "sip_code": 0, "leg_sip_code": 503},
        {"channel": "Local/1@out-1;1", "cause": 16, "sip_code": 0, "leg_cause": 34},
        {"cause": 0, "sip_code": 0, "dial_status": "CONGESTION"},
        {"cause": 0, "sip_code": 0, "leg_dial_status": "CONGESTION"},
    ],
)
def test_a_trunk_that_answers_with_congestion_several_times_in_a_row_rests(facts: dict[str, Any]) -> None:
    trouble, ending = Trouble(), dataclasses.replace(CONGESTED, **facts)
    assert congest(trouble, NOW, ending, CONGESTION_STREAK - 1) == [True] * (CONGESTION_STREAK - 1)
    assert trouble.trunk("t", NOW) is None
    assert congest(trouble, NOW, ending, 1) == [True], "it costs a try, or it would be called for ever"
    assert rests_s(trouble, NOW) == REFUSED_PAUSE_S
    found = trouble.of(1, "t", NOW)
    assert found is not None
    assert "trunk t answers with congestion" in found[1]
    assert trouble.trunk("other", NOW) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"cause": 17, "sip_code": 486},
        {"cause": 41, "sip_code": 500},
        {"cause": 17, "sip_code": 0, "dial_status": "CONGESTION"},
        {"ringing_at": NOW},
        {"answered_at": NOW},
        {"vanished": True},
        {"canceled": True, "ringing_at": NOW},
    ],
)
def test_any_other_fate_ends_the_streak(facts: dict[str, Any]) -> None:
    trouble = Trouble()
    for _ in range(3):
        congest(trouble, NOW, times=CONGESTION_STREAK - 1)
        assert congest(trouble, NOW, dataclasses.replace(CONGESTED, **facts), 1) == [True]
    assert trouble.trunk("t", NOW) is None


def test_a_call_that_we_took_back_says_nothing_about_the_trunk() -> None:
    trouble = Trouble()
    congest(trouble, NOW, times=CONGESTION_STREAK - 1)
    congest(trouble, NOW, dataclasses.replace(CONGESTED, canceled=True), 5)
    assert trouble.trunk("t", NOW) is None
    congest(trouble, NOW, times=1)
    assert rests_s(trouble, NOW) == REFUSED_PAUSE_S


def test_each_congestion_after_a_rest_makes_the_next_one_twice_as_long_until_a_call_comes_through() -> None:
    trouble, now, rests = Trouble(), NOW, []
    congest(trouble, now, times=CONGESTION_STREAK - 1)
    for _ in range(7):
        congest(trouble, now, times=1)
        rests.append(rests_s(trouble, now))
        assert not trouble.is_on_probation("t", now)
        now += int((rests_s(trouble, now) or 0) * 1000)
        assert trouble.trunk("t", now) is None, "it comes back by itself"
        assert trouble.is_on_probation("t", now)
    assert rests == [10, 20, 40, 80, 160, 300, 300]
    congest(trouble, now, dataclasses.replace(BUSY), 1)
    assert not trouble.is_on_probation("t", now)
    congest(trouble, now)
    assert rests_s(trouble, now) == REFUSED_PAUSE_S


@pytest.mark.parametrize("ending", [CONGESTED, BUSY, NO_CHANNEL, dataclasses.replace(BUSY, answered_at=NOW)])
def test_calls_from_before_a_rest_neither_lengthen_nor_end_it(ending: Attempt) -> None:
    trouble = Trouble()
    congest(trouble, NOW)
    counted = [trouble.ended(dataclasses.replace(ending, created_at=NOW - 1), NOW + 500) for _ in range(30)]
    assert counted == [ending is not NO_CHANNEL] * 30
    assert rests_s(trouble, NOW) == REFUSED_PAUSE_S
    congest(trouble, NOW + 10_000, times=1)
    assert rests_s(trouble, NOW + 10_000) == REFUSED_PAUSE_S * 2


def test_calls_without_a_channel_and_congested_ones_count_together() -> None:
    trouble = Trouble()
    congest(trouble, NOW, times=CONGESTION_STREAK - 1)
    assert congest(trouble, NOW, NO_CHANNEL, 1) == [False]
    assert rests_s(trouble, NOW) == REFUSED_PAUSE_S


def test_a_trunks_trouble_and_a_campaigns_are_asked_for_apart_or_together() -> None:
    trouble = Trouble()
    trouble.refused(1, "Permission denied.", NOW)
    congest(trouble, NOW)
    assert trouble.campaign(1, NOW) == (NOW + 10_000, "Permission denied.")
    assert trouble.campaign(2, NOW) is None
    assert trouble.of(1, "t", NOW) == trouble.campaign(1, NOW)
    assert trouble.of(2, "t", NOW) == trouble.trunk("t", NOW) is not None
    assert trouble.of(2, "other", NOW) is None
    assert not trouble.is_on_probation("other", NOW)
    assert trouble.of(1, "t", NOW + 10_000) is None
