"""When a number and its contact are tried again, or why not. Pure decisions; the store only writes them down.

Two things decide after an attempt. The class of its cause (Webitel, source-systems.md 1.7b): OK may end the contact,
error closes the number, minus costs no try. And the redial rule of its disposition, which has a counter of its own
(Twin24): how many attempts of a number may end so, and how far apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from astdialer.domain.attempt import Attempt
from astdialer.domain.cause import CauseClass, CauseRules, EndCause, cause_of, classify_cause
from astdialer.domain.contact import Contact, ContactState, Held, Number
from astdialer.domain.disposition import NOT_COUNTED, PERSON_REACHED, Disposition
from astdialer.domain.ranges import Range, exhausted_today

D = Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """At most ``tries`` attempts of a number may end so, None for any number; tries 1: never again.

    After the first such attempt ``delays_s[0]`` seconds pass, after the second ``delays_s[1]``; the last one repeats.
    """

    tries: int | None
    delays_s: tuple[int, ...]

    def delay_s(self, ended_so: int) -> int:
        """Seconds to wait after the ``ended_so``-th attempt that ended so, the first is 1."""
        return self.delays_s[min(max(ended_so, 1), len(self.delays_s)) - 1]

    @property
    def text(self) -> str:
        """TRIES/DELAY,DELAY,… as administrators write it."""
        return f"{self.tries or '*'}/" + ",".join(map(str, self.delays_s))


def _rule(tries: int, delay_s: int) -> Retry:
    return Retry(tries=tries, delays_s=(delay_s,))


#: What an administrator gets who says nothing. A person who was abandoned is not dialed again by itself.
DEFAULTS: Mapping[Disposition, Retry] = {
    D.ANSWERED: _rule(1, 0),
    D.MACHINE: _rule(2, 7200),
    D.BUSY: _rule(4, 300),
    D.NO_ANSWER: _rule(3, 3600),
    D.REJECTED: _rule(1, 0),
    D.INVALID_NUMBER: _rule(1, 0),
    D.CONGESTION: _rule(5, 120),
    D.FAILED: _rule(3, 600),
    D.ABANDONED: _rule(1, 0),
    D.SHORT: _rule(1, 0),
    D.CANCELED: _rule(1, 30),
    D.UNKNOWN: _rule(2, 3600),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedialRules:
    """What of the campaign decides after an attempt."""

    retries: Mapping[Disposition, Retry] = field(default_factory=lambda: DEFAULTS)
    causes: CauseRules = field(default_factory=CauseRules)
    interval_s: int = 0  #: in place of the retry rules, unless 0
    max_tries: int = 0  #: of the contact; 0: no limit
    number_tries: int = 0  #: of each number, likewise
    ranges: Mapping[str, tuple[Range, ...]] = field(default_factory=dict)
    retries_by_number: bool = False
    one_day: bool = False
    default_zone: str = "UTC"
    hold_s: int = 0  #: after a talk its result is awaited so long; 0: not at all

    def rule(self, disposition: Disposition) -> Retry:
        """The redial rule of a disposition. Abandoned persons keep their own: it says whether at all."""
        own = self.retries[disposition]
        if not self.interval_s or (disposition is D.ABANDONED and own.tries == 1):
            return own
        return Retry(tries=None, delays_s=(self.interval_s,))


def after_attempt(
    contact: Contact, attempt: Attempt, disposition: Disposition, rules: RedialRules, now: int
) -> Contact:
    """The contact as the attempt leaves it: its numbers' counts and next tries, and its own next time or end.

    Raises KeyError if the contact has no such number.
    """
    contact = replace(contact, state=ContactState.WAITING)
    if attempt.uncounted or disposition in NOT_COUNTED:
        return _given_back(contact, attempt, disposition, rules, now)
    contact = replace(contact, any_hour=False, preferred="")
    if rules.hold_s and _talked(attempt, disposition):
        return _held(_counted(contact, attempt, disposition, now), attempt, disposition, rules, now)
    cause = cause_of(attempt, disposition)
    kind = classify_cause(attempt, cause, rules.causes)
    contact = _counted(contact, attempt, disposition, now, try_=kind is not CauseClass.MINUS)
    if kind is CauseClass.ERROR:
        closed = (closed_number(n, disposition) if n.id == attempt.number_id else n for n in contact.numbers)
        return _within_limits(replace(contact, numbers=tuple(closed)), disposition, cause, rules, now)
    if disposition is D.ANSWERED and kind is CauseClass.OK:
        return succeeded(contact, disposition)
    return _tried(contact, attempt, disposition, rules, now)


def _talked(attempt: Attempt, disposition: Disposition) -> bool:
    """Whether an agent had the call: seen, or told by the channel itself."""
    return attempt.connected_at is not None or (disposition is D.ANSWERED and bool(attempt.agent))


def _counted(contact: Contact, attempt: Attempt, disposition: Disposition, now: int, *, try_: bool = True) -> Contact:
    """The attempt in the counters: always in its disposition's own, and, if it was a try, in the number's, its range's
    and the contact's. Class minus is no try: what bounds it is the redial rule, or the caps on attempts to a number."""
    numbers = {n.id: n for n in contact.numbers}
    dialed = numbers[attempt.number_id]
    dialed = replace(
        dialed,
        tally=_plus_one(dialed.tally, disposition),
        range_tally=_plus_one(dialed.range_tally, attempt.range_key) if try_ else dialed.range_tally,
        tries=dialed.tries + try_,
        last_disposition=disposition,
        last_call_at=now,
    )
    numbers[dialed.id] = dialed
    return replace(contact, numbers=tuple(numbers.values()), tries=contact.tries + try_, last_call_at=now)


