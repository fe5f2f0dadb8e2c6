"""``autoCallCandidate``: whom a task calls, added, listed and canceled."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query

from astdialer.domain.access import Access
from astdialer.domain.contact import REMOVED, NewContact
from astdialer.domain.errors import InvalidNumber, NotFound
from astdialer.engine.contacts import end_anyhow, main_number
from astdialer.http.access import CheckedRoute
from astdialer.http.services import Services
from astdialer.http.twin24 import task as tasks
from astdialer.http.twin24.models import Batch, Candidate, Person
from astdialer.http.twin24.states import call_status, candidate_id, candidate_status, contact_id, digits, iso
from astdialer.http.twin24.task import BASE, Task
from astdialer.http.twin24.tasks import From, Limit, place_in_list
from astdialer.http.twin24.translate import Reading, contact_of, spellings
from astdialer.http.v1.common import ContactKeeper, Found, Reader

router = APIRouter(prefix="/autoCallCandidate", tags=["twin24"], route_class=CheckedRoute)

#: Contacts that one transaction adds: dialing goes on between them.
TOGETHER = 1000
#: Candidates that are read at a stretch: live calls are served in between.
AT_A_STRETCH = 200

Identity = Annotated[str, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody whom a task is to call."""

    task: Task
    person: Person
    contact: NewContact


@router.post("")
async def add_candidate(found: Found, access: ContactKeeper, candidate: Candidate) -> dict[str, Any]:
    """One person for a task. Whose first phone, or clientExternalId, is there already is taken and not added again; the
    further phones may be those of others too."""
    task = await tasks.find(found, access, candidate.autoCallId)
    wanted = Wanted(task, candidate, contact_of(candidate, "", tasks.reading(found, task.body)))
    (added,) = await add(found, access, [wanted], start={task.id} if candidate.forceStart else ())
    return added if added["id"] else added | {"id": await _known(found, wanted)}


@router.post("/batch")
async def add_candidates(found: Found, access: ContactKeeper, batch: Batch) -> dict[str, Any]:
    """Many at once, for one task or several: all of them, or none. Those tasks start that a candidate with forceStart
    is for, or all."""
    known: dict[str, Task] = {}
    for each in batch.batch:
        if each.autoCallId not in known:
            known[each.autoCallId] = await tasks.find(found, access, each.autoCallId)
    how = {task.id: tasks.reading(found, task.body) for task in known.values()}
    fields = [f"batch.{at}." for at in range(len(batch.batch))]
    contacts = await read(batch.batch, fields, [how[each.autoCallId] for each in batch.batch])
    wanted = [Wanted(known[each.autoCallId], each, new) for each, new in zip(batch.batch, contacts, strict=True)]
    start = {each.autoCallId for each in batch.batch if batch.forceStart or each.forceStart}
    items = await add(found, access, wanted, start=start)
    return {"count": sum(item["added"] for item in items), "items": items}


async def read(people: Sequence[Person], fields: Sequence[str], how: Sequence[Reading]) -> list[NewContact]:
    """Contacts to add, each read as its task has it. Raises InvalidSetting that names the field."""
    contacts: list[NewContact] = []
    for person, field, reading in zip(people, fields, how, strict=True):
        contacts.append(contact_of(person, field, reading))
        if len(contacts) % AT_A_STRETCH == 0:
            await asyncio.sleep(0)
    return contacts


async def add(
    found: Services, access: Access, wanted: Sequence[Wanted], *, start: Collection[str]
) -> list[dict[str, Any]]:
    """Check the tasks, then add, then start those whose ids are in ``start``. Raises Conflict for a task that takes
    nobody, or can't start."""
    known = {each.task.id: each.task for each in wanted}
    places: dict[str, list[int]] = {task_id: [] for task_id in known}
    for at, each in enumerate(wanted):
        places[each.task.id].append(at)
    for task in known.values():
        await tasks.check_playable(found, task) if task.id in start else tasks.check_open(found, task)
    ids: dict[int, int | None] = {}
    for task in known.values():
        new = [wanted[at].contact for at in places[task.id]]
        ids |= dict(zip(places[task.id], await _added(found, task, new), strict=True))
    for task_id in start:
        await tasks.play(found, access, task_id)
    return [_shown_new(each, ids[at]) for at, each in enumerate(wanted)]


async def _added(found: Services, task: Task, contacts: Sequence[NewContact]) -> list[int | None]:
    ids: list[int | None] = []
    for at in range(0, len(contacts), TOGETHER):
        some = [replace(contact, line=at + n + 1) for n, contact in enumerate(contacts[at : at + TOGETHER])]
        ids += await found.store.add_to_base(task.campaign.id, BASE, some, found.clock.now())
    return ids


def _shown_new(wanted: Wanted, contact: int | None) -> dict[str, Any]:
    return {
        "id": _identity(wanted.task, contact),
        "autoCallId": wanted.task.id,
        "phone": wanted.person.phone,
        "clientExternalId": wanted.person.clientExternalId,
        "added": contact is not None,
    }


