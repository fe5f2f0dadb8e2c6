"""Webitel's engine, asked as its clients ask it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from http_hands import Hands

from astdialer.domain.access import Role
from astdialer.domain.attempt import State
from astdialer.domain.calendar import CallingWindow, Schedule
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import Contact, Number
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import DialingRules, Judgement, Why, judge
from astdialer.domain.trunk import Trunk
from astdialer.engine.rulebook import redial_rules
from astdialer.ports import Claim, ClaimRequest, Closing

REQUESTS = {
    each["id"]: each for each in json.loads((Path(__file__).parents[2] / "requests.json").read_text(encoding="utf-8"))
}
#: The campaign, and the member, of the source.
DIALER, MEMBER = REQUESTS["W3-01"]["body"], REQUESTS["W3-06"]["body"]
UNKNOWN = "5947d253877320000ca427a7"
ALWAYS = {
    "name": "always",
    "timeZone": {"id": "UTC"},
    "accept": [{"weekDay": day, "startTime": 0, "endTime": 1440} for day in range(1, 8)],
}
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def dialer(**changes: Any) -> dict[str, Any]:
    """The source's campaign with other keys at its top."""
    found: dict[str, Any] = copy.deepcopy(DIALER)
    return found | changes


def person(*numbers: str, **more: Any) -> dict[str, Any]:
    return {"name": "Ana", "communications": [{"number": each} for each in numbers]} | more


class Webitel:
    """A client of Webitel's engine."""

    def __init__(self, hands: Hands, role: Role = Role.INTEGRATION, tenant: str = "") -> None:
        self.hands, self.role, self.tenant = hands, role, tenant
        self.store, self.clock = hands.store, hands.clock

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {"x-access-token": await self.hands.token(self.role, self.tenant)} | dict(more.pop("headers", {}))
        if body is not None:
            more["json"] = body
        return await self.hands.client.request(method, path, headers=headers, **more)

    async def data(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "OK"
        return answer.json().get("data", answer.json().get("info"))

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """The status and the words of an error."""
        answer = await self.ask(method, path, body)
        found = answer.json()
        assert found["status"] == "error", found
        return answer.status_code, found["info"]

    async def trunk(self, name: str = "testDialer") -> None:
        await self.store.save_trunk(Trunk(name=name, dial=f"PJSIP/{{number}}@{name}"))

    async def calendar(self, **changes: Any) -> str:
        (made,) = (await self.data("POST", "/api/v2/calendars", ALWAYS | changes))["insertedIds"]
        return str(made)

    async def dialer(self, **changes: Any) -> str:
        """The id of a dialer that can be started."""
        await self.trunk()
        calendar = {"id": await self.calendar(), "name": "always"}
        known = {"calendar": calendar, "queue": "sales", "communications": {}} | changes
        (made,) = (await self.data("POST", "/api/v2/dialer", dialer(**known)))["insertedIds"]
        return f"/api/v2/dialer/{made}"

    async def member(self, of: str, *numbers: str, **more: Any) -> str:
        (made,) = (await self.data("POST", f"{of}/members", person(*numbers, **more)))["insertedIds"]
        return f"{of}/members/{made}"

    async def contact(self, member: str) -> Contact:
        return await self.store.load_contact(int(member.rpartition("/")[2][8:], 16))

    async def call(self, member: str, disposition: Disposition | None, **facts: Any) -> Claim:
        """The member's contact is called, and that comes to this; None: the call goes on."""
        contact = await self.contact(member)
        campaign = next(one for one in await self.store.campaigns() if one.id == contact.campaign_id)
        whenever = CallingWindow(start_minute=0, end_minute=1440, weekdays=frozenset(range(7)))
        rules = DialingRules(schedule=Schedule(whenever), default_zone="UTC")

        def judged(found: Contact, facts: Mapping[str, Any]) -> Judgement:
            if found.id != contact.id:
                return Judgement(contact=found, why=Why.TRUNKS_FULL, stay=True)
            return judge(found, rules, facts, by_carrier, self.clock.now())

        request = ClaimRequest(
            campaign_id=campaign.id,
            campaign=campaign.name,
            server="default",
            limit=1,
            is_open=lambda _: True,
            judge=judged,
            attempt_ids=[f"guid-{contact.id}-{contact.tries}-{self.clock.now()}"],
            reason="a free agent",
            now=self.clock.now(),
        )
        (claim,) = await self.store.claim(request)
        assert claim.contact.id == contact.id
        if disposition is None:
            return claim
        at = self.clock.now()
        known = {"state": State.GONE, "dialed_at": at, "gone_at": at + 20_000} | facts
        attempt = replace(claim.attempt, **known)
        calendars = {one.name: one for one in await self.store.calendars()}
        left = redial_rules(campaign.settings, calendars.get(campaign.settings.calendar), "UTC")
        context = CdrContext(campaign=campaign.name, base=claim.base, caller_id="100", queue="sales")
        closing = Closing(
            attempt=attempt,
            disposition=disposition,
            contact=after_attempt(claim.contact, attempt, disposition, left, at),
            cdr=cdr_of(attempt, disposition, context, at),
            recording=None,
            now=at,
            day="2025-10-09",
        )
        await self.store.close([closing])
        return claim

    async def talk(self, member: str) -> Claim:
        """The member talks with an agent for 15 seconds."""
        at = self.clock.now()
        facts = {"answered_at": at + 3000, "connected_at": at + 5000, "agent": "PJSIP/100"}
        return await self.call(member, Disposition.ANSWERED, **facts)


def by_carrier(_number: Number) -> Way:
    return Way("", "testDialer", "")
