"""What an agent, or an outside system, makes of a talk: uContact's DispositionCall (source-systems.md 4.2 and 4.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from astdialer.domain.campaign import Campaign
from astdialer.domain.cause import EndCause
from astdialer.domain.contact import BLACKLISTED, FOR_GOOD, REMOVED, TERMINATED, Contact, ContactState, NewNumber, Rank
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.result import ResultRules, apply_result, due_again
from astdialer.domain.retry import ended, exhausted, settle, succeeded
from astdialer.domain.typification import MOST_LEVELS, Action, Outcome, Result, find, parse_outcomes
from astdialer.engine import tags, tasks
from astdialer.engine.contacts import (
    ask_engine,
    forbid,
    main_number,
    rules_of,
    shown,
    when_idle,
)
from astdialer.ports import BlacklistEntry, Clock, Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen, for which call: by its guid, the last one of a contact, or the last one to a number."""

    campaign: str
    levels: Sequence[str]
    guid: str = ""
    contact_id: int = 0
    number: str = ""  #: E.164; needed only without guid and contact
    agent: str = ""
    comment: str = ""
    at: int | None = None  #: when to call again
    to_campaign: str = ""  #: which is to do so; empty: as the outcome says, else its own
    promised: bool = False  #: the agent promised that time, calling window or not
    tag: str = ""  #: in place of the outcome's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What came of it."""

    outcome: Outcome
    contact: Contact
    task_id: int | None = None  #: the new contact in another campaign
    words: str = ""  #: what whoever chose should know


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """Everything that decides what becomes of the contact."""

    choice: Choice
    campaign: Campaign
    outcome: Outcome
    called: str  #: the number of the call
    guid: str  #: of the call; empty: the contact was never called
    rules: ResultRules
    now: int

    @property
    def text(self) -> str:
        """The outcome in one line."""
        return "|".join(self.outcome.levels)

    @property
    def tag(self) -> str:
        return self.choice.tag or self.outcome.tag

    @property
    def target(self) -> str:
        """The campaign that is to call again."""
        return self.choice.to_campaign or self.outcome.argument or self.campaign.name


async def choose(store: Store, clock: Clock, engine_zone: str, choice: Choice) -> Chosen:
    """Do what the outcome of these levels does.

    Raises NotFound for campaign, call and outcome; InvalidSetting when something is missing; Conflict when none of its
    numbers is left, and while the call goes on: then only a number is blacklisted, and the call tagged.
    """
    campaign = await store.campaign(choice.campaign)
    outcome = _outcome(campaign, choice)
    _check(choice, outcome, clock.now())
    contact, called, guid = await _call(store, campaign, choice)
    contact = await when_idle(store, clock, contact.id)
    rules = await rules_of(store, campaign, engine_zone)
    now = clock.now()
    case = _Case(choice=choice, campaign=campaign, outcome=outcome, called=called, guid=guid, rules=rules, now=now)
    said = {"contact": contact.id, "outcome": case.text, "agent": choice.agent, "comment": choice.comment}
    logger.info("contact.outcome", extra=said)
    if outcome.action is Action.BLACKLIST:
        await forbid(store, clock, await _entries(store, case))
    chosen = await _done(store, clock, contact, case)
    if case.guid:
        await store.tag_call(case.guid, case.tag)
    return chosen


async def _done(store: Store, clock: Clock, contact: Contact, case: _Case) -> Chosen:
    if contact.state is ContactState.IN_CALL:
        return await _during_call(store, clock, contact, case)
    if case.outcome.action is Action.RESCHEDULE and case.target != case.campaign.name:
        return await _handed_over(store, clock, contact, case)
    changed = await store.change_contact(contact.id, _change(case), case.now)
    return Chosen(outcome=case.outcome, contact=changed, words=_past(case))


def _outcome(campaign: Campaign, choice: Choice) -> Outcome:
    levels = [level.strip() for level in choice.levels]
    if not levels or not levels[0] or len(levels) > MOST_LEVELS:
        raise InvalidSetting("level 1", "|".join(levels), f"one to {MOST_LEVELS} levels, the first one not empty")
    return find(parse_outcomes(campaign.settings.outcomes), *levels)


