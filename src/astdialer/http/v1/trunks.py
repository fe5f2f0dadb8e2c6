"""Trunks: where calls leave, how many at a time, how many a second."""

from __future__ import annotations

import dataclasses

from fastapi import APIRouter, Response
from pydantic import Field

from astdialer.domain.access import Access
from astdialer.domain.trunk import Trunk
from astdialer.engine import trunks
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.v1.common import PROBLEMS, Administrator, Found, Model, Page, Reader
from astdialer.http.v1.kinds import Name, Row

router = APIRouter(prefix="/trunks", tags=["trunks"], route_class=IdempotentRoute, responses=PROBLEMS)

_DIAL = "Dial string with a place for the number: {number} is E.164 without its plus, {e164} with it, {as_uploaded}."
_CALLER_ID = "What called persons see, in place of the campaign's."


class TrunkChange(Model):
    """What to change."""

    dial: str | None = Field(default=None, max_length=200, examples=["PJSIP/{number}@carrier"], description=_DIAL)
    server: str | None = Field(default=None, max_length=80, examples=["default"], description="The Asterisk.")
    max_calls: int | None = Field(default=None, examples=[30], description="Channels at a time, 0 to 10000.")
    calls_per_second: float | None = Field(default=None, examples=[5], description="0.01 to 1000.")
    caller_id: str | None = Field(default=None, max_length=8000, examples=["pool:london"], description=_CALLER_ID)
    enabled: bool | None = Field(default=None, description="Whether campaigns may use it.")


class NewTrunk(TrunkChange):
    """A trunk to make; what is left out is as usual."""

    name: str = Field(max_length=70, examples=["carrier"])
    dial: str = Field(max_length=200, examples=["PJSIP/{number}@carrier"], description=_DIAL)


class TrunkRow(Row):
    """A trunk. A tenant's token is shown the name alone: trunks are the whole installation's."""

    name: str = Field(examples=["carrier"])
    dial: str | None = Field(default=None, examples=["PJSIP/{number}@carrier"], description=_DIAL)
    server: str | None = Field(default=None, examples=["default"])
    max_calls: int | None = Field(default=None, examples=[30])
    calls_per_second: float | None = Field(default=None, examples=[5.0])
    caller_id: str | None = Field(default=None, examples=["pool:london"])
    enabled: bool | None = Field(default=None, examples=[True])


def _row(access: Access, trunk: Trunk) -> TrunkRow:
    return TrunkRow(name=trunk.name) if access.tenant else TrunkRow(**dataclasses.asdict(trunk))


@router.get("", response_model_exclude_unset=True)
async def list_trunks(found: Found, access: Reader) -> Page[TrunkRow]:
    """All trunks, by name."""
    return Page[TrunkRow](items=[_row(access, one) for one in await found.store.trunks()], next=None)


@router.post("", status_code=201)
async def create_trunk(found: Found, access: Administrator, new: NewTrunk, response: Response) -> TrunkRow:
    """Make a trunk."""
    values = {key: value for key, value in new.model_dump().items() if value is not None}
    made = await trunks.create(found.store, Trunk(**values), found.servers)
    response.headers["location"] = f"/v1/trunks/{made.name}"
    return _row(access, made)


@router.get("/{name}", response_model_exclude_unset=True)
async def show_trunk(found: Found, access: Reader, name: Name) -> TrunkRow:
    """One trunk."""
    return _row(access, await trunks.find(found.store, name))


@router.patch("/{name}")
async def change_trunk(found: Found, access: Administrator, name: Name, change: TrunkChange) -> TrunkRow:
    """Change a trunk, in use or not; a running engine takes it up within a second."""
    changes = {key: value for key, value in change.model_dump().items() if value is not None}
    return _row(access, await trunks.change(found.store, name, changes, found.servers))


@router.delete("/{name}", status_code=204)
async def remove_trunk(found: Found, _access: Administrator, name: Name) -> None:
    """Forget a trunk that no campaign and no route names any more."""
    await found.store.remove_trunk(name)
