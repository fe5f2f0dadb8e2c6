"""Contacts over HTTP, and calls to them as the engine makes them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
from http_hands import Hands

from astdialer.domain.access import Role
from astdialer.domain.attempt import State
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import Contact
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import Judgement, NumberFacts, Why
from astdialer.engine.rulebook import redial_rules
from astdialer.ports import Claim, ClaimRequest, Closing
from astdialer.store.claim import claim_contact

ANA, BEN, CAT, DAN = "+447700900001", "+447700900002", "+447700900003", "+447700900004"


def body(*numbers: str, **more: Any) -> dict[str, Any]:
    """A contact as it is sent."""
    return {"numbers": [{"number": number} for number in numbers], **more}


async def added(api: Hands, *numbers: str, campaign: str = "demo", **more: Any) -> int:
    """The id of a new contact."""
    answer = await api.ask("POST", f"/v1/campaigns/{campaign}/contacts", json=body(*numbers, **more))
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def shown(api: Hands, contact_id: int) -> Any:
    answer = await api.ask("GET", f"/v1/contacts/{contact_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def fields(answer: httpx.Response) -> list[str]:
    """The fields that a refusal names."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [each["field"] for each in answer.json()["errors"]]


async def refused(api: Hands, method: str, path: str, status: int, *, tenant: str = "a", **more: Any) -> None:
    """A tenant's request is refused."""
    answer = await api.ask(method, path, role=Role.INTEGRATION, tenant=tenant, **more)
    assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"


async def dial(api: Hands, contact_id: int, campaign: str = "demo") -> Claim:
    """Begin a call to the contact's first open number."""

    def judge(found: Contact, _facts: Mapping[str, NumberFacts]) -> Judgement:
        number = next(one for one in found.numbers if one.is_open)
        return Judgement(contact=found, why=Why.READY, number=number, way=Way("", "carrier", ""))

    of = await api.store.campaign(campaign)
    request = ClaimRequest(
        campaign_id=of.id,
        campaign=of.name,
        server="default",
        limit=1,
        is_open=lambda _zones: True,
        judge=judge,
        attempt_ids=[str(uuid.uuid4())],
        reason="",
        now=api.clock.now(),
    )
    claimed = await api.store._db.write(lambda tx: claim_contact(tx, contact_id, request))
    assert isinstance(claimed, Claim)
    return claimed


async def hang_up(
    api: Hands,
    claim: Claim,
    *,
    campaign: str = "demo",
    agent: str = "",
    how: Disposition = Disposition.ANSWERED,
    caller_id: str = "",
) -> None:
    """End the call; one that was answered was a talk."""
    of, now = await api.store.campaign(campaign), api.clock.now()
    talked = now if how is Disposition.ANSWERED else None
    attempt = replace(
        claim.attempt,
        state=State.GONE,
        dialed_at=now,
        gone_at=now,
        answered_at=talked,
        connected_at=talked,
        agent=agent,
        caller_id=caller_id,
    )
    await api.store.save_attempts([attempt])
    context = CdrContext(campaign=of.name, base=claim.base, caller_id="", queue="q")
    closing = Closing(
        attempt=attempt,
        disposition=how,
        contact=after_attempt(claim.contact, attempt, how, redial_rules(of.settings, None, "UTC"), now),
        cdr=cdr_of(attempt, how, context, now),
        recording=None,
        now=now,
        day="2025-10-09",
    )
    await api.store.close([closing])


async def talk(api: Hands, contact_id: int, *, campaign: str = "demo", agent: str = "") -> str:
    """A whole call with a talk; its guid."""
    claim = await dial(api, contact_id, campaign)
    await hang_up(api, claim, campaign=campaign, agent=agent)
    return claim.attempt.id
