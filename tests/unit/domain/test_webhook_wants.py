"""Which events a webhook is told of."""

from typing import Any

import pytest

from astdialer.domain.hooks import Event, Form, Webhook

NOW = 1_760_000_000_000


def event(**known: Any) -> Event:
    usual: dict[str, Any] = {"id": 1, "at": NOW, "kind": "attempt.closed", "campaign_id": 7, "contact_id": 1}
    return Event(**usual | {"attempt_id": "a", "body": {}} | known)


def webhook(**known: Any) -> Webhook:
    return Webhook(id="w", url="https://example.com", secret="", **known)


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ({}, True),
        ({"events": ("attempt.closed",)}, True),
        ({"events": ("attempt.*",)}, True),
        ({"events": ("contact.ended",)}, False),
        ({"campaign_id": 7}, True),
        ({"campaign_id": 8}, False),
        ({"tenant": "a"}, True),
        ({"tenant": "b"}, False),
        ({"enabled": False}, False),
        ({"since_event": 1}, False),
    ],
)
def test_a_webhook_is_told_of_what_it_asks_for(known: dict[str, Any], wanted: bool) -> None:
    assert webhook(**known).wants(event(), "a") is wanted


@pytest.mark.parametrize("form", [form for form in Form if form is not Form.NATIVE])
def test_what_is_wanted_in_the_words_of_others_is_known_when_it_is_said_in_them(form: Form) -> None:
    assert webhook(form=form, events=("CALL_ENDED",)).wants(event(), "")
    assert not webhook(form=form, events=("CALL_ENDED",), campaign_id=8).wants(event(), "")
