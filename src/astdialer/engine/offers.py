"""Calls that agents of preview campaigns are asked about: the use cases of CLI and HTTP."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from astdialer.domain.agent import is_agent
from astdialer.domain.errors import Conflict, NotFound
from astdialer.ports import Clock, Offer, Store

ACCEPT, SKIP = "accept", "skip"


async def answer(
    store: Store, clock: Clock, agent: str, word: str, *, campaigns: Collection[int] | None = None
) -> Offer:
    """Have the call placed that an agent is asked about, or leave its contact for later; of these campaigns alone.

    Raises NotFound when the agent is asked nothing, and Conflict when somebody was faster.
    """
    for offer in _open(await store.offers(), clock, agent, campaigns):
        if await store.answer_offer(offer.attempt_id, word):
            return offer
        raise Conflict(f"agent {agent} has answered, or the offer of {offer.number} is over")
    raise NotFound("offer to agent", agent, "see astdialer agent offers")


def _open(found: Sequence[Offer], clock: Clock, agent: str, campaigns: Collection[int] | None) -> Iterator[Offer]:
    now = clock.now()
    for each in found:
        mine = is_agent(agent, each.agent) and (campaigns is None or each.campaign_id in campaigns)
        if mine and not each.answer and each.expires_at > now:
            yield each
