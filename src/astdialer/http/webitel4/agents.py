"""Agents: members of the Asterisk queues of the token's campaigns, as the engine sees them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query

from astdialer.domain.access import Access, Forbidden, Permission
from astdialer.domain.agent import OUR_PAUSE, AgentProfile, AgentStatus, is_agent
from astdialer.domain.errors import InvalidSetting, NotFound, Unavailable
from astdialer.engine import orders
from astdialer.http.services import Services
from astdialer.http.webitel4.ids import agent_number, extension
from astdialer.http.webitel4.routes import SmallRoute
from astdialer.http.webitel4.shapes import Body, Found, Ids, Line, Pages, PathId, Reader, Search, Word, Worker

router = APIRouter(prefix="/call_center/agents", tags=["webitel v4"], route_class=SmallRoute)

ONLINE, OFFLINE, PAUSE = "online", "offline", "pause"
#: What an agent's line does, by its status 0 to 9.
CHANNELS: Mapping[AgentStatus, str] = {
    AgentStatus.NOT_INUSE: "waiting",
    AgentStatus.RINGING: "offering",
    AgentStatus.INUSE: "bridged",
    AgentStatus.BUSY: "bridged",
    AgentStatus.RINGINUSE: "bridged",
    AgentStatus.ONHOLD: "hold",
    AgentStatus.WRAPUP: "wrap_time",
}
_ABSENT = (AgentStatus.INVALID, AgentStatus.UNAVAILABLE)


class StatusBody(Body):
    """Whether the agent takes calls. ``payload`` is why it pauses."""

    status: Word = ""
    payload: Line = ""
    status_comment: Line = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, in all of its queues on one Asterisk; ``rows`` are those of the live view."""

    server: str
    interface: str
    rows: Sequence[Mapping[str, Any]]
    profile: AgentProfile | None

    @property
    def id(self) -> int:
        """Webitel's."""
        return agent_number(self.interface)

    @property
    def queues(self) -> list[str]:
        """Asterisk's."""
        return [row["queue"] for row in self.rows]

    @property
    def calls_itself(self) -> tuple[str, ...]:
        """Its id, extension, interface and name."""
        return str(self.id), extension(self.interface), self.interface, self.rows[0]["name"]

    def shown(self) -> dict[str, Any]:
        """As Webitel shows it."""
        row, profile = self.rows[0], self.profile
        name = (profile.name if profile else "") or row["name"] or extension(self.interface)
        state = CHANNELS.get(AgentStatus(row["code"]), OFFLINE)
        skills = profile.skills if profile else ()
        return {
            "id": str(self.id),
            "user": {"id": str(self.id), "name": name},
            "name": name,
            "extension": extension(self.interface),
            "status": self.status,
            "channel": [{"channel": "call", "state": state, "joined_at": str(row["last_call_at"] or 0)}],
            "skills": [{"id": skill, "name": skill} for skill in skills],
            "buckets": list(profile.buckets) if profile else [],
            "queues": self.queues,
        }

    @property
    def status(self) -> str:
        """online, offline or pause. A pause that the dialer itself asked for is none."""
        row = self.rows[0]
        if AgentStatus(row["code"]) in _ABSENT:
            return OFFLINE
        if not row["paused"] or row["pause_reason"].startswith(OUR_PAUSE):
            return ONLINE
        return OFFLINE if row["pause_reason"] == OFFLINE else PAUSE


def require_own(access: Access, agent: str) -> None:
    """Raises Forbidden when the token is an agent's, and the agent (an interface) another one."""
    if not access.may(Permission.AGENTS) and not is_agent(access.agent, agent):
        raise Forbidden(f"a token of agent {access.agent} may not do that for another one")


async def agents_of(found: Services, access: Access) -> list[Agent]:
    """The agents of the queues of the token's campaigns; all, for a token of no tenant. Raises Unavailable."""
    rows = await found.agents_seen(access, await found.live.view())
    profiles = await found.store.agents()
    by_phone: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_phone.setdefault((row["server"], row["agent"]), []).append(row)
    return [Agent(*phone, of_agent, _profile(profiles, of_agent[0])) for phone, of_agent in by_phone.items()]


def _profile(profiles: Sequence[AgentProfile], row: Mapping[str, Any]) -> AgentProfile | None:
    return next((each for each in profiles if is_agent(each.agent, row["agent"], row["name"])), None)


async def meant_by(found: Services, access: Access, text: str) -> list[Agent]:
    """The agent, on each Asterisk where it is. Raises NotFound, and Unavailable when no engine runs."""
    agents = [agent for agent in await agents_of(found, access) if text in agent.calls_itself]
    if not agents:
        raise NotFound("agent", text, "an id of GET /call_center/agents, or an extension: it has to be in a queue")
    return [agent for agent in agents if agent.interface == agents[0].interface]


async def extensions(found: Services, access: Access, ids: Sequence[str]) -> Mapping[str, str]:
    """The extension of each id. One that nobody has, or that can't be looked up now, is taken for the extension."""
    try:
        known = await agents_of(found, access) if ids else []
    except Unavailable:
        known = []
    meant = {name: agent.interface for agent in reversed(known) for name in agent.calls_itself}
    return {each: extension(meant.get(each, each)) for each in ids}


@router.get("")
async def list_agents(
    found: Found,
    access: Reader,
    pages: Pages,
    *,
    ids: Ids = None,
    wanted: Annotated[list[str] | None, Query(alias="extension")] = None,
    q: Search = "",
) -> dict[str, Any]:
    """All agents."""
    shown = [agent.shown() for agent in await agents_of(found, access)]
    chosen = [
        row
        for row in shown
        if (not ids or row["id"] in ids)
        and (not wanted or row["extension"] in wanted)
        and q.strip("*").lower() in row["name"].lower()
    ]
    return pages.of(chosen)


@router.get("/{agent_id}")
async def show_agent(found: Found, access: Reader, agent_id: PathId) -> dict[str, Any]:
    """One agent, by its id or extension."""
    return (await meant_by(found, access, agent_id))[0].shown()


@router.patch("/{agent_id}/status")
async def set_status(found: Found, access: Worker, agent_id: PathId, body: StatusBody) -> dict[str, str]:
    """Let the agent pause, or take calls again. Offline is a pause with that reason: it stays in its queues."""
    if body.status not in (ONLINE, OFFLINE, PAUSE):
        raise InvalidSetting("status", body.status, f"{ONLINE}, {OFFLINE} or {PAUSE}")
    agents = await meant_by(found, access, agent_id)
    require_own(access, agents[0].interface)
    reason = {ONLINE: "", OFFLINE: OFFLINE}.get(body.status, body.payload[:80] or PAUSE)
    if reason.startswith(OUR_PAUSE):
        raise InvalidSetting("payload", reason, f"a reason that does not begin with {OUR_PAUSE!r}")
    for agent in agents:
        order = {
            "agent": agent.interface,
            "server": agent.server,
            "paused": body.status != ONLINE,
            "reason": reason,
        }
        await orders.ask(found.store, found.clock, "agent_pause", order)
    return {"status": "OK"}
