"""What uContact's fields mean here: campaigns by its names, numbers, params, dates in local time, agents by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi.responses import PlainTextResponse

from astdialer.domain.access import Access, Forbidden, Permission, Role
from astdialer.domain.agent import extension_of, is_agent
from astdialer.domain.base_fields import parse_alternatives, parse_params
from astdialer.domain.calendar import zone_of
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewNumber, NumberType
from astdialer.domain.errors import InvalidNumber, InvalidSetting, NotFound
from astdialer.domain.names import spellings
from astdialer.engine.visible import sight
from astdialer.http.services import Services
from astdialer.http.ucontact.forms import line_of

DATE_FORMAT = "yyyy-MM-dd HH:mm:ss"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")


def plain(text: str) -> PlainTextResponse:
    """A result: ``1``, ``0``, a guid, nothing."""
    return PlainTextResponse(text)


def done() -> PlainTextResponse:
    """``1``."""
    return plain("1")


# --- campaigns -------------------------------------------------------------------------------------------------------


async def campaign_of(found: Services, access: Access, name: str) -> Campaign:
    """The campaign, whose name may be spelled as uContact does, see names.spellings. Raises NotFound and
    InvalidSetting."""
    if not name:
        raise InvalidSetting("campaign", "", "a campaign's name")
    for spelled in spellings(name):
        try:
            return await found.campaign(access, spelled)
        except NotFound:
            continue
    raise NotFound("campaign", name, "its name here has letters A-Z, and may end in <- or ->")


# --- numbers and params ----------------------------------------------------------------------------------------------


def number_of(found: Services, field: str, value: Any, kind: str = NumberType.PRIORITY) -> NewNumber:
    """A telephone number. Raises InvalidSetting, which names the field.

    A plus that nobody has encoded comes as a space.
    """
    text = line_of(field, value)
    was_plus = isinstance(value, str) and value[:1] == " " and text[:1].isdigit()
    for written in (f"+{text}", text) if was_plus else (text,):
        try:
            return found.read_number(written, kind)
        except InvalidNumber as error:
            wrong = error
    raise InvalidSetting(field, text[:80], f"a telephone number: {wrong}")


def written(found: Services, number: str, as_uploaded: str | None) -> str:
    """A number as it came, if it would be read as the same one again; else E.164."""
    try:
        same = bool(as_uploaded) and found.read_number(str(as_uploaded), NumberType.UNKNOWN).number == number
    except InvalidNumber:
        same = False
    return str(as_uploaded) if same else number


def numbers_of(found: Services, destination: Any, alternatives: Any) -> list[NewNumber]:
    """A contact's numbers, the main one first. Raises InvalidSetting."""
    return [number_of(found, "destination", destination), *alternatives_of(found, alternatives)]


def alternatives_of(found: Services, value: Any) -> list[NewNumber]:
    """``n:n``, or with their types, in the order of trying. Raises InvalidSetting."""
    text = line_of("alternatives", "" if value is None else value, longest=2000)
    return [
        replace(
            number_of(found, "alternatives", one.text, one.type), priority=one.priority, description=one.description
        )
        for one in parse_alternatives(text)
    ]


def params_of(value: Any) -> dict[str, str]:
    """``k=v:k=v``, or a JSON object. Raises InvalidSetting."""
    if isinstance(value, Mapping):
        return {str(name): line_of(f"data.{name}", each) for name, each in value.items()}
    return parse_params(str(value or ""))


# --- dates and words -------------------------------------------------------------------------------------------------


def instant_of(found: Services, field: str, text: str) -> int:
    """``yyyy-MM-dd HH:mm:ss`` in the service's zone, ms since 1970 UTC. Raises InvalidSetting."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        local = datetime.fromisoformat(text).replace(tzinfo=zone_of(found.zone))
        return int(local.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidSetting(field, text[:80], f"local time as {DATE_FORMAT}") from None


def local_text(found: Services, at: int | None) -> str | None:
    """The same the other way round; None for no instant."""
    if at is None:
        return None
    return datetime.fromtimestamp(at / 1000, tz=zone_of(found.zone)).strftime("%Y-%m-%d %H:%M:%S")


def flag_of(field: str, value: Any) -> bool:
    """A flag as JSON or as text has it. Raises InvalidSetting."""
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise InvalidSetting(field, str(value)[:80], "true or false")


def whole_number(field: str, value: Any, low: int, high: int) -> int:
    """Raises InvalidSetting."""
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise InvalidSetting(field, text[:80], f"a whole number from {low} to {high}")
    return int(text)


# --- agents ----------------------------------------------------------------------------------------------------------

Row = Mapping[str, Any]


async def members_of(found: Services, access: Access) -> list[Row]:
    """The agents as the engine sees them; a tenant's token sees those of its campaigns' queues. Raises Unavailable."""
    return await found.agents_seen(access, await found.live.view())


def is_own(access: Access, interface: str) -> bool:
    """Whether this telephone is the token's own."""
    return is_agent(access.agent, interface)


async def telephone_of(found: Services, access: Access, *texts: str, campaign: str = "") -> dict[str, str]:
    """What the engine is told of the agent that the first text which is one's extension, interface or name means; for
    an agent's own token, and without any text, of its own: the interface, and for a tenant, whose it is on one Asterisk
    alone, the server. For a call of a campaign the agent is one of its Asterisk. Raises NotFound, Unavailable, and
    Forbidden for another's telephone."""
    rows = await members_of(found, access)
    if campaign:  # elsewhere the same extension may be another agent's; a campaign without a trunk is nowhere yet
        server = (await sight(found.store, await found.campaigns(access))).campaigns[campaign]
        rows = [row for row in rows if server in ("", row["server"])]
    wanted = [text for text in texts if text] or [access.agent]
    for text in wanted:
        for row in rows:
            if is_agent(text, row["agent"], row["name"]):
                meant = {"agent": check_own(access, str(row["agent"]))}
                return meant | {"server": str(row["server"])} if access.tenant else meant
    raise NotFound("agent", " ".join(wanted), "it has to be a member of a queue: its extension, interface or name")


def check_own(access: Access, interface: str) -> str:
    """The interface. Raises Forbidden when it is not for this token to speak for that telephone."""
    if not access.may(Permission.AGENTS) and not is_own(access, interface):
        raise Forbidden(f"a token of {access.agent} may not speak for {interface}")
    return interface


async def agentphone_of(found: Services, access: Access, text: str) -> str:
    """The extension of the agent that a user's name means, to a tenant one of its own; what is nobody's name is an
    extension already. An agent's own token means its own where it means anybody."""
    if not text:
        return extension_of(access.agent) or access.agent
    view = await found.live.newest() or {"agents": ()}
    rows = await found.agents_seen(access, view)
    named = [profile.agent for profile in await found.store.agents() if profile.name == text]
    if access.tenant:
        named = [agent for agent in named if any(is_agent(agent, row["agent"]) for row in rows)]
    named += [str(row["agent"]) for row in rows if row["name"] == text]
    return next((extension_of(agent) or agent for agent in named), text)


async def check_own_contact(found: Services, access: Access, contact_id: int, guid: str = "") -> None:
    """Raises NotFound when the token is an agent's and the contact, or that very call, was never its own."""
    if access.role is not Role.AGENT:
        return
    attempts = (await found.store.contact(contact_id))["attempts"]
    for row in attempts:
        if guid in ("", row["id"]) and any(is_own(access, row[key]) for key in ("agent", "reserved_agent") if row[key]):
            return
    raise NotFound("call of yours", guid or contact_id)
