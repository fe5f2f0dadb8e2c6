"""Twin24's API as a dialect: where it is, and how it says what is wrong."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from astdialer.http.dialect import Dialect, Problem, bearer
from astdialer.http.twin24 import auth, candidates, sessions, single, tasks

#: Where Twin24 has each part; the first is in the OpenAPI document. A client may have a host for each.
TELEPHONY = ("/api/v1/telephony", "/cis/api/v1/telephony")
AUTH = ("/api/v1/auth", "/iam/api/v1/auth")
ANALYSIS = ("/api/v1/search/cis", "/analyse/api/v1/search/cis")

#: Its clients know 200, 204, 400, 401, 402, 403 and 429; others are told as they are.
_STATUS = {409: 400, 413: 400, 422: 400}


def dialect() -> Dialect:
    """autoCall and what belongs to it."""
    router = APIRouter(responses=PROBLEMS)
    parts = ((TELEPHONY, (tasks, single, candidates)), (AUTH, (auth,)), (ANALYSIS, (sessions,)))
    for prefixes, modules in parts:
        for at, prefix in enumerate(prefixes):
            for module in modules:
                router.include_router(module.router, prefix=prefix, include_in_schema=at == 0)
    return Dialect(name="twin24", prefixes=(*TELEPHONY, *AUTH, *ANALYSIS), router=router, find=bearer, tell=tell)


def tell(_request: Request, problem: Problem) -> Response:
    """``message`` says what is wrong and how to mend it, ``errors`` in which field."""
    status = _STATUS.get(problem.status, problem.status)
    body: dict[str, Any] = {"code": status, "message": problem.detail or problem.title}
    if problem.errors:
        body["errors"] = [dict(each) for each in problem.errors]
    return JSONResponse(body, status, dict(problem.headers))


def _problem(words: str) -> dict[str, Any]:
    example = {"code": 400, "message": "cps = 7: expected …", "errors": [{"field": "cps", "message": "…"}]}
    return {"description": words, "content": {"application/json": {"schema": {"type": "object"}, "example": example}}}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: _problem("The request can't be done as it is; the answer names the field."),
    401: _problem("No token, or none that is good."),
    403: _problem("The token's role does not allow it."),
    404: _problem("There is no such task or candidate, or it is another tenant's."),
    405: _problem("The path has other methods."),
    422: _problem("Never: it is told as 400."),
    429: _problem("Too many requests; Retry-After says when to come again."),
    503: _problem("The store is not there."),
}
