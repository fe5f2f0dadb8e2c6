"""Contacts over the native API: added, found, explained, and what becomes of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from contact_hands import ANA, BEN, CAT, DAN, added, body, dial, fields, hang_up, refused, shown, talk
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Unavailable

HOUR = 3_600_000
OUTCOMES = "Sale=success;No=close;No|Never=blacklist;No|Ever=blacklist:*;Later=reschedule;Again=retry;Note=tag:noted"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("demo", outcomes=OUTCOMES)
        await opened.token()  # before any requests at the same time
        yield opened


async def listed(api: Hands, query: str = "", **who: Any) -> list[str]:
    answer = await api.ask("GET", f"/v1/contacts{query}", **who)
    assert answer.status_code == 200, answer.text
    return [row["number"] for row in answer.json()["items"]]


# --- one -------------------------------------------------------------------------------------------------------------


async def test_a_contact_is_added_with_all_that_it_has(api: Hands) -> None:
    sent = {
        "numbers": [
            {"number": "07700 900001", "type": "m", "priority": 3, "description": "Mobile", "timezone": "Europe/Rome"},
            {"number": BEN},
            {"number": "+44 7700 900002", "type": "W"},
        ],
        "params": {"name": "Ñandú", "account": 4711, "vip": True, "rate": 0.5},
        "priority": 5,
        "agentphone": "1001",
        "not_before": NOW + HOUR,
        "expires_at": NOW + 2 * HOUR,
        "reference": "crm-1",
        "any_hour": True,
        "base": "march",
    }
    answer = await api.ask("POST", "/v1/campaigns/demo/contacts", json=sent)
    assert (answer.status_code, answer.json()["status"]) == (201, "added")
    assert answer.headers["location"] == f"/v1/contacts/{answer.json()['id']}"

    found = (await api.ask("GET", answer.headers["location"])).json()
    numbers = [(n["number"], n["type"], n["priority"], n["description"], n["zones"]) for n in found["numbers"]]
    assert numbers == [(ANA, "M", 3, "Mobile", "Europe/Rome"), (BEN, "U", 0, "", "")]
    assert found["params"] == {"name": "Ñandú", "account": "4711", "vip": "true", "rate": "0.5"}
    known = {key: found[key] for key in ("campaign", "base", "number", "reference", "priority", "agentphone", "state")}
    assert known == {
        "campaign": "demo",
        "base": "march",
        "number": ANA,
        "reference": "crm-1",
        "priority": 5,
        "agentphone": "1001",
        "state": "waiting",
    }
    assert (found["next_at"], found["expires_at"], found["any_hour"]) == (NOW + HOUR, NOW + 2 * HOUR, True)


async def test_a_contact_with_a_number_alone_can_be_called_at_once(api: Hands) -> None:
    found = await shown(api, await added(api, ANA, bucket="vip"))
    assert (found["base"], found["state"], found["rank"], found["bucket"]) == ("api", "ready", "list", "vip")
    assert (found["next_at"], found["last_call_at"], found["attempts"]) == (None, None, [])
    assert [(n["type"], n["open"], n["next_at"]) for n in found["numbers"]] == [("P", True, None)]


async def test_a_duplicate_is_told_with_the_contact_that_it_repeats(api: Hands) -> None:
    first = await added(api, ANA, reference="r")
    for again in (body(ANA), body(BEN, reference="r"), body("07700 900001", base="api")):
        answer = await api.ask("POST", "/v1/campaigns/demo/contacts", json=again)
        assert (answer.status_code, answer.json()["status"], answer.json()["id"]) == (200, "duplicate", first)
        assert answer.headers["location"] == f"/v1/contacts/{first}"
    assert await listed(api) == [ANA]
    assert await added(api, ANA, base="other") == first + 1


async def test_a_contact_that_has_expired_is_done_when_it_comes(api: Hands) -> None:
    found = await shown(api, await added(api, ANA, expires_at=NOW - 1))
    assert (found["state"], found["end_cause"], found["ended_at"]) == ("done", "MEMBER_EXPIRED", NOW)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"numbers": []}, "numbers"),
        ({"numbers": [{"number": ANA}, {"number": "12"}]}, "numbers.1.number"),
        ({"numbers": [{"number": "call me"}]}, "numbers.0.number"),
        ({"numbers": [{"number": f"{ANA}\r\nAction: Logoff"}]}, "numbers.0.number"),
        ({"numbers": [{"number": ANA, "timezone": "Mars"}]}, "numbers.0.timezone"),
        ({"numbers": [{"number": ANA, "type": "a b"}]}, "numbers.0.type"),
        ({"numbers": [{"number": ANA, "description": "a\nb"}]}, "numbers.0.description"),
        ({"numbers": [{"number": ANA, "x": 1}]}, "numbers.0.x"),
        ({"params": {"a b": "x"}}, "params"),
        ({"params": {"a": "x\r\ny"}}, "params"),
        ({"params": {"a": "x" * 901}}, "params"),
        ({"params": {"a": "1", "A": "2"}}, "params"),
        ({"params": {f"p{n}": "" for n in range(61)}}, "params"),
        ({"priority": 0}, "priority"),
        ({"agentphone": "1001,1002"}, "agentphone"),
        ({"bucket": "a b"}, "bucket"),
        ({"base": "a/b"}, "base"),
        ({"base": "tasks"}, "base"),
        ({"not_before": -1}, "not_before"),
        ({"not_before": 10**15}, "not_before"),
        ({"not_before": NOW + 2, "expires_at": NOW + 2}, "expires_at"),
        ({"any_hour": True}, "any_hour"),
        ({"reference": "a\x00"}, "reference"),
        ({"reference": "x" * 201}, "reference"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_a_contact_cannot_have_is_refused_and_nothing_is_added(
    api: Hands, change: dict[str, Any], field: str
) -> None:
    answer = await api.ask("POST", "/v1/campaigns/demo/contacts", json=body(ANA) | change)
    assert {name.partition(".int")[0] for name in fields(answer)} == {field}
    assert await listed(api) == []


async def test_many_that_come_at_the_same_time_are_all_there(api: Hands) -> None:
    await api.campaign("care")
    answers = await asyncio.gather(
        *(
            api.ask("POST", f"/v1/campaigns/{campaign}/contacts", json=body(f"+4477009{n:05}"))
            for n in (*range(40), 7)
            for campaign in ("demo", "care")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [201] * 80
    of_demo = [answer.json()["id"] for answer in answers[::2]]
    assert of_demo[7] == of_demo[40]
    for n, contact_id in enumerate(of_demo[:40]):
        assert (await shown(api, contact_id))["number"] == f"+4477009{n:05}"
    assert len(await listed(api, "?campaign=care")) == 40


async def test_what_is_wrong_with_one_that_comes_with_others_is_not_their_fault(
    api: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tried = api.store.add_to_base, list[int]()

    async def picky(campaign_id: int, base: str, contacts: Any, now: int) -> Any:
        tried.append(len(contacts))
        if any(contact.numbers[0].number == BEN for contact in contacts):
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        return await real(campaign_id, base, contacts, now)

    monkeypatch.setattr(api.store, "add_to_base", picky)
    sent = [api.ask("POST", "/v1/campaigns/demo/contacts", json=body(number)) for number in (CAT, ANA, BEN, DAN)]
    assert [answer.status_code for answer in await asyncio.gather(*sent)] == [201, 201, 422, 201]
    assert max(tried) > 1
    assert sorted(await listed(api)) == [ANA, CAT, DAN]


async def test_a_store_that_cannot_write_is_told_to_everybody_who_waits(
    api: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[int]()

    async def full(_campaign_id: int, _base: str, contacts: Any, _now: int) -> Any:
        tried.append(len(contacts))
        raise Unavailable("the store can't write: database or disk is full")

    monkeypatch.setattr(api.store, "add_to_base", full)
    sent = [api.ask("POST", "/v1/campaigns/demo/contacts", json=body(number)) for number in (ANA, BEN, CAT)]
    answers = await asyncio.gather(*sent)
    assert [answer.status_code for answer in answers] == [503] * 3
    assert sum(tried) == 3
    monkeypatch.undo()
    await added(api, ANA)


async def test_the_same_request_again_is_answered_the_same(api: Hands) -> None:
    key = {"idempotency-key": "k"}
    answers = [await api.ask("POST", "/v1/campaigns/demo/contacts", json=body(ANA), headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


# --- many ------------------------------------------------------------------------------------------------------------


async def test_of_many_the_good_ones_are_kept_and_of_the_others_it_is_said_what_is_wrong(api: Hands) -> None:
    items: list[Any] = [
        body(ANA, reference="r"),
        body("12", "x"),
        body(BEN, priority=0, x=1),
        body(ANA),
        5,
        body(CAT, any_hour=True),
        {"numbers": [{"number": "\ud800"}]},
        body(DAN),
    ]
    answer = await api.ask(
        "POST",
        "/v1/campaigns/demo/contacts/bulk",
        content=json.dumps({"items": items, "base": "march"}),
        headers={"content-type": "application/json"},
    )
    found = answer.json()
    assert (answer.status_code, found["added"], found["duplicates"], found["invalid"]) == (200, 2, 1, 5)
    first, last = found["items"][0]["id"], found["items"][7]["id"]
    assert [(item["status"], item["id"]) for item in found["items"]] == [
        ("added", first),
        ("invalid", None),
        ("invalid", None),
        ("duplicate", first),
        ("invalid", None),
        ("invalid", None),
        ("invalid", None),
        ("added", last),
    ]
    named = [[each["field"] for each in item["errors"]] for item in found["items"]]
    assert named == [
        [],
        ["numbers.0.number", "numbers.1.number"],
        ["priority", "x"],
        [],
        ["item"],
        ["any_hour"],
        ["numbers.0.number"],
        [],
    ]
    assert await listed(api, "?base=march") == [ANA, DAN]


async def test_thousands_come_in_a_few_transactions(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    real, sizes = api.store.add_to_base, list[int]()

    async def counted(campaign_id: int, base: str, contacts: Any, now: int) -> Any:
        sizes.append(len(contacts))
        return await real(campaign_id, base, contacts, now)

    monkeypatch.setattr(api.store, "add_to_base", counted)
    items = [body(f"+4477{n:08}") for n in range(2500)]
    found = (await api.ask("POST", "/v1/campaigns/demo/contacts/bulk", json={"items": items})).json()
    assert (found["added"], sizes) == (2500, [1000, 1000, 500])
    assert [item["id"] for item in found["items"]] == list(range(1, 2501))


async def test_more_than_it_takes_are_refused_as_a_whole(api: Hands) -> None:
    for items in ([], [body(ANA)] * 10_001, "x", None):
        answer = await api.ask("POST", "/v1/campaigns/demo/contacts/bulk", json={"items": items})
        assert fields(answer) == ["items"]
    assert await listed(api) == []


async def test_the_document_says_what_an_item_is(api: Hands) -> None:
    schemas = (await api.ask("GET", "/v1/openapi.json")).json()["components"]["schemas"]
    item = schemas["Bulk"]["properties"]["items"]["items"]
    item = schemas[item["$ref"].rpartition("/")[2]] if "$ref" in item else item
    assert set(item["required"]) == {"numbers"}
    assert "reference" in item["properties"]


# --- looking ---------------------------------------------------------------------------------------------------------


async def test_contacts_are_listed_by_what_they_are(api: Hands) -> None:
    await api.campaign("care")
    ana = await added(api, ANA, BEN, reference="r1")
    await added(api, CAT, base="march", not_before=NOW + HOUR)
    await added(api, BEN, campaign="care", reference="r1")
    await talk(api, ana)
    answer = await api.ask("POST", f"/v1/contacts/{ana}/outcome", json={"levels": ["Note"]})
    assert answer.status_code == 200, answer.text
    for query, expected in (
        ("", [ANA, CAT, BEN]),
        ("?campaign=demo", [ANA, CAT]),
        ("?base=march", [CAT]),
        ("?state=waiting", [CAT]),
        ("?state=done&campaign=demo", [ANA]),
        ("?end_reason=answered", [ANA]),
        ("?rank=list&campaign=care", [BEN]),
        ("?rank=task", []),
        ("?number=%2B447700900002", [ANA, BEN]),
        ("?number=+447700900002", [ANA, BEN]),
        ("?number=07700900002&campaign=care", [BEN]),
        ("?reference=r1", [ANA, BEN]),
        ("?reference=r1&campaign=care", [BEN]),
        ("?reference=r2", []),
        ("?tag=noted", [ANA]),
    ):
        assert await listed(api, query) == expected, query
    (row,) = (await api.ask("GET", "/v1/contacts?tag=noted")).json()["items"]
    assert (row["attempts"], row["dispositions"], row["successful"]) == (1, ["answered"], True)


async def test_contacts_come_page_by_page(api: Hands) -> None:
    await api.campaign("care")
    for n, campaign in enumerate(("demo", "care", "demo", "care", "demo")):
        await added(api, f"+44770090000{n}", campaign=campaign)
    seen, cursor = list[str](), ""
    while cursor is not None:
        page = (await api.ask("GET", f"/v1/contacts?limit=2{cursor and f'&cursor={cursor}'}")).json()
        seen += [row["number"][-1] for row in page["items"]]
        cursor = page["next"]
    assert seen == ["0", "2", "4", "1", "3"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("number=12", "number"),
        ("state=lost", "query.state"),
        ("rank=first", "query.rank"),
        ("limit=0", "query.limit"),
        ("cursor=x", "cursor"),
        ("cursor=WyJhIl0", "cursor"),
    ],
)
async def test_what_nothing_can_be_found_by_is_refused(api: Hands, query: str, field: str) -> None:
    assert fields(await api.ask("GET", f"/v1/contacts?{query}")) == [field]


async def test_an_unknown_campaign_or_contact_is_not_found(api: Hands) -> None:
    for path in (
        "/v1/contacts?campaign=x",
        "/v1/contacts/77",
        "/v1/contacts/77/explain",
        "/v1/contacts/ended?campaign=x",
    ):
        assert (await api.ask("GET", path)).status_code == 404, path
    assert (await api.ask("POST", "/v1/campaigns/x/contacts", json=body(ANA))).status_code == 404
    assert fields(await api.ask("GET", f"/v1/contacts/{2**63}")) == ["path.contact_id"]


async def test_a_contact_is_shown_with_its_calls_and_explained(api: Hands) -> None:
    ana = await added(api, ANA)
    claim = await dial(api, ana)
    await hang_up(api, claim, agent="Local/1001@agents")
    (attempt,) = (await shown(api, ana))["attempts"]
    assert (attempt["guid"], attempt["number"], attempt["disposition"]) == (claim.attempt.id, ANA, "answered")
    assert attempt["agent"] == "Local/1001@agents"
    explained = (await api.ask("GET", f"/v1/contacts/{ana}/explain")).json()
    assert explained["verdict"] == "it is done: answered"
    assert [(row["guid"], row["what_it_did"]) for row in explained["attempts"]] == [(claim.attempt.id, "a try")]
    assert [row["number"] for row in explained["numbers"]] == [ANA]


async def test_who_is_done_is_read_on_from_the_last_end(api: Hands) -> None:
    await api.campaign("care")
    for number, campaign in ((ANA, "demo"), (BEN, "care"), (CAT, "demo")):
        await added(api, number, campaign=campaign, expires_at=1)

    async def ends(query: str) -> list[tuple[str, str]]:
        rows = (await api.ask("GET", f"/v1/contacts/ended{query}")).json()["items"]
        return [(row["number"], row["campaign"]) for row in rows]

    assert await ends("") == [(ANA, "demo"), (BEN, "care"), (CAT, "demo")]
    assert await ends("?campaign=demo") == [(ANA, "demo"), (CAT, "demo")]
    page = (await api.ask("GET", "/v1/contacts/ended?limit=2")).json()
    assert await ends(f"?after={page['items'][-1]['id']}") == [(CAT, "demo")]
    assert await ends(f"?cursor={page['next']}") == [(CAT, "demo")]
    assert (page["items"][0]["end_cause"], page["items"][0]["at"]) == ("MEMBER_EXPIRED", NOW)
    assert "campaign_id" not in page["items"][0]


# --- results, ends, another go ---------------------------------------------------------------------------------------


async def held(api: Hands, *numbers: str) -> tuple[int, str]:
    """A contact whose last talk's result is awaited, and that call."""
    await api.campaign("awaits", wait_for_result="true")
    contact_id = await added(api, *numbers, campaign="awaits")
    guid = await talk(api, contact_id, campaign="awaits")
    assert (await shown(api, contact_id))["state"] == "held"
    return contact_id, guid


