"""Store contract: which of the next contacts is claimed, and what is learned and kept."""

from collections.abc import Sequence
from dataclasses import replace

from stores import NOW, begin, check_counts, closing, load, numbers_of, people, person, phone, request

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact
from astdialer.domain.disposition import Disposition
from astdialer.ports import ClaimRequest, Learned, Store

pytest_plugins = ("store_fixtures",)


def backwards(contacts: Sequence[Contact]) -> Sequence[Contact]:
    return list(reversed(contacts))


def choosing(wish: ClaimRequest, window: int) -> ClaimRequest:
    return replace(wish, window=window, arrange=backwards)


async def test_of_the_next_contacts_who_fits_is_claimed_and_the_others_stay(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in range(1, 9)])
    claims = await store.claim(choosing(request(demo, limit=1), window=3))
    assert numbers_of(claims) == [phone(3)]
    claims = await store.claim(choosing(request(demo, limit=2), window=3))
    assert numbers_of(claims) == [phone(5), phone(4)], "two of the four that are next"
    states = {number: row["state"] for number, row in (await people(store)).items()}
    assert {number for number, state in states.items() if state == "in_call"} == {phone(3), phone(4), phone(5)}
    assert set(states.values()) == {"in_call", "ready"}
    await check_counts(store, demo)


async def test_choosing_never_goes_over_priority(store: Store, demo: Campaign) -> None:
    await load(
        store, demo, [person(1, priority=5), person(2, priority=5), person(3, priority=9), person(4, priority=9)]
    )
    claims = await store.claim(choosing(request(demo, limit=3), window=20))
    assert numbers_of(claims) == [phone(2), phone(1), phone(4)]


async def test_without_enough_contacts_all_are_claimed(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2)])
    assert sorted(numbers_of(await store.claim(choosing(request(demo, limit=5), window=20)))) == [phone(1), phone(2)]


async def test_one_number_is_claimed_once_whoever_comes_first(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, 9), person(2)], "a")
    upload = await begin(store, demo, "b")
    await store.add_contacts(upload, [person(1)], NOW)
    await store.publish_uploads([upload], NOW)
    claims = await store.claim(choosing(request(demo, limit=3), window=20))
    assert sorted(numbers_of(claims)) == [phone(1), phone(2), phone(9)], "the other's second number is free"


async def test_what_was_learned_is_kept_and_replaced(store: Store, demo: Campaign) -> None:
    assert await store.learned(demo.id) is None
    await store.save_learned(demo.id, "{}", NOW)
    await store.save_learned(demo.id, '{"count":1}', NOW + 5)
    assert await store.learned(demo.id) == Learned(body='{"count":1}', saved_at=NOW + 5)


async def test_the_first_call_of_a_day_is_found(store: Store, demo: Campaign) -> None:
    assert await store.first_call_at("demo", NOW - 1) is None
    await load(store, demo, [person(1), person(2)])
    for claim in await store.claim(request(demo, limit=2)):
        await store.close([closing(claim, Disposition.BUSY)])
    assert await store.first_call_at("demo", NOW - 1) is not None
    assert await store.first_call_at("demo", NOW + 1_000_000_000) is None
    assert await store.first_call_at("other", NOW - 1) is None
