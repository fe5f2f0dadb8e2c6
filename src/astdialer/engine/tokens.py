"""Tokens: made and revoked by an administrator, exchanged for sessions by those who log in, and looked up.

A token's text is ``astd_`` and 256 random bits; only its hash is kept. Webitel's tokens have the shape of a JWT, and
are looked up by their hash like all others: nothing that could sign another one is kept anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from astdialer.domain.access import Access, Role, Unauthorized
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.domain.names import AGENT, check_name
from astdialer.ports import Clock, Token, TokenStore

PREFIX = "astd_"
#: How long a session lasts unless it is asked for otherwise, and at most, seconds.
SESSION_S, LONGEST_SESSION_S = 12 * 3600, 30 * 86_400
#: Sessions of a token at a time; a further one ends the oldest. There are clients that log in for each request.
MOST_SESSIONS = 1000
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A token with its secret, which is shown once. ``key``: the second secret of a Webitel user's token. ``refresh``:
    what makes a new session of this one, once, see renew."""

    token: Token
    secret: str
    key: str = ""
    refresh: str = ""


async def create(
    store: TokenStore,
    clock: Clock,
    name: str,
    role: Role,
    *,
    tenant: str = "",
    agent: str = "",
    expires_at: int | None = None,
    created_by: str = "",
    jwt: bool = False,
) -> Made:
    """A new token. ``jwt``: in the shape of Webitel's domain token. Raises InvalidSetting and Conflict."""
    check_name(name)
    if tenant and not _TENANT.fullmatch(tenant):
        raise InvalidSetting("tenant", tenant, "1 to 64 letters, digits or _ . @ + -")
    if (role is Role.AGENT) != bool(agent) or (agent and not AGENT.fullmatch(agent)):
        raise InvalidSetting("agent", agent, "the agent's extension or interface, for the role agent alone")
    now = clock.now()
    if expires_at is not None and expires_at <= now:
        raise InvalidSetting("expires", expires_at, "a time to come")
    token = Token(
        id=str(uuid.uuid4()),
        name=name,
        role=role,
        tenant=tenant,
        agent=agent,
        created_at=now,
        created_by=created_by,
        expires_at=expires_at,
    )
    secret = _webitel(token, "domain") if jwt else _random()
    await store.add_token(token, hashed=hashed(secret))
    return Made(token=token, secret=secret)


async def verify(store: TokenStore, clock: Clock, secret: str, key: str | None = None) -> Access:
    """Who holds this token. ``key``: the second secret, where the token has one. Raises Unauthorized."""
    token = await _good(store, clock, secret, key)
    return Access(name=token.name, role=token.role, tenant=token.tenant, agent=token.agent, token_id=token.id)


async def _good(store: TokenStore, clock: Clock, secret: str, key: str | None) -> Token:
    found = await store.token_by_hash(hashed(secret))
    if found is None:
        raise Unauthorized("the token is not known")
    token, key_hashed = found
    if token.revoked_at is not None:
        raise Unauthorized("the token was revoked")
    if not token.is_good(clock.now()):
        raise Unauthorized("the token has expired")
    if key_hashed and not hmac.compare_digest(key_hashed, hashed(key or "")):
        raise Unauthorized("the token's key is missing or wrong")
    return token


async def _of_login(store: TokenStore, clock: Clock, name: str, password: str) -> Token:
    """The token that somebody logs in with. Raises Unauthorized."""
    token = await _good(store, clock, password, None)
    if token.parent or not hmac.compare_digest(hashed(token.name), hashed(name)):
        raise Unauthorized("the name or its password is wrong")
    return token


async def log_in(
    store: TokenStore, clock: Clock, name: str, password: str, *, lifetime_s: int = SESSION_S, jwt: bool = False
) -> Made:
    """A session for the token ``name``, whose secret is the password. Raises Unauthorized."""
    parent = await _of_login(store, clock, name, password)
    now = clock.now()
    ends = now + min(max(lifetime_s, 60), LONGEST_SESSION_S) * 1000
    session = replace(
        parent,
        id=str(uuid.uuid4()),
        parent=parent.id,
        created_at=now,
        expires_at=min(ends, parent.expires_at or ends),
    )
    secret, key = (_webitel(session, "user"), str(uuid.uuid4())) if jwt else (_random(), "")
    await _add_session(store, session, hashed(secret), hashed(key) if key else "")
    return Made(token=session, secret=secret, key=key)


