"""What called persons are shown: chosen once for each call."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable

from astdialer.domain import caller_id
from astdialer.domain.campaign import Campaign
from astdialer.domain.trunk import Trunk
from astdialer.engine.calls import Call
from astdialer.engine.context import Context

logger = logging.getLogger(__name__)


class CallerIds:
    """The contact's own, else the trunk's, else the campaign's. ``rng`` gives numbers from 0 to 1."""

    def __init__(self, context: Context, rng: Callable[[], float] = random.random) -> None:
        self._context, self._rng = context, rng
        self._turns: Counter[str] = Counter()

    def pick(self, call: Call, campaign: Campaign, trunk: Trunk) -> str:
        """The caller id of a call: always the same once it was asked for."""
        if call.caller_id:
            return call.caller_id
        picked = caller_id.pick(
            call.contact.params,
            caller_id.parse_caller_id("caller_id", trunk.caller_id),
            caller_id.parse_caller_id("caller_id", campaign.settings.caller_id),
            rng=self._rng,
            pools=self._context.directory.caller_id_pools,
            turn=self._turn,
        )
        for problem in picked.problems:
            logger.warning("caller_id.problem", extra={"campaign": campaign.name, "why": problem})
        return picked.text

    def _turn(self, pool: str) -> int:
        self._turns[pool] += 1
        return self._turns[pool] - 1
