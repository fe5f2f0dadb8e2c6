"""The native API as a dialect: all of its routers."""

from __future__ import annotations

from fastapi import APIRouter

from astdialer.http.dialect import Dialect, bearer, problem_json
from astdialer.http.v1 import bases, blacklist, calendars, campaign_files, campaigns, contacts, outcomes, tasks

PREFIX = "/v1"


def dialect() -> Dialect:
    """Our own API."""
    router = APIRouter(prefix=PREFIX)
    # Looked up in this order: contacts are what comes most often.
    for part in (contacts, campaigns, campaign_files, bases, outcomes, tasks, blacklist, calendars):
        router.include_router(part.router)
    return Dialect(name="native", prefixes=(PREFIX,), router=router, find=bearer, tell=problem_json)
