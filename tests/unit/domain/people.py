"""Contacts for tests, and attempts that ended in a given way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attempts import fresh

from astdialer.domain.attempt import Attempt
from astdialer.domain.contact import Contact, Number, NumberType
from astdialer.domain.disposition import Disposition

D = Disposition
NOW = 1_800_000_000_000


def number(id: int = 0, **known: Any) -> Number:
    usual: dict[str, Any] = {
        "id": id,
        "number": f"+3460000000{id}",
        "as_uploaded": f"60000000{id}",
        "type": NumberType.MOBILE,
        "position": id,
    }
    return Number(**usual | known)


def contact(*numbers: Number, **known: Any) -> Contact:
    """A contact with these numbers, or with one."""
    usual: dict[str, Any] = {"id": 1, "campaign_id": 1, "base_id": 1}
    return Contact(**usual | {"numbers": numbers or (number(),)} | known)


def several(count: int, **known: Any) -> Contact:
    """A contact with so many numbers, whose ids count from 0."""
    return contact(*(number(n) for n in range(count)), **known)


#: What an attempt with this disposition usually looks like.
_USUAL: Mapping[Disposition, Mapping[str, Any]] = {
    D.ANSWERED: {"answered_at": 1, "connected_at": 2, "agent": "PJSIP/1001"},
    D.MACHINE: {"answered_at": 1},
    D.BUSY: {"cause": 17},
    D.NO_ANSWER: {"cause": 19},
    D.REJECTED: {"cause": 21},
    D.INVALID_NUMBER: {"cause": 1},
    D.CONGESTION: {"cause": 34},
    D.FAILED: {},
    D.ABANDONED: {"answered_at": 1, "result": "abandoned"},
    D.SHORT: {"answered_at": 1},
    D.CANCELED: {"canceled": True},
    D.UNKNOWN: {"vanished": True},
}


def ended_so(disposition: Disposition, number_id: int = 0, **facts: Any) -> Attempt:
    """An attempt to a number of ``several`` that ended with this disposition."""
    return fresh(**{"number_id": number_id, **_USUAL[disposition], **facts})


def by_id(one: Contact, number_id: int) -> Number:
    return next(n for n in one.numbers if n.id == number_id)
