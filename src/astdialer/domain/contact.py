"""A contact and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

#: Priority of a contact whose base gives none (uContact's usual value). Smaller is dialed first.
DEFAULT_PRIORITY = 9999


class ContactState(StrEnum):
    """Where a contact stands between its attempts."""

    READY = "ready"  #: may be claimed now
    WAITING = "waiting"  #: due at next_at
    IN_CALL = "in_call"  #: an attempt of it is open
    HELD = "held"  #: waits, until held_until, for what came of its last talk
    DONE = "done"  #: not called any more; end_reason says why


class Rank(IntEnum):
    """Which contacts go first, whatever their priority (uContact: dated tasks outrank the others, then lists)."""

    DATED = 0  #: a scheduled call
    TASK = 1  #: a call to be made as soon as possible
    LIST = 2  #: an entry of a base


class NumberType(StrEnum):
    """uContact's letters for a number. Campaigns may name types of their own in the setting ``ranges``."""

    PRIORITY = "P"  #: tried first
    MOBILE = "M"
    WORK = "W"
    HOME = "H"
    UNKNOWN = "U"  #: tried last


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One telephone number of a contact."""

    id: int  #: 0: not in the store yet
    number: str  #: E.164 with a leading +
    as_uploaded: str  #: digits as the base had them
    type: str  #: a NumberType, or a code of the campaign's own
    position: int  #: order of trying, 0 first
    priority: int = 0  #: higher first, among numbers that may be dialed now
    description: str = ""
    zones: str = ""  #: its zones as text, see calendar.split_zones; empty: not known
    tally: Mapping[str, int] = field(default_factory=dict)  #: how many attempts ended with which disposition
    tries: int = 0  #: attempts that counted
    range_tally: Mapping[str, int] = field(default_factory=dict)  #: attempts by day and range, see ranges.key
    last_disposition: str = ""
    last_call_at: int = 0  #: 0: never called
    next_at: int | None = 0  #: not before this instant; None: not dialed any more
    end_reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it may still be dialed some day."""
        return self.next_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The attempt whose result is awaited, and what it counted for, so that it can be given back."""

    attempt_id: str
    number_id: int
    disposition: str
    range_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person, or a row of a base, with one or more numbers."""

    id: int
    campaign_id: int
    base_id: int
    numbers: tuple[Number, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    priority: int = DEFAULT_PRIORITY
    rank: Rank = Rank.LIST
    agentphone: str = ""  #: the agent that alone may have the call
    bucket: str = ""  #: the agents' bucket that alone may have the call
    line: int = 0  #: of the uploaded file
    state: ContactState = ContactState.READY
    tries: int = 0  #: attempts that counted, over all numbers
    last_call_at: int = 0  #: 0: never called
    next_at: int | None = 0  #: when it is due again; None: it is done
    expires_at: int | None = None  #: not dialed from then on
    any_hour: bool = False  #: the next call was promised for its time, calling window or not
    preferred: str = ""  #: the number, E.164, to which the next attempt goes first
    held_until: int | None = None
    held: Held | None = None
    tag: str = ""
    successful: bool = False
    end_reason: str = ""
    end_cause: str = ""  #: an EndCause, or the Cause that closed the last number
    reference: str = ""  #: what another system calls it

    @property
    def pool_bucket(self) -> str:
        """Who alone may have the call: ``@`` and an agentphone, a bucket's name, or nobody in particular."""
        return f"@{self.agentphone}" if self.agentphone else self.bucket


#: End reasons of contacts: a manager has ended it, or taken it out.
TERMINATED, REMOVED = "terminated", "removed"
#: End reasons of numbers: a result has stopped it, it is blacklisted, the contact has other ones now.
#: What came in its place is no telephone number.
STOPPED, BLACKLISTED, REPLACED, INVALID = "stopped", "blacklisted", "replaced", "invalid number"
#: Nothing but a person's word about that very number opens it again.
FOR_GOOD = (STOPPED, BLACKLISTED, REPLACED, INVALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNumber:
    """A number on its way into the store."""

    number: str
    as_uploaded: str
    type: str
    priority: int = 0
    description: str = ""
    zones: str = ""  #: its own or derived from its digits; a contact's or base's zone takes the place of a derived one
    own_zones: bool = False  #: they were named for it: no base's zone takes their place
    end_reason: str = ""  #: why it is never dialed, such as INVALID


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A good row of a base on its way into the store; its first number is the main one."""

    numbers: tuple[NewNumber, ...]
    params: Mapping[str, str]
    priority: int
    agentphone: str
    line: int
    bucket: str = ""
    rank: Rank = Rank.LIST
    not_before: int | None = None  #: an instant
    expires_at: int | None = None  #: an instant
    any_hour: bool = False
    repeatable: bool = False  #: its base may have its main number more than once
    reference: str = ""  #: what another system calls it; once in a campaign
    attachment: str = ""  #: JSON object that another system wants back with whatever it is told of the contact

    @property
    def pool_bucket(self) -> str:
        """As Contact.pool_bucket."""
        return f"@{self.agentphone}" if self.agentphone else self.bucket
