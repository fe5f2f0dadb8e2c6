"""What the engine sees right now, as data for the CLI, the live screen and HTTP."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.campaign import ACTIVE, Campaign, CampaignState
from astdialer.domain.errors import Conflict
from astdialer.domain.trunk import Trunk
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk
from astdialer.engine.dialer import Dialer, Standing
from astdialer.engine.forecasting import Forecaster
from astdialer.engine.outlook import Outlook
from astdialer.engine.progress import progress, window_row
from astdialer.engine.queues import QueueWatch, Stays
from astdialer.engine.sweeps import Sweeps
from astdialer.ports import CampaignCounts

#: How often the view is published.
PERIOD_S = 1.0
#: Campaigns that do not dial whose contacts are counted for one view: there may be thousands.
RESTING_COUNTED = 20


class LiveView:
    """Builds the view; publishing goes through the store."""

    def __init__(
        self,
        context: Context,
        dialer: Dialer,
        outlook: Outlook,
        desk: Desk,
        *,
        sweeps: Sweeps,
        forecaster: Forecaster,
        queues: QueueWatch,
    ) -> None:
        self._store, self._telephony, self._clock = context.store, context.telephony, context.clock
        self._calls, self._agents, self._directory = context.calls, context.agents, context.directory
        self._dialer, self._outlook, self._desk, self._sweeps = dialer, outlook, desk, sweeps
        self._trouble, self._vitals, self._forecaster = context.trouble, context.vitals, forecaster
        self._queues, self._stays = queues, Stays()
        self._counted: dict[int, tuple[CampaignState, CampaignCounts]] = {}

    async def build(self) -> Mapping[str, Any]:
        """The view now."""
        campaigns = self._directory.present()
        await self._count(campaigns)
        return {
            "servers": [
                {"server": s, "up": self._telephony.is_up(s), "why_down": self._telephony.why_down(s)}
                for s in self._telephony.servers
            ],
            "store_writes": self._store.writes(),
            "calls": sum(not call.is_gone for call in self._calls),
            "vitals": self._vitals.view(self._clock.now()),
            "campaigns": [self._campaign(c) for c in campaigns],
            "agents": self._agent_rows(),
            "queues": [
                dataclasses.asdict(each) | {"asked_at": self._queues.asked_at[each.server]}
                for each in self._queues.figures()
            ],
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

    async def _count(self, campaigns: Sequence[Campaign]) -> None:
        """Contacts of campaigns that dial, or whose state has changed; and of the others some, by turns."""
        present = {campaign.id: campaign.state for campaign in campaigns}
        self._counted = {each: known for each, known in self._counted.items() if each in present}
        dialing = {call.attempt.campaign_id for call in self._calls}
        dialing |= {each for each, state in present.items() if state in ACTIVE}
        resting = [each for each, (state, _) in self._counted.items() if state is present[each] and each not in dialing]
        for each in present.keys() - resting[RESTING_COUNTED:]:
            self._counted.pop(each, None)  # they stand in the order in which they were counted
            self._counted[each] = present[each], await self._store.counts(each)

    def _campaign(self, campaign: Campaign) -> dict[str, Any]:
        _, counts = self._counted[campaign.id]
        self._forecaster.contacts_left(campaign, counts.ready + counts.waiting)
        live = self._calls.of_campaign(campaign.id)
        whose = {"campaign": campaign.name, "server": self._directory.server_of(campaign)}
        whose["queue"] = campaign.settings.queue
        try:
            snapshot = self._outlook.snapshot(campaign)
        except Conflict as error:  # its calendar is gone
            return {**whose, "state": campaign.state.value, "detail": str(error), **progress(counts)}
        standing = self._dialer.standings.get(campaign.id)
        return {
            **whose,
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
            "prediction": self._prediction(campaign, standing),
            "windows": [window_row(campaign.settings, window) for window in self._forecaster.windows(campaign)],
            **progress(counts),
        }

    def _prediction(self, campaign: Campaign, standing: Standing | None) -> dict[str, Any] | None:
        """What predictive dialing last reckoned; None in other modes, and while it does not dial."""
        advice = standing.decision.advice if standing and standing.decision else None
        if advice is None:
            return None
        return {
            "risk": round(advice.risk, 5),
            "allowed_risk": round(advice.allowed, 5),
            "answer_rate": round(advice.share, 4),
            "answers_learned": self._forecaster.answers(campaign),
        }

    def _agent_rows(self) -> list[dict[str, Any]]:
        now, members = self._clock.now(), self._agents.members()
        self._stays.forget_others(members)
        rows = []
        for member in sorted(members, key=lambda m: (m.server, m.queue, m.interface)):
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
                    "in_call": member.in_call,
                    "penalty": member.penalty,
                    "state_interface": member.state_interface or member.interface,
                    "since": self._stays.since(member, (status, member.paused), now),
                    "wrap_up_until": member.wrap_up_until(wrap_up_s) if status.name == "WRAPUP" else None,
                }
            )
        return rows
