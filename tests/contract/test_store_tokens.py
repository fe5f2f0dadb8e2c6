"""Store contract: tokens and their sessions."""

import asyncio
from typing import Any

import pytest
from stores import DAY, HOUR, NOW, FreshDatabase

from astdialer.domain.access import Role
from astdialer.domain.errors import Conflict
from astdialer.ports import Store, Token

pytest_plugins = ("store_fixtures",)


def token(name: str = "crm", **values: Any) -> Token:
    known: dict[str, Any] = {"id": f"id-{name}", "name": name, "role": Role.INTEGRATION, "created_at": NOW}
    return Token(**known | values)


def session(n: int = 0, of: str = "id-crm", **values: Any) -> Token:
    known: dict[str, Any] = {"id": f"s{n}", "parent": of, "created_at": NOW + n, "expires_at": NOW + HOUR}
    return token(**known | values)


async def log_in(store: Store, made: Token, most: int = 10) -> bool:
    return await store.add_session(made, hashed=f"hash-{made.id}", key_hashed="", most=most)


async def is_good(store: Store, hashed: str, now: int = NOW) -> bool:
    found = await store.token_by_hash(hashed)
    return found is not None and found[0].is_good(now)


async def test_a_token_comes_back_with_everything_it_had(store: Store) -> None:
    made = token(tenant="a", agent="1001", role=Role.AGENT, created_by="ana", expires_at=NOW + DAY)
    await store.add_token(made, hashed="h", key_hashed="k")
    assert await store.token_by_hash("h") == (made, "k")
    assert list(await store.tokens()) == [made]


async def test_a_hash_that_nobody_has_is_not_found(store: Store) -> None:
    await store.add_token(token(), hashed="h")
    assert await store.token_by_hash("H") is None
    assert await store.token_by_hash("") is None


async def test_tokens_are_listed_by_name_and_of_one_tenant(store: Store) -> None:
    await store.add_token(token("b", tenant="x"), hashed="1")
    await store.add_token(token("a"), hashed="2")
    await store.add_token(token("c", tenant="y"), hashed="3")
    assert [each.name for each in await store.tokens()] == ["a", "b", "c"]
    assert [each.name for each in await store.tokens("x")] == ["b"]


async def test_a_name_is_free_again_once_its_token_is_revoked_or_has_expired(store: Store) -> None:
    await store.add_token(token(expires_at=NOW + 10), hashed="1")
    with pytest.raises(Conflict, match="there is a token 'crm' already"):
        await store.add_token(token(id="2", created_at=NOW + 9), hashed="2")
    await store.add_token(token(id="2", created_at=NOW + 10), hashed="2")
    await store.revoke_token("2", NOW + 20)
    await store.add_token(token(id="3", created_at=NOW + 21), hashed="3")
    assert len(await store.tokens()) == 3


async def test_of_two_that_take_a_name_at_once_one_gets_it(store: Store) -> None:
    made = [store.add_token(token(id=str(n)), hashed=str(n)) for n in range(10)]
    results = await asyncio.gather(*made, return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in results) == 9
    assert len(await store.tokens()) == 1


async def test_a_revoked_token_takes_its_sessions_with_it_and_no_others(store: Store) -> None:
    await store.add_token(token(), hashed="crm")
    await store.add_token(token("other"), hashed="other")
    for made in (session(1), session(2), session(3, "id-other", name="other")):
        assert await log_in(store, made)
    assert await store.revoke_token("id-crm", NOW + 5)
    assert [await is_good(store, h) for h in ("crm", "hash-s1", "hash-s2")] == [False] * 3
    assert [await is_good(store, h) for h in ("other", "hash-s3")] == [True] * 2
    assert not await store.revoke_token("id-crm", NOW + 6), "once is enough"
    assert not await store.revoke_token("", NOW + 6), "sessions of nobody are not everybody's tokens"
    assert await is_good(store, "other")


async def test_a_session_ends_alone(store: Store) -> None:
    await store.add_token(token(), hashed="crm")
    await log_in(store, session(1))
    await log_in(store, session(2))
    assert await store.revoke_token("s1", NOW)
    assert [await is_good(store, h) for h in ("crm", "hash-s1", "hash-s2")] == [True, False, True]


async def test_sessions_are_not_among_the_tokens(store: Store) -> None:
    await store.add_token(token(), hashed="crm")
    await log_in(store, session(1))
    assert [each.id for each in await store.tokens()] == ["id-crm"]
    found = await store.token_by_hash("hash-s1")
    assert found is not None
    assert found[0] == session(1)


@pytest.mark.parametrize("how", ["revoked", "expired", "never was"])
async def test_nobody_logs_in_with_a_token_that_is_good_no_more(store: Store, how: str) -> None:
    """The token was looked at before: it may have been revoked since."""
    if how != "never was":
        await store.add_token(token(expires_at=NOW if how == "expired" else None), hashed="crm")
    if how == "revoked":
        await store.revoke_token("id-crm", NOW)
    assert not await log_in(store, session(0))
    assert await store.token_by_hash("hash-s0") is None


async def test_a_revocation_and_a_login_at_once_leave_no_good_session(store: Store) -> None:
    await store.add_token(token(), hashed="crm")
    logins = [log_in(store, session(n), 100) for n in range(50)]
    await asyncio.gather(*logins[:25], store.revoke_token("id-crm", NOW), *logins[25:])
    assert not any([await is_good(store, f"hash-s{n}") for n in range(50)])


async def test_the_oldest_sessions_end_when_there_are_too_many(store: Store) -> None:
    await store.add_token(token(), hashed="crm")
    await store.add_token(token("other"), hashed="other")
    await log_in(store, session(99, "id-other", name="other"))
    for n in range(8):
        await log_in(store, session(n), most=3)
    assert [n for n in range(8) if await store.token_by_hash(f"hash-s{n}")] == [5, 6, 7]
    assert await is_good(store, "hash-s99"), "each token has its own"
    assert await is_good(store, "crm")


async def test_ended_sessions_go_when_somebody_logs_in(store: Store) -> None:
    await store.add_token(token(expires_at=NOW - 1), hashed="old")
    await store.add_token(token("other"), hashed="other")
    await log_in(store, session(1, "id-other", name="other"))
    await log_in(store, session(2, "id-other", name="other", created_at=NOW + DAY, expires_at=NOW + 2 * DAY))
    assert await store.token_by_hash("hash-s1") is None
    assert await store.token_by_hash("hash-s2")
    assert await store.token_by_hash("old"), "tokens are kept, so that it can be said what became of them"


async def test_the_engine_has_nothing_to_notice(database: FreshDatabase) -> None:
    async with database.open() as engine, database.open() as http:
        await engine.changed_elsewhere()
        await http.add_token(token(), hashed="crm")
        await log_in(http, session(1))
        await http.revoke_token("id-crm", NOW)
        assert not await engine.changed_elsewhere()
