"""Tasks and contacts as Twin24 sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from astdialer.domain.hooks import Webhook
from astdialer.domain.settings import Settings
from astdialer.ports.facts import CampaignEvent
from astdialer.ports.requests import ForeignObject


class CandidateStore(Protocol):
    """Tasks, and contacts with their calls and what came with them."""

    async def make_task(
        self,
        name: str,
        settings: Settings,
        document: ForeignObject,
        *,
        event: CampaignEvent,
        receivers: Sequence[Webhook] = (),
    ) -> int:
        """A campaign of the document's tenant, the document under its id, and who is told of it, in one transaction;
        the campaign's id. Raises Conflict if the name is taken."""

    async def return_receivers(self, campaign_id: int, receivers: Sequence[Webhook]) -> None:
        """Add who is told of a task, unless its campaign has any such webhook."""

    async def spent_receivers(self, *, stopped_before: int, finished_before: int, limit: int) -> Sequence[str]:
        """Ids of webhooks of tasks that were stopped, or have finished, before an instant, and to which nothing is to
        be sent any more."""

    async def candidates(
        self, campaign_id: int, limit: int, offset: int = 0, *, contact_id: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The campaign's contacts, by id, or one of them: with ``numbers`` as they came, ``attempts`` that were dialed,
        and ``attachment``."""

    async def attachments(self, contact_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """What came with these contacts (NewContact.attachment), where anything did."""
