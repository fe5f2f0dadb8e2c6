"""Why a campaign is not dialing, or not faster, and why a contact is called or not: a sentence, and what is behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from astdialer.domain.calendar import local_day
from astdialer.domain.campaign import Campaign, CampaignState, phase_of
from astdialer.domain.contact import Contact, ContactState, Number
from astdialer.domain.disposition import NOT_COUNTED, Disposition
from astdialer.domain.limit import Limit
from astdialer.domain.route import look_up, may_lead
from astdialer.domain.selection import (
    NO_FACTS,
    WEEK_MS,
    DialingRules,
    Finding,
    NumberFacts,
    Why,
    current_range,
    examine,
    in_order,
    pool_zones,
    soonest,
)
from astdialer.engine.campaigns import loaded
from astdialer.engine.check import closed_by, closed_pools, zones_words
from astdialer.engine.directory import Directory
from astdialer.engine.legalcount import LegalCount
from astdialer.engine.progress import STALE_S, progress, window_row
from astdialer.engine.rulebook import dialing_rules
from astdialer.engine.statistics import abandonment_of
from astdialer.engine.words import UNBIND
from astdialer.ports import BlacklistEntry, Clock, Store

#: What the live view has of a campaign that stands behind the limit.
LIVE_FACTS = (
    "calls",
    "max_calls",
    "trunk_calls",
    "trunk_max_calls",
    "logged_in_agents",
    "free_agents",
    "waiting_calls",
    "prediction",
)
#: A contact's last attempts that are told.
TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What binds now. ``until``: when it ends by itself, ms since 1970 UTC; ``facts``: the counts behind it.

    ``rule`` is the campaign's own rule that binds, where it is one, in the words of its setting.
    """

    campaign: str
    state: str
    phase: str
    limit: str
    rule: str
    until: int | None
    detail: str
    facts: Mapping[str, Any]
    rules: Mapping[str, Any] = field(default_factory=dict)  #: what else holds contacts back, see _rules_of


async def explain(store: Store, clock: Clock, name: str, engine_zone: str = "UTC") -> Explanation:
    """What binds the campaign now. Raises NotFound."""
    campaign, now = await store.campaign(name), clock.now()
    directory = await loaded(store, engine_zone)
    rules = dialing_rules(campaign.settings, directory.calendars.get(campaign.settings.calendar), engine_zone)
    view = await store.live_view()
    behind = await _rules_of(store, campaign, rules, now)
    facts = progress(await store.counts(campaign.id))
    facts["abandonment_30_days"] = dataclasses.asdict(await abandonment_of(store, clock, engine_zone, campaign))
    facts["abandonment_30_days"].pop("days")
    if campaign.settings.mode.needs_agents:
        counted = LegalCount(await store.days(campaign.id, ""))
        windows = counted.windows(campaign.settings, rules.default_zone, now, 0)
        facts["windows"] = [window_row(campaign.settings, window) for window in windows]
    if view is None or is_stale(view, now):
        standing = _without_engine(campaign)
    else:
        standing = next((row for row in view["campaigns"] if row["campaign"] == name), {})
        behind["resting_trunks"] = _resting(directory, campaign, view, now)
        facts |= {key: standing.get(key) for key in LIVE_FACTS}
    limit = standing.get("limit") or "the engine has just started"
    rule, until = _binding(limit, behind)
    return Explanation(
        campaign=name,
        state=campaign.state.value,
        phase=phase_of(campaign.state, open_now=behind["open_now"]).value,
        limit=limit,
        rule=rule,
        until=standing.get("until") or until,
        detail=standing.get("detail") or campaign.explanation,
        facts=facts,
        rules=behind,
    )


def _without_engine(campaign: Campaign) -> Mapping[str, Any]:
    if campaign.state is not CampaignState.RUNNING:
        return {"limit": Limit.NOT_RUNNING.value}
    detail = "start it: astdialer serve, or systemctl start astdialer"
    return {"limit": "the engine is not running", "detail": detail}


def is_stale(view: Mapping[str, Any] | None, now: int) -> bool:
    """Whether the view comes from an engine that does not run any more."""
    return view is None or now - view["written_at"] > STALE_S * 1000


async def _rules_of(store: Store, campaign: Campaign, rules: DialingRules, now: int) -> dict[str, Any]:
    """What holds contacts back: closed zones with their opening, the calendar, and who was put off by which rule."""
    survey = await store.survey(campaign.id)
    zones = {pool["zones"] for pool in survey} or {""}
    waiting = sorted((dict(row) for row in await store.put_off(campaign.id)), key=lambda row: int(row["first_at"]))
    calendar, schedule = rules.schedule.calendar, rules.schedule
    settings = campaign.settings
    caps = ("max_calls", "attempts_per_day", "attempts_per_week", "abandoned_rest_h", "max_tries")
    return {
        "open_now": any(rules.is_open(each, now) for each in zones),
        "closed_zones": closed_pools(rules, survey, now),
        "put_off": waiting,
        "calendar": {
            "calendar": calendar.name,
            "opens_at": None if schedule.is_open((rules.default_zone,), now) else rules.opens_at("", now),
            "ends_at": calendar.ends_at,
        }
        if calendar
        else None,
        "caps": {key: getattr(settings, key) for key in caps if getattr(settings, key)},
    }


