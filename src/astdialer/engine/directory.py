"""What administrators have set, as the store has it, read again when another process has changed something."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from astdialer.domain.agent import AgentProfile, is_agent
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import ACTIVE, Campaign
from astdialer.domain.names import parse_names
from astdialer.domain.retry import RedialRules
from astdialer.domain.route import Route, in_order
from astdialer.domain.selection import DialingRules
from astdialer.domain.trunk import CallRate, Trunk
from astdialer.engine.rulebook import calendar_of, dialing_rules, redial_rules
from astdialer.ports import Store


class Directory:
    """The engine's view of what administrators set. ``campaigns`` is by id and stays the same object."""

    def __init__(self, store: Store, zone: str = "UTC") -> None:
        self._store, self._zone = store, zone
        self._campaigns: dict[int, Campaign] = {}
        self.campaigns: Mapping[int, Campaign] = MappingProxyType(self._campaigns)
        self.trunks: Mapping[str, Trunk] = {}
        self.routes: Mapping[str, Route] = {}
        self.calendars: Mapping[str, WorkingCalendar] = {}
        self.caller_id_pools: Mapping[str, tuple[str, ...]] = {}
        self.profiles: tuple[AgentProfile, ...] = ()
        self._zones: dict[int, tuple[str, ...]] = {}
        self._bound: dict[int, frozenset[str]] = {}
        self._rates: dict[str, CallRate] = {}
        self._paces: dict[int, CallRate] = {}
        #: Asked for each agent at each look: kept until something is set anew.
        self._known_profiles: dict[tuple[str, str], AgentProfile] = {}
        self._known_rests: dict[tuple[str, str], int] = {}
        self.removed: set[int] = set()  #: campaigns that are not there any more; they stay known: a call may just end
        self.changed_rules: set[int] = set()  #: campaigns whose rules have changed since somebody looked

    async def load(self) -> None:
        """Read everything."""
        before = {campaign_id: self._fingerprint(campaign) for campaign_id, campaign in self._campaigns.items()}
        campaigns = await self._store.campaigns()
        self._campaigns.update((campaign.id, campaign) for campaign in campaigns)
        self.removed = set(self._campaigns) - {campaign.id for campaign in campaigns}
        self.trunks = {trunk.name: trunk for trunk in await self._store.trunks()}
        self.routes = {route.name: route for route in await self._store.routes()}
        self.calendars = {calendar.name: calendar for calendar in await self._store.calendars()}
        self.caller_id_pools = {name: tuple(of) for name, of in (await self._store.caller_id_pools()).items()}
        self.profiles = tuple(await self._store.agents())
        for campaign in campaigns:
            if campaign.state in ACTIVE:  # whoever starts it has everything read again
                self._zones[campaign.id] = tuple(await self._store.zones(campaign.id))
                self._bound[campaign.id] = frozenset(await self._store.bound_buckets(campaign.id))
            if before.get(campaign.id) not in (None, self._fingerprint(campaign)):
                self.changed_rules.add(campaign.id)
        self._known_profiles.clear()
        self._known_rests.clear()
        for trunk in self.trunks.values():
            self.rate(trunk).per_second = trunk.calls_per_second
        for campaign in campaigns:
            await self._set_pace(campaign)

    async def _set_pace(self, campaign: Campaign) -> None:
        """The pace goes on where the last engine, or the campaign before it had one, has left it."""
        per_second, known = campaign.settings.calls_per_second, self._paces.get(campaign.id)
        if known and per_second:
            known.per_second = per_second
        elif per_second and campaign.state in ACTIVE:
            self._paces[campaign.id] = pace = CallRate(per_second)
            pace.took(await self._store.last_call_at(campaign) or 0)
        elif not per_second:
            self._paces.pop(campaign.id, None)

    def _fingerprint(self, campaign: Campaign) -> object:
        """What may change when a waiting contact comes up again."""
        return campaign.settings, self.calendars.get(campaign.settings.calendar), self.routes_of(campaign)

    def present(self) -> list[Campaign]:
        """The campaigns that there are."""
        return [campaign for campaign in self._campaigns.values() if campaign.id not in self.removed]

    def require(self, campaign: Campaign) -> None:
        """Take up a campaign that was made this very moment."""
        self._campaigns[campaign.id] = campaign
        self._known_rests.clear()

    async def refresh(self) -> bool:
        """Read again if another process has written; whether it had."""
        changed = await self._store.changed_elsewhere()
        if changed:
            await self.load()
        return changed

    def zones(self, campaign_id: int) -> tuple[str, ...]:
        """Zones of the campaign's pools, see DialingRules.is_open."""
        return self._zones.get(campaign_id, ())

    def bound(self, campaign_id: int) -> frozenset[str]:
        """Buckets and agents (@1001) that alone may have some of the campaign's contacts."""
        return self._bound.get(campaign_id, frozenset())

    async def look_for_bound(self, campaign: Campaign) -> None:
        """Ask the store again whether there are such contacts: the engine's own calls may have been the last."""
        self._bound[campaign.id] = frozenset(await self._store.bound_buckets(campaign.id))

    def rules(self, campaign: Campaign) -> DialingRules:
        """When a number may be dialed. Raises Conflict when the campaign's calendar is gone."""
        return dialing_rules(campaign.settings, self.calendar(campaign), self._zone)

    def redial_rules(self, campaign: Campaign) -> RedialRules:
        """What an attempt does to its number and its contact."""
        return redial_rules(campaign.settings, self.calendars.get(campaign.settings.calendar), self._zone)

    def calendar(self, campaign: Campaign) -> WorkingCalendar | None:
        """The campaign's working calendar. Raises Conflict when it is gone."""
        return calendar_of(campaign, self.calendars)

    def zone_of(self, campaign: Campaign) -> str:
        """The campaign's own zone: of its days, and of numbers without one."""
        return self.redial_rules(campaign).default_zone

    def rate(self, trunk: Trunk) -> CallRate:
        """The trunk's calls-per-second bucket; it outlives changes of the trunk."""
        return self._rates.setdefault(trunk.name, CallRate(trunk.calls_per_second))

    def pace(self, campaign: Campaign) -> CallRate | None:
        """The campaign's own calls-per-second bucket, None if it has none."""
        return self._paces.get(campaign.id)

    def profile(self, interface: str, name: str = "") -> AgentProfile:
        """What is known about an agent; an empty profile if nothing is."""
        known = self._known_profiles.get((interface, name))
        if known is None:
            found = (profile for profile in self.profiles if is_agent(profile.agent, interface, name))
            known = self._known_profiles[interface, name] = next(found, AgentProfile(agent=interface))
        return known

    def of_queue(self, server: str, queue: str) -> list[Campaign]:
        """The campaigns, active or not, that name a server's queue."""
        named = (campaign for campaign in self.present() if campaign.settings.queue == queue)
        return [campaign for campaign in named if self.server_of(campaign) == server]

    def wrap_up_s(self, server: str, queue: str) -> int:
        """Rest after a talk in a queue: the longest that its active campaigns ask for, or all if none is active."""
        if (server, queue) not in self._known_rests:
            self._known_rests[server, queue] = self._longest_rest_s(server, queue)
        return self._known_rests[server, queue]

    def _longest_rest_s(self, server: str, queue: str) -> int:
        of_queue = self.of_queue(server, queue)
        active = [campaign for campaign in of_queue if campaign.state in ACTIVE]
        return max((campaign.settings.wrap_up_s for campaign in active or of_queue), default=0)

    def routes_of(self, campaign: Campaign) -> list[Route]:
        """The campaign's routes that there are, in its order."""
        names = parse_names("routes", campaign.settings.routes)
        return [self.routes[name] for name in names if name in self.routes]

    def trunks_of(self, campaign: Campaign) -> list[Trunk]:
        """Every trunk by which the campaign's calls may leave, the one to try first in front, each once."""
        if campaign.settings.routes:
            routes = [route for route in self.routes_of(campaign) if route.enabled]
            names = [to.trunk for route in routes for to in in_order(route.destinations)]
        else:
            names = [campaign.settings.trunk]
        return [self.trunks[name] for name in dict.fromkeys(names) if name in self.trunks]

    def usable_trunks(self, campaign: Campaign) -> list[Trunk]:
        """The trunks by which the campaign may call, all on the same Asterisk: agents are on one only."""
        server = self.server_of(campaign)
        return [trunk for trunk in self.trunks_of(campaign) if trunk.enabled and trunk.server == server]

    def server_of(self, campaign: Campaign) -> str:
        """Which Asterisk places the campaign's calls: its first trunk's; empty without a trunk."""
        trunks = self.trunks_of(campaign)
        return trunks[0].server if trunks else ""
