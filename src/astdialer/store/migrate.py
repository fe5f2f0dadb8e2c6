"""Numbered migrations, each in one transaction, remembered with a checksum."""

from __future__ import annotations

import hashlib
import sqlite3
from importlib.resources import files

import aiosqlite

from astdialer.domain.errors import AstdialerError


class SchemaError(AstdialerError):
    """The store's schema does not fit this version of astdialer."""

    code = "schema"


_TABLE = """CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT"""


def migrations() -> list[tuple[int, str, str]]:
    """Number, name and SQL of every migration, in order."""
    folder = files("astdialer.store").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), name, folder.joinpath(name).read_text(encoding="utf-8")) for name in names]


async def migrate(connection: aiosqlite.Connection, now: int) -> None:
    """Bring the schema to this version. Raises SchemaError when it is newer, or was changed by hand."""
    known = migrations()
    if await _is_current(connection, known):
        return
    await connection.execute("BEGIN EXCLUSIVE")  # another process may be doing the same
    try:
        await connection.execute(_TABLE)
        done = await _done(connection)
        _check(done, known)
        for version, name, sql in known:
            if version not in done:
                await _apply(connection, sql)
                row = (version, name, _checksum(sql), now)
                await connection.execute("INSERT INTO schema_migrations VALUES (?, ?, ?, ?)", row)
        await connection.execute("COMMIT")
    except BaseException:
        await connection.execute("ROLLBACK")
        raise


async def _is_current(connection: aiosqlite.Connection, known: list[tuple[int, str, str]]) -> bool:
    tables = await connection.execute_fetchall("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'")
    if not list(tables):
        return False
    done = await _done(connection)
    _check(done, known)
    return len(done) == len(known)


async def _done(connection: aiosqlite.Connection) -> dict[int, str]:
    rows = await connection.execute_fetchall("SELECT version, checksum FROM schema_migrations")
    return {row[0]: row[1] for row in rows}


def _check(done: dict[int, str], known: list[tuple[int, str, str]]) -> None:
    checksums = {version: _checksum(sql) for version, _, sql in known}
    for version, checksum in done.items():
        if version not in checksums:
            raise SchemaError(f"the store has migration {version}, this astdialer ends at {max(checksums)}: upgrade it")
        if checksums[version] != checksum:
            raise SchemaError(f"migration {version} is not the one that made this store: use the astdialer that did")


def _checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


async def _apply(connection: aiosqlite.Connection, sql: str) -> None:
    """Statement by statement: executescript would commit the transaction around it."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if _is_complete(statement):
            await connection.execute(statement)
            statement = ""


def _is_complete(statement: str) -> bool:
    return bool(statement.strip()) and sqlite3.complete_statement(statement)
