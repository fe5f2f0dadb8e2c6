"""Single calls, as the store has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from astdialer.ports.hooks import Delivery


class CallStore(Protocol):
    """Single calls, live or over, and single messages about them."""

    async def attempt(self, guid: str) -> Mapping[str, Any]:
        """An attempt with ``campaign``, ``tenant``, ``base``, and of its recording ``recording_state`` (pending, done,
        none, failed, or None), ``recording_date``, ``recording_s``, ``recording_error``, and ``recording_trim_s``, what
        is cut off its beginning. Raises NotFound."""

    async def cdr(self, guid: str) -> Mapping[str, Any] | None:
        """The record of an attempt; None while it is not over."""

    async def live_attempts(self, tenant: str | None, campaign: str | None = None) -> Sequence[Mapping[str, Any]]:
        """Attempts that are not over, the oldest first, with ``campaign``, ``tenant``, ``base``."""

    async def tag_call(self, guid: str, tag: str) -> None:
        """Say what a call was, live or over; the contact's own tag stays as it is."""

    async def delivery(self, delivery_id: str) -> Delivery:
        """One message to a webhook. Raises NotFound."""
