"""Store contract: contacts that somebody has a word to say about."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from stores import (
    DAY,
    FREELY,
    HOUR,
    NOW,
    begin,
    check_counts,
    closing,
    forbid,
    load,
    new_number,
    numbers_of,
    people,
    person,
    phone,
    request,
    task,
)

from astdialer.domain.calendar import CallingWindow, Schedule
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, ContactState, Held, Number, Rank
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.domain.result import terminate
from astdialer.domain.retry import RedialRules
from astdialer.domain.selection import Judgement, Why
from astdialer.domain.settings import Settings
from astdialer.ports import Claim, Store, TaskAdded

pytest_plugins = ("store_fixtures",)

D = Disposition
AWAITED = RedialRules(hold_s=60)


async def id_of(store: Store, n: int, campaign: str = "demo") -> int:
    return int((await people(store, campaign))[phone(n)]["id"])


async def contact_of(store: Store, n: int) -> Contact:
    return await store.load_contact(await id_of(store, n))


async def called(store: Store, demo: Campaign, disposition: Disposition = D.BUSY, *, now: int = NOW) -> Claim:
    (claim,) = await store.claim(request(demo, limit=1, now=now))
    await store.close([closing(claim, disposition, now=now)])
    return claim


async def held(store: Store, demo: Campaign, *numbers: int) -> Contact:
    """A contact whose last talk's result is awaited."""
    await load(store, demo, [person(*numbers)], f"held-{numbers[0]}")
    (claim,) = await store.claim(request(demo))
    claim = replace(claim, attempt=replace(claim.attempt, dialed_at=NOW, answered_at=NOW, connected_at=NOW))
    await store.close([closing(claim, D.ANSWERED, rules=AWAITED)])
    return await store.load_contact(claim.contact.id)


# --- changing --------------------------------------------------------------------------------------------------------


async def test_a_change_is_written_and_given_back(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, 2)])

    def change(contact: Contact) -> Contact:
        first = replace(contact.numbers[0], next_at=NOW + HOUR, tally={"busy": 1}, range_tally={"x": 1}, tries=1)
        return replace(
            contact,
            numbers=(first, *contact.numbers[1:]),
            state=ContactState.WAITING,
            next_at=NOW + HOUR,
            params={"name": "other"},
            rank=Rank.DATED,
            priority=7,
            tries=1,
            expires_at=NOW + DAY,
            any_hour=True,
            preferred=phone(2),
            tag="a|b",
        )

    before = await contact_of(store, 1)
    after = await store.change_contact(before.id, change, NOW)
    assert after == change(before) == await store.load_contact(before.id)
    await check_counts(store, demo)


async def test_a_number_that_a_change_adds_is_kept_and_the_contact_moves_to_its_zones(
    store: Store, demo: Campaign
) -> None:
    await load(store, demo, [person(1, zones="Europe/Madrid")])
    added = Number(
        id=0, number=phone(9), as_uploaded="9", type="U", position=1, zones="America/Lima", next_at=NOW, description="d"
    )
    contact_id = await id_of(store, 1)
    after = await store.change_contact(contact_id, lambda c: replace(c, numbers=(*c.numbers, added)), NOW)
    assert after.numbers[1] == replace(added, id=after.numbers[1].id)
    assert after.numbers[1].id > 0
    assert [pool["zones"] for pool in await store.survey(demo.id) if pool["ready"]] == ["America/Lima;Europe/Madrid"]
    assert [c.id for c in await store.contacts_with(phone(9), demo.id)] == [contact_id]
    await check_counts(store, demo)


async def test_a_contact_does_not_get_the_main_number_of_another_of_its_base(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2)])
    await load(store, demo, [person(3)], "other")
    contact_id = await id_of(store, 1)
    before = await store.load_contact(contact_id)

    def renamed(n: int) -> Callable[[Contact], Contact]:
        return lambda c: replace(c, numbers=(replace(c.numbers[0], id=0, number=phone(n)), *c.numbers[1:]))

    with pytest.raises(Conflict, match=re.escape(f"another contact of its base has the main number {phone(2)}")):
        await store.change_contact(contact_id, renamed(2), NOW)
    assert await store.load_contact(contact_id) == before
    await store.change_contact(contact_id, renamed(3), NOW)
    assert (await store.contact(contact_id))["number"] == phone(3)


