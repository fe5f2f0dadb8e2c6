"""Members as documents: what was sent, with what has become of it, and a line for each call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from astdialer.domain.amd import Verdict
from astdialer.domain.attempt import Attempt
from astdialer.domain.campaign import Campaign
from astdialer.domain.cause import NUMBERS, cause_of
from astdialer.domain.contact import DEFAULT_PRIORITY, STOPPED, Contact, ContactState, Number
from astdialer.domain.disposition import Disposition
from astdialer.http.services import Services
from astdialer.http.webitel3 import ids
from astdialer.http.webitel3.answers import NAME
from astdialer.http.webitel3.bodies import Table
from astdialer.http.webitel3.documents import kept_of
from astdialer.http.webitel3.people import NAME_PARAM, bare, digits_of
from astdialer.http.webitel3.translate import UNTYPED, type_code
from astdialer.ports import ForeignObject
from astdialer.ports.pages import PastAttempt

KIND = "member"
IDLE, PROCESS, END = 0, 1, 2
#: Who has a member that is in a call.
LOCK = "astdialer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the documents of a dialer's members have in common."""

    campaign: Campaign
    type_names: Mapping[str, tuple[str, str]] = field(default_factory=dict)  #: our code → Webitel's code and name
    base_dates: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is known of a member."""

    contact: Contact
    kept: ForeignObject | None = None
    attempts: Sequence[PastAttempt] = ()  #: the oldest first

    @property
    def document(self) -> Mapping[str, Any] | None:
        """What was sent; None for one who came another way."""
        return self.kept.body.get("document") if self.kept else None

    @property
    def callbacks(self) -> Mapping[str, Any]:
        """What was said of its calls, by their ids."""
        found: Mapping[str, Any] = self.kept.body.get("callbacks", {}) if self.kept else {}
        return found


async def frame_of(found: Services, campaign: Campaign) -> Frame:
    """With the types of the dialer's document."""
    kept = await kept_of(found, campaign)
    types = Table(kept.body["document"] if kept else {}).table("communications").tables("types")
    names = {type_code(each.text("code")): (each.text("code"), each.text("name")) for each in types}
    return Frame(campaign=campaign, type_names=names, base_dates=await found.store.base_dates(campaign.id))


async def known_of(found: Services, contacts: Sequence[Contact], *, calls: bool = True) -> list[Known]:
    """With their documents, and with their calls unless nobody looks at them."""
    listed = [contact.id for contact in contacts]
    kept = await found.store.documents(NAME, KIND, [str(each) for each in listed])
    attempts = await found.store.attempts_of(listed) if calls else {}
    return [
        Known(contact=contact, kept=kept.get(str(contact.id)), attempts=attempts.get(contact.id, ()))
        for contact in contacts
    ]


def member_document(known: Known, frame: Frame) -> dict[str, Any]:
    """The whole document."""
    contact, last = known.contact, known.attempts[-1].attempt.id if known.attempts else None
    held = contact.state is ContactState.HELD
    is_done = contact.state is ContactState.DONE
    return sent(known, frame) | {
        "_id": ids.object_id(contact.id),
        "dialer": ids.object_id(contact.campaign_id),
        "domain": frame.campaign.tenant,
        "createdOn": created_on(known, frame),
        "communications": _communications(known, frame),
        "_probeCount": contact.tries,
        "_nextTryTime": None if is_done else contact.next_at or None,
        "_endCause": contact.end_cause or None if is_done else None,
        "callSuccessful": contact.successful,
        "lastCall": contact.last_call_at,
        "_lock": LOCK if contact.state is ContactState.IN_CALL else None,
        "_lastSession": last,
        "_waitingForResultStatus": contact.held_until if held else None,
        "_waitingForResultStatusCb": 1 if held else None,
        "_log": [_line(known, frame, at) for at in reversed(range(len(known.attempts)))],
    }


def created_on(known: Known, frame: Frame) -> int:
    """When it came, or when its base did."""
    if known.kept and known.document is not None:
        return known.kept.created_at
    return frame.base_dates.get(known.contact.base_id, 0)


def sent(known: Known, frame: Frame) -> dict[str, Any]:
    """The document as it came, or what says the same."""
    if known.document is not None:
        return dict(known.document)
    numbers = [
        _written(number, _type(number, frame)[0]) for number in known.contact.numbers if _is_shown(number, known)
    ]
    return _written_member(known.contact) | {"communications": numbers}


def _written_member(contact: Contact) -> dict[str, Any]:
    variables = {name: value for name, value in contact.params.items() if name != NAME_PARAM}
    found = {
        "name": contact.params.get(NAME_PARAM, ""),
        "priority": DEFAULT_PRIORITY - contact.priority,
        "timezone": "",
        "variables": variables,
    }
    return found | ({"expire": contact.expires_at} if contact.expires_at is not None else {})


def _communications(known: Known, frame: Frame) -> list[dict[str, Any]]:
    """Those that were sent in their order, and then those that results have added."""
    given = {_compared(str(each["number"])): each for each in (known.document or {}).get("communications", ())}
    live = live_number(known)
    shown = (number for number in known.contact.numbers if _is_shown(number, known))
    return [_communication(known, number, given.get(_compared(number.as_uploaded)), live, frame) for number in shown]


