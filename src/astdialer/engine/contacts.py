"""What is said of contacts from outside: results, ends, another go, the blacklist. The use cases of CLI and HTTP.

Numbers are E.164 already. What waits for an engine is an order (ports.Order); all else holds at once.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from astdialer.domain.attempt import LATE_FACT_S
from astdialer.domain.campaign import Campaign
from astdialer.domain.cause import EndCause
from astdialer.domain.contact import (
    INVALID,
    REMOVED,
    REPLACED,
    STOPPED,
    TERMINATED,
    Contact,
    ContactState,
    NewNumber,
    Number,
    Rank,
)
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.params import CONTROL, check_params
from astdialer.domain.result import ResultRules, apply_result, due_again
from astdialer.domain.result import terminate as terminated
from astdialer.domain.retry import closed_number, ended, settle
from astdialer.domain.typification import Result
from astdialer.engine.rulebook import calendar_of, result_rules
from astdialer.ports import BlacklistEntry, Clock, Order, Store

logger = logging.getLogger(__name__)

#: The base of calls that somebody asked for outside of any list (ports.ContactStore.add_task).
TASKS = "tasks"
#: An order that no engine has taken by then, and whose answer nobody waits for, is not carried out.
ORDER_S = 30
#: A call is closed so long after its hangup: who says something about it is often quicker.
CLOSING_S, LOOK_S = LATE_FACT_S + 0.5, 0.25

#: As uploads have it, so that what comes by another way can be dialed as well.
MAX_PRIORITY = 999_999
_AGENTPHONE = re.compile(r"[A-Za-z0-9_@/-]{1,80}")


# --- results and ends ------------------------------------------------------------------------------------------------


async def result(store: Store, clock: Clock, engine_zone: str, contact_id: int, found: Result) -> Contact:
    """The contact after the awaited result of its last talk. Raises NotFound, Conflict and InvalidSetting."""
    found.validate()
    contact = await when_idle(store, clock, contact_id)
    campaign = await campaign_of(store, contact)
    rules = await rules_of(store, campaign, engine_zone)
    zone = await base_zone(store, campaign, contact)
    if zone and not found.next_number_own_zones:
        found = replace(found, next_number_zones=zone)
    now = clock.now()
    changed = await store.change_contact(contact_id, lambda c: apply_result(c, found, rules, now), now)
    said = {"contact": contact_id, "success": found.success, "description": found.description}
    logger.info("contact.result", extra=said)
    return changed


async def terminate(store: Store, clock: Clock, contact_id: int, *, hang_up: bool = False) -> Contact:
    """The contact, ended; with ``hang_up`` it may still be in a call that ends now, and the contact with it.

    Raises NotFound, and Conflict when it is done, awaits a result, or is in a call that is not to be hung up.
    """
    if hang_up and await store.end_after_call(contact_id, TERMINATED):
        await ask_engine(store, clock, "hangup_call", {"contact_id": contact_id})
        return await store.load_contact(contact_id)
    return await store.change_contact(contact_id, terminated, clock.now())


@dataclass(frozen=True, slots=True)
class Removed:
    """How many contacts are ended, and how many will be when their calls are over."""

    now: int
    after_call: int


async def remove(store: Store, clock: Clock, campaign: str, number: str) -> Removed:
    """End every open contact of the campaign with this main number. Raises NotFound."""
    chosen = await store.campaign(campaign)
    found = [c for c in await store.contacts_with(number, chosen.id) if main_number(c) == number]
    if not found:
        raise NotFound("open contact", number, f"astdialer contact list --campaign {campaign} --number {number}")
    ends = [await end_anyhow(store, clock, contact.id, REMOVED) for contact in found]
    return Removed(ends.count(True), ends.count(False))


async def end_anyhow(store: Store, clock: Clock, contact_id: int, reason: str) -> bool:
    """End a contact: now (True), or with the call that it is in. One that is done stays as it is."""

    def end(contact: Contact) -> Contact:
        is_done = contact.state is ContactState.DONE
        return contact if is_done else ended(contact, reason, EndCause.MANAGER_REQUEST)

    try:
        await store.change_contact(contact_id, end, clock.now())
    except Conflict:
        if await store.end_after_call(contact_id, reason):
            return False
        await store.change_contact(contact_id, end, clock.now())  # the call has ended between the two
    return True


# --- another go ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Respool:
    """Which contact is to be called again, and what is changed of it; None: as it is."""

    campaign: str
    number: str  #: its main number
    contact_id: int = 0  #: which it is, if that is known
    base: str = ""  #: needed only if several bases have it
    new_number: NewNumber | None = None  #: in place of its main number
    alternatives: Sequence[NewNumber] | None = None  #: in place of all others
    params: Mapping[str, str] | None = None
    priority: int | None = None
    agentphone: str | None = None  #: empty: anybody
    tries_used: int | None = None  #: every counter begins anew, at so many


async def respool(store: Store, clock: Clock, wanted: Respool) -> Contact:
    """Put a contact back that is done, or waits: due now.

    Numbers that a result stopped for good stay closed, unless they are named. Raises NotFound, InvalidSetting, and
    Conflict: in a call, a result awaited, blacklisted, no number left, several such contacts.
    """
    _check(wanted)
    campaign = await store.campaign(wanted.campaign)
    bases = await _bases(store, campaign)
    contact = await _to_respool(store, campaign, bases, wanted)
    base, now = bases[contact.base_id], clock.now()
    main = wanted.new_number.number if wanted.new_number else wanted.number
    await check_allowed(store, campaign, main, now)
    if main != wanted.number:
        await _check_free(store, contact, main)
    is_list = base["base"] != TASKS
    return await store.change_contact(
        contact.id, lambda c: respooled(c, wanted, zone=base["timezone"], is_list=is_list, now=now), now
    )


def _check(wanted: Respool) -> None:
    check_params(wanted.params or {})
    check_agent(wanted.agentphone or "")
    if wanted.priority is not None:
        check_priority(wanted.priority)
    if wanted.tries_used is not None and not 0 <= wanted.tries_used <= 999:
        raise InvalidSetting("tries_used", wanted.tries_used, "a whole number from 0 to 999")


async def _to_respool(
    store: Store, campaign: Campaign, bases: Mapping[int, Mapping[str, Any]], wanted: Respool
) -> Contact:
    """The one that is meant: lists go before tasks, and of several tasks it is the last."""
    if wanted.contact_id:
        return await store.load_contact(wanted.contact_id)
    with_it = await store.contacts_with(wanted.number, campaign.id, open_only=False)
    found = [c for c in with_it if main_number(c) == wanted.number]
    if wanted.base:
        found = [c for c in found if bases[c.base_id]["base"] == wanted.base]
    found = [c for c in found if bases[c.base_id]["base"] != TASKS] or found[-1:]
    if not found:
        where = f"base {wanted.base} of " if wanted.base else ""
        search = f"astdialer contact list --campaign {campaign.name} --number {wanted.number}"
        raise NotFound("contact with main number", wanted.number, f"none in {where}{campaign.name}: {search}")
    if len(found) > 1:
        names = ", ".join(sorted(bases[c.base_id]["base"] for c in found))
        raise Conflict(f"{wanted.number} is in several bases of {campaign.name}: {names}; say in which it is meant")
    return found[0]


async def _check_free(store: Store, contact: Contact, number: str) -> None:
    """A list has each main number once."""
    for other in await store.contacts_with(number, contact.campaign_id, open_only=False):
        if other.id != contact.id and other.base_id == contact.base_id and main_number(other) == number:
            raise Conflict(f"{number} is contact {other.id} of the same base already: respool that one")


def respooled(contact: Contact, wanted: Respool, *, zone: str, is_list: bool, now: int) -> Contact:
    """The contact as it is put back: due now. Raises Conflict when a result is awaited, or no number is left."""
    if contact.state is ContactState.HELD:
        raise Conflict(f"contact {contact.id} waits for the result of its last call")
    begins_anew = wanted.new_number is not None or wanted.tries_used is not None
    numbers = tuple(map(_zeroed, contact.numbers)) if begins_anew else contact.numbers
    contact = replace(contact, numbers=_numbers(numbers, wanted, zone))
    if not any(number.is_open for number in contact.numbers):
        raise Conflict(f"contact {contact.id}: its numbers were stopped for good; give it another one")
    expires_at = contact.expires_at
    changed = replace(
        contact,
        tries=wanted.tries_used or 0 if begins_anew else contact.tries,
        params=contact.params if wanted.params is None else wanted.params,
        priority=contact.priority if wanted.priority is None else wanted.priority,
        agentphone=contact.agentphone if wanted.agentphone is None else wanted.agentphone,
        rank=Rank.LIST if is_list else max(contact.rank, Rank.TASK),
        expires_at=None if expires_at is not None and expires_at <= now else expires_at,
        any_hour=False,
        preferred="",
        successful=False,
    )
    return settle(due_again(changed, now), "respooled")


def _zeroed(number: Number) -> Number:
    return replace(number, tally={}, range_tally={}, tries=0)


def _numbers(numbers: Sequence[Number], wanted: Respool, zone: str) -> tuple[Number, ...]:
    """The main number and its alternatives, open, and then the closed ones that have been replaced."""
    known = {number.number: number for number in numbers}

    def named(new: NewNumber) -> Number:
        number = known.get(new.number) or _added(new, zone)
        return replace(number, next_at=0, end_reason="")

    main = named(wanted.new_number) if wanted.new_number else _reopened(numbers[0])
    if wanted.alternatives is None:
        others = [_reopened(number) for number in numbers[1:]]
    else:
        others = [named(new) for new in wanted.alternatives]
    kept: dict[str, Number] = {}
    for number in (main, *others):
        kept.setdefault(number.number, number)
    dropped = [closed_number(number, REPLACED) for number in numbers if number.number not in kept]
    return tuple(replace(number, position=at) for at, number in enumerate([*kept.values(), *dropped]))


def _reopened(number: Number) -> Number:
    """Open, unless somebody took it away."""
    return number if number.end_reason in (STOPPED, REPLACED, INVALID) else replace(number, next_at=0, end_reason="")


def _added(new: NewNumber, zone: str) -> Number:
    return Number(
        id=0,
        number=new.number,
        as_uploaded=new.as_uploaded,
        type=new.type,
        position=0,
        priority=new.priority,
        description=new.description,
        zones=zone or new.zones,
    )


# --- the blacklist ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forbidden:
    """How many entries are new, how many were there and are kept, and how many contacts lost a call for them."""

    added: int
    kept: int
    withdrawn: int


async def forbid(store: Store, clock: Clock, entries: Sequence[BlacklistEntry]) -> Forbidden:
    """Never dial these numbers, or not until the entry ends; what waits for them is withdrawn."""
    listed = await store.add_to_blacklist(entries)
    return Forbidden(listed.added, listed.kept, await store.withdraw(entries, clock.now()))


def number_and_reason(line: str) -> tuple[str, str]:
    """A line of a list: the number, and behind a comma or semicolon its reason, on one line whatever is in it."""
    number, _, reason = line.strip().replace(";", ",").partition(",")
    return number, CONTROL.sub(" ", reason).strip()


async def check_allowed(store: Store, campaign: Campaign, number: str, at: int) -> None:
    """Raises Conflict when the number is blacklisted at that instant."""
    if await store.is_blacklisted(number, campaign.name, at):
        raise Conflict(f"{number} is blacklisted: astdialer blacklist check {number} --campaign {campaign.name}")


# --- what they share -------------------------------------------------------------------------------------------------


async def when_idle(store: Store, clock: Clock, contact_id: int) -> Contact:
    """The contact, once a call of it that is just ending is closed; still in its call if that takes too long."""
    give_up_at = clock.now() + round(CLOSING_S * 1000)
    contact = await store.load_contact(contact_id)
    while contact.state is ContactState.IN_CALL and clock.now() < give_up_at:
        await clock.sleep(LOOK_S)
        contact = await store.load_contact(contact_id)
    return contact


async def ask_engine(store: Store, clock: Clock, kind: str, body: Mapping[str, Any]) -> str:
    """Give the running engine an order without waiting for its answer (orders.ask does that); its id."""
    now, order_id = clock.now(), str(uuid.uuid4())
    await store.give_order(Order(id=order_id, kind=kind, body=body, created_at=now, expires_at=now + ORDER_S * 1000))
    return order_id


async def campaign_of(store: Store, contact: Contact) -> Campaign:
    """The contact's campaign."""
    return next(campaign for campaign in await store.campaigns() if campaign.id == contact.campaign_id)


