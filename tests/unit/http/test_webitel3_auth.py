"""Tokens as Webitel's clients send them: source-systems.md 1.1."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.engine import tokens
from astdialer.http.access import STRANGER_BURST

PATH = "/api/v2/dialer"
#: Of the source; it ended in 2017.
SOURCES = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpZCI6ImNmMTQ3ZTFiLTk1ZGYtNDI1OC05ZTM2LWQ4NWZkZDZlZDUzZiIsImV4cCI6MTQ5Nz"
    "kwNjAwMDAwMCwiZCI6InNpdGUiLCJ0IjoiZG9tYWluIiwidiI6Mn0.o-bcG_U3oJMN4r3YaBfSg9CcrZPANZulcapR4E6TSdg"
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def domain_token(api: Hands, name: str = "crm", **values: Any) -> str:
    made = await tokens.create(api.store, api.clock, name, Role.INTEGRATION, tenant="site", jwt=True, **values)
    return made.secret


async def refused(api: Hands, **request: Any) -> str:
    answer = await api.client.get(PATH, **request)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["status"] == "error"
    return str(answer.json()["info"])


def jwt(**claims: Any) -> str:
    parts = [json.dumps(each).encode() for each in ({"typ": "JWT"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts), "c2ln"])


async def test_a_domain_token_alone_is_enough(api: Hands) -> None:
    secret = await domain_token(api)
    assert (await api.client.get(PATH, headers={"x-access-token": secret})).status_code == 200
    with_key = {"x-access-token": secret, "x-key": "8fd26a17-eb28-4c74-aa6f-a3794f4f466c"}
    assert (await api.client.get(PATH, headers=with_key)).status_code == 200


async def test_a_plain_token_is_taken_as_well(api: Hands) -> None:
    secret = await api.token(Role.INTEGRATION)
    assert (await api.client.get(PATH, headers={"x-access-token": secret})).status_code == 200
    assert (await api.client.get(PATH, headers={"authorization": f"Bearer {secret}"})).status_code == 200


async def test_a_token_may_be_in_query_or_body(api: Hands) -> None:
    secret = await domain_token(api)
    assert (await api.client.get(PATH, params={"access_token": secret})).status_code == 200
    body = {"access_token": secret, "name": "x", "type": "Predictive Dialer", "calendar": {"id": "y"}}
    made = (await api.client.post(PATH, json=body)).json()["data"]["insertedIds"][0]
    shown = (await api.client.get(f"{PATH}/{made}", params={"access_token": secret})).json()["data"]
    assert "access_token" not in shown
    large = body | {"description": "x" * 70_000}
    assert (await api.client.post(PATH, json=large)).json()["info"] == "Invalid token"


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "astd_nobody", "a.b", "\x7f"])
async def test_what_is_no_token(api: Hands, token: str) -> None:
    assert await refused(api, headers={"x-access-token": token}) == "Invalid token"


async def test_no_token_and_a_body_that_cant_be_read(api: Hands) -> None:
    assert await refused(api) == "Invalid token"
    answer = await api.client.post(PATH, content=b"{")
    assert (answer.status_code, answer.json()["info"]) == (401, "Invalid token")


async def test_a_token_that_has_ended(api: Hands) -> None:
    assert await refused(api, headers={"x-access-token": SOURCES}) == "Token Expired"
    secret = await domain_token(api, expires_at=NOW + 1000)
    api.clock.at = NOW + 1000
    assert await refused(api, headers={"x-access-token": secret}) == "Token Expired"


async def test_a_domain_token_that_is_not_known(api: Hands) -> None:
    unknown = jwt(id="x", exp=NOW + 10**9, d="site", t="domain", v=2)
    assert await refused(api, headers={"x-access-token": unknown}) == "Not found token"
    secret = await domain_token(api)
    await tokens.revoke(api.store, api.clock, "crm")
    assert await refused(api, headers={"x-access-token": secret}) == "Not found token"


@pytest.mark.parametrize("exp", [None, "x", True])
async def test_claims_may_be_anything(api: Hands, exp: Any) -> None:
    found = await refused(api, headers={"x-access-token": jwt(exp=exp, t="domain")})
    assert found in ("Not found token", "Token Expired")


# --- users -----------------------------------------------------------------------------------------------------------


async def logged_in(api: Hands) -> dict[str, Any]:
    secret = (await tokens.create(api.store, api.clock, "ana@site", Role.SUPERVISOR, tenant="site")).secret
    answer = await api.client.post("/login", json={"username": "ana@site", "password": secret})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_a_user_logs_in_and_needs_its_key(api: Hands) -> None:
    user = await logged_in(api)
    assert (user["username"], user["domain"], user["roleName"]) == ("ana@site", "site", "supervisor")
    assert user["expires"] == NOW + 12 * 3_600_000
    claims = tokens.claims(user["token"])
    assert claims
    assert (claims["t"], claims["v"], claims["exp"]) == ("user", 2, user["expires"])
    both = {"x-access-token": user["token"], "x-key": user["key"]}
    assert (await api.client.get(PATH, headers=both)).status_code == 200
    query = {"access_token": user["token"], "x_key": user["key"]}
    assert (await api.client.get(PATH, params=query)).status_code == 200
    assert (await api.client.request("GET", PATH, json=query)).status_code == 200
    assert await refused(api, headers={"x-access-token": user["token"]}) == "Invalid Token or Key"
    assert await refused(api, headers=both | {"x-key": "wrong"}) == "Invalid User"


async def test_a_user_logs_out(api: Hands) -> None:
    user = await logged_in(api)
    both = {"x-access-token": user["token"], "x-key": user["key"]}
    assert (await api.client.get(PATH, headers=both)).status_code == 200
    answer = await api.client.post("/logout", headers=both)
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "info": "Successful logout."})
    assert await refused(api, headers=both) == "Invalid User"
    assert (await api.client.post("/logout", headers=both)).status_code == 401


async def test_a_logout_names_both(api: Hands) -> None:
    user = await logged_in(api)
    for headers in ({}, {"x-access-token": user["token"]}, {"x-key": user["key"]}):
        answer = await api.client.post("/logout", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"status": 401, "message": "Invalid credentials"})
    body = {"access_token": user["token"], "x_key": user["key"]}
    assert (await api.client.post("/logout", json=body)).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"username": ""}, {"username": "ana@site"}, {"username": 1, "password": 2}, [], "x"]
)
async def test_a_login_names_both(api: Hands, body: Any) -> None:
    answer = await api.client.post("/login", json=body)
    assert (answer.status_code, answer.json()) == (401, {"status": 401, "message": "Invalid credentials"})


async def test_a_wrong_password_is_told(api: Hands) -> None:
    answer = await api.client.post("/login", json={"username": "ana@site", "password": "x"})
    assert (answer.status_code, answer.json()) == (401, {"status": "error", "info": "secret incorrect"})


async def test_passwords_are_not_tried_for_long(api: Hands) -> None:
    statuses = [
        (await api.client.post("/login", json={"username": "a", "password": "b"})).status_code
        for _ in range(STRANGER_BURST + 1)
    ]
    assert statuses == [401] * STRANGER_BURST + [429]


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_too_many_and_too_much_are_told_in_the_same_envelope(tmp_path: Path) -> None:
    async with hands(tmp_path, max_body_kb=1, rate_per_second=1.0, burst=2) as api:
        headers = {"x-access-token": await api.token(Role.INTEGRATION)}
        large: httpx.Response = await api.client.post(PATH, content=b"x" * 2000, headers=headers)
        assert (large.status_code, large.json()["status"]) == (413, "error")
        answers = [await api.client.get(PATH, headers=headers) for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert answers[-1].json()["status"] == "error"
        assert answers[-1].headers["retry-after"] == "1"


async def test_a_fault_of_ours_is_told_without_its_inside(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr("astdialer.http.webitel3.dialers.campaigns.loaded", fails)
    answer = await api.client.get(PATH, headers={"x-access-token": await api.token(Role.INTEGRATION)})
    assert answer.status_code == 500
    assert answer.json() == {"status": "error", "info": "a fault of astdialer; its log has more"}
