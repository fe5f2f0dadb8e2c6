"""When a number and its contact are tried again, or why not. Pure decisions; the store only writes them down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from astdialer.domain.contact import Contact, Number
from astdialer.domain.disposition import NOT_COUNTED, PERSON_REACHED, Disposition

D = Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """At most ``tries`` attempts of a number may end so, ``delay_s`` seconds apart. tries 1: never again."""

    tries: int
    delay_s: int


#: What an administrator gets who says nothing. A person who was abandoned is not dialed again by itself.
DEFAULTS: Mapping[Disposition, Retry] = {
    D.ANSWERED: Retry(tries=1, delay_s=0),
    D.MACHINE: Retry(tries=2, delay_s=7200),
    D.BUSY: Retry(tries=4, delay_s=300),
    D.NO_ANSWER: Retry(tries=3, delay_s=3600),
    D.REJECTED: Retry(tries=1, delay_s=0),
    D.INVALID_NUMBER: Retry(tries=1, delay_s=0),
    D.CONGESTION: Retry(tries=5, delay_s=120),
    D.FAILED: Retry(tries=3, delay_s=600),
    D.ABANDONED: Retry(tries=1, delay_s=0),
    D.SHORT: Retry(tries=1, delay_s=0),
    D.CANCELED: Retry(tries=1, delay_s=30),
    D.UNKNOWN: Retry(tries=2, delay_s=3600),
}


def after_attempt(
    contact: Contact,
    number_id: int,
    disposition: Disposition,
    rules: Mapping[Disposition, Retry],
    now: int,
    *,
    counted: bool = True,
) -> Contact:
    """The contact as the attempt leaves it: its numbers' counts and next tries, and its own next time or end.

    ``counted`` is false where the fault was ours and costs the number no try. Raises KeyError if the contact has no
    such number.
    """
    numbers = {number.id: number for number in contact.numbers}
    counted = counted and disposition not in NOT_COUNTED
    dialed = _dialed(numbers[number_id], disposition, rules[disposition], now, counted)
    numbers[number_id] = dialed
    if disposition in PERSON_REACHED:
        return _person_reached(contact, numbers, dialed, disposition)
    return _settle(contact, numbers, disposition)


def without_number(contact: Contact, number_id: int, reason: str) -> Contact:
    """The contact once a number is not to be dialed (blacklisted): closed, and the contact ends if it was the last."""
    numbers = {n.id: _closed(n, reason) if n.id == number_id else n for n in contact.numbers}
    return _settle(contact, numbers, reason)


def _dialed(number: Number, disposition: Disposition, rule: Retry, now: int, counted: bool) -> Number:
    later = now + rule.delay_s * 1000
    if not counted:
        return replace(number, next_at=later)
    tally = dict(number.tally)
    tally[disposition] = tally.get(disposition, 0) + 1
    tried = replace(number, tally=tally, last_disposition=disposition)
    if tally[disposition] >= rule.tries:
        return _closed(tried, disposition)
    return replace(tried, next_at=later)


def _closed(number: Number, reason: str) -> Number:
    return replace(number, end_reason=str(reason), next_at=None)


def _person_reached(contact: Contact, numbers: dict[int, Number], dialed: Number, disposition: Disposition) -> Contact:
    """The other numbers rest: until the same person may be tried again, or for good."""
    if dialed.end_reason:
        closed = {n.id: n if n.end_reason else _closed(n, disposition) for n in numbers.values()}
        return _settle(contact, closed, disposition)
    waiting = {
        n.id: n if n.end_reason else replace(n, next_at=max(n.next_at or 0, dialed.next_at or 0))
        for n in numbers.values()
    }
    return _settle(contact, waiting, disposition)


def _settle(contact: Contact, numbers: dict[int, Number], last: str) -> Contact:
    left = tuple(numbers[number.id] for number in contact.numbers)
    due = [number.next_at for number in left if number.next_at is not None]
    if due:
        return replace(contact, numbers=left, next_at=min(due), end_reason="")
    return replace(contact, numbers=left, next_at=None, end_reason=str(last))