async def test_a_result_ends_a_contact(api: Hands) -> None:
    ana, guid = await held(api, ANA)
    answer = await api.ask("POST", f"/v1/contacts/{ana}/result", json={"success": True, "guid": guid})
    assert (answer.json()["state"], answer.json()["successful"]) == ("done", True)
    again = await api.ask("POST", f"/v1/contacts/{ana}/result", json={"success": True})
    assert again.status_code == 409


async def test_a_result_says_when_and_where_it_goes_on(api: Hands) -> None:
    ana, _ = await held(api, ANA, BEN)
    result = {"success": False, "next_after_s": 3600, "next_number": "07700 900003", "stop_numbers": [BEN]}
    answer = await api.ask("POST", f"/v1/contacts/{ana}/result", json=result)
    assert (answer.json()["state"], answer.json()["next_at"]) == ("waiting", NOW + HOUR)
    found = await shown(api, ana)
    numbers = {n["number"]: (n["open"], n["end_reason"], n["as_uploaded"]) for n in found["numbers"]}
    assert numbers[CAT] == (True, "", "07700900003")
    assert numbers[BEN][:2] == (False, "stopped")
    assert found["preferred"] == CAT


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"next_after_s": -1}, "next_after_s"),
        ({"next_after_s": 10**9}, "next_after_s"),
        ({"next_number": "12"}, "next_number"),
        ({"stop_numbers": [ANA, "12"]}, "stop_numbers.1"),
        ({"success": None}, "success"),
    ],
)
async def test_what_no_result_can_say_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    ana, _ = await held(api, ANA)
    assert fields(await api.ask("POST", f"/v1/contacts/{ana}/result", json={"success": False} | change)) == [field]
    assert (await shown(api, ana))["state"] == "held"


