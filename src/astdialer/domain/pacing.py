"""How many calls to place now, and which limit binds. One pure function for every mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from astdialer.domain.abandonment import Window
from astdialer.domain.campaign import CampaignState
from astdialer.domain.limit import Limit
from astdialer.domain.settings import Mode

if TYPE_CHECKING:  # they bring arrays, which most commands do without
    from astdialer.domain.pacer import Advice, Pacer
    from astdialer.domain.prediction import Traffic


@dataclass(frozen=True, slots=True)
class Forecast:
    """What predictive dialing reckons with: what was learned, what is under way, and what the law has counted."""

    pacer: Pacer
    traffic: Traffic
    windows: Sequence[Window]  #: the longest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that pacing may know about a campaign at one instant."""

    state: CampaignState
    mode: Mode
    lines_per_agent: float
    max_calls: int
    calls: int  #: live attempts of the campaign, from created on
    waiting_calls: int  #: calls that still need an agent of this queue, over every campaign
    logged_in_agents: int
    free_agents: int
    trunk_usable: bool
    trunk_max_calls: int
    trunk_calls: int  #: live attempts on the trunk, over every campaign
    trunk_rate_room: int  #: calls that may start within the claim's horizon
    engine_room: int  #: what [engine] max_calls leaves
    server_up: bool
    store_writes: bool
    refused: bool
    open_zones: int  #: zones of the campaign's contacts that are within calling hours
    engine_rate_room: int = 1_000_000  #: calls that [engine] calls_per_second lets start within the claim's horizon
    campaign_rate_room: int = 1_000_000  #: calls that the campaign's own pace lets start within it
    forecast: Forecast | None = None  #: predictive; None: nothing is known, and it dials as progressive


@dataclass(frozen=True, slots=True)
class Decision:
    """Place ``calls`` calls; ``limit`` is why not more.

    ``agent_room``: how many the agents alone would allow, None without agents. ``advice``: of predictive dialing.
    """

    calls: int
    limit: Limit
    agent_room: int | None = None
    advice: Advice | None = None

    @property
    def waits_for_agent(self) -> bool:
        """Whether there is no agent for a call more."""
        return self.agent_room is not None and self.agent_room <= 0


def decide(s: Snapshot, now_s: float) -> Decision:
    """How many calls to place now. The first absolute obstacle, or else the smallest room, binds."""
    obstacle = _obstacle(s)
    if obstacle:
        return Decision(0, obstacle)
    room = {
        Limit.CAMPAIGN_FULL: s.max_calls - s.calls,
        Limit.CAMPAIGN_RATE: s.campaign_rate_room,
        Limit.TRUNK_FULL: s.trunk_max_calls - s.trunk_calls,
        Limit.ENGINE_FULL: s.engine_room,
        Limit.TRUNK_RATE: s.trunk_rate_room,
        Limit.ENGINE_RATE: s.engine_rate_room,
    }
    agent_room, advice = None, None
    if s.mode.needs_agents:
        limit, agent_room, advice = _by_agents(s, now_s)
        room[limit] = agent_room
    limit = min(room, key=lambda key: room[key])
    return Decision(max(0, room[limit]), limit, agent_room, advice)


def _by_agents(s: Snapshot, now_s: float) -> tuple[Limit, int, Advice | None]:
    """The limit that the agents set, and how many calls it leaves."""
    if not s.logged_in_agents:
        return Limit.NO_AGENTS, 0, None
    if s.mode is Mode.PREDICTIVE and s.forecast:
        advice = s.forecast.pacer.advise(s.forecast.traffic, s.forecast.windows, now_s)
        return advice.limit, advice.calls, advice
    return Limit.AGENTS_COVERED if s.free_agents else Limit.NO_FREE_AGENT, _for_free_agents(s), None


def _for_free_agents(s: Snapshot) -> int:
    """Each call without an agent yet is one that some free agent must take."""
    lines = s.lines_per_agent if s.mode is Mode.POWER else 1.0
    return int(s.free_agents * lines) - s.waiting_calls


def _obstacle(s: Snapshot) -> Limit | None:
    obstacles = {
        Limit.NOT_RUNNING: s.state is not CampaignState.RUNNING,
        Limit.STORE_DOWN: not s.store_writes,
        Limit.NO_TRUNK: not s.trunk_usable,
        Limit.ASTERISK_DOWN: not s.server_up,
        Limit.REFUSED: s.refused,
        Limit.OUTSIDE_HOURS: not s.open_zones,
    }
    return next((limit for limit, binds in obstacles.items() if binds), None)
