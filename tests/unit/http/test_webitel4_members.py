"""Webitel v4: members of queues, one by one and in bulk, shown, changed, cancelled, removed."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import INVALID, Contact, ContactState, NewContact, NewNumber, Rank
from astdialer.domain.errors import Unavailable
from astdialer.domain.retry import succeeded
from astdialer.engine.members import BATCH
from astdialer.http.webitel4 import incoming
from astdialer.http.webitel4.incoming import our_priority
from astdialer.http.webitel4.routes import LARGEST
from astdialer.http.webitel4.shapes import MOST_COMMUNICATIONS, Bulk
from astdialer.ports import BaseUpload, ForeignObject

REQUESTS = {each["id"]: each for each in json.loads((Path(__file__).parents[2] / "requests.json").read_text())}
PERSON = "+447700900001"
HOUR = 3_600_000
NO_COMMUNICATIONS = "model.member.is_valid.communications.app_error"
NO_TYPE = "model.member.is_valid.communications.type.app_error"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


@pytest.fixture
async def queue(api: Hands) -> Campaign:
    return await api.campaign()


def one(*numbers: str, **more: Any) -> dict[str, Any]:
    """A member's body; each number has a priority that is its place from the end."""
    numbers = numbers or (PERSON,)
    communications = [{"destination": n, "type": {"id": 1}, "priority": -at} for at, n in enumerate(numbers)]
    return {"communications": communications, "name": "Ann"} | more