async def _add_session(store: TokenStore, session: Token, kept: str, key_kept: str = "") -> None:
    """Raises Unauthorized when the token that it was made with is good no more."""
    if not await store.add_session(session, hashed=kept, key_hashed=key_kept, most=MOST_SESSIONS):
        raise Unauthorized("the token was revoked")


async def log_in_renewably(
    store: TokenStore, clock: Clock, name: str, password: str, *, lifetime_s: int = SESSION_S
) -> Made:
    """A session as log_in's, in the shape of a JWT that tells when it ends, and what renews it. Raises Unauthorized."""
    parent = await _of_login(store, clock, name, password)
    return await _renewable(store, clock, parent, parent.id, lifetime_s)


async def renew(store: TokenStore, clock: Clock, refresh: str, *, lifetime_s: int = SESSION_S) -> Made:
    """A new session for what came with an earlier one, and what renews this one. Raises Unauthorized, also when it was
    used before."""
    found = await store.token_by_hash(_hashed_refresh(refresh))
    now = clock.now()
    if found is None or not found[0].is_good(now) or not await store.revoke_token(found[0].id, now):
        raise Unauthorized("the refresh token is not known, has ended, or was used before")
    return await _renewable(store, clock, found[0], found[0].parent, lifetime_s)


async def _renewable(store: TokenStore, clock: Clock, of: Token, parent: str, lifetime_s: int) -> Made:
    """A session for the holder of ``of``. What renews it is kept as a session too, so that it ends with the token that
    both were made with; but nothing that is sent as a token leads to it."""
    now = clock.now()
    session = replace(of, id=str(uuid.uuid4()), parent=parent, created_at=now, revoked_at=None)
    ends = now + min(max(lifetime_s, 60), LONGEST_SESSION_S) * 1000
    latest = now + LONGEST_SESSION_S * 1000
    last = (await _expires(store, parent)) or latest
    made = replace(session, expires_at=min(ends, last))
    renewal = replace(session, id=_renewal_of(session.id), expires_at=min(latest, last))
    secret, refresh = _jwt({"sub": made.name, "iat": now // 1000, "exp": (made.expires_at or 0) // 1000}), _random()
    await _add_session(store, made, hashed(secret))
    await _add_session(store, renewal, _hashed_refresh(refresh))
    return Made(token=made, secret=secret, refresh=refresh)


def _renewal_of(session_id: str) -> str:
    """The id of what renews a session: it ends with the session when that is logged out."""
    return f"{session_id} renewal"


async def _expires(store: TokenStore, token_id: str) -> int | None:
    """When a token that sessions are made with ends."""
    return next((token.expires_at for token in await store.tokens() if token.id == token_id), None)


def _hashed_refresh(refresh: str) -> str:
    """What is kept of what renews a session: another hash than that of tokens, which no token therefore has."""
    return hmac.new(b"refresh", refresh.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


async def log_out(store: TokenStore, clock: Clock, secret: str) -> bool:
    """End the session of this token, and what would renew it; False if it is none, or over already."""
    found = await store.token_by_hash(hashed(secret))
    if found is None or not found[0].parent:
        return False
    session, now = found[0].id, clock.now()
    await store.revoke_token(_renewal_of(session), now)
    return await store.revoke_token(session, now)


async def tokens(store: TokenStore, tenant: str = "") -> Sequence[Token]:
    """The tokens that a holder of this tenant may know of: all, or its own."""
    return await store.tokens(tenant or None)


async def revoke(store: TokenStore, clock: Clock, name: str, *, tenant: str = "") -> Token:
    """End a good token, and its sessions, by name or id. Raises NotFound."""
    now = clock.now()
    for token in await tokens(store, tenant):
        if name in (token.name, token.id) and token.is_good(now):  # one that has expired may have the same name
            await store.revoke_token(token.id, now)
            return token
    raise NotFound("token", name, "see astdialer token list")


def hashed(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def claims(secret: str) -> Mapping[str, Any] | None:
    """What a token in the shape of a JWT says of itself, unchecked; None if it is no such token."""
    parts = secret.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _random() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _webitel(token: Token, kind: str) -> str:
    return _jwt({"id": token.id, "exp": token.expires_at, "d": token.tenant, "t": kind, "v": 2})


def _jwt(claimed: Mapping[str, Any]) -> str:
    """Header, claims and a signature, whose key is thrown away, see the module's text."""
    parts = [
        _encoded(json.dumps(each, separators=(",", ":")).encode()) for each in ({"typ": "JWT", "alg": "HS256"}, claimed)
    ]
    signature = hmac.new(secrets.token_bytes(32), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _encoded(signature)])


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
