"""What every part of the engine works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from astdialer.domain.campaign import Campaign
from astdialer.engine.agents import AgentMirror
from astdialer.engine.calls import Call, LiveCalls
from astdialer.engine.directory import Directory
from astdialer.engine.origination import DialplanPlaces
from astdialer.engine.trouble import Trouble
from astdialer.engine.vitals import Vitals
from astdialer.ports import Clock, Recordings, Store, Telephony


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What the engine takes from the configuration."""

    places: DialplanPlaces
    zone: str = "UTC"  #: of campaigns that name none, and of recordings' dates
    max_calls: int = 500
    calls_per_second: float = 100_000.0
    name: str = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The ports, and the state that the parts of the engine share."""

    store: Store
    telephony: Telephony
    recordings: Recordings
    clock: Clock
    options: EngineOptions
    calls: LiveCalls
    agents: AgentMirror
    directory: Directory
    trouble: Trouble
    vitals: Vitals = field(default_factory=Vitals)

    def campaign_of(self, call: Call) -> Campaign:
        """The call's campaign, with its settings as they are now."""
        return self.directory.campaigns[call.attempt.campaign_id]