async def add(api: Hands, queue: Campaign, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.ask("POST", f"/call_center/queues/{queue.id}/members", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def contact(api: Hands, member: dict[str, Any]) -> Contact:
    return await api.store.load_contact(int(member["id"]))


def path(queue: Campaign, member: dict[str, Any]) -> str:
    return f"/call_center/queues/{queue.id}/members/{member['id']}"


# --- the requests of the source document -----------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["", "/api"])
@pytest.mark.parametrize("name", ["W4-02", "W4-03"])
async def test_a_bulk_request_is_answered_with_the_ids_of_its_members(
    api: Hands, queue: Campaign, name: str, base: str
) -> None:
    request = REQUESTS[name]
    answer = await api.ask("POST", base + request["path"].replace("{queue_id}", str(queue.id)), json=request["body"])
    assert answer.status_code == 200
    assert list(answer.json()) == ["ids"]
    first, second = [await api.store.load_contact(int(each)) for each in answer.json()["ids"]]

    assert [n.as_uploaded for n in second.numbers] == ["Destination"] * 3
    assert [(n.priority, n.type, n.description) for n in second.numbers] == [
        (10, "2", "Description2"),
        (0, "1", "Description1"),
        (0, "1", "Description1"),
    ]
    assert first.params == {f"additionalProp{n}": "string" for n in (1, 2, 3)} | {"name": "Member1"}
    assert second.priority < first.priority, "100 goes before 1"
    assert (first.expires_at, first.bucket) == (None, "1" if name == "W4-03" else "")
    # "Destination" is no number: nobody is ever called, and that is told as every other end
    assert (first.state, first.end_cause) == (ContactState.DONE, "INVALID_NUMBER_FORMAT")
    assert {n.end_reason for n in first.numbers} == {INVALID}


async def test_buckets_that_nobody_made_are_called_as_their_ids(api: Hands, queue: Campaign) -> None:
    request = REQUESTS["W4-03"]
    await api.ask("POST", request["path"].replace("{queue_id}", str(queue.id)), json=request["body"])
    listed = (await api.ask("GET", "/call_center/buckets")).json()["items"]
    assert [(each["id"], each["name"]) for each in listed] == [("1", "1"), ("2", "2")]
    members = (await api.ask("GET", f"/call_center/queues/{queue.id}/members")).json()["items"]
    assert [each["bucket"] for each in members] == [{"id": "2", "name": "2"}, {"id": "1", "name": "1"}]


# --- on their way in -------------------------------------------------------------------------------------------------


async def test_a_member_is_shown_back_as_it_came(api: Hands, queue: Campaign) -> None:
    body = one(
        priority=7,
        expire_at=str(NOW + HOUR),
        min_offering_at=NOW + 60_000,
        variables={"order": 12, "vip": True, "note": None},
        timezone={"id": "3", "name": "Europe/Kyiv"},
        skill={"id": 5, "name": "french"},
    )
    body["communications"] = [
        {"destination": "Reception", "priority": 1, "type": {"id": 2, "name": "office"}},
        {"destination": " 07700 900001 ", "priority": 9, "type": {"id": "1"}, "display": "442079460000", "dtmf": "12"},
    ]
    made = await add(api, queue, body)
    assert {
        key: made[key] for key in ("priority", "name", "expire_at", "min_offering_at", "timezone", "skill", "queue")
    } == {
        "priority": 7,
        "name": "Ann",
        "expire_at": str(NOW + HOUR),
        "min_offering_at": str(NOW + 60_000),
        "timezone": {"id": "3", "name": "Europe/Kyiv"},
        "skill": {"id": "5", "name": "french"},
        "queue": {"id": str(queue.id), "name": "demo"},
    }
    assert made["variables"] == {"order": "12", "vip": "true", "note": ""}
    assert (made["created_at"], made["stop_cause"], made["reserved"]) == (str(NOW), "", False)
    first, second = made["communications"]
    assert (first["destination"], first["display"], first["dtmf"]) == (" 07700 900001 ", "442079460000", "12")
    assert (first["stop_at"], second["type"]) == ("0", {"id": "2", "name": "office"})
    assert (second["destination"], second["last_cause"], second["stop_at"] == "0") == ("Reception", INVALID, False)
    assert (await api.ask("GET", path(queue, made))).json() == made


async def test_a_member_is_a_contact_that_the_engine_calls(api: Hands, queue: Campaign) -> None:
    body = one("07700900001", "+447700900002", priority=3, variables={"order": "1"}, timezone={"name": "Asia/Tokyo"})
    found = await contact(api, await add(api, queue, body))
    assert [(n.number, n.zones) for n in found.numbers] == [
        ("+447700900001", "Asia/Tokyo"),
        ("+447700900002", "Asia/Tokyo"),
    ]
    assert (found.state, found.rank, found.priority) == (ContactState.READY, Rank.LIST, our_priority(3))
    assert found.params == {"order": "1", "name": "Ann"}


async def test_a_number_of_another_member_may_come_again(api: Hands, queue: Campaign) -> None:
    ids = {(await add(api, queue, one()))["id"] for _ in range(3)}
    assert len(ids) == 3


async def test_a_number_that_a_member_has_twice_is_called_as_one(api: Hands, queue: Campaign) -> None:
    again = one("07700 900001", PERSON, "+447700900002", "Reception", "Reception")
    made = await add(api, queue, again)
    texts = ["07700 900001", "+447700900002", "Reception", "Reception"]
    assert [each["destination"] for each in made["communications"]] == texts
    assert [n.number for n in (await contact(api, made)).numbers if n.is_open] == [PERSON, "+447700900002"]
    changed = await api.ask("PATCH", path(queue, made), json={"communications": again["communications"]})
    assert changed.json()["communications"] == made["communications"]
    begun = await api.ask("PATCH", path(queue, made), json={"stop_cause": ""})
    assert [each["stop_at"] == "0" for each in begun.json()["communications"]] == [True, True, False, False]


def test_priorities_keep_their_order_and_stay_within_ours() -> None:
    theirs = [-(2**31), -499_999, -1, 0, 1, 100, 499_999, 2**31 - 1]
    ours = [our_priority(each) for each in theirs]
    assert ours == sorted(ours, reverse=True)
    assert (min(ours), max(ours)) == (1, 999_999)
    assert len(set(ours[1:-1])) == len(ours) - 2


@pytest.mark.parametrize("priority", [0, -3, 499_999, 2_000_000_000, -2_000_000_000])
async def test_any_priority_is_shown_back(api: Hands, queue: Campaign, priority: int) -> None:
    assert (await add(api, queue, one(priority=priority)))["priority"] == priority


@pytest.mark.parametrize("nothing", [None, "", 0, "0", "string"])
async def test_there_are_many_ways_to_say_no_time(api: Hands, queue: Campaign, nothing: object) -> None:
    found = await contact(api, await add(api, queue, one(expire_at=nothing, min_offering_at=nothing)))
    assert (found.expires_at, found.state) == (None, ContactState.READY)


async def test_a_member_whose_time_is_over_is_not_called(api: Hands, queue: Campaign) -> None:
    made = await add(api, queue, one(expire_at=NOW - 1))
    assert (made["stop_cause"], (await contact(api, made)).end_cause) == ("expired", "MEMBER_EXPIRED")


async def test_a_variable_called_name_is_kept_beside_the_members_name(api: Hands, queue: Campaign) -> None:
    made = await add(api, queue, one(variables={"Name": "of the order"}))
    assert (made["name"], made["variables"]) == ("Ann", {"Name": "of the order"})


async def test_one_display_of_all_numbers_is_what_called_persons_see(api: Hands, queue: Campaign) -> None:
    body = one(PERSON, "+447700900002")
    body["communications"][1]["display"] = "442079460001"
    made = await add(api, queue, body)
    assert (await contact(api, made)).params["outbound_caller_id_number"] == "442079460001"
    assert made["variables"] == {}


async def test_a_communication_that_was_stopped_is_not_called(api: Hands, queue: Campaign) -> None:
    body = one(PERSON, "+447700900002")
    body["communications"][0]["stop_at"] = NOW - HOUR
    made = await add(api, queue, body)
    assert [each["stop_at"] for each in made["communications"]] == [str(NOW - HOUR), "0"]
    assert [n.is_open for n in (await contact(api, made)).numbers] == [False, True]
    body["communications"][1]["stop_at"] = str(NOW)
    assert (await add(api, queue, body))["stop_cause"] == "no_communications"


async def test_an_agents_member_is_the_agents_alone(api: Hands, queue: Campaign) -> None:
    await api.view(agents=[_agent("PJSIP/agent7", "Gina")])
    (agent,) = (await api.ask("GET", "/call_center/agents")).json()["items"]
    made = await add(api, queue, one(agent={"id": agent["id"]}))
    assert (await contact(api, made)).agentphone == "agent7"
    assert made["agent"] == {"id": agent["id"], "name": "agent7"}
    unknown = await add(api, queue, one(agent={"id": 1003}))
    assert (await contact(api, unknown)).agentphone == "1003", "an extension, as long as nobody knows better"


def _agent(interface: str, name: str, **more: Any) -> dict[str, Any]:
    usual = {"code": 1, "status": "NOT_INUSE", "paused": False, "pause_reason": "", "queue": "sales"}
    return {"agent": interface, "name": name, "server": "default", "last_call_at": None} | usual | more


async def test_a_file_name_becomes_the_bases(api: Hands, queue: Campaign) -> None:
    url = f"/call_center/queues/{queue.id}/members/bulk"
    await api.ask("POST", url, json={"items": [one()], "file_name": "../May list.csv"})
    await api.ask("POST", url, json={"items": [one()], "file_name": "…"})
    assert sorted(row["base"] for row in await api.store.bases(queue.id)) == ["May-list.csv", "members"]


@pytest.mark.parametrize("count", [2, BATCH + 1])
async def test_a_base_has_its_zone_however_many_come_and_a_member_its_own(
    api: Hands, queue: Campaign, count: int
) -> None:
    upload = await api.store.open_upload(queue.id, "may.csv", file_name="f", timezone="Asia/Tokyo", now=NOW)
    await api.store.publish_uploads([upload], NOW)
    items = [one(timezone={"name": "Europe/Kyiv"}), *[one()] * (count - 1)]
    body = {"items": items, "file_name": "may.csv"}
    ids = (await api.ask("POST", f"/call_center/queues/{queue.id}/members/bulk", json=body)).json()["ids"]
    found = [await api.store.load_contact(int(each)) for each in (ids[0], ids[1], ids[-1])]
    assert [each.numbers[0].zones for each in found] == ["Europe/Kyiv", "Asia/Tokyo", "Asia/Tokyo"]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        ({"communications": []}, "items.1.communications", "model.member.is_valid.communications.app_error"),
        (
            {"communications": [{"destination": PERSON}]},
            "type.id",
            "model.member.is_valid.communications.type.app_error",
        ),
        ({"communications": [{"destination": PERSON, "type": {"id": 0}}]}, "communications.0.type.id", ""),
        ({"communications": [{"destination": PERSON, "type": {"id": "-1"}}]}, "communications.0.type.id", ""),
        ({"communications": one(*[PERSON] * 51)["communications"]}, "51 of them", ""),
        ({"expire_at": "tomorrow"}, "items.1.expire_at", "app.invalid"),
        ({"expire_at": -5}, "items.1.expire_at", ""),
        ({"expire_at": 10**18}, "items.1.expire_at", ""),
        ({"min_offering_at": True}, "items.1.min_offering_at", ""),
        ({"priority": 2**31}, "items.1.priority", ""),
        ({"priority": "high"}, "items.1.priority", ""),
        ({"variables": {"a b": "1"}}, "items.1.variables", "app.invalid_setting"),
        ({"variables": {"a": "x\r\nVariable: b=1"}}, "items.1.variables", ""),
        ({"variables": {"a": "1", "A": "2"}}, "items.1.variables", ""),
        ({"variables": {"a": ["1"]}}, "items.1.variables", ""),
        ({"variables": {f"v{n}": "" for n in range(61)}}, "items.1.variables", ""),
        ({"name": "a\nb"}, "items.1.name", ""),
        ({"name": "\ud800"}, "body: Invalid JSON", ""),
        ({"timezone": {"id": 379}}, "items.1.timezone", ""),
        ({"timezone": {"name": "Mars/Base"}}, "items.1.timezone", ""),
        ({"bucket": {"id": "no bucket"}}, "bucket.id", ""),
        ({"agent": {"id": "1001;x"}}, "agent", ""),
        ({"communications": [{"destination": "1\r\n", "type": {"id": 1}}]}, "destination", ""),
    ],
)
async def test_what_can_t_be_is_refused_with_its_place_and_nothing_is_changed(
    api: Hands, queue: Campaign, change: dict[str, Any], where: str, code: str
) -> None:
    body = json.dumps({"items": [one(bucket={"id": "9"}), one() | change]})
    url = f"/call_center/queues/{queue.id}/members/bulk"
    answer = await api.ask("POST", url, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    told = answer.json()
    assert list(told) == ["id", "detail", "status", "code"]
    assert (told["status"], told["code"]) == ("Bad Request", 400)
    assert where in told["detail"]
    assert told["id"] == (code or told["id"])
    assert await api.store.bases(queue.id) == []
    assert (await api.ask("GET", "/call_center/buckets")).json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/call_center/queues/1/members"),
        ("PATCH", "/call_center/queues/1/members/1"),
        ("PATCH", "/call_center/attempts/00000000-0000-4000-8000-000000000000"),
        ("PATCH", "/call_center/agents/1001/status"),
        ("POST", "/call_center/buckets"),
        ("POST", "/api/calls"),
    ],
)
async def test_one_object_is_no_large_body(api: Hands, queue: Campaign, method: str, path: str) -> None:
    answer = await api.ask(method, path, json={"name": " " * LARGEST}, headers={"idempotency-key": "k"})
    assert (answer.status_code, answer.json()["id"]) == (413, "app.too_large")


