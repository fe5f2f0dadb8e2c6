"""Attempts: our calls, by their guids. Post-processing tells what came of one whose member is held for that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from astdialer.domain.access import Access
from astdialer.domain.caller_id import NAME_PARAM, NUMBER_PARAM
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact
from astdialer.domain.errors import NotFound
from astdialer.domain.processing import Report
from astdialer.engine import processing
from astdialer.http.services import Services
from astdialer.http.webitel4.agents import extensions, require_own
from astdialer.http.webitel4.ids import whole
from astdialer.http.webitel4.members import member_of
from astdialer.http.webitel4.outgoing import attempt_view, member_attempt_view
from astdialer.http.webitel4.routes import SmallRoute
from astdialer.http.webitel4.shapes import DIALECT, AttemptResult, Found, Ids, Pages, Paging, PathId, Reader, Worker
from astdialer.ports import AttemptSearch, ForeignObject, MemberSearch

KIND = "attempt"
_NAMED = re.compile(r'\s*"?([^"<]*?)"?\s*<([^<>]*)>\s*')

router = APIRouter(prefix="/call_center", tags=["webitel v4"], route_class=SmallRoute)

MemberIds = Annotated[list[str] | None, Query(alias="member_id", max_length=1)]
QueueIds = Annotated[list[str] | None, Query(alias="queue_id", max_length=1000)]
From = Annotated[int, Query(alias="joined_at.from", ge=0, lt=2**62)]
To = Annotated[int, Query(alias="joined_at.to", ge=0, lt=2**62)]


async def _reports(found: Services, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    kept = await found.store.documents(DIALECT, KIND, [row["id"] for row in rows])
    return {key: one.body for key, one in kept.items()}


async def _shown(
    found: Services, campaigns: Sequence[Campaign], rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    reports, contacts = await _reports(found, rows), await _contacts(found, rows)
    by_id = {campaign.id: campaign for campaign in campaigns}
    return [
        attempt_view(row, contacts.get(row["contact_id"]), by_id[row["campaign_id"]], reports.get(row["id"], {}))
        for row in rows
    ]


async def _contacts(found: Services, rows: Sequence[Mapping[str, Any]]) -> Mapping[int, Contact]:
    """The members of attempts, but for those that were removed."""
    of_campaigns: dict[int, set[int]] = {}
    for row in rows:
        of_campaigns.setdefault(row["campaign_id"], set()).add(row["contact_id"])
    contacts: list[Contact] = []
    for campaign_id, ids in of_campaigns.items():
        search = MemberSearch(campaign_id=campaign_id, ids=sorted(ids))
        contacts += await found.store.members(search, len(ids))
    return {contact.id: contact for contact in contacts}


async def _searched(
    found: Services, access: Access, ids: list[str] | None, members: list[str] | None, queues: list[str] | None
) -> tuple[list[Campaign], AttemptSearch]:
    campaigns = await found.campaigns(access)
    wanted = [one for one in campaigns if queues is None or str(one.id) in queues]
    contact_id = (whole(members[0]) or 0) if members else None
    return campaigns, AttemptSearch(campaign_ids=[one.id for one in wanted], ids=ids, contact_id=contact_id)


@router.get("/queues/attempts/active")
async def active_attempts(
    found: Found,
    access: Reader,
    pages: Pages,
    *,
    ids: Ids = None,
    members: MemberIds = None,
    queues: QueueIds = None,
) -> dict[str, Any]:
    """Attempts that go on, and those whose report is awaited."""
    campaigns, search = await _searched(found, access, ids, members, queues)
    rows = await found.store.working_attempts(search, pages.limit, pages.offset)
    return pages.shown(await _shown(found, campaigns, rows))


@router.get("/queues/attempts/history")
async def past_attempts(
    found: Found,
    access: Reader,
    pages: Pages,
    *,
    ids: Ids = None,
    members: MemberIds = None,
    queues: QueueIds = None,
    from_at: From = 0,
    to_at: To = 2**61,
) -> dict[str, Any]:
    """Attempts that are over, the newest first."""
    campaigns, search = await _searched(found, access, ids, members, queues)
    within = AttemptSearch(
        campaign_ids=search.campaign_ids, ids=search.ids, contact_id=search.contact_id, from_at=from_at, to_at=to_at
    )
    rows = await found.store.past_attempts(within, pages.limit, pages.offset)
    return pages.shown(await _shown(found, campaigns, rows))


@router.get("/queues/{queue_id}/members/{member_id}/attempts")
async def attempts_of_member(
    found: Found, access: Reader, queue_id: PathId, member_id: PathId, pages: Pages
) -> dict[str, Any]:
    """What was tried to reach a member, the newest first."""
    contact, campaign = await member_of(found, access, queue_id, member_id)
    search = AttemptSearch(campaign_ids=[campaign.id], contact_id=contact.id)
    rows = await _of_member(found, search, pages)
    reports = await _reports(found, rows)
    return pages.shown([member_attempt_view(row, contact, reports.get(row["id"], {})) for row in rows])


async def _of_member(found: Services, search: AttemptSearch, pages: Paging) -> list[Mapping[str, Any]]:
    """The live one, if there is one, before those that are over."""
    live = [row for row in await found.store.working_attempts(search, 1000) if row["state"] != "closed"]
    over = await found.store.past_attempts(search, pages.limit, max(0, pages.offset - len(live)))
    return [*(live if pages.offset == 0 else []), *over][: pages.limit]


@router.get("/attempts/{attempt_id}")
async def show_attempt(found: Found, access: Reader, attempt_id: PathId) -> dict[str, Any]:
    """One attempt."""
    row, campaign = await attempt_of(found, access, attempt_id)
    return (await _shown(found, [campaign], [row]))[0]


async def attempt_of(found: Services, access: Access, attempt_id: str) -> tuple[Mapping[str, Any], Campaign]:
    """Raises NotFound, for another tenant's too."""
    _, campaign = await found.call(access, attempt_id)
    search = AttemptSearch(campaign_ids=[campaign.id], ids=[attempt_id])
    rows = await found.store.working_attempts(search, 1) or await found.store.past_attempts(search, 1)
    if not rows:
        raise NotFound("attempt", attempt_id)
    return rows[0], campaign


