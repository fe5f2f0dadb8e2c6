"""Numbered migrations, each in one transaction, remembered with a checksum."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import AsyncIterator
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
    async with _unchecked(connection):
        await connection.execute("BEGIN EXCLUSIVE")  # another process may be doing the same
        try:
            await _apply_missing(connection, known, now)
            await connection.execute("COMMIT")
        except BaseException:
            await connection.execute("ROLLBACK")
            raise


@contextlib.asynccontextmanager
async def _unchecked(connection: aiosqlite.Connection) -> AsyncIterator[None]:
    """Without foreign keys: a table is changed by making another in its place, to which references are made before it
    is filled. The pragma does nothing inside a transaction."""
    await connection.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        await connection.execute("PRAGMA foreign_keys = ON")


async def _apply_missing(connection: aiosqlite.Connection, known: list[tuple[int, str, str]], now: int) -> None:
    await connection.execute(_TABLE)
    done = await _done(connection)
    _check(done, known)
    for version, name, sql in known:
        if version not in done:
            await _apply(connection, sql)
            row = (version, name, _checksum(sql), now)
            await connection.execute("INSERT INTO schema_migrations VALUES (?, ?, ?, ?)", row)
    await _check_references(connection)


async def _check_references(connection: aiosqlite.Connection) -> None:
    """Raises SchemaError if a row refers to one that is not there."""
    broken = await connection.execute_fetchall("PRAGMA foreign_key_check")
    for table, _, parent, _ in broken:
        raise SchemaError(
            f"a row of the table {table} refers to one of {parent} that is not there: restore a backup of the store, "
            f"or ask for help with this file"
        )


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
