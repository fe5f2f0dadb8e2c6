"""The engine's tasks, in one group: they start together, and one that fails ends them all."""

from __future__ import annotations

import asyncio
import logging

from astdialer.domain.attempt import Attempt
from astdialer.domain.errors import AstdialerError
from astdialer.domain.events import AttemptEvent, Refused, Sent, Vanished
from astdialer.engine.agentfirst import AGENT_MISSED_S, AgentFirst
from astdialer.engine.agents import AgentMirror
from astdialer.engine.answered import CallAnswering
from astdialer.engine.bookkeeper import Bookkeeper
from astdialer.engine.callerids import CallerIds
from astdialer.engine.calls import Call, LiveCalls
from astdialer.engine.context import Context, EngineOptions
from astdialer.engine.desk import Desk
from astdialer.engine.dialer import Dialer, Parts
from astdialer.engine.directory import Directory
from astdialer.engine.forecasting import Forecaster
from astdialer.engine.liveview import PERIOD_S, LiveView
from astdialer.engine.notices import Notices
from astdialer.engine.orders import OrderDesk
from astdialer.engine.outlook import Outlook
from astdialer.engine.placing import Placer
from astdialer.engine.queues import QueueWatch
from astdialer.engine.recordings import convert_due
from astdialer.engine.recovery import Recovery
from astdialer.engine.routing import Router
from astdialer.engine.sweeps import Sweeps
from astdialer.engine.trouble import Trouble
from astdialer.ports import (
    Clock,
    Closing,
    LinkDown,
    LinkUp,
    MemberGone,
    MemberMissed,
    MemberSeen,
    MemberTalk,
    QueueCall,
    Recordings,
    Store,
    Telephony,
    TelephonyEvent,
)

logger = logging.getLogger(__name__)


