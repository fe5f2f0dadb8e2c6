"""/api/v2/dialer/…/members: members as Webitel's clients know them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, hands
from webitel3_hands import DAY_MS, HOUR_MS, MEMBER, REQUESTS, UNKNOWN, Webitel, person

from astdialer.domain.access import Role
from astdialer.domain.amd import Verdict
from astdialer.domain.contact import ContactState, NewNumber
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Unavailable
from astdialer.engine.contacts import remove
from astdialer.http.webitel3.bodies import parsed
from astdialer.http.webitel3.memberdocs import member_document
from astdialer.http.webitel3.queries import in_order

LATER = NOW + 365 * DAY_MS


@pytest.fixture
async def webitel(tmp_path: Path) -> AsyncIterator[Webitel]:
    async with hands(tmp_path, tenant_queues=("a:sales",)) as opened:
        yield Webitel(opened)


@pytest.fixture
async def path(webitel: Webitel) -> str:
    """A dialer's."""
    return await webitel.dialer(communications={"types": [{"name": "Mobile", "code": "1", "ranges": [
        {"startTime": 0, "endTime": 1440, "attempts": 5, "priority": 3}
    ]}]})  # fmt: skip


# --- added and shown -------------------------------------------------------------------------------------------------


async def test_a_member_is_answered_as_mongo_does_and_shown_with_every_field(webitel: Webitel, path: str) -> None:
    sent = MEMBER | {"expire": LATER, "timezone": "Europe/Kyiv", "crmId": {"a": [1]}}
    answer = await webitel.ask("POST", f"{path}/members", sent)
    (made,) = answer.json()["data"]["insertedIds"]
    assert answer.json() == {
        "status": "OK",
        "data": {"result": {"ok": 1, "n": 1}, "ops": [], "insertedCount": 1, "insertedIds": [made]},
    }
    shown = await webitel.data("GET", f"{path}/members/{made}")
    live = {"state": 0, "_probe": 0, "lastCall": 0, "rangeId": None, "rangeAttempts": 0, "checkResult": None}
    numbers = [each | live | {"stopCommunication": False} for each in MEMBER["communications"]]
    assert shown == sent | {
        "communications": numbers,
        "_id": made,
        "dialer": path[-24:],
        "domain": "",
        "createdOn": NOW,
        "_probeCount": 0,
        "_nextTryTime": None,
        "_endCause": None,
        "callSuccessful": False,
        "lastCall": 0,
        "_lock": None,
        "_lastSession": None,
        "_waitingForResultStatus": None,
        "_waitingForResultStatusCb": None,
        "_log": [],
    }
    contact = await webitel.contact(f"{path}/members/{made}")
    assert (contact.priority, contact.expires_at, contact.state) == (9989, LATER, ContactState.READY)
    assert contact.params == {"productId": "235444", "name": "Ivan Ivanov"}
    first, second = contact.numbers
    assert (first.number, first.type, first.priority, first.description) == ("+380911234567", "1", 5, "new")
    assert (second.type, second.priority, second.zones) == ("U", 1, "Europe/Kyiv")


async def test_many_are_added_together(webitel: Webitel, path: str) -> None:
    answer = await webitel.data("POST", f"{path}/members", [person(f"+4477009{n:05}") for n in range(1203)])
    assert (answer["result"], answer["insertedCount"]) == ({"ok": 1, "n": 1203}, 1203)
    assert len(set(answer["insertedIds"])) == 1203
    assert await webitel.data("GET", f"{path}/members/count") == 1203


