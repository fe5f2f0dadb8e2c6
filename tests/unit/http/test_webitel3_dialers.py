"""/api/v2/dialer: dialers as Webitel's clients know them."""

import asyncio
import copy
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, hands
from webitel3_hands import DIALER, UNKNOWN, Webitel, dialer

from astdialer.domain.access import Role
from astdialer.domain.agent import AgentProfile
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import CampaignState
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound
from astdialer.domain.route import Destination, Route
from astdialer.domain.settings import Mode
from astdialer.engine import campaigns

PATH = "/api/v2/dialer"
#: Takes ages for some numbers.
SLOW = r"^(\d|\d\d|\d\d\d)+[x-z]$"


@pytest.fixture
async def webitel(tmp_path: Path) -> AsyncIterator[Webitel]:
    async with hands(tmp_path, tenant_queues=("a:sales", "b:sales")) as opened:
        yield Webitel(opened)


def without_uuids(document: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(document)
    for resource in found["resources"]:
        for destination in resource["destinations"]:
            del destination["uuid"]
    return found


# --- made, shown, changed, removed -----------------------------------------------------------------------------------


async def test_a_dialer_is_answered_as_mongo_does_and_shown_with_every_field(webitel: Webitel) -> None:
    answer = await webitel.ask("POST", PATH, DIALER)
    (made,) = answer.json()["data"]["insertedIds"]
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "OK",
        "data": {"result": {"ok": 1, "n": 1}, "ops": [], "insertedCount": 1, "insertedIds": [made]},
    }
    assert len(made) == 24
    shown = await webitel.data("GET", f"{PATH}/{made}")
    assert {key: without_uuids(shown)[key] for key in DIALER} == DIALER
    assert len(shown["resources"][0]["destinations"][0]["uuid"]) == 36
    known = {key: shown[key] for key in ("_id", "domain", "state", "active", "_cause", "lastModified")}
    assert known == {
        "_id": made, "domain": "", "state": 0, "active": False, "_cause": "INIT", "lastModified": NOW
    }  # fmt: skip
    assert shown["stats"]["callCount"] == 0


async def test_it_is_a_campaign_with_the_settings_of_its_document(webitel: Webitel) -> None:
    await webitel.data("POST", PATH, DIALER)
    (campaign,) = await webitel.store.campaigns()
    settings = campaign.settings
    assert (campaign.name, campaign.state) == ("myPredictiveDialer", CampaignState.IDLE)
    assert (settings.mode, settings.max_calls, settings.short_call_s) == (Mode.PREDICTIVE, 10, 10)
    (route,) = await webitel.store.routes()
    assert settings.routes == route.name == f"myPredictiveDialer.{campaign.id}.1"
    assert route == Route(route.name, r"^\+?60(\d{8,11})$", (Destination("testDialer", "0$1"),))
    (event,) = [each for each in await webitel.store.history(campaign.id, 9) if each.event == "created"]
    assert event.done_by == "integration"


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"name": ""}, "Name is required"),
        ({"name": None}, "Name is required"),
        ({"type": None}, "Type is required"),
        ({"calendar": None}, "Calendar is required"),
        ({"calendar": {"name": "WorksDay"}}, "Calendar is required"),
        ({"type": "Robot"}, 'type = "Robot": expected one of Predictive Dialer'),
        ({"parameters": {"limit": 0}}, "parameters.limit = '0': expected a whole number from 1 to 10000"),
        ({"parameters": []}, "parameters = []: expected an object"),
        ({"amd": {"enabled": "perhaps"}}, 'amd.enabled = "perhaps": expected true or false'),
        ({"resources": [{"dialedNumber": SLOW, "destinations": []}]}, "resources[0].dialedNumber = "),
        ({"resources": [{"dialedNumber": "(", "destinations": []}]}, "resources[0].dialedNumber = '('"),
        ({"resources": {"dialedNumber": "x"}}, "resources = "),
        ({"resources": ["x"]}, 'resources[0] = "x": expected an object'),
        ({"communications": {"types": [{"code": "1", "ranges": [{"startTime": 9, "endTime": 9}]}]}}, "endTime = 9"),
        ({"causesError": ["NONSENSE"]}, "NONSENSE"),
        ({"astdialer": {"no_such": 1}}, "astdialer.no_such = '1': expected a known setting"),
        ({"astdialer": {"max_calls": {}}}, "astdialer.max_calls = {}: expected text"),
    ],
)
async def test_what_cant_be_said_is_refused_with_its_place_and_nothing_is_made(
    webitel: Webitel, missing: dict[str, Any], words: str
) -> None:
    status, info = await webitel.refused("POST", PATH, dialer(**missing))
    assert status == 400
    assert words in info
    assert await webitel.store.campaigns() == []
    assert await webitel.store.routes() == []


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b'{"a": NaN}', b'{"name": "\\ud800"}', b"[" * 5000, b"\xff\xfe"])
async def test_a_body_that_is_no_object_is_refused(webitel: Webitel, body: bytes) -> None:
    answer = await webitel.ask("POST", PATH, content=body)
    assert (answer.status_code, answer.json()["status"]) == (400, "error")


