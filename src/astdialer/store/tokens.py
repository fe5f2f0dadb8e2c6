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
    """Implements ports.TokenStore. The engine has no need to notice any of its writes."""

    _db: Database

    async def add_token(self, token: Token, *, hashed: str, key_hashed: str = "") -> None:
        """Raises Conflict when a good token of this name is there."""
        row = dataclasses.asdict(token) | {"hash": hashed, "key_hash": key_hashed}

        async def add(tx: Writing) -> None:
            if await tx.fetch("good_token_named", {"name": token.name, "now": token.created_at}):
                raise Conflict(f"there is a token {token.name!r} already: astdialer token revoke {token.name}")
            await tx.execute("add_token", row)

        await self._db.write(add, quiet=True)

    async def add_session(self, session: Token, *, hashed: str, key_hashed: str, most: int) -> bool:
        """False when its token is not good any more. The oldest sessions beyond so many end, and ended ones go."""
        row = dataclasses.asdict(session) | {"hash": hashed, "key_hash": key_hashed}

        async def add(tx: Writing) -> bool:
            if not await tx.fetch("is_good_parent", row):
                return False
            await tx.execute("forget_ended_sessions", {"before": session.created_at})
            await tx.execute("add_token", row)
            await tx.execute("forget_oldest_sessions", {"parent": session.parent, "most": most})
            return True

        return bool(await self._db.write(add, quiet=True))

    async def token_by_hash(self, hashed: str) -> tuple[Token, str] | None:
        """The token, and the hash of the key that must come with it, empty if none."""
        rows = await self._db.read("token_by_hash", {"hash": hashed})
        return (_token(rows[0]), rows[0]["key_hash"]) if rows else None

    async def tokens(self, tenant: str | None = None) -> Sequence[Token]:
        """All but sessions, by name; of one tenant, or every one's."""
        return [_token(row) for row in await self._db.read("tokens", {"tenant": tenant})]

    async def revoke_token(self, token_id: str, now: int) -> bool:
        """It and its sessions open nothing any more. Whether there was one that did."""

        async def revoke(tx: Writing) -> int:
            return await tx.execute("revoke_token", {"id": token_id, "now": now})

        return bool(await self._db.write(revoke, quiet=True))


def _token(row: Mapping[str, Any]) -> Token:
    values = {f.name: row[f.name] for f in dataclasses.fields(Token)}
    return Token(**{**values, "role": Role(row["role"])})
