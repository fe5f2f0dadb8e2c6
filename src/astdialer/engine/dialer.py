"""The dialing loop: for each campaign, how many calls now and why not more; claim that many; place them."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from astdialer.domain.agent import QueueMember
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import Conflict, Unavailable
from astdialer.domain.events import Canceled, Refused
from astdialer.domain.limit import SHARED_LIMITS, Limit
from astdialer.domain.pacing import Decision
from astdialer.domain.selection import DialingRules, judge
from astdialer.domain.settings import Mode
from astdialer.domain.sharing import Demand, held_back, share, weights
from astdialer.domain.trunk import Trunk
from astdialer.engine.agentfirst import AGENT_MISSED_S, AgentFirst
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk, buckets_of
from astdialer.engine.forecasting import Forecaster
from astdialer.engine.obstacles import Obstacles
from astdialer.engine.outlook import Outlook
from astdialer.engine.placing import Placer
from astdialer.engine.routing import HORIZON_S, Router
from astdialer.ports import Arrange, CampaignCounts, CampaignEvent, Claim, ClaimRequest, Closing, Place

logger = logging.getLogger(__name__)

#: Longest time between two looks at everything.
TICK_S = 0.25
#: After a claim that found too little the next one waits until something is due, at least and at most so long.
IDLE_LEAST_S = 1
IDLE_MOST_S = 60
#: After a claim that met only contacts that can't be called, the next one goes on behind them so much later: the store
#: has others to serve as well.
LOOK_ON_S = 0.5


@dataclass(slots=True)
class Standing:
    """What the loop last found about a campaign."""

    limit: Limit = Limit.NOT_RUNNING
    until: int | None = None  #: when the limit ends by itself, if that is known
    detail: str = ""
    idle_until: int = 0  #: nothing is due before
    bound_idle_until: int = 0  #: nothing is due before that only some agents may have
    is_idle: bool = False  #: it waits for nothing that campaigns share
    served: float = 0  #: calls, each divided by the campaign's weight, see sharing.share
    decision: Decision | None = None  #: what pacing last said
    #: Where the last claim gave up, by the buckets it was for: those in front could not be called.
    stopped_at: dict[tuple[str, ...], Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of the engine that the loop works through."""

    outlook: Outlook
    placer: Placer
    desk: Desk
    router: Router
    agent_first: AgentFirst
    forecaster: Forecaster


