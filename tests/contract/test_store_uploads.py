"""Store contract: uploads are all or nothing."""

import pytest
from stores import (
    DAY,
    HOUR,
    NOW,
    FreshDatabase,
    begin,
    check_counts,
    load,
    new_number,
    numbers_of,
    people,
    person,
    phone,
    request,
    task,
)

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, ContactState, NewContact, Number, NumberType, Rank
from astdialer.domain.errors import Conflict
from astdialer.domain.settings import Settings
from astdialer.ports import Store

pytest_plugins = ("store_fixtures",)


async def test_nothing_is_dialable_before_it_is_published(store: Store, demo: Campaign) -> None:
    upload = await begin(store, demo)
    await store.add_contacts(upload, [person(1), person(2)], NOW)
    assert not await store.claim(request(demo))
    assert not await people(store)
    assert (await store.counts(demo.id)).ready == 0
    assert not await store.zones(demo.id)
    await store.publish_uploads([upload], NOW)
    assert (await store.counts(demo.id)).ready == 2
    assert await store.zones(demo.id) == [""]
    assert len(await store.claim(request(demo))) == 2


async def test_a_contact_comes_back_with_everything_it_had(store: Store, demo: Campaign) -> None:
    numbers = tuple(
        new_number(n, type=kind, as_uploaded=f"0{n}", priority=n, description=f"№ {n}", zones=zones)
        for n, (kind, zones) in enumerate(
            [*((kind, "Europe/Madrid") for kind in NumberType), ("OWN-KIND", "America/Lima|America/New_York")], 1
        )
    )
    params = {"name": "Ñandú <b>", "q": '"; DROP TABLE contacts; --', "empty": ""}
    new = NewContact(
        numbers=numbers,
        params=params,
        priority=3,
        agentphone="1001",
        line=42,
        bucket="vip",
        rank=Rank.TASK,
        not_before=NOW - 1,
        expires_at=NOW + DAY,
        any_hour=True,
    )
    await load(store, demo, [new])
    (claim,) = await store.claim(request(demo, buckets=["@1001"]))
    contact = await store.load_contact(claim.contact.id)
    assert contact == claim.contact
    assert contact == Contact(
        id=contact.id,
        campaign_id=demo.id,
        base_id=contact.base_id,
        numbers=tuple(
            Number(
                id=kept.id,
                number=n.number,
                as_uploaded=n.as_uploaded,
                type=n.type,
                position=position,
                priority=n.priority,
                description=n.description,
                zones=n.zones,
                next_at=NOW - 1,
            )
            for position, (n, kept) in enumerate(zip(numbers, contact.numbers, strict=True))
        ),
        params=params,
        priority=3,
        rank=Rank.TASK,
        agentphone="1001",
        bucket="vip",
        line=42,
        state=ContactState.IN_CALL,
        next_at=None,
        expires_at=NOW + DAY,
        any_hour=True,
    )
    assert claim.base == "b"


# --- pools -----------------------------------------------------------------------------------------------------------


async def test_contacts_lie_in_pools_of_their_zones_and_their_agents(store: Store, demo: Campaign) -> None:
    two_zones = person(5, numbers=(new_number(5, "Europe/Madrid"), new_number(6, "America/Lima")))
    many_zones = person(7, numbers=tuple(new_number(n, f"UTC+0{n}:00") for n in range(5)))
    await load(
        store,
        demo,
        [
            person(1),
            person(2, zones="Europe/Madrid"),
            person(3, zones="Europe/Madrid", agentphone="1001", bucket="vip"),
            person(4, zones="Europe/Madrid", bucket="vip"),
            person(8, zones="Europe/Madrid", bucket="vip"),
            two_zones,
            many_zones,
        ],
    )
    assert {(pool["zones"], pool["bucket"]): pool["ready"] for pool in await store.survey(demo.id)} == {
        ("", ""): 1,
        ("Europe/Madrid", ""): 1,
        ("Europe/Madrid", "@1001"): 1,
        ("Europe/Madrid", "vip"): 2,
        ("America/Lima;Europe/Madrid", ""): 1,
        ("*", ""): 1,
    }
    assert sorted(await store.bound_buckets(demo.id)) == ["@1001", "vip"]


async def test_pools_are_shared_by_the_batches_of_an_upload(store: Store, demo: Campaign) -> None:
    upload = await begin(store, demo)
    for n in range(3):
        await store.add_contacts(upload, [person(n, zones="Europe/Madrid")], NOW)
    assert await store.survey(demo.id) == []
    await store.publish_uploads([upload], NOW)
    assert [(pool["zones"], pool["ready"]) for pool in await store.survey(demo.id)] == [("Europe/Madrid", 3)]


