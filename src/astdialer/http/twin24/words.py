"""What has happened to a task, its candidates and calls, as Twin24's webhooks tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from astdialer.domain.disposition import Disposition
from astdialer.domain.hooks import Webhook
from astdialer.engine.webhooks import Happening
from astdialer.http.twin24.states import call_status, candidate_id, candidate_status, digits, iso

Said = tuple[str, Mapping[str, Any]]

#: What a task's status becomes with which event. One that is halted is told when its last call has ended.
_MOVES = {
    "campaign.started": "PROCESS",
    "campaign.resumed": "PROCESS",
    "campaign.paused": "PAUSED",
    "campaign.error": "PAUSED",
    "campaign.stopped": "HALTED",
    "campaign.finished": "FINISHED",
}


def twin24_words(webhook: Webhook, happening: Happening) -> Iterable[Said]:
    """Kinds and bodies, none or several. The task's id and its robot's are among the webhook's options."""
    kind, task = happening.event.kind, str(webhook.options.get("taskId", ""))
    if kind in _MOVES:
        yield "AUTOCALL_STATUS_CHANGED", _moved(task, happening, _MOVES[kind])
    elif happening.contact is None:
        return
    elif kind == "attempt.redirected":
        yield "CALL_REDIRECTED", _redirected(webhook, happening, happening.contact)
    elif kind == "attempt.closed":
        yield from _ended(webhook, task, happening, happening.contact)
    elif kind == "contact.scheduled":
        more = {"scheduledAt": iso(happening.event.body["next_at"])}
        yield "RECALL_SCHEDULED", _candidate("RECALL_SCHEDULED", task, happening.contact) | more
    elif kind == "contact.ended":
        yield "CANDIDATE_CHANGED", _candidate("CANDIDATE_CHANGED", task, happening.contact)


def _moved(task: str, happening: Happening, status: str) -> dict[str, Any]:
    event = happening.event
    return {
        "event": "AUTOCALL_STATUS_CHANGED",
        "taskId": task,
        "status": status,
        "reason": event.body.get("detail", ""),
        "changedAt": iso(event.at),
    }


def _callback(contact: Mapping[str, Any]) -> Any:
    return contact["attachment"].get("callbackData") or []


def _redirected(webhook: Webhook, happening: Happening, contact: Mapping[str, Any]) -> dict[str, Any]:
    """To the task's own channel, unless the scenario has named another."""
    channel = webhook.options.get("channel")
    to = happening.event.body["to"] or channel
    return {
        "event": "CALL_REDIRECTED",
        "id": happening.event.attempt_id,
        "redirectAdditional": None,
        "redirectAnons": None,
        "redirectDestination": "ch" if to == channel else "custom",
        "redirectDestinationId": to,
        "callbackData": _callback(contact),
    }


def _ended(webhook: Webhook, task: str, happening: Happening, contact: Mapping[str, Any]) -> Iterable[Said]:
    """A call that was taken back before it was dialed is told to nobody: there was none."""
    attempt, cdr = happening.attempt, happening.cdr
    if attempt is None or attempt["dialed_at"] is None:
        return
    body = {
        "type": "OUTGOING",
        "botId": webhook.options.get("botId"),
        "id": attempt["id"],
        "taskId": task,
        "autoCallCandidateId": _identity(task, contact),
        "status": call_status(attempt),
        "disposition": attempt["disposition"],
        "callFrom": digits(attempt["caller_id"]),
        "callTo": digits(attempt["number"]),
        "startedAt": iso(attempt["dialed_at"]),
        "finishedAt": iso(attempt["gone_at"] or attempt["closed_at"]),
        "duration": cdr["billsec"] if cdr else 0,
        "variables": contact["attachment"].get("variables") or {},
        "result": {"keypress": attempt["key"]} if attempt["key"] else {},
        "clientExternalId": contact["reference"] or None,
        "callbackData": _callback(contact),
    }
    yield "CALL_ENDED", {"event": "CALL_ENDED"} | body
    if attempt["disposition"] == Disposition.ANSWERED:
        yield "EFFICIENCY_REACHED", {"event": "EFFICIENCY_REACHED"} | body


def _candidate(event: str, task: str, contact: Mapping[str, Any]) -> dict[str, Any]:
    dialed = [attempt for attempt in contact["attempts"] if attempt["dialed_at"] is not None]
    return {
        "event": event,
        "taskId": task,
        "autoCallCandidateId": _identity(task, contact),
        "lastCallId": dialed[-1]["id"] if dialed else None,
        "status": candidate_status(contact["state"], contact["end_reason"], dialed),
        "isEffective": bool(contact["successful"]),
        "phone": [number["as_uploaded"] for number in contact["numbers"]],
        "calls": len(dialed),
        "variables": contact["attachment"].get("variables") or {},
        "clientExternalId": contact["reference"] or None,
        "callbackData": _callback(contact),
    }


def _identity(task: str, contact: Mapping[str, Any]) -> str | None:
    return candidate_id(task, contact["id"]) if task else None
