"""Single calls that are asked for, contacts that are put back, and what is taken out again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from astdialer.domain.access import Access, Permission, Role
from astdialer.domain.agent import extension_of
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.engine import contacts, tasks
from astdialer.http.access import Needs
from astdialer.http.services import Services, services
from astdialer.http.ucontact.forms import Fields, fields_of
from astdialer.http.ucontact.values import (
    agentphone_of,
    alternatives_of,
    campaign_of,
    check_own_contact,
    done,
    flag_of,
    instant_of,
    number_of,
    numbers_of,
    params_of,
    telephone_of,
    whole_number,
)

router = APIRouter(prefix="/Dialers")
Keeper = Annotated[Access, Depends(Needs(Permission.CONTACTS))]
#: An agent may put back and schedule whom it had on its own telephone.
Caller = Annotated[Access, Depends(Needs(Permission.OWN_CALLS))]


# --- asking for a call -----------------------------------------------------------------------------------------------


@router.post("/DialerTask")
async def dialer_task(request: Request, access: Keeper) -> Response:
    """A call at its date; or without one at once by the agent, as soon as possible, or as an entry of a list."""
    found, call = services(request), (await fields_of(request)).object("call")
    automatic, bulk = flag_of("automatic", call.raw("automatic")), flag_of("bulk", call.raw("bulk"))
    agent = await agentphone_of(found, access, call.line("agent", "agentphone"))
    # Without an agent nobody can make the call by hand: then it is the dialer's, and the next one.
    by_hand = not automatic and not bulk and bool(agent)
    if by_hand and not call.line("calldate"):
        campaign = await campaign_of(found, access, call.line("campaign"))
        agent = (await telephone_of(found, access, agent, campaign=campaign.name))["agent"]
    wish = await _wish(found, access, call, agent, automatic=not by_hand and not bulk, bulk=bulk and not automatic)
    await tasks.add(found.store, found.clock, wish)
    return done()


@router.post("/ScheduleDialerCall")
async def schedule_dialer_call(request: Request, access: Caller) -> Response:
    """A call at its date."""
    found, call = services(request), (await fields_of(request)).object("callschedule")
    agent = await agentphone_of(found, access, call.line("agentphone", "agent"))
    if not call.line("calldate"):
        raise InvalidSetting("calldate", "", "when to call")
    wish = await _wish(found, access, call, agent)
    await _check_own_number(found, access, wish.campaign, wish.number)
    await tasks.add(found.store, found.clock, wish)
    return done()


async def _wish(
    found: Services, access: Access, call: Fields, agent: str, *, automatic: bool = True, bulk: bool = False
) -> tasks.Wish:
    date = call.line("calldate")
    return tasks.Wish(
        campaign=(await campaign_of(found, access, call.line("campaign"))).name,
        numbers=numbers_of(found, call.raw("destination"), call.raw("alternatives")),
        at=instant_of(found, "calldate", date) if date else None,
        agent=_own_agent(access, agent),
        params=params_of(call.raw("data")),
        automatic=automatic,
        bulk=bulk,
    )


def _own_agent(access: Access, agent: str) -> str:
    """An agent's own token asks for calls of its own."""
    return (extension_of(access.agent) or access.agent) if access.role is Role.AGENT else agent


async def _check_own_number(found: Services, access: Access, campaign: str, number: str) -> None:
    """Raises NotFound when the token is an agent's, and none of its calls was to a contact with this number."""
    if access.role is not Role.AGENT:
        return
    of_campaign = (await found.campaign(access, campaign)).id
    for contact in await found.store.contacts_with(number, of_campaign, open_only=False):
        try:
            await check_own_contact(found, access, contact.id)
        except NotFound:
            continue
        return
    raise NotFound("call of yours to", number)


# --- putting back ----------------------------------------------------------------------------------------------------


