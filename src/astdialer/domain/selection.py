"""Which of a contact's numbers is dialed now, or when one can be, and which rule stands in the way. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from astdialer.domain import ranges as daily
from astdialer.domain.calendar import Schedule, split_zones, zone_of
from astdialer.domain.cause import Cause, EndCause
from astdialer.domain.contact import BLACKLISTED, Contact, ContactState, Number
from astdialer.domain.ranges import Range
from astdialer.domain.retry import ended, shared_tally, without_number
from astdialer.domain.route import Way
from astdialer.domain.settings import NumberStrategy

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WEEK_MS = 7 * DAY_MS
#: The longest rest after an abandoned call that can be asked for (setting abandoned_rest_h).
ABANDONED_MS = 366 * DAY_MS
#: A number that is being called for somebody else is looked at again after this long.
IN_CALL_MS = 30_000
#: A contact that no instant is known for (its calendar is over, its zone unknown) is looked at again after this long:
#: an administrator may have changed the rule.
LOOK_AGAIN_MS = DAY_MS
#: A number whose routes are all disabled, or failed on it, is looked at again after this long: enabling one wakes it at
#: once, but nothing tells that a pattern has become quick enough.
NO_OPEN_ROUTE_MS = HOUR_MS
#: Blacklisted without an end.
FOR_EVER = 2**62
#: The blacklist's entries that say how numbers begin have so many characters at least, the + included.
SHORTEST_PREFIX = 3


class Why(StrEnum):
    """What a number, or a contact, waits for."""

    READY = "may be called now"
    RETRY = "its next try"
    PROMISED = "the time it was scheduled for"
    HOURS = "calling hours"
    RANGE = "the hours of its type of number"
    BLACKLISTED = "the blacklist"
    IN_CALL = "a live call to the same number"
    DAY_CAP = "attempts_per_day"
    WEEK_CAP = "attempts_per_week"
    ABANDONED = "rest after an abandoned call"
    NO_ZONE = "a known zone (require_zone)"
    NEVER = "calling hours that come again"
    TRUNKS_FULL = "a free trunk"
    NO_ROUTE = "a route for its number"
    NO_OPEN_ROUTE = "a route for its number that is enabled and works"
    EXPIRED = "nothing: it has expired"
    CLOSED = "nothing: it is closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFacts:
    """What the store knows about a number beyond its contact; instants in ms since 1970 UTC."""

    blacklisted_until: int | None = None  #: FOR_EVER, the end of the entry, or None: not blacklisted
    in_call: bool = False  #: a live call to it, of any campaign
    placed_at: tuple[int, ...] = ()  #: attempts of the last seven days or more, any campaign, oldest first
    abandoned_at: int | None = None  #: the last abandoned one

    @property
    def is_barred(self) -> bool:
        """Whether it is blacklisted without an end."""
        return self.blacklisted_until == FOR_EVER


NO_FACTS = NumberFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class DialingRules:
    """What of the campaign decides when a number may be dialed."""

    schedule: Schedule
    default_zone: str
    require_zone: bool = False
    ranges: Mapping[str, tuple[Range, ...]] = field(default_factory=dict)
    retries_by_number: bool = False
    number_strategy: NumberStrategy = NumberStrategy.BY_PRIORITY
    per_day: int = 0  #: attempts to a number on its local day; 0: no limit
    per_week: int = 0  #: attempts to a number within seven days; 0: no limit
    abandoned_rest_ms: int = 0

    def zones(self, number: Number) -> tuple[str, ...]:
        """The zones in all of which it must be allowed; the campaign's own where none is known."""
        return split_zones(number.zones) or (self.default_zone,)

    def is_open(self, zones: str, at: int) -> bool:
        """Whether anybody in these zones (the text of a number, or of a pool: alternatives joined by ``;``) may be
        dialed. A necessary condition only: it says nothing about ranges and numbers."""
        return any(self._one_is_open(text, at) for text in zones.split(";"))

    def opens_at(self, zones: str, at: int) -> int | None:
        """The first instant from ``at`` on at which anybody in these zones may be dialed; None if nobody knows."""
        opens = [self._one_opens(text, at) for text in zones.split(";")]
        return min((instant for instant in opens if instant is not None), default=None)

    def _one_opens(self, zones: str, at: int) -> int | None:
        if not zones and self.require_zone:
            return None
        return at if zones == ANY_ZONE else self.schedule.next_open(split_zones(zones) or (self.default_zone,), at)

    def _one_is_open(self, zones: str, at: int) -> bool:
        if not zones and self.require_zone:
            return False
        return zones == ANY_ZONE or self.schedule.is_open(split_zones(zones) or (self.default_zone,), at)


