"""Who comes in over HTTP: tokens that are believed for a moment, how many requests, and doing without tokens."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from http_hands import Hands, hands

from astdialer.domain.access import Access, Role
from astdialer.engine import tokens
from astdialer.http import access
from astdialer.http.access import BELIEVED_MS, STRANGER_BURST, Bucket, Gate, is_loopback
from astdialer.http.dialect import Credentials
from astdialer.http.problems import TooMany

ANY = "/v1/campaigns"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def get(api: Hands, **headers: str) -> httpx.Response:
    return await api.client.get(ANY, headers=headers)


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic YTpi",
        "astd_x",
        "Bearer " + "x" * 5000,
        "Bearer a b",
    ],
)
async def test_without_a_good_token_nobody_comes_in(api: Hands, header: str) -> None:
    answer = await get(api, authorization=header)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code" if "code" in answer.json() else "type"].endswith("unauthorized")


async def test_the_scheme_may_be_written_as_one_likes(api: Hands) -> None:
    secret = await api.token()
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (await get(api, authorization=f"{scheme} {secret}")).status_code == 200


async def test_a_revoked_token_and_its_sessions_are_shut_out_within_two_seconds(api: Hands) -> None:
    secret = await api.token()
    session = (await tokens.log_in(api.store, api.clock, "admin", secret)).secret
    headers = [{"authorization": f"Bearer {each}"} for each in (secret, session)]
    assert [(await get(api, **each)).status_code for each in headers] == [200, 200]
    await tokens.revoke(api.store, api.clock, "admin")
    api.clock.at += BELIEVED_MS
    assert BELIEVED_MS <= 2000
    for each in headers:
        answer = await get(api, **each)
        assert (answer.status_code, answer.json()["detail"]) == (401, "the token was revoked")


async def test_a_token_that_ends_is_shut_out_within_two_seconds(api: Hands) -> None:
    made = await tokens.create(api.store, api.clock, "short", Role.ADMIN, expires_at=api.clock.at + 5000)
    header = {"authorization": f"Bearer {made.secret}"}
    api.clock.at += 4999
    assert (await get(api, **header)).status_code == 200
    api.clock.at += BELIEVED_MS
    assert (await get(api, **header)).json()["detail"] == "the token has expired"


async def test_a_clock_that_goes_back_makes_no_token_good(api: Hands) -> None:
    """Else a revoked one would be believed until the clock is where it was."""
    header = await api.bearer()
    assert (await get(api, **header)).status_code == 200
    await tokens.revoke(api.store, api.clock, "admin")
    api.clock.at -= 3_600_000
    assert (await get(api, **header)).status_code == 401


async def test_a_token_is_looked_up_once_in_a_while_and_not_for_each_request(
    api: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    look_up = api.store.token_by_hash

    async def counted(hashed: str) -> object:
        nonlocal looked
        looked += 1
        return await look_up(hashed)

    monkeypatch.setattr(api.store, "token_by_hash", counted)
    header = await api.bearer()
    for _ in range(10):
        await get(api, **header)
    assert looked == 1
    api.clock.at += BELIEVED_MS
    await get(api, **header)
    assert looked == 2


def test_what_is_remembered_is_bounded_and_the_longest_unseen_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MOST_KNOWN", 3)
    gate = Gate()
    for n in range(5):
        gate.remember(Credentials(str(n)), Access(name=str(n), role=Role.ADMIN), 1000)
        gate.take(str(n), 1, 1, 1000)
        if n < 4:
            gate.remember(Credentials("0"), Access(name="0", role=Role.ADMIN), 1000)
    assert [credentials.secret for credentials in gate.known] == ["3", "0", "4"]
    assert list(gate.buckets) == ["2", "3", "4"]
    assert gate.recall(Credentials("3"), 1000) is not None
    assert gate.recall(Credentials("1"), 1000) is None


# --- how many requests -----------------------------------------------------------------------------------------------


def taken(bucket: Bucket, now: int, times: int = 100) -> int:
    """How many requests pass."""
    passed = 0
    for _ in range(times):
        try:
            bucket.take(now)
        except TooMany:
            continue
        passed += 1
    return passed


def test_so_many_come_at_once_and_so_many_a_second() -> None:
    bucket = Bucket(per_second=2, burst=5)
    assert taken(bucket, 1000) == 5
    assert taken(bucket, 1000) == 0
    assert taken(bucket, 2000) == 2
    assert taken(bucket, 2500) == 1
    assert taken(bucket, 1_000_000) == 5, "no more are saved up than may come at once"


def test_who_is_refused_is_told_when_to_come_again() -> None:
    bucket = Bucket(per_second=0.1, burst=1)
    bucket.take(1000)
    with pytest.raises(TooMany) as refused:
        bucket.take(1000)
    assert refused.value.retry_after_s == 10
    with pytest.raises(TooMany) as refused:
        bucket.take(4600)
    assert refused.value.retry_after_s == 7, "rounded up: sooner would be in vain"
    assert taken(bucket, 4600 + 7000) == 1


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    bucket = Bucket(per_second=1, burst=3)
    assert taken(bucket, 10_000) == 3
    assert taken(bucket, 1000) == 0
    assert taken(bucket, 2000) == 1


async def test_each_token_has_its_own_share(tmp_path: Path) -> None:
    async with hands(tmp_path, rate_per_second=1.0, burst=3) as api:
        admin, reader = await api.bearer(), await api.bearer(Role.READ_ONLY)
        statuses = [(await get(api, **admin)).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert (await get(api, **reader)).status_code == 200
        refused = await get(api, **admin)
        assert (refused.headers["retry-after"], refused.json()["title"]) == ("1", "Too Many Requests")
        api.clock.at += 1000
        assert (await get(api, **admin)).status_code == 200


async def test_sessions_of_a_token_have_shares_of_their_own(tmp_path: Path) -> None:
    async with hands(tmp_path, rate_per_second=1.0, burst=1) as api:
        secret = await api.token()
        session = (await tokens.log_in(api.store, api.clock, "admin", secret)).secret
        assert [(await get(api, authorization=f"Bearer {each}")).status_code for each in (secret, session)] == [
            200,
            200,
        ]


async def test_strangers_are_slowed_down_and_keep_no_good_token_out(api: Hands) -> None:
    """All of them may come by the same reverse proxy."""
    statuses = [(await get(api, authorization=f"Bearer x{n}")).status_code for n in range(STRANGER_BURST + 10)]
    assert statuses == [401] * STRANGER_BURST + [429] * 10
    assert (await get(api, **await api.bearer())).status_code == 200
    api.clock.at += 1000
    assert (await get(api)).status_code == 401


async def test_many_at_once_are_counted_each(tmp_path: Path) -> None:
    async with hands(tmp_path, rate_per_second=0.1, burst=10) as api:
        header = await api.bearer()
        answers = await asyncio.gather(*(get(api, **header) for _ in range(30)))
        assert sum(answer.status_code == 200 for answer in answers) == 10


# --- without tokens --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "localhost:8480", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:8480"])
async def test_without_tokens_this_machine_may_everything(tmp_path: Path, host: str) -> None:
    async with hands(tmp_path, tokens=False) as api:
        assert (await get(api, host=host)).status_code == 200
        made = await api.client.post(ANY, json={"name": "a"}, headers={"host": host})
        assert made.status_code == 201
        (event,) = await api.store.history(made.json()["id"], 1)
        assert event.done_by == "loopback"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example", "x"])
async def test_a_name_of_somebody_elses_that_leads_here_gets_nothing(tmp_path: Path, host: str) -> None:
    """DNS rebinding: a page of evil.example would read what it likes."""
    async with hands(tmp_path, tokens=False) as api:
        answer = await get(api, host=host)
        assert (answer.status_code, "localhost" in answer.json()["detail"]) == (403, True)


async def test_a_page_of_somebody_elses_changes_nothing(tmp_path: Path) -> None:
    """Browsers send it without asking, and with the origin of the page."""
    mine = "https://crm.example"
    async with hands(tmp_path, tokens=False, browser_origins=(mine,)) as api:
        for origin, status in (("https://evil.example", 403), ("null", 403), (mine, 201)):
            headers = {"host": "localhost", "origin": origin}
            assert (await api.client.post(ANY, json={"name": "a"}, headers=headers)).status_code == status
        assert len(await api.store.campaigns()) == 1


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
        ("dialer.example", False),
        ("::ffff:192.0.2.1", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, own: bool) -> None:
    assert is_loopback(host) is own


# --- browsers --------------------------------------------------------------------------------------------------------


async def test_a_page_may_ask_if_its_origin_is_listed(tmp_path: Path) -> None:
    mine = "https://crm.example"
    async with hands(tmp_path, browser_origins=(mine,)) as api:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        allowed = await api.client.options(ANY, headers={"origin": mine} | asked)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, mine)
        assert "POST" in allowed.headers["access-control-allow-methods"]
        assert allowed.headers["access-control-allow-headers"] == "authorization"
        refused = await api.client.options(ANY, headers={"origin": "https://evil.example"} | asked)
        assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (400, False)

        answer = await get(api, origin=mine)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, mine), "it reads errors too"
        answer = await get(api, origin="https://evil.example", **await api.bearer())
        assert "access-control-allow-origin" not in answer.headers


async def test_without_listed_origins_no_page_reads_an_answer(api: Hands) -> None:
    answer = await get(api, origin="https://crm.example", **await api.bearer())
    assert "access-control-allow-origin" not in answer.headers
    preflight = await api.client.options(ANY, headers={"origin": "x", "access-control-request-method": "POST"})
    assert preflight.status_code == 405


@pytest.mark.parametrize("path", ["/v1/campaigns", "/v1/tokens"])
async def test_nobody_learns_what_is_wrong_with_a_body_without_a_token(api: Hands, path: str) -> None:
    for role, status in ((None, 401), (Role.READ_ONLY, 403), (Role.ADMIN, 422)):
        headers = await api.bearer(role) if role else {}
        answer = await api.client.post(path, content=b"{", headers=headers)
        assert answer.status_code == status
    assert [each["field"] for each in answer.json()["errors"]] == ["body"]


async def test_the_document_of_the_api_asks_for_no_token(api: Hands) -> None:
    answer = await api.client.get("/v1/openapi.json")
    assert (answer.status_code, answer.json()["openapi"][:2]) == (200, "3.")
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await api.client.get(path)).status_code == 404
