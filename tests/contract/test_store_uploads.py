"""Store contract: uploads are all or nothing."""

import pytest
from stores import HOUR, NOW, FreshDatabase, begin, check_counts, load, numbers_of, people, person, phone, request

from astdialer.domain.campaign import Campaign, Settings
from astdialer.domain.contact import NewContact, NewNumber, NumberType
from astdialer.domain.errors import Conflict
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
    numbers = tuple(NewNumber(number=phone(n), as_uploaded=f"0{n}", type=kind) for n, kind in enumerate(NumberType, 1))
    params = {"name": "Ñandú <b>", "q": '"; DROP TABLE contacts; --', "empty": ""}
    await load(store, demo, [NewContact(numbers=numbers, params=params, priority=3, agentphone="1001", line=42)])
    (claim,) = await store.claim(request(demo))
    contact = claim.contact
    assert [(n.number, n.as_uploaded, n.type) for n in contact.numbers] == [
        (n.number, n.as_uploaded, n.type) for n in numbers
    ]
    assert [n.position for n in contact.numbers] == [0, 1, 2, 3, 4]
    assert (contact.params, contact.priority, contact.agentphone, contact.line) == (params, 3, "1001", 42)
    assert claim.base == "b"


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


async def test_a_base_stays_in_its_zone(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)], zone="America/Lima")
    with pytest.raises(Conflict, match="America/Lima"):
        await begin(store, demo, zone="Europe/Madrid")
    await begin(store, demo, zone="")
    assert await store.zones(demo.id) == ["America/Lima"]


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
