"""Taking campaigns and contacts away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

#: ContactStore.end_after_call for this reason removes the contact, as remove_contacts does, when its call is over.
REMOVE: Final = "remove"


class RemovalStore(Protocol):
    """What was called stays in the tables without what else was known of it: attempts, CDRs and days refer to it."""

    async def remove_campaign(self, campaign_id: int, now: int) -> None:
        """It, its contacts and its history are not there any more; CDRs and days are. Its name stays taken.

        Raises Conflict while it is active or has a live call, and if it was removed already.
        """

    async def remove_contacts(self, campaign_id: int, contact_ids: Sequence[int], now: int) -> Sequence[int]:
        """The ids of those that were there, of this campaign and in no call: they are not there any more."""

    async def erase_some(self, limit: int) -> int:
        """Forget what is known of some contacts of removed campaigns; how many were looked at, 0: none are left."""