class Dialer:
    """One loop over all campaigns; ``wake`` makes it look at once."""

    def __init__(self, context: Context, parts: Parts) -> None:
        self._context = context
        self._desk, self._router, self._agent_first = parts.desk, parts.router, parts.agent_first
        self._outlook, self._obstacles = parts.outlook, Obstacles(context, parts.router)
        self._forecaster = parts.forecaster
        self._store, self._telephony, self._clock = context.store, context.telephony, context.clock
        self._calls, self._directory, self._placer = context.calls, context.directory, parts.placer
        self._wake = asyncio.Event()
        self.standings: dict[int, Standing] = {}

    def wake(self) -> None:
        """Something changed that may allow a call."""
        self._wake.set()

    def closed(self, closing: Closing) -> None:
        """A call was closed: its contact may be due sooner than anything known so far, or have been the last."""
        self.due_at(closing.attempt.campaign_id, closing.contact.next_at or 0)

    def due_at(self, campaign_id: int, at: int) -> None:
        """A contact of the campaign is due at ``at``, which may be sooner than anything known so far."""
        standing = self.standings.get(campaign_id)
        if standing:
            standing.idle_until = min(standing.idle_until, at)
            standing.bound_idle_until = min(standing.bound_idle_until, at)
        self.wake()

    async def run(self) -> None:
        """Until canceled."""
        while True:
            self._wake.clear()  # what happens during the turn asks for another one
            try:
                await self._turn()
            except Unavailable as error:
                logger.error("dialer.store_failed", extra={"error": str(error)})
                await self._clock.sleep(1)
            await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(TICK_S):
                await self._wake.wait()
        except TimeoutError:
            return
        await self._clock.sleep(0.005)  # what comes together is answered together

    # --- a turn over all campaigns -----------------------------------------------------------------------------------

    async def _turn(self) -> None:
        if await self._directory.refresh():
            self._forget_idleness()
        self._forecaster.look()
        running: list[tuple[Campaign, Decision]] = []
        for campaign in self._directory.present():
            standing = self.standings.setdefault(campaign.id, Standing())
            if campaign.state is CampaignState.STOPPING:
                await self._wind_down(campaign)
            if campaign.state is CampaignState.RUNNING:
                await self._look(campaign, standing, running)
            else:
                standing.limit, standing.until = Limit.NOT_RUNNING, campaign.starts_by_itself
                standing.detail, standing.decision = "", None
        await self._serve(running)

    def _forget_idleness(self) -> None:
        for standing in self.standings.values():
            standing.idle_until = standing.bound_idle_until = 0

    async def _look(self, campaign: Campaign, standing: Standing, running: list[tuple[Campaign, Decision]]) -> None:
        """What the campaign would place if it were alone."""
        async with self._guarded(campaign):
            if self._has_ended(campaign):
                await self.move(campaign, CampaignState.FINISHED, "its calendar has ended")
                return
            await self._forecaster.take_up(campaign)
            decision = standing.decision = self._outlook.decide(campaign)
            standing.limit, standing.until, standing.detail = decision.limit, None, ""
            running.append((campaign, decision))

    @asynccontextmanager
    async def _guarded(self, campaign: Campaign) -> AsyncIterator[None]:
        """What can't be dialed as it is set up stops with the reason, and stops nobody else. Raises Unavailable."""
        try:
            yield
        except Unavailable:
            raise
        except Conflict as error:
            await self.move(campaign, CampaignState.ERROR, str(error))
        except Exception as error:  # a fault that nobody foresaw must not end all other campaigns
            logger.exception("campaign.failed", extra={"campaign": campaign.name})
            await self.move(campaign, CampaignState.ERROR, f"a fault of astdialer: {error!r}")

    def _has_ended(self, campaign: Campaign) -> bool:
        return self._directory.rules(campaign).schedule.has_ended(self._clock.now())

    async def _serve(self, running: Sequence[tuple[Campaign, Decision]]) -> None:
        """Divide what campaigns share by their priorities, and dial."""
        demands = [self._demand(campaign, decision) for campaign, decision in running]
        waiting = {c.id for c, decision in running if decision.waits_for_agent and not self.standings[c.id].is_idle}
        demands = held_back(demands, waiting, {c.id for c, decision in running if decision.advice})
        shares = share(demands, self._outlook.rooms(running))
        weight = weights(demands)
        for campaign, decision in running:
            standing, calls = self.standings[campaign.id], shares[campaign.id]
            if decision.calls and not calls and self._clock.now() >= standing.idle_until:
                standing.limit = Limit.SHARED
            async with self._guarded(campaign):
                if calls:
                    placed = await self._dial(campaign, Decision(calls, decision.limit), standing)
                    standing.served += placed / weight[campaign.id]
                self._explain(campaign, standing)
        self._level(demands)

    def _demand(self, campaign: Campaign, decision: Decision) -> Demand:
        standing = self.standings[campaign.id]
        idle_until = standing.idle_until
        if campaign.settings.mode.needs_agents and self._directory.bound(campaign.id):
            idle_until = min(idle_until, standing.bound_idle_until)
        nothing_due = self._clock.now() < idle_until
        standing.is_idle = nothing_due or not (decision.calls or decision.limit in SHARED_LIMITS)
        if nothing_due and decision.calls:
            crowded = campaign.id in self._router.crowded
            standing.limit = Limit.TRUNK_FULL if crowded else Limit.NOTHING_DUE
            standing.until = standing.idle_until
        return self._outlook.demand(campaign, decision, idle=standing.is_idle, served=standing.served)

    def _level(self, demands: Sequence[Demand]) -> None:
        """Nobody saves up turns while it has nothing to dial, nor pays for them later. Who only waits for an agent or a
        trunk keeps its turn."""
        waiting = {demand.campaign_id for demand in demands if not self.standings[demand.campaign_id].is_idle}
        least = min((self.standings[campaign_id].served for campaign_id in waiting), default=0.0)
        for campaign_id, standing in self.standings.items():
            standing.served = standing.served - least if campaign_id in waiting else 0.0

    # --- one campaign ------------------------------------------------------------------------------------------------

    async def _dial(self, campaign: Campaign, decision: Decision, standing: Standing) -> int:
        """How many calls were claimed."""
        if campaign.settings.mode.rings_agent_first:
            return await self._dial_agent_first(campaign, decision, standing)
        bound = await self._dial_bound(campaign, decision, standing)
        free = decision.calls - bound
        if free <= 0 or self._clock.now() < standing.idle_until:
            return bound
        arrange = self._forecaster.arranger(campaign, free)
        claims = await self._claim(standing, self.request(campaign, free, decision.limit.value, arrange=arrange))
        for call in self._calls.add(claims):
            if trunk := self._trunk_of(call):
                self._placer.place(call, trunk)
        if len(claims) < free:
            await self._nothing_due(campaign, standing)
        return bound + len(claims)

    async def _claim(self, standing: Standing, request: ClaimRequest) -> Sequence[Claim]:
        """From the head of the campaign's order; and when it is full of contacts that can't be called and keep their
        place, for want of a trunk, from behind where the last claim gave up as well."""
        key = tuple(request.buckets)
        behind = standing.stopped_at.pop(key, None)
        found = await self._store.claim(request)
        claims, stopped_at = [*found], found.stopped_at
        if stopped_at and behind and behind >= stopped_at:
            rest = replace(
                request,
                limit=request.limit - len(claims),
                attempt_ids=request.attempt_ids[len(claims) :],
                after=behind,
            )
            found = await self._store.claim(rest)
            claims, stopped_at = [*claims, *found], found.stopped_at
        if stopped_at:
            standing.stopped_at[key] = stopped_at
        return claims

    async def _dial_agent_first(self, campaign: Campaign, decision: Decision, standing: Standing) -> int:
        """One call for each free agent whose turn it is, of those that only it may have first."""
        bound, placed, in_vain = self._directory.bound(campaign.id), 0, False
        for member in self._desk.still_free_for(campaign, decision.calls):
            mine = buckets_of(member, self._directory.profile(member.interface, member.name), bound)
            if await self._dial_for(campaign, member, (*mine, ""), decision.limit.value, standing):
                placed += 1
                continue
            in_vain = True
            if not bound or standing.stopped_at:
                break
        if in_vain:
            await self._nothing_due(campaign, standing)
            if bound:  # the next agent to be free may have contacts of its own
                standing.bound_idle_until = self._clock.now() + IDLE_LEAST_S * 1000
                await self._directory.look_for_bound(campaign)
        return placed

    async def _dial_bound(self, campaign: Campaign, decision: Decision, standing: Standing) -> int:
        """Contacts that only some agents may have: rung first in every mode, for nobody else could take the call."""
        bound, now = self._directory.bound(campaign.id), self._clock.now()
        if not bound or not campaign.settings.mode.needs_agents or now < standing.bound_idle_until:
            return 0
        placed = 0
        for member in self._desk.still_free_for(campaign, decision.calls):
            mine = buckets_of(member, self._directory.profile(member.interface, member.name), bound)
            placed += bool(mine) and await self._dial_for(campaign, member, mine, decision.limit.value, standing)
        if not placed:
            standing.bound_idle_until = now + IDLE_LEAST_S * 1000
            await self._directory.look_for_bound(campaign)
        return placed

    async def _dial_for(
        self, campaign: Campaign, member: QueueMember, buckets: tuple[str, ...], reason: str, standing: Standing
    ) -> bool:
        """Reserve the agent for one call, if there is one for it."""
        request = self.request(campaign, 1, reason, agent=member.interface, buckets=buckets)
        with self._desk.promised(member.server, member.interface):
            claims = await self._claim(standing, request)
            for call in self._calls.add(claims):
                if self._desk.is_still_idle(member):
                    self.ring_agent_first(call, preview=campaign.settings.mode is Mode.PREVIEW)
                else:
                    self.give_back(call, f"agent {member.interface} is not free any more")
        return bool(claims)

    def ring_agent_first(self, call: Call, *, preview: bool) -> None:
        """Go on with a claimed call that has its agent promised."""
        if trunk := self._trunk_of(call):
            self._desk.reserve(call.attempt.server, call.attempt.reserved_agent)
            self._agent_first.begin(call, trunk, preview=preview)

    def _trunk_of(self, call: Call) -> Trunk | None:
        """Where the call leaves. None if that was removed while the call was claimed; then it is given back."""
        trunk = self._directory.trunks.get(call.attempt.trunk)
        if trunk is None:
            self.give_back(call, f"there is no trunk {call.attempt.trunk!r} any more")
        return trunk

    def give_back(self, call: Call, why: str) -> None:
        """A claimed call that can't be begun: the contact is free again, and it has cost no try."""
        at = self._clock.now()
        self._calls.handle(Refused(attempt_id=call.attempt.id, at=at, message=why, retry_s=AGENT_MISSED_S))

    def request(
        self,
        campaign: Campaign,
        limit: int,
        reason: str,
        *,
        agent: str = "",
        buckets: tuple[str, ...] = ("",),
        rules: DialingRules | None = None,
        arrange: Arrange | None = None,
    ) -> ClaimRequest:
        """A wish for contacts of the campaign. Raises Conflict when its calendar is gone."""
        now = self._clock.now()
        applied = rules or self._directory.rules(campaign)
        find_way = self._router.finder(campaign, self._placer.queued())
        return ClaimRequest(
            campaign_id=campaign.id,
            campaign=campaign.name,
            server=self._directory.server_of(campaign),
            limit=limit,
            is_open=lambda zones: applied.is_open(zones, now),
            judge=lambda contact, facts: judge(contact, applied, facts, find_way, now),
            attempt_ids=[str(uuid.uuid4()) for _ in range(limit)],
            reason=reason,
            now=now,
            strategy=campaign.settings.contact_strategy,
            buckets=buckets,
            reserved_agent=agent,
            leg_id=str(uuid.uuid4()) if agent else "",
            window=campaign.settings.choose_among if arrange else 1,
            arrange=arrange,
        )

    async def _nothing_due(self, campaign: Campaign, standing: Standing) -> None:
        counts, now = await self._store.counts(campaign.id), self._clock.now()
        due_at = counts.next_due_at or now + IDLE_MOST_S * 1000
        due = counts.ready or due_at <= now  # and yet it was not claimed
        standing.idle_until = min(max(due_at, now + IDLE_LEAST_S * 1000), now + IDLE_MOST_S * 1000)
        standing.limit, standing.until = Limit.NOTHING_DUE, counts.next_due_at
        if campaign.id in self._router.crowded:  # any campaign's call may free the trunk, or time its pace
            standing.idle_until, standing.limit, standing.until = now + int(HORIZON_S * 1000), Limit.TRUNK_FULL, None
        elif any("" in buckets for buckets in standing.stopped_at):
            standing.idle_until, standing.limit, standing.until = now + int(LOOK_ON_S * 1000), Limit.LOOKING_ON, None
        elif due and len(self._outlook.open_zones(campaign)) < len(self._directory.zones(campaign.id)):
            standing.limit = Limit.OUTSIDE_HOURS
        elif due and self._directory.bound(campaign.id):
            has_agents = campaign.settings.mode.needs_agents
            standing.limit, standing.until = Limit.OTHERS_CONTACTS if has_agents else Limit.NEEDS_AGENTS, None
        if not counts.ready + counts.waiting:
            await self._list_empty(campaign, counts, standing)

    async def _list_empty(self, campaign: Campaign, counts: CampaignCounts, standing: Standing) -> None:
        open_still = counts.in_call + counts.held
        standing.limit = Limit.LAST_CALLS if open_still else Limit.LIST_EMPTY
        if not open_still and counts.done and not campaign.settings.eternal_queue:
            await self._finish(campaign, standing)

    async def _finish(self, campaign: Campaign, standing: Standing) -> None:
        """Unless a contact was added since they were counted: that one is looked for at once."""
        event = CampaignEvent(at=self._clock.now(), event=CampaignState.FINISHED.value, detail="every contact is done")
        if await self._store.finish_campaign(campaign.id, event):
            await self._moved(campaign, event)
        else:
            standing.idle_until = 0

    async def _wind_down(self, campaign: Campaign) -> None:
        """A stopping campaign: hang up if that was asked, and stopped when nothing is live any more."""
        live = [call for call in self._calls.of_campaign(campaign.id) if not call.attempt.manual]
        if not live:
            await self.move(campaign, CampaignState.STOPPED, "stopped by the administrator")
            return
        for call in live if campaign.hang_up else ():
            await self.hang_up(call)

    async def hang_up(self, call: Call) -> None:
        """Take a call back, or end a talk. Once asked, it is not asked again."""
        attempt = call.attempt
        if attempt.canceled or not attempt.dialed_at or call.is_gone:
            return
        self._calls.handle(Canceled(attempt_id=attempt.id, at=self._clock.now()))
        try:
            await self._telephony.hang_up(attempt.server, attempt.id)
        except Unavailable as error:
            logger.warning("hangup.failed", extra={"attempt": attempt.id, "error": str(error)})

    async def move(self, campaign: Campaign, state: CampaignState, why: str) -> None:
        """Put a campaign into a state, with the reason in its history."""
        now = self._clock.now()
        event = CampaignEvent(at=now, event=state.value, detail=why)
        await self._store.set_state(campaign.id, state, explanation=why, now=now, event=event)
        await self._moved(campaign, event)

    async def _moved(self, campaign: Campaign, event: CampaignEvent) -> None:
        await self._directory.load()
        logger.info("campaign." + event.event, extra={"campaign": campaign.name, "why": event.detail})

    def _explain(self, campaign: Campaign, standing: Standing) -> None:
        if standing.limit is Limit.OUTSIDE_HOURS and not self._directory.zones(campaign.id):
            standing.limit = Limit.LIST_EMPTY
        until, detail = self._obstacles.explain(campaign, standing.limit, standing.decision)
        standing.until, standing.detail = until or standing.until, detail
