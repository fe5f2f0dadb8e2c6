"""Campaigns: their states, and what is missing before one can start."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from astdialer.domain.settings import Mode, Settings


class CampaignState(StrEnum):
    """What the administrator, or the engine, has put a campaign into."""

    IDLE = "idle"  #: made, never started
    RUNNING = "running"  #: dials whenever its rules allow
    PAUSED = "paused"  #: places no new call; live ones run on
    STOPPING = "stopping"  #: as paused, and becomes stopped when the last live call has ended
    STOPPED = "stopped"  #: ended by the administrator
    FINISHED = "finished"  #: every contact is done, or its calendar has ended
    ERROR = "error"  #: it can't be dialed as it is set up; the explanation says why


#: States in which a campaign may have live calls.
ACTIVE = frozenset({CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.STOPPING})


class Phase(StrEnum):
    """What a campaign is doing now, in the words of the source systems (Webitel's states 0 to 5)."""

    IDLE = "idle"
    WORK = "work"
    SLEEP = "sleep"  #: started, and outside its calendar or calling hours
    STOPPING = "stopping"
    END = "end"
    ERROR = "error"


_PHASES = {
    CampaignState.IDLE: Phase.IDLE,
    CampaignState.RUNNING: Phase.WORK,
    CampaignState.PAUSED: Phase.STOPPING,
    CampaignState.STOPPING: Phase.STOPPING,
    CampaignState.STOPPED: Phase.STOPPING,
    CampaignState.FINISHED: Phase.END,
    CampaignState.ERROR: Phase.ERROR,
}


def phase_of(state: CampaignState, *, open_now: bool) -> Phase:
    """The phase; ``open_now``: whether calendar and calling hours let it dial anybody. Webitel calls what is stopped
    by hand ProcessStop, whether or not a last call is still live."""
    if state is CampaignState.RUNNING and not open_now:
        return Phase.SLEEP
    return _PHASES[state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Rules, bases and a state under one name."""

    id: int
    name: str
    state: CampaignState
    settings: Settings
    hang_up: bool = False  #: stopping: hang live calls up instead of letting them end
    explanation: str = ""  #: why the engine put it into this state
    tenant: str = ""  #: whose it is; empty: nobody's in particular

    @property
    def starts_by_itself(self) -> int | None:
        """When it starts without anybody's doing, ms since 1970 UTC; None if it does not."""
        return self.settings.starts if self.state is CampaignState.IDLE else None


def problems(settings: Settings) -> list[str]:
    """What is missing before a campaign can be started, each with its remedy."""
    found = []
    if not settings.trunk and not settings.routes:
        found.append("no trunk: set trunk=NAME (astdialer trunk list) or routes=NAME,… (astdialer route list)")
    if settings.mode.needs_agents and not settings.queue:
        found.append(f"a {settings.mode.value} campaign needs agents: set queue=NAME")
    if settings.mode is Mode.BROADCAST and not (settings.sound or settings.goto):
        found.append("a broadcast has nothing to play: set sound=FILE or goto=context,extension,priority")
    return found
