"""Store contract: what requests over HTTP leave behind."""

from dataclasses import replace
from typing import Any

import pytest
from stores import (
    DAY,
    HOUR,
    NOW,
    FreshDatabase,
    begin,
    check_counts,
    closing,
    forbid,
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
from astdialer.domain.contact import INVALID, NewContact, NewNumber, Rank
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound, Unavailable
from astdialer.domain.settings import Settings
from astdialer.ports import ForeignObject, Kept, Store, UploadJob

pytest_plugins = ("store_fixtures",)


async def add(store: Store, of: Campaign, *new: NewContact, base: str = "api", now: int = NOW) -> list[int | None]:
    return list(await store.add_to_base(of.id, base, new, now))


def invalid(text: str) -> NewNumber:
    return NewNumber(number=text, as_uploaded=text, type="P", end_reason=INVALID)


# --- contacts that come one by one -----------------------------------------------------------------------------------


async def test_contacts_are_added_to_a_base_that_is_made_and_can_be_called_at_once(
    store: Store, demo: Campaign
) -> None:
    first, second = await add(store, demo, person(1, 11, params={"name": "Ñandú"}), person(2))
    assert (first, second) == (1, 2)
    (base,) = await store.bases(demo.id)
    assert (base["base"], base["state"], base["contacts"]) == ("api", "published", 2)
    assert numbers_of(await store.claim(request(demo))) == [phone(1), phone(2)]
    contact = await store.load_contact(1)
    assert ([n.number for n in contact.numbers], contact.params) == ([phone(1), phone(11)], {"name": "Ñandú"})
    await check_counts(store, demo)


async def test_later_ones_go_to_the_same_base_and_other_bases_are_others(store: Store, demo: Campaign) -> None:
    await add(store, demo, person(1))
    assert await add(store, demo, person(2)) == [2]
    assert await add(store, demo, person(1), base="other") == [3]
    assert [(row["base"], row["contacts"]) for row in await store.bases(demo.id)] == [("api", 2), ("other", 1)]


async def test_nothing_is_added_for_nobody(store: Store, demo: Campaign) -> None:
    assert await add(store, demo) == []
    assert not await people(store)


async def test_a_main_number_is_in_a_base_once(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)], base="api")
    ids = await add(store, demo, person(1), person(2), person(2), person(3, 1))
    assert ids == [None, 2, None, 3]
    assert await add(store, demo, person(2)) == [None]
    assert await store.already_there(demo.id, "api", [person(1), person(2), person(4)]) == [1, 2, None]
    assert await store.already_there(demo.id, "other", [person(1)]) == [None]
    await check_counts(store, demo)


async def test_a_contact_that_is_done_is_still_in_its_base(store: Store, demo: Campaign) -> None:
    await add(store, demo, person(1))
    (claim,) = await store.claim(request(demo))
    await store.close([closing(claim, Disposition.ANSWERED)])
    assert await add(store, demo, person(1)) == [None]


async def test_repeatable_ones_may_repeat_a_main_number(store: Store, demo: Campaign) -> None:
    again = person(1, repeatable=True)
    assert await add(store, demo, again, again, person(1)) == [1, 2, 3]
    assert await add(store, demo, again, person(1)) == [4, None]
    assert await store.already_there(demo.id, "api", [again, person(1)]) == [None, 3]


async def test_a_reference_is_in_a_campaign_once_whatever_the_base(store: Store, demo: Campaign) -> None:
    care = await store.create_campaign("care", Settings(), NOW)
    named = person(1, reference="crm-1")
    assert await add(store, demo, named) == [1]
    assert await add(store, demo, person(2, reference="crm-1"), base="other") == [None]
    assert await add(store, demo, person(3, reference="x"), person(4, reference="x"), person(5)) == [2, None, 3]
    assert await add(store, care, named) == [4]
    assert await store.already_there(demo.id, "other", [person(9, reference="crm-1")]) == [1]
    assert await store.contact_by_reference(demo.id, "crm-1") == 1
    assert await store.contact_by_reference(care.id, "crm-1") == 4
    assert await store.contact_by_reference(demo.id, "crm-2") is None
    assert await store.contact_by_reference(demo.id, "") is None
    assert (await store.load_contact(1)).reference == "crm-1"


