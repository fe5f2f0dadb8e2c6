"""Every store: contacts and attempts as a call centre lists them, and the documents beside contacts."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from stores import NOW, FreshDatabase, SqliteFile

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import INVALID, ContactState, NewContact, NewNumber
from astdialer.domain.errors import Conflict
from astdialer.ports import AttemptSearch, ForeignObject, MemberSearch, Store
from astdialer.store.queries import queries

pytest_plugins = ("store_fixtures",)


def new(n: int, **known: Any) -> NewContact:
    reason = known.pop("end_reason", "")
    number = NewNumber(number=f"+346{n:08}", as_uploaded=f"6{n:08}", type="1", end_reason=reason)
    usual: dict[str, Any] = {"params": {}, "priority": 5, "agentphone": "", "line": 0, "repeatable": True}
    return NewContact(numbers=(number,), **usual | known)


def document(text: str = "", **known: Any) -> ForeignObject:
    return replace(ForeignObject(dialect="d", kind="k", id="", body={"text": text}, created_at=NOW), **known)


async def test_contacts_and_their_documents_come_together(store: Store, demo: Campaign) -> None:
    contacts = [new(1), new(1), new(2, end_reason=INVALID), new(3, expires_at=NOW - 1)]
    ids = await store.add_members(demo.id, "b", contacts, [document(str(n)) for n in range(4)], NOW)
    found = await store.documents("d", "k", [*map(str, ids), "77"])
    assert {int(key): one.body for key, one in found.items()} == {
        contact_id: {"text": str(n)} for n, contact_id in enumerate(ids)
    }
    assert await store.documents("d", "other", list(map(str, ids))) == {}
    listed = await store.members(MemberSearch(campaign_id=demo.id), 10)
    assert [contact.id for contact in listed] == sorted(ids, reverse=True)
    assert [contact.state for contact in listed] == [ContactState.DONE, ContactState.DONE] + [ContactState.READY] * 2
    assert [len(contact.numbers) for contact in listed] == [1] * 4


async def test_a_document_that_can_t_be_kept_keeps_the_contacts_out(store: Store, demo: Campaign) -> None:
    with pytest.raises(Exception, match="surrogate"):
        await store.add_members(demo.id, "b", [new(1), new(2)], [document(), document("\ud800")], NOW)
    assert await store.members(MemberSearch(campaign_id=demo.id), 10) == []


async def test_documents_are_replaced_all_or_none(store: Store) -> None:
    await store.save_documents([document("old", id="1")])
    with pytest.raises(Exception, match="surrogate"):
        await store.save_documents([document("new", id="1"), document("\ud800", id="2")])
    assert (await store.documents("d", "k", ["1", "2"]))["1"].body == {"text": "old"}
    await store.save_documents([document("new", id="1"), document(id="2")])
    assert {key: one.body["text"] for key, one in (await store.documents("d", "k", ["1", "2"])).items()} == {
        "1": "new",
        "2": "",
    }


async def test_an_upload_shows_its_contacts_when_it_is_published(store: Store, demo: Campaign) -> None:
    upload = await store.open_upload(demo.id, "b", file_name="f", timezone="", now=NOW)
    contacts = {at: each for each in (new(1), new(2, end_reason=INVALID)) for at in await add(store, upload, each)}
    search = MemberSearch(campaign_id=demo.id)
    assert await store.members(search, 10) == []
    await store.publish_uploads([upload], NOW)
    await store.end_unreachable(contacts, NOW)
    assert [contact.state for contact in await store.members(search, 10)] == [ContactState.DONE, ContactState.READY]
    with pytest.raises(Conflict, match="discarded"):
        await add(store, upload, new(3))


async def add(store: Store, upload: Any, contact: NewContact) -> list[int]:
    return list(await store.add_to_upload(upload, [contact], [document(dialect="webitel4", kind="member")], NOW))


async def test_documents_go_with_an_upload_that_is_discarded(store: Store, demo: Campaign) -> None:
    """The next contact gets the id."""
    upload = await store.open_upload(demo.id, "b", file_name="f", timezone="", now=NOW)
    (gone,) = await add(store, upload, new(1))
    assert list(await store.documents("webitel4", "member", [str(gone)])) == [str(gone)]
    await store.discard_uploads([upload])
    assert await store.documents("webitel4", "member", [str(gone)]) == {}


async def test_members_are_found_by_what_they_have(store: Store, demo: Campaign) -> None:
    made = [new(1), new(2, agentphone="1001"), new(3, bucket="vip"), new(4)]
    one, two, three, four = await store.add_members(demo.id, "b", made, [document()] * 4, NOW)
    await store.change_contact(four, lambda c: replace(c, state=ContactState.DONE, end_reason="removed"), NOW)

    async def ids(**known: Any) -> list[int]:
        search = MemberSearch(campaign_id=demo.id, **known)
        return [contact.id for contact in await store.members(search, 10)]

    assert await ids() == [three, two, one], "who was removed is not shown"
    assert await ids(ids=[one, four, 99]) == [one]
    assert (await ids(agent="1001"), await ids(bucket="vip")) == ([two], [three])
    assert await ids(number="+34600000001") == [one]
    assert await ids(number="+34600000001", ids=[two]) == []
    assert (await ids(done=True), await ids(done=False)) == ([], [three, two, one])
    assert [c.id for c in await store.members(MemberSearch(campaign_id=demo.id), 1, 1)] == [two]
    assert await store.members(MemberSearch(campaign_id=demo.id + 1), 10) == []


async def test_without_attempts_there_are_none(store: Store, demo: Campaign) -> None:
    wanted: list[dict[str, Any]] = [{}, {"ids": ["x"]}, {"contact_id": 1}]
    for known in wanted:
        search = AttemptSearch(campaign_ids=[demo.id], **known)
        assert await store.working_attempts(search, 10) == await store.past_attempts(search, 10) == []


#: What is looked for → the index or key that finds it; none of them reads a whole table of contacts or calls.
PLANS = {
    "members": "contacts_of_campaign (campaign_id=?)",
    "members_by_id": "c USING INTEGER PRIMARY KEY (rowid=?)",
    "members_with_number": "numbers_by_number (number=?)",
    "working_attempts": "contacts_held",
    "past_attempts": "cdrs_by_date (calldate>? AND calldate<?)",
    "past_attempts_of_contact": "attempts_of_contact (contact_id=? AND created_at>? AND created_at<?)",
    "past_attempts_by_id": "a USING PRIMARY KEY (id=?)",
}


@pytest.mark.parametrize("name", PLANS)
async def test_lists_are_read_by_indexes(store: Store, database: FreshDatabase, name: str) -> None:
    if not isinstance(database, SqliteFile):
        pytest.skip("SQLite's plans")
    connection = sqlite3.connect(database.place)
    names = ("campaign_id", "removed", "number", "agent", "bucket", "done", "limit", "offset", "contact_id", "from_at")
    values: dict[str, Any] = dict.fromkeys((*names, "to_at", "dialect", "kind"), 1)
    values |= {"ids": json.dumps([1]), "campaign_ids": json.dumps([1])}
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {queries()[name]}", values)]
    connection.close()
    assert any(PLANS[name] in line for line in plan), plan
    scans = [line for line in plan if line.startswith("SCAN") and not line.startswith(("SCAN j", "SCAN n", "SCAN ("))]
    allowed = ("attempts_live", "contacts_held", "CONSTANT", "json_each")
    assert [line for line in scans if not any(word in line for word in allowed)] == [], plan
