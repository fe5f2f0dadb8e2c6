"""What comes by time alone: awaited results that do not come, contacts that expire, midnights, agents' rests."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from functools import partial

from astdialer.domain.campaign import Campaign, CampaignState, Phase, phase_of
from astdialer.domain.contact import Contact
from astdialer.domain.errors import AstdialerError, Conflict, NotFound, Unavailable
from astdialer.domain.result import result_timed_out
from astdialer.engine.bookkeeper import iso_date
from astdialer.engine.campaigns import lacks
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk
from astdialer.engine.dialer import Dialer
from astdialer.engine.rulebook import result_rules
from astdialer.ports import CampaignEvent

logger = logging.getLogger(__name__)

#: Between two looks.
PERIOD_S = 1.0
#: Contacts are looked through for expired ones so often (Webitel: every 5 minutes).
EXPIRY_S = 300.0
#: Contacts changed in one transaction, so that dialing goes on beside it.
BATCH = 5000
#: Contacts of removed campaigns that one look erases.
ERASED = 1000


class Sweeps:
    """Looks each second. Nothing is kept here that the store does not have, but for when it looked last."""

    def __init__(self, context: Context, desk: Desk, dialer: Dialer) -> None:
        self._context, self._desk, self._dialer = context, desk, dialer
        self._store, self._clock, self._directory = context.store, context.clock, context.directory
        self._expiry_at = 0
        self._asleep: dict[int, bool] = {}
        self._days: dict[int, str] = {}

    async def run(self) -> None:
        """Until canceled."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                logger.error("sweeps.store_failed", extra={"error": str(error)})
            await self._clock.sleep(PERIOD_S)

    async def look(self) -> None:
        """Once."""
        self._desk.wake()
        for of_all in (self._late_results, self._changed_rules, self._expire, self._erase):
            await self._guarded("", of_all())
        for campaign in self._directory.present():
            await self._guarded(campaign.name, self._of_campaign(campaign))

    async def _guarded(self, campaign: str, work: Awaitable[None]) -> None:
        """A fault that nobody foresaw, inside one campaign or what is done for all ("") at once, must not end the rest.
        Raises Unavailable."""
        try:
            await work
        except Unavailable:
            raise
        except Exception:
            logger.exception("sweeps.failed", extra={"campaign": campaign})

    async def _of_campaign(self, campaign: Campaign) -> None:
        now = self._clock.now()
        if await self._stop_or_start(campaign, now):
            return
        await self._day(campaign, now)
        await self._sleep_or_wake(campaign, now)

    async def _stop_or_start(self, campaign: Campaign, now: int) -> bool:
        """What its stop_at and start_at ask for, if it is time; whether anything was done."""
        stops, starts = campaign.settings.stops, campaign.starts_by_itself
        if stops is not None and stops <= now:
            ends = {CampaignState.IDLE: CampaignState.STOPPED, CampaignState.RUNNING: CampaignState.STOPPING}
            state = (ends | {CampaignState.PAUSED: CampaignState.STOPPING}).get(campaign.state)
            if state:
                await self._dialer.move(campaign, state, "its stop_at has come")
            return state is not None
        if starts is None or starts > now:
            return False
        missing = "; ".join(lacks(self._directory, campaign))
        if not missing:
            await self._move(campaign, CampaignState.RUNNING, "started", "its start_at has come")
        elif campaign.explanation != missing:  # it starts as soon as it can
            await self._move(campaign, CampaignState.IDLE, "delayed", missing)
        return True

    async def _move(self, campaign: Campaign, state: CampaignState, event: str, why: str) -> None:
        now, explanation = self._clock.now(), why if state is CampaignState.IDLE else ""
        told = CampaignEvent(at=now, event=event, detail=why)
        await self._store.set_state(campaign.id, state, explanation=explanation, now=now, event=told)
        await self._directory.load()
        self._dialer.wake()

    async def _expire(self) -> None:
        now = self._clock.now()
        if now < self._expiry_at:
            return
        while await self._store.expire(now, BATCH) == BATCH:
            pass
        self._expiry_at = now + int(EXPIRY_S * 1000)

    async def _erase(self) -> None:
        await self._store.erase_some(ERASED, self._clock.now())

    async def _late_results(self) -> None:
        for contact in await self._store.due_results(self._clock.now(), BATCH):
            campaign = self._directory.campaigns.get(contact.campaign_id)
            if campaign:
                await self._guarded(campaign.name, self._late_result(campaign, contact))

    async def _late_result(self, campaign: Campaign, contact: Contact) -> None:
        now = self._clock.now()
        calendar = self._directory.calendars.get(campaign.settings.calendar)
        rules = result_rules(campaign.settings, calendar, self._context.options.zone)
        try:
            change = partial(result_timed_out, rules=rules, now=now)
            left = await self._store.change_contact(contact.id, change, now)
        except (Conflict, NotFound):  # its result has come at this very moment
            return
        logger.info("result.timed_out", extra={"campaign": campaign.name, "contact": contact.id})
        self._dialer.due_at(campaign.id, left.next_at or 0)

    async def _changed_rules(self) -> None:
        """Contacts that wait for a rule come up again when their campaign's rules were changed."""
        for campaign_id in list(self._directory.changed_rules):
            if await self._store.rewake(campaign_id, BATCH) < BATCH:
                self._directory.changed_rules.discard(campaign_id)
            self._dialer.due_at(campaign_id, 0)

    async def _day(self, campaign: Campaign, now: int) -> None:
        """The campaign's local midnight: its statistics begin anew, if it wants that."""
        today = iso_date(now, self._directory.zone_of(campaign))
        known = self._days.get(campaign.id)
        if known == today:
            return
        if campaign.settings.auto_reset_stats and await self._store.stats_day(campaign.id) != today:
            event = CampaignEvent(at=now, event="zeroed", detail="local midnight")
            await self._store.zero_statistics(campaign.id, today, event)
        if known:  # a campaign that is new to us says nothing about its agents' day
            self._desk.new_day(campaign)
        self._days[campaign.id] = today  # not before it is done: the store may have failed

    async def _sleep_or_wake(self, campaign: Campaign, now: int) -> None:
        """Tell the campaign's history when its calendar or calling hours shut and open it."""
        if campaign.state is not CampaignState.RUNNING:
            self._asleep.pop(campaign.id, None)
            return
        asleep = self.phase(campaign) is Phase.SLEEP
        if self._asleep.get(campaign.id, False) != asleep:
            event = CampaignEvent(at=now, event="sleeps" if asleep else "wakes")
            await self._store.add_event(campaign.id, event)
        self._asleep[campaign.id] = asleep

    def phase(self, campaign: Campaign) -> Phase:
        """What the campaign is doing now."""
        try:
            zones = self._directory.zones(campaign.id)
            rules, now = self._directory.rules(campaign), self._clock.now()
            open_now = any(rules.is_open(text, now) for text in zones or ("",))
        except AstdialerError:  # its calendar is gone; the dialer says so
            open_now = False
        return phase_of(campaign.state, open_now=open_now)
