"""Agents who are called before the contact: their phones' ends, the talk, the preview, the pause."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from test_ami import PBX, Watcher, call, linked, trunk

from astdialer import lab as laboratory
from astdialer.agi.scripts import routes
from astdialer.agi.server import AgiServer
from astdialer.ami.telephony import AmiTelephony
from astdialer.config import Agi
from astdialer.domain import events as ev
from astdialer.domain.agent import AgentStatus
from astdialer.domain.amd import Action, Verdict
from astdialer.domain.attempt import Attempt, apply
from astdialer.domain.disposition import Disposition
from astdialer.domain.outcome import OutcomeRules, classify
from astdialer.engine.answering import AnswerPlan, Conclusion
from astdialer.lab import Lab
from astdialer.ports import MemberSeen, Origination

pytestmark = pytest.mark.asterisk

PERSON, BUSY, SHORT = (f"447700900{behaviour}01" for behaviour in (0, 2, 8))
STAYS, IS_BUSY, DECLINES, RINGS_ON, PRESSES_1, PRESSES_2, UNREGISTERED, OFF = (
    f"PJSIP/agent{number}" for number in (90, 91, 92, 93, 94, 95, 96, 97)
)
NOBODY_LISTENS = "127.0.0.1:1"


@dataclass
class Engine:
    """An Answering that sends persons to the waiting agent, and decides previews by these answers to keys."""

    keys: Mapping[str, str] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    pressed: list[tuple[str, str]] = field(default_factory=list)
    concluded_with: dict[str, Conclusion] = field(default_factory=dict)
    address: str = NOBODY_LISTENS

    async def answered(self, attempt_id: str) -> AnswerPlan:
        return AnswerPlan(amd=None)

    async def amd_finished(self, attempt_id: str, verdict: Verdict, cause: str) -> None:
        raise AssertionError("no AMD was asked for")

    async def next_action(self, attempt_id: str) -> Action:
        return Action.AGENT

    async def preview_answer(self, attempt_id: str, key: str) -> str:
        self.pressed += [(attempt_id, key)] if key else []
        return "dial" if attempt_id in self.accepted else self.keys.get(key, "wait")

    async def redirected(self, attempt_id: str, to: str) -> None:
        return

    async def concluded(self, attempt_id: str, conclusion: Conclusion) -> None:
        self.concluded_with[attempt_id] = conclusion


@dataclass
class Side:
    """What both ends of the test's calls need."""

    telephony: AmiTelephony
    watcher: Watcher
    engine: Engine

    async def agent(self, interface: str, *, preview: str = "", timeout_s: float = 8, hold: str = "20") -> str:
        """Call an agent's phone, to preview that attempt if one is named; the leg's id."""
        context = "preview" if preview else "agent-leg"
        placed = leg(interface, self.engine.address, context=context, attempt=preview, timeout_s=timeout_s, hold=hold)
        await self.telephony.originate(placed)
        return placed.attempt_id

    async def agent_waits(self, interface: str) -> str:
        """An agent who has taken the phone and waits for a person."""
        found = await self.agent(interface)
        await self.until(found, ev.Answered)
        return found

    async def contact(self, number: str, leg_id: str, interface: str, *, record: str = "") -> str:
        """Call a contact for that agent; the attempt's id."""
        placed = call(
            trunk(number),
            fallback="agent",
            ASTDIALER_AGI=self.engine.address,
            ASTDIALER_LEG=leg_id,
            ASTDIALER_AGENT=interface,
            ASTDIALER_NAME="Ann Lee",
            ASTDIALER_RECORD=record,
            ASTDIALER_SAFE_HARBOUR=str(laboratory.sounds() / "beep"),
        )
        await self.telephony.originate(placed)
        return placed.attempt_id

    async def until(self, attempt_id: str, *kinds: type[ev.AttemptEvent]) -> None:
        """Read until these have been seen of that channel."""
        await self.watcher.until(lambda seen: set(kinds) <= {type(e) for e in seen if _is_of(e, attempt_id)})

    async def over(self, attempt_id: str, reserved_agent: str = "") -> Attempt:
        """The attempt at its end, with what the channel said in its hangup handler."""
        facts = await self.watcher.over(attempt_id)
        found = Attempt(**{n: getattr(facts, n) for n in _STATIC}, reserved_agent=reserved_agent)
        for event in self.watcher.seen:
            if isinstance(event, ev.AttemptEvent) and event.attempt_id == attempt_id:
                found = apply(found, event)
        if said := self.engine.concluded_with.get(attempt_id):
            action = said.action or Action.HANGUP
            found = apply(found, ev.ActionTaken(attempt_id=attempt_id, at=found.gone_at or 0, action=action))
            told = ev.Concluded(attempt_id=attempt_id, at=found.gone_at or 0, result=said.result, agent=said.agent)
            found = apply(found, told)
        return found