#: A pool of contacts whose numbers are in too many different zones to be told apart by them.
ANY_ZONE = "*"
#: More alternatives than this are not told apart.
MOST_ALTERNATIVES = 4


def pool_zones(zones: Sequence[str], *, any_hour: bool = False) -> str:
    """The zones of a contact, from those of its numbers: alternatives joined by ``;``. See DialingRules.is_open.

    ``any_hour``: its call was promised for its time, so no hours of any zone may shut it out.
    """
    alternatives = sorted(set(zones))
    return ANY_ZONE if any_hour or len(alternatives) > MOST_ALTERNATIVES else ";".join(alternatives)


@dataclass(frozen=True, slots=True)
class Finding:
    """From when on a number may be dialed, and what it waits for until then; ``at`` None: nobody knows."""

    number: Number
    at: int | None
    why: Why


def examine(contact: Contact, rules: DialingRules, facts: Mapping[str, NumberFacts], now: int) -> list[Finding]:
    """Every open number of the contact."""
    return [
        _find(contact, number, rules, facts.get(number.number, NO_FACTS), now)
        for number in contact.numbers
        if number.is_open
    ]


def _find(contact: Contact, number: Number, rules: DialingRules, facts: NumberFacts, now: int) -> Finding:
    if facts.is_barred:
        return Finding(number, None, Why.BLACKLISTED)
    if rules.require_zone and not number.zones:
        return Finding(number, None, Why.NO_ZONE)
    at, why = _floor(contact, number, rules, facts, now)
    if contact.any_hour:
        return Finding(number, at, why)
    ranges = rules.ranges.get(number.type, ())
    tally = shared_tally(contact, number, rules.retries_by_number)
    zones = rules.zones(number)
    opens = daily.next_callable(ranges, tally, rules.schedule, zones, at)
    if opens is None:
        return Finding(number, None, Why.NEVER)
    if opens == at or why in _SPENT:
        return Finding(number, opens, why)
    return Finding(number, opens, Why.RANGE if rules.schedule.is_open(zones, at) else Why.HOURS)


#: What keeps a number for longer than hours do: they say why, though it is the hours after them that say when.
_SPENT = frozenset({Why.BLACKLISTED, Why.DAY_CAP, Why.WEEK_CAP, Why.ABANDONED})


def _floor(contact: Contact, number: Number, rules: DialingRules, facts: NumberFacts, now: int) -> tuple[int, Why]:
    """The instant before which it may not be dialed, whatever the hours, and the rule that says so."""
    is_promise = contact.any_hour or not contact.last_call_at
    floors = {
        Why.READY: now,
        Why.PROMISED if is_promise else Why.RETRY: number.next_at or 0,
        Why.BLACKLISTED: facts.blacklisted_until or 0,
        Why.IN_CALL: now + IN_CALL_MS if facts.in_call else 0,
        Why.DAY_CAP: _day_cap(facts, rules, rules.zones(number)[0], now),
        Why.WEEK_CAP: _week_cap(facts, rules, now),
        Why.ABANDONED: facts.abandoned_at + rules.abandoned_rest_ms if facts.abandoned_at else 0,
    }
    why = max(floors, key=lambda key: floors[key])
    return floors[why], why


def _day_cap(facts: NumberFacts, rules: DialingRules, zone: str, now: int) -> int:
    """The next local midnight if the day's attempts are used up, else 0."""
    if not rules.per_day or len(facts.placed_at) < rules.per_day:
        return 0
    today = _local_date(zone, now)
    placed = sum(_local_date(zone, at) == today for at in facts.placed_at)
    return _midnight(zone, today + timedelta(days=1)) if placed >= rules.per_day else 0


def _week_cap(facts: NumberFacts, rules: DialingRules, now: int) -> int:
    """When the oldest attempt that counts is a week ago, if seven days' attempts are used up, else 0."""
    if not rules.per_week:
        return 0
    recent = [at for at in facts.placed_at if at > now - WEEK_MS]
    return recent[-rules.per_week] + WEEK_MS if len(recent) >= rules.per_week else 0


def _local_date(zone: str, at: int) -> date:
    return datetime.fromtimestamp(at / 1000, tz=zone_of(zone)).date()


def _midnight(zone: str, day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone_of(zone)).timestamp() * 1000)


