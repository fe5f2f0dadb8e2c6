"""Members in their documents, as contacts: new ones, and changes of those that are there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from astdialer.domain.calendar import zone_of
from astdialer.domain.cause import EndCause
from astdialer.domain.contact import (
    DEFAULT_PRIORITY,
    INVALID,
    REPLACED,
    Contact,
    ContactState,
    NewContact,
    NewNumber,
    Number,
)
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.params import CONTROL, MOST
from astdialer.domain.retry import closed_number, ended
from astdialer.engine.contacts import MAX_PRIORITY
from astdialer.http.services import ReadNumber
from astdialer.http.webitel3.answers import Said
from astdialer.http.webitel3.bodies import Table
from astdialer.http.webitel3.translate import UNTYPED, channel_params, type_code

#: The base of members that come by this API.
BASE = "webitel"
#: The parameter that an agent's telephone shows.
NAME_PARAM = "name"
MOST_NUMBERS = 100
#: What the server alone says of a member, beside everything that begins with _.
LIVE = ("domain", "dialer", "createdOn", "callSuccessful", "lastCall", "successfulCount", "randomValue")
#: And of its numbers.
LIVE_OF_NUMBERS = (
    "lastCall",
    "rangeAttempts",
    "rangeId",
    "rangePriority",
    "state",
    "status",
    "stopCommunication",
    "checkResult",
)
TOKENS = ("access_token", "x_key")
_NO_DIGITS = re.compile(r"[^0-9]+")


@dataclass(frozen=True, slots=True)
class Person:
    """A member on its way in: the contact, and the document as it came."""

    contact: NewContact
    document: Mapping[str, Any]


def cleaned(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what the server alone says."""
    found = {
        key: value
        for key, value in document.items()
        if not key.startswith("_") and key not in LIVE and key not in TOKENS
    }
    numbers = found.get("communications")
    if isinstance(numbers, list):
        found["communications"] = [_cleaned_number(each) if isinstance(each, dict) else each for each in numbers]
    return found


def _cleaned_number(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in document.items() if not key.startswith("_") and key not in LIVE_OF_NUMBERS}


def new_person(document: Mapping[str, Any], read: ReadNumber) -> Person:
    """Raises Said."""
    known = cleaned(document)
    root = Table(known)
    numbers = numbers_of(root, read)
    contact = NewContact(
        numbers=numbers,
        params=params_of(root),
        priority=priority_of(root),
        agentphone="",
        line=0,
        expires_at=expiry_of(root),
        repeatable=True,
    )
    return Person(contact, known)


def numbers_of(root: Table, read: ReadNumber) -> tuple[NewNumber, ...]:
    """Each once; what is no telephone number is kept, and never dialed. Raises Said."""
    given = root.values.get("communications")
    if not isinstance(given, list) or not given:
        raise Said(400, "Bad communications (must array)")
    if len(given) > MOST_NUMBERS:
        raise Said(400, f"communications: {len(given)} numbers, {MOST_NUMBERS} are allowed")
    zone = zone_of_member(root)
    found: dict[str, NewNumber] = {}
    for each in root.tables("communications"):
        number = _number(each, zone, read)
        found.setdefault(number.number, number)
    return tuple(found.values())


def _number(given: Table, zone: str, read: ReadNumber) -> NewNumber:
    value = given.values.get("number")
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise Said(400, "Bad communication number")
    code = given.text("type")
    kind = type_code(code) if code else UNTYPED
    number = read_or_keep(str(value), kind, read)
    return replace(
        number,
        priority=given.whole("priority", 0, -999_999, 999_999),
        description=CONTROL.sub(" ", given.text("description"))[:500],
        zones=zone or number.zones,
        own_zones=bool(zone),
    )


def read_or_keep(text: str, kind: str, read: ReadNumber) -> NewNumber:
    """A number that can be dialed, or one that never is."""
    try:
        return dialable(text, kind, read)
    except InvalidSetting:
        plain = bare(text) or "?"
        return NewNumber(number=plain, as_uploaded=plain, type=kind, end_reason=INVALID)


def dialable(text: str, kind: str, read: ReadNumber) -> NewNumber:
    """A number as an upload takes it; or, as Webitel dials what it is given, one that begins with its country code.

    Raises InvalidSetting.
    """
    try:
        return read(text, kind)
    except InvalidSetting:
        digits = digits_of(text)
        if digits[:1] in ("", "0") or "+" in text:
            raise
        return replace(read(f"+{digits}", kind), as_uploaded=digits)


def digits_of(text: str) -> str:
    """Nothing else is dialed by Webitel."""
    return _NO_DIGITS.sub("", text)


