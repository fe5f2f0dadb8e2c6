"""Hands for uContact's API: forms as its clients send them, and calls that have been made."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
from http_hands import NOW, Hands

from astdialer.domain.access import Role
from astdialer.domain.attempt import Attempt, State
from astdialer.domain.calendar import CallingWindow, Schedule
from astdialer.domain.campaign import Campaign
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import Contact, NewContact, NewNumber
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import RedialRules, after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import DialingRules, judge
from astdialer.ports import Claim, ClaimRequest, Closing, Recording

RESOURCES = "/Integra/resources"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
ANA = "PJSIP/1001"
#: Whoever is in hours, whenever that is.
FREELY = DialingRules(
    schedule=Schedule(CallingWindow(start_minute=0, end_minute=1440, weekdays=frozenset(range(7)))), default_zone="UTC"
)


def phone(n: int) -> str:
    """A number of a British test range, as a base has it."""
    return f"07700900{n:03}"


def e164(n: int) -> str:
    return "+44" + phone(n)[1:]


async def post(
    api: Hands, path: str, fields: Mapping[str, Any] | None = None, *, role: Role = Role.INTEGRATION, tenant: str = ""
) -> httpx.Response:
    """A request as uContact's clients make it: a form, objects in it as JSON text, the token as Basic."""
    texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in (fields or {}).items()}
    headers = {"authorization": f"Basic {await api.token(role, tenant)}", "content-type": FORM}
    body = str(httpx.QueryParams(texts)).encode()
    return await api.client.post(f"{RESOURCES}/{path}", content=body, headers=headers)


async def result(api: Hands, path: str, fields: Mapping[str, Any] | None = None, **who: Any) -> str:
    """The text of an answer that is 200."""
    answer = await post(api, path, fields, **who)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.text


async def refused(api: Hands, path: str, fields: Mapping[str, Any] | None = None, **who: Any) -> tuple[int, str]:
    """Status and text of an answer that is none."""
    answer = await post(api, path, fields, **who)
    assert answer.status_code >= 400, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.status_code, answer.text


async def why_zero(api: Hands, path: str, fields: Mapping[str, Any] | None = None, **who: Any) -> str:
    """Why an answer is 0."""
    answer = await post(api, path, fields, **who)
    assert (answer.status_code, answer.text) == (200, "0")
    return str(answer.headers["astdialer-error"])


async def load(api: Hands, campaign: Campaign, *numbers: int, base: str = "list", **values: Any) -> list[int]:
    """Contacts, one for each number; their ids."""
    return [await _loaded(api, campaign, n, base, values) for n in numbers]


async def _loaded(api: Hands, campaign: Campaign, n: int, base: str, values: Mapping[str, Any]) -> int:
    number = NewNumber(number=e164(n), as_uploaded=phone(n), type="P")
    known: dict[str, Any] = {"numbers": (number,), "params": {"name": f"N{n}"}, "priority": 9999, "agentphone": ""}
    (made,) = await api.store.add_to_base(campaign.id, base, [NewContact(line=0, **{**known, **values})], NOW)
    assert made is not None
    return made


async def claim(api: Hands, campaign: Campaign, **values: Any) -> Claim:
    """Take the next contact for a call, which is dialed."""
    now = api.clock.now()
    asked: dict[str, Any] = {
        "campaign_id": campaign.id,
        "campaign": campaign.name,
        "server": "default",
        "limit": 1,
        "is_open": lambda _zones: True,
        "judge": lambda contact, facts: judge(contact, FREELY, facts, lambda _n: Way("", "carrier", ""), now),
        "attempt_ids": [str(uuid.uuid4())],
        "reason": "test",
        "now": now,
        "buckets": ("", "@1001"),
    }
    (made,) = await api.store.claim(ClaimRequest(**asked | values))
    dialed = replace(made.attempt, state=State.DIALING, dialed_at=now)
    await api.store.save_attempts([dialed])
    return replace(made, attempt=dialed)


async def close(
    api: Hands,
    campaign: Campaign,
    taken: Claim,
    disposition: Disposition = Disposition.ANSWERED,
    *,
    agent: str = ANA,
    seconds: int = 60,
) -> str:
    """End the call after so long; its guid."""
    began, ended = api.clock.now(), api.clock.now() + seconds * 1000
    spoken: Attempt = replace(taken.attempt, state=State.GONE, gone_at=ended)
    if agent:
        spoken = replace(spoken, answered_at=began, connected_at=began, agent=agent)
    context = CdrContext(campaign=campaign.name, base=taken.base, caller_id="442079460000", queue="sales")
    closing = Closing(
        attempt=spoken,
        disposition=disposition,
        contact=after_attempt(taken.contact, spoken, disposition, RedialRules(), ended),
        cdr=cdr_of(spoken, disposition, context, ended),
        recording=Recording(attempt_id=spoken.id, date="20251009"),
        now=ended,
        day="2025-10-09",
    )
    await api.store.close([closing])
    return spoken.id


async def talk(api: Hands, campaign: Campaign, n: int, **how: Any) -> str:
    """A contact that was called, and talked with agent 1001 unless otherwise said; the guid."""
    await load(api, campaign, n)
    return await close(api, campaign, await claim(api, campaign), **how)


async def contact_of(api: Hands, n: int) -> Contact:
    """The last contact with that number."""
    return (await api.store.contacts_with(e164(n), None, open_only=False))[-1]


def agent_row(interface: str = ANA, queue: str = "sales", **values: Any) -> dict[str, Any]:
    """An agent of the live view."""
    usual: dict[str, Any] = {
        "agent": interface,
        "name": "Ana",
        "queue": queue,
        "server": "default",
        "code": 1,
        "status": "NOT_INUSE",
        "paused": False,
        "pause_reason": "",
        "free": True,
        "reserved": False,
        "calls_taken": 0,
        "last_call_at": None,
        "in_call": False,
        "penalty": 0,
        "state_interface": interface,
        "since": NOW,
    }
    return usual | values
