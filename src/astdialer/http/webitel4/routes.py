"""How large a body of one object may be: FastAPI reads it in the thread in which calls go on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response

from astdialer.http.access import CheckedRoute
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.problems import TooLarge

#: The largest member that can be loaded, with every character escaped, has less; bytes.
LARGEST = 524_288


class SmallRoute(CheckedRoute):
    """The route class of whatever takes one object."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler; it raises TooLarge."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if len(await request.body()) > LARGEST:
                raise TooLarge(f"the body has more than {LARGEST} bytes")
            return await handler(request)

        return handle


class SmallIdempotentRoute(SmallRoute, IdempotentRoute):
    """As SmallRoute; a key makes sure that it is done once."""