async def test_names_may_be_anything_and_are_kept(webitel: Webitel) -> None:
    names = ["Обзвон; должников\r\n", "Обзвон", "Demo №1 <b>", "Demo №1 <b>"]
    for name in names:
        await webitel.data("POST", PATH, dialer(name=name))
    ours = [one.name for one in await webitel.store.campaigns()]
    assert sorted(ours) == ["Demo-No1-b", "Demo-No1-b-2", "dialer", "dialer-2"]
    assert sorted(row["name"] for row in await webitel.data("GET", PATH)) == sorted(names)


async def test_a_change_takes_the_place_of_whole_keys_at_the_top(webitel: Webitel) -> None:
    path = await webitel.dialer()
    before = await webitel.data("GET", path)
    webitel.clock.at += 5000
    changed = await webitel.ask(
        "PUT", path, {"parameters": {"limit": 7}, "_id": "x", "domain": "y", "state": 1, "active": True, "stats": 5}
    )
    assert changed.json() == {"status": "OK", "data": {"ok": 1, "nModified": 1, "n": 1}}
    after = await webitel.data("GET", path)
    assert after["parameters"] == {"limit": 7}
    assert after["lastModified"] == before["lastModified"] + 5000
    same = {key for key in before if before[key] == after[key]}
    assert before.keys() - same == {"parameters", "lastModified", "stats"}
    (campaign,) = await webitel.store.campaigns()
    assert (campaign.settings.max_calls, campaign.settings.max_tries) == (7, 5)


async def test_what_was_changed_by_command_stays_unless_the_document_says_otherwise(webitel: Webitel) -> None:
    path = await webitel.dialer()
    (campaign,) = await webitel.store.campaigns()
    await campaigns.change(
        webitel.store, webitel.clock, campaign.name, {"priority": "5", "calling_hours": "09:00-10:00"}
    )
    await webitel.data("PUT", path, {"description": "new"})
    assert (await webitel.store.campaign(campaign.name)).settings.priority == 5
    await webitel.data("PUT", path, {"priority": 9})
    settings = (await webitel.store.campaign(campaign.name)).settings
    assert (settings.priority, settings.calling_hours) == (9, "09:00-10:00")


async def test_resources_that_are_gone_leave_no_route_behind(webitel: Webitel) -> None:
    path = await webitel.dialer()
    two = [{"dialedNumber": each, "destinations": [{"gwName": "testDialer"}]} for each in ("^1", "^2")]
    await webitel.data("PUT", path, {"resources": two})
    assert [route.pattern for route in await webitel.store.routes()] == ["^1", "^2"]
    await webitel.data("PUT", path, {"resources": two[1:]})
    (route,) = await webitel.store.routes()
    (campaign,) = await webitel.store.campaigns()
    assert (route.pattern, campaign.settings.routes) == ("^2", route.name)


async def test_a_bad_change_changes_nothing(webitel: Webitel) -> None:
    path = await webitel.dialer()
    before = await webitel.data("GET", path)
    bad = {"resources": [], "parameters": {"limit": -1}}
    assert (await webitel.refused("PUT", path, bad))[0] == 400
    assert await webitel.data("GET", path) == before
    assert len(await webitel.store.routes()) == 1


async def test_a_running_dialer_loses_nothing_that_it_needs(webitel: Webitel) -> None:
    path = await webitel.dialer()
    await webitel.data("PUT", f"{path}/state/1")
    elsewhere = {"resources": [{"dialedNumber": ".", "destinations": [{"gwName": "gone"}]}]}
    assert await webitel.refused("PUT", path, elsewhere) == (
        400,
        f"dialer {path[-24:]} is active: there is no trunk 'gone', which is a gwName: astdialer trunk create gone",
    )
    status, info = await webitel.refused("PUT", path, {"calendar": {"id": UNKNOWN, "name": "gone"}})
    assert (status, "is active: there is no calendar" in info) == (400, True)
    await webitel.data("PUT", path, {"parameters": {"limit": 3}})
    assert (await webitel.store.campaigns())[0].settings.max_calls == 3