async def test_a_contact_that_is_given_to_an_agent_is_claimed_for_that_agent_only(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    await store.change_contact(await id_of(store, 1), lambda c: replace(c, agentphone="1001"), NOW)
    assert not await store.claim(request(demo))
    assert numbers_of(await store.claim(request(demo, buckets=["", "@1001"]))) == [phone(1)]
    await check_counts(store, demo)


async def test_a_contact_in_a_call_is_not_changed(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo))
    with pytest.raises(Conflict, match=f"contact {claim.contact.id} is in a call"):
        await store.change_contact(claim.contact.id, lambda c: replace(c, tag="a"), NOW)
    assert await store.load_contact(claim.contact.id) == claim.contact


async def test_a_change_that_refuses_changes_nothing(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    contact_id = await id_of(store, 1)
    await store.change_contact(contact_id, terminate, NOW)
    with pytest.raises(Conflict, match="done already"):
        await store.change_contact(contact_id, terminate, NOW + 1)
    (ending,) = await store.endings(0, None, 10)
    assert (ending.at, ending.contact_id, ending.end_cause) == (NOW, contact_id, "MANAGER_REQUEST")


async def test_several_are_changed_together_and_who_cant_be_stays(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2), person(3), person(4)])
    (claim,) = await store.claim(request(demo, 1))
    done, first, second = [await id_of(store, n) for n in (2, 3, 4)]
    await store.change_contact(done, terminate, NOW)
    listed = [claim.contact.id, done, first, second, 10**6]
    assert await store.change_contacts(listed, terminate, NOW) == [first, second]
    assert (await store.load_contact(claim.contact.id)).state is ContactState.IN_CALL
    assert (await store.counts(demo.id)).done == 3
    await check_counts(store, demo)


async def test_of_several_nobody_is_changed_if_one_cant_be_written(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2)])
    listed = [await id_of(store, 1), await id_of(store, 2)]

    def fails(contact: Contact) -> Contact:
        if contact.id == listed[1]:
            raise InvalidSetting("tag", "x", "another")
        return terminate(contact)

    with pytest.raises(InvalidSetting):
        await store.change_contacts(listed, fails, NOW)
    assert (await store.counts(demo.id)).done == 0


@pytest.mark.parametrize("published", [True, False])
async def test_who_is_not_there_or_not_published_is_not_found(store: Store, demo: Campaign, published: bool) -> None:
    upload = await begin(store, demo)
    await store.add_contacts(upload, [person(1)], NOW)
    if published:
        await store.publish_uploads([upload], NOW)
    contact_id = 2 if published else 1
    with pytest.raises(NotFound, match=str(contact_id)):
        await store.load_contact(contact_id)
    with pytest.raises(NotFound, match=str(contact_id)):
        await store.change_contact(contact_id, terminate, NOW)


async def test_a_held_contact_comes_back_with_what_is_awaited(store: Store, demo: Campaign) -> None:
    contact = await held(store, demo, 1)
    assert (contact.state, contact.held_until) == (ContactState.HELD, NOW + 60_000)
    assert contact.held is not None
    assert contact.held == Held(
        attempt_id=contact.held.attempt_id, number_id=contact.numbers[0].id, disposition="answered"
    )
    assert (await store.counts(demo.id)).held == 1
    await check_counts(store, demo)


# --- finding ---------------------------------------------------------------------------------------------------------


async def test_contacts_are_found_by_any_of_their_numbers(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1, 2), person(2, 3), person(4)])
    await load(store, other, [person(2)])
    unpublished = await begin(store, demo, "unpublished")
    await store.add_contacts(unpublished, [person(2)], NOW)
    await store.change_contact(await id_of(store, 2), terminate, NOW)

    async def found(n: int, campaign_id: int | None = None, **values: Any) -> list[tuple[int, str]]:
        contacts = await store.contacts_with(phone(n), campaign_id, **values)
        return [(contact.campaign_id, contact.numbers[0].number) for contact in contacts]

    assert await found(2) == [(demo.id, phone(1)), (other.id, phone(2))]
    assert await found(2, open_only=False) == [(demo.id, phone(1)), (demo.id, phone(2)), (other.id, phone(2))]
    assert await found(2, other.id) == [(other.id, phone(2))]
    assert await found(9) == []