_STATIC = ("id", "campaign_id", "contact_id", "number_id", "number", "trunk", "server", "created_at")


def _is_of(event: object, attempt_id: str) -> bool:
    return isinstance(event, ev.AttemptEvent) and event.attempt_id == attempt_id


def leg(interface: str, agi: str, *, context: str, attempt: str, timeout_s: float = 8, hold: str = "20") -> Origination:
    """The call to an agent's phone."""
    return Origination(
        attempt_id=str(uuid.uuid4()),
        server=PBX,
        channel=interface,
        caller_id="Ann Lee <447700900001>",
        timeout_s=timeout_s,
        account="campaign",
        context=f"astdialer-{context}",
        variables={
            "ASTDIALER_ID": attempt,
            "ASTDIALER_AGI": agi,
            "ASTDIALER_CALLER_ID": "Shop <442079460000>",
            "ASTDIALER_HOLD": hold,
        },
    )


@asynccontextmanager
async def without_engine(lab: Lab) -> AsyncIterator[Side]:
    async with linked(lab) as (telephony, watcher):
        yield Side(telephony, watcher, Engine())


@asynccontextmanager
async def with_engine(lab: Lab, keys: Mapping[str, str] | None = None) -> AsyncIterator[Side]:
    engine = Engine(keys=keys or {})
    async with AgiServer(Agi(port=0), routes(engine)) as server, linked(lab) as (telephony, watcher):
        engine.address = f"127.0.0.1:{server.port}"
        yield Side(telephony, watcher, engine)


def disposition(attempt: Attempt) -> Disposition:
    return classify(attempt, OutcomeRules())


async def test_why_an_agents_phone_was_not_answered(quiet_lab: Lab) -> None:
    async with without_engine(quiet_lab) as side:
        busy, declined, unregistered = [await side.agent(each) for each in (IS_BUSY, DECLINES, UNREGISTERED)]
        silent, off = [await side.agent(each, timeout_s=1.5) for each in (RINGS_ON, OFF)]
        held = await side.agent(STAYS, hold="1")
        found = {each: await side.over(each) for each in (busy, declined, unregistered, silent, off, held)}
        said = {each: (a.originate_reason, a.cause, a.sip_code, bool(a.ringing_at)) for each, a in found.items()}
        assert said == {
            busy: (0, 17, 486, False),
            declined: (0, 21, 603, True),
            unregistered: (0, 0, 0, False),
            silent: (3, 19, 480, True),
            off: (3, 19, 480, False),
            held: (4, 16, 0, True),
        }
        assert [bool(found[each].channel) for each in (busy, unregistered)] == [True, False]
        assert [found[each].was_answered for each in (off, held)] == [False, True]
        assert found[held].hung_up_by == "asterisk", "it waited its second and was let go"


async def test_a_talk_that_the_agent_ends(quiet_lab: Lab, tmp_path: Path) -> None:
    """agent1 is a member of the queue, which learns from the phone's state that it is in use, and nothing more."""
    agent, record = "PJSIP/agent1", tmp_path / "talk.gsm"
    async with with_engine(quiet_lab) as side:
        waiting = await side.agent_waits(agent)
        attempt_id = await side.contact(PERSON, waiting, agent, record=str(record))
        found, released = await side.over(attempt_id, agent), await side.over(waiting)
        assert (disposition(found), found.hung_up_by, found.agent) == (Disposition.ANSWERED, "agent", agent)
        assert found.connected_at
        assert found.answered_at
        assert found.connected_at - found.answered_at < 1000
        assert released.contact_hung_up, "the agent's phone said goodbye"
        assert side.engine.concluded_with[attempt_id].agent == agent
        assert record.stat().st_size > 1000
        await side.watcher.until(lambda _: statuses(side, agent)[-1:] == [AgentStatus.NOT_INUSE])
        assert statuses(side, agent)[-3:] == [AgentStatus.RINGING, AgentStatus.INUSE, AgentStatus.NOT_INUSE]
        member = next(m for m in await side.telephony.queue_members(PBX) if m.interface == agent)
        assert not member.in_call
        assert not any(e.member.in_call for e in side.watcher.seen if isinstance(e, MemberSeen))


def statuses(side: Side, interface: str) -> list[AgentStatus]:
    members = [e.member for e in side.watcher.seen if isinstance(e, MemberSeen)]
    return [member.status for member in members if member.interface == interface]