async def test_a_refused_change_of_a_running_dialer_leaves_its_routes(webitel: Webitel) -> None:
    path = await webitel.dialer()
    await webitel.data("PUT", f"{path}/state/1")
    routes, before = await webitel.store.routes(), await webitel.data("GET", path)
    elsewhere = [{"dialedNumber": "^44", "destinations": [{"gwName": "testDialer", "dialString": "0$&"}]}]
    status, _ = await webitel.refused("PUT", path, {"calendar": {"id": UNKNOWN}, "resources": elsewhere})
    assert status == 400
    assert await webitel.store.routes() == routes
    assert await webitel.data("GET", path) == before
    await webitel.data("PUT", path, {"resources": elsewhere * 2})
    assert [route.pattern for route in await webitel.store.routes()] == ["^44", "^44"]


async def test_of_changes_at_once_none_is_lost(webitel: Webitel) -> None:
    path = await webitel.dialer()
    await asyncio.gather(*(webitel.data("PUT", path, {f"key{n}": n}) for n in range(5)))
    shown = await webitel.data("GET", path)
    assert [shown[f"key{n}"] for n in range(5)] == list(range(5))


async def test_a_removed_dialer_is_gone_with_its_members_routes_and_history(webitel: Webitel) -> None:
    path = await webitel.dialer()
    member = await webitel.member(path, "+447700900001")
    removed = await webitel.ask("DELETE", path)
    assert removed.json() == {"status": "OK", "data": {"ok": 1, "n": 1}}
    assert await webitel.refused("GET", path) == (404, f"Not found {path[-24:]}")
    assert (await webitel.refused("GET", member))[0] == 404
    assert await webitel.store.routes() == []
    assert await webitel.data("GET", PATH) == []
    assert await webitel.store.foreign("webitel3", "dialer", "1") is None


async def test_an_active_dialer_is_not_removed(webitel: Webitel) -> None:
    path = await webitel.dialer()
    await webitel.data("PUT", f"{path}/state/1")
    status, info = await webitel.refused("DELETE", path)
    assert (status, "is running: stop it first" in info) == (400, True)
    assert (await webitel.data("GET", path))["state"] == 1


@pytest.mark.parametrize("path", ["", "/state/1", "/state/3", "/history", "/members", "/members/count"])
async def test_ids_that_are_none_and_ids_that_are_nobodys(webitel: Webitel, path: str) -> None:
    method = "PUT" if "state" in path else "GET"
    assert await webitel.refused(method, f"{PATH}/nonsense{path}") == (400, "Bad objectId.")
    assert await webitel.refused(method, f"{PATH}/{UNKNOWN}{path}") == (404, f"Not found {UNKNOWN}")
    assert (await webitel.refused(method, f"{PATH}/61737464{'f' * 16}{path}"))[0] == 404


@pytest.mark.parametrize(("method", "path"), [("GET", "/x/y/z?a=1"), ("PATCH", ""), ("POST", "/x/templates")])
async def test_an_unknown_route_is_said_with_its_url(webitel: Webitel, method: str, path: str) -> None:
    assert await webitel.refused(method, PATH + path) == (404, f"{PATH}{path} not found.")


# --- states ----------------------------------------------------------------------------------------------------------


async def test_a_dialer_is_started_and_stopped(webitel: Webitel) -> None:
    path = await webitel.dialer()
    started = await webitel.ask("PUT", f"{path}/state/1")
    assert (started.status_code, started.json()) == (200, {"status": "OK"})
    shown = await webitel.data("GET", path)
    assert (shown["state"], shown["active"], shown["_cause"]) == (1, True, "QUEUE_HUNTING")
    assert shown["stats"]["readyOn"] == NOW
    assert (await webitel.ask("PUT", f"{path}/state/1")).json() == {"status": "OK"}
    assert (await webitel.ask("PUT", f"{path}/state/3")).json() == {"status": "OK"}
    shown = await webitel.data("GET", path)
    assert (shown["state"], shown["active"], shown["_cause"]) == (3, False, "QUEUE_STOP")
    assert (await webitel.store.campaigns())[0].state is CampaignState.STOPPING
    assert (await webitel.ask("PUT", f"{path}/state/3")).json() == {"status": "OK"}


async def test_outside_its_calendar_it_sleeps(webitel: Webitel) -> None:
    night = [{"weekDay": 1, "startTime": 0, "endTime": 60}]
    path = await webitel.dialer(calendar={"id": await webitel.calendar(accept=night), "name": "night"})
    await webitel.data("PUT", f"{path}/state/1")
    shown = await webitel.data("GET", path)
    assert (shown["state"], shown["active"], shown["_cause"]) == (2, True, "QUEUE_SLEEP")
    assert shown["stats"]["minuteOfDay"] is None


