"""Store contract: contacts as Twin24 sees them, and what came with them."""

from dataclasses import replace

from stores import DAY, NOW, begin, closing, person, phone, request

from astdialer.domain.campaign import Campaign
from astdialer.domain.disposition import Disposition
from astdialer.domain.settings import Settings
from astdialer.ports import Store

pytest_plugins = ("store_fixtures",)


async def test_what_came_with_a_contact_is_given_back_with_it(store: Store, demo: Campaign) -> None:
    with_it = replace(person(1), attachment='{"callbackData": {"id": "ü"}}', reference="c-1")
    first, second = await store.add_to_base(demo.id, "b", [with_it, person(2)], NOW)
    assert first is not None
    assert second is not None
    shown = await store.contact(first)
    assert (shown["attachment"], shown["reference"]) == ({"callbackData": {"id": "ü"}}, "c-1")
    assert (await store.contact(second))["attachment"] == {}
    assert await store.attachments([first, second]) == {first: {"callbackData": {"id": "ü"}}}


async def test_candidates_come_with_their_numbers_and_the_calls_that_were_made(store: Store, demo: Campaign) -> None:
    ids = await store.add_to_base(demo.id, "b", [person(n) for n in range(4)], NOW)
    (first, second) = await store.claim(request(demo, limit=2))
    dialed = replace(first.attempt, dialed_at=NOW, caller_id="442079460000")
    await store.close([closing(replace(first, attempt=dialed), Disposition.BUSY)])
    found = await store.candidates(demo.id, 10)
    assert [row["id"] for row in found] == ids
    (call,) = found[0]["attempts"]
    assert (call["id"], call["disposition"], call["caller_id"]) == (dialed.id, "busy", "442079460000")
    assert found[1]["attempts"] == [], f"{second.attempt.id} was claimed and not dialed"
    assert found[2]["numbers"] == [person(2).numbers[0].as_uploaded]
    assert [row["id"] for row in await store.candidates(demo.id, 2, 1)] == ids[1:3]
    assert [row["id"] for row in await store.candidates(demo.id, 10, contact_id=ids[3])] == ids[3:]


async def test_another_campaigns_candidates_are_not_among_them(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    (theirs,) = await store.add_to_base(other.id, "b", [person(1)], NOW)
    assert await store.candidates(demo.id, 10) == []
    assert await store.candidates(demo.id, 10, contact_id=theirs) == []


async def test_who_was_removed_or_is_still_loading_is_not_among_them(store: Store, demo: Campaign) -> None:
    stays, gone = await store.add_to_base(demo.id, "b", [person(1), person(2)], NOW)
    assert gone is not None
    await store.add_contacts(await begin(store, demo, "loading"), [person(3)], NOW)
    await store.remove_contacts(demo.id, [gone], NOW)
    assert [row["id"] for row in await store.candidates(demo.id, 10)] == [stays]
    assert await store.candidates(demo.id, 10, contact_id=gone) == []


async def test_the_last_call_is_when_it_began(store: Store, demo: Campaign) -> None:
    assert await store.last_call_at(demo) is None
    await store.add_to_base(demo.id, "b", [person(n) for n in range(2)], NOW)
    first, second = await store.claim(request(demo, limit=2))
    for claim, at in ((first, NOW + DAY), (second, NOW)):
        made = replace(claim, attempt=replace(claim.attempt, dialed_at=at))
        await store.close([closing(made, Disposition.BUSY, now=at + 1000)])
    assert await store.last_call_at(demo) == NOW + DAY
    assert phone(0) == first.attempt.number
