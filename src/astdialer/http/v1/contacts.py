"""Contacts: added, found, explained, and what is to become of them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, TypeAdapter, ValidationError

from astdialer.domain.access import Access, Forbidden, Role
from astdialer.domain.agent import is_agent
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, ContactState, NewContact, NumberType, Rank
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.typification import LONGEST_NEXT_S, MOST_LEVELS, Result
from astdialer.engine import contacts, outcomes
from astdialer.engine.explain import explain_contact
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import cursor_of, page, place_of
from astdialer.http.services import Services
from astdialer.http.v1.common import (
    PROBLEMS,
    USUAL_LIMIT,
    Caller,
    ContactKeeper,
    Cursor,
    Found,
    Id,
    Limit,
    Model,
    Page,
    Reader,
    Shown,
)
from astdialer.http.v1.numbers import (
    LINE,
    ContactFields,
    ContactPriority,
    Instant,
    Line,
    NumberBody,
    NumberText,
    Params,
    base_name,
    called,
    mistakes_of,
    new_contact,
    new_number,
    plain_number,
    read_number,
    texts,
)

router = APIRouter(tags=["contacts"], route_class=IdempotentRoute, responses=PROBLEMS)

Name = Annotated[str, Field(max_length=70)]
Guid = Annotated[str, Field(max_length=80)]
Base = Annotated[str, Field(max_length=64)]
RANKS = {rank.name.lower(): rank for rank in Rank}
#: Contacts that one request may bring, one transaction adds, and are read before others have a turn.
MOST, TOGETHER, AT_ONCE = 10_000, 1000, 50

NEW_EXAMPLE: dict[str, Any] = {
    "numbers": [{"number": "+447700900123", "type": "M"}, {"number": "020 7946 0958", "type": "W"}],
    "params": {"name": "Ana"},
    "reference": "crm-4711",
}


# --- what is sent and shown ------------------------------------------------------------------------------------------


class NewContactBody(ContactFields):
    """A contact for a base, which is made if the campaign has none of this name."""

    model_config = ConfigDict(json_schema_extra={"examples": [NEW_EXAMPLE]})

    base: Base = "api"


class Bulk(Model):
    """Contacts for a base. Each is looked at by itself: what is wrong with one keeps no other out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"base": "march", "items": [NEW_EXAMPLE]}]})

    base: Base = "api"
    items: list[SkipValidation[ContactFields]] = Field(min_length=1, max_length=MOST)


class FieldMistake(BaseModel):
    """What is wrong with a field."""

    field: str
    message: str


class Taken(BaseModel):
    """What came of a contact that was sent. The id of a duplicate is that of the contact that it repeats, null for one
    in a file that is being loaded."""

    status: Literal["added", "duplicate", "invalid"]
    id: int | None = None
    errors: list[FieldMistake] = []


class BulkAnswer(BaseModel):
    """What came of each, in their order."""

    added: int
    duplicates: int
    invalid: int
    items: list[Taken]


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


class Standing(BaseModel):
    """Where a contact stands now."""

    id: int
    state: str
    next_at: int | None
    successful: bool
    end_reason: str
    end_cause: str
    tag: str


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


class ResultBody(Model):
    """What came of the last talk of a contact that waits for it (campaign setting wait_for_result)."""

    success: bool = Field(description="It is done; else dialing goes on within the tries that are left.")
    reset_retries: bool = Field(default=False, description="Begin every count of tries anew.")
    next_after_s: int | None = Field(
        default=None, ge=0, le=LONGEST_NEXT_S, description="To the next try; 0 is at once."
    )
    next_number: NumberText | None = Field(default=None, description="Where it goes; one it has not yet is added.")
    stop_numbers: list[NumberText] = Field(default=[], max_length=100, description="Never call these of it again.")
    stop_all: bool = Field(default=False, description="Never call any number of it again but next_number.")
    description: Line = ""
    guid: Guid = Field(default="", description="Only if this is the call whose result is due.")


class TerminateBody(Model):
    """How to end it."""

    hang_up: bool = Field(default=False, description="End the call that it is in, too.")


class RespoolBody(Model):
    """What is changed of a contact that is called again; what is left out stays as it is."""

    number: NumberBody | None = Field(default=None, description="In place of its main number; counts begin anew.")
    alternatives: list[NumberBody] | None = Field(default=None, max_length=50, description="In place of all others.")
    params: Params | None = None
    priority: ContactPriority | None = None
    agentphone: str | None = Field(default=None, max_length=80, description="Empty is anybody.")
    tries_used: int | None = Field(
        default=None, ge=0, le=999, description="Every count of tries begins anew, at so many."
    )


