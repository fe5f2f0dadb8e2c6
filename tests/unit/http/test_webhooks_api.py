"""/v1/webhooks and /v1/deliveries."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_hands import NOW, Hands, hands, receiver

from astdialer.domain.access import Role
from astdialer.engine.webhooks import FOLLOWER, Herald
from astdialer.http.dialects import WORDS
from astdialer.ports import Delivery

URL = "https://crm.example.com/hooks"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def made(api: Hands, who: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    answer = await api.ask("POST", "/v1/webhooks", json={"url": URL} | body, **who or {})
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/{shown['id']}"
    return shown


async def queued(api: Hands, webhook_id: str, count: int, *, state: str = "pending") -> list[str]:
    """Messages, the newest first; their ids."""
    deliveries = [
        Delivery(
            id=f"{webhook_id[:8]}-{n}",
            webhook_id=webhook_id,
            event_id=n,
            kind="attempt.closed",
            body="{}",
            created_at=NOW + n,
            retry_at=NOW,
            state=state,
        )
        for n in range(1, count + 1)
    ]
    await api.store.queue_deliveries(FOLLOWER, 0, deliveries)
    return [delivery.id for delivery in reversed(deliveries)]


async def listed(api: Hands, webhook_id: str, query: str = "", **who: Any) -> list[str]:
    answer = await api.ask("GET", f"/v1/webhooks/{webhook_id}/deliveries{query}", **who)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


async def test_a_webhook_is_made_changed_and_removed(api: Hands) -> None:
    await api.campaign("spring")
    shown = await made(api, events=["attempt.closed", "contact.*"], campaign="spring", options={"delay_s": 3})
    assert (shown["campaign"], shown["form"], shown["enabled"], shown["created_by"]) == (
        "spring",
        "native",
        True,
        "admin",
    )
    secret = shown.pop("secret")
    assert secret.startswith("whsec_")
    (kept,) = await api.store.webhooks()
    assert kept.secret == secret

    path = f"/v1/webhooks/{shown['id']}"
    assert (await api.ask("GET", path)).json() == shown | {"secret": None}
    assert (await api.ask("GET", "/v1/webhooks")).json()["items"] == [shown | {"secret": None}]
    change = {"enabled": False, "events": ["*"], "url": "http://crm.example.com/", "options": {}}
    changed = await api.ask("PATCH", path, json=change)
    assert changed.json() == shown | change | {"secret": None}
    renewed = (await api.ask("PATCH", path, json={"new_secret": True})).json()["secret"]
    assert renewed not in (None, secret)
    assert (await api.ask("DELETE", path)).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, path)).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": None}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "https://a:b@example.com/"}, "url"),
        ({"url": "https://example.com/\r\nx: y"}, "url"),
        ({"events": ["attempt.lost"]}, "events"),
        ({"events": []}, "events"),
        ({"form": "klingon"}, "form"),
        ({"form": "twin24", "events": ["attempt.closed"]}, "events"),
        ({"secret": "short"}, "secret"),
        ({"options": {"delay_s": "soon"}}, "delay_s"),
        ({"options": {"delay_s": -1}}, "delay_s"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_can_not_be_a_webhook_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    answer = await api.ask("POST", "/v1/webhooks", json={"url": URL} | change)
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, [field])
    assert "short" not in answer.text
    assert await api.store.webhooks() == []


async def test_a_bad_change_changes_nothing(api: Hands) -> None:
    shown = await made(api)
    for change, field in (
        ({"url": "x"}, "url"),
        ({"events": ["x"]}, "events"),
        ({"options": {"delay_s": "x"}}, "delay_s"),
    ):
        answer = await api.ask("PATCH", f"/v1/webhooks/{shown['id']}", json={"enabled": False} | change)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    (kept,) = await api.store.webhooks()
    assert kept.enabled


async def test_a_campaign_that_is_not_there(api: Hands) -> None:
    assert (await api.ask("POST", "/v1/webhooks", json={"url": URL, "campaign": "none"})).status_code == 404


async def test_deliveries_are_listed_page_by_page_and_by_state(api: Hands) -> None:
    one, other = (await made(api))["id"], (await made(api))["id"]
    ids = await queued(api, one, 5)
    await queued(api, other, 2)
    assert await listed(api, one) == ids
    page = (await api.ask("GET", f"/v1/webhooks/{one}/deliveries?limit=2")).json()
    assert await listed(api, one, f"?limit=2&cursor={page['next']}") == ids[2:4]
    foreign = await api.ask("GET", f"/v1/webhooks/{other}/deliveries?cursor={page['next']}")
    assert (foreign.status_code, foreign.json()["errors"][0]["field"]) == (422, "cursor")
    assert await listed(api, one, "?state=dead") == []
    assert page["items"][0]["body"] == "{}"
    answer = await api.ask("GET", f"/v1/webhooks/{one}/deliveries?state=lost")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.state")


async def test_dead_messages_are_sent_again(api: Hands) -> None:
    one, other = (await made(api))["id"], (await made(api))["id"]
    dead, others = await queued(api, one, 3, state="dead"), await queued(api, other, 1, state="dead")
    assert (await api.ask("POST", f"/v1/deliveries/{dead[0]}/resend")).json() == {"resent": 1}
    assert (await api.ask("POST", f"/v1/deliveries/{dead[0]}/resend")).json() == {"resent": 0}
    assert (await api.ask("POST", f"/v1/webhooks/{one}/resend-dead")).json() == {"resent": 2}
    assert await listed(api, one, "?state=dead") == []
    assert await listed(api, other, "?state=dead") == others
    assert (await api.ask("POST", "/v1/deliveries/none/resend")).status_code == 404


@contextlib.asynccontextmanager
async def sending(api: Hands) -> AsyncIterator[None]:
    herald = Herald(api.store, api.services.notifier, api.clock, WORDS)
    task = asyncio.create_task(herald.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_webhook_is_tried(api: Hands) -> None:
    async with receiver() as taker, sending(api):
        webhook = await made(api, url=taker.url, events=["contact.ended"])
        for _ in range(2):
            asked = await api.ask("POST", f"/v1/webhooks/{webhook['id']}/test")
            assert (asked.status_code, asked.json()["kind"], asked.json()["state"]) == (202, "webhook.test", "pending")
        await taker.wait_for(2)
        assert [body["event"] for body in taker.bodies] == ["webhook.test", "webhook.test"]
        async with asyncio.timeout(20):
            while len(await listed(api, webhook["id"], "?state=delivered")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await api.ask("PATCH", f"/v1/webhooks/{webhook['id']}", json={"enabled": False})
    assert (await api.ask("POST", f"/v1/webhooks/{webhook['id']}/test")).status_code == 409


async def test_another_tenants_webhooks_are_not_there(api: Hands) -> None:
    await api.campaign("theirs", tenant="b")
    mine, theirs = await made(api, {"tenant": "a"}), await made(api, {"tenant": "b"}, campaign="theirs")
    nobodys = await made(api)
    assert (mine["tenant"], theirs["tenant"], nobodys["tenant"]) == ("a", "b", "")
    (delivery,) = await queued(api, theirs["id"], 1, state="dead")
    assert [row["id"] for row in (await api.ask("GET", "/v1/webhooks", tenant="a")).json()["items"]] == [mine["id"]]
    for hidden in (theirs, nobodys):
        path = f"/v1/webhooks/{hidden['id']}"
        answers = [
            await api.ask("GET", path, tenant="a"),
            await api.ask("PATCH", path, tenant="a", json={"enabled": False}),
            await api.ask("DELETE", path, tenant="a"),
            await api.ask("GET", f"{path}/deliveries", tenant="a"),
            await api.ask("POST", f"{path}/resend-dead", tenant="a"),
            await api.ask("POST", f"{path}/test", tenant="a"),
        ]
        assert {answer.status_code for answer in answers} == {404}
    assert (await api.ask("POST", f"/v1/deliveries/{delivery}/resend", tenant="a")).status_code == 404
    assert await listed(api, theirs["id"], "?state=dead", tenant="b") == [delivery]
    answer = await api.ask("POST", "/v1/webhooks", tenant="a", json={"url": URL, "campaign": "theirs"})
    assert answer.status_code == 404
    assert all(webhook.enabled for webhook in await api.store.webhooks())


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.READ_ONLY, Role.AGENT])
async def test_who_may_not(api: Hands, role: Role) -> None:
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", "/v1/webhooks", None),
        ("POST", "/v1/webhooks", {"url": URL}),
        ("GET", "/v1/webhooks/x", None),
        ("PATCH", "/v1/webhooks/x", {}),
        ("DELETE", "/v1/webhooks/x", None),
        ("POST", "/v1/webhooks/x/test", None),
        ("GET", "/v1/webhooks/x/deliveries", None),
        ("POST", "/v1/webhooks/x/resend-dead", None),
        ("POST", "/v1/deliveries/x/resend", None),
    ]
    for method, path, body in requests:
        assert (await api.ask(method, path, role=role, json=body)).status_code == 403, path
        plain: httpx.Response = await api.client.request(method, path, json=body)
        assert plain.status_code == 401
