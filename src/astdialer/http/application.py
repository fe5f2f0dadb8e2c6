"""The FastAPI application: every API that is spoken here, over one set of services."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import iter_route_contexts

from astdialer.http import health, openapi, problems
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
    """The application, with all of its routes made: FastAPI would make them one by one when they are first asked for,
    which together takes most of a second. Meant for a thread."""

    def dialect_of(path: str) -> Dialect | None:
        return next((dialect for dialect in dialects if dialect.owns(path)), None)

    app = FastAPI(
        title="astdialer",
        version=version("astdialer"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        separate_input_output_schemas=False,
        generate_unique_id_function=openapi.operation_id(dialect_of),
    )
    app.state.services, app.state.dialect_of, app.state.gate = services, dialect_of, Gate()
    app.state.feed = Feed(services)
    problems.install(app, dialect_of)
    openapi.install(app)
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
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    deque(iter_route_contexts(app.routes), maxlen=0)
    return app
