"""A campaign's days before anybody is called: its settings and its callers → a world → days → figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import numpy as np

from astdialer.domain.abandonment import Counts, Profile, Tally, Window, tally
from astdialer.domain.limit import Limit
from astdialer.domain.pacer import Pacer
from astdialer.domain.pacing import decide
from astdialer.domain.settings import Mode, Settings
from astdialer.domain.trunk import CallRate
from astdialer.simulator.callers import Callers
from astdialer.simulator.day import TICK_S, Day, Record
from astdialer.simulator.interval import half_width
from astdialer.simulator.own import OwnPacing
from astdialer.simulator.scope import MOST_DAYS
from astdialer.simulator.world import Empirical, Nothing, World

#: What is drawn over the hours has steps of one of these lengths, in minutes, and no more than so many of them.
_STEPS_MIN, _MOST_STEPS = (1, 2, 5, 10, 15, 20, 30, 60), 33

Watch = Callable[[Mode, Day], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be rehearsed. ``calls``: the list, each call that its contacts take; None: it does not end."""

    settings: Settings
    callers: Callers
    agents: int
    hours: float = 8.0
    days: int = 3
    seed: int = 1
    calls: int | None = None
    lines: int = 1_000_000  #: of trunks and engine
    calls_per_second: float = 1_000_000.0  #: likewise
    block: Tally = field(default_factory=Tally)  #: what the law's window has seen before
    learned: Mapping[str, Any] | None = None  #: what pacing knows already, see Pacer.kept


@dataclass(frozen=True, slots=True)
class Look:
    """What was so at a minute of the day; counts are of the day so far."""

    agents_s: float
    busy_s: float
    tally: Tally
    lines: int
    limit: Limit | None  #: None: there is nobody left to call


@dataclass(frozen=True, slots=True)
class RehearsedDay:
    """What came of one day."""

    record: Record
    tally: Tally  #: as the campaign's profile counts
    most_lines: int
    looks: Sequence[Look]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A span of the day, over all days: shares from 0 to 1; ``abandoned`` is of the day so far."""

    hour: float  #: at which it ends
    busy: float
    abandoned: float
    lines: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What to expect of a mode. Shares are 0 to 1."""

    mode: Mode
    days: int
    busy: float  #: of agents' time, talks and wrap-up
    abandoned: float
    abandoned_low: float | None  #: the 95 % interval, from the differences between days; None: there is one day
    abandoned_high: float | None
    limit: float
    days_above_limit: int
    wait_mean_s: float | None  #: of connected people, for an agent
    wait_p95_s: float | None
    lines_most: int
    lines_mean: float
    calls_per_talk: float | None
    talks_per_agent_hour: float
    hours_to_finish: float | None  #: the list; None: it does not end, or not within the hours
    contacts_left: int | None  #: after a day; None: there is no list
    days_to_finish: float | None
    binds: Mapping[str, float]  #: what kept it from more calls, and for which share of the time; the most first
    steps: Sequence[Step]


# --- days ------------------------------------------------------------------------------------------------------------


@dataclass
class CampaignPacing(OwnPacing):
    """As the engine paces the campaign: by its profile's windows, and at the trunks' rate. Remembers what it saw."""

    settings: Settings = field(default_factory=Settings)
    rate: CallRate = field(default_factory=lambda: CallRate(1_000_000))
    limit: Limit = Limit.NO_FREE_AGENT
    most_lines: int = 0
    machines: int = 0

    def decide(self, day: Day) -> int:
        """Calls to place now."""
        snapshot, now_ms = self._look(day), int(1000 * day.now)
        decision = decide(replace(snapshot, trunk_rate_room=self.rate.room(now_ms, TICK_S)), day.now)
        contacts = day.world.contacts
        calls = decision.calls if contacts is None else min(decision.calls, contacts - day.record.dialed)
        for _ in range(calls):
            self.rate.take(now_ms)
        self.limit, self.most_lines = decision.limit, max(self.most_lines, snapshot.calls + calls)
        return calls

    def verdict(self, age_s: float, *, person: bool) -> None:
        """AMD took so long to say who has answered."""
        super().verdict(age_s, person=person)
        self.machines += not person

    def tally(self, record: Record) -> Tally:
        """As the campaign's profile counts the day so far."""
        settings = self.settings
        counts = Counts(connected=record.connected, abandoned=record.abandoned, machines=self.machines)
        false_machines = settings.amd_false_machines / 100
        return tally(settings.abandonment_profile, counts, amd=settings.amd, false_machines=false_machines)

    def windows(self, day: Day) -> tuple[Window, ...]:
        """Those of the law, the longest first, as engine/forecasting.py has them."""
        found = super().windows(day)
        return found[-1:] if self.settings.abandonment_profile is Profile.UK else found

    def _in_list(self, day: Day) -> float | None:
        return None if self.settings.eternal_queue else super()._in_list(day)


def rehearse(plan: Plan, modes: Sequence[Mode], watch: Watch = lambda _mode, _day: None) -> list[Figures]:
    """Each mode meets the same contacts. One day after the other; what was learned and counted goes from each to the
    next. ``watch``: called each simulated minute."""
    days = {mode: list(_days(plan, mode, watch)) for mode in modes}
    longest = max(len(day.looks) for of_mode in days.values() for day in of_mode)
    step = next((step for step in _STEPS_MIN if longest / step <= _MOST_STEPS), _STEPS_MIN[-1])
    return [_figures(plan, mode, of_mode, step) for mode, of_mode in days.items()]


