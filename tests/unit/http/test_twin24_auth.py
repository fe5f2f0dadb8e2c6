"""Logging in to Twin24's API: sessions, and what renews them once."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_hands import NOW, Hands, hands
from twin24_hands import TELEPHONY, trunk

from astdialer.domain.access import Role
from astdialer.engine import tokens

DAY_MS = 86_400_000


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await trunk(opened)
        yield opened


async def login(api: Hands, path: str = "/api/v1/auth/login", **changes: Any) -> httpx.Response:
    """As the integration's token."""
    body = {"email": "integration", "password": await api.token(Role.INTEGRATION), "ttl": 43200} | changes
    return await api.client.post(path, json={key: value for key, value in body.items() if value is not ...})


async def renewed(api: Hands, refresh: str, **more: Any) -> httpx.Response:
    return await api.client.post("/api/v1/auth/refresh", json={"refreshToken": refresh} | more)


async def opens(api: Hands, token: str) -> int:
    answer = await api.client.get(f"{TELEPHONY}/autoCall", headers={"authorization": f"Bearer {token}"})
    return answer.status_code


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/iam/api/v1/auth/login"])
async def test_a_tokens_name_and_secret_make_a_session(api: Hands, path: str) -> None:
    answer = await login(api, path)
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "refreshToken"}
    assert await opens(api, answer.json()["token"]) == 200


async def test_a_session_tells_when_it_ends_as_a_jwt_does(api: Hands) -> None:
    token = (await login(api, ttl=600)).json()["token"]
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims == {"sub": "integration", "iat": NOW // 1000, "exp": NOW // 1000 + 600}
    api.clock.at = NOW + 599_000
    assert await opens(api, token) == 200
    api.clock.at = NOW + 603_000
    assert await opens(api, token) == 401


@pytest.mark.parametrize(("ttl", "seconds"), [(..., tokens.SESSION_S), (1, 60), (10_000_000, tokens.LONGEST_SESSION_S)])
async def test_a_session_lasts_as_long_as_it_may(api: Hands, ttl: Any, seconds: int) -> None:
    token = (await login(api, ttl=ttl)).json()["token"]
    claims = tokens.claims(token)
    assert claims is not None
    assert claims["exp"] == NOW // 1000 + seconds


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"email": "admin"}, 401),
        ({"password": "astd_wrong"}, 401),
        ({"password": "ü\x00"}, 401),
        ({"email": ...}, 400),
        ({"password": ["a"]}, 400),
        ({"ttl": "soon"}, 400),
    ],
)
async def test_who_is_not_known_gets_nothing(api: Hands, changes: dict[str, Any], status: int) -> None:
    answer = await login(api, **changes)
    assert answer.status_code == status
    assert set(answer.json()) <= {"code", "message", "errors"}


async def test_who_guesses_is_told_to_wait(api: Hands) -> None:
    statuses = [(await login(api, password=f"astd_{n}")).status_code for n in range(30)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


async def test_a_session_is_renewed_once(api: Hands) -> None:
    first = (await login(api)).json()
    second = (await renewed(api, first["refreshToken"], ttl=3600)).json()
    assert await opens(api, second["token"]) == 200
    assert await opens(api, first["token"]) == 200, "it lasts as long as it was to"
    assert (await renewed(api, first["refreshToken"])).status_code == 401
    third = await api.client.get("/api/v1/auth/refresh", params={"refreshToken": second["refreshToken"], "ttl": 60})
    assert third.status_code == 200
    assert await opens(api, third.json()["token"]) == 200


async def test_a_session_that_was_logged_out_is_not_renewed(api: Hands) -> None:
    first, other = (await login(api)).json(), (await login(api)).json()
    assert await tokens.log_out(api.store, api.clock, first["token"])
    assert await opens(api, first["token"]) == 401
    assert (await renewed(api, first["refreshToken"])).status_code == 401
    assert (await renewed(api, other["refreshToken"])).status_code == 200


async def test_a_session_is_renewed_when_it_is_over(api: Hands) -> None:
    first = (await login(api, ttl=60)).json()
    api.clock.at = NOW + DAY_MS
    assert await opens(api, first["token"]) == 401
    second = await renewed(api, first["refreshToken"])
    assert await opens(api, second.json()["token"]) == 200
    api.clock.at += 31 * DAY_MS
    assert (await renewed(api, second.json()["refreshToken"])).status_code == 401


async def test_what_renews_a_session_opens_nothing_itself(api: Hands) -> None:
    refresh = (await login(api)).json()["refreshToken"]
    assert await opens(api, refresh) == 401
    assert (await renewed(api, (await login(api)).json()["token"][:190])).status_code == 401
    assert (await login(api, password=refresh)).status_code == 401


async def test_sessions_and_what_renews_them_end_with_their_token(api: Hands) -> None:
    first = (await login(api)).json()
    await tokens.revoke(api.store, api.clock, "integration")
    api.clock.at += 3000
    assert await opens(api, first["token"]) == 401
    assert (await renewed(api, first["refreshToken"])).status_code == 401


async def test_a_session_lasts_no_longer_than_its_token(api: Hands) -> None:
    made = await tokens.create(api.store, api.clock, "brief", Role.INTEGRATION, expires_at=NOW + 120_000)
    first = (await login(api, email="brief", password=made.secret)).json()
    claims = tokens.claims(first["token"])
    assert claims is not None
    assert claims["exp"] == NOW // 1000 + 120
    api.clock.at = NOW + 121_000
    assert (await renewed(api, first["refreshToken"])).status_code == 401


async def test_a_session_sees_what_its_token_sees(api: Hands) -> None:
    secret = await api.token(Role.READ_ONLY, "a")
    first = (await login(api, email="read-onlya", password=secret)).json()
    second = (await renewed(api, first["refreshToken"])).json()
    headers = {"authorization": f"Bearer {second['token']}"}
    answer = await api.client.post(f"{TELEPHONY}/autoCall/x/play", headers=headers)
    assert answer.status_code == 403
    assert await opens(api, second["token"]) == 200
    assert {token.tenant for token in await tokens.tokens(api.store, "a")} == {"a"}
