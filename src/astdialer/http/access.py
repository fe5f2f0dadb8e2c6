"""Who asks, and whether that may be: every endpoint says which permission it needs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from fastapi import Request

from astdialer.domain.access import Access, Permission, Role, Unauthorized
from astdialer.engine import tokens
from astdialer.http.dialect import Credentials, Dialect, bearer
from astdialer.http.problems import TooMany
from astdialer.http.services import services

#: A token that was found good is believed so long, ms: revoking one takes that much time at most.
BELIEVED_MS = 2000
#: Tokens that are remembered; beyond it all are looked up anew.
MOST_KNOWN = 10_000
#: Requests a second, and at once, of an address that has no good token.
STRANGER_RATE, STRANGER_BURST = 5.0, 20

#: Whoever asks while [http] tokens is false.
ANYBODY = Access(name="loopback", role=Role.ADMIN, token_id="loopback")


@dataclass(slots=True)
class Gate:
    """Tokens that were good a moment ago, and how many requests each has left. Derived; a restart forgets it."""

    known: dict[Credentials, tuple[Access, int]] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def take(self, who: str, per_second: float, burst: int, now: int) -> None:
        """Count a request. Raises TooMany."""
        if len(self.buckets) > MOST_KNOWN:
            self.buckets.clear()
        bucket = self.buckets.setdefault(who, Bucket(per_second, burst))
        bucket.take(now)


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
            raise TooMany(max(1, round((1 - self._left) / self._per_second)))
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
    dialect: Dialect | None = request.app.state.dialect_of(request.url.path)
    found = dialect.find(request) if dialect else bearer(request)
    if found is None:
        raise Unauthorized("no token: send it as Authorization: Bearer TOKEN (astdialer token create)")
    return found


async def _believed(request: Request, credentials: Credentials) -> Access:
    found, gate = services(request), gate_of(request)
    now = found.clock.now()
    known = gate.known.get(credentials)
    if known and known[1] > now:
        return known[0]
    access = await tokens.verify(found.store, found.clock, credentials.secret, credentials.key)
    if len(gate.known) > MOST_KNOWN:
        gate.known.clear()
    gate.known[credentials] = (access, now + BELIEVED_MS)
    return access


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


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
