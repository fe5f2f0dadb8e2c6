"""Campaigns, trunks and zones as the store has them, read again when another process has changed something."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from astdialer.domain.campaign import ACTIVE, Campaign
from astdialer.domain.trunk import CallRate, Trunk
from astdialer.ports import Store


class Directory:
    """The engine's view of what administrators set. ``campaigns`` is by id and stays the same object."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._campaigns: dict[int, Campaign] = {}
        self.campaigns: Mapping[int, Campaign] = MappingProxyType(self._campaigns)
        self.trunks: Mapping[str, Trunk] = {}
        self._zones: dict[int, tuple[str, ...]] = {}
        self._rates: dict[str, CallRate] = {}

    async def load(self) -> None:
        """Read everything."""
        campaigns = await self._store.campaigns()
        self._campaigns.update((campaign.id, campaign) for campaign in campaigns)
        self.trunks = {trunk.name: trunk for trunk in await self._store.trunks()}
        self._zones = {c.id: tuple(await self._store.zones(c.id)) for c in campaigns}
        for trunk in self.trunks.values():
            self.rate(trunk).per_second = trunk.calls_per_second

    async def refresh(self) -> bool:
        """Read again if another process has written; whether it had."""
        changed = await self._store.changed_elsewhere()
        if changed:
            await self.load()
        return changed

    def zones(self, campaign_id: int) -> tuple[str, ...]:
        """Zones of the campaign's bases; "" where a base has none."""
        return self._zones.get(campaign_id, ())

    def rate(self, trunk: Trunk) -> CallRate:
        """The trunk's calls-per-second bucket; it outlives changes of the trunk."""
        return self._rates.setdefault(trunk.name, CallRate(trunk.calls_per_second))

    def wrap_up_s(self, server: str, queue: str) -> int:
        """Rest after a talk in a queue: the longest that its active campaigns ask for, or all if none is active."""
        of_queue = [
            campaign
            for campaign in self._campaigns.values()
            if campaign.settings.queue == queue and self.server_of(campaign) == server
        ]
        active = [campaign for campaign in of_queue if campaign.state in ACTIVE]
        return max((campaign.settings.wrap_up_s for campaign in active or of_queue), default=0)

    def server_of(self, campaign: Campaign) -> str:
        """Which Asterisk places the campaign's calls; empty without a trunk."""
        trunk = self.trunks.get(campaign.settings.trunk)
        return trunk.server if trunk else ""
