"""Members of queues: our contacts, by their ids."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from astdialer.domain.access import Access
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, NewContact
from astdialer.domain.errors import NotFound
from astdialer.domain.processing import Change
from astdialer.engine import processing
from astdialer.engine.contacts import base_zone, check_agent
from astdialer.engine.members import add
from astdialer.engine.removal import remove_contact
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.services import Services
from astdialer.http.webitel4 import incoming
from astdialer.http.webitel4.agents import extensions
from astdialer.http.webitel4.buckets import Buckets, buckets_of, make
from astdialer.http.webitel4.ids import whole
from astdialer.http.webitel4.outgoing import member_view
from astdialer.http.webitel4.queues import queue_of
from astdialer.http.webitel4.routes import SmallIdempotentRoute
from astdialer.http.webitel4.shapes import (
    DIALECT,
    Bulk,
    Found,
    Ids,
    Keeper,
    Member,
    MemberPatch,
    Pages,
    PathId,
    Reader,
    id_of,
)
from astdialer.ports import ForeignObject, MemberSearch

#: The base that members go to that came without the name of a file.
BASE = "members"
KIND = "member"

router = APIRouter(
    prefix="/call_center/queues/{queue_id}/members", tags=["webitel v4"], route_class=SmallIdempotentRoute
)
many = APIRouter(prefix=router.prefix, tags=["webitel v4"], route_class=IdempotentRoute)


async def member_of(found: Services, access: Access, queue_id: str, member_id: str) -> tuple[Contact, Campaign]:
    """Raises NotFound, for one of another queue or tenant, and for one that was removed."""
    campaign, number = await queue_of(found, access, queue_id), whole(member_id)
    contacts = await found.store.members(MemberSearch(campaign_id=campaign.id, ids=[number]), 1) if number else []
    if not contacts:
        raise NotFound("member", member_id, f"none in queue {queue_id}")
    return contacts[0], campaign


async def views(found: Services, campaign: Campaign, contacts: Sequence[Contact]) -> list[dict[str, Any]]:
    """The contacts as Webitel shows them."""
    documents = await found.store.documents(DIALECT, KIND, [str(contact.id) for contact in contacts])
    buckets = await buckets_of(found, campaign.tenant)
    return [member_view(contact, campaign, documents.get(str(contact.id)), buckets) for contact in contacts]


async def view(found: Services, campaign: Campaign, contact: Contact) -> dict[str, Any]:
    """One of them."""
    return (await views(found, campaign, [contact]))[0]


# --- on their way in -------------------------------------------------------------------------------------------------


async def _add(
    found: Services,
    access: Access,
    campaign: Campaign,
    members: Sequence[Member],
    *,
    base: str = "",
) -> Sequence[int]:
    """All of them, or none; without ``base`` it is one alone. Raises InvalidSetting."""
    # In other threads: reading thousands of numbers takes seconds, and calls go on in this one.
    agent_ids, bucket_ids = await asyncio.to_thread(_ids, members)
    agents = await _agents(found, access, agent_ids)
    new = await asyncio.to_thread(incoming.new_contacts, found.read_number, members, agents, many=bool(base))
    buckets = await make(found, campaign.tenant, bucket_ids)
    documents = await asyncio.to_thread(_placed, campaign, new, buckets, found.clock.now())
    return await add(found.store, found.clock, campaign, base or BASE, documents)


def _ids(members: Sequence[Member]) -> tuple[list[str], list[str]]:
    """Those of the members' agents, and of their buckets; each once."""
    agents, buckets = (id_of(each.agent) for each in members), (id_of(each.bucket) for each in members)
    return list(dict.fromkeys(filter(None, agents))), list(dict.fromkeys(filter(None, buckets)))


async def _agents(found: Services, access: Access, ids: Sequence[str]) -> Mapping[str, str]:
    """What agents are called here, by Webitel's ids. Raises InvalidSetting."""
    agents = await extensions(found, access, ids)
    for name in agents.values():
        check_agent(name)
    return agents


def _placed(
    campaign: Campaign, new: Sequence[tuple[NewContact, Mapping[str, Any]]], buckets: Buckets, now: int
) -> list[tuple[NewContact, ForeignObject]]:
    """In their buckets, each with its document."""
    return [
        (
            replace(contact, bucket=buckets.name(contact.bucket)) if contact.bucket else contact,
            _document(campaign, "", body, now),
        )
        for contact, body in new
    ]


def _document(
    campaign: Campaign, member_id: str, body: Mapping[str, Any], now: int, created_at: int | None = None
) -> ForeignObject:
    return ForeignObject(
        dialect=DIALECT,
        kind=KIND,
        id=member_id,
        tenant=campaign.tenant,
        name=str(campaign.id),
        body=body,
        created_at=now if created_at is None else created_at,
        changed_at=now,
    )


