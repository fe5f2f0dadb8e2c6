"""A trunk that can make no channel rests, and does not burn the base."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.attempt import Attempt, State
from astdialer.engine.trouble import LONGEST_PAUSE_S, NO_CHANNEL_STREAK, REFUSED_PAUSE_S, Trouble

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


@given(st.integers(1, 60))
def test_no_rest_is_longer_than_the_longest(failures: int) -> None:
    trouble = Trouble()
    for _ in range(failures):
        trouble.ended(NO_CHANNEL, NOW)
    found = trouble.of(1, "t", NOW)
    assert found is None or found[0] <= NOW + LONGEST_PAUSE_S * 1000
