"""Store contract: campaigns and contacts that are taken away."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from stores import (
    DAY,
    NOW,
    TODAY,
    FreshDatabase,
    begin,
    cdrs,
    check_counts,
    closing,
    load,
    people,
    person,
    phone,
    request,
    task,
)

from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.contact import ContactState, NewContact
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.hooks import Form, Webhook
from astdialer.domain.result import terminate
from astdialer.domain.retry import RedialRules
from astdialer.domain.settings import Settings
from astdialer.ports import CampaignEvent, Delivery, ForeignObject, Store
from astdialer.ports.removal import REMOVE

pytest_plugins = ("store_fixtures",)

HOOK = Webhook(id="h", url="http://x", secret="s", form=Form.NATIVE)


async def called(store: Store, campaign: Campaign, n: int) -> int:
    """A contact that was called once, and waits for its next try."""
    await load(store, campaign, [person(n)], f"b{n}")
    (claim,) = await store.claim(request(campaign, 1))
    await store.close([closing(replace(claim, attempt=replace(claim.attempt, dialed_at=NOW)), Disposition.BUSY)])
    return claim.contact.id


async def held(store: Store, campaign: Campaign, n: int) -> int:
    """A contact after a talk whose result is awaited."""
    await load(store, campaign, [person(n)], f"b{n}")
    (claim,) = await store.claim(request(campaign, 1))
    talked = replace(claim, attempt=replace(claim.attempt, dialed_at=NOW, answered_at=NOW, connected_at=NOW))
    await store.close([closing(talked, Disposition.ANSWERED, rules=RedialRules(hold_s=60))])
    return claim.contact.id


async def member(store: Store, contact_id: int) -> None:
    await store.save_documents(
        [ForeignObject(dialect="webitel3", kind="member", id=str(contact_id), body={"name": "Ana"})]
    )


async def row_of(store: Store, contact_id: int) -> Mapping[str, Any]:
    return await store.contact(contact_id)


async def test_a_contact_that_was_called_is_gone_and_its_calls_are_not(store: Store, demo: Campaign) -> None:
    contact_id = await called(store, demo, 1)
    await member(store, contact_id)
    assert await store.remove_contacts(demo.id, [contact_id, 999], NOW) == [contact_id]

    with pytest.raises(NotFound):
        await store.load_contact(contact_id)
    assert await people(store) == {}
    assert await store.contacts_with(phone(1), demo.id, open_only=False) == []
    assert await store.contacts_page(demo.id, 0, 10) == []
    assert await store.documents("webitel3", "member", [str(contact_id)]) == {}
    assert not await store.claim(request(demo, now=NOW + DAY))
    assert [row["dst"] for row in await cdrs(store)] == [phone(1)]
    assert (await store.facts([phone(1)], "demo", NOW))[phone(1)].placed_at != ()
    counts = await store.counts(demo.id)
    assert (counts.waiting, counts.done) == (0, 0)
    left = await row_of(store, contact_id)
    assert (left["params"], left["state"], left["end_cause"]) == ({}, "done", "MANAGER_REQUEST")


async def test_others_are_told_that_a_removed_contact_has_ended_once(store: Store, demo: Campaign) -> None:
    contact_id = await called(store, demo, 1)
    done = await called(store, demo, 2)
    await store.change_contact(done, terminate, NOW)
    await store.remove_contacts(demo.id, [contact_id, done], NOW)
    ends = [(end.contact_id, end.end_reason) for end in await store.endings(0, demo.id, 10)]
    assert ends == [(done, "terminated"), (contact_id, "removed")]


async def test_a_contact_that_was_never_called_leaves_nothing(store: Store, demo: Campaign) -> None:
    first, last = await store.add_to_base(demo.id, "b", [person(1), person(2)], NOW)
    assert first
    assert last
    assert await store.remove_contacts(demo.id, [first, last], NOW) == [first, last]
    with pytest.raises(NotFound):
        await row_of(store, first)
    left = await row_of(store, last)  # its id must not be another's
    assert (left["number"], left["numbers"], left["params"]) == ("", [], {})
    assert await people(store) == {}
    await check_counts(store, demo)
    assert await store.add_to_base(demo.id, "b", [person(1), person(2)], NOW) == [last + 1, last + 2]
    await check_counts(store, demo)


def with_attachment(n: int) -> NewContact:
    return person(n, attachment='{"callbackData": {"id": "ü"}}')


async def test_what_came_with_removed_contacts_goes_with_them(store: Store, demo: Campaign) -> None:
    await store.add_to_base(demo.id, "b", [with_attachment(n) for n in range(3)], NOW)
    (claim,) = await store.claim(request(demo, 1))
    await store.close([closing(claim, Disposition.BUSY)])
    ids = [contact.id for contact in await store.contacts_page(demo.id, 0, 10)]
    assert list(await store.attachments(ids)) == ids
    assert await store.remove_contacts(demo.id, ids, NOW) == ids
    assert await store.attachments(ids) == {}
    assert (await row_of(store, claim.contact.id))["attachment"] == {}


async def test_what_came_with_contacts_of_a_removed_campaign_is_erased(store: Store, demo: Campaign) -> None:
    await store.add_to_base(demo.id, "b", [with_attachment(n) for n in range(3)], NOW)
    (claim,) = await store.claim(request(demo, 1))
    await store.close([closing(claim, Disposition.BUSY)])
    ids = [contact.id for contact in await store.contacts_page(demo.id, 0, 10)]
    await store.remove_campaign(demo.id, NOW)
    assert await store.erase_some(10, NOW) == 3
    assert await store.attachments(ids) == {}


async def test_a_contact_in_a_call_or_of_another_campaign_stays(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1)])
    await load(store, other, [person(2)])
    (claim,) = await store.claim(request(demo))
    theirs = (await people(store, "other"))[phone(2)]["id"]
    assert await store.remove_contacts(demo.id, [claim.contact.id, theirs], NOW) == []
    assert (await store.load_contact(claim.contact.id)).state is ContactState.IN_CALL


@pytest.mark.parametrize("disposition", [Disposition.BUSY, Disposition.ANSWERED])
async def test_a_contact_in_a_call_is_removed_with_its_end(
    store: Store, demo: Campaign, disposition: Disposition
) -> None:
    await load(store, demo, [person(1), person(2)])
    claims = await store.claim(request(demo))
    wanted, other = (claim.contact.id for claim in claims)
    await member(store, wanted)
    await member(store, other)
    assert await store.end_after_call(wanted, REMOVE)
    assert await store.end_after_call(wanted, "called off"), "that does not keep it"
    dialed = [replace(claim, attempt=replace(claim.attempt, dialed_at=NOW)) for claim in claims]
    await store.close([closing(claim, disposition) for claim in dialed])

    with pytest.raises(NotFound):
        await store.load_contact(wanted)
    assert list(await store.documents("webitel3", "member", [str(wanted), str(other)])) == [str(other)]
    assert (await store.load_contact(other)).params != {}
    left = await row_of(store, wanted)
    assert (left["params"], left["state"], left["ends_after_call"]) == ({}, "done", "")
    assert left["end_reason"] == ("removed" if disposition is Disposition.BUSY else "answered")
    assert len(await cdrs(store)) == 2
    assert wanted not in [claim.contact.id for claim in await store.claim(request(demo, now=NOW + DAY))]
    await check_counts(store, demo)


async def test_a_contact_whose_result_is_awaited_is_awaited_no_more(store: Store, demo: Campaign) -> None:
    ids = [await held(store, demo, 1), await held(store, demo, 2)]
    assert [contact.id for contact in await store.due_results(NOW + DAY, 10)] == ids
    await store.remove_contacts(demo.id, ids, NOW)
    assert await store.due_results(NOW + DAY, 10) == []


async def test_a_removed_campaign_is_gone_with_what_it_had(store: Store, demo: Campaign) -> None:
    contact_id = await called(store, demo, 1)
    await load(store, demo, [person(3)])
    await member(store, contact_id)
    await store.add_event(demo.id, CampaignEvent(at=NOW, event="started"))
    await store.add_webhook(replace(HOOK, campaign_id=demo.id))
    await store.save_learned(demo.id, "{}", NOW)
    await store.remove_campaign(demo.id, NOW)

    with pytest.raises(NotFound):
        await store.campaign("demo")
    assert await store.campaigns() == []
    assert await people(store) == {}
    assert await store.zones(demo.id) == []
    assert not await store.claim(request(demo, now=NOW + DAY))
    assert await store.bases(None) == []
    assert await store.webhooks() == []
    assert await store.learned(demo.id) is None
    with pytest.raises(NotFound):
        await store.load_contact(contact_id)
    with pytest.raises(Conflict):
        await store.remove_campaign(demo.id, NOW)


async def test_its_cdrs_and_its_days_stay(store: Store, demo: Campaign) -> None:
    await called(store, demo, 1)
    await store.remove_campaign(demo.id, NOW)
    assert [row["campaign"] for row in await cdrs(store, campaign="demo")] == ["demo"]
    assert [dict(row) for row in await store.days(demo.id, "")] == [{"day": TODAY, "disposition": "busy", "n": 1}]
    assert (await store.facts([phone(1)], "x", NOW))[phone(1)].placed_at != ()


async def test_what_is_known_of_its_contacts_is_erased_bit_by_bit(store: Store, demo: Campaign) -> None:
    was_called = await called(store, demo, 1)
    await member(store, was_called)
    ((call,),) = [(await store.contact(was_called))["attempts"]]
    await store.tag_call(call["id"], "Sale|Ana's own words")
    await store.add_to_base(demo.id, "b", [person(n) for n in range(10, 15)], NOW)
    other = await store.create_campaign("other", Settings(), NOW)
    (theirs,) = await store.add_to_base(other.id, "b", [person(1)], NOW)
    assert theirs
    await store.remove_campaign(demo.id, NOW)
    steps = []
    while done := await store.erase_some(4, NOW):
        steps.append(done)
    assert steps == [4, 2]
    assert await store.erase_some(4, NOW) == 0
    assert (await row_of(store, was_called))["params"] == {}
    assert (await store.attempt(call["id"]))["tag"] == ""
    assert await store.documents("webitel3", "member", [str(was_called)]) == {}
    for contact_id in range(was_called + 1, was_called + 6):
        with pytest.raises(NotFound):
            await row_of(store, contact_id)
    assert (await store.load_contact(theirs)).params != {}


async def test_a_removed_campaigns_contact_whose_result_is_awaited_ends_as_a_removed_one(
    store: Store, demo: Campaign
) -> None:
    contact_id = await held(store, demo, 1)
    await store.remove_campaign(demo.id, NOW)
    await store.erase_some(10, NOW + 5)
    (end,) = await store.endings(0, demo.id, 10)
    assert (end.at, end.number, end.end_reason, end.end_cause) == (NOW + 5, phone(1), "removed", "MANAGER_REQUEST")
    left = await row_of(store, contact_id)
    assert (left["state"], left["held_until"], left["params"]) == ("done", None, {})
    assert await store.due_results(NOW + DAY, 10) == []


async def test_its_messages_and_its_history_are_erased_bit_by_bit(store: Store, demo: Campaign) -> None:
    """However many there are, dialing goes on beside it."""
    for webhook in (replace(HOOK, campaign_id=demo.id), replace(HOOK, id="other")):
        await store.add_webhook(webhook)
        await store.queue_deliveries("f", 0, [message(webhook.id, n) for n in range(3)])
    for n in range(3):
        await store.add_event(demo.id, CampaignEvent(at=NOW, event=f"{n}"))
    await store.remove_campaign(demo.id, NOW)

    assert [webhook.id for webhook in await store.webhooks()] == ["other"]
    assert len(await store.deliveries(HOOK.id, None, 9)) == len(await store.history(demo.id, 9)) == 3
    await store.queue_deliveries("f", 0, [message(HOOK.id, 9)])
    assert len(await store.deliveries(HOOK.id, None, 9)) == 3, "none is added any more"

    assert [await store.erase_some(2, NOW) for _ in range(5)] == [2, 1, 2, 1, 0]
    assert await store.history(demo.id, 9) == []
    assert {each.webhook_id for each in await store.deliveries(None, None, 9)} == {"other"}
    with pytest.raises(NotFound):
        await store.remove_webhook(HOOK.id)


def message(webhook_id: str, event_id: int) -> Delivery:
    return Delivery(
        id=f"{webhook_id}{event_id}",
        webhook_id=webhook_id,
        event_id=event_id,
        kind="k",
        body="",
        created_at=NOW,
        retry_at=NOW,
    )


@pytest.mark.parametrize("state", [CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.STOPPING])
async def test_an_active_campaign_is_not_removed(store: Store, demo: Campaign, state: CampaignState) -> None:
    await store.set_state(demo.id, state, now=NOW)
    with pytest.raises(Conflict):
        await store.remove_campaign(demo.id, NOW)
    assert (await store.campaign("demo")).state is state


async def test_a_campaign_with_a_live_call_is_not_removed(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    await store.claim(request(demo))
    with pytest.raises(Conflict, match="live call"):
        await store.remove_campaign(demo.id, NOW)
    assert await people(store) != {}


async def test_nothing_comes_into_a_removed_campaign(store: Store, demo: Campaign) -> None:
    upload = await begin(store, demo)
    await store.add_contacts(upload, [person(1)], NOW)
    await store.remove_campaign(demo.id, NOW)
    with pytest.raises(Conflict):
        await store.publish_uploads([upload], NOW)
    for coming in (
        store.add_to_base(demo.id, "b", [person(2)], NOW),
        store.add_task(task(demo, 3), NOW),
        store.claim_task(task(demo, 4), request(demo), "by hand"),
        begin(store, demo, "new"),
    ):
        with pytest.raises(NotFound, match="removed"):
            await coming
    assert await store.open_attempts() == []


async def test_a_removed_campaigns_name_is_not_given_again(store: Store, demo: Campaign) -> None:
    """Its CDRs and blacklist entries bear it."""
    await store.remove_campaign(demo.id, NOW)
    with pytest.raises(Conflict, match="which was removed: its CDRs bear the name"):
        await store.create_campaign("demo", Settings(), NOW)


async def test_a_removal_survives_the_process(database: FreshDatabase) -> None:
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(database.open())
        demo = await store.create_campaign("demo", Settings(), NOW)
        await store.add_to_base(demo.id, "b", [person(n) for n in range(5)], NOW)
        await store.remove_campaign(demo.id, NOW)
        await store.erase_some(2, NOW)
    async with database.open() as again:
        assert await again.campaigns() == []
        assert await again.erase_some(100, NOW) == 3
        assert await again.erase_some(100, NOW) == 0
