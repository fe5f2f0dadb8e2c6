"""Store contract: recordings, live view, reports."""

import dataclasses
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
    cdrs,
    closing,
    forbid,
    load,
    new_number,
    people,
    person,
    phone,
    request,
)

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, ContactState, Rank
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound
from astdialer.domain.result import terminate
from astdialer.domain.settings import Settings
from astdialer.ports import Converted, Ending, Recording, Store

pytest_plugins = ("store_fixtures",)

D = Disposition


async def recorded(store: Store, demo: Campaign, count: int = 1) -> list[str]:
    await load(store, demo, [person(n) for n in range(count)])
    claims = await store.claim(request(demo))
    await store.close([closing(c, D.ANSWERED, now=NOW + n, record=True) for n, c in enumerate(claims)])
    return [claim.attempt.id for claim in claims]


# --- recordings ------------------------------------------------------------------------------------------------------


async def test_a_recording_waits_until_it_is_converted(store: Store, demo: Campaign) -> None:
    (attempt_id,) = await recorded(store, demo)
    assert list(await store.due_recordings(NOW, 10)) == [Recording(attempt_id=attempt_id, date="20260921", tries=0)]
    await store.recording_done(attempt_id, Converted(path=Path("/r/a.mp3"), duration_s=12.5), NOW)
    assert not await store.due_recordings(NOW + HOUR, 10)
    (row,) = await store.recordings({}, 10)
    assert (row["guid"], row["state"], row["path"], row["duration_s"], row["number"], row["campaign"]) == (
        attempt_id,
        "done",
        "/r/a.mp3",
        12.5,
        phone(0),
        "demo",
    )


async def test_a_recording_is_trimmed_as_its_campaign_says(store: Store, demo: Campaign) -> None:
    await store.save_settings(demo.id, Settings(record_trim_s=4))
    await recorded(store, demo)
    assert [one.trim_s for one in await store.due_recordings(NOW, 10)] == [4]


async def test_nothing_recorded_is_remembered_too(store: Store, demo: Campaign) -> None:
    (attempt_id,) = await recorded(store, demo)
    await store.recording_done(attempt_id, None, NOW)
    assert not await store.due_recordings(NOW + HOUR, 10)
    assert [row["state"] for row in await store.recordings({}, 10)] == ["none"]


async def test_a_failed_conversion_is_due_again_at_its_time(store: Store, demo: Campaign) -> None:
    (attempt_id,) = await recorded(store, demo)
    await store.recording_failed(attempt_id, "no ffmpeg", NOW + 5000)
    assert not await store.due_recordings(NOW + 4999, 10)
    assert list(await store.due_recordings(NOW + 5000, 10)) == [
        Recording(attempt_id=attempt_id, date="20260921", tries=1)
    ]
    await store.recording_failed(attempt_id, "no ffmpeg", None)
    assert not await store.due_recordings(NOW + 100 * HOUR, 10)
    (row,) = await store.recordings({}, 10)
    assert (row["state"], row["error"], row["tries"]) == ("failed", "no ffmpeg", 2)


async def test_the_longest_due_recordings_come_first_and_no_more_than_asked_for(store: Store, demo: Campaign) -> None:
    ids = await recorded(store, demo, 5)
    assert [r.attempt_id for r in await store.due_recordings(NOW + 3, 2)] == ids[:2]
    assert len(await store.due_recordings(NOW + 3, 10)) == 4


@pytest.mark.parametrize(
    ("filters", "found"), [({"date": "20260921"}, 2), ({"date": "20260922"}, 0), ({"campaign": "x"}, 0)]
)
async def test_recordings_are_filtered(store: Store, demo: Campaign, filters: dict[str, Any], found: int) -> None:
    ids = await recorded(store, demo, 2)
    assert len(await store.recordings(filters, 10)) == found
    assert [row["guid"] for row in await store.recordings({"guid": ids[0]}, 10)] == ids[:1]
    assert len(await store.recordings({}, 1)) == 1


# --- live view and change --------------------------------------------------------------------------------------------


async def test_the_newest_live_view_is_read(store: Store) -> None:
    assert await store.live_view() is None
    await store.publish_live_view("one", {"calls": 1, "name": "ñ"}, NOW)
    await store.publish_live_view("two", {"calls": 2}, NOW + 1)
    assert await store.live_view() == {"calls": 2, "written_at": NOW + 1}
    await store.publish_live_view("one", {"calls": 3}, NOW + 2)
    assert await store.live_view() == {"calls": 3, "written_at": NOW + 2}