async def test_a_repeatable_one_still_has_its_reference_alone(store: Store, demo: Campaign) -> None:
    once = person(1, repeatable=True, reference="r")
    assert await add(store, demo, once, once) == [1, None]


async def test_one_that_has_expired_is_done_when_it_comes(store: Store, demo: Campaign) -> None:
    gone, later = await add(store, demo, person(1, expires_at=NOW), person(2, expires_at=NOW + 1))
    found = await store.load_contact(int(gone or 0))
    assert (found.state, found.end_reason, found.end_cause) == ("done", "expired", "MEMBER_EXPIRED")
    assert (await store.load_contact(int(later or 0))).state == "ready"
    (ending,) = await store.endings(0, demo.id, 10)
    assert (ending.contact_id, ending.end_cause, ending.at) == (gone, "MEMBER_EXPIRED", NOW)
    await check_counts(store, demo)


async def test_one_without_a_number_that_can_be_dialed_is_done_when_it_comes(store: Store, demo: Campaign) -> None:
    bad = replace(person(1), numbers=(invalid("call me"), invalid("12")))
    half = replace(person(2), numbers=(invalid("12"), new_number(2)))
    first, second = await add(store, demo, bad, half)
    found = await store.load_contact(int(first or 0))
    assert (found.state, found.end_cause) == ("done", "INVALID_NUMBER_FORMAT")
    assert [number.is_open for number in found.numbers] == [False, False]
    assert [number.is_open for number in (await store.load_contact(int(second or 0))).numbers] == [False, True]
    assert numbers_of(await store.claim(request(demo))) == [phone(2)]
    await check_counts(store, demo)


async def test_the_same_words_that_are_no_number_are_a_duplicate(store: Store, demo: Campaign) -> None:
    bad = replace(person(1), numbers=(invalid("12"),))
    assert await add(store, demo, bad, bad) == [1, None]


async def test_one_that_is_to_wait_is_due_at_its_time(store: Store, demo: Campaign) -> None:
    await add(store, demo, person(1, not_before=NOW + HOUR))
    assert not await store.claim(request(demo))
    assert numbers_of(await store.claim(request(demo, now=NOW + HOUR))) == [phone(1)]


async def test_the_zone_of_a_base_takes_the_place_of_what_digits_say(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)], base="lima", zone="America/Lima")
    own = new_number(3, "Europe/Rome", own_zones=True)
    mixed = replace(person(2), numbers=(new_number(2, "Europe/Madrid"), own))
    (contact_id,) = await add(store, demo, mixed, base="lima")
    contact = await store.load_contact(int(contact_id or 0))
    assert [number.zones for number in contact.numbers] == ["America/Lima", "Europe/Rome"]
    (contact_id,) = await add(store, demo, mixed)
    contact = await store.load_contact(int(contact_id or 0))
    assert [number.zones for number in contact.numbers] == ["Europe/Madrid", "Europe/Rome"]


@pytest.mark.parametrize("file_ends", ["published", "discarded"])
async def test_a_number_of_a_file_that_is_being_loaded_is_added_and_stays(
    store: Store, demo: Campaign, file_ends: str
) -> None:
    upload = await begin(store, demo, "api")
    again = person(1, repeatable=True)
    await store.add_contacts(upload, [person(1, not_before=NOW + HOUR), person(2), again], NOW)
    assert await add(store, demo, person(1, params={"name": "Ana"}), person(2, repeatable=True)) == [4, 5]
    await check_counts(store, demo)
    if file_ends == "published":
        await store.publish_uploads([upload], NOW)
    else:
        await store.discard_uploads([upload])
    assert sum(row["contacts"] for row in await store.bases(demo.id)) == (4 if file_ends == "published" else 2)
    assert sorted(numbers_of(await store.claim(request(demo)))) == [phone(1), phone(2)]
    assert (await store.load_contact(4)).params == {"name": "Ana"}
    await check_counts(store, demo)


async def test_a_contact_that_is_not_added_takes_nothing_from_a_file_that_is_being_loaded(
    store: Store, demo: Campaign
) -> None:
    await add(store, demo, person(9, reference="crm-1"))
    upload = await begin(store, demo, "api")
    await store.add_contacts(upload, [person(1), person(2)], NOW)
    ids = await add(store, demo, person(1, reference="crm-1"), person(2, reference="r"), person(2, reference="s"))
    assert ids == [None, 3, None]
    await store.publish_uploads([upload], NOW)
    assert sorted(await people(store)) == [phone(1), phone(2), phone(9)]
    await check_counts(store, demo)


