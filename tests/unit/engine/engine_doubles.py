"""Small doubles of the ports, and an engine's parts put together over the real SQLite store."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from astdialer.domain import events as ev
from astdialer.domain.agent import AgentProfile, AgentStatus, QueueMember
from astdialer.domain.attempt import Attempt
from astdialer.domain.calendar import CallingWindow, Schedule, WorkingCalendar, parse_calendar_hours
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.contact import NewContact, NewNumber, Number, NumberType
from astdialer.domain.errors import Unavailable
from astdialer.domain.queue import QueueFigures
from astdialer.domain.route import Route, Way, parse_destination
from astdialer.domain.selection import DialingRules, judge
from astdialer.domain.settings import Settings
from astdialer.domain.trunk import Trunk
from astdialer.engine.agentfirst import AgentFirst
from astdialer.engine.agents import AgentMirror
from astdialer.engine.bookkeeper import Bookkeeper
from astdialer.engine.callerids import CallerIds
from astdialer.engine.calls import Call, LiveCalls
from astdialer.engine.context import Context, EngineOptions
from astdialer.engine.desk import Desk
from astdialer.engine.dialer import Dialer, Parts
from astdialer.engine.directory import Directory
from astdialer.engine.forecasting import Forecaster
from astdialer.engine.notices import Notices
from astdialer.engine.orders import OrderDesk
from astdialer.engine.origination import DialplanPlaces
from astdialer.engine.outlook import Outlook
from astdialer.engine.placing import Placer
from astdialer.engine.recovery import Recovery
from astdialer.engine.routing import Router
from astdialer.engine.sweeps import Sweeps
from astdialer.engine.trouble import Trouble
from astdialer.ports import (
    ClaimRequest,
    Closing,
    Converted,
    LiveChannel,
    MemberSeen,
    Origination,
    Recording,
    TelephonyEvent,
)
from astdialer.store import SqliteStore, open_store

NOON = 1_790_078_400_000  # 2026-09-22 12:00 UTC, a Tuesday
AGENT = "PJSIP/agent1"


ANY_TIME = DialingRules(
    schedule=Schedule(window=CallingWindow(start_minute=0, end_minute=1440, weekdays=frozenset(range(7)))),
    default_zone="UTC",
)


def by_carrier(_number: Number) -> Way:
    return Way(route="", trunk="carrier", digits="")


class FakeClock:
    """Time goes only when a test says so."""

    def __init__(self) -> None:
        self.at = NOON
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        if seconds < 0.001:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.at + round(seconds * 1000), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Wake the sleepers one after the other, each at its own time."""
        end = self.at + round(seconds * 1000)
        await self.turn()
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= end]:
            first = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(first)
            self.at = max(self.at, first[0])
            if not first[1].done():
                first[1].set_result(None)
            await self.turn()
        self.at = end

    async def turn(self) -> None:
        """Let every task run until it waits for something."""
        for _ in range(20):
            await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the store's own thread is doing."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class FakeTelephony:
    """An Asterisk that does what the test says."""

    servers: Sequence[str] = ("default",)

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.up = True
        self.reason = ""
        self.placed: list[tuple[int, Origination]] = []
        self.refusal: Exception | None = None
        self.hung_up: list[str] = []
        self.pauses: list[tuple[str, bool, str]] = []
        self.on_pause: Callable[[str, bool, str], None] = lambda *_: None
        self.hang_up_fails = False
        self.channels: list[LiveChannel] = []
        self.members: list[QueueMember] = []
        self.figures: Sequence[QueueFigures] | Exception = ()
        self.dialplan: set[tuple[str, str]] = set()
        self.silent = 0  #: how many questions stay without an answer

    def is_up(self, server: str) -> bool:
        return self.up

    def why_down(self, server: str) -> str:
        return self.reason

    async def events(self, server: str) -> AsyncIterator[TelephonyEvent]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]

    async def originate(self, call: Origination) -> None:
        self.placed.append((self._clock.now(), call))
        if self.refusal:
            raise self.refusal

    async def hang_up(self, server: str, attempt_id: str) -> bool:
        self.hung_up.append(attempt_id)
        if self.hang_up_fails:
            raise Unavailable("no answer")
        return True

    async def hang_up_phone(self, server: str, interface: str) -> int:
        self.hung_up.append(interface)
        return 1

    async def pause_member(self, server: str, interface: str, *, paused: bool, reason: str = "") -> None:
        self.pauses.append((interface, paused, reason))
        self.on_pause(interface, paused, reason)

    async def live_channels(self, server: str) -> Sequence[LiveChannel]:
        if self.silent:
            self.silent -= 1
            raise Unavailable("no answer")
        return self.channels

    async def queue_members(self, server: str) -> Sequence[QueueMember]:
        return self.members

    async def queues(self, server: str) -> Sequence[QueueFigures]:
        if isinstance(self.figures, Exception):
            raise self.figures
        return self.figures

    async def leads(self, server: str, context: str, extension: str) -> bool:
        return (context, extension) in self.dialplan


