"""Requests that come with an Idempotency-Key are done once: the same one again gets the same answer.

As draft-ietf-httpapi-idempotency-key-header says. Answers are kept for a day. What was refused is not kept: it may be
tried again with the same key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from astdialer.domain.errors import AstdialerError, Conflict, InvalidSetting, NoAnswer
from astdialer.http.access import CheckedRoute, access_of
from astdialer.http.bodies import FileBody
from astdialer.http.guard import UPLOADS
from astdialer.http.services import services
from astdialer.ports import Kept

KEPT_MS, FORGET_MS = 86_400_000, 600_000
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("content-type", "location")
_DIGEST = "digest"  #: of the file that was sent; kept beside the headers, and never told


class IdempotentRoute(CheckedRoute):
    """The route class of the native API."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, asked once for each key."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if key is None or request.method in ("GET", "HEAD"):
                return await handler(request)
            return await _once(request, key, handler)

        return handle


async def _once(request: Request, key: str, handler: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    if not _KEY.fullmatch(key):
        raise InvalidSetting("Idempotency-Key", key[:80], "1 to 255 printable characters without spaces")
    access, found = await access_of(request), services(request)
    store, now = found.store, found.clock.now()
    await _forget(request, now)
    fingerprint = await _fingerprint(request)
    if _is_upload(request):
        request.state.digest = hashlib.sha256()  # of the file, as it comes
    kept = await store.begin_request(access.token_id, key, fingerprint, now)
    if kept:
        return await _again(request, kept, key, fingerprint)
    try:
        response = await handler(request)
    except NoAnswer:  # nobody knows what has been done, as with all others
        raise
    except (AstdialerError, HTTPException, RequestValidationError):
        await store.forget_request(access.token_id, key)
        raise
    body = getattr(response, "body", None)
    if body is not None:  # what is streamed can't be said again: it stays as being done
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        if _is_upload(request):
            headers[_DIGEST] = request.state.digest.hexdigest()
        await store.end_request(access.token_id, key, status=response.status_code, headers=headers, body=bytes(body))
    return response


async def _forget(request: Request, now: int) -> None:
    """Now and then: each time would be a write more."""
    state = request.app.state
    if not 0 <= now - getattr(state, "answers_forgotten_at", -FORGET_MS) < FORGET_MS:
        state.answers_forgotten_at = now
        await services(request).store.forget_requests(now - KEPT_MS)


async def _again(request: Request, kept: Kept, key: str, fingerprint: str) -> Response:
    another = InvalidSetting("Idempotency-Key", key, "a key of its own for each request: this one was another's")
    if kept.fingerprint != fingerprint:
        raise another
    if kept.status is None:
        raise Conflict("the first request with this key is being done, or died meanwhile: look what it has done")
    headers = dict(kept.headers)
    if _is_upload(request):
        async for _ in FileBody(request, services(request).settings.timeout_s).pieces():
            pass
        if headers.pop(_DIGEST) != request.state.digest.hexdigest():
            raise another
    return Response(kept.body, kept.status, {**headers, "idempotency-replayed": "true"})


def _is_upload(request: Request) -> bool:
    return request.method == "POST" and bool(request.scope["path"].endswith(UPLOADS))


async def _fingerprint(request: Request) -> str:
    """What makes a request the same. A file that is sent is compared when it has come."""
    scope = request.scope
    body = b"" if _is_upload(request) else await request.body()
    text = f"{request.method} {scope['path']}\n".encode("utf-8", "surrogatepass") + scope["query_string"] + b"\n"
    return hashlib.sha256(text + body).hexdigest()
