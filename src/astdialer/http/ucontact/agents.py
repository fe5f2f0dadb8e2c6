"""Calls of agents: by hand, hung up, tagged; and what is known of the one they have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from astdialer.domain.access import Access, Permission
from astdialer.domain.agent import is_agent
from astdialer.domain.base_fields import Alternative, alternatives_text, params_text
from astdialer.domain.caller_id import NAME_PARAM, NUMBER_PARAM, check_pool_number
from astdialer.domain.contact import Contact, ContactState
from astdialer.domain.errors import NotFound, Unavailable
from astdialer.domain.params import check_params
from astdialer.engine import orders, tags
from astdialer.engine.contacts import base_name
from astdialer.http.access import Needs
from astdialer.http.services import Services, services
from astdialer.http.ucontact.forms import Fields, fields_of
from astdialer.http.ucontact.values import (
    campaign_of,
    check_own,
    check_own_contact,
    members_of,
    number_of,
    plain,
    telephone_of,
    written,
)

router = APIRouter(prefix="/Agents")
Caller = Annotated[Access, Depends(Needs(Permission.OWN_CALLS))]


# --- calls -----------------------------------------------------------------------------------------------------------


@router.post("/AgentCall")
async def agent_call(request: Request, access: Caller) -> Response:
    """Ring the agent, then the number; the call's guid."""
    return await _call(request, access, await fields_of(request))


@router.post("/AgentCallwithData")
async def agent_call_with_data(request: Request, access: Caller) -> Response:
    """The same, with ``data`` and ``form`` for the dialplan: CONTACT_data and CONTACT_form."""
    fields = await fields_of(request)
    given = {"data": _compact(fields.raw("data")), "form": fields.line("form")}
    return await _call(request, access, fields, {name: text for name, text in given.items() if text})


async def _call(request: Request, access: Access, fields: Fields, params: Mapping[str, str] | None = None) -> Response:
    found = services(request)
    campaign = await campaign_of(found, access, fields.line("outqueue", "campaign"))
    number = number_of(found, "destination", fields.raw("destination"))
    data = dict(params or {}) | _caller_id(fields.line("callerid"))
    check_params(data)
    texts = fields.line("phone"), fields.line("agent")
    body = {
        "campaign": campaign.name,
        "agent": (await telephone_of(found, access, *texts, campaign=campaign.name))["agent"],
        "number": number.number,
        "zones": number.zones,
        "data": data,
        "usual_context": _context(access, fields),
    }
    made = await orders.ask(found.store, found.clock, "agent_call", body)
    return plain(str(made["guid"]))


def _context(access: Access, fields: Fields) -> str:
    """The dialplan context that the call may leave by: it leads past the campaign's trunk, so that tenants' and agents'
    tokens have none. Theirs is passed over, not refused: uContact's pages send one with every call."""
    return fields.line("context") if access.may(Permission.AGENTS) and not access.tenant else ""


def _compact(value: Any) -> str:
    """JSON in one line, however it was written; any other text as it is."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    try:
        return json.dumps(json.loads(value), ensure_ascii=False)
    except (ValueError, RecursionError):
        return value.strip()


def _caller_id(text: str) -> dict[str, str]:
    """What the called person is to see, as the contact's own. Raises InvalidSetting."""
    if not text:
        return {}
    name, _, number = check_pool_number("callerid", text).rpartition("<")
    return {NUMBER_PARAM: number.rstrip("> ")} | ({NAME_PARAM: name.strip()} if name.strip() else {})


@router.post("/HangupPhone")
async def hangup_phone(request: Request, access: Caller) -> Response:
    """1 if a call was hung up, else 0."""
    found, fields = services(request), await fields_of(request)
    phone = fields.line("phone")
    try:
        meant = await telephone_of(found, access, phone, fields.line("agent"))
    except NotFound:
        if "/" not in phone or access.tenant:  # a telephone that is in no queue is meant by its interface only
            raise
        meant = {"agent": check_own(access, phone)}
    ended = await orders.ask(found.store, found.clock, "agent_hangup", meant)
    return plain("1" if ended.get("hung_up") else "0")


# --- what a call was -------------------------------------------------------------------------------------------------


@router.post("/TagRecord")
async def tag_record(request: Request, access: Caller) -> Response:
    """Tag the call of a guid, or else the last one to a number; nothing is answered, and nobody waits for it."""
    found, fields = services(request), await fields_of(request)
    guid, phone, text = fields.line("guid"), fields.raw("phone"), tags.check(fields.text("data", "message"))
    if guid or phone:
        contact, guid = await _call_of(found, access, guid) if guid else await _last_call(found, access, phone)
        await check_own_contact(found, access, contact.id, guid)
        await tags.tag(found.store, found.clock, contact, guid, text)
    return plain("")


async def _call_of(found: Services, access: Access, guid: str) -> tuple[Contact, str]:
    return (await found.call(access, guid))[0], guid


async def _last_call(found: Services, access: Access, phone: Any) -> tuple[Contact, str]:
    """The contact that was called last, and the guid of its last call to the number, empty if there was none."""
    number = number_of(found, "phone", phone).number
    seen = {campaign.id for campaign in await found.campaigns(access)}
    contacts = [c for c in await found.store.contacts_with(number, None, open_only=False) if c.campaign_id in seen]
    if not contacts:
        raise NotFound("contact with number", number)
    last = max(contacts, key=lambda c: (c.state is ContactState.IN_CALL, c.last_call_at, c.id))
    return last, await tags.last_call(found.store, last.id, number)


@router.post("/CTI")
async def cti(request: Request, access: Caller) -> Response:
    """What is known of the call that the agent has, or of its last one: of the dialer's calls the object that Respool
    takes. uContact's portal keeps that in the browser; our page asks for it."""
    found, fields = services(request), await fields_of(request)
    guid = await found.store.call_of_agents(await _interfaces(found, access, fields.line("phone", "agent")))
    if guid is None:
        raise NotFound("call of agent", fields.line("phone", "agent") or access.agent)
    contact, campaign = await found.call(access, guid)
    await check_own_contact(found, access, contact.id, guid)
    attempts = (await found.store.contact(contact.id))["attempts"]
    called = next(row["number"] for row in attempts if row["id"] == guid)
    dialer = _spool_object(found, contact, campaign.name, await base_name(found.store, contact))
    return JSONResponse({"guid": guid, "campaign": campaign.name, "callerid": called, "Dialer": dialer})


async def _interfaces(found: Services, access: Access, text: str) -> list[str]:
    """Every telephone that the text means: of live agents and of those who once had a call."""
    text = text or access.agent
    try:
        live = [row["agent"] for row in await members_of(found, access) if is_agent(text, row["agent"], row["name"])]
    except Unavailable:
        live = []
    known = [agent for agent in await found.store.called_agents() if is_agent(text, agent)]
    return [check_own(access, interface) for interface in dict.fromkeys([*live, *known])]


def _spool_object(found: Services, contact: Contact, campaign: str, base: str) -> dict[str, Any]:
    """The contact as Respool takes it back."""
    main, *others = contact.numbers
    alternatives = (
        Alternative(n.type, written(found, n.number, n.as_uploaded), n.priority, n.description) for n in others
    )
    return {
        "campaign": campaign,
        "destination": written(found, main.number, main.as_uploaded),
        "dialerbase": base,
        "status": 1,
        "data": params_text(contact.params.items()),
        "alternatives": alternatives_text(alternatives),
        "contact": contact.id,
        "retries": contact.tries,
        "priority": contact.priority,
        "agentphone": contact.agentphone,
    }
