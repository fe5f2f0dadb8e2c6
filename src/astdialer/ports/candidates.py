"""Contacts as Twin24 sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class CandidateStore(Protocol):
    """Contacts with their calls, and what came with them."""

    async def candidates(
        self, campaign_id: int, limit: int, offset: int = 0, *, contact_id: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The campaign's contacts, by id, or one of them: with ``numbers`` as they came, ``attempts`` that were dialed,
        and ``attachment``."""

    async def attachments(self, contact_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """What came with these contacts (NewContact.attachment), where anything did."""