class OutcomeBody(Model):
    """What an agent, or another system, makes of a talk."""

    levels: list[Line] = Field(min_length=1, max_length=MOST_LEVELS, examples=[["No", "Too expensive"]])
    agent: Annotated[str, Field(max_length=80)] = Field(default="", description="Who says so; empty: the token's name.")
    comment: Line = Field(default="", description="For the log, and the reason of a blacklisted number.")
    at: Instant | None = Field(default=None, description="When to call again.")
    promised: bool = Field(default=False, description="At that time whatever the calling hours.")
    to_campaign: Name = Field(default="", description="The campaign that is to call again.")
    tag: Annotated[str, Field(max_length=200, pattern=LINE)] = Field(
        default="", description="In place of the outcome's own."
    )


class Chosen(BaseModel):
    """What an outcome did."""

    contact: Standing
    action: str
    tag: str
    task: int | None = Field(description="The contact of another campaign that is called instead.")
    message: str


class Removed(BaseModel):
    """How many contacts were ended, and how many will be when their calls are over."""

    removed: int
    after_call: int


# --- adding ----------------------------------------------------------------------------------------------------------

_FIELDS = TypeAdapter(ContactFields)


@router.post("/campaigns/{name}/contacts", status_code=201, responses={200: {"model": Taken}})
async def add_contact(
    found: Found, access: ContactKeeper, name: Name, new: NewContactBody, response: Response
) -> Taken:
    """Add a contact: it can be called at once. 200 in place of 201: its main number is in the base already, or its
    reference in the campaign, and nothing is changed."""
    campaign, base = await found.campaign(access, name), base_name(new.base)
    contact = new_contact(found, new)
    contact_id = await found.adder.add(campaign.id, base, contact)
    (taken,) = await _taken(found, campaign, base, [contact], [contact_id])
    response.status_code = 201 if taken.status == "added" else 200
    if taken.id is not None:  # else it is in a file that is being loaded
        response.headers["location"] = f"/v1/contacts/{taken.id}"
    return taken


@router.post("/campaigns/{name}/contacts/bulk")
async def add_contacts(found: Found, access: ContactKeeper, name: Name, new: Bulk) -> BulkAnswer:
    """Add up to 10,000 contacts: the good ones are kept, and of each of the others it is said what is wrong."""
    campaign, base = await found.campaign(access, name), base_name(new.base)
    items: list[Taken] = []
    for first in range(0, len(new.items), TOGETHER):
        items += await _some(found, campaign, base, new.items[first : first + TOGETHER])
    count = [item.status for item in items].count
    return BulkAnswer(added=count("added"), duplicates=count("duplicate"), invalid=count("invalid"), items=items)


async def _some(found: Services, campaign: Campaign, base: str, bodies: Sequence[Any]) -> list[Taken]:
    """In one transaction."""
    read: list[NewContact | Taken] = []
    for at, body in enumerate(bodies):
        if at % AT_ONCE == 0:
            await asyncio.sleep(0)  # calls are being placed by the same thread
        read.append(_read(found, body))
    added = iter(await _added(found, campaign, base, [one for one in read if isinstance(one, NewContact)]))
    return [one if isinstance(one, Taken) else next(added) for one in read]


def _read(found: Services, body: Any) -> NewContact | Taken:
    try:
        return new_contact(found, _FIELDS.validate_python(body))
    except (ValidationError, RequestValidationError, InvalidSetting) as error:
        mistakes = [FieldMistake(field=field or "item", message=text) for field, text in mistakes_of(error)]
        return Taken(status="invalid", errors=mistakes)


async def _added(found: Services, campaign: Campaign, base: str, new: Sequence[NewContact]) -> list[Taken]:
    if not new:
        return []
    ids = await found.store.add_to_base(campaign.id, base, new, found.clock.now())
    return await _taken(found, campaign, base, new, ids)


async def _taken(
    found: Services, campaign: Campaign, base: str, new: Sequence[NewContact], ids: Sequence[int | None]
) -> list[Taken]:
    """Those without an id are there already."""
    repeated = [contact for contact, contact_id in zip(new, ids, strict=True) if contact_id is None]
    known = iter(await found.store.already_there(campaign.id, base, repeated) if repeated else ())
    return [
        Taken(status="duplicate", id=next(known)) if contact_id is None else Taken(status="added", id=contact_id)
        for contact_id in ids
    ]


# --- looking ---------------------------------------------------------------------------------------------------------

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


# --- what becomes of them --------------------------------------------------------------------------------------------


def _standing(contact: Contact) -> Standing:
    return Standing(
        id=contact.id,
        state=contact.state.value,
        next_at=contact.next_at or None,
        successful=contact.successful,
        end_reason=contact.end_reason,
        end_cause=contact.end_cause,
        tag=contact.tag,
    )


@router.post("/contacts/{contact_id}/result")
async def give_result(found: Found, access: ContactKeeper, contact_id: Id, body: ResultBody) -> Standing:
    """Say what came of the last talk of a contact that waits for it."""
    await found.contact(access, contact_id)
    result = _result(found, body)
    return _standing(await contacts.result(found.store, found.clock, found.zone, contact_id, result))


