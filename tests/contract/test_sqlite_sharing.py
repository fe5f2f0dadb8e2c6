"""SQLite: the engine and HTTP write to one file, by turns, and the engine notices what it has to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stores import NOW, FixedClock, forbid, person, phone

from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.settings import Settings
from astdialer.store import Sharing, SqliteStore, open_store


@dataclass
class Both:
    engine: SqliteStore
    http: SqliteStore
    demo: Campaign


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    """As ``astdialer serve`` opens them."""
    path, clock, turn = tmp_path / "s.db", FixedClock(), asyncio.Lock()
    async with (
        open_store(path, clock, Sharing(turn=turn, announces=False)) as engine,
        open_store(path, clock, Sharing(turn=turn)) as http,
    ):
        yield Both(engine, http, await http.create_campaign("demo", Settings(), NOW))


async def test_a_write_waits_for_one_of_the_others_however_many_those_are(both: Both) -> None:
    """SQLite alone lets one that writes without end keep the other waiting for seconds."""
    done = 0
    transact = both.http._db._transaction

    async def counted(group: Any) -> Any:
        nonlocal done
        result = await transact(group)
        done += 1
        return result

    both.http._db._transaction = counted  # type: ignore[method-assign]

    async def flood(n: int) -> None:
        for number in range(n, 100_000, 8):
            await both.http.add_to_base(both.demo.id, "b", [person(number)], NOW)

    floods = [asyncio.create_task(flood(n)) for n in range(8)]
    waited = []
    for n in range(30):
        before = done
        await both.engine.publish_live_view("engine", {"n": n}, NOW)
        waited.append(done - before)
        await asyncio.sleep(0)
    for task in floods:
        task.cancel()
    await asyncio.gather(*floods, return_exceptions=True)
    assert done > 10
    assert max(waited) <= 2


async def test_a_writer_that_is_broken_off_leaves_the_turn_to_the_other(both: Both) -> None:
    writing = asyncio.create_task(both.http.add_to_base(both.demo.id, "b", [person(1)], NOW))
    await asyncio.sleep(0)
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    async with asyncio.timeout(10):
        assert await both.engine.add_to_blacklist([forbid(1)]) == (1, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda both: both.http.set_state(both.demo.id, CampaignState.RUNNING, now=NOW),
        lambda both: both.http.save_settings(both.demo.id, Settings(max_calls=3)),
        lambda both: both.http.create_campaign("other", Settings(), NOW),
        lambda both: both.http.add_to_base(both.demo.id, "b", [person(1)], NOW),
        lambda both: both.http.add_to_blacklist([forbid(1)]),
    ],
)
async def test_the_engine_notices_what_it_has_to_know_of(both: Both, change: Any) -> None:
    await both.engine.changed_elsewhere()
    assert not await both.engine.changed_elsewhere()
    await change(both)
    assert await both.engine.changed_elsewhere()
    assert not await both.engine.changed_elsewhere()


async def test_what_the_engine_writes_is_nothing_to_notice_for_anybody(both: Both) -> None:
    await both.http.changed_elsewhere()
    await both.engine.publish_live_view("engine", {}, NOW)
    assert not await both.http.changed_elsewhere()


async def test_what_is_undone_or_changes_nothing_is_nothing_to_notice(both: Both) -> None:
    await both.engine.changed_elsewhere()
    with pytest.raises(Exception, match="there is a campaign 'demo' already"):
        await both.http.create_campaign("demo", Settings(), NOW)
    assert not await both.http.remove_from_blacklist("+1", "*")
    assert not await both.engine.changed_elsewhere()


async def test_a_quiet_write_does_not_hide_one_beside_it(both: Both) -> None:
    """They may be in one transaction."""
    await both.engine.changed_elsewhere()
    await asyncio.gather(
        both.http.queue_deliveries("webhooks", 1, []),
        both.http.add_to_blacklist([forbid(1)]),
        both.http.queue_deliveries("webhooks", 2, []),
    )
    assert await both.engine.changed_elsewhere()


async def test_pages_of_contacts_are_read_beside_the_writing(both: Both) -> None:
    await both.http.add_to_base(both.demo.id, "b", [person(n) for n in range(3)], NOW)
    asked: list[str] = []
    await both.http._db._writer.set_trace_callback(asked.append)
    pages = [await both.http.contacts_at(both.demo.id, 1, 9), await both.http.contacts_page(both.demo.id, 1, 9)]
    assert [[contact.numbers[0].number for contact in page] for page in pages] == [[phone(1), phone(2)]] * 2
    assert asked == [], "the engine waits for whoever writes"
