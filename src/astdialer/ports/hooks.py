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
    created_at: int  #: or when somebody had it sent again
    retry_at: int
    state: str = "pending"  #: pending, delivered or dead
    tries: int = 0
    delivered_at: int | None = None
    status: int = 0  #: of the last answer, 0 for none
    error: str = ""
    seq: int = 0  #: the store's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of sending a message once: it has arrived, is sent again at ``retry_at``, or is dead."""

    id: str
    created_at: int  #: the delivery's
    state: str
    status: int
    error: str = ""
    retry_at: int | None = None
    delivered_at: int | None = None


class HookStore(Protocol):
    """Events, webhooks and deliveries."""

    async def add_events(self, events: Sequence[NewEvent]) -> None: ...
    async def events(self, after: int, limit: int) -> Sequence[Event]:
        """Events with an id above ``after``, in order."""

    async def last_event(self) -> int:
        """The newest event's id, 0 before the first."""

    async def forget_events(self, before: int, most: int) -> int:
        """Remove events that are older than an instant, or more than so many, but those that a follower has not seen;
        how many."""

    async def webhooks(self) -> Sequence[Webhook]: ...
    async def add_webhook(self, webhook: Webhook) -> None:
        """It is told of what happens from now on."""

    async def save_webhook(self, webhook: Webhook) -> None:
        """Raises NotFound."""

    async def remove_webhook(self, webhook_id: str) -> None:
        """With whatever was not delivered. Raises NotFound."""

    async def followed_to(self, name: str) -> int:
        """The last event that a follower has seen."""

    async def queue_deliveries(self, follower: str, event_id: int, deliveries: Sequence[Delivery]) -> None:
        """Queue messages and move the follower, in one transaction. Those for webhooks that are gone, or disabled, are
        left out."""

    async def due_webhooks(self, now: int) -> Collection[str]:
        """Ids of the webhooks that have anything to be sent now."""

    async def due_deliveries(self, webhook_id: str, now: int, limit: int) -> Sequence[Delivery]: ...
    async def note_tries(self, tries: Sequence[Tried]) -> None:
        """What came of messages that were sent. One that somebody has sent again meanwhile is left."""

    async def give_up(self, webhook_id: str, *, before: int, most: int, why: str) -> int:
        """Messages to a webhook that wait since before an instant, or are more than so many, are dead; how many."""

    async def deliveries(
        self, webhook_id: str | None, state: str | None, limit: int, after: str = ""
    ) -> Sequence[Delivery]:
        """The newest first; ``after``: those behind this one."""

    async def delivery_counts(self) -> Mapping[str, int]:
        """Messages that are ``pending``, and ``dead``."""

    async def resend(self, delivery_ids: Sequence[str], now: int) -> int:
        """Dead or delivered ones are sent once more, with a new day to live; how many."""

    async def resend_dead(self, webhook_id: str | None, now: int) -> int:
        """All dead ones, of a webhook or of every one; how many."""

    async def forget_deliveries(self, state: str, before: int, most: int) -> int:
        """Remove messages in this state that are older, or more than so many to one webhook; how many."""


class Notifier(Protocol):
    """Speaks to other people's HTTP servers."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Raises Unavailable when there is none in time, or the address is not allowed."""

    async def get_json(self, url: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """A JSON object; an empty one for 204 and 404. Raises Unavailable when neither comes, or not in time."""
