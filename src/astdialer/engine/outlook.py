"""What pacing and sharing may know of a campaign: room on trunks, agents, waiting calls; derived at each look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil

from astdialer.domain.campaign import Campaign
from astdialer.domain.pacing import Decision, Snapshot, decide
from astdialer.domain.settings import Mode
from astdialer.domain.sharing import Demand
from astdialer.domain.trunk import Trunk
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk
from astdialer.engine.forecasting import Forecaster
from astdialer.engine.placing import Placer
from astdialer.engine.recovery import Recovery
from astdialer.engine.routing import HORIZON_S, Router

#: What all campaigns draw on: [engine] max_calls and calls_per_second.
ENGINE = "engine"
#: Most calls claimed at once for one campaign.
CLAIM = 100


class Outlook:
    """One look at everything that calls draw on."""

    def __init__(
        self,
        context: Context,
        placer: Placer,
        recovery: Recovery,
        desk: Desk,
        *,
        router: Router,
        forecaster: Forecaster,
    ) -> None:
        self._context = context
        self._store, self._telephony, self._clock = context.store, context.telephony, context.clock
        self._calls, self._agents, self._directory = context.calls, context.agents, context.directory
        self._options, self._trouble = context.options, context.trouble
        self._placer, self._recovery, self._desk, self._router = placer, recovery, desk, router
        self._forecaster = forecaster

    def decide(self, campaign: Campaign) -> Decision:
        """How many calls the campaign would place now if it were alone. Raises Conflict when its calendar is gone."""
        snapshot = self.snapshot(campaign)
        if campaign.settings.mode is Mode.PREDICTIVE:
            snapshot = replace(snapshot, forecast=self._forecaster.forecast(campaign))
        return decide(snapshot, self._clock.now() / 1000)

    def snapshot(self, campaign: Campaign) -> Snapshot:
        """What pacing may know. Raises Conflict when the campaign's calendar is gone."""
        settings, server = campaign.settings, self._directory.server_of(campaign)
        usable, rested = self._router.usable(campaign), self._router.rested(campaign)
        queued = self._placer.queued()
        now = self._clock.now()
        return Snapshot(
            state=campaign.state,
            mode=settings.mode,
            lines_per_agent=settings.lines_per_agent,
            max_calls=settings.max_calls,
            calls=sum(not call.is_gone for call in self._calls.of_campaign(campaign.id)),
            waiting_calls=self._calls_without_agent(campaign, server),
            logged_in_agents=self._agents.logged_in(server, settings.queue),
            free_agents=self._free_agents(campaign, server),
            trunk_usable=bool(usable),
            trunk_max_calls=sum(trunk.max_calls for trunk in rested),
            trunk_calls=sum(trunk.max_calls - self._router.line_room(trunk) for trunk in rested),
            trunk_rate_room=min(
                CLAIM, sum(max(0, self._router.rate_room(trunk, queued.get(trunk.name, 0))) for trunk in rested)
            ),
            engine_room=self._options.max_calls - len(self._calls),
            server_up=server in self._recovery.synced and self._telephony.is_up(server),
            store_writes=self._store.writes(),
            refused=self._trouble.campaign(campaign.id, now) is not None or bool(usable and not rested),
            open_zones=len(self.open_zones(campaign)),
            engine_rate_room=self._placer.rate_room(HORIZON_S),
            campaign_rate_room=self._own_rate_room(campaign),
        )

    def _own_rate_room(self, campaign: Campaign) -> int:
        """Calls that the campaign's own pace lets out within the horizon, but for those that are to leave already:
        one whose agent is rung first does so when the agent has answered."""
        pace = self._directory.pace(campaign)
        if pace is None:
            return CLAIM
        live = self._calls.of_campaign(campaign.id)
        to_leave = sum(not (c.attempt.dialed_at or c.is_gone or c.attempt.manual) for c in live)
        return pace.room(self._clock.now(), HORIZON_S) - to_leave

    def _free_agents(self, campaign: Campaign, server: str) -> int:
        if campaign.settings.mode.rings_agent_first:
            return len(self._desk.free_for(campaign))
        return self._desk.free_in(server, campaign.settings.queue)

    def _calls_without_agent(self, campaign: Campaign, server: str) -> int:
        """Calls of every campaign that will need an agent of the queue and have none: not even a ringing one.

        Predictive calls of others count as many as will find a person, as believed: there are more of them than agents.
        """
        queue, calls, fewer = campaign.settings.queue, [], 0.0
        for call in self._calls:
            if not call.may_need_agent or call.attempt.server != server:
                continue
            of = self._context.campaign_of(call)
            if of.settings.queue != queue:
                continue
            if of.id == campaign.id or of.settings.mode is not Mode.PREDICTIVE or call.attempt.was_answered:
                calls.append(call)
            else:
                fewer += self._forecaster.share(of, call.attempt.trunk)
        in_queue = sum(call.waits_in_queue for call in calls)
        ours = self._calls.reserved_agents(server)  # a telephone that rings for an agent-first call takes no other
        return len(calls) + ceil(fewer) - min(in_queue, self._agents.ringing(server, queue, ours))

    def open_zones(self, campaign: Campaign) -> list[str]:
        """Zones of the campaign's contacts in which somebody may be dialed now. Raises Conflict."""
        rules, now = self._directory.rules(campaign), self._clock.now()
        return [zones for zones in self._directory.zones(campaign.id) if rules.is_open(zones, now)]

    # --- what campaigns share ----------------------------------------------------------------------------------------

    def demand(self, campaign: Campaign, decision: Decision, *, idle: bool, served: float) -> Demand:
        """What the campaign would place now if it were alone; ``idle``: it has nothing to dial."""
        return Demand(
            campaign_id=campaign.id,
            wants=0 if idle else min(decision.calls, CLAIM),
            priority=campaign.settings.priority,
            served=served,
            draws=self._draws(campaign),
        )

    def _draws(self, campaign: Campaign) -> tuple[str, ...]:
        """What each call takes one of, and others want as well. Several trunks stand in for one another: they are
        divided by the claim itself."""
        draws = [ENGINE]
        trunks = self._router.rested(campaign)
        if len(trunks) == 1:
            draws.append(f"trunk {trunks[0].name}")
        if campaign.settings.mode.needs_agents:
            draws.append(f"queue {self._directory.server_of(campaign)} {campaign.settings.queue}")
        return tuple(draws)

    def rooms(self, running: Sequence[tuple[Campaign, Decision]]) -> dict[str, int]:
        """How much there is of everything that calls draw on."""
        queued = self._placer.queued()
        engine = min(self._options.max_calls - len(self._calls), self._placer.rate_room(HORIZON_S))
        rooms = {ENGINE: engine}
        for campaign, decision in running:
            trunks = self._router.rested(campaign)
            room = {trunk.name: self._trunk_room(trunk, queued) for trunk in trunks}
            rooms |= {f"trunk {name}": n for name, n in room.items()}
            if campaign.settings.mode.needs_agents:
                queue = f"queue {self._directory.server_of(campaign)} {campaign.settings.queue}"
                rooms[queue] = max(rooms.get(queue, 0), decision.agent_room or 0)
        return rooms

    def _trunk_room(self, trunk: Trunk, queued: Mapping[str, int]) -> int:
        return min(self._router.line_room(trunk), self._router.rate_room(trunk, queued.get(trunk.name, 0)))
