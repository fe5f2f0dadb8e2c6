"""The stores that the contract is tested on, each database fresh, and hands for working with them.

A further store joins by one line in FACTORIES.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from astdialer.domain.attempt import State
from astdialer.domain.calendar import CallingWindow, Schedule
from astdialer.domain.campaign import Campaign
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import (
    DEFAULT_PRIORITY,
    Contact,
    ContactState,
    NewContact,
    NewNumber,
    Number,
    NumberType,
    Rank,
)
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import RedialRules, after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import DialingRules, Judgement, NumberFacts, judge
from astdialer.ports import BaseUpload, BlacklistEntry, Claim, ClaimRequest, Closing, NewTask, Recording, Store
from astdialer.store import SqliteStore, open_store

NOW = 1_790_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
TODAY = "2026-09-21"  # where NOW is

#: Anybody, at any time, as often as the redial rules have it.
FREELY = DialingRules(
    schedule=Schedule(CallingWindow(start_minute=0, end_minute=1440, weekdays=frozenset(range(7)))), default_zone="UTC"
)


class FixedClock:
    """A clock that stands still."""

    def now(self) -> int:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the store does not sleep")


class FreshDatabase(Protocol):
    """One database of a kind of store; ``open`` may be entered several times, as several processes would."""

    place: str

    def open(self) -> contextlib.AbstractAsyncContextManager[Store]: ...

    async def fill_disk(self, store: Store) -> None:
        """From now on there is no room for anything new."""

    async def free_disk(self, store: Store) -> None: ...


class SqliteFile:
    """A SQLite file. ``place`` is its path."""

    def __init__(self, folder: Path) -> None:
        self.place = str(folder / "store.db")

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Store]:
        async with open_store(Path(self.place), FixedClock()) as store:
            yield store

    async def fill_disk(self, store: Store) -> None:
        await self._limit(store, 1)  # SQLite raises it to the pages there are

    async def free_disk(self, store: Store) -> None:
        await self._limit(store, 1_000_000)

    async def _limit(self, store: Store, pages: int) -> None:
        assert isinstance(store, SqliteStore)
        await store._db._writer.execute_fetchall(f"PRAGMA max_page_count = {pages}")


FACTORIES = {
    "sqlite": SqliteFile,
}


# --- hands -----------------------------------------------------------------------------------------------------------


def phone(n: int) -> str:
    return f"+346{n:08}"


def new_number(n: int, zones: str = "", **values: Any) -> NewNumber:
    known: dict[str, Any] = {"number": phone(n), "as_uploaded": phone(n)[3:], "type": NumberType.MOBILE, "zones": zones}
    return NewNumber(**known | values)


def person(*numbers: int, priority: int = DEFAULT_PRIORITY, zones: str = "", **values: Any) -> NewContact:
    known: dict[str, Any] = {
        "numbers": tuple(new_number(n, zones) for n in numbers),
        "params": {"name": f"Ñandú {numbers[0]}"},
        "priority": priority,
        "agentphone": "",
        "line": 1,
    }
    return NewContact(**known | values)


def task(campaign: Campaign, *numbers: int, zone: str = "", **values: Any) -> NewTask:
    return NewTask(campaign_id=campaign.id, contact=person(*numbers, **{"rank": Rank.TASK} | values), zone=zone)


async def begin(store: Store, campaign: Campaign, base: str = "b", zone: str = "", now: int = NOW) -> BaseUpload:
    return await store.open_upload(campaign.id, base, file_name=f"{base}.csv", timezone=zone, now=now)


async def load(
    store: Store, campaign: Campaign, people: Sequence[NewContact], base: str = "b", zone: str = ""
) -> BaseUpload:
    upload = await begin(store, campaign, base, zone)
    await store.add_contacts(upload, people, NOW)
    await store.publish_uploads([upload], NOW)
    return upload


def request(
    campaign: Campaign,
    limit: int = 100,
    now: int = NOW,
    zones: Sequence[str] | None = None,
    *,
    rules: DialingRules = FREELY,
    full: bool = False,
    **values: Any,
) -> ClaimRequest:
    """``zones``: of the pools that are open, None: all are. ``full``: every trunk is."""

    def find_way(number: Number) -> Way | None:
        return None if full else Way("", "carrier", "")

    def judged(contact: Contact, facts: Mapping[str, NumberFacts]) -> Judgement:
        return judge(contact, rules, facts, find_way, now)

    known: dict[str, Any] = {
        "campaign_id": campaign.id,
        "campaign": campaign.name,
        "server": "default",
        "limit": limit,
        "is_open": lambda pool: zones is None or pool in zones,
        "judge": judged,
        "attempt_ids": [str(uuid.uuid4()) for _ in range(limit)],
        "reason": "no free agent",
        "now": now,
    }
    return ClaimRequest(**known | values)


USUAL = RedialRules()


def closing(
    claim: Claim,
    disposition: Disposition,
    *,
    now: int = NOW,
    rules: RedialRules = USUAL,
    record: bool = False,
    campaign: str = "demo",
    day: str = TODAY,
) -> Closing:
    context = CdrContext(campaign=campaign, base=claim.base, caller_id="100", queue="sales")
    return Closing(
        attempt=replace(claim.attempt, state=State.GONE, gone_at=now),
        disposition=disposition,
        contact=after_attempt(claim.contact, claim.attempt, disposition, rules, now),
        cdr=cdr_of(claim.attempt, disposition, context, now),
        recording=Recording(attempt_id=claim.attempt.id, date="20260921") if record else None,
        now=now,
        day=day,
    )


def forbid(n: int, campaign: str = "*", **values: Any) -> BlacklistEntry:
    known: dict[str, Any] = {
        "number": phone(n),
        "campaign": campaign,
        "reason": "asked",
        "added_by": "ana",
        "added_at": NOW,
    }
    return BlacklistEntry(**known | values)


def numbers_of(claims: Iterable[Claim]) -> list[str]:
    return [claim.attempt.number for claim in claims]


async def cdrs(store: Store, **filters: Any) -> list[Mapping[str, Any]]:
    return [row async for row in store.cdrs(filters, None)]


async def people(store: Store, campaign: str = "demo") -> dict[str, Mapping[str, Any]]:
    """Every dialable contact of a campaign by its main number."""
    return {row["number"]: row for row in await store.contacts({"campaign": campaign}, 1_000_000)}


async def check_counts(store: Store, campaign: Campaign) -> None:
    """The counts are what counting again gives."""
    counts = await store.counts(campaign.id)
    rows = await store.contacts({"campaign": campaign.name}, 1_000_000)
    states = Counter(row["state"] for row in rows)
    survey = await store.survey(campaign.id)
    for state in ContactState:
        word = state.value
        assert getattr(counts, word) == sum(pool[word] for pool in survey) == states[word], word
    waiting = [row["next_at"] for row in rows if row["state"] == "waiting"]
    assert counts.next_due_at == min(waiting, default=None)
    assert dict(counts.dispositions) == Counter(row["disposition"] for row in await cdrs(store, campaign=campaign.name))
