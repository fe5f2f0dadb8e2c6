"""The dialing loop: for each campaign, how many calls now and why not more; claim that many; place them."""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass

from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import Unavailable
from astdialer.domain.events import Canceled
from astdialer.domain.pacing import Decision, Limit, Snapshot, decide
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.placing import Placer
from astdialer.engine.recovery import Recovery
from astdialer.ports import CampaignCounts, ClaimRequest, Closing

logger = logging.getLogger(__name__)

#: A claim takes at most what the trunk's pace lets out within this time, so that little is claimed and not yet sent.
HORIZON_S = 0.25
#: Longest time between two looks at everything.
TICK_S = 0.25
#: Most calls claimed at once for one campaign.
CLAIM = 100
#: After a claim that found too little the next one waits until something is due, at least and at most so long.
IDLE_LEAST_S = 1
IDLE_MOST_S = 60


@dataclass(slots=True)
class Standing:
    """What the loop last found about a campaign."""

    limit: Limit = Limit.NOT_RUNNING
    until: int | None = None  #: when the limit ends by itself, if that is known
    detail: str = ""
    idle_until: int = 0  #: nothing is due before
    dialed_at: int = 0  #: last claim


class Dialer:
    """One loop over all campaigns; ``wake`` makes it look at once."""

    def __init__(self, context: Context, placer: Placer, recovery: Recovery) -> None:
        self._store, self._telephony, self._clock = context.store, context.telephony, context.clock
        self._calls, self._agents, self._directory = context.calls, context.agents, context.directory
        self._options, self._trouble = context.options, context.trouble
        self._placer, self._recovery = placer, recovery
        self._wake = asyncio.Event()
        self.standings: dict[int, Standing] = {}

    def wake(self) -> None:
        """Something changed that may allow a call."""
        self._wake.set()

    def closed(self, closing: Closing) -> None:
        """A call was closed: its contact may be due sooner than anything known so far, or have been the last."""
        standing = self.standings.get(closing.attempt.campaign_id)
        if standing:
            standing.idle_until = min(standing.idle_until, closing.contact.next_at or 0)
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

    async def _turn(self) -> None:
        if await self._directory.refresh():
            self._forget_idleness()
        for campaign in sorted(self._directory.campaigns.values(), key=self._turn_order):
            standing = self.standings.setdefault(campaign.id, Standing())
            if campaign.state is CampaignState.STOPPING:
                await self._wind_down(campaign)
            if campaign.state is CampaignState.RUNNING:
                await self._serve(campaign, standing)
            else:
                standing.limit, standing.until, standing.detail = Limit.NOT_RUNNING, None, ""

    def _turn_order(self, campaign: Campaign) -> tuple[int, int]:
        """By priority; among equals, whoever has waited longest for a call takes what agents and trunks have."""
        standing = self.standings.get(campaign.id)
        return -campaign.settings.priority, standing.dialed_at if standing else 0

    async def _serve(self, campaign: Campaign, standing: Standing) -> None:
        decision = decide(self.snapshot(campaign))
        standing.limit, standing.until, standing.detail = decision.limit, None, ""
        if decision.calls:
            await self._dial(campaign, decision, standing)
        self._explain(campaign, standing)

    def _forget_idleness(self) -> None:
        for standing in self.standings.values():
            standing.idle_until = 0

    def snapshot(self, campaign: Campaign) -> Snapshot:
        """What pacing may know."""
        settings, now = campaign.settings, self._clock.now()
        trunk = self._directory.trunks.get(settings.trunk)
        server = trunk.server if trunk else ""
        rate_room = self._directory.rate(trunk).room(now, HORIZON_S) - self._placer.queued(trunk.name) if trunk else 0
        return Snapshot(
            state=campaign.state,
            mode=settings.mode,
            lines_per_agent=settings.lines_per_agent,
            max_calls=settings.max_calls,
            calls=sum(not call.is_gone for call in self._calls.of_campaign(campaign.id)),
            waiting_calls=self._calls_without_agent(server, settings.queue),
            logged_in_agents=self._agents.logged_in(server, settings.queue),
            free_agents=self._agents.free(
                server, settings.queue, now, self._directory.wrap_up_s(server, settings.queue)
            ),
            trunk_usable=bool(trunk and trunk.enabled),
            trunk_max_calls=trunk.max_calls if trunk else 0,
            trunk_calls=self._calls.on_trunk(settings.trunk),
            trunk_rate_room=min(CLAIM, rate_room),
            engine_room=self._options.max_calls - len(self._calls),
            server_up=server in self._recovery.synced and self._telephony.is_up(server),
            store_writes=self._store.writes(),
            refused=self._trouble.of(campaign.id, settings.trunk, now) is not None,
            open_zones=len(self._open_zones(campaign, now)),
        )

    def _calls_without_agent(self, server: str, queue: str) -> int:
        """Calls of every campaign that will need an agent of the queue and have none: not even a ringing one."""
        calls = [
            call
            for call in self._calls
            if not call.has_agent and not call.is_gone and self._queue_of(call) == (server, queue)
        ]
        in_queue = sum(call.waits_in_queue for call in calls)
        return len(calls) - min(in_queue, self._agents.ringing(server, queue))

    def _queue_of(self, call: Call) -> tuple[str, str]:
        return call.attempt.server, self._directory.campaigns[call.attempt.campaign_id].settings.queue

    def _open_zones(self, campaign: Campaign, now: int) -> list[str]:
        window = campaign.settings.window
        zones = self._directory.zones(campaign.id)
        return [zone for zone in zones if window.is_open(self._real_zone(campaign, zone), now)]

    def _real_zone(self, campaign: Campaign, zone: str) -> str:
        return zone or campaign.settings.timezone or self._options.zone

    async def _dial(self, campaign: Campaign, decision: Decision, standing: Standing) -> None:
        now = self._clock.now()
        if now < standing.idle_until:
            standing.limit, standing.until = Limit.NOTHING_DUE, standing.idle_until
            return
        trunk = self._directory.trunks[campaign.settings.trunk]
        request = ClaimRequest(
            campaign_id=campaign.id,
            campaign=campaign.name,
            trunk=trunk.name,
            server=trunk.server,
            limit=decision.calls,
            zones=self._open_zones(campaign, now),
            attempt_ids=[str(uuid.uuid4()) for _ in range(decision.calls)],
            reason=decision.limit.value,
            now=now,
        )
        claims = await self._store.claim(request)
        for call in self._calls.add(claims):
            self._placer.place(call, trunk)
            standing.dialed_at = now
        if len(claims) < decision.calls:
            await self._nothing_due(campaign, standing)

    async def _nothing_due(self, campaign: Campaign, standing: Standing) -> None:
        counts, now = await self._store.counts(campaign.id), self._clock.now()
        due_at = counts.next_due_at or now + IDLE_MOST_S * 1000
        standing.idle_until = min(max(due_at, now + IDLE_LEAST_S * 1000), now + IDLE_MOST_S * 1000)
        standing.limit, standing.until = Limit.NOTHING_DUE, counts.next_due_at
        if counts.ready and len(self._open_zones(campaign, now)) < len(self._directory.zones(campaign.id)):
            standing.limit = Limit.OUTSIDE_HOURS
        if not counts.ready + counts.waiting:
            await self._list_empty(campaign, counts, standing)

    async def _list_empty(self, campaign: Campaign, counts: CampaignCounts, standing: Standing) -> None:
        standing.limit = Limit.LAST_CALLS if counts.in_call else Limit.LIST_EMPTY
        if not counts.in_call and counts.done:
            await self._move(campaign, CampaignState.FINISHED, "every contact is done")

    async def _wind_down(self, campaign: Campaign) -> None:
        """A stopping campaign: hang up if that was asked, and stopped when nothing is live any more."""
        live = self._calls.of_campaign(campaign.id)
        if not live:
            await self._move(campaign, CampaignState.STOPPED, "stopped by the administrator")
            return
        for call in live if campaign.hang_up else ():
            await self._hang_up(call)

    async def _hang_up(self, call: Call) -> None:
        attempt = call.attempt
        if attempt.canceled or not attempt.dialed_at or call.is_gone:
            return
        self._calls.handle(Canceled(attempt_id=attempt.id, at=self._clock.now()))
        try:
            await self._telephony.hang_up(attempt.server, attempt.id)
        except Unavailable as error:
            logger.warning("hangup.failed", extra={"attempt": attempt.id, "error": str(error)})

    async def _move(self, campaign: Campaign, state: CampaignState, why: str) -> None:
        await self._store.set_state(campaign.id, state, explanation=why, now=self._clock.now())
        await self._directory.load()
        logger.info("campaign." + state.value, extra={"campaign": campaign.name, "why": why})

    def _explain(self, campaign: Campaign, standing: Standing) -> None:
        """When the binding limit ends, and in whose words."""
        now = self._clock.now()
        if standing.limit is Limit.OUTSIDE_HOURS:
            window = campaign.settings.window
            opens = [
                window.next_open(self._real_zone(campaign, zone), now) for zone in self._directory.zones(campaign.id)
            ]
            standing.until = min((at for at in opens if at is not None and at > now), default=None)
            if not opens:
                standing.limit = Limit.LIST_EMPTY
        else:
            self._explain_obstacle(campaign, standing, now)

    def _explain_obstacle(self, campaign: Campaign, standing: Standing, now: int) -> None:
        settings, server = campaign.settings, self._directory.server_of(campaign)
        if standing.limit is Limit.REFUSED:
            standing.until, standing.detail = self._trouble.of(campaign.id, settings.trunk, now) or (None, "")
        elif standing.limit is Limit.ASTERISK_DOWN:
            standing.detail = f"server {server}: {self._telephony.why_down(server) or 'looking at its calls first'}"
        elif standing.limit is Limit.NO_TRUNK:
            known = settings.trunk in self._directory.trunks
            standing.detail = f"trunk {settings.trunk} " + ("is disabled" if known else "does not exist")
        elif standing.limit is Limit.NO_AGENTS and not self._agents.members(server, settings.queue):
            standing.detail = f"Asterisk ({server}) has no queue {settings.queue}, or nobody is a member of it"
