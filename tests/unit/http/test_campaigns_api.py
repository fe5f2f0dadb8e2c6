"""/v1/campaigns."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from http_hands import Hands, hands

from astdialer.domain.access import Role


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def test_a_campaign_is_made_shown_and_changed(api: Hands) -> None:
    made = await api.ask("POST", "/v1/campaigns", json={"name": "spring", "settings": {"max_calls": 7, "amd": True}})
    assert made.status_code == 201
    assert made.headers["location"] == "/v1/campaigns/spring"

    shown = (await api.ask("GET", "/v1/campaigns/spring")).json()
    assert (shown["state"], shown["settings"]["max_calls"], shown["settings"]["amd"]) == ("idle", "7", "true")

    changed = await api.ask("PATCH", "/v1/campaigns/spring", json={"settings": {"max_calls": 9}})
    assert changed.json()["settings"]["max_calls"] == "9"
    (event, *_) = (await api.ask("GET", "/v1/campaigns/spring/history")).json()["items"]
    assert (event["event"], event["detail"], event["done_by"]) == ("changed", "max_calls 7 → 9", "admin")


async def test_a_bad_value_names_its_field_and_changes_nothing(api: Hands) -> None:
    await api.campaign("spring", max_calls="7")
    answer = await api.ask("PATCH", "/v1/campaigns/spring", json={"settings": {"queue": "new", "max_calls": 0}})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [each["field"] for each in answer.json()["errors"]] == ["max_calls"]
    assert (await api.store.campaign("spring")).settings.queue == "sales"


async def test_a_campaign_that_is_not_active_is_removed(api: Hands) -> None:
    await api.campaign("spring")
    (await api.ask("POST", "/v1/campaigns/spring/start")).raise_for_status()
    refused = await api.ask("DELETE", "/v1/campaigns/spring")
    assert (refused.status_code, "stop it first" in refused.json()["detail"]) == (409, True)
    await api.campaign("old")
    assert (await api.ask("DELETE", "/v1/campaigns/old")).status_code == 204
    assert (await api.ask("GET", "/v1/campaigns/old")).status_code == 404
    assert [row["name"] for row in (await api.ask("GET", "/v1/campaigns")).json()["items"]] == ["spring"]


async def test_another_tenants_campaign_is_not_there(api: Hands) -> None:
    await api.campaign("theirs", tenant="b")
    for method, path in (("GET", ""), ("POST", "/start"), ("GET", "/explain"), ("GET", "/export"), ("DELETE", "")):
        answer = await api.ask(method, f"/v1/campaigns/theirs{path}", role=Role.INTEGRATION, tenant="a")
        assert answer.status_code == 404, path
    assert (await api.ask("GET", "/v1/campaigns", tenant="a")).json()["items"] == []
    assert [row["name"] for row in (await api.ask("GET", "/v1/campaigns", tenant="b")).json()["items"]] == ["theirs"]


async def test_a_tenant_gives_its_campaigns_its_own_queues_alone(tmp_path: Path) -> None:
    async with hands(tmp_path, tenant_queues=("a:sales", "a:night", "b:vip"), default_queue="common") as api:
        await api.campaign("given", tenant="a", queue="special", goto="office,s,1")
        await api.campaign("theirs", tenant="b", queue="vip", goto="boss,s,1")
        for queue, status in (("sales", 201), ("common", 201), ("special", 201), ("", 201), ("vip", 403), ("x", 403)):
            made = {"name": f"to-{queue}", "settings": {"trunk": "carrier", "queue": queue}}
            assert (await api.ask("POST", "/v1/campaigns", tenant="a", json=made)).status_code == status, queue
        for settings, status in (
            ({"queue": "night"}, 200),
            ({"queue": "vip"}, 403),
            ({"goto": "office,s,1"}, 200),
            ({"goto": "boss,s,1"}, 403),
            ({"max_calls": 3}, 200),
        ):
            answer = await api.ask("PATCH", "/v1/campaigns/given", tenant="a", json={"settings": settings})
            assert answer.status_code == status, settings
        file = (await api.ask("GET", "/v1/campaigns/theirs/export")).text.replace('"theirs"', '"copied"')
        assert (await api.ask("POST", "/v1/campaigns/import", tenant="a", content=file)).status_code == 403
        assert (await api.ask("POST", "/v1/campaigns/import", content=file)).status_code == 201


async def test_a_tenant_exports_no_routes_and_numbers_that_others_use_too(api: Hands) -> None:
    await api.campaign("mine", tenant="a")
    for what, body in (
        ("routes", {"name": "uk", "pattern": "^44", "destinations": [{"trunk": "carrier"}]}),
        ("callerids", {"name": "london", "numbers": ["442079460000"]}),
    ):
        (await api.ask("POST", f"/v1/{what}", json=body)).raise_for_status()
    change = {"settings": {"routes": "uk", "caller_id": "pool:london"}}
    assert (await api.ask("PATCH", "/v1/campaigns/mine", json=change)).status_code == 200
    for tenant, says in (("", True), ("a", False)):
        text = (await api.ask("GET", "/v1/campaigns/mine/export", tenant=tenant)).text
        assert 'routes = "uk"' in text
        assert ("442079460000" in text, "^44" in text) == (says, says)


async def test_asterisk_is_looked_at_for_one_at_a_time_and_for_no_tenant(api: Hands) -> None:
    await api.campaign("mine", tenant="a")
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def examine(_name: str) -> list[Mapping[str, Any]]:
        begun.set()
        await may_end.wait()
        return [{"check": "ami", "level": "ok"}]

    object.__setattr__(api.services, "examine", examine)
    path = "/v1/campaigns/mine/check"
    assert (await api.ask("GET", path, tenant="a")).json()["infrastructure"] == []
    assert (await api.ask("GET", f"{path}?asterisk=true", tenant="a")).status_code == 403
    assert (await api.ask("GET", f"{path}?asterisk=true", role=Role.READ_ONLY)).status_code == 403
    first = asyncio.create_task(api.ask("GET", f"{path}?asterisk=true"))
    await begun.wait()
    assert (await api.ask("GET", f"{path}?asterisk=true")).status_code == 409
    may_end.set()
    assert (await first).json()["infrastructure"] == [{"check": "ami", "level": "ok"}]


async def test_pages_follow_each_other(api: Hands) -> None:
    for name in ("a", "b", "c"):
        await api.campaign(name)
    first = (await api.ask("GET", "/v1/campaigns?limit=2")).json()
    assert [row["name"] for row in first["items"]] == ["a", "b"]
    second = (await api.ask("GET", f"/v1/campaigns?limit=2&cursor={first['next']}")).json()
    assert ([row["name"] for row in second["items"]], second["next"]) == (["c"], None)


async def test_a_request_with_a_key_is_done_once(api: Hands) -> None:
    key = {"idempotency-key": "k1"}
    bodies = [
        (await api.ask("POST", "/v1/campaigns", json={"name": "spring"}, headers=key)).json()["id"] for _ in range(2)
    ]
    assert bodies[0] == bodies[1]
    other = await api.ask("POST", "/v1/campaigns", json={"name": "autumn"}, headers=key)
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert [one.name for one in await api.store.campaigns()] == ["spring"]


async def test_a_failed_request_may_be_tried_again_with_its_key(api: Hands) -> None:
    key = {"idempotency-key": "k1"}
    assert (await api.ask("POST", "/v1/campaigns/x/start", headers=key)).status_code == 404
    await api.campaign("x")
    assert (await api.ask("POST", "/v1/campaigns/x/start", headers=key)).json()["state"] == "running"