def _plus_one(tally: Mapping[str, int], key: str) -> Mapping[str, int]:
    return {**tally, str(key): tally.get(key, 0) + 1} if key else tally


def _given_back(contact: Contact, attempt: Attempt, disposition: Disposition, rules: RedialRules, now: int) -> Contact:
    """Nothing was learned about the number: it is due again, no try is counted, and what was promised still is.

    A refusal that says when (its agent skipped the contact, or is gone) says so of the contact, not of the number.
    """
    own_s = attempt.retry_s
    later = now + (rules.rule(disposition).delay_s(1) if own_s is None else own_s) * 1000
    numbers = {n.id: n for n in contact.numbers}
    numbers[attempt.number_id] = _due(numbers[attempt.number_id], later)
    left = tuple(numbers.values() if own_s is None else (_not_before(n, later) for n in numbers.values()))
    return settle(replace(contact, numbers=left), disposition)


def _due(number: Number, at: int) -> Number:
    """Due at ``at``, unless somebody closed it while it was called."""
    return replace(number, next_at=at) if number.is_open else number


def _held(contact: Contact, attempt: Attempt, disposition: Disposition, rules: RedialRules, now: int) -> Contact:
    held = Held(
        attempt_id=attempt.id, number_id=attempt.number_id, disposition=disposition, range_key=attempt.range_key
    )
    until = now + rules.hold_s * 1000
    return replace(contact, state=ContactState.HELD, held=held, held_until=until, next_at=until)


def _tried(contact: Contact, attempt: Attempt, disposition: Disposition, rules: RedialRules, now: int) -> Contact:
    """The redial rule of the disposition, and then the limits of the contact."""
    rule = rules.rule(disposition)
    numbers = {n.id: n for n in contact.numbers}
    dialed = numbers[attempt.number_id]
    ended_so = dialed.tally.get(disposition, 0)
    used_up = rule.tries is not None and ended_so >= rule.tries
    if used_up or _has_no_tries_left(dialed, rules):
        dialed = closed_number(dialed, disposition)
    else:
        dialed = _due(dialed, now + rule.delay_s(ended_so) * 1000)
    numbers[dialed.id] = dialed
    left = tuple(_person_reached(numbers, dialed, disposition) if disposition in PERSON_REACHED else numbers.values())
    return _within_limits(replace(contact, numbers=left), disposition, "", rules, now)


def _within_limits(contact: Contact, last: str, cause: str, rules: RedialRules, now: int) -> Contact:
    """What is left of the contact after a try: its pause, its tries and its day. Webitel's pause is the contact's,
    over all of its numbers."""
    if rules.interval_s:
        rested = tuple(_not_before(n, now + rules.interval_s * 1000) for n in contact.numbers)
        contact = replace(contact, numbers=rested)
    return exhausted(settle(contact, last, cause), rules, now)


