"""Calls that somebody asks for outside of any list, against the real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from use_case_hands import DAY, HOUR, NOON, Clock, campaign, dial, entry, number, person, phone, talk

from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.contact import Contact, ContactState, NumberType, Rank
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound, Unavailable
from astdialer.engine import tasks
from astdialer.engine.tasks import Added, Wish
from astdialer.ports import Store
from astdialer.store import open_store

S = ContactState
PAST = "its time has passed: it is due now"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db", clock) as opened:
        yield opened


@pytest.fixture
async def sales(store: Store) -> Campaign:
    made = await campaign(store)
    await store.set_state(made.id, CampaignState.RUNNING, now=NOON)
    return made


async def add(store: Store, clock: Clock, *numbers: int, **values: Any) -> Added:
    return await tasks.add(store, clock, Wish(campaign="sales", numbers=tuple(map(number, numbers)), **values))


async def contact_of(store: Store, added: Added) -> Contact:
    return await store.load_contact(added.contact_id)


# --- the five forms --------------------------------------------------------------------------------------------------


async def test_an_automatic_call_without_a_date_is_made_as_soon_as_possible(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    added = await add(store, clock, 1, 2, 1, params={"order": "7"})
    task = await contact_of(store, added)
    assert (task.state, task.rank, task.priority, task.agentphone) == (S.READY, Rank.TASK, 1, "")
    assert ([n.number for n in task.numbers], task.params) == ([phone(1), phone(2)], {"order": "7"})
    assert (added.words, added.guid) == ("", "")


async def test_a_manual_call_is_an_order_to_the_engine(store: Store, clock: Clock, sales: Campaign) -> None:
    async def engine() -> None:
        (order,) = await store.take_orders(clock.now())
        assert order.kind == "agent_call"
        assert order.body == {
            "campaign": "sales",
            "agent": "1001",
            "number": phone(1),
            "zones": "Europe/Madrid",
            "data": {"order": "7"},
        }
        await store.order_done(order.id, result='{"guid": "x", "contact_id": 5}')

    clock.meanwhile.append(engine)
    wish = Wish(
        campaign="sales",
        numbers=[number(1, zones="Europe/Madrid")],
        agent="1001",
        automatic=False,
        params={"order": "7"},
    )
    assert await tasks.add(store, clock, wish) == Added(contact_id=5, guid="x")
    assert not await store.contacts_with(phone(1), None)


async def test_a_manual_call_that_the_engine_can_not_make_is_refused_in_its_words(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    async def engine() -> None:
        (order,) = await store.take_orders(clock.now())
        await store.order_done(order.id, result="agent 1001 is on a call", failed=True)

    clock.meanwhile.append(engine)
    with pytest.raises(Conflict, match="agent 1001 is on a call"):
        await add(store, clock, 1, automatic=False, agent="1001")


async def test_a_manual_call_that_no_engine_makes_is_not_waited_for_for_ever(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    with pytest.raises(Unavailable, match="the engine does not answer"):
        await add(store, clock, 1, automatic=False, agent="1001")
    assert not await store.take_orders(clock.now())


async def test_a_manual_call_needs_its_agent(store: Store, clock: Clock, sales: Campaign) -> None:
    with pytest.raises(InvalidSetting, match="agent = '': expected the agent who makes the call"):
        await add(store, clock, 1, automatic=False)
    assert not await store.take_orders(NOON)


async def test_a_bulk_call_is_an_entry_of_a_list_for_its_agent(store: Store, clock: Clock, sales: Campaign) -> None:
    task = await contact_of(store, await add(store, clock, 1, agent="1001", automatic=False, bulk=True))
    assert (task.state, task.rank, task.priority, task.agentphone) == (S.READY, Rank.LIST, 9999, "1001")
    assert await store.bound_buckets(sales.id) == ["@1001"]


@pytest.mark.parametrize("automatic", [True, False])
@pytest.mark.parametrize("bulk", [True, False])
async def test_a_call_with_a_date_is_made_then(
    store: Store, clock: Clock, sales: Campaign, automatic: bool, bulk: bool
) -> None:
    added = await add(store, clock, 1, at=NOON + DAY, agent="1001", automatic=automatic, bulk=bulk)
    task = await contact_of(store, added)
    assert (task.state, task.rank, task.next_at, task.any_hour) == (S.WAITING, Rank.DATED, NOON + DAY, False)
    assert (task.agentphone, task.priority, added.words) == ("1001", 1, "")


async def test_scheduled_calls_go_before_tasks_and_those_before_lists(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    listed = await person(store, sales, 1, priority=1)
    task = await contact_of(store, await add(store, clock, 2))
    dated = await contact_of(store, await add(store, clock, 3, at=NOON))
    assert sorted((c.rank, c.id) for c in (listed, task, dated)) == [(0, dated.id), (1, task.id), (2, listed.id)]


# --- details ---------------------------------------------------------------------------------------------------------


async def test_a_date_that_has_passed_is_now(store: Store, clock: Clock, sales: Campaign) -> None:
    added = await add(store, clock, 1, at=NOON - DAY)
    assert added.words == PAST
    assert (await contact_of(store, added)).next_at == NOON - DAY
    with pytest.raises(InvalidSetting, match="at = '2027-09-24 12:00:00 UTC': expected a time within 366 days"):
        await add(store, clock, 2, at=NOON + 367 * DAY)


async def test_a_promise_needs_its_time(store: Store, clock: Clock, sales: Campaign) -> None:
    assert (await contact_of(store, await add(store, clock, 1, at=NOON + DAY, any_hour=True))).any_hour
    with pytest.raises(InvalidSetting, match="promised = True: expected a time"):
        await add(store, clock, 1, any_hour=True)


async def test_a_campaign_at_rest_calls_nobody_and_says_so(store: Store, clock: Clock, sales: Campaign) -> None:
    await store.set_state(sales.id, CampaignState.PAUSED, now=NOON)
    added = await add(store, clock, 1, at=NOON)
    assert added.words == f"{PAST}; sales is paused, and calls nobody until astdialer campaign start sales"


@pytest.mark.parametrize(
    "form", [{}, {"at": NOON + DAY}, {"automatic": False, "agent": "1"}, {"automatic": False, "bulk": True}]
)
async def test_a_blacklisted_number_is_refused(
    store: Store, clock: Clock, sales: Campaign, form: dict[str, Any]
) -> None:
    await store.add_to_blacklist([entry(1)])
    with pytest.raises(Conflict, match=f"\\{phone(1)} is blacklisted: astdialer blacklist check"):
        await add(store, clock, 1, **form)
    assert not await store.take_orders(NOON)
    assert not await store.contacts_with(phone(1), None)


async def test_a_call_may_be_scheduled_for_when_the_entry_has_ended(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    await store.add_to_blacklist([entry(1, until=NOON + HOUR)])
    with pytest.raises(Conflict, match="is blacklisted"):
        await add(store, clock, 1, at=NOON - DAY)
    await add(store, clock, 1, at=NOON + HOUR)


async def test_the_same_wish_again_is_no_second_call(store: Store, clock: Clock, sales: Campaign) -> None:
    for form in ({}, {"at": NOON + DAY}, {"at": NOON - DAY}):
        first = await add(store, clock, 1, params={"order": "7"}, **form)
        again = await add(store, clock, 1, params={"order": "8"}, **form)
        assert again.contact_id == first.contact_id
        assert again.words.startswith("it was asked for already")
        assert (await contact_of(store, again)).params == {"order": "8"}
    ids = {
        (await add(store, clock, 1, **form)).contact_id
        for form in ({}, {"at": NOON + DAY}, {"at": NOON + HOUR}, {"at": NOON + DAY, "agent": "1001"})
    }
    assert len(ids) == 4


@pytest.mark.parametrize("form", [{}, {"at": NOON + DAY}, {"automatic": False, "bulk": True}])
async def test_the_same_wish_several_times_at_once_is_one_call(
    store: Store, clock: Clock, sales: Campaign, form: dict[str, Any]
) -> None:
    added = await asyncio.gather(*(add(store, clock, 1, **form) for _ in range(3)))
    (contact,) = await store.contacts_with(phone(1), sales.id)
    assert {each.contact_id for each in added} == {contact.id}


async def test_an_entry_of_a_list_is_told_from_a_scheduled_call(store: Store, clock: Clock, sales: Campaign) -> None:
    form: dict[str, Any] = {"automatic": False, "bulk": True}
    listed = await add(store, clock, 1, **form)
    dated = await contact_of(store, await add(store, clock, 1, at=NOON + DAY))
    assert (await add(store, clock, 1, **form)).contact_id == listed.contact_id
    assert await store.load_contact(dated.id) == dated


async def test_who_was_called_for_a_wish_is_called_again_for_the_next_one(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    first = await contact_of(store, await add(store, clock, 1))
    await dial(store, sales, first)
    assert (await add(store, clock, 1)).contact_id != first.id


async def test_an_entry_of_a_list_that_was_called_begins_anew(store: Store, clock: Clock, sales: Campaign) -> None:
    uploaded = await person(store, sales, 1)
    form: dict[str, Any] = {"automatic": False, "bulk": True}
    first = await contact_of(store, await add(store, clock, 1, 2, **form))
    assert first.id != uploaded.id
    await talk(store, sales, first)
    added = await add(store, clock, 1, 3, agent="1001", params={"order": "8"}, **form)
    again = await contact_of(store, added)
    assert added.words == "it was in the list already, and begins anew"
    assert (again.id, again.state, again.tries, again.rank) == (first.id, S.WAITING, 0, Rank.LIST)
    assert (again.agentphone, again.params) == ("1001", {"order": "8"})
    assert [n.number for n in again.numbers if n.is_open] == [phone(1), phone(3)]
    await dial(store, sales, again)
    with pytest.raises(Conflict, match="is in a call"):
        await add(store, clock, 1, **form)


async def test_types_and_zones_of_numbers_are_kept(store: Store, clock: Clock, sales: Campaign) -> None:
    wish = Wish(campaign="sales", numbers=[number(1, NumberType.PRIORITY, "Europe/Madrid"), number(2, "W")])
    task = await contact_of(store, await tasks.add(store, clock, wish))
    assert [(n.type, n.zones) for n in task.numbers] == [("P", "Europe/Madrid"), ("W", "")]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"priority": 0}, "priority = 0"),
        ({"agent": "PJSIP/10\r\n01"}, "agent = "),
        ({"params": {"a\n": ""}}, "data = "),
    ],
)
async def test_what_can_not_be_is_refused(
    store: Store, clock: Clock, sales: Campaign, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidSetting, match=words):
        await add(store, clock, 1, **values)
    assert not await store.contacts_with(phone(1), None)


async def test_a_priority_is_taken(store: Store, clock: Clock, sales: Campaign) -> None:
    assert (await contact_of(store, await add(store, clock, 1, priority=50))).priority == 50


async def test_a_campaign_that_does_not_exist_is_said_so(store: Store, clock: Clock) -> None:
    with pytest.raises(NotFound, match="no campaign 'sales'"):
        await add(store, clock, 1)
    with pytest.raises(NotFound, match="no campaign 'sales'"):
        await tasks.scheduled(store, "sales")


# --- listing and removing --------------------------------------------------------------------------------------------


async def test_scheduled_calls_are_removed_by_number_and_time(store: Store, clock: Clock, sales: Campaign) -> None:
    for hours in (1, 2, 3):
        await add(store, clock, 1, at=NOON + hours * HOUR)
    await add(store, clock, 2, 1, at=NOON + 2 * HOUR)
    soon = await contact_of(store, await add(store, clock, 1))
    removed = await tasks.remove(store, clock, "sales", phone(1), from_at=NOON + 2 * HOUR, to_at=NOON + 3 * HOUR)
    assert removed == 1
    left = await tasks.scheduled(store, "sales")
    assert [(c.numbers[0].number, c.next_at) for c in left] == [
        (phone(1), NOON + HOUR),
        (phone(2), NOON + 2 * HOUR),
        (phone(1), NOON + 3 * HOUR),
    ]
    (ended,) = await store.endings(0, sales.id, 10)
    assert (ended.end_reason, ended.end_cause) == ("removed", "MANAGER_REQUEST")
    assert await tasks.remove(store, clock, "sales", phone(1)) == 2
    assert (await store.load_contact(soon.id)).state is S.READY
    assert await tasks.remove(store, clock, "sales", phone(9)) == 0


async def test_a_scheduled_call_that_has_begun_is_not_removed(
    store: Store, clock: Clock, sales: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await contact_of(store, await add(store, clock, 1, at=NOON))
    found = await tasks.scheduled(store, "sales")

    async def a_moment_ago(*_: object, **__: object) -> list[Contact]:
        return list(found)

    await dial(store, sales, task)
    monkeypatch.setattr(tasks, "scheduled", a_moment_ago)
    assert await tasks.remove(store, clock, "sales", phone(1)) == 0
    assert (await store.load_contact(task.id)).state is S.IN_CALL
