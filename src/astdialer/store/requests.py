"""What requests over HTTP leave behind, in SQLite."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from astdialer.domain.cause import Cause, EndCause
from astdialer.domain.contact import INVALID, Contact, NewContact
from astdialer.domain.errors import NotFound
from astdialer.domain.retry import ended
from astdialer.ports import BaseUpload, ForeignObject, Kept, UploadJob
from astdialer.ports.callrecords import AFTER_ALL
from astdialer.store.contact_write import save_contacts
from astdialer.store.contacts import loaded_contact, standing_upload
from astdialer.store.database import Database, Writing
from astdialer.store.uploads import discard_contacts, insert_contacts

#: End reason of contacts whose time is over before they come.
EXPIRED = "expired"


class Requests:
    """Implements ports.RequestStore."""

    _db: Database

    async def add_to_base(
        self, campaign_id: int, base: str, contacts: Sequence[NewContact], now: int
    ) -> Sequence[int | None]:
        """Add contacts one by one; their ids, None for one that is there already."""
        added: Sequence[int | None] = await self._db.write(
            lambda tx: add_to_base(tx, campaign_id, base, contacts, now=now)
        )
        return added

    async def contact_by_reference(self, campaign_id: int, reference: str) -> int | None:
        """The contact that the other system calls so."""
        rows = await self._db.read("contact_by_reference", {"campaign_id": campaign_id, "reference": reference})
        return int(rows[0]["id"]) if rows else None

    # --- uploads -----------------------------------------------------------------------------------------------------

    async def add_job(self, job: UploadJob) -> None:
        """A new one."""
        await self._db.write(lambda tx: tx.execute("add_job", _job_row(job)), quiet=True)

    async def save_job(self, job: UploadJob) -> None:
        """How far it has come."""
        await self._db.write(lambda tx: tx.execute("save_job", _job_row(job)), quiet=True)

    async def job(self, job_id: str) -> UploadJob:
        """Raises NotFound."""
        rows = await self._db.read("job", {"id": job_id})
        if not rows:
            raise NotFound("upload", job_id)
        return _job(rows[0])

    async def jobs(self, tenant: str | None, limit: int, after: tuple[int, str] | None = None) -> Sequence[UploadJob]:
        """The newest first; ``after``: those behind the one of this time and id."""
        last_at, job_id = after or (AFTER_ALL, "")
        row = {"tenant": tenant, "limit": limit, "last_at": last_at, "id": job_id}
        return [_job(found) for found in await self._db.read("jobs", row)]

    async def open_jobs(self) -> Sequence[UploadJob]:
        """Those that are not ended, the oldest first."""
        return [_job(row) for row in await self._db.read("open_jobs")]

    async def forget_jobs(self, before: int) -> None:
        """Those that are ended and came before an instant."""
        await self._db.write(lambda tx: tx.execute("forget_jobs", {"before": before}), quiet=True)

    # --- dialects' own objects ---------------------------------------------------------------------------------------

    async def foreign(self, dialect: str, kind: str, object_id: str) -> ForeignObject | None:
        """By the dialect's id."""
        rows = await self._db.read("foreign", {"dialect": dialect, "kind": kind, "id": object_id})
        return _foreign(rows[0]) if rows else None

    async def foreign_by_name(self, dialect: str, kind: str, name: str) -> ForeignObject | None:
        """By what it is called here."""
        rows = await self._db.read("foreign_by_name", {"dialect": dialect, "kind": kind, "name": name})
        return _foreign(rows[0]) if rows else None

    async def foreign_all(self, dialect: str, kind: str, tenant: str | None = None) -> Sequence[ForeignObject]:
        """In the order in which they were made."""
        rows = await self._db.read("foreign_all", {"dialect": dialect, "kind": kind, "tenant": tenant})
        return [_foreign(row) for row in rows]

    async def save_foreign(self, made: ForeignObject) -> None:
        """Make or replace."""
        await self._db.write(lambda tx: tx.execute("save_foreign", foreign_row(made)), quiet=True)

    async def documents(self, dialect: str, kind: str, ids: Sequence[str]) -> Mapping[str, ForeignObject]:
        """Those that there are of these ids, by them."""
        rows = await self._db.read("documents", {"dialect": dialect, "kind": kind, "ids": json.dumps(list(ids))})
        return {row["id"]: _foreign(row) for row in rows}

    async def save_documents(self, made: Sequence[ForeignObject]) -> None:
        """Make or replace, in one transaction."""
        rows = list(map(foreign_row, made))
        await self._db.write(lambda tx: tx.execute_many("save_foreign", rows), quiet=True)

    async def remove_foreign(self, dialect: str, kind: str, object_id: str) -> bool:
        """Whether it was there."""
        row = {"dialect": dialect, "kind": kind, "id": object_id}
        return bool(await self._db.write(lambda tx: tx.execute("remove_foreign", row), quiet=True))

    # --- repeated requests -------------------------------------------------------------------------------------------

    async def begin_request(self, token_id: str, key: str, fingerprint: str, now: int) -> Kept | None:
        """None: it is new, and now being done; else what is kept of the first one."""
        row = {"token_id": token_id, "key": key, "fingerprint": fingerprint, "now": now}

        async def begin(tx: Writing) -> Kept | None:
            found = await tx.fetch("kept_request", row)
            if found:
                return Kept(**{**dict(found[0]), "headers": json.loads(found[0]["headers"])})
            await tx.execute("begin_request", row)
            return None

        kept: Kept | None = await self._db.write(begin, quiet=True)
        return kept

    async def end_request(
        self, token_id: str, key: str, *, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Keep its answer."""
        row = {"token_id": token_id, "key": key, "status": status, "headers": json.dumps(dict(headers)), "body": body}
        await self._db.write(lambda tx: tx.execute("end_request", row), quiet=True)

    async def forget_request(self, token_id: str, key: str) -> None:
        """It failed on our side: it may be tried again."""
        await self._db.write(lambda tx: tx.execute("forget_request", {"token_id": token_id, "key": key}), quiet=True)

    async def forget_requests(self, before: int) -> None:
        """Those that are older than an instant."""
        await self._db.write(lambda tx: tx.execute("forget_requests", {"before": before}), quiet=True)


async def add_to_base(
    tx: Writing, campaign_id: int, base: str, contacts: Sequence[NewContact], *, now: int
) -> Sequence[int | None]:
    """Add contacts inside a transaction; their ids, None for one that is there already."""
    upload = await standing_upload(tx, campaign_id, base, now)
    once = [c.numbers[0].number for c in contacts if not c.repeatable]
    row = {"base_id": upload.base_id, "numbers": json.dumps(once)}
    there = [dict(found) for found in await tx.fetch("contacts_of_numbers", row)]
    new = await _new(tx, upload, contacts, {each["main_number"] for each in there if each["is_published"]})
    await _take_from_files(tx, there, [contacts[at] for at in new])
    ids = await insert_contacts(tx, upload, [in_zone(contacts[at], upload.timezone) for at in new])
    for contact_id, at in zip(ids, new, strict=True):
        await end_at_once(tx, contact_id, contacts[at], now)
    placed = dict(zip(new, ids, strict=True))
    return [placed.get(at) for at in range(len(contacts))]


async def _take_from_files(tx: Writing, there: Iterable[Mapping[str, Any]], new: Iterable[NewContact]) -> None:
    """Remove contacts with the main numbers of new ones from files that are being loaded: such a file may yet be
    discarded, and a new contact is promised to be kept."""
    numbers = {contact.numbers[0].number for contact in new if not contact.repeatable}
    ids = [row["id"] for row in there if row["main_number"] in numbers]
    if ids:
        await discard_contacts(tx, ids)


async def _new(tx: Writing, upload: BaseUpload, contacts: Sequence[NewContact], numbers: set[str]) -> list[int]:
    """Which of the contacts, by their places, are not there yet; ``numbers`` are known to be."""
    named = {"campaign_id": upload.campaign_id, "references": json.dumps([c.reference for c in contacts])}
    references = {found["reference"] for found in await tx.fetch("known_references", named)}
    new = []
    for at, contact in enumerate(contacts):
        number = "" if contact.repeatable else contact.numbers[0].number
        if number in numbers or contact.reference in references:
            continue
        new.append(at)
        numbers |= {number} - {""}
        references |= {contact.reference} - {""}
    return new


def in_zone(contact: NewContact, zone: str) -> NewContact:
    """The contact in a base of this zone, if it has one: it takes the place of those that were derived from numbers'
    digits."""
    if not zone:
        return contact
    numbers = (number if number.own_zones else replace(number, zones=zone) for number in contact.numbers)
    return replace(contact, numbers=tuple(numbers))


async def end_at_once(tx: Writing, contact_id: int, new: NewContact, now: int) -> None:
    """Nobody will ever be called: an end is told of that, as of every other."""
    if has_expired(new, now):
        await _end(tx, await loaded_contact(tx, contact_id), EXPIRED, EndCause.MEMBER_EXPIRED, now)
    elif has_no_number(new):
        is_invalid = any(number.end_reason == INVALID for number in new.numbers)
        cause = Cause.INVALID_NUMBER_FORMAT if is_invalid else EndCause.NO_COMMUNICATIONS
        reason = INVALID if is_invalid else new.numbers[0].end_reason
        await _end(tx, await loaded_contact(tx, contact_id), reason, cause, now)


def has_no_number(new: NewContact) -> bool:
    """Whether none of its numbers can be dialed."""
    return all(number.end_reason for number in new.numbers)


def has_expired(new: NewContact, now: int) -> bool:
    """Whether its time is over."""
    return new.expires_at is not None and new.expires_at <= now


async def _end(tx: Writing, contact: Contact, reason: str, cause: Cause | EndCause, now: int) -> None:
    await save_contacts(tx, [ended(contact, reason, cause)], now)


def _job_row(job: UploadJob) -> dict[str, Any]:
    texts = {"options": json.dumps(dict(job.options)), "report": json.dumps(dict(job.report))}
    return dataclasses.asdict(job) | texts


def _job(row: Mapping[str, Any]) -> UploadJob:
    return UploadJob(**{**row, "options": json.loads(row["options"]), "report": json.loads(row["report"])})


def foreign_row(made: ForeignObject) -> dict[str, Any]:
    """Not by dataclasses.asdict: it would copy the body, of thousands at a time."""
    row = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
    return row | {"body": json.dumps(dict(made.body), ensure_ascii=False)}


def _foreign(row: Mapping[str, Any]) -> ForeignObject:
    return ForeignObject(**{**row, "body": json.loads(row["body"])})