@pytest.mark.parametrize(
    ("state", "explanation", "number", "cause"),
    [
        (CampaignState.PAUSED, "", 3, "QUEUE_STOP"),
        (CampaignState.STOPPED, "", 3, "QUEUE_STOP"),
        (CampaignState.FINISHED, "every contact is done", 4, "QUEUE_COMPLETE"),
        (CampaignState.FINISHED, "its calendar has ended", 4, "QUEUE_EXPIRE"),
        (CampaignState.ERROR, "its calendar is gone", 5, "QUEUE_ERROR"),
    ],
)
async def test_every_state_has_its_number_and_its_cause(
    webitel: Webitel, state: CampaignState, explanation: str, number: int, cause: str
) -> None:
    path = await webitel.dialer()
    await webitel.member(path, "+447700900001")
    (campaign,) = await webitel.store.campaigns()
    await webitel.store.set_state(campaign.id, state, explanation=explanation, now=NOW)
    shown = await webitel.data("GET", path)
    assert (shown["state"], shown["active"], shown["_cause"]) == (number, False, cause)


async def test_a_dialer_that_finishes_without_members_says_so(webitel: Webitel) -> None:
    path = await webitel.dialer()
    (campaign,) = await webitel.store.campaigns()
    await webitel.store.set_state(campaign.id, CampaignState.FINISHED, now=NOW)
    assert (await webitel.data("GET", path))["_cause"] == "NOT_FOUND_MEMBER"


@pytest.mark.parametrize("state", ["0", "2", "4", "x", "01"])
async def test_any_other_state_is_refused(webitel: Webitel, state: str) -> None:
    path = await webitel.dialer()
    assert await webitel.refused("PUT", f"{path}/state/{state}") == (400, "Bad set state")
    assert (await webitel.data("GET", path))["state"] == 0


# --- what has to be there --------------------------------------------------------------------------------------------


async def test_without_its_calendar_and_its_trunk_it_is_kept_and_not_started(webitel: Webitel) -> None:
    (made,) = (await webitel.data("POST", PATH, dialer(queue="sales")))["insertedIds"]
    status, info = await webitel.refused("PUT", f"{PATH}/{made}/state/1")
    assert status == 400
    assert "there is no calendar 'WorksDay' (594225b53c1956000b41db7b): POST /api/v2/calendars" in info
    assert "there is no trunk 'testDialer', which is a gwName: astdialer trunk create testDialer" in info
    assert (await webitel.data("GET", f"{PATH}/{made}"))["state"] == 0
    with pytest.raises(Exception, match="no calendar 'unknown-594225b53c1956000b41db7b'"):
        await campaigns.start(webitel.store, webitel.clock, "myPredictiveDialer")

    await webitel.trunk()
    assert "testDialer" not in (await webitel.refused("PUT", f"{PATH}/{made}/state/1"))[1]
    calendar = WorkingCalendar.from_dict({"name": "WorksDay", "hours": "mon-sun 00:00-24:00"})
    await webitel.store.save_calendar(calendar)
    assert (await webitel.ask("PUT", f"{PATH}/{made}/state/1")).json() == {"status": "OK"}
    assert (await webitel.store.campaign("myPredictiveDialer")).settings.calendar == "WorksDay"


async def test_a_calendar_is_found_by_its_id_before_its_name(webitel: Webitel) -> None:
    await webitel.store.save_calendar(WorkingCalendar.from_dict({"name": "WorksDay", "hours": "mon 10:00-11:00"}))
    made = await webitel.calendar(name="WorksDay")
    await webitel.data("POST", PATH, dialer(calendar={"id": made, "name": "something else"}))
    assert (await webitel.store.campaigns())[0].settings.calendar == "WorksDay-2"


async def test_a_resource_without_a_trunk_of_ours_is_told_at_the_start(webitel: Webitel) -> None:
    direct = [{"dialedNumber": ".", "destinations": [{"gwProto": "user", "dialString": "user/$1", "limit": 5}]}]
    path = await webitel.dialer(resources=direct)
    status, info = await webitel.refused("PUT", f"{path}/state/1")
    assert (status, "resources[0].destinations[0]: gwProto has to be sip" in info) == (400, True)
    blocked = [{"dialedNumber": ".", "destinations": [{"gwName": "testDialer", "limit": 0}]}]
    await webitel.data("PUT", path, {"resources": blocked})
    status, info = await webitel.refused("PUT", f"{path}/state/1")
    assert (status, "none of its resources has a destination that is enabled" in info) == (400, True)