async def test_the_largest_member_is_not_too_large(api: Hands, queue: Campaign) -> None:
    body = one(
        *(f"+4477009{n:05}" for n in range(MOST_COMMUNICATIONS)), variables={f"v{n}": "é" * 450 for n in range(58)}
    )
    for each in body["communications"]:
        each |= {"description": "é" * 500, "display": "é" * 50, "dtmf": "é" * 50}
    url, escaped = f"/call_center/queues/{queue.id}/members", json.dumps(body)
    answer = await api.ask("POST", url, content=escaped, headers={"content-type": "application/json"})
    assert len(answer.json()["communications"]) == MOST_COMMUNICATIONS


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
@pytest.mark.parametrize("key", ["variables", "priority", "expire_at", "timezone", "communications"])
async def test_what_is_no_finite_number_is_refused(api: Hands, queue: Campaign, key: str, number: str) -> None:
    values = {"variables": {"a": 0.5}, "timezone": {"id": 0.5}, "communications": [{"priority": 0.5}]}
    text = json.dumps(one() | {key: values.get(key, 0.5)}).replace("0.5", number)
    url, json_type = f"/call_center/queues/{queue.id}/members", {"content-type": "application/json"}
    for where, body in (("", text), ("/bulk", f'{{"items": [{text}]}}')):
        answer = await api.ask("POST", url + where, content=body, headers=json_type)
        assert (answer.status_code, answer.json()["code"]) == (400, 400), where
    assert (await api.ask("GET", url)).json()["items"] == []