@router.post("/Respool")
async def respool(request: Request, access: Caller) -> Response:
    """Call a contact again, with what the object changes of it."""
    found, spool = services(request), (await fields_of(request)).object("callspool", "objetoRespool")
    campaign = await campaign_of(found, access, spool.line("campaign"))
    if "status" in spool:
        whole_number("status", spool.raw("status"), 1, 1)  # whoever is put back is called
    wanted = await _respool(found, access, campaign, spool)
    await contacts.respool(found.store, found.clock, wanted)
    return done()


async def _respool(found: Services, access: Access, campaign: Campaign, spool: Fields) -> contacts.Respool:
    main = number_of(found, "destination", spool.raw("destination"))
    contact = await _meant(found, campaign, spool)
    known = contacts.main_number(contact) if contact else main.number
    if contact:
        await check_own_contact(found, access, contact.id)
        await contacts.when_idle(found.store, found.clock, contact.id)
    elif access.role is Role.AGENT:
        for each in await found.store.contacts_with(main.number, campaign.id, open_only=False):
            if contacts.main_number(each) == main.number:  # any of them may be the one that is put back
                await check_own_contact(found, access, each.id)
    return contacts.Respool(
        campaign=campaign.name,
        number=known,
        contact_id=contact.id if contact else 0,
        base=spool.line("dialerbase"),
        new_number=main if known != main.number else None,
        alternatives=alternatives_of(found, spool.raw("alternatives")) if "alternatives" in spool else None,
        params=params_of(spool.raw("data")) if "data" in spool else None,
        priority=whole_number("priority", spool.raw("priority"), 1, 999_999) if "priority" in spool else None,
        agentphone=await _agentphone(found, access, spool),
        tries_used=whole_number("retries", spool.raw("retries"), 0, 999) if "retries" in spool else None,
    )


async def _meant(found: Services, campaign: Campaign, spool: Fields) -> Contact | None:
    """The contact that the object names by its id; None: it names none of this campaign."""
    if not spool.raw("contact"):
        return None
    contact_id = whole_number("contact", spool.raw("contact"), 0, 2**63 - 1)
    try:
        contact = await found.store.load_contact(contact_id)
    except NotFound:
        return None
    return contact if contact.campaign_id == campaign.id else None


async def _agentphone(found: Services, access: Access, spool: Fields) -> str | None:
    """Who alone may have the call: anybody if the object says so, as before if it says nothing."""
    if "agentphone" not in spool:
        return None
    text = spool.line("agentphone")
    return _own_agent(access, await agentphone_of(found, access, text)) if text else ""


# --- taking out ------------------------------------------------------------------------------------------------------


@router.post("/RemoveContact")
async def remove_contact(request: Request, access: Keeper) -> Response:
    """Call a number of the campaign no more. That there is none any more is no error."""
    found, fields = services(request), await fields_of(request)
    name, number = fields.line("campaign"), fields.raw("number")
    if name or number:
        campaign = await campaign_of(found, access, name)
        await _removed(found, campaign, number_of(found, "number", number).number)
    return done()


async def _removed(found: Services, campaign: Campaign, number: str) -> None:
    try:
        await contacts.remove(found.store, found.clock, campaign.name, number)
    except NotFound:
        return


@router.post("/RemoveScheduleDialerCall")
async def remove_schedule(request: Request, access: Keeper) -> Response:
    """Do not make the scheduled calls to a number between two dates, both of them included."""
    found, fields = services(request), await fields_of(request)
    name, destination = fields.line("campaign"), fields.raw("destination")
    if name or destination:
        campaign = await campaign_of(found, access, name)
        number = number_of(found, "destination", destination).number
        until = _date(found, fields, "to")
        await tasks.remove(
            found.store,
            found.clock,
            campaign.name,
            number,
            from_at=_date(found, fields, "from"),
            to_at=None if until is None else until + 1000,
        )
    return done()


def _date(found: Services, fields: Fields, name: str) -> int | None:
    text: Any = fields.line(name)
    return instant_of(found, name, text) if text else None