async def test_a_result_of_another_call_is_a_conflict(api: Hands) -> None:
    ana, _ = await held(api, ANA)
    answer = await api.ask("POST", f"/v1/contacts/{ana}/result", json={"success": True, "guid": "other"})
    assert answer.status_code == 409


async def test_a_contact_is_terminated(api: Hands) -> None:
    ana = await added(api, ANA)
    answer = await api.ask("POST", f"/v1/contacts/{ana}/terminate")
    assert (answer.json()["state"], answer.json()["end_reason"]) == ("done", "terminated")
    assert (await api.ask("POST", f"/v1/contacts/{ana}/terminate")).status_code == 409


async def test_a_contact_in_a_call_is_terminated_with_it(api: Hands) -> None:
    ana = await added(api, ANA)
    await dial(api, ana)
    assert (await api.ask("POST", f"/v1/contacts/{ana}/terminate", json={"hang_up": False})).status_code == 409
    answer = await api.ask("POST", f"/v1/contacts/{ana}/terminate", json={"hang_up": True})
    assert answer.json()["state"] == "in_call"
    (order,) = await api.orders()
    assert (order.kind, order.body) == ("hangup_call", {"contact_id": ana})


async def test_a_contact_is_called_again(api: Hands) -> None:
    ana = await added(api, ANA, params={"a": "1"})
    await talk(api, ana)
    change = {
        "number": {"number": BEN, "type": "W"},
        "alternatives": [{"number": CAT}],
        "params": {"b": 2},
        "priority": 1,
        "agentphone": "1001",
        "tries_used": 1,
    }
    answer = await api.ask("POST", f"/v1/contacts/{ana}/respool", json=change)
    assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    found = await shown(api, ana)
    opened = [(n["number"], n["type"]) for n in found["numbers"] if n["open"]]
    assert opened == [(BEN, "W"), (CAT, "U")]
    assert (found["number"], found["params"], found["priority"], found["tries"]) == (BEN, {"b": "2"}, 1, 1)


