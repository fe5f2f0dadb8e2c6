"""Agents: who is there and how, what is said about them, and what is done in their name."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from astdialer.domain.access import Access, Forbidden, Permission
from astdialer.domain.agent import AgentProfile, is_agent
from astdialer.domain.errors import NotFound, Unavailable
from astdialer.engine import offers, orders, profiles
from astdialer.engine.visible import sight
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.services import Services
from astdialer.http.v1.attempts import HungUp
from astdialer.http.v1.common import PROBLEMS, Administrator, Caller, Found, Model, Page, Reader
from astdialer.http.v1.kinds import LookerOrCaller, Row
from astdialer.ports import Offer

router = APIRouter(tags=["agents"], route_class=IdempotentRoute, responses=PROBLEMS)

Agent = Annotated[
    str,
    Path(
        pattern=r"^[^\x00-\x1f\x7f]{1,128}$",
        description="Extension, interface, or the name that the queue has for it.",
        examples=["1001", "PJSIP/1001"],
    ),
]
Shorts = list[Annotated[str, Field(max_length=70)]]


# --- shapes ----------------------------------------------------------------------------------------------------------


class AgentRow(Row):
    """A member of a queue, as the engine sees it now."""

    agent: str = Field(examples=["PJSIP/1001"], description="Its interface.")
    name: str = Field(examples=["Ana"])
    queue: str = Field(examples=["sales"])
    server: str = Field(examples=["default"], description="The Asterisk.")
    code: int = Field(
        examples=[1],
        description="0 unknown, 1 idle, 2 in use, 3 busy, 4 invalid, 5 unavailable, 6 ringing, 7 ringing and in use, "
        "8 on hold, 9 wrap-up.",
    )
    status: str = Field(examples=["NOT_INUSE"], description="The same as a word.")
    paused: bool
    pause_reason: str = Field(examples=["lunch"])
    free: bool = Field(description="It may be given a call now.")
    reserved: bool = Field(description="It is held for a call that rings it first.")
    rests_until: int | None = Field(examples=[None], description="After a call that it did not take, ms.")
    wrap_up_until: int | None = Field(examples=[None], description="After a talk, ms.")
    calls_taken: int = Field(examples=[12])
    last_call_at: int | None = Field(examples=[1760000000000], description="End of its last talk, ms.")
    skills: list[str] = Field(examples=[["english"]])
    buckets: list[str] = Field(examples=[["vip"]])


class ProfileBody(Model):
    """What is said about an agent. What is left out is as the campaign says."""

    name: str = Field(default="", max_length=profiles.LONGEST_NAME, examples=["Ana"], description="For people.")
    skills: Shorts = Field(default=[], max_length=100, examples=[["english", "sales"]])
    buckets: Shorts = Field(default=[], max_length=100, examples=[["vip"]], description="Whose contacts it may have.")
    call_timeout_s: int | None = Field(default=None, description="How long its telephone rings.", examples=[25])
    wrap_up_s: int | None = Field(default=None, description="Rest after a talk.", examples=[20])
    max_no_answer: int | None = Field(
        default=None, description="Paused after so many unanswered calls; 0: never.", examples=[3]
    )
    busy_delay_s: int | None = Field(default=None, description="Rest after its telephone was busy.", examples=[30])
    reject_delay_s: int | None = Field(default=None, description="Rest after it declined a call.", examples=[30])
    no_answer_delay_s: int | None = Field(default=None, description="Rest after it did not answer.", examples=[30])


class Profile(ProfileBody):
    """What is said about one agent."""

    agent: str = Field(examples=["1001"], description="Extension or interface.")


class CallByHand(Model):
    """A call that an agent asks for: its telephone rings, then the number."""

    number: str = Field(max_length=80, examples=["+442079460123"], description="As an upload takes it.")
    campaign: str = Field(max_length=70, examples=["spring"], description="Its trunk, its rules, its history.")
    data: dict[Annotated[str, Field(max_length=60)], Annotated[str, Field(max_length=1000)]] = Field(
        default={}, max_length=100, examples=[{"order": "7"}], description="Params of the call."
    )
    promised: bool = Field(
        default=False, description="Whatever the calling hours: the person was promised it. Not for the role agent."
    )
    context: str = Field(
        default="", max_length=79, description="Dial by this dialplan context in place of the trunk. Administrators'."
    )


class CalledByHand(Row):
    """The call that is being placed."""

    guid: str = Field(examples=["0d6f2c1e-7a53-4b0e-9c57-1f6f1a0f8a11"])
    contact_id: int = Field(examples=[4711], description="The contact that was made for it.")


class Pause(Model):
    """Why."""

    reason: str = Field(default="", max_length=80, examples=["lunch"], description="Agents and reports see it.")


class PausedAgents(Row):
    """Whose pause was changed."""

    agents: list[str] = Field(examples=[["PJSIP/1001"]])


class OfferRow(Row):
    """A call that an agent of a preview campaign is asked about before anybody is dialed."""

    attempt_id: str = Field(examples=["0d6f2c1e-7a53-4b0e-9c57-1f6f1a0f8a11"])
    agent: str = Field(examples=["PJSIP/1001"])
    campaign: str = Field(examples=["spring"])
    contact_id: int = Field(examples=[4711])
    number: str = Field(examples=["+442079460123"])
    params: dict[str, str] = Field(examples=[{"name": "Ada"}], description="The contact's own.")
    made_at: int = Field(examples=[1760000000000])
    expires_at: int = Field(examples=[1760000030000])
    answer: str = Field(examples=[""], description="accept, skip, or none yet.")


# --- who may do it to whom -------------------------------------------------------------------------------------------


async def visible(found: Services, access: Access) -> Sequence[Mapping[str, Any]]:
    """The agents of the live view that a token may see. Raises Unavailable when no engine runs."""
    return await found.agents_seen(access, await found.live.view())


async def own(found: Services, access: Access, agent: str) -> str:
    """The agent whom a token acts for: whoever it names, or itself alone. Raises Forbidden."""
    if access.may(Permission.AGENTS):
        return agent
    rows: Sequence[Mapping[str, Any]] = ()
    with contextlib.suppress(Unavailable):
        rows = (await found.live.view())["agents"]
    named = (row for row in rows if is_agent(agent, row["agent"], row["name"]))
    itself = is_agent(access.agent, agent) or is_agent(agent, access.agent)
    if itself or any(is_agent(access.agent, row["agent"], row["name"]) for row in named):
        return access.agent
    raise Forbidden(f"a token with the role {access.role} acts for its own telephone alone, {access.agent or 'none'}")


async def target(found: Services, access: Access, agent: str, campaign: str | None = None) -> dict[str, str]:
    """What the engine is told of the agent. A tenant's is one of its own queues, and named with its Asterisk; for a
    call that of the campaign. Raises Forbidden and NotFound."""
    meant = await own(found, access, agent)
    if not access.tenant:
        return {"agent": meant}
    seen = await sight(found.store, await found.campaigns(access))
    for row in (await found.live.view())["agents"]:
        is_there = campaign is None or row["server"] == seen.campaigns[campaign]
        if is_there and seen.has(row) and is_agent(meant, row["agent"], row["name"]):
            return {"agent": row["agent"], "server": row["server"]}
    raise NotFound("agent", agent)


# --- who is there ----------------------------------------------------------------------------------------------------


@router.get("/agents")
async def list_agents(
    found: Found,
    access: Reader,
    queue: Annotated[str | None, Query(max_length=80, description="Only of this queue.")] = None,
    server: Annotated[str | None, Query(max_length=80, description="Only on this Asterisk.")] = None,
) -> Page[AgentRow]:
    """Every agent of every queue: its status code 0 to 9, pause, rest, skills and buckets."""
    rows = [
        row for row in await visible(found, access) if queue in (None, row["queue"]) and server in (None, row["server"])
    ]
    return Page[AgentRow](items=_shown(rows, await found.store.agents()))


@router.get("/agents/{agent:path}")
async def show_agent(found: Found, access: LookerOrCaller, agent: Agent) -> Page[AgentRow]:
    """One agent, in each of its queues. A token of the role agent may look at its own."""
    meant = agent if access.may(Permission.READ) else await own(found, access, agent)
    rows = [row for row in await visible(found, access) if is_agent(meant, row["agent"], row["name"])]
    if not rows:
        raise NotFound("agent", agent, "it has to be a member of a queue: extension, interface or name")
    return Page[AgentRow](items=_shown(rows, await found.store.agents()))


def _shown(rows: Sequence[Mapping[str, Any]], known: Sequence[AgentProfile]) -> list[AgentRow]:
    def profile(row: Mapping[str, Any]) -> AgentProfile:
        return next((one for one in known if is_agent(one.agent, row["agent"], row["name"])), AgentProfile(agent=""))

    return [AgentRow(**{**row, "skills": profile(row).skills, "buckets": profile(row).buckets}) for row in rows]


# --- in an agent's name ----------------------------------------------------------------------------------------------


@router.post("/agents/{agent:path}/call", status_code=201)
async def call_by_hand(found: Found, access: Caller, agent: Agent, call: CallByHand) -> CalledByHand:
    """Ring an agent, and then a number: a call by hand, at once, under the rules of a campaign."""
    await own(found, access, agent)
    if call.promised:
        access.require(Permission.AGENTS)
    if call.context:
        access.require(Permission.SETUP)
    campaign = await found.campaign(access, call.campaign)
    number = found.read_number(call.number, "U")
    body = {
        "agent": (await target(found, access, agent, campaign.name))["agent"],
        "number": number.number,
        "zones": number.zones,
        "campaign": campaign.name,
        "data": call.data,
        "context": call.context,
        "any_hour": call.promised,
    }
    return CalledByHand(**await orders.ask(found.store, found.clock, "agent_call", body))


@router.post("/agents/{agent:path}/hangup")
async def hang_up_agent(found: Found, access: Caller, agent: Agent) -> HungUp:
    """Hang up whatever call the agent's telephone has."""
    body = await target(found, access, agent)
    return HungUp(**await orders.ask(found.store, found.clock, "agent_hangup", body))