def _days(plan: Plan, mode: Mode, watch: Watch) -> Iterator[RehearsedDay]:
    pacer, block = _begin(plan), plan.block
    for number in range(plan.days):
        pacing = _pacing(plan, mode, pacer, block)
        day = _day(plan, pacing, number, watch)
        yield day
        block += day.tally
        pacer, before = Pacer(plan.settings.pace), pacer  # as over a restart at night
        pacer.restore(before.kept())


def _begin(plan: Plan) -> Pacer:
    """With what is known already, unless that is of another version."""
    pacer = Pacer(plan.settings.pace)
    if plan.learned:
        with suppress(ValueError):
            pacer.restore(plan.learned)
            return pacer
    return Pacer(plan.settings.pace)


def _pacing(plan: Plan, mode: Mode, pacer: Pacer, block: Tally) -> CampaignPacing:
    settings = plan.settings
    return CampaignPacing(
        pacer,
        block,
        mode=mode,
        lines_per_agent=settings.lines_per_agent,
        max_calls=settings.max_calls,
        settings=settings,
        rate=CallRate(plan.calls_per_second),
    )


def _day(plan: Plan, pacing: CampaignPacing, number: int, watch: Watch) -> RehearsedDay:
    looks: list[Look] = []

    def look(day: Day) -> None:
        record = day.record
        lines = len(day.dialing) + len(day.analysed) + len(day.waiting) + len(day.talking)
        limit = None if record.dialed == plan.calls else pacing.limit
        looks.append(Look(record.agents_s, record.busy_s, pacing.tally(record), lines, limit))
        watch(pacing.mode, day)

    record = Day(world(plan), pacing, plan.seed * MOST_DAYS + number, watch=look).run()
    return RehearsedDay(record, pacing.tally(record), pacing.most_lines, looks)


def world(plan: Plan) -> World:
    """The contact centre that the campaign would meet."""
    settings, who = plan.settings, plan.callers
    return World(
        agents=plan.agents,
        share=lambda _now: who.share,
        hours=plan.hours,
        ring_s=settings.ring_s,
        ringing=who.ringing,
        machines=who.machines,
        talk=who.talk,
        wrap_up=Empirical((settings.wrap_up_s,)) if settings.wrap_up_s else Nothing(),
        patience_s=settings.agent_wait_s,
        handoff_s=who.handoff_s,
        amd=who.amd,
        contacts=plan.calls,
        max_lines=plan.lines,
    )


# --- figures ---------------------------------------------------------------------------------------------------------


def _figures(plan: Plan, mode: Mode, days: Sequence[RehearsedDay], step: int) -> Figures:
    records, rates = [day.record for day in days], [day.tally.rate for day in days]
    agents_s, talks = sum(r.agents_s for r in records), sum(r.connected for r in records)
    waits = [wait for record in records for wait in record.waits_s]
    low, high = _interval(rates)
    limit = plan.settings.abandonment_limit / 100
    return Figures(
        mode=mode,
        days=len(days),
        busy=sum(r.busy_s for r in records) / agents_s if agents_s else 0.0,
        abandoned=sum((day.tally for day in days), Tally()).rate,
        abandoned_low=low,
        abandoned_high=high,
        limit=limit,
        days_above_limit=sum(rate > limit for rate in rates),
        wait_mean_s=fmean(waits) if waits else None,
        wait_p95_s=float(np.quantile(waits, 0.95)) if waits else None,
        lines_most=max(day.most_lines for day in days),
        lines_mean=fmean(look.lines for day in days for look in day.looks),
        calls_per_talk=sum(r.dialed for r in records) / talks if talks else None,
        talks_per_agent_hour=3600 * talks / agents_s if agents_s else 0.0,
        **_end_of_list(plan, records),
        binds=_binds(days),
        steps=_steps(days, step),
    )


def _interval(rates: Sequence[float]) -> tuple[float | None, float | None]:
    """In which the mean lies with 95 %, from days that differ as these do."""
    if len(rates) < 2:
        return None, None
    half = half_width(rates)
    return max(0.0, fmean(rates) - half), min(1.0, fmean(rates) + half)


def _end_of_list(plan: Plan, records: Sequence[Record]) -> dict[str, Any]:
    """When, or how much is left after a day."""
    if plan.calls is None:
        return {"hours_to_finish": None, "contacts_left": None, "days_to_finish": None}
    dialed, each = fmean(r.dialed for r in records), plan.callers.attempts
    done = all(r.dialed >= plan.calls for r in records)
    return {
        "hours_to_finish": fmean(r.ended_s for r in records) / 3600 if done else None,
        "contacts_left": round((plan.calls - dialed) / each),
        "days_to_finish": plan.calls / dialed if dialed else None,
    }


def _binds(days: Sequence[RehearsedDay]) -> Mapping[str, float]:
    counted = Counter(look.limit.value for day in days for look in day.looks if look.limit)
    return {limit: count / counted.total() for limit, count in counted.most_common()}


def _steps(days: Sequence[RehearsedDay], long: int) -> Sequence[Step]:
    """The day over its hours, in steps of so many minutes; days that have ended sooner count as long as they last."""
    minutes = max(len(day.looks) for day in days) - 1
    return [_step(days, at - long, at) for at in range(long, minutes + 1, long)]


def _step(days: Sequence[RehearsedDay], begin: int, end: int) -> Step:
    lasting = [day.looks for day in days if len(day.looks) > end]
    agents_s = sum(looks[end].agents_s - looks[begin].agents_s for looks in lasting)
    busy_s = sum(looks[end].busy_s - looks[begin].busy_s for looks in lasting)
    return Step(
        hour=end / 60,
        busy=busy_s / agents_s if agents_s else 0.0,
        abandoned=sum((looks[end].tally for looks in lasting), Tally()).rate,
        lines=fmean(look.lines for looks in lasting for look in looks[begin + 1 : end + 1]),
    )
