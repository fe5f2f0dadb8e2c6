"""The engine's part of the store: claim, follow, close."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from astdialer.domain.attempt import Attempt
from astdialer.domain.cause import EndCause
from astdialer.domain.contact import REMOVED, Contact, ContactState
from astdialer.domain.retry import ended
from astdialer.domain.selection import NumberFacts
from astdialer.ports import CampaignCounts, Claim, Claimed, ClaimRequest, Closing, Converted, Learned, Recording
from astdialer.ports.removal import REMOVE
from astdialer.store.claim import barred_until, claim, facts_of, with_numbers
from astdialer.store.contact_write import save_contacts
from astdialer.store.database import Database, Writing
from astdialer.store.removal import take_away
from astdialer.store.rows import attempt_of, attempt_row


class Attempts:
    """Implements ports.AttemptStore."""

    _db: Database

    async def zones(self, campaign_id: int) -> Sequence[str]:
        """The zones of the campaign's pools."""
        return [row["zones"] for row in await self._db.read("zones", {"campaign_id": campaign_id})]

    async def bound_buckets(self, campaign_id: int) -> Sequence[str]:
        """Buckets and agents that alone may have some of the campaign's contacts, and that have any to call."""
        return [row["bucket"] for row in await self._db.read("bound_buckets", {"campaign_id": campaign_id})]

    async def claim(self, request: ClaimRequest) -> Claimed:
        """Take due contacts and write their attempts."""
        claimed: Claimed = await self._db.write(lambda tx: claim(tx, request))
        return claimed

    async def facts(self, numbers: Sequence[str], campaign: str, now: int) -> Mapping[str, NumberFacts]:
        """What is known about numbers beyond their contacts."""
        return await facts_of(self._db, numbers, campaign, now)

    async def next_due(self, campaign_id: int) -> int | None:
        """When the earliest waiting contact is due."""
        at: int | None = (await self._db.read("next_due", {"campaign_id": campaign_id}))[0]["next_at"]
        return at

    async def save_attempts(self, attempts: Sequence[Attempt]) -> None:
        """What became known about open attempts."""
        rows = [attempt_row(attempt) for attempt in attempts]
        await self._db.write(lambda tx: tx.execute_many("save_attempt", rows))

    async def close(self, closings: Sequence[Closing]) -> None:
        """Close attempts, each once."""

        await self._db.write(lambda tx: _close(tx, closings))

    async def open_attempts(self, server: str | None = None) -> Sequence[Claim]:
        """Attempts that are not closed, with their contacts."""

        async def find(tx: Writing) -> list[Claim]:
            rows = [dict(row) for row in await tx.fetch("open_attempts", {"server": server})]
            ids = json.dumps([row["contact_id"] for row in rows])
            found = [dict(row) for row in await tx.fetch("contacts_by_id", {"ids": ids})]
            contacts = {contact.id: contact for contact in await with_numbers(tx, found)}
            return [
                Claim(attempt=attempt_of(row), contact=contacts[row["contact_id"]], base=row["base"]) for row in rows
            ]

        claims: list[Claim] = await self._db.write(find)
        return claims

    async def is_blacklisted(self, number: str, campaign: str, now: int) -> bool:
        """Whether the number may not be dialed for the campaign."""
        return bool(await barred_until(self._db, [number], campaign, now))

    async def counts(self, campaign_id: int) -> CampaignCounts:
        """How the campaign's contacts stand."""
        key = {"campaign_id": campaign_id}
        states = {row["state"]: row["n"] for row in await self._db.read("contact_counts", key)}
        dispositions = {row["disposition"]: row["n"] for row in await self._db.read("disposition_counts", key)}
        return CampaignCounts(
            ready=states.get("ready", 0),
            waiting=states.get("waiting", 0),
            in_call=states.get("in_call", 0),
            held=states.get("held", 0),
            done=states.get("done", 0),
            next_due_at=await self.next_due(campaign_id),
            dispositions=dispositions,
        )

    async def due_recordings(self, now: int, limit: int) -> Sequence[Recording]:
        """Recordings to convert now."""
        rows = await self._db.read("due_recordings", {"now": now, "limit": limit})
        return [Recording(**row) for row in rows]

    async def recording_done(self, attempt_id: str, converted: Converted | None, now: int) -> None:
        """The MP3 is there, or nothing was recorded."""
        row = {
            "attempt_id": attempt_id,
            "state": "done" if converted else "none",
            "path": str(converted.path) if converted else "",
            "duration_s": converted.duration_s if converted else None,
            "done_at": now,
        }
        await self._db.write(lambda tx: tx.execute("recording_done", row))

    async def recording_failed(self, attempt_id: str, error: str, retry_at: int | None) -> None:
        """Try again at ``retry_at``, or never."""
        state = "failed" if retry_at is None else "pending"
        row = {"attempt_id": attempt_id, "state": state, "error": error, "retry_at": retry_at}
        await self._db.write(lambda tx: tx.execute("recording_failed", row))

    async def publish_live_view(self, engine: str, view: Mapping[str, Any], now: int) -> None:
        """What the engine sees now."""
        row = {"engine": engine, "now": now, "body": json.dumps(view, ensure_ascii=False)}
        await self._db.write(lambda tx: tx.execute("publish_live_view", row))

    async def withdraw_live_view(self, engine: str) -> None:
        """The engine ends."""
        await self._db.write(lambda tx: tx.execute("withdraw_live_view", {"engine": engine}))

    async def learned(self, campaign_id: int) -> Learned | None:
        """What predictive dialing knew of a campaign when it was last written down."""
        rows = await self._db.read("learned", {"campaign_id": campaign_id})
        return Learned(**rows[0]) if rows else None

    async def save_learned(self, campaign_id: int, body: str, now: int) -> None:
        """Keep what predictive dialing knows of a campaign."""
        row = {"campaign_id": campaign_id, "body": body, "now": now}
        await self._db.write(lambda tx: tx.execute("save_learned", row))

    async def first_call_at(self, campaign: str, from_at: int) -> int | None:
        """When the first of the campaign's calls began that have ended, from an instant on."""
        rows = await self._db.read("first_call_at", {"campaign": campaign, "from_at": from_at})
        return int(rows[0]["at"]) if rows[0]["at"] is not None else None

    def writes(self) -> bool:
        """Whether the last write went through."""
        return not self._db.last_write_failed

    async def changed_elsewhere(self) -> bool:
        """Whether another process has changed anything since the last call."""
        return await self._db.changed_elsewhere()


