"""Contacts: found, shown, explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from astdialer.domain.contact import ContactState, Rank
from astdialer.engine.explain import explain_contact
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import cursor_of, page, place_of
from astdialer.http.v1.common import (
    PROBLEMS,
    USUAL_LIMIT,
    Cursor,
    Found,
    Id,
    Limit,
    Name,
    Page,
    Reader,
    Shown,
)
from astdialer.http.v1.numbers import (
    plain_number,
)

router = APIRouter(tags=["contacts"], route_class=IdempotentRoute, responses=PROBLEMS)

Base = Annotated[str, Field(max_length=64)]
RANKS = {rank.name.lower(): rank for rank in Rank}


class ContactRow(Shown):
    """A contact."""

    id: int
    campaign: str
    base: str
    number: str = Field(description="Its main number, E.164.")
    reference: str
    state: str = Field(description="ready, waiting, in_call, held (its result is awaited) or done")
    next_at: int | None = Field(description="When it is due again; null: now, or never.")
    rank: str = Field(description="dated, task or list: which go first, whatever their priority")
    params: dict[str, str]


class ContactDetail(ContactRow):
    """With its numbers and attempts."""

    numbers: list[dict[str, Any]]
    attempts: list[dict[str, Any]]


class EndingRow(Shown):
    """A contact's end."""

    id: int = Field(description="Of the end. Give the last one as `after` to go on reading.")
    at: int
    campaign: str
    contact_id: int
    number: str
    successful: bool
    end_reason: str
    end_cause: str


State = Annotated[ContactState | None, Query(description="Only in this state.")]
NumberFilter = Annotated[str | None, Query(max_length=60, description="Only with this number, as an upload takes it.")]
Text = Annotated[str | None, Query(max_length=500)]


@router.get("/contacts")
async def list_contacts(
    found: Found,
    access: Reader,
    *,
    campaign: Name | None = None,
    base: Base | None = None,
    state: State = None,
    rank: Literal["dated", "task", "list"] | None = None,
    end_reason: Text = None,
    number: NumberFilter = None,
    reference: Text = None,
    tag: Text = None,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
) -> Page[ContactRow]:
    """Contacts by campaign, in the order in which they came."""
    if campaign is not None:
        await found.campaign(access, campaign)
    filters = {
        "campaign": campaign,
        "tenant": access.tenant or None,
        "base": base,
        "state": state.value if state else None,
        "rank": RANKS[rank] if rank else None,
        "end_reason": end_reason,
        "number": plain_number(found, number) if number else None,
        "reference": reference,
        "tag": tag,
        "after": place_of(cursor, int, int),
    }
    rows = await found.store.contacts(filters, limit)
    place = [(row["campaign_id"], row["id"]) for row in rows[-1:]]
    return Page[ContactRow](**page([_row(row) for row in rows], limit, *(place[0] if place else ())))


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: value for key, value in found.items() if key != "campaign_id"}
    never = {key: row[key] or None for key in ("next_at", "last_call_at")}
    row |= never | {"rank": Rank(row["rank"]).name.lower(), "successful": bool(row["successful"])}
    if "dispositions" in row:
        row["dispositions"] = row["dispositions"].split(",") if row["dispositions"] else []
    return row


@router.get("/contacts/ended")
async def ended_contacts(
    found: Found,
    access: Reader,
    *,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Only ends with a higher id.")] = 0,
    campaign: Name | None = None,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
) -> Page[EndingRow]:
    """Who is done, in the order in which it happened. To go on reading later, give the last id as `after`."""
    after = max(after, *(place_of(cursor, int) or (0,)))
    chosen = (await found.campaign(access, campaign)).id if campaign is not None else None
    names = {one.id: one.name for one in await found.campaigns(access)}
    ends = await found.store.endings(after, chosen, limit, access.tenant or None)
    rows = [dataclasses.asdict(end) | {"campaign": names.get(end.campaign_id, "")} for end in ends]
    for row in rows:
        del row["campaign_id"]
    return Page[EndingRow](items=[EndingRow(**row) for row in rows], next=_behind(rows, limit))


def _behind(rows: Sequence[Mapping[str, Any]], limit: int) -> str | None:
    return cursor_of(rows[-1]["id"]) if len(rows) == limit else None


@router.get("/contacts/{contact_id}")
async def show_contact(found: Found, access: Reader, contact_id: Id) -> ContactDetail:
    """A contact with its numbers, its attempts and what each of them came to."""
    await found.contact(access, contact_id)
    whole = await found.store.contact(contact_id)
    parts = {"numbers": [_number(n) for n in whole["numbers"]], "attempts": [_attempt(a) for a in whole["attempts"]]}
    return ContactDetail(**_row(whole) | {"any_hour": bool(whole["any_hour"])} | parts)


def _number(row: Mapping[str, Any]) -> dict[str, Any]:
    never = {key: row[key] or None for key in ("next_at", "last_call_at")}
    return dict(row) | never | {"open": row["next_at"] is not None}


#: What of an attempt is shown with its contact.
ATTEMPT = (
    "number",
    "state",
    "disposition",
    "created_at",
    "dialed_at",
    "answered_at",
    "connected_at",
    "closed_at",
    "trunk",
    "caller_id",
    "agent",
    "dial_status",
    "cause",
    "sip_code",
    "amd_verdict",
    "refusal",
    "reason",
)


def _attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"guid": row["id"]} | {key: row[key] for key in ATTEMPT}


@router.get("/contacts/{contact_id}/explain")
async def explain_one(found: Found, access: Reader, contact_id: Id) -> dict[str, Any]:
    """Why it is called or not: each of its numbers, and the rule in the way."""
    await found.contact(access, contact_id)
    explained = dataclasses.asdict(await explain_contact(found.store, found.clock, found.zone, contact_id))
    attempts = [_attempt(row) | {"what_it_did": row["what_it_did"]} for row in explained["attempts"]]
    return explained | {"attempts": attempts}
