"""Store contract: claim, follow, close."""

import asyncio
import dataclasses
from typing import Any

import pytest
from stores import (
    HOUR,
    NOW,
    FreshDatabase,
    cdrs,
    check_counts,
    closing,
    forbid,
    load,
    numbers_of,
    people,
    person,
    phone,
    request,
)

from astdialer.domain.amd import Action, Verdict
from astdialer.domain.attempt import Attempt, State
from astdialer.domain.campaign import Campaign
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import DEFAULTS, RedialRules, Retry
from astdialer.domain.settings import Settings
from astdialer.ports import Store

pytest_plugins = ("store_fixtures",)

D = Disposition


async def other_campaign(store: Store) -> Campaign:
    return await store.create_campaign("other", Settings(), NOW)


# --- claim -----------------------------------------------------------------------------------------------------------


async def test_a_claim_writes_an_attempt_and_takes_the_contact(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    wish = request(demo, limit=3, server="two")
    (claim,) = await store.claim(wish)
    assert claim.attempt == Attempt(
        id=wish.attempt_ids[0],
        campaign_id=demo.id,
        contact_id=claim.contact.id,
        number_id=claim.contact.numbers[0].id,
        number=phone(1),
        trunk="carrier",
        server="two",
        created_at=NOW,
        reason="no free agent",
    )
    assert (await people(store))[phone(1)]["state"] == "in_call"
    assert not await store.claim(request(demo))
    await check_counts(store, demo)


async def test_the_most_urgent_of_all_bases_come_first(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, priority=5), person(2, priority=1)], "one")
    await load(store, demo, [person(3, priority=3), person(4, priority=1), person(5)], "two")
    order = [numbers_of(await store.claim(request(demo, limit=1)))[0] for _ in range(5)]
    assert order == [phone(n) for n in (2, 4, 3, 1, 5)]


async def test_a_claim_takes_no_more_than_its_limit(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in range(10)])
    assert len(await store.claim(request(demo, limit=3))) == 3
    assert (await store.counts(demo.id)).ready == 7
    assert len(await store.claim(request(demo, limit=100))) == 7


async def test_a_waiting_contact_is_claimed_when_due_and_not_before(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    await store.close([closing((await store.claim(request(demo)))[0], D.BUSY)])
    due = NOW + DEFAULTS[D.BUSY].delays_s[0] * 1000
    counts = await store.counts(demo.id)
    assert (counts.waiting, counts.next_due_at) == (1, due)
    assert not await store.claim(request(demo, now=due - 1))
    (again,) = await store.claim(request(demo, now=due))
    assert again.contact.numbers[0].tally == {"busy": 1}
    assert again.contact.numbers[0].last_disposition == "busy"
    await check_counts(store, demo)


async def test_a_due_contact_with_priority_goes_before_fresh_ones(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, priority=1), person(2, priority=2)])
    await store.close([closing((await store.claim(request(demo, limit=1)))[0], D.BUSY)])
    assert numbers_of(await store.claim(request(demo, limit=1, now=NOW + HOUR))) == [phone(1)]


async def test_only_contacts_in_open_zones_are_claimed(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2, zones="America/Lima")], "mixed")
    await load(store, demo, [person(3, zones="Europe/Madrid")], "madrid")
    assert sorted(await store.zones(demo.id)) == ["", "America/Lima", "Europe/Madrid"]
    assert numbers_of(await store.claim(request(demo, zones=["America/Lima"]))) == [phone(2)]
    assert numbers_of(await store.claim(request(demo, zones=[]))) == []
    assert numbers_of(await store.claim(request(demo, zones=["", "Europe/Madrid"]))) == [phone(1), phone(3)]


async def test_another_campaigns_contacts_are_left_alone(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    assert not await store.claim(request(await other_campaign(store)))


async def test_a_blacklisted_contact_ends(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2)])
    await store.add_to_blacklist([forbid(1)])
    assert numbers_of(await store.claim(request(demo))) == [phone(2)]
    row = (await people(store))[phone(1)]
    assert (row["state"], row["end_reason"]) == ("done", "blacklisted")
    await check_counts(store, demo)