async def test_a_withdrawn_view_is_not_taken_for_the_present(store: Store) -> None:
    await store.publish_live_view("one", {"calls": 1}, NOW)
    await store.publish_live_view("two", {"calls": 2}, NOW + 1)
    await store.withdraw_live_view("two")
    assert await store.live_view() == {"calls": 1, "written_at": NOW}
    await store.withdraw_live_view("one")
    assert await store.live_view() is None


async def test_changes_of_others_are_noticed_and_own_ones_are_not(database: FreshDatabase) -> None:
    async with database.open() as mine, database.open() as theirs:
        await mine.changed_elsewhere()
        assert not await mine.changed_elsewhere()
        await mine.create_campaign("demo", Settings(), NOW)
        assert not await mine.changed_elsewhere()
        await theirs.add_to_blacklist([forbid(1)])
        assert await mine.changed_elsewhere()
        assert not await mine.changed_elsewhere()
        assert await mine.is_blacklisted(phone(1), "demo", NOW)


# --- reports ---------------------------------------------------------------------------------------------------------


async def test_contacts_are_filtered(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1, 7), person(2)], "one")
    await load(store, demo, [person(3)], "two")
    await load(store, other, [person(1)])
    (claim,) = await store.claim(request(demo, limit=1))
    await store.close([closing(claim, D.ANSWERED)])

    async def found(**filters: Any) -> list[tuple[str, str]]:
        return [(row["campaign"], row["number"]) for row in await store.contacts(filters, 100)]

    assert len(await found()) == 4
    assert await found(campaign="other") == [("other", phone(1))]
    assert await found(base="two") == [("demo", phone(3))]
    assert await found(number=phone(7)) == [("demo", phone(1))]
    assert await found(number=phone(1), campaign="demo") == [("demo", phone(1))]
    assert await found(state="done") == await found(end_reason="answered") == [("demo", phone(1))]
    assert await found(campaign="nobody") == []
    assert [row["number"] for row in await store.contacts({"campaign": "demo"}, 2, 1)] == [phone(2), phone(3)]
    with pytest.raises(ValueError, match="colour"):
        await store.contacts({"colour": "red"}, 1)


async def test_a_contact_is_shown_with_its_history(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, 2, line=9)], zone="America/Lima")
    (claim,) = await store.claim(request(demo))
    await store.close([closing(claim, D.BUSY)])
    contact = await store.contact(claim.contact.id)
    assert (contact["campaign"], contact["base"], contact["timezone"], contact["line"]) == (
        "demo",
        "b",
        "America/Lima",
        9,
    )
    assert contact["params"] == {"name": "Ñandú 1"}
    assert [n["number"] for n in contact["numbers"]] == [phone(1), phone(2)]
    assert [a["id"] for a in contact["attempts"]] == [claim.attempt.id]
    row = (await people(store))[phone(1)]
    assert (row["attempts"], row["dispositions"]) == (1, "busy")
    with pytest.raises(NotFound, match="999"):
        await store.contact(999)


async def test_everything_that_decides_about_a_contact_is_shown(store: Store, demo: Campaign) -> None:
    new = person(1, 2, rank=Rank.TASK, bucket="vip", priority=4, expires_at=NOW + DAY, any_hour=True)
    numbers = (new.numbers[0], new_number(2, "America/Lima", priority=3, description="office"))
    await load(store, demo, [dataclasses.replace(new, numbers=numbers)])

    def change(contact: Contact) -> Contact:
        called = dataclasses.replace(
            contact.numbers[0], tries=2, range_tally={"r": 2}, last_call_at=NOW - 5, tally={"busy": 2}
        )
        return dataclasses.replace(
            contact,
            numbers=(called, contact.numbers[1]),
            state=ContactState.HELD,
            held_until=NOW + HOUR,
            next_at=NOW + HOUR,
            tries=2,
            last_call_at=NOW - 5,
            tag="a|b",
            preferred=phone(2),
        )

    (contact,) = await store.contacts_with(phone(1), demo.id)
    await store.change_contact(contact.id, change, NOW)
    expected = {
        "state": "held",
        "rank": 1,
        "tries": 2,
        "priority": 4,
        "bucket": "vip",
        "tag": "a|b",
        "why": "",
        "expires_at": NOW + DAY,
        "held_until": NOW + HOUR,
        "last_call_at": NOW - 5,
        "end_cause": "",
        "successful": 0,
    }
    shown = await store.contact(contact.id)
    assert {key: shown[key] for key in expected} == expected
    assert {key: (await people(store))[phone(1)][key] for key in expected} == expected
    assert (shown["any_hour"], shown["preferred"], shown["zones"]) == (1, phone(2), "*")
    first, second = shown["numbers"]
    assert (first["tries"], first["range_tally"], first["last_call_at"], first["tally"]) == (
        2,
        {"r": 2},
        NOW - 5,
        {"busy": 2},
    )
    assert (second["priority"], second["description"], second["zones"]) == (3, "office", "America/Lima")