async def rules_of(store: Store, campaign: Campaign, engine_zone: str) -> ResultRules:
    """What of the campaign decides about results. Raises Conflict when its calendar is gone."""
    calendars = {calendar.name: calendar for calendar in await store.calendars()}
    return result_rules(campaign.settings, calendar_of(campaign, calendars), engine_zone)


async def _bases(store: Store, campaign: Campaign) -> Mapping[int, Mapping[str, Any]]:
    return {row["id"]: row for row in await store.bases(campaign.id)}


async def base_name(store: Store, contact: Contact) -> str:
    """The base that the contact is in."""
    return str((await _bases(store, await campaign_of(store, contact)))[contact.base_id]["base"])


async def base_zone(store: Store, campaign: Campaign, contact: Contact) -> str:
    """The zone of the base that the contact is in; empty: the base has none."""
    return str((await _bases(store, campaign))[contact.base_id]["timezone"])


def shown(at: int) -> str:
    """An instant for messages."""
    return datetime.fromtimestamp(at / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def main_number(contact: Contact) -> str:
    """The number that the contact is known by, E.164."""
    return contact.numbers[0].number


def check_priority(priority: int) -> None:
    """Raises InvalidSetting."""
    if not 1 <= priority <= MAX_PRIORITY:
        raise InvalidSetting("priority", priority, f"a whole number from 1 to {MAX_PRIORITY}, smaller first")


def check_agent(agent: str, key: str = "agent") -> None:
    """Raises InvalidSetting unless it is empty, or can be an extension or interface."""
    if agent and not _AGENTPHONE.fullmatch(agent):
        raise InvalidSetting(key, agent, "letters, digits or _ - @ /, 80 at most, such as 1001")