async def test_only_a_call_that_is_open_can_be_the_last(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    contact_id = await id_of(store, 1)
    assert not await store.end_after_call(contact_id, "called off")
    (claim,) = await store.claim(request(demo))
    assert await store.end_after_call(contact_id, "called off")
    await store.close([closing(claim, D.BUSY)])
    contact = await store.load_contact(contact_id)
    assert (contact.state, contact.end_reason, contact.end_cause) == (
        ContactState.DONE,
        "called off",
        "MANAGER_REQUEST",
    )
    assert not await store.end_after_call(contact_id, "again")


# --- tasks -----------------------------------------------------------------------------------------------------------


async def test_tasks_go_before_the_list_dated_ones_first(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, priority=1)])
    await store.add_task(task(demo, 2, priority=9), NOW)
    await store.add_task(task(demo, 3, priority=5), NOW)
    await store.add_task(task(demo, 4, rank=Rank.DATED, not_before=NOW), NOW)
    await store.add_task(task(demo, 5, rank=Rank.DATED, not_before=NOW + HOUR), NOW)
    assert numbers_of(await store.claim(request(demo))) == [phone(n) for n in (4, 3, 2, 1)]
    assert numbers_of(await store.claim(request(demo, now=NOW + HOUR))) == [phone(5)]
    await check_counts(store, demo)


async def test_tasks_are_in_one_base_and_may_have_the_same_number(store: Store, demo: Campaign) -> None:
    ids = [(await store.add_task(task(demo, 1), NOW)).contact_id for _ in range(3)]
    assert len(set(ids)) == 3
    assert [contact.id for contact in await store.contacts_with(phone(1), demo.id)] == ids
    (base,) = await store.bases(demo.id)
    assert (base["base"], base["file_name"], base["state"], base["contacts"]) == ("tasks", "tasks", "published", 3)
    other = await store.create_campaign("other", Settings(), NOW)
    await store.add_task(task(other, 1), NOW)
    assert [base["campaign"] for base in await store.bases(None)] == ["demo", "other"]


async def test_a_task_takes_its_campaigns_zone_where_its_numbers_have_none(store: Store, demo: Campaign) -> None:
    numbers = (new_number(1), new_number(2, "America/Lima"))
    contact_id, _ = await store.add_task(task(demo, 1, numbers=numbers, zone="Europe/Madrid"), NOW)
    contact = await store.load_contact(contact_id)
    assert [n.zones for n in contact.numbers] == ["Europe/Madrid", "America/Lima"]
    assert await store.zones(demo.id) == ["America/Lima;Europe/Madrid"]


async def test_a_task_for_one_call_is_taken_when_it_is_made_and_done_after_it(store: Store, demo: Campaign) -> None:
    wanted = task(demo, 1, not_before=NOW, agentphone="1001", zone="UTC")
    claim = await store.claim_task(wanted, request(demo, zones=[]), "called by hand")
    assert isinstance(claim, Claim)
    assert (claim.attempt.number, claim.attempt.manual, claim.base) == (phone(1), True, "tasks")
    assert [opened.attempt for opened in await store.open_attempts()] == [claim.attempt]
    await check_counts(store, demo)
    await store.close([closing(claim, D.BUSY)])
    contact = await store.load_contact(claim.contact.id)
    assert (contact.state, contact.end_reason) == (ContactState.DONE, "called by hand")
    await check_counts(store, demo)


