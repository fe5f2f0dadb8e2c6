"""Limits that hold before any endpoint is asked: the size of bodies, the time of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from astdialer import config
from astdialer.domain.errors import Unavailable
from astdialer.http.dialect import Dialect
from astdialer.http.problems import TooLarge, problem_of, tell

#: Endings of paths whose requests may be large.
UPLOADS = ("/uploads", "/uploadbase", "/uploadbasewithtimezone", "/v1/blacklist/import")
#: And whose requests last, as long as the one who asked takes what is sent.
STREAMS = (*UPLOADS, "/v1/events", "/audio", ".mp3", ".gsm", ".csv")


class Guard:
    """ASGI middleware. An answer that has begun can't be taken back: then the connection ends."""

    def __init__(self, app: ASGIApp, settings: config.Http, dialect_of: Callable[[str], Dialect | None]) -> None:
        self._app, self._settings, self._dialect_of = app, settings, dialect_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within its limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, streams = False, scope["path"].endswith(STREAMS)
        limit = asyncio.timeout(None if streams else self._settings.timeout_s)

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            if streams:
                limit.reschedule(asyncio.get_running_loop().time() + self._settings.timeout_s)
            await send(message)
            if streams:
                limit.reschedule(None)

        try:
            async with limit:
                await self._app(scope, self._counted(scope, receive), sending)
        except (TooLarge, TimeoutError) as error:
            if begun:
                raise
            await self._refuse(error, scope, receive, send)

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        largest = self._settings.max_body_kb * 1024
        if scope["path"].endswith(UPLOADS):
            largest = self._settings.max_upload_mb * 1024 * 1024
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > largest:
            raise TooLarge(f"the body has {int(announced)} bytes; {largest} are allowed")
        taken = 0

        async def receiving() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > largest:
                raise TooLarge(f"the body has more than {largest} bytes")
            return message

        return receiving

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(error, TimeoutError):
            error = Unavailable(f"the request took longer than {self._settings.timeout_s:g} s")
        request = Request(scope, receive)
        answer = tell(request, problem_of(error), self._dialect_of(scope["path"]))
        answer.headers["connection"] = "close"
        await answer(scope, receive, send)