def exhausted(contact: Contact, rules: RedialRules, now: int) -> Contact:
    """The contact without the numbers whose tries are used up; ended if none is left, if its own tries are used up, or
    if today's are and it is a task for one day."""
    if contact.next_at is None:
        return contact
    last = _last_word(max(contact.numbers, key=lambda n: n.last_call_at))
    if rules.max_tries and contact.tries >= rules.max_tries:
        return ended(contact, last, EndCause.MAX_TRY_COUNT)
    left = tuple(
        closed_number(n, _last_word(n)) if n.is_open and _has_no_tries_left(n, rules) else n for n in contact.numbers
    )
    contact = settle(replace(contact, numbers=left), last, EndCause.MAX_TRY_COUNT)
    if contact.next_at is not None and rules.one_day and day_is_over(contact, rules, now):
        return ended(contact, "its day is over", EndCause.MEMBER_EXPIRED)
    return contact


def _has_no_tries_left(number: Number, rules: RedialRules) -> bool:
    return 0 < rules.number_tries <= number.tries


def _last_word(number: Number) -> str:
    return number.last_disposition or "no tries left"


def day_is_over(contact: Contact, rules: RedialRules, now: int) -> bool:
    """Whether no open number has an attempt left in the latest range of its day."""
    return all(_day_is_over(contact, n, rules, now) for n in contact.numbers if n.is_open)


def _day_is_over(contact: Contact, number: Number, rules: RedialRules, now: int) -> bool:
    tally = shared_tally(contact, number, rules.retries_by_number)
    return exhausted_today(rules.ranges.get(number.type, ()), tally, _first_zone(number, rules), now)


def _first_zone(number: Number, rules: RedialRules) -> str:
    return number.zones.partition("|")[0] or rules.default_zone


def shared_tally(contact: Contact, number: Number, by_number: bool) -> Mapping[str, int]:
    """Attempts by day and range: the number's own, or those of all numbers of its type together."""
    if by_number:
        return number.range_tally
    total: dict[str, int] = {}
    for other in contact.numbers:
        if other.type == number.type:
            for key, n in other.range_tally.items():
                total[key] = total.get(key, 0) + n
    return total


def _person_reached(numbers: Mapping[int, Number], dialed: Number, disposition: Disposition) -> Sequence[Number]:
    """The other numbers rest: until the same person may be tried again, or for good."""
    if not dialed.is_open:
        return [closed_number(n, disposition) if n.is_open else n for n in numbers.values()]
    return [_not_before(n, dialed.next_at or 0) for n in numbers.values()]


def _not_before(number: Number, at: int) -> Number:
    return number if number.next_at is None else replace(number, next_at=max(number.next_at, at))


def closed_number(number: Number, reason: str) -> Number:
    """The number, not dialed any more."""
    return replace(number, end_reason=str(reason), next_at=None)


def without_number(contact: Contact, number_id: int, reason: str, cause: str = EndCause.NO_COMMUNICATIONS) -> Contact:
    """The contact once a number is not to be dialed (blacklisted): closed, and the contact ends if it was the last."""
    numbers = [closed_number(n, reason) if n.id == number_id else n for n in contact.numbers]
    return settle(replace(contact, numbers=tuple(numbers)), reason, cause)


def succeeded(contact: Contact, reason: str) -> Contact:
    """Done, and well."""
    return replace(ended(contact, reason, EndCause.NORMAL_CLEARING), successful=True)


def ended(contact: Contact, reason: str, cause: str) -> Contact:
    """Not called any more; every number that was open is closed for this reason."""
    numbers = tuple(closed_number(n, reason) if n.is_open else n for n in contact.numbers)
    return replace(
        contact,
        numbers=numbers,
        state=ContactState.DONE,
        next_at=None,
        held=None,
        held_until=None,
        end_reason=str(reason),
        end_cause=str(cause),
    )


def settle(contact: Contact, last: str, cause: str = "") -> Contact:
    """Due when the first of its numbers is, or done for the last one's reason."""
    due = [n.next_at for n in contact.numbers if n.next_at is not None]
    if not due:
        return ended(contact, last, cause or _END_CAUSES.get(str(last), EndCause.MAX_TRY_COUNT))
    return replace(
        contact, state=ContactState.WAITING, next_at=min(due), held=None, held_until=None, end_reason="", end_cause=""
    )


#: End causes of contacts whose last number was closed by the redial rule of its disposition.
_END_CAUSES: Mapping[str, str] = {
    D.ANSWERED: EndCause.NORMAL_CLEARING,
    D.ABANDONED: EndCause.ABANDONED,
    D.UNKNOWN: EndCause.PROCESS_CRASH,
}
