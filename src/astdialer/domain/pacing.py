"""How many calls to place now, and which limit binds. One pure function for every mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from astdialer.domain.campaign import CampaignState
from astdialer.domain.settings import Mode


class Limit(StrEnum):
    """What keeps a campaign from placing more calls. The text is what ``campaign explain`` says."""

    NOT_RUNNING = "not running"
    ASTERISK_DOWN = "Asterisk is down"
    STORE_DOWN = "the store does not write"
    NO_TRUNK = "the trunk can't be used"
    REFUSED = "Asterisk refuses the calls"
    OUTSIDE_HOURS = "outside calling hours"
    LIST_EMPTY = "no contacts left"
    NOTHING_DUE = "nothing is due"
    LOOKING_ON = "many contacts that can't be called now are in front: looking further"
    OTHERS_CONTACTS = "what is due is for agents who are not free"
    NEEDS_AGENTS = "what is due is for certain agents, and a broadcast has none"
    NO_AGENTS = "no agent is logged in"
    NO_FREE_AGENT = "no free agent"
    AGENTS_COVERED = "all free agents are covered"
    CAMPAIGN_FULL = "the campaign's limit of calls"
    TRUNK_FULL = "the trunk's limit of calls"
    TRUNK_RATE = "the trunk's calls per second"
    ENGINE_FULL = "the engine's limit of calls"
    ENGINE_RATE = "the engine's calls per second"
    SHARED = "other campaigns' share of agents and trunks"
    LAST_CALLS = "waiting for the last calls to end"


#: What campaigns share: whoever waits for one of these keeps its turn, see `share`.
SHARED_LIMITS = frozenset(
    {
        Limit.NO_FREE_AGENT,
        Limit.AGENTS_COVERED,
        Limit.TRUNK_FULL,
        Limit.TRUNK_RATE,
        Limit.ENGINE_FULL,
        Limit.ENGINE_RATE,
    }
)


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


@dataclass(frozen=True, slots=True)
class Decision:
    """Place ``calls`` calls; ``limit`` is why not more."""

    calls: int
    limit: Limit


def decide(s: Snapshot) -> Decision:
    """How many calls to place now. The first absolute obstacle, or else the smallest room, binds."""
    obstacle = _obstacle(s)
    if obstacle:
        return Decision(0, obstacle)
    room = {
        Limit.CAMPAIGN_FULL: s.max_calls - s.calls,
        Limit.TRUNK_FULL: s.trunk_max_calls - s.trunk_calls,
        Limit.ENGINE_FULL: s.engine_room,
        Limit.TRUNK_RATE: s.trunk_rate_room,
        Limit.ENGINE_RATE: s.engine_rate_room,
    }
    if s.mode.needs_agents:
        room[_agent_limit(s)] = agent_room(s)
    limit = min(room, key=lambda key: room[key])
    return Decision(max(0, room[limit]), limit)


def agent_room(s: Snapshot) -> int:
    """Calls that the free agents allow: each call without an agent yet is one that some free agent must take."""
    lines = s.lines_per_agent if s.mode is Mode.POWER else 1.0
    return int(s.free_agents * lines) - s.waiting_calls


def _agent_limit(s: Snapshot) -> Limit:
    if not s.logged_in_agents:
        return Limit.NO_AGENTS
    return Limit.AGENTS_COVERED if s.free_agents else Limit.NO_FREE_AGENT


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a campaign would place if it were alone, and how much it has had already.

    ``draws``: the shared things that each of its calls takes one of. ``served`` is its calls so far, each divided by
    its weight, see `share`.
    """

    campaign_id: int
    wants: int
    priority: int
    served: float
    draws: tuple[str, ...]


def weights(demands: Sequence[Demand]) -> Mapping[int, int]:
    """How many calls each campaign gets for one of the lowest: one more for each step of priority above it."""
    lowest = min((d.priority for d in demands), default=0)
    return {d.campaign_id: 1 + d.priority - lowest for d in demands}


def share(demands: Sequence[Demand], rooms: Mapping[str, int]) -> dict[int, int]:
    """How many calls each campaign may place now, by campaign.

    Stride scheduling (Waldspurger and Weihl 1995): one call after the other goes to whoever has been served least for
    its weight, so that shares follow the priorities and the lowest is never starved.
    """
    weight = weights(demands)
    left = dict(rooms)
    given = {d.campaign_id: 0 for d in demands}
    served = {d.campaign_id: d.served for d in demands}
    hungry = [d for d in demands if d.wants > 0]
    while hungry:
        first = min(hungry, key=lambda d: (served[d.campaign_id], -d.priority, d.campaign_id))
        if given[first.campaign_id] >= first.wants or any(left[draw] <= 0 for draw in first.draws):
            hungry.remove(first)
            continue
        for draw in first.draws:
            left[draw] -= 1
        given[first.campaign_id] += 1
        served[first.campaign_id] += 1 / weight[first.campaign_id]
    return given
