"""What happens in a dialer, as others are told of it, and when an undelivered message is sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: Every kind of event, and when it comes.
KINDS: Mapping[str, str] = {
    "attempt.dialed": "A number is being dialed.",
    "attempt.answered": "A person or a machine took the call.",
    "attempt.offered": "An agent's telephone rings for the call.",
    "attempt.connected": "An agent took the call.",
    "attempt.redirected": "A dialplan of the administrator's own hands the call over (agi://…/redirected).",
    "attempt.closed": "The call is over: its disposition and its CDR are known.",
    "call.offered": "An agent's telephone rings for a call that is not ours, an inbound one.",
    "call.connected": "An agent took such a call.",
    "contact.scheduled": "The contact is called again, and when.",
    "contact.ended": "The contact is done: no more calls, and why.",
    "campaign.created": "A campaign was made.",
    "campaign.changed": "Settings were changed.",
    "campaign.started": "A campaign was started.",
    "campaign.delayed": "It was to start by itself, and something is missing.",
    "campaign.paused": "A campaign was paused.",
    "campaign.resumed": "It dials on.",
    "campaign.sleeps": "Its calendar or calling hours have shut.",
    "campaign.wakes": "They are open again.",
    "campaign.stopping": "It was stopped; live calls run on.",
    "campaign.stopped": "Its last call has ended.",
    "campaign.finished": "Every contact is done.",
    "campaign.error": "It can't be dialed as it is set up.",
    "campaign.zeroed": "Its totals began anew.",
    "recording.ready": "The MP3 of a call is there.",
    "base.loaded": "A base's contacts can be dialed.",
}


class Form(StrEnum):
    """Whose words a webhook speaks."""

    NATIVE = "native"
    WEBITEL = "webitel"  #: Webitel v3's dialer_member_end and DC::CHANGE_STATE
    WEBITEL_CALL = "webitel-call"  #: Webitel v4's call events: offering, bridged
    TWIN24 = "twin24"


#: What each form calls what it tells.
FORM_KINDS: Mapping[Form, Sequence[str]] = {
    Form.NATIVE: tuple(KINDS),
    Form.WEBITEL: ("engine::dialer_member_end", "DC::CHANGE_STATE"),
    Form.WEBITEL_CALL: ("offering", "bridged"),
    Form.TWIN24: (
        "CALL_REDIRECTED",
        "CALL_ENDED",
        "CANDIDATE_CHANGED",
        "RECALL_SCHEDULED",
        "EFFICIENCY_REACHED",
        "AUTOCALL_STATUS_CHANGED",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that has happened, in the order of ``id``."""

    id: int
    at: int
    kind: str
    campaign_id: int | None
    contact_id: int | None
    attempt_id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Who is told of what, and in whose words."""

    id: str
    url: str
    secret: str
    events: tuple[str, ...] = ("*",)
    form: Form = Form.NATIVE
    tenant: str = ""
    campaign_id: int | None = None  #: None: every campaign, of the tenant if it has one
    options: Mapping[str, Any] = field(default_factory=dict)  #: the form's own
    enabled: bool = True
    since_event: int = 0  #: told of what comes after this one
    created_at: int = 0
    created_by: str = ""

    def wants(self, event: Event, tenant: str) -> bool:
        """Whether it is told of the event, which is of a campaign of ``tenant``. Never of what was before it."""
        is_its = self.campaign_id in (None, event.campaign_id) and self.tenant in ("", tenant)
        # What another form says of an event, and whether that is wanted, is known once it is in its words.
        may_be_wanted = self.form is not Form.NATIVE or covers(self.events, event.kind)
        return self.enabled and is_its and event.id > self.since_event and may_be_wanted


def covers(wanted: Sequence[str], kind: str) -> bool:
    """Whether a filter (``attempt.closed``, ``contact.*`` or ``*``) takes a kind."""
    return any(w in ("*", kind) or (w.endswith(".*") and kind.startswith(w[:-1])) for w in wanted)


#: Pauses after the failed tries of a delivery, seconds; the last one again and again.
PAUSES_S = (5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
#: A delivery is given up when a try fails so long after it was made.
LIFETIME_S = 24 * 3600
#: How long nothing is sent to a receiver that has failed, seconds, each time it fails again.
RESTS_S = (1, 2, 5, 10, 20, 40, 60)


def retry_at(created_at: int, tries: int, now: int) -> int | None:
    """When a delivery that failed for the ``tries``-th time is sent again; None: never by itself."""
    at = now + PAUSES_S[min(tries, len(PAUSES_S)) - 1] * 1000
    return at if at <= created_at + LIFETIME_S * 1000 else None


def rest_s(strikes: int) -> int:
    """How long a receiver is left alone that has failed for the ``strikes``-th time since it last took a message."""
    return RESTS_S[min(strikes, len(RESTS_S)) - 1]
