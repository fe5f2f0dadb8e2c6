"""Contacts and attempts as a call centre lists them, in SQLite."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.contact import Contact
from astdialer.ports import AttemptSearch, ForeignObject, MemberSearch
from astdialer.store.claim import with_numbers
from astdialer.store.database import Database

#: End reason of contacts that somebody has removed.
REMOVED = "removed"


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

    async def documents(self, dialect: str, kind: str, ids: Sequence[str]) -> Mapping[str, ForeignObject]:
        """Those that there are of these ids."""
        rows = await self._db.read("documents", {"dialect": dialect, "kind": kind, "ids": json.dumps(list(ids))})
        return {row["id"]: ForeignObject(**{**row, "body": json.loads(row["body"])}) for row in rows}

    async def save_documents(self, made: Sequence[ForeignObject]) -> None:
        """Make or replace, in one transaction."""
        rows = [dataclasses.asdict(each) | {"body": json.dumps(dict(each.body), ensure_ascii=False)} for each in made]
        await self._db.write(lambda tx: tx.execute_many("save_foreign", rows))


def _row(search: AttemptSearch, limit: int, offset: int) -> dict[str, Any]:
    lists = {"campaign_ids": json.dumps(list(search.campaign_ids)), "ids": _listed(search.ids)}
    return _paged(dataclasses.asdict(search) | lists, limit, offset)


def _paged(row: dict[str, Any], limit: int, offset: int) -> dict[str, Any]:
    return row | {"limit": limit, "offset": offset}


def _listed(values: Sequence[int] | Sequence[str] | None) -> str | None:
    return None if values is None else json.dumps(list(values))
