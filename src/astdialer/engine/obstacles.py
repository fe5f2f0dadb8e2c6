"""The limit that binds a campaign, in words, and when it ends."""

from __future__ import annotations

from astdialer.domain.campaign import Campaign
from astdialer.domain.limit import Limit
from astdialer.domain.pacer import Advice
from astdialer.domain.pacing import Decision
from astdialer.engine.context import Context
from astdialer.engine.routing import Router
from astdialer.engine.words import UNBIND

#: When a limit ends by itself, if that is known, and what to say beside it.
Words = tuple[int | None, str]


class Obstacles:
    """Says what stands in the way."""

    def __init__(self, context: Context, router: Router) -> None:
        self._context, self._router, self._directory = context, router, context.directory

    def explain(self, campaign: Campaign, limit: Limit, decision: Decision | None = None) -> Words:
        """When the limit ends, and in whose words. Raises Conflict when the campaign's calendar is gone."""
        if decision and decision.advice and limit is decision.advice.limit:
            return None, _why_no_more(decision.advice)
        if limit is Limit.OUTSIDE_HOURS:
            return min((at for at in self._opens_at(campaign) if at is not None), default=None), ""
        if limit is Limit.CAMPAIGN_RATE:
            return self._next_call_at(campaign), ""
        if limit is Limit.REFUSED:
            return self._trouble_of(campaign)
        if limit is Limit.ASTERISK_DOWN:
            return None, self._why_down(campaign)
        if limit is Limit.NO_TRUNK:
            return None, self._why_no_trunk(campaign)
        if limit is Limit.NEEDS_AGENTS:
            return None, UNBIND
        return None, self._why_no_agents(campaign) if limit is Limit.NO_AGENTS else ""

    def _opens_at(self, campaign: Campaign) -> list[int | None]:
        """When each closed zone of the campaign's contacts opens."""
        rules, now = self._directory.rules(campaign), self._context.clock.now()
        zones = self._directory.zones(campaign.id)
        return [rules.opens_at(text, now) for text in zones if not rules.is_open(text, now)]

    def _next_call_at(self, campaign: Campaign) -> int | None:
        """When the campaign's own pace lets the next call out."""
        pace, now = self._directory.pace(campaign), self._context.clock.now()
        return now + round(pace.wait_s(now) * 1000) if pace else None

    def _trouble_of(self, campaign: Campaign) -> Words:
        """The trouble that ends first."""
        now, trouble = self._context.clock.now(), self._context.trouble
        found = [trouble.trunk(trunk.name, now) for trunk in self._router.usable(campaign)]
        first = min((one for one in found if one), default=None)
        return trouble.campaign(campaign.id, now) or first or (None, "")

    def _why_down(self, campaign: Campaign) -> str:
        server = self._directory.server_of(campaign)
        return f"server {server}: {self._context.telephony.why_down(server) or 'looking at its calls first'}"

    def _why_no_trunk(self, campaign: Campaign) -> str:
        settings = campaign.settings
        if settings.routes:
            return f"routes {settings.routes} name no trunk that exists and is enabled"
        known = settings.trunk in self._directory.trunks
        return f"trunk {settings.trunk} " + ("is disabled" if known else "does not exist")

    def _why_no_agents(self, campaign: Campaign) -> str:
        server, queue = self._directory.server_of(campaign), campaign.settings.queue
        if self._context.agents.members(server, queue):
            return ""
        return f"Asterisk ({server}) has no queue {queue}, or nobody is a member of it"


def _why_no_more(advice: Advice) -> str:
    """The figures of predictive dialing."""
    if advice.limit is not Limit.RISK:
        return ""
    return (
        f"an answer to one call more would meet no free agent with {advice.risk:.1%}, {advice.allowed:.1%} are "
        f"allowed; {advice.share:.1%} of the calls lead to a person"
    )
