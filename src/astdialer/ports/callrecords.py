"""Looking calls up by what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from astdialer.domain.daytimes import DayRange

#: Before and after every call, ms since 1970 UTC.
BEFORE_ALL, AFTER_ALL = 0, 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSearch:
    """Which calls are looked for. None: any."""

    from_at: int = BEFORE_ALL
    to_at: int = AFTER_ALL  #: exclusive
    campaigns: Sequence[str] | None = None  #: their names
    agents: Sequence[str] | None = None  #: interfaces
    number: str | None = None  #: E.164
    source: str | None = None  #: digits that the called person was shown
    excluded: str | None = None  #: a number that is not wanted, E.164
    shortest_s: int | None = None
    tag: str | None = None  #: what the call's tag contains, in whatever case
    hours: DayRange | None = None  #: of the local day in ``zone``
    zone: str = "UTC"
    calls_at_least: int | None = None  #: to the same number, in the same span and campaigns


class CallRecordStore(Protocol):
    """CDRs with a running number, their contacts, and their agents."""

    async def call_records(self, search: CallSearch, limit: int, offset: int) -> Sequence[Mapping[str, Any]]:
        """The oldest first. A CDR's columns; ``id``: its running number; ``gone_at``, ``reserved_agent``, ``tag``
        of the attempt; the contact's ``params`` (a mapping), the number ``as_uploaded``, and ``others``: its other
        numbers as (type, number, as uploaded, priority, description)."""

    async def called_agents(self) -> Sequence[str]:
        """Interfaces of all agents that ever had a call."""

    async def call_of_agents(self, agents: Sequence[str]) -> str | None:
        """The guid of the live call that one of these interfaces has, or is reserved for; else of the last one."""
