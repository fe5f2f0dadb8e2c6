"""The SQLite store."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from astdialer.domain.errors import Unavailable
from astdialer.ports import Clock
from astdialer.store.attempts import Attempts
from astdialer.store.callrecords import CallRecords
from astdialer.store.calls import Calls
from astdialer.store.campaigns import Campaigns
from astdialer.store.candidates import Candidates
from astdialer.store.contacts import Contacts
from astdialer.store.database import Database, Sharing
from astdialer.store.hooks import Hooks
from astdialer.store.intake import Intake
from astdialer.store.members import Members
from astdialer.store.orders import Orders
from astdialer.store.pages import Pages
from astdialer.store.removal import Removal
from astdialer.store.reports import Reports
from astdialer.store.requests import Requests
from astdialer.store.tokens import Tokens
from astdialer.store.uploads import Uploads

__all__ = ["Sharing", "SqliteStore", "open_store"]


class SqliteStore(
    Campaigns,
    Uploads,
    Contacts,
    Attempts,
    Orders,
    Reports,
    Tokens,
    Hooks,
    Requests,
    Calls,
    CallRecords,
    Intake,
    Removal,
    Pages,
    Members,
    Candidates,
):
    """Implements ports.Store over one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._db = database


@contextlib.asynccontextmanager
async def open_store(path: Path, clock: Clock, sharing: Sharing | None = None) -> AsyncIterator[SqliteStore]:
    """The store in this file, made and migrated if need be. Raises Unavailable and SchemaError.

    ``sharing``: for a process that opens it more than once.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"the store's folder {path.parent} can't be made: {error}") from error
    async with Database(path, sharing) as database:
        await database.migrate(clock.now())
        yield SqliteStore(database)