async def test_a_contact_is_called_again_as_it_is_though_others_have_its_number(api: Hands) -> None:
    first, second = await added(api, ANA), await added(api, ANA, base="march")
    await talk(api, second)
    assert (await api.ask("POST", f"/v1/contacts/{second}/respool")).json()["id"] == second
    assert (await shown(api, second))["state"] == "waiting"
    assert (await shown(api, first))["state"] == "ready"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number": {"number": "12"}}, "number.number"),
        ({"alternatives": [{"number": BEN}, {"number": "12"}]}, "alternatives.1.number"),
        ({"params": {"a b": "x"}}, "params"),
        ({"priority": 0}, "priority"),
        ({"agentphone": "a b"}, "agentphone"),
        ({"tries_used": 1000}, "tries_used"),
    ],
)
async def test_what_a_contact_cannot_be_called_again_with_is_refused(
    api: Hands, change: dict[str, Any], field: str
) -> None:
    ana = await added(api, ANA)
    before = await shown(api, ana)
    assert fields(await api.ask("POST", f"/v1/contacts/{ana}/respool", json=change)) == [field]
    assert await shown(api, ana) == before


async def test_open_contacts_of_a_number_are_removed(api: Hands) -> None:
    ids = [await added(api, ANA), await added(api, ANA, base="march"), await added(api, BEN, ANA)]
    await dial(api, ids[0])
    answer = await api.ask("DELETE", "/v1/campaigns/demo/contacts?number=07700900001")
    assert answer.json() == {"removed": 1, "after_call": 1}
    assert [(await shown(api, one))["state"] for one in ids] == ["in_call", "done", "ready"]
    assert (await api.ask("DELETE", "/v1/campaigns/demo/contacts?number=07700900004")).status_code == 404
    assert fields(await api.ask("DELETE", "/v1/campaigns/demo/contacts?number=x")) == ["number"]
    assert fields(await api.ask("DELETE", "/v1/campaigns/demo/contacts")) == ["query.number"]