@pytest.mark.parametrize("body", ["{", "[]", '{"items": []}', '{"items": {}}', "null", "\x00"])
async def test_a_body_that_can_t_be_read_is_a_bad_request(api: Hands, queue: Campaign, body: str) -> None:
    url = f"/call_center/queues/{queue.id}/members/bulk"
    answer = await api.ask("POST", url, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, 400)


@pytest.mark.parametrize("queue_id", ["0", "77", "x", "1'--", "99999999999999999999"])
async def test_a_queue_that_is_not_there(api: Hands, queue: Campaign, queue_id: str) -> None:
    answer = await api.ask("POST", f"/call_center/queues/{queue_id}/members", json=one())
    assert (answer.status_code, answer.json()["status"]) == (404, "Not Found")


async def test_another_tenants_members_are_not_there(api: Hands) -> None:
    theirs = await api.campaign("theirs", tenant="b")
    made = await add(api, theirs, one(bucket={"id": "1"}))
    for method in ("GET", "PATCH", "DELETE"):
        answer = await api.ask(method, path(theirs, made), role=Role.INTEGRATION, tenant="a", json={})
        assert answer.status_code == 404, method
    assert (await api.ask("GET", "/call_center/buckets", tenant="a")).json()["items"] == []
    assert len((await api.ask("GET", "/call_center/buckets", tenant="b")).json()["items"]) == 1
    assert (await api.ask("GET", path(theirs, made), tenant="b")).status_code == 200


