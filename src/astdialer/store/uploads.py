"""Bases on their way in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from astdialer.domain.contact import ContactState, NewContact, Rank
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.selection import pool_zones
from astdialer.ports import BaseUpload
from astdialer.store.claim import Reading
from astdialer.store.contact_write import forget_documents, pool_id
from astdialer.store.database import Database, Writing

#: Contacts of a discarded upload that one transaction removes.
DISCARDED = 5000


class Uploads:
    """Implements ports.UploadStore."""

    _db: Database

    async def open_upload(
        self, campaign_id: int, base: str, *, file_name: str, timezone: str, now: int, job: str = ""
    ) -> BaseUpload:
        """Begin an upload. Raises Conflict if the base exists in another timezone."""

        async def begin(tx: Writing) -> BaseUpload:
            return await open_upload(tx, campaign_id, base, file_name=file_name, timezone=timezone, now=now, job=job)

        result: BaseUpload = await self._db.write(begin)
        return result

    async def known_numbers(self, upload: BaseUpload, numbers: Sequence[str]) -> set[str]:
        """Which of these main numbers the base, this upload included, already has."""
        return await _known(self._db, upload, numbers)

    async def add_contacts(self, upload: BaseUpload, contacts: Sequence[NewContact], now: int) -> Sequence[NewContact]:
        """Add those of a batch whose main number the base does not have, and return them. Raises Conflict when the
        upload was discarded meanwhile."""

        async def add(tx: Writing) -> Sequence[NewContact]:
            if not await tx.execute("touch_upload", {"id": upload.id, "now": now}):
                raise Conflict(f"the upload into {upload.base!r} was discarded by somebody else")
            known = await _known(tx, upload, [contact.numbers[0].number for contact in contacts])
            new = [each for each in contacts if each.numbers[0].number not in known or not _is_once(each)]
            await insert_contacts(tx, upload, new)
            return new

        added: Sequence[NewContact] = await self._db.write(add)
        return added

    async def publish_uploads(self, uploads: Sequence[BaseUpload], now: int) -> None:
        """All of them become dialable, in one transaction; raises Conflict, and publishes none, if one is gone."""

        async def publish(tx: Writing) -> None:
            for upload in uploads:
                if not await tx.execute("publish_upload", {"id": upload.id, "now": now}):
                    raise Conflict(f"the upload into {upload.base!r} was discarded by somebody else")

        await self._db.write(publish)

    async def discard_uploads(self, uploads: Sequence[BaseUpload]) -> None:
        """Remove what they brought, in small transactions so that dialing goes on."""
        for upload in uploads:
            await self._discard(upload)

    async def interrupted_uploads(self, now: int, quiet_s: float) -> Sequence[BaseUpload]:
        """Uploads that nobody will finish."""
        rows = await self._db.read("interrupted_uploads", {"quiet_since": now - int(quiet_s * 1000)})
        return [BaseUpload(**row) for row in rows]

    async def _discard(self, upload: BaseUpload) -> None:
        key = {"id": upload.id}
        if not await self._db.write(lambda tx: tx.execute("mark_discarding", key)):
            return

        async def some(tx: Writing) -> int:
            found = await tx.fetch("discardable", key | {"limit": DISCARDED})
            return await discard_contacts(tx, [row["id"] for row in found])

        while await self._db.write(some):
            pass

        async def forget(tx: Writing) -> None:
            for query in ("forget_counts", "forget_pools", "forget_upload"):
                await tx.execute(query, key)
            await tx.execute("forget_empty_base", {"base_id": upload.base_id})

        await self._db.write(forget)


async def open_upload(
    tx: Writing, campaign_id: int, base: str, *, file_name: str, timezone: str, now: int, job: str = ""
) -> BaseUpload:
    """A new upload, into a new base if there is none of this name. Raises Conflict if it is in another timezone, and
    NotFound if the campaign was removed."""
    await tx.execute("make_base", {"campaign_id": campaign_id, "name": base, "timezone": timezone, "now": now})
    found = await tx.fetch("base", {"campaign_id": campaign_id, "name": base})
    if not found:
        raise NotFound("campaign", campaign_id, "it was removed")
    row = found[0]
    if timezone and row["timezone"] != timezone:
        raise Conflict(f"base {base!r} is in zone {row['timezone'] or 'of its campaign'!r}, not {timezone!r}")
    upload = {"base_id": row["id"], "campaign_id": campaign_id, "file_name": file_name, "now": now, "job": job}
    return BaseUpload(
        id=await tx.insert("open_upload", upload),
        campaign_id=campaign_id,
        campaign=row["campaign"],
        base_id=row["id"],
        base=base,
        timezone=row["timezone"],
    )


async def _known(tx: Reading, upload: BaseUpload, numbers: Sequence[str]) -> set[str]:
    row = {"base_id": upload.base_id, "numbers": json.dumps(list(numbers))}
    return {found["main_number"] for found in await tx.fetch("known_numbers", row)}


def _is_once(new: NewContact) -> bool:
    """Whether its base has its main number but once."""
    return new.rank is Rank.LIST and not new.repeatable


async def insert_contacts(tx: Writing, upload: BaseUpload, contacts: Sequence[NewContact]) -> range:
    """Add contacts and their numbers to an upload; the ids of the contacts."""
    first = (await tx.fetch("last_contact_id"))[0]["id"] + 1
    pools = await _pools(tx, upload, contacts)
    numbered = enumerate(zip(pools, contacts, strict=True), first)
    rows = [_contact_row(upload, id_, pool, new) for id_, (pool, new) in numbered]
    await tx.execute_many("add_contact", rows)
    await tx.execute_many(
        "add_number", [row for id_, new in enumerate(contacts, first) for row in _number_rows(id_, new)]
    )
    attached = [(id_, new.attachment) for id_, new in enumerate(contacts, first) if new.attachment]
    await tx.execute_many("attach", attached)
    added = Counter((pool, _state(new)) for pool, new in zip(pools, contacts, strict=True))
    await tx.execute_many("count_added", [(pool, state, n) for (pool, state), n in added.items()])
    return range(first, first + len(contacts))


async def discard_contacts(tx: Writing, ids: Sequence[int]) -> int:
    """Delete contacts whom nobody can have called yet; how many."""
    listed = {"ids": json.dumps(list(ids))}
    for query in ("forget_attachments", "discard_numbers"):
        await tx.execute(query, listed)
    await forget_documents(tx, ids)
    return await tx.execute("discard_contacts", listed)


async def _pools(tx: Writing, upload: BaseUpload, contacts: Sequence[NewContact]) -> list[int]:
    """The pool of each contact. Many are in the same: each is looked up once."""
    keys = [(_open_zones(new), new.any_hour, _bucket(new)) for new in contacts]
    known = {}
    for key in dict.fromkeys(keys):
        zones, any_hour, bucket = key
        text = pool_zones(zones, any_hour=any_hour)
        known[key] = await pool_id(tx, upload.id, upload.campaign_id, text, bucket)
    return [known[key] for key in keys]


def _open_zones(new: NewContact) -> tuple[str, ...]:
    return tuple([n.zones for n in new.numbers if not n.end_reason]) or ("",)


def _bucket(new: NewContact) -> str:
    return f"@{new.agentphone}" if new.agentphone else new.bucket


def _state(new: NewContact) -> str:
    return (ContactState.READY if new.not_before is None else ContactState.WAITING).value


def _contact_row(upload: BaseUpload, id_: int, pool: int, new: NewContact) -> tuple[object, ...]:
    # Plain str and int: sqlite3 looks for an adapter for each value of any other class.
    return (
        id_,
        upload.id,
        upload.base_id,
        upload.campaign_id,
        pool,
        new.numbers[0].number,
        _state(new),
        int(new.rank),
        new.priority,
        new.not_before,
        new.expires_at,
        int(new.any_hour),
        json.dumps(dict(new.params), ensure_ascii=False),
        new.agentphone,
        new.bucket,
        new.line,
        int(new.repeatable),
        new.reference,
    )


def _number_rows(contact_id: int, new: NewContact) -> list[tuple[object, ...]]:
    due_at = new.not_before or 0
    return [
        (
            contact_id,
            position,
            n.number,
            n.as_uploaded,
            str(n.type),
            n.priority,
            n.description,
            n.zones,
            None if n.end_reason else due_at,
            n.end_reason,
        )
        for position, n in enumerate(new.numbers)
    ]