async def test_a_talk_that_the_contact_ends_while_the_engine_is_away(quiet_lab: Lab) -> None:
    async with without_engine(quiet_lab) as side:
        waiting = await side.agent_waits(STAYS)
        attempt_id = await side.contact(SHORT, waiting, STAYS)
        found, released = await side.over(attempt_id, STAYS), await side.over(waiting)
        assert (disposition(found), found.hung_up_by) == (Disposition.ANSWERED, "contact")
        assert (released.contact_hung_up, released.hung_up_by) == (False, "asterisk")


async def test_the_channel_itself_tells_of_a_talk_that_nobody_saw(quiet_lab: Lab) -> None:
    async with with_engine(quiet_lab) as side:
        waiting = await side.agent_waits(STAYS)
        attempt_id = await side.contact(SHORT, waiting, STAYS)
        found = await side.over(attempt_id)  # without a reserved agent, bridges say nothing
        assert (found.connected_at, found.agent, disposition(found)) == (None, STAYS, Disposition.ANSWERED)


async def test_an_agent_who_is_gone_leaves_the_person_to_the_safe_harbour(quiet_lab: Lab) -> None:
    async with with_engine(quiet_lab) as side:
        waiting = await side.agent_waits(STAYS)
        attempt_id = await side.contact(PERSON, waiting, STAYS)
        assert await side.telephony.hang_up(PBX, waiting)
        found = await side.over(attempt_id, STAYS)
        assert side.engine.concluded_with[attempt_id].result == "abandoned"
        assert (disposition(found), found.connected_at, found.agent) == (Disposition.ABANDONED, None, "")


async def test_an_agent_is_released_when_the_contact_is_busy(quiet_lab: Lab) -> None:
    async with without_engine(quiet_lab) as side:
        waiting = await side.agent_waits(STAYS)
        failed = await side.over(await side.contact(BUSY, waiting, STAYS), STAYS)
        assert disposition(failed) is Disposition.BUSY
        assert await side.telephony.hang_up(PBX, waiting), "the agent waits until told otherwise"
        released = await side.over(waiting)
        assert (released.was_answered, released.contact_hung_up) == (True, False)


async def test_a_local_interface_keeps_its_id_through_the_talk(quiet_lab: Lab) -> None:
    laboratory.rx(quiet_lab, "pbx", "dialplan add extension 90,1,Dial,PJSIP/agent90 into test-agents")
    async with without_engine(quiet_lab) as side:
        interface = "Local/90@test-agents"
        waiting = await side.agent_waits(interface)
        attempt_id = await side.contact(PERSON, waiting, interface)
        await side.until(attempt_id, ev.Bridged)
        await asyncio.sleep(0.5)  # without its option n, the Local channel is taken out of the talk at once
        assert await side.telephony.hang_up(PBX, waiting)
        found = await side.over(attempt_id, interface)
        assert (disposition(found), found.agent) == (Disposition.ANSWERED, interface)


async def test_a_preview_is_decided_by_key_or_by_command(quiet_lab: Lab) -> None:
    async with with_engine(quiet_lab, {"1": "dial", "2": "hangup"}) as side:
        first, second, third = (str(uuid.uuid4()) for _ in range(3))
        takes = await side.agent(PRESSES_1, preview=first)
        leaves = await side.agent(PRESSES_2, preview=second)
        clicks = await side.agent(STAYS, preview=third)
        await side.until(clicks, ev.Answered)
        side.engine.accepted.add(third)
        assert not (await side.over(leaves)).contact_hung_up, "let go by the dialplan"
        assert sorted(side.engine.pressed) == sorted([(first, "1"), (second, "2")])
        for waiting, interface in ((takes, PRESSES_1), (clicks, STAYS)):
            assert disposition(await side.over(await side.contact(SHORT, waiting, interface), interface)) is (
                Disposition.ANSWERED
            )


async def test_a_preview_without_the_engine_dials_nothing(quiet_lab: Lab) -> None:
    async with without_engine(quiet_lab) as side:
        leg_id = await side.agent(STAYS, preview=str(uuid.uuid4()))
        assert (await side.over(leg_id)).was_answered


async def test_an_agent_is_paused_in_all_queues_with_a_reason(quiet_lab: Lab) -> None:
    async with without_engine(quiet_lab) as side:
        await side.telephony.pause_member(PBX, "PJSIP/agent1", paused=True, reason="astdialer")
        assert await pauses(side) == {("PJSIP/agent1", "astdialer")}
        await side.telephony.pause_member(PBX, "PJSIP/agent1", paused=False)
        assert await pauses(side) == set()
        await side.telephony.pause_member(PBX, "PJSIP/nobody", paused=True, reason="astdialer")


async def pauses(side: Side) -> set[tuple[str, str]]:
    members = await side.telephony.queue_members(PBX)
    return {(member.interface, member.pause_reason) for member in members if member.paused}
