"""Where contacts go: into the store, or, in a dry run, nowhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewContact
from astdialer.ports import BaseUpload, Clock, UploadStore
from astdialer.upload.errors import UploadError


class LoadStore(UploadStore, Protocol):
    """What an upload needs of the store."""

    async def bases(self, campaign_id: int | None) -> Sequence[Mapping[str, Any]]:
        """Bases with at least ``id``, ``campaign``, ``base`` (its name) and ``timezone``; some come several times."""


class Target(Protocol):
    """Takes contacts, all or none of which will be dialable."""

    async def add(self, campaign: Campaign, contacts: Sequence[NewContact]) -> Sequence[NewContact]:
        """Add those whose main number is new to the campaign's base, and return them."""

    async def finish(self) -> None:
        """Make them dialable."""

    async def abandon(self) -> None:
        """Keep nothing."""


class StoreTarget:
    """Adds to one base per campaign, which all become dialable in one transaction."""

    def __init__(
        self,
        store: UploadStore,
        base: str,
        *,
        file_name: str,
        timezone: str,
        zones: Mapping[str, str],
        clock: Clock,
        job: str = "",
    ) -> None:
        """``timezone`` was asked for; ``zones`` are those in which the rows for each campaign's base were read."""
        self._store, self._base, self._clock, self._job = store, base, clock, job
        self._file_name, self._timezone, self._zones = file_name, timezone, zones
        self._uploads: dict[str, BaseUpload] = {}
        self._filled: set[str] = set()

    async def add(self, campaign: Campaign, contacts: Sequence[NewContact]) -> Sequence[NewContact]:
        """See Target."""
        upload = self._uploads.get(campaign.name) or await self._open(campaign)
        added = await self._store.add_contacts(upload, _first_of_each(contacts, ()), self._clock.now())
        if added:
            self._filled.add(campaign.name)
        return added

    async def _open(self, campaign: Campaign) -> BaseUpload:
        _check_zone(self._base, self._zones[campaign.name], self._timezone)
        upload = await self._store.open_upload(
            campaign.id,
            self._base,
            file_name=self._file_name,
            timezone=self._timezone,
            now=self._clock.now(),
            job=self._job,
        )
        self._uploads[campaign.name] = upload
        if upload.timezone != self._zones[campaign.name]:  # made by somebody else since it was looked at
            raise UploadError(f"base {self._base!r} has just got the zone {upload.timezone!r}: upload the file again")
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

    def __init__(self, store: LoadStore, base: str, *, timezone: str, zones: Mapping[str, str]) -> None:
        """See StoreTarget."""
        self._store, self._base, self._timezone, self._zones = store, base, timezone, zones
        self._bases: dict[str, BaseUpload | None] = {}
        self._seen = sqlite3.connect("", check_same_thread=False)  # "": a private file that goes with the connection
        self._seen.execute("CREATE TABLE seen (campaign, number, PRIMARY KEY (campaign, number)) WITHOUT ROWID")

    async def add(self, campaign: Campaign, contacts: Sequence[NewContact]) -> Sequence[NewContact]:
        """See Target."""
        if campaign.name not in self._bases:
            self._bases[campaign.name] = await self._existing(campaign)
        base = self._bases[campaign.name]
        numbers = [contact.numbers[0].number for contact in contacts]
        known = self._known(campaign, numbers)
        if base:
            known |= await self._store.known_numbers(base, numbers)
        new = _first_of_each(contacts, known)
        rows = ((campaign.id, contact.numbers[0].number) for contact in new)
        self._seen.executemany("INSERT INTO seen VALUES (?, ?)", rows)
        return new

    def _known(self, campaign: Campaign, numbers: Sequence[str]) -> set[str]:
        query = "SELECT number FROM seen WHERE campaign = ? AND number IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self._seen.execute(query, (campaign.id, json.dumps(numbers)))}

    async def _existing(self, campaign: Campaign) -> BaseUpload | None:
        _check_zone(self._base, self._zones[campaign.name], self._timezone)
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


def _check_zone(base: str, zone: str, asked_for: str) -> None:
    if asked_for not in ("", zone):
        has = f"in zone {zone!r}" if zone else "without a zone of its own"
        raise UploadError(f"base {base!r} is {has}, not in {asked_for!r}: leave --timezone out, or name another --base")


def _first_of_each(contacts: Sequence[NewContact], known: Collection[str]) -> list[NewContact]:
    """Contacts whose main number is neither known nor an earlier one's."""
    by_number: dict[str, NewContact] = {}
    for contact in contacts:
        by_number.setdefault(contact.numbers[0].number, contact)
    return [contact for number, contact in by_number.items() if number not in known]