async def _close(tx: Writing, closings: Sequence[Closing]) -> None:
    """Each attempt once: what is closed already stays as it is."""
    ids = json.dumps([closing.attempt.id for closing in closings])
    still_open = {row["id"]: row["ends_after_call"] for row in await tx.fetch("still_open", {"ids": ids})}
    new = list({c.attempt.id: c for c in closings if c.attempt.id in still_open}.values())
    endings = [_ending(closing) for closing in new]
    await tx.execute_many("save_attempt", [attempt_row(closing.attempt) for closing in new])
    for query in ("close_attempt", "count_disposition", "count_campaign_day", "count_trunk_day"):
        await tx.execute_many(query, endings)
    await tx.execute_many("count_agent", [row for closing in new if (row := _agent_row(closing))])
    await tx.execute_many("insert_cdr", [dataclasses.asdict(closing.cdr) for closing in new])
    for closing in new:
        called_off = still_open[closing.attempt.id]
        left = _left(closing, REMOVED if called_off == REMOVE else called_off)
        await save_contacts(tx, [left], closing.now)
        if called_off == REMOVE:
            await take_away(tx, left.campaign_id, [left], closing.now)
    await tx.execute_many("called_off", [{"id": closing.contact.id} for closing in new])
    await tx.execute_many("queue_recording", [_ending(c) | {"date": c.recording.date} for c in new if c.recording])


def _agent_row(closing: Closing) -> dict[str, Any] | None:
    """The call in the day of the agent who took it, or for whom it was meant."""
    attempt = closing.attempt
    agent = attempt.agent or attempt.reserved_agent
    if not agent:
        return None
    talked = attempt.connected_at is not None
    return {
        "agent": agent,
        "campaign_id": attempt.campaign_id,
        "day": closing.day,
        "offered": 1,
        "answered": int(talked),
        "talk_s": closing.cdr.talk_s if talked else 0.0,
    }


def _left(closing: Closing, called_off: str) -> Contact:
    """The contact as the rules leave it, or ended if somebody called it off during the call."""
    if called_off and closing.contact.state is not ContactState.DONE:
        return ended(closing.contact, called_off, EndCause.MANAGER_REQUEST)
    return closing.contact


def _ending(closing: Closing) -> dict[str, Any]:
    return {
        "id": closing.attempt.id,
        "campaign_id": closing.attempt.campaign_id,
        "trunk": closing.attempt.trunk,
        "disposition": closing.disposition,
        "day": closing.day,
        "now": closing.now,
    }
