"""Weeks of dialing by an injected clock: whatever the rules are, nobody is called when they say no, or forgotten.

A small dialer lets contacts come up at their time, judges them, ends their calls as chance says, and notes everything
down; the properties are read from its notes. Local time is computed here anew, not by the domain.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import contact, ended_so, number

from astdialer.domain.calendar import Holiday, Hours, WorkingCalendar
from astdialer.domain.cause import CauseClass, EndCause, cause_of, classify_cause
from astdialer.domain.contact import Contact, ContactState, Number
from astdialer.domain.disposition import NOT_COUNTED, Disposition
from astdialer.domain.ranges import Range, parse_ranges
from astdialer.domain.result import apply_result, result_timed_out
from astdialer.domain.retry import Retry, after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import FOR_EVER, Judgement, NoOpenRoute, NoRoute, NumberFacts, Why, judge
from astdialer.domain.settings import NumberStrategy, Settings
from astdialer.domain.typification import Result
from astdialer.engine.rulebook import dialing_rules, redial_rules, result_rules

D = Disposition
HOUR, DAY = 3_600_000, 86_400_000
WEEKS = 28 * DAY
#: Contacts look at the clock so often at most; a rule that asks for a call every minute has made its point by then.
STEPS = 250
#: Four weeks with the change of the clock in North America and in Europe, once forward and once back.
SPRING, AUTUMN = (int(datetime(2027, *day, tzinfo=UTC).timestamp() * 1000) for day in ((3, 8), (10, 18)))
ZONES = (
    "",
    "UTC",
    "Europe/Madrid",
    "America/New_York",
    "Asia/Kolkata",  # a half hour
    "Asia/Kathmandu",  # a quarter
    "Australia/Lord_Howe",  # the clock is changed by half an hour
    "Africa/Cairo",  # and here at midnight
    "America/Los_Angeles|America/New_York",
    "Asia/Kolkata|Europe/Madrid|UTC",
    "America/New_York|Pacific/Auckland",
)
#: What may come of a call, and how often.
ENDS: Mapping[tuple[Disposition, int], int] = {
    (D.ANSWERED, 0): 2,
    (D.MACHINE, 0): 3,
    (D.BUSY, 17): 6,
    (D.NO_ANSWER, 19): 6,
    (D.REJECTED, 21): 1,
    (D.INVALID_NUMBER, 1): 1,  # class error
    (D.INVALID_NUMBER, 22): 1,
    (D.CONGESTION, 34): 2,
    (D.CONGESTION, 41): 3,  # class minus
    (D.FAILED, 0): 2,
    (D.ABANDONED, 0): 3,
    (D.SHORT, 0): 3,
    (D.CANCELED, 0): 2,
    (D.UNKNOWN, 0): 1,
}


@dataclass(eq=False)
class Placed:
    """An attempt as the notes have it."""

    contact: Contact  #: as it was when it came up
    number: Number
    at: int
    any_hour: bool
    range_key: str
    ends_at: int
    disposition: Disposition | None = None
    counted: bool = False  #: as a try, and not given back


@dataclass(frozen=True)
class Step:
    """A contact that came up, was in a call, or was held, and what became of it."""

    now: int
    before: Contact
    after: Contact
    judgement: Judgement | None = None


@dataclass
class World:
    """The dialer. ``rng`` is the only chance in it."""

    settings: Settings
    calendar: WorkingCalendar | None
    contacts: dict[int, Contact]
    barred: Mapping[str, tuple[int, int]]  #: number → blacklisted from, until
    began_at: int
    rng: random.Random
    now: int = 0
    placed: list[Placed] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    live: dict[int, Placed] = field(default_factory=dict)
    looks_again_at: dict[int, int] = field(default_factory=dict)

    @property
    def ranges(self) -> Mapping[str, tuple[Range, ...]]:
        return parse_ranges(self.settings.ranges)

    @property
    def zone(self) -> str:
        return self.settings.timezone or (self.calendar.timezone if self.calendar else "") or "UTC"

    def run(self) -> World:
        self.now = self.began_at
        for _ in range(STEPS):
            due = [(self._when(one), one.id) for one in self.contacts.values() if one.state is not ContactState.DONE]
            at, first = min(due, default=(self.began_at + WEEKS, 0))
            if at >= self.began_at + WEEKS:
                break
            self.now = max(self.now, at)
            self._step(self.contacts[first])
        return self

    def _when(self, one: Contact) -> int:
        if one.id in self.live:
            return self.live[one.id].ends_at
        assert one.next_at is not None, "an open contact has a next time"
        return max(one.next_at, self.looks_again_at.get(one.id, 0))

    def _step(self, one: Contact) -> None:
        judgement = None
        if one.id in self.live:
            after = self._hang_up(one, self.live.pop(one.id))
        elif one.state is ContactState.HELD:
            after = self._hear(one)
        else:
            judgement = self._look(one)
            after = self._come_up(one, judgement)
        self.contacts[one.id] = after
        self.steps.append(Step(self.now, one, after, judgement))

    def _look(self, one: Contact) -> Judgement:
        by = dialing_rules(self.settings, self.calendar, "UTC")
        return judge(one, by, {n.number: self._facts(n.number) for n in one.numbers}, self._find_way, self.now)

    def _find_way(self, dialed: Number) -> Way | None:
        if self.rng.random() < 0.02:
            raise NoRoute
        if self.rng.random() < 0.02:
            raise NoOpenRoute
        return None if self.rng.random() < 0.1 else Way("route", "carrier", dialed.number)

    def _come_up(self, one: Contact, judgement: Judgement) -> Contact:
        if judgement.stay:
            self.looks_again_at[one.id] = self.now + 60_000
            return one
        if judgement.number is None:
            return judgement.contact
        ends_at = self.now + self.rng.randint(1000, 600_000)
        made = Placed(one, judgement.number, self.now, one.any_hour, judgement.range_key, ends_at)
        self.placed.append(made)
        self.live[one.id] = made
        return replace(judgement.contact, state=ContactState.IN_CALL, next_at=None)

    def _facts(self, called: str) -> NumberFacts:
        since, until = self.barred.get(called, (0, 0))
        calls = [made for made in self.placed if made.number.number == called]
        return NumberFacts(
            blacklisted_until=until if since <= self.now < until else None,
            in_call=any(made.number.number == called for made in self.live.values()),
            placed_at=tuple(made.at for made in calls),
            abandoned_at=max((made.at for made in calls if made.disposition is D.ABANDONED), default=None),
        )

    def _hang_up(self, one: Contact, made: Placed) -> Contact:
        ((disposition, cause),) = self.rng.choices(list(ENDS), list(ENDS.values()))
        facts: dict[str, int] = {"cause": cause} if cause else {}
        if disposition is D.SHORT and self.rng.random() < 0.5:
            facts["connected_at"] = 2
        fault = self.rng.random() < 0.05
        attempt = ended_so(disposition, made.number.id, uncounted=fault, range_key=made.range_key, **facts)
        after = after_attempt(one, attempt, disposition, redial_rules(self.settings, self.calendar, "UTC"), self.now)
        kind = classify_cause(attempt, cause_of(attempt, disposition), self.settings.cause_rules)
        made.disposition = disposition
        made.counted = not fault and disposition not in NOT_COUNTED and kind is not CauseClass.MINUS
        return after

    def _hear(self, one: Contact) -> Contact:
        """A result that comes at the last moment, or none."""
        by = result_rules(self.settings, self.calendar, "UTC")
        if self.rng.random() < 0.5:
            return apply_result(one, Result(success=self.rng.random() < 0.2, next_after_s=600), by, self.now)
        last = max((made for made in self.placed if made.contact.id == one.id), key=lambda made: made.at)
        last.counted = last.counted and by.timeout_counts
        return result_timed_out(one, by, self.now)

    # --- what the properties ask ---

    def zones(self, called: Number) -> list[str]:
        return called.zones.split("|") if called.zones else [self.zone]

    def local(self, made: Placed) -> datetime:
        """In the number's first zone, which is that of its ranges and its day."""
        return locally(self.zones(made.number)[0], made.at)

    def has_hours(self, called: Number, at: int) -> bool:
        """Whether window and calendar are open in all of its zones, and a range of its type in the first."""
        ranges = self.ranges.get(called.type, ())
        minute = minute_of(locally(self.zones(called)[0], at))
        in_range = not ranges or any(r.start_minute <= minute < r.end_minute for r in ranges)
        return in_range and all(self._is_open(locally(zone, at), at) for zone in self.zones(called))

    def _is_open(self, local: datetime, at: int) -> bool:
        window, minute = self.settings.window, minute_of(local)
        if not window.start_minute <= minute < window.end_minute or local.weekday() not in window.weekdays:
            return False
        return self.calendar is None or in_calendar(self.calendar, local, at)

    def before(self, made: Placed) -> Iterator[Placed]:
        return (other for other in self.placed[: self.placed.index(made)])


