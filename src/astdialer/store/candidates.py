"""Tasks and contacts as Twin24 sees them, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from astdialer.domain.campaign import Campaign
from astdialer.domain.hooks import Webhook
from astdialer.domain.settings import Settings
from astdialer.ports import CampaignEvent, ForeignObject
from astdialer.store.campaigns import insert_campaign
from astdialer.store.database import Database, Writing
from astdialer.store.hooks import webhook_row
from astdialer.store.requests import foreign_row

#: What SQLite counts up to.
LARGEST_ID = 2**63 - 1
_JSON = ("params", "attachment", "numbers", "attempts")


class Candidates:
    """Implements ports.CandidateStore."""

    _db: Database

    async def candidates(
        self, campaign_id: int, limit: int, offset: int = 0, *, contact_id: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The campaign's contacts, by id."""
        ids = {"first": contact_id or 0, "last": contact_id or LARGEST_ID}
        key = {"campaign_id": campaign_id, "limit": limit, "offset": offset}
        rows = await self._db.read("candidates", key | ids)
        return [{name: json.loads(value) if name in _JSON else value for name, value in row.items()} for row in rows]

    async def attachments(self, contact_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """What came with these contacts, where anything did."""
        rows = await self._db.read("attachments", {"ids": json.dumps(list(contact_ids))})
        return {row["contact_id"]: json.loads(row["body"]) for row in rows}

    # --- tasks -------------------------------------------------------------------------------------------------------

    async def make_task(
        self,
        name: str,
        settings: Settings,
        document: ForeignObject,
        *,
        event: CampaignEvent,
        receivers: Sequence[Webhook] = (),
    ) -> int:
        """A campaign, the document that it was made of, and who is told of it, in one transaction; the campaign's id.
        Raises Conflict if the name is taken."""

        async def make(tx: Writing) -> int:
            now, tenant = document.created_at, document.tenant
            campaign_id = await insert_campaign(tx, name, settings, now=now, tenant=tenant, event=event)
            await tx.execute("save_foreign", foreign_row(replace(document, name=str(campaign_id))))
            await _add_receivers(tx, campaign_id, receivers)
            return campaign_id

        return int(await self._db.write(make))

    async def return_receivers(self, campaign_id: int, receivers: Sequence[Webhook]) -> None:
        """Add them, unless the campaign has any."""

        async def add(tx: Writing) -> None:
            if not await tx.fetch("has_receivers", {"campaign_id": campaign_id}):
                await _add_receivers(tx, campaign_id, receivers)

        await self._db.write(add, quiet=True)

    async def spent_receivers(self, *, stopped_before: int, finished_before: int, limit: int) -> Sequence[str]:
        """Ids of webhooks of tasks that ended before an instant, and to which nothing is to be sent any more."""
        row = {"stopped_before": stopped_before, "finished_before": finished_before, "limit": limit}
        return [found["id"] for found in await self._db.read("spent_receivers", row)]

    async def last_call_at(self, campaign: Campaign) -> int | None:
        """When the last of the campaign's calls began that have ended."""
        at: int | None = (await self._db.read("last_call_at", {"campaign": campaign.name}))[0]["at"]
        return at


async def _add_receivers(tx: Writing, campaign_id: int, receivers: Sequence[Webhook]) -> None:
    await tx.execute_many("add_webhook", [webhook_row(replace(each, campaign_id=campaign_id)) for each in receivers])
