"""Requests that come with an Idempotency-Key are done once: the same one again gets the same answer.

As draft-ietf-httpapi-idempotency-key-header says. Answers are kept for a day. What failed is not kept: it may be tried
again with the same key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from astdialer.domain.errors import Conflict, InvalidSetting
from astdialer.http.access import access_of
from astdialer.http.guard import UPLOADS
from astdialer.http.services import services
from astdialer.ports import Kept

KEPT_MS = 86_400_000
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("content-type", "location")


class IdempotentRoute(APIRoute):
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
    await store.forget_requests(now - KEPT_MS)
    fingerprint = await _fingerprint(request)
    kept = await store.begin_request(access.token_id, key, fingerprint, now)
    if kept:
        return _again(kept, key, fingerprint)
    try:
        response = await handler(request)
    except BaseException:
        await store.forget_request(access.token_id, key)
        raise
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    await store.end_request(
        access.token_id, key, status=response.status_code, headers=headers, body=bytes(response.body)
    )
    return response


def _again(kept: Kept, key: str, fingerprint: str) -> Response:
    if kept.fingerprint != fingerprint:
        raise InvalidSetting("Idempotency-Key", key, "a key of its own for each request: this one was another's")
    if kept.status is None:
        raise Conflict("the first request with this key is being done, or died meanwhile: look what it has done")
    return Response(kept.body, kept.status, {**kept.headers, "idempotency-replayed": "true"})


async def _fingerprint(request: Request) -> str:
    """What makes a request the same; a file that is sent is not read for it."""
    body = b"" if request.url.path.endswith(UPLOADS) else await request.body()
    text = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(text + body).hexdigest()
