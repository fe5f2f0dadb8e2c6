"""Tokens, as the store has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from astdialer.domain.access import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token without its secret."""

    id: str
    name: str
    role: Role
    tenant: str = ""
    agent: str = ""  #: role agent: its telephone
    parent: str = ""  #: of a session: the token that it was made with
    created_at: int = 0
    created_by: str = ""
    expires_at: int | None = None
    revoked_at: int | None = None

    def is_good(self, now: int) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class TokenStore(Protocol):
    """Tokens by the hash of their text."""

    async def add_token(self, token: Token, *, hashed: str, key_hashed: str = "") -> None:
        """Raises Conflict when a good token of this name is there."""

    async def add_session(self, session: Token, *, hashed: str, key_hashed: str, most: int) -> bool:
        """False when its token is not good any more. The oldest sessions beyond so many end, and ended ones go."""

    async def token_by_hash(self, hashed: str) -> tuple[Token, str] | None:
        """The token, and the hash of the key that must come with it, empty if none."""

    async def tokens(self, tenant: str | None = None) -> Sequence[Token]:
        """All but sessions, by name; of one tenant, or every one's."""

    async def revoke_token(self, token_id: str, now: int) -> bool:
        """It and its sessions open nothing any more. Whether there was one that did."""