def live_number(known: Known) -> int:
    """The number of the call that is live; 0 for none."""
    live = [each.attempt.number_id for each in known.attempts if each.disposition is None]
    return live[-1] if live and known.contact.state is ContactState.IN_CALL else 0


def _is_shown(number: Number, known: Known) -> bool:
    """What a change of the document has left out is not there any more."""
    return number.end_reason != "replaced" or known.contact.state is ContactState.DONE


def _communication(
    known: Known, number: Number, given: Mapping[str, Any] | None, live: int, frame: Frame
) -> dict[str, Any]:
    held = known.contact.held
    range_id, attempts = _range(number)
    return (dict(given) if given else _written(number, _type(number, frame)[0])) | {
        "state": END if not number.is_open else PROCESS if number.id == live else IDLE,
        "_probe": number.tries,
        "lastCall": number.last_call_at,
        "rangeId": range_id,
        "rangeAttempts": attempts,
        "checkResult": 1 if held and held.number_id == number.id else None,
        "stopCommunication": number.end_reason == STOPPED,
    }


def _written(number: Number, code: str) -> dict[str, Any]:
    """A number that no document has."""
    found: dict[str, Any] = {"number": number.as_uploaded, "priority": number.priority}
    if code:
        found["type"] = code
    return found | ({"description": number.description} if number.description else {})


def _compared(text: str) -> str:
    """A number as it is compared, however it is written; what has no digits is itself."""
    return digits_of(text) or bare(text)


def _type(number: Number, frame: Frame) -> tuple[str, str]:
    """Webitel's code of the number's type, and its name."""
    if number.type == UNTYPED:
        return "", ""
    return frame.type_names.get(number.type, (number.type, ""))


def _range(number: Number) -> tuple[str | None, int]:
    """The last range in which it was called: its day of the month, start and end, and the attempts in it."""
    if not number.range_tally:
        return None, 0
    key = max(number.range_tally)
    day, _, span = key.partition("/")
    start, _, end = span.partition("-")
    return f"{int(day[-2:])}_{start}_{end}", number.range_tally[key]


# --- calls -----------------------------------------------------------------------------------------------------------


def _line(known: Known, frame: Frame, at: int) -> dict[str, Any]:
    """A line of ``_log``."""
    past = known.attempts[at]
    attempt = past.attempt
    number = next((each for each in known.contact.numbers if each.id == attempt.number_id), None)
    code, name = _type(number, frame) if number else ("", "")
    cause = cause_of(attempt, past.disposition) if past.disposition else None
    return {
        "session": attempt.id,
        "callUUID": attempt.id,
        "callTime": attempt.dialed_at or attempt.created_at,
        "callNumber": number.as_uploaded if number else attempt.number.lstrip("+"),
        "callPriority": number.priority if number else 0,
        "callDescription": number.description if number else "",
        "callTypeCode": code,
        "callTypeName": name,
        "callPositionIndex": number.position if number else 0,
        "callAttempt": at + 1,
        "callState": END if past.disposition else PROCESS,
        "cause": cause.value if cause else None,
        "causeQ850": NUMBERS.get(cause) if cause else None,
        "amdResult": _amd(attempt),
        "amdCause": attempt.amd_cause or None,
        "connectedTime": attempt.answered_at,
        "bridgedTime": attempt.connected_at,
        "talkSec": _talk_s(attempt, past.closed_at),
        "waitSec": _wait_s(attempt, past.closed_at),
        "recordSessionSec": _talk_s(attempt, past.closed_at) if frame.campaign.settings.record else 0,
        "agentId": attempt.agent or attempt.reserved_agent or None,
        "callSuccessful": _was_success(known, past, at),
        "callback": known.callbacks.get(attempt.id),
        "steps": _steps(attempt, past),
    }


def _was_success(known: Known, past: PastAttempt, at: int) -> bool:
    """The last call of a member that ended well; a result may have come after the call."""
    is_last = at == len(known.attempts) - 1
    return bool(known.contact.successful and is_last and past.disposition is Disposition.ANSWERED)


def _amd(attempt: Attempt) -> str | None:
    """Webitel says CANCEL of a call that ended before there was a verdict."""
    if attempt.amd_verdict is None:
        return None
    return "CANCEL" if attempt.amd_verdict is Verdict.HANGUP else attempt.amd_verdict.value


def _talk_s(attempt: Attempt, closed_at: int | None) -> int:
    return _seconds(attempt.connected_at, attempt.talk_ended_at or attempt.gone_at or closed_at)


def _wait_s(attempt: Attempt, closed_at: int | None) -> int:
    return _seconds(attempt.answered_at, attempt.connected_at or attempt.gone_at or closed_at)


def _seconds(start: int | None, end: int | None) -> int:
    return max(0, round((end - start) / 1000)) if start is not None and end is not None else 0


def _steps(attempt: Attempt, past: PastAttempt) -> list[dict[str, Any]]:
    """What happened when."""
    steps = (
        (attempt.created_at, f"create probe: {attempt.reason}"),
        (attempt.dialed_at, f"dial {attempt.number} by {attempt.trunk}"),
        (attempt.ringing_at, "ringing"),
        (attempt.answered_at, "answered"),
        (attempt.connected_at, f"set agent: {attempt.agent}"),
        (attempt.gone_at, f"end: {past.disposition}"),
    )
    return [{"time": at, "data": words} for at, words in steps if at is not None]
