"""Store contract: recordings, live view, reports, blacklist."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from stores import (
    HOUR,
    NOW,
    FreshDatabase,
    cdrs,
    closing,
    forbid,
    load,
    people,
    person,
    phone,
    request,
)

from astdialer.domain.campaign import Campaign
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound
from astdialer.domain.settings import Settings
from astdialer.ports import Converted, Recording, Store

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


# --- blacklist -------------------------------------------------------------------------------------------------------


async def test_the_blacklist_keeps_each_entry_once(store: Store) -> None:
    assert await store.add_to_blacklist([forbid(1), forbid(2), forbid(1, "demo")]) == 3
    assert await store.add_to_blacklist([forbid(1), forbid(3)]) == 1
    assert list(await store.blacklist(None, 100)) == [forbid(1), forbid(1, "demo"), forbid(2), forbid(3)]
    assert list(await store.blacklist("demo", 100)) == [forbid(1, "demo")]
    assert len(await store.blacklist("*", 2)) == 2


async def test_a_removed_entry_binds_no_more(store: Store) -> None:
    await store.add_to_blacklist([forbid(1)])
    assert await store.remove_from_blacklist(phone(1), "*")
    assert not await store.remove_from_blacklist(phone(1), "*")
    assert not await store.is_blacklisted(phone(1), "demo", NOW)


async def test_a_withdrawn_view_is_not_taken_for_the_present(store: Store) -> None:
    await store.publish_live_view("one", {"calls": 1}, NOW)
    await store.publish_live_view("two", {"calls": 2}, NOW + 1)
    await store.withdraw_live_view("two")
    assert await store.live_view() == {"calls": 1, "written_at": NOW}
    await store.withdraw_live_view("one")
    assert await store.live_view() is None
