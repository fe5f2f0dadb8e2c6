"""Our contacts and attempts as Webitel shows them: int64 as text, instants in milliseconds, 0 for what is not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.campaign import Campaign
from astdialer.domain.cause import EndCause
from astdialer.domain.contact import Contact, ContactState, Number
from astdialer.domain.disposition import Disposition
from astdialer.http.webitel4.buckets import Buckets
from astdialer.http.webitel4.ids import agent_number, extension
from astdialer.http.webitel4.incoming import MIDDLE, our_priority
from astdialer.ports import ForeignObject

_STOPS: Mapping[str, str] = {EndCause.MEMBER_EXPIRED: "expired", EndCause.ABANDONED: "abandoned"}
#: States of an attempt that goes on.
STATES = {
    "created": "idle",
    "dialing": "active",
    "ringing": "active",
    "answered": "wait_agent",
    "connected": "bridged",
    "gone": "leaving",
    "closed": "leaving",
}
_RESULTS = {
    Disposition.ANSWERED: "success",
    Disposition.CANCELED: "cancel",
    Disposition.NO_ANSWER: "timeout",
}


def agent_view(agent: str) -> dict[str, str] | None:
    """An agent by its id; None for none."""
    return {"id": str(agent_number(agent)), "name": extension(agent)} if agent else None


def member_view(
    contact: Contact, campaign: Campaign, document: ForeignObject | None, buckets: Buckets
) -> dict[str, Any]:
    """A member. What was kept of it counts as long as the contact was not changed by another way."""
    kept: Mapping[str, Any] = document.body if document else {}
    added = kept.get("added", ["name"])
    priority = kept.get("priority", 0)
    waits = contact.state is ContactState.WAITING
    return {
        "id": str(contact.id),
        "queue": {"id": str(campaign.id), "name": campaign.name},
        "priority": priority if our_priority(priority) == contact.priority else MIDDLE - contact.priority,
        "expire_at": str(contact.expires_at or 0),
        "created_at": str(document.created_at if document else 0),
        "variables": {key: value for key, value in contact.params.items() if key not in added},
        "name": contact.params.get("name", "") if "name" in added else kept.get("name", ""),
        "timezone": kept.get("timezone"),
        "communications": [_communication(number, at, kept) for at, number in enumerate(contact.numbers)],
        "bucket": buckets.shown(contact.bucket) if contact.bucket else None,
        "min_offering_at": str(contact.next_at or 0) if waits else "0",
        "stop_cause": stop_cause(contact),
        "last_activity_at": str(contact.last_call_at),
        "attempts": contact.tries,
        "reserved": contact.state is ContactState.IN_CALL,
        "agent": agent_view(contact.agentphone),
        "skill": kept.get("skill"),
    }


def stop_cause(contact: Contact) -> str:
    """Why a member is done: success, the word that ended it, or the end cause."""
    if contact.state is not ContactState.DONE:
        return ""
    if contact.successful:
        return "success"
    if contact.end_cause == EndCause.MANAGER_REQUEST:
        return contact.end_reason
    return _STOPS.get(contact.end_cause, contact.end_cause.lower())


def _communication(number: Number, at: int, kept: Mapping[str, Any]) -> dict[str, Any]:
    beside = _beside(number, at, kept.get("communications", ()))
    stop_at = beside.get("stop_at", 0) or number.last_call_at or 1
    return {
        "id": str(number.id),
        "destination": beside.get("destination", number.as_uploaded),
        "type": {"id": str(number.type), "name": beside.get("type", "")},
        "priority": number.priority,
        "description": number.description,
        "display": beside.get("display", ""),
        "resource": beside.get("resource"),
        "dtmf": beside.get("dtmf", ""),
        "state": 0,
        "last_activity_at": str(number.last_call_at),
        "attempts": number.tries,
        "last_cause": number.end_reason or number.last_disposition,
        "stop_at": "0" if number.is_open else str(stop_at),
    }


def _beside(number: Number, at: int, known: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What was kept of a number: at its own place, or wherever it stands by now."""
    if at < len(known) and known[at]["number"] == number.number:
        return known[at]
    return next((each for each in known if each["number"] == number.number), {})


def result(row: Mapping[str, Any], reported: Mapping[str, Any]) -> str:
    """What came of an attempt: as it was reported, or as the call itself tells. Empty while a report is awaited."""
    if reported:
        return str(reported["status"])
    if row["state"] != "closed" or row["held"]:
        return ""
    return _RESULTS.get(Disposition(row["disposition"]), "abandoned")


def attempt_state(row: Mapping[str, Any]) -> str:
    """Where an attempt stands; ``processing`` while its report is awaited."""
    return "processing" if row["held"] else STATES[row["state"]]


def attempt_view(
    row: Mapping[str, Any], contact: Contact | None, campaign: Campaign, reported: Mapping[str, Any]
) -> dict[str, Any]:
    """An attempt, over or not."""
    name = contact.params.get("name", "") if contact else ""
    agent = row["agent"] or row["reserved_agent"]
    return {
        "id": row["id"],
        "state": attempt_state(row),
        "channel": "call",
        "queue": {"id": str(campaign.id), "name": campaign.name},
        "member": {"id": str(row["contact_id"]), "name": name},
        "member_call_id": row["id"],
        "agent": agent_view(agent),
        "agent_call_id": row["leg_id"],
        "resource": {"id": row["trunk"], "name": row["trunk"]} if row["trunk"] else None,
        "bucket": None,
        "variables": dict(contact.params) if contact else {},
        "display": row["caller_id"],
        "destination": {"destination": row["number"]},
        "joined_at": str(row["created_at"]),
        "originate_at": str(row["dialed_at"] or 0),
        "answered_at": str(row["answered_at"] or 0),
        "bridged_at": str(row["connected_at"] or 0),
        "leaving_at": str(row["gone_at"] or 0),
        "reporting_at": str(reported.get("at", 0)),
        "result": result(row, reported),
        "description": str(reported.get("description", "")),
        "amd_result": row["amd_verdict"] or "",
    }


def member_attempt_view(row: Mapping[str, Any], contact: Contact, reported: Mapping[str, Any]) -> dict[str, Any]:
    """An attempt in the list of its member."""
    return {
        "id": row["id"],
        "member": {"id": str(contact.id), "name": contact.params.get("name", "")},
        "created_at": str(row["created_at"]),
        "destination": row["number"],
        "weight": 0,
        "originate_at": str(row["dialed_at"] or 0),
        "answered_at": str(row["answered_at"] or 0),
        "bridged_at": str(row["connected_at"] or 0),
        "hangup_at": str(row["gone_at"] or 0),
        "resource": {"id": row["trunk"], "name": row["trunk"]} if row["trunk"] else None,
        "leg_a_id": row["id"],
        "leg_b_id": row["leg_id"],
        "node": row["server"],
        "result": result(row, reported),
        "agent": agent_view(row["agent"] or row["reserved_agent"]),
        "bucket": None,
        "active": row["state"] != "closed" or bool(row["held"]),
    }
