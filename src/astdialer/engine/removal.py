"""Taking campaigns and contacts away. What was called is never taken out of CDRs and days."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from astdialer.domain.campaign import ACTIVE, Campaign
from astdialer.domain.errors import Conflict
from astdialer.engine.campaigns import SOMEBODY
from astdialer.ports import Clock, Store
from astdialer.ports.removal import REMOVE

logger = logging.getLogger(__name__)


async def remove_campaign(store: Store, clock: Clock, campaign: Campaign, *, done_by: str = SOMEBODY) -> None:
    """The campaign with its contacts and its history; the engine erases these one after the other.

    Its CDRs, and its days, which the law asks for, stay, and so does its name. Raises Conflict while it is active or
    has a live call.
    """
    if campaign.state in ACTIVE:
        remedy = f"stop it first (astdialer campaign stop {campaign.name})"
        raise Conflict(f"{campaign.name} is {campaign.state.value}: {remedy}")
    await store.remove_campaign(campaign.id, clock.now())
    logger.info("campaign.removed", extra={"campaign": campaign.name, "by": done_by})


async def remove_contacts(
    store: Store, clock: Clock, campaign: Campaign, contact_ids: Sequence[int], *, done_by: str = SOMEBODY
) -> Sequence[int]:
    """Contacts of the campaign with all that is known of them; the ids of those that were there and in no call."""
    removed = await store.remove_contacts(campaign.id, contact_ids, clock.now())
    logger.info("contacts.removed", extra={"campaign": campaign.name, "contacts": len(removed), "by": done_by})
    return removed


async def remove_contact(
    store: Store, clock: Clock, campaign: Campaign, contact_id: int, *, done_by: str = SOMEBODY
) -> None:
    """One contact of the campaign with all that is known of it; one in a call is called no more and goes with its
    end."""
    if await remove_contacts(store, clock, campaign, [contact_id], done_by=done_by):
        return
    if not await store.end_after_call(contact_id, REMOVE):  # the call has ended between the two
        await remove_contacts(store, clock, campaign, [contact_id], done_by=done_by)