async def test_the_queue_is_the_documents_else_the_configured_else_the_only_one(webitel: Webitel) -> None:
    path = await webitel.dialer(queue=None)
    status, info = await webitel.refused("PUT", f"{path}/state/1")
    assert (status, "needs agents: set queue=NAME" in info) == (400, True)
    agent = {"agent": "PJSIP/100", "queue": "only"}
    await webitel.hands.view(agents=[agent, agent | {"agent": "PJSIP/200"}])
    assert (await webitel.ask("PUT", f"{path}/state/1")).json() == {"status": "OK"}
    assert (await webitel.store.campaigns())[0].settings.queue == "only"


async def test_the_configuration_names_queue_and_trunk_for_those_who_do_not(tmp_path: Path) -> None:
    async with hands(tmp_path, default_queue="support", default_trunk="carrier") as opened:
        webitel = Webitel(opened)
        await webitel.dialer(queue=None, resources=[])
        settings = (await webitel.store.campaigns())[0].settings
        assert (settings.queue, settings.trunk, settings.routes) == ("support", "carrier", "")


async def test_a_broadcast_without_a_file_goes_to_its_scenario(webitel: Webitel) -> None:
    path = await webitel.dialer(type="Voice Broadcasting", _cf=[{"setVar": "a=1"}])
    assert (await webitel.store.campaigns())[0].settings.goto == f"astdialer-scenarios,{path[-24:]},1"
    assert (await webitel.ask("PUT", f"{path}/state/1")).json() == {"status": "OK"}


# --- what was made elsewhere -----------------------------------------------------------------------------------------


async def test_a_campaign_of_the_command_is_shown_as_a_document(webitel: Webitel) -> None:
    made = await webitel.hands.campaign(
        "spring", mode="preview", max_calls="4", ranges="M=09:00-12:00/2@10", params="a=1", skills="english"
    )
    (shown,) = await webitel.data("GET", PATH)
    assert (shown["name"], shown["type"], shown["parameters"]["limit"]) == ("spring", "Progressive Dialer", 4)
    assert shown["_id"] == f"61737464{made.id:016x}"
    assert shown["variables"] == {"a": "1"}
    assert shown["skills"] == ["english"]
    assert shown["communications"]["types"][0]["ranges"][0] == {
        "startTime": 540, "endTime": 720, "attempts": 2, "priority": 10
    }  # fmt: skip
    assert shown["resources"][0]["destinations"][0]["gwName"] == "carrier"
    assert shown["calendar"] == {}


async def test_changing_it_changes_what_is_said_and_nothing_else(webitel: Webitel) -> None:
    made = await webitel.hands.campaign("spring", mode="power", lines_per_agent="3", contact_strategy="priority")
    path = f"{PATH}/61737464{made.id:016x}"
    await webitel.data("PUT", path, {"parameters": {"limit": 9}, "description": "x"})
    settings = (await webitel.store.campaign("spring")).settings
    assert (settings.max_calls, settings.mode, settings.trunk, settings.routes) == (9, Mode.POWER, "carrier", "")
    assert await webitel.store.routes() == []
    shown = await webitel.data("GET", path)
    assert (shown["description"], shown["parameters"]) == ("x", {"limit": 9})


async def test_it_leaves_by_resources_once_it_has_some(webitel: Webitel) -> None:
    made = await webitel.hands.campaign("spring")
    path = f"{PATH}/61737464{made.id:016x}"
    await webitel.data("PUT", path, {"resources": [{"dialedNumber": "^44", "destinations": [{"gwName": "carrier"}]}]})
    (route,) = await webitel.store.routes()
    settings = (await webitel.store.campaign("spring")).settings
    assert (settings.trunk, settings.routes, route.pattern) == ("", route.name, "^44")


# --- lists -----------------------------------------------------------------------------------------------------------


async def test_lists_have_pages_columns_sort_and_filters(webitel: Webitel) -> None:
    for name, priority in (("a", 1), ("b", 3), ("c", 2)):
        await webitel.data("POST", PATH, dialer(name=name, priority=priority))

    async def names(query: str) -> list[str]:
        return [row["name"] for row in await webitel.data("GET", f"{PATH}?{query}")]

    assert await names("") == ["a", "b", "c"]
    assert await names("limit=2") == ["a", "b"]
    assert await names("limit=2&page=2") == ["c"]
    assert await names('sort={"priority":-1}') == ["b", "c", "a"]
    assert await names('filter={"priority":{"$gte":2}}') == ["b", "c"]
    (row, *_) = await webitel.data("GET", f"{PATH}?columns=name,state")
    assert set(row) == {"_id", "name", "state"}


