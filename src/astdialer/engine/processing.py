"""What a call centre says of an attempt and of a contact: the use cases behind domain/processing.py."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

from astdialer.domain.contact import Contact, ContactState
from astdialer.domain.errors import Conflict, InvalidSetting
from astdialer.domain.params import check_params
from astdialer.domain.processing import Change, Keep, Report, changed, reported
from astdialer.domain.typification import LONGEST_NEXT_S
from astdialer.engine.contacts import (
    campaign_of,
    check_agent,
    check_priority,
    end_anyhow,
    rules_of,
    shown,
    when_idle,
)
from astdialer.ports import Clock, Store

logger = logging.getLogger(__name__)


async def report(store: Store, clock: Clock, engine_zone: str, found: Report) -> Contact:
    """The contact after the report on its last attempt. Raises NotFound, Conflict and InvalidSetting."""
    check_agent(found.agent)
    _check_time("min_offering_at", found.next_at, clock.now())
    _check_pause(found.retry_s)
    contact_id = await store.contact_of_attempt(found.attempt_id)
    contact = await when_idle(store, clock, contact_id)
    _check_params({**contact.params, **found.params})
    rules = await rules_of(store, await campaign_of(store, contact), engine_zone)
    now = clock.now()
    after = await store.change_contact(contact_id, partial(reported, report=found, rules=rules, now=now), now)
    said = {"contact": contact_id, "status": found.status, "description": found.description}
    logger.info("contact.reported", extra=said)
    return after


async def change(store: Store, clock: Clock, contact_id: int, wanted: Change) -> Contact:
    """The contact, changed; in a call it can only be ended, with it. Raises NotFound, Conflict and InvalidSetting."""
    now = clock.now()
    _check(wanted, now)
    contact = await store.load_contact(contact_id)
    if wanted.params:
        _check_params({name: value for name, value in {**contact.params, **wanted.params}.items() if value})
    if contact.state is ContactState.IN_CALL and isinstance(wanted.stop, str) and wanted.stop:
        if wanted != Change(stop=wanted.stop):
            raise Conflict(f"contact {contact_id} is in a call: only stop_cause can be said now")
        await end_anyhow(store, clock, contact_id, wanted.stop)
        return await store.load_contact(contact_id)
    return await store.change_contact(contact_id, partial(changed, change=wanted, now=now), now)


def _check(wanted: Change, now: int) -> None:
    if not isinstance(wanted.priority, Keep):
        check_priority(wanted.priority)
    if not isinstance(wanted.agent, Keep):
        check_agent(wanted.agent)
    if not isinstance(wanted.tries, Keep) and not 0 <= wanted.tries <= 999:
        raise InvalidSetting("attempts", wanted.tries, "a whole number from 0 to 999")
    _check_time("min_offering_at", wanted.next_at if isinstance(wanted.next_at, int) else None, now)


def _check_params(params: Mapping[str, str]) -> None:
    try:
        check_params(params)
    except InvalidSetting as error:
        raise InvalidSetting("variables", error.value, error.expected) from None


def _check_time(key: str, at: int | None, now: int) -> None:
    if at is not None and at > now + LONGEST_NEXT_S * 1000:
        raise InvalidSetting(key, shown(at), f"a time within {LONGEST_NEXT_S // 86_400} days")


def _check_pause(pause_s: int | None) -> None:
    if pause_s is not None and not 0 <= pause_s <= LONGEST_NEXT_S:
        raise InvalidSetting("wait_between_retries", pause_s, f"0 to {LONGEST_NEXT_S} seconds")
