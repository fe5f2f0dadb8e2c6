"""Webitel v3 as a dialect: all of its routers."""

from __future__ import annotations

from fastapi import APIRouter

from astdialer.http.dialect import Dialect
from astdialer.http.webitel3 import auth, calendars, dialers, members, results
from astdialer.http.webitel3.answers import NAME

PREFIXES = ("/api/v2/dialer", "/api/v2/calendars", "/login", "/logout")


def dialect() -> Dialect:
    """Webitel's engine, version 3."""
    router = APIRouter()
    for part in (auth, dialers, members, results, calendars):
        router.include_router(part.router)
    return Dialect(name=NAME, prefixes=PREFIXES, router=router, find=auth.find, tell=auth.tell)
