"""How far a campaign has come, as data: the same in the live view and in explanations."""

from __future__ import annotations

from typing import Any

from astdialer.domain.abandonment import Window
from astdialer.domain.disposition import abandonment
from astdialer.domain.settings import Settings
from astdialer.ports import CampaignCounts

#: A view older than this comes from an engine that does not run any more.
STALE_S = 5.0


def progress(counts: CampaignCounts) -> dict[str, Any]:
    """How far a campaign has come."""
    return {
        "contacts": {
            "ready": counts.ready,
            "waiting": counts.waiting,
            "in_call": counts.in_call,
            "held": counts.held,
            "done": counts.done,
        },
        "next_due_at": counts.next_due_at,
        "dispositions": dict(counts.dispositions),
        "abandonment": abandonment(counts.dispositions),
    }


def window_row(settings: Settings, window: Window) -> dict[str, Any]:
    """A window of the law: people who answered and those of them who were abandoned, as the profile counts them."""
    seen, limit = window.tally, settings.abandonment_limit / 100
    return {
        "window": window.span,
        "since": window.since,
        "people": round(seen.answered, 1),
        "abandoned": round(seen.abandoned, 1),
        "rate": round(seen.rate, 4) if seen.answered else None,
        "at_most": round(seen.at_most(), 4) if seen.answered else None,
        "limit": limit,
        "room": window.room(limit),
    }