# --- outcomes --------------------------------------------------------------------------------------------------------


async def choose(api: Hands, path: str, *levels: str, **more: Any) -> Any:
    who = {key: more.pop(key) for key in ("role", "tenant") if key in more}
    return await api.ask("POST", f"/v1/{path}/outcome", json={"levels": levels, **more}, **who)


async def test_the_outcome_of_a_call_is_chosen_by_its_guid_and_by_its_contact(api: Hands) -> None:
    ana = await added(api, ANA)
    guid = await talk(api, ana)
    answer = await choose(api, f"attempts/{guid}", "No", comment="too dear")
    found = answer.json()
    assert (found["contact"]["id"], found["contact"]["state"], found["action"]) == (ana, "done", "close")
    assert (found["tag"], found["task"], found["contact"]["successful"]) == ("No", None, False)
    found = (await choose(api, f"contacts/{ana}", "Sale", tag="sold")).json()
    assert (found["contact"]["successful"], found["contact"]["tag"], found["tag"]) == (True, "sold", "sold")


async def test_an_outcome_of_a_contact_is_about_the_number_that_was_called(api: Hands) -> None:
    ana = await added(api, ANA, BEN)
    claim = await dial(api, ana)
    await hang_up(api, claim, how=Disposition.BUSY)
    other = await added(api, ANA, base="march")
    await choose(api, f"contacts/{ana}", "No", "Never")
    (entry,) = await api.store.blacklist(None, 10)
    assert (entry.number, entry.campaign, entry.added_by) == (ANA, "demo", "admin")
    assert (await shown(api, ana))["end_reason"] == "blacklisted"
    assert (await shown(api, other))["end_reason"] == "blacklisted"


