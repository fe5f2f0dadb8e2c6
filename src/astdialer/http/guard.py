"""Limits that hold before any endpoint is asked: the size of bodies, the time of requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fastapi import params
from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from astdialer import config
from astdialer.domain.errors import AstdialerError, Unavailable
from astdialer.http.access import access_of
from astdialer.http.dialect import Dialect
from astdialer.http.problems import TooLarge, problem_of, tell

#: Endings of paths whose requests may be large.
UPLOADS = ("/uploads", "/uploadbase", "/uploadbasewithtimezone", "/v1/blacklist/import")
#: And whose requests last, as long as the one who asked takes what is sent.
STREAMS = (*UPLOADS, "/v1/events", "/audio", ".mp3", ".gsm", ".csv")
#: A larger body than this many bytes is read from nobody without a good token: it would fill memory.
STRANGERS = 65_536
#: What is sent on by one whose body is refused is taken so long, so that the answer is read.
DRAIN_S = 1.0
_HOST = re.compile(rb"[A-Za-z0-9._\-]*(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class _Place:
    """An endpoint that takes its body piece by piece, or has none."""

    pattern: re.Pattern[str]
    methods: frozenset[str]
    path: str


def _places(routes: Sequence[BaseRoute]) -> Iterable[_Place]:
    """Endpoints with one of the endings. Those that want JSON have all of it in memory at once: not them."""
    for route in iter_route_contexts(routes):
        field = getattr(route.original_route, "body_field", None)
        wants_json = field is not None and not isinstance(field.field_info, params.Form)
        if (route.path or "").endswith((*UPLOADS, *STREAMS)) and not wants_json:
            yield _Place(route.path_regex, frozenset(route.methods or ()), route.path or "")


class _Passage:
    """One request on its way in and its answer on its way out. ``refusal``: why it is not to go on."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, largest: int, per_piece_s: float | None) -> None:
        self._scope, self._receive, self._send, self._largest = scope, receive, send, largest
        self._per_piece_s = per_piece_s
        self._taken, self._is_whole, self._is_trusted = 0, False, False
        self.limit = asyncio.timeout(None)
        self.begun = False
        self.refusal: AstdialerError | None = None

    async def check_head(self) -> None:
        """Look at the host that is asked, and at what is said of the body. Raises what it is refused for."""
        if not _HOST.fullmatch(self._header(b"host")):
            self.refusal = AstdialerError("the Host header is not a host's name or address, and a port")
            raise self.refusal
        size = self._header(b"content-length", b"0")
        await self._check(int(size) if size.isdigit() and len(size) < 19 else 10**19)

    def _header(self, wanted: bytes, otherwise: bytes = b"") -> bytes:
        return next((value for name, value in self._scope["headers"] if name == wanted), otherwise)

    async def receive(self) -> Message:
        """What the application takes in."""
        if self._is_whole:
            return await self._receive()
        message = await self._piece()
        self._is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        self._taken += len(message.get("body", b""))
        await self._check(self._taken)
        return message

    async def send(self, message: Message) -> None:
        """What it sends. What it makes of a refusal is not told: the refusal is."""
        if self.refusal and not self.begun:
            return
        self.begun = True
        self._for_a_piece()
        await self._send(message)
        self._between_pieces()

    async def drain(self) -> None:
        """Take the rest of a body for a moment, and throw it away; unless it is sent only when we want it."""
        if self._header(b"expect"):
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self._is_whole:
                    message = await self._receive()
                    self._is_whole = not message.get("more_body", False)
        except TimeoutError:
            return

    async def _piece(self) -> Message:
        """Endpoints that take pieces give up by themselves, and say so better; this is for those that do not."""
        self._for_a_piece(patience=2)
        message = await self._receive()
        self._between_pieces()
        return message

    def _for_a_piece(self, patience: float = 1) -> None:
        if self._per_piece_s:
            self.limit.reschedule(asyncio.get_running_loop().time() + patience * self._per_piece_s)

    def _between_pieces(self) -> None:
        if self._per_piece_s:
            self.limit.reschedule(None)

    async def _check(self, size: int) -> None:
        try:
            if size > self._largest:
                raise TooLarge(f"the body has more than {self._largest} bytes")
            if size > STRANGERS and not self._is_trusted:
                await access_of(Request(self._scope))
                self._is_trusted = True
        except AstdialerError as error:
            self.refusal = error
            raise


class Guard:
    """ASGI middleware. An answer that has begun can't be taken back: then the connection ends."""

    def __init__(self, app: ASGIApp, settings: config.Http, dialect_of: Callable[[str], Dialect | None]) -> None:
        self._app, self._settings, self._dialect_of = app, settings, dialect_of
        self._places: tuple[_Place, ...] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within its limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ending = self._ending(scope)
        streams, timeout_s = ending.endswith(STREAMS), self._settings.timeout_s
        largest = self._settings.max_body_kb * 1024
        if ending.endswith(UPLOADS):
            largest = self._settings.max_upload_mb * 1024 * 1024
        passage = _Passage(scope, receive, send, largest, timeout_s if streams else None)
        error: Exception | None = None
        try:
            async with passage.limit:
                if not streams:
                    passage.limit.reschedule(asyncio.get_running_loop().time() + timeout_s)
                await passage.check_head()
                await self._app(scope, passage.receive, passage.send)
        except Exception as raised:
            if passage.begun or not (passage.refusal or isinstance(raised, TimeoutError)):
                raise
            error = raised
        if error or (passage.refusal and not passage.begun):
            await passage.drain()
            await self._refuse(passage.refusal, scope, receive, send)

    def _ending(self, scope: Scope) -> str:
        """The request's path, if it may be large or last; else nothing. Names may end so too, and ask for JSON."""
        path, method = scope["path"], scope["method"]
        if not path.endswith((*UPLOADS, *STREAMS)):
            return ""
        if method in ("GET", "HEAD"):
            return str(path)
        if self._places is None:
            self._places = tuple(_places(scope["app"].routes))
        return next((p.path for p in self._places if method in p.methods and p.pattern.match(path)), "")

    async def _refuse(self, error: Exception | None, scope: Scope, receive: Receive, send: Send) -> None:
        if error is None:
            error = Unavailable(f"the request took longer than {self._settings.timeout_s:g} s")
        request = Request(scope, receive)
        answer = tell(request, problem_of(error), self._dialect_of(scope["path"]))
        answer.headers["connection"] = "close"
        await answer(scope, receive, send)