def locally(zone: str, at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, tz=ZoneInfo(zone))


def minute_of(local: datetime) -> int:
    return local.hour * 60 + local.minute


def in_calendar(calendar: WorkingCalendar, local: datetime, at: int) -> bool:
    days_off = (
        off.date == local.date() or (off.yearly and (off.date.month, off.date.day) == (local.month, local.day))
        for off in calendar.exceptions
    )
    hours = (h for h in calendar.hours if local.weekday() in h.weekdays)
    works = any(h.start_minute <= minute_of(local) < h.end_minute for h in hours)
    return (calendar.starts_at or 0) <= at < (calendar.ends_at or at + 1) and works and not any(days_off)


# --- worlds -----------------------------------------------------------------------------------------------------------

#: So many worlds are looked at by every property; with more, the next ones are found.
WORLDS = 80
EVERY_DAY, WEEKDAYS = frozenset(range(7)), frozenset(range(5))
OFFICE_HOURS = (Hours(WEEKDAYS, 540, 780), Hours(WEEKDAYS, 840, 1080))
#: Of one year, and of every year; soon after the beginning, when most contacts are still called.
DAYS_OFF = (
    *(Holiday("once", date(2027, month, day), False) for month, day in ((3, 9), (10, 19))),
    *(Holiday("yearly", date(2020, month, day), True) for month, day in ((3, 10), (10, 20), (11, 1))),
)


