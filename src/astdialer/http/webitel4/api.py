"""Webitel v4 as a dialect: where its tokens stand, what its errors look like, and all of its endpoints."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from astdialer.http.dialect import Credentials, Dialect, Problem, bearer
from astdialer.http.webitel4 import agents, attempts, buckets, calls, members, queues

#: Webitel's own base, and none: clients have either in the address that they are given.
BASES = ("", "/api")
PATHS = ("/call_center", "/calls")
TOKENS = ("x-webitel-access", "x-access-token")


def find(request: Request) -> Credentials | None:
    """X-Webitel-Access, the older X-Access-Token, or Bearer."""
    for header in TOKENS:
        if secret := request.headers.get(header, "").strip():
            return Credentials(secret)
    return bearer(request)


def tell(_request: Request, problem: Problem) -> Response:
    """Webitel's envelope. It has no 422: what can't be is a bad request."""
    status = 400 if problem.status == 422 else problem.status
    code = problem.code if problem.code.endswith("app_error") else f"app.{problem.code}"
    body = {
        "id": code,
        "detail": problem.detail or problem.title,
        "status": HTTPStatus(status).phrase,
        "code": status,
    }
    return JSONResponse(body, status, dict(problem.headers))


def dialect() -> Dialect:
    """Webitel v4."""
    router = APIRouter()
    for base in BASES:
        # attempts before queues and members: their paths are more particular
        for part in (*(one.router for one in (attempts, buckets, members, queues, agents, calls)), members.many):
            router.include_router(part, prefix=base, include_in_schema=not base)
    prefixes = tuple(base + path for base in BASES for path in PATHS)
    return Dialect(name="webitel4", prefixes=prefixes, router=router, find=find, tell=tell)
