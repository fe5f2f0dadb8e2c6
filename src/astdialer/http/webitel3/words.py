"""What webhooks of the form ``webitel`` say: the engine's events dialer_member_end and DC::CHANGE_STATE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from astdialer.domain.campaign import Campaign
from astdialer.domain.hooks import Webhook
from astdialer.domain.params import parse_params
from astdialer.domain.settings import Mode
from astdialer.engine.webhooks import Happening
from astdialer.http.webitel3 import ids
from astdialer.http.webitel3.documents import CALENDAR_ENDED
from astdialer.http.webitel3.people import NAME_PARAM
from astdialer.http.webitel3.translate import DIALER_NAME, PREDICTIVE, PROGRESSIVE, VOICE

MEMBER_END, CHANGE_STATE = "engine::dialer_member_end", "DC::CHANGE_STATE"
#: Of a campaign's event: the state, whether it is active, the cause, and who says so in Webitel's engine.
STATES = {
    "campaign.started": (1, True, "QUEUE_HUNTING", "ready"),
    "campaign.resumed": (1, True, "QUEUE_HUNTING", "ready"),
    "campaign.wakes": (1, True, "QUEUE_HUNTING", "ready"),
    "campaign.sleeps": (2, True, "QUEUE_SLEEP", "end"),
    "campaign.paused": (3, False, "QUEUE_STOP", "end"),
    "campaign.stopped": (3, False, "QUEUE_STOP", "end"),
    "campaign.finished": (4, False, "QUEUE_COMPLETE", "end"),
    "campaign.error": (5, False, "QUEUE_ERROR", "end"),
}
#: Why a member has ended, where it was not by its last call.
REASONS = {"success": "callback", "result": "callback", "terminated": "terminate", "expired": "expire"}


def webitel_words(_webhook: Webhook, happening: Happening) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The messages about an event; none about most."""
    campaign, event = happening.campaign, happening.event
    if campaign is None:
        return
    if event.kind in STATES:
        yield CHANGE_STATE, _state(campaign, event.kind, event.body)
    elif event.kind == "contact.ended" and happening.contact:
        yield MEMBER_END, _end(campaign, happening.contact, event.body)


def name_of(campaign: Campaign) -> str:
    """As its dialer's document has it."""
    return parse_params("params", campaign.settings.params).get(DIALER_NAME, campaign.name)


def _state(campaign: Campaign, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    state, active, cause, caller = STATES[kind]
    return {
        "Event-Name": CHANGE_STATE,
        "Event-Domain": campaign.tenant,
        "Event-Calling-Function": caller,
        "Dialer-Id": ids.object_id(campaign.id),
        "Dialer-Name": name_of(campaign),
        "Type": _type(campaign.settings.mode),
        "State": state,
        "Active": active,
        "Cause": "QUEUE_EXPIRE" if body.get("detail") == CALENDAR_ENDED else cause,
        "Members-Count": body.get("open_contacts", 0),
    }


def _type(mode: Mode) -> str:
    if mode is Mode.BROADCAST:
        return VOICE
    return PROGRESSIVE if mode.rings_agent_first else PREDICTIVE


def _end(campaign: Campaign, contact: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    last = contact["attempts"][-1] if contact["attempts"] else None
    numbers = {row["number"]: row for row in contact["numbers"]}
    number = numbers.get(last["number"] if last else contact["number"], {})
    found = {
        "Event-Name": "CUSTOM",
        "Event-Subclass": MEMBER_END,
        "variable_domain_name": campaign.tenant,
        "dialerId": ids.object_id(campaign.id),
        "dialerName": name_of(campaign),
        "id": ids.object_id(contact["id"]),
        "name": contact["params"].get(NAME_PARAM, ""),
        "currentNumber": number.get("as_uploaded", ""),
        "dlr_member_number_description": number.get("description", ""),
        "currentProbe": body.get("tries", 0),
        "session": last["id"] if last else None,
        "endCause": body.get("end_cause", ""),
    }
    more = {
        "reason": REASONS.get(body.get("end_reason", "")),
        "agentId": (last["agent"] or last["reserved_agent"]) if last else None,
        "expire": contact["expires_at"],
    }
    found |= {key: value for key, value in more.items() if value}
    variables = {name: value for name, value in contact["params"].items() if name != NAME_PARAM}
    return found | {f"variable_{name}": value for name, value in variables.items()}
