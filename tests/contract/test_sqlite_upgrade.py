"""SQLite: a store of version 0.1 (migration 1) keeps everything when it becomes one with dialing rules."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from stores import FREELY, HOUR, NOW, FixedClock, check_counts, closing, forbid, numbers_of, person, phone, request

from astdialer.domain.attempt import State
from astdialer.domain.campaign import CampaignState
from astdialer.domain.contact import Contact, ContactState, Number
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import Retry
from astdialer.domain.settings import Mode, Settings
from astdialer.domain.trunk import Trunk
from astdialer.ports import Recording
from astdialer.store import SqliteStore, migrate, open_store

OLD_STATES = ("idle", "running", "paused", "stopping", "stopped", "finished")
MADRID = "Europe/Madrid"

#: id, upload, state, priority, next_at, agentphone, end_reason
CONTACTS = [
    (1, 1, "ready", 5, None, "", ""),
    (2, 1, "waiting", 9999, NOW + HOUR, "", ""),
    (3, 1, "in_call", 9999, None, "1001", ""),
    (4, 1, "done", 9999, None, "", "answered"),
    (5, 1, "done", 9999, None, "1001", "blacklisted"),
    (6, 2, "ready", 9999, None, "", ""),
    (7, 2, "ready", 1, None, "1002", ""),
    (8, 2, "done", 9999, None, "", "no_answer"),
    (9, 3, "ready", 9999, None, "", ""),
]
#: id, contact, position, tally, last_disposition, next_at, end_reason
NUMBERS = [
    (101, 1, 0, {}, "", 0, ""),
    (102, 1, 1, {}, "", 0, ""),
    (103, 2, 0, {"busy": 2, "no_answer": 1}, "busy", NOW + HOUR, ""),
    (104, 3, 0, {"congestion": 1}, "congestion", NOW - HOUR, ""),
    (105, 4, 0, {"answered": 1}, "answered", None, "answered"),
    (106, 5, 0, {}, "", None, "blacklisted"),
    (107, 6, 0, {}, "", 0, ""),
    (108, 7, 0, {}, "", 0, ""),
    (109, 8, 0, {"no_answer": 3}, "no_answer", None, "no_answer"),
    (110, 9, 0, {}, "", 0, ""),
]
#: id, contact, number, created_at, state, disposition, closed_at, uncounted
ATTEMPTS: list[tuple[str, int, int, int, str, str | None, int | None, int]] = [
    ("a1", 2, 103, NOW - 9 * HOUR, "closed", "busy", NOW - 9 * HOUR + 20, 0),
    ("a2", 2, 103, NOW - 8 * HOUR, "closed", "no_answer", NOW - 8 * HOUR + 20, 0),
    ("a3", 2, 103, NOW - 7 * HOUR, "closed", "busy", NOW - 7 * HOUR + 20, 0),
    ("a4", 2, 103, NOW - 6 * HOUR, "closed", "canceled", NOW - 6 * HOUR + 20, 0),
    ("a5", 2, 103, NOW - 5 * HOUR, "closed", "failed", NOW - 5 * HOUR + 20, 1),
    ("a6", 3, 104, NOW - 4 * HOUR, "closed", "congestion", NOW - 4 * HOUR + 20, 0),
    ("a7", 3, 104, NOW - HOUR, "answered", None, None, 0),
    ("a8", 4, 105, NOW - 3 * HOUR, "closed", "answered", NOW - 3 * HOUR + 20, 0),
    *((f"b{n}", 8, 109, NOW - n * HOUR, "closed", "no_answer", NOW - n * HOUR + 20, 0) for n in (1, 2, 3)),
]


def insert(connection: sqlite3.Connection, table: str, **values: Any) -> None:
    """A row; columns that are not named get what their type has for nothing."""
    for _, name, kind, not_null, default, _ in connection.execute(f"PRAGMA table_info({table})").fetchall():
        if not_null and default is None:
            values.setdefault(name, "" if kind == "TEXT" else 0)
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", values)


def make_old_store(path: Path) -> None:
    """By migration 1 and SQL alone: today's code can't write such a store."""
    connection = sqlite3.connect(path)
    version, name, sql = migrate.migrations()[0]
    connection.executescript(sql + migrate._TABLE + ";")
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    connection.execute("INSERT INTO schema_migrations VALUES (?, ?, ?, 0)", (version, name, checksum))
    connection.execute("PRAGMA foreign_keys = ON")
    fill(connection)
    connection.commit()
    connection.close()


def fill(connection: sqlite3.Connection) -> None:
    insert(connection, "trunks", name="carrier", dial="PJSIP/{number}@c", server="one", max_calls=7, enabled=1)
    old_settings = json.dumps({"mode": "power", "retry_busy": "4/300", "trunk": "carrier", "queue": "sales"})
    for number, state in enumerate(OLD_STATES, 1):
        insert(
            connection, "campaigns", id=number, name=state, state=state, settings=old_settings, explanation="because"
        )
    insert(connection, "bases", id=1, campaign_id=2, name="home", timezone="")
    insert(connection, "bases", id=2, campaign_id=2, name="madrid", timezone=MADRID)
    for upload, base, state in ((1, 1, "published"), (2, 2, "published"), (3, 2, "loading")):
        insert(connection, "uploads", id=upload, base_id=base, campaign_id=2, file_name="f.csv", state=state)
    for id_, upload, state, priority, next_at, agentphone, end_reason in CONTACTS:
        insert(
            connection,
            "contacts",
            id=id_,
            upload_id=upload,
            base_id=min(upload, 2),
            campaign_id=2,
            main_number=phone(id_),
            state=state,
            priority=priority,
            next_at=next_at,
            params='{"name": "Ñandú"}',
            agentphone=agentphone,
            line=id_,
            end_reason=end_reason,
        )
    for id_, contact, position, tally, last, next_at, end_reason in NUMBERS:
        insert(
            connection,
            "numbers",
            id=id_,
            contact_id=contact,
            position=position,
            number=phone(contact + position * 50),
            as_uploaded=f"0{id_}",
            type="MW"[position],
            tally=json.dumps(tally),
            last_disposition=last,
            next_at=next_at,
            end_reason=end_reason,
        )
    for call, contact, number_id, created_at, state, disposition, closed_at, uncounted in ATTEMPTS:
        insert(
            connection,
            "attempts",
            id=call,
            campaign_id=2,
            contact_id=contact,
            number_id=number_id,
            number=phone(contact),
            trunk="carrier",
            server="one",
            created_at=created_at,
            dialed_at=created_at,
            state=state,
            disposition=disposition,
            closed_at=closed_at,
            uncounted=uncounted,
        )
        if disposition:
            insert(connection, "cdrs", guid=call, calldate=created_at, dst=phone(contact), campaign="running",
                   disposition=disposition, contact_id=contact)  # fmt: skip
            connection.execute(
                "INSERT INTO disposition_counts VALUES (2, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1", (disposition,)
            )
    connection.execute("INSERT INTO contact_counts SELECT upload_id, state, count(*) FROM contacts GROUP BY 1, 2")
    insert(connection, "blacklist", number=phone(5), campaign="*", reason="asked", added_by="ana", added_at=NOW)
    insert(connection, "recordings", attempt_id="a8", date="20260921", state="pending", retry_at=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_old_store(tmp_path / "s.db")
    return tmp_path / "s.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with open_store(path, FixedClock()) as opened:
        yield opened


async def test_campaigns_keep_their_states_and_settings(store: SqliteStore) -> None:
    campaigns = {campaign.name: campaign for campaign in await store.campaigns()}
    assert set(campaigns) == set(OLD_STATES)
    for name, campaign in campaigns.items():
        assert (campaign.state, campaign.explanation) == (CampaignState(name), "because")
        assert campaign.settings == Settings(
            mode=Mode.POWER, trunk="carrier", queue="sales", retry_busy=Retry(tries=4, delays_s=(300,))
        )
        assert await store.stats_day(campaign.id) == ""


async def test_trunks_are_without_a_caller_id(store: SqliteStore) -> None:
    (trunk,) = await store.trunks()
    assert trunk == Trunk(
        name="carrier", dial="PJSIP/{number}@c", server="one", max_calls=7, calls_per_second=0, enabled=True
    )


def expected_number(row: tuple[Any, ...]) -> Number:
    id_, contact, position, tally, last, next_at, end_reason = row
    zone = "" if contact < 6 else MADRID
    called = [a[6] for a in ATTEMPTS if a[2] == id_ and a[5] not in (None, "canceled") and not a[7]]
    return Number(
        id=id_,
        number=phone(contact + position * 50),
        as_uploaded=f"0{id_}",
        type="MW"[position],
        position=position,
        zones=zone,
        tally=tally,
        tries=sum(tally.values()),
        last_disposition=last,
        last_call_at=max((at for at in called if at), default=0),
        next_at=next_at,
        end_reason=end_reason,
    )


END_CAUSES = {"": "", "answered": "NORMAL_CLEARING", "blacklisted": "NO_COMMUNICATIONS", "no_answer": "MAX_TRY_COUNT"}


@pytest.mark.parametrize("row", CONTACTS[:-1], ids=lambda row: f"{row[0]}-{row[2]}")
async def test_contacts_come_back_as_the_domain_has_them_now(store: SqliteStore, row: tuple[Any, ...]) -> None:
    id_, upload, state, priority, next_at, agentphone, end_reason = row
    numbers = tuple(expected_number(number) for number in NUMBERS if number[1] == id_)
    assert await store.load_contact(id_) == Contact(
        id=id_,
        campaign_id=2,
        base_id=upload,
        numbers=numbers,
        params={"name": "Ñandú"},
        priority=priority,
        agentphone=agentphone,
        line=id_,
        state=ContactState(state),
        tries=sum(number.tries for number in numbers),
        last_call_at=max(number.last_call_at for number in numbers),
        next_at=0 if state == "ready" else next_at,
        successful=end_reason == "answered",
        end_reason=end_reason,
        end_cause=END_CAUSES[end_reason],
    )


async def test_contacts_lie_in_the_pools_of_their_bases_zones_and_their_agents(store: SqliteStore) -> None:
    found = {
        (pool["zones"], pool["bucket"]): {state: pool[state] for state in map(str, ContactState) if pool[state]}
        for pool in await store.survey(2)
    }
    assert found == {
        ("", ""): {"ready": 1, "waiting": 1, "done": 1},
        ("", "@1001"): {"in_call": 1, "done": 1},
        (MADRID, ""): {"ready": 1, "done": 1},
        (MADRID, "@1002"): {"ready": 1},
    }
    await check_counts(store, await store.campaign("running"))


async def test_attempts_are_found_open_and_closed(store: SqliteStore) -> None:
    (claim,) = await store.open_attempts()
    assert (claim.attempt.id, claim.attempt.number, claim.contact.id, claim.base) == ("a7", phone(3), 3, "home")
    assert (claim.attempt.dialed_as, claim.attempt.retry_s, claim.attempt.manual) == ("", None, False)
    facts = await store.facts([phone(2), phone(3), phone(5)], "running", NOW)
    assert facts[phone(2)].placed_at == tuple(NOW - n * HOUR for n in (9, 8, 7, 6, 5))
    assert facts[phone(3)].in_call
    assert facts[phone(5)].is_barred


async def test_days_are_counted_from_the_attempts(store: SqliteStore) -> None:
    def local_day(at: int) -> str:
        return datetime.fromtimestamp(at / 1000).astimezone().date().isoformat()

    expected: dict[tuple[str, str], int] = {}
    for *_, disposition, closed_at, _ in ATTEMPTS:
        if disposition and closed_at:
            key = local_day(closed_at), disposition
            expected[key] = expected.get(key, 0) + 1
    assert {(row["day"], row["disposition"]): row["n"] for row in await store.days(2, "")} == expected
    assert {(row["day"], row["disposition"]): row["n"] for row in await store.trunk_days("")} == expected
    people = sum(n for (_, disposition), n in expected.items() if disposition == Disposition.ANSWERED)
    assert sum(row["people"] for row in await store.abandonment(2, "")) == people


async def test_blacklist_and_recordings_are_kept(store: SqliteStore) -> None:
    assert list(await store.blacklist(None, 10)) == [forbid(5)]
    assert list(await store.due_recordings(NOW, 10)) == [Recording(attempt_id="a8", date="20260921", tries=0)]


async def test_dialing_goes_on(store: SqliteStore) -> None:
    campaign = await store.campaign("running")
    claims = await store.claim(request(campaign, buckets=["", "@1002"], rules=FREELY))
    assert numbers_of(claims) == [phone(7), phone(1), phone(6)]
    await check_counts(store, campaign)


async def test_what_happened_before_is_not_told_and_what_happens_now_is(store: SqliteStore) -> None:
    """A webhook that is made after the upgrade must not hear of last year's calls."""
    assert await store.last_event() == 0
    assert await store.followed_to("webhooks") == 0
    (claim,) = await store.open_attempts()
    answered = replace(claim.attempt, answered_at=NOW, state=State.GONE)
    await store.close([closing(replace(claim, attempt=answered), Disposition.BUSY, campaign="running")])
    events = await store.events(0, 100)
    assert [(e.kind, e.at, e.contact_id, e.attempt_id) for e in events] == [
        ("attempt.answered", NOW, 3, "a7"),
        ("attempt.closed", NOW, 3, "a7"),
        ("contact.scheduled", NOW, 3, ""),
    ]


