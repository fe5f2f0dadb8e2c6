"""Buckets: contacts that only some agents may have. An agent has those that its profile lists, by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter

from astdialer.domain.access import Access
from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.names import NAME, check_name
from astdialer.http.services import Services
from astdialer.http.turns import turn
from astdialer.http.webitel4.queues import queue_of
from astdialer.http.webitel4.routes import SmallIdempotentRoute
from astdialer.http.webitel4.shapes import (
    DIALECT,
    Body,
    Flag,
    Found,
    Ids,
    Keeper,
    Line,
    Lookup,
    Name,
    Pages,
    PathId,
    Reader,
    Search,
    Whole,
    id_of,
)
from astdialer.ports import ForeignObject

KIND, ATTACHED = "bucket", "queue-bucket"

router = APIRouter(prefix="/call_center", tags=["webitel v4"], route_class=SmallIdempotentRoute)


class BucketBody(Body):
    """A bucket. Its name is what agents' profiles list."""

    name: Name = ""
    description: Line = ""


class QueueBucketBody(Body):
    """A bucket of a queue."""

    bucket: Lookup | None = None
    ratio: Whole = 0
    priority: Whole = 0
    disabled: Flag = False


@dataclass(frozen=True, slots=True)
class Buckets:
    """A tenant's buckets, by id."""

    tenant: str
    by_id: Mapping[str, ForeignObject]

    def name(self, bucket_id: str) -> str:
        """A bucket's name; one that nobody made is called as its id."""
        found = self.by_id.get(bucket_id)
        return found.name if found else bucket_id

    def shown(self, name: str) -> dict[str, str]:
        """The bucket of a contact."""
        found = next((key for key, each in self.by_id.items() if each.name == name), name)
        return {"id": found, "name": name}

    def one(self, bucket_id: str) -> ForeignObject:
        """Raises NotFound."""
        if bucket_id not in self.by_id:
            raise NotFound("bucket", bucket_id)
        return self.by_id[bucket_id]


async def buckets_of(found: Services, tenant: str) -> Buckets:
    """A tenant's own: others have ids of their own."""
    stored = await found.store.foreign_all(DIALECT, KIND, tenant)
    return Buckets(tenant, {each.id.removeprefix(f"{tenant}/"): each for each in stored})


async def make(found: Services, tenant: str, ids: Collection[str]) -> Buckets:
    """The tenant's buckets with these ids. Those that nobody made are made, with their ids for names, so that members
    can be loaded before anybody sets buckets up. Raises InvalidSetting, and makes none, for what can be no name."""
    async with turn(DIALECT, KIND):
        known = await buckets_of(found, tenant)
        names = {each.name for each in known.by_id.values()}
        unmade = [each for each in ids if each not in known.by_id and each not in names]
        for each in unmade:
            if not NAME.fullmatch(each):
                raise InvalidSetting("bucket.id", each, "the id of a bucket: see GET /call_center/buckets")
        new = {each: _new(found, tenant, each, name=each) for each in unmade}
        if new:
            await found.store.save_documents(list(new.values()))
    return Buckets(tenant, {**known.by_id, **new})


def _new(found: Services, tenant: str, bucket_id: str, *, name: str, description: str = "") -> ForeignObject:
    now = found.clock.now()
    return ForeignObject(
        dialect=DIALECT,
        kind=KIND,
        id=_stored_id(tenant, bucket_id),
        tenant=tenant,
        name=name,
        body={"description": description},
        created_at=now,
        changed_at=now,
    )


def _stored_id(tenant: str, bucket_id: str) -> str:
    return f"{tenant}/{bucket_id}" if tenant else bucket_id


def _checked(name: str, key: str = "name") -> str:
    try:
        return check_name(name)
    except InvalidSetting as error:
        raise InvalidSetting(key, name, error.expected) from None


def _shown(bucket_id: str, one: ForeignObject) -> dict[str, str]:
    return {"id": bucket_id, "name": one.name, "description": str(one.body.get("description", ""))}


@router.get("/buckets")
async def list_buckets(found: Found, access: Reader, pages: Pages, ids: Ids = None, q: Search = "") -> dict[str, Any]:
    """The token's buckets."""
    known = (await buckets_of(found, access.tenant)).by_id
    wanted = [(key, each) for key, each in known.items() if (not ids or key in ids) and q.strip("*") in each.name]
    return pages.of([_shown(key, each) for key, each in wanted])


@router.post("/buckets")
async def create_bucket(found: Found, access: Keeper, body: BucketBody) -> dict[str, str]:
    """Make a bucket."""
    name = _checked(body.name)
    async with turn(DIALECT, KIND):
        known = await buckets_of(found, access.tenant)
        if any(each.name == name for each in known.by_id.values()):
            raise Conflict(f"bucket {name!r} is there already")
        bucket_id = str(1 + max((int(key) for key in known.by_id if key.isdecimal()), default=0))
        one = _new(found, access.tenant, bucket_id, name=name, description=body.description)
        await found.store.save_foreign(one)
    return _shown(bucket_id, one)


