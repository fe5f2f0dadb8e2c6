"""Time to claim the next 100 contacts, at 10 thousand, 1 million and 10 million contacts in the campaign.

    python benchmarks/claim.py [--sizes 10000,1000000,10000000] [--claims 20] [--json]

Every rule that a claim asks for is in use. The contacts lie in eight zones from Auckland to Honolulu, some of which are
always closed; two types of numbers with ranges of hours and budgets; half of the contacts are ready, half wait for a
retry that is due in part; one number in fifty is blacklisted, and so is one prefix; one in five was called this week
already, some of them as often as the caps allow; priorities are mixed.

Beside it, in the same files: a bare sqlite3 transaction that updates 100 rows by their primary key and inserts 100
rows, which is the least that any claim must do. Both end with the same fsync.
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
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Number
from astdialer.domain.route import Way
from astdialer.domain.selection import judge
from astdialer.domain.settings import parse_settings
from astdialer.engine.rulebook import dialing_rules
from astdialer.ports import ClaimRequest
from astdialer.store import open_store

#: What the campaign asks of every contact.
SETTINGS = {
    "ranges": "M=00:00-12:00/2@5;M=12:00-24:00/2@10;H=06:00-23:00/3@1",
    "calling_hours": "08:00-21:00",
    "attempts_per_day": "3",
    "attempts_per_week": "7",
    "max_tries": "9",
}
ZONES = (
    "Pacific/Auckland",
    "Asia/Kolkata",
    "Europe/Moscow",
    "Europe/Madrid",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Honolulu",
)
POOL = "INSERT INTO pools (id, upload_id, campaign_id, zones, bucket) VALUES (?, ?, ?, ?, '')"
FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO contacts (
  id, upload_id, base_id, campaign_id, pool_id, main_number, state, priority, next_at, params, agentphone, line)
SELECT i, :upload, :base, :campaign, 1 + i / 2 % 8, '+346' || printf('%08d', i), iif(i % 2, 'ready', 'waiting'),
  i * 7919 % 100, iif(i % 2, NULL, :now + i % 1000 * 3600000 - 3600000), '{}', '', i FROM n
"""
FILL_NUMBERS = """
INSERT INTO numbers (contact_id, position, number, as_uploaded, type, zones, next_at)
SELECT c.id, 0, main_number, main_number, iif(c.id % 3, 'M', 'H'), p.zones, coalesce(next_at, 0)
FROM contacts c JOIN pools p ON p.id = c.pool_id
"""
COUNT = "INSERT INTO contact_counts SELECT pool_id, state, count(*) FROM contacts GROUP BY pool_id, state"
BLACKLIST = """
INSERT INTO blacklist (number, campaign, reason, added_by, added_at)
SELECT main_number, '*', '', 'benchmark', 0 FROM contacts WHERE id % 50 = 7
UNION ALL SELECT '+34699*', '*', '', 'benchmark', 0
"""
#: One to seven attempts of the last days for every fifth contact.
ATTEMPTS = """
INSERT INTO attempts (
  id, campaign_id, contact_id, number_id, number, trunk, server, created_at, reason, state, dialed_at, channel, refusal,
  uncounted, adopted, vanished, canceled, dial_status, cause, sip_code, leg_dial_status, leg_cause,
  leg_sip_code, amd_cause, agent, agent_ring_s, talk_ended_by, contact_hung_up, concluded, result, queue_status, key,
  disposition, closed_at)
SELECT 'a' || c.id || '-' || t.value, :campaign, c.id, 0, c.main_number, 't', 'default', :now - t.value * 86000000, '',
  'closed', :now - t.value * 86000000, '', '', 0, 0, 0, 0, '', 17, 486, '', 0, 0, '', '', 0, '', 0, 0, '', '', '',
  'busy', :now - t.value * 86000000
FROM contacts c JOIN json_each('[1, 2, 3, 4, 5, 6, 6.5]') t ON t.key <= c.id / 5 % 7 WHERE c.id % 5 = 0
"""


def fill(path: Path, rows: int, key: dict[str, int]) -> None:
    """Contacts, numbers, attempts and blacklist with all indexes, as uploads and a week's dialing leave them."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for number, zone in enumerate(ZONES, 1):
            connection.execute(POOL, (number, key["upload"], key["campaign"], zone))
        connection.execute(FILL, key | {"rows": rows})
        connection.execute(FILL_NUMBERS)
        connection.execute(COUNT)
        connection.execute(BLACKLIST)
        connection.execute(ATTEMPTS, key)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def wish(campaign: Campaign, now: int) -> ClaimRequest:
    """The claim that the dialing loop makes."""
    rules = dialing_rules(campaign.settings, None, "UTC")

    def way(_number: Number) -> Way:
        return Way(route="", trunk="t", digits="")

    return ClaimRequest(
        campaign_id=campaign.id,
        campaign=campaign.name,
        server="default",
        limit=100,
        is_open=lambda zones: rules.is_open(zones, now),
        judge=lambda contact, facts: judge(contact, rules, facts, way, now),
        attempt_ids=[str(uuid.uuid4()) for _ in range(100)],
        reason="benchmark",
        now=now,
    )


async def claims(path: Path, rows: int, times: int) -> list[float]:
    """Milliseconds of each claim of 100."""
    clock = SystemClock()
    async with open_store(path, clock) as store:
        campaign = await store.create_campaign("bench", parse_settings(SETTINGS), clock.now())
        upload = await store.open_upload(campaign.id, "base", file_name="-", timezone="", now=clock.now())
        await store.publish_uploads([upload], clock.now())
    fill(path, rows, {"upload": upload.id, "base": upload.base_id, "campaign": campaign.id, "now": clock.now()})
    took = []
    async with open_store(path, clock) as store:
        for _ in range(times):
            request = wish(campaign, clock.now())
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
    parser.add_argument("--claims", type=int, default=20)
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
