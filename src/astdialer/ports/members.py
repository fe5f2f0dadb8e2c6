"""Contacts and attempts as a call centre lists them, and the documents that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from astdialer.domain.contact import Contact, NewContact
from astdialer.ports.facts import BaseUpload
from astdialer.ports.requests import ForeignObject


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSearch:
    """Which contacts of a campaign; None: whichever."""

    campaign_id: int
    ids: Sequence[int] | None = None
    number: str | None = None  #: E.164, or what came in its place
    agent: str | None = None
    bucket: str | None = None
    done: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSearch:
    """Which attempts, of these campaigns only."""

    campaign_ids: Sequence[int]
    ids: Sequence[str] | None = None
    contact_id: int | None = None
    from_at: int = 0  #: over ones: when they began
    to_at: int = 2**62


class MemberStore(Protocol):
    """Lists in pages, the newest first."""

    async def members(self, search: MemberSearch, limit: int, offset: int = 0) -> Sequence[Contact]:
        """Contacts of published bases that nobody has removed."""

    async def working_attempts(self, search: AttemptSearch, limit: int, offset: int = 0) -> Sequence[Mapping[str, Any]]:
        """Attempts that are not over, or whose result is awaited; with ``held``."""

    async def past_attempts(self, search: AttemptSearch, limit: int, offset: int = 0) -> Sequence[Mapping[str, Any]]:
        """Attempts that are over; with ``held``."""

    async def add_members(
        self,
        campaign_id: int,
        base: str,
        contacts: Sequence[NewContact],
        documents: Sequence[ForeignObject],
        now: int,
    ) -> Sequence[int]:
        """Add contacts that may repeat each other's numbers, as RequestStore.add_to_base does, and a document for each,
        whose id becomes the contact's; all of them or none. Their ids."""

    async def add_to_upload(
        self, upload: BaseUpload, contacts: Sequence[NewContact], documents: Sequence[ForeignObject], now: int
    ) -> Sequence[int]:
        """Add contacts that may repeat each other's numbers, in the base's zone as RequestStore.add_to_base does, and a
        document for each, as add_members does; their ids. Raises Conflict when the upload was discarded meanwhile."""

    async def end_unreachable(self, contacts: Mapping[int, NewContact], now: int) -> None:
        """End those, by their ids, who have expired, or have no number that can be dialed."""