def _identity(task: Task, contact: int | None) -> dict[str, str] | None:
    return None if contact is None else {"identity": candidate_id(task.id, contact)}


async def _known(found: Services, wanted: Wanted) -> dict[str, str] | None:
    """The id of the one that was there before."""
    contact = None
    if wanted.contact.reference:
        contact = await found.store.contact_by_reference(wanted.task.campaign.id, wanted.contact.reference)
    if contact is None:
        number = wanted.contact.numbers[0].number
        known = await found.store.contacts_with(number, wanted.task.campaign.id, open_only=False)
        contact = next((each.id for each in known if main_number(each) == number), None)
    return _identity(wanted.task, contact)


async def _with_phone(found: Services, task: Task, phone: str, *, open_only: bool) -> list[int]:
    """Ids of the task's contacts that have this number."""
    how = tasks.reading(found, task.body)
    for spelling in spellings(phone, russian=how.russian):
        try:
            number = how.read_number(spelling, "M").number
        except InvalidNumber:
            continue
        contacts = await found.store.contacts_with(number, task.campaign.id, open_only=open_only)
        if contacts:
            return [contact.id for contact in contacts]
    return []


@router.post("/cancel")
async def cancel_candidate(
    found: Found, access: ContactKeeper, auto_call_id: Annotated[Identity, Query(alias="autoCallId")], phone: Identity
) -> dict[str, Any]:
    """Call the task's candidates with this phone no more. A call that is under way runs on, and is the last."""
    task = await tasks.find(found, access, auto_call_id)
    ids = await _with_phone(found, task, phone, open_only=True)
    if not ids:
        raise NotFound("candidate who is still to be called", phone)
    for each in ids:
        await end_anyhow(found.store, found.clock, each, REMOVED)
    return {"count": len(ids)}


# --- shown -----------------------------------------------------------------------------------------------------------


@router.get("")
async def list_candidates(
    found: Found,
    access: Reader,
    auto_call_id: Annotated[Identity, Query(alias="autoCallId")],
    *,
    page: From = None,
    offset: From = None,
    limit: Limit = 100,
    phone: Identity = "",
) -> dict[str, Any]:
    """A task's candidates with their calls, in the order in which they came."""
    task, first = await tasks.find(found, access, auto_call_id), place_in_list(page, offset, limit)
    if phone:
        ids = await _with_phone(found, task, phone, open_only=False)
        rows = [row for each in ids for row in await found.store.candidates(task.campaign.id, 1, contact_id=each)]
        return {"count": len(rows), "items": [shown(task, row) for row in rows[first : first + limit]]}
    counts = await found.store.counts(task.campaign.id)
    count = counts.ready + counts.waiting + counts.in_call + counts.held + counts.done
    rows = list(await found.store.candidates(task.campaign.id, limit, first))
    return {"count": count, "items": [shown(task, row) for row in rows]}


@router.get("/{identity}")
async def show_candidate(found: Found, access: Reader, identity: str) -> dict[str, Any]:
    """One candidate."""
    number = contact_id(identity)
    try:
        contact, campaign = await found.contact(access, number or 0)
    except (NotFound, OverflowError):
        raise NotFound("candidate", identity[:64]) from None
    task = await tasks.of_campaign(found, access, campaign)
    if task is None or candidate_id(task.id, contact.id) != identity.lower():
        raise NotFound("candidate", identity[:64])
    (row,) = await found.store.candidates(campaign.id, 1, contact_id=contact.id)
    return shown(task, row)


def shown(task: Task, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of store.candidates in Twin24's words."""
    attempts, attachment = row["attempts"], row["attachment"]
    return {
        "id": candidate_id(task.id, row["id"]),
        "autoCallId": task.id,
        "phone": row["numbers"],
        "status": candidate_status(row["state"], row["end_reason"], attempts),
        "isDone": row["state"] == "done",
        "isEffective": bool(row["successful"]),
        "reason": row["end_cause"],
        "nextCallAt": iso(row["next_at"]) if row["state"] == "waiting" else None,
        "lastCallId": attempts[-1]["id"] if attempts else None,
        "variables": attachment.get("variables") or {},
        "callbackData": attachment.get("callbackData") or [],
        "clientExternalId": row["reference"] or None,
        "timezone": attachment.get("timezone"),
        "calls": [_call(attempt) for attempt in attempts],
    }


def _call(attempt: Mapping[str, Any]) -> dict[str, Any]:
    answered, gone = attempt["answered_at"], attempt["gone_at"]
    return {
        "id": attempt["id"],
        "status": call_status(attempt),
        "disposition": attempt["disposition"],
        "callFrom": digits(attempt["caller_id"]),
        "callTo": digits(attempt["number"]),
        "startedAt": iso(attempt["dialed_at"]),
        "answeredAt": iso(answered),
        "finishedAt": iso(gone),
        "duration": round((gone - answered) / 1000) if answered and gone else 0,
    }