async def test_what_is_there_belongs_to_no_tenant_and_has_no_foreign_name(store: SqliteStore) -> None:
    assert {campaign.tenant for campaign in await store.campaigns()} == {""}
    assert {(await store.load_contact(row[0])).reference for row in CONTACTS[:-1]} == {""}
    assert await store.contact_by_reference(2, "") is None
    campaign = await store.campaign("running")
    assert await store.add_to_base(campaign.id, "home", [person(1), person(77)], NOW) == [None, 10]


async def test_nobody_has_a_token_yet(store: SqliteStore) -> None:
    assert await store.tokens() == []
    assert await store.webhooks() == []


async def test_an_upload_that_was_under_way_can_be_discarded(store: SqliteStore) -> None:
    (upload,) = await store.interrupted_uploads(NOW, 0)
    assert (upload.id, upload.timezone) == (3, MADRID)
    await store.discard_uploads([upload])
    assert not await store.interrupted_uploads(NOW, 0)
    assert await store.known_numbers(upload, [phone(9), phone(8)]) == {phone(8)}


async def test_the_migrated_schema_is_that_of_a_new_store(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    async with open_store(tmp_path / "new.db", FixedClock()):
        pass
    assert schema_of(path) == schema_of(tmp_path / "new.db")
    names = {name for kind, name, _ in schema_of(path) if kind in ("trigger", "index")}
    assert {"contact_moved", "contact_removed", "contact_ended", "contacts_ready", "attempts_live"} <= names
    assert {"attempt_told", "attempt_closed", "ending_told", "deliveries_pending", "contacts_by_reference"} <= names


def schema_of(path: Path) -> list[tuple[str, str, str]]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2").fetchall()
    finally:
        connection.close()
