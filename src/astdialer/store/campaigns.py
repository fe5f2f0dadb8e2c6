"""Campaigns, and what an administrator sets up for them: trunks, routes, calendars, caller ids, agents."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain import route as routing
from astdialer.domain.agent import AgentProfile
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import Conflict, NotFound
from astdialer.domain.names import parse_names
from astdialer.domain.route import Destination, Route
from astdialer.domain.settings import Settings
from astdialer.domain.trunk import Trunk
from astdialer.ports import CampaignEvent
from astdialer.store.database import Database, Writing
from astdialer.store.rows import campaign_of, settings_json, trunk_of

_TAKEN = "there is a campaign {name!r} already"
_REMOVED = "there was a campaign {name!r}, which was removed: its CDRs bear the name; choose another"


class Campaigns:
    """Implements ports.CampaignStore."""

    _db: Database

    async def campaigns(self) -> Sequence[Campaign]:
        """All, by name."""
        return [campaign_of(row) for row in await self._db.read("campaigns")]

    async def campaign(self, name: str) -> Campaign:
        """The campaign of that name; raises NotFound."""
        rows = await self._db.read("campaign", {"name": name})
        if not rows:
            raise NotFound("campaign", name, "see astdialer campaign list")
        return campaign_of(rows[0])

    async def campaign_by_id(self, campaign_id: int) -> Campaign:
        """The campaign of that id; raises NotFound."""
        rows = await self._db.read("campaign_by_id", {"id": campaign_id})
        if not rows:
            raise NotFound("campaign", campaign_id)
        return campaign_of(rows[0])

    async def create_campaign(
        self, name: str, settings: Settings, now: int, tenant: str = "", event: CampaignEvent | None = None
    ) -> Campaign:
        """A new campaign, idle; raises Conflict if the name is taken."""
        await self._db.write(lambda tx: insert_campaign(tx, name, settings, now=now, tenant=tenant, event=event))
        return await self.campaign(name)

    async def save_settings(self, campaign_id: int, settings: Settings, event: CampaignEvent | None = None) -> None:
        """Replace the settings; the engine takes them up within a second."""
        await self._change("save_settings", {"id": campaign_id, "settings": settings_json(settings)}, event)

    async def set_state(
        self,
        campaign_id: int,
        state: CampaignState,
        *,
        hang_up: bool = False,
        explanation: str = "",
        now: int,
        event: CampaignEvent | None = None,
    ) -> None:
        """Move a campaign to a state."""
        row = {"id": campaign_id, "state": state, "hang_up": hang_up, "explanation": explanation, "now": now}
        await self._change("set_state", row, event)

    async def finish_campaign(self, campaign_id: int, event: CampaignEvent) -> bool:
        """Finish a running campaign in which every contact is done; False if that is not so."""
        row = {"id": campaign_id, "explanation": event.detail, "now": event.at}

        async def finish(tx: Writing) -> bool:
            finished = bool(await tx.execute("finish_campaign", row))
            await _remember(tx, campaign_id, event if finished else None)
            return finished

        return bool(await self._db.write(finish))

    async def _change(self, query: str, row: Mapping[str, Any], event: CampaignEvent | None) -> None:
        async def change(tx: Writing) -> None:
            await tx.execute(query, row)
            await _remember(tx, row["id"], event)

        await self._db.write(change)

    async def trunks(self) -> Sequence[Trunk]:
        """All, by name."""
        return [trunk_of(row) for row in await self._db.read("trunks")]

    async def save_trunk(self, trunk: Trunk) -> None:
        """Make or replace a trunk."""
        row = dataclasses.asdict(trunk)
        await self._db.write(lambda tx: tx.execute("save_trunk", row))

    async def remove_trunk(self, name: str) -> None:
        """Forget a trunk; raises NotFound, and Conflict while a campaign or a route names it."""
        await self._remove("trunk", name, setting="trunk")

    async def routes(self) -> Sequence[Route]:
        """All, by name."""
        return [_route(json.loads(row["body"])) for row in await self._db.read("routes")]

    async def save_route(self, route: Route) -> None:
        """Make or replace a route."""
        await self._save("save_route", route.name, routing.to_dict(route))

    async def remove_route(self, name: str) -> None:
        """Forget a route; raises NotFound, and Conflict while a campaign names it."""
        await self._remove("route", name, setting="routes")

    async def calendars(self) -> Sequence[WorkingCalendar]:
        """All, by name."""
        return [WorkingCalendar.from_dict(json.loads(row["body"])) for row in await self._db.read("calendars")]

    async def add_calendar(self, calendar: WorkingCalendar) -> None:
        """A new calendar; raises Conflict if the name is taken."""
        if not await self._save("add_calendar", calendar.name, calendar.to_dict()):
            raise Conflict(f"there is a calendar {calendar.name!r} already: astdialer calendar set {calendar.name}")

    async def save_calendar(self, calendar: WorkingCalendar) -> None:
        """Make or replace a calendar."""
        await self._save("save_calendar", calendar.name, calendar.to_dict())

    async def remove_calendar(self, name: str) -> None:
        """Forget a calendar; raises NotFound, and Conflict while a campaign names it."""
        await self._remove("calendar", name, setting="calendar")

    async def caller_id_pools(self) -> Mapping[str, Sequence[str]]:
        """The numbers of each pool, in the order of their turns."""
        return {row["name"]: json.loads(row["numbers"]) for row in await self._db.read("caller_id_pools")}

    async def save_caller_id_pool(self, name: str, numbers: Sequence[str]) -> None:
        """Make or replace a pool."""
        row = {"name": name, "numbers": json.dumps(list(numbers), ensure_ascii=False)}
        await self._db.write(lambda tx: tx.execute("save_caller_id_pool", row))

    async def remove_caller_id_pool(self, name: str) -> None:
        """Forget a pool; raises NotFound."""
        await self._remove("caller_id_pool", name)

    async def agents(self) -> Sequence[AgentProfile]:
        """All, by extension or interface."""
        return [_agent(json.loads(row["body"])) for row in await self._db.read("agents")]

    async def save_agent(self, profile: AgentProfile) -> None:
        """Make or replace what is said about an agent."""
        await self._save("save_agent", profile.agent, dataclasses.asdict(profile))

    async def remove_agent(self, agent: str) -> None:
        """Forget what was said about an agent; raises NotFound."""
        await self._remove("agent", agent)

    async def _save(self, query: str, name: str, body: Mapping[str, Any]) -> int:
        """Rows that are written."""
        row = {"name": name, "body": json.dumps(body, ensure_ascii=False)}
        written: int = await self._db.write(lambda tx: tx.execute(query, row))
        return written

    async def _remove(self, what: str, name: str, *, setting: str = "") -> None:
        """Raises NotFound, and Conflict while the ``setting`` of a campaign names it, or a route that leads to it."""

        async def remove(tx: Writing) -> None:
            if not await tx.execute(f"remove_{what}", {"name": name}):
                words = what.replace("_", " ")
                raise NotFound(words, name, f"see astdialer {what.replace('_', '-')} list")
            uses = await _uses(tx, what, name, setting)
            if uses:
                raise Conflict(f"{what} {name!r} is {', and '.join(uses)}: change that first")

        await self._db.write(remove)

    async def add_event(self, campaign_id: int, event: CampaignEvent) -> None:
        """Remember what was done to a campaign."""
        await self._db.write(lambda tx: _remember(tx, campaign_id, event))

    async def history(self, campaign_id: int, limit: int) -> Sequence[CampaignEvent]:
        """What was done to the campaign, the newest first."""
        rows = await self._db.read("history", {"campaign_id": campaign_id, "limit": limit})
        return [CampaignEvent(**row) for row in rows]

    async def zero_statistics(self, campaign_id: int, day: str, event: CampaignEvent | None = None) -> None:
        """Forget the campaign's totals, not its days, and remember on which day that was done."""

        async def zero(tx: Writing) -> None:
            await tx.execute("forget_dispositions", {"campaign_id": campaign_id})
            await tx.execute("set_stats_day", {"campaign_id": campaign_id, "day": day})
            await _remember(tx, campaign_id, event)

        await self._db.write(zero)

    async def stats_day(self, campaign_id: int) -> str:
        """The local day on which the statistics were last zeroed, empty if never."""
        rows = await self._db.read("stats_day", {"campaign_id": campaign_id})
        return str(rows[0]["stats_day"]) if rows else ""


