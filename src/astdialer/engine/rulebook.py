"""A campaign's settings, with its calendar, as the rules that the domain decides by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from astdialer.domain.calendar import Schedule, WorkingCalendar
from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import Conflict
from astdialer.domain.ranges import parse_ranges
from astdialer.domain.result import ResultRules
from astdialer.domain.retry import RedialRules
from astdialer.domain.selection import HOUR_MS, DialingRules
from astdialer.domain.settings import Settings


def calendar_of(campaign: Campaign, calendars: Mapping[str, WorkingCalendar]) -> WorkingCalendar | None:
    """The campaign's working calendar, None if it has none. Raises Conflict when it is gone."""
    name = campaign.settings.calendar
    if not name:
        return None
    if name not in calendars:
        raise Conflict(f"there is no calendar {name!r}: astdialer calendar create {name}, or set calendar=")
    return calendars[name]


def zone_of_campaign(settings: Settings, calendar: WorkingCalendar | None, engine_zone: str) -> str:
    """The zone of numbers that have none of their own."""
    return settings.timezone or (calendar.timezone if calendar else "") or engine_zone


@lru_cache(maxsize=512)
def dialing_rules(settings: Settings, calendar: WorkingCalendar | None, engine_zone: str) -> DialingRules:
    """When a number may be dialed."""
    return DialingRules(
        schedule=Schedule(window=settings.window, calendar=calendar),
        default_zone=zone_of_campaign(settings, calendar, engine_zone),
        require_zone=settings.require_zone,
        ranges=parse_ranges(settings.ranges),
        retries_by_number=settings.retries_by_number,
        number_strategy=settings.number_strategy,
        per_day=settings.attempts_per_day,
        per_week=settings.attempts_per_week,
        abandoned_rest_ms=settings.abandoned_rest_h * HOUR_MS,
    )


@lru_cache(maxsize=512)
def redial_rules(settings: Settings, calendar: WorkingCalendar | None, engine_zone: str) -> RedialRules:
    """What an attempt does to its number and its contact."""
    return RedialRules(
        retries=settings.retries,
        causes=settings.cause_rules,
        interval_s=settings.retry_interval_s,
        max_tries=settings.max_tries,
        number_tries=settings.max_tries_per_number,
        ranges=parse_ranges(settings.ranges),
        retries_by_number=settings.retries_by_number,
        one_day=settings.one_day_task,
        default_zone=zone_of_campaign(settings, calendar, engine_zone),
        # A broadcast has nobody who could give a result (Webitel forces it off).
        hold_s=settings.result_timeout_s if settings.wait_for_result and settings.mode.needs_agents else 0,
    )


def result_rules(settings: Settings, calendar: WorkingCalendar | None, engine_zone: str) -> ResultRules:
    """What a result from outside does to its contact."""
    return ResultRules(
        redial=redial_rules(settings, calendar, engine_zone),
        retry_s=settings.result_retry_s,
        timeout_counts=settings.result_timeout_counts,
    )
