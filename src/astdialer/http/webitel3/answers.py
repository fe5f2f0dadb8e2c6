"""What answers look like: the envelopes of Webitel's engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from astdialer.domain.errors import AstdialerError
from astdialer.http.dialect import Problem

NAME = "webitel3"
_CODE = f"{NAME}:"


class Said(AstdialerError):
    """An error with the status that this API gives it."""

    def __init__(self, status: int, info: str) -> None:
        super().__init__(info)
        self.status, self.code = status, f"{_CODE}{status}"


def done() -> JSONResponse:
    """Nothing to say but that it was done."""
    return JSONResponse({"status": "OK"})


def data(value: Any) -> JSONResponse:
    """What was asked for."""
    return JSONResponse({"status": "OK", "data": value})


def info(value: Any) -> JSONResponse:
    """The other envelope: of callbacks, terminate, reset and history."""
    return JSONResponse({"status": "OK", "info": value})


def inserted(ids: Sequence[str]) -> JSONResponse:
    """What MongoDB's driver says of an insert."""
    count = len(ids)
    return data({"result": {"ok": 1, "n": count}, "ops": [], "insertedCount": count, "insertedIds": list(ids)})


def updated() -> JSONResponse:
    """And of an update of one."""
    return data({"ok": 1, "nModified": 1, "n": 1})


def deleted(count: int = 1) -> JSONResponse:
    """And of a removal."""
    return data({"ok": 1, "n": count})


def error(status: int, words: str) -> JSONResponse:
    """The envelope of errors."""
    return JSONResponse({"status": "error", "info": words}, status)


def told(request: Request, problem: Problem) -> Response:
    """A problem in this API's words; who is not known is told by auth.tell."""
    if problem.code.startswith(_CODE):
        return error(int(problem.code.removeprefix(_CODE)), problem.detail)
    if problem.code == "error" and problem.status in (404, 405):  # Webitel knows no wrong methods
        url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return error(404, f"{url} not found.")
    status = 400 if problem.status in (409, 422) else problem.status
    return error(status, problem.detail or problem.title)