def bare(text: str) -> str:
    """What is kept of a text that is no number."""
    return CONTROL.sub("", text).strip()[:64]


def zone_of_member(root: Table) -> str:
    """Its own zone; empty: that of each number. Raises Said."""
    zone = root.text("timezone")
    try:
        zone_of(zone or "UTC")
    except InvalidSetting as error:
        raise root.bad("timezone", error.expected) from None
    return zone


def priority_of(root: Table) -> int:
    """Webitel's higher ones go first, our smaller ones. Raises Said."""
    return max(1, min(MAX_PRIORITY, DEFAULT_PRIORITY - root.whole("priority", 0)))


def expiry_of(root: Table) -> int | None:
    """An instant; 0 and nothing are none. Raises Said."""
    if root.values.get("expire") == "":
        return None
    return root.whole("expire", 0, 0, 32_503_679_999_999) or None


def params_of(root: Table) -> dict[str, str]:
    """Its variables, and its name. Raises Said."""
    variables = root.table("variables")
    if len(variables.values) > MOST:
        raise root.bad("variables", f"{MOST} at most")
    name = root.text("name")
    return channel_params({**({NAME_PARAM: name} if name.strip() else {}), **variables.values})


# --- changes ---------------------------------------------------------------------------------------------------------


def change_of(
    changed: Mapping[str, Any], before: Mapping[str, Any], read: ReadNumber, base_zone: str, now: int
) -> Callable[[Contact], Contact]:
    """What the keys that are given do to a contact; ``before`` is its document without them, ``base_zone`` the zone of
    its base, if that has one. Raises Said."""
    root = Table({**before, **changed})
    numbers = numbers_of(root, read) if "communications" in changed else None
    params, priority, expires_at, zone = params_of(root), priority_of(root), expiry_of(root), zone_of_member(root)
    named, is_rezoned = zone or base_zone, "timezone" in changed and bool(zone or before.get("timezone"))

    def change(contact: Contact) -> Contact:
        if changed.keys() & {"name", "variables"}:
            contact = replace(contact, params=params)
        if "priority" in changed:
            contact = replace(contact, priority=priority)
        if "expire" in changed:
            contact = replace(contact, expires_at=expires_at)
        if is_rezoned:
            zoned = (replace(each, zones=named or zones_of_digits(each, read)) for each in contact.numbers)
            contact = replace(contact, numbers=tuple(zoned))
        if numbers is not None:
            contact = with_numbers(contact, [replace(each, zones=named or each.zones) for each in numbers])
        return _settled(contact, now)

    return change


def zones_of_digits(number: Number, read: ReadNumber) -> str:
    """Where it is by its digits; nothing for what is no telephone number."""
    try:
        return read(number.number, UNTYPED).zones
    except InvalidSetting:
        return ""


def with_numbers(contact: Contact, wanted: Sequence[NewNumber]) -> Contact:
    """These numbers in this order: what one has counted and come to stays with it. The others are closed."""
    known = {each.number: each for each in contact.numbers}
    is_done = contact.state is ContactState.DONE
    kept: list[Number] = []
    for new in wanted:
        number = known.get(new.number) or _added(new, None if is_done else contact.next_at or 0)
        number = _reopened(number, contact) if not is_done else number
        zones = new.zones if new.own_zones else number.zones  # a file may have named those of a known one
        kept.append(replace(number, type=new.type, priority=new.priority, description=new.description, zones=zones))
    names = {each.number for each in kept}
    dropped = [
        closed_number(each, REPLACED) if each.is_open else each for each in contact.numbers if each.number not in names
    ]
    return replace(contact, numbers=tuple(replace(each, position=at) for at, each in enumerate([*kept, *dropped])))


def _added(new: NewNumber, at: int | None) -> Number:
    closed = new.end_reason or (REPLACED if at is None else "")
    return Number(
        id=0,
        number=new.number,
        as_uploaded=new.as_uploaded,
        type=new.type,
        position=0,
        zones=new.zones,
        next_at=None if closed else at,
        end_reason=closed,
    )


def _reopened(number: Number, contact: Contact) -> Number:
    """One that was dropped by an earlier change comes back."""
    if number.end_reason != REPLACED:
        return number
    return replace(number, next_at=contact.next_at or 0, end_reason="")


def _settled(contact: Contact, now: int) -> Contact:
    """Ended, if its time is over or no number is left; else due when it was."""
    if contact.state not in (ContactState.READY, ContactState.WAITING):
        return contact
    if contact.expires_at is not None and contact.expires_at <= now:
        return ended(contact, "expired", EndCause.MEMBER_EXPIRED)
    if not any(each.is_open for each in contact.numbers):
        return ended(contact, "no number left", EndCause.NO_COMMUNICATIONS)
    return contact
