"""Which way a call leaves: the first destination with room, in the order of the campaign's routes."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Number
from astdialer.domain.route import Way, look_up, may_lead
from astdialer.domain.selection import FindWay, NoOpenRoute, NoRoute
from astdialer.domain.trunk import Trunk
from astdialer.engine.context import Context

logger = logging.getLogger(__name__)

#: A claim takes at most what a trunk's pace lets out within this time, so that little is claimed and not yet sent.
HORIZON_S = 0.25


class Router:
    """Ways and the room on them. ``queued`` tells how many claimed calls wait for a trunk's pace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.crowded: set[int] = set()  #: campaigns whose last claim left somebody out for want of a free trunk

    def usable(self, campaign: Campaign) -> list[Trunk]:
        """The trunks by which the campaign may call."""
        return self._context.directory.usable_trunks(campaign)

    def rested(self, campaign: Campaign) -> list[Trunk]:
        """Those that do not rest after trouble."""
        now = self._context.clock.now()
        return [trunk for trunk in self.usable(campaign) if self._context.trouble.trunk(trunk.name, now) is None]

    def line_room(self, trunk: Trunk) -> int:
        """Calls that its limit of channels leaves; one at a time while it has to show that it is well again."""
        now, calls = self._context.clock.now(), self._context.calls
        room = max(0, trunk.max_calls - calls.on_trunk(trunk.name))  # the limit may have been lowered
        if self._context.trouble.is_on_probation(trunk.name, now):
            return min(room, 0 if calls.untried_on(trunk.name) else 1)
        return room

    def rate_room(self, trunk: Trunk, queued: int) -> int:
        """Calls that its pace lets out within the horizon, but for those that wait for it already."""
        return self._context.directory.rate(trunk).room(self._context.clock.now(), HORIZON_S) - queued

    def finder(self, campaign: Campaign, queued: Mapping[str, int]) -> FindWay:
        """Finds a way for one number after the other, as far as there is room."""
        self.crowded.discard(campaign.id)
        usable = {trunk.name: trunk for trunk in self.rested(campaign)}
        room = {name: min(self.line_room(t), self.rate_room(t, queued.get(name, 0))) for name, t in usable.items()}

        def find(number: Number) -> Way | None:
            for way in self.ways(campaign, number):
                if room.get(way.trunk, 0) > 0:
                    room[way.trunk] -= 1
                    return way
            self.crowded.add(campaign.id)
            return None

        return find

    def ways(self, campaign: Campaign, number: Number) -> tuple[Way, ...]:
        """Every way to the number, free or not. Raises NoRoute and NoOpenRoute."""
        if not campaign.settings.routes:
            return (Way(route="", trunk=campaign.settings.trunk, digits=""),)
        routes = self._context.directory.routes_of(campaign)
        found = look_up(routes, number.number)
        for problem in found.problems:
            logger.warning(
                "route.problem", extra={"route": problem.route, "number": number.number, "why": problem.words}
            )
        if not found.ways:
            raise NoOpenRoute if found.problems or may_lead(routes, number.number) else NoRoute
        return found.ways
