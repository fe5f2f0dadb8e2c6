"""Taking campaigns and contacts away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

#: ContactStore.end_after_call for this reason removes the contact, as remove_contacts does, when its call is over.
REMOVE: Final = "remove"


class RemovalStore(Protocol):
    """What was called stays in the tables without what else was known of it: attempts, CDRs and days refer to it."""

    async def remove_campaign(self, campaign_id: int, now: int) -> None:
        """It, its contacts and its webhooks are not there any more; CDRs and days are. Its name stays taken.

        Raises Conflict while it is active or has a live call, and if it was removed already.
        """

    async def remove_contacts(self, campaign_id: int, contact_ids: Sequence[int], now: int) -> Sequence[int]:
        """The ids of those that were there, of this campaign and in no call: they are not there any more."""

    async def erase_some(self, limit: int, now: int) -> int:
        """Forget some of what is left of removed campaigns: messages to their webhooks, history, what is known of their
        contacts; those whose result was awaited end. How many of these were looked at, 0: none are left."""
