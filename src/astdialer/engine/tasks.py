"""Calls that somebody asks for outside of any list: at a time, as soon as possible, or at once by an agent.

uContact's DialerTask and ScheduleDialerCall (source-systems.md 4.2). Numbers are E.164 already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.cause import EndCause
from astdialer.domain.contact import DEFAULT_PRIORITY, REMOVED, Contact, ContactState, NewContact, NewNumber, Rank
from astdialer.domain.errors import Conflict, InvalidSetting
from astdialer.domain.params import check_params
from astdialer.domain.retry import ended
from astdialer.domain.typification import LONGEST_NEXT_S
from astdialer.engine import orders
from astdialer.engine.contacts import (
    Respool,
    check_agent,
    check_allowed,
    check_priority,
    main_number,
    respooled,
    shown,
)
from astdialer.ports import Clock, NewTask, Store

#: What uContact gives to calls that somebody asks for; smaller is dialed first.
TASK_PRIORITY = 1
#: Scheduled calls that one removal ends at most.
MOST_REMOVED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The call that is asked for. Without a date it is ``automatic`` (the dialer's, as soon as possible), ``bulk``
    (an entry of a list), or neither (the agent makes it at once)."""

    campaign: str
    numbers: Sequence[NewNumber]  #: the main one first
    at: int | None = None
    agent: str = ""  #: who alone may have it
    params: Mapping[str, str] = field(default_factory=dict)
    automatic: bool = True
    bulk: bool = False
    any_hour: bool = False  #: it was promised for its time, calling window or not
    priority: int | None = None

    @property
    def number(self) -> str:
        """The main number."""
        return self.numbers[0].number

    @property
    def rank(self) -> Rank:
        """What goes before what."""
        if self.at is not None:
            return Rank.DATED
        return Rank.TASK if self.automatic else Rank.LIST


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What has become of a wish."""

    contact_id: int
    guid: str = ""  #: of the call that the agent makes now
    words: str = ""  #: what whoever asked should know


async def add(store: Store, clock: Clock, wish: Wish) -> Added:
    """Take up a wish. The same one again (number, time, agent) is no second call.

    Raises NotFound, InvalidSetting, Conflict when its number is blacklisted or the engine can't do it, and Unavailable
    when an agent is to call at once and no engine answers.
    """
    now = clock.now()
    _check(wish, now)
    campaign = await store.campaign(wish.campaign)
    await check_allowed(store, campaign, wish.number, max(now, wish.at or 0))
    if wish.rank is Rank.LIST and not wish.bulk:
        return await _by_hand(store, clock, wish)
    contact_id, words = await _kept(store, clock, campaign, wish)
    return Added(contact_id=contact_id, words="; ".join(filter(None, (words, _past(wish, now), _at_rest(campaign)))))


async def _by_hand(store: Store, clock: Clock, wish: Wish) -> Added:
    """The agent calls at once; returns when its telephone is being rung."""
    body = {
        "campaign": wish.campaign,
        "agent": wish.agent,
        "number": wish.number,
        "zones": wish.numbers[0].zones,
        "data": dict(wish.params),
    }
    made = await orders.ask(store, clock, "agent_call", body)
    return Added(contact_id=made["contact_id"], guid=made["guid"])


def _check(wish: Wish, now: int) -> None:
    check_params(wish.params)
    check_agent(wish.agent)
    if wish.priority is not None:
        check_priority(wish.priority)
    if wish.at is not None:
        check_time(wish.at, now)
    elif wish.any_hour:
        raise InvalidSetting("promised", True, "a time that it was promised for")
    elif not wish.automatic and not wish.bulk and not wish.agent:
        raise InvalidSetting("agent", "", "the agent who makes the call, such as 1001")


def check_time(at: int, now: int) -> None:
    """Raises InvalidSetting when a call is wanted further ahead than anybody means."""
    if at > now + LONGEST_NEXT_S * 1000:
        raise InvalidSetting("at", shown(at), f"a time within {LONGEST_NEXT_S // 86_400} days")


def _past(wish: Wish, now: int) -> str:
    return "its time has passed: it is due now" if wish.at is not None and wish.at <= now else ""


def _at_rest(campaign: Campaign) -> str:
    if campaign.state is CampaignState.RUNNING:
        return ""
    return f"{campaign.name} is {campaign.state.value}, and calls nobody until astdialer campaign start {campaign.name}"


async def _kept(store: Store, clock: Clock, campaign: Campaign, wish: Wish) -> tuple[int, str]:
    """The contact of the wish, and what there is to say of it."""
    now = clock.now()
    added = await store.add_task(_new(campaign, wish), now, lambda contact, listed: _again(contact, listed, wish, now))
    if added.is_new:
        return added.contact_id, ""
    if wish.rank is Rank.LIST:
        return added.contact_id, "it was in the list already, and begins anew"
    return added.contact_id, "it was asked for already: it is one call, with the newer data"


def _again(contact: Contact, listed: bool, wish: Wish, now: int) -> Contact | None:
    """The contact of the same wish as it is now, if this is the one that it was taken up for before. A list has each
    main number once, called or not. Raises Conflict when a result is awaited, or no number is left."""
    if contact.rank is not wish.rank or main_number(contact) != wish.number:
        return None
    if wish.rank is Rank.LIST:
        return respooled(contact, _anew(wish), zone="", is_list=True, now=now) if listed else None
    return replace(contact, params=dict(wish.params)) if _is_untouched(contact, wish) else None


def _is_untouched(contact: Contact, wish: Wish) -> bool:
    idle = contact.state in (ContactState.READY, ContactState.WAITING) and not contact.last_call_at
    return idle and contact.agentphone == wish.agent and contact.numbers[0].next_at == (wish.at or 0)


def _new(campaign: Campaign, wish: Wish) -> NewTask:
    usual = DEFAULT_PRIORITY if wish.rank is Rank.LIST else TASK_PRIORITY
    contact = NewContact(
        numbers=_each_once(wish.numbers),
        params=wish.params,
        priority=usual if wish.priority is None else wish.priority,
        agentphone=wish.agent,
        line=0,
        rank=wish.rank,
        not_before=wish.at,
        any_hour=wish.any_hour,
    )
    return NewTask(campaign_id=campaign.id, contact=contact, zone="")


def _each_once(numbers: Sequence[NewNumber]) -> tuple[NewNumber, ...]:
    found: dict[str, NewNumber] = {}
    for number in numbers:
        found.setdefault(number.number, number)
    return tuple(found.values())


def _anew(wish: Wish) -> Respool:
    return Respool(
        campaign=wish.campaign,
        number=wish.number,
        alternatives=wish.numbers[1:],
        params=dict(wish.params),
        priority=wish.priority,
        agentphone=wish.agent,
        tries_used=0,
    )


async def scheduled(
    store: Store,
    campaign: str,
    number: str | None = None,
    *,
    from_at: int | None = None,
    to_at: int | None = None,
    limit: int = 1000,
    after: tuple[int, int] | None = None,
) -> Sequence[Contact]:
    """The campaign's dated calls that are still to be made, by their time; ``after``: those behind the one of this
    time and id. Raises NotFound."""
    chosen = await store.campaign(campaign)
    return await store.scheduled(chosen.id, number=number, from_at=from_at, to_at=to_at, limit=limit, after=after)


def due_at(contact: Contact) -> int | None:
    """The time of a dated call. One that is ready has no time of its own any more: its numbers still have it."""
    return contact.next_at or min((n.next_at for n in contact.numbers if n.next_at is not None), default=None)


async def remove(
    store: Store, clock: Clock, campaign: str, number: str, *, from_at: int | None = None, to_at: int | None = None
) -> int:
    """End the dated calls to a main number between two times (the second one excluded); how many. Raises NotFound."""
    found = await scheduled(store, campaign, number, from_at=from_at, to_at=to_at, limit=MOST_REMOVED)
    return sum([await _ended(store, clock, c) for c in found if main_number(c) == number])


async def _ended(store: Store, clock: Clock, contact: Contact) -> bool:
    """Whether it was still to be called: it may have become a live call since it was found."""

    def end(now: Contact) -> Contact:
        if now.state not in (ContactState.READY, ContactState.WAITING):
            raise Conflict(f"contact {now.id} is {now.state.value} already")
        return ended(now, REMOVED, EndCause.MANAGER_REQUEST)

    try:
        await store.change_contact(contact.id, end, clock.now())
    except Conflict:
        return False
    return True