class Engine:
    """Call ``load`` once, then ``run`` until canceled. ``answering`` serves the FastAGI scripts from load on."""

    def __init__(
        self, store: Store, telephony: Telephony, recordings: Recordings, clock: Clock, options: EngineOptions
    ) -> None:
        self._context = Context(
            store=store,
            telephony=telephony,
            recordings=recordings,
            clock=clock,
            options=options,
            calls=LiveCalls(self._call_changed),
            agents=AgentMirror(self._changed),
            directory=Directory(store, options.zone),
            trouble=Trouble(),
        )
        self._notices = Notices(self._context)
        caller_ids = CallerIds(self._context)
        self._placer = Placer(self._context, caller_ids)
        self._desk = Desk(self._context)
        self._agent_first = AgentFirst(
            self._context, self._desk, caller_ids, self._placer.place, self._notices.leg_rang
        )
        self._recovery = Recovery(self._context, self._agent_first)
        router = Router(self._context)
        self._forecaster = Forecaster(self._context, self._desk)
        outlook = Outlook(
            self._context, self._placer, self._recovery, self._desk, router=router, forecaster=self._forecaster
        )
        parts = Parts(
            outlook=outlook,
            placer=self._placer,
            desk=self._desk,
            router=router,
            agent_first=self._agent_first,
            forecaster=self._forecaster,
        )
        self._dialer = Dialer(self._context, parts)
        self._bookkeeper = Bookkeeper(self._context, self._closed, self._notices)
        self._orders = OrderDesk(self._context, self._desk, self._dialer)
        self._sweeps = Sweeps(self._context, self._desk, self._dialer)
        self._queues = QueueWatch(self._context)
        self._view = LiveView(
            self._context,
            self._dialer,
            outlook,
            self._desk,
            sweeps=self._sweeps,
            forecaster=self._forecaster,
            queues=self._queues,
        )
        self.answering = CallAnswering(self._context, self._agent_first)

    def _changed(self) -> None:
        self._dialer.wake()

    def _call_changed(self, call: Call, before: Attempt) -> None:
        self._forecaster.call_changed(call, before)
        self._changed()

    def _closed(self, closing: Closing) -> None:
        self._forecaster.closed(closing)
        if closing.attempt.reserved_agent:
            self._desk.released(
                closing.attempt, self._context.directory.campaigns[closing.attempt.campaign_id].settings
            )
        self._dialer.closed(closing)

    async def load(self) -> None:
        """Take up the open attempts of an earlier run. Those of servers that are gone from the configuration end.

        They count as sent: the end may have come between Originate and writing that down.
        """
        await self._context.directory.load()
        opened = self._context.calls.add(await self._context.store.open_attempts())
        for call in opened:
            self._take_up(call)
        logger.info("engine.loaded", extra={"open_attempts": len(opened)})

    def _take_up(self, call: Call) -> None:
        attempt, calls, now = call.attempt, self._context.calls, self._context.clock.now()
        if attempt.leg_id and not attempt.dialed_at:  # see Placer: of these it is written down first
            calls.handle(Refused(attempt_id=attempt.id, at=now, message="the engine died", retry_s=AGENT_MISSED_S))
        else:
            calls.handle(Sent(attempt_id=attempt.id, at=attempt.dialed_at or attempt.created_at))
        self._placer.take_up(call)
        if attempt.server not in self._context.telephony.servers:
            calls.handle(Vanished(attempt_id=attempt.id, at=now))
        elif attempt.leg_id:
            self._agent_first.take_up(call)

    async def run(self, may_dial: asyncio.Event | None = None) -> None:
        """Dial until canceled; then write what is known. ``may_dial``: calls that there are are followed at once, new
        ones are placed once it is set."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for server in self._context.telephony.servers:
                    tasks.create_task(self._follow(server, tasks))
                tasks.create_task(self._recovery.reconcile())
                tasks.create_task(self._bookkeeper.run())
                tasks.create_task(self._dial(may_dial))
                tasks.create_task(self._orders.run())
                tasks.create_task(self._sweeps.run())
                tasks.create_task(self._forecaster.run())
                tasks.create_task(self._queues.run())
                tasks.create_task(convert_due(self._context.store, self._context.recordings, self._context.clock))
                tasks.create_task(self._publish())
        finally:
            await self._agent_first.stop()
            await self._placer.stop()
            self._desk.dismiss()
            await self._desk.settle()
            await self._bookkeeper.flush()
            await self._forecaster.save()
            await self._context.store.withdraw_live_view(self._context.options.name)

    async def _dial(self, may_dial: asyncio.Event | None) -> None:
        if may_dial:
            await may_dial.wait()
        await self._dialer.run()

    async def _follow(self, server: str, tasks: asyncio.TaskGroup) -> None:
        async for event in self._context.telephony.events(server):
            try:
                self._handle(server, event, tasks)
            except Exception:  # one event that nobody foresaw must not end all other calls
                logger.exception("event.failed", extra={"server": server, "event": repr(event)})

    def _handle(self, server: str, event: TelephonyEvent, tasks: asyncio.TaskGroup) -> None:
        match event:
            case AttemptEvent():
                self._context.vitals.handled(event.at, self._context.clock.now())
                self._context.calls.handle(event)
                self._agent_first.handle(event)
            case QueueCall():
                self._notices.queue_call(event)
            case MemberMissed():
                self._desk.missed_in_queue(event.server, event.queue, event.interface)
            case MemberTalk(in_call=True):
                self._context.agents.handle(event)
                self._desk.took_from_queue(event.server, event.interface)
            case MemberSeen() | MemberGone() | MemberTalk():
                self._context.agents.handle(event)
            case LinkUp():
                logger.info("link.up", extra={"server": server})
                tasks.create_task(self._recovery.link_up(server))
            case LinkDown():
                logger.error("link.down", extra={"server": server, "why": event.reason})
                self._recovery.link_down(server)
        self._changed()

    async def _publish(self) -> None:
        while True:
            try:
                now = self._context.clock.now()
                await self._context.store.publish_live_view(self._context.options.name, await self._view.build(), now)
            except AstdialerError as error:
                logger.error("view.not_published", extra={"error": str(error)})
            except Exception:  # a display must not end all calls
                logger.exception("view.failed")
            await self._context.clock.sleep(PERIOD_S)