class FakeRecordings:
    """Recordings that are whatever the test wants."""

    def __init__(self) -> None:
        self.result: Converted | Exception | None = None
        self.asked: list[Recording] = []

    def gsm_path(self, attempt_id: str, date: str) -> Path:
        return Path("/records") / date / attempt_id

    async def convert(self, recording: Recording) -> Converted | None:
        self.asked.append(recording)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class ShakyStore(SqliteStore):
    """The real store, which fails when it is told to."""

    fails = False
    before_save: Callable[[], None] | None = None

    async def close(self, closings: Sequence[Closing]) -> None:
        self._check()
        await super().close(closings)

    async def save_attempts(self, attempts: Sequence[Attempt]) -> None:
        self._check()
        if self.before_save:
            self.before_save()
        await super().save_attempts(attempts)

    def _check(self) -> None:
        if self.fails:
            raise Unavailable("the disk is full")


@dataclass
class Rig:
    """The parts of an engine. ``campaign`` is a running progressive one on queue ``sales``."""

    store: ShakyStore
    clock: FakeClock
    telephony: FakeTelephony
    context: Context
    campaign: Campaign
    placer: Placer
    recovery: Recovery
    dialer: Dialer
    bookkeeper: Bookkeeper
    desk: Desk
    outlook: Outlook
    agent_first: AgentFirst
    orders: OrderDesk
    sweeps: Sweeps
    router: Router
    caller_ids: CallerIds
    forecaster: Forecaster
    notices: Notices
    closed: list[Closing] = field(default_factory=list)

    @property
    def calls(self) -> LiveCalls:
        return self.context.calls

    @property
    def trunk(self) -> Trunk:
        return self.context.directory.trunks["carrier"]

    async def people(
        self, *numbers: int, base: str = "b", zone: str = "", campaign: Campaign | None = None, **known: Any
    ) -> None:
        """One contact for each number; ``known``: what else NewContact takes, such as agentphone and bucket."""
        of = (campaign or self.campaign).id
        upload = await self.store.open_upload(of, base, file_name="f", timezone=zone, now=NOON)
        await self.store.add_contacts(upload, [_person(n, zone, **known) for n in numbers], NOON)
        await self.store.publish_uploads([upload], NOON)
        await self.context.directory.load()

    async def add_campaign(self, name: str, **settings: Any) -> Campaign:
        """Another running one."""
        made = await self.store.create_campaign(name, Settings(**USUAL | settings), NOON)
        await self.store.set_state(made.id, CampaignState.RUNNING, now=NOON)
        await self.context.directory.load()
        return self.now_of(made)

    async def add_trunk(self, name: str, **known: Any) -> Trunk:
        """Another trunk, or ``carrier`` anew."""
        usual: dict[str, Any] = {"dial": "PJSIP/{number}@" + name, "calls_per_second": 100_000.0}
        trunk = Trunk(name=name, **usual | known)
        await self.store.save_trunk(trunk)
        await self.context.directory.load()
        return trunk

    async def add_route(self, name: str, pattern: str, *destinations: str, enabled: bool = True) -> None:
        """A route; destinations as parse_destination reads them."""
        to = tuple(map(parse_destination, destinations))
        await self.store.save_route(Route(name=name, pattern=pattern, destinations=to, enabled=enabled))
        await self.context.directory.load()

    async def add_calendar(self, name: str, hours: str = "mon-sun 00:00-24:00", **known: Any) -> None:
        """A calendar, or the same one changed."""
        await self.store.save_calendar(WorkingCalendar(name=name, hours=parse_calendar_hours(hours), **known))
        await self.context.directory.load()

    async def add_profile(self, agent: str, **known: Any) -> None:
        """What an administrator says about an agent."""
        await self.store.save_agent(AgentProfile(agent=agent, **known))
        await self.context.directory.load()

    async def claim(self, *numbers: int, server: str = "default") -> list[Call]:
        """Live calls to new contacts, claimed and not placed."""
        await self.people(*numbers)
        claims = await self.store.claim(
            ClaimRequest(
                campaign_id=self.campaign.id,
                campaign=self.campaign.name,
                server=server,
                limit=len(numbers),
                is_open=lambda zones: True,
                judge=lambda contact, facts: judge(contact, ANY_TIME, facts, by_carrier, self.clock.now()),
                attempt_ids=[str(uuid.uuid4()) for _ in numbers],
                reason="test",
                now=self.clock.now(),
            )
        )
        return self.calls.add(claims)

    def tell(self, call: Call, kind: type[ev.AttemptEvent], **facts: Any) -> None:
        """An event about a call, now."""
        event = kind(attempt_id=call.attempt.id, at=self.clock.now(), **facts)
        self.calls.handle(event)
        self.agent_first.handle(event)

    def tell_leg(self, call: Call, kind: type[ev.AttemptEvent], **facts: Any) -> None:
        """An event about the telephone of the call's agent, now."""
        self.agent_first.handle(kind(attempt_id=call.attempt.leg_id, at=self.clock.now(), **facts))

    def agents(self, *statuses: AgentStatus) -> None:
        """The queue's agents: PJSIP/0, PJSIP/1, …"""
        self.members(*(member(status, interface=f"PJSIP/{n}") for n, status in enumerate(statuses)))

    def members(self, *members: QueueMember) -> None:
        """All members of the queues of ``default``."""
        self.context.agents.replace_all("default", members)

    def paused(self, interface: str, paused: bool, reason: str) -> None:
        """Asterisk says that an agent was paused, or goes on."""
        for found in self.context.agents.members():
            if found.interface == interface:
                seen = replace(found, paused=paused, pause_reason=reason)
                self.context.agents.handle(MemberSeen(seen))

    async def state(self, state: CampaignState, *, hang_up: bool = False) -> None:
        """Move the campaign, as another process does, and notice it."""
        await self.store.set_state(self.campaign.id, state, hang_up=hang_up, now=NOON)
        await self.context.directory.load()

    async def set(self, **settings: Any) -> None:
        """Change the campaign's settings."""
        await self.store.save_settings(self.campaign.id, Settings(**USUAL | settings))
        await self.context.directory.load()

    def now_of(self, campaign: Campaign | None = None) -> Campaign:
        """The campaign as the engine has it now."""
        return self.context.directory.campaigns[(campaign or self.campaign).id]

    @property
    def trouble(self) -> tuple[int, str] | None:
        """Why the campaign rests, and until when."""
        return self.context.trouble.of(self.campaign.id, "carrier", self.clock.now())

    async def turn(self) -> None:
        """One look of the dialing loop, and every call it claimed sent."""
        await self.dialer._turn()
        await until(lambda: all(call.attempt.dialed_at or call.is_gone for call in self.calls))

    async def passes(self, condition: Callable[[], bool], *, step_s: float = 0.1) -> None:
        """Let time go on until the condition holds."""
        async with asyncio.timeout(10):
            while not condition():
                await self.clock.advance(step_s)
                await asyncio.sleep(0.001)


