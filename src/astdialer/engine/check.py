"""What would happen if the campaign were started now: whom it may call, when the others, and what is missing.

Counted by pool, and without a claim: nothing is written, and a million contacts take seconds. ``callable_now`` looks
at hours, at what contacts wait for, and at the blacklist; who is listed twice or has no route is counted beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from astdialer.domain.abandonment import LEGAL_WAIT_S, LIMITS_PERCENT, Profile
from astdialer.domain.calendar import WorkingCalendar, local_day, split_zones
from astdialer.domain.campaign import Campaign
from astdialer.domain.route import Route, look_up, may_lead
from astdialer.domain.selection import ANY_ZONE, DialingRules
from astdialer.domain.settings import Mode, Settings
from astdialer.engine.campaigns import lacks, loaded
from astdialer.engine.directory import Directory
from astdialer.engine.rulebook import dialing_rules
from astdialer.engine.words import local_words
from astdialer.ports import Clock, Store

#: So many numbers without a route are named.
NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The report. ``obstacles`` would keep the campaign from dialing; each line has its remedy."""

    campaign: str
    state: str
    contacts: Mapping[str, int]
    closed: Sequence[Mapping[str, Any]]  #: ``zones``, ``contacts``, ``opens_at``, ``rule``: due, but for the hour
    waiting: Sequence[Mapping[str, Any]]  #: ``why``, ``n``, ``first_at``, ``last_at``
    bound: Sequence[Mapping[str, Any]]  #: ``only``, ``contacts``, ``agents``: for certain agents alone
    trunks: Mapping[str, int]  #: open numbers by the trunk that is tried first
    without_route: Sequence[str]  #: some of them
    obstacles: Sequence[str]
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked at."""

    directory: Directory
    campaign: Campaign
    rules: DialingRules
    now: int


@dataclass(slots=True)
class Routed:
    """What the routes say about every open number."""

    by_trunk: Counter[str] = field(default_factory=Counter)
    without: int = 0  #: contacts of which no number has a route
    shut: int = 0  #: contacts whose only routes are disabled, or fail
    numbers: list[str] = field(default_factory=list)  #: some numbers without one
    problems: Counter[str] = field(default_factory=Counter)

    def close(self, *, has_way: bool, is_shut: bool) -> None:
        """Count a contact whose numbers have all been asked about."""
        if not has_way:
            self.shut += is_shut
            self.without += not is_shut


async def check(store: Store, clock: Clock, engine_zone: str, name: str) -> Preflight:
    """Look before the first call. Raises NotFound."""
    campaign, now = await store.campaign(name), clock.now()
    directory = await loaded(store, engine_zone)
    calendar = directory.calendars.get(campaign.settings.calendar)
    rules = dialing_rules(campaign.settings, calendar, engine_zone)
    subject = Subject(directory=directory, campaign=campaign, rules=rules, now=now)
    survey = await store.survey(campaign.id)
    routes = directory.routes_of(campaign)
    routed = await route_all(store, campaign.id, routes) if campaign.settings.routes else Routed()
    due = await _due(store, subject, survey)
    closed = closed_pools(rules, due.at_once, now)
    contacts = {
        **count(subject, survey, due),
        "duplicates": await store.count_duplicates(campaign.id),
        "without_route": routed.without + routed.shut,
    }
    bound = list(bound_pools(directory, survey))
    return Preflight(
        campaign=name,
        state=campaign.state.value,
        contacts=contacts,
        closed=closed,
        waiting=[dict(row) for row in await store.put_off(campaign.id)],
        bound=bound,
        trunks=dict(routed.by_trunk.most_common()) or _one_trunk(campaign, contacts),
        without_route=routed.numbers,
        obstacles=[*lacks(directory, campaign), *_obstacles(subject, contacts)],
        warnings=[
            *_setup_warnings(subject),
            *_abandonment_warnings(subject.campaign.settings),
            *_contact_warnings(subject, contacts, bound, routed),
        ],
    )


# --- when contacts come up -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Due:
    """Ready and waiting contacts that somebody may call, by zones and when they come up (0: now), and the others."""

    coming: Counter[tuple[str, int]]
    nobodys: int  #: for certain agents alone, where there are none
    blacklisted: int

    @property
    def at_once(self) -> list[dict[str, Any]]:
        """Those that come up now, as closed_pools takes them."""
        return [{"zones": zones, "ready": n} for (zones, at), n in self.coming.items() if not at]


async def _due(store: Store, subject: Subject, survey: Iterable[Mapping[str, Any]]) -> Due:
    campaign, now = subject.campaign, subject.now
    ready = [{**pool, "at": 0, "n": pool["ready"]} for pool in survey]
    barred = await store.barred_contacts(campaign.id, now)
    coming, nobodys = Counter[tuple[str, int]](), 0
    for sign, rows in ((1, ready), (1, await store.coming_up(campaign.id, now)), (-1, barred)):
        for row in rows:
            if row["bucket"] and not campaign.settings.mode.needs_agents:
                nobodys += sign * row["n"]
            else:
                coming[row["zones"], row["at"]] += sign * row["n"]
    # A campaign that runs meanwhile may leave less than nothing.
    return Due(+coming, max(0, nobodys), sum(row["n"] for row in barred))


def count(subject: Subject, survey: Sequence[Mapping[str, Any]], due: Due) -> dict[str, int]:
    """Contacts by when they may be called; every one that is not done is in one of the counts."""
    rules, now = subject.rules, subject.now
    today, _ = local_day(rules.default_zone, now)
    when = Counter({"never": due.nobodys})
    for (zones, at), n in due.coming.items():
        opens_at = rules.opens_at(zones, max(at, now + 1) if at else now)
        when["callable_now" if opens_at == now else _when(opens_at, today, rules.default_zone)] += n
    return {
        **{key: when[key] for key in ("callable_now", "later_today", "later", "never")},
        "blacklisted": due.blacklisted,
        **{key: sum(pool[key] for pool in survey) for key in ("in_call", "held", "done")},
        "without_zone": sum(_open(pool) for pool in survey if not pool["zones"]),
    }


def _when(at: int | None, today: date, zone: str) -> str:
    if at is None:
        return "never"
    return "later_today" if local_day(zone, at)[0] == today else "later"


def _open(pool: Mapping[str, Any]) -> int:
    return int(pool["ready"] + pool["waiting"] + pool["in_call"] + pool["held"])


# --- hours -----------------------------------------------------------------------------------------------------------


def closed_pools(rules: DialingRules, survey: Iterable[Mapping[str, Any]], now: int) -> list[dict[str, Any]]:
    """Contacts that are due, but for the hour where they are: by zones, the first to open in front."""
    ready: Counter[str] = Counter()
    for pool in survey:
        if pool["ready"] and not rules.is_open(pool["zones"], now):
            ready[pool["zones"]] += pool["ready"]
    rows = [
        {
            "zones": zones_words(rules, zones),
            "contacts": n,
            "opens_at": rules.opens_at(zones, now),
            "rule": closed_by(rules, zones, now),
        }
        for zones, n in ready.items()
    ]
    return sorted(rows, key=lambda row: (row["opens_at"] is None, row["opens_at"] or 0, str(row["zones"])))


def closed_by(rules: DialingRules, zones: str, now: int) -> str:
    """The rule that keeps a closed pool shut."""
    alternatives = [] if zones == ANY_ZONE else _alternatives(rules, zones)
    if not alternatives:
        return "require_zone"
    schedule, tried = rules.schedule, alternatives[0]
    zone = next((each for each in tried if not schedule.is_open((each,), now)), tried[0])
    calendar = schedule.calendar
    if calendar is None or not schedule.window.is_open(zone, now):
        return "calling_hours, weekdays"
    day, _ = local_day(zone, now)
    if schedule.has_ended(now):
        return f"calendar {calendar.name}: it has ended"
    if not schedule.has_begun(now):
        return f"calendar {calendar.name}: it has not begun"
    return f"calendar {calendar.name}" + (f": {_day_off(calendar, day)}" if calendar.is_day_off(day) else "")


def _day_off(calendar: WorkingCalendar, day: date) -> str:
    names = (
        off.name
        for off in calendar.exceptions
        if off.date == day or (off.yearly and (off.date.month, off.date.day) == (day.month, day.day))
    )
    return next(filter(None, names), "a day off")


def _alternatives(rules: DialingRules, zones: str) -> list[tuple[str, ...]]:
    """The zones that a pool's numbers may be in, as Schedule takes them, but for unknown ones that must be known."""
    texts = [text for text in zones.split(";") if text or not rules.require_zone]
    return [split_zones(text) or (rules.default_zone,) for text in texts]


