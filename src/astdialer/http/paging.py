"""Long lists in pages: a cursor is where the last one ended, opaque to whoever sends it back."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from astdialer.domain.errors import InvalidSetting

#: Items of a page unless asked otherwise, and at most.
USUAL, MOST = 100, 1000


def cursor_of(*place: str | int) -> str:
    """A cursor for a place in an order."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).rstrip(b"=").decode()


def place_of(cursor: str | None, *kinds: type[Any]) -> tuple[Any, ...] | None:
    """The place that a cursor stands for; None for no cursor. Raises InvalidSetting."""
    if cursor is None:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if [type(each) for each in place] != list(kinds):
            raise ValueError(cursor)
    except (ValueError, TypeError, RecursionError):
        raise InvalidSetting("cursor", cursor[:80], "the next of an earlier answer, as it was") from None
    return tuple(place)


def page(rows: Sequence[Any], limit: int, *place: str | int) -> dict[str, Any]:
    """A page of rows, of which ``place`` is the last one's; a full page may have another behind it."""
    return {"items": list(rows), "next": cursor_of(*place) if rows and len(rows) == limit else None}
