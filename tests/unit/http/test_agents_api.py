"""/v1/agents, /v1/offers and /v1/agent-profiles."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from call_hands import agent_row, claimed, engine, phone
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.domain.agent import AgentProfile
from astdialer.domain.errors import NoAnswer
from astdialer.domain.trunk import Trunk
from astdialer.engine import orders
from astdialer.ports import Offer


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def floor(api: Hands) -> None:
    """Two tenants' campaigns with a queue each, and their agents; on the second Asterisk a namesake."""
    await api.campaign("mine", tenant="a", queue="sales")
    await api.campaign("theirs", tenant="b", queue="support")
    await api.store.save_trunk(Trunk(name="far", dial="PJSIP/{number}@far", server="two"))
    await api.campaign("remote", tenant="b", queue="sales", trunk="far")
    await api.view(
        agents=[
            agent_row("PJSIP/1001", name="Ana"),
            agent_row("PJSIP/1002", "support", code=9, status="WRAPUP"),
            agent_row("PJSIP/1003", "sales", server="two"),
            agent_row("PJSIP/1001", "support"),
        ]
    )


async def names(api: Hands, query: str = "", **who: Any) -> list[str]:
    answer = await api.ask("GET", f"/v1/agents{query}", **who)
    assert answer.status_code == 200, answer.text
    return [f"{row['agent']} {row['queue']}" for row in answer.json()["items"]]


# --- who is there ----------------------------------------------------------------------------------------------------


async def test_agents_are_listed_with_codes_and_what_is_said_about_them(api: Hands) -> None:
    await floor(api)
    await api.store.save_agent(AgentProfile(agent="1002", skills=("english",), buckets=("vip",)))
    (row,) = (await api.ask("GET", "/v1/agents/1002")).json()["items"]
    assert (row["agent"], row["code"], row["status"]) == ("PJSIP/1002", 9, "WRAPUP")
    assert (row["skills"], row["buckets"]) == (["english"], ["vip"])
    assert len(await names(api)) == 4
    assert await names(api, "?queue=support") == ["PJSIP/1002 support", "PJSIP/1001 support"]
    assert await names(api, "?server=two") == ["PJSIP/1003 sales"]
    for meant in ("Ana", "PJSIP/1001", "PJSIP%2F1001"):
        assert (await api.ask("GET", f"/v1/agents/{meant}")).json()["items"][0]["agent"] == "PJSIP/1001"
    assert (await api.ask("GET", "/v1/agents/100")).status_code == 404


async def test_without_an_engine_nobody_knows_who_is_there(api: Hands) -> None:
    assert (await api.ask("GET", "/v1/agents")).status_code == 503


async def test_a_tenant_sees_the_agents_of_its_campaigns_queues(api: Hands) -> None:
    await floor(api)
    assert await names(api, tenant="a") == ["PJSIP/1001 sales"]
    assert await names(api, tenant="b") == ["PJSIP/1002 support", "PJSIP/1003 sales", "PJSIP/1001 support"]
    assert await names(api, tenant="c") == []
    assert (await api.ask("GET", "/v1/agents/1002", tenant="a")).status_code == 404


async def test_a_token_of_the_role_agent_sees_itself_alone(api: Hands) -> None:
    await floor(api)
    own = await api.ask("GET", "/v1/agents/Ana", role=Role.AGENT)
    assert {row["agent"] for row in own.json()["items"]} == {"PJSIP/1001"}
    assert (await api.ask("GET", "/v1/agents/1002", role=Role.AGENT)).status_code == 403
    assert (await api.ask("GET", "/v1/agents", role=Role.AGENT)).status_code == 403


# --- in an agent's name ----------------------------------------------------------------------------------------------

CALL = {"number": "020 7946 0001", "campaign": "demo"}


