"""Who asks, and whether that may be: every endpoint says which permission it needs."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from astdialer.domain.access import Access, Forbidden, Permission, Role, Unauthorized
from astdialer.engine import tokens
from astdialer.http.dialect import Credentials, Dialect, bearer
from astdialer.http.problems import TooMany
from astdialer.http.services import services

#: A token that was found good is believed so long, ms: revoking one takes that much time at most.
BELIEVED_MS = 2000
#: Tokens, and askers, that are remembered; those that were not seen for longest are forgotten first.
MOST_KNOWN = 10_000
#: Requests a second, and at once, of an address that has no good token.
STRANGER_RATE, STRANGER_BURST = 5.0, 20

#: Whoever asks while [http] tokens is false.
ANYBODY = Access(name="loopback", role=Role.ADMIN, token_id="loopback")


#: What a page in a browser on this machine may send as Host when tokens are not asked for.
_LOOPBACK_HOST = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])?(:[0-9]+)?", re.IGNORECASE)


@dataclass(slots=True)
class Gate:
    """Tokens that were good a moment ago, and how many requests each has left. Derived; a restart forgets it."""

    known: dict[Credentials, tuple[Access, int]] = field(default_factory=dict)  #: with the time of looking it up
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def recall(self, credentials: Credentials, now: int) -> Access | None:
        """Who has been found to hold them a moment ago. A clock that goes back makes no moment longer."""
        access, at = self.known.get(credentials, (None, 0))
        return access if 0 <= now - at < BELIEVED_MS else None

    def remember(self, credentials: Credentials, access: Access, now: int) -> None:
        """They are good."""
        self.known.pop(credentials, None)
        self.known[credentials] = access, now
        _keep_newest(self.known)

    def take(self, who: str, per_second: float, burst: int, now: int) -> None:
        """Count a request. Raises TooMany."""
        bucket = self.buckets.pop(who, None) or Bucket(per_second, burst)
        self.buckets[who] = bucket  # the last ones used stand behind
        _keep_newest(self.buckets)
        bucket.take(now)


def _keep_newest(of: dict[Any, Any]) -> None:
    while len(of) > MOST_KNOWN:
        del of[next(iter(of))]


class Bucket:
    """A token bucket: ``burst`` at once, ``per_second`` on average."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second, self._burst = per_second, float(burst)
        self._left, self._at = float(burst), 0

    def take(self, now: int) -> None:
        """Raises TooMany when nothing is left."""
        elapsed_s = max(0, now - self._at) / 1000 if self._at else 0.0
        self._left = min(self._burst, self._left + elapsed_s * self._per_second)
        self._at = now
        if self._left < 1:
            raise TooMany(math.ceil((1 - self._left) / self._per_second))
        self._left -= 1


async def access_of(request: Request) -> Access:
    """Who asks. Raises Unauthorized and TooMany."""
    known: Access | None = getattr(request.state, "access", None)
    if known is None:
        known = request.state.access = await _ask(request)
    return known


async def check_still_good(request: Request) -> None:
    """For answers that last: raises Unauthorized when the token that a request came with opens nothing any more."""
    if services(request).settings.tokens:
        await _believed(request, _credentials(request))


async def _ask(request: Request) -> Access:
    found, gate = services(request), gate_of(request)
    settings, now = found.settings, found.clock.now()
    if not settings.tokens:
        _check_is_own(request)
        return ANYBODY
    peer = request.client.host if request.client else ""
    credentials = _credentials(request)
    try:
        access = await _believed(request, credentials)
    except Unauthorized:
        gate.take(f"stranger {peer}", STRANGER_RATE, STRANGER_BURST, now)
        raise
    gate.take(access.token_id, settings.rate_per_second, settings.burst, now)
    return access


def _credentials(request: Request) -> Credentials:
    dialect: Dialect | None = request.app.state.dialect_of(request.scope["path"])
    found = dialect.find(request) if dialect else bearer(request)
    if found is None:
        raise Unauthorized("no token: send it as Authorization: Bearer TOKEN (astdialer token create)")
    return found


async def _believed(request: Request, credentials: Credentials) -> Access:
    found, gate = services(request), gate_of(request)
    now = found.clock.now()
    known = gate.recall(credentials, now)
    if known is not None:
        return known
    access = await tokens.verify(found.store, found.clock, credentials.secret, credentials.key)
    gate.remember(credentials, access, now)
    return access


def _check_is_own(request: Request) -> None:
    """Without tokens any page that is open in a browser of this machine could ask us, by our address or by a name of
    its own that leads here. Raises Forbidden for what such a page sends."""
    if not _LOOPBACK_HOST.fullmatch(request.headers.get("host", "")):
        raise Forbidden("[http] tokens is false: only requests to localhost, 127.0.0.1 or [::1] are answered")
    origin = request.headers.get("origin")
    if origin and origin not in services(request).settings.browser_origins:
        raise Forbidden("[http] tokens is false: web pages may ask only if their origin is in browser_origins")


def gate_of(request: Request) -> Gate:
    """The application's gate."""
    gate: Gate = request.app.state.gate
    return gate


class Needs:
    """A dependency: who asks, if its token has the permission, or any of several. Raises Unauthorized, Forbidden and
    TooMany."""

    def __init__(self, *permissions: Permission) -> None:
        self.permission, self.permissions = permissions[0], permissions

    async def __call__(self, request: Request) -> Access:
        access = await access_of(request)
        if not any(access.may(permission) for permission in self.permissions):
            access.require(self.permission)
        return access


def needs_of(dependant: Dependant) -> Needs | None:
    """What an endpoint asks for; None: anybody may ask it."""
    if isinstance(dependant.call, Needs):
        return dependant.call
    return next(filter(None, map(needs_of, dependant.dependencies)), None)


class CheckedRoute(APIRoute):
    """A route that asks who it is before it looks at what was sent: FastAPI reads the body first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the question."""
        handler, needs = super().get_route_handler(), needs_of(self.dependant)

        async def handle(request: Request) -> Response:
            if needs:
                await needs(request)
            return await handler(request)

        return handle


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
