"""SQLite: the statements of the dialing loop use their indexes, and do no more work at a million contacts.

Work is counted in steps of SQLite's machine, which are the same on every computer: a step is about one column of one
row, so that reading all contacts takes some millions.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from stores import DAY, HOUR, NOW, FixedClock, forbid, load, person, request

from astdialer.domain.campaign import Campaign
from astdialer.domain.settings import ContactStrategy, Settings
from astdialer.ports import CallSearch
from astdialer.store import SqliteStore, open_store, queries

CONTACTS = 1_000_000
POOLS = 4
#: Far above what any of them needs, far below what reading a pool takes.
MOST_STEPS = 100_000

CONTACT_ROWS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :contacts)
INSERT INTO contacts (id, upload_id, base_id, campaign_id, pool_id, main_number, state, rank, priority, last_call_at,
  next_at, deferred, expires_at, held_until, params, agentphone, line)
SELECT i, 1, 1, 1, 1 + i % :pools, '+346' || printf('%08d', i),
  CASE WHEN i % 100 = 99 THEN 'held' WHEN i % 2 THEN 'ready' ELSE 'waiting' END,
  CASE WHEN i % 5000 < 4 THEN 0 ELSE 2 END, i * 7919 % 100, CASE WHEN i % 16 > 7 THEN :now - i ELSE 0 END,
  CASE WHEN i % 100 = 99 OR i % 2 = 0 THEN :now + (i * 6007 % 1000000 - 2000) * 1000 END, i % 6 = 0,
  CASE WHEN i % 3 = 0 THEN :now + i * 1000 END, CASE WHEN i % 100 = 99 THEN :now + (i - 2000) * 1000 END, '{}', '', i
FROM n
"""
NUMBER_ROWS = """
INSERT INTO numbers (contact_id, position, number, as_uploaded, type, next_at)
SELECT id, 0, main_number, substr(main_number, 4), 'M', coalesce(next_at, 0) FROM contacts
"""
INDEXES = (
    "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name IN ('contacts', 'numbers') AND sql <> ''"
)
COUNTS = "INSERT INTO contact_counts SELECT pool_id, state, count(*) FROM contacts GROUP BY pool_id, state"


def fill(connection: sqlite3.Connection) -> None:
    """A published base of a million contacts in every state, made without its indexes, which come at the end."""
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("INSERT INTO bases VALUES (1, 1, 'b', '', 0)")
    connection.execute("INSERT INTO uploads VALUES (1, 1, 1, 'f.csv', 'published', 0, 0, 0, '')")
    for pool in range(1, POOLS + 1):
        connection.execute("INSERT INTO pools VALUES (?, 1, 1, ?, '')", (pool, f"UTC+0{pool}:00"))
    made = (
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name IN ('contacts', 'numbers') AND sql <> ''"
    )
    indexes = connection.execute(made).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute(CONTACT_ROWS, {"contacts": CONTACTS, "pools": POOLS, "now": NOW})
    connection.execute(NUMBER_ROWS)
    connection.execute(COUNTS)
    for _, sql in indexes:
        connection.execute(sql)
    connection.commit()


