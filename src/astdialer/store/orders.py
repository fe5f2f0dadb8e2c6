"""What others ask of the running engine and its agents, in SQLite."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.errors import NotFound
from astdialer.ports import Offer, Order
from astdialer.store.database import Database, Writing

#: What is said of an order that no engine was there for.
NOBODY = "no engine took it in time: is astdialer serve running?"


#: Orders are kept for those who wait for an answer, and a day for those who want to know.
KEPT_MS = 86_400_000


class Orders:
    """Implements ports.OrderStore."""

    _db: Database

    async def give_order(self, order: Order) -> None:
        """Ask the engine for something."""
        row = dataclasses.asdict(order) | {"body": json.dumps(dict(order.body), ensure_ascii=False)}
        await self._db.write(lambda tx: tx.execute("give_order", row))

    async def order(self, order_id: str) -> Order:
        """An order as it stands; raises NotFound."""
        rows = await self._db.read("order", {"id": order_id})
        if not rows:
            raise NotFound("order", order_id)
        return _order(rows[0])

    async def take_orders(self, now: int) -> Sequence[Order]:
        """New orders in the order in which they were given, each to one taker; those that came too late fail."""
        if not await self._db.read("new_orders"):  # asked for all the time, and a write waits for the disk
            return []
        taken: list[Order] = await self._db.write(lambda tx: _take(tx, now))
        return taken

    async def order_done(self, order_id: str, *, result: str, failed: bool = False) -> None:
        """What came of an order."""
        row = {"id": order_id, "state": "failed" if failed else "done", "result": result}
        await self._db.write(lambda tx: tx.execute("set_order", row))

    async def make_offer(self, offer: Offer) -> None:
        """Ask an agent about a call."""
        row = dataclasses.asdict(offer)
        await self._db.write(lambda tx: tx.execute("make_offer", row))

    async def limit_offer(self, attempt_id: str, expires_at: int) -> None:
        """Until when the agent may answer."""
        row = {"attempt_id": attempt_id, "expires_at": expires_at}
        await self._db.write(lambda tx: tx.execute("limit_offer", row))

    async def offers(self) -> Sequence[Offer]:
        """All that have not been withdrawn, the oldest first."""
        return [Offer(**row) for row in await self._db.read("offers")]

    async def answer_offer(self, attempt_id: str, answer: str) -> bool:
        """Whether the offer was there and had no answer yet."""
        row = {"attempt_id": attempt_id, "answer": answer}
        return bool(await self._db.write(lambda tx: tx.execute("answer_offer", row)))

    async def withdraw_offer(self, attempt_id: str) -> None:
        """The agent is not asked any more."""
        await self._db.write(lambda tx: tx.execute("withdraw_offer", {"attempt_id": attempt_id}))


async def _take(tx: Writing, now: int) -> list[Order]:
    await tx.execute("forget_orders", {"before": now - KEPT_MS})
    orders = [_order(dict(row)) for row in await tx.fetch("new_orders")]
    late = [order for order in orders if order.expires_at <= now]
    taken = [dataclasses.replace(order, state="taken") for order in orders if order.expires_at > now]
    await tx.execute_many("set_order", [{"id": each.id, "state": "failed", "result": NOBODY} for each in late])
    await tx.execute_many("set_order", [{"id": each.id, "state": "taken", "result": ""} for each in taken])
    return taken


def _order(row: Mapping[str, Any]) -> Order:
    return Order(**{**row, "body": json.loads(row["body"])})