def zones_words(rules: DialingRules, zones: str) -> str:
    """A pool's zones for people."""
    if zones == ANY_ZONE:
        return "many zones"
    unknown = "not known" if rules.require_zone else f"not known ({rules.default_zone})"
    return " or ".join(text.replace("|", " and ") or unknown for text in zones.split(";"))


# --- routes and agents -----------------------------------------------------------------------------------------------


async def route_all(store: Store, campaign_id: int, routes: Sequence[Route]) -> Routed:
    """Ask the routes about every open number. A contact's numbers come one after the other."""
    routed, contact, has_way, is_shut = Routed(), None, True, False
    async for row in store.open_numbers(campaign_id):
        if row["contact_id"] != contact:
            routed.close(has_way=has_way, is_shut=is_shut)
            contact, has_way, is_shut = row["contact_id"], False, False
        trunk = _first_trunk(routes, row["number"], routed.problems)
        if trunk:
            has_way = True
            routed.by_trunk[trunk] += 1
        elif may_lead(routes, row["number"]):
            is_shut = True
        elif len(routed.numbers) < NAMED:
            routed.numbers.append(row["number"])
    routed.close(has_way=has_way, is_shut=is_shut)
    return routed


def _first_trunk(routes: Sequence[Route], number: str, problems: Counter[str]) -> str:
    """The trunk that is tried first, empty without any. Later routes are not asked: patterns are what takes time."""
    for route in routes:
        found = look_up((route,), number)
        problems.update(problem.route for problem in found.problems)
        if found.ways:
            return found.ways[0].trunk
    return ""