async def test_a_call_by_hand_is_asked_of_the_engine(api: Hands) -> None:
    await api.campaign()
    with engine(api, agent_call={"guid": "g", "contact_id": 7}) as asked:
        body = CALL | {"data": {"order": "7"}, "promised": True, "context": "own"}
        answer = await api.ask("POST", "/v1/agents/PJSIP/1001/call", json=body)
    assert (answer.status_code, answer.json()) == (201, {"guid": "g", "contact_id": 7})
    ((kind, order),) = asked.asked
    assert kind == "agent_call"
    assert dict(order) == {
        "agent": "PJSIP/1001",
        "number": phone(1),
        "zones": "Europe/London",
        "campaign": "demo",
        "data": {"order": "7"},
        "context": "own",
        "any_hour": True,
    }


async def test_a_repeated_request_with_a_key_calls_once(api: Hands) -> None:
    await api.campaign()
    with engine(api, agent_call={"guid": "g", "contact_id": 7}) as asked:
        for _ in range(2):
            answer = await api.ask("POST", "/v1/agents/1/call", json=CALL, headers={"idempotency-key": "k"})
            assert answer.json()["guid"] == "g"
    assert len(asked.orders) == 1


async def test_a_call_of_which_nobody_knows_is_not_placed_again_with_its_key(
    api: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any, **__: Any) -> None:
        raise NoAnswer(orders.TAKEN)

    await api.campaign()
    monkeypatch.setattr(orders, "ask", dies)
    key = {"idempotency-key": "k"}
    first = await api.ask("POST", "/v1/agents/1/call", json=CALL, headers=key)
    assert (first.status_code, "no_answer" in first.text) == (503, True)
    assert (await api.ask("POST", "/v1/agents/1/call", json=CALL, headers=key)).status_code == 409


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"number": "12"}, 422, "number"),
        ({"campaign": None}, 422, "campaign"),
        ({"campaign": "none"}, 404, None),
        ({"data": {"a": 1}}, 422, "data.a"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
async def test_a_call_that_can_not_be_asked_for(
    api: Hands, change: dict[str, Any], status: int, field: str | None
) -> None:
    await api.campaign()
    with engine(api) as asked:
        answer = await api.ask("POST", "/v1/agents/1001/call", json=CALL | change)
    assert answer.status_code == status
    assert [each["field"] for each in answer.json().get("errors", [])] == ([field] if field else [])
    assert asked.orders == []


async def test_what_the_engine_refuses_is_told_in_its_words(api: Hands) -> None:
    await api.campaign()
    with engine(api, agent_call="agent PJSIP/1001 is on a call"):
        answer = await api.ask("POST", "/v1/agents/1001/call", json=CALL)
    assert (answer.status_code, answer.json()["detail"]) == (409, "agent PJSIP/1001 is on a call")
    assert (await api.ask("POST", "/v1/agents/1001/call", json=CALL)).status_code == 503


@pytest.mark.parametrize(
    ("verb", "body", "kind", "order"),
    [
        ("hangup", None, "agent_hangup", {}),
        ("pause", {"reason": "lunch"}, "agent_pause", {"paused": True, "reason": "lunch"}),
        ("pause", None, "agent_pause", {"paused": True, "reason": ""}),
        ("unpause", None, "agent_pause", {"paused": False, "reason": ""}),
    ],
)
async def test_an_agent_is_hung_up_and_paused(
    api: Hands, verb: str, body: dict[str, str] | None, kind: str, order: dict[str, Any]
) -> None:
    with engine(api, agent_hangup={"hung_up": 1}, agent_pause={"agents": ["PJSIP/1001"]}) as asked:
        answer = await api.ask("POST", f"/v1/agents/1001/{verb}", json=body)
    assert answer.json() in ({"hung_up": 1}, {"agents": ["PJSIP/1001"]})
    assert asked.asked == [(kind, {"agent": "1001"} | order)]


async def test_an_agents_token_acts_for_its_own_telephone_alone(api: Hands) -> None:
    await floor(api)
    await api.campaign("demo")
    who = {"role": Role.AGENT}  # of 1001
    answers: dict[str, Any] = {"agent_call": {"guid": "g", "contact_id": 7}, "agent_hangup": {"hung_up": 1}}
    with engine(api, **answers, agent_pause={"agents": []}) as asked:
        for meant in ("1001", "PJSIP/1001", "Ana"):
            assert (await api.ask("POST", f"/v1/agents/{meant}/call", json=CALL, **who)).status_code == 201
        for verb in ("hangup", "pause", "unpause"):
            assert (await api.ask("POST", f"/v1/agents/1001/{verb}", **who)).status_code == 200
        assert {order.body["agent"] for order in asked.orders} == {"1001"}
        asked.orders.clear()

        for verb in ("call", "hangup", "pause", "unpause", "accept", "skip"):
            answer = await api.ask("POST", f"/v1/agents/1002/{verb}", json=CALL if verb == "call" else None, **who)
            assert answer.status_code == 403, verb
        for more in ({"promised": True}, {"context": "own"}):
            assert (await api.ask("POST", "/v1/agents/1001/call", json=CALL | more, **who)).status_code == 403
    assert asked.orders == []


async def test_a_dialplan_context_is_the_administrators(api: Hands) -> None:
    await api.campaign("demo")
    body = CALL | {"context": "own"}
    assert (await api.ask("POST", "/v1/agents/1001/call", json=body, role=Role.SUPERVISOR)).status_code == 403
    assert (await api.ask("POST", "/v1/agents/1001/call", json=body, tenant="a")).status_code == 403


async def test_a_tenant_acts_for_agents_of_its_own_queues_and_campaigns(api: Hands) -> None:
    await floor(api)
    call = {"guid": "g", "contact_id": 7}
    with engine(api, agent_call=call, agent_pause={"agents": []}, agent_hangup={"hung_up": 0}) as asked:

        async def status(path: str, tenant: str, campaign: str = "") -> int:
            body = CALL | {"campaign": campaign} if campaign else None
            return (await api.ask("POST", f"/v1/agents/{path}", tenant=tenant, json=body)).status_code

        assert await status("1002/hangup", "a") == 404
        assert await status("1002/pause", "a") == 404
        assert await status("1001/call", "a", "theirs") == 404
        assert await status("1002/call", "a", "mine") == 404
        assert await status("1003/call", "b", "theirs") == 404  # another Asterisk
        assert asked.orders == []

        assert await status("1001/pause", "a") == 200
        assert await status("1001/call", "a", "mine") == 201
        assert await status("1003/call", "b", "remote") == 201
        assert await status("1003/hangup", "b") == 200
    pause, own, far, hangup = (order.body for order in asked.orders)
    assert (pause["agent"], pause["server"]) == ("PJSIP/1001", "default")
    assert (own["agent"], own["campaign"]) == ("PJSIP/1001", "mine")
    assert (far["agent"], far["campaign"]) == ("PJSIP/1003", "remote")
    assert (hangup["agent"], hangup["server"]) == ("PJSIP/1003", "two")


async def test_who_only_looks_does_nothing_in_an_agents_name(api: Hands) -> None:
    for verb in ("call", "hangup", "pause", "unpause", "accept", "skip"):
        body = CALL if verb == "call" else None
        assert (await api.ask("POST", f"/v1/agents/1001/{verb}", role=Role.READ_ONLY, json=body)).status_code == 403
        assert (await api.client.post(f"/v1/agents/1001/{verb}", json=body)).status_code == 401


# --- preview ---------------------------------------------------------------------------------------------------------


async def offered(api: Hands, name: str, agent: str, n: int, *, tenant: str = "") -> str:
    (claim,) = await claimed(api, await api.campaign(name, tenant=tenant), n)
    await api.store.make_offer(
        Offer(
            attempt_id=claim.attempt.id,
            agent=agent,
            campaign_id=claim.attempt.campaign_id,
            contact_id=claim.contact.id,
            number=claim.attempt.number,
            made_at=NOW,
            expires_at=NOW + 60_000,
        )
    )
    return claim.attempt.id


async def offers(api: Hands, **who: Any) -> set[str]:
    return {row["attempt_id"] for row in (await api.ask("GET", "/v1/offers", **who)).json()["items"]}


async def test_an_offer_is_seen_and_answered_by_whom_it_is_made_to(api: Hands) -> None:
    own, other = await offered(api, "one", "PJSIP/1001", 1), await offered(api, "two", "PJSIP/1002", 2)
    assert await offers(api) == {own, other}
    assert await offers(api, role=Role.AGENT) == {own}
    answer = await api.ask("POST", "/v1/agents/1001/accept", role=Role.AGENT)
    row = answer.json()
    assert (row["attempt_id"], row["number"], row["campaign"], row["answer"], row["params"]) == (
        own,
        phone(1),
        "one",
        "accept",
        {},
    )
    assert (await api.ask("POST", "/v1/agents/1001/skip", role=Role.AGENT)).status_code == 404
    assert (await api.ask("POST", "/v1/agents/1002/skip")).json()["answer"] == "skip"
    assert {offer.agent: offer.answer for offer in await api.store.offers()} == {
        "PJSIP/1001": "accept",
        "PJSIP/1002": "skip",
    }


async def test_an_offer_of_another_tenants_campaign_is_not_there(api: Hands) -> None:
    own = await offered(api, "mine", "PJSIP/1001", 1, tenant="a")
    await offered(api, "theirs", "PJSIP/1002", 2, tenant="b")
    assert await offers(api, tenant="a") == {own}
    assert (await api.ask("POST", "/v1/agents/1002/accept", tenant="a")).status_code == 404
    assert (await api.ask("POST", "/v1/agents/1001/accept", tenant="b")).status_code == 404
    assert [offer.answer for offer in await api.store.offers()] == ["", ""]


async def test_an_offer_that_is_over_can_not_be_answered(api: Hands) -> None:
    await offered(api, "one", "PJSIP/1001", 1)
    await api.clock.sleep(61)
    assert (await api.ask("POST", "/v1/agents/1001/accept")).status_code == 404


# --- what is said about agents ---------------------------------------------------------------------------------------


async def test_a_profile_is_put_shown_and_forgotten(api: Hands) -> None:
    body = {"name": "Ana", "skills": ["english"], "buckets": ["vip"], "wrap_up_s": 20}
    put = await api.ask("PUT", "/v1/agent-profiles/PJSIP/1001", json=body)
    assert put.status_code == 200
    shown = (await api.ask("GET", "/v1/agent-profiles/PJSIP/1001")).json()
    assert shown == put.json()
    assert shown | body == shown
    assert (shown["agent"], shown["call_timeout_s"]) == ("PJSIP/1001", None)
    assert (await api.ask("PUT", "/v1/agent-profiles/PJSIP/1001", json={"skills": ["sales"]})).json()["name"] == ""
    (one,) = (await api.ask("GET", "/v1/agent-profiles")).json()["items"]
    assert (one["skills"], one["buckets"], one["wrap_up_s"]) == (["sales"], [], None)
    assert (await api.ask("DELETE", "/v1/agent-profiles/PJSIP/1001")).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, "/v1/agent-profiles/PJSIP/1001")).status_code == 404