async def test_a_contact_that_was_never_called_has_an_outcome_too(api: Hands) -> None:
    ana = await added(api, ANA)
    assert (await choose(api, f"contacts/{ana}", "No")).json()["contact"]["end_reason"] == "No"


async def test_a_call_is_made_again_at_a_time_and_by_another_campaign(api: Hands) -> None:
    await api.campaign("care")
    ana = await added(api, ANA)
    guid = await talk(api, ana)
    found = (await choose(api, f"attempts/{guid}", "Later", at=NOW + HOUR, promised=True)).json()
    assert (found["contact"]["state"], found["contact"]["next_at"]) == ("waiting", NOW + HOUR)
    found = (await choose(api, f"attempts/{guid}", "Later", at=NOW + HOUR, to_campaign="care")).json()
    assert found["contact"]["state"] == "done"
    assert (await shown(api, found["task"]))["campaign"] == "care"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"levels": []}, "levels"),
        ({"levels": [" "]}, "levels"),
        ({"levels": ["a", "b", "c", "d"]}, "levels"),
        ({"levels": ["Later"]}, "at"),
        ({"levels": ["Later"], "at": NOW + 10**11}, "at"),
        ({"agent": "a b"}, "agent"),
        ({"comment": "a\nb"}, "comment"),
        ({"tag": "a\nb"}, "tag"),
    ],
)
async def test_what_no_outcome_can_be_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    ana = await added(api, ANA)
    await talk(api, ana)
    before = await shown(api, ana)
    answer = await api.ask("POST", f"/v1/contacts/{ana}/outcome", json={"levels": ["No"]} | change)
    assert fields(answer) == [field]
    assert await shown(api, ana) == before


