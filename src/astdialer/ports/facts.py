"""What the store keeps and gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from astdialer.domain.contact import NewContact


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignCounts:
    """How a campaign's contacts stand."""

    ready: int
    waiting: int
    in_call: int
    done: int
    next_due_at: int | None  #: earliest waiting contact
    held: int = 0  #: contacts whose result is awaited
    dispositions: Mapping[str, int] = field(default_factory=dict)  #: attempts by disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUpload:
    """One upload into one campaign's base, invisible to dialing until published."""

    id: int
    campaign_id: int
    campaign: str
    base_id: int
    base: str
    timezone: str = ""  #: the base's own: it takes the place of zones that were derived from a number's digits


@dataclass(frozen=True, slots=True, kw_only=True)
class BlacklistEntry:
    """A number that is not to be dialed, or every number that begins so (``+4477*``); campaign ``*`` is all of them."""

    number: str
    campaign: str
    reason: str
    added_by: str
    added_at: int
    expires_at: int | None = None  #: an instant; None: for ever


class Listed(NamedTuple):
    """What came of entries for the blacklist; the others are there already, and end later now."""

    added: int  #: they are new
    kept: int  #: they are there already, and end no sooner: they are as they were


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A call that somebody asks for, outside of any list."""

    campaign_id: int
    contact: NewContact  #: rank DATED or TASK; its ``not_before`` is the date
    zone: str  #: of the campaign, for numbers whose own is not known; "" leaves it to the campaign


class TaskAdded(NamedTuple):
    """Whose call it is now."""

    contact_id: int
    is_new: bool  #: False: it was there already


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody asks the running engine to do at once."""

    id: str
    kind: str
    body: Mapping[str, Any]
    created_at: int
    expires_at: int  #: nobody carries it out after that
    state: str = "new"  #: new, taken, done or failed
    result: str = ""  #: done: JSON; failed: the error's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A call that an agent is asked about before anybody is dialed."""

    attempt_id: str
    agent: str  #: interface
    campaign_id: int
    contact_id: int
    number: str
    made_at: int
    expires_at: int
    answer: str = ""  #: accept, skip, or none yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A contact's end, in the order in which they happened."""

    id: int
    at: int
    campaign_id: int
    contact_id: int
    number: str
    tries: int
    successful: bool
    end_reason: str
    end_cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What predictive dialing knows of a campaign, as text, and when that was written down."""

    body: str
    saved_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignEvent:
    """Something that was done to a campaign."""

    at: int
    #: created, started, delayed, paused, resumed, sleeps, wakes, stopping, stopped, finished, error, changed, zeroed
    event: str
    detail: str = ""
    done_by: str = "engine"