def rule(tries: int | None, *delays_s: int) -> Retry:
    return Retry(tries=tries, delays_s=delays_s)


#: What a campaign may be set to; what is listed twice is as likely again.
CHOICES: Mapping[str, Sequence[Any]] = {
    "calling_hours": ("08:00-21:00", "08:00-21:00", "00:00-24:00", "00:00-24:00", "00:30-03:00", "22:45-23:30"),
    "weekdays": ("mon-sun", "mon-sun", "mon-sun", "mon-fri", "sat,sun"),
    "timezone": ("", "Europe/Madrid", "America/New_York"),
    "require_zone": (False, False, False, True),
    "number_strategy": tuple(NumberStrategy),
    "ranges": (
        "",
        "",
        "M=09:00-12:00/2@5;M=14:00-18:00/1;H=18:00-21:00/1@9",
        "M=00:00-24:00/1;H=01:00-03:00/2;H=10:00-20:00/2",
        "M=02:00-20:00/3",
    ),
    "retries_by_number": (False, True),
    "max_tries": (0, 0, 2, 5),
    "retry_interval_s": (0, 0, 600, 7200),
    "one_day_task": (False, False, False, True),
    "attempts_per_day": (0, 1, 3),
    "attempts_per_week": (0, 2, 7),
    "abandoned_rest_h": (72, 72, 0),
    "wait_for_result": (False, True),
    "result_timeout_counts": (False, True),
    "retry_busy": (rule(4, 300), rule(None, 60, 3600), rule(2, 0)),
    "retry_no_answer": (rule(3, 3600), rule(None, 7200)),
    "retry_abandoned": (rule(1, 0), rule(5, 3600), rule(None, 60)),
    "retry_short": (rule(1, 0), rule(3, 600)),
    "retry_congestion": (rule(5, 120), rule(None, 1200)),
}


@lru_cache(maxsize=WORLDS)
def world_of(seed: int) -> World:
    """Four weeks of a world, that of this seed."""
    rng = random.Random(seed)
    began_at = rng.choice([SPRING, AUTUMN])
    return World(
        settings=Settings(**{key: rng.choice(values) for key, values in CHOICES.items()}),
        calendar=_calendar(rng, began_at) if rng.random() < 0.4 else None,
        contacts={id: _contact(rng, id, began_at) for id in range(1, rng.randint(2, 5))},
        barred=_barred(rng, began_at),
        began_at=began_at,
        rng=rng,
    ).run()


