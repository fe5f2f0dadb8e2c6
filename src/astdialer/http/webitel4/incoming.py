"""From Webitel's members to our contacts, and what is kept beside a contact to show it back as it came. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from astdialer.domain.calendar import zone_of
from astdialer.domain.caller_id import NUMBER_PARAM
from astdialer.domain.contact import INVALID, STOPPED, Contact, NewContact, NewNumber
from astdialer.domain.errors import InvalidNumber, InvalidSetting
from astdialer.domain.names import NAME
from astdialer.domain.params import check_params
from astdialer.domain.processing import Change, Keep
from astdialer.engine.contacts import MAX_PRIORITY
from astdialer.http.services import ReadNumber
from astdialer.http.webitel4.shapes import (
    MOST_COMMUNICATIONS,
    Communication,
    Lookup,
    Member,
    MemberPatch,
    Refused,
    id_of,
)

#: Webitel's priority 0. Its higher ones go first, our smaller ones do.
MIDDLE = 500_000
NAME_PARAM = "name"


def our_priority(theirs: int) -> int:
    """1 to 999,999, smaller first; what lies beyond is the first or the last."""
    return min(max(MIDDLE - theirs, 1), MAX_PRIORITY)


def new_contacts(
    read: ReadNumber, members: Sequence[Member], agents: Mapping[str, str], *, many: bool
) -> list[tuple[NewContact, dict[str, Any]]]:
    """Each contact, and what is kept beside it; ``agents``: extensions by Webitel's ids. A contact's bucket is still
    Webitel's id: which bucket that is may change meanwhile. Takes a moment for thousands. Raises InvalidSetting."""
    return [new_contact(read, member, agents, f"items.{at}." if many else "") for at, member in enumerate(members)]


def new_contact(
    read: ReadNumber, member: Member, agents: Mapping[str, str], where: str
) -> tuple[NewContact, dict[str, Any]]:
    """As new_contacts, of one. ``where`` is put before names of fields. Raises InvalidSetting."""
    zone = _zone(member.timezone, where)
    found, numbers = _numbers(read, member.communications, zone, where)
    params, added = _params(member.variables, member.name, found)
    _checked(params, where)
    contact = NewContact(
        numbers=tuple(numbers),
        params=params,
        priority=our_priority(member.priority),
        agentphone=agents.get(id_of(member.agent), ""),
        line=0,
        bucket=id_of(member.bucket),
        not_before=member.min_offering_at,
        expires_at=member.expire_at,
        repeatable=True,
    )
    return contact, {
        "name": member.name,
        "priority": member.priority,
        "timezone": _kept(member.timezone),
        "skill": _kept(member.skill),
        "communications": _documents(found, numbers),
        "added": added,
    }


def _sorted(communications: Sequence[Communication], where: str) -> list[Communication]:
    """Higher priority first, as Webitel keeps them."""
    count = len(communications)
    if not 1 <= count <= MOST_COMMUNICATIONS:
        code = "model.member.is_valid.communications.app_error"
        raise Refused(code, f"{where}communications", f"{count} of them", f"1 to {MOST_COMMUNICATIONS}")
    for at, each in enumerate(communications):
        type_id = id_of(each.type)
        if not re.fullmatch(r"[1-9][0-9]{0,9}", type_id):
            code = "model.member.is_valid.communications.type.app_error"
            raise Refused(code, f"{where}communications.{at}.type.id", type_id, "a whole number, 1 or more")
    return sorted(communications, key=lambda each: -each.priority)


def _numbers(
    read: ReadNumber, communications: Sequence[Communication], zone: str, where: str
) -> tuple[list[Communication], list[NewNumber]]:
    """Communications and the number of each. A telephone number that comes again is left out: the same telephone would
    ring again at once."""
    found: list[Communication] = []
    numbers: list[NewNumber] = []
    for each in _sorted(communications, where):
        number = _number(read, each, zone)
        if number.end_reason == INVALID or number.number not in {known.number for known in numbers}:
            found.append(each)
            numbers.append(number)
    return found, numbers


def _number(read: ReadNumber, one: Communication, zone: str) -> NewNumber:
    text, kind = one.destination.strip(), id_of(one.type)
    try:
        number = read(text, kind)
    except InvalidNumber:
        number = NewNumber(number=text, as_uploaded=text, type=kind, end_reason=INVALID)
    reason = number.end_reason or (STOPPED if one.stop_at else "")
    return replace(
        number,
        priority=one.priority,
        description=one.description,
        zones=zone or number.zones,
        own_zones=bool(zone),
        end_reason=reason,
    )


def number_of(read: ReadNumber, destination: str) -> str:
    """The number that a destination is kept as."""
    return _number(read, Communication(destination=destination), "").number


