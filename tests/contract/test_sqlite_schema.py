"""SQLite: migrations, and a schema that agrees with the domain."""

import asyncio
import contextlib
import dataclasses
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from stores import FixedClock

from astdialer.domain.access import Role
from astdialer.domain.attempt import Attempt, State
from astdialer.domain.campaign import CampaignState
from astdialer.domain.cdr import Cdr
from astdialer.domain.contact import Contact, ContactState, Number, Rank
from astdialer.domain.errors import Unavailable
from astdialer.domain.hooks import KINDS, Event, Webhook
from astdialer.domain.settings import Settings
from astdialer.domain.trunk import Trunk
from astdialer.engine import tokens
from astdialer.ports import BlacklistEntry, CampaignEvent, Delivery, Ending, Offer, Order, Token
from astdialer.store import migrate, open_store
from astdialer.store.database import Database
from astdialer.store.hooks import STATES
from astdialer.store.migrate import SchemaError


async def made(path: Path) -> Path:
    async with open_store(path, FixedClock()):
        pass
    return path


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def look(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


# --- migrations ------------------------------------------------------------------------------------------------------


async def test_opening_again_migrates_nothing(tmp_path: Path) -> None:
    path = await made(tmp_path / "s.db")
    before = look(path, "SELECT * FROM schema_migrations")
    await made(path)
    assert look(path, "SELECT * FROM schema_migrations") == before
    assert [row[1] for row in before] == [name for _, name, _ in migrate.migrations()]


async def test_stores_opened_at_once_are_migrated_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "s.db"
    await asyncio.gather(*(made(path) for _ in range(8)))
    assert len(look(path, "SELECT * FROM schema_migrations")) == len(migrate.migrations())


async def test_a_new_store_that_another_is_just_opening_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not always wait by itself when several change a file's journal mode."""
    fetch, refused = aiosqlite.Connection.execute_fetchall, 0

    async def locked(connection: aiosqlite.Connection, sql: str, *parameters: Any) -> Any:
        nonlocal refused
        if "journal_mode" in sql and refused < 3:
            refused += 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return await fetch(connection, sql, *parameters)

    monkeypatch.setattr(aiosqlite.Connection, "execute_fetchall", locked)
    await made(tmp_path / "s.db")
    assert refused == 3


def test_processes_that_open_a_new_store_at_once_migrate_it_once(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from astdialer.clock import SystemClock\nfrom astdialer.store import open_store\n"
        "async def main():\n"
        "    async with open_store(pathlib.Path(sys.argv[1]), SystemClock()): pass\n"
        "asyncio.run(main())"
    )
    path = tmp_path / "s.db"
    children = [subprocess.Popen([sys.executable, "-c", code, str(path)], stderr=subprocess.PIPE) for _ in range(4)]
    endings = [(child.communicate()[1].decode(), child.returncode) for child in children]
    assert endings == [("", 0)] * 4
    assert len(look(path, "SELECT * FROM schema_migrations")) == len(migrate.migrations())


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = await made(tmp_path / "s.db")
    change(path, "INSERT INTO schema_migrations VALUES (9999, '9999_future.sql', 'x', 0)")
    with pytest.raises(SchemaError, match="upgrade"):
        await made(path)


async def test_a_changed_migration_is_refused(tmp_path: Path) -> None:
    path = await made(tmp_path / "s.db")
    change(path, "UPDATE schema_migrations SET checksum = 'changed' WHERE version = 1")
    with pytest.raises(SchemaError, match="migration 1 "):
        await made(path)


async def test_a_failed_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await made(tmp_path / "s.db")
    known = migrate.migrations()
    bad = [
        *known,
        (len(known) + 1, "0099_bad.sql", "CREATE TABLE half (x INTEGER);\nCREATE TABLE campaigns (x INTEGER);\n"),
    ]
    monkeypatch.setattr(migrate, "migrations", lambda: bad)
    with pytest.raises(sqlite3.OperationalError, match="campaigns"):
        await made(path)
    assert look(path, "SELECT name FROM sqlite_schema WHERE name = 'half'") == []
    good = [*known, (len(known) + 1, "0099_good.sql", "CREATE TABLE added (x INTEGER);\n")]
    monkeypatch.setattr(migrate, "migrations", lambda: good)
    await made(path)
    assert look(path, "SELECT count(*) FROM schema_migrations") == [(len(good),)]


async def test_a_migration_that_breaks_a_reference_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await made(tmp_path / "s.db")
    known = migrate.migrations()
    sql = "INSERT INTO bases VALUES (1, 77, 'b', '', 0);\n"
    monkeypatch.setattr(migrate, "migrations", lambda: [*known, (len(known) + 1, "0099_bad.sql", sql)])
    with pytest.raises(SchemaError, match="table bases refers to one of campaigns that is not there"):
        await made(path)
    assert look(path, "SELECT * FROM bases") == []
    assert look(path, "SELECT count(*) FROM schema_migrations") == [(len(known),)]


@pytest.mark.parametrize("sql", ["CREATE TABLE added (x INTEGER);\n", "CREATE TABLE campaigns (x INTEGER);\n"])
async def test_references_are_checked_again_after_a_migration_whether_it_succeeds_or_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    path = await made(tmp_path / "s.db")
    known = migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: [*known, (len(known) + 1, "0099_more.sql", sql)])
    async with Database(path) as database:
        with contextlib.suppress(sqlite3.OperationalError):
            await database.migrate(0)
        (row,) = await database._writer.execute_fetchall("PRAGMA foreign_keys")
        assert tuple(row) == (1,)