def _calendar(rng: random.Random, began_at: int) -> WorkingCalendar:
    return WorkingCalendar(
        name="c",
        timezone=rng.choice(["", "Asia/Kolkata"]),
        hours=rng.choice([OFFICE_HOURS, (Hours(EVERY_DAY, 0, 1440),)]),
        exceptions=DAYS_OFF,
        starts_at=rng.choice([None, began_at + 2 * DAY]),
        ends_at=rng.choice([None, began_at + 24 * DAY]),
    )


def _contact(rng: random.Random, id: int, began_at: int) -> Contact:
    begins = rng.choice([0, 0, began_at + 2 * DAY + 5])
    made = (
        number(
            id * 10 + n,
            number=f"+3460000000{digits}",
            type=rng.choice(["M", "M", "H", "", "X"]),
            zones=rng.choice(ZONES),
            priority=rng.randint(0, 2),
            next_at=begins,
        )
        for n, digits in enumerate(rng.sample("123456", rng.randint(1, 3)))
    )
    expires_at = rng.choice([None, None, began_at + rng.randrange(WEEKS)])
    return contact(*made, id=id, next_at=begins, expires_at=expires_at, any_hour=rng.random() < 0.2)


def _barred(rng: random.Random, began_at: int) -> Mapping[str, tuple[int, int]]:
    spans = {f"+3460000000{digits}": began_at + rng.randrange(4 * DAY) for digits in "12"}
    return {called: (since, rng.choice([FOR_EVER, since + 5 * DAY])) for called, since in spans.items()}


#: Hypothesis picks them, and names the one that is at fault.
worlds = st.integers(0, WORLDS - 1).map(world_of)
many = settings(max_examples=WORLDS, deadline=None, database=None, suppress_health_check=list(HealthCheck))


# --- properties -------------------------------------------------------------------------------------------------------


@many
@given(worlds)
def test_nobody_is_called_outside_the_hours_of_any_of_its_zones(world: World) -> None:
    assert all(made.any_hour or world.has_hours(made.number, made.at) for made in world.placed)


@many
@given(worlds)
def test_no_number_is_called_whose_zone_is_unknown_where_one_is_required(world: World) -> None:
    assert not world.settings.require_zone or all(made.number.zones for made in world.placed)


@many
@given(worlds)
def test_no_range_has_more_attempts_on_a_day_than_it_allows(world: World) -> None:
    for made in (made for made in world.placed if made.number.type in world.ranges and not made.any_hour):
        local, of_type = world.local(made), world.ranges[made.number.type]
        current = next(r for r in of_type if r.start_minute <= minute_of(local) < r.end_minute)
        used = sum(
            world.local(other).date() == local.date()
            and current.start_minute <= minute_of(world.local(other)) < current.end_minute
            for other in world.before(made)
            if other.counted and other.contact.id == made.contact.id and shares_a_budget(world, other, made)
        )
        assert used < current.attempts


def shares_a_budget(world: World, one: Placed, other: Placed) -> bool:
    if world.settings.retries_by_number:
        return one.number.id == other.number.id
    return one.number.type == other.number.type


@many
@given(worlds)
def test_no_number_is_called_more_often_than_its_caps_allow(world: World) -> None:
    per_day, per_week = world.settings.attempts_per_day, world.settings.attempts_per_week
    for made in world.placed:
        zone = world.zones(made.number)[0]
        earlier = [other.at for other in world.before(made) if other.number.number == made.number.number]
        today = sum(locally(zone, at).date() == locally(zone, made.at).date() for at in earlier)
        this_week = sum(at > made.at - 7 * DAY for at in earlier)
        assert not per_day or today < per_day
        assert not per_week or this_week < per_week


@many
@given(worlds)
def test_no_contact_and_no_outcome_has_more_tries_than_the_rules_allow(world: World) -> None:
    most, by = world.settings.max_tries, world.settings
    for made in world.placed:
        earlier = [other for other in world.before(made) if other.contact.id == made.contact.id]
        assert not most or sum(other.counted for other in earlier) < most
    for one in world.contacts.values():
        for each in one.numbers:
            for key, count in each.tally.items():
                rule = by.retries[D(key)]
                in_place = by.retry_interval_s or (by.wait_for_result and key in (D.ANSWERED, D.SHORT))
                assert in_place or rule.tries is None or count <= rule.tries