@router.post("/agents/{agent:path}/pause")
async def pause_agent(found: Found, access: Caller, agent: Agent, pause: Pause | None = None) -> PausedAgents:
    """Pause an agent in all of its queues."""
    body = {**await target(found, access, agent), "paused": True, "reason": pause.reason if pause else ""}
    return PausedAgents(**await orders.ask(found.store, found.clock, "agent_pause", body))


@router.post("/agents/{agent:path}/unpause")
async def unpause_agent(found: Found, access: Caller, agent: Agent) -> PausedAgents:
    """End an agent's pause in all of its queues."""
    body = {**await target(found, access, agent), "paused": False, "reason": ""}
    return PausedAgents(**await orders.ask(found.store, found.clock, "agent_pause", body))


# --- preview ---------------------------------------------------------------------------------------------------------


@router.get("/offers")
async def list_offers(found: Found, access: LookerOrCaller) -> Page[OfferRow]:
    """Calls that agents of preview campaigns are asked about now. A token of the role agent sees its own."""
    names = {campaign.id: campaign.name for campaign in await found.campaigns(access)}
    listed = [
        offer
        for offer in await found.store.offers()
        if offer.campaign_id in names and (access.may(Permission.READ) or is_agent(access.agent, offer.agent))
    ]
    return Page[OfferRow](items=[await _offer(found, offer, names) for offer in listed])


