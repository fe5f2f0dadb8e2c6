"""uContact's API as a dialect: its routers, where its token stands, and how it tells errors."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from astdialer.http.dialect import Dialect, Problem
from astdialer.http.ucontact import agents, blacklist, cdr, dialers, outcomes, proxy, records, sessions, supervisor
from astdialer.http.ucontact import uploads as bases

PREFIX, RECORDS = "/Integra", "/records"
#: What is wrong with a request to these is told as the result 0; a header says what it is.
ZERO = ("/AgentCall", "/AgentCallwithData", "/HangupPhone", "/ScheduleDialerCall", "/DialerTask")
#: Whatever is wrong with a request to these is a 400.
BAD_REQUEST = ("/api/DispositionCall",)
WHY = "astdialer-error"


def dialect() -> Dialect:
    """uContact's API."""
    resources = APIRouter(prefix=f"{PREFIX}/resources")
    for part in (sessions, agents, outcomes, blacklist, cdr, dialers, bases, supervisor):
        resources.include_router(part.router)
    router = APIRouter(include_in_schema=False)
    for each in (resources, records.convert_router(PREFIX), records.router(RECORDS), proxy.router(PREFIX)):
        router.include_router(each)
    return Dialect(name="ucontact", prefixes=(PREFIX, RECORDS), router=router, find=sessions.find, tell=tell)


def tell(request: Request, problem: Problem) -> Response:
    """A text with the status; or 0, with the reason in a header."""
    path, status = request.url.path, problem.status
    why = problem.detail or problem.title
    headers = {"x-content-type-options": "nosniff"}
    if path.endswith(ZERO) and status in (400, 404, 409, 422, 503):
        return PlainTextResponse("0", headers=headers | {WHY: _header(why)})
    if path.endswith(BAD_REQUEST) and status in (404, 409, 422):
        status = 400
    if status == 401 and path.startswith(RECORDS):
        headers["www-authenticate"] = 'Basic realm="astdialer"'  # a browser sends name and password only if asked
    return PlainTextResponse(why, status, headers)


def _header(text: str) -> str:
    """The text as a header can have it."""
    return " ".join(text.encode("ascii", "replace").decode().split())[:400]
