"""Call events in Webitel v4's words: a call is offered to an agent, an agent has taken it (source-systems.md 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from astdialer.domain.hooks import Webhook
from astdialer.engine.webhooks import Happening
from astdialer.http.webitel4.ids import agent_number, extension

_OURS = {"attempt.offered": "offering", "attempt.connected": "bridged"}
_OTHERS = {"call.offered": "offering", "call.connected": "bridged"}


def call_words(webhook: Webhook, happening: Happening) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """One message for each call that is offered or taken. Option ``agent_format``: ``id``, else the extension."""
    event, body = happening.event, happening.event.body
    if event.kind in _OURS:
        said = {
            "event": _OURS[event.kind],
            "direction": "outbound",
            "queue": str(event.campaign_id),
            "member": str(event.contact_id),
            "attempt": event.attempt_id,
            "uuid": event.attempt_id,
            "agent": _agent(webhook, body.get("agent", "")),
            "cid": body.get("number", ""),
        }
    elif event.kind in _OTHERS:
        said = {
            "event": _OTHERS[event.kind],
            "direction": "inbound",
            "queue": body.get("queue", ""),
            "member": None,
            "attempt": None,
            "uuid": body.get("uuid", ""),
            "agent": _agent(webhook, body.get("agent", "")),
            "cid": body.get("cid", ""),
        }
    else:
        return
    yield str(said["event"]), said


def _agent(webhook: Webhook, interface: str) -> str:
    is_id = webhook.options.get("agent_format") == "id"
    return str(agent_number(interface)) if is_id else extension(interface)