@router.get("/buckets/{bucket_id}")
async def show_bucket(found: Found, access: Reader, bucket_id: PathId) -> dict[str, str]:
    """One bucket."""
    return _shown(bucket_id, (await buckets_of(found, access.tenant)).one(bucket_id))


@router.put("/buckets/{bucket_id}")
async def update_bucket(found: Found, access: Keeper, bucket_id: PathId, body: BucketBody) -> dict[str, str]:
    """Describe it otherwise. Its name stays: agents' profiles and members have it."""
    one = (await buckets_of(found, access.tenant)).one(bucket_id)
    if body.name and body.name != one.name:
        raise Conflict(f"bucket {bucket_id} is called {one.name!r} in agents' profiles and members: make another one")
    changed = replace(one, body={"description": body.description}, changed_at=found.clock.now())
    await found.store.save_foreign(changed)
    return _shown(bucket_id, changed)


@router.delete("/buckets/{bucket_id}")
async def delete_bucket(found: Found, access: Keeper, bucket_id: PathId) -> dict[str, str]:
    """Forget it. Members that are in it stay so."""
    one = (await buckets_of(found, access.tenant)).one(bucket_id)
    await found.store.remove_foreign(DIALECT, KIND, one.id)
    return _shown(bucket_id, one)


# --- of a queue ------------------------------------------------------------------------------------------------------


async def _attached(found: Services, campaign: Campaign) -> dict[str, ForeignObject]:
    """By the bucket's id."""
    prefix = f"{campaign.id}/"
    every = await found.store.foreign_all(DIALECT, ATTACHED, campaign.tenant)
    return {each.id.removeprefix(prefix): each for each in every if each.name == str(campaign.id)}


async def _one_attached(
    found: Services, access: Access, queue_id: str, bucket_id: str
) -> tuple[ForeignObject, Buckets]:
    campaign = await queue_of(found, access, queue_id)
    attached = await _attached(found, campaign)
    if bucket_id not in attached:
        raise NotFound("bucket of the queue", bucket_id)
    return attached[bucket_id], await buckets_of(found, campaign.tenant)


def _shown_attached(bucket_id: str, one: ForeignObject, known: Buckets) -> dict[str, Any]:
    return {"id": bucket_id, "bucket": {"id": bucket_id, "name": known.name(bucket_id)}, **one.body}


@router.get("/queues/{queue_id}/buckets")
async def list_queue_buckets(found: Found, access: Reader, queue_id: PathId, pages: Pages) -> dict[str, Any]:
    """The buckets that were attached to a queue."""
    campaign = await queue_of(found, access, queue_id)
    known = await buckets_of(found, campaign.tenant)
    return pages.of([_shown_attached(key, one, known) for key, one in (await _attached(found, campaign)).items()])


@router.post("/queues/{queue_id}/buckets")
async def attach_bucket(found: Found, access: Keeper, queue_id: PathId, body: QueueBucketBody) -> dict[str, Any]:
    """Attach a bucket. Its ratio and priority are kept, and decide nothing here."""
    campaign = await queue_of(found, access, queue_id)
    known = await buckets_of(found, campaign.tenant)
    bucket_id = id_of(body.bucket)
    known.one(bucket_id)
    now = found.clock.now()
    one = ForeignObject(
        dialect=DIALECT,
        kind=ATTACHED,
        id=f"{campaign.id}/{bucket_id}",
        tenant=campaign.tenant,
        name=str(campaign.id),
        body={"ratio": body.ratio, "priority": body.priority, "disabled": body.disabled},
        created_at=now,
        changed_at=now,
    )
    await found.store.save_foreign(one)
    return _shown_attached(bucket_id, one, known)


@router.get("/queues/{queue_id}/buckets/{bucket_id}")
async def show_queue_bucket(found: Found, access: Reader, queue_id: PathId, bucket_id: PathId) -> dict[str, Any]:
    """One of them."""
    one, known = await _one_attached(found, access, queue_id, bucket_id)
    return _shown_attached(bucket_id, one, known)


@router.put("/queues/{queue_id}/buckets/{bucket_id}", include_in_schema=False)
@router.patch("/queues/{queue_id}/buckets/{bucket_id}")
async def change_queue_bucket(
    found: Found, access: Keeper, queue_id: PathId, bucket_id: PathId, body: QueueBucketBody
) -> dict[str, Any]:
    """Change what is kept of it."""
    one, known = await _one_attached(found, access, queue_id, bucket_id)
    given = body.model_dump(include={"ratio", "priority", "disabled"}, exclude_unset=True)
    changed = replace(one, body={**one.body, **given}, changed_at=found.clock.now())
    await found.store.save_foreign(changed)
    return _shown_attached(bucket_id, changed, known)


@router.delete("/queues/{queue_id}/buckets/{bucket_id}")
async def detach_bucket(found: Found, access: Keeper, queue_id: PathId, bucket_id: PathId) -> dict[str, Any]:
    """Take it away from the queue."""
    one, known = await _one_attached(found, access, queue_id, bucket_id)
    await found.store.remove_foreign(DIALECT, ATTACHED, one.id)
    return _shown_attached(bucket_id, one, known)
