"""From whatever is raised to what the one who asked is told, in the words of the API that was asked."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from astdialer.domain.access import Forbidden, Unauthorized
from astdialer.domain.errors import AstdialerError, Conflict, InvalidSetting, NotFound, Unavailable
from astdialer.http.dialect import Dialect, Problem, problem_json

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5
#: Errors of one answer, and characters of a field's name: both come from whoever asks.
MOST_ERRORS, LONGEST_FIELD = 50, 200


class TooMany(AstdialerError):
    """More requests than the token may make."""

    code = "too_many_requests"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"more requests than [http] rate_per_second allows: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class TooLarge(AstdialerError):
    """The body is larger than it may be."""

    code = "too_large"


#: The first that fits counts.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Unauthorized, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooLarge, 413),
    (InvalidSetting, 422),
    (TooMany, 429),
    (Unavailable, 503),
    (AstdialerError, 400),
    (UnicodeError, 422),
    (OverflowError, 422),
)


def problem_of(error: Exception) -> Problem:
    """What an error is to the one who asked."""
    if isinstance(error, HTTPException):
        title = HTTPStatus(error.status_code).phrase
        detail = "" if error.detail == title else str(error.detail)
        return Problem(status=error.status_code, title=title, detail=detail, headers=dict(error.headers or {}))
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    title = HTTPStatus(status).phrase
    if status == 500:
        return Problem(status=status, title=title, detail="a fault of astdialer; its log has more", code="fault")
    if not isinstance(error, AstdialerError):
        return Problem(status=status, title=title, detail="text or numbers that can't be stored", code="invalid")
    errors = [{"field": error.key, "message": str(error)}] if isinstance(error, InvalidSetting) else []
    return Problem(
        status=status, title=title, detail=str(error), code=error.code, errors=errors, headers=_headers(error, status)
    )


def _headers(error: Exception, status: int) -> dict[str, str]:
    if isinstance(error, TooMany):
        return {"retry-after": str(error.retry_after_s)}
    return {"retry-after": str(RETRY_AFTER_S)} if status == 503 else {}


def _of_validation(error: RequestValidationError) -> Problem:
    errors = [{"field": _field_of(each), "message": each["msg"]} for each in error.errors()[:MOST_ERRORS]]
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors[:5])
    return Problem(status=422, title=HTTPStatus(422).phrase, detail=detail, code="invalid", errors=errors)


def _field_of(mistake: Mapping[str, Any]) -> str:
    place: Sequence[int | str] = () if mistake["type"] == "json_invalid" else mistake["loc"]  # else: the byte's number
    name = ".".join(str(part) for part in place if part != "body")[:LONGEST_FIELD] or "body"
    return name.encode("utf-8", "replace").decode()  # it may hold half of a character, which can't be answered


def install(app: FastAPI, dialect_of: Callable[[str], Dialect | None]) -> None:
    """Have every error told by the API that was asked."""

    def handler(log: bool) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def handle(request: Request, error: Exception) -> Response:
            if log:
                logger.error("http.fault", extra={"path": request.scope["path"]}, exc_info=error)
            return tell(request, problem_of(error), dialect_of(request.scope["path"]))

        return handle

    for kind in (HTTPException, RequestValidationError, AstdialerError, UnicodeError, OverflowError):
        app.add_exception_handler(kind, handler(log=False))
    app.add_exception_handler(Exception, handler(log=True))


def tell(request: Request, problem: Problem, dialect: Dialect | None) -> Response:
    """The answer; a 401 says what is asked for."""
    answer = dialect.tell(request, problem) if dialect else problem_json(request, problem)
    if answer.status_code == 401:
        answer.headers.setdefault("www-authenticate", "Bearer")
    for name, value in problem.headers.items():
        answer.headers.setdefault(name, value)
    return answer
