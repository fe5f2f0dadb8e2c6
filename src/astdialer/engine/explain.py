"""Why a campaign is not dialing, or not faster: one sentence, and the counts behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astdialer.domain.campaign import CampaignState
from astdialer.domain.pacing import Limit
from astdialer.engine.liveview import STALE_S, progress
from astdialer.ports import Clock, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What binds now. ``until``: when it ends by itself, ms since 1970 UTC; ``facts``: the counts behind it."""

    campaign: str
    state: str
    limit: str
    until: int | None
    detail: str
    facts: Mapping[str, Any]


async def explain(store: Store, clock: Clock, name: str) -> Explanation:
    """What binds the campaign now. Raises NotFound."""
    campaign = await store.campaign(name)
    counts = await store.counts(campaign.id)
    view = await store.live_view()
    facts = progress(counts)
    if is_stale(view, clock.now()):
        wanted = campaign.state is CampaignState.RUNNING
        limit = "the engine is not running" if wanted else Limit.NOT_RUNNING.value
        detail = "start it: astdialer serve, or systemctl start astdialer" if wanted else campaign.explanation
        return Explanation(
            campaign=name, state=campaign.state.value, limit=limit, until=None, detail=detail, facts=facts
        )
    live: Mapping[str, Any] = next((row for row in (view or {})["campaigns"] if row["campaign"] == name), {})
    for key in (
        "calls",
        "max_calls",
        "trunk_calls",
        "trunk_max_calls",
        "logged_in_agents",
        "free_agents",
        "waiting_calls",
    ):
        facts[key] = live.get(key)
    return Explanation(
        campaign=name,
        state=campaign.state.value,
        limit=live.get("limit") or "the engine has just started",
        until=live.get("until"),
        detail=live.get("detail") or campaign.explanation,
        facts=facts,
    )


def is_stale(view: Mapping[str, Any] | None, now: int) -> bool:
    """Whether the view comes from an engine that does not run any more."""
    return view is None or now - view["written_at"] > STALE_S * 1000
