"""What has come in before, in SQLite: the contacts that a new one repeats, and what a job for loading has left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from astdialer.domain.contact import NewContact
from astdialer.ports import BaseUpload
from astdialer.store.database import Database


class Intake:
    """Implements ports.IntakeStore."""

    _db: Database

    async def already_there(self, campaign_id: int, base: str, contacts: Sequence[NewContact]) -> Sequence[int | None]:
        """Of each contact the id of the one whose main number, or else reference, it repeats."""
        once = [contact.numbers[0].number for contact in contacts if not contact.repeatable]
        of_base = {"campaign_id": campaign_id, "base": base, "numbers": json.dumps(once)}
        numbers = {row["main_number"]: row["id"] for row in await self._db.read("contacts_by_main", of_base)}
        named = {"campaign_id": campaign_id, "references": json.dumps([contact.reference for contact in contacts])}
        references = {row["reference"]: row["id"] for row in await self._db.read("contacts_by_references", named)}
        return [
            (None if contact.repeatable else numbers.get(contact.numbers[0].number))
            or references.get(contact.reference)
            for contact in contacts
        ]

    async def unfinished_of_job(self, job_id: str) -> Sequence[BaseUpload]:
        """What a job that was broken off has left."""
        return [BaseUpload(**row) for row in await self._db.read("unfinished_of_job", {"job": job_id})]

    async def added_by_job(self, job_id: str) -> Mapping[str, int]:
        """How many contacts that can be dialed a job has brought, by campaign."""
        return {row["campaign"]: int(row["n"]) for row in await self._db.read("added_by_job", {"job": job_id})}
