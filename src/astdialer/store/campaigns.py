"""Campaigns and trunks in SQLite."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence

from astdialer.domain.campaign import Campaign, CampaignState, Settings
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.trunk import Trunk
from astdialer.store.database import Database, Writing
from astdialer.store.rows import campaign_of, settings_json, trunk_of


class Campaigns:
    """Implements ports.CampaignStore."""

    _db: Database

    async def campaigns(self) -> Sequence[Campaign]:
        """All, by name."""
        return [campaign_of(row) for row in await self._db.read("campaigns")]

    async def campaign(self, name: str) -> Campaign:
        """The campaign of that name; raises NotFound."""
        rows = await self._db.read("campaign", {"name": name})
        if not rows:
            raise NotFound("campaign", name, "see astdialer campaign list")
        return campaign_of(rows[0])

    async def create_campaign(self, name: str, settings: Settings, now: int) -> Campaign:
        """A new campaign, idle; raises Conflict if the name is taken."""

        async def create(tx: Writing) -> None:
            row = {"name": name, "settings": settings_json(settings), "now": now}
            try:
                await tx.execute("create_campaign", row)
            except sqlite3.IntegrityError:
                raise Conflict(f"there is a campaign {name!r} already") from None

        await self._db.write(create)
        return await self.campaign(name)

    async def save_settings(self, campaign_id: int, settings: Settings) -> None:
        """Replace the settings; the engine takes them up within a second."""
        row = {"id": campaign_id, "settings": settings_json(settings)}
        await self._db.write(lambda tx: tx.execute("save_settings", row))

    async def set_state(
        self, campaign_id: int, state: CampaignState, *, hang_up: bool = False, explanation: str = "", now: int
    ) -> None:
        """Move a campaign to a state."""
        row = {"id": campaign_id, "state": state, "hang_up": hang_up, "explanation": explanation, "now": now}
        await self._db.write(lambda tx: tx.execute("set_state", row))

    async def trunks(self) -> Sequence[Trunk]:
        """All, by name."""
        return [trunk_of(row) for row in await self._db.read("trunks")]

    async def save_trunk(self, trunk: Trunk) -> None:
        """Make or replace a trunk."""
        row = dataclasses.asdict(trunk)
        await self._db.write(lambda tx: tx.execute("save_trunk", row))

    async def remove_trunk(self, name: str) -> None:
        """Forget a trunk; raises NotFound."""
        if not await self._db.write(lambda tx: tx.execute("remove_trunk", {"name": name})):
            raise NotFound("trunk", name, "see astdialer trunk list")