async def test_a_blacklisted_number_is_passed_over_for_the_next(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, 2)])
    await store.add_to_blacklist([forbid(1)])
    (claim,) = await store.claim(request(demo))
    assert claim.attempt.number == phone(2)
    assert claim.contact.numbers[0].end_reason == "blacklisted"
    await store.close([closing(claim, D.BUSY)])
    contact = await store.contact(claim.contact.id)
    assert [n["end_reason"] for n in contact["numbers"]] == ["blacklisted", ""]
    assert not await store.claim(request(demo, now=NOW + 1))


async def test_a_blacklist_of_one_campaign_binds_no_other(store: Store, demo: Campaign) -> None:
    other = await other_campaign(store)
    await load(store, demo, [person(1)])
    await load(store, other, [person(1)])
    await store.add_to_blacklist([forbid(1, "demo")])
    assert not await store.claim(request(demo))
    assert numbers_of(await store.claim(request(other))) == [phone(1)]
    assert await store.is_blacklisted(phone(1), "demo", NOW)
    assert not await store.is_blacklisted(phone(1), "other", NOW)


async def test_a_whole_blacklisted_head_of_the_list_does_not_hide_the_rest(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in range(40)])
    await store.add_to_blacklist([forbid(n) for n in range(30)])
    assert len(await store.claim(request(demo, limit=10))) == 10


async def test_a_number_has_one_live_call_across_campaigns(store: Store, demo: Campaign) -> None:
    other = await other_campaign(store)
    await load(store, demo, [person(1)])
    await load(store, other, [person(1)])
    (mine,) = await store.claim(request(demo))
    assert not await store.claim(request(other))
    assert not await store.claim(request(other, now=NOW + HOUR))
    await store.close([closing(mine, D.BUSY)])
    assert numbers_of(await store.claim(request(other, now=NOW + 2 * HOUR))) == [phone(1)]


async def test_two_contacts_of_one_claim_with_the_same_number_get_one_call(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, 9), person(2, 1)])
    assert numbers_of(await store.claim(request(demo))) == [phone(1), phone(2)]
    await load(store, demo, [person(3), person(4, 3)], "shared")
    await load(store, demo, [person(3)], "again")
    assert sorted(numbers_of(await store.claim(request(demo)))) == [phone(3), phone(4)]


async def test_a_number_in_call_is_passed_over_for_the_next(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)], "one")
    await store.claim(request(demo))
    await load(store, demo, [person(1, 2)], "two")
    assert numbers_of(await store.claim(request(demo))) == [phone(2)]


async def test_alternatives_are_tried_in_their_order(store: Store, demo: Campaign) -> None:
    rules = RedialRules(retries={**DEFAULTS, D.BUSY: Retry(tries=2, delays_s=(60,))})
    await load(store, demo, [person(1, 2, 3)])
    tried = []
    for n in range(6):
        now = NOW + n * HOUR
        claims = await store.claim(request(demo, now=now))
        tried += numbers_of(claims)
        await store.close([closing(claims[0], D.BUSY, now=now, rules=rules)])
    assert tried == [phone(n) for n in (1, 2, 3, 1, 2, 3)]
    assert (await people(store))[phone(1)]["end_reason"] == "busy"
    assert not await store.claim(request(demo, now=NOW + 100 * HOUR))


async def test_concurrent_claims_never_share_a_contact(database: FreshDatabase) -> None:
    async with database.open() as one, database.open() as two:
        demo = await one.create_campaign("demo", Settings(), NOW)
        await load(one, demo, [person(n) for n in range(100)])
        wishes = [(store, request(demo, limit=7)) for store in (one, two) * 8]
        claimed = [c for some in await asyncio.gather(*(s.claim(wish) for s, wish in wishes)) for c in some]
        assert len(claimed) == 100
        assert len({claim.contact.id for claim in claimed}) == 100
        await check_counts(two, demo)


# --- save and close --------------------------------------------------------------------------------------------------


def with_every_field(attempt: Attempt) -> Attempt:
    """Every field that is not who and where, changed from its default."""
    special: dict[str, Any] = {
        "state": State.CONNECTED,
        "amd_verdict": Verdict.NOTSURE,
        "action": Action.QUEUE,
        "originate_success": False,
        "agent_ring_s": 1.75,
    }
    values = {}
    for number, field in enumerate(dataclasses.fields(Attempt), 1):
        if field.default is dataclasses.MISSING or field.name == "reason":  # these are the claim's
            continue
        kinds = {"int": number, "int | None": NOW + number, "str": f"ñ'\"{number}", "bool": True}
        values[field.name] = special.get(field.name, kinds.get(str(field.type)))
    return dataclasses.replace(attempt, **values)