async def test_a_task_for_one_call_that_cant_be_called_is_done(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    await store.claim(request(demo))
    answer = await store.claim_task(task(demo, 1, not_before=NOW), request(demo), "called by hand")
    assert isinstance(answer, Judgement)
    assert answer.why is Why.IN_CALL
    contact = (await store.contacts_with(phone(1), demo.id, open_only=False))[-1]
    assert (contact.state, contact.end_reason) == (ContactState.DONE, "terminated")
    assert len(await store.open_attempts()) == 1
    await check_counts(store, demo)


async def test_scheduled_calls_are_listed_by_their_time(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    for n, hours in ((1, 3), (2, 1), (3, 2), (4, 9)):
        await store.add_task(task(demo, n, n + 10, rank=Rank.DATED, not_before=NOW + hours * HOUR), NOW)
    await store.add_task(task(demo, 5), NOW)
    await store.add_task(task(other, 6, rank=Rank.DATED, not_before=NOW + HOUR), NOW)
    await load(store, demo, [person(7, not_before=NOW + HOUR)])
    await store.change_contact(await id_of(store, 4), terminate, NOW)

    async def found(**values: Any) -> list[str]:
        known: dict[str, Any] = {"number": None, "from_at": None, "to_at": None, "limit": 10}
        return [contact.numbers[0].number for contact in await store.scheduled(demo.id, **known | values)]

    assert await found() == [phone(n) for n in (2, 3, 1)]
    assert await found(limit=2) == [phone(2), phone(3)]
    assert await found(from_at=NOW + 2 * HOUR) == [phone(3), phone(1)]
    assert await found(to_at=NOW + 2 * HOUR) == [phone(2)]
    assert await found(number=phone(11)) == [phone(1)]
    # one that is due, but lacks a free trunk, keeps its place
    assert not await store.claim(request(demo, now=NOW + HOUR, full=True))
    assert (await people(store))[phone(2)]["state"] == "ready"
    assert await found() == [phone(n) for n in (2, 3, 1)]


async def test_a_task_that_is_known_is_no_other_contact(store: Store, demo: Campaign) -> None:
    async def ask(*numbers: int, order: str, **values: Any) -> TaskAdded:
        def again(contact: Contact, in_tasks: bool) -> Contact | None:
            return replace(contact, params={"order": order}) if in_tasks else None

        return await store.add_task(task(demo, *numbers, **values), NOW, again)

    await load(store, demo, [person(1)])
    first, second = await asyncio.gather(ask(1, order="7"), ask(1, order="8"))
    assert (first.is_new, second) == (True, TaskAdded(first.contact_id, is_new=False))
    assert (await store.load_contact(first.contact_id)).params == {"order": "8"}
    await store.change_contact(first.contact_id, terminate, NOW)
    assert (await ask(1, order="9", rank=Rank.LIST)).contact_id == first.contact_id, "a list knows whoever is done, too"
    third = await ask(1, order="9")
    assert third.is_new
    await store.change_contact(third.contact_id, lambda c: replace(c, priority=0), NOW)
    (claim,) = await store.claim(request(demo, limit=1))
    assert claim.contact.id == third.contact_id
    with pytest.raises(Conflict, match=f"contact {third.contact_id} is in a call"):
        await ask(1, order="10")
    await check_counts(store, demo)


# --- withdrawing -----------------------------------------------------------------------------------------------------


async def test_a_blacklisted_number_is_closed_with_everybody_who_waits_for_it(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1), person(2, 1), person(3)])
    await load(store, other, [person(1)])
    task_id, _ = await store.add_task(task(demo, 1, rank=Rank.DATED, not_before=NOW + DAY), NOW)
    assert await store.withdraw([forbid(1)], NOW) == 4
    rows = await people(store)
    ended = await store.load_contact(task_id)
    assert (ended.state, ended.end_reason, ended.end_cause) == (ContactState.DONE, "blacklisted", "NO_COMMUNICATIONS")
    assert (rows[phone(2)]["state"], rows[phone(3)]["state"]) == ("waiting", "ready")
    assert [n.end_reason for n in (await contact_of(store, 2)).numbers] == ["", "blacklisted"]
    assert numbers_of(await store.claim(request(demo))) == [phone(2), phone(3)]
    assert not await store.claim(request(other))
    assert await store.withdraw([forbid(1)], NOW) == 0
    await check_counts(store, demo)


async def test_a_prefix_withdraws_every_number_that_begins_so(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in (110, 119, 120, 1190)] + [person(121, 113, 114)])
    assert await store.withdraw([forbid(0, number=phone(11)[:-2] + "01*")], NOW) == 0
    assert await store.withdraw([forbid(0, number="+34600000011")], NOW) == 0
    assert await store.withdraw([forbid(0, number="+3460000011*")], NOW) == 3
    assert sorted(numbers_of(await store.claim(request(demo)))) == [phone(n) for n in (120, 121, 1190)]