async def insert_campaign(
    tx: Writing, name: str, settings: Settings, *, now: int, tenant: str, event: CampaignEvent | None
) -> int:
    """A new campaign inside a transaction; its id. Raises Conflict if the name is taken."""
    row = {"name": name, "settings": settings_json(settings), "now": now, "tenant": tenant}
    try:
        campaign_id = await tx.insert("create_campaign", row)
    except sqlite3.IntegrityError:
        removed = await tx.fetch("removed_campaign_named", {"name": name})
        raise Conflict(_REMOVED.format(name=name) if removed else _TAKEN.format(name=name)) from None
    await _remember(tx, campaign_id, event)
    return campaign_id


async def _remember(tx: Writing, campaign_id: int, event: CampaignEvent | None) -> None:
    if event:
        await tx.execute("add_event", dataclasses.asdict(event) | {"campaign_id": campaign_id})


async def _uses(tx: Writing, what: str, name: str, setting: str) -> list[str]:
    """Where it is named, and the command that changes that."""
    campaigns = await _named_by(tx, setting, name) if setting else []
    routes = await _leading_to(tx, name) if what == "trunk" else []
    uses = (
        (campaigns, f"in the setting {setting} of {', '.join(campaigns)} (astdialer campaign set)"),
        (routes, f"a destination of route {', '.join(routes)} (astdialer route set)"),
    )
    return [words for users, words in uses if users]


async def _leading_to(tx: Writing, trunk: str) -> list[str]:
    """The routes that have the trunk among their destinations."""
    routes = [_route(json.loads(row["body"])) for row in await tx.fetch("routes")]
    return [route.name for route in routes if any(to.trunk == trunk for to in route.destinations)]


async def _named_by(tx: Writing, setting: str, name: str) -> list[str]:
    """The campaigns whose setting, a list of names, has this one."""
    rows = await tx.fetch("named_in_settings", {"setting": setting})
    return [row["name"] for row in rows if name in parse_names(setting, row["names"])]


def _route(values: Mapping[str, Any]) -> Route:
    """Not by from_dict: it tries each pattern on long numbers, and did when the route was made."""
    destinations = tuple(Destination(**each) for each in values["destinations"])
    return Route(**{**values, "destinations": destinations})


def _agent(values: Mapping[str, Any]) -> AgentProfile:
    lists = {key: tuple(values[key]) for key in ("skills", "buckets")}
    return AgentProfile(**{**values, **lists})