# --- there -----------------------------------------------------------------------------------------------------------


async def test_members_are_listed_in_pages_and_by_what_they_have(api: Hands, queue: Campaign) -> None:
    made = [await add(api, queue, one(f"+44770090000{n}", name=f"m{n}")) for n in range(3)]
    bound = await add(api, queue, one("+447700900009", agent={"id": "1001"}, bucket={"id": "4"}))
    url = f"/call_center/queues/{queue.id}/members"

    async def ids(**query: Any) -> list[str]:
        return [row["id"] for row in (await api.ask("GET", url, params=query)).json()["items"]]

    newest = [bound["id"], *(each["id"] for each in reversed(made))]
    assert await ids() == newest
    first = (await api.ask("GET", url, params={"size": 3})).json()
    last = (await api.ask("GET", url, params={"size": 3, "page": 2})).json()
    assert (first["next"], last["next"], len(last["items"])) == (True, False, 1)
    assert await ids(id=[made[1]["id"], "x", "0"]) == [made[1]["id"]]
    assert await ids(destination="07700900002") == [made[2]["id"]]
    assert await ids(destination="07700900002", id=[made[0]["id"]]) == []
    assert await ids(agent_id="1001") == await ids(bucket_id="4") == [bound["id"]]
    await api.ask("PATCH", path(queue, made[0]), json={"stop_cause": "cancel"})
    assert (await ids(stopped=True), await ids(stopped=False)) == ([made[0]["id"]], newest[:-1])
    assert (await api.ask("GET", url, params={"size": 0})).status_code == 400


async def test_a_stop_cause_cancels_and_an_empty_one_begins_anew(api: Hands, queue: Campaign) -> None:
    made = await add(api, queue, one("Nobody", PERSON, "+447700900002"))
    stopped = (await api.ask("PATCH", path(queue, made), json={"stop_cause": "cancel"})).json()
    assert stopped["stop_cause"] == "cancel"
    assert "0" not in {each["stop_at"] for each in stopped["communications"]}
    assert (await contact(api, made)).end_cause == "MANAGER_REQUEST"

    await api.store.change_contact(int(made["id"]), lambda c: succeeded(c, "success"), NOW)
    again = (await api.ask("PATCH", path(queue, made), json={"stop_cause": ""})).json()
    assert (again["stop_cause"], again["attempts"]) == ("", 0)
    assert [each["stop_at"] == "0" for each in again["communications"]] == [False, True, True]
    found = await contact(api, made)
    assert (found.state, found.next_at, found.successful) == (ContactState.WAITING, NOW, False)


async def test_nobody_begins_anew_without_a_number(api: Hands, queue: Campaign) -> None:
    made = await add(api, queue, one("Nobody"))
    answer = await api.ask("PATCH", path(queue, made), json={"stop_cause": ""})
    assert (answer.status_code, answer.json()["id"]) == (409, "app.conflict")


