"""What a rehearsal of a campaign starts from, as the store has it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from astdialer.domain.abandonment import Tally
from astdialer.domain.campaign import Campaign
from astdialer.domain.trunk import Trunk
from astdialer.engine.campaigns import loaded
from astdialer.engine.directory import Directory
from astdialer.engine.explain import is_stale
from astdialer.engine.legalcount import LegalCount
from astdialer.ports import Clock, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Outset:
    """``agents``: logged in to the campaign's queue; None: no engine runs that would know."""

    campaign: Campaign
    trunks: Sequence[Trunk]  #: that its calls may leave by
    agents: int | None
    contacts: int  #: that are to be called now or later
    block: Tally  #: of the law's longest window that today is in
    learned: Mapping[str, Any] | None  #: by pacing, see Pacer.kept


async def outset(store: Store, clock: Clock, engine_zone: str, name: str) -> Outset:
    """As things stand. Raises NotFound."""
    campaign = await store.campaign(name)
    directory, counts = await loaded(store, engine_zone), await store.counts(campaign.id)
    trunks = directory.usable_trunks(campaign)
    return Outset(
        campaign=campaign,
        trunks=trunks,
        agents=_logged_in(await store.live_view(), name, clock.now()),
        contacts=counts.ready + counts.waiting,
        block=await _block(store, clock, directory, campaign),
        learned=await _learned(store, campaign, trunks),
    )


def _logged_in(view: Mapping[str, Any] | None, name: str, now: int) -> int | None:
    if view is None or is_stale(view, now):
        return None
    rows = (row for row in view["campaigns"] if row["campaign"] == name)
    return next((row.get("logged_in_agents") for row in rows), None)


async def _block(store: Store, clock: Clock, directory: Directory, campaign: Campaign) -> Tally:
    counted = LegalCount(await store.days(campaign.id, ""))
    return counted.windows(campaign.settings, directory.zone_of(campaign), clock.now(), 0)[0].tally


async def _learned(store: Store, campaign: Campaign, trunks: Sequence[Trunk]) -> Mapping[str, Any] | None:
    """With the answers of the first trunk as those of the only one that a rehearsal has. None: nothing that is usable,
    then pacing learns anew, as the engine would."""
    found = await store.learned(campaign.id)
    try:
        kept = json.loads(found.body) if found else None
        answers = kept["answers"] if kept else {}
    except (ValueError, KeyError, TypeError):
        return None
    of_first = next((answers[trunk.name] for trunk in trunks if trunk.name in answers), None)
    return kept | {"answers": {"": of_first} if of_first else {}} if kept else None
