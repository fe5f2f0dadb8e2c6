"""Who asks: X-Access-Token, with X-Key where the token is a user's, in headers, query or body."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from astdialer.domain.access import Access, Permission, Unauthorized
from astdialer.engine import tokens
from astdialer.http.access import STRANGER_BURST, STRANGER_RATE, Needs, gate_of
from astdialer.http.dialect import Credentials, Problem, bearer
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.services import Services, provided, services
from astdialer.http.webitel3.answers import Said, error, info, told
from astdialer.http.webitel3.bodies import body_of

router = APIRouter(tags=["webitel3"])
Found = Annotated[Services, Depends(provided)]

_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
#: Tokens in larger bodies are not looked for.
LARGEST_WITH_TOKEN = 64 * 1024
INVALID, EXPIRED, UNKNOWN = "Invalid token", "Token Expired", "Not found token"


class Asks(Needs):
    """As Needs, for this API. ``?domain=`` chooses the tenant for a token without one."""

    async def __call__(self, request: Request) -> Access:
        """Raises Unauthorized, Forbidden, TooMany."""
        access = await super().__call__(request)
        domain = request.query_params.get("domain", "")
        return replace(access, tenant=check_domain(domain)) if domain and not access.tenant else access


def check_domain(domain: str) -> str:
    """Raises Said unless it can be a tenant."""
    if not _DOMAIN.fullmatch(domain):
        raise Said(400, f"domain = {domain[:80]!r}: expected 1 to 64 letters, digits or _ . @ + -")
    return domain


class OnceRoute(IdempotentRoute):
    """As IdempotentRoute, for this API: who asks has to be known before any endpoint is called."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, once the body was looked into for a token."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            await _look_into_body(request)
            return await handler(request)

        return handle


Reads = Annotated[Access, Depends(Asks(Permission.READ))]
Writes = Annotated[Access, Depends(Asks(Permission.CAMPAIGNS))]
Loads = Annotated[Access, Depends(Asks(Permission.CONTACTS))]


def find(request: Request) -> Credentials | None:
    """The token of a request, and its key."""
    in_body: Credentials | None = getattr(request.state, "webitel3_token", None)
    if in_body:
        return in_body
    query, headers = request.query_params, request.headers
    secret = query.get("access_token") or headers.get("x-access-token")
    return Credentials(secret, query.get("x_key") or headers.get("x-key") or None) if secret else bearer(request)


async def _look_into_body(request: Request) -> None:
    """A token may be in the body where there is none elsewhere."""
    if find(request) or len(await request.body()) > LARGEST_WITH_TOKEN:
        return
    try:
        body = await body_of(request)
    except Said:  # who asks is looked at first
        return
    if isinstance(body, dict) and isinstance(body.get("access_token"), str):
        key = body.get("x_key")
        request.state.webitel3_token = Credentials(body["access_token"], key if isinstance(key, str) else None)


def tell(request: Request, problem: Problem) -> Response:
    """Any problem in this API's words."""
    if problem.code != Unauthorized.code:
        return told(request, problem)
    return error(401, _why(request))


def _why(request: Request) -> str:
    """Why a token is not good, as far as Webitel would tell."""
    found = find(request)
    claims = tokens.claims(found.secret) if found else None
    if found is None or claims is None:
        return INVALID
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= services(request).clock.now():
        return EXPIRED
    if claims.get("t") == "domain":
        return UNKNOWN
    return "Invalid User" if found.key else "Invalid Token or Key"


# --- logging in and out ----------------------------------------------------------------------------------------------


@router.post("/login")
async def login(request: Request, found: Found) -> Response:
    """A user's token and its key, for the name of a token and its secret as the password."""
    body = await body_of(request)
    given = body if isinstance(body, dict) else {}
    name, password = given.get("username"), given.get("password")
    _slow_down(request)
    if not isinstance(name, str) or not isinstance(password, str) or not name:
        return JSONResponse({"status": 401, "message": "Invalid credentials"}, 401)
    try:
        made = await tokens.log_in(found.store, found.clock, name, password, jwt=True)
    except Unauthorized:
        return error(401, "secret incorrect")
    token = made.token
    return JSONResponse(
        {
            "key": made.key,
            "token": made.secret,
            "expires": token.expires_at,
            "username": token.name,
            "domain": token.tenant,
            "roleName": token.role.value,
        }
    )


def _slow_down(request: Request) -> None:
    """Whoever tries passwords has as many tries as one without a token has requests. Raises TooMany."""
    peer = request.client.host if request.client else ""
    now = services(request).clock.now()
    gate_of(request).take(f"login {peer}", STRANGER_RATE, STRANGER_BURST, now)


@router.post("/logout")
async def logout(request: Request, found: Found) -> Response:
    """End the session of a user's token."""
    await _look_into_body(request)
    credentials: Any = find(request)
    if credentials is None or not credentials.key:
        return JSONResponse({"status": 401, "message": "Invalid credentials"}, 401)
    await tokens.verify(found.store, found.clock, credentials.secret, credentials.key)
    await tokens.log_out(found.store, found.clock, credentials.secret)
    gate_of(request).known.pop(credentials, None)
    return info("Successful logout.")