async def test_a_prefix_too_short_to_bind_a_claim_withdraws_nobody(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    for number in ("*", "+*", "+3*"):
        assert await store.withdraw([forbid(0, number=number)], NOW) == 0
    assert await store.withdraw([forbid(0, number="+34*")], NOW) == 1


async def test_an_entry_of_one_campaign_withdraws_from_no_other(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1)])
    await load(store, other, [person(1)])
    assert await store.withdraw([forbid(1, "other"), forbid(0, "other", number=phone(1)[:6] + "*")], NOW) == 1
    assert (await people(store))[phone(1)]["state"] == "ready"
    assert (await people(store, "other"))[phone(1)]["state"] == "done"


async def test_an_entry_that_ends_only_puts_calls_off(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2, 3)])
    until = NOW + DAY
    assert await store.withdraw([forbid(1, expires_at=until), forbid(3, expires_at=until)], NOW) == 1
    assert (await contact_of(store, 1)).next_at == until
    (rule,) = await store.put_off(demo.id)
    assert (rule["why"], rule["n"], rule["last_at"]) == ("the blacklist", 1, until)
    assert await store.withdraw([forbid(1, expires_at=until)], NOW) == 0
    assert numbers_of(await store.claim(request(demo, now=until - 1))) == [phone(2)]
    assert numbers_of(await store.claim(request(demo, now=until))) == [phone(1)]


@pytest.mark.parametrize("number", [phone(1), phone(1)[:-1] + "*"], ids=["number", "prefix"])
@pytest.mark.parametrize("by_claim", [True, False], ids=["claim", "withdraw"])
async def test_who_waits_for_an_entry_to_end_comes_up_when_it_is_removed(
    store: Store, demo: Campaign, number: str, by_claim: bool
) -> None:
    await load(store, demo, [person(1)])
    entry = forbid(0, number=number, expires_at=NOW + 30 * DAY)
    await store.add_to_blacklist([entry])
    if by_claim:
        assert not await store.claim(request(demo))
    else:
        assert await store.withdraw([entry], NOW) == 1
    assert (await store.counts(demo.id)).next_due_at == entry.expires_at
    assert not await store.remove_from_blacklist(number, "other")
    assert (await store.counts(demo.id)).next_due_at == entry.expires_at
    assert await store.remove_from_blacklist(number, "*")
    assert numbers_of(await store.claim(request(demo))) == [phone(1)]


async def test_a_removed_entry_brings_up_nobody_who_waits_for_a_try_or_whom_it_did_not_bar(
    store: Store, demo: Campaign
) -> None:
    await load(store, demo, [person(1, not_before=NOW + HOUR), person(2), person(10)])
    await store.add_to_blacklist([forbid(n, expires_at=NOW + DAY) for n in (2, 10)])
    assert not await store.claim(request(demo))
    for n in (1, 2):
        await store.remove_from_blacklist(phone(n), "*")
    assert numbers_of(await store.claim(request(demo))) == [phone(2)]
    assert (await contact_of(store, 1)).next_at == NOW + HOUR
    assert (await contact_of(store, 10)).next_at == NOW + DAY


async def test_a_removed_entry_brings_up_more_than_fit_into_one_transaction(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n, 5000 + n) for n in range(1200)])
    entry = forbid(0, number="+34600*", expires_at=NOW + DAY)
    assert await store.withdraw([entry], NOW) == 1200
    await store.remove_from_blacklist(entry.number, "*")
    assert (await store.counts(demo.id)).next_due_at == 0
    assert sum(row["n"] for row in await store.put_off(demo.id) if row["why"] == "the blacklist") == 0


async def test_an_entry_that_has_ended_puts_nobody_off(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    assert await store.withdraw([forbid(1, expires_at=NOW), forbid(0, number="+34*", expires_at=NOW - 1)], NOW) == 0
    assert (await people(store))[phone(1)]["state"] == "ready"


async def test_a_contact_in_a_call_is_left_to_the_engine(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo))
    assert await store.withdraw([forbid(1), forbid(0, number="+34*")], NOW) == 0
    assert await store.load_contact(claim.contact.id) == claim.contact