async def test_what_is_given_is_changed_and_nothing_else(api: Hands, queue: Campaign) -> None:
    made = await add(api, queue, one(variables={"a": "1", "b": "2"}, priority=5, expire_at=NOW + HOUR))
    at = NOW + 5 * HOUR
    change = {
        "variables": {"a": "", "c": "3"},
        "priority": -2,
        "name": "Bea",
        "min_offering_at": str(at),
        "expire_at": 0,
        "bucket": {"id": "1"},
        "agent": {"id": "1001"},
        "timezone": {"name": "Asia/Tokyo"},
        "attempts": 2,
    }
    changed = (await api.ask("PATCH", path(queue, made), json=change)).json()
    kept = {key: value for key, value in made.items() if key not in {*change, "communications"}}
    assert {key: changed[key] for key in kept} == kept
    assert (changed["variables"], changed["priority"], changed["name"]) == ({"b": "2", "c": "3"}, -2, "Bea")
    assert (changed["min_offering_at"], changed["expire_at"], changed["attempts"]) == (str(at), "0", 2)
    assert (changed["bucket"]["id"], changed["agent"]["id"]) == ("1", "1001")
    found = await contact(api, made)
    assert (found.pool_bucket, found.params["name"], found.numbers[0].zones) == ("@1001", "Bea", "Asia/Tokyo")

    free = (await api.ask("PATCH", path(queue, made), json={"agent": {"id": 0}, "bucket": None})).json()
    assert (free["agent"], free["bucket"], free["name"]) == (None, None, "Bea")
    assert (await api.ask("PATCH", path(queue, made), json={"stop_cause": None})).json() == free


async def test_other_communications_take_the_place_of_those_before(api: Hands, queue: Campaign) -> None:
    made = await add(api, queue, one(PERSON, "+447700900002"))
    fresh = one("+447700900003", PERSON)["communications"]
    changed = (await api.ask("PATCH", path(queue, made), json={"communications": fresh})).json()
    assert [(each["destination"], each["stop_at"] == "0") for each in changed["communications"]] == [
        ("+447700900003", True),
        (PERSON, True),
        ("+447700900002", False),
    ]
    old = {each["destination"]: each["id"] for each in made["communications"]}
    assert changed["communications"][1]["id"] == old[PERSON], "what was tried of it is not forgotten"
    assert [n.number for n in (await contact(api, made)).numbers][:2] == ["+447700900003", PERSON]


async def zones(api: Hands, member: dict[str, Any]) -> list[str]:
    return [number.zones for number in (await contact(api, member)).numbers]


async def test_a_number_that_is_added_is_called_by_the_members_zone(api: Hands, queue: Campaign) -> None:
    made = await add(api, queue, one("+447911123451", timezone={"name": "Asia/Tokyo"}))
    change = {"communications": one("+447911123451", "+447911123452")["communications"]}
    changed = (await api.ask("PATCH", path(queue, made), json=change)).json()
    assert changed["timezone"]["name"] == "Asia/Tokyo"
    assert await zones(api, made) == ["Asia/Tokyo"] * 2


@pytest.mark.parametrize("nothing", [None, {}, {"id": 0, "name": ""}])
async def test_without_the_members_zone_its_numbers_have_those_of_their_digits(
    api: Hands, queue: Campaign, nothing: dict[str, Any] | None
) -> None:
    made = await add(api, queue, one("+447911123451", "+34612345678", "Reception", timezone={"name": "Asia/Tokyo"}))
    plain = await add(api, queue, one("+447911123451", "+34612345678", "Reception"))
    assert (await api.ask("PATCH", path(queue, made), json={"timezone": nothing})).json()["timezone"] is None
    assert await zones(api, made) == await zones(api, plain)
    assert "Asia/Tokyo" not in await zones(api, made)


