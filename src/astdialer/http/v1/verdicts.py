"""What is to become of contacts: results, ends, another go, outcomes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from astdialer.domain.access import Access, Forbidden, Role
from astdialer.domain.agent import is_agent
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, NumberType
from astdialer.domain.typification import LONGEST_NEXT_S, MOST_LEVELS, Result
from astdialer.engine import contacts, outcomes
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.services import Services
from astdialer.http.v1.common import (
    PROBLEMS,
    Caller,
    ContactKeeper,
    Found,
    Id,
    Model,
    Name,
)
from astdialer.http.v1.numbers import (
    LINE,
    ContactPriority,
    Instant,
    Line,
    NumberBody,
    NumberText,
    Params,
    called,
    new_number,
    plain_number,
    read_number,
    texts,
)

router = APIRouter(tags=["contacts"], route_class=IdempotentRoute, responses=PROBLEMS)

Guid = Annotated[str, Field(max_length=80)]


class Standing(BaseModel):
    """Where a contact stands now."""

    id: int
    state: str
    next_at: int | None
    successful: bool
    end_reason: str
    end_cause: str
    tag: str


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
