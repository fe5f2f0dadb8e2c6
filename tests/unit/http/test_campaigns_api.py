"""/v1/campaigns."""

from collections.abc import AsyncIterator
from pathlib import Path

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
