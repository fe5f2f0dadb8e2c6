"""What the engine sees right now, as data for the CLI, the live screen and HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from astdialer.domain.campaign import Campaign
from astdialer.domain.disposition import abandonment
from astdialer.domain.errors import Conflict
from astdialer.domain.trunk import Trunk
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk
from astdialer.engine.dialer import Dialer
from astdialer.engine.outlook import Outlook
from astdialer.engine.sweeps import Sweeps
from astdialer.ports import CampaignCounts

#: How often the view is published.
PERIOD_S = 1.0
#: A view older than this comes from an engine that does not run any more.
STALE_S = 5.0


def progress(counts: CampaignCounts) -> dict[str, Any]:
    """How far a campaign has come."""
    return {
        "contacts": {
            "ready": counts.ready,
            "waiting": counts.waiting,
            "in_call": counts.in_call,
            "held": counts.held,
            "done": counts.done,
        },
        "next_due_at": counts.next_due_at,
        "dispositions": dict(counts.dispositions),
        "abandonment": abandonment(counts.dispositions),
    }


class LiveView:
    """Builds the view; publishing goes through the store."""

    def __init__(self, context: Context, dialer: Dialer, outlook: Outlook, desk: Desk, sweeps: Sweeps) -> None:
        self._store, self._telephony, self._clock = context.store, context.telephony, context.clock
        self._calls, self._agents, self._directory = context.calls, context.agents, context.directory
        self._dialer, self._outlook, self._desk, self._sweeps = dialer, outlook, desk, sweeps
        self._trouble = context.trouble

    async def build(self) -> Mapping[str, Any]:
        """The view now."""
        return {
            "servers": [
                {"server": s, "up": self._telephony.is_up(s), "why_down": self._telephony.why_down(s)}
                for s in self._telephony.servers
            ],
            "store_writes": self._store.writes(),
            "calls": sum(not call.is_gone for call in self._calls),
            "campaigns": [await self._campaign(c) for c in self._directory.campaigns.values()],
            "agents": self._agent_rows(),
            "trunks": [self._trunk(trunk) for trunk in self._directory.trunks.values()],
        }

    def _trunk(self, trunk: Trunk) -> dict[str, Any]:
        rests = self._trouble.trunk(trunk.name, self._clock.now())
        return {
            "trunk": trunk.name,
            "calls": self._calls.on_trunk(trunk.name),
            "max_calls": trunk.max_calls,
            "rests_until": rests[0] if rests else None,
            "why_rests": rests[1] if rests else "",
        }

    async def _campaign(self, campaign: Campaign) -> dict[str, Any]:
        counts = await self._store.counts(campaign.id)
        live = self._calls.of_campaign(campaign.id)
        try:
            snapshot = self._outlook.snapshot(campaign)
        except Conflict as error:  # its calendar is gone
            return {"campaign": campaign.name, "state": campaign.state.value, "detail": str(error), **progress(counts)}
        standing = self._dialer.standings.get(campaign.id)
        return {
            "campaign": campaign.name,
            "state": campaign.state.value,
            "phase": self._sweeps.phase(campaign).value,
            "mode": campaign.settings.mode.value,
            "limit": standing.limit.value if standing else "",
            "until": standing.until if standing else None,
            "detail": standing.detail if standing else "",
            "calls": dict(Counter(call.attempt.state.word for call in live)),
            "max_calls": snapshot.max_calls,
            "trunk_calls": snapshot.trunk_calls,
            "trunk_max_calls": snapshot.trunk_max_calls,
            "waiting_calls": snapshot.waiting_calls,
            "free_agents": snapshot.free_agents,
            "logged_in_agents": snapshot.logged_in_agents,
            **progress(counts),
        }

    def _agent_rows(self) -> list[dict[str, Any]]:
        now = self._clock.now()
        rows = []
        for member in sorted(self._agents.members(), key=lambda m: (m.server, m.queue, m.interface)):
            wrap_up_s = self._directory.wrap_up_s(member.server, member.queue)
            status = member.status_at(now, wrap_up_s)
            rows.append(
                {
                    "agent": member.interface,
                    "name": member.name,
                    "queue": member.queue,
                    "server": member.server,
                    "code": int(status),
                    "status": status.name,
                    "paused": member.paused,
                    "pause_reason": member.pause_reason,
                    "free": self._desk.is_free(member),
                    "reserved": self._desk.is_reserved(member),
                    "rests_until": self._desk.rests_until(member) if self._desk.rests_until(member) > now else None,
                    "calls_taken": member.calls_taken,
                    "last_call_at": member.last_call_at or None,
                    "wrap_up_until": member.wrap_up_until(wrap_up_s) if status.name == "WRAPUP" else None,
                }
            )
        return rows
