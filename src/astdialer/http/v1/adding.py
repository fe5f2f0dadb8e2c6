"""Contacts that are added, one by one or many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, TypeAdapter, ValidationError

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewContact
from astdialer.domain.errors import InvalidSetting
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.services import Services
from astdialer.http.v1.common import (
    PROBLEMS,
    ContactKeeper,
    Found,
    Model,
    Name,
)
from astdialer.http.v1.numbers import (
    ContactFields,
    base_name,
    mistakes_of,
    new_contact,
)

router = APIRouter(tags=["contacts"], route_class=IdempotentRoute, responses=PROBLEMS)

Base = Annotated[str, Field(max_length=64)]
#: Contacts that one request may bring, one transaction adds, and are read before others have a turn.
MOST, TOGETHER, AT_ONCE = 10_000, 1000, 50

NEW_EXAMPLE: dict[str, Any] = {
    "numbers": [{"number": "+447700900123", "type": "M"}, {"number": "020 7946 0958", "type": "W"}],
    "params": {"name": "Ana"},
    "reference": "crm-4711",
}


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
    """What came of a contact that was sent. The id of a duplicate is that of the contact that it repeats."""

    status: Literal["added", "duplicate", "invalid"]
    id: int | None = None
    errors: list[FieldMistake] = []


class BulkAnswer(BaseModel):
    """What came of each, in their order."""

    added: int
    duplicates: int
    invalid: int
    items: list[Taken]


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
    if taken.id is not None:  # else the one that it repeats has been removed meanwhile
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
