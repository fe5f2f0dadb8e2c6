"""Store contract: what happens is told once, with the fact itself; webhooks, and messages on their way to them."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stores import (
    DAY,
    HOUR,
    NOW,
    TODAY,
    FreshDatabase,
    begin,
    closing,
    load,
    new_number,
    person,
    phone,
    request,
    task,
)

from astdialer.domain.attempt import State
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.cause import EndCause
from astdialer.domain.contact import INVALID, Contact
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.hooks import KINDS, Event, Form, Webhook
from astdialer.domain.result import due_again, terminate
from astdialer.domain.retry import RedialRules, ended, settle
from astdialer.domain.settings import Settings
from astdialer.ports import CampaignEvent, Claim, Converted, Delivery, NewEvent, Store, Tried

pytest_plugins = ("store_fixtures",)

D = Disposition


async def told(store: Store, after: int = 0) -> list[Event]:
    return list(await store.events(after, 1000))


async def kinds(store: Store, after: int = 0) -> list[str]:
    return [event.kind for event in await told(store, after)]


async def called(store: Store, demo: Campaign, *numbers: int) -> list[Claim]:
    await load(store, demo, [person(n) for n in numbers or (1,)])
    return list(await store.claim(request(demo)))


# --- events ----------------------------------------------------------------------------------------------------------


async def test_a_call_is_told_step_by_step_and_each_step_once(store: Store, demo: Campaign) -> None:
    (claim,) = await called(store, demo)
    begun = await store.last_event()
    attempt = replace(claim.attempt, state=State.DIALING, dialed_at=NOW + 1, caller_id="100")
    for _ in range(2):  # each fact is written again and again while the call lives
        await store.save_attempts([attempt])
    answered = replace(attempt, state=State.ANSWERED, answered_at=NOW + 2)
    for _ in range(2):
        await store.save_attempts([answered])
    connected = replace(answered, state=State.CONNECTED, connected_at=NOW + 3, agent="PJSIP/1001")
    for _ in range(2):
        await store.save_attempts([connected])
    over = closing(replace(claim, attempt=connected), D.ANSWERED, now=NOW + 9, record=True)
    for _ in range(2):
        await store.close([over])
    for _ in range(2):
        await store.recording_done(claim.attempt.id, Converted(path=Path("/r/a.mp3"), duration_s=6.5), NOW + 20)
    events = await told(store, begun)
    assert [(e.kind, e.at) for e in events] == [
        ("attempt.dialed", NOW + 1),
        ("attempt.answered", NOW + 2),
        ("attempt.connected", NOW + 3),
        ("attempt.closed", NOW + 9),
        ("contact.ended", NOW + 9),
        ("recording.ready", NOW + 20),
    ]
    assert {e.campaign_id for e in events} == {demo.id}
    assert {e.contact_id for e in events} == {claim.contact.id}
    assert [e.attempt_id for e in events] == [claim.attempt.id] * 4 + ["", claim.attempt.id]
    assert [dict(e.body) for e in events] == [
        {"number": phone(1), "trunk": "carrier", "caller_id": "100"},
        {"number": phone(1)},
        {"number": phone(1), "agent": "PJSIP/1001"},
        {"number": phone(1), "disposition": "answered", "agent": "PJSIP/1001"}
        | {key: getattr(over.cdr, key) for key in ("billsec", "talk_s")},
        {"number": phone(1), "tries": 1, "successful": True, "end_reason": "answered", "end_cause": "NORMAL_CLEARING"},
        {"date": "20260921", "duration_s": 6.5},
    ]


async def test_a_call_that_is_written_all_at_once_is_told_in_order(store: Store, demo: Campaign) -> None:
    (claim,) = await called(store, demo)
    begun = await store.last_event()
    attempt = replace(claim.attempt, dialed_at=NOW, answered_at=NOW, connected_at=NOW, agent="a", state=State.GONE)
    await store.close([closing(replace(claim, attempt=attempt), D.ANSWERED)])
    assert await kinds(store, begun) == [
        "attempt.dialed",
        "attempt.answered",
        "attempt.connected",
        "attempt.closed",
        "contact.ended",
    ]


async def test_a_contact_that_is_called_again_is_told_with_its_time(store: Store, demo: Campaign) -> None:
    (claim,) = await called(store, demo)
    begun = await store.last_event()
    over = closing(claim, D.BUSY, now=NOW + 7)
    await store.close([over])
    closed, scheduled = await told(store, begun)
    assert (closed.kind, scheduled.kind) == ("attempt.closed", "contact.scheduled")
    assert (scheduled.at, scheduled.contact_id) == (NOW + 7, claim.contact.id)
    assert scheduled.body == {"number": phone(1), "next_at": over.contact.next_at, "tries": 1}


async def test_a_call_that_counts_for_nothing_is_told_with_the_time_it_was_given_back(
    store: Store, demo: Campaign
) -> None:
    """The contact was never called: no time of a call says when that happened."""
    (claim,) = await called(store, demo)
    begun = await store.last_event()
    given_back = replace(claim, attempt=replace(claim.attempt, uncounted=True, retry_s=30))
    await store.close([closing(given_back, D.FAILED, now=NOW + HOUR)])
    *_, scheduled = await told(store, begun)
    assert (scheduled.kind, scheduled.at, scheduled.body["tries"]) == ("contact.scheduled", NOW + HOUR, 0)


async def held(store: Store, demo: Campaign) -> Contact:
    (claim,) = await called(store, demo)
    talked = replace(claim, attempt=replace(claim.attempt, connected_at=NOW, answered_at=NOW, agent="a"))
    over = closing(talked, D.ANSWERED, rules=RedialRules(hold_s=3600))
    await store.close([over])
    return over.contact


async def test_a_result_that_comes_early_is_told_with_its_own_time(store: Store, demo: Campaign) -> None:
    contact = await held(store, demo)
    begun = await store.last_event()

    def again(found: Contact) -> Contact:
        return settle(due_again(found, NOW + DAY), "result")

    await store.change_contact(contact.id, again, NOW + 60)
    (scheduled,) = await told(store, begun)
    assert (scheduled.kind, scheduled.at, scheduled.body["next_at"]) == ("contact.scheduled", NOW + 60, NOW + DAY)


async def test_a_contact_that_waits_and_waits_on_is_not_told_again(store: Store, demo: Campaign) -> None:
    (claim,) = await called(store, demo)
    await store.close([closing(claim, D.BUSY)])
    begun = await store.last_event()
    await store.change_contact(claim.contact.id, lambda found: settle(due_again(found, NOW + DAY), "result"), NOW)
    assert await kinds(store, begun) == []


async def test_an_end_without_a_call_is_told(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo))
    await store.close([closing(claim, D.BUSY)])
    begun = await store.last_event()
    await store.change_contact(claim.contact.id, lambda c: ended(c, "by hand", EndCause.MANAGER_REQUEST), NOW + 5)
    (end,) = await told(store, begun)
    assert (end.kind, end.at, end.body["end_cause"]) == ("contact.ended", NOW + 5, "MANAGER_REQUEST")
    assert (end.body["successful"], end.body["end_reason"]) == (False, "by hand")


async def test_contacts_that_expire_are_told(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, expires_at=NOW + 1), person(2)])
    begun = await store.last_event()
    assert await store.expire(NOW + 2, 10) == 1
    (end,) = await told(store, begun)
    assert (end.kind, end.at, end.body["number"], end.body["end_cause"]) == (
        "contact.ended",
        NOW + 2,
        phone(1),
        "MEMBER_EXPIRED",
    )


async def test_a_contact_that_can_never_be_called_ends_at_once_and_that_is_told(store: Store, demo: Campaign) -> None:
    bad = person(1, numbers=(new_number(1, number="abc", as_uploaded="abc", end_reason=INVALID),))
    (contact_id,) = await store.add_to_base(demo.id, "b", [bad], NOW)
    (end,) = [event for event in await told(store) if event.kind == "contact.ended"]
    assert (end.contact_id, end.body["end_cause"]) == (contact_id, "INVALID_NUMBER_FORMAT")


EVENTS = ("created", "changed", "started", "paused", "resumed", "sleeps", "wakes", "stopping", "stopped", "finished")


@pytest.mark.parametrize("event", [*EVENTS, "error", "zeroed"])
async def test_what_is_done_to_a_campaign_is_told(store: Store, demo: Campaign, event: str) -> None:
    begun = await store.last_event()
    await store.add_event(demo.id, CampaignEvent(at=NOW + 1, event=event, detail="so", done_by="ana"))
    (found,) = await told(store, begun)
    assert found.kind in KINDS
    assert (found.kind, found.at, found.campaign_id) == (f"campaign.{event}", NOW + 1, demo.id)
    assert found.body == {"detail": "so", "done_by": "ana", "open_contacts": 0}


async def test_with_it_is_told_how_many_contacts_are_left(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2)])
    (ended, _) = await store.contacts({"campaign": "demo"}, 10)
    await store.change_contact(ended["id"], terminate, NOW)
    begun = await store.last_event()
    await store.add_event(demo.id, CampaignEvent(at=NOW, event="started"))
    (found,) = await told(store, begun)
    assert found.body["open_contacts"] == 1


async def test_every_state_of_a_campaign_that_the_engine_brings_about_has_its_kind() -> None:
    for state in (CampaignState.STOPPED, CampaignState.FINISHED, CampaignState.ERROR):
        assert f"campaign.{state.value}" in KINDS


async def test_a_change_and_what_is_told_of_it_are_one(store: Store, demo: Campaign) -> None:
    begun = await store.last_event()

    def event(name: str) -> CampaignEvent:
        return CampaignEvent(at=NOW, event=name)

    await store.set_state(demo.id, CampaignState.PAUSED, now=NOW, event=event("paused"))
    await store.save_settings(demo.id, Settings(max_calls=3), event("changed"))
    await store.zero_statistics(demo.id, TODAY, event("zeroed"))
    await store.create_campaign("other", Settings(), NOW, "", event("created"))
    assert await kinds(store, begun) == ["campaign.paused", "campaign.changed", "campaign.zeroed", "campaign.created"]
    other = await store.campaign("other")
    assert [line.event for line in await store.history(other.id, 10)] == ["created"]
    with pytest.raises(Conflict):
        await store.create_campaign("other", Settings(), NOW, "", CampaignEvent(at=NOW, event="created"))
    assert len(await kinds(store, begun)) == 4


async def test_a_base_is_told_when_it_can_be_dialed(store: Store, demo: Campaign) -> None:
    upload = await begin(store, demo, "spring", now=NOW)
    await store.add_contacts(upload, [person(1)], NOW)
    begun = await store.last_event()
    await store.publish_uploads([upload], NOW + 3)
    with pytest.raises(Conflict):
        await store.publish_uploads([upload], NOW + 4)
    (found,) = await told(store, begun)
    assert (found.kind, found.at, found.campaign_id) == ("base.loaded", NOW + 3, demo.id)
    assert found.body == {"base": "spring", "file_name": "spring.csv"}


async def test_an_upload_that_is_given_up_is_not_told(store: Store, demo: Campaign) -> None:
    upload = await begin(store, demo)
    begun = await store.last_event()
    await store.discard_uploads([upload])
    assert await kinds(store, begun) == []


async def test_a_recording_that_is_none_is_not_told(store: Store, demo: Campaign) -> None:
    (claim,) = await called(store, demo)
    await store.close([closing(claim, D.ANSWERED, record=True)])
    begun = await store.last_event()
    await store.recording_failed(claim.attempt.id, "no ffmpeg", NOW)
    await store.recording_done(claim.attempt.id, None, NOW)
    assert await kinds(store, begun) == []


async def test_what_is_undone_is_not_told(store: Store, demo: Campaign) -> None:
    """A fact and its event are one transaction: they come together, and go together."""
    (claim,) = await called(store, demo)
    begun = await store.last_event()
    assert hasattr(store, "_db")

    async def closed_and_undone(tx: Any) -> None:
        await tx.execute("save_attempt", row | {"dialed_at": NOW, "state": "dialing"})
        await tx.execute("add_event", {"campaign_id": demo.id, "at": 1, "event": "paused", "detail": "", "done_by": ""})
        raise Conflict("no")

    (row,) = await store._db.read("contact_attempts", {"id": claim.contact.id})
    with pytest.raises(Conflict):
        await store._db.write(closed_and_undone)
    assert await kinds(store, begun) == []
    assert (await store.open_attempts())[0].attempt.dialed_at is None


async def test_calls_by_hand_are_told_as_well(store: Store, demo: Campaign) -> None:
    claimed = await store.claim_task(task(demo, 9), request(demo), "by hand")
    assert isinstance(claimed, Claim)
    begun = await store.last_event()
    await store.save_attempts([replace(claimed.attempt, dialed_at=NOW, state=State.DIALING)])
    assert await kinds(store, begun) == ["attempt.dialed"]


async def test_events_that_no_trigger_knows_of_are_added_in_order(store: Store, demo: Campaign) -> None:
    begun = await store.last_event()
    await store.add_events(
        [
            NewEvent(at=NOW, kind="call.offered", body={"agent": "a", "name": "Ñandú"}),
            NewEvent(at=NOW, kind="attempt.offered", campaign_id=demo.id, contact_id=7, attempt_id="x", body={}),
        ]
    )
    one, two = await told(store, begun)
    assert (one.kind, one.campaign_id, one.contact_id, one.body) == (
        "call.offered",
        None,
        None,
        {"agent": "a", "name": "Ñandú"},
    )
    assert (two.campaign_id, two.contact_id, two.attempt_id) == (demo.id, 7, "x")
    assert two.id == one.id + 1 == await store.last_event()


async def test_events_are_read_from_where_one_was(store: Store, demo: Campaign) -> None:
    await store.add_events([NewEvent(at=NOW, kind="call.offered", body={"n": n}) for n in range(10)])
    ids = [event.id for event in await told(store)]
    assert ids == sorted(ids)
    assert [event.id for event in await store.events(ids[3], 4)] == ids[4:8]
    assert await told(store, ids[-1]) == []


async def test_old_events_go_but_not_what_a_follower_has_not_seen(store: Store, demo: Campaign) -> None:
    await store.add_events([NewEvent(at=NOW - DAY * (n < 6), kind="call.offered", body={}) for n in range(10)])
    ids = [event.id for event in await told(store)]
    assert await store.forget_events(NOW - HOUR, 1000) == 0, "nobody has seen them"
    await store.queue_deliveries("webhooks", ids[3], [])
    assert await store.forget_events(NOW - HOUR, 1000) == 4
    await store.queue_deliveries("webhooks", ids[-1], [])
    assert await store.forget_events(NOW - HOUR, 1000) == 2
    assert [event.id for event in await told(store)] == ids[6:]


async def test_no_more_events_are_kept_than_may_be(store: Store) -> None:
    await store.add_events([NewEvent(at=NOW + DAY, kind="call.offered", body={}) for _ in range(12_000)])
    last = await store.last_event()
    await store.queue_deliveries("webhooks", last, [])
    assert await store.forget_events(0, 500) == 11_500
    assert [event.id for event in await told(store)] == list(range(last - 499, last + 1))


async def test_ids_are_not_used_again(store: Store) -> None:
    await store.add_events([NewEvent(at=NOW, kind="call.offered", body={})])
    last = await store.last_event()
    await store.queue_deliveries("webhooks", last, [])
    await store.forget_events(NOW + 1, 1000)
    await store.add_events([NewEvent(at=NOW, kind="call.offered", body={})])
    assert await store.last_event() == last + 1


async def test_a_record_is_found_by_its_guid(store: Store, demo: Campaign) -> None:
    (claim,) = await called(store, demo)
    assert await store.cdr(claim.attempt.id) is None
    await store.close([closing(claim, D.BUSY)])
    found = await store.cdr(claim.attempt.id)
    assert found is not None
    assert (found["guid"], found["disposition"], found["dst"]) == (claim.attempt.id, "busy", phone(1))


# --- webhooks --------------------------------------------------------------------------------------------------------


def webhook(name: str = "w", **values: Any) -> Webhook:
    known: dict[str, Any] = {"id": name, "url": f"http://{name}/", "secret": "s", "created_at": NOW}
    return Webhook(**known | values)


async def test_a_webhook_comes_back_with_everything_it_had(store: Store, demo: Campaign) -> None:
    made = webhook(
        events=("attempt.closed", "contact.*"),
        form=Form.TWIN24,
        tenant="a",
        campaign_id=demo.id,
        options={"delay_s": 3, "name": "Ñ"},
        enabled=False,
        created_by="ana",
    )
    await store.add_webhook(made)
    assert list(await store.webhooks()) == [replace(made, since_event=await store.last_event())]


async def test_a_webhook_is_told_of_what_comes_after_it(store: Store, demo: Campaign) -> None:
    await store.add_events([NewEvent(at=NOW + DAY, kind="call.offered", body={})])
    await store.add_webhook(webhook())
    await store.add_events([NewEvent(at=NOW - DAY, kind="call.offered", body={})])  # the clock was set back
    (made,) = await store.webhooks()
    assert [made.wants(event, "") for event in await told(store)][-2:] == [False, True]


async def test_one_that_is_enabled_again_is_not_told_of_what_was_meanwhile(store: Store) -> None:
    await store.add_webhook(webhook())
    (made,) = await store.webhooks()
    await store.save_webhook(replace(made, enabled=False))
    await store.add_events([NewEvent(at=NOW, kind="call.offered", body={})])
    await store.save_webhook(replace(made, enabled=True))
    (again,) = await store.webhooks()
    assert again.since_event == await store.last_event()
    await store.add_events([NewEvent(at=NOW, kind="call.offered", body={})])
    await store.save_webhook(replace(again, url="http://other/"))
    (changed,) = await store.webhooks()
    assert (changed.since_event, changed.url) == (again.since_event, "http://other/"), "a change alone loses nothing"


async def test_a_webhook_that_is_not_there_can_neither_be_changed_nor_removed(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.save_webhook(webhook())
    with pytest.raises(NotFound):
        await store.remove_webhook("w")


# --- deliveries ------------------------------------------------------------------------------------------------------


def delivery(n: int, to: str = "w", **values: Any) -> Delivery:
    known: dict[str, Any] = {
        "id": str(uuid.UUID(int=n)),
        "webhook_id": to,
        "event_id": n,
        "kind": "call.offered",
        "body": f'{{"n":{n}}}',
        "created_at": NOW,
        "retry_at": NOW,
    }
    return Delivery(**known | values)


async def queue(store: Store, *deliveries: Delivery) -> list[Delivery]:
    """For webhooks that are made."""
    for name in {each.webhook_id for each in deliveries} - {each.id for each in await store.webhooks()}:
        await store.add_webhook(webhook(name))
    await store.queue_deliveries("webhooks", max(each.event_id for each in deliveries), deliveries)
    return list(deliveries)


def events_of(deliveries: Sequence[Delivery]) -> list[int]:
    return [each.event_id for each in deliveries]


def arrived(one: Delivery, **values: Any) -> Tried:
    known: dict[str, Any] = {
        "id": one.id,
        "created_at": one.created_at,
        "state": "delivered",
        "status": 200,
        "delivered_at": NOW,
    }
    return Tried(**known | values)


async def test_messages_are_queued_and_the_follower_moves_in_one_step(store: Store) -> None:
    await queue(store, delivery(1), delivery(2))
    assert await store.followed_to("webhooks") == 2
    assert await store.followed_to("nobody") == 0
    await store.queue_deliveries("webhooks", 1, [])
    assert await store.followed_to("webhooks") == 2, "never back"


async def test_a_message_that_cannot_be_queued_leaves_the_follower_where_it_was(store: Store) -> None:
    await queue(store, delivery(1))
    with pytest.raises(Exception, match="surrogates"):
        await store.queue_deliveries("webhooks", 9, [delivery(8), delivery(9, body="\ud800")])
    assert await store.followed_to("webhooks") == 1
    assert events_of(await store.due_deliveries("w", NOW, 10)) == [1]


async def test_the_same_message_is_queued_once(store: Store) -> None:
    await queue(store, delivery(1))
    await queue(store, delivery(1, id="another"), delivery(1, id="third", kind="other"))
    assert [(each.event_id, each.kind) for each in await store.due_deliveries("w", NOW, 10)] == [
        (1, "call.offered"),
        (1, "other"),
    ]


async def test_nothing_is_queued_for_a_webhook_that_is_gone_or_disabled(store: Store) -> None:
    await queue(store, delivery(1))
    (made,) = await store.webhooks()
    await store.save_webhook(replace(made, enabled=False))
    await store.queue_deliveries("webhooks", 3, [delivery(2), delivery(3, "never was")])
    assert await store.followed_to("webhooks") == 3
    assert await store.delivery_counts() == {"pending": 1, "dead": 0}


async def test_what_waits_longest_is_due_first_and_each_webhook_has_its_own(store: Store) -> None:
    await queue(store, delivery(1, retry_at=NOW + 5), delivery(2), delivery(3, "v"), delivery(4), delivery(5))
    assert events_of(await store.due_deliveries("w", NOW, 10)) == [2, 4, 5]
    assert events_of(await store.due_deliveries("w", NOW, 2)) == [2, 4]
    assert events_of(await store.due_deliveries("w", NOW + 5, 10)) == [2, 4, 5, 1]
    assert events_of(await store.due_deliveries("v", NOW, 10)) == [3]


async def test_it_is_known_who_has_anything_to_be_sent(store: Store) -> None:
    await queue(store, delivery(1), delivery(2, "later", retry_at=NOW + 5), delivery(4, "done"))
    await store.note_tries([arrived(delivery(4))])
    assert set(await store.due_webhooks(NOW)) == {"w"}
    assert set(await store.due_webhooks(NOW + 5)) == {"w", "later"}


async def test_what_came_of_a_message_is_noted(store: Store) -> None:
    one, two, three = await queue(store, delivery(1), delivery(2), delivery(3))
    await store.note_tries(
        [
            arrived(one, status=204),
            Tried(id=two.id, created_at=NOW, state="pending", status=500, error="down", retry_at=NOW + 5),
            Tried(id=three.id, created_at=NOW, state="dead", status=410, error="gone"),
        ]
    )
    found = {each.event_id: each for each in await store.deliveries(None, None, 10)}
    assert [(found[n].state, found[n].tries, found[n].status, found[n].error) for n in (1, 2, 3)] == [
        ("delivered", 1, 204, ""),
        ("pending", 1, 500, "down"),
        ("dead", 1, 410, "gone"),
    ]
    assert (found[1].delivered_at, found[2].retry_at) == (NOW, NOW + 5)
    assert await store.due_deliveries("w", NOW, 10) == []
    assert await store.delivery_counts() == {"pending": 1, "dead": 1}


async def test_what_came_of_a_message_before_it_was_sent_again_is_left(store: Store) -> None:
    """It was on its way when somebody had it sent again: it is."""
    (one,) = await queue(store, delivery(1))
    await store.note_tries([Tried(id=one.id, created_at=NOW, state="dead", status=500, error="x")])
    assert await store.resend([one.id], NOW + HOUR) == 1
    await store.note_tries([arrived(one)])
    (again,) = await store.due_deliveries("w", NOW + HOUR, 10)
    assert (again.state, again.tries, again.created_at, again.id) == ("pending", 0, NOW + HOUR, one.id)


async def test_what_was_given_up_on_its_way_stays_so_unless_it_arrives(store: Store) -> None:
    one, two = await queue(store, delivery(1), delivery(2))
    await store.give_up("w", before=NOW + 1, most=100, why="too long")
    await store.note_tries(
        [arrived(one), Tried(id=two.id, created_at=NOW, state="pending", status=500, error="x", retry_at=NOW)]
    )
    assert [(each.event_id, each.state) for each in await store.deliveries(None, None, 10)] == [
        (2, "dead"),
        (1, "delivered"),
    ]


async def test_what_is_pending_is_not_sent_twice_by_hand(store: Store) -> None:
    one, two = await queue(store, delivery(1), delivery(2))
    await store.note_tries([arrived(one)])
    assert await store.resend([one.id, two.id, "nobody's"], NOW + 1) == 1
    assert events_of(await store.due_deliveries("w", NOW + 1, 10)) == [2, 1]


async def test_all_dead_ones_are_sent_again_of_one_webhook_or_of_all(store: Store) -> None:
    made = await queue(store, *(delivery(n, "wv"[n % 2]) for n in range(1, 2501)))
    await store.note_tries([Tried(id=each.id, created_at=NOW, state="dead", status=500) for each in made])
    assert await store.resend_dead("v", NOW + 1) == 1250
    assert await store.delivery_counts() == {"pending": 1250, "dead": 1250}
    assert await store.resend_dead(None, NOW + 2) == 1250
    assert await store.delivery_counts() == {"pending": 2500, "dead": 0}
    assert await store.resend_dead(None, NOW + 3) == 0


async def test_messages_are_listed_the_newest_first_in_pages(store: Store) -> None:
    made = await queue(store, *(delivery(n, "wv"[n % 3 == 0], created_at=NOW + n // 4) for n in range(1, 13)))
    await store.note_tries([arrived(each) for each in made[::2]])
    assert events_of(await store.deliveries(None, None, 100)) == list(range(12, 0, -1))
    assert events_of(await store.deliveries("v", None, 100)) == [12, 9, 6, 3]
    assert events_of(await store.deliveries(None, "delivered", 3)) == [11, 9, 7]
    assert events_of(await store.deliveries("w", "pending", 100)) == [10, 8, 4, 2]
    listed: list[int] = []
    after = ""
    while page := await store.deliveries(None, None, 5, after):
        listed += events_of(page)
        after = page[-1].id
    assert listed == list(range(12, 0, -1))
    assert await store.deliveries(None, None, 5, "never was") == []


async def test_messages_that_wait_in_vain_are_given_up(store: Store) -> None:
    await queue(store, *(delivery(n, created_at=NOW + n) for n in range(10)), delivery(50, "v", created_at=0))
    assert await store.give_up("w", before=NOW + 3, most=100, why="too long") == 3
    assert await store.give_up("w", before=0, most=4, why="too many") == 3
    dead = await store.deliveries("w", "dead", 100)
    assert [(each.event_id, each.error) for each in dead] == [
        (5, "too many"),
        (4, "too many"),
        (3, "too many"),
        (2, "too long"),
        (1, "too long"),
        (0, "too long"),
    ]
    assert await store.delivery_counts() == {"pending": 5, "dead": 6}


async def test_giving_up_leaves_word_of_what_was_wrong(store: Store) -> None:
    (one,) = await queue(store, delivery(1))
    await store.note_tries([Tried(id=one.id, created_at=NOW, state="pending", status=500, error="down", retry_at=NOW)])
    await store.give_up("w", before=NOW + 1, most=100, why="too long")
    assert [each.error for each in await store.deliveries(None, "dead", 1)] == ["down"]


async def test_old_messages_go_and_no_more_are_kept_than_may_be(store: Store) -> None:
    made = await queue(store, *(delivery(n, created_at=NOW + n // 3) for n in range(10)))
    await store.note_tries([arrived(each) for each in made[:8]])
    assert await store.forget_deliveries("dead", NOW + 100, 0) == 0
    assert await store.forget_deliveries("delivered", NOW + 1, 100) == 3
    assert await store.forget_deliveries("delivered", 0, 4) == 1
    assert await store.forget_deliveries("delivered", 0, 4) == 0
    assert events_of(await store.deliveries(None, None, 100)) == [9, 8, 7, 6, 5, 4]


async def test_messages_of_one_webhook_take_no_place_of_anothers(store: Store) -> None:
    made = await queue(store, delivery(1, created_at=NOW), *(delivery(n, "v", created_at=NOW + n) for n in range(2, 9)))
    await store.note_tries([arrived(each) for each in made])
    assert await store.forget_deliveries("delivered", 0, 3) == 4
    assert events_of(await store.deliveries(None, None, 100)) == [8, 7, 6, 1]


async def test_a_webhook_goes_with_whatever_was_not_delivered(store: Store) -> None:
    await queue(store, *(delivery(n) for n in range(1, 2200)), delivery(5000, "v"))
    await store.remove_webhook("w")
    assert [each.id for each in await store.webhooks()] == ["v"]
    assert events_of(await store.deliveries(None, None, 10_000)) == [5000]
    await store.note_tries([arrived(delivery(1))])
    assert await store.delivery_counts() == {"pending": 1, "dead": 0}


async def test_messages_that_are_queued_while_their_webhook_is_removed_stop_nobody(store: Store) -> None:
    await queue(store, *(delivery(n) for n in range(1, 1500)))
    more = [store.queue_deliveries("webhooks", 2000 + n, [delivery(2000 + n)]) for n in range(20)]
    await asyncio.gather(store.remove_webhook("w"), *more)
    assert await store.webhooks() == []
    assert await store.deliveries(None, None, 10) == []
    assert await store.followed_to("webhooks") == 2019


async def test_the_engine_has_nothing_to_notice(database: FreshDatabase) -> None:
    """It would read everything that is set up anew, and look for contacts, many times a second."""
    async with database.open() as engine, database.open() as http:
        await engine.changed_elsewhere()
        one, _ = await queue(http, delivery(1), delivery(2))
        await http.note_tries([arrived(one)])
        await http.add_events([NewEvent(at=NOW, kind="call.offered", body={})])
        await http.resend([one.id], NOW)
        await http.remove_webhook("w")
        assert not await engine.changed_elsewhere()
        await http.create_campaign("demo", Settings(), NOW)
        await http.queue_deliveries("webhooks", 9, [])
        assert await engine.changed_elsewhere()


async def test_a_look_at_a_contact_is_nothing_to_notice(database: FreshDatabase) -> None:
    async with database.open() as engine, database.open() as http:
        demo = await http.create_campaign("demo", Settings(), NOW)
        (contact_id,) = await http.add_to_base(demo.id, "b", [person(1)], NOW)
        assert contact_id
        await engine.changed_elsewhere()
        await http.load_contact(contact_id)
        assert not await engine.changed_elsewhere()
