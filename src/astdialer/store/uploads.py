"""Bases on their way in."""

from __future__ import annotations

import json
from collections.abc import Sequence

from astdialer.domain.contact import NewContact
from astdialer.domain.errors import Conflict
from astdialer.ports import BaseUpload
from astdialer.store.database import Database, Writing


class Uploads:
    """Implements ports.UploadStore."""

    _db: Database

    async def open_upload(self, campaign_id: int, base: str, *, file_name: str, timezone: str, now: int) -> BaseUpload:
        """Begin an upload. Raises Conflict if the base exists in another timezone."""

        async def begin(tx: Writing) -> BaseUpload:
            await tx.execute("make_base", {"campaign_id": campaign_id, "name": base, "timezone": timezone, "now": now})
            row = (await tx.fetch("base", {"campaign_id": campaign_id, "name": base}))[0]
            if timezone and row["timezone"] != timezone:
                raise Conflict(f"base {base!r} is in zone {row['timezone'] or 'of its campaign'!r}, not {timezone!r}")
            upload = {"base_id": row["id"], "campaign_id": campaign_id, "file_name": file_name, "now": now}
            number = await tx.insert("open_upload", upload)
            return BaseUpload(
                id=number, campaign_id=campaign_id, campaign=row["campaign"], base_id=row["id"], base=base
            )

        result: BaseUpload = await self._db.write(begin)
        return result

    async def known_numbers(self, upload: BaseUpload, numbers: Sequence[str]) -> set[str]:
        """Which of these main numbers the base, this upload included, already has."""
        row = {"base_id": upload.base_id, "numbers": json.dumps(list(numbers))}
        return {found["main_number"] for found in await self._db.read("known_numbers", row)}

    async def add_contacts(self, upload: BaseUpload, contacts: Sequence[NewContact], now: int) -> None:
        """Add a batch. Raises Conflict when the upload was discarded meanwhile."""

        async def add(tx: Writing) -> None:
            if not await tx.execute("touch_upload", {"id": upload.id, "now": now}):
                raise Conflict(f"the upload into {upload.base!r} was discarded by somebody else")
            first = (await tx.fetch("last_contact_id"))[0][0] + 1
            numbered = list(enumerate(contacts, first))
            await tx.execute_many(
                "add_contact", (_contact_row(upload, number, contact) for number, contact in numbered)
            )
            await tx.execute_many(
                "add_number",
                (
                    (number, position, n.number, n.as_uploaded, n.type)
                    for number, contact in numbered
                    for position, n in enumerate(contact.numbers)
                ),
            )
            await tx.execute("count_added", {"upload_id": upload.id, "n": len(numbered)})

        await self._db.write(add)

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
            await tx.execute("discard_numbers", key)
            return await tx.execute("discard_contacts", key)

        while await self._db.write(some):
            pass

        async def forget(tx: Writing) -> None:
            await tx.execute("forget_upload", key)
            await tx.execute("forget_counts", key)
            await tx.execute("forget_empty_base", {"base_id": upload.base_id})

        await self._db.write(forget)


def _contact_row(upload: BaseUpload, number: int, contact: NewContact) -> tuple[object, ...]:
    return (
        number,
        upload.id,
        upload.base_id,
        upload.campaign_id,
        contact.numbers[0].number,
        contact.priority,
        json.dumps(dict(contact.params), ensure_ascii=False),
        contact.agentphone,
        contact.line,
    )
