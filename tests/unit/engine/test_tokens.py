"""Tokens: made, looked up, exchanged for sessions, revoked."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from use_case_hands import DAY, HOUR, NOON, Clock

from astdialer.domain.access import Access, Role, Unauthorized
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound
from astdialer.engine import tokens
from astdialer.store import SqliteStore, open_store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "s.db", clock) as opened:
        yield opened


async def made(store: SqliteStore, clock: Clock, name: str = "crm", **values: Any) -> tokens.Made:
    known: dict[str, Any] = {"role": Role.INTEGRATION}
    return await tokens.create(store, clock, name, **known | values)


async def opens(store: SqliteStore, clock: Clock, secret: str, key: str | None = None) -> bool:
    try:
        await tokens.verify(store, clock, secret, key)
    except Unauthorized:
        return False
    return True


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_a_token_opens_what_its_role_and_tenant_allow(store: SqliteStore, clock: Clock) -> None:
    found = await made(store, clock, "desk", role=Role.AGENT, tenant="a", agent="1001", created_by="ana")
    assert await tokens.verify(store, clock, found.secret) == Access(
        name="desk", role=Role.AGENT, tenant="a", agent="1001", token_id=found.token.id
    )
    assert (found.token.created_by, found.token.created_at, found.key) == ("ana", NOON, "")


async def test_secrets_are_long_and_no_two_are_alike(store: SqliteStore, clock: Clock) -> None:
    secrets = {(await made(store, clock, f"n{n}")).secret for n in range(50)}
    assert len(secrets) == 50
    assert {(secret[:5], len(secret)) for secret in secrets} == {("astd_", 48)}


@pytest.mark.parametrize("secret", ["", "astd_", "x" * 10_000, "\ud800", "ñ", "' OR 1=1 --", "\x00"])
async def test_what_is_no_secret_opens_nothing(store: SqliteStore, clock: Clock, secret: str) -> None:
    await made(store, clock)
    with pytest.raises(Unauthorized, match="not known"):
        await tokens.verify(store, clock, secret)


async def test_a_token_ends_at_its_time(store: SqliteStore, clock: Clock) -> None:
    found = await made(store, clock, expires_at=NOON + 1000)
    clock.at = NOON + 999
    assert await opens(store, clock, found.secret)
    clock.at = NOON + 1000
    with pytest.raises(Unauthorized, match="has expired"):
        await tokens.verify(store, clock, found.secret)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a\r\nb"}, "name"),
        ({"tenant": "a b"}, "tenant"),
        ({"tenant": "x" * 65}, "tenant"),
        ({"role": Role.AGENT}, "agent"),
        ({"role": Role.AGENT, "agent": "10\n01"}, "agent"),
        ({"role": Role.ADMIN, "agent": "1001"}, "agent"),
        ({"expires_at": NOON}, "expires"),
        ({"expires_at": -1}, "expires"),
    ],
)
async def test_a_token_that_cannot_be_is_refused(
    store: SqliteStore, clock: Clock, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidSetting) as refused:
        await made(store, clock, **values)
    assert refused.value.key == field
    assert await tokens.tokens(store) == []


async def test_a_name_is_taken_once(store: SqliteStore, clock: Clock) -> None:
    await made(store, clock)
    with pytest.raises(Conflict, match="astdialer token revoke crm"):
        await made(store, clock)


async def test_a_revoked_token_opens_nothing_and_its_name_is_free(store: SqliteStore, clock: Clock) -> None:
    found = await made(store, clock)
    assert (await tokens.revoke(store, clock, "crm")).id == found.token.id
    with pytest.raises(Unauthorized, match="was revoked"):
        await tokens.verify(store, clock, found.secret)
    again = await made(store, clock)
    assert await opens(store, clock, again.secret)


async def test_of_two_of_a_name_the_good_one_is_revoked(store: SqliteStore, clock: Clock) -> None:
    """The other has expired, and opens nothing as it is."""
    await made(store, clock, expires_at=NOON + 1)
    clock.at += 2
    good = await made(store, clock)
    await tokens.revoke(store, clock, "crm")
    assert not await opens(store, clock, good.secret)
    with pytest.raises(NotFound):
        await tokens.revoke(store, clock, "crm")


async def test_a_token_is_revoked_by_its_id_too_but_not_by_another_tenant(store: SqliteStore, clock: Clock) -> None:
    found = await made(store, clock, tenant="a")
    with pytest.raises(NotFound):
        await tokens.revoke(store, clock, "crm", tenant="b")
    assert await opens(store, clock, found.secret)
    await tokens.revoke(store, clock, found.token.id, tenant="a")
    assert not await opens(store, clock, found.secret)


async def test_a_tenant_knows_of_its_own_tokens(store: SqliteStore, clock: Clock) -> None:
    await made(store, clock, "mine", tenant="a")
    await made(store, clock, "theirs", tenant="b")
    await made(store, clock, "all")
    assert [token.name for token in await tokens.tokens(store, "a")] == ["mine"]
    assert [token.name for token in await tokens.tokens(store)] == ["all", "mine", "theirs"]


# --- sessions --------------------------------------------------------------------------------------------------------


async def test_a_session_is_its_token_for_a_while(store: SqliteStore, clock: Clock) -> None:
    parent = await made(store, clock, tenant="a")
    session = await tokens.log_in(store, clock, "crm", parent.secret, lifetime_s=3600)
    access = await tokens.verify(store, clock, session.secret)
    assert (access.name, access.role, access.tenant) == ("crm", Role.INTEGRATION, "a")
    assert access.token_id == session.token.id != parent.token.id
    clock.at += HOUR
    assert not await opens(store, clock, session.secret)
    assert await opens(store, clock, parent.secret)


@pytest.mark.parametrize(("asked_s", "lasts_s"), [(0, 60), (-5, 60), (61, 61), (10**12, tokens.LONGEST_SESSION_S)])
async def test_a_session_lasts_within_limits(store: SqliteStore, clock: Clock, asked_s: int, lasts_s: int) -> None:
    parent = await made(store, clock)
    session = await tokens.log_in(store, clock, "crm", parent.secret, lifetime_s=asked_s)
    assert session.token.expires_at == NOON + lasts_s * 1000


async def test_a_session_does_not_outlive_its_token(store: SqliteStore, clock: Clock) -> None:
    parent = await made(store, clock, expires_at=NOON + 5000)
    session = await tokens.log_in(store, clock, "crm", parent.secret)
    assert session.token.expires_at == NOON + 5000
    clock.at += 4000
    assert (await tokens.log_in(store, clock, "crm", parent.secret, lifetime_s=60)).token.expires_at == NOON + 5000


async def test_who_logs_in_needs_both_name_and_secret(store: SqliteStore, clock: Clock) -> None:
    parent, other = await made(store, clock), await made(store, clock, "other")
    for name, password in (("crm", other.secret), ("crm", "x"), ("", parent.secret), ("CRM", parent.secret)):
        with pytest.raises(Unauthorized):
            await tokens.log_in(store, clock, name, password)
    for name in ("\ud800", "ñ"):
        with pytest.raises(Unauthorized, match="name or its password"):
            await tokens.log_in(store, clock, name, parent.secret)


async def test_a_session_is_no_password(store: SqliteStore, clock: Clock) -> None:
    """Else it could be prolonged for ever."""
    session = await tokens.log_in(store, clock, "crm", (await made(store, clock)).secret)
    with pytest.raises(Unauthorized):
        await tokens.log_in(store, clock, "crm", session.secret)


async def test_sessions_end_with_their_token(store: SqliteStore, clock: Clock) -> None:
    parent = await made(store, clock)
    sessions = [await tokens.log_in(store, clock, "crm", parent.secret) for _ in range(3)]
    await tokens.revoke(store, clock, "crm")
    assert not any([await opens(store, clock, session.secret) for session in sessions])


async def test_logging_out_ends_a_session_once_and_no_token(store: SqliteStore, clock: Clock) -> None:
    parent = await made(store, clock)
    session = await tokens.log_in(store, clock, "crm", parent.secret)
    assert await tokens.log_out(store, clock, session.secret)
    assert not await tokens.log_out(store, clock, session.secret)
    assert not await tokens.log_out(store, clock, parent.secret)
    assert not await tokens.log_out(store, clock, "nobody's")
    assert await opens(store, clock, parent.secret)


async def test_a_client_that_logs_in_for_each_request_fills_no_disk(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_SESSIONS", 5)
    parent = await made(store, clock)
    sessions = []
    for _ in range(12):
        clock.at += 1
        sessions.append(await tokens.log_in(store, clock, "crm", parent.secret))
    assert [await opens(store, clock, session.secret) for session in sessions] == [False] * 7 + [True] * 5


async def test_a_token_that_is_revoked_during_a_login_gives_no_session(store: SqliteStore, clock: Clock) -> None:
    parent = await made(store, clock)

    class Late:
        """A store in which somebody revokes the token between the look at it and the session."""

        token_by_hash = store.token_by_hash

        async def add_session(self, *args: Any, **values: Any) -> bool:
            await tokens.revoke(store, clock, "crm")
            return await store.add_session(*args, **values)

    with pytest.raises(Unauthorized, match="was revoked"):
        await tokens.log_in(Late(), clock, "crm", parent.secret)  # type: ignore[arg-type]


# --- Webitel's shape -------------------------------------------------------------------------------------------------


async def test_a_token_in_webitels_shape_says_whose_it_is_and_is_looked_up_like_others(
    store: SqliteStore, clock: Clock
) -> None:
    found = await made(store, clock, tenant="acme", jwt=True, expires_at=NOON + DAY)
    assert tokens.claims(found.secret) == {
        "id": found.token.id,
        "exp": NOON + DAY,
        "d": "acme",
        "t": "domain",
        "v": 2,
    }
    header = found.secret.split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"typ": "JWT", "alg": "HS256"}
    assert (await tokens.verify(store, clock, found.secret)).tenant == "acme"


async def test_what_a_token_in_webitels_shape_says_of_itself_opens_nothing(store: SqliteStore, clock: Clock) -> None:
    found = await made(store, clock, jwt=True)
    header, body, signature = found.secret.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    for said in (claims | {"d": ""}, claims | {"exp": None}):
        other = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
        assert not await opens(store, clock, f"{header}.{other}.{signature}")
        assert not await opens(store, clock, f"{header}.{other}.")


async def test_a_users_session_needs_its_key(store: SqliteStore, clock: Clock) -> None:
    parent = await made(store, clock)
    session = await tokens.log_in(store, clock, "crm", parent.secret, jwt=True)
    assert await opens(store, clock, session.secret, session.key)
    for key in (None, "", "x", session.key.upper() + "x", "ñ"):
        with pytest.raises(Unauthorized, match="key is missing or wrong"):
            await tokens.verify(store, clock, session.secret, key)
    claims = tokens.claims(session.secret)
    assert claims is not None
    assert claims["t"] == "user"
    with pytest.raises(Unauthorized):
        await tokens.log_in(store, clock, "crm", session.secret)


@pytest.mark.parametrize(
    "text", ["", "a", "a.b", "a.!.c", "a.W10.c", "a.ñ.c", "a." + "W1" * 40_000 + ".c", "..", "a.MQ.c"]
)
def test_what_is_no_such_token_claims_nothing(text: str) -> None:
    assert tokens.claims(text) is None
