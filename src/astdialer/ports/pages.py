"""Many contacts at a time, with all that is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from astdialer.domain.attempt import Attempt
from astdialer.domain.contact import Contact
from astdialer.domain.disposition import Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """An attempt, and what it came to; None: it is live."""

    attempt: Attempt
    disposition: Disposition | None
    closed_at: int | None


class PageStore(Protocol):
    """Reading by pages."""

    async def contacts_page(self, campaign_id: int, after: int, limit: int) -> Sequence[Contact]:
        """The campaign's contacts with an id above ``after``, by id."""

    async def contacts_at(self, campaign_id: int, offset: int, limit: int) -> Sequence[Contact]:
        """The same, from the ``offset``-th on."""

    async def attempts_of(self, contact_ids: Sequence[int]) -> Mapping[int, Sequence[PastAttempt]]:
        """Every attempt of these contacts by contact, the oldest first."""

    async def base_dates(self, campaign_id: int) -> Mapping[int, int]:
        """When each of the campaign's bases was made, by its id."""