async def test_a_contact_whose_result_is_awaited_goes_on_waiting_for_it(store: Store, demo: Campaign) -> None:
    two, one = await held(store, demo, 1, 2), await held(store, demo, 3)
    assert await store.withdraw([forbid(1), forbid(3)], NOW) == 2
    after = await store.load_contact(two.id)
    closed = replace(two.numbers[0], next_at=None, end_reason="blacklisted")
    assert after == replace(two, numbers=(closed, two.numbers[1]))
    assert [n.end_reason for n in (await store.load_contact(one.id)).numbers] == ["blacklisted"]
    assert [c.id for c in await store.due_results(NOW + HOUR, 10)] == [two.id, one.id]


async def test_nobody_is_withdrawn_from_an_upload_that_is_not_published(store: Store, demo: Campaign) -> None:
    """It could not be discarded any more; the claim will see the entry."""
    upload = await begin(store, demo)
    await store.add_contacts(upload, [person(1, expires_at=NOW)], NOW)
    assert await store.withdraw([forbid(1), forbid(0, number="+34*")], NOW) == 0
    assert await store.expire(NOW, 10) == 0
    await store.discard_uploads([upload])
    assert not await store.interrupted_uploads(NOW + HOUR, 0)


async def test_more_are_withdrawn_than_fit_into_one_transaction(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in range(2500)])
    assert await store.withdraw([forbid(n) for n in range(1200)], NOW) == 1200
    assert await store.withdraw([forbid(0, number="+34600*")], NOW) == 1300
    assert (await store.counts(demo.id)).done == 2500
    assert await store.withdraw([], NOW) == 0


# --- time ------------------------------------------------------------------------------------------------------------


async def test_who_has_expired_ends(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, expires_at=NOW), person(2, expires_at=NOW + 1), person(3)])
    await load(store, demo, [person(4, expires_at=NOW - 1, not_before=NOW + DAY), person(5, expires_at=NOW)], "more")
    assert await store.expire(NOW, 2) == 2
    assert await store.expire(NOW, 10) == 1
    assert await store.expire(NOW, 10) == 0
    rows = await people(store)
    assert {number for number, row in rows.items() if row["state"] == "done"} == {phone(n) for n in (1, 4, 5)}
    assert (rows[phone(1)]["end_reason"], rows[phone(1)]["end_cause"]) == ("expired", "MEMBER_EXPIRED")
    assert [ending.at for ending in await store.endings(0, demo.id, 10)] == [NOW] * 3
    await check_counts(store, demo)


async def test_who_is_in_a_call_does_not_expire_meanwhile(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, expires_at=NOW + 1)])
    await store.claim(request(demo))
    assert await store.expire(NOW + HOUR, 10) == 0


async def test_a_result_is_due_when_its_time_is_over(store: Store, demo: Campaign) -> None:
    contact = await held(store, demo, 1)
    assert not await store.due_results(NOW + 59_999, 10)
    assert await store.due_results(NOW + 60_000, 10) == [contact]
    assert not await store.due_results(NOW + 60_000, 0)


NEVER = replace(
    FREELY, schedule=Schedule(CallingWindow(start_minute=0, end_minute=1, weekdays=frozenset())), require_zone=False
)


async def test_who_waits_for_a_rule_comes_up_again_when_it_is_changed(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2, zones="America/Lima"), person(3)])
    await called(store, demo)
    assert not await store.claim(request(demo, rules=NEVER))
    assert not await store.claim(request(demo))
    assert (await store.counts(demo.id)).waiting == 3
    other = await store.create_campaign("other", Settings(), NOW)
    assert await store.rewake(other.id, 10) == 0
    assert await store.rewake(demo.id, 1) == 1
    assert await store.rewake(demo.id, 10) == 1
    assert await store.rewake(demo.id, 10) == 0
    assert numbers_of(await store.claim(request(demo))) == [phone(2), phone(3)]
    assert (await people(store))[phone(1)]["state"] == "waiting", "its retry time is no rule that was changed"
    await check_counts(store, demo)


async def test_who_comes_up_again_still_waits_for_its_numbers(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    later = NOW + HOUR
    await called(store, demo, D.NO_ANSWER)
    assert not await store.claim(request(demo, now=later, rules=NEVER))
    assert await store.rewake(demo.id, 10) == 1
    assert (await contact_of(store, 1)).next_at == later
