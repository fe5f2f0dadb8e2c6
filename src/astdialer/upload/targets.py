"""Where contacts go: into the store, or, in a dry run, nowhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewContact
from astdialer.ports import BaseUpload, Clock, UploadStore


class LoadStore(UploadStore, Protocol):
    """What an upload needs of the store."""

    async def bases(self, campaign_id: int | None) -> Sequence[Mapping[str, Any]]:
        """Bases with at least ``id`` and ``base``, its name."""


class Target(Protocol):
    """Takes contacts, all or none of which will be dialable."""

    async def add(self, campaign: Campaign, contacts: Sequence[NewContact]) -> int:
        """Add those whose main number is new to the campaign's base; how many they were."""

    async def finish(self) -> None:
        """Make them dialable."""

    async def abandon(self) -> None:
        """Keep nothing."""


class StoreTarget:
    """Adds to one base per campaign, which all become dialable in one transaction."""

    def __init__(self, store: UploadStore, base: str, *, file_name: str, timezone: str, clock: Clock) -> None:
        self._store, self._base, self._clock = store, base, clock
        self._file_name, self._timezone = file_name, timezone
        self._uploads: dict[str, BaseUpload] = {}
        self._filled: set[str] = set()

    async def add(self, campaign: Campaign, contacts: Sequence[NewContact]) -> int:
        """See Target."""
        upload = self._uploads.get(campaign.name) or await self._open(campaign)
        known = await self._store.known_numbers(upload, [contact.numbers[0].number for contact in contacts])
        new = _first_of_each(contacts, known)
        if new:
            await self._store.add_contacts(upload, new, self._clock.now())
            self._filled.add(campaign.name)
        return len(new)

    async def _open(self, campaign: Campaign) -> BaseUpload:
        upload = await self._store.open_upload(
            campaign.id, self._base, file_name=self._file_name, timezone=self._timezone, now=self._clock.now()
        )
        self._uploads[campaign.name] = upload
        return upload

    async def finish(self) -> None:
        """Publish what has contacts; an upload that brought none leaves no trace."""
        filled = [upload for name, upload in self._uploads.items() if name in self._filled]
        if filled:
            await self._store.publish_uploads(filled, self._clock.now())
        await self._store.discard_uploads(
            [upload for name, upload in self._uploads.items() if name not in self._filled]
        )

    async def abandon(self) -> None:
        """See Target."""
        await self._store.discard_uploads(list(self._uploads.values()))


class DryTarget:
    """Only tells which contacts are new. Numbers seen are kept on disk, so that memory stays constant."""

    def __init__(self, store: LoadStore, base: str) -> None:
        self._store, self._base = store, base
        self._bases: dict[str, BaseUpload | None] = {}
        self._seen = sqlite3.connect("", check_same_thread=False)  # "": a private file that goes with the connection
        self._seen.execute("CREATE TABLE seen (campaign, number, PRIMARY KEY (campaign, number)) WITHOUT ROWID")

    async def add(self, campaign: Campaign, contacts: Sequence[NewContact]) -> int:
        """See Target."""
        if campaign.name not in self._bases:
            self._bases[campaign.name] = await self._existing(campaign)
        base = self._bases[campaign.name]
        known: set[str] = set()
        if base:
            known = await self._store.known_numbers(base, [contact.numbers[0].number for contact in contacts])
        before = self._seen.total_changes
        self._seen.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?)",
            ((campaign.id, contact.numbers[0].number) for contact in _first_of_each(contacts, known)),
        )
        return self._seen.total_changes - before

    async def _existing(self, campaign: Campaign) -> BaseUpload | None:
        for row in await self._store.bases(campaign.id):
            if row["base"] == self._base:
                return BaseUpload(
                    id=0, campaign_id=campaign.id, campaign=campaign.name, base_id=row["id"], base=self._base
                )
        return None

    async def finish(self) -> None:
        """Nothing was written."""
        self._seen.close()

    async def abandon(self) -> None:
        """Nothing was written."""
        self._seen.close()


def _first_of_each(contacts: Sequence[NewContact], known: Collection[str]) -> list[NewContact]:
    """Contacts whose main number is neither known nor an earlier one's."""
    by_number: dict[str, NewContact] = {}
    for contact in contacts:
        by_number.setdefault(contact.numbers[0].number, contact)
    return [contact for number, contact in by_number.items() if number not in known]
