"""Store contract: contacts as Twin24 sees them, and what came with them."""

from dataclasses import replace

import pytest
from stores import DAY, NOW, begin, closing, person, phone, request

from astdialer.domain.campaign import Campaign
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict
from astdialer.domain.hooks import Form, Webhook
from astdialer.domain.settings import Settings
from astdialer.ports import CampaignEvent, ForeignObject, Store

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


# --- tasks -----------------------------------------------------------------------------------------------------------

DOCUMENT = ForeignObject(
    dialect="twin24", kind="autoCall", id="t", tenant="a", body={"name": "ü"}, created_at=NOW, changed_at=NOW
)
CREATED = CampaignEvent(at=NOW, event="created")
RECEIVER = Webhook(id="w", url="https://example.com", secret="whsec_", form=Form.TWIN24, tenant="a")


async def test_a_task_is_a_campaign_with_its_document_and_its_receivers(store: Store) -> None:
    campaign_id = await store.make_task("spring", Settings(), DOCUMENT, event=CREATED, receivers=[RECEIVER])
    made = await store.campaign("spring")
    assert (made.id, made.tenant) == (campaign_id, "a")
    assert await store.foreign("twin24", "autoCall", "t") == replace(DOCUMENT, name=str(campaign_id))
    assert [hook.campaign_id for hook in await store.webhooks()] == [campaign_id]
    assert await store.history(campaign_id, 9) == [CREATED]


async def test_a_task_is_made_as_a_whole_or_not_at_all(store: Store, demo: Campaign) -> None:
    with pytest.raises(Conflict):
        await store.make_task("demo", Settings(), DOCUMENT, event=CREATED, receivers=[RECEIVER])
    assert await store.foreign("twin24", "autoCall", "t") is None
    assert list(await store.webhooks()) == []


async def test_receivers_come_back_where_there_are_none(store: Store) -> None:
    campaign_id = await store.make_task("spring", Settings(), DOCUMENT, event=CREATED, receivers=[RECEIVER])
    await store.return_receivers(campaign_id, [replace(RECEIVER, id="again")])
    assert [hook.id for hook in await store.webhooks()] == ["w"]
    await store.remove_webhook("w")
    await store.return_receivers(campaign_id, [replace(RECEIVER, id="again")])
    assert [(hook.id, hook.campaign_id) for hook in await store.webhooks()] == [("again", campaign_id)]