async def test_a_full_disk_adds_nobody(store: Store, demo: Campaign, database: FreshDatabase) -> None:
    await database.fill_disk(store)
    with pytest.raises(Unavailable):
        await add(store, demo, *(person(n) for n in range(5000)))
    await database.free_disk(store)
    assert not await people(store)
    assert await add(store, demo, person(1)) == [1]


# --- lists -----------------------------------------------------------------------------------------------------------


async def numbers(store: Store, limit: int = 100, **filters: Any) -> list[str]:
    return [row["number"] for row in await store.contacts(filters, limit)]


async def test_contacts_are_listed_by_tenant_and_page_by_page(store: Store, demo: Campaign) -> None:
    theirs = await store.create_campaign("theirs", Settings(), NOW, "b")
    await add(store, demo, person(1), person(2))
    await add(store, theirs, person(3))
    await add(store, demo, person(4))
    assert await numbers(store) == [phone(n) for n in (1, 2, 4, 3)]
    assert await numbers(store, tenant="b") == [phone(3)]
    assert await numbers(store, tenant="") == [phone(n) for n in (1, 2, 4)]
    assert await numbers(store, tenant="c") == []
    seen, after = [], (0, 0)
    while rows := await store.contacts({"after": after}, 2):
        seen += [row["number"] for row in rows]
        after = (rows[-1]["campaign_id"], rows[-1]["id"])
    assert seen == [phone(n) for n in (1, 2, 4, 3)]


async def test_contacts_are_found_by_number_and_by_reference(store: Store, demo: Campaign) -> None:
    theirs = await store.create_campaign("theirs", Settings(), NOW, "b")
    await add(store, demo, person(1, 11, reference="r1"), person(2, reference="r2"))
    await add(store, theirs, person(11, reference="r1"))
    assert await numbers(store, number=phone(11)) == [phone(1), phone(11)]
    assert await numbers(store, number=phone(11), tenant="b") == [phone(11)]
    assert await numbers(store, reference="r1") == [phone(1), phone(11)]
    assert await numbers(store, reference="r1", campaign="demo") == [phone(1)]
    assert await numbers(store, reference="r2", number=phone(1)) == []
    assert await numbers(store, reference="r1", number=phone(11), limit=1) == [phone(1)]
    assert await numbers(store, reference="") == []
    assert await numbers(store, number=phone(11), after=(demo.id, 2)) == [phone(11)]
    rows = await store.contacts({"reference": "r2"}, 10)
    assert (rows[0]["reference"], rows[0]["state"]) == ("r2", "ready")
    assert (await store.contact(rows[0]["id"]))["reference"] == "r2"


async def test_contacts_are_found_by_their_tag(store: Store, demo: Campaign) -> None:
    await add(store, demo, person(1), person(2))
    await store.change_contact(2, lambda contact: replace(contact, tag="vip"), NOW)
    assert await numbers(store, tag="vip") == [phone(2)]
    assert await numbers(store, tag="vip", number=phone(1)) == []


async def test_endings_of_a_tenant_are_its_own(store: Store, demo: Campaign) -> None:
    theirs = await store.create_campaign("theirs", Settings(), NOW, "b")
    for of, n in ((demo, 1), (theirs, 2), (demo, 3), (theirs, 4)):
        await add(store, of, person(n, expires_at=1))
    ends = await store.endings(0, None, 10, "b")
    assert [end.number for end in ends] == [phone(2), phone(4)]
    assert [end.number for end in await store.endings(ends[0].id, None, 10, "b")] == [phone(4)]
    assert len(await store.endings(0, None, 10)) == 4


async def test_the_blacklist_has_pages_and_shows_a_tenant_what_binds_it(store: Store, demo: Campaign) -> None:
    await store.create_campaign("theirs", Settings(), NOW, "b")
    await store.add_to_blacklist([forbid(1), forbid(1, "demo"), forbid(1, "theirs"), forbid(2, "demo"), forbid(3)])
    seen: list[tuple[str, str]] = []
    while rows := await store.blacklist(None, 2, after=seen[-1] if seen else ("", "")):
        seen += [(row.number, row.campaign) for row in rows]
    assert seen == [(phone(1), "*"), (phone(1), "demo"), (phone(1), "theirs"), (phone(2), "demo"), (phone(3), "*")]
    bound = [(row.number, row.campaign) for row in await store.blacklist(None, 10, tenant="b")]
    assert bound == [(phone(1), "*"), (phone(1), "theirs"), (phone(3), "*")]
    assert await store.blacklist("demo", 10, tenant="b") == []


