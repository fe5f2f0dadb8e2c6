"""Pools of caller ids, whose numbers take turns: `caller_id` = `pool:NAME` of a campaign or trunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from astdialer.domain.access import Access
from astdialer.engine import pools
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.v1.common import PROBLEMS, Administrator, Found, Model, Page, Reader
from astdialer.http.v1.kinds import Name, Row

router = APIRouter(prefix="/callerids", tags=["callerids"], route_class=IdempotentRoute, responses=PROBLEMS)

Numbers = Annotated[
    list[Annotated[str, Field(max_length=200)]],
    Field(
        min_length=1,
        max_length=100_000,
        examples=[["442079460000", "Sales <442079460001>"]],
        description="In the order of their turns, each a number or `Name <number>`.",
    ),
]


class PoolNumbers(Model):
    """The numbers of a pool, in place of those it has."""

    numbers: Numbers


class NewPool(PoolNumbers):
    """A pool to make."""

    name: str = Field(max_length=70, examples=["london"])


class PoolRow(Row):
    """A pool. A tenant's token is shown the name alone: pools are the whole installation's."""

    name: str = Field(examples=["london"])
    numbers: list[str] | None = Field(default=None, examples=[["442079460000", "Sales <442079460001>"]])


def _row(access: Access, name: str, numbers: Sequence[str]) -> PoolRow:
    return PoolRow(name=name) if access.tenant else PoolRow(name=name, numbers=list(numbers))


@router.get("", response_model_exclude_unset=True)
async def list_pools(found: Found, access: Reader) -> Page[PoolRow]:
    """All pools, by name."""
    known = await found.store.caller_id_pools()
    return Page[PoolRow](items=[_row(access, name, numbers) for name, numbers in known.items()], next=None)


@router.post("", status_code=201)
async def create_pool(found: Found, access: Administrator, new: NewPool, response: Response) -> PoolRow:
    """Make a pool."""
    numbers = await pools.create(found.store, new.name, new.numbers)
    response.headers["location"] = f"/v1/callerids/{new.name}"
    return _row(access, new.name, numbers)


@router.get("/{name}", response_model_exclude_unset=True)
async def show_pool(found: Found, access: Reader, name: Name) -> PoolRow:
    """One pool with its numbers."""
    return _row(access, name, await pools.find(found.store, name))


@router.put("/{name}")
async def put_pool(found: Found, access: Administrator, name: Name, body: PoolNumbers) -> PoolRow:
    """Give a pool these numbers in place of those it has; a running engine takes them up within a second."""
    return _row(access, name, await pools.change(found.store, name, body.numbers))


@router.delete("/{name}", status_code=204)
async def remove_pool(found: Found, _access: Administrator, name: Name) -> None:
    """Forget a pool that no campaign and no trunk uses."""
    await pools.remove(found.store, name)