@pytest.mark.parametrize(
    ("agent", "body", "field"),
    [
        ("1001", {"wrap_up_s": -1}, "wrap_up_s"),
        ("1001", {"wrap_up_s": 10**30}, "wrap_up_s"),
        ("1001", {"call_timeout_s": 0}, "call_timeout_s"),
        ("1001", {"max_no_answer": 101}, "max_no_answer"),
        ("1001", {"skills": ["a b"]}, "name"),
        ("1001", {"name": "a\r\nb"}, "name"),
        ("1001", {"colour": "red"}, "colour"),
        ("10 01", {}, "agent"),
        ("a%09b", {}, "path.agent"),
    ],
)
async def test_what_can_not_be_said_is_refused(api: Hands, agent: str, body: dict[str, Any], field: str) -> None:
    answer = await api.ask("PUT", f"/v1/agent-profiles/{agent}", json=body)
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, [field])
    assert await api.store.agents() == []


@pytest.mark.parametrize("who", [{"role": Role.SUPERVISOR}, {"role": Role.ADMIN, "tenant": "a"}])
async def test_profiles_are_the_administrators(api: Hands, who: dict[str, Any]) -> None:
    path = "/v1/agent-profiles/1001"
    answers = [
        await api.ask("GET", path, **who),
        await api.ask("PUT", path, json={}, **who),
        await api.ask("DELETE", path, **who),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
