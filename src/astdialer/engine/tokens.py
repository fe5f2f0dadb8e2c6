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
    """A token with its secret, which is shown once. ``key``: the second secret of a Webitel user's token."""

    token: Token
    secret: str
    key: str = ""


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
    secret = _jwt(token, "domain") if jwt else _random()
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


async def log_in(
    store: TokenStore, clock: Clock, name: str, password: str, *, lifetime_s: int = SESSION_S, jwt: bool = False
) -> Made:
    """A session for the token ``name``, whose secret is the password. Raises Unauthorized."""
    parent = await _good(store, clock, password, None)
    if parent.parent or not hmac.compare_digest(hashed(parent.name), hashed(name)):
        raise Unauthorized("the name or its password is wrong")
    now = clock.now()
    ends = now + min(max(lifetime_s, 60), LONGEST_SESSION_S) * 1000
    session = replace(
        parent,
        id=str(uuid.uuid4()),
        parent=parent.id,
        created_at=now,
        expires_at=min(ends, parent.expires_at or ends),
    )
    secret, key = (_jwt(session, "user"), str(uuid.uuid4())) if jwt else (_random(), "")
    key_hashed = hashed(key) if key else ""
    if not await store.add_session(session, hashed=hashed(secret), key_hashed=key_hashed, most=MOST_SESSIONS):
        raise Unauthorized("the token was revoked")
    return Made(token=session, secret=secret, key=key)


async def log_out(store: TokenStore, clock: Clock, secret: str) -> bool:
    """End the session of this token; False if it is none, or over already."""
    found = await store.token_by_hash(hashed(secret))
    if found is None or not found[0].parent:
        return False
    return await store.revoke_token(found[0].id, clock.now())


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


def _jwt(token: Token, kind: str) -> str:
    """Header, claims and a signature as Webitel's have them; its key is thrown away, see the module's text."""
    claimed = {"id": token.id, "exp": token.expires_at, "d": token.tenant, "t": kind, "v": 2}
    parts = [
        _encoded(json.dumps(each, separators=(",", ":")).encode()) for each in ({"typ": "JWT", "alg": "HS256"}, claimed)
    ]
    signature = hmac.new(secrets.token_bytes(32), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _encoded(signature)])


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