async def test_a_folder_that_cant_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file"):
        await made(tmp_path / "file" / "s.db")


# --- agreement with the domain ---------------------------------------------------------------------------------------


def words(enum: Iterable[Enum]) -> set[str]:
    return {str(member.value) for member in enum}


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("campaigns", "state", words(CampaignState)),
        ("contacts", "state", words(ContactState)),
        ("attempts", "state", {state.word for state in State}),
        ("tokens", "role", words(Role)),
        ("deliveries", "state", set(STATES)),
    ],
)
async def test_a_check_lists_exactly_the_domains_words(
    tmp_path: Path, table: str, column: str, expected: set[str]
) -> None:
    path = await made(tmp_path / "s.db")
    ((sql,),) = look(path, f"SELECT sql FROM sqlite_schema WHERE name = '{table}'")
    found = re.search(rf"CHECK \({column} (IN \([^)]*\)|= [^)]*)\)", sql)
    assert found, sql
    assert set(re.findall(r"'([\w-]+)'", found[1])) == expected


@pytest.mark.parametrize(
    ("table", "kind", "others"),
    [
        ("attempts", Attempt, {"disposition", "closed_at", "tag"}),
        ("cdrs", Cdr, set()),
        ("trunks", Trunk, set()),
        ("numbers", Number, {"contact_id"}),
        ("orders", Order, set()),
        ("offers", Offer, set()),
        ("endings", Ending, set()),
        ("blacklist", BlacklistEntry, set()),
        ("campaign_events", CampaignEvent, {"id", "campaign_id"}),
        ("tokens", Token, {"hash", "key_hash"}),
        ("events", Event, set()),
        ("webhooks", Webhook, set()),
        ("deliveries", Delivery, set()),
    ],
)
async def test_a_table_has_the_domains_fields(tmp_path: Path, table: str, kind: type, others: set[str]) -> None:
    path = await made(tmp_path / "s.db")
    columns = {row[1] for row in look(path, f"PRAGMA table_info({table})")}
    assert columns == {f.name for f in dataclasses.fields(kind)} | others


async def test_contacts_have_the_domains_fields_and_the_stores_own(tmp_path: Path) -> None:
    path = await made(tmp_path / "s.db")
    own = {
        "upload_id",
        "pool_id",
        "main_number",
        "deferred",
        "why",
        "ends_after_call",
        "ended_at",
        "changed_at",
        "repeatable",
    }
    columns = {row[1] for row in look(path, "PRAGMA table_info(contacts)")}
    assert columns == {f.name for f in dataclasses.fields(Contact)} - {"numbers"} | own


async def test_a_rank_is_one_of_the_domains(tmp_path: Path) -> None:
    path = await made(tmp_path / "s.db")
    ((sql,),) = look(path, "SELECT sql FROM sqlite_schema WHERE name = 'contacts'")
    assert f"CHECK (rank BETWEEN {min(Rank).value} AND {max(Rank).value})" in sql


async def test_every_kind_that_a_trigger_writes_is_one_of_the_domains(tmp_path: Path) -> None:
    path = await made(tmp_path / "s.db")
    triggers = look(path, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%INTO events%'")
    found = {kind for _, sql in triggers for kind in re.findall(r"'([a-z]+\.[a-z]*)'", sql)}
    assert len(triggers) == 7
    assert found - {"campaign."} <= set(KINDS)
    assert len(found) == 9


async def test_secrets_of_tokens_are_kept_nowhere(tmp_path: Path) -> None:
    """Only their hashes are."""
    path = tmp_path / "s.db"
    async with open_store(path, FixedClock()) as store:
        token = await tokens.create(store, FixedClock(), "crm", Role.ADMIN)
        plain = await tokens.log_in(store, FixedClock(), "crm", token.secret)
        user = await tokens.log_in(store, FixedClock(), "crm", token.secret, jwt=True)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (token.secret, plain.secret, user.secret, user.key, user.secret.split(".")[2]):
        assert len(secret) > 30
        assert secret.encode() not in kept
    assert tokens.hashed(token.secret).encode() in kept


async def test_only_what_differs_from_the_defaults_is_stored(tmp_path: Path) -> None:
    """So that a better default reaches old campaigns."""
    path = tmp_path / "s.db"
    async with open_store(path, FixedClock()) as store:
        await store.create_campaign("demo", Settings(max_calls=7), 1)
    assert look(path, "SELECT settings FROM campaigns") == [('{"max_calls": "7"}',)]


async def test_a_committed_write_survives_a_power_cut(tmp_path: Path) -> None:
    """synchronous=FULL: the write-ahead log is flushed before a commit returns."""
    async with open_store(tmp_path / "s.db", FixedClock()) as store:
        rows = await store._db._writer.execute_fetchall("PRAGMA synchronous")
    assert [tuple(row) for row in rows] == [(2,)]


async def test_a_file_that_is_no_store_is_said_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is a text, and a long one at that, with no database in it at all " * 20)
    with pytest.raises(Unavailable, match=r"can't be opened: file is not a database"):
        await made(path)
    with pytest.raises(Unavailable, match="is a folder"):
        await made(tmp_path)