@pytest.mark.parametrize(
    "query",
    ["limit=x", "page=-1", "filter={", "filter=[]", 'filter={"a":{"$where":"1"}}', 'sort={"a":2}', 'columns={"a":"b"}'],
)
async def test_a_list_that_cant_be_read_is_refused(webitel: Webitel, query: str) -> None:
    assert (await webitel.refused("GET", f"{PATH}?{query}"))[0] == 400


# --- figures ---------------------------------------------------------------------------------------------------------


async def test_statistics_count_calls_and_are_zeroed(webitel: Webitel) -> None:
    path = await webitel.dialer(parameters={"waitingForResultStatus": False}, amd={"enabled": True})
    for n, disposition in enumerate((Disposition.BUSY, Disposition.MACHINE, Disposition.ABANDONED)):
        await webitel.call(await webitel.member(path, f"+4477009000{n:02}"), disposition)
    await webitel.talk(await webitel.member(path, "+447700900077"))
    stats = (await webitel.data("GET", path))["stats"]
    counted = ("callCount", "successCall", "errorCall", "connectedCall", "bridgedCall", "predictAbandoned", "amd")
    assert [stats[key] for key in counted] == [4, 1, 3, 3, 1, 1, {"HUMAN": 2, "MACHINE": 1}]

    await webitel.data("PUT", f"{path}/reset", {"resetProcess": True, "resetAgents": True})
    assert (await webitel.data("GET", path))["stats"]["callCount"] == 4
    await webitel.data("PUT", f"{path}/reset", {"resetStats": True})
    assert (await webitel.data("GET", path))["stats"]["callCount"] == 0


async def test_an_active_dialer_is_not_reset(webitel: Webitel) -> None:
    path = await webitel.dialer()
    await webitel.data("PUT", f"{path}/state/1")
    status, info = await webitel.refused("PUT", f"{path}/reset", {"resetStats": True})
    assert (status, "is active: stop it first" in info) == (400, True)


async def test_the_history_is_told_in_webitels_words(webitel: Webitel) -> None:
    path = await webitel.dialer()
    await webitel.data("PUT", f"{path}/state/1")
    answer = (await webitel.ask("GET", f"{path}/history?limit=1")).json()
    (row,) = answer["info"]
    assert (row["action"], row["value"], row["createdOn"], row["dialer"]) == ("QUEUE_HUNTING", "Start", NOW, path[-24:])
    assert len(row["_id"]) == 24
    rows = (await webitel.ask("GET", f'{path}/history?filter={{"action":"CREATED"}}')).json()["info"]
    assert len(rows) == 1


async def test_agents_have_their_day_with_the_dialer(webitel: Webitel) -> None:
    path = await webitel.dialer(parameters={"waitingForResultStatus": False})
    await webitel.talk(await webitel.member(path, "+447700900001"))
    row = {"queue": "sales", "paused": False, "pause_reason": "", "reserved": False, "last_call_at": NOW}
    free = row | {"agent": "PJSIP/100", "status": "NOT_INUSE", "free": True}
    away = row | {"agent": "PJSIP/200", "status": "NOT_INUSE", "free": False, "paused": True, "pause_reason": "lunch"}
    await webitel.hands.view(agents=[free, away])
    rows = await webitel.data("POST", f"{path}/agents/stats", {"agents": ["100@site", "200", "300"], "skills": []})
    assert [(each["name"], each["status"], each["state"], each["bridged_count"]) for each in rows] == [
        ("100", "Available", "Waiting", 1),
        ("200", "On Break", "Idle", 0),
    ]
    assert rows[0]["call_time_sec"] == 15


async def test_agents_have_to_be_named(webitel: Webitel) -> None:
    path = await webitel.dialer()
    assert await webitel.refused("POST", f"{path}/agents/stats", {}) == (400, "Bad request: agent is required.")
    assert await webitel.refused("POST", f"{path}/agents/stats", {"agents": []}) == (
        400,
        "Bad request: skills is required.",
    )


# --- tenants ---------------------------------------------------------------------------------------------------------