async def test_of_many_none_is_added_if_the_store_fails_on_the_way(
    webitel: Webitel, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends them again then calls nobody twice."""
    add_to_upload, batches = webitel.store.add_to_upload, 0

    async def fails(*arguments: Any) -> Sequence[int]:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise Unavailable("the disk is full")
        return await add_to_upload(*arguments)

    monkeypatch.setattr(webitel.store, "add_to_upload", fails)
    sent = [person(f"+4477009{n:05}") for n in range(1001)]
    assert await webitel.refused("POST", f"{path}/members", sent) == (503, "the disk is full")
    assert await webitel.data("GET", f"{path}/members/count") == 0
    assert (await webitel.data("POST", f"{path}/members", sent))["insertedCount"] == 1001


async def test_numbers_are_not_read_in_the_thread_of_the_calls(webitel: Webitel, path: str) -> None:
    read, threads = webitel.hands.services.read_number, set[int]()

    def reading(text: str, kind: str) -> NewNumber:
        threads.add(threading.get_ident())
        return read(text, kind)

    object.__setattr__(webitel.hands.services, "read_number", reading)
    await webitel.data("POST", f"{path}/members", [person("+447700900001")] * 2)
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("place", ["header", "body"])
async def test_a_request_with_a_key_is_done_once(webitel: Webitel, path: str, place: str) -> None:
    """Wherever its token stands."""
    secret = await webitel.hands.token(webitel.role)
    headers, sent = {"idempotency-key": "k1"}, person("+447700900001")
    if place == "body":
        sent |= {"access_token": secret}
    else:
        headers |= {"x-access-token": secret}
    first, second = [await webitel.hands.client.post(f"{path}/members", json=sent, headers=headers) for _ in range(2)]
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert await webitel.data("GET", f"{path}/members/count") == 1


async def test_the_same_number_may_come_again(webitel: Webitel, path: str) -> None:
    assert await webitel.member(path, "+447700900001") != await webitel.member(path, "+447700900001")


async def test_a_number_that_is_none_is_kept_and_never_dialed(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "nonsense")
    shown = await webitel.data("GET", one)
    assert (shown["_endCause"], shown["communications"][0]["state"]) == ("INVALID_NUMBER_FORMAT", 2)
    assert shown["communications"][0]["number"] == "nonsense"
    two = await webitel.data("GET", await webitel.member(path, "call\r\nme", "+447700900001"))
    assert two["_endCause"] is None
    assert [(each["number"], each["state"]) for each in two["communications"]] == [
        ("call\r\nme", 2),
        ("+447700900001", 0),
    ]


async def test_a_number_may_begin_with_its_country_code_without_a_plus(webitel: Webitel, path: str) -> None:
    """As Webitel dials whatever digits it is given. What reads as a number of the own country is one."""
    one = await webitel.member(path, "380 91 1234567", "07700 900001", "0123")
    first, second, third = (await webitel.contact(one)).numbers
    assert (first.number, first.as_uploaded, first.zones) == ("+380911234567", "380911234567", "Europe/Kyiv")
    assert (second.number, third.end_reason) == ("+447700900001", "invalid number")


async def test_who_has_expired_ends_at_once(webitel: Webitel, path: str) -> None:
    (made,) = (await webitel.data("POST", f"{path}/members", MEMBER))["insertedIds"]
    shown = await webitel.data("GET", f"{path}/members/{made}")
    assert (shown["_endCause"], shown["expire"]) == ("MEMBER_EXPIRED", MEMBER["expire"])
    assert {each["state"] for each in shown["communications"]} == {2}
    assert (await webitel.contact(f"{path}/members/{made}")).state is ContactState.DONE


async def test_the_other_example_of_the_source_is_taken_as_it_stands(webitel: Webitel, path: str) -> None:
    (made,) = (await webitel.data("POST", f"{path}/members", REQUESTS["W3-13"]["body"]))["insertedIds"]
    shown = await webitel.data("GET", f"{path}/members/{made}")
    assert shown["variables"] == REQUESTS["W3-13"]["body"]["variables"]
    params = (await webitel.contact(f"{path}/members/{made}")).params
    assert params == {"debt": "20000", "language": "", "productID": "8fd26a17-eb28-4c74-aa6f-a3794f4f466c"}


async def test_variables_are_texts_for_channels_and_themselves_in_the_document(webitel: Webitel, path: str) -> None:
    variables = {
        "flag": True, "none": None, "rate": 1.5, "list": [1, "a"], "имя": "Аня", "a-b": 1, "text": "a\r\nb",
        "Flag": "again", "long": "é" * 500, "name": "theirs",
    }  # fmt: skip
    one = await webitel.member(path, "+447700900001", variables=variables)
    assert (await webitel.data("GET", one))["variables"] == variables
    params = dict((await webitel.contact(one)).params)
    assert params.pop("long") == "é" * 450
    assert params == {
        "flag": "true", "none": "", "rate": "1.5", "list": '[1, "a"]', "text": "ab", "name": "theirs"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "Bad communications (must array)"),
        ({"communications": []}, "Bad communications (must array)"),
        ({"communications": {"number": "1"}}, "Bad communications (must array)"),
        ({"communications": [{}]}, "Bad communication number"),
        ({"communications": [{"number": ""}]}, "Bad communication number"),
        ({"communications": [{"number": True}]}, "Bad communication number"),
        ({"communications": [{"number": {}}]}, "Bad communication number"),
        ({"communications": ["1"]}, 'communications[0] = "1": expected an object'),
        ({"communications": [{"number": "1"}] * 101}, "101 numbers, 100 are allowed"),
        (person("1", priority="high"), 'priority = "high": expected a number'),
        (person("1", priority=1.5), "priority = 1.5: expected a whole number"),
        (person("1", expire="soon"), 'expire = "soon": expected a number'),
        (person("1", expire=-1), "expire = -1: expected a whole number"),
        (person("1", timezone="Mars/Olympus"), 'timezone = "Mars/Olympus": expected an IANA name'),
        (person("1", variables=[]), "variables = []: expected an object"),
        (person("1", variables={f"v{n}": 1 for n in range(61)}), "60 at most"),
        (person("1", name=["x"]), 'name = ["x"]: expected text'),
    ],
)
async def test_what_cant_be_a_member_is_refused_and_nobody_is_added(
    webitel: Webitel, path: str, sent: Any, words: str
) -> None:
    status, info = await webitel.refused("POST", f"{path}/members", sent)
    assert status == 400
    assert words in info
    status, info = await webitel.refused("POST", f"{path}/members", [person("+447700900001"), sent])
    assert status == 400
    assert words in info
    assert await webitel.data("GET", f"{path}/members") == []


async def test_one_of_many_that_cant_be_is_named(webitel: Webitel, path: str) -> None:
    _, info = await webitel.refused("POST", f"{path}/members", [person("1"), person("1", priority="high")])
    assert info.startswith("[1].priority = ")


@pytest.mark.parametrize("body", [[], "text", 5, [1], None])
async def test_a_body_that_is_no_member_is_refused(webitel: Webitel, path: str, body: Any) -> None:
    assert (await webitel.refused("POST", f"{path}/members", body))[0] == 400


async def test_the_dialer_is_started_for_the_word_true_alone(webitel: Webitel, path: str) -> None:
    for query in ("", "?autoRun=1", "?autoRun=TRUE", "?autoRun="):
        await webitel.data("POST", f"{path}/members{query}", person("+447700900001"))
        assert (await webitel.data("GET", path))["state"] == 0, query
    await webitel.data("POST", f"{path}/members?autoRun=true", person("+447700900001"))
    assert (await webitel.data("GET", path))["state"] == 1


async def test_members_are_there_whether_or_not_the_dialer_can_be_started(webitel: Webitel) -> None:
    path = await webitel.dialer(resources=[{"dialedNumber": ".", "destinations": [{"gwName": "gone"}]}])
    added = await webitel.data("POST", f"{path}/members?autoRun=true", person("+447700900001"))
    assert added["insertedCount"] == 1
    assert (await webitel.data("GET", path))["state"] == 0


async def test_a_type_of_any_name_has_its_ranges(webitel: Webitel) -> None:
    kinds = [{"name": "Мобильный", "code": "моб. №1", "ranges": [{"startTime": 0, "endTime": 1440, "attempts": 1}]}]
    path = await webitel.dialer(communications={"types": kinds})
    numbers = [{"number": "+447700900001", "type": "моб. №1"}, {"number": "+447700900002", "type": "U"}]
    one = (
        f"{path}/members/"
        + (await webitel.data("POST", f"{path}/members", {"communications": numbers}))["insertedIds"][0]
    )
    assert [each["type"] for each in (await webitel.data("GET", one))["communications"]] == ["моб. №1", "U"]
    first, second = (await webitel.contact(one)).numbers
    ranges = (await webitel.store.campaigns())[0].settings.ranges
    assert ranges == f"{first.type}=00:00-24:00/1"
    assert second.type not in ("U", first.type)
    await webitel.call(one, Disposition.BUSY)
    (line,) = (await webitel.data("GET", one))["_log"]
    assert (line["callTypeCode"], line["callTypeName"]) == ("моб. №1", "Мобильный")


# --- what has become of them -----------------------------------------------------------------------------------------


async def test_every_call_has_a_line(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001", communications=[
        {"number": "+447700900001", "type": "1", "priority": 7, "description": "mobile"}
    ])  # fmt: skip
    claim = await webitel.call(one, Disposition.BUSY, cause=17, ringing_at=NOW + 2000)
    shown = await webitel.data("GET", one)
    (line,) = shown["_log"]
    steps = line.pop("steps")
    assert line == {
        "session": claim.attempt.id,
        "callUUID": claim.attempt.id,
        "callTime": NOW,
        "callNumber": "+447700900001",
        "callPriority": 7,
        "callDescription": "mobile",
        "callTypeCode": "1",
        "callTypeName": "Mobile",
        "callPositionIndex": 0,
        "callAttempt": 1,
        "callState": 2,
        "cause": "USER_BUSY",
        "causeQ850": 17,
        "amdResult": None,
        "amdCause": None,
        "connectedTime": None,
        "bridgedTime": None,
        "talkSec": 0,
        "waitSec": 0,
        "recordSessionSec": 0,
        "agentId": None,
        "callSuccessful": False,
        "callback": None,
    }
    assert [(each["time"] - NOW, each["data"]) for each in steps] == [
        (0, "create probe: a free agent"),
        (0, "dial +447700900001 by testDialer"),
        (2000, "ringing"),
        (20000, "end: busy"),
    ]
    assert (shown["_probeCount"], shown["_nextTryTime"], shown["lastCall"]) == (1, NOW + 180_000, NOW)
    (number,) = shown["communications"]
    assert (number["_probe"], number["lastCall"], number["state"]) == (1, NOW, 0)


async def test_a_member_that_is_being_called_is_locked(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001", "+447700900002")
    claim = await webitel.call(one, None)
    shown = await webitel.data("GET", one)
    assert (shown["_lock"], shown["_lastSession"]) == ("astdialer", claim.attempt.id)
    assert [each["state"] for each in shown["communications"]] == [1, 0]
    assert (shown["_log"][0]["callState"], shown["_log"][0]["cause"]) == (1, None)
    assert await webitel.refused("PUT", one, {"name": "x"}) == (406, f"Member {one[-24:]} locked")
    assert await webitel.refused("DELETE", one) == (406, "Not Acceptable")


async def test_a_talk_waits_for_its_result(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    await webitel.talk(one)
    shown = await webitel.data("GET", one)
    assert (shown["_waitingForResultStatus"], shown["_waitingForResultStatusCb"]) == (NOW + 60_000, 1)
    assert shown["communications"][0]["checkResult"] == 1
    (line,) = shown["_log"]
    assert (line["talkSec"], line["waitSec"], line["agentId"], line["cause"]) == (
        15, 2, "PJSIP/100", "NORMAL_CLEARING"
    )  # fmt: skip


async def test_a_range_is_counted_by_its_day(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "1", communications=[{"number": "+447700900001", "type": "1"}])
    contact = await webitel.contact(one)
    await webitel.call(one, Disposition.BUSY, range_key="2025-10-09/0-1440")
    (number,) = (await webitel.data("GET", one))["communications"]
    assert contact.numbers[0].type == "1"
    assert (number["rangeId"], number["rangeAttempts"]) == ("9_0_1440", 1)


async def test_a_contact_of_a_base_is_shown_as_well(webitel: Webitel, path: str) -> None:
    await webitel.store.add_to_base(1, "march", [(await _uploaded(webitel))], NOW + 5)
    (shown,) = await webitel.data("GET", f"{path}/members")
    assert (shown["name"], shown["priority"], shown["variables"]) == ("Ana", 9990, {"order": "7"})
    assert shown["communications"][0]["number"] == "07700900001"
    assert shown["createdOn"] == NOW + 5


async def _uploaded(webitel: Webitel) -> Any:
    from astdialer.domain.contact import NewContact

    number = webitel.hands.services.read_number("07700 900001", "M")
    return NewContact(numbers=(number,), params={"name": "Ana", "order": "7"}, priority=9, agentphone="", line=1)


# --- changed ---------------------------------------------------------------------------------------------------------


async def test_a_change_takes_the_place_of_what_is_given(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001", variables={"a": 1}, other="kept")
    answer = await webitel.ask(
        "PUT", one, {"name": "Eva", "priority": 3, "_probeCount": 9, "dialer": "x", "callSuccessful": True}
    )
    assert answer.json() == {"status": "OK", "data": {"ok": 1, "nModified": 1, "n": 1}}
    shown = await webitel.data("GET", one)
    assert [shown[key] for key in ("name", "priority", "variables", "other", "_probeCount", "callSuccessful")] == [
        "Eva", 3, {"a": 1}, "kept", 0, False
    ]  # fmt: skip
    contact = await webitel.contact(one)
    assert (contact.priority, contact.params) == (9996, {"name": "Eva", "a": "1"})
    assert shown["createdOn"] == NOW


async def test_numbers_keep_what_they_have_counted(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001", "+447700900002")
    await webitel.call(one, Disposition.BUSY)
    listed = [
        {"number": "+447700900003", "priority": 9},
        {"number": "+44 7700 900001", "description": "again", "_probe": 0, "state": 2, "type": "1"},
    ]
    await webitel.data("PUT", one, {"communications": listed})
    shown = await webitel.data("GET", one)
    numbers = [[each[key] for key in ("number", "_probe", "state")] for each in shown["communications"]]
    assert numbers == [["+447700900003", 0, 0], ["+44 7700 900001", 1, 0]]
    contact = await webitel.contact(one)
    assert [(each.number[-1], each.type, each.end_reason) for each in contact.numbers] == [
        ("3", "U", ""), ("1", "1", ""), ("2", "U", "replaced")
    ]  # fmt: skip
    assert contact.next_at == NOW + 180_000
    assert contact.numbers[0].next_at == contact.next_at
    await webitel.data("PUT", one, {"communications": [{"number": "+447700900002"}]})
    contact = await webitel.contact(one)
    assert [(each.number[-1], each.is_open) for each in contact.numbers] == [("2", True), ("3", False), ("1", False)]


async def test_a_whole_document_may_come_back_as_it_was_shown(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001", timezone="Europe/Kyiv", expire=LATER)
    await webitel.call(one, Disposition.BUSY)
    before = await webitel.data("GET", one)
    contact = await webitel.contact(one)
    await webitel.data("PUT", one, before)
    assert await webitel.data("GET", one) == before
    assert await webitel.contact(one) == contact


async def test_a_zone_that_is_taken_back_leaves_those_of_the_digits(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+380911234567", "nonsense", timezone="UTC")
    added = {"communications": [{"number": "+380911234567"}, {"number": "+380920000000"}]}
    for sent, zones in (
        ({"name": "Eva"}, ["UTC", "UTC"]),
        ({"timezone": ""}, ["Europe/Kyiv", ""]),
        ({"timezone": "Asia/Tokyo"}, ["Asia/Tokyo", "Asia/Tokyo"]),
        ({"timezone": None} | added, ["Europe/Kyiv", "Europe/Kyiv", ""]),
        ({"timezone": "UTC"} | added, ["UTC", "UTC", "UTC"]),
    ):
        await webitel.data("PUT", one, sent)
        assert [number.zones for number in (await webitel.contact(one)).numbers] == zones, sent


@pytest.mark.parametrize("base_zone", ["", "America/Lima"])
async def test_a_contact_of_a_base_keeps_its_zones(webitel: Webitel, path: str, base_zone: str) -> None:
    """Those that its file has named for it, though its document that comes back has none."""
    new = await _uploaded(webitel)
    named = replace(new, numbers=tuple(replace(each, zones="Asia/Tokyo", own_zones=True) for each in new.numbers))
    upload = await webitel.store.open_upload(1, "march", file_name="f", timezone=base_zone, now=NOW)
    await webitel.store.add_contacts(upload, [named], NOW)
    await webitel.store.publish_uploads([upload], NOW)
    (shown,) = await webitel.data("GET", f"{path}/members")
    one = f"{path}/members/{shown['_id']}"
    listed = [*shown["communications"], {"number": "+380911234567"}]
    await webitel.data("PUT", one, shown | {"communications": listed})
    first, second = (await webitel.contact(one)).numbers
    assert (first.zones, second.zones) == ("Asia/Tokyo", base_zone or "Europe/Kyiv")
    await webitel.data("PUT", one, {"timezone": "UTC"})
    await webitel.data("PUT", one, {"timezone": ""})
    assert (await webitel.contact(one)).numbers[1].zones == (base_zone or "Europe/Kyiv")


async def test_a_members_zone_goes_before_its_bases(webitel: Webitel, path: str) -> None:
    upload = await webitel.store.open_upload(1, "webitel", file_name="f", timezone="America/Lima", now=NOW)
    await webitel.store.publish_uploads([upload], NOW)
    own = await webitel.member(path, "+447700900001", timezone="Asia/Tokyo")
    other = await webitel.member(path, "+447700900001")
    zones = [(await webitel.contact(each)).numbers[0].zones for each in (own, other)]
    assert zones == ["Asia/Tokyo", "America/Lima"]


async def test_an_expiry_that_is_over_ends_the_member(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    await webitel.data("PUT", one, {"expire": NOW})
    assert (await webitel.data("GET", one))["_endCause"] == "MEMBER_EXPIRED"


async def test_who_has_ended_stays_so_whatever_is_changed(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    await webitel.ask("PUT", f"{one}/terminate")
    await webitel.data("PUT", one, {"communications": [{"number": "+447700900009"}], "_endCause": None})
    shown = await webitel.data("GET", one)
    assert (shown["_endCause"], [each["state"] for each in shown["communications"]]) == ("MANAGER_REQUEST", [2, 2])


async def test_a_change_that_cant_be_changes_nothing(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    before = await webitel.data("GET", one)
    wrong: list[Any] = [{"communications": []}, {"name": "x", "priority": "y"}, {"timezone": "x"}, [], "text"]
    for bad in wrong:
        assert (await webitel.refused("PUT", one, bad))[0] == 400
    assert await webitel.data("GET", one) == before


async def test_a_contact_of_a_base_keeps_the_bases_rule(webitel: Webitel, path: str) -> None:
    """Each main number once in a base that was uploaded."""
    first = await _uploaded(webitel)
    second = webitel.hands.services.read_number("07700 900002", "M")
    ids = await webitel.store.add_to_base(1, "march", [first, replace(first, numbers=(second,))], NOW)
    one = f"{path}/members/61737464{ids[1]:016x}"
    status, info = await webitel.refused("PUT", one, {"communications": [{"number": "07700 900001"}]})
    assert (status, f"is member 61737464{ids[0]:016x} already" in info) == (400, True)
    await webitel.data("PUT", one, {"communications": [{"number": "07700 900003"}]})
    shown = await webitel.data("GET", one)
    assert (shown["communications"][0]["number"], shown["variables"], shown["name"]) == (
        "07700 900003", {"order": "7"}, "Ana"
    )  # fmt: skip


async def test_of_changes_at_once_none_is_lost(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    await webitel.talk(one)
    changes = [webitel.data("PUT", one, {f"key{n}": n}) for n in range(5)]
    await asyncio.gather(*changes, webitel.data("PUT", f"{one}/status", {"success": True}))
    shown = await webitel.data("GET", one)
    assert [shown[f"key{n}"] for n in range(5)] == list(range(5))
    assert shown["_log"][0]["callback"]["data"] == {"success": True}


async def test_a_members_document_stays_its_tenants(webitel: Webitel) -> None:
    ours = Webitel(webitel.hands, tenant="a")
    one = await ours.member(await ours.dialer(), "+447700900001")
    await ours.data("PUT", one, {"name": "Eva"})
    (kept,) = (await webitel.store.documents("webitel3", "member", [str((await webitel.contact(one)).id)])).values()
    assert (kept.tenant, kept.created_at) == ("a", NOW)


# --- removed ---------------------------------------------------------------------------------------------------------


async def test_a_removed_member_is_gone(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    assert (await webitel.ask("DELETE", one)).json() == {"status": "OK", "data": {"ok": 1, "n": 1}}
    assert (await webitel.refused("GET", one))[0] == 404
    assert await webitel.refused("DELETE", one) == (406, "Not Acceptable")


async def test_a_filter_removes_whom_it_means_and_nobody_in_a_call(webitel: Webitel, path: str) -> None:
    first = await webitel.member(path, "+447700900001", crm="a")
    await webitel.member(path, "+447700900002", crm="b")
    await webitel.member(path, "+447700900003", crm="b")
    await webitel.call(first, None)
    assert await webitel.data("DELETE", f"{path}/members", {"crm": "b"}) == {"ok": 1, "n": 2}
    assert await webitel.data("DELETE", f"{path}/members", {}) == {"ok": 1, "n": 0}
    assert [row["crm"] for row in await webitel.data("GET", f"{path}/members")] == ["a"]


@pytest.mark.parametrize("query", [None, [], {"$where": "1"}, {"a": {"$regex": "x"}}, {"$or": []}, {"$or": {}}])
async def test_a_filter_that_is_not_understood_removes_nobody(webitel: Webitel, path: str, query: Any) -> None:
    await webitel.member(path, "+447700900001")
    assert (await webitel.refused("DELETE", f"{path}/members", query))[0] == 400
    assert await webitel.data("GET", f"{path}/members/count") == 1


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        (("GET", ""), 404, "Not found {m} in dialer {d}"),
        (("PUT", ""), 404, "Member {m} not found"),
        (("DELETE", ""), 406, "Not Acceptable"),
        (("PUT", "/status"), 404, "Not found {m} in dialer {d}"),
        (("PUT", "/terminate"), 404, "Not found {m} in dialer {d}"),
    ],
)
async def test_an_unknown_member_is_told_as_webitel_does(
    webitel: Webitel, path: str, asked: tuple[str, str], status: int, words: str
) -> None:
    method, more = asked
    found = await webitel.refused(method, f"{path}/members/{UNKNOWN}{more}", {})
    assert found == (status, words.format(m=UNKNOWN, d=path[-24:]))
    assert await webitel.refused(method, f"{path}/members/x{more}", {}) == (400, "Bad objectId.")
    other = await webitel.dialer(name="other")
    theirs = await webitel.member(other, "+447700900001")
    assert (await webitel.refused(method, f"{path}/members/{theirs[-24:]}{more}", {}))[0] == status


# --- lists and figures -----------------------------------------------------------------------------------------------


async def test_lists_have_pages_columns_sort_and_filters(webitel: Webitel, path: str) -> None:
    for n in range(5):
        await webitel.member(path, f"+4477009000{n:02}", name=f"m{n}", priority=n % 3, variables={"n": n})

    async def names(query: str) -> list[str]:
        return [row["name"] for row in await webitel.data("GET", f"{path}/members?{query}")]

    assert await names("limit=2&page=2") == ["m2", "m3"]
    assert await names('sort={"priority":-1,"name":1}&limit=3') == ["m2", "m1", "m4"]
    assert await names('filter={"variables.n":{"$in":[1,3]}}') == ["m1", "m3"]
    assert await names('filter={"communications.number":"%2B447700900004"}') == ["m4"]
    assert await names('filter={"_endCause":null,"priority":{"$gt":0,"$lt":2}}') == ["m1", "m4"]
    (row,) = await webitel.data("GET", f'{path}/members?columns={{"name":1}}&limit=1')
    assert set(row) == {"_id", "name"}
    assert await webitel.data("GET", f'{path}/members/count?filter={{"priority":0}}') == 2
    assert await webitel.data("GET", f"{path}/members/count") == 5


async def test_figures_come_by_a_pipeline(webitel: Webitel, path: str) -> None:
    for n in range(4):
        one = await webitel.member(path, f"+4477009000{n:02}", priority=n)
        if n % 2:
            await webitel.ask("PUT", f"{one}/terminate")
    rows = await webitel.data("POST", f"{path}/members/aggregate", [
        {"$match": {"priority": {"$gte": 1}}},
        {"$group": {"_id": "$_endCause", "n": {"$sum": 1}, "top": {"$max": "$priority"}}},
        {"$sort": {"n": -1}},
    ])  # fmt: skip
    assert rows == [{"_id": "MANAGER_REQUEST", "n": 2, "top": 3}, {"_id": None, "n": 1, "top": 2}]


async def test_what_takes_long_is_not_done_in_the_thread_of_the_calls(
    webitel: Webitel, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[int]] = {}

    def seen(what: str, done: Callable[..., Any]) -> Callable[..., Any]:
        def does(*given: Any) -> Any:
            threads.setdefault(what, set()).add(threading.get_ident())
            return done(*given)

        return does

    monkeypatch.setattr("astdialer.http.webitel3.members.member_document", seen("document", member_document))
    monkeypatch.setattr("astdialer.http.webitel3.queries.in_order", seen("sort", in_order))
    monkeypatch.setattr("astdialer.http.webitel3.aggregate.in_order", seen("pipeline", in_order))
    with monkeypatch.context() as large:
        large.setattr("astdialer.http.webitel3.bodies.parsed", seen("body", parsed))
        await webitel.data("POST", f"{path}/members", [person("+447700900001", note="x" * 1000)] * 100)
    assert len(await webitel.data("GET", f'{path}/members?sort={{"name":1}}')) == 40
    await webitel.data("GET", f'{path}/members/count?filter={{"name":"Ana"}}')
    await webitel.data("POST", f"{path}/members/aggregate", [{"$sort": {"name": 1}}])
    assert set(threads) == {"body", "document", "sort", "pipeline"}
    assert threading.get_ident() not in set.union(*threads.values())


async def test_a_pipeline_is_not_too_long(webitel: Webitel, path: str) -> None:
    long = [{"$match": {"name": {"$in": ["x" * 1000] * 70}}}]
    assert await webitel.refused("POST", f"{path}/members/aggregate", long) == (400, "aggregate: more than 65536 bytes")


async def test_a_number_that_json_does_not_have_is_refused(webitel: Webitel, path: str) -> None:
    """Kept, it would make an error of every list."""
    sent = b'{"communications":[{"number":"+447700900001"}],"variables":{"x":1e999}}'
    answer = await webitel.ask("POST", f"{path}/members", content=sent)
    assert (answer.status_code, answer.json()["status"]) == (400, "error")
    assert await webitel.data("GET", f"{path}/members") == []


@pytest.mark.parametrize("body", [None, {}, [{"$out": "x"}], [{"$lookup": {}}], [5], [{"$match": 1}]])
async def test_a_pipeline_that_is_not_understood_is_refused(webitel: Webitel, path: str, body: Any) -> None:
    assert (await webitel.refused("POST", f"{path}/members/aggregate", body))[0] == 400


async def test_more_members_than_can_be_looked_at_are_told(
    webitel: Webitel, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("astdialer.http.webitel3.members.MOST_LOOKED_AT", 1)
    await webitel.member(path, "+447700900001")
    assert await webitel.data("GET", f'{path}/members?filter={{"a":1}}') == []
    await webitel.member(path, "+447700900002")
    status, info = await webitel.refused("GET", f'{path}/members?filter={{"a":1}}')
    assert (status, "more than 1 members" in info) == (400, True)
    assert len(await webitel.data("GET", f"{path}/members")) == 2


# --- called again ----------------------------------------------------------------------------------------------------


async def test_who_ended_without_success_is_called_again_from_the_start(webitel: Webitel, path: str) -> None:
    old = await webitel.member(path, "+447700900001")
    await webitel.ask("PUT", f"{old}/terminate")
    webitel.clock.at += HOUR_MS
    since = webitel.clock.at
    ended = await webitel.member(path, "+447700900002", "+447700900003")
    await webitel.call(ended, Disposition.BUSY)
    await webitel.ask("PUT", f"{ended}/terminate")
    waiting = await webitel.member(path, "+447700900004")
    good = await webitel.member(path, "+447700900005")
    await webitel.talk(good)
    await webitel.ask("PUT", f"{good}/status", {"success": True})
    expired = await webitel.member(path, "+447700900006", expire=1)

    answer = await webitel.ask("PUT", f"{path}/members/reset?from={since}")
    assert answer.json() == {"status": "OK", "info": 1}
    shown = await webitel.data("GET", ended)
    assert (shown["_endCause"], shown["_probeCount"], [each["state"] for each in shown["communications"]]) == (
        None, 0, [0, 0]
    )  # fmt: skip
    assert (await webitel.contact(ended)).next_at == since
    states = [(await webitel.data("GET", each))["_endCause"] for each in (old, waiting, good, expired)]
    assert states == ["MANAGER_REQUEST", None, "NORMAL_CLEARING", "MEMBER_EXPIRED"]


async def test_numbers_that_a_result_has_stopped_stay_so(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001", "+447700900002")
    await webitel.talk(one)
    await webitel.ask("PUT", f"{one}/status", {"success": False, "stop_communications": "+447700900001"})
    await webitel.ask("PUT", f"{one}/terminate")
    stopped = await webitel.member(path, "+447700900003")
    await webitel.talk(stopped)
    await webitel.ask("PUT", f"{stopped}/status", {"success": False, "stop_communications": "all"})
    assert (await webitel.ask("PUT", f"{path}/members/reset?from=0")).json()["info"] == 1
    assert [each["state"] for each in (await webitel.data("GET", one))["communications"]] == [2, 0]


async def test_who_was_removed_by_the_command_is_not_called_again(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    await remove(webitel.store, webitel.clock, (await webitel.store.campaigns())[0].name, "+447700900001")
    assert await webitel.data("PUT", f"{path}/members/reset?from=0") == 0
    assert (await webitel.data("GET", one))["_endCause"] == "MANAGER_REQUEST"


async def test_a_reset_takes_all_members_in_batches_and_tells_of_each(
    webitel: Webitel, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many members the dialer has; one that is broken off has told of those that are called again."""
    monkeypatch.setattr("astdialer.http.webitel3.members.MOST_LOOKED_AT", 2)
    monkeypatch.setattr("astdialer.http.webitel3.members.BATCH", 2)
    listed = [await webitel.member(path, f"+44770090000{n}") for n in range(3)]
    for one in listed:
        await webitel.ask("PUT", f"{one}/terminate")
    change, sizes = webitel.store.change_contacts, list[int]()

    async def fails(ids: Sequence[int], *more: Any) -> Sequence[int]:
        sizes.append(len(ids))
        if len(sizes) == 2:
            raise Unavailable("the disk is full")
        return await change(ids, *more)

    async def told() -> list[str]:
        return [row["value"] for row in await webitel.data("GET", f"{path}/history") if "were reset" in row["value"]]

    monkeypatch.setattr(webitel.store, "change_contacts", fails)
    assert (await webitel.refused("PUT", f"{path}/members/reset?from=0"))[0] == 503
    assert await told() == ["2 members were reset"]
    assert await webitel.data("PUT", f"{path}/members/reset?from=0") == 1
    assert sizes == [2, 1, 1]
    assert await told() == ["1 members were reset", "2 members were reset"]
    assert [(await webitel.contact(one)).next_at for one in listed] == [NOW] * 3


@pytest.mark.parametrize("query", ["", "?from=", "?from=x", "?from=-1"])
async def test_a_reset_has_to_say_since_when(webitel: Webitel, path: str, query: str) -> None:
    assert (await webitel.refused("PUT", f"{path}/members/reset{query}"))[0] == 400


async def test_a_tenant_may_not_reset_logs(webitel: Webitel) -> None:
    ours = Webitel(webitel.hands, tenant="a")
    path = await ours.dialer()
    assert await ours.refused("PUT", f"{path}/members/reset?from=0&_log=true") == (
        403,
        "Bad request: resetLog allow from root.",
    )
    assert await ours.data("PUT", f"{path}/members/reset?from=0") == 0


# --- who may ---------------------------------------------------------------------------------------------------------


async def test_a_reader_changes_nobody(webitel: Webitel, path: str) -> None:
    reader = Webitel(webitel.hands, Role.READ_ONLY)
    one = await webitel.member(path, "+447700900001")
    assert (await reader.data("GET", one))["name"] == "Ana"
    for method, where in (("PUT", one), ("DELETE", one), ("POST", f"{path}/members"), ("PUT", f"{one}/status")):
        assert (await reader.refused(method, where, person("1")))[0] == 403, where


async def test_requests_at_once_are_all_answered(webitel: Webitel, path: str) -> None:
    added = await asyncio.gather(*(webitel.member(path, f"+4477009000{n:02}") for n in range(20)))
    assert len(set(added)) == 20


async def test_a_member_of_no_number_that_can_be_dialed_ends(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001", expire="")
    await webitel.data("PUT", one, {"communications": [{"number": "nonsense"}]})
    assert (await webitel.data("GET", one))["_endCause"] == "NO_COMMUNICATIONS"


@pytest.mark.parametrize(
    ("verdict", "result"), [(Verdict.HUMAN, "HUMAN"), (Verdict.MACHINE, "MACHINE"), (Verdict.HANGUP, "CANCEL")]
)
async def test_what_amd_heard(webitel: Webitel, path: str, verdict: Verdict, result: str) -> None:
    one = await webitel.member(path, "+447700900001")
    facts = {"answered_at": NOW + 1000, "amd_verdict": verdict, "amd_cause": "TOOLONG-5000"}
    await webitel.call(one, Disposition.MACHINE, **facts)
    (line,) = (await webitel.data("GET", one))["_log"]
    assert (line["amdResult"], line["amdCause"]) == (result, "TOOLONG-5000")
