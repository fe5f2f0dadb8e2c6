"""Twin24's words for what tasks, calls and candidates are doing, and its forms of ids and times."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.disposition import Disposition

S, D = CampaignState, Disposition

DIALECT, AUTOCALL, DAILY = "twin24", "autoCall", "daily"
STATUSES = ("BLANK", "READY", "PROCESS", "PAUSED", "HALTED", "FINISHED")

#: What can't be dialed as it is set up goes on by play once it is mended: it is paused. HALTED is for ever.
_TASK: Mapping[CampaignState, str] = {
    S.IDLE: "BLANK",
    S.RUNNING: "PROCESS",
    S.PAUSED: "PAUSED",
    S.STOPPING: "HALTED",
    S.STOPPED: "HALTED",
    S.FINISHED: "FINISHED",
    S.ERROR: "PAUSED",
}

#: A machine has answered as well; who has to know looks at ``disposition`` beside it.
CALL: Mapping[str, str] = {
    D.ANSWERED: "ANSWERED",
    D.MACHINE: "ANSWERED",
    D.SHORT: "ANSWERED",
    D.ABANDONED: "ANSWERED",
    D.BUSY: "BUSY",
    D.NO_ANSWER: "NOANSWER",
    D.REJECTED: "REJECTED",
    D.INVALID_NUMBER: "INVALID",
    D.CONGESTION: "CONGESTION",
    D.FAILED: "FAILED",
    D.CANCELED: "CANCEL",
    D.UNKNOWN: "FAILED",
}
_CALL_STATES = {"answered": "INPROGRESS", "connected": "INPROGRESS"}
#: Of contacts that ended without a call, by why they did.
_ENDS = {"blacklisted": "BLACKLIST", "invalid number": "INVALID", "expired": "EXPIRED"}


def task_status(campaign: Campaign) -> str:
    """BLANK was never started, READY starts by itself at its startMoment."""
    return "READY" if campaign.starts_by_itself is not None else _TASK[campaign.state]


def call_status(attempt: Mapping[str, Any]) -> str:
    """Of a call that was dialed."""
    if attempt["disposition"]:
        return CALL[attempt["disposition"]]
    return _CALL_STATES.get(attempt["state"], "DIAL")


def candidate_status(state: str, end_reason: str, attempts: Sequence[Mapping[str, Any]]) -> str:
    """What came of the last call, or why there was none, or that one is to come."""
    if state in ("ready", "waiting"):
        return "SCHEDULED"
    if state == "done" and end_reason in _ENDS:
        return _ENDS[end_reason]
    return call_status(attempts[-1]) if attempts else "CANCEL"


def iso(at: int | None) -> str | None:
    """``2026-07-10T10:49:36+00:00``."""
    return None if at is None else datetime.fromtimestamp(at // 1000, tz=UTC).isoformat()


def digits(number: str) -> str:
    """A number, or the number of a caller id, as Twin24 writes it: no plus."""
    inner = number.rpartition("<")[2].partition(">")[0] if "<" in number else number
    return "".join(each for each in inner if each.isdigit())


#: A candidate's id is a UUID of version 8: the task's first 48 bits, and our contact's id.
_ID_BITS = 62


def candidate_id(task: str, contact_id: int) -> str:
    """The id of a contact as the task's candidate."""
    return str(uuid.UUID(int=uuid.UUID(task).int >> 80 << 80 | 8 << 76 | 2 << _ID_BITS | contact_id))


def contact_id(candidate: str) -> int | None:
    """The contact behind a candidate's id; None if it is none."""
    try:
        found = uuid.UUID(candidate)
    except ValueError:
        return None
    return found.int & (1 << _ID_BITS) - 1 if found.version == 8 else None