async def test_a_number_that_is_added_is_called_by_the_zone_of_the_members_base(api: Hands, queue: Campaign) -> None:
    upload = await api.store.open_upload(queue.id, "b", file_name="f", timezone="Asia/Tokyo", now=NOW)
    number = NewNumber(number="+447911123451", as_uploaded="7911123451", type="M", zones="Asia/Tokyo")
    new = NewContact(numbers=(number,), params={}, priority=5, agentphone="", line=1)
    kept = ForeignObject(dialect="webitel4", kind="member", id="", name="", body={}, created_at=NOW)
    made = {"id": str((await api.store.add_to_upload(upload, [new], [kept], NOW))[0])}
    await api.store.publish_uploads([upload], NOW)
    change = {"communications": one("+447911123451", "+447911123452")["communications"]}
    await api.ask("PATCH", path(queue, made), json=change)
    assert await zones(api, made) == ["Asia/Tokyo"] * 2
    await api.ask("PATCH", path(queue, made), json={"timezone": {"name": "Europe/Kyiv"}})
    assert await zones(api, made) == ["Europe/Kyiv"] * 2
    await api.ask("PATCH", path(queue, made), json={"timezone": None})
    assert await zones(api, made) == ["Asia/Tokyo"] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"min_offering_at": "x"},
        {"min_offering_at": NOW + 400 * 24 * HOUR},
        {"attempts": 1000},
        {"variables": {"a-b": "1"}},
    ],
)
async def test_a_change_that_can_t_be_changes_nothing(api: Hands, queue: Campaign, change: dict[str, Any]) -> None:
    made = await add(api, queue, one())
    answer = await api.ask("PATCH", path(queue, made), json={"name": "Bea", "priority": 3} | change)
    assert answer.status_code == 400
    assert (await api.ask("GET", path(queue, made))).json() == made


async def test_a_removed_member_is_not_called_and_nothing_is_known_of_it(api: Hands, queue: Campaign) -> None:
    made, other = await add(api, queue, one()), await add(api, queue, one("+447700900002"))
    assert (await api.ask("DELETE", path(queue, made))).json()["id"] == made["id"]
    for elsewhere in (path(queue, made), f"/v1/contacts/{made['id']}"):
        assert (await api.ask("GET", elsewhere)).status_code == 404, elsewhere
    assert await api.store.documents("webitel4", "member", [made["id"]]) == {}
    assert (await api.ask("DELETE", path(queue, made))).status_code == 404
    listed = (await api.ask("GET", f"/call_center/queues/{queue.id}/members")).json()["items"]
    assert [each["id"] for each in listed] == [other["id"]]
    await api.ask("PATCH", path(queue, other), json={"stop_cause": "cancel"})
    await api.ask("DELETE", path(queue, other))
    assert (await api.ask("GET", path(queue, other))).status_code == 404


async def test_a_member_of_another_queue_is_not_in_this_one(api: Hands, queue: Campaign) -> None:
    made = await add(api, queue, one())
    other = await api.campaign("other")
    assert (await api.ask("GET", path(other, made))).status_code == 404


async def test_a_contact_that_came_otherwise_is_a_member_too(api: Hands, queue: Campaign) -> None:
    """By an upload, or the native API: nothing was kept beside it."""
    made = await add(api, queue, one(variables={"a": "1"}, priority=4))
    await api.store.remove_foreign("webitel4", "member", made["id"])
    shown = (await api.ask("GET", path(queue, made))).json()
    same = {key: value for key, value in made.items() if key not in ("created_at", "communications")}
    assert {key: shown[key] for key in same} == same
    assert shown["communications"][0]["destination"] == PERSON
    changed = (await api.ask("PATCH", path(queue, made), json={"name": "Bea"})).json()
    assert (changed["name"], changed["variables"]) == ("Bea", {"a": "1"})


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["X-Webitel-Access", "X-Access-Token", "Authorization"])
async def test_a_token_may_come_in_three_ways(api: Hands, queue: Campaign, header: str) -> None:
    secret = await api.token(Role.INTEGRATION)
    value = f"Bearer {secret}" if header == "Authorization" else secret
    answer = await api.client.get("/api/call_center/queues", headers={header: value})
    assert answer.status_code == 200
    assert [row["id"] for row in answer.json()["items"]] == [str(queue.id)]


@pytest.mark.parametrize("headers", [{}, {"X-Webitel-Access": "wrong"}, {"X-Webitel-Access": " "}])
async def test_without_a_token_nobody_is_let_in(api: Hands, headers: dict[str, str]) -> None:
    answer = await api.client.get("/call_center/queues", headers=headers)
    assert answer.status_code == 401
    assert (answer.json()["status"], answer.json()["code"], answer.json()["id"]) == (
        "Unauthorized",
        401,
        "app.unauthorized",
    )


async def test_who_may_only_look_changes_nothing(api: Hands, queue: Campaign) -> None:
    answer = await api.ask("POST", f"/call_center/queues/{queue.id}/members", json=one(), role=Role.READ_ONLY)
    assert (answer.status_code, answer.json()["id"]) == (403, "app.forbidden")
    assert await api.store.bases(queue.id) == []


