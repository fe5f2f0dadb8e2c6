"""Every endpoint × every role × no credentials × another tenant's: nothing is left out of these tables."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from http_hands import Hands, hands
from http_samples import Endpoint, Furnished, endpoints, furnish, send

from astdialer.domain.access import Role

#: Endpoints that ask for no token, on purpose.
OPEN = {
    *(f"{method} /{name}" for method in ("GET", "HEAD") for name in ("healthz", "readyz")),
    # logins
    "POST /login",
    "POST /logout",
    *(f"POST /Integra/resources/auth/{name}" for name in ("getUserToken", "UserLogin", "EndSession")),
    *(f"POST {prefix}/api/v1/auth/{name}" for prefix in ("", "/iam") for name in ("login", "refresh")),
    *(f"GET {prefix}/api/v1/auth/refresh" for prefix in ("", "/iam")),
    # a page and its script, which ask for whatever they show
    "GET /Integra/proxy.html",
    "GET /Integra/proxy.js",
}
ENDPOINTS = list(endpoints())
GUARDED = [each for each in ENDPOINTS if str(each) not in OPEN]
#: Answers that never end by themselves.
ENDLESS = {"GET /v1/events"}
every = pytest.mark.parametrize("endpoint", [e for e in GUARDED if str(e) not in ENDLESS], ids=str)


THEIRS, OURS = "their-company", "our-company"


@dataclass(frozen=True, slots=True)
class Template:
    """A store with one thing of every kind, of a tenant, and a token for every role; each test has a copy."""

    folder: Path
    known: Furnished
    secrets: Mapping[tuple[Role, str], str]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("template")

    async def make() -> Template:
        async with hands(folder) as api:
            known = await furnish(api, THEIRS)
            for role in Role:
                await api.token(role)
            await api.token(Role.ADMIN, OURS)
            return Template(folder, known, dict(api.secrets))

    return asyncio.run(make())


@pytest.fixture
async def api(tmp_path: Path, template: Template) -> AsyncIterator[Hands]:
    shutil.copytree(template.folder, tmp_path, dirs_exist_ok=True)
    async with hands(tmp_path) as opened:
        opened.secrets |= template.secrets
        yield opened


def test_every_endpoint_says_what_it_needs() -> None:
    assert {str(each) for each in ENDPOINTS if not each.asked} == OPEN


@pytest.mark.parametrize("endpoint", GUARDED, ids=str)
async def test_without_a_good_token_nobody_comes_in(api: Hands, endpoint: Endpoint) -> None:
    for headers in ({}, {"authorization": "Bearer astd_wrong"}, {"authorization": "Bearer"}):
        answer = await send(api, endpoint, {}, headers)
        assert answer.status_code == 401, (headers, answer.text)
        assert "www-authenticate" in answer.headers


@every
async def test_a_role_may_what_its_permissions_say(api: Hands, endpoint: Endpoint, template: Template) -> None:
    for role in sorted(Role, key=endpoint.lets_in):
        answer = await send(api, endpoint, template.known.values, await api.bearer(role))
        assert answer.status_code < 500 or answer.status_code == 503, (role, answer.text)
        if endpoint.lets_in(role):
            own_only = role is Role.AGENT and answer.status_code == 403  # not the telephone of the token's agent
            assert answer.status_code not in (401, 403) or own_only, (role, answer.text)
        else:
            assert answer.status_code == 403, (role, answer.status_code, answer.text)


@every
async def test_another_tenants_things_are_not_there(
    api: Hands, endpoint: Endpoint, template: Template, tmp_path: Path
) -> None:
    before = everything(tmp_path / "s.db")
    answer = await send(api, endpoint, template.known.values, await api.bearer(Role.ADMIN, OURS))
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    asked = str(answer.url) + unquote_plus(answer.request.content.decode(errors="replace"))
    told = [secret for secret in template.known.secrets if secret in answer.text and secret not in asked]
    assert told == [], answer.text
    assert theirs_changed(before, everything(tmp_path / "s.db")) == []


def theirs_changed(before: Mapping[str, list[Any]], after: Mapping[str, list[Any]]) -> list[str]:
    """Tables of which a row is gone or another one: whoever asks may add rows of its own."""
    return [table for table, rows in before.items() if not set(rows) <= set(after[table])]


def everything(path: Path) -> Mapping[str, list[tuple[Any, ...]]]:
    """All rows of all tables that matter."""
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        names = [name for (name,) in found if name not in ("idempotency", "sqlite_sequence", "followers", "revision")]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    finally:
        connection.close()
