"""Which webhook is told of what, and when a message is sent again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from astdialer.domain.hooks import (
    FORM_KINDS,
    KINDS,
    LIFETIME_S,
    PAUSES_S,
    RESTS_S,
    Event,
    Form,
    Webhook,
    covers,
    rest_s,
    retry_at,
)


def event(kind: str = "attempt.closed", campaign_id: int | None = 1, number: int = 5) -> Event:
    return Event(id=number, at=0, kind=kind, campaign_id=campaign_id, contact_id=None, attempt_id="", body={})


def webhook(**values: Any) -> Webhook:
    known: dict[str, Any] = {"id": "w", "url": "http://x", "secret": "s"}
    return Webhook(**known | values)


@pytest.mark.parametrize(
    ("wanted", "kind", "taken"),
    [
        (["*"], "attempt.closed", True),
        (["attempt.closed"], "attempt.closed", True),
        (["attempt.closed"], "attempt.dialed", False),
        (["attempt.*"], "attempt.dialed", True),
        (["attempt.*"], "attempts", False),
        (["contact.*", "attempt.closed"], "attempt.closed", True),
        (["attempt"], "attempt.closed", False),
        ([], "attempt.closed", False),
    ],
)
def test_a_filter_takes_a_kind(wanted: list[str], kind: str, taken: bool) -> None:
    assert covers(wanted, kind) is taken


def test_a_webhook_of_every_campaign_is_told_of_each() -> None:
    assert webhook().wants(event(), "")
    assert webhook().wants(event(campaign_id=2), "a")
    assert webhook().wants(event(campaign_id=None), "")


def test_a_campaigns_webhook_is_told_of_that_campaign_alone() -> None:
    assert webhook(campaign_id=1).wants(event(), "a")
    assert not webhook(campaign_id=1).wants(event(campaign_id=2), "a")
    assert not webhook(campaign_id=1).wants(event(campaign_id=None), "")


def test_a_tenants_webhook_is_told_of_its_campaigns_alone() -> None:
    assert webhook(tenant="a").wants(event(), "a")
    assert not webhook(tenant="a").wants(event(), "b")
    assert not webhook(tenant="a").wants(event(), "")


def test_a_webhook_is_told_of_the_kinds_it_wants_while_it_is_enabled() -> None:
    assert not webhook(events=("contact.*",)).wants(event(), "")
    assert not webhook(enabled=False).wants(event(), "")


def test_a_webhook_is_never_told_of_what_was_before_it() -> None:
    assert not webhook(since_event=5).wants(event(number=5), "")
    assert webhook(since_event=5).wants(event(number=6), "")


@pytest.mark.parametrize("form", sorted(set(Form) - {Form.NATIVE}))
def test_what_others_words_are_wanted_is_not_known_before_they_are_said(form: Form) -> None:
    """Their filters name kinds of their own, which no event of ours is called by."""
    (first, *_) = FORM_KINDS[form]
    assert first not in KINDS
    assert webhook(form=form, events=(first,)).wants(event(), "")


def test_our_own_words_are_our_kinds() -> None:
    assert set(FORM_KINDS) == set(Form)
    assert tuple(FORM_KINDS[Form.NATIVE]) == tuple(KINDS)


def test_pauses_grow() -> None:
    assert [retry_at(0, tries, 0) for tries in range(1, len(PAUSES_S) + 1)] == [s * 1000 for s in PAUSES_S]
    assert list(PAUSES_S) == sorted(PAUSES_S)
    assert retry_at(0, 1000, 0) == PAUSES_S[-1] * 1000


def test_a_message_is_sent_again_for_a_day_and_no_longer() -> None:
    at, tries = 0, 0
    while (again := retry_at(0, tries + 1, at)) is not None:
        at, tries = again, tries + 1
    assert LIFETIME_S - PAUSES_S[-1] < at / 1000 <= LIFETIME_S
    assert 25 < tries < 40


@given(some.integers(0, 2**40), some.integers(1, 100), some.integers(-(10**9), 10**9))
def test_the_next_try_is_later_and_within_the_day(created_at: int, tries: int, after: int) -> None:
    now = created_at + after
    again = retry_at(created_at, tries, now)
    assert again is None or now < again <= created_at + LIFETIME_S * 1000


def test_a_receiver_that_fails_is_left_alone_for_longer_each_time() -> None:
    assert [rest_s(strikes) for strikes in range(1, len(RESTS_S) + 1)] == list(RESTS_S) == sorted(RESTS_S)
    assert rest_s(1000) == RESTS_S[-1]
