"""What comes of a member's call, said from outside; and its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import INVALID, Contact, ContactState, NewNumber, Number
from astdialer.domain.errors import Conflict, InvalidSetting
from astdialer.domain.typification import LONGEST_NEXT_S, Result
from astdialer.engine import contacts as use_cases
from astdialer.http.services import Services
from astdialer.http.turns import turn
from astdialer.http.webitel3 import answers, ids
from astdialer.http.webitel3.answers import NAME, Said
from astdialer.http.webitel3.auth import Found, Loads, OnceRoute
from astdialer.http.webitel3.bodies import Table, body_of
from astdialer.http.webitel3.memberdocs import KIND, Known, known_of
from astdialer.http.webitel3.members import keep, member_of
from astdialer.http.webitel3.people import TOKENS, dialable, zone_of_member
from astdialer.http.webitel3.translate import UNTYPED

router = APIRouter(prefix="/api/v2/dialer/{dialer}/members", tags=["webitel3"], route_class=OnceRoute)

ALL = "all"
NOT_ENDED = "Not allow set terminate member"


@router.put("/{member}/status")
async def set_result(request: Request, found: Found, access: Loads, dialer: str, member: str) -> Response:
    """The result of a talk that is awaited."""
    campaign, contact = await member_of(found, access, dialer, member)
    body = await body_of(request)
    if not isinstance(body, dict):
        raise Said(400, "Bad callback options")
    contact = await use_cases.when_idle(found.store, found.clock, contact.id)
    if contact.state is not ContactState.HELD or contact.held is None:
        raise Said(400, f"Member {member}: result status false")
    session = contact.held.attempt_id
    if body.get("session_id") not in (None, "", session):
        raise Said(400, f"Member {member}: bad session id")
    (known,) = await known_of(found, [contact], calls=False)
    result = result_of(Table(body), known, found)
    try:
        await use_cases.result(found.store, found.clock, found.zone, contact.id, result)
    except Conflict:  # somebody else was quicker
        raise Said(400, f"Member {member}: result status false") from None
    said = {key: value for key, value in body.items() if key not in TOKENS}
    line = {"from": access.name, "time": found.clock.now(), "data": said}
    await _remember(found, campaign, contact, {session: line})
    return answers.info("success")


@router.put("/{member}/terminate")
async def terminate(request: Request, found: Found, access: Loads, dialer: str, member: str) -> Response:
    """No more calls. ``hangup=true`` ends the one that is live as well."""
    _, contact = await member_of(found, access, dialer, member)
    hang_up = request.query_params.get("hangup") == "true"
    try:
        ended = await use_cases.terminate(found.store, found.clock, contact.id, hang_up=hang_up)
    except Conflict:
        raise Said(405, NOT_ENDED) from None
    answer = {"_id": ids.object_id(contact.id)}
    return answers.info(answer if ended.state is ContactState.DONE else answer | {"waitHangupCause": "MANAGER_REQUEST"})


def result_of(given: Table, member: Known, found: Services) -> Result:
    """Raises Said."""
    known, zone = member.contact.numbers, zone_of_member(Table(member.document or {}))
    next_number = given.text("next_communication").strip()
    stops = given.values.get("stop_communications")
    texts = [] if stops in (None, "", ALL) else _texts(given, stops)
    number = _next(given, next_number, known, found) if next_number else None
    return Result(
        success=given.values.get("success") is True,
        reset_retries=given.values.get("reset_retries") is True,
        next_after_s=_next_after(given),
        next_number=number.number if number else "",
        next_number_as_given=number.as_uploaded if number else "",
        next_number_zones=zone or (number.zones if number else ""),
        next_number_own_zones=bool(zone),
        stop_numbers=tuple(each.number for each in known if _is_meant(each, texts, found)),
        stop_all=stops == ALL,
        description=given.text("description")[:500],
    )


def _next_after(given: Table) -> int | None:
    if not given.has("next_after_sec"):
        return None
    return given.whole("next_after_sec", 0, 0, LONGEST_NEXT_S)


def _texts(given: Table, stops: Any) -> Sequence[str]:
    listed = stops if isinstance(stops, list) else [stops]
    if any(isinstance(each, bool) or not isinstance(each, str | int) for each in listed):
        raise given.bad("stop_communications", "numbers, or all")
    return [str(each).strip() for each in listed]


def _next(given: Table, text: str, known: Sequence[Number], found: Services) -> Number | NewNumber:
    """A number of the contact's, or a new one. Raises Said for what can't be dialed."""
    for number in known:
        if _is_meant(number, [text], found) and number.end_reason != INVALID:
            return number
    try:
        return dialable(text, UNTYPED, found.read_number)
    except InvalidSetting as error:
        raise given.bad("next_communication", f"a telephone number: {error}") from None


def _is_meant(number: Number, texts: Sequence[str], found: Services) -> bool:
    """Whether one of the texts is this number, as it was written or as it is dialed."""
    return any(text in (number.as_uploaded, number.number) or _e164(text, found) == number.number for text in texts)


def _e164(text: str, found: Services) -> str:
    try:
        return dialable(text, UNTYPED, found.read_number).number
    except InvalidSetting:
        return ""


async def _remember(found: Services, campaign: Campaign, contact: Contact, lines: Mapping[str, Any]) -> None:
    """The callback is shown in the line of its call."""
    async with turn(NAME, KIND, contact.id):
        (known,) = await known_of(found, [contact], calls=False)
        await keep(found, campaign, known, callbacks={**known.callbacks, **lines})