USUAL: dict[str, Any] = {"trunk": "carrier", "queue": "sales", "wrap_up_s": 10}


@contextlib.asynccontextmanager
async def rig(
    folder: Path, *, calls_per_second: float = 100_000.0, engine_calls_per_second: float = 100_000.0, **options: Any
) -> AsyncIterator[Rig]:
    """``calls_per_second`` is the trunk's; ``options``: what else EngineOptions takes."""
    clock = FakeClock()
    async with open_store(folder / "store.db", clock) as opened:
        store = ShakyStore(opened._db)
        await store.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@c", calls_per_second=calls_per_second))
        campaign = await store.create_campaign("demo", Settings(**USUAL), NOON)
        await store.set_state(campaign.id, CampaignState.RUNNING, now=NOON)
        telephony = FakeTelephony(clock)

        def changed(call: Call, before: Attempt) -> None:
            made.forecaster.call_changed(call, before)

        context = Context(
            store=store,
            telephony=telephony,
            recordings=FakeRecordings(),
            clock=clock,
            options=EngineOptions(
                places=DialplanPlaces(agi_address="127.0.0.1:4573"),
                calls_per_second=engine_calls_per_second,
                **options,
            ),
            calls=LiveCalls(changed),
            agents=AgentMirror(lambda: None),
            directory=Directory(store),
            trouble=Trouble(),
        )
        await context.directory.load()
        caller_ids = CallerIds(context)
        placer, desk, router = Placer(context, caller_ids), Desk(context), Router(context)
        notices = Notices(context)
        agent_first = AgentFirst(context, desk, caller_ids, placer.place, notices.leg_rang)
        recovery = Recovery(context, agent_first)
        recovery.synced.add("default")
        forecaster = Forecaster(context, desk)
        outlook = Outlook(context, placer, recovery, desk, router=router, forecaster=forecaster)
        parts = Parts(
            outlook=outlook, placer=placer, desk=desk, router=router, agent_first=agent_first, forecaster=forecaster
        )
        dialer = Dialer(context, parts)
        closed: list[Closing] = []

        def on_closed(closing: Closing) -> None:
            closed.append(closing)
            forecaster.closed(closing)
            if closing.attempt.reserved_agent:
                desk.released(closing.attempt, context.directory.campaigns[closing.attempt.campaign_id].settings)
            dialer.closed(closing)

        made = Rig(
            store=store,
            clock=clock,
            telephony=telephony,
            context=context,
            campaign=campaign,
            placer=placer,
            recovery=recovery,
            dialer=dialer,
            bookkeeper=Bookkeeper(context, on_closed, notices),
            desk=desk,
            outlook=outlook,
            agent_first=agent_first,
            orders=OrderDesk(context, desk, dialer),
            sweeps=Sweeps(context, desk, dialer),
            router=router,
            caller_ids=caller_ids,
            forecaster=forecaster,
            notices=notices,
            closed=closed,
        )
        telephony.on_pause = made.paused
        yield made
        await agent_first.stop()
        await placer.stop()
        await desk.settle()


def member(status: AgentStatus = AgentStatus.NOT_INUSE, **known: Any) -> QueueMember:
    usual: dict[str, Any] = {"server": "default", "queue": "sales", "interface": AGENT, "name": "Ana"}
    return QueueMember(status=status, **usual | known)


def phone(n: int) -> str:
    return f"+346{n:08}"


def _person(n: int, zone: str = "", **known: Any) -> NewContact:
    number = NewNumber(number=phone(n), as_uploaded=phone(n)[3:], type=NumberType.MOBILE, zones=zone)
    usual: dict[str, Any] = {"params": {"name": "Ana"}, "priority": 5, "agentphone": "", "line": n}
    return NewContact(numbers=(number,), **usual | known)
