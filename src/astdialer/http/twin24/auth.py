"""Logging in: a token's name and its secret for a session, and a session for what came with the one before."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from astdialer.domain.access import Unauthorized
from astdialer.engine import tokens
from astdialer.http.access import STRANGER_BURST, STRANGER_RATE, gate_of
from astdialer.http.services import services
from astdialer.http.twin24.models import Login, Refresh

router = APIRouter(tags=["twin24"])


@router.post("/login")
async def log_in(request: Request, login: Login) -> dict[str, Any]:
    """A session, and what renews it once. ``ttl`` is its life in seconds."""
    found = services(request)
    try:
        made = await tokens.log_in_renewably(
            found.store, found.clock, login.email, login.password, lifetime_s=login.ttl or tokens.SESSION_S
        )
    except Unauthorized:
        _count_stranger(request)
        raise
    return _told(made)


@router.post("/refresh")
async def refresh(request: Request, old: Refresh) -> dict[str, Any]:
    """A new session for the refreshToken of an earlier one, which is of no use any more then."""
    return await _renewed(request, old.refreshToken, old.ttl)


@router.get("/refresh", include_in_schema=False)
async def refresh_by_query(
    request: Request,
    refresh_token: Annotated[str, Query(alias="refreshToken", max_length=200)],
    ttl: Annotated[int | None, Query(ge=1)] = None,
) -> dict[str, Any]:
    """Likewise, as Twin24's own client library asks."""
    return await _renewed(request, refresh_token, ttl)


async def _renewed(request: Request, refresh_token: str, ttl: int | None) -> dict[str, Any]:
    found = services(request)
    try:
        made = await tokens.renew(found.store, found.clock, refresh_token, lifetime_s=ttl or tokens.SESSION_S)
    except Unauthorized:
        _count_stranger(request)
        raise
    return _told(made)


def _count_stranger(request: Request) -> None:
    """Who guesses is soon told to wait. Raises TooMany."""
    peer = request.client.host if request.client else ""
    gate_of(request).take(f"stranger {peer}", STRANGER_RATE, STRANGER_BURST, services(request).clock.now())


def _told(made: tokens.Made) -> dict[str, Any]:
    return {"token": made.secret, "refreshToken": made.refresh}
