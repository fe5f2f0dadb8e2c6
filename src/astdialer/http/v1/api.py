"""The native API as a dialect: all of its routers."""

from __future__ import annotations

from fastapi import APIRouter

from astdialer.http.dialect import Dialect, bearer, problem_json
from astdialer.http.v1 import (
    agents,
    attempts,
    callerids,
    campaigns,
    events,
    live,
    recordings,
    routes,
    statistics,
    tokens,
    trunks,
    webhooks,
)

PREFIX = "/v1"


def dialect() -> Dialect:
    """Our own API."""
    router = APIRouter(prefix=PREFIX)
    for part in (
        *(campaigns, attempts, recordings, agents, trunks, routes, callerids, statistics, live),
        *(tokens, webhooks, events),
    ):
        router.include_router(part.router)
    return Dialect(name="native", prefixes=(PREFIX,), router=router, find=bearer, tell=problem_json)