async def test_a_tenants_dialers_are_its_own(webitel: Webitel) -> None:
    ours, theirs = (Webitel(webitel.hands, tenant=tenant) for tenant in ("a", "b"))
    path = await ours.dialer()
    assert (await ours.data("GET", path))["domain"] == "a"
    for method, where, body in (
        ("GET", path, None),
        ("PUT", path, {"name": "x"}),
        ("DELETE", path, None),
        ("PUT", f"{path}/state/1", None),
        ("GET", f"{path}/members", None),
        ("POST", f"{path}/members", {"communications": [{"number": "1"}]}),
    ):
        assert (await theirs.refused(method, where, body))[0] == 404, where
    assert await theirs.data("GET", PATH) == []


async def test_a_tenant_has_no_queue_of_others_and_no_dialplan(webitel: Webitel) -> None:
    ours = Webitel(webitel.hands, tenant="a")
    path = await ours.dialer()
    for known in ({"queue": "support"}, {"astdialer": {"goto": "boss,s,1"}}):
        for method, where in (("PUT", path), ("POST", PATH)):
            assert (await ours.refused(method, where, dialer(**known)))[0] == 403
    (kept,) = await webitel.store.campaigns()
    assert (kept.settings.queue, kept.settings.goto) == ("sales", "")


async def test_a_tenant_sees_the_agents_of_its_own_queues(webitel: Webitel) -> None:
    ours = Webitel(webitel.hands, tenant="a")
    path = await ours.dialer()
    row = {"server": "default", "paused": False, "pause_reason": "", "reserved": False, "last_call_at": NOW}
    own = row | {"agent": "PJSIP/100", "queue": "sales", "status": "NOT_INUSE", "free": True}
    foreign = row | {"agent": "PJSIP/200", "queue": "support", "status": "INUSE", "free": False}
    await webitel.hands.view(agents=[own, foreign])
    asked = {"agents": ["100", "200"], "skills": []}
    assert [each["name"] for each in await ours.data("POST", f"{path}/agents/stats", asked)] == ["100"]
    assert [each["name"] for each in await webitel.data("POST", f"{path}/agents/stats", asked)] == ["100", "200"]


async def test_who_has_no_tenant_chooses_one(webitel: Webitel) -> None:
    await webitel.trunk()
    (made,) = (await webitel.data("POST", f"{PATH}?domain=a", dialer()))["insertedIds"]
    (other,) = (await webitel.data("POST", PATH, dialer(domain="b")))["insertedIds"]
    assert {one.tenant for one in await webitel.store.campaigns()} == {"a", "b"}
    assert [row["_id"] for row in await webitel.data("GET", f"{PATH}?domain=a")] == [made]
    assert (await webitel.refused("GET", f"{PATH}/{other}?domain=a"))[0] == 404
    ours = Webitel(webitel.hands, tenant="a")
    assert [row["_id"] for row in await ours.data("GET", f"{PATH}?domain=b")] == [made]
    assert (await webitel.refused("GET", f"{PATH}?domain=%00"))[0] == 400


async def test_a_tenant_does_not_dial_by_anothers_calendar(webitel: Webitel) -> None:
    ours, theirs = (Webitel(webitel.hands, tenant=tenant) for tenant in ("a", "b"))
    foreign = await theirs.calendar(name="WorksDay")
    await webitel.trunk()
    for calendar in ({"id": foreign, "name": "x"}, {"id": UNKNOWN, "name": "WorksDay"}):
        (made,) = (await ours.data("POST", PATH, dialer(calendar=calendar, queue="sales")))["insertedIds"]
        status, info = await ours.refused("PUT", f"{PATH}/{made}/state/1")
        assert (status, "there is no calendar" in info) == (400, True)


async def test_roles_do_what_they_may(webitel: Webitel) -> None:
    path = await webitel.dialer()
    reader = Webitel(webitel.hands, Role.READ_ONLY)
    assert (await reader.data("GET", path))["state"] == 0
    assert (await reader.refused("PUT", path, {"name": "x"}))[0] == 403
    assert (await reader.refused("PUT", f"{path}/state/1"))[0] == 403
    agent = Webitel(webitel.hands, Role.AGENT)
    assert (await agent.refused("GET", path))[0] == 403


async def test_a_removed_name_is_free_for_the_document(webitel: Webitel) -> None:
    path = await webitel.dialer(name="spring")
    await webitel.data("DELETE", path)
    again = await webitel.dialer(name="spring")
    assert (await webitel.data("GET", again))["name"] == "spring"
    assert [one.name for one in await webitel.store.campaigns()] == ["spring-2"]
    with pytest.raises(NotFound):
        await webitel.store.campaign("spring")


# --- what others do meanwhile ----------------------------------------------------------------------------------------


