"""Calls outside of any list: at a time, as soon as possible, or at once by an agent."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from astdialer.domain.contact import Contact, NumberType
from astdialer.domain.errors import InvalidSetting
from astdialer.engine import tasks
from astdialer.engine.contacts import check_agent
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import page, place_of
from astdialer.http.services import Services
from astdialer.http.v1.agents import target
from astdialer.http.v1.common import (
    PROBLEMS,
    USUAL_LIMIT,
    ContactKeeper,
    Cursor,
    Found,
    Limit,
    Model,
    Name,
    Page,
    Reader,
)
from astdialer.http.v1.numbers import (
    ContactPriority,
    Instant,
    NumberBody,
    Params,
    new_number,
    new_numbers,
    plain_number,
    texts,
)

router = APIRouter(prefix="/campaigns/{name}/tasks", tags=["tasks"], route_class=IdempotentRoute, responses=PROBLEMS)

NumberQuery = Annotated[str, Query(max_length=60, description="The main number, as an upload takes it.")]
From = Annotated[Instant | None, Query(alias="from", description="Only from this instant on.")]
To = Annotated[Instant | None, Query(description="Only before this instant.")]

EXAMPLE: dict[str, Any] = {
    "number": {"number": "+447700900123"},
    "at": 1_790_000_000_000,
    "agent": "1001",
    "promised": True,
}


class NewTask(Model):
    """The call that is asked for. The same one again (number, time, agent) is no second call."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    number: NumberBody
    alternatives: list[NumberBody] = Field(default=[], max_length=50)
    when: Literal["next", "list", "now"] = Field(
        default="next",
        description="Without `at`: next is as soon as possible, list in its turn among the contacts of bases, now by "
        "the agent, whose telephone rings at once.",
    )
    at: Instant | None = Field(default=None, description="Call at this time.")
    promised: bool = Field(default=False, description="At that time whatever the calling hours.")
    agent: str = Field(default="", max_length=80, description="Who alone may have the call, such as 1001.")
    params: Params = Field(default_factory=dict)
    priority: ContactPriority | None = Field(default=None, description="Smaller is dialed first; 1, in a list 9999.")


class Added(BaseModel):
    """What has become of a task."""

    contact: int = Field(description="The contact that it is now: /v1/contacts/{contact}")
    guid: str = Field(description="Of the call that the agent makes now; else empty.")
    message: str = Field(description="What you should know, such as that its campaign does not run.")


class Task(BaseModel):
    """A scheduled call that is still to be made."""

    contact: int
    at: int | None
    number: str
    alternatives: list[str]
    agent: str
    tries: int
    promised: bool
    params: dict[str, str]


class Removed(BaseModel):
    """How many scheduled calls will not be made."""

    removed: int


@router.post("", status_code=201)
async def add_task(found: Found, access: ContactKeeper, name: Name, new: NewTask) -> Added:
    """Have the campaign call a number: as soon as possible, unless it is said otherwise."""
    await found.campaign(access, name)
    wish = _wish(found, name, new)
    if new.when == "now" and new.agent:
        wish = replace(wish, agent=(await target(found, access, new.agent, name))["agent"])
    added = await tasks.add(found.store, found.clock, wish)
    return Added(contact=added.contact_id, guid=added.guid, message=added.words)


def _wish(found: Services, name: str, new: NewTask) -> tasks.Wish:
    if new.at is not None and new.when != "next":
        raise InvalidSetting("when", new.when, "next, or no at: each says when to call")
    check_agent(new.agent)
    main = new_number(found, new.number, NumberType.PRIORITY, "number")
    return tasks.Wish(
        campaign=name,
        numbers=[main, *new_numbers(found, new.alternatives, "alternatives", NumberType.UNKNOWN)],
        at=new.at,
        agent=new.agent,
        params=texts(new.params),
        automatic=new.when == "next",
        bulk=new.when == "list",
        any_hour=new.promised,
        priority=new.priority,
    )


@router.get("")
async def list_tasks(
    found: Found,
    access: Reader,
    *,
    name: Name,
    number: Annotated[str | None, Query(max_length=60, description="Only with this number.")] = None,
    from_: From = None,
    to: To = None,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
) -> Page[Task]:
    """The scheduled calls of a campaign, by their time. Those without a time: /v1/contacts?rank=task."""
    await found.campaign(access, name)
    plain = plain_number(found, number) if number else None
    place = place_of(cursor, int, int)
    after = (place[0], place[1]) if place else None
    listed = await tasks.scheduled(found.store, name, plain, from_at=from_, to_at=to, limit=limit, after=after)
    last = [(tasks.due_at(one) or 0, one.id) for one in listed[-1:]]
    return Page[Task](**page([_row(one) for one in listed], limit, *(last[0] if last else ())))


def _row(one: Contact) -> dict[str, Any]:
    return {
        "contact": one.id,
        "at": tasks.due_at(one),
        "number": one.numbers[0].number,
        "alternatives": [number.number for number in one.numbers[1:]],
        "agent": one.agentphone,
        "tries": one.tries,
        "promised": one.any_hour,
        "params": dict(one.params),
    }


@router.delete("")
async def remove_tasks(
    found: Found, access: ContactKeeper, *, name: Name, number: NumberQuery, from_: From = None, to: To = None
) -> Removed:
    """Do not make the scheduled calls to a number."""
    await found.campaign(access, name)
    plain = plain_number(found, number)
    return Removed(removed=await tasks.remove(found.store, found.clock, name, plain, from_at=from_, to_at=to))
