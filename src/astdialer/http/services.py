"""What endpoints work with. ``app.py`` puts it together; adapters that do their part are known by Protocols only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from fastapi import Request

from astdialer import config
from astdialer.domain.access import Access
from astdialer.domain.calendar import zone_of
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, NewNumber
from astdialer.domain.errors import NotFound, Unavailable
from astdialer.engine.adding import Adder
from astdialer.engine.progress import STALE_S
from astdialer.engine.visible import sight
from astdialer.ports import Clock, Converted, Notifier, Store

#: A live view is read again after so long, ms: it is written once a second.
FRESH_MS = 250
NO_ENGINE = "the engine is not running: start it with astdialer serve"


class Library(Protocol):
    """The recordings on disk."""

    def find(self, guid: str, date: str | None = None) -> Path | None:
        """MP3 before GSM, main before backup."""

    def place(self, guid: str, folder: str | None, suffix: str) -> Path | None:
        """The file at exactly that place of the main directory or the backup, if it is there."""

    async def convert_path(self, gsm: Path, *, trim_s: int = 0) -> Converted | None:
        """GSM to MP3 without its first seconds; None if nothing else was recorded."""

    async def trim(
        self, guid: str, date: str | None = None, *, left_s: float = 0.0, length_s: float | None = None
    ) -> Converted:
        """Cut in place. Raises NotFound."""

    def prune(self, *, days: int, today: date, backup: bool = False, dry_run: bool = False) -> Iterator[Path]:
        """Remove recordings of more than ``days`` days ago, giving each path; or only say what would go."""


#: A number as somebody wrote it, and its type: as an upload takes it. Raises InvalidSetting.
ReadNumber = Callable[[str, str], NewNumber]
#: What the blacklist is to cover: a number, or with a * at the end how numbers begin. Raises InvalidNumber.
ReadCovered = Callable[[str], str]
#: Checks of Asterisk for a campaign, as ``campaign check`` makes them.
Examine = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]


class Live:
    """What the engine sees, read from the store not more often than it changes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._view: Mapping[str, Any] | None = None
        self._read_at = -FRESH_MS
        self._reading = asyncio.Lock()

    async def newest(self) -> Mapping[str, Any] | None:
        """The last view, however old; None if no engine ever ran."""
        async with self._reading:  # those who ask meanwhile wait for the same one
            now = self._clock.now()
            if not 0 <= now - self._read_at < FRESH_MS:
                self._view = await self._store.live_view()
                self._read_at = now
            return self._view

    async def view(self) -> Mapping[str, Any]:
        """The view. Raises Unavailable when no engine runs."""
        view = await self.newest()
        if view is None or self._clock.now() - view["written_at"] > STALE_S * 1000:
            raise Unavailable(NO_ENGINE)
        return view


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that endpoints need. ``zone`` is that of dates without one."""

    store: Store
    clock: Clock
    zone: str
    settings: config.Http
    agi: config.Agi
    read_number: ReadNumber
    read_covered: ReadCovered
    library: Library
    notifier: Notifier
    spool: Path  #: where files wait that were sent to us
    servers: Sequence[str] = ("default",)
    examine: Examine | None = None
    examining: asyncio.Lock = field(default_factory=asyncio.Lock)
    beside: Callable[[], Mapping[str, str]] = dict  #: what runs beside the engine, and how it does
    live: Live = field(init=False)
    adder: Adder = field(init=False)

    def __post_init__(self) -> None:
        """The live view is read through the same store."""
        zone_of(self.zone)
        object.__setattr__(self, "live", Live(self.store, self.clock))
        object.__setattr__(self, "adder", Adder(self.store, self.clock))

    async def campaign(self, access: Access, name: str) -> Campaign:
        """The campaign; another tenant's is not there. Raises NotFound."""
        campaign = await self.store.campaign(name)
        if not access.sees(campaign.tenant):
            raise NotFound("campaign", name)
        return campaign

    async def campaign_by_id(self, access: Access, campaign_id: int) -> Campaign:
        """Likewise."""
        try:
            campaign = await self.store.campaign_by_id(campaign_id)
        except OverflowError:  # larger than any id in the store
            raise NotFound("campaign", campaign_id) from None
        if not access.sees(campaign.tenant):
            raise NotFound("campaign", campaign_id)
        return campaign

    async def agents_seen(self, access: Access, view: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The agents of a live view that the token sees: a tenant's are those of its campaigns' queues."""
        rows: list[Mapping[str, Any]] = list(view.get("agents", ()))
        if not access.tenant:
            return rows
        seen = await sight(self.store, await self.campaigns(access))
        return [row for row in rows if seen.has(row)]

    async def campaigns(self, access: Access) -> list[Campaign]:
        """Those that the token sees, by name."""
        return [campaign for campaign in await self.store.campaigns() if access.sees(campaign.tenant)]

    async def contact(self, access: Access, contact_id: int) -> tuple[Contact, Campaign]:
        """A contact and its campaign; another tenant's is not there. Raises NotFound."""
        contact = await self.store.load_contact(contact_id)
        try:
            return contact, await self.campaign_by_id(access, contact.campaign_id)
        except NotFound:
            raise NotFound("contact", contact_id) from None

    async def call(self, access: Access, guid: str) -> tuple[Contact, Campaign]:
        """The contact and campaign of a call; another tenant's is not there. Raises NotFound."""
        try:
            return await self.contact(access, await self.store.contact_of_attempt(guid))
        except NotFound:
            raise NotFound("call", guid) from None


def services(request: Request) -> Services:
    """The services of the application that a request came to."""
    found: Services = request.app.state.services
    return found


async def provided(request: Request) -> Services:
    """The same as a dependency: one that is no coroutine would be asked in a thread."""
    return services(request)