@router.post("")
async def create_member(found: Found, access: Keeper, queue_id: PathId, body: Member) -> dict[str, Any]:
    """Add one member."""
    campaign = await queue_of(found, access, queue_id)
    (contact_id,) = await _add(found, access, campaign, [body])
    (contact,) = await found.store.members(MemberSearch(campaign_id=campaign.id, ids=[contact_id]), 1)
    return await view(found, campaign, contact)


_ITEMS = {"type": "array", "items": {"type": "object"}, "description": "Members, as one by one."}
_BULK = {"type": "object", "required": ["items"], "properties": {"items": _ITEMS, "file_name": {"type": "string"}}}
_BULK_BODY = {"requestBody": {"content": {"application/json": {"schema": _BULK}}, "required": True}}


@many.post("/bulk", openapi_extra=_BULK_BODY)
async def create_members(found: Found, access: Keeper, queue_id: PathId, request: Request) -> dict[str, list[str]]:
    """Add many members, all or none. A name of a file becomes the base's."""
    campaign = await queue_of(found, access, queue_id)
    body = await asyncio.to_thread(_bulk, await request.body())
    base = incoming.base_name(body.file_name) or BASE
    ids = await _add(found, access, campaign, body.items, base=base)
    return {"ids": [str(contact_id) for contact_id in ids]}


def _bulk(raw: bytes) -> Bulk:
    """Not by FastAPI, which would read megabytes in the thread in which calls go on."""
    try:
        return Bulk.model_validate_json(raw)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_context=False, include_input=False)) from None


# --- there -----------------------------------------------------------------------------------------------------------


@router.get("")
async def list_members(
    found: Found,
    access: Reader,
    queue_id: PathId,
    pages: Pages,
    *,
    ids: Ids = None,
    destination: Annotated[str | None, Query(max_length=100)] = None,
    bucket_id: Annotated[str | None, Query(max_length=64)] = None,
    agent_id: Annotated[str | None, Query(max_length=64)] = None,
    stopped: Annotated[bool | None, Query(description="Only those that are done, or are not.")] = None,
) -> dict[str, Any]:
    """A queue's members, the newest first."""
    campaign = await queue_of(found, access, queue_id)
    buckets = await buckets_of(found, campaign.tenant)
    search = MemberSearch(
        campaign_id=campaign.id,
        ids=None if ids is None else [number for each in ids if (number := whole(each))],
        number=None if destination is None else incoming.number_of(found.read_number, destination),
        bucket=None if bucket_id is None else buckets.name(bucket_id),
        agent=None if agent_id is None else (await extensions(found, access, [agent_id]))[agent_id],
        done=stopped,
    )
    return pages.shown(await views(found, campaign, await found.store.members(search, pages.limit, pages.offset)))


@router.get("/{member_id}")
async def show_member(found: Found, access: Reader, queue_id: PathId, member_id: PathId) -> dict[str, Any]:
    """One member."""
    contact, campaign = await member_of(found, access, queue_id, member_id)
    return await view(found, campaign, contact)


@router.patch("/{member_id}")
async def change_member(
    found: Found, access: Keeper, *, queue_id: PathId, member_id: PathId, body: MemberPatch
) -> dict[str, Any]:
    """Change what is given. ``stop_cause`` ends the member; an empty one lets it begin anew."""
    contact, campaign = await member_of(found, access, queue_id, member_id)
    document = (await found.store.documents(DIALECT, KIND, [member_id])).get(member_id)
    known = dict(document.body) if document else {}
    agent_ids, bucket_ids = _ids([body])
    agents = await _agents(found, access, agent_ids)
    of_base = await base_zone(found.store, campaign, contact)
    change, kept = incoming.change_of(found.read_number, body, agents, known, contact, base_zone=of_base)
    buckets = await make(found, campaign.tenant, bucket_ids)
    if bucket_ids:
        change = replace(change, bucket=buckets.name(bucket_ids[0]))
    changed = contact if change == Change() else await processing.change(found.store, found.clock, contact.id, change)
    if kept != known:
        created_at = document.created_at if document else 0
        saved = _document(campaign, member_id, kept, found.clock.now(), created_at)
        await found.store.save_documents([saved])
    return await view(found, campaign, changed)


@router.delete("/{member_id}")
async def delete_member(found: Found, access: Keeper, queue_id: PathId, member_id: PathId) -> dict[str, Any]:
    """Remove a member with all that is known of it. One in a call goes with the call's end."""
    contact, campaign = await member_of(found, access, queue_id, member_id)
    shown = await view(found, campaign, contact)
    await remove_contact(found.store, found.clock, campaign, contact.id, done_by=access.name)
    return shown