@many
@given(worlds)
def test_an_abandoned_person_has_its_rest(world: World) -> None:
    for made in world.placed:
        for other in world.before(made):
            if other.number.number == made.number.number and other.disposition is D.ABANDONED:
                assert made.at - other.at >= world.settings.abandoned_rest_h * HOUR


@many
@given(worlds)
def test_a_contact_and_a_number_have_one_call_at_a_time(world: World) -> None:
    for made in world.placed:
        for other in world.before(made):
            same = other.contact.id == made.contact.id or other.number.number == made.number.number
            assert not same or other.ends_at <= made.at


@many
@given(worlds)
def test_nobody_is_called_who_is_blacklisted_expired_closed_or_not_due(world: World) -> None:
    for made in world.placed:
        since, until = world.barred.get(made.number.number, (0, 0))
        assert not since <= made.at < until
        assert made.contact.expires_at is None or made.at < made.contact.expires_at
        assert made.contact.state is not ContactState.DONE
        assert made.number.next_at is not None
        assert made.number.next_at <= made.at


@many
@given(worlds)
def test_the_pause_between_two_calls_of_a_contact_is_kept(world: World) -> None:
    pause = world.settings.retry_interval_s * 1000
    for made in world.placed:
        others = (other for other in world.before(made) if other.contact.id == made.contact.id)
        last = max((other for other in others if other.counted), key=lambda other: other.at, default=None)
        held = world.settings.wait_for_result and last and last.disposition in (D.ANSWERED, D.SHORT)
        assert last is None or held or made.at >= last.ends_at + pause


@many
@given(worlds)
def test_no_contact_is_forgotten(world: World) -> None:
    for step in world.steps:
        after = step.after
        is_done = after.state is ContactState.DONE
        assert is_done == bool(after.end_reason) == bool(after.end_cause)
        assert is_done == (not any(n.is_open for n in after.numbers)) or after.state is ContactState.HELD
        if after.state is not ContactState.IN_CALL:
            assert is_done == (after.next_at is None)
        if after.state is ContactState.HELD:
            assert after.held_until == after.next_at
            assert after.held_until is not None
            assert after.held_until > step.now


@many
@given(worlds)
def test_nobody_waits_for_ever_who_has_an_hour_within_two_weeks(world: World) -> None:
    told = (step for step in world.steps if step.judgement and step.judgement.why is Why.NEVER)
    first = {step.before.id: step for step in reversed([*told])}
    for step in first.values():
        days = range(step.now + DAY, step.now + 15 * DAY, HOUR // 4)
        for each in (n for n in step.after.numbers if n.is_open and (n.zones or not world.settings.require_zone)):
            assert not any(world.has_hours(each, at) for at in days)


@many
@given(worlds)
def test_time_goes_on_or_a_call_is_made(world: World) -> None:
    for step in world.steps:
        if step.judgement is None or step.judgement.stay or step.judgement.number is not None:
            continue
        after = step.judgement.contact
        assert after.next_at is None or after.next_at > step.now
        assert step.judgement.why is not Why.READY


@many
@given(worlds)
def test_only_success_is_successful(world: World) -> None:
    for one in world.contacts.values():
        assert not one.successful or one.end_cause == "NORMAL_CLEARING"
        assert one.end_cause != "NORMAL_CLEARING" or one.successful


def test_the_worlds_are_worth_looking_at() -> None:
    """There are calls, waits for every rule, and contacts that end in nearly every way."""
    all_worlds = [world_of(seed) for seed in range(WORLDS)]
    steps = [step for world in all_worlds for step in world.steps]
    whys = {step.judgement.why for step in steps if step.judgement}
    ends = {one.end_cause for world in all_worlds for one in world.contacts.values()}
    assert sum(len(world.placed) for world in all_worlds) > 5 * WORLDS
    assert sum(step.after.state is ContactState.HELD for step in steps) > WORLDS / 4
    assert set(Why) - whys <= {Why.CLOSED, Why.BLACKLISTED}
    assert {*EndCause} - ends <= {EndCause.MANAGER_REQUEST, EndCause.PROCESS_CRASH, EndCause.NO_COMMUNICATIONS}
