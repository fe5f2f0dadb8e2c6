"""The browser's side: a page that takes uContact's messages from pages of known origins and asks the API for them.

It speaks as the agent who has logged in on it; the page that sends the messages never sees the token. What each message
asks for is said here; the script only carries it out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from astdialer.http.services import services

#: By action: the endpoint; its form ``fields`` and the message's keys that fill them; ``objects`` that are sent as
#: JSON, the message's own with further keys of the message; what the answer is called in the message that goes back.
ACTIONS: Mapping[str, Mapping[str, Any]] = {
    "call": {
        "path": "Agents/AgentCall",
        "fields": {"outqueue": "campaign", "callerid": "callerid", "destination": "destination"},
        "answer": "guid",
    },
    "callWithPhone": {
        "path": "Agents/AgentCall",
        "fields": {"outqueue": "campaign", "destination": "destination"},
        "answer": "guid",
    },
    "hangup": {"path": "Agents/HangupPhone", "answer": "result"},
    "tag": {"path": "Agents/TagRecord", "fields": {"guid": "guid", "data": "message"}, "answer": "result"},
    "CTI": {"path": "Agents/CTI", "answer": "CTI", "json": True},
    "respool": {
        "path": "Dialers/Respool",
        "objects": {"callspool": {"from": "objetoRespool", "with": {}}},
        "answer": "result",
    },
    "schedule": {
        "path": "Dialers/ScheduleDialerCall",
        "objects": {"callschedule": {"from": "objectDialer", "with": {"calldate": "callDate"}}},
        "answer": "result",
    },
}


def router(prefix: str) -> APIRouter:
    """The page and its script; they ask for no token and say nothing that is not public."""
    made = APIRouter(prefix=prefix)
    made.add_api_route("/proxy.html", _page, methods=["GET"])
    made.add_api_route("/proxy.js", _script, methods=["GET"])
    return made


async def _page(request: Request) -> Response:
    origins = services(request).settings.browser_origins
    settings = json.dumps({"origins": list(origins), "actions": ACTIONS}).replace("<", "\\u003c")
    return HTMLResponse(_file("proxy.html").replace("{settings}", settings), headers=_headers(origins))


async def _script() -> Response:
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}
    return Response(_file("proxy.js"), media_type="text/javascript", headers=headers)


def _headers(origins: Sequence[str]) -> dict[str, str]:
    """Only pages of known origins may hold this one, or be held by it."""
    known = " ".join(("'self'", *origins))
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'unsafe-inline'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-src": known,
        "frame-ancestors": known,
    }
    policy = "; ".join(f"{name} {value}" for name, value in rules.items())
    return {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }


@lru_cache(maxsize=4)
def _file(name: str) -> str:
    return files("astdialer.http.ucontact").joinpath(name).read_text(encoding="utf-8")
