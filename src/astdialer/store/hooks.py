"""Events, webhooks and what is on its way to them, in SQLite."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from astdialer.domain.errors import NotFound
from astdialer.domain.hooks import Event, Form, Webhook
from astdialer.ports import Delivery, NewEvent, Tried
from astdialer.store.database import Database, Write, Writing

#: Rows that one transaction removes or changes: dialing goes on between them.
EVENTS, DELIVERIES = 5000, 1000
STATES = ("pending", "delivered", "dead")


class Hooks:
    """Implements ports.HookStore. The engine has no need to notice any of its writes."""

    _db: Database

    async def add_events(self, events: Sequence[NewEvent]) -> None:
        """Events that no trigger knows of."""
        rows = [dataclasses.asdict(event) | {"body": json.dumps(dict(event.body))} for event in events]
        await self._quietly(lambda tx: tx.execute_many("add_happening", rows))

    async def events(self, after: int, limit: int) -> Sequence[Event]:
        """Events with an id above ``after``, in order."""
        rows = await self._db.read("happenings", {"after": after, "limit": limit})
        return [Event(**{**row, "body": json.loads(row["body"])}) for row in rows]

    async def last_event(self) -> int:
        """The newest event's id, 0 before the first."""
        return int((await self._db.read("last_happening"))[0]["id"])

    async def forget_events(self, before: int, most: int) -> int:
        """Remove events that are older, or more than so many; how many."""
        return await self._in_steps("forget_happenings", {"before": before, "most": most}, EVENTS)

    # --- webhooks ----------------------------------------------------------------------------------------------------

    async def webhooks(self) -> Sequence[Webhook]:
        """All, the oldest first."""
        return [_webhook(row) for row in await self._db.read("webhooks")]

    async def add_webhook(self, webhook: Webhook) -> None:
        """A new one."""
        await self._quietly(lambda tx: tx.execute("add_webhook", webhook_row(webhook)))

    async def save_webhook(self, webhook: Webhook) -> None:
        """Raises NotFound."""
        await self._one("save_webhook", webhook_row(webhook))

    async def remove_webhook(self, webhook_id: str) -> None:
        """With whatever was not delivered. Raises NotFound."""
        row = {"id": webhook_id}
        await self._one("disable_webhook", row)  # from here on nothing is added to what is removed
        await self._in_steps("remove_deliveries", row, DELIVERIES)
        await self._one("remove_webhook", row)

    async def _one(self, query: str, row: Mapping[str, Any]) -> None:
        if not await self._quietly(lambda tx: tx.execute(query, row)):
            raise NotFound("webhook", row["id"], "see astdialer webhook list")

    # --- deliveries --------------------------------------------------------------------------------------------------

    async def followed_to(self, name: str) -> int:
        """The last event that a follower has seen."""
        rows = await self._db.read("follower", {"name": name})
        return int(rows[0]["event_id"]) if rows else 0

    async def queue_deliveries(self, follower: str, event_id: int, deliveries: Sequence[Delivery]) -> None:
        """Queue messages and move the follower, in one transaction."""
        rows = [dataclasses.asdict(delivery) for delivery in deliveries]

        async def queue(tx: Writing) -> None:
            await tx.execute_many("add_delivery", rows)
            await tx.execute("move_follower", {"name": follower, "event_id": event_id})

        await self._quietly(queue)

    async def due_webhooks(self, now: int) -> Collection[str]:
        """Ids of the webhooks that have anything to be sent now."""
        return {row["id"] for row in await self._db.read("due_webhooks", {"now": now})}

    async def due_deliveries(self, webhook_id: str, now: int, limit: int) -> Sequence[Delivery]:
        """What is to be sent to a webhook now, what waits longest first."""
        rows = await self._db.read("due_deliveries", {"webhook_id": webhook_id, "now": now, "limit": limit})
        return [Delivery(**row) for row in rows]

    async def note_tries(self, tries: Sequence[Tried]) -> None:
        """What came of messages that were sent. One that somebody has sent again meanwhile is left."""
        rows = [dataclasses.asdict(tried) for tried in tries]
        await self._quietly(lambda tx: tx.execute_many("tried", rows))

    async def give_up(self, webhook_id: str, *, before: int, most: int, why: str) -> int:
        """Messages to a webhook that wait since before an instant, or are more than so many, are dead; how many."""
        row = {"webhook_id": webhook_id, "before": before, "most": most, "why": why}
        return await self._in_steps("give_up", row, DELIVERIES)

    async def deliveries(
        self, webhook_id: str | None, state: str | None, limit: int, after: str = ""
    ) -> Sequence[Delivery]:
        """The newest first; ``after``: those behind this one."""
        row = {"webhook_id": webhook_id, "limit": limit, "after": after}
        found = [
            Delivery(**each)
            for one in ([state] if state else STATES)
            for each in await self._db.read("deliveries", row | {"state": one})
        ]
        return sorted(found, key=lambda each: (each.created_at, each.seq), reverse=True)[:limit]

    async def delivery_counts(self) -> Mapping[str, int]:
        """Messages that are pending, and dead."""
        found = {row["state"]: int(row["n"]) for row in await self._db.read("delivery_counts")}
        return {"pending": 0, "dead": 0} | found

    async def resend(self, delivery_ids: Sequence[str], now: int) -> int:
        """Dead or delivered ones are sent once more, with a new day to live; how many."""
        row = {"ids": json.dumps(list(delivery_ids)), "now": now}
        return int(await self._quietly(lambda tx: tx.execute("resend", row)))

    async def resend_dead(self, webhook_id: str | None, now: int) -> int:
        """All dead ones, of a webhook or of every one; how many."""
        return await self._in_steps("resend_dead", {"webhook_id": webhook_id, "now": now}, DELIVERIES)

    async def forget_deliveries(self, state: str, before: int, most: int) -> int:
        """Remove messages in this state that are older, or more than so many to one webhook; how many."""
        forgotten = await self._in_steps("forget_old_deliveries", {"state": state, "before": before}, DELIVERIES)
        for row in await self._db.read("crowded_webhooks", {"state": state, "most": most}):
            crowd = {"state": state, "webhook_id": row["webhook_id"], "most": most}
            forgotten += await self._in_steps("forget_crowd", crowd, DELIVERIES)
        return forgotten

    async def _in_steps(self, query: str, row: Mapping[str, Any], step: int) -> int:
        total, parameters = 0, {**row, "limit": step}
        while True:
            changed = int(await self._quietly(lambda tx: tx.execute(query, parameters)))
            total += changed
            if changed < step:
                return total

    async def _quietly(self, change: Write) -> Any:
        return await self._db.write(change, quiet=True)


def webhook_row(webhook: Webhook) -> dict[str, Any]:
    """A webhook as it is kept."""
    lists = {"events": json.dumps(list(webhook.events)), "options": json.dumps(dict(webhook.options))}
    return dataclasses.asdict(webhook) | lists


def _webhook(row: Mapping[str, Any]) -> Webhook:
    values = {"events": tuple(json.loads(row["events"])), "options": json.loads(row["options"])}
    return Webhook(**{**row, **values, "form": Form(row["form"]), "enabled": bool(row["enabled"])})
