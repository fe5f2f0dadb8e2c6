"""Webitel v4: agents and their pauses, calls by hand, buckets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from http_hands import Hands, hands

from astdialer.domain.access import Role
from astdialer.domain.agent import AgentProfile
from astdialer.domain.campaign import CampaignState
from astdialer.domain.trunk import Trunk
from astdialer.http.webitel4.ids import agent_number
from astdialer.ports import Order

GUID = "0b54f2a0-8bb5-4c7a-9c4e-6f1a52d1c001"
NUMBER = "+447700900001"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


def row(interface: str, name: str = "", **more: Any) -> dict[str, Any]:
    """An agent of the live view."""
    usual = {"code": 1, "paused": False, "pause_reason": "", "queue": "sales", "last_call_at": None}
    return {"agent": interface, "name": name or interface, "server": "default"} | usual | more


@contextlib.asynccontextmanager
async def engine(api: Hands, answers: Mapping[str, str], *agents: dict[str, Any]) -> AsyncIterator[list[Order]]:
    """An engine that sees these agents and answers orders, by their kind; a text without { is a failure. The clock
    stands still meanwhile: whoever waits for an answer gets it."""
    await api.view(agents=[*agents] or [row("PJSIP/1001", "Ana")])
    taken: list[Order] = []

    async def carry_out() -> None:
        while True:
            for order in await api.store.take_orders(api.clock.now()):
                taken.append(order)
                answer = answers[order.kind]
                await api.store.order_done(order.id, result=answer, failed=not answer.startswith("{"))
            await asyncio.sleep(0)

    task = asyncio.create_task(carry_out())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(api.clock, "sleep", lambda _: asyncio.sleep(0.001))
            yield taken
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


MADE = {"agent_call": json.dumps({"guid": GUID, "contact_id": 1})}


def wish(**more: Any) -> dict[str, Any]:
    return {"destination": NUMBER, "from": {"extension": "1001"}} | more


# --- calls -----------------------------------------------------------------------------------------------------------


async def test_the_agent_is_rung_and_then_the_destination(api: Hands) -> None:
    await api.campaign("spring")
    params = {"audio": True, "auto_answer": True, "record": True, "variables": {"additionalProp1": "string", "n": 2}}
    async with engine(api, MADE) as taken:
        answer = await api.ask("POST", "/api/calls", json=wish(destination="07700 900001", params=params))
    assert (answer.status_code, answer.json()) == (200, {"id": GUID})
    (order,) = taken
    assert order.body == {
        "campaign": "spring",
        "agent": "PJSIP/1001",
        "number": NUMBER,
        "zones": "",
        "data": {"additionalProp1": "string", "n": "2"},
        "auto_answer": True,
    }


async def test_the_request_as_it_stands_names_no_number(api: Hands) -> None:
    requests = json.loads((Path(__file__).parents[2] / "requests.json").read_text())
    body = next(each["body"] for each in requests if each["id"] == "W4-01")
    await api.campaign()
    answer = await api.ask("POST", "/calls", json=body)
    assert (answer.status_code, answer.json()["id"]) == (400, "app.invalid_setting")
    assert "destination = 'Destination number': expected a telephone number" in answer.json()["detail"]
    assert await api.orders() == []


async def test_a_call_belongs_to_the_campaign_of_the_agents_queue(api: Hands) -> None:
    """An active one before others, then the oldest; or the one that is named."""
    await api.campaign("other", queue="support")
    first, second = await api.campaign("first"), await api.campaign("second")
    async with engine(api, MADE, row("PJSIP/1001"), row("PJSIP/1001", queue="late")) as taken:
        await api.ask("POST", "/calls", json=wish())
        await api.store.set_state(second.id, CampaignState.RUNNING, now=0)
        await api.ask("POST", "/calls", json=wish())
        await api.ask("POST", f"/calls?queue_id={first.id}", json=wish())
        await api.ask("POST", "/calls", json=wish(params={"variables": {"campaign": "other", "a": "1"}}))
    assert [order.body["campaign"] for order in taken] == ["first", "second", "first", "other"]
    assert taken[-1].body["data"] == {"a": "1"}


async def test_the_only_campaign_is_meant_by_whoever_has_no_queue_of_one(api: Hands) -> None:
    await api.campaign("only", queue="support")
    async with engine(api, MADE) as taken:
        assert (await api.ask("POST", "/calls", json=wish())).status_code == 200
        await api.campaign("two", queue="more")
        answer = await api.ask("POST", "/calls", json=wish())
    assert [order.body["campaign"] for order in taken] == ["only"]
    assert (answer.status_code, "queue_id" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({"destination": ""}, 400, "destination"),
        ({"destination": "12"}, 400, "destination"),
        ({"destination": "1\r\nAction: Logoff"}, 400, "destination"),
        ({"from": {}}, 400, "from.extension"),
        ({"from": None}, 400, "from"),
        ({"from": {"extension": "1002"}}, 404, "1002"),
        ({"from": {"extension": "x\n"}}, 400, "from.extension"),
        ({"params": {"variables": {"a b": "1"}}}, 400, "params.variables"),
        ({"params": {"variables": {"campaign": "none"}}}, 404, "none"),
    ],
)
async def test_a_call_that_can_t_be_made_is_refused(api: Hands, body: dict[str, Any], status: int, where: str) -> None:
    await api.campaign()
    async with engine(api, MADE) as taken:
        answer = await api.ask("POST", "/calls", json=wish(**body))
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert where in answer.json()["detail"]
    assert taken == []


async def test_what_the_engine_can_t_do_is_a_conflict_and_without_one_nothing_is_done(api: Hands) -> None:
    await api.campaign()
    async with engine(api, {"agent_call": "agent PJSIP/1001 is on a call"}):
        busy = await api.ask("POST", "/calls", json=wish())
    assert (busy.status_code, busy.json()["detail"]) == (409, "agent PJSIP/1001 is on a call")
    await api.store.withdraw_live_view("test")
    api.services.live._read_at = -(10**9)
    away = await api.ask("POST", "/calls", json=wish())
    assert (away.status_code, away.json()["id"], away.headers["retry-after"]) == (503, "app.unavailable", "5")


async def test_an_agents_token_calls_by_its_own_telephone(api: Hands) -> None:
    await api.campaign()
    async with engine(api, MADE, row("PJSIP/1001"), row("PJSIP/1002")) as taken:
        own = await api.ask("POST", "/calls", json=wish(), role=Role.AGENT)
        other = await api.ask("POST", "/calls", json=wish(**{"from": {"extension": "1002"}}), role=Role.AGENT)
    assert (own.status_code, other.status_code, len(taken)) == (200, 403, 1)


async def test_a_call_that_is_not_there_is_neither_shown_nor_ended(api: Hands) -> None:
    for path in (f"/calls/{GUID}", f"/calls/active/{GUID}", "/calls/x"):
        assert (await api.ask("GET", path)).status_code == 404
        assert (await api.ask("DELETE", path)).status_code == 404
    assert (await api.ask("GET", "/calls/active")).json() == {"next": False, "items": []}


# --- agents ----------------------------------------------------------------------------------------------------------


async def test_agents_are_shown_with_what_they_do(api: Hands) -> None:
    await api.store.save_agent(AgentProfile(agent="agent7", name="Gina", skills=("french",), buckets=("vip",)))
    await api.view(
        agents=[
            row("PJSIP/1001", "Ana"),
            row("PJSIP/1001", "Ana", queue="support"),
            row("PJSIP/agent7", code=9),
            row("PJSIP/1003", code=5),
            row("PJSIP/1004", code=6, paused=True, pause_reason="astdialer: reserved"),
            row("PJSIP/1005", paused=True, pause_reason="lunch"),
            row("PJSIP/1006", paused=True, pause_reason="offline"),
        ]
    )
    found = (await api.ask("GET", "/call_center/agents")).json()
    assert found["next"] is False
    assert [(a["extension"], a["status"], a["channel"][0]["state"]) for a in found["items"]] == [
        ("1001", "online", "waiting"),
        ("agent7", "online", "wrap_time"),
        ("1003", "offline", "offline"),
        ("1004", "online", "offering"),
        ("1005", "pause", "waiting"),
        ("1006", "offline", "waiting"),
    ]
    ana, gina = found["items"][:2]
    assert (ana["id"], ana["name"], ana["queues"]) == ("1001", "Ana", ["sales", "support"])
    assert (gina["name"], gina["skills"][0]["name"], gina["buckets"]) == ("Gina", "french", ["vip"])
    for meant in ("agent7", gina["id"]):
        assert (await api.ask("GET", f"/call_center/agents/{meant}")).json() == gina
    for query in ({"id": gina["id"]}, {"extension": "agent7"}, {"q": "gin*"}):
        assert (await api.ask("GET", "/call_center/agents", params=query)).json()["items"] == [gina]
    assert (await api.ask("GET", "/call_center/agents?size=4&page=2")).json()["items"] == found["items"][4:]
    assert (await api.ask("GET", "/call_center/agents/1009")).status_code == 404


async def test_a_tenant_sees_the_agents_of_its_queues(api: Hands) -> None:
    await api.campaign("theirs", tenant="b", queue="support")
    await api.view(agents=[row("PJSIP/1001"), row("PJSIP/1002", queue="support")])
    listed = (await api.ask("GET", "/call_center/agents", tenant="b")).json()["items"]
    assert [each["id"] for each in listed] == ["1002"]
    assert (await api.ask("GET", "/call_center/agents/1001", tenant="b")).status_code == 404


async def two_tenants(api: Hands) -> None:
    """Each on an Asterisk of its own, with a queue of the same name."""
    await api.store.save_trunk(Trunk(name="north", dial="PJSIP/{number}@x", server="north"))
    await api.campaign("ours", tenant="a")
    await api.campaign("theirs", tenant="b", trunk="north")


async def test_a_tenant_sees_no_agent_of_another_asterisk(api: Hands) -> None:
    await two_tenants(api)
    await api.view(agents=[row("PJSIP/1001"), row("PJSIP/1002", server="north")])
    listed = (await api.ask("GET", "/call_center/agents", tenant="b")).json()["items"]
    assert [each["id"] for each in listed] == ["1002"]
    assert (await api.ask("GET", "/call_center/agents/1001", tenant="b")).status_code == 404


async def test_a_tenant_pauses_the_agent_on_its_own_asterisk_alone(api: Hands) -> None:
    await two_tenants(api)
    agents = [row("PJSIP/1001"), row("PJSIP/1001", server="north")]
    async with engine(api, {"agent_pause": "{}"}, *agents) as taken:
        path, body = "/call_center/agents/1001/status", {"status": "pause"}
        assert (await api.ask("PATCH", path, json=body, tenant="b")).status_code == 200
        assert [order.body["server"] for order in taken] == ["north"]
        await api.ask("PATCH", path, json=body)
    assert [order.body["server"] for order in taken] == ["north", "default", "north"]


async def test_a_call_rings_the_agent_on_the_campaigns_asterisk(api: Hands) -> None:
    await two_tenants(api)
    await api.store.save_trunk(Trunk(name="south", dial="PJSIP/{number}@x", server="south"))
    await api.campaign("far", tenant="a", trunk="south", queue="far")
    async with engine(api, MADE, row("PJSIP/1001"), row("PJSIP/1001", server="north")) as taken:
        await api.ask("POST", "/calls", json=wish())
        await api.ask("POST", "/calls", json=wish(), tenant="b")
        refused = await api.ask("POST", "/calls", json=wish(params={"variables": {"campaign": "far"}}), tenant="a")
    assert [order.body["campaign"] for order in taken] == ["ours", "theirs"]
    assert (refused.status_code, "south" in refused.json()["detail"]) == (404, True)


def test_an_agents_id_is_its_extension_or_a_number_that_no_extension_is() -> None:
    assert agent_number("PJSIP/1001") == agent_number("1001") == agent_number("Local/1001@from-queue/n") == 1001
    assert agent_number("PJSIP/agent1") == agent_number("agent1")
    others = [agent_number(text) for text in ("agent1", "agent2", "0100", "1234567890", "+1001")]
    assert len(set(others)) == len(others)
    assert all(1_000_000_000 <= each < 2**31 for each in others)


@pytest.mark.parametrize(
    ("body", "paused", "reason"),
    [
        ({"status": "pause", "payload": "lunch"}, True, "lunch"),
        ({"status": "pause"}, True, "pause"),
        ({"status": "offline", "payload": "home"}, True, "offline"),
        ({"status": "online"}, False, ""),
    ],
)
async def test_an_agents_status_is_a_pause(api: Hands, body: dict[str, Any], paused: bool, reason: str) -> None:
    async with engine(api, {"agent_pause": "{}"}) as taken:
        answer = await api.ask("PATCH", "/call_center/agents/1001/status", json=body)
    assert (answer.status_code, answer.json()) == (200, {"status": "OK"})
    order = {"agent": "PJSIP/1001", "server": "default", "paused": paused, "reason": reason}
    assert [each.body for each in taken] == [order]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("1001", {"status": "asleep"}, 400),
        ("1001", {}, 400),
        ("1001", {"status": "pause", "payload": "astdialer: reserved"}, 400),
        ("1001", {"status": "pause", "payload": "a\r\nb"}, 400),
        ("1002", {"status": "pause"}, 404),
    ],
)
async def test_a_status_that_can_t_be(api: Hands, path: str, body: dict[str, Any], status: int) -> None:
    async with engine(api, {"agent_pause": "{}"}) as taken:
        answer = await api.ask("PATCH", f"/call_center/agents/{path}/status", json=body)
    assert (answer.status_code, taken) == (status, [])


async def test_an_agents_token_pauses_the_agent_alone(api: Hands) -> None:
    async with engine(api, {"agent_pause": "{}"}, row("PJSIP/1001"), row("PJSIP/1002")) as taken:
        answers = [
            await api.ask("PATCH", f"/call_center/agents/{each}/status", role=Role.AGENT, json={"status": "pause"})
            for each in ("1001", "1002")
        ]
    assert ([answer.status_code for answer in answers], len(taken)) == ([200, 403], 1)


# --- buckets ---------------------------------------------------------------------------------------------------------


async def test_buckets_are_made_shown_described_and_forgotten(api: Hands) -> None:
    made = (await api.ask("POST", "/call_center/buckets", json={"name": "vip", "description": "Ana's"})).json()
    assert made == {"id": "1", "name": "vip", "description": "Ana's"}
    second = (await api.ask("POST", "/call_center/buckets", json={"name": "late"})).json()
    assert second["id"] == "2"
    assert (await api.ask("GET", "/call_center/buckets/1")).json() == made
    assert (await api.ask("GET", "/call_center/buckets", params={"q": "vi*"})).json() == {
        "next": False,
        "items": [made],
    }
    assert (await api.ask("GET", "/call_center/buckets", params={"id": "2"})).json()["items"] == [second]
    change = {"name": "vip", "description": "everybody's"}
    assert (await api.ask("PUT", "/call_center/buckets/1", json=change)).json()["description"] == "everybody's"
    assert (await api.ask("PUT", "/call_center/buckets/1", json={"name": "new"})).status_code == 409
    assert (await api.ask("POST", "/call_center/buckets", json={"name": "vip"})).status_code == 409
    assert (await api.ask("POST", "/call_center/buckets", json={"name": "no good"})).status_code == 400
    assert (await api.ask("DELETE", "/call_center/buckets/1")).json()["name"] == "vip"
    assert (await api.ask("GET", "/call_center/buckets/1")).status_code == 404


async def test_members_of_a_bucket_are_for_the_agents_who_have_its_name(api: Hands) -> None:
    queue = await api.campaign()
    made = (await api.ask("POST", "/call_center/buckets", json={"name": "vip"})).json()
    body = {"bucket": {"id": made["id"]}, "communications": [{"destination": NUMBER, "type": {"id": 1}}]}
    member = (await api.ask("POST", f"/call_center/queues/{queue.id}/members", json=body)).json()
    assert member["bucket"] == {"id": made["id"], "name": "vip"}
    assert await api.store.bound_buckets(queue.id) == ["vip"]


async def test_buckets_are_attached_to_a_queue(api: Hands) -> None:
    queue, other = await api.campaign(), await api.campaign("other")
    await api.ask("POST", "/call_center/buckets", json={"name": "vip"})
    url = f"/call_center/queues/{queue.id}/buckets"
    body = {"bucket": {"id": 1}, "ratio": 40, "priority": 2}
    attached = {"id": "1", "bucket": {"id": "1", "name": "vip"}, "ratio": 40, "priority": 2, "disabled": False}
    assert (await api.ask("POST", url, json=body)).json() == attached
    assert (await api.ask("GET", url)).json()["items"] == [attached]
    assert (await api.ask("GET", f"/call_center/queues/{other.id}/buckets")).json()["items"] == []
    assert (await api.ask("PATCH", f"{url}/1", json={"disabled": True})).json() == attached | {"disabled": True}
    assert (await api.ask("GET", f"{url}/1")).json()["disabled"] is True
    assert (await api.ask("POST", url, json={"bucket": {"id": 7}})).status_code == 404
    assert (await api.ask("DELETE", f"{url}/1")).status_code == 200
    assert (await api.ask("GET", f"{url}/1")).status_code == 404


async def test_each_tenant_counts_its_own_buckets(api: Hands) -> None:
    for tenant in ("a", "b", ""):
        made = await api.ask("POST", "/call_center/buckets", json={"name": f"vip{tenant}"}, tenant=tenant)
        assert made.json()["id"] == "1"
    assert [row["name"] for row in (await api.ask("GET", "/call_center/buckets", tenant="a")).json()["items"]] == [
        "vipa"
    ]
