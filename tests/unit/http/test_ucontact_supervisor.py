"""queuesummary and campaignstatus, from the live view, with the keys of the source document in their order."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, Hands, hands
from ucontact_hands import ANA, agent_row, post, refused

from astdialer.domain.queue import QueueFigures

SUMMARY, STATUS = "Supervisor/queuesummary", "Supervisor/campaignstatus"
SAMPLES = {each["id"]: each for each in json.loads((Path(__file__).parents[2] / "requests.json").read_text())}
BO = "Local/1002@agents/n"
BUSY_HOUR = {
    "strategy": "leastrecent",
    "waiting": 3,
    "longest_wait_s": 220,
    "logged_in": 10,
    "available": 5,
    "completed": 7,
    "abandoned": 1,
    "hold_s": 18,
    "talk_s": 3730,
    "service_level_s": 15,
    "service_level": 85.7,
    "service_level_2": 75.0,
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("Power<-", queue="sales", wrap_up_s="20")
        await opened.campaign("test->", queue="care", wrap_up_s="0", tenant="a")
        await opened.campaign("news", queue="", mode="broadcast")
        yield opened


def figures(queue: str, **known: Any) -> dict[str, Any]:
    return asdict(QueueFigures(server="default", queue=queue, **known)) | {"asked_at": NOW - 2000}


async def see(api: Hands, *agents: dict[str, Any], **more: Any) -> None:
    """An engine with queues sales, which is busy, and inbound, which is no campaign's."""
    campaigns = [{"campaign": name, "server": "default"} for name in ("Power<-", "test->", "news")]
    queues = [figures("sales", **BUSY_HOUR), figures("inbound")]
    await api.view(campaigns=campaigns, queues=queues, agents=list(agents), **more)


def keys(sample: Any) -> Any:
    return list(sample)


# --- queuesummary ----------------------------------------------------------------------------------------------------


async def test_a_summary_of_every_queue_and_asterisks_end_of_the_list(api: Hands) -> None:
    await see(api)
    answer = await post(api, SUMMARY)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    power, inbound, test, end = answer.json()
    assert power == {
        "queue": "Power<-",
        "loggedIn": 10,
        "available": 5,
        "callers": 3,
        "holdTime": 18,
        "talkTime": 3730,
        "longestHoldTime": 220,
        "internalActionId": power["internalActionId"],
        "dateReceived": "Oct 9, 2025 8:53:20 AM",
    }
    assert (inbound["queue"], test["queue"]) == ("inbound", "test->")
    assert {key: value for key, value in test.items() if value == 0} == dict.fromkeys(list(test)[1:7], 0)
    sample = SAMPLES["UC-23"]["expect"]["body"]
    assert [keys(power), keys(end)] == [keys(sample[0]), keys(sample[-1])]
    assert {each["internalActionId"] for each in answer.json()} == {end["internalActionId"]}
    assert re.fullmatch(r"\d+_\d+", end["internalActionId"])


@pytest.mark.parametrize(
    ("minute", "text"),
    [
        (0, "Oct 9, 2025 8:53:20 AM"),
        (187, "Oct 9, 2025 12:00:20 PM"),
        (907, "Oct 10, 2025 12:00:20 AM"),
        (1634, "Oct 10, 2025 12:07:20 PM"),
        (350_000, "Jun 9, 2026 10:13:20 AM"),
    ],
)
async def test_dates_as_the_source_document_has_them(api: Hands, minute: int, text: str) -> None:
    api.clock.at = NOW + minute * 60_000
    await see(api)
    assert (await post(api, SUMMARY)).json()[-1]["dateReceived"] == text


# --- campaignstatus --------------------------------------------------------------------------------------------------


