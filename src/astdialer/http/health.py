"""For those who watch over the service: is it alive, can it dial, and its figures for Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from astdialer.domain.access import Access, Permission
from astdialer.domain.errors import Unavailable
from astdialer.http import metrics
from astdialer.http.access import Needs
from astdialer.http.services import Services, services

router = APIRouter(tags=["health"])
#: How long the AGI port may take to be reached.
REACH_S = 1.0
#: What was found is told again for so long, ms: anybody may ask, as often as they like.
FRESH_MS = 1000


@dataclass(slots=True)
class Findings:
    """What the last look at everything has found."""

    at: int = -FRESH_MS
    checks: Mapping[str, str] = field(default_factory=dict)
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", openapi_extra={"security": []})
async def healthz() -> dict[str, str]:
    """The process is alive. Asks for no token."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    openapi_extra={"security": []},
    responses={503: {"description": "Something that dialing needs is not there; the body says what."}},
)
async def readyz(request: Request) -> Response:
    """Whether calls can be placed: each Asterisk's AMI, the store, the AGI port, and what runs beside the engine. Asks
    for no token."""
    checks = await _checks(services(request), _findings(request))
    ready = all(state == "ok" for state in checks.values())
    return JSONResponse({"status": "ready" if ready else "not ready", "checks": dict(checks)}, 200 if ready else 503)


def _findings(request: Request) -> Findings:
    state = request.app.state
    if not hasattr(state, "findings"):
        state.findings = Findings()
    kept: Findings = state.findings
    return kept


async def _checks(found: Services, findings: Findings) -> Mapping[str, str]:
    async with findings.looking:
        now = found.clock.now()
        if not 0 <= now - findings.at < FRESH_MS:
            findings.checks = {
                "store": await _store(found),
                "agi": await _agi(found),
                **await _ami(found),
                **found.beside(),
            }
            findings.at = now
        return findings.checks


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
            _, writer = await asyncio.open_connection(_reached_at(found.agi.host), found.agi.port)
    except (OSError, TimeoutError):
        return "does not answer"
    finally:
        if writer:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    return "ok"


def _reached_at(host: str) -> str:
    """Where this machine reaches what listens at ``host``, which may be all of its addresses."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host or "0.0.0.0").is_unspecified:
            return "::1" if ":" in host else "127.0.0.1"
    return host


async def _ami(found: Services) -> dict[str, str]:
    try:
        view = await found.live.view()
    except Unavailable:
        return {"engine": "is not running"}
    return {f"ami {row['server']}": "ok" if row["up"] else "is down" for row in view["servers"]}


@router.get("/metrics", response_class=Response)
async def prometheus(request: Request, access: Annotated[Access, Depends(Needs(Permission.READ))]) -> Any:
    """Figures in Prometheus' text format. A tenant's token is shown those of its own campaigns alone."""
    found = services(request)
    return Response(metrics.text(await metrics.gather(found, access)), media_type=CONTENT_TYPE_LATEST)