def _resting(directory: Directory, campaign: Campaign, view: Mapping[str, Any], now: int) -> list[dict[str, Any]]:
    """The campaign's trunks that rest after trouble, from the live view."""
    own = {trunk.name for trunk in directory.trunks_of(campaign)}
    rows = [row for row in view.get("trunks", ()) if row["trunk"] in own and (row.get("rests_until") or 0) > now]
    return [{"trunk": row["trunk"], "until": row["rests_until"], "why": row.get("why_rests", "")} for row in rows]


def _binding(limit: str, behind: Mapping[str, Any]) -> tuple[str, int | None]:
    """The campaign's own rule behind the limit, and when it ends."""
    if limit == Limit.OUTSIDE_HOURS and behind["closed_zones"]:
        first = behind["closed_zones"][0]
        return first["rule"], first["opens_at"]
    if limit == Limit.NOTHING_DUE and behind["put_off"]:
        first = behind["put_off"][0]
        return first["why"], first["first_at"]
    if limit == Limit.NOTHING_DUE and behind["closed_zones"]:
        first = behind["closed_zones"][0]
        return first["rule"], first["opens_at"]
    if limit == Limit.REFUSED and behind.get("resting_trunks"):
        first = min(behind["resting_trunks"], key=lambda row: int(row["until"]))
        return f"trunk {first['trunk']} rests", first["until"]
    return "", None


# --- one contact -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactExplanation:
    """Why a contact is called or not. ``verdict`` is the sentence; ``until`` when it ends by itself."""

    contact: int
    campaign: str
    campaign_state: str
    state: str
    rank: str
    priority: int
    only: str  #: the agent (@1001) or bucket that alone may have the call
    zones: str
    verdict: str
    until: int | None
    numbers: Sequence[Mapping[str, Any]]  #: in the order in which they would be tried, those that may not last
    attempts: Sequence[Mapping[str, Any]]  #: the last ones, the newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """All that is known about the contact."""

    contact: Contact
    campaign: Campaign
    directory: Directory
    rules: DialingRules
    facts: Mapping[str, NumberFacts]
    entries: Mapping[str, Sequence[BlacklistEntry]]  #: by the number that they bar
    now: int


async def explain_contact(store: Store, clock: Clock, engine_zone: str, contact_id: int) -> ContactExplanation:
    """Why this contact is called or not. Raises NotFound."""
    case = await _case(store, clock, engine_zone, contact_id)
    contact, rules, now = case.contact, case.rules, case.now
    findings = examine(contact, rules, case.facts, now)
    ways = {number.id: _ways(case, number) for number in contact.numbers}
    callable_now = [
        f for f in in_order(contact, findings, rules, now) if any(way["usable"] for way in ways[f.number.id])
    ]
    verdict, until = _verdict(case, findings, callable_now)
    attempts = sorted((await store.contact(contact_id))["attempts"], key=lambda row: row["created_at"], reverse=True)
    return ContactExplanation(
        contact=contact.id,
        campaign=case.campaign.name,
        campaign_state=case.campaign.state.value,
        state=contact.state.value,
        rank=contact.rank.name.lower(),
        priority=contact.priority,
        only=contact.pool_bucket,
        zones=zones_words(rules, pool_zones([n.zones for n in contact.numbers], any_hour=contact.any_hour)),
        verdict=verdict,
        until=until,
        numbers=list(_numbers(case, findings, callable_now, ways)),
        attempts=[dict(row) | {"what_it_did": _did(case, row)} for row in attempts[:TOLD]],
    )


async def _case(store: Store, clock: Clock, engine_zone: str, contact_id: int) -> _Case:
    contact, now = await store.load_contact(contact_id), clock.now()
    directory = await loaded(store, engine_zone)
    campaign = directory.campaigns[contact.campaign_id]
    facts = await store.facts([number.number for number in contact.numbers], campaign.name, now)
    barred = [number for number, known in facts.items() if known.blacklisted_until]
    return _Case(
        contact=contact,
        campaign=campaign,
        directory=directory,
        rules=dialing_rules(campaign.settings, directory.calendars.get(campaign.settings.calendar), engine_zone),
        facts=facts,
        entries={number: await store.barring(number, campaign.name, now) for number in barred},
        now=now,
    )


def _did(case: _Case, attempt: Mapping[str, Any]) -> str:
    """What the attempt counts for, and the rule that decided after it."""
    disposition = attempt["disposition"]
    if not disposition:
        return "it is live"
    if attempt["uncounted"] or disposition in NOT_COUNTED:
        return "no try: nothing was learned about the number"
    if disposition == Disposition.ANSWERED:
        return "a try"
    return f"a try: retry_{disposition}={case.campaign.settings.retries[Disposition(disposition)].text}"