async def test_the_end_of_a_contact_is_shown(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo))
    await store.close([closing(claim, D.ANSWERED, now=NOW + 7)])
    shown = await store.contact(claim.contact.id)
    assert (shown["end_reason"], shown["end_cause"], shown["successful"], shown["ended_at"]) == (
        "answered",
        "NORMAL_CLEARING",
        1,
        NOW + 7,
    )


async def test_cdrs_are_filtered_newest_first(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in range(4)], "one")
    ends = [
        closing(claim, disposition, now=NOW + n)
        for n, (claim, disposition) in enumerate(
            zip(await store.claim(request(demo)), (D.BUSY, D.ANSWERED, D.BUSY, D.MACHINE), strict=True)
        )
    ]
    ends = [
        dataclasses.replace(e, cdr=dataclasses.replace(e.cdr, calldate=NOW + n, agent=f"PJSIP/{n}"))
        for n, e in enumerate(ends)
    ]
    await store.close(ends)

    async def found(**filters: Any) -> list[int]:
        return [row["calldate"] - NOW for row in await cdrs(store, **filters)]

    assert await found() == [3, 2, 1, 0]
    assert await found(disposition="busy") == [2, 0]
    assert await found(number=phone(1)) == [1]
    assert await found(agent="PJSIP/3") == [3]
    assert await found(guid=ends[2].cdr.guid) == [2]
    assert await found(from_at=NOW + 1, to_at=NOW + 3) == [2, 1]
    assert await found(base="one", campaign="demo") == [3, 2, 1, 0]
    assert await found(base="x") == []
    assert [row["calldate"] - NOW async for row in store.cdrs({}, 2)] == [3, 2]


async def test_a_reader_of_cdrs_may_stop_and_writing_goes_on(store: Store, demo: Campaign) -> None:
    await recorded(store, demo, 50)
    rows = store.cdrs({}, None)
    first = await anext(rows)
    await store.add_to_blacklist([forbid(1)])
    assert first["calldate"] == NOW
    assert len([row async for row in rows]) == 49


# --- statistics ------------------------------------------------------------------------------------------------------


async def test_attempts_are_counted_by_day_campaign_and_trunk(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(n) for n in range(8)])
    await load(store, other, [person(10)])
    endings = [D.ANSWERED, D.ANSWERED, D.ABANDONED, D.SHORT, D.BUSY, D.MACHINE, D.ANSWERED, D.NO_ANSWER]
    days = [TODAY] * 6 + ["2026-09-22"] * 2
    claims = await store.claim(request(demo))
    await store.close([closing(c, end, day=day) for c, end, day in zip(claims, endings, days, strict=True)])
    (claim,) = await store.claim(request(other))
    await store.close([closing(claim, D.ABANDONED)])

    assert list(await store.abandonment(demo.id, TODAY)) == [
        {"day": TODAY, "people": 4, "abandoned": 1},
        {"day": "2026-09-22", "people": 1, "abandoned": 0},
    ]
    assert [row["day"] for row in await store.abandonment(demo.id, "2026-09-22")] == ["2026-09-22"]
    assert [tuple(row.values()) for row in await store.days(demo.id, TODAY)] == [
        (TODAY, "abandoned", 1),
        (TODAY, "answered", 2),
        (TODAY, "busy", 1),
        (TODAY, "machine", 1),
        (TODAY, "short", 1),
        ("2026-09-22", "answered", 1),
        ("2026-09-22", "no_answer", 1),
    ]
    assert [row["day"] for row in await store.days(demo.id, "2026-09-22")] == ["2026-09-22"] * 2
    trunk_days = [tuple(row.values()) for row in await store.trunk_days(TODAY)]
    assert trunk_days[0] == ("carrier", TODAY, "abandoned", 2)
    assert len(trunk_days) == 7
    assert len(await store.trunk_days("2026-09-22")) == 2


