"""What agents make of a talk, and what it does to the contact, against the real store."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from use_case_hands import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    UTC,
    Clock,
    campaign,
    dial,
    entry,
    hang_up,
    number,
    person,
    phone,
    talk,
)

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import ContactState, Rank
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.typification import Result
from astdialer.engine import contacts, outcomes, tasks
from astdialer.engine.outcomes import Choice, Chosen
from astdialer.ports import Store
from astdialer.store import open_store

S = ContactState
OUTCOMES = (
    "Sale=success;No|Price|Too high=close;Busy=retry;Later=reschedule;Elsewhere=reschedule:care;"
    "Stop=blacklist;Stop|All=blacklist:*;Note=tag;Marked=tag:seen"
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db", clock) as opened:
        yield opened


@pytest.fixture
async def sales(store: Store) -> Campaign:
    return await campaign(store, outcomes=OUTCOMES, result_retry_s="600")


@pytest.fixture
async def holding(store: Store) -> Campaign:
    return await campaign(store, "holding", outcomes=OUTCOMES, result_retry_s="600", wait_for_result="true")


async def choose(store: Store, clock: Clock, levels: Sequence[str], **values: Any) -> Chosen:
    known = {"campaign": "sales", "levels": levels, "agent": "1001"}
    return await outcomes.choose(store, clock, UTC, Choice(**known | values))


# --- success and close -----------------------------------------------------------------------------------------------


async def test_success_ends_the_contact_well(store: Store, clock: Clock, sales: Campaign, holding: Campaign) -> None:
    for of in (sales, holding):
        guid = await talk(store, of, await person(store, of, 1, 2))
        chosen = await choose(store, clock, ["Sale"], campaign=of.name, guid=guid)
        done = chosen.contact
        assert (done.state, done.successful, done.end_reason) == (S.DONE, True, "Sale")
        assert (done.end_cause, done.tag, done.held) == ("NORMAL_CLEARING", "Sale", None)


async def test_close_ends_the_contact_without_success(
    store: Store, clock: Clock, sales: Campaign, holding: Campaign
) -> None:
    for of in (sales, holding):
        guid = await talk(store, of, await person(store, of, 1, 2))
        done = (await choose(store, clock, ["no", " price ", "TOO HIGH"], campaign=of.name, guid=guid)).contact
        assert (done.state, done.successful, done.end_reason) == (S.DONE, False, "No|Price|Too high")
        assert (done.end_cause, done.tag) == ("MANAGER_REQUEST", "No|Price|Too high")


async def test_one_end_is_told_of_one_contact(store: Store, clock: Clock, holding: Campaign) -> None:
    guid = await talk(store, holding, await person(store, holding, 1))
    await choose(store, clock, ["Stop"], campaign="holding", guid=guid)
    assert [e.end_reason for e in await store.endings(0, holding.id, 10)] == ["blacklisted"]


# --- retry -----------------------------------------------------------------------------------------------------------


async def test_a_talk_that_was_none_is_tried_again(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1, 2)
    guid = await talk(store, sales, ana)
    assert (await store.load_contact(ana.id)).successful
    again = (await choose(store, clock, ["Busy"], guid=guid)).contact
    assert (again.state, again.next_at, again.successful) == (S.WAITING, NOON + 10 * MINUTE, False)
    assert [(n.is_open, n.end_reason) for n in again.numbers] == [(True, ""), (True, "")]
    assert (again.tries, again.tag) == (1, "Busy")


async def test_an_awaited_result_is_no_success(store: Store, clock: Clock, holding: Campaign) -> None:
    guid = await talk(store, holding, await person(store, holding, 1))
    again = (await choose(store, clock, ["Busy"], campaign="holding", guid=guid)).contact
    assert (again.state, again.next_at, again.held) == (S.WAITING, NOON + 10 * MINUTE, None)


async def test_the_call_s_own_time_to_try_again_is_kept(store: Store, clock: Clock, sales: Campaign) -> None:
    claim = await dial(store, sales, await person(store, sales, 1))
    await hang_up(store, sales, claim, Disposition.BUSY)
    again = (await choose(store, clock, ["Busy"], guid=claim.attempt.id)).contact
    assert again.next_at == NOON + 5 * MINUTE


async def test_tries_that_are_used_up_end_the_contact(store: Store, clock: Clock) -> None:
    once = await campaign(store, "once", outcomes=OUTCOMES, max_tries="1")
    guid = await talk(store, once, await person(store, once, 1))
    done = (await choose(store, clock, ["Busy"], campaign="once", guid=guid)).contact
    assert (done.state, done.end_cause, done.successful) == (S.DONE, "MAX_TRY_COUNT", False)


async def test_numbers_that_were_closed_before_the_talk_stay_closed(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana = await person(store, sales, 1, 2, 3)
    claim = await dial(store, sales, ana)
    await hang_up(store, sales, claim, Disposition.INVALID_NUMBER)
    await store.withdraw([entry(3)], NOON)
    guid = await talk(store, sales, ana, phone(2))
    again = (await choose(store, clock, ["Busy"], guid=guid)).contact
    assert [n.is_open for n in again.numbers] == [False, True, False]


async def test_a_call_that_closed_its_number_leaves_it_closed(store: Store, clock: Clock, sales: Campaign) -> None:
    claim = await dial(store, sales, await person(store, sales, 1, 2))
    await hang_up(store, sales, claim, Disposition.INVALID_NUMBER)
    again = (await choose(store, clock, ["Later"], guid=claim.attempt.id, at=NOON + DAY)).contact
    assert [n.is_open for n in again.numbers] == [False, True]


async def test_a_second_thought_replaces_the_first(store: Store, clock: Clock, sales: Campaign) -> None:
    guid = await talk(store, sales, await person(store, sales, 1, 2))
    await choose(store, clock, ["No", "Price", "Too high"], guid=guid)
    again = (await choose(store, clock, ["Busy"], guid=guid)).contact
    assert (again.state, [n.is_open for n in again.numbers], again.tag) == (S.WAITING, [True, True], "Busy")


@pytest.mark.parametrize("levels", [["Busy"], ["Later"], ["Elsewhere"]])
async def test_whom_a_manager_took_out_is_not_brought_back(
    store: Store, clock: Clock, sales: Campaign, levels: list[str]
) -> None:
    await campaign(store, "care")
    ana = await person(store, sales, 1)
    claim = await dial(store, sales, ana)
    await hang_up(store, sales, claim, Disposition.BUSY)
    await contacts.terminate(store, clock, ana.id)
    with pytest.raises(Conflict, match=f"contact {ana.id} is not to be called any more: it was terminated"):
        await choose(store, clock, levels, guid=claim.attempt.id, at=NOON + DAY)
    assert not await tasks.scheduled(store, "care")


# --- reschedule ------------------------------------------------------------------------------------------------------


async def test_rescheduling_calls_the_same_contact_at_that_time(
    store: Store, clock: Clock, sales: Campaign, holding: Campaign
) -> None:
    for of in (sales, holding):
        ana = await person(store, of, 1, 2)
        guid = await talk(store, of, ana, phone(2))
        chosen = await choose(store, clock, ["Later"], campaign=of.name, guid=guid, at=NOON + DAY)
        again = chosen.contact
        assert (again.id, again.state, again.next_at) == (ana.id, S.WAITING, NOON + DAY)
        assert (again.rank, again.any_hour, again.preferred) == (Rank.DATED, False, phone(2))
        assert (again.successful, chosen.words) == (False, "")
        assert {n.next_at for n in again.numbers} == {NOON + DAY}
        assert [c.id for c in await store.scheduled(of.id, number=None, from_at=None, to_at=None, limit=9)] == [ana.id]


async def test_a_promise_holds_at_any_hour(store: Store, clock: Clock, sales: Campaign) -> None:
    guid = await talk(store, sales, await person(store, sales, 1))
    again = (await choose(store, clock, ["Later"], guid=guid, at=NOON + DAY, promised=True)).contact
    assert again.any_hour


async def test_a_time_that_has_passed_is_now(store: Store, clock: Clock, sales: Campaign) -> None:
    guid = await talk(store, sales, await person(store, sales, 1))
    for at in (NOON - HOUR, NOON):
        chosen = await choose(store, clock, ["Later"], guid=guid, at=at)
        assert (chosen.words, chosen.contact.next_at) == ("its time has passed: it is due now", at)


async def test_rescheduling_needs_a_time_that_can_be_meant(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1)
    guid = await talk(store, sales, ana)
    before = await store.load_contact(ana.id)
    with pytest.raises(InvalidSetting, match="schedule = '': expected when to call again"):
        await choose(store, clock, ["Later"], guid=guid)
    with pytest.raises(InvalidSetting, match="at = '2027-09-24 12:00:00 UTC': expected a time within 366 days"):
        await choose(store, clock, ["Later"], guid=guid, at=NOON + 367 * DAY)
    assert await store.load_contact(ana.id) == before


async def test_no_call_is_scheduled_for_after_the_contact_expires(store: Store, clock: Clock, sales: Campaign) -> None:
    guid = await talk(store, sales, await person(store, sales, 1, expires_at=NOON + HOUR))
    with pytest.raises(InvalidSetting, match="before the contact expires, which is 2026-09-22 13:00:00 UTC"):
        await choose(store, clock, ["Later"], guid=guid, at=NOON + HOUR)


async def test_who_has_no_number_left_is_not_rescheduled(store: Store, clock: Clock, holding: Campaign) -> None:
    await campaign(store, "care")
    ana = await person(store, holding, 1)
    guid = await talk(store, holding, ana)
    await contacts.result(store, clock, UTC, ana.id, Result(success=False, stop_all=True))
    for level in ("Later", "Elsewhere"):
        with pytest.raises(Conflict, match="none of its numbers may be called again"):
            await choose(store, clock, [level], campaign="holding", guid=guid, at=NOON + DAY)


async def test_another_campaign_calls_again_and_this_one_does_not(store: Store, clock: Clock, sales: Campaign) -> None:
    care = await campaign(store, "care")
    ana = await person(store, sales, 1, 2, agentphone="1001")
    guid = await talk(store, sales, ana, phone(2))
    chosen = await choose(store, clock, ["Elsewhere"], guid=guid, at=NOON + DAY, promised=True)
    assert (chosen.contact.state, chosen.contact.successful) == (S.DONE, False)
    assert (chosen.contact.end_reason, chosen.contact.tag) == ("Elsewhere", "Elsewhere")
    assert chosen.task_id is not None
    task = await store.load_contact(chosen.task_id)
    assert (task.campaign_id, task.rank, task.next_at, task.any_hour) == (care.id, Rank.DATED, NOON + DAY, True)
    assert ([n.number for n in task.numbers], task.params) == ([phone(2), phone(1)], {"name": "Ana"})
    assert task.agentphone == "1001"


async def test_who_chooses_may_name_the_other_campaign(store: Store, clock: Clock, sales: Campaign) -> None:
    night = await campaign(store, "night")
    guid = await talk(store, sales, await person(store, sales, 1))
    chosen = await choose(store, clock, ["Later"], guid=guid, at=NOON + DAY, to_campaign="night")
    assert chosen.task_id is not None
    assert (await store.load_contact(chosen.task_id)).campaign_id == night.id


async def test_another_campaign_that_does_not_exist_changes_nothing(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana = await person(store, sales, 1)
    guid = await talk(store, sales, ana)
    before = await store.load_contact(ana.id)
    with pytest.raises(NotFound, match="no campaign 'care'"):
        await choose(store, clock, ["Elsewhere"], guid=guid, at=NOON + DAY)
    assert await store.load_contact(ana.id) == before


# --- blacklist -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("levels", "where"), [(["Stop"], "sales"), (["Stop", "All"], "*")])
async def test_the_number_of_the_call_is_never_dialed_again(
    store: Store, clock: Clock, sales: Campaign, levels: list[str], where: str
) -> None:
    other = await person(store, sales, 2, base="april")
    ana = await person(store, sales, 1, 2)
    guid = await talk(store, sales, ana, phone(2))
    done = (await choose(store, clock, levels, guid=guid, comment="by law")).contact
    assert (done.state, done.end_reason, done.end_cause) == (S.DONE, "blacklisted", "NO_COMMUNICATIONS")
    assert (done.successful, done.tag) == (False, "|".join(levels))
    (found,) = await store.blacklist(None, 10)
    assert (found.number, found.campaign, found.added_by) == (phone(2), where, "1001")
    assert (found.reason, found.added_at, found.expires_at) == ("|".join(levels) + ": by law", NOON, None)
    assert (await store.load_contact(other.id)).end_reason == "blacklisted"


async def test_who_is_blacklisted_while_talking_is_done_when_the_call_is(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana = await person(store, sales, 1, 2)
    claim = await dial(store, sales, ana)
    chosen = await choose(store, clock, ["Stop"], guid=claim.attempt.id)
    assert chosen.words == "it is done when its call has ended"
    assert await store.is_blacklisted(phone(1), "sales", NOON)
    await hang_up(store, sales, claim, Disposition.BUSY)
    done = await store.load_contact(ana.id)
    assert (done.state, done.end_reason) == (S.DONE, "blacklisted")


# --- tags ------------------------------------------------------------------------------------------------------------


async def test_a_tag_only_marks(store: Store, clock: Clock, sales: Campaign, holding: Campaign) -> None:
    for of in (sales, holding):
        ana = await person(store, of, 1)
        guid = await talk(store, of, ana)
        before = await store.load_contact(ana.id)
        marked = (await choose(store, clock, ["Marked"], campaign=of.name, guid=guid)).contact
        assert (marked.tag, marked.state, marked.held) == ("seen", before.state, before.held)
        noted = (await choose(store, clock, ["Note"], campaign=of.name, guid=guid)).contact
        assert noted.tag == "Note"


async def test_a_tag_of_one_s_own_comes_before_the_outcome_s(store: Store, clock: Clock, sales: Campaign) -> None:
    guid = await talk(store, sales, await person(store, sales, 1))
    assert (await choose(store, clock, ["Sale"], guid=guid, tag="gold")).contact.tag == "gold"


async def test_a_call_that_goes_on_is_tagged_by_the_engine(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1)
    claim = await dial(store, sales, ana)
    assert (await choose(store, clock, ["Note"], guid=claim.attempt.id)).words == ""
    (order,) = await store.take_orders(clock.now())
    assert (order.kind, order.body) == ("tag_contact", {"contact_id": ana.id, "tag": "Note"})
    assert (await store.attempt(claim.attempt.id))["tag"] == "Note", "the call itself has it at once"


async def test_the_call_of_an_outcome_is_tagged_by_guid_number_or_contact(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana = await person(store, sales, 1)
    first = await talk(store, sales, ana)
    await tasks.add(store, clock, tasks.Wish(campaign="sales", numbers=[number(1)]))
    (task,) = await store.contacts_with(phone(1), sales.id)
    second = await talk(store, sales, task)
    for guid, choice in (
        (first, {"guid": first, "tag": "a"}),
        (second, {"number": phone(1), "tag": "b"}),
        (first, {"contact_id": ana.id, "tag": "c"}),
    ):
        await choose(store, clock, ["Note"], **choice)
        assert (await store.attempt(guid))["tag"] == choice["tag"]
    assert (await store.attempt(second))["tag"] == "b"


async def test_what_is_said_with_an_outcome_is_logged(
    store: Store, clock: Clock, sales: Campaign, caplog: pytest.LogCaptureFixture
) -> None:
    guid = await talk(store, sales, await person(store, sales, 1))
    with caplog.at_level(logging.INFO):
        await choose(store, clock, ["Sale"], guid=guid, comment="two of them")
    (logged,) = (record.__dict__ for record in caplog.records if record.msg == "contact.outcome")
    assert (logged["outcome"], logged["agent"], logged["comment"]) == ("Sale", "1001", "two of them")


# --- which call ------------------------------------------------------------------------------------------------------


async def test_an_agent_who_is_quicker_than_the_end_of_the_call_waits_for_it(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    claim = await dial(store, sales, await person(store, sales, 1))
    clock.meanwhile.append(lambda: hang_up(store, sales, claim))
    done = (await choose(store, clock, ["Sale"], guid=claim.attempt.id)).contact
    assert (done.state, done.end_reason) == (S.DONE, "Sale")


@pytest.mark.parametrize("level", ["Sale", "No|Price|Too high", "Busy", "Later", "Elsewhere"])
async def test_what_can_not_be_said_of_a_call_that_goes_on_is_refused(
    store: Store, clock: Clock, sales: Campaign, level: str
) -> None:
    await campaign(store, "care")
    claim = await dial(store, sales, await person(store, sales, 1))
    with pytest.raises(Conflict, match=re.escape(f"is in a call: choose '{level}' again when that has ended")):
        await choose(store, clock, level.split("|"), guid=claim.attempt.id, at=NOON + DAY)
    assert not await store.take_orders(clock.now())


async def test_without_a_guid_the_last_call_to_the_number_is_meant(store: Store, clock: Clock, sales: Campaign) -> None:
    ana, ben = await person(store, sales, 1), await person(store, sales, 2, 1, base="april")
    await talk(store, sales, ben, phone(1))
    assert (await choose(store, clock, ["Sale"], number=phone(1))).contact.id == ben.id
    await dial(store, sales, ana)
    assert (await choose(store, clock, ["Note"], number=phone(1))).contact.id == ana.id


async def test_a_call_or_number_that_is_not_the_campaign_s_is_not_found(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    other = await campaign(store, "other", outcomes=OUTCOMES)
    guid = await talk(store, sales, await person(store, sales, 1))
    with pytest.raises(NotFound, match=f"no call '{guid}': it is none of other's"):
        await choose(store, clock, ["Sale"], campaign=other.name, guid=guid)
    with pytest.raises(NotFound, match="none in other"):
        await choose(store, clock, ["Sale"], campaign=other.name, number=phone(1))
    with pytest.raises(NotFound, match=r"no call .*: its guid is in astdialer cdr list"):
        await choose(store, clock, ["Sale"], guid=str(uuid.uuid4()))
    with pytest.raises(InvalidSetting, match="guid = '': expected the call's guid, or the number"):
        await choose(store, clock, ["Sale"])


async def test_an_older_call_than_the_one_whose_result_is_awaited_says_nothing(
    store: Store, clock: Clock, holding: Campaign
) -> None:
    ana = await person(store, holding, 1)
    first = await talk(store, holding, ana)
    await choose(store, clock, ["Busy"], campaign="holding", guid=first)
    second = await talk(store, holding, ana)
    with pytest.raises(Conflict, match=f"has been called again since: {second} is its last call"):
        await choose(store, clock, ["Sale"], campaign="holding", guid=first)
    assert (await choose(store, clock, ["Sale"], campaign="holding", guid=second)).contact.successful


@pytest.mark.parametrize(
    ("levels", "error", "words"),
    [
        ([], InvalidSetting, "level 1 = '': expected one to 3 levels, the first one not empty"),
        (["", "Price"], InvalidSetting, "the first one not empty"),
        (["a", "b", "c", "d"], InvalidSetting, "one to 3 levels"),
        (["Nope", "x"], NotFound, "level 1: Nope, level 2: x, level 3: "),
        (["No"], NotFound, "level 1: No, level 2: , level 3: "),
    ],
)
async def test_levels_that_are_no_outcome_are_refused(
    store: Store, clock: Clock, sales: Campaign, *, levels: list[str], error: type[Exception], words: str
) -> None:
    guid = await talk(store, sales, await person(store, sales, 1))
    with pytest.raises(error, match=words):
        await choose(store, clock, levels, guid=guid)