def _verdict(case: _Case, findings: Sequence[Finding], callable_now: Sequence[Finding]) -> tuple[str, int | None]:
    contact, now = case.contact, case.now
    if contact.state is ContactState.DONE:
        return f"it is done: {contact.end_reason or 'no reason is known'}", None
    if contact.state is ContactState.IN_CALL:
        return "it is in a call", None
    if contact.state is ContactState.HELD:
        return "the result of its last talk is awaited (astdialer contact result)", contact.held_until
    if contact.expires_at is not None and contact.expires_at <= now:
        return "it has expired", None
    if contact.pool_bucket and not case.campaign.settings.mode.needs_agents:
        return f"it is for {contact.pool_bucket} alone, and a broadcast has no agents: {UNBIND}", None
    if callable_now:
        who = f"; only {contact.pool_bucket} may have the call" if contact.pool_bucket else ""
        running = "" if case.campaign.state is CampaignState.RUNNING else f", once {case.campaign.name} runs"
        return f"it may be called now, on {callable_now[0].number.number}{running}{who}", None
    due = [finding for finding in findings if finding.at is not None and finding.at <= now]
    if due:
        return f"it waits for {_why_no_way(case, due)}", None
    if not findings:
        return "every number of it is closed", None
    first = soonest(findings, now)
    return f"it waits for {first.why}", first.at


def _why_no_way(case: _Case, findings: Sequence[Finding]) -> Why:
    if any(_ways(case, finding.number) for finding in findings):
        return Why.TRUNKS_FULL
    routes = _routes(case)
    return Why.NO_OPEN_ROUTE if any(may_lead(routes, f.number.number) for f in findings) else Why.NO_ROUTE


def _numbers(
    case: _Case,
    findings: Sequence[Finding],
    callable_now: Sequence[Finding],
    ways: Mapping[int, Sequence[Mapping[str, Any]]],
) -> Iterator[dict[str, Any]]:
    found = {finding.number.id: finding for finding in findings}
    turns = {finding.number.id: turn for turn, finding in enumerate(callable_now, 1)}
    for number in sorted(case.contact.numbers, key=lambda each: (turns.get(each.id, 999), each.position)):
        finding = found.get(number.id)
        yield {
            "number": number.number,
            "type": number.type,
            "turn": turns.get(number.id),
            "waits_for": _waits_for(case, number, finding),
            "from": finding.at if finding and (finding.at or 0) > case.now else None,
            "ways": ways[number.id],
            "blacklisted": _blacklisted(case, number),
            **_caps(case, number),
            "tries": number.tries,
            "last_disposition": number.last_disposition,
            "end_reason": number.end_reason,
        }


def _waits_for(case: _Case, number: Number, finding: Finding | None) -> str:
    """The rule in the way; empty if none is."""
    if finding is None:
        return f"nothing: it is closed ({number.end_reason})"
    if finding.why is Why.HOURS:
        return closed_by(case.rules, number.zones, case.now)
    return "" if finding.at is not None and finding.at <= case.now else finding.why.value


def _ways(case: _Case, number: Number) -> list[dict[str, Any]]:
    """Where the number would leave, the way that is tried first in front."""
    settings, trunks = case.campaign.settings, case.directory.trunks
    if settings.routes:
        found = [(way.route, way.trunk, way.digits) for way in look_up(_routes(case), number.number).ways]
    else:
        found = [("", settings.trunk, "")] if settings.trunk else []
    rows = []
    for route, name, digits in found:
        trunk = trunks.get(name)
        dial = trunk.dial_string(number.number, number.as_uploaded, digits) if trunk else ""
        rows.append({"route": route, "trunk": name, "dials": dial, "usable": bool(trunk and trunk.enabled)})
    return rows


def _routes(case: _Case) -> Sequence[Any]:
    return case.directory.routes_of(case.campaign)


def _blacklisted(case: _Case, number: Number) -> str:
    """Why the number is not dialed, in the words of the entry; empty if it may be."""
    if number.number not in case.entries:
        return ""
    entry = case.entries[number.number][0]
    return f"{entry.number}, campaign {entry.campaign}: {entry.reason or 'no reason'} ({entry.added_by})"


def _caps(case: _Case, number: Number) -> dict[str, str]:
    """Attempts of its local day and of seven days, of all campaigns, with their limits; and of its range."""
    rules, now = case.rules, case.now
    placed = case.facts.get(number.number, NO_FACTS).placed_at
    zone = rules.zones(number)[0]
    today = sum(local_day(zone, at)[0] == local_day(zone, now)[0] for at in placed)
    week = sum(at > now - WEEK_MS for at in placed)
    current = current_range(number, rules, now)
    return {
        "today": f"{today} of {rules.per_day or 'any number'}",
        "week": f"{week} of {rules.per_week or 'any number'}",
        "range": f"{current.attempts} attempts, priority {current.priority}" if current else "",
    }
