"""Everything that happens, for those who listen: one follower of the store feeds them all, while there is anybody.

A listener is handed each event once and in order. First it reads what it has missed from the store, at its own pace;
when it has come to where the follower is, it takes what the follower hands out. One that lets too much wait is cut off:
it may come again and go on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import AstdialerError, Unavailable
from astdialer.domain.hooks import Event
from astdialer.engine.webhooks import event_words
from astdialer.http.services import Services

logger = logging.getLogger(__name__)

#: Between two looks for events, seconds; between two looks at the live view, ms.
LOOK_S, LIVE_MS = 0.25, 1000
#: Events read at a time; messages that may wait for one listener.
BATCH, ROOM = 500, 1000
LIVE, GAP = "live", "gap"
#: What changes in the live view though nothing has happened.
_RESTLESS = ("written_at", "vitals")


class Message(NamedTuple):
    """One message: the event's id, if it is one, its kind and its JSON."""

    id: int | None
    kind: str
    data: str


#: What a listener wants of events, and what it may see of the live view; None: nothing.
Wants = Callable[[Event, Campaign | None], bool]
Sees = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class Listener:
    """One who listens. ``scope``: whoever has the same one sees the same of the live view; None: wants none of it."""

    def __init__(self, wants: Wants, sees: Sees, scope: object | None) -> None:
        self.wants, self.sees, self.scope = wants, sees, scope
        self.is_over = False  #: nothing comes any more: it was too slow, or the server ends
        self.position = 0  #: the last event that it has been handed, or that it did not want
        self.seen_live = ""
        self._waiting: deque[Message] = deque()
        self._news = asyncio.Event()

    def offer(self, message: Message) -> None:
        """Hand it a message; or cut it off, if too many wait."""
        if len(self._waiting) >= ROOM:
            self.end()
        if not self.is_over:
            self._waiting.append(message)
            self._news.set()

    def end(self) -> None:
        """Nothing comes any more but what waits."""
        self.is_over = True
        self._news.set()

    async def take(self, within_s: float) -> Sequence[Message]:
        """What waits, or comes within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._news.wait()
        taken = tuple(self._waiting)
        self._waiting.clear()
        if not self.is_over:
            self._news.clear()
        return taken


class Feed:
    """The follower, and those who listen."""

    def __init__(self, found: Services) -> None:
        self._found = found
        self._present: set[Listener] = set()  # all of them
        self._joined: set[Listener] = set()  # those who have come to where the follower is
        self._seen = 0
        self._live_at = -LIVE_MS
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._is_over = False

    @contextlib.asynccontextmanager
    async def listening(self, listener: Listener) -> AsyncIterator[None]:
        """Let somebody listen inside. Raises Unavailable when the server ends."""
        if self._is_over:
            raise Unavailable("astdialer ends; it may come again")
        self._present.add(listener)
        try:
            await self._start()
            yield
        finally:
            self._present.discard(listener)
            self._joined.discard(listener)

    def begin(self) -> None:
        """The server begins, or begins anew."""
        self._is_over = False

    def end(self) -> None:
        """The server ends: so do all streams."""
        self._is_over = True
        for listener in self._present:
            listener.end()
        if self._task:
            self._task.cancel()

    async def _start(self) -> None:
        async with self._starting:
            if self._task is None or self._task.done():
                self._seen = await self._found.store.last_event()
                self._task = asyncio.create_task(self._follow(), name="event-feed")

    # --- what a listener has missed ----------------------------------------------------------------------------------

    async def missed(self, listener: Listener, after: int | None) -> AsyncIterator[Sequence[Message]]:
        """What has happened behind the event ``after``, or nothing; then the listener has joined."""
        listener.position = self._seen
        if after is not None:
            listener.position = min(after, await self._found.store.last_event())
            yield await self._gap(listener.position)
        while True:
            known = self._seen
            events = await self._found.store.events(listener.position, BATCH)
            if events:
                yield await self._of(listener, events)
                listener.position = events[-1].id
            else:  # whatever the follower had seen before is behind us, or forgotten
                listener.position = max(listener.position, known)
            if not events and self._seen <= listener.position:
                self._joined.add(listener)
                return

    async def _gap(self, position: int) -> Sequence[Message]:
        """A word on it if some of what was missed is forgotten."""
        first = await self._found.store.events(0, 1)
        if not first or not 0 < position < first[0].id - 1:
            return ()
        return (Message(None, GAP, json.dumps({"after": position, "first": first[0].id})),)

    async def _of(self, listener: Listener, events: Sequence[Event]) -> Sequence[Message]:
        campaigns = await self._campaigns()
        return [_message(event, of) for event in events if listener.wants(event, of := _of(campaigns, event))]

    async def _campaigns(self) -> Mapping[int, Campaign]:
        return {campaign.id: campaign for campaign in await self._found.store.campaigns()}

    # --- what happens ------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """While anybody listens."""
        while self._present:
            try:
                while await self._look() == BATCH:
                    pass
                await self._look_at_live()
            except Unavailable as error:
                logger.error("feed.store_failed", extra={"error": str(error)})
            except Exception:  # one fault must not end all streams
                logger.exception("feed.failed")
            await self._found.clock.sleep(LOOK_S)

    async def _look(self) -> int:
        """Hand out the next events; how many there were."""
        events = await self._found.store.events(self._seen, BATCH)
        campaigns = await self._campaigns() if events else {}
        for event in events:
            self._hand_out(event, _of(campaigns, event))
            self._seen = event.id
        return len(events)

    def _hand_out(self, event: Event, campaign: Campaign | None) -> None:
        message = None
        for listener in self._joined:
            if event.id > listener.position and listener.wants(event, campaign):
                message = message or _message(event, campaign)
                listener.offer(message)

    async def _look_at_live(self) -> None:
        now = self._found.clock.now()
        if 0 <= now - self._live_at < LIVE_MS:
            return
        self._live_at = now
        try:
            view = await self._found.live.view()
        except Unavailable:  # no engine runs: there is nothing to see
            return
        parts: dict[object, tuple[str, str]] = {}
        for listener in [each for each in self._joined if each.scope is not None]:
            if listener.scope not in parts:
                parts[listener.scope] = await _part(listener, view)
            text, settled = parts[listener.scope]
            if text and settled != listener.seen_live:
                listener.seen_live = settled
                listener.offer(Message(None, LIVE, text))


def _of(campaigns: Mapping[int, Campaign], event: Event) -> Campaign | None:
    return campaigns.get(event.campaign_id or 0)


def _message(event: Event, campaign: Campaign | None) -> Message:
    return Message(event.id, event.kind, _json(event_words(event, campaign)))


async def _part(listener: Listener, view: Mapping[str, Any]) -> tuple[str, str]:
    """What a listener sees of the live view, as text, and what of that tells whether anything has changed."""
    try:
        part = await listener.sees(view)
    except AstdialerError:  # its campaign is gone
        return "", ""
    return _json(part), _json({key: value for key, value in part.items() if key not in _RESTLESS})


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))
