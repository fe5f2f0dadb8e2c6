"""What others ask the running engine to do at once: they write an order into the store, the engine carries it out.

An order that no engine took in time is never carried out: a call that somebody asked for must not ring hours later.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from astdialer.domain.agent import OUR_PAUSE, QueueMember
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewContact, NewNumber, Rank
from astdialer.domain.errors import AstdialerError, Conflict, InvalidSetting, NoAnswer, NotFound, Unavailable
from astdialer.domain.events import Canceled, Refused
from astdialer.domain.selection import Judgement
from astdialer.engine.calls import Call
from astdialer.engine.context import Context
from astdialer.engine.desk import Desk
from astdialer.engine.explain import is_stale
from astdialer.engine.words import local_words
from astdialer.ports import Claim, ClaimRequest, Clock, NewTask, Order, Store

if TYPE_CHECKING:  # it brings arrays, and commands only give orders
    from astdialer.engine.dialer import Dialer

logger = logging.getLogger(__name__)

#: How long an order may wait for an engine, seconds.
ORDER_S = 15.0
#: Pause between two looks for the answer.
LOOK_S = 0.1
#: An engine that shows no sign of life is given this long to take an order.
GRACE_S = 1.0
TAKEN = "the engine has taken the order and does not say what came of it: look whether it was done before you repeat it"
NO_ENGINE = "the engine does not answer: is it running? (astdialer serve, or systemctl start astdialer)"

#: Why the number of a call by hand is not dialed at all, by the reason that its contact gets.
_ENDED = {"blacklisted": "it is blacklisted", "no route": "no route leads to it"}
#: End reason of a contact that was made for one call by hand.
BY_HAND = "called by hand"
_CONTEXT = re.compile(r"[\w.-]{1,79}")


async def ask(
    store: Store, clock: Clock, kind: str, body: Mapping[str, Any], *, timeout_s: float = ORDER_S
) -> Mapping[str, Any]:
    """Give the engine an order and wait for what comes of it.

    Raises Unavailable when no engine takes it in time, NoAnswer when one has taken it and does not say what came of it,
    and Conflict with the engine's words when it can't be done.
    """
    now = clock.now()
    expires_at = now + int(timeout_s * 1000)
    order = Order(id=str(uuid.uuid4()), kind=kind, body=body, created_at=now, expires_at=expires_at)
    await store.give_order(order)
    while clock.now() < expires_at + 1000:
        answer = await store.order(order.id)
        if answer.state == "done":
            return dict(json.loads(answer.result or "{}"))
        if answer.state == "failed":
            raise Conflict(answer.result)
        if answer.state == "new" and clock.now() - now >= GRACE_S * 1000 and await _is_away(store, clock):
            await store.order_done(order.id, result=NO_ENGINE, failed=True)
            break
        await clock.sleep(LOOK_S)
    if (await store.order(order.id)).state == "taken":
        raise NoAnswer(TAKEN)
    raise Unavailable(NO_ENGINE)


async def _is_away(store: Store, clock: Clock) -> bool:
    return is_stale(await store.live_view(), clock.now())


class OrderDesk:
    """Carries orders out."""

    def __init__(self, context: Context, desk: Desk, dialer: Dialer) -> None:
        self._context, self._desk, self._dialer = context, desk, dialer
        self._store, self._clock, self._calls = context.store, context.clock, context.calls
        self._agents, self._telephony, self._directory = context.agents, context.telephony, context.directory
        self._kinds: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]] = {
            "agent_call": self._agent_call,
            "agent_hangup": self._agent_hangup,
            "agent_pause": self._agent_pause,
            "hangup_call": self._hangup_call,
            "tag_contact": self._tag_contact,
        }

    async def run(self) -> None:
        """Until canceled."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for order in await self._store.take_orders(self._clock.now()):
                        tasks.create_task(self._carry_out(order))
            except Unavailable as error:
                logger.error("orders.store_failed", extra={"error": str(error)})
            await self._clock.sleep(LOOK_S)

    async def _carry_out(self, order: Order) -> None:
        result, failed = await self._result(order)
        try:
            await self._store.order_done(order.id, result=result, failed=failed)
        except Unavailable as error:  # who asked will hear nothing; that must not end the engine
            logger.error("order.answer_lost", extra={"kind": order.kind, "error": str(error)})

    async def _result(self, order: Order) -> tuple[str, bool]:
        """What came of it, and whether that is a failure."""
        try:
            if order.kind not in self._kinds:
                raise Conflict(f"this engine knows no order {order.kind!r}: is it of another version than the command?")
            return json.dumps(dict(await self._kinds[order.kind](order.body))), False
        except AstdialerError as error:
            return str(error), True
        except Exception as error:  # whatever is wrong with one order must not end the engine
            logger.exception("order.failed", extra={"kind": order.kind})
            return f"a fault of astdialer: {error!r}", True

    # --- agents ------------------------------------------------------------------------------------------------------

    async def _agent_call(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ring the agent, then the number: the two steps of a call by hand."""
        campaign = await self._store.campaign(str(body["campaign"]))
        self._directory.require(campaign)
        member = self._member(campaign, str(body["agent"]))
        if not self._desk.callable_by_hand(member):
            raise Conflict(_busy(member))
        context = await self._way(member.server, body)
        request = self._dialer.request(campaign, 1, "asked for by an agent", agent=member.interface)
        with self._desk.promised(member.server, member.interface):
            claim = await self._claim(campaign, self._task(campaign, body, request.now), request)
            (call,) = self._calls.add([claim])
            call.via_context, call.auto_answer = context, bool(body.get("auto_answer"))
            self._ring(call, member)
        return {"guid": claim.attempt.id, "contact_id": claim.contact.id}

    async def _claim(self, campaign: Campaign, task: NewTask, request: ClaimRequest) -> Claim:
        """The task, taken at once or never. Raises Conflict with the rule that forbids it."""
        claim = await self._store.claim_task(task, request, BY_HAND)
        if isinstance(claim, Judgement):
            raise Conflict(self._why_not(campaign, task.contact.numbers[0].number, claim))
        return claim

    def _ring(self, call: Call, member: QueueMember) -> None:
        """Raises Conflict when the agent, or the trunk, is gone since the call was claimed; then nobody is called."""
        if self._desk.is_still_callable_by_hand(member):
            self._dialer.ring_agent_first(call, preview=False)
        else:
            self._dialer.give_back(call, _busy(member))
        if call.is_gone:
            raise Conflict(call.attempt.refusal)

    def _task(self, campaign: Campaign, body: Mapping[str, Any], now: int) -> NewTask:
        number = str(body["number"])
        contact = NewContact(
            numbers=(
                NewNumber(number=number, as_uploaded=number.lstrip("+"), type="U", zones=str(body.get("zones", ""))),
            ),
            params={str(key): str(value) for key, value in dict(body.get("data") or {}).items()},
            priority=1,
            agentphone=str(body["agent"]),
            line=0,
            rank=Rank.TASK,
            any_hour=bool(body.get("any_hour")),
            not_before=now,
        )
        return NewTask(campaign_id=campaign.id, contact=contact, zone="")

    async def _way(self, server: str, body: Mapping[str, Any]) -> str:
        """The dialplan context in place of the trunk, if any. One that is only ``usual`` with whoever asks is taken if
        it leads to the number, and passed over if not."""
        context = self._checked_context(str(body.get("context") or ""))
        usual = str(body.get("usual_context") or "")
        if context or not usual:
            return context
        leads = await self._telephony.leads(server, usual, str(body["number"]).lstrip("+"))
        return usual if leads else ""

    def _checked_context(self, context: str) -> str:
        if context and not _CONTEXT.fullmatch(context):
            raise InvalidSetting("context", context, "the name of a dialplan context")
        return context

    def _why_not(self, campaign: Campaign, number: str, judgement: Judgement) -> str:
        at, ended = judgement.contact.next_at, judgement.contact.numbers[0].end_reason
        if ended:
            return f"{number} can't be called: {_ENDED.get(ended, ended)}"
        until = f" until {local_words(at, self._directory.zone_of(campaign))}" if at else ""
        return f"{number} can't be called now: it waits for {judgement.why.value}{until}"

    def _member(self, campaign: Campaign, agent: str) -> QueueMember:
        server = self._directory.server_of(campaign)
        member = self._agents.member(server, agent)
        if member is None:
            raise NotFound("agent", agent, "it has to be a member of a queue: extension, interface or name")
        return member

    async def _agent_hangup(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Hang up whatever call the agent's telephone has."""
        agent, ended = str(body["agent"]), 0
        for server in self._servers(body):
            member = self._agents.member(server, agent)
            interface = member.interface if member else agent
            if "/" in interface:
                ended += await self._telephony.hang_up_phone(server, interface)
        return {"hung_up": ended}

    async def _agent_pause(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        agent, reason, paused = str(body["agent"]), str(body.get("reason") or ""), bool(body["paused"])
        if reason.startswith(OUR_PAUSE):
            raise InvalidSetting("reason", reason, f"a reason that does not begin with {OUR_PAUSE!r}")
        members = [m for server in self._servers(body) if (m := self._agents.member(server, agent))]
        if not members:
            raise NotFound("agent", agent, "see astdialer agent list")
        for member in members:
            await self._telephony.pause_member(member.server, member.interface, paused=paused, reason=reason)
        return {"agents": [member.interface for member in members]}

    def _servers(self, body: Mapping[str, Any]) -> list[str]:
        """Where the order holds: everywhere, unless it names an Asterisk."""
        return [server for server in self._telephony.servers if body.get("server") in (None, server)]

    async def _hangup_call(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Hang up the live call of a contact."""
        calls: list[Call] = [call for call in self._calls if call.contact.id == int(body["contact_id"])]
        for call in calls:
            if call.attempt.dialed_at:
                await self._dialer.hang_up(call)
            else:
                self._withdraw(call)
        return {"hung_up": len(calls)}

    def _withdraw(self, call: Call) -> None:
        """Its agent is still asked, or it waits for its trunk's pace: nobody is dialed any more."""
        at = self._clock.now()
        self._calls.handle(Canceled(attempt_id=call.attempt.id, at=at))
        self._calls.handle(Refused(attempt_id=call.attempt.id, at=at, message="hung up by order"))

    async def _tag_contact(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tag a contact whose call is live: what the call knows of it is what will be written."""
        contact_id, tag = int(body["contact_id"]), str(body["tag"])
        for call in self._calls:
            if call.contact.id == contact_id:
                call.contact = replace(call.contact, tag=tag)
                return {}
        await self._store.change_contact(contact_id, lambda contact: replace(contact, tag=tag), self._clock.now())
        return {}


def _busy(member: QueueMember) -> str:
    return f"agent {member.interface} is on a call, or its telephone rings or is out of reach"