async def test_a_campaign_of_the_command_is_started_as_well(webitel: Webitel) -> None:
    made = await webitel.hands.campaign("spring")
    path = f"{PATH}/61737464{made.id:016x}"
    assert (await webitel.ask("PUT", f"{path}/state/1")).json() == {"status": "OK"}
    assert (await webitel.store.campaign("spring")).state is CampaignState.RUNNING


async def test_the_only_trunk_may_be_made_later(webitel: Webitel) -> None:
    calendar = {"id": await webitel.calendar()}
    document = dialer(calendar=calendar, queue="sales", resources=[])
    (made,) = (await webitel.data("POST", PATH, document))["insertedIds"]
    status, info = await webitel.refused("PUT", f"{PATH}/{made}/state/1")
    assert (status, "no trunk: set trunk=NAME" in info) == (400, True)
    await webitel.trunk("later")
    assert (await webitel.ask("PUT", f"{PATH}/{made}/state/1")).json() == {"status": "OK"}
    assert (await webitel.store.campaigns())[0].settings.trunk == "later"


async def test_when_others_take_every_name_that_is_said(webitel: Webitel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("astdialer.http.webitel3.naming.NAME_TRIES", 1)
    await webitel.data("DELETE", await webitel.dialer(name="spring"))
    status, info = await webitel.refused("POST", PATH, dialer(name="spring"))
    assert (status, "choose another" in info) == (409, True)


async def test_a_route_that_others_have_come_to_use_stays(webitel: Webitel) -> None:
    path = await webitel.dialer()
    (route,) = await webitel.store.routes()
    await webitel.hands.campaign("other", routes=route.name)
    await webitel.data("DELETE", path)
    assert await webitel.store.routes() == [route]


async def test_a_document_that_cant_be_read_any_more_is_mended_by_a_change(webitel: Webitel) -> None:
    path = await webitel.dialer()
    kept = await webitel.store.foreign("webitel3", "dialer", "1")
    assert kept
    bad = dict(kept.body["document"]) | {"type": "of another version"}
    await webitel.store.save_foreign(replace(kept, body={"document": bad}))
    assert (await webitel.refused("PUT", path, {"description": "x"}))[0] == 400
    await webitel.data("PUT", path, {"type": "Voice Broadcasting"})
    assert (await webitel.store.campaigns())[0].settings.mode is Mode.BROADCAST


async def test_routes_of_the_command_are_resources(webitel: Webitel) -> None:
    await webitel.store.save_route(Route("uk", "^44", (Destination("carrier", "0$&", 3),), enabled=False))
    await webitel.hands.campaign("spring", routes="uk", caller_id="100")
    ((resource,),) = [row["resources"] for row in await webitel.data("GET", PATH)]
    (way,) = resource["destinations"]
    assert (resource["dialedNumber"], resource["disabled"]) == ("^44", True)
    assert [way[key] for key in ("gwName", "dialString", "order", "limit", "enabled")] == [
        "carrier",
        "0$&",
        3,
        30,
        True,
    ]


@pytest.mark.parametrize(
    ("row", "status", "state"),
    [
        ({"status": "INUSE", "free": False}, "Available", "In a queue call"),
        ({"status": "NOT_INUSE", "free": False, "reserved": True}, "Available", "Reserved"),
        ({"status": "UNAVAILABLE", "free": False}, "Logged Out", "Idle"),
        (
            {"status": "NOT_INUSE", "free": False, "paused": True, "pause_reason": "astdialer: wrap-up"},
            "Available",
            "Idle",
        ),
    ],
)
async def test_how_an_agent_stands(webitel: Webitel, row: dict[str, Any], status: str, state: str) -> None:
    path = await webitel.dialer()
    usual = {"queue": "sales", "paused": False, "pause_reason": "", "reserved": False, "last_call_at": None}
    agents = [usual | {"agent": "PJSIP/100"} | row, usual | {"agent": "PJSIP/999"} | row]
    await webitel.hands.view(agents=agents)
    await webitel.store.save_agent(AgentProfile(agent="100", skills=("english",)))
    (shown,) = await webitel.data("POST", f"{path}/agents/stats", {"agents": [], "skills": ["english"]})
    assert (shown["name"], shown["status"], shown["state"]) == ("100", status, state)


async def test_an_agent_who_is_gone_keeps_its_day(webitel: Webitel) -> None:
    path = await webitel.dialer(parameters={"waitingForResultStatus": False})
    await webitel.talk(await webitel.member(path, "+447700900001"))
    (shown,) = await webitel.data("POST", f"{path}/agents/stats", {"agents": ["100"], "skills": []})
    assert (shown["status"], shown["state"], shown["call_count"]) == ("Logged Out", "Idle", 1)