async def test_a_contact_with_a_date_waits_for_it(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, not_before=NOW + HOUR), person(2)])
    assert numbers_of(await store.claim(request(demo))) == [phone(2)]
    assert (await store.counts(demo.id)).next_due_at == NOW + HOUR
    await check_counts(store, demo)
    assert not await store.claim(request(demo, now=NOW + HOUR - 1))
    assert numbers_of(await store.claim(request(demo, now=NOW + HOUR))) == [phone(1)]


async def test_discarding_leaves_no_pool_behind(store: Store, demo: Campaign) -> None:
    kept = await load(store, demo, [person(1, zones="Europe/Madrid")])
    upload = await begin(store, demo)
    await store.add_contacts(upload, [person(2, zones="America/Lima"), person(3, not_before=NOW + HOUR)], NOW)
    await store.discard_uploads([upload])
    assert await store.known_numbers(kept, [phone(n) for n in (1, 2, 3)]) == {phone(1)}
    assert await store.zones(demo.id) == ["Europe/Madrid"]
    await check_counts(store, demo)
    (row,) = await store.bases(demo.id)
    assert row["contacts"] == 1
    await load(store, demo, [person(4, zones="Asia/Tokyo")])
    assert sorted(await store.zones(demo.id)) == ["Asia/Tokyo", "Europe/Madrid"]


async def test_a_task_makes_no_number_known(store: Store, demo: Campaign) -> None:
    """A base may bring a number for which a call was asked for as well."""
    await store.add_task(task(demo, 1), NOW)
    upload = await begin(store, demo, "tasks")
    assert await store.known_numbers(upload, [phone(1)]) == set()
    await store.add_contacts(upload, [person(1)], NOW)
    assert await store.known_numbers(upload, [phone(1)]) == {phone(1)}


async def test_an_upload_knows_its_bases_zone(store: Store, demo: Campaign) -> None:
    first = await begin(store, demo, zone="America/Lima")
    again = await begin(store, demo)
    assert (first.timezone, again.timezone) == ("America/Lima", "America/Lima")
    assert [upload.timezone for upload in await store.interrupted_uploads(NOW + HOUR, 1)] == ["America/Lima"] * 2


# --- all or nothing --------------------------------------------------------------------------------------------------


async def test_several_uploads_are_published_together_or_not_at_all(store: Store, demo: Campaign) -> None:
    first, second = await begin(store, demo, "one"), await begin(store, demo, "two")
    await store.add_contacts(first, [person(1)], NOW)
    await store.add_contacts(second, [person(2)], NOW)
    await store.discard_uploads([second])
    with pytest.raises(Conflict, match="two"):
        await store.publish_uploads([first, second], NOW)
    assert not await people(store)
    await store.publish_uploads([first], NOW)
    assert list(await people(store)) == [phone(1)]


async def test_a_crash_leaves_an_upload_that_can_be_found_and_discarded(database: FreshDatabase) -> None:
    async with database.open() as store:
        demo = await store.create_campaign("demo", Settings(), NOW)
        await load(store, demo, [person(9)], "old")
        upload = await begin(store, demo)
        await store.add_contacts(upload, [person(n) for n in range(1, 4)], NOW)
    async with database.open() as store:
        assert not await store.interrupted_uploads(NOW + 9_999, 10)
        assert list(await store.interrupted_uploads(NOW + 10_000, 10)) == [upload]
        await store.discard_uploads([upload])
        assert not await store.interrupted_uploads(NOW + HOUR, 10)
        assert list(await people(store)) == [phone(9)]
        assert [row["base"] for row in await store.bases(demo.id)] == ["old"]
        await load(store, demo, [person(n) for n in range(1, 4)])
        assert len(await people(store)) == 4
        await check_counts(store, demo)


async def test_an_upload_that_is_still_fed_is_not_interrupted(store: Store, demo: Campaign) -> None:
    upload = await begin(store, demo)
    await store.add_contacts(upload, [person(1)], NOW + HOUR)
    assert not await store.interrupted_uploads(NOW + HOUR + 9_000, 10)


async def test_a_half_discarded_upload_is_interrupted_at_once(store: Store, demo: Campaign) -> None:
    """Nobody may add to it or publish it any more."""
    upload = await begin(store, demo)
    await store.discard_uploads([upload])
    with pytest.raises(Conflict, match="discarded"):
        await store.add_contacts(upload, [person(1)], NOW)
    with pytest.raises(Conflict, match="discarded"):
        await store.publish_uploads([upload], NOW)


