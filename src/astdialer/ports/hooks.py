"""What has happened, who is told of it, and how it gets there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from astdialer.domain.hooks import Event, Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that no trigger of the store can know of."""

    at: int
    kind: str
    campaign_id: int | None = None
    contact_id: int | None = None
    attempt_id: str = ""
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one webhook."""

    id: str
    webhook_id: str
    event_id: int
    kind: str  #: in the words of the webhook's form
    body: str
    created_at: int
    retry_at: int
    state: str = "pending"  #: pending, delivered or dead
    tries: int = 0
    delivered_at: int | None = None
    status: int = 0  #: of the last answer, 0 for none
    error: str = ""


class HookStore(Protocol):
    """Events, webhooks and deliveries."""

    async def add_events(self, events: Sequence[NewEvent]) -> None: ...
    async def events(self, after: int, limit: int) -> Sequence[Event]:
        """Events with an id above ``after``, in order."""

    async def last_event(self) -> int:
        """The newest event's id, 0 before the first."""

    async def forget_events(self, before: int, limit: int) -> int:
        """Remove events and delivered messages that are older than an instant; how many."""

    async def webhooks(self) -> Sequence[Webhook]: ...
    async def add_webhook(self, webhook: Webhook) -> None: ...
    async def save_webhook(self, webhook: Webhook) -> None:
        """Raises NotFound."""

    async def remove_webhook(self, webhook_id: str) -> None:
        """With whatever was not delivered. Raises NotFound."""

    async def followed_to(self, name: str) -> int:
        """The last event that a follower has seen."""

    async def queue_deliveries(self, follower: str, event_id: int, deliveries: Sequence[Delivery]) -> None:
        """Queue messages and move the follower, in one transaction."""

    async def due_webhooks(self, now: int) -> Collection[str]:
        """Ids of the webhooks that have anything to be sent now."""

    async def due_deliveries(self, webhook_id: str, now: int, limit: int) -> Sequence[Delivery]: ...
    async def delivered(self, delivery_id: str, status: int, now: int) -> None: ...
    async def not_delivered(self, delivery_id: str, *, status: int, error: str, retry_at: int | None) -> None:
        """``retry_at`` None: it is dead."""

    async def deliveries(
        self, webhook_id: str | None, state: str | None, limit: int, after: str = ""
    ) -> Sequence[Delivery]:
        """The newest first."""

    async def delivery_counts(self) -> Mapping[str, int]:
        """Messages that are ``pending``, and ``dead``."""

    async def resend(self, delivery_ids: Sequence[str], now: int) -> int:
        """Dead or delivered ones are sent once more, with a new day to live; how many."""


class Notifier(Protocol):
    """Speaks to other people's HTTP servers."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Raises Unavailable when there is none in time, or the address is not allowed."""

    async def get_json(self, url: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """A JSON object. Raises Unavailable when that is not what comes, or not in time."""
