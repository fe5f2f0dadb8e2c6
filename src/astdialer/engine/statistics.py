"""Figures by day: of campaigns, trunks and agents, and the abandonment rate as the regulator measures it.

A day is a local one of the campaign. Days are kept whatever is zeroed: the law asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from astdialer.domain.calendar import local_day
from astdialer.domain.campaign import ACTIVE, Campaign
from astdialer.domain.disposition import PERSON_REACHED, Disposition
from astdialer.domain.errors import Conflict
from astdialer.engine.campaigns import SOMEBODY, entry
from astdialer.engine.rulebook import zone_of_campaign
from astdialer.ports import Clock, Store

#: Over how many days the abandonment rate is taken: 47 CFR 64.1200(a)(7).
WINDOW_DAYS = 30

#: Somebody, or something, took the call.
_PICKED_UP = PERSON_REACHED | {Disposition.MACHINE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandonment:
    """Persons who answered, and those of them who met no agent in time. ``rate`` is 0 to 1, None before the first."""

    from_day: str
    days: Sequence[Mapping[str, Any]]  #: ``day``, ``people``, ``abandoned``, ``rate``, the oldest first
    people: int
    abandoned: int
    rate: float | None


async def campaign_days(store: Store, clock: Clock, engine_zone: str, name: str, days: int) -> Sequence[dict[str, Any]]:
    """Each of the last days with any attempt: ``day``, ``attempts``, ``people``, and every disposition. Raises
    NotFound."""
    campaign = await store.campaign(name)
    found = await store.days(campaign.id, first_day(await zone_of(store, campaign, engine_zone), clock.now(), days))
    by_day: dict[str, dict[str, int]] = {}
    for row in found:
        by_day.setdefault(row["day"], {})[row["disposition"]] = row["n"]
    return [{"day": day} | _figures(counts) for day, counts in sorted(by_day.items())]


async def trunk_totals(store: Store, clock: Clock, engine_zone: str, days: int) -> Sequence[dict[str, Any]]:
    """Of each trunk over the last days: ``trunk``, ``attempts``, ``picked_up`` of them (0 to 1), every disposition."""
    by_trunk: dict[str, dict[str, int]] = {}
    for row in await store.trunk_days(first_day(engine_zone, clock.now(), days)):
        counts = by_trunk.setdefault(row["trunk"], {})
        counts[row["disposition"]] = counts.get(row["disposition"], 0) + row["n"]
    return [{"trunk": trunk} | _figures(counts) for trunk, counts in sorted(by_trunk.items())]


async def agent_totals(store: Store, clock: Clock, engine_zone: str, days: int) -> Sequence[dict[str, Any]]:
    """Of each agent and campaign over the last days: ``offered``, ``answered``, ``talk_s``, ``average_talk_s``."""
    totals: dict[tuple[str, str], dict[str, Any]] = {}
    for row in await store.agent_days(first_day(engine_zone, clock.now(), days)):
        key = (row["agent"], row["campaign"])
        total = totals.setdefault(
            key, {"agent": key[0], "campaign": key[1], "offered": 0, "answered": 0, "talk_s": 0.0}
        )
        for figure in ("offered", "answered", "talk_s"):
            total[figure] += row[figure]
    for total in totals.values():
        total["average_talk_s"] = round(total["talk_s"] / total["answered"], 1) if total["answered"] else None
    return [totals[key] for key in sorted(totals)]


async def abandonment(store: Store, clock: Clock, engine_zone: str, name: str) -> Abandonment:
    """The campaign's abandonment of the last 30 days, by day and over all. Raises NotFound."""
    return await abandonment_of(store, clock, engine_zone, await store.campaign(name))


async def abandonment_of(store: Store, clock: Clock, engine_zone: str, campaign: Campaign) -> Abandonment:
    """As abandonment()."""
    from_day = first_day(await zone_of(store, campaign, engine_zone), clock.now(), WINDOW_DAYS)
    rows = await store.abandonment(campaign.id, from_day)
    people, abandoned = sum(row["people"] for row in rows), sum(row["abandoned"] for row in rows)
    return Abandonment(
        from_day=from_day,
        days=[dict(row) | {"rate": _rate(row["abandoned"], row["people"])} for row in rows],
        people=people,
        abandoned=abandoned,
        rate=_rate(abandoned, people),
    )


async def reset(store: Store, clock: Clock, engine_zone: str, name: str, *, done_by: str = SOMEBODY) -> None:
    """Zero the campaign's totals; its days stay. Raises NotFound, and Conflict while it is active."""
    campaign = await store.campaign(name)
    if campaign.state in ACTIVE:
        raise Conflict(f"{name} is {campaign.state.value}: stop it first (astdialer campaign stop {name})")
    day, _ = local_day(await zone_of(store, campaign, engine_zone), clock.now())
    await store.zero_statistics(campaign.id, day.isoformat(), entry(clock, "zeroed", "by hand", done_by=done_by))


async def zone_of(store: Store, campaign: Campaign, engine_zone: str) -> str:
    """The zone of the campaign's days."""
    calendars = {calendar.name: calendar for calendar in await store.calendars()}
    return zone_of_campaign(campaign.settings, calendars.get(campaign.settings.calendar), engine_zone)


def first_day(zone: str, now: int, days: int) -> str:
    """The first of the last ``days`` local days, today among them, as YYYY-MM-DD."""
    today, _ = local_day(zone, now)
    return (today - timedelta(days=days - 1)).isoformat()


def total(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of several days together."""
    counts: dict[str, int] = {}
    for row in rows:
        for disposition in Disposition:
            counts[disposition] = counts.get(disposition, 0) + row[disposition]
    return _figures(counts)


def _figures(counts: Mapping[str, int]) -> dict[str, Any]:
    attempts = sum(counts.values())
    picked_up = sum(counts.get(disposition, 0) for disposition in _PICKED_UP)
    return {
        "attempts": attempts,
        "people": sum(counts.get(disposition, 0) for disposition in PERSON_REACHED),
        "picked_up": _rate(picked_up, attempts),
        **{str(disposition): counts.get(disposition, 0) for disposition in Disposition},
    }


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