async def test_a_queue_is_a_campaign(api: Hands, queue: Campaign) -> None:
    await add(api, queue, one())
    shown = (await api.ask("GET", f"/call_center/queues/{queue.id}")).json()
    assert {key: shown[key] for key in ("id", "name", "type", "enabled", "count", "waiting", "active")} == {
        "id": str(queue.id),
        "name": "demo",
        "type": 4,
        "enabled": False,
        "count": 1,
        "waiting": 1,
        "active": 0,
    }
    await api.campaign("other")
    listed = (await api.ask("GET", "/call_center/queues", params={"q": "oth*"})).json()
    assert [row["name"] for row in listed["items"]] == ["other"]


# --- many at a time --------------------------------------------------------------------------------------------------


async def test_thousands_are_loaded_at_once_and_none_of_it_in_the_thread_of_the_calls(
    api: Hands, queue: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their body and their numbers are read elsewhere, and no transaction has more than a batch of them."""
    items = [one(f"+44770090{n:04}", name=f"m{n}", priority=n) for n in range(1200)]
    items[7]["communications"][0]["destination"] = "Reception"
    items[8]["expire_at"] = NOW - 1
    read, add_to_upload, parse = api.services.read_number, api.store.add_to_upload, Bulk.model_validate_json
    threads, sizes = set[int](), list[int]()

    def reading(text: str, kind: str) -> NewNumber:
        threads.add(threading.get_ident())
        return read(text, kind)

    def parsing(raw: bytes) -> Bulk:
        threads.add(threading.get_ident())
        return parse(raw)

    async def adding(_upload: BaseUpload, contacts: Sequence[NewContact], *more: Any) -> Sequence[int]:
        sizes.append(len(contacts))
        return await add_to_upload(_upload, contacts, *more)

    object.__setattr__(api.services, "read_number", reading)
    monkeypatch.setattr(Bulk, "model_validate_json", parsing)
    monkeypatch.setattr(api.store, "add_to_upload", adding)
    answer = await api.ask("POST", f"/call_center/queues/{queue.id}/members/bulk", json={"items": items})
    assert threads
    assert threading.get_ident() not in threads
    assert sizes == [BATCH, BATCH, len(items) - 2 * BATCH]
    ids = answer.json()["ids"]
    assert len(set(ids)) == len(items)
    shown = (await api.ask("GET", f"/call_center/queues/{queue.id}/members", params={"id": ids[6:9]})).json()["items"]
    assert [(each["name"], each["priority"], each["stop_cause"]) for each in reversed(shown)] == [
        ("m6", 6, ""),
        ("m7", 7, "invalid_number_format"),
        ("m8", 8, "expired"),
    ]
    assert (await api.store.counts(queue.id)).ready == len(items) - 2


async def test_a_bucket_that_is_made_while_members_are_read_is_theirs(
    api: Hands, queue: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, read = asyncio.get_running_loop(), incoming.new_contacts

    def reading(*arguments: Any, **more: Any) -> Any:
        made = api.ask("POST", "/call_center/buckets", json={"name": "vip"})
        assert asyncio.run_coroutine_threadsafe(made, loop).result(20).json()["id"] == "1"
        return read(*arguments, **more)

    monkeypatch.setattr(incoming, "new_contacts", reading)
    made = await add(api, queue, one(bucket={"id": "1"}))
    assert made["bucket"] == {"id": "1", "name": "vip"}
    assert (await contact(api, made)).bucket == "vip"
    listed = (await api.ask("GET", "/call_center/buckets")).json()["items"]
    assert [(each["id"], each["name"]) for each in listed] == [("1", "vip")]


async def test_of_many_none_is_loaded_if_the_store_fails_on_the_way(
    api: Hands, queue: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_to_upload, batches = api.store.add_to_upload, 0

    async def fails(*arguments: Any) -> Sequence[int]:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise Unavailable("the disk is full")
        return await add_to_upload(*arguments)

    monkeypatch.setattr(api.store, "add_to_upload", fails)
    url, body = f"/call_center/queues/{queue.id}/members/bulk", {"items": [one()] * 1001}
    answer = await api.ask("POST", url, json=body)
    assert (answer.status_code, answer.json()["id"], batches) == (503, "app.unavailable", 2)
    assert (await api.ask("GET", f"/call_center/queues/{queue.id}/members")).json()["items"] == []
    assert await api.store.bases(queue.id) == []
    assert len((await api.ask("POST", url, json=body)).json()["ids"]) == 1001
