"""Agent status 0 to 9."""

import dataclasses

import pytest

from astdialer.domain.agent import AgentStatus, QueueMember

S = AgentStatus
IDLE = QueueMember(server="default", queue="sales", interface="PJSIP/1", name="Ana", status=S.NOT_INUSE)
AFTER_TALK = dataclasses.replace(IDLE, last_call_at=10_000)


def test_the_codes_are_asterisks_and_nine_is_ours() -> None:
    assert [status.value for status in S] == list(range(10))
    assert S(9) is S.WRAPUP


@pytest.mark.parametrize("status", [s for s in S if s not in (S.UNKNOWN, S.NOT_INUSE, S.WRAPUP)])
def test_only_an_idle_agent_is_in_wrap_up(status: AgentStatus) -> None:
    assert dataclasses.replace(AFTER_TALK, status=status).status_at(10_001, 30) is status


def test_wrap_up_ends_by_the_clock() -> None:
    assert AFTER_TALK.status_at(19_999, 10) is S.WRAPUP
    assert not AFTER_TALK.is_free(19_999, 10)
    assert AFTER_TALK.status_at(20_000, 10) is S.NOT_INUSE
    assert AFTER_TALK.is_free(20_000, 10)


def test_the_members_own_wrap_up_goes_before_the_campaigns() -> None:
    assert dataclasses.replace(AFTER_TALK, wrap_up_s=3).wrap_up_until(10) == 13_000


def test_an_agent_that_never_talked_has_no_wrap_up() -> None:
    assert IDLE.wrap_up_until(30) == 0
    assert IDLE.is_free(1, 30)


@pytest.mark.parametrize("change", [{"paused": True}, {"in_call": True}, {"status": S.RINGING}, {"status": S.UNKNOWN}])
def test_who_is_not_free(change: dict[str, object]) -> None:
    assert not dataclasses.replace(IDLE, **change).is_free(1, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"paused": True}, {"in_call": True}])
def test_a_paused_or_talking_agent_keeps_its_status(change: dict[str, object]) -> None:
    member = dataclasses.replace(AFTER_TALK, **change)  # type: ignore[arg-type]
    assert member.status_at(10_001, 30) is S.NOT_INUSE


def test_a_talk_that_ended_is_counted() -> None:
    after = dataclasses.replace(IDLE, in_call=True).talk_ended(77)
    assert (after.in_call, after.last_call_at, after.calls_taken) == (False, 77, 1)


@pytest.mark.parametrize(
    ("paused", "reason", "by_us", "away"),
    [
        (False, "", False, False),
        (False, "astdialer: reserved", False, False),
        (True, "astdialer: reserved", True, False),
        (True, "lunch", False, True),
        (True, "", False, True),
    ],
)
def test_an_agent_whom_we_hold_back_is_not_away(paused: bool, reason: str, by_us: bool, away: bool) -> None:
    member = dataclasses.replace(IDLE, paused=paused, pause_reason=reason)
    assert (member.is_paused_by_us, member.is_away) == (by_us, away)
    assert member.is_free(1, 0) is not paused


def test_an_agent_whom_we_hold_back_is_still_in_wrap_up() -> None:
    held = dataclasses.replace(AFTER_TALK, paused=True, pause_reason="astdialer: wrap-up")
    assert held.status_at(10_001, 30) is S.WRAPUP
