"""Whoever reads what is kept, changes it and keeps it again does so alone: of two at once, one would be lost."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

#: Of what is being changed.
_TURNS: WeakValueDictionary[tuple[str, str, int], asyncio.Lock] = WeakValueDictionary()


def turn(dialect: str, kind: str, object_id: int = 0) -> asyncio.Lock:
    """To be held from reading to keeping, of one object or of all of a kind."""
    return _TURNS.setdefault((dialect, kind, object_id), asyncio.Lock())
