"""Calls as the engine makes them, in the store of the HTTP tests."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

from http_hands import NOW, Hands

from astdialer.domain.attempt import State
from astdialer.domain.campaign import Campaign
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import Contact, NewContact, NewNumber
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import RedialRules, after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import Judgement, NumberFacts, Why
from astdialer.ports import Claim, ClaimRequest, Closing, Order, Recording

DATE = "20251009"


def phone(n: int) -> str:
    return f"+4420794600{n:02}"


async def claimed(api: Hands, campaign: Campaign, *numbers: int, base: str = "b") -> list[Claim]:
    """Live attempts to these numbers."""
    store = api.store
    upload = await store.open_upload(campaign.id, base, file_name="b.csv", timezone="", now=NOW)
    contacts = [
        NewContact(
            numbers=(NewNumber(number=phone(n), as_uploaded=phone(n)[1:], type="U"),),
            params={},
            priority=1,
            agentphone="",
            line=n,
        )
        for n in numbers
    ]
    await store.add_contacts(upload, contacts, NOW)
    await store.publish_uploads([upload], NOW)
    return list(await store.claim(_request(campaign, len(numbers), api.clock.now())))


def _request(campaign: Campaign, limit: int, now: int) -> ClaimRequest:
    def judge(contact: Contact, _facts: Mapping[str, NumberFacts]) -> Judgement:
        number = contact.numbers[0]
        return Judgement(contact=contact, why=Why.READY, number=number, way=Way("", "carrier", ""))

    return ClaimRequest(
        campaign_id=campaign.id,
        campaign=campaign.name,
        server="default",
        limit=limit,
        is_open=lambda _: True,
        judge=judge,
        attempt_ids=[str(uuid.uuid4()) for _ in range(limit)],
        reason="no free agent",
        now=now,
    )


async def closed(
    api: Hands,
    campaign: Campaign,
    claim: Claim,
    disposition: Disposition = Disposition.ANSWERED,
    *,
    agent: str = "",
    talk_s: int = 0,
    record: bool = False,
) -> str:
    """End an attempt; its guid."""
    now = api.clock.now()
    facts: dict[str, Any] = {"dialed_at": now, "gone_at": now + talk_s * 1000, "state": State.GONE, "agent": agent}
    if talk_s:
        facts |= {"answered_at": now, "connected_at": now}
    attempt = replace(claim.attempt, **facts)
    context = CdrContext(campaign=campaign.name, base=claim.base, caller_id="100", queue="sales")
    closing = Closing(
        attempt=attempt,
        disposition=disposition,
        contact=after_attempt(claim.contact, attempt, disposition, RedialRules(), now),
        cdr=cdr_of(attempt, disposition, context, now),
        recording=Recording(attempt_id=attempt.id, date=DATE) if record else None,
        now=now,
        day="2025-10-09",
    )
    await api.store.close([closing])
    return attempt.id


async def called(api: Hands, campaign: Campaign, n: int, **how: Any) -> str:
    """A call to a number that is over; its guid."""
    (claim,) = await claimed(api, campaign, n)
    return await closed(api, campaign, claim, **how)


# --- an engine that does what it is asked ----------------------------------------------------------------------------


@dataclass(slots=True)
class Engine:
    """What it answers, or says it can't; and what it was asked."""

    answers: dict[str, Mapping[str, Any] | str] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    @property
    def asked(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [(order.kind, order.body) for order in self.orders]


@contextlib.contextmanager
def engine(api: Hands, **answers: Mapping[str, Any] | str) -> Iterator[Engine]:
    """``answers`` by the kind of order: what comes of it, or the words of a refusal. It answers at once."""
    found = Engine(dict(answers))
    give = api.store.give_order

    async def give_order(order: Order) -> None:
        found.orders.append(order)
        answer = found.answers.get(order.kind, {})
        words = answer if isinstance(answer, str) else json.dumps(answer)
        await give(order)
        await api.store.order_done(order.id, result=words, failed=isinstance(answer, str))

    with mock.patch.object(api.store, "give_order", give_order):
        yield found


def agent_row(interface: str, queue: str = "sales", **values: Any) -> dict[str, Any]:
    """An agent of the live view."""
    row = {
        "agent": interface,
        "name": "",
        "queue": queue,
        "server": "default",
        "code": 1,
        "status": "NOT_INUSE",
        "paused": False,
        "pause_reason": "",
        "free": True,
        "reserved": False,
        "rests_until": None,
        "calls_taken": 0,
        "last_call_at": None,
        "wrap_up_until": None,
    }
    return row | values


def campaign_row(name: str, **values: Any) -> dict[str, Any]:
    """A campaign of the live view."""
    row: dict[str, Any] = {
        "campaign": name,
        "state": "running",
        "phase": "open",
        "mode": "progressive",
        "limit": "no free agent",
        "until": None,
        "detail": "",
        "calls": {"connected": 2, "ringing": 1},
        "max_calls": 20,
        "trunk_calls": 3,
        "trunk_max_calls": 30,
        "waiting_calls": 0,
        "free_agents": 0,
        "logged_in_agents": 2,
        "prediction": None,
        "windows": [],
        "contacts": {"ready": 5, "waiting": 0, "in_call": 3, "held": 0, "done": 9},
        "next_due_at": None,
        "dispositions": {"answered": 9},
        "abandonment": 0.0,
    }
    return row | values
