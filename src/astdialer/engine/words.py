"""Instants in words, for people."""

from __future__ import annotations

from datetime import datetime

from astdialer.domain.calendar import zone_of

#: How contacts that are bound to agents come to be called, in a campaign that has none.
UNBIND = (
    "set another mode (astdialer campaign set), or respool them for anybody (astdialer contact respool --agentphone '')"
)


def local_words(at: int, zone: str) -> str:
    """``2026-11-21 08:00 Europe/Madrid``."""
    return datetime.fromtimestamp(at / 1000, tz=zone_of(zone)).strftime("%Y-%m-%d %H:%M ") + zone
