"""SQLite: the statements of the dialing loop use their indexes, whatever the size of the base."""

import re
import sqlite3
from pathlib import Path

import pytest
from stores import FixedClock

from astdialer.store import open_store
from astdialer.store.queries import queries

PLANS = {
    "claimable_uploads": [
        "uploads_of_campaign (campaign_id=? AND state=?)",
        "b USING INTEGER PRIMARY KEY",
        "n USING",
    ],
    "promote": ["contacts_waiting (upload_id=? AND next_at<?)", "INTEGER PRIMARY KEY (rowid=?)"],
    "ready_contacts": ["contacts_ready (upload_id=?)"],
    "numbers_of": ["numbers_of_contact (contact_id=?)"],
    "contacts_by_id": ["INTEGER PRIMARY KEY (rowid=?)"],
    "live_numbers": ["attempts_live (number=?)"],
    "blacklisted": ["PRIMARY KEY (number=? AND campaign=?)"],
    "still_open": ["PRIMARY KEY (id=?)"],
    "open_attempts": ["attempts_live", "INTEGER PRIMARY KEY (rowid=?)"],
    "due_recordings": ["recordings_pending (retry_at<?)"],
    "next_due": ["contacts_waiting (upload_id=?", "uploads_of_campaign (campaign_id=? AND state=?)"],
    "contact_counts": ["uploads_of_campaign (campaign_id=? AND state=?)", "PRIMARY KEY (upload_id=?)"],
    "known_numbers": ["(base_id=? AND main_number=?)"],
    "save_attempt": ["PRIMARY KEY (id=?)"],
    "close_attempt": ["PRIMARY KEY (id=?)"],
    "settle_contact": ["INTEGER PRIMARY KEY (rowid=?)"],
    "take_contact": ["INTEGER PRIMARY KEY (rowid=?)"],
    "save_number": ["INTEGER PRIMARY KEY (rowid=?)"],
    "recording_done": ["PRIMARY KEY (attempt_id=?)"],
    "contact_attempts": ["attempts_of_contact (contact_id=?)"],
}

#: A walk along an index that holds nothing but what is asked for.
ALLOWED_SCANS = {"open_attempts": "a USING INDEX attempts_live"}


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    async with open_store(tmp_path / "s.db", FixedClock()):
        pass
    return tmp_path / "s.db"


@pytest.mark.parametrize("query", PLANS)
def test_the_plan_uses_its_indexes_and_scans_no_table(path: Path, query: str) -> None:
    connection = sqlite3.connect(path)
    parameters = {name: "1" for name in _names(queries()[query])}
    rows = connection.execute("EXPLAIN QUERY PLAN " + queries()[query], parameters).fetchall()
    connection.close()
    plan = [row[3] for row in rows]
    text = "\n".join(plan)
    for part in PLANS[query]:
        assert part in text, text
    scans = [step.removeprefix("SCAN ") for step in plan if step.startswith("SCAN ")]
    assert [scan for scan in scans if "json_each" not in scan] == [
        scan for scan in [ALLOWED_SCANS.get(query)] if scan
    ], text
    assert "USE TEMP B-TREE FOR ORDER BY" not in text or query == "numbers_of", text


def _names(sql: str) -> set[str]:
    return set(re.findall(r":(\w+)", sql))