async def test_every_end_of_a_contact_is_told_once_and_in_order(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(n) for n in range(3)])
    await load(store, other, [person(9, expires_at=NOW + 1)])
    first, second, _ = await store.claim(request(demo))
    await store.close([closing(second, D.ANSWERED, now=NOW + 5), closing(first, D.BUSY, now=NOW + 5)])
    await store.expire(NOW + 6, 10)
    ends = list(await store.endings(0, None, 10))
    assert ends == [
        Ending(
            id=ends[0].id,
            at=NOW + 5,
            campaign_id=demo.id,
            contact_id=second.contact.id,
            number=phone(1),
            tries=1,
            successful=True,
            end_reason="answered",
            end_cause="NORMAL_CLEARING",
        ),
        Ending(
            id=ends[1].id,
            at=NOW + 6,
            campaign_id=other.id,
            contact_id=ends[1].contact_id,
            number=phone(9),
            tries=0,
            successful=False,
            end_reason="expired",
            end_cause="MEMBER_EXPIRED",
        ),
    ]
    assert list(await store.endings(ends[0].id, None, 10)) == ends[1:]
    assert list(await store.endings(0, None, 1)) == ends[:1]
    assert list(await store.endings(0, other.id, 10)) == ends[1:]
    assert list(await store.endings(ends[1].id, other.id, 10)) == []


async def test_the_survey_adds_up_the_pools_of_all_published_bases(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, other, [person(99)])
    await load(store, demo, [person(n, zones="Europe/Madrid") for n in range(4)], "one")
    await load(store, demo, [person(9, zones="Europe/Madrid", not_before=NOW + HOUR), person(8, bucket="vip")], "two")
    await store.add_contacts(await begin(store, demo, "three"), [person(7)], NOW)
    first, *_ = await store.claim(request(demo, limit=2))
    await store.close([closing(first, D.ANSWERED)])
    states = {"ready": 0, "waiting": 0, "in_call": 0, "held": 0, "done": 0}
    assert list(await store.survey(demo.id)) == [
        {"zones": "", "bucket": "vip", **states, "ready": 1},
        {"zones": "Europe/Madrid", "bucket": "", **states, "ready": 2, "waiting": 1, "in_call": 1, "done": 1},
    ]


async def test_waiting_contacts_are_counted_by_what_they_wait_for(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in range(3)] + [person(9, not_before=NOW + 9 * HOUR)])
    await store.add_to_blacklist([forbid(0, expires_at=NOW + DAY), forbid(1, expires_at=NOW + 2 * DAY)])
    (claim,) = await store.claim(request(demo))
    await store.close([closing(claim, D.BUSY)])
    await store.add_contacts(await begin(store, demo, "unpublished"), [person(7, not_before=NOW)], NOW)
    retry_at = NOW + 300_000
    assert [tuple(row.values()) for row in await store.put_off(demo.id)] == [
        ("the blacklist", 2, NOW + DAY, NOW + 2 * DAY),
        ("its next try", 1, retry_at, retry_at),
        ("the time it was scheduled for", 1, NOW + 9 * HOUR, NOW + 9 * HOUR),
    ]


async def test_open_contacts_with_the_same_main_number_are_duplicates_but_the_first(
    store: Store, demo: Campaign
) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    for campaign, base, numbers in (
        (demo, "a", (1, 2, 3)),
        (demo, "b", (1, 2, 4)),
        (demo, "c", (1,)),
        (other, "a", (3,)),
    ):
        await load(store, campaign, [person(n) for n in numbers], base)
    await store.add_contacts(await begin(store, demo, "unpublished"), [person(3)], NOW)
    await load(store, demo, [person(5, 3)], "d")
    assert await store.count_duplicates(demo.id) == 3
    assert await store.count_duplicates(other.id) == 0
    await store.change_contact((await store.contacts_with(phone(2), demo.id))[0].id, terminate, NOW)
    assert await store.count_duplicates(demo.id) == 2


async def test_every_open_number_is_told(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, other, [person(9)])
    await load(store, demo, [person(1, 2, zones="Europe/Madrid"), person(3), person(4)])
    await store.add_contacts(await begin(store, demo, "unpublished"), [person(5)], NOW)
    await store.withdraw([forbid(2), forbid(3)], NOW)
    found = [row async for row in store.open_numbers(demo.id)]
    ids = {number: row["id"] for number, row in (await people(store)).items()}
    assert found == [
        {"contact_id": ids[phone(1)], "number": phone(1), "zones": "Europe/Madrid"},
        {"contact_id": ids[phone(4)], "number": phone(4), "zones": ""},
    ]


async def test_bases_are_counted_over_all_of_their_pools(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2, zones="UTC"), person(3, bucket="vip"), person(4)])
    (claim, *_) = await store.claim(request(demo))
    await store.close([closing(claim, D.ANSWERED)])
    (row,) = await store.bases(demo.id)
    assert (row["contacts"], row["done"]) == (4, 1)
