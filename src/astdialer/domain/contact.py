"""A contact and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: Priority of a contact whose base gives none (uContact's usual value). Smaller is dialed first.
DEFAULT_PRIORITY = 9999


class ContactState(StrEnum):
    """Where a contact stands between its attempts."""

    READY = "ready"  #: may be claimed now
    WAITING = "waiting"  #: due at next_at
    IN_CALL = "in_call"  #: an attempt of it is open
    DONE = "done"  #: not called any more; end_reason says why


class NumberType(StrEnum):
    """uContact's letters for a number."""

    PRIORITY = "P"  #: tried first
    MOBILE = "M"
    WORK = "W"
    HOME = "H"
    UNKNOWN = "U"  #: tried last


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One telephone number of a contact."""

    id: int
    number: str  #: E.164 with a leading +
    as_uploaded: str  #: digits as the base had them
    type: NumberType
    position: int  #: order of trying, 0 first
    tally: Mapping[str, int] = field(default_factory=dict)  #: how many attempts ended with which disposition
    last_disposition: str = ""
    next_at: int | None = 0  #: not before this instant; None: not dialed any more
    end_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person, or a row of a base, with one or more numbers."""

    id: int
    campaign_id: int
    base_id: int
    numbers: tuple[Number, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    priority: int = DEFAULT_PRIORITY
    agentphone: str = ""
    line: int = 0  #: of the uploaded file
    next_at: int | None = 0
    end_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNumber:
    """A number on its way into the store."""

    number: str
    as_uploaded: str
    type: NumberType


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A good row of a base on its way into the store; its first number is the main one."""

    numbers: tuple[NewNumber, ...]
    params: Mapping[str, str]
    priority: int
    agentphone: str
    line: int