async def test_every_fact_of_an_open_attempt_comes_back(database: FreshDatabase) -> None:
    async with database.open() as store:
        demo = await store.create_campaign("demo", Settings(), NOW)
        await load(store, demo, [person(1, 2)])
        (claim,) = await store.claim(request(demo))
        full = with_every_field(claim.attempt)
        await store.save_attempts([full])
    unchanged = [f.name for f in dataclasses.fields(Attempt) if getattr(full, f.name) in (f.default, None)]
    assert unchanged == []
    async with database.open() as store:
        (found,) = await store.open_attempts()
        assert found.attempt == full
        assert found.base == "b"
        assert found.contact == claim.contact


async def test_open_attempts_are_found_by_server(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2)])
    await store.claim(request(demo, limit=1, server="one"))
    await store.claim(request(demo, limit=1, server="two"))
    assert numbers_of(await store.open_attempts("two")) == [phone(2)]
    assert sorted(numbers_of(await store.open_attempts())) == [phone(1), phone(2)]
    assert not await store.open_attempts("three")


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
async def test_every_open_state_can_be_kept(store: Store, demo: Campaign, state: State) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo))
    await store.save_attempts([dataclasses.replace(claim.attempt, state=state)])
    assert [found.attempt.state for found in await store.open_attempts()] == [state]


@pytest.mark.parametrize("disposition", Disposition)
async def test_closing_writes_everything_once(store: Store, demo: Campaign, disposition: Disposition) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo))
    end = closing(claim, disposition, record=True)
    await store.close([end])
    await store.close([dataclasses.replace(end, disposition=D.FAILED), end])
    await store.save_attempts([dataclasses.replace(claim.attempt, state=State.RINGING)])
    assert not await store.open_attempts()
    (row,) = await cdrs(store)
    assert row == dataclasses.asdict(end.cdr)
    assert len(await store.due_recordings(NOW, 10)) == 1
    contact = await store.contact(claim.contact.id)
    assert [(a["state"], a["disposition"], a["closed_at"]) for a in contact["attempts"]] == [
        ("closed", disposition, NOW)
    ]
    assert contact["state"] == ("done" if end.contact.next_at is None else "waiting")
    assert (contact["next_at"], contact["end_reason"]) == (end.contact.next_at, end.contact.end_reason)
    assert contact["numbers"][0]["tally"] == end.contact.numbers[0].tally
    assert (await store.counts(demo.id)).dispositions == {disposition: 1}
    await check_counts(store, demo)


async def test_attempts_closed_together_are_each_counted(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2)])
    first, second = await store.claim(request(demo))
    await store.close([closing(first, D.BUSY), closing(second, D.ANSWERED)])
    assert (await store.counts(demo.id)).dispositions == {"busy": 1, "answered": 1}
    assert len(await cdrs(store)) == 2


async def test_an_attempt_closed_twice_in_one_go_is_counted_once(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo))
    await store.close([closing(claim, D.BUSY), closing(claim, D.BUSY)])
    assert (await store.counts(demo.id)).dispositions == {"busy": 1}
    assert len(await cdrs(store)) == 1


async def test_closing_an_attempt_nobody_made_changes_nothing(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo))
    stranger = dataclasses.replace(claim, attempt=dataclasses.replace(claim.attempt, id="stranger"))
    await store.close([closing(stranger, D.BUSY)])
    assert not await cdrs(store)
    assert (await people(store))[phone(1)]["state"] == "in_call"


async def test_a_number_may_be_called_again_once_its_attempt_is_closed(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    for n in range(3):
        now = NOW + n * HOUR
        (claim,) = await store.claim(request(demo, now=now))
        await store.close([closing(claim, D.CONGESTION, now=now)])
    contact = await store.contact(claim.contact.id)
    assert [a["created_at"] for a in contact["attempts"]] == [NOW, NOW + HOUR, NOW + 2 * HOUR]
    assert contact["numbers"][0]["tally"] == {"congestion": 3}
    assert len(await cdrs(store)) == 3
