"""The port Telephony, for one or more Asterisk servers."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from astdialer import config
from astdialer.ami import values
from astdialer.ami.connection import Connection
from astdialer.ami.feed import Feed
from astdialer.ami.protocol import Message
from astdialer.ami.translate import WANTED, live_channel, queue_figures, queue_member, translate
from astdialer.domain.agent import QueueMember
from astdialer.domain.errors import LinkLost, OriginateRefused, Unavailable
from astdialer.domain.queue import QueueFigures
from astdialer.ports import Clock, LinkDown, LinkUp, LiveChannel, Origination, TelephonyEvent

logger = logging.getLogger(__name__)

#: No member is called so: asked for it, QueueStatus tells of the queues and spares us their members.
NO_MEMBER = "astdialer/nobody"
_CONTEXT = re.compile(r"[A-Za-z0-9_.-]{1,79}")
_EXTENSION = re.compile(r"[0-9A-Za-z+*#]{1,40}")


class AmiTelephony:
    """Asterisk servers by name. `run` keeps the links; `rng` gives numbers from 0 to 1 for the back-off."""

    def __init__(
        self, servers: Mapping[str, config.Ami], clock: Clock, rng: Callable[[], float] = random.random
    ) -> None:
        self._servers = {name: _Server(name, settings, clock, rng) for name, settings in servers.items()}

    @property
    def servers(self) -> Sequence[str]:
        """The servers' names."""
        return tuple(self._servers)

    async def run(self) -> None:
        """Keep all links up until cancelled; leaves no task behind."""
        async with asyncio.TaskGroup() as group:
            for server in self._servers.values():
                group.create_task(server.connection.run(), name=f"AMI link to {server.name}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AmiTelephony]:
        """The links are kept inside the block, for short-lived users such as checks."""
        task = asyncio.create_task(self.run(), name="AMI links")
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def connection(self, server: str) -> Connection:
        """The link itself, for actions that the port does not know. Raises Unavailable for an unknown name."""
        return self._server(server).connection

    def is_up(self, server: str) -> bool:
        """Whether calls can be placed there now."""
        return server in self._servers and self._servers[server].connection.is_up

    def why_down(self, server: str) -> str:
        """The last reason for the link being down, empty when it is up."""
        return self.connection(server).why_down

    def events(self, server: str) -> AsyncIterator[TelephonyEvent]:
        """What happens from this call on, in Asterisk's order; begins with LinkUp if the link is up."""
        known = self._server(server)
        return known.feed.follow(is_up=known.connection.is_up)

    async def originate(self, call: Origination) -> None:
        """Place a call. Returns when Asterisk has accepted it.

        Raises BadValue and OriginateRefused (nothing was dialed: no link, or Asterisk's refusal), or LinkLost.
        """
        try:
            response = await self.connection(call.server).action(values.originate(call))
        except LinkLost:
            raise
        except Unavailable as error:
            raise OriginateRefused(str(error)) from error
        if response.get("Response") != "Success":
            raise OriginateRefused(response.get("Message", "Asterisk gave no reason"))

    async def hang_up(self, server: str, attempt_id: str) -> bool:
        """Hang the attempt's channel up; False if there is none. Raises Unavailable, and BadValue for no UUID."""
        channel = values.check_uuid("attempt", attempt_id)
        response = await self.connection(server).action({"Action": "Hangup", "Channel": channel, "Cause": "16"})
        if response.get("Response") == "Success":
            return True
        message = response.get("Message", "")
        if message.lower().startswith("no such channel"):
            return False
        raise Unavailable(f"{server}: Asterisk refuses to hang up: {message or 'no reason given'}")

    async def hang_up_phone(self, server: str, interface: str) -> int:
        """Hang up every channel of a telephone (PJSIP/1001 has PJSIP/1001-00000a); how many. Raises Unavailable."""
        names = [channel.channel for channel in await self.live_channels(server)]
        of_phone = [name for name in names if name.lower().startswith(f"{interface.lower()}-")]
        actions = [{"Action": "Hangup", "Channel": name, "Cause": "16"} for name in of_phone]
        replies = [await self.connection(server).action(action) for action in actions]
        return sum(reply.get("Response") == "Success" for reply in replies)

    async def pause_member(self, server: str, interface: str, *, paused: bool, reason: str = "") -> None:
        """Pause or unpause an agent in all queues; nothing happens to one who is in none. Raises Unavailable."""
        action = {"Action": "QueuePause", "Interface": interface, "Paused": "true" if paused else "false"}
        response = await self.connection(server).action(action | ({"Reason": reason} if reason else {}))
        message = response.get("Message", "")
        if response.get("Response") != "Success" and not message.lower().startswith("interface not found"):
            what = "pause" if paused else "unpause"
            raise Unavailable(f"{server}: Asterisk refuses to {what} {interface}: {message or 'no reason given'}")

    async def live_channels(self, server: str) -> Sequence[LiveChannel]:
        """CoreShowChannels. Raises Unavailable."""
        items = await self.connection(server).action_list({"Action": "CoreShowChannels"})
        return [live_channel(item) for item in items if item.get("Event") == "CoreShowChannel"]

    async def queue_members(self, server: str) -> Sequence[QueueMember]:
        """QueueStatus: every member of every queue. Raises Unavailable."""
        items = await self.connection(server).action_list({"Action": "QueueStatus"})
        return [queue_member(server, item) for item in items if item.get("Event") == "QueueMember"]

    async def queues(self, server: str) -> Sequence[QueueFigures]:
        """QueueStatus without members, and QueueSummary: the figures of every queue. Raises Unavailable."""
        link = self.connection(server)
        items = await link.action_list({"Action": "QueueStatus", "Member": NO_MEMBER})
        summaries = await link.action_list({"Action": "QueueSummary"})
        by_name = {item.get("Queue", ""): item for item in summaries if item.get("Event") == "QueueSummary"}
        params = [item for item in items if item.get("Event") == "QueueParams"]
        return [queue_figures(server, item, by_name.get(item.get("Queue", ""), {})) for item in params]

    async def leads(self, server: str, context: str, extension: str) -> bool:
        """Whether the dialplan has the extension in the context. Raises Unavailable."""
        if not _CONTEXT.fullmatch(context) or not _EXTENSION.fullmatch(extension):
            return False
        asked = {"Action": "ShowDialPlan", "Context": context, "Extension": extension}
        try:
            return bool(await self.connection(server).action_list(asked))
        except Unavailable as error:
            if "did not find" in str(error).lower():
                return False
            raise

    def _server(self, name: str) -> _Server:
        try:
            return self._servers[name]
        except KeyError:
            raise Unavailable(f"no Asterisk server {name!r} in the configuration") from None


class _Server:
    """One server: its link and its feed."""

    def __init__(self, name: str, settings: config.Ami, clock: Clock, rng: Callable[[], float]) -> None:
        self.name = name
        self.feed = Feed()
        self._clock = clock
        self.connection = Connection(
            settings,
            clock,
            rng,
            wanted=WANTED,
            on_event=self._event,
            on_up=lambda: self.feed.put((LinkUp(),)),
            on_down=lambda reason: self.feed.put((LinkDown(reason),)),
        )

    def _event(self, message: Message) -> None:
        if facts := translate(self.name, message, self._clock.now()):
            self.feed.put(facts)
