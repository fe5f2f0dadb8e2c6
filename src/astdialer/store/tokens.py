"""Tokens, in SQLite."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.access import Role
from astdialer.domain.errors import Conflict
from astdialer.ports import Token
from astdialer.store.database import Database, Writing


class Tokens:
    """Implements ports.TokenStore."""

    _db: Database

    async def add_token(self, token: Token, *, hashed: str, key_hashed: str = "") -> None:
        """Raises Conflict when a good token of this name is there; sessions have the name of their token."""
        row = dataclasses.asdict(token) | {"hash": hashed, "key_hash": key_hashed}

        async def add(tx: Writing) -> None:
            if not token.parent and await tx.fetch("good_token_named", {"name": token.name, "now": token.created_at}):
                raise Conflict(f"there is a token {token.name!r} already: astdialer token revoke {token.name}")
            await tx.execute("add_token", row)

        await self._db.write(add)

    async def token_by_hash(self, hashed: str) -> tuple[Token, str] | None:
        """The token, and the hash of the key that must come with it, empty if none."""
        rows = await self._db.read("token_by_hash", {"hash": hashed})
        return (_token(rows[0]), rows[0]["key_hash"]) if rows else None

    async def tokens(self, tenant: str | None = None) -> Sequence[Token]:
        """All but sessions, by name; of one tenant, or every one's."""
        return [_token(row) for row in await self._db.read("tokens", {"tenant": tenant})]

    async def revoke_token(self, token_id: str, now: int) -> bool:
        """It and its sessions open nothing any more. Whether there was one that did."""
        return bool(await self._db.write(lambda tx: tx.execute("revoke_token", {"id": token_id, "now": now})))

    async def forget_sessions(self, before: int) -> None:
        """Remove sessions that ended before an instant."""
        await self._db.write(lambda tx: tx.execute("forget_sessions", {"before": before}))


def _token(row: Mapping[str, Any]) -> Token:
    values = {f.name: row[f.name] for f in dataclasses.fields(Token)}
    return Token(**{**values, "role": Role(row["role"])})