async def test_the_status_of_every_queue(api: Hands) -> None:
    members = [
        agent_row(code=1),
        agent_row("PJSIP/2", code=0, paused=True, pause_reason="lunch"),
        agent_row("PJSIP/3", code=2),
        agent_row("PJSIP/4", code=6, paused=True),
        agent_row("PJSIP/5", code=5),
        agent_row("PJSIP/6", code=4, paused=True),
        agent_row("PJSIP/7", code=9, paused=True, pause_reason="astdialer: wrap-up"),
        agent_row("PJSIP/8", code=1, paused=True, reserved=True, pause_reason="astdialer: reserved"),
        agent_row("PJSIP/9", "care", code=1),
    ]
    await see(api, *members)
    answer = (await post(api, STATUS, {"queue": ""})).json()
    assert list(answer) == ["Power<-", "inbound", "test->"]
    assert answer["Power<-"] == {
        "campaign": "Power<-",
        "availables": 1,
        "notavailables": 2,
        "paused": 1,
        "busy": 2,
        "busypaused": 1,
        "totalagents": 8,
        "logged": 6,
        "onwrapup": 1,
        "completed": 7,
        "abandoned": 1,
        "talked": "01:02:10-3730",
        "hold": "00:00:18-18",
        "abandonedlevel": "12",
        "totalcalls": 8,
        "acd": 3,
        "servicelevel": "85.7",
        "servicelevel2": "75.0",
        "strategy": "leastrecent",
        "slevelthreshold": "15",
        "wrapup": 20,
    }
    sample = SAMPLES["UC-24"]["expect"]["body"]["Power<-"]
    assert keys(answer["Power<-"]) == keys(sample)
    assert {key: type(value) for key, value in answer["Power<-"].items()} == {k: type(v) for k, v in sample.items()}
    quiet = answer["inbound"]
    assert (quiet["talked"], quiet["servicelevel"], quiet["abandonedlevel"]) == ("00:00:00-0", "0.0", "0")
    assert (answer["test->"]["availables"], answer["test->"]["strategy"]) == (1, "")


async def test_the_status_of_one_queue_has_its_members(api: Hands) -> None:
    ana = agent_row(code=9, last_call_at=NOW - 5000, calls_taken=4, since=NOW - 5000)
    bo = agent_row(
        BO,
        name="Bo Li",
        code=5,
        paused=True,
        pause_reason="lunch",
        in_call=True,
        penalty=2,
        state_interface="PJSIP/1002",
        since=NOW - 3_723_000,
    )
    await see(api, ana, bo, agent_row("PJSIP/9", "care"))
    answer = (await post(api, STATUS, {"queue": "Power<-"})).json()
    assert list(answer) == ["Power<-", ANA, BO]
    stamp = answer[ANA]["internalActionId"]
    assert answer[ANA] == {
        "queue": "Power<-",
        "location": ANA,
        "membership": "",
        "name": "Ana",
        "penalty": 0,
        "callsTaken": 4,
        "lastCall": (NOW - 5000) // 1000,
        "status": 9,
        "paused": False,
        "stateinterface": ANA,
        "incall": 0,
        "pausedreason": "",
        "internalActionId": stamp,
        "dateReceived": "Oct 9, 2025 8:53:15 AM",
        "server": "00:00:05",
    }
    assert (answer[BO]["server"], answer[BO]["stateinterface"]) == ("01:02:03", "PJSIP/1002")
    assert (answer[BO]["incall"], answer[BO]["pausedreason"], answer[BO]["penalty"]) == (1, "lunch", 2)
    sample = SAMPLES["UC-25"]["expect"]["body"]["SIP/1010"]
    assert keys(answer[BO]) == keys(sample)
    assert {key: type(value) for key, value in answer[BO].items()} == {k: type(v) for k, v in sample.items()}


@pytest.mark.parametrize("name", ["Power<-", "Pówer<-", "inbound"])
async def test_a_queue_may_be_named_as_ucontact_spells_it(api: Hands, name: str) -> None:
    await see(api)
    assert next(iter((await post(api, STATUS, {"queue": name})).json())) in ("Power<-", "inbound")


async def test_a_queue_that_is_not_there(api: Hands) -> None:
    await see(api)
    status, text = await refused(api, STATUS, {"queue": "gone->"})
    assert (status, text) == (404, "no queue 'gone->': there are Power<-, inbound, test->")


async def test_a_tenant_sees_its_campaigns_queue_alone(api: Hands) -> None:
    await see(api, agent_row(), agent_row("PJSIP/9", "care"))
    assert list((await post(api, STATUS, tenant="a")).json()) == ["test->"]
    assert [each.get("queue") for each in (await post(api, SUMMARY, tenant="a")).json()] == ["test->", None]
    assert list((await post(api, STATUS, {"queue": "test->"}, tenant="a")).json()) == ["test->", "PJSIP/9"]
    for name in ("Power<-", "inbound", "sales"):
        assert (await refused(api, STATUS, {"queue": name}, tenant="a"))[0] == 404


async def test_without_an_engine_nobody_knows(api: Hands) -> None:
    for path in (SUMMARY, STATUS):
        status, text = await refused(api, path)
        assert (status, "the engine is not running" in text) == (503, True)