async def test_scheduled_calls_have_pages(store: Store, demo: Campaign) -> None:
    for n, at in ((1, HOUR), (2, 2 * HOUR), (3, HOUR)):
        await store.add_task(task(demo, n, rank=Rank.DATED, not_before=NOW + at), NOW)
    wanted: dict[str, Any] = {"number": None, "from_at": None, "to_at": None, "limit": 1}
    seen, after = [], None
    while found := await store.scheduled(demo.id, **wanted, after=after):
        seen.append(found[0].numbers[0].number)
        after = (found[0].next_at or 0, found[0].id)
    assert seen == [phone(1), phone(3), phone(2)]


# --- jobs ------------------------------------------------------------------------------------------------------------


def job(n: int, **values: Any) -> UploadJob:
    known: dict[str, Any] = {
        "id": f"job-{n}",
        "campaign_id": 1,
        "base": "march",
        "tenant": "",
        "file_name": "märz.csv",
        "path": f"/spool/{n}",
        "options": {"timezone": "", "mapping": [["number", "Phone"]], "dry_run": True},
        "bytes": 100,
        "created_at": NOW + n,
        "created_by": "ana",
    }
    return UploadJob(**known | values)


async def test_a_job_is_kept_as_it_is_saved(store: Store) -> None:
    await store.add_job(job(1))
    assert await store.job("job-1") == job(1)
    ended = job(1, state="done", bytes_done=100, ended_at=NOW + 9, report={"added": 3}, error="")
    await store.save_job(ended)
    assert await store.job("job-1") == ended
    with pytest.raises(NotFound):
        await store.job("job-2")


async def test_open_jobs_come_in_their_order_and_ended_ones_do_not(store: Store) -> None:
    for n, state in ((3, "waiting"), (1, "loading"), (2, "done"), (4, "failed"), (0, "waiting")):
        await store.add_job(job(n, state=state))
    assert [one.id for one in await store.open_jobs()] == ["job-0", "job-1", "job-3"]


