"""What came of a talk: uContact's DispositionCall, with its own texts for what is wrong with a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from astdialer.domain.access import Access, Permission
from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import AstdialerError, NotFound
from astdialer.domain.typification import Action, Outcome, find, parse_outcomes
from astdialer.engine import outcomes, tags
from astdialer.http.access import Needs
from astdialer.http.services import Services, services
from astdialer.http.ucontact.forms import Fields, fields_of
from astdialer.http.ucontact.values import campaign_of, check_own_contact, instant_of

router = APIRouter(prefix="/api")


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What is answered with 400, word for word as the source document has it."""

    no_campaign: str = "Parâmetros errados: Campanha vazia"
    no_callerid: str = "Parâmetros errados: Callerid vazio"
    no_guid: str = "Parâmetros errados: guid vazio"
    no_agent: str = "Parâmetros errados: Agente vazio"
    no_level: str = "Parâmetros errados: Valor vazio1"
    no_outcome: str = "Disposição não encontrada para o nível1: {l1}, level2: {l2}, nível3: {l3}"
    bad_date: str = "El formato de la fecha tiene que ser yyyy-MM-dd HH:mm:ss"
    no_date: str = "Parâmetros incorretos: Data da programação vazia."


TEXTS = Texts()


class Refused(AstdialerError):
    """The request is wrong, in uContact's words."""

    code = "refused"


@router.post("/DispositionCall")
async def disposition_call(
    request: Request, access: Annotated[Access, Depends(Needs(Permission.OWN_CALLS))]
) -> Response:
    """Choose the outcome of a call by its levels, and do what it does."""
    found, fields = services(request), await fields_of(request)
    _check_filled(fields)
    campaign, outcome = await _outcome(found, access, fields)
    choice = outcomes.Choice(
        campaign=campaign.name,
        levels=outcome.levels,
        guid=fields.line("guid"),
        agent=fields.line("agent"),
        comment=_comment(fields),
        at=_schedule(found, fields) if outcome.action is Action.RESCHEDULE else None,
        to_campaign=await _to_campaign(found, access, fields),
        tag=tags.check(fields.line("tag")),
    )
    contact, of_campaign = await found.call(access, choice.guid)
    if of_campaign.id != campaign.id:
        raise NotFound("call", choice.guid, f"it is none of {campaign.name}'s")
    await check_own_contact(found, access, contact.id, choice.guid)
    await outcomes.choose(found.store, found.clock, found.zone, choice)
    return JSONResponse({"Result": "ok", "txtcode": "|".join(outcome.levels)})


def _check_filled(fields: Fields) -> None:
    """Raises Refused for the first field that is empty, in the order of the source document."""
    required = {
        "campaign": TEXTS.no_campaign,
        "callerid": TEXTS.no_callerid,
        "guid": TEXTS.no_guid,
        "agent": TEXTS.no_agent,
        "l1": TEXTS.no_level,
    }
    for name, text in required.items():
        if not fields.line(name):
            raise Refused(text)


async def _outcome(found: Services, access: Access, fields: Fields) -> tuple[Campaign, Outcome]:
    """The campaign and its outcome. Raises Refused, for a campaign that is not there too."""
    l1, l2, l3 = (fields.line(name) for name in ("l1", "l2", "l3"))
    try:
        campaign = await campaign_of(found, access, fields.line("campaign"))
        return campaign, find(parse_outcomes(campaign.settings.outcomes), l1, l2, l3)
    except NotFound:
        raise Refused(TEXTS.no_outcome.format(l1=l1, l2=l2, l3=l3)) from None


def _schedule(found: Services, fields: Fields) -> int:
    text = fields.line("schedule")
    if not text:
        raise Refused(TEXTS.no_date)
    try:
        return instant_of(found, "schedule", text)
    except AstdialerError:
        raise Refused(TEXTS.bad_date) from None


async def _to_campaign(found: Services, access: Access, fields: Fields) -> str:
    """The campaign that is to call again, if another one is named."""
    name = fields.line("camptoreschedule")
    return (await campaign_of(found, access, name)).name if name else ""


def _comment(fields: Fields) -> str:
    """The comment and the extra data, for the log and as a blacklisted number's reason."""
    extra = ((name, fields.text(name)) for name in ("d1", "d2"))
    return "; ".join(filter(None, (fields.text("comment"), *(f"{name}: {text}" for name, text in extra if text))))
