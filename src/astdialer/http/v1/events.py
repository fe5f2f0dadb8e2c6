"""Server-sent events of everything live."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import AstdialerError, InvalidSetting
from astdialer.domain.hooks import KINDS, Event, covers
from astdialer.http.access import check_still_good
from astdialer.http.feed import LIVE, Feed, Listener, Message
from astdialer.http.services import Services
from astdialer.http.v1.common import PROBLEMS, Found, Reader
from astdialer.http.v1.kinds import LATEST
from astdialer.http.v1.live import part_of, part_of_campaign

router = APIRouter(tags=["events"], responses=PROBLEMS)

#: How often something is sent though nothing happens: who listens, and all between, know that the line is alive.
HEARTBEAT_S = 15.0
#: How long a client waits before it comes again, ms.
RETRY_MS = 2000
_EXAMPLE = """\
id: 815
event: attempt.closed
data: {"id":815,"event":"attempt.closed","at":1760000041000,"campaign":"spring","contact_id":4711,\
"attempt_id":"0d6f2c1e-7a53-4b0e-9c57-1f6f1a0f8a11","data":{"number":"+442079460123","disposition":"answered"}}

event: live
data: {"written_at":1760000041500,"calls":8,"campaigns":[],"agents":[],"trunks":[],"servers":[],"store_writes":true}

:

"""


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"description": "A stream.", "content": {"text/event-stream": {"example": _EXAMPLE}}}},
)
async def stream_events(
    request: Request,
    found: Found,
    access: Reader,
    *,
    kinds: Annotated[
        str | None,
        Query(
            max_length=2000,
            description="Only these kinds, joined by commas: kinds of events as webhooks have them, and `live`.",
            examples=["attempt.*,contact.ended"],
        ),
    ] = None,
    campaign: Annotated[str | None, Query(max_length=70, description="Only of this campaign.")] = None,
    after: Annotated[
        int | None, Query(ge=0, le=LATEST, description="Begin behind this event, as Last-Event-ID says it.")
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(max_length=40, description="The last event that came: the stream goes on behind it, as browsers do."),
    ] = None,
) -> Response:
    """All that happens from now on, as it happens: each event with its id, kind and JSON; and, at most once a second,
    the kind `live` with the live view when it has changed. A line of `:` comes every 15 s, whatever happens. Whoever
    takes too little of it is cut off, and goes on with Last-Event-ID where it was; of what is forgotten by then (after
    three days, and a million events) the kind `gap` tells."""
    wanted = _kinds(kinds)
    only = (await found.campaign(access, campaign)).id if campaign is not None else None
    begin = _place(last_event_id) if last_event_id else after

    def wants(event: Event, of: Campaign | None) -> bool:
        is_its = only in (None, event.campaign_id) and access.sees(of.tenant if of else "")
        return is_its and covers(wanted, event.kind)

    async def sees(view: Mapping[str, Any]) -> Mapping[str, Any]:
        if campaign is not None:
            return await part_of_campaign(found, access, view, campaign)
        return await part_of(found, access, view)

    scope = (access.tenant, only) if covers(wanted, LIVE) else None
    return _Stream(request, found, Listener(wants, sees, scope), begin)


def _kinds(text: str | None) -> Sequence[str]:
    if text is None:
        return ("*",)
    wanted = [each.strip() for each in text.split(",")]
    for each in wanted:
        if not any(covers([each], kind) for kind in (*KINDS, LIVE)):
            raise InvalidSetting("kinds", each, f"* or some of {LIVE}, " + ", ".join(KINDS))
    return wanted


def _place(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > LATEST:
        raise InvalidSetting("Last-Event-ID", text, "the id of the last event that came")
    return int(text)


class _Stream(Response):
    """Whatever becomes of the request, the listener is taken out at its end."""

    def __init__(self, request: Request, found: Services, listener: Listener, after: int | None) -> None:
        super().__init__()
        self._request, self._found, self._listener, self._after = request, found, listener, after
        self._checked_at = found.clock.now()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client goes, the server ends, or the token is not good any more."""
        feed = feed_of(self._request)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        async with feed.listening(self._listener):
            stream = StreamingResponse(self._pieces(feed), media_type="text/event-stream", headers=headers)
            await stream(scope, receive, send)

    async def _pieces(self, feed: Feed) -> AsyncIterator[bytes]:
        yield f"retry: {RETRY_MS}\n\n".encode()
        try:
            async for messages in self._messages(feed):
                if self._found.clock.now() - self._checked_at >= 1000:
                    await check_still_good(self._request)
                    self._checked_at = self._found.clock.now()
                yield b"".join(map(_piece, messages)) or b":\n\n"
        except AstdialerError:  # the token is not good any more, or the store fails: the client comes again, or is told
            return

    async def _messages(self, feed: Feed) -> AsyncIterator[Sequence[Message]]:
        async for messages in feed.missed(self._listener, self._after):
            if messages:
                yield messages
        while True:
            messages = await self._listener.take(HEARTBEAT_S)
            if self._listener.is_over and not messages:
                return
            yield messages


def _piece(message: Message) -> bytes:
    head = f"id: {message.id}\n" if message.id is not None else ""
    return f"{head}event: {message.kind}\ndata: {message.data}\n\n".encode("utf-8", "replace")


def feed_of(request: Request) -> Feed:
    """The feed of the application that a request came to."""
    feed: Feed = request.app.state.feed
    return feed
