"""What a call centre says of a contact: of the attempt that it has just worked on, or of the contact itself. Pure.

The rules of Webitel v4's ``PATCH attempts`` and ``PATCH members`` (source-systems.md 2).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from astdialer.domain.cause import EndCause
from astdialer.domain.contact import BLACKLISTED, INVALID, REPLACED, STOPPED, Contact, ContactState, NewNumber, Number
from astdialer.domain.errors import Conflict
from astdialer.domain.result import ResultRules, check_awaited, due_again
from astdialer.domain.retry import closed_number, ended, exhausted, settle, succeeded

SUCCESS = "success"
#: After these nothing is tried again, unless the report says when.
FINAL = (SUCCESS, "cancel", "canceled_by_timeout")


class Keep(Enum):
    """In place of a value: as it is."""

    IT = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of an attempt whose contact is held for it."""

    attempt_id: str
    status: str = "abandoned"  #: one of FINAL, or any other word: tried again
    next_at: int | None = None  #: when to call again, whatever the status and the tries
    retry_s: int | None = None  #: pause to the next try; None: as the campaign says
    expires_at: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)  #: added to the contact's
    agent: str = ""  #: who alone calls from now on
    exclude_number: bool = False  #: the number of the attempt is closed for good
    only_number: bool = False  #: every other one is
    description: str = ""

    @property
    def goes_on(self) -> bool:
        """Whether the contact is to be called again."""
        return self.next_at is not None or self.only_number or self.status not in FINAL


def reported(contact: Contact, report: Report, rules: ResultRules, now: int) -> Contact:
    """The contact after the report. Raises Conflict when none is awaited: too late, twice, another call."""
    held = check_awaited(contact, report.attempt_id)
    contact = replace(
        contact,
        held=None,
        held_until=None,
        state=ContactState.WAITING,
        params={**contact.params, **report.params},
        expires_at=contact.expires_at if report.expires_at is None else report.expires_at,
        agentphone=report.agent or contact.agentphone,
    )
    if not report.goes_on:
        return _over(contact, report.status)
    left = replace(contact, numbers=tuple(_after_report(n, report, held.number_id) for n in contact.numbers))
    delay_s = rules.retry_s if report.retry_s is None else report.retry_s
    left = due_again(left, now + delay_s * 1000 if report.next_at is None else report.next_at)
    settled = settle(left, "no number left", EndCause.NO_COMMUNICATIONS)
    is_ordered = report.next_at is not None or report.only_number
    return settled if is_ordered else exhausted(settled, rules.redial, now)


def _over(contact: Contact, status: str) -> Contact:
    return succeeded(contact, status) if status == SUCCESS else ended(contact, status, EndCause.MANAGER_REQUEST)


def _after_report(number: Number, report: Report, called: int) -> Number:
    stops = report.exclude_number if number.id == called else report.only_number
    return closed_number(number, STOPPED) if stops and number.is_open else number


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is changed of a contact. ``stop``: a reason ends it, an empty one lets it begin anew."""

    params: Mapping[str, str] = field(default_factory=dict)  #: added; an empty value takes one away
    priority: int | Keep = Keep.IT
    expires_at: int | Keep | None = Keep.IT
    next_at: int | Keep = Keep.IT
    agent: str | Keep = Keep.IT
    bucket: str | Keep = Keep.IT
    zones: Mapping[str, str] = field(default_factory=dict)  #: by number; the others keep theirs
    numbers: Sequence[NewNumber] | Keep = Keep.IT
    tries: int | Keep = Keep.IT
    stop: str | Keep = Keep.IT


def changed(contact: Contact, change: Change, now: int) -> Contact:
    """The contact, changed. Raises Conflict when it is to begin anew and none of its numbers may be called."""
    contact = _renumbered(_plainly(contact, change), change)
    if change.stop == "":
        return _anew(contact, change, now)
    if isinstance(change.stop, str):
        return contact if contact.state is ContactState.DONE else _over(contact, change.stop)
    if contact.state not in (ContactState.READY, ContactState.WAITING):
        return contact
    if isinstance(change.next_at, int):
        return settle(due_again(contact, change.next_at), "changed")
    return contact if change.numbers is Keep.IT else settle(contact, "no number left", EndCause.NO_COMMUNICATIONS)


def _plainly(contact: Contact, change: Change) -> Contact:
    params = {k: v for k, v in {**contact.params, **change.params}.items() if v or k not in change.params}
    named = {
        "priority": change.priority,
        "expires_at": change.expires_at,
        "agentphone": change.agent,
        "bucket": change.bucket,
        "tries": change.tries,
    }
    given = {name: value for name, value in named.items() if value is not Keep.IT}
    return replace(contact, params=params, **given)  # type: ignore[arg-type]


def _renumbered(contact: Contact, change: Change) -> Contact:
    """With the numbers that it is to have: those that it has keep their counts, those that it is not to have any more
    are closed and stand behind."""
    numbers: Sequence[Number] = contact.numbers
    if not isinstance(change.numbers, Keep):
        spare = list(contact.numbers)
        numbers = [_named(new, contact, spare) for new in change.numbers]
        numbers = [*numbers, *(closed_number(number, REPLACED) for number in spare)]
    placed = enumerate(numbers)
    numbers = [replace(n, position=at, zones=change.zones.get(n.number, n.zones)) for at, n in placed]
    return replace(contact, numbers=tuple(numbers))


def _named(new: NewNumber, contact: Contact, spare: list[Number]) -> Number:
    """The number as it is now wanted: the contact's own, taken from ``spare``, or a new one."""
    known = next((number for number in spare if number.number == new.number), None)
    if known:
        spare.remove(known)
    number = known or Number(
        id=0,
        number=new.number,
        as_uploaded=new.as_uploaded,
        type=new.type,
        position=0,
        zones=new.zones,
        next_at=contact.next_at or 0,
    )
    number = replace(number, type=new.type, priority=new.priority, description=new.description)
    closed = new.end_reason or (contact.end_reason if contact.state is ContactState.DONE else "")
    if closed or number.end_reason in _NEVER:
        return closed_number(number, closed or number.end_reason)
    return replace(number, end_reason="", next_at=contact.next_at or 0 if number.next_at is None else number.next_at)


#: End reasons of numbers that no call centre opens again.
_NEVER: Collection[str] = (BLACKLISTED, INVALID)


def _anew(contact: Contact, change: Change, now: int) -> Contact:
    """Every count at zero, every number open that may be called at all, and due."""
    at = change.next_at if isinstance(change.next_at, int) else now
    numbers = tuple(map(_opener(at), contact.numbers))
    if not any(number.is_open for number in numbers):
        raise Conflict(f"contact {contact.id}: none of its numbers can be called; give it another one")
    tries = change.tries if isinstance(change.tries, int) else 0
    fresh = replace(contact, numbers=numbers, tries=tries, any_hour=False, preferred="", successful=False)
    return settle(fresh, "begun anew")


def _opener(at: int) -> Callable[[Number], Number]:
    def opened(number: Number) -> Number:
        if number.end_reason in (*_NEVER, REPLACED):
            return number
        return replace(number, tally={}, range_tally={}, tries=0, next_at=at, end_reason="")

    return opened
