"""Results from outside, ends, another go and the blacklist, against the real store."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from use_case_hands import (
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
    number_of,
    person,
    phone,
    talk,
)

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, ContactState, NumberType, Rank
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.typification import Result
from astdialer.engine import contacts, tasks
from astdialer.engine.contacts import Respool
from astdialer.ports import Store
from astdialer.store import open_store

S = ContactState


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db", clock) as opened:
        yield opened


@pytest.fixture
async def sales(store: Store) -> Campaign:
    return await campaign(store, wait_for_result="true", result_retry_s="600", max_tries="3")


async def held(store: Store, sales: Campaign, *numbers: int, **values: str) -> tuple[Contact, str]:
    ana = await person(store, sales, *numbers, **values)
    guid = await talk(store, sales, ana)
    return await store.load_contact(ana.id), guid


# --- results ---------------------------------------------------------------------------------------------------------


async def test_a_success_ends_the_contact_well(store: Store, clock: Clock, sales: Campaign) -> None:
    ana, _ = await held(store, sales, 1, 2)
    assert ana.state is S.HELD
    done = await contacts.result(store, clock, UTC, ana.id, Result(success=True))
    assert (done.state, done.successful, done.end_cause) == (S.DONE, True, "NORMAL_CLEARING")
    assert await store.load_contact(ana.id) == done


async def test_no_success_dials_on_after_the_time_that_the_campaign_says(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana, _ = await held(store, sales, 1)
    again = await contacts.result(store, clock, UTC, ana.id, Result(success=False))
    assert (again.state, again.next_at) == (S.WAITING, NOON + 10 * MINUTE)


async def test_no_success_ends_the_contact_when_its_tries_are_used_up(store: Store, clock: Clock) -> None:
    once = await campaign(store, "once", wait_for_result="true", max_tries="1")
    ana, _ = await held(store, once, 1)
    done = await contacts.result(store, clock, UTC, ana.id, Result(success=False))
    assert (done.state, done.end_cause) == (S.DONE, "MAX_TRY_COUNT")


async def test_a_next_number_is_added_in_the_zone_of_its_base(store: Store, clock: Clock, sales: Campaign) -> None:
    ana, _ = await held(store, sales, 1, zone="America/Lima")
    found = Result(success=False, next_number=phone(9), next_number_zones="Europe/Madrid", next_after_s=60)
    again = await contacts.result(store, clock, UTC, ana.id, found)
    assert (again.preferred, again.next_at) == (phone(9), NOON + MINUTE)
    assert number_of(again, 9).zones == "America/Lima"


async def test_a_next_number_has_its_own_zones_where_the_base_has_none(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana, _ = await held(store, sales, 1)
    found = Result(success=False, next_number=phone(9), next_number_zones="Europe/Madrid")
    again = await contacts.result(store, clock, UTC, ana.id, found)
    assert number_of(again, 9).zones == "Europe/Madrid"


async def test_what_is_said_with_a_result_is_logged(
    store: Store, clock: Clock, sales: Campaign, caplog: pytest.LogCaptureFixture
) -> None:
    ana, _ = await held(store, sales, 1)
    with caplog.at_level(logging.INFO):
        await contacts.result(store, clock, UTC, ana.id, Result(success=True, description="bought two"))
    (logged,) = (record.__dict__ for record in caplog.records if record.msg == "contact.result")
    assert (logged["contact"], logged["success"], logged["description"]) == (ana.id, True, "bought two")


async def test_a_result_that_is_not_awaited_is_refused(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1)
    with pytest.raises(Conflict, match=f"contact {ana.id}: no result is awaited, it is ready"):
        await contacts.result(store, clock, UTC, ana.id, Result(success=True))
    ben, guid = await held(store, sales, 2)
    with pytest.raises(Conflict, match=guid):
        await contacts.result(store, clock, UTC, ben.id, Result(success=True, attempt_id=str(uuid.uuid4())))
    await contacts.result(store, clock, UTC, ben.id, Result(success=True, attempt_id=guid))
    with pytest.raises(Conflict, match="no result is awaited, it is done"):
        await contacts.result(store, clock, UTC, ben.id, Result(success=False))


async def test_a_result_for_nobody_or_for_too_late_is_refused(store: Store, clock: Clock, sales: Campaign) -> None:
    with pytest.raises(NotFound, match="no contact '77'"):
        await contacts.result(store, clock, UTC, 77, Result(success=True))
    ana, _ = await held(store, sales, 1)
    with pytest.raises(InvalidSetting, match="next_after_s"):
        await contacts.result(store, clock, UTC, ana.id, Result(success=False, next_after_s=-1))


async def test_a_result_that_is_quicker_than_the_end_of_the_call_waits_for_it(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana = await person(store, sales, 1)
    claim = await dial(store, sales, ana)
    clock.meanwhile.append(lambda: hang_up(store, sales, claim))
    done = await contacts.result(store, clock, UTC, ana.id, Result(success=True))
    assert done.state is S.DONE
    assert clock.now() - NOON < 1000


async def test_a_result_during_a_talk_is_refused_after_a_while(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1)
    await dial(store, sales, ana)
    with pytest.raises(Conflict, match=f"contact {ana.id} is in a call"):
        await contacts.result(store, clock, UTC, ana.id, Result(success=True))
    assert 2 * 1000 <= clock.now() - NOON <= 3 * 1000


async def test_a_result_whose_campaign_has_lost_its_calendar_says_so(store: Store, clock: Clock) -> None:
    lost = await campaign(store, "lost", wait_for_result="true", calendar="gone")
    ana = await person(store, lost, 1)
    with pytest.raises(Conflict, match="there is no calendar 'gone'"):
        await contacts.result(store, clock, UTC, ana.id, Result(success=True))


# --- terminate -------------------------------------------------------------------------------------------------------


async def test_a_waiting_contact_is_terminated_by_a_manager(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1)
    done = await contacts.terminate(store, clock, ana.id)
    assert (done.state, done.successful) == (S.DONE, False)
    assert (done.end_reason, done.end_cause) == ("terminated", "MANAGER_REQUEST")
    assert [ending.contact_id for ending in await store.endings(0, sales.id, 10)] == [ana.id]


async def test_who_is_done_in_a_call_or_awaits_a_result_is_not_terminated(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana, ben = await person(store, sales, 1), await person(store, sales, 2)
    await contacts.terminate(store, clock, ana.id)
    with pytest.raises(Conflict, match=f"contact {ana.id} is done already: terminated"):
        await contacts.terminate(store, clock, ana.id)
    claim = await dial(store, sales, ben)
    with pytest.raises(Conflict, match=f"contact {ben.id} is in a call"):
        await contacts.terminate(store, clock, ben.id)
    await hang_up(store, sales, claim)
    with pytest.raises(Conflict, match=f"contact {ben.id} waits for the result of its last call"):
        await contacts.terminate(store, clock, ben.id, hang_up=True)
    with pytest.raises(NotFound):
        await contacts.terminate(store, clock, 77)


async def test_hanging_up_orders_it_and_the_contact_is_done_with_its_call(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana = await person(store, sales, 1)
    claim = await dial(store, sales, ana)
    assert (await contacts.terminate(store, clock, ana.id, hang_up=True)).state is S.IN_CALL
    (order,) = await store.take_orders(clock.now())
    assert (order.kind, order.body) == ("hangup_call", {"contact_id": ana.id})
    assert order.expires_at == NOON + 30_000
    await hang_up(store, sales, claim, Disposition.CANCELED)
    done = await store.load_contact(ana.id)
    assert (done.state, done.end_reason, done.end_cause) == (S.DONE, "terminated", "MANAGER_REQUEST")


async def test_hanging_up_who_is_in_no_call_terminates_at_once(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1)
    assert (await contacts.terminate(store, clock, ana.id, hang_up=True)).state is S.DONE
    assert not await store.take_orders(clock.now())


# --- remove ----------------------------------------------------------------------------------------------------------


async def test_every_open_contact_of_the_main_number_is_removed(store: Store, clock: Clock, sales: Campaign) -> None:
    waiting = await person(store, sales, 1)
    task = await tasks.add(store, clock, tasks.Wish(campaign="sales", numbers=[number(1)]))
    alternative = await person(store, sales, 2, 1)
    elsewhere = await person(store, await campaign(store, "other"), 1)
    calling = await person(store, sales, 1, base="april")
    claim = await dial(store, sales, calling)
    assert await contacts.remove(store, clock, "sales", phone(1)) == contacts.Removed(2, 1)
    for one in (waiting.id, task.contact_id):
        done = await store.load_contact(one)
        assert (done.state, done.end_reason, done.end_cause) == (S.DONE, "removed", "MANAGER_REQUEST")
    for other in (alternative, elsewhere):
        assert (await store.load_contact(other.id)).state is S.READY
    assert (await store.load_contact(calling.id)).state is S.IN_CALL
    await hang_up(store, sales, claim, Disposition.BUSY)
    assert (await store.load_contact(calling.id)).end_reason == "removed"


async def test_who_awaits_a_result_is_removed_too(store: Store, clock: Clock, sales: Campaign) -> None:
    ana, _ = await held(store, sales, 1)
    await contacts.remove(store, clock, "sales", phone(1))
    assert (await store.load_contact(ana.id)).end_reason == "removed"


async def test_a_call_that_ends_meanwhile_is_no_hindrance(
    store: Store, clock: Clock, sales: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await person(store, sales, 1)
    claim = await dial(store, sales, ana)

    async def too_late(*_: object) -> bool:
        await hang_up(store, sales, claim, Disposition.BUSY)
        return False

    monkeypatch.setattr(store, "end_after_call", too_late)
    assert await contacts.remove(store, clock, "sales", phone(1)) == contacts.Removed(1, 0)
    assert (await store.load_contact(ana.id)).end_reason == "removed"


async def test_removing_nobody_says_so(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1)
    await contacts.terminate(store, clock, ana.id)
    with pytest.raises(NotFound, match=f"no open contact '\\{phone(1)}': astdialer contact list --campaign sales"):
        await contacts.remove(store, clock, "sales", phone(1))
    assert (await store.load_contact(ana.id)).end_reason == "terminated"
    with pytest.raises(NotFound, match="no campaign 'nowhere'"):
        await contacts.remove(store, clock, "nowhere", phone(1))


# --- respool ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def plain(store: Store) -> Campaign:
    return await campaign(store, "plain")


async def answered(store: Store, of: Campaign, *numbers: int, **values: str) -> Contact:
    ana = await person(store, of, *numbers, **values)
    await talk(store, of, ana)
    done = await store.load_contact(ana.id)
    assert done.state is S.DONE
    return done


async def test_who_is_done_is_called_again_with_what_it_counts(store: Store, clock: Clock, plain: Campaign) -> None:
    ana = await answered(store, plain, 1, 2)
    again = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    assert (again.state, again.next_at, again.end_reason, again.successful) == (S.WAITING, NOON, "", False)
    assert all(n.is_open for n in again.numbers)
    assert (again.tries, number_of(again, 1).tries, number_of(again, 1).tally) == (1, 1, {"answered": 1})
    assert (again.id, again.campaign_id, again.base_id) == (ana.id, ana.campaign_id, ana.base_id)
    assert (again.params, again.priority) == ({"name": "Ana"}, 9999)


async def test_a_new_main_number_begins_every_count_anew(store: Store, clock: Clock, plain: Campaign) -> None:
    await answered(store, plain, 1, 2)
    wanted = Respool(campaign="plain", number=phone(1), new_number=number(9))
    again = await contacts.respool(store, clock, wanted)
    assert [(n.number, n.is_open, n.position) for n in again.numbers] == [
        (phone(9), True, 0),
        (phone(2), True, 1),
        (phone(1), False, 2),
    ]
    assert number_of(again, 1).end_reason == "replaced"
    assert (again.tries, [n.tries for n in again.numbers], number_of(again, 2).tally) == (0, [0, 0, 0], {})
    claim = await dial(store, plain, again)
    assert claim.attempt.number == phone(9)


async def test_the_counts_of_ranges_begin_anew_and_no_number_is_preferred(
    store: Store, clock: Clock, plain: Campaign
) -> None:
    ana = await person(store, plain, 1, 2)

    def used(contact: Contact) -> Contact:
        numbers = tuple(replace(n, range_tally={"2026-09-22 540-720": 2}) for n in contact.numbers)
        return replace(contact, numbers=numbers, preferred=phone(2))

    await store.change_contact(ana.id, used, NOON)
    kept = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    assert (kept.preferred, kept.numbers[0].range_tally) == ("", {"2026-09-22 540-720": 2})
    anew = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1), tries_used=0))
    assert [n.range_tally for n in anew.numbers] == [{}, {}]


async def test_a_number_that_was_replaced_stays_away(store: Store, clock: Clock, plain: Campaign) -> None:
    await answered(store, plain, 1, 2)
    await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1), new_number=number(9)))
    again = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(9), tries_used=0))
    assert [n.is_open for n in again.numbers] == [True, True, False]
    back = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(9), new_number=number(1)))
    assert [(n.number, n.is_open) for n in back.numbers] == [(phone(1), True), (phone(2), True), (phone(9), False)]


async def test_alternatives_take_the_place_of_all_others(store: Store, clock: Clock, plain: Campaign) -> None:
    await answered(store, plain, 1, 2, 3, zone="America/Lima")
    wanted = Respool(
        campaign="plain", number=phone(1), alternatives=[number(8, NumberType.WORK, "Europe/Madrid"), number(3)]
    )
    again = await contacts.respool(store, clock, wanted)
    assert [(n.number, n.is_open) for n in again.numbers] == [
        (phone(1), True),
        (phone(8), True),
        (phone(3), True),
        (phone(2), False),
    ]
    assert (number_of(again, 8).type, number_of(again, 8).zones) == ("W", "America/Lima")
    none = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1), alternatives=[]))
    assert [n.number for n in none.numbers if n.is_open] == [phone(1)]


async def test_priority_agent_data_and_tries_are_changed(store: Store, clock: Clock, plain: Campaign) -> None:
    await answered(store, plain, 1)
    wanted = Respool(
        campaign="plain", number=phone(1), priority=5, agentphone="1001", params={"debt": "7"}, tries_used=2
    )
    again = await contacts.respool(store, clock, wanted)
    assert (again.priority, again.agentphone, again.params, again.tries) == (5, "1001", {"debt": "7"}, 2)
    assert number_of(again, 1).tally == {}
    assert await store.bound_buckets(plain.id) == ["@1001"]
    await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1), agentphone=""))
    assert await store.bound_buckets(plain.id) == []


async def test_who_waits_is_due_now(store: Store, clock: Clock, plain: Campaign) -> None:
    ana = await person(store, plain, 1, not_before=NOON + HOUR, expires_at=NOON + 2 * HOUR)
    again = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    assert (again.id, again.next_at, again.expires_at) == (ana.id, NOON, NOON + 2 * HOUR)


async def test_who_has_expired_expires_no_more(store: Store, clock: Clock, plain: Campaign) -> None:
    await person(store, plain, 1, expires_at=NOON)
    assert await store.expire(NOON, 10) == 1
    again = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    assert (again.state, again.expires_at) == (S.WAITING, None)


async def test_a_scheduled_entry_of_a_list_is_an_entry_of_the_list_again(
    store: Store, clock: Clock, plain: Campaign
) -> None:
    ana = await person(store, plain, 1, rank=Rank.DATED, any_hour=True, not_before=NOON + HOUR)
    assert ana.rank is Rank.DATED
    again = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    assert (again.rank, again.any_hour) == (Rank.LIST, False)


async def test_a_task_stays_one(store: Store, clock: Clock, plain: Campaign) -> None:
    added = await tasks.add(store, clock, tasks.Wish(campaign="plain", numbers=[number(1)], at=NOON + HOUR))
    again = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    assert (again.id, again.rank, again.next_at) == (added.contact_id, Rank.TASK, NOON)


async def test_of_several_tasks_the_last_is_put_back(store: Store, clock: Clock, plain: Campaign) -> None:
    for hours in (1, 2):
        last = await tasks.add(store, clock, tasks.Wish(campaign="plain", numbers=[number(1)], at=NOON + hours * HOUR))
    again = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    assert again.id == last.contact_id


async def test_lists_go_before_tasks_and_a_base_is_asked_for_where_several_have_it(
    store: Store, clock: Clock, plain: Campaign
) -> None:
    await tasks.add(store, clock, tasks.Wish(campaign="plain", numbers=[number(1)]))
    march = await person(store, plain, 1)
    wanted = Respool(campaign="plain", number=phone(1))
    assert (await contacts.respool(store, clock, wanted)).id == march.id
    april = await person(store, plain, 1, base="april")
    with pytest.raises(Conflict, match="is in several bases of plain: april, march; say in which"):
        await contacts.respool(store, clock, wanted)
    chosen = Respool(campaign="plain", number=phone(1), base="april")
    assert (await contacts.respool(store, clock, chosen)).id == april.id
    with pytest.raises(NotFound, match="none in base may of plain"):
        await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1), base="may"))


async def test_only_the_main_number_finds_a_contact(store: Store, clock: Clock, plain: Campaign) -> None:
    await person(store, plain, 1, 2)
    with pytest.raises(NotFound, match="none in plain: astdialer contact list"):
        await contacts.respool(store, clock, Respool(campaign="plain", number=phone(2)))


async def test_a_number_that_a_result_stopped_stays_closed_unless_it_is_named(
    store: Store, clock: Clock, sales: Campaign
) -> None:
    ana, _ = await held(store, sales, 1)
    stopped = Result(success=False, stop_all=True)
    assert (await contacts.result(store, clock, UTC, ana.id, stopped)).state is S.DONE
    wanted = Respool(campaign="sales", number=phone(1), tries_used=0)
    with pytest.raises(Conflict, match="stopped for good"):
        await contacts.respool(store, clock, wanted)
    named = Respool(campaign="sales", number=phone(1), new_number=number(1))
    assert (await contacts.respool(store, clock, named)).state is S.WAITING


async def test_who_is_in_a_call_or_awaits_a_result_is_not_put_back(store: Store, clock: Clock, sales: Campaign) -> None:
    ana = await person(store, sales, 1)
    claim = await dial(store, sales, ana)
    wanted = Respool(campaign="sales", number=phone(1))
    with pytest.raises(Conflict, match="is in a call"):
        await contacts.respool(store, clock, wanted)
    await hang_up(store, sales, claim)
    with pytest.raises(Conflict, match="waits for the result"):
        await contacts.respool(store, clock, wanted)


async def test_a_blacklisted_number_is_not_put_back(store: Store, clock: Clock, plain: Campaign) -> None:
    await person(store, plain, 1)
    await contacts.forbid(store, clock, [entry(1), entry(2)])
    with pytest.raises(Conflict, match="is blacklisted: astdialer blacklist check"):
        await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    with pytest.raises(Conflict, match=f"\\{phone(2)} is blacklisted"):
        await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1), new_number=number(2)))
    again = Respool(campaign="plain", number=phone(1), new_number=number(3))
    assert (await contacts.respool(store, clock, again)).state is S.WAITING


async def test_a_number_that_is_no_longer_blacklisted_is_put_back(store: Store, clock: Clock, plain: Campaign) -> None:
    ana = await person(store, plain, 1)
    await contacts.forbid(store, clock, [entry(1)])
    assert (await store.load_contact(ana.id)).state is S.DONE
    await store.remove_from_blacklist(phone(1), "*")
    again = await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1)))
    assert (again.state, again.numbers[0].is_open) == (S.WAITING, True)


async def test_a_base_has_each_main_number_once(store: Store, clock: Clock, plain: Campaign) -> None:
    await person(store, plain, 1)
    ben = await person(store, plain, 2)
    with pytest.raises(Conflict, match=f"is contact {ben.id} of the same base already"):
        await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1), new_number=number(2)))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"priority": 0}, "priority = 0: expected a whole number from 1 to 999999"),
        ({"tries_used": -1}, "tries_used = -1"),
        ({"agentphone": "10 01"}, "agent = '10 01'"),
        ({"params": {"a b": "1"}}, "data = 'a b': expected names of 1 to 64 letters"),
        ({"params": {"a": "1\r\nAction: x"}}, "without control characters"),
        ({"params": {"a": "é" * 451}}, "of at most 900 bytes"),
        ({"params": {"a": "1", "A": "2"}}, "each name once"),
        ({"params": {f"p{n}": "" for n in range(61)}}, "61 params"),
    ],
)
async def test_what_can_not_be_is_refused_before_anything_changes(
    store: Store, clock: Clock, plain: Campaign, wanted: dict[str, object], words: str
) -> None:
    ana = await person(store, plain, 1)
    with pytest.raises(InvalidSetting, match=words):
        await contacts.respool(store, clock, Respool(campaign="plain", number=phone(1), **wanted))  # type: ignore[arg-type]
    assert await store.load_contact(ana.id) == ana


# --- the blacklist ---------------------------------------------------------------------------------------------------


async def test_forbidding_withdraws_who_waits(store: Store, clock: Clock, plain: Campaign) -> None:
    ana, ben = await person(store, plain, 1), await person(store, plain, 2, 3)
    later = NOON + HOUR
    assert await contacts.forbid(store, clock, [entry(1), entry(3, until=later)]) == contacts.Forbidden(2, 0, 1)
    assert (await store.load_contact(ana.id)).end_reason == "blacklisted"
    assert (await store.load_contact(ben.id)) == ben
    assert (await contacts.forbid(store, clock, [entry(1)])).added == 0