async def test_jobs_are_listed_by_tenant_page_by_page_the_newest_first(store: Store) -> None:
    for n in range(5):
        await store.add_job(job(n, tenant="b" if n == 2 else "", created_at=NOW + n // 2))
    assert [one.id for one in await store.jobs("b", 10)] == ["job-2"]
    seen: list[str] = []
    after = None
    while found := await store.jobs(None, 2, after):
        seen += [one.id for one in found]
        after = (found[-1].created_at, found[-1].id)
    assert seen == ["job-4", "job-2", "job-3", "job-0", "job-1"]


async def test_jobs_that_are_ended_are_forgotten_when_they_are_old(store: Store) -> None:
    for n, state in enumerate(("done", "failed", "waiting", "loading")):
        await store.add_job(job(n, state=state, created_at=NOW - 1))
    await store.add_job(job(4, state="done"))
    await store.forget_jobs(NOW)
    assert [one.id for one in await store.jobs(None, 9)] == ["job-4", "job-2", "job-3"]


async def test_it_is_known_what_a_job_has_brought_and_what_it_has_left(store: Store, demo: Campaign) -> None:
    done = await store.open_upload(demo.id, "march", file_name="f", timezone="", now=NOW, job="j")
    await store.add_contacts(done, [person(1), person(2)], NOW)
    left = await store.open_upload(demo.id, "april", file_name="f", timezone="", now=NOW, job="j")
    await begin(store, demo, "may")
    assert [upload.id for upload in await store.unfinished_of_job("j")] == [done.id, left.id]
    await store.publish_uploads([done], NOW)
    assert await store.unfinished_of_job("j") == [left]
    assert await store.added_by_job("j") == {"demo": 2}
    assert (await store.added_by_job("k"), await store.added_by_job("")) == ({}, {})
    assert await store.unfinished_of_job("") == []


# --- a dialect's own objects -----------------------------------------------------------------------------------------


def document(n: int, **values: Any) -> ForeignObject:
    known: dict[str, Any] = {
        "dialect": "webitel",
        "kind": "dialer",
        "id": f"id-{n}",
        "name": str(n),
        "body": {"name": "Ñ", "list": [1, None, {"a": True}]},
        "created_at": NOW + n,
        "changed_at": NOW + n,
    }
    return ForeignObject(**known | values)


async def test_a_dialects_object_is_found_by_its_id_and_by_its_name_here(store: Store) -> None:
    await store.save_foreign(document(1))
    assert await store.foreign("webitel", "dialer", "id-1") == document(1)
    assert await store.foreign_by_name("webitel", "dialer", "1") == document(1)
    for dialect, kind, object_id in (("twin24", "dialer", "id-1"), ("webitel", "member", "id-1"), ("webitel", "x", "")):
        assert await store.foreign(dialect, kind, object_id) is None
    assert await store.foreign_by_name("webitel", "dialer", "2") is None


async def test_an_object_is_replaced_and_keeps_when_it_was_made(store: Store) -> None:
    await store.save_foreign(document(1))
    await store.save_foreign(document(1, body={"new": 1}, name="7", created_at=NOW + DAY, changed_at=NOW + DAY))
    found = await store.foreign("webitel", "dialer", "id-1")
    assert found == document(1, body={"new": 1}, name="7", changed_at=NOW + DAY)


async def test_objects_are_listed_by_tenant_and_removed(store: Store) -> None:
    for n, tenant in ((2, ""), (1, "b"), (3, "b")):
        await store.save_foreign(document(n, tenant=tenant))
    assert [one.id for one in await store.foreign_all("webitel", "dialer")] == ["id-1", "id-2", "id-3"]
    assert [one.id for one in await store.foreign_all("webitel", "dialer", "b")] == ["id-1", "id-3"]
    assert await store.remove_foreign("webitel", "dialer", "id-1")
    assert not await store.remove_foreign("webitel", "dialer", "id-1")
    assert [one.id for one in await store.foreign_all("webitel", "dialer", "b")] == ["id-3"]


# --- repeated requests -----------------------------------------------------------------------------------------------


async def test_a_request_is_begun_once_and_its_answer_is_kept(store: Store) -> None:
    assert await store.begin_request("t", "k", "print", NOW) is None
    assert await store.begin_request("t", "k", "other", NOW + 5) == Kept(fingerprint="print", created_at=NOW)
    await store.end_request("t", "k", status=201, headers={"location": "/x"}, body=b"\x00\xff{}")
    kept = await store.begin_request("t", "k", "print", NOW + 9)
    assert kept == Kept(fingerprint="print", created_at=NOW, status=201, headers={"location": "/x"}, body=b"\x00\xff{}")
    assert await store.begin_request("other", "k", "print", NOW) is None


async def test_a_request_that_is_forgotten_may_be_made_again(store: Store) -> None:
    await store.begin_request("t", "k", "print", NOW)
    await store.forget_request("t", "k")
    assert await store.begin_request("t", "k", "print", NOW) is None


async def test_old_requests_are_forgotten(store: Store) -> None:
    await store.begin_request("t", "old", "p", NOW - 1)
    await store.begin_request("t", "new", "p", NOW)
    await store.forget_requests(NOW)
    assert await store.begin_request("t", "old", "p", NOW) is None
    assert await store.begin_request("t", "new", "p", NOW) is not None


async def test_the_engine_has_nothing_to_notice(database: FreshDatabase) -> None:
    """It would read everything that is set up anew, with every request that came with a key."""
    document = ForeignObject(dialect="webitel3", kind="dialer", id="1")
    async with database.open() as engine, database.open() as http:
        await engine.changed_elsewhere()
        await http.begin_request("t", "k", "f", NOW)
        await http.end_request("t", "k", status=200, headers={}, body=b"")
        await http.forget_request("t", "k")
        await http.begin_request("t", "k", "f", NOW)
        await http.forget_requests(NOW + 1)
        await http.add_job(job(1))
        await http.save_job(job(1, state="loading"))
        await http.save_foreign(document)
        await http.save_documents([document])
        await http.remove_foreign("webitel3", "dialer", "1")
        assert not await engine.changed_elsewhere()