@pytest.fixture(scope="session")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a store; tests may call some of its contacts."""
    path = tmp_path_factory.mktemp("million") / "s.db"

    async def make() -> None:
        async with open_store(path, FixedClock()) as store:
            await store.create_campaign("demo", Settings(), NOW)

    asyncio.run(make())
    connection = sqlite3.connect(path)
    fill(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return path


@pytest.fixture
def connection(million: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(million, isolation_level=None)
    yield opened
    opened.close()


class Steps:
    """A progress handler that counts."""

    EVERY = 100

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += self.EVERY
        return 0


# --- plans -----------------------------------------------------------------------------------------------------------

BY_ID = "INTEGER PRIMARY KEY (rowid=?)"
OF_CAMPAIGN = "pools_of_campaign (campaign_id=?"
OF_POOL = "n USING PRIMARY KEY (pool_id=?"
PLANS = {
    "zones": [OF_CAMPAIGN],
    "claimable_pools": [
        "pools_of_campaign (campaign_id=? AND bucket=?)",
        f"{OF_POOL} AND state=?)",
    ],
    "bound_buckets": [OF_CAMPAIGN, f"{OF_POOL} AND state=?)"],
    "promote": ["contacts_waiting (pool_id=? AND rank=? AND next_at<?)", BY_ID],
    "ready": [
        "contacts_ready (pool_id=? AND rank=? AND last_call_at=? AND priority=? AND id>?)",
        "contacts_ready (pool_id=? AND rank=? AND last_call_at=? AND priority>?)",
        "contacts_again (pool_id=? AND rank=? AND priority=? AND id>?)",
        "contacts_again (pool_id=? AND rank=? AND priority>?)",
    ],
    "ready_by_last_call": [
        "contacts_ready (pool_id=? AND rank=? AND last_call_at=? AND priority=? AND id>?)",
        "contacts_ready (pool_id=? AND rank=? AND last_call_at=? AND priority>?)",
        "contacts_ready (pool_id=? AND rank=? AND last_call_at>?)",
    ],
    "numbers_of": ["numbers_of_contact (contact_id=?)"],
    "contacts": ["contacts_of_campaign (campaign_id=? AND id>?)", "attempts_of_contact (contact_id=?)"],
    "contacts_found": [
        "numbers_by_number (number=?)",
        "contacts_by_reference (campaign_id=? AND reference=?)",
        "attempts_of_contact (contact_id=?)",
    ],
    "contacts_by_main": ["contacts_main (base_id=? AND main_number=?)"],
    "contacts_by_references": ["contacts_by_reference (campaign_id=? AND reference=?)"],
    "unfinished_of_job": ["uploads_of_job (job=?)"],
    "added_by_job": ["uploads_of_job (job=?)", OF_POOL],
    "contacts_by_id": [BY_ID],
    "contact_with_base": [BY_ID],
    "live_numbers": ["attempts_live (number=?)"],
    "placed_attempts": ["attempts_by_number (number=? AND created_at>?)"],
    "blacklisted": ["PRIMARY KEY (number=? AND campaign=?)"],
    "still_open": ["PRIMARY KEY (id=?)"],
    "open_attempts": ["attempts_live", BY_ID],
    "due_recordings": ["recordings_pending (retry_at<?)"],
    "next_due": ["contacts_waiting (pool_id=? AND rank=?)", OF_CAMPAIGN],
    "contact_counts": [OF_CAMPAIGN, OF_POOL],
    "campaign_by_id": [BY_ID],
    "finish_campaign": [BY_ID, OF_CAMPAIGN, f"{OF_POOL} AND state=?)"],
    "survey": [OF_CAMPAIGN, OF_POOL],
    "contacts_of_numbers": ["contacts_main (base_id=? AND main_number=?)"],
    "known_numbers": ["contacts_main (base_id=? AND main_number=?)"],
    "pool": ["(upload_id=? AND zones=? AND bucket=?)"],
    "discardable": ["(upload_id=?)", "contacts_ready (pool_id=?)", "contacts_waiting (pool_id=?)"],
    "forget_counts": ["PRIMARY KEY (pool_id=?)", "(upload_id=?)"],
    "save_attempt": ["PRIMARY KEY (id=?)"],
    "close_attempt": ["PRIMARY KEY (id=?)"],
    "save_contact": [BY_ID],
    "save_number": [BY_ID],
    "move_contact": [BY_ID],
    "called_off": [BY_ID],
    "end_after_call": [BY_ID],
    "recording_done": ["PRIMARY KEY (attempt_id=?)"],
    "contact_attempts": ["attempts_of_contact (contact_id=?)"],
    "shown_contact": [BY_ID],
    "shown_contacts": [BY_ID],
    "contacts_with_number": ["numbers_by_number (number=?)", BY_ID],
    "scheduled": [
        "contacts_waiting (pool_id=? AND rank=?)",
        "contacts_ready (pool_id=? AND rank=?)",
        "numbers_of_contact (contact_id=?)",
    ],
    "withdrawable": ["numbers_by_number (number=? AND rowid>?)", BY_ID],
    "withdrawable_range": ["numbers_by_number (number>? AND number<?)", BY_ID],
    "deferred_numbers": ["numbers_by_number (number>? AND number<?)", BY_ID],
    "rewake_contacts": [BY_ID, "numbers_of_contact (contact_id=?)"],
    "idle_contacts": [BY_ID],
    "expired_contacts": ["contacts_expiring (expires_at<?)"],
    "overdue_results": ["contacts_held (held_until<?)"],
    "rewake": [OF_CAMPAIGN, "contacts_deferred (pool_id=?)", "numbers_of_contact (contact_id=?)"],
    "put_off": [OF_CAMPAIGN, "contacts_waiting (pool_id=?)"],
    "coming_up": [OF_CAMPAIGN, "contacts_waiting (pool_id=?)"],
    "endings": [BY_ID.replace("=", ">")],
    "endings_of_tenant": [BY_ID.replace("=", ">")],
    "blacklist": ["PRIMARY KEY ((number,campaign)>(?,?))"],
    "endings_of_campaign": ["endings_of_campaign (campaign_id=? AND id>?)"],
    "abandonment": ["PRIMARY KEY (campaign_id=? AND day>?)"],
    "days": ["PRIMARY KEY (campaign_id=? AND day>?)"],
    "history": ["campaign_events_of (campaign_id=?)"],
    "known_entries": ["PRIMARY KEY (number=? AND campaign=?)"],
    "new_orders": ["orders_new"],
    "candidates": [
        "contacts_of_campaign (campaign_id=? AND id>? AND id<?)",
        "numbers_of_contact (contact_id=?)",
        "attempts_of_contact (contact_id=?)",
    ],
    "contacts_page": ["contacts_of_campaign (campaign_id=? AND id>?)", BY_ID],
    "contacts_at": ["contacts_of_campaign (campaign_id=?)", BY_ID],
    "attempts_of_contacts": ["attempts_of_contact (contact_id=?)"],
    "forget_attachments": [BY_ID],
    "jobs": ["upload_jobs_by_age (created_at<?)"],
    "forget_jobs": ["upload_jobs_by_age (created_at<?)"],
    "documents": ["PRIMARY KEY (dialect=? AND kind=? AND id=?)"],
    "erase_deliveries": [BY_ID, "(webhook_id=?)"],
    "erase_history": [BY_ID, "campaign_events_of (campaign_id=?)"],
    "contacts_to_erase": ["contacts_of_campaign (campaign_id=? AND id>?)"],
    "removable_contacts": [BY_ID],
    "erase_uncalled_contacts": [BY_ID, "attempts_of_contact (contact_id=?)"],
    "erase_uncalled_numbers": ["numbers_of_contact (contact_id=?)", "attempts_of_contact (contact_id=?)"],
    "erase_documents": ["PRIMARY KEY (dialect=? AND kind=? AND id=?)"],
    "erase_call_tags": ["attempts_of_contact (contact_id=?)"],
    "tag_call": ["PRIMARY KEY (id=?)"],
    "attempt_by_guid": ["a USING PRIMARY KEY (id=?)", BY_ID],
    "call_records": ["PRIMARY KEY (guid=?)", "PRIMARY KEY (id=?)", BY_ID, "numbers_of_contact (contact_id=?)"],
    "call_record_page": ["cdrs_by_date (calldate>? AND calldate<?)", "a USING PRIMARY KEY (id=?)"],
    "call_record_page_of_number": [
        "cdrs_by_number (dst=? AND calldate>? AND calldate<?)",
        "a USING PRIMARY KEY (id=?)",
    ],
    "call_record_page_of_campaign": [
        "cdrs_by_campaign (campaign=? AND calldate>? AND calldate<?)",
        "a USING PRIMARY KEY (id=?)",
    ],
    # HTTP and webhooks
    "token_by_hash": ["(hash=?)"],
    "good_token_named": ["tokens_by_name (name=?)"],
    "is_good_parent": ["PRIMARY KEY (id=?)"],
    "revoke_token": ["PRIMARY KEY (id=?)", "tokens_of_parent (parent=?)"],
    "forget_ended_sessions": ["tokens_ending (expires_at<?)"],
    "forget_oldest_sessions": ["tokens_of_parent (parent=?)"],
    "contact_by_reference": ["contacts_by_reference (campaign_id=? AND reference=?)"],
    "known_references": ["contacts_by_reference (campaign_id=? AND reference=?)"],
    "happenings": [BY_ID.replace("=", ">")],
    "forget_happenings": [BY_ID],
    "cdrs_of_agent": ["cdrs_by_agent (agent=? AND calldate>? AND calldate<?)"],
    "call_record_page_of_agents": ["cdrs_by_agent (agent=? AND calldate>? AND calldate<?)"],
    "cdr_of_guid": ["PRIMARY KEY (guid=?)"],
    "has_receivers": [],
    "spent_receivers": [BY_ID, "deliveries_pending (webhook_id=?)"],
    "follower": ["PRIMARY KEY (name=?)"],
    "due_deliveries": ["deliveries_pending (webhook_id=? AND retry_at<?)"],
    "due_webhooks": ["deliveries_pending (webhook_id=? AND retry_at<?)"],
    "tried": ["(id=?)"],
    "give_up": [BY_ID, "deliveries_by_state (state=?)"],
    "deliveries": [BY_ID, "deliveries_by_state (state=?)"],
    "resend": ["(id=?)"],
    "resend_dead": [BY_ID, "deliveries_by_state (state=?)"],
    "forget_old_deliveries": [BY_ID, "deliveries_by_state (state=? AND created_at<?)"],
    "crowded_webhooks": ["deliveries_by_state (state=?)"],
    "forget_crowd": [BY_ID, "deliveries_by_state (state=?)"],
    "remove_deliveries": [BY_ID, "(webhook_id=?)"],
    "delivery_counts": ["deliveries_by_state (state=?)"],
}

#: Walks along an index, or a list, that hold nothing but what is asked for.
ALLOWED_SCANS = {
    "call_records": ["o"],
    "open_attempts": ["a USING INDEX attempts_live"],
    "new_orders": ["orders USING INDEX orders_new"],
    "scheduled": ["d"],
    "contacts_found": ["f"],
    "blacklist": ["campaigns"],
    "cdrs_of_agent": ["campaigns"],
    "forget_happenings": ["events"],
    "due_webhooks": ["w"],
    "erase_deliveries": ["w"],
    "has_receivers": ["webhooks"],
    "spent_receivers": ["w"],
}
#: What is sorted is no more than what was asked for, one row for each pool, or the offsets of a zone.
SORTS = {
    "call_record_page",
    "call_record_page_of_number",
    "call_record_page_of_campaign",
    "call_records",
    "contacts_found",
    "numbers_of",
    "contacts_with_number",
    "scheduled",
    "withdrawable",
    "put_off",
    "deliveries",
    "call_record_page_of_agents",
}


@pytest.mark.parametrize("query", PLANS)
def test_the_plan_uses_its_indexes_and_scans_no_table(connection: sqlite3.Connection, query: str) -> None:
    sql = queries.queries()[query]
    parameters = {name: "1" for name in re.findall(r":(\w+)", sql)}
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, parameters)]
    text = "\n".join(plan)
    for part in PLANS[query]:
        assert part in text, text
    scans = [step.removeprefix("SCAN ") for step in plan if step.startswith("SCAN ")]
    of_tables = [scan for scan in scans if "VIRTUAL TABLE" not in scan and "subquery" not in scan]
    assert of_tables == ALLOWED_SCANS.get(query, []), text
    assert "USE TEMP B-TREE FOR ORDER BY" not in text or query in SORTS, text


@pytest.mark.parametrize("filters", [{"agent": "A/1"}, {"agent": "A/1", "campaign": "demo"}])
async def test_an_agents_calls_are_read_by_an_index_of_their_own(million: Path, filters: dict[str, str]) -> None:
    asked: list[str] = []
    async with open_store(million, FixedClock()) as store:
        await store._db._reader.set_trace_callback(asked.append)
        assert [row async for row in store.cdrs(filters, 9)] == []
        assert await store.call_records(CallSearch(agents=["A/1"], campaigns=["demo"]), 9, 0) == []
    assert ["INDEXED BY cdrs_by_agent" in sql for sql in asked] == [True, True, False]


# --- work ------------------------------------------------------------------------------------------------------------

MANY = json.dumps([f"+346{n:08}" for n in range(500_000, 500_100)])
#: A claim that goes on from the middle of the base, in every part of its order.
DEEP = {
    f"{column}_{part}": {"last_call_at": 0, "priority": 0, "id": 500_000}[column]
    for column in ("last_call_at", "priority", "id")
    for part in ("0", "1", "2", "new_0", "again_0", "new_1", "again_1", "new_2", "again_2")
}

WORK: Mapping[str, Mapping[str, Any]] = {
    "zones": {"campaign_id": 1},
    "claimable_pools": {"campaign_id": 1, "buckets": '[""]'},
    "bound_buckets": {"campaign_id": 1},
    "promote": {"pools": "[1, 2]", "now": NOW, "limit": 100},
    "ready": {"pools": "[1, 2]", "limit": 100} | DEEP,
    "ready_by_last_call": {"pools": "[1, 2]", "limit": 100} | DEEP,
    "next_due": {"campaign_id": 1},
    "contact_counts": {"campaign_id": 1},
    "survey": {"campaign_id": 1},
    "contacts_of_numbers": {"base_id": 1, "numbers": MANY},
    "known_numbers": {"base_id": 1, "numbers": MANY},
    "placed_attempts": {"numbers": MANY, "since": 0},
    "discardable": {"id": 1, "limit": 100},
    "contacts_with_number": {"number": "+34600500000", "campaign_id": 1, "open_only": 1},
    "withdrawable": {"numbers": MANY, "campaign": "*", "until": None, "after": 0, "limit": 100},
    "withdrawable_range": {
        "first": "+34600500",
        "end": "+34600501",
        "campaign": "*",
        "until": None,
        "after": 0,
        "limit": 100,
    },
    "contacts": {
        "campaign": "demo",
        "tenant": "",
        "after_campaign": 1,
        "after": 500_000,
        "base": None,
        "state": None,
        "rank": None,
        "end_reason": None,
        "tag": None,
        "limit": 100,
        "offset": 0,
    },
    "expired_contacts": {"now": NOW + 500_000, "limit": 100},
    "overdue_results": {"now": NOW, "limit": 100},
    "rewake": {"campaign_id": 1, "limit": 100},
}


def steps(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, Any]) -> int:
    """How many a statement takes; what it changes is undone."""
    counted = Steps()
    connection.execute("BEGIN")
    try:
        connection.set_progress_handler(counted, counted.EVERY)
        connection.execute(sql, parameters).fetchall()
    finally:
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")
    return counted.count


@pytest.mark.parametrize("query", WORK)
def test_a_statement_works_no_more_at_a_million_contacts(connection: sqlite3.Connection, query: str) -> None:
    assert steps(connection, queries.queries()[query], WORK[query]) < MOST_STEPS


@pytest.mark.parametrize("query", ["ready", "ready_by_last_call"])
def test_a_wrong_order_would_be_noticed(connection: sqlite3.Connection, query: str) -> None:
    sql = queries.queries()[query].replace("priority, id", "line")
    assert steps(connection, sql, WORK[query]) > MOST_STEPS


async def work_of(million: Path, act: Callable[[SqliteStore, Campaign], Any]) -> tuple[int, Any]:
    """The steps of the store's writer meanwhile, and what came of it."""
    async with open_store(million, FixedClock()) as store:
        campaign = await store.campaign("demo")
        counted = Steps()
        await store._db._writer.set_progress_handler(counted, counted.EVERY)
        done = await act(store, campaign)
        return counted.count, done


