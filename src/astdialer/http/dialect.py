"""What differs between the APIs that are spoken here: where a token stands, and what an error looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response


class Credentials(NamedTuple):
    """A token as it came, and the second secret beside it, if any."""

    secret: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong, in the words of RFC 9457. ``errors`` are ``{field, message}``."""

    status: int
    title: str
    detail: str = ""
    code: str = "error"
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


#: A problem as the dialect tells it.
Tell = Callable[[Request, Problem], Response]
#: Where a dialect's requests have their token; None: there is none.
Find = Callable[[Request], Credentials | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One API. ``prefixes``: the paths that are its own."""

    name: str
    prefixes: tuple[str, ...]
    router: APIRouter
    find: Find
    tell: Tell

    def owns(self, path: str) -> bool:
        """Whether a path is this API's."""
        return any(path == prefix or path.startswith(prefix.rstrip("/") + "/") for prefix in self.prefixes)


def bearer(request: Request, scheme: str = "Bearer") -> Credentials | None:
    """The token of ``Authorization: Bearer …``, or of another scheme."""
    word, _, secret = request.headers.get("authorization", "").partition(" ")
    return Credentials(secret.strip()) if word.lower() == scheme.lower() and secret.strip() else None


def problem_json(request: Request, problem: Problem) -> Response:
    """RFC 9457."""
    body: dict[str, Any] = {
        "type": f"urn:astdialer:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.scope["path"],
    }
    if problem.errors:
        body["errors"] = [dict(each) for each in problem.errors]
    return JSONResponse(body, problem.status, dict(problem.headers), media_type="application/problem+json")
