"""What becomes of a contact by a word from outside: a call's result, a manager, the end of a wait. Pure.

The rules of Webitel's status callback and terminate (source-systems.md 1.8 and 1.9).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from astdialer.domain.cause import EndCause
from astdialer.domain.contact import BLACKLISTED, FOR_GOOD, STOPPED, Contact, ContactState, Held, Number, NumberType
from astdialer.domain.errors import Conflict
from astdialer.domain.retry import RedialRules, closed_number, ended, exhausted, settle, succeeded
from astdialer.domain.typification import Result

#: Priority of a number that a result names for the next attempt.
NEXT_NUMBER_PRIORITY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRules:
    """What of the campaign decides about results."""

    redial: RedialRules
    retry_s: int  #: to the next try, when the result names no time
    timeout_counts: bool = False


def apply_result(contact: Contact, result: Result, rules: ResultRules, now: int) -> Contact:
    """The contact after its awaited result. Raises Conflict when none is awaited (too late, twice, another call)."""
    check_awaited(contact, result.attempt_id)
    contact = replace(contact, held=None, held_until=None, state=ContactState.WAITING)
    if result.success:
        return succeeded(contact, "success")
    if result.reset_retries:
        contact = started_over(contact)
    contact = _stopped(contact, result)
    delay_s = rules.retry_s if result.next_after_s is None else result.next_after_s
    at = now + delay_s * 1000
    contact = due_again(contact, at)
    if result.next_number:
        contact = _preferring(contact, result, at)
    if not any(n.is_open for n in contact.numbers):
        return ended(contact, "no number left", EndCause.NO_COMMUNICATIONS)
    settled = settle(contact, "result")
    if result.reset_retries:
        return settled
    left = exhausted(settled, rules.redial, now)
    if not result.next_number or left.end_cause != EndCause.MAX_TRY_COUNT:
        return left
    # Tries that are used up close every number, and then the one that is named is opened: for one more.
    named = settle(_preferring(left, result, at), "result")
    return exhausted(named, replace(rules.redial, max_tries=0), now)


def check_awaited(contact: Contact, attempt_id: str) -> Held:
    """What the contact is held for; an empty ``attempt_id`` means any. Raises Conflict when that is not awaited."""
    if contact.state is not ContactState.HELD or contact.held is None:
        raise Conflict(f"contact {contact.id}: no result is awaited, it is {contact.state.value}")
    if attempt_id and attempt_id != contact.held.attempt_id:
        raise Conflict(
            f"contact {contact.id}: the result of call {contact.held.attempt_id} is awaited, not of that one"
        )
    return contact.held


def started_over(contact: Contact) -> Contact:
    """Every counter at zero; numbers that the rules had closed are open again, those closed for good stay so."""
    numbers = tuple(
        replace(n, tally={}, range_tally={}, tries=0, next_at=0, end_reason="") if n.end_reason not in FOR_GOOD else n
        for n in contact.numbers
    )
    return replace(contact, numbers=numbers, tries=0)


def _stopped(contact: Contact, result: Result) -> Contact:
    def stops(number: Number) -> bool:
        return result.stop_all or number.number in result.stop_numbers

    return replace(contact, numbers=tuple(closed_number(n, STOPPED) if stops(n) else n for n in contact.numbers))


def due_again(contact: Contact, at: int) -> Contact:
    """Every open number due at ``at``, not sooner and not later."""
    numbers = tuple(replace(n, next_at=at) if n.is_open else n for n in contact.numbers)
    return replace(contact, numbers=numbers)


def _preferring(contact: Contact, result: Result, at: int) -> Contact:
    """The named number is tried first: opened again if the contact has it, else added."""
    known = next((n for n in contact.numbers if n.number == result.next_number), None)
    number = replace(known, next_at=at, end_reason="") if known else _added(contact, result, at)
    numbers = [n for n in contact.numbers if n is not known]
    ordered = sorted([*numbers, number], key=lambda n: n.position)
    return replace(contact, numbers=tuple(ordered), preferred=number.number)


def _added(contact: Contact, result: Result, at: int) -> Number:
    return Number(
        id=0,
        number=result.next_number,
        as_uploaded=result.next_number_as_given or result.next_number.lstrip("+"),
        type=NumberType.UNKNOWN,
        position=1 + max(n.position for n in contact.numbers),
        priority=NEXT_NUMBER_PRIORITY,
        zones=result.next_number_zones,
        next_at=at,
    )


def result_timed_out(contact: Contact, rules: ResultRules, now: int) -> Contact:
    """No result came: the attempt is given back (unless the campaign counts it), and the contact is due again.

    A contact that is not held any more, because its result came just in time, stays as it is.
    """
    if contact.state is not ContactState.HELD:
        return contact
    held = contact.held
    contact = replace(contact, held=None, held_until=None, state=ContactState.WAITING)
    if held and not rules.timeout_counts:
        numbers = tuple(
            _given_back(n, held.disposition, held.range_key) if n.id == held.number_id else n for n in contact.numbers
        )
        contact = replace(contact, numbers=numbers, tries=max(0, contact.tries - 1))
    contact = due_again(contact, now + rules.retry_s * 1000)
    return exhausted(settle(contact, "no number left", EndCause.NO_COMMUNICATIONS), rules.redial, now)


def _given_back(number: Number, disposition: str, range_key: str) -> Number:
    tally, ranges = dict(number.tally), dict(number.range_tally)
    for counts, key in ((tally, disposition), (ranges, range_key)):
        if key in counts:
            counts[key] -= 1
    return replace(
        number,
        tally={key: n for key, n in tally.items() if n},
        range_tally={key: n for key, n in ranges.items() if n},
        tries=max(0, number.tries - 1),
    )


def terminate(contact: Contact, reason: str = "terminated") -> Contact:
    """Ended by a manager. Raises Conflict when it is done, in a call, or its result is awaited."""
    _check_idle(contact)
    return ended(contact, reason, EndCause.MANAGER_REQUEST)


def _check_idle(contact: Contact) -> None:
    words = {
        ContactState.DONE: f"is done already: {contact.end_reason}",
        ContactState.IN_CALL: "is in a call",
        ContactState.HELD: "waits for the result of its last call",
    }
    if contact.state in words:
        raise Conflict(f"contact {contact.id} {words[contact.state]}")


def withdrawn(contact: Contact, barred: Collection[str], until: int | None) -> Contact:
    """The contact once numbers of it were blacklisted, for good or until an instant.

    A contact that is in a call, or held, stays so: what ends that wait ends the contact, if no number is left.
    """
    if until is not None:
        return _put_off(contact, barred, until)
    numbers = tuple(closed_number(n, BLACKLISTED) if n.is_open and n.number in barred else n for n in contact.numbers)
    left = replace(contact, numbers=numbers)
    return settle(left, BLACKLISTED, EndCause.NO_COMMUNICATIONS) if _is_idle(contact) else left


def _put_off(contact: Contact, barred: Collection[str], until: int) -> Contact:
    """Waiting until then, if all of its numbers are barred; else the claim sees which may be dialed.

    The numbers stay due as they were: the entry may be removed before its end.
    """
    due = [n.next_at for n in contact.numbers if n.next_at is not None]
    is_free = any(n.is_open and n.number not in barred for n in contact.numbers)
    if is_free or not due or not _is_idle(contact):
        return contact
    at = max(until, min(due), contact.next_at or 0)
    return replace(contact, state=ContactState.WAITING, next_at=at)


def _is_idle(contact: Contact) -> bool:
    return contact.state in (ContactState.READY, ContactState.WAITING)