def _result(found: Services, body: ResultBody) -> Result:
    following = None
    if body.next_number:
        following = read_number(found, body.next_number, NumberType.UNKNOWN, "next_number")
    return Result(
        success=body.success,
        reset_retries=body.reset_retries,
        next_after_s=body.next_after_s,
        next_number=following.number if following else "",
        next_number_as_given=following.as_uploaded if following else "",
        next_number_zones=following.zones if following else "",
        stop_numbers=tuple(
            plain_number(found, text, f"stop_numbers.{at}") for at, text in enumerate(body.stop_numbers)
        ),
        stop_all=body.stop_all,
        description=body.description,
        attempt_id=body.guid,
    )


@router.post("/contacts/{contact_id}/terminate")
async def terminate_contact(
    found: Found, access: ContactKeeper, contact_id: Id, body: TerminateBody | None = None
) -> Standing:
    """Do not call it any more. With hang_up it may still be in a call, which ends now, and the contact with it."""
    await found.contact(access, contact_id)
    hang_up = body.hang_up if body else False
    return _standing(await contacts.terminate(found.store, found.clock, contact_id, hang_up=hang_up))


@router.post("/contacts/{contact_id}/respool")
async def respool_contact(
    found: Found, access: ContactKeeper, contact_id: Id, body: RespoolBody | None = None
) -> Standing:
    """Call it again, though it is done or waits: due now."""
    contact, campaign = await found.contact(access, contact_id)
    wanted = _respool(found, body or RespoolBody(), contact, campaign)
    return _standing(await contacts.respool(found.store, found.clock, wanted))


def _respool(found: Services, body: RespoolBody, contact: Contact, campaign: Campaign) -> contacts.Respool:
    contacts.check_agent(body.agentphone or "", "agentphone")
    alternatives = (
        None
        if body.alternatives is None
        else [
            new_number(found, one, NumberType.UNKNOWN, f"alternatives.{at}") for at, one in enumerate(body.alternatives)
        ]
    )
    return contacts.Respool(
        campaign=campaign.name,
        number=contacts.main_number(contact),
        contact_id=contact.id,
        new_number=new_number(found, body.number, NumberType.PRIORITY, "number") if body.number else None,
        alternatives=alternatives,
        params=None if body.params is None else texts(body.params),
        priority=body.priority,
        agentphone=body.agentphone,
        tries_used=body.tries_used,
    )


@router.delete("/campaigns/{name}/contacts")
async def remove_contacts(
    found: Found, access: ContactKeeper, name: Name, number: Annotated[str, Query(max_length=60)]
) -> Removed:
    """End every open contact of the campaign with this main number, in a base or asked for."""
    await found.campaign(access, name)
    done = await contacts.remove(found.store, found.clock, name, plain_number(found, number))
    return Removed(removed=done.now, after_call=done.after_call)


# --- outcomes --------------------------------------------------------------------------------------------------------


@router.post("/contacts/{contact_id}/outcome", tags=["outcomes"])
async def choose_for_contact(found: Found, access: Caller, contact_id: Id, body: OutcomeBody) -> Chosen:
    """Choose the outcome of a contact's last call, and do what it does."""
    _, campaign = await found.contact(access, contact_id)
    return await _choose(found, access, campaign, body, contact_id=contact_id)


@router.post("/attempts/{guid}/outcome", tags=["outcomes"])
async def choose_for_call(found: Found, access: Caller, guid: Guid, body: OutcomeBody) -> Chosen:
    """Choose the outcome of a call, and do what it does."""
    contact, campaign = await found.call(access, guid)
    return await _choose(found, access, campaign, body, contact_id=contact.id, guid=guid)


async def _choose(
    found: Services, access: Access, campaign: Campaign, body: OutcomeBody, *, contact_id: int, guid: str = ""
) -> Chosen:
    if access.role is Role.AGENT:
        await _check_own(found, access, contact_id, guid)
    if body.to_campaign:
        await found.campaign(access, body.to_campaign)
    contacts.check_agent(body.agent)
    choice = outcomes.Choice(
        campaign=campaign.name,
        levels=body.levels,
        guid=guid,
        contact_id=0 if guid else contact_id,
        agent=access.agent if access.role is Role.AGENT else body.agent or access.name,
        comment=body.comment,
        at=body.at,
        to_campaign=body.to_campaign,
        promised=body.promised,
        tag=body.tag,
    )
    with called({"level 1": "levels", "schedule": "at"}):
        chosen = await outcomes.choose(found.store, found.clock, found.zone, choice)
    return Chosen(
        contact=_standing(chosen.contact),
        action=chosen.outcome.action.value,
        tag=choice.tag or chosen.outcome.tag,
        task=chosen.task_id,
        message=chosen.words,
    )


async def _check_own(found: Services, access: Access, contact_id: int, guid: str) -> None:
    """Raises Forbidden for a call that the agent did not have."""
    attempts = (await found.store.contact(contact_id))["attempts"]
    last = [row for row in attempts if not guid or row["id"] == guid][-1:]
    if not any(is_agent(access.agent, row["agent"], row["agent"]) for row in last):
        raise Forbidden("an agent's token chooses outcomes only of the agent's own calls")
