"""Contacts and attempts as a call centre lists them, in SQLite."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.contact import REMOVED, Contact, NewContact
from astdialer.domain.errors import Conflict
from astdialer.ports import AttemptSearch, BaseUpload, ForeignObject, MemberSearch
from astdialer.store.claim import with_numbers
from astdialer.store.database import Database, Writing
from astdialer.store.requests import add_to_base, end_at_once, foreign_row, has_expired, has_no_number, in_zone
from astdialer.store.uploads import insert_contacts


class Members:
    """Implements ports.MemberStore."""

    _db: Database

    async def members(self, search: MemberSearch, limit: int, offset: int = 0) -> Sequence[Contact]:
        """Contacts of a campaign, the newest first."""
        query = "members" if search.number is None else "members_with_number"
        row = dataclasses.asdict(search) | {"ids": _listed(search.ids), "removed": REMOVED}
        rows = await self._db.read(query if search.ids is None else "members_by_id", _paged(row, limit, offset))
        return await with_numbers(self._db, rows)

    async def working_attempts(self, search: AttemptSearch, limit: int, offset: int = 0) -> Sequence[Mapping[str, Any]]:
        """Attempts that are not over, or whose result is awaited, the newest first."""
        return await self._db.read("working_attempts", _row(search, limit, offset))

    async def past_attempts(self, search: AttemptSearch, limit: int, offset: int = 0) -> Sequence[Mapping[str, Any]]:
        """Attempts that are over, the newest first."""
        by = "" if search.contact_id is None and search.ids is None else "_by_id"
        query = f"past_attempts{by}" if search.contact_id is None else "past_attempts_of_contact"
        return await self._db.read(query, _row(search, limit, offset))

    async def add_members(
        self,
        campaign_id: int,
        base: str,
        contacts: Sequence[NewContact],
        documents: Sequence[ForeignObject],
        now: int,
    ) -> Sequence[int]:
        """Add contacts and a document for each, in one transaction; their ids."""

        async def add(tx: Writing) -> Sequence[int]:
            added = [each for each in await add_to_base(tx, campaign_id, base, contacts, now=now) if each is not None]
            await _document(tx, documents, added)
            return added

        ids: Sequence[int] = await self._db.write(add)
        return ids

    async def add_to_upload(
        self, upload: BaseUpload, contacts: Sequence[NewContact], documents: Sequence[ForeignObject], now: int
    ) -> Sequence[int]:
        """Add a batch; their ids. Raises Conflict when the upload was discarded meanwhile."""

        async def add(tx: Writing) -> Sequence[int]:
            if not await tx.execute("touch_upload", {"id": upload.id, "now": now}):
                raise Conflict(f"the upload into {upload.base!r} was discarded by somebody else")
            added = await insert_contacts(tx, upload, [in_zone(contact, upload.timezone) for contact in contacts])
            await _document(tx, documents, added)
            return added

        ids: Sequence[int] = await self._db.write(add)
        return ids

    async def end_unreachable(self, contacts: Mapping[int, NewContact], now: int) -> None:
        """End those whom nobody will ever call."""

        over = {at: new for at, new in contacts.items() if has_no_number(new) or has_expired(new, now)}

        async def end(tx: Writing) -> None:
            for contact_id, new in over.items():
                await end_at_once(tx, contact_id, new, now)

        if over:
            await self._db.write(end)


async def _document(tx: Writing, documents: Sequence[ForeignObject], ids: Sequence[int]) -> None:
    pairs = zip(documents, ids, strict=True)
    await tx.execute_many("save_foreign", [foreign_row(one) | {"id": str(at)} for one, at in pairs])


def _row(search: AttemptSearch, limit: int, offset: int) -> dict[str, Any]:
    lists = {"campaign_ids": json.dumps(list(search.campaign_ids)), "ids": _listed(search.ids)}
    return _paged(dataclasses.asdict(search) | lists, limit, offset)


def _paged(row: dict[str, Any], limit: int, offset: int) -> dict[str, Any]:
    return row | {"limit": limit, "offset": offset}


def _listed(values: Sequence[int] | Sequence[str] | None) -> str | None:
    return None if values is None else json.dumps(list(values))
