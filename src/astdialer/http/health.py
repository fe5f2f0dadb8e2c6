"""For those who watch over the service: is it alive, can it dial, and its figures for Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from astdialer.domain.access import Access, Forbidden, Permission
from astdialer.domain.errors import Unavailable
from astdialer.http import metrics
from astdialer.http.access import Needs
from astdialer.http.services import Services, services

router = APIRouter(tags=["health"])
#: How long the AGI port may take to be reached.
REACH_S = 1.0


@router.get("/healthz", openapi_extra={"security": []})
async def healthz() -> dict[str, str]:
    """The process is alive. Asks for no token."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    openapi_extra={"security": []},
    responses={503: {"description": "Something that dialing needs is not there; the body says what."}},
)
async def readyz(request: Request) -> Response:
    """Whether calls can be placed: each Asterisk's AMI, the store, and the AGI port. Asks for no token."""
    found = services(request)
    checks = {"store": await _store(found), "agi": await _agi(found), **await _ami(found)}
    ready = all(state == "ok" for state in checks.values())
    return JSONResponse({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)


async def _store(found: Services) -> str:
    try:
        await found.store.last_event()
        view = await found.live.newest()
    except Unavailable:
        return "can't be read"
    return "ok" if view is None or view.get("store_writes", True) else "the last write failed"


async def _agi(found: Services) -> str:
    writer = None
    try:
        async with asyncio.timeout(REACH_S):
            _, writer = await asyncio.open_connection(found.agi.host, found.agi.port)
    except (OSError, TimeoutError):
        return "does not answer"
    finally:
        if writer:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    return "ok"


async def _ami(found: Services) -> dict[str, str]:
    try:
        view = await found.live.view()
    except Unavailable:
        return {"engine": "is not running"}
    return {f"ami {row['server']}": "ok" if row["up"] else "is down" for row in view["servers"]}


@router.get("/metrics", response_class=Response)
async def prometheus(request: Request, access: Annotated[Access, Depends(Needs(Permission.READ))]) -> Any:
    """Figures of the whole installation in Prometheus' text format; not for a tenant's token."""
    if access.tenant:
        raise Forbidden("the figures are of every tenant's campaigns: use a token without a tenant")
    found = services(request)
    return Response(metrics.text(await metrics.gather(found)), media_type=CONTENT_TYPE_LATEST)
