"""History and agents of a dialer, as Webitel tells them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from astdialer.domain.access import Access
from astdialer.domain.agent import OUR_PAUSE, extension_of
from astdialer.domain.campaign import Campaign
from astdialer.engine import statistics
from astdialer.http.services import Services
from astdialer.http.webitel3 import ids
from astdialer.ports import CampaignEvent

#: Our events as actions, and what Webitel notes beside each.
ACTIONS = {
    "started": ("QUEUE_HUNTING", "Start"),
    "resumed": ("QUEUE_HUNTING", "Start"),
    "wakes": ("QUEUE_HUNTING", "Start"),
    "sleeps": ("QUEUE_SLEEP", "Sleeping"),
    "paused": ("QUEUE_STOP", "Stop"),
    "stopped": ("QUEUE_STOP", "Stop"),
    "finished": ("QUEUE_COMPLETE", "Stop"),
    "error": ("QUEUE_ERROR", "Error"),
    "zeroed": ("RESET_STATS", "OK"),
}


def history_rows(campaign: Campaign, events: Sequence[CampaignEvent]) -> list[dict[str, Any]]:
    """Lines of the history."""
    rows = []
    for event in events:
        action, value = ACTIONS.get(event.event, (event.event.upper(), ""))
        text = f"{campaign.id} {event.at} {event.event} {event.detail}"
        rows.append(
            {
                "_id": f"{event.at // 1000:08x}{hashlib.sha256(text.encode()).hexdigest()[:16]}",
                "dialer": ids.object_id(campaign.id),
                "createdOn": event.at,
                "action": action,
                "value": event.detail or value,
                "user": event.done_by,
            }
        )
    return rows


async def agent_rows(
    found: Services, access: Access, campaign: Campaign, agents: Sequence[str], skills: Sequence[str]
) -> list[dict[str, Any]]:
    """Of each agent that is named, or has one of the skills: how it stands, and its day with this campaign."""
    wanted = {name.partition("@")[0] for name in agents}
    wanted |= {profile.agent for profile in await found.store.agents() if set(skills) & set(profile.skills)}
    now = {row["agent"]: row for row in await found.agents_seen(access, await found.live.newest() or {})}
    totals = await statistics.agent_totals(found.store, found.clock, found.zone, 1)
    days = {row["agent"]: row for row in totals if row["campaign"] == campaign.name}
    rows = []
    for interface in sorted({*now, *days}):
        if {interface, extension_of(interface)} & wanted:
            rows.append(_agent(interface, now.get(interface), days.get(interface)))
    return rows


def _agent(interface: str, now: Any, day: Any) -> dict[str, Any]:
    day = day or {"offered": 0, "answered": 0, "talk_s": 0.0}
    return {
        "name": extension_of(interface),
        "status": _status(now),
        "state": _state(now),
        "call_count": day["offered"],
        "missed_call": day["offered"] - day["answered"],
        "bridged_count": day["answered"],
        "call_time_sec": round(day["talk_s"]),
        "connected_time_sec": round(day["talk_s"]),
        "last_bridge_end": (now or {}).get("last_call_at"),
    }


def _status(now: Any) -> str:
    """Logged out, on a break of its own, or available."""
    if now is None or now["status"] in ("INVALID", "UNAVAILABLE"):
        return "Logged Out"
    away = now["paused"] and not now["pause_reason"].startswith(OUR_PAUSE)
    return "On Break" if away else "Available"


def _state(now: Any) -> str:
    if now is None:
        return "Idle"
    if now["reserved"]:
        return "Reserved"
    return "Waiting" if now["free"] else "In a queue call" if now["status"] in ("INUSE", "BUSY") else "Idle"