def _check(choice: Choice, outcome: Outcome, now: int) -> None:
    if not choice.guid and not choice.contact_id and not choice.number:
        raise InvalidSetting("guid", "", "the call's guid, or the number that was called")
    if outcome.action is Action.RESCHEDULE:
        if choice.at is None:
            raise InvalidSetting("schedule", "", "when to call again: this outcome needs a time")
        tasks.check_time(choice.at, now)


async def _call(store: Store, campaign: Campaign, choice: Choice) -> tuple[Contact, str, str]:
    """The contact, the number that was called, and the call's guid, if there was one. Raises NotFound."""
    if choice.contact_id:
        return await _last_call_of(store, choice.contact_id)
    if not choice.guid:
        contact = await _last_called(store, campaign, choice.number)
        return contact, choice.number, await tags.last_call(store, contact.id, choice.number)
    contact = await store.load_contact(await store.contact_of_attempt(choice.guid))
    if contact.campaign_id != campaign.id:
        raise NotFound("call", choice.guid, f"it is none of {campaign.name}'s")
    attempts = (await store.contact(contact.id))["attempts"]
    return contact, next(row["number"] for row in attempts if row["id"] == choice.guid), choice.guid


async def _last_call_of(store: Store, contact_id: int) -> tuple[Contact, str, str]:
    """The contact, and its last call's number and guid; its main number if it was never called."""
    attempts = (await store.contact(contact_id))["attempts"]
    contact = await store.load_contact(contact_id)
    return (contact, attempts[-1]["number"], attempts[-1]["id"]) if attempts else (contact, main_number(contact), "")


async def _last_called(store: Store, campaign: Campaign, number: str) -> Contact:
    """Of several contacts with the number the one in a call, else the one that was called last."""
    found = await store.contacts_with(number, campaign.id, open_only=False)
    if not found:
        raise NotFound("contact with number", number, f"none in {campaign.name}")
    return max(found, key=lambda c: (c.state is ContactState.IN_CALL, c.last_call_at, c.id))


async def _entries(store: Store, case: _Case) -> list[BlacklistEntry]:
    """For the campaign, or for all: where it belongs to a tenant, those are the tenant's."""
    comment, tenant = case.choice.comment, case.campaign.tenant
    names = [case.outcome.argument or case.campaign.name]
    if case.outcome.argument and tenant:
        names = [campaign.name for campaign in await store.campaigns() if campaign.tenant == tenant]
    entry = BlacklistEntry(
        number=case.called,
        campaign=names[0],
        reason=f"{case.text}: {comment}" if comment else case.text,
        added_by=case.choice.agent,
        added_at=case.now,
    )
    return [replace(entry, campaign=name) for name in names]


async def _during_call(store: Store, clock: Clock, contact: Contact, case: _Case) -> Chosen:
    """Only what need not wait for what came of the call. Raises Conflict for all else."""
    action = case.outcome.action
    is_barred = action is Action.BLACKLIST and await store.end_after_call(contact.id, BLACKLISTED)
    if action is not Action.TAG and not is_barred:
        raise Conflict(f"contact {contact.id} is in a call: choose {case.text!r} again when that has ended")
    await ask_engine(store, clock, "tag_contact", {"contact_id": contact.id, "tag": case.tag})
    words = "it is done when its call has ended" if is_barred else ""
    return Chosen(outcome=case.outcome, contact=contact, words=words)


async def _handed_over(store: Store, clock: Clock, contact: Contact, case: _Case) -> Chosen:
    """Another campaign calls again; this one does not. The call is kept first: a crash between the two loses none."""
    _check_may(contact, case)
    if case.campaign.tenant not in ("", (await store.campaign(case.target)).tenant):
        raise NotFound("campaign", case.target)
    choice = case.choice
    wish = tasks.Wish(
        campaign=case.target,
        numbers=_numbers(contact, case.called),
        at=choice.at,
        agent=contact.agentphone,
        params=contact.params,
        any_hour=choice.promised,
    )
    added = await tasks.add(store, clock, wish)
    changed = await store.change_contact(contact.id, _change(case), case.now)
    return Chosen(outcome=case.outcome, contact=changed, task_id=added.contact_id, words=added.words)


