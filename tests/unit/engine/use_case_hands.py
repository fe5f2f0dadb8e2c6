"""A fresh store, a clock that goes when somebody waits, and hands for calls to contacts."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from astdialer.domain.attempt import Attempt, State
from astdialer.domain.campaign import Campaign
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import DEFAULT_PRIORITY, Contact, NewContact, NewNumber, Number, NumberType
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import Judgement, NumberFacts, Why
from astdialer.domain.settings import parse_settings
from astdialer.engine.rulebook import redial_rules
from astdialer.ports import BlacklistEntry, Claim, ClaimRequest, Closing, Store
from astdialer.store import SqliteStore
from astdialer.store.claim import claim_contact

NOON = 1_790_078_400_000  # 2026-09-22 12:00 UTC, a Tuesday
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
UTC = "UTC"


@dataclass
class Clock:
    """Time goes on when somebody sleeps; ``meanwhile`` happens then, once."""

    at: int = NOON
    meanwhile: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += round(seconds * 1000)
        while self.meanwhile:
            await self.meanwhile.pop()()


def phone(n: int) -> str:
    return f"+346{n:08}"


def number(n: int, kind: str = NumberType.MOBILE, zones: str = "") -> NewNumber:
    return NewNumber(number=phone(n), as_uploaded=phone(n)[3:], type=kind, zones=zones)


async def campaign(store: Store, name: str = "sales", **settings: str) -> Campaign:
    return await store.create_campaign(name, parse_settings(settings), NOON)


async def person(
    store: Store, of: Campaign, *numbers: int, base: str = "march", zone: str = "", **values: Any
) -> Contact:
    """An uploaded contact with these numbers."""
    upload = await store.open_upload(of.id, base, file_name=base, timezone=zone, now=NOON)
    known: dict[str, Any] = {
        "numbers": tuple(map(number, numbers)),
        "params": {"name": "Ana"},
        "priority": DEFAULT_PRIORITY,
        "agentphone": "",
        "line": 1,
    }
    await store.add_contacts(upload, [NewContact(**known | values)], NOON)
    await store.publish_uploads([upload], NOON)
    return (await store.contacts_with(phone(numbers[0]), of.id))[-1]


async def dial(store: Store, of: Campaign, contact: Contact, to: str = "") -> Claim:
    """Begin a call to the contact, at its first open number unless another one is named."""

    def judge(found: Contact, _facts: Mapping[str, NumberFacts]) -> Judgement:
        chosen = next(n for n in found.numbers if n.is_open and to in ("", n.number))
        return Judgement(contact=found, why=Why.READY, number=chosen, way=Way("", "carrier", ""))

    request = ClaimRequest(
        campaign_id=of.id,
        campaign=of.name,
        server="default",
        limit=1,
        is_open=lambda _zones: True,
        judge=judge,
        attempt_ids=[str(uuid.uuid4())],
        reason="",
        now=NOON,
    )
    assert isinstance(store, SqliteStore)
    claimed = await store._db.write(lambda tx: claim_contact(tx, contact.id, request))
    assert isinstance(claimed, Claim)
    return claimed


async def hang_up(
    store: Store, of: Campaign, claim: Claim, disposition: Disposition = Disposition.ANSWERED, now: int = NOON
) -> None:
    """End the call as the engine does; one that was answered was a talk."""
    of = await store.campaign(of.name)
    talked = disposition is Disposition.ANSWERED
    attempt: Attempt = replace(
        claim.attempt,
        state=State.GONE,
        dialed_at=now,
        gone_at=now,
        answered_at=now if talked else None,
        connected_at=now if talked else None,
    )
    closing = Closing(
        attempt=attempt,
        disposition=disposition,
        contact=after_attempt(claim.contact, attempt, disposition, redial_rules(of.settings, None, UTC), now),
        cdr=cdr_of(attempt, disposition, CdrContext(campaign=of.name, base=claim.base, caller_id="", queue="q"), now),
        recording=None,
        now=now,
        day="2026-09-22",
    )
    await store.close([closing])


async def talk(store: Store, of: Campaign, contact: Contact, to: str = "") -> str:
    """A whole call with a talk; its guid."""
    claim = await dial(store, of, contact, to)
    await hang_up(store, of, claim)
    return claim.attempt.id


def number_of(contact: Contact, n: int) -> Number:
    return next(found for found in contact.numbers if found.number == phone(n))


def entry(n: int, for_campaign: str = "*", until: int | None = None) -> BlacklistEntry:
    return BlacklistEntry(
        number=phone(n), campaign=for_campaign, reason="asked", added_by="ana", added_at=NOON, expires_at=until
    )
