"""Time to claim the next 100 due contacts, at 10 thousand, 1 million and 10 million contacts in the campaign.

    python benchmarks/claim.py [--sizes 10000,1000000,10000000] [--claims 50] [--json]

Half of the contacts are ready, half wait for a retry that is due in part; priorities are mixed. Beside it, in the
same files: a bare sqlite3 transaction that updates 100 rows by their primary key and inserts 100 rows, which is the
least that any claim must do. Both end with the same fsync.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from astdialer.clock import SystemClock
from astdialer.domain.campaign import parse_settings
from astdialer.ports import ClaimRequest
from astdialer.store import open_store

FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO contacts (
  id, upload_id, base_id, campaign_id, main_number, state, priority, next_at, params, agentphone, line)
SELECT i, :upload, :base, :campaign, '+346' || printf('%08d', i), iif(i % 2, 'ready', 'waiting'), i * 7919 % 100,
  iif(i % 2, NULL, :now + i % 1000 * 3600000 - 3600000), '{}', '', i FROM n
"""
FILL_NUMBERS = """
INSERT INTO numbers (contact_id, position, number, as_uploaded, type, next_at)
SELECT id, 0, main_number, main_number, 'U', coalesce(next_at, 0) FROM contacts
"""
COUNT = "INSERT INTO contact_counts SELECT :upload, state, count(*) FROM contacts GROUP BY state"


def fill(path: Path, rows: int, key: dict[str, int]) -> None:
    """Contacts and numbers with all indexes, as an upload leaves them."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(FILL, key | {"rows": rows})
        connection.execute(FILL_NUMBERS)
        connection.execute(COUNT, {"upload": key["upload"]})
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def claims(path: Path, rows: int, times: int) -> list[float]:
    """Milliseconds of each claim of 100."""
    clock = SystemClock()
    async with open_store(path, clock) as store:
        campaign = await store.create_campaign("bench", parse_settings({}), clock.now())
        upload = await store.open_upload(campaign.id, "base", file_name="-", timezone="", now=clock.now())
        await store.publish_uploads([upload], clock.now())
    fill(path, rows, {"upload": upload.id, "base": upload.base_id, "campaign": campaign.id, "now": clock.now()})
    took = []
    async with open_store(path, clock) as store:
        for _ in range(times):
            request = ClaimRequest(
                campaign_id=campaign.id,
                campaign="bench",
                trunk="t",
                server="default",
                limit=100,
                zones=[""],
                attempt_ids=[str(uuid.uuid4()) for _ in range(100)],
                reason="benchmark",
                now=clock.now(),
            )
            began = time.perf_counter()
            found = await store.claim(request)
            took.append((time.perf_counter() - began) * 1000)
            assert len(found) == 100
    return took


def floor(path: Path, times: int) -> list[float]:
    """Milliseconds of each bare transaction."""
    took = []
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, contact_id INTEGER) WITHOUT ROWID")
    for n in range(times):
        ids = [(n * 100 + k + 1,) for k in range(100)]
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("UPDATE contacts SET line = line + 1 WHERE id = ?", ids)
        connection.executemany("INSERT INTO bare VALUES (?, ?)", [(str(uuid.uuid4()), *one) for one in ids])
        connection.execute("COMMIT")
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,1000000,10000000")
    parser.add_argument("--claims", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = []
    for rows in map(int, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "claim.db"
            ours = asyncio.run(claims(path, rows, arguments.claims))
            bare = floor(path, arguments.claims)
        print(f"{rows} contacts measured", file=sys.stderr)
        results.append(
            {
                "contacts": rows,
                "claim_ms": round(statistics.median(ours), 1),
                "claim_p95_ms": round(statistics.quantiles(ours, n=20)[-1], 1),
                "bare_ms": round(statistics.median(bare), 1),
                "ratio": round(statistics.median(ours) / statistics.median(bare), 1),
            }
        )
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'contacts':>10} {'claim of 100, median ms':>24} {'p95 ms':>8} {'bare transaction ms':>20} {'ratio':>6}")
    for row in results:
        print("{contacts:10} {claim_ms:24} {claim_p95_ms:8} {bare_ms:20} {ratio:6}".format(**row))


if __name__ == "__main__":
    main()