def _documents(found: Sequence[Communication], numbers: Sequence[NewNumber]) -> list[dict[str, Any]]:
    return [
        {
            "number": number.number,
            "destination": each.destination,
            "type": each.type.name if each.type else "",
            "display": each.display,
            "resource": _kept(each.resource),
            "dtmf": each.dtmf,
            "stop_at": each.stop_at or 0,
        }
        for each, number in zip(found, numbers, strict=True)
    ]


def _kept(lookup: Lookup | None) -> dict[str, str] | None:
    return {"id": lookup.id, "name": lookup.name} if lookup and (lookup.id or lookup.name) else None


def _params(
    variables: Mapping[str, str], name: str, communications: Sequence[Communication]
) -> tuple[dict[str, str], list[str]]:
    """Channel variables of the contact, and the names of those that are none of Webitel's. What its variables say
    themselves goes before."""
    known = {key.lower() for key in variables}
    displays = {each.display for each in communications if each.display}
    ours = {NAME_PARAM: name, NUMBER_PARAM: displays.pop() if len(displays) == 1 else ""}
    added = {key: value for key, value in ours.items() if value and key not in known}
    return {**variables, **added}, list(added)


def _checked(params: Mapping[str, str], where: str) -> None:
    try:
        check_params(params)
    except InvalidSetting as error:
        raise InvalidSetting(f"{where}variables", error.value, error.expected) from None


def _zone(timezone: Lookup | None, where: str) -> str:
    """By its IANA name. A number that another installation counts its zones by would have people called at any hour."""
    text = (timezone.name or timezone.id) if timezone else ""
    if not text:
        return ""
    try:
        zone_of(text)
    except InvalidSetting:
        expected = 'the IANA name of a zone in its name: {"name": "Europe/Kyiv"}'
        raise InvalidSetting(f"{where}timezone", text, expected) from None
    return text


def base_name(file_name: str) -> str:
    """A base's name of a file's; empty for none."""
    plain = re.sub(r"[^A-Za-z0-9_.@+-]+", "-", file_name).strip("-.")[:64]
    return plain if NAME.fullmatch(plain) else ""


# --- changes ---------------------------------------------------------------------------------------------------------


def change_of(
    read: ReadNumber,
    body: MemberPatch,
    agents: Mapping[str, str],
    known: Mapping[str, Any],
    contact: Contact,
    *,
    base_zone: str,
) -> tuple[Change, dict[str, Any]]:
    """What is changed of the contact, and what is kept beside it then; its bucket and ``agents`` as in new_contacts.
    ``base_zone``: that of its base, if it has one. Raises InvalidSetting."""
    kept, given = dict(known), body.has
    own = _named_zone(known)
    zone = _zone(body.timezone, "") if given("timezone") else own
    numbers: Sequence[NewNumber] | Keep = Keep.IT
    if given("communications"):
        found, numbers = _numbers(read, body.communications, zone or base_zone, "")
        kept["communications"] = _documents(found, numbers)
    for key in ("name", "priority"):
        if given(key):
            kept[key] = getattr(body, key)
    for key in ("timezone", "skill"):
        if given(key):
            kept[key] = _kept(getattr(body, key))
    change = Change(
        params=_changed_params(body, kept, contact),
        priority=our_priority(body.priority) if given("priority") else Keep.IT,
        expires_at=body.expire_at if given("expire_at") else Keep.IT,
        next_at=body.min_offering_at or Keep.IT,
        agent=agents.get(id_of(body.agent), "") if given("agent") else Keep.IT,
        bucket=id_of(body.bucket) if given("bucket") else Keep.IT,
        zones=_zones(read, contact, zone, base_zone) if given("timezone") and (zone or own) else {},
        numbers=numbers,
        tries=body.attempts if given("attempts") else Keep.IT,
        stop=Keep.IT if body.stop_cause is None else body.stop_cause,
    )
    return change, kept


def _named_zone(known: Mapping[str, Any]) -> str:
    """The zone that was named for the member, by what is kept of it."""
    kept = known.get("timezone") or {}
    return str(kept.get("name") or kept.get("id") or "")


def _zones(read: ReadNumber, contact: Contact, zone: str, base_zone: str) -> dict[str, str]:
    """By number: the zone that is named now; when none is any more, what a new member would have."""
    if zone or base_zone:
        return {number.number: zone or base_zone for number in contact.numbers}
    return {n.number: _number(read, Communication(destination=n.number), "").zones for n in contact.numbers}


def _changed_params(body: MemberPatch, kept: dict[str, Any], contact: Contact) -> dict[str, str]:
    """Variables that are added, or taken away by an empty value; and the name, unless a variable has its place."""
    changed, added = dict(body.variables), list(kept.get("added", (NAME_PARAM,)))
    if NAME_PARAM in changed:
        kept["added"] = [each for each in added if each != NAME_PARAM]
    elif body.has("name") and (NAME_PARAM in added or NAME_PARAM not in map(str.lower, contact.params)):
        changed[NAME_PARAM] = body.name
        kept["added"] = [*(each for each in added if each != NAME_PARAM), NAME_PARAM]
    return changed