@pytest.mark.parametrize("strategy", ContactStrategy)
async def test_a_claim_works_no_more_at_a_million_contacts(million: Path, strategy: ContactStrategy) -> None:
    counted, claims = await work_of(
        million, lambda store, demo: store.claim(request(demo, limit=100, strategy=strategy))
    )
    assert len(claims) == 100
    assert counted < 5 * MOST_STEPS


@pytest.mark.parametrize("strategy", ContactStrategy)
async def test_a_claim_takes_no_more_statements_for_many_uploads(tmp_path: Path, strategy: ContactStrategy) -> None:
    async with open_store(tmp_path / "s.db", FixedClock()) as store:
        demo = await store.create_campaign("demo", Settings(), NOW)

        async def statements_with(uploads: range) -> int:
            for n in uploads:
                await load(store, demo, [person(n)])
            asked: list[str] = []
            await store._db._writer.set_trace_callback(asked.append)
            assert len(await store.claim(request(demo, limit=1, strategy=strategy))) == 1
            await store._db._writer.set_trace_callback(None)  # type: ignore[arg-type]
            return len(asked)

        assert await statements_with(range(2)) == await statements_with(range(2, 40))
        assert len(await store.claim(request(demo, strategy=strategy))) == 38


async def test_a_claim_for_one_call_works_little_for_each_that_cannot_be_called(million: Path) -> None:
    """An agent-first call wants one contact: who is in front without a free trunk is not read again for each."""
    counted, claims = await work_of(million, lambda store, demo: store.claim(request(demo, limit=1, full=True)))
    assert (len(claims), claims.stopped_at is None) == (0, False)
    assert counted < 2_000 * 500, "steps for each of those that it looked at"


async def test_the_ends_of_waits_work_no_more_at_a_million_contacts(million: Path) -> None:
    async def act(store: SqliteStore, demo: Campaign) -> list[int]:
        return [
            await store.expire(NOW + HOUR, 100),
            await store.rewake(demo.id, 100),
            len(await store.due_results(NOW + DAY, 100)),
            await store.withdraw([forbid(n) for n in range(900_000, 900_100)], NOW),
        ]

    counted, done = await work_of(million, act)
    assert done[:3] == [100, 100, 100]
    assert done[3] > 90
    assert counted < 5 * MOST_STEPS
