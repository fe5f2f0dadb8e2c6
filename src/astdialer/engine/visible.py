"""What of the whole installation a tenant may see: its campaigns, and the agents of the queues that they use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from astdialer.domain.campaign import Campaign
from astdialer.engine.directory import Directory
from astdialer.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Campaigns by name with the Asterisk server of each, and queues by server and name."""

    campaigns: Mapping[str, str]
    queues: Collection[tuple[str, str]]

    def has(self, agent: Mapping[str, Any]) -> bool:
        """Whether an agent's row of the live view may be seen."""
        return (agent["server"], agent["queue"]) in self.queues

    def of(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """The part of the live view that may be seen; nothing of trunks, which carry others' calls too."""
        campaigns = [row for row in view["campaigns"] if row["campaign"] in self.campaigns]
        return {
            "written_at": view["written_at"],
            "servers": [{"server": row["server"], "up": row["up"]} for row in view["servers"]],
            "store_writes": view["store_writes"],
            "calls": sum(sum(row.get("calls", {}).values()) for row in campaigns),
            "campaigns": campaigns,
            "agents": [row for row in view["agents"] if self.has(row)],
            "trunks": [],
        }


async def sight(store: Store, campaigns: Iterable[Campaign]) -> Sight:
    """What belongs to these campaigns."""
    directory = Directory(store, "UTC")
    directory.trunks = {trunk.name: trunk for trunk in await store.trunks()}
    directory.routes = {route.name: route for route in await store.routes()}
    listed = [(one, directory.server_of(one)) for one in campaigns]
    queues = {(server, one.settings.queue) for one, server in listed if one.settings.queue}
    return Sight(campaigns={one.name: server for one, server in listed}, queues=queues)