def in_order(contact: Contact, findings: Sequence[Finding], rules: DialingRules, now: int) -> list[Finding]:
    """The numbers that may be dialed now, the first one first.

    Webitel (source-systems.md 1.5): numbers of a type with ranges go before all others; then, by-priority, the range's
    priority, the longest not called, the number's priority, the fewest tries; top-down puts the longest not called
    before the range's priority. What is left is decided by the order in the base.
    """

    def key(finding: Finding) -> tuple[object, ...]:
        number = finding.number
        current = current_range(number, rules, now)
        priority = -current.priority if current else 0
        longest = number.last_call_at
        by_priority = rules.number_strategy is NumberStrategy.BY_PRIORITY
        by_strategy = (priority, longest) if by_priority else (longest, priority)
        return (
            number.number != contact.preferred,
            current is None,
            *by_strategy,
            -number.priority,
            number.tries,
            number.position,
        )

    return sorted((f for f in findings if f.at is not None and f.at <= now), key=key)


def current_range(number: Number, rules: DialingRules, now: int) -> Range | None:
    """The range of the number's type that is current where it is; None if its type has none."""
    ranges = rules.ranges.get(number.type, ())
    return daily.current(ranges, _minute(rules.zones(number)[0], now)) if ranges else None


def _minute(zone: str, at: int) -> int:
    local = datetime.fromtimestamp(at / 1000, tz=zone_of(zone))
    return local.hour * 60 + local.minute


def range_key(number: Number, rules: DialingRules, now: int) -> str:
    """What an attempt to the number counts in now, empty if its type has no ranges."""
    current = current_range(number, rules, now)
    return daily.key(current, _local_date(rules.zones(number)[0], now)) if current else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is to become of a contact that came up: dial ``number``, or look again at ``contact.next_at``.

    ``contact`` has lost the numbers that are barred for good, and is done if none is left. ``stay``: it could be
    called now but for a full trunk, and keeps its place.
    """

    contact: Contact
    why: Why
    number: Number | None = None
    way: Way | None = None
    range_key: str = ""
    stay: bool = False


#: The way to a number, None when every trunk there is full. Raises NoRoute and NoOpenRoute.
FindWay = Callable[[Number], "Way | None"]


class NoRoute(Exception):
    """No route matches the number, not even a disabled one."""


class NoOpenRoute(Exception):
    """What matches the number is disabled, or failed on it: there may be a way later."""


def judge(
    contact: Contact, rules: DialingRules, facts: Mapping[str, NumberFacts], find_way: FindWay, now: int
) -> Judgement:
    """Decide on a contact that came up."""
    if contact.expires_at is not None and contact.expires_at <= now:
        return Judgement(contact=ended(contact, "expired", EndCause.MEMBER_EXPIRED), why=Why.EXPIRED)
    contact = _without_barred(contact, facts)
    if not any(number.is_open for number in contact.numbers):
        return Judgement(contact=_over(contact), why=Why.CLOSED)
    blocked, shut = False, set[int]()
    for finding in in_order(contact, examine(contact, rules, facts, now), rules, now):
        number = finding.number
        try:
            way = find_way(number)
        except NoRoute:
            contact = without_number(contact, number.id, "no route", Cause.NO_ROUTE)
            continue
        except NoOpenRoute:
            shut.add(number.id)
            continue
        if way is not None:
            key = range_key(number, rules, now)
            return Judgement(contact=contact, why=Why.READY, number=number, way=way, range_key=key)
        blocked = True
    if contact.next_at is None:
        return Judgement(contact=contact, why=Why.NO_ROUTE)
    if blocked:
        return Judgement(contact=contact, why=Why.TRUNKS_FULL, stay=True)
    findings = examine(contact, rules, facts, now)
    return _later(contact, [_shut(f, now) if f.number.id in shut else f for f in findings], now)


def _shut(finding: Finding, now: int) -> Finding:
    return replace(finding, at=now + NO_OPEN_ROUTE_MS, why=Why.NO_OPEN_ROUTE)


def _over(contact: Contact) -> Contact:
    """Done, for the reason it has, or for want of a number."""
    done = contact.state is ContactState.DONE
    return contact if done else ended(contact, "no number left", EndCause.NO_COMMUNICATIONS)


def _without_barred(contact: Contact, facts: Mapping[str, NumberFacts]) -> Contact:
    for number in contact.numbers:
        if number.is_open and facts.get(number.number, NO_FACTS).is_barred:
            contact = without_number(contact, number.id, BLACKLISTED)
    return contact


def _later(contact: Contact, findings: Sequence[Finding], now: int) -> Judgement:
    """Look again when the first of its numbers may be dialed."""
    finding = soonest(findings, now)
    at = now + LOOK_AGAIN_MS if finding.at is None else finding.at
    if contact.expires_at is not None:
        at = min(at, contact.expires_at)
    return Judgement(contact=replace(contact, next_at=at), why=finding.why)


def soonest(findings: Sequence[Finding], now: int) -> Finding:
    """The number that may be dialed first; those of which nobody knows when come last."""
    return min(findings, key=lambda finding: now + LOOK_AGAIN_MS * 400 if finding.at is None else finding.at)
