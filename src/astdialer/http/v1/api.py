"""The native API as a dialect: all of its routers."""

from __future__ import annotations

from fastapi import APIRouter

from astdialer.http.dialect import Dialect, bearer, problem_json
from astdialer.http.v1 import (
    adding,
    agents,
    attempts,
    bases,
    blacklist,
    calendars,
    callerids,
    campaign_files,
    campaigns,
    contacts,
    events,
    live,
    outcomes,
    recordings,
    routes,
    statistics,
    tasks,
    tokens,
    trunks,
    verdicts,
    webhooks,
)

PREFIX = "/v1"
#: In the order in which a path is looked up: contacts are what comes most often.
PARTS = (
    adding,
    contacts,
    verdicts,
    campaigns,
    campaign_files,
    bases,
    outcomes,
    tasks,
    blacklist,
    calendars,
    attempts,
    recordings,
    agents,
    trunks,
    routes,
    callerids,
    statistics,
    live,
    tokens,
    webhooks,
    events,
)


def dialect() -> Dialect:
    """Our own API."""
    router = APIRouter(prefix=PREFIX)
    for part in PARTS:
        router.include_router(part.router)
    return Dialect(name="native", prefixes=(PREFIX,), router=router, find=bearer, tell=problem_json)