async def test_what_came_with_contacts_is_discarded_with_them(store: Store, demo: Campaign) -> None:
    upload = await begin(store, demo)
    await store.add_contacts(upload, [person(1, attachment="{}"), person(2)], NOW)
    await store.discard_uploads([upload])
    assert await store.bases(demo.id) == []
    assert await store.add_to_base(demo.id, "b", [person(1)], NOW) == [1]
    assert await store.attachments([1]) == {}


async def test_a_published_upload_is_not_discarded(store: Store, demo: Campaign) -> None:
    upload = await load(store, demo, [person(1)])
    await store.discard_uploads([upload])
    assert list(await people(store)) == [phone(1)]
    await check_counts(store, demo)


async def test_nothing_is_added_to_a_published_upload(store: Store, demo: Campaign) -> None:
    upload = await load(store, demo, [person(1)])
    with pytest.raises(Conflict):
        await store.add_contacts(upload, [person(2)], NOW)
    assert list(await people(store)) == [phone(1)]


async def test_many_contacts_are_discarded(store: Store, demo: Campaign) -> None:
    """More than fit into one small transaction."""
    upload = await begin(store, demo)
    await store.add_contacts(upload, [person(n, n + 50_000) for n in range(12_000)], NOW)
    await store.discard_uploads([upload])
    again = await begin(store, demo)
    assert await store.known_numbers(again, [phone(n) for n in range(12_000)]) == set()


async def test_a_base_is_appended_to(store: Store, demo: Campaign) -> None:
    first = await load(store, demo, [person(1)])
    second = await begin(store, demo)
    assert second.base_id == first.base_id
    assert await store.known_numbers(second, [phone(1), phone(2)]) == {phone(1)}
    await store.add_contacts(second, [person(2)], NOW)
    assert await store.known_numbers(second, [phone(1), phone(2)]) == {phone(1), phone(2)}
    assert list(await people(store)) == [phone(1)]
    await store.publish_uploads([second], NOW)
    assert list(await people(store)) == [phone(1), phone(2)]
    await check_counts(store, demo)


async def test_discarding_what_was_appended_keeps_the_base(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    second = await begin(store, demo)
    await store.add_contacts(second, [person(2)], NOW)
    await store.discard_uploads([second])
    assert list(await people(store)) == [phone(1)]


async def test_the_same_number_may_be_in_two_bases(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)], "one")
    other = await begin(store, demo, "two")
    assert await store.known_numbers(other, [phone(1)]) == set()


async def test_a_failed_batch_leaves_nothing_of_itself(store: Store, demo: Campaign) -> None:
    upload = await begin(store, demo)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.add_contacts(upload, [person(1), person(2), person(1)], NOW)
    assert await store.known_numbers(upload, [phone(1), phone(2)]) == set()
    await store.add_contacts(upload, [person(1)], NOW)
    await store.publish_uploads([upload], NOW)
    await check_counts(store, demo)


async def test_what_a_base_has_is_not_added_again(store: Store, demo: Campaign) -> None:
    """However it came there, and at whatever moment."""
    await load(store, demo, [person(1)])
    await store.add_to_base(demo.id, "b", [person(2)], NOW)
    upload = await begin(store, demo)
    again = [person(n, params={"name": "Ana"}) for n in (1, 2, 3)]
    others = [person(1, repeatable=True), person(2, rank=Rank.TASK)]
    assert await store.add_contacts(upload, [*again, *others], NOW) == [again[2], *others]
    assert await store.add_contacts(upload, again, NOW) == []
    await store.publish_uploads([upload], NOW)
    assert sum(row["contacts"] for row in await store.bases(demo.id)) == 5
    await check_counts(store, demo)


async def test_a_base_stays_in_its_zone(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)], zone="America/Lima")
    with pytest.raises(Conflict, match="America/Lima"):
        await begin(store, demo, zone="Europe/Madrid")
    assert (await begin(store, demo, zone="")).timezone == "America/Lima"


async def test_bases_of_a_campaign_are_listed_with_their_uploads(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1), person(2)], "one")
    await load(store, other, [person(1)], "two")
    (row,) = await store.bases(demo.id)
    assert (row["base"], row["campaign"], row["contacts"], row["done"], row["state"], row["file_name"]) == (
        "one",
        "demo",
        2,
        0,
        "published",
        "one.csv",
    )
    assert [row["base"] for row in await store.bases(None)] == ["one", "two"]


async def test_an_empty_upload_is_published_and_has_nothing(store: Store, demo: Campaign) -> None:
    await load(store, demo, [])
    assert numbers_of(await store.claim(request(demo))) == []
    await check_counts(store, demo)
