"""Webitel v4's call events: what a webhook of the form webitel-call is told."""

from __future__ import annotations

from typing import Any

import pytest

from astdialer.domain.hooks import FORM_KINDS, Event, Form, Webhook
from astdialer.engine.webhooks import Happening
from astdialer.http.dialects import WORDS
from astdialer.http.webitel4.ids import agent_number
from astdialer.http.webitel4.words import call_words

GUID = "0b54f2a0-8bb5-4c7a-9c4e-6f1a52d1c001"


def hook(**known: Any) -> Webhook:
    return Webhook(id="w", url="https://crm.example.com", secret="s", form=Form.WEBITEL_CALL, **known)


def happening(kind: str, **body: Any) -> Happening:
    ours = kind.startswith("attempt")
    event = Event(
        id=1,
        at=5,
        kind=kind,
        campaign_id=7 if ours else None,
        contact_id=12 if ours else None,
        attempt_id=GUID if ours else "",
        body=body,
    )
    return Happening(event=event, campaign=None, contact=None, cdr=None)


@pytest.mark.parametrize(("kind", "event"), [("attempt.offered", "offering"), ("attempt.connected", "bridged")])
def test_a_call_of_ours_is_outbound(kind: str, event: str) -> None:
    told = list(call_words(hook(), happening(kind, number="+447700900001", agent="PJSIP/1001", queue="sales")))
    body = {
        "event": event,
        "direction": "outbound",
        "queue": "7",
        "member": "12",
        "attempt": GUID,
        "uuid": GUID,
        "agent": "1001",
        "cid": "+447700900001",
    }
    assert told == [(event, body)]


@pytest.mark.parametrize(("kind", "event"), [("call.offered", "offering"), ("call.connected", "bridged")])
def test_another_caller_is_inbound(kind: str, event: str) -> None:
    told = list(call_words(hook(), happening(kind, queue="sales", uuid="17.1", agent="PJSIP/agent1", cid="0770")))
    body = {
        "event": event,
        "direction": "inbound",
        "queue": "sales",
        "member": None,
        "attempt": None,
        "uuid": "17.1",
        "agent": "agent1",
        "cid": "0770",
    }
    assert told == [(event, body)]


def test_the_agent_is_told_by_its_id_if_that_is_agreed() -> None:
    ((_, body),) = call_words(
        hook(options={"agent_format": "id"}), happening("call.offered", agent="PJSIP/agent1", queue="q")
    )
    assert body["agent"] == str(agent_number("agent1"))


@pytest.mark.parametrize("kind", ["attempt.closed", "attempt.dialed", "contact.ended", "campaign.started"])
def test_nothing_else_is_told(kind: str) -> None:
    assert list(call_words(hook(), happening(kind))) == []


def test_a_webhook_wants_the_kinds_of_its_form() -> None:
    bridged = hook(events=("bridged",))
    assert bridged.wants(happening("attempt.connected").event, "")
    assert WORDS[Form.WEBITEL_CALL] is call_words
    assert set(FORM_KINDS[Form.WEBITEL_CALL]) == {"offering", "bridged"}