def _numbers(contact: Contact, called: str) -> list[NewNumber]:
    """What of its numbers may be called, the one that was reached first."""
    usable = [n for n in contact.numbers if n.end_reason not in FOR_GOOD]
    if not usable:
        raise Conflict(f"contact {contact.id}: none of its numbers may be called again")
    return [
        NewNumber(
            number=n.number,
            as_uploaded=n.as_uploaded,
            type=n.type,
            priority=n.priority,
            description=n.description,
            zones=n.zones,
        )
        for n in sorted(usable, key=lambda n: n.number != called)
    ]


def _past(case: _Case) -> str:
    at = case.choice.at
    due = case.outcome.action is Action.RESCHEDULE and at is not None and at <= case.now
    return "its time has passed: it is due now" if due else ""


# --- what becomes of the contact -------------------------------------------------------------------------------------


def _change(case: _Case) -> Callable[[Contact], Contact]:
    def change(contact: Contact) -> Contact:
        _check_may(contact, case)
        return replace(_CHANGES[case.outcome.action](contact, case), tag=case.tag)

    return change


def _check_may(contact: Contact, case: _Case) -> None:
    """Raises Conflict for a word about an older call than the one whose result is awaited, and for one that would
    bring back whom somebody has taken out."""
    guid, action = case.choice.guid, case.outcome.action
    if action is not Action.TAG and contact.held and guid and contact.held.attempt_id != guid:
        raise Conflict(f"contact {contact.id} has been called again since: {contact.held.attempt_id} is its last call")
    if action in (Action.RETRY, Action.RESCHEDULE) and contact.end_reason in (TERMINATED, REMOVED):
        raise Conflict(f"contact {contact.id} is not to be called any more: it was {contact.end_reason}")


def _success(contact: Contact, case: _Case) -> Contact:
    return succeeded(_reopened(contact, case.called), case.text)


def _close(contact: Contact, case: _Case) -> Contact:
    closed = ended(_reopened(contact, case.called), case.text, EndCause.MANAGER_REQUEST)
    return replace(closed, successful=False)


def _blacklisted(contact: Contact, case: _Case) -> Contact:
    closed = ended(_reopened(contact, case.called), BLACKLISTED, EndCause.NO_COMMUNICATIONS)
    return replace(closed, successful=False)


def _retry(contact: Contact, case: _Case) -> Contact:
    """As the call's own result says, if it says so; a talk was its end, and is none any more."""
    if contact.state is ContactState.HELD:
        return apply_result(contact, Result(success=False), case.rules, case.now)
    if contact.state is not ContactState.DONE:
        return contact
    again = due_again(_reopened(contact, case.called), case.now + case.rules.retry_s * 1000)
    settled = settle(replace(again, successful=False), contact.end_reason, EndCause.NO_COMMUNICATIONS)
    return exhausted(settled, case.rules.redial, case.now)


def _reschedule(contact: Contact, case: _Case) -> Contact:
    at = case.choice.at
    assert at is not None  # _check
    if case.target != case.campaign.name:
        return _close(contact, case)
    if contact.expires_at is not None and contact.expires_at <= at:
        expected = f"a time before the contact expires, which is {shown(contact.expires_at)}"
        raise InvalidSetting("schedule", shown(at), expected)
    again = due_again(_reopened(contact, case.called), at)
    if not any(number.is_open for number in again.numbers):
        raise Conflict(f"contact {contact.id}: none of its numbers may be called again")
    dated = replace(again, rank=Rank.DATED, any_hour=case.choice.promised, preferred=case.called, successful=False)
    return settle(dated, case.text)


def _same(contact: Contact, _case: _Case) -> Contact:
    return contact


_CHANGES: dict[Action, Callable[[Contact, _Case], Contact]] = {
    Action.SUCCESS: _success,
    Action.CLOSE: _close,
    Action.RETRY: _retry,
    Action.RESCHEDULE: _reschedule,
    Action.BLACKLIST: _blacklisted,
    Action.TAG: _same,
}


def _reopened(contact: Contact, called: str) -> Contact:
    """Open what the end of the contact has closed, and the number of the call; what was closed before stays so."""
    if contact.state is not ContactState.DONE:
        return contact

    def was_open(end_reason: str, number: str) -> bool:
        return end_reason not in FOR_GOOD and (number == called or end_reason == contact.end_reason)

    numbers = tuple(
        replace(n, next_at=0, end_reason="") if was_open(n.end_reason, n.number) else n for n in contact.numbers
    )
    return replace(contact, numbers=numbers)