async def test_an_outcome_that_is_not_there_names_those_that_are(api: Hands) -> None:
    ana = await added(api, ANA)
    answer = await choose(api, f"contacts/{ana}", "Maybe")
    assert answer.status_code == 404
    assert "the campaign has Sale" in answer.json()["detail"]
    assert (await choose(api, "attempts/none", "No")).status_code == 404
    assert (await choose(api, f"contacts/{ana}", "No", to_campaign="x")).status_code == 404


async def test_an_agents_token_chooses_outcomes_of_its_own_calls_only(api: Hands) -> None:
    mine, others = await added(api, ANA), await added(api, BEN)
    my_call = await talk(api, mine, agent="Local/1001@agents")
    other_call = await talk(api, others, agent="Local/1002@agents")
    for path in (f"attempts/{other_call}", f"contacts/{others}"):
        assert (await choose(api, path, "No", role=Role.AGENT)).status_code == 403
    assert (await shown(api, others))["tag"] == ""
    answer = await choose(api, f"attempts/{my_call}", "No", "Never", role=Role.AGENT, agent="1002")
    assert answer.json()["contact"]["end_reason"] == "blacklisted"
    assert [entry.added_by for entry in await api.store.blacklist(None, 10)] == ["1001"]
    assert (await choose(api, f"contacts/{mine}", "No", role=Role.AGENT)).status_code == 200


