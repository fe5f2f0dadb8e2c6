"""Calls by hand: the agent's telephone rings, and then the number is dialed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from astdialer.domain.campaign import ACTIVE, Campaign
from astdialer.domain.errors import InvalidNumber, InvalidSetting, NotFound
from astdialer.domain.params import check_params
from astdialer.engine import orders
from astdialer.engine.visible import Sight, sight
from astdialer.http.services import Services
from astdialer.http.webitel4.agents import Agent, meant_by, require_own
from astdialer.http.webitel4.attempts import attempt_of
from astdialer.http.webitel4.ids import extension
from astdialer.http.webitel4.outgoing import agent_view
from astdialer.http.webitel4.routes import SmallIdempotentRoute
from astdialer.http.webitel4.shapes import Body, Flag, Found, Key, Number, Pages, PathId, Reader, Variables, Worker
from astdialer.ports import AttemptSearch

router = APIRouter(prefix="/calls", tags=["webitel v4"], route_class=SmallIdempotentRoute)

#: The variable that may name the campaign of a call.
CAMPAIGN = "campaign"
QueueId = Annotated[str, Query(max_length=80, description="The campaign whose call it is.")]


class Endpoint(Body):
    """A telephone: an agent's."""

    extension: Key = ""
    id: Key = ""


class Params(Body):
    """How to call. Whether a call is recorded is the campaign's; ``audio`` says nothing here."""

    auto_answer: Flag = False
    variables: Variables = Field(default_factory=dict)


class CallBody(Body):
    """A call to make."""

    destination: Number = ""
    caller: Endpoint = Field(default=Endpoint(), alias="from")
    params: Params = Params()


@router.post("")
async def create_call(found: Found, access: Worker, body: CallBody, queue_id: QueueId = "") -> dict[str, str]:
    """Ring the agent, and then the destination; answered when the agent's telephone is being rung."""
    variables = dict(body.params.variables)
    named = queue_id or variables.pop(CAMPAIGN, "")
    number = _number(found, body.destination)
    _check_variables(variables)
    text = body.caller.extension or body.caller.id
    if not text:
        raise InvalidSetting("from.extension", "", "the extension of the agent who calls")
    agents = await meant_by(found, access, text)
    require_own(access, agents[0].interface)
    campaigns = await found.campaigns(access)
    seen = await sight(found.store, campaigns)
    campaign = _campaign(campaigns, seen, agents, named)
    agent = _on(seen.campaigns[campaign.name], agents)
    order = {
        "campaign": campaign.name,
        "agent": agent.interface,
        "number": number.number,
        "zones": number.zones,
        "data": variables,
        "auto_answer": body.params.auto_answer,
    }
    made = await orders.ask(found.store, found.clock, "agent_call", order)
    return {"id": str(made["guid"])}


def _number(found: Services, destination: str) -> Any:
    try:
        return found.read_number(destination, "U")
    except InvalidNumber as error:
        raise InvalidSetting("destination", destination, f"a telephone number: {error}") from None


def _check_variables(variables: Mapping[str, str]) -> None:
    try:
        check_params(variables)
    except InvalidSetting as error:
        raise InvalidSetting("params.variables", error.value, error.expected) from None


def _on(server: str, agents: Sequence[Agent]) -> Agent:
    """The agent on the campaign's Asterisk: on another one its telephone may be somebody else's. Raises NotFound."""
    for agent in agents:
        if agent.server == server:
            return agent
    raise NotFound("agent", agents[0].interface, f"it has to be in a queue of {server}, where the campaign is")


def _campaign(campaigns: Sequence[Campaign], seen: Sight, agents: Sequence[Agent], named: str) -> Campaign:
    """The one that is named by id or name; else one that has the agent's queue, an active one first; else the only one
    that there is. Raises NotFound and InvalidSetting."""
    if named:
        for campaign in campaigns:
            if named in (str(campaign.id), campaign.name):
                return campaign
        raise NotFound("queue", named)
    queues = {(agent.server, queue) for agent in agents for queue in agent.queues}
    own = [campaign for campaign in campaigns if (seen.campaigns[campaign.name], campaign.settings.queue) in queues]
    if own:
        return min(own, key=lambda campaign: (campaign.state not in ACTIVE, campaign.id))
    if len(campaigns) == 1:
        return campaigns[0]
    expected = f"the campaign whose call it is: no campaign has a queue of agent {agents[0].interface}"
    raise InvalidSetting("queue_id", "", expected)


@router.get("/active")
async def active_calls(found: Found, access: Reader, pages: Pages) -> dict[str, Any]:
    """Calls that go on."""
    campaigns = await found.campaigns(access)
    search = AttemptSearch(campaign_ids=[one.id for one in campaigns])
    by_id = {one.id: one for one in campaigns}
    rows = await found.store.working_attempts(search, pages.limit, pages.offset)
    return pages.shown([_shown(row, by_id[row["campaign_id"]]) for row in rows if row["state"] != "closed"])


@router.get("/active/{call_id}", include_in_schema=False)
@router.get("/{call_id}")
async def show_call(found: Found, access: Reader, call_id: PathId) -> dict[str, Any]:
    """One call, as it stands, or as it ended."""
    row, campaign = await attempt_of(found, access, call_id)
    return _shown(row, campaign)


@router.delete("/active/{call_id}", include_in_schema=False)
@router.delete("/{call_id}")
async def hang_up(found: Found, access: Worker, call_id: PathId) -> dict[str, Any]:
    """End a call that goes on."""
    row, _ = await attempt_of(found, access, call_id)
    agent = row["agent"] or row["reserved_agent"]
    require_own(access, agent)
    order = {"contact_id": row["contact_id"]}
    if row["state"] != "closed":
        asked = await orders.ask(found.store, found.clock, "hangup_call", order)
        if asked.get("hung_up"):
            return {}
    raise NotFound("call", call_id, "it has ended")


#: Webitel's states of a call.
_STATES = {
    "created": "ringing",
    "dialing": "ringing",
    "ringing": "ringing",
    "answered": "active",
    "connected": "bridge",
}


def _shown(row: Mapping[str, Any], campaign: Campaign) -> dict[str, Any]:
    agent = row["agent"] or row["reserved_agent"]
    return {
        "id": row["id"],
        "state": _STATES.get(row["state"], "hangup"),
        "type": "call",
        "direction": "outbound",
        "destination": row["number"],
        "extension": extension(agent),
        "agent": agent_view(agent),
        "queue": {"id": str(campaign.id), "name": campaign.name},
        "member": {"id": str(row["contact_id"]), "name": ""},
        "display": row["caller_id"],
        "created_at": str(row["created_at"]),
        "answered_at": str(row["answered_at"] or 0),
        "bridged_at": str(row["connected_at"] or 0),
        "hangup_at": str(row["gone_at"] or 0),
        "cause": row["disposition"] or "",
    }
