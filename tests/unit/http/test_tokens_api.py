"""/v1/tokens and /v1/me."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_hands import NOW, Hands, hands

from astdialer.domain.access import PERMISSIONS, Permission, Role


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def made(api: Hands, who: dict[str, Any] | None = None, **body: Any) -> httpx.Response:
    return await api.ask("POST", "/v1/tokens", json={"name": "crm", "role": "integration"} | body, **who or {})


async def me(api: Hands, secret: str) -> httpx.Response:
    return await api.client.get("/v1/me", headers={"authorization": f"Bearer {secret}"})


async def names(api: Hands, **who: Any) -> set[str]:
    return {row["name"] for row in (await api.ask("GET", "/v1/tokens", **who)).json()["items"]}


async def test_a_token_is_made_used_and_revoked(api: Hands) -> None:
    answer = await made(api, expires_at=NOW + 60_000)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    shown = answer.json()
    assert (shown["role"], shown["tenant"], shown["good"], shown["created_by"]) == ("integration", "", True, "admin")
    secret = shown.pop("secret")
    own = (await me(api, secret)).json()
    assert (own["name"], own["role"]) == ("crm", "integration")

    (listed,) = [row for row in (await api.ask("GET", "/v1/tokens")).json()["items"] if row["name"] == "crm"]
    assert listed == shown
    assert (await api.ask("DELETE", "/v1/tokens/crm")).status_code == 204
    assert (await me(api, secret)).status_code == 401
    assert (await api.ask("DELETE", "/v1/tokens/crm")).status_code == 404
    (listed,) = [row for row in (await api.ask("GET", "/v1/tokens")).json()["items"] if row["name"] == "crm"]
    assert (listed["good"], listed["revoked_at"]) == (False, NOW)


async def test_a_secret_is_nowhere_in_the_store(api: Hands, tmp_path: Path) -> None:
    secret = (await made(api)).json()["secret"]
    again = await api.ask(
        "POST", "/v1/tokens", json={"name": "b", "role": "read-only"}, headers={"idempotency-key": "k"}
    )
    for kept in (secret, again.json()["secret"]):
        assert not any(kept.encode() in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"role": "king"}, "role"),
        ({"tenant": "a/b"}, "tenant"),
        ({"role": "agent"}, "agent"),
        ({"agent": "1001"}, "agent"),
        ({"role": "agent", "agent": "10 01"}, "agent"),
        ({"expires_at": NOW}, "expires"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_can_not_be_a_token_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    answer = await made(api, **change)
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, [field])
    assert await names(api) == {"admin"}


async def test_a_name_that_is_taken(api: Hands) -> None:
    await made(api)
    assert (await made(api)).status_code == 409


async def test_a_tenants_administrator_makes_and_sees_tokens_of_its_tenant_alone(api: Hands) -> None:
    who = {"tenant": "a"}
    await made(api, name="everybodys")
    await made(api, name="theirs", tenant="b")
    own = await made(api, who, name="own")
    assert (own.status_code, own.json()["tenant"]) == (201, "a")
    assert (await made(api, who, name="boss", role="admin")).json()["tenant"] == "a"
    assert (await made(api, who, name="x", tenant="b")).status_code == 403
    assert await names(api, tenant="a") == {"admina", "own", "boss"}
    for name in ("theirs", "everybodys"):
        assert (await api.ask("DELETE", f"/v1/tokens/{name}", tenant="a")).status_code == 404
    assert (await me(api, own.json()["secret"])).json()["tenant"] == "a"
    assert (await api.ask("DELETE", "/v1/tokens/own", tenant="a")).status_code == 204


async def test_only_an_administrator_makes_tokens(api: Hands) -> None:
    for role in set(Role) - {Role.ADMIN}:
        assert (await made(api, {"role": role})).status_code == 403
        assert (await api.ask("GET", "/v1/tokens", role=role)).status_code == 403
        assert (await api.ask("DELETE", "/v1/tokens/admin", role=role)).status_code == 403
    assert (await api.client.get("/v1/tokens")).status_code == 401


async def test_everybody_with_a_token_knows_who_they_are(api: Hands) -> None:
    for role in Role:
        own = (await api.ask("GET", "/v1/me", role=role)).json()
        assert (own["role"], set(own["permissions"])) == (role.value, set(PERMISSIONS[role]))
    assert (await api.ask("GET", "/v1/me", role=Role.AGENT)).json()["agent"] == "1001"
    of_tenant = (await api.ask("GET", "/v1/me", tenant="a")).json()
    assert (of_tenant["tenant"], Permission.SETUP in of_tenant["permissions"]) == ("a", False)
    assert (await api.client.get("/v1/me")).status_code == 401
