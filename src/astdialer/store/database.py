"""Two connections to one SQLite file: a writer with group commit, and a reader.

Writes of all callers queue up; whatever waits when the writer is free goes into one transaction, each write in a
savepoint of its own, so that one caller's error does not undo another's work.

SQLite lets whoever asks again at the right moment write next, and one that writes without end may keep another waiting
for seconds: several of one process take turns by ``Sharing.turn``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiosqlite

from astdialer.domain.errors import Unavailable
from astdialer.store.migrate import migrate
from astdialer.store.queries import queries

#: How long to wait for another process's write before giving up, seconds.
BUSY_TIMEOUT_S = 15.0
LOCKED_S = 0.05  #: between two tries, where SQLite does not wait itself
#: Most writes in one transaction.
GROUP = 256

PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "cache_size = -32768",  # KiB, in place of 2,000: a claim from millions of contacts touches pages all over the file
)

Parameters = Mapping[str, Any] | Sequence[Any]
Write = Callable[["Writing"], Awaitable[Any]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """How one of several that write to a file goes about it."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  #: the same for all of this process
    announces: bool = True  #: others notice what it changes, see Database.changed_elsewhere


class _Queued(NamedTuple):
    change: Write
    quiet: bool
    done: asyncio.Future[Any]


class Writing:
    """The named queries, inside a transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, query: str, parameters: Parameters = ()) -> int:
        """Rows changed."""
        cursor = await self._connection.execute(queries()[query], parameters)
        changed = cursor.rowcount
        await cursor.close()
        return changed

    async def insert(self, query: str, parameters: Parameters = ()) -> int:
        """The new row's id."""
        async with self._connection.execute(queries()[query], parameters) as cursor:
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    async def execute_many(self, query: str, rows: Iterable[Parameters]) -> int:
        """The same statement for each row; rows changed."""
        cursor = await self._connection.executemany(queries()[query], rows)
        changed = cursor.rowcount
        await cursor.close()
        return changed

    async def fetch(self, query: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows."""
        return list(await self._connection.execute_fetchall(queries()[query], parameters))


async def _set(connection: aiosqlite.Connection, pragma: str) -> None:
    """Of several that open a new file at once one changes its journal mode, and SQLite has not all others wait for it,
    but tells some at once that the file is locked."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            await connection.execute_fetchall(f"PRAGMA {pragma}")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        await asyncio.sleep(LOCKED_S)


class Database:
    """An open store file. Use ``async with``: an unclosed aiosqlite connection keeps the process from ending."""

    def __init__(self, path: Path, sharing: Sharing | None = None) -> None:
        self.path = path
        self.last_write_failed = False
        self._sharing = sharing or Sharing()
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue()
        self._data_version: int | None = None
        self._revision: int | None = None

    async def __aenter__(self) -> Database:
        async with contextlib.AsyncExitStack() as stack:
            self._writer = await stack.enter_async_context(self._connect())
            self._reader = await stack.enter_async_context(self._connect())
            task = asyncio.create_task(self._write_groups(), name="store-writer")
            stack.push_async_callback(_end, task)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def migrate(self, now: int) -> None:
        """Bring the schema up to date."""
        await migrate(self._writer, now)

    @contextlib.asynccontextmanager
    async def _connect(self) -> AsyncIterator[aiosqlite.Connection]:
        if self.path.is_dir():  # aiosqlite's thread outlives a connect that fails
            raise Unavailable(f"the store {self.path} is a folder: [store] url names a file in it")
        connection = await self._attempt(aiosqlite.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None))
        try:
            connection.row_factory = sqlite3.Row
            for pragma in PRAGMAS:
                await self._attempt(_set(connection, pragma))
            yield connection
        finally:
            await connection.close()

    async def _attempt(self, opening: Awaitable[T]) -> T:
        try:
            return await opening
        except sqlite3.Error as error:
            raise Unavailable(f"the store {self.path} can't be opened: {error}") from error

    async def read(self, query: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All rows of a named query."""
        try:
            return [dict(row) for row in await self._reader.execute_fetchall(queries()[query], parameters)]
        except sqlite3.Error as error:
            raise Unavailable(f"the store {self.path} can't be read: {error}") from error

    async def fetch(self, query: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """The same, under the name that it has inside a transaction."""
        return await self.read(query, parameters)

    async def stream(self, query: str, parameters: Parameters = ()) -> AsyncIterator[dict[str, Any]]:
        """Row by row, for answers of any size."""
        try:
            async with self._reader.execute(queries()[query], parameters) as cursor:
                async for row in cursor:
                    yield dict(row)
        except sqlite3.Error as error:
            raise Unavailable(f"the store {self.path} can't be read: {error}") from error

    async def write(self, change: Write, *, quiet: bool = False) -> Any:
        """Run ``change`` in the next transaction; returns its result once that is committed. ``quiet``: nobody else
        has to notice it.

        Raises Unavailable when the store can't write, and whatever ``change`` raises, having undone it.
        """
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Queued(change, quiet, done))
        return await done

    async def changed_elsewhere(self) -> bool:
        """Whether another connection that announces it has changed anything, but quietly, since the last call."""
        rows = list(await self._writer.execute_fetchall("PRAGMA data_version"))
        version = int(rows[0][0])
        if version == self._data_version:
            return False  # nobody has committed: this costs no look at the file
        revision = int((await self.read("revision"))[0]["n"])
        changed = revision != self._revision
        self._data_version, self._revision = version, revision
        return changed

    async def _write_groups(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            await self._write_group(group)

    async def _write_group(self, group: list[_Queued]) -> None:
        try:
            async with self._sharing.turn:
                results = await self._transaction(group)
        except (sqlite3.Error, OSError) as error:
            self.last_write_failed = True
            refusal = Unavailable(f"the store {self.path} can't write: {error}")
            results = [refusal] * len(group)
        else:
            self.last_write_failed = False
        for queued, result in zip(group, results, strict=True):
            if queued.done.cancelled():
                continue
            if isinstance(result, BaseException):
                queued.done.set_exception(result)
            else:
                queued.done.set_result(result)

    async def _transaction(self, group: list[_Queued]) -> list[Any]:
        await self._writer.execute("BEGIN IMMEDIATE")
        try:
            results, news = [], False
            for queued in group:
                before = self._writer.total_changes
                results.append(await self._one(queued.change))
                news = news or (not queued.quiet and self._writer.total_changes > before)
            if news and self._sharing.announces:
                await self._writer.execute(queries()["announce"])
            await self._writer.execute("COMMIT")
            return results
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                await self._writer.execute("ROLLBACK")
            raise

    async def _one(self, change: Write) -> Any:
        await self._writer.execute("SAVEPOINT one")
        try:
            result = await change(Writing(self._writer))
        except sqlite3.OperationalError:
            raise  # disk full, I/O error: the whole transaction is lost
        except Exception as error:
            await self._writer.execute("ROLLBACK TO one")
            result = error
        await self._writer.execute("RELEASE one")
        return result


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