def _one_trunk(campaign: Campaign, contacts: Mapping[str, int]) -> dict[str, int]:
    settings = campaign.settings
    return {} if settings.routes or not settings.trunk else {settings.trunk: open_contacts(contacts)}


def bound_pools(directory: Directory, survey: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Contacts that certain agents alone may have: ``only`` is @1001, an agent, or a bucket's name."""
    bound: Counter[str] = Counter()
    for pool in survey:
        if pool["bucket"]:
            bound[pool["bucket"]] += _open(pool)
    for bucket, n in sorted(bound.items()):
        members = [profile.agent for profile in directory.profiles if bucket in profile.buckets]
        agents = [bucket[1:]] if bucket.startswith("@") else members
        yield {"only": bucket, "contacts": n, "agents": ", ".join(agents)}


# --- words -----------------------------------------------------------------------------------------------------------


_OPEN = ("callable_now", "later_today", "later", "never", "blacklisted", "in_call", "held")


def open_contacts(contacts: Mapping[str, int]) -> int:
    """Those that are not done."""
    return sum(contacts[key] for key in _OPEN)


def _obstacles(subject: Subject, contacts: Mapping[str, int]) -> Iterator[str]:
    yield from _hours_obstacles(subject)
    left, name = open_contacts(contacts), subject.campaign.name
    trunks = subject.directory.trunks_of(subject.campaign)
    if trunks and not any(trunk.enabled and trunk.max_calls for trunk in trunks):
        names = ", ".join(trunk.name for trunk in trunks)
        yield f"no trunk may be used ({names}): astdialer trunk set {trunks[0].name} --enabled --max-calls N"
    if not left:
        what = "every contact is done" if contacts["done"] else "there are no contacts"
        yield f"{what}: astdialer upload FILE --campaign {name}"
    elif contacts["blacklisted"] == left:
        yield "every contact is blacklisted: astdialer blacklist list"
    elif contacts["without_route"] == left:
        yield f"no number has a route: astdialer route test NUMBER --campaign {name}"
    elif contacts["never"] == left:
        yield f"nobody may ever be dialed: astdialer campaign set {name} (calendar, calling_hours, require_zone)"


def _hours_obstacles(subject: Subject) -> Iterator[str]:
    rules, now = subject.rules, subject.now
    calendar = rules.schedule.calendar
    if calendar and rules.schedule.has_ended(now):
        ended = local_words(calendar.ends_at or 0, rules.default_zone)
        yield f"calendar {calendar.name} ended on {ended}: astdialer calendar set {calendar.name} --until DATE"
    elif rules.schedule.next_open((rules.default_zone,), now) is None:
        remedy = f"astdialer campaign set {subject.campaign.name}"
        yield f"calendar, calling_hours and weekdays are never open together: {remedy}"


def _setup_warnings(subject: Subject) -> Iterator[str]:
    rules = subject.rules
    calendar = rules.schedule.calendar
    if calendar and not rules.schedule.has_begun(subject.now):
        yield f"calendar {calendar.name} begins on {local_words(calendar.starts_at or 0, rules.default_zone)}"
    for trunk in subject.directory.trunks_of(subject.campaign):
        if not trunk.enabled:
            yield f"trunk {trunk.name} is disabled: astdialer trunk set {trunk.name} --enabled"
    for route in subject.directory.routes_of(subject.campaign):
        if not route.enabled:
            yield f"route {route.name} is disabled: astdialer route set {route.name} --enabled"


def _abandonment_warnings(settings: Settings) -> Iterator[str]:
    """What a predictive campaign is set to that its profile's law hardly means. No legal advice."""
    if settings.mode is not Mode.PREDICTIVE:
        return
    profile = settings.abandonment_profile
    usual = LIMITS_PERCENT[profile]
    if settings.abandonment_limit > usual:
        yield f"abandonment_limit is {settings.abandonment_limit:g} %; profile {profile} is known for {usual:g} %"
    if settings.agent_wait_s > LEGAL_WAIT_S:
        wait = f"agent_wait_s is {settings.agent_wait_s}"
        yield f"{wait}: a person who waits longer than {LEGAL_WAIT_S} s for an agent is abandoned by most laws"
    if profile is Profile.UK and settings.amd and not settings.amd_false_machines:
        yield "profile uk counts people whom AMD takes for machines: set amd_false_machines by a test of your own"


def _contact_warnings(
    subject: Subject, contacts: Mapping[str, int], bound: Iterable[Mapping[str, Any]], routed: Routed
) -> Iterator[str]:
    campaign = subject.campaign
    for route, n in routed.problems.items():
        yield f"route {route} fails for {n} numbers: astdialer route test NUMBER --campaign {campaign.name}"
    if routed.without:
        which = ", ".join(routed.numbers)
        yield f"{routed.without} contacts have no number with a route and end as no route; numbers without one: {which}"
    if routed.shut:
        why = "the routes of their numbers are disabled or fail"
        yield f"{routed.shut} contacts wait, for {why}: astdialer route set NAME --enabled"
    if contacts["without_zone"] and campaign.settings.require_zone:
        yield f"{contacts['without_zone']} contacts have no known zone and are not dialed (require_zone)"
    for row in bound:
        if not campaign.settings.mode.needs_agents:
            who = f"{row['contacts']} contacts are for {row['only']} alone"
            yield f"{who}: a broadcast has no agents, and never calls them"
        elif not row["agents"]:
            yield f"{row['contacts']} contacts are for bucket {row['only']}, which no agent has: astdialer agent set"
