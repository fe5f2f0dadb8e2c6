"""The FastAPI application: every API that is spoken here, over one set of services."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi

from astdialer.http import health, problems
from astdialer.http.access import Gate
from astdialer.http.dialect import Dialect
from astdialer.http.feed import Feed
from astdialer.http.guard import Guard
from astdialer.http.services import Services

DESCRIPTION = """\
The outbound dialer for people who run their own Asterisk.

Send a token (`astdialer token create`) as `Authorization: Bearer TOKEN`. Instants are milliseconds since 1970 UTC.
Numbers may be written as an upload takes them. Errors are problem+json (RFC 9457) and name the field."""


def make(services: Services, dialects: Sequence[Dialect]) -> FastAPI:
    """The application."""
    app = FastAPI(
        title="astdialer",
        version=version("astdialer"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        separate_input_output_schemas=False,
    )

    def dialect_of(path: str) -> Dialect | None:
        return next((dialect for dialect in dialects if dialect.owns(path)), None)

    app.state.services, app.state.dialect_of, app.state.gate = services, dialect_of, Gate()
    app.state.feed = Feed(services)
    problems.install(app, dialect_of)
    app.include_router(health.router)
    for dialect in dialects:
        app.include_router(dialect.router)
    app.add_middleware(Guard, settings=services.settings, dialect_of=dialect_of)
    if services.settings.browser_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(services.settings.browser_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["location", "retry-after", "idempotency-replayed"],
        )
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The document, with the token that every endpoint but a few asks for."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemes = {"token": {"type": "http", "scheme": "bearer"}}
        found.setdefault("components", {})["securitySchemes"] = schemes
        found["security"] = [{"token": []}]
        app.openapi_schema = found
    return app.openapi_schema