# --- tenants ---------------------------------------------------------------------------------------------------------


async def test_another_tenants_contacts_are_not_there(api: Hands) -> None:
    await api.campaign("theirs", tenant="b", outcomes=OUTCOMES)
    await api.campaign("ours", tenant="a")
    theirs = await added(api, ANA, campaign="theirs", reference="r")
    guid = await talk(api, theirs, campaign="theirs")
    before = await shown(api, theirs)
    outcome = {"levels": ["No"]}
    for method, path, more in (
        ("GET", f"contacts/{theirs}", {}),
        ("GET", f"contacts/{theirs}/explain", {}),
        ("GET", "contacts?campaign=theirs", {}),
        ("GET", "contacts/ended?campaign=theirs", {}),
        ("POST", "campaigns/theirs/contacts", {"json": body(BEN)}),
        ("POST", "campaigns/theirs/contacts/bulk", {"json": {"items": [body(BEN)]}}),
        ("DELETE", "campaigns/theirs/contacts?number=07700900001", {}),
        ("POST", f"contacts/{theirs}/result", {"json": {"success": True}}),
        ("POST", f"contacts/{theirs}/terminate", {}),
        ("POST", f"contacts/{theirs}/respool", {}),
        ("POST", f"contacts/{theirs}/outcome", {"json": outcome}),
        ("POST", f"attempts/{guid}/outcome", {"json": outcome}),
    ):
        await refused(api, method, f"/v1/{path}", 404, **more)
    assert await shown(api, theirs) == before
    assert await listed(api, tenant="a") == []
    assert await listed(api, "?number=07700900001", tenant="a") == []
    assert await listed(api, "?reference=r", tenant="a") == []
    assert (await api.ask("GET", "/v1/contacts/ended", tenant="a")).json()["items"] == []
    assert await listed(api, tenant="b") == [ANA]
    assert len((await api.ask("GET", "/v1/contacts/ended", tenant="b")).json()["items"]) == 1


async def test_a_tenants_outcome_reaches_no_other_tenant(api: Hands) -> None:
    await api.campaign("theirs", tenant="b")
    for name in ("ours", "ours2"):
        await api.campaign(name, tenant="a", outcomes=f"{OUTCOMES};Give=reschedule:theirs")
    ana = await added(api, ANA, campaign="ours")
    await talk(api, ana, campaign="ours")
    for more in ({"to_campaign": "theirs"}, {}):
        level = "Later" if more else "Give"
        answer = await choose(api, f"contacts/{ana}", level, at=NOW + HOUR, tenant="a", **more)
        assert answer.status_code == 404, answer.text
    assert await listed(api, tenant="b") == []
    assert (await choose(api, f"contacts/{ana}", "No", "Ever", tenant="a")).status_code == 200
    assert [entry.campaign for entry in await api.store.blacklist(None, 10)] == ["ours", "ours2"]


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.AGENT])
async def test_who_may_not_change_contacts_changes_none(api: Hands, role: Role) -> None:
    ana = await added(api, ANA)
    before = await shown(api, ana)
    for method, path, more in (
        ("POST", "campaigns/demo/contacts", {"json": body(BEN)}),
        ("POST", "campaigns/demo/contacts/bulk", {"json": {"items": [body(BEN)]}}),
        ("DELETE", "campaigns/demo/contacts?number=07700900001", {}),
        ("POST", f"contacts/{ana}/result", {"json": {"success": True}}),
        ("POST", f"contacts/{ana}/terminate", {}),
        ("POST", f"contacts/{ana}/respool", {}),
    ):
        assert (await api.ask(method, f"/v1/{path}", role=role, **more)).status_code == 403, path
    assert await shown(api, ana) == before