@router.patch("/attempts/{attempt_id}")
async def report(found: Found, access: Worker, attempt_id: PathId, body: AttemptResult) -> dict[str, str]:
    """What came of an attempt: the member is done, or is called again."""
    row, campaign = await attempt_of(found, access, attempt_id)
    require_own(access, row["agent"] or row["reserved_agent"])
    agents = await extensions(found, access, [body.agent_id] if body.agent_id else [])
    said = Report(
        attempt_id=attempt_id,
        status=body.status or "abandoned",
        next_at=body.min_offering_at,
        retry_s=body.wait_between_retries or None,
        expires_at=body.expire_at,
        params={**body.variables, **(_display(row["caller_id"]) if body.display else {})},
        agent=agents.get(body.agent_id, ""),
        exclude_number=body.exclude_current_communication,
        only_number=body.only_current_communication,
        description=body.description,
    )
    await processing.report(found.store, found.clock, found.zone, said)
    await found.store.save_foreign(_document(campaign, said, found.clock.now()))
    return {"status": "success"}


@router.patch("/queues/{queue_id}/members/{member_id}/attempts/{attempt_id}")
async def report_on_member(
    found: Found, access: Worker, *, queue_id: PathId, member_id: PathId, attempt_id: PathId, body: AttemptResult
) -> dict[str, str]:
    """The same, by the member."""
    row, campaign = await attempt_of(found, access, attempt_id)
    if (queue_id, member_id) != (str(campaign.id), str(row["contact_id"])):
        raise NotFound("attempt", attempt_id, f"none of member {member_id} of queue {queue_id}")
    return await report(found, access, attempt_id, body)


def _display(caller_id: str) -> dict[str, str]:
    """The parameters that make the next call show what this one did."""
    named = _NAMED.fullmatch(caller_id)
    name, number = (named[1], named[2]) if named else ("", caller_id)
    return {key: value for key, value in ((NUMBER_PARAM, number), (NAME_PARAM, name)) if value}


def _document(campaign: Campaign, said: Report, now: int) -> ForeignObject:
    return ForeignObject(
        dialect=DIALECT,
        kind=KIND,
        id=said.attempt_id,
        tenant=campaign.tenant,
        name=str(campaign.id),
        body={"status": said.status, "description": said.description, "at": now},
        created_at=now,
        changed_at=now,
    )
