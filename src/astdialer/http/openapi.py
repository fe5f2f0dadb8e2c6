"""The OpenAPI document: every endpoint with a readable id, and the permission that its token needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI, Request, Response, routing
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi

from astdialer.domain.access import Permission
from astdialer.http.access import needs_of
from astdialer.http.dialect import Dialect

#: The dialect whose endpoints have ids without its name in front.
NATIVE = "native"
PATH = "/v1/openapi.json"
PROBLEM = "application/problem+json"


def install(app: FastAPI) -> None:
    """Serve the document, to anybody. Making it takes a second or two: a thread does it for the first who asks."""
    making, made = asyncio.Lock(), b""

    async def show(_request: Request) -> Response:
        nonlocal made
        async with making:
            made = made or await asyncio.to_thread(lambda: json.dumps(document(app)).encode())
        return Response(made, media_type="application/json")

    app.add_route(PATH, show, include_in_schema=False)


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        found.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
        for path, method, permissions in needed(app):
            operation = found["paths"].get(path, {}).get(method)
            if operation is not None and permissions:
                operation["x-permissions"] = [permission.value for permission in permissions]
        for operations in found["paths"].values():
            for operation in operations.values():
                _only_problem_json(operation)
        app.openapi_schema = found
    return app.openapi_schema


def _only_problem_json(operation: dict[str, Any]) -> None:
    """FastAPI adds to each error's content type its own."""
    for answer in operation["responses"].values():
        if PROBLEM in answer.get("content", {}):
            answer["content"] = {PROBLEM: answer["content"][PROBLEM]}


def needed(app: FastAPI) -> Iterator[tuple[str, str, tuple[Permission, ...]]]:
    """Of every endpoint its path, its method, and the permissions any of which it asks for; none: it asks for none."""
    for route in routing.iter_route_contexts(app.routes):
        dependant: Dependant | None = getattr(route, "dependant", None)
        if dependant is not None:
            needs = needs_of(dependant)
            for method in route.methods or ():
                yield route.path_format or "", method.lower(), needs.permissions if needs else ()


def operation_id(dialect_of: Callable[[str], Dialect | None]) -> Callable[[routing.APIRoute], str]:
    """What an endpoint is called in clients that are made from the document: the name of its function."""

    def name(route: routing.APIRoute) -> str:
        dialect = dialect_of(route.path_format)
        return route.name if dialect is None or dialect.name == NATIVE else f"{dialect.name}_{route.name}"

    return name
