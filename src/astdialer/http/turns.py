"""Whoever reads a kept document, changes it and keeps it again does so alone: of two at once, one would be lost."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

#: Of the documents that are being changed.
_TURNS: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()


def turn(kind: str, object_id: int) -> asyncio.Lock:
    """To be held from reading a document to keeping it."""
    return _TURNS.setdefault((kind, object_id), asyncio.Lock())