@router.post("/agents/{agent:path}/accept")
async def accept_offer(found: Found, access: Caller, agent: Agent) -> OfferRow:
    """Have the call placed that the agent is asked about."""
    return await _answer(found, access, agent, offers.ACCEPT)


@router.post("/agents/{agent:path}/skip")
async def skip_offer(found: Found, access: Caller, agent: Agent) -> OfferRow:
    """Leave the contact that the agent is asked about for later."""
    return await _answer(found, access, agent, offers.SKIP)


async def _answer(found: Services, access: Access, agent: str, word: str) -> OfferRow:
    meant = await own(found, access, agent)
    names = {campaign.id: campaign.name for campaign in await found.campaigns(access)}
    offer = await offers.answer(found.store, found.clock, meant, word, campaigns=names)
    return await _offer(found, dataclasses.replace(offer, answer=word), names)


async def _offer(found: Services, offer: Offer, names: Mapping[int, str]) -> OfferRow:
    contact = await found.store.load_contact(offer.contact_id)
    facts = {"campaign": names[offer.campaign_id], "params": dict(contact.params)}
    return OfferRow(**dataclasses.asdict(offer) | facts)


# --- what is said about agents ---------------------------------------------------------------------------------------


@router.get("/agent-profiles")
async def list_profiles(found: Found, _access: Administrator) -> Page[Profile]:
    """What is said about agents. Null is as the campaign says."""
    return Page[Profile](items=[_profile(one) for one in await found.store.agents()])


@router.get("/agent-profiles/{agent:path}")
async def show_profile(found: Found, _access: Administrator, agent: Agent) -> Profile:
    """What is said about one agent."""
    return _profile(await profiles.find(found.store, agent))


@router.put("/agent-profiles/{agent:path}")
async def put_profile(found: Found, _access: Administrator, agent: Agent, body: ProfileBody) -> Profile:
    """Say this, and nothing else, about an agent; a running engine takes it up within a second."""
    values = body.model_dump() | {"skills": tuple(body.skills), "buckets": tuple(body.buckets)}
    return _profile(await profiles.put(found.store, AgentProfile(agent=agent, **values)))


@router.delete("/agent-profiles/{agent:path}", status_code=204)
async def forget_profile(found: Found, _access: Administrator, agent: Agent) -> None:
    """Take back whatever was said about an agent. In its queues it stays."""
    await found.store.remove_agent(agent)


def _profile(one: AgentProfile) -> Profile:
    return Profile(**dataclasses.asdict(one))
