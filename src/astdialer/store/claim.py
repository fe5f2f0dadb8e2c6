"""Claiming due contacts: one transaction, and its cost does not grow with the base."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import groupby, islice
from typing import Any

from astdialer.domain.attempt import Attempt
from astdialer.domain.contact import Contact, ContactState, Number
from astdialer.domain.retry import without_number
from astdialer.ports import Claim, ClaimRequest
from astdialer.store.database import Writing
from astdialer.store.rows import attempt_row, contact_of, number_of

#: A contact whose numbers are all being called for somebody else rests this long.
NUMBER_IN_CALL_S = 30
#: Due contacts that one claim takes out of waiting. More than it needs, so that priorities are right.
PROMOTED = 1000
#: Rounds of looking further when contacts turn out not to be callable.
ROUNDS = 20


@dataclass(frozen=True, slots=True)
class _Blocked:
    blacklisted: set[str]
    in_call: set[str]


async def claim(tx: Writing, request: ClaimRequest) -> list[Claim]:
    """See ports.AttemptStore.claim."""
    claims: list[Claim] = []
    bases = await _bases(tx, request)
    for upload_id in bases:
        due = {"upload_id": upload_id, "now": request.now, "limit": max(PROMOTED, request.limit)}
        await tx.execute("promote", due)
    for _ in range(ROUNDS):
        missing = request.limit - len(claims)
        found = await _next_ready(tx, bases, missing)
        if not found:
            break
        claims += await _claim_some(tx, request, found, request.attempt_ids[len(claims) :])
        if len(claims) >= request.limit:
            break
    return claims


async def _bases(tx: Writing, request: ClaimRequest) -> dict[int, str]:
    wanted = {"campaign_id": request.campaign_id, "zones": json.dumps(list(request.zones))}
    return {row["id"]: row["base"] for row in await tx.fetch("claimable_uploads", wanted)}


async def _next_ready(tx: Writing, bases: Mapping[int, str], limit: int) -> list[tuple[Contact, str]]:
    """The first ready contacts over all uploads, by priority, with their base's name."""
    lists: list[list[tuple[dict[str, Any], str]]] = []
    for upload_id, base in bases.items():
        rows = await tx.fetch("ready_contacts", {"upload_id": upload_id, "limit": limit})
        lists.append([(dict(row), base) for row in rows])
    first = list(islice(merge(*lists, key=lambda pair: (pair[0]["priority"], pair[0]["id"])), limit))
    contacts = await with_numbers(tx, [row for row, _ in first])
    return [(contact, base) for contact, (_, base) in zip(contacts, first, strict=True)]


async def with_numbers(tx: Writing, rows: Sequence[Mapping[str, Any]]) -> list[Contact]:
    """The contacts of these rows, with their numbers."""
    found = await tx.fetch("numbers_of", {"ids": json.dumps([row["id"] for row in rows])})
    numbers = {
        contact_id: [number_of(dict(row)) for row in group]
        for contact_id, group in groupby(found, key=lambda row: row["contact_id"])
    }
    return [contact_of(row, numbers.get(row["id"], ())) for row in rows]


async def _claim_some(
    tx: Writing, request: ClaimRequest, found: Sequence[tuple[Contact, str]], ids: Sequence[str]
) -> list[Claim]:
    blocked = await _blocked(tx, request.campaign, (n.number for contact, _ in found for n in contact.numbers))
    claims: list[Claim] = []
    for listed, base in found:
        contact = await _without_blacklisted(tx, listed, blocked.blacklisted)
        number = _due_number(contact, request.now, blocked.in_call)
        if number is None:
            await settle(tx, [_later(contact, request.now)])
            continue
        blocked.in_call.add(number.number)
        attempt = _attempt(request, contact, number, ids[len(claims)])
        claims.append(Claim(attempt=attempt, contact=contact, base=base))
    await tx.execute_many("insert_attempt", [attempt_row(c.attempt) for c in claims])
    await tx.execute_many("take_contact", [{"id": c.contact.id} for c in claims])
    return claims


async def _blocked(tx: Writing, campaign: str, numbers: Iterable[str]) -> _Blocked:
    listed = json.dumps(sorted(set(numbers)))
    black = await tx.fetch("blacklisted", {"numbers": listed, "campaign": campaign})
    live = await tx.fetch("live_numbers", {"numbers": listed})
    return _Blocked({row["number"] for row in black}, {row["number"] for row in live})


async def _without_blacklisted(tx: Writing, contact: Contact, blacklisted: set[str]) -> Contact:
    for number in contact.numbers:
        if number.number in blacklisted and number.next_at is not None:
            contact = without_number(contact, number.id, "blacklisted")
            await save_numbers(tx, [n for n in contact.numbers if n.id == number.id])
    return contact


def _due_number(contact: Contact, now: int, in_call: set[str]) -> Number | None:
    """The first number in order that is due and has no live call."""
    due = (n for n in contact.numbers if n.next_at is not None and n.next_at <= now and n.number not in in_call)
    return next(due, None)


def _later(contact: Contact, now: int) -> Contact:
    """A contact that can't be called now: at its numbers' next time, or after a rest if a number is being called."""
    times = [n.next_at for n in contact.numbers if n.next_at is not None]
    if not times:
        return replace(contact, next_at=None, end_reason=contact.end_reason or "no number left")
    soonest = min(times)
    return replace(contact, next_at=soonest if soonest > now else now + NUMBER_IN_CALL_S * 1000)


def _attempt(request: ClaimRequest, contact: Contact, number: Number, attempt_id: str) -> Attempt:
    return Attempt(
        id=attempt_id,
        campaign_id=request.campaign_id,
        contact_id=contact.id,
        number_id=number.id,
        number=number.number,
        trunk=request.trunk,
        server=request.server,
        created_at=request.now,
        reason=request.reason,
    )


async def settle(tx: Writing, contacts: Iterable[Contact]) -> None:
    """Write where contacts stand when no attempt of them is open."""
    rows = [
        {
            "id": contact.id,
            "state": ContactState.DONE if contact.next_at is None else ContactState.WAITING,
            "next_at": contact.next_at,
            "end_reason": contact.end_reason,
        }
        for contact in contacts
    ]
    await tx.execute_many("settle_contact", rows)


async def save_numbers(tx: Writing, numbers: Iterable[Number]) -> None:
    """Write the numbers' counts and next times."""
    rows = [
        {
            "id": number.id,
            "tally": json.dumps(dict(number.tally)),
            "last_disposition": number.last_disposition,
            "next_at": number.next_at,
            "end_reason": number.end_reason,
        }
        for number in numbers
    ]
    await tx.execute_many("save_number", rows)
