"""Store contract: many writers, writes that fail, a full disk, a killed process."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stores import (
    HOUR,
    NOW,
    FreshDatabase,
    begin,
    check_counts,
    closing,
    forbid,
    load,
    numbers_of,
    people,
    person,
    phone,
    request,
)

from astdialer.domain.campaign import Campaign
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict, Unavailable
from astdialer.domain.settings import Settings
from astdialer.ports import Store

pytest_plugins = ("store_fixtures",)

CHILD = Path(__file__).parent / "store_child.py"


async def test_a_hundred_writers_at_once_all_succeed(store: Store) -> None:
    assert await asyncio.gather(*(store.add_to_blacklist([forbid(n)]) for n in range(100))) == [(1, 0)] * 100
    assert len(await store.blacklist(None, 1000)) == 100


async def test_a_failing_write_undoes_no_others(store: Store, demo: Campaign) -> None:
    writes = [store.add_to_blacklist([forbid(n)]) for n in range(40)]
    failing = [store.create_campaign("demo", Settings(), NOW) for _ in range(5)]
    results = await asyncio.gather(*writes[:20], *failing, *writes[20:], return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 5
    assert sum(result == (1, 0) for result in results) == 40
    assert len(await store.blacklist(None, 1000)) == 40
    assert store.writes()


async def test_a_write_whose_caller_gave_up_stops_nobody(store: Store) -> None:
    given_up = asyncio.ensure_future(store.add_to_blacklist([forbid(1)]))
    kept = asyncio.ensure_future(store.add_to_blacklist([forbid(2)]))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await kept == (1, 0)
    assert await store.add_to_blacklist([forbid(3)]) == (1, 0)


async def test_a_full_disk_stops_writing_until_there_is_room(
    database: FreshDatabase, store: Store, demo: Campaign
) -> None:
    await load(store, demo, [person(n) for n in range(20)])
    (claim,) = await store.claim(request(demo, limit=1))
    assert store.writes()
    await database.fill_disk(store)
    upload = await begin(store, demo, "large")
    with pytest.raises(Unavailable):
        await store.add_contacts(upload, [person(n) for n in range(1000, 6000)], NOW)
    assert not store.writes()
    with pytest.raises(Unavailable):
        await store.publish_live_view("engine", {"large": "x" * 1_000_000}, NOW)
    assert len(await people(store)) == 20, "reading goes on"
    await database.free_disk(store)
    await store.close([closing(claim, Disposition.BUSY)])
    assert store.writes()
    await store.add_contacts(upload, [person(n) for n in range(1000, 6000)], NOW)
    await store.publish_uploads([upload], NOW)
    assert (await store.counts(demo.id)).ready == 19 + 5000
    await check_counts(store, demo)


# --- kill -9 ---------------------------------------------------------------------------------------------------------


def kill_in_the_middle(place: str, work: str, after: int) -> None:
    """Run ``work`` in a process of its own, and kill it once it has said ``after`` lines."""
    paths = filter(None, (str(CHILD.parent), os.environ.get("PYTHONPATH")))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(Path(place).parent), work], stdout=subprocess.PIPE, env=environ
    ) as child:
        assert child.stdout is not None
        for _ in range(after):
            assert child.stdout.readline(), "the child ended by itself"
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("after", [1, 3, 8])
async def test_a_killed_upload_is_dialable_not_at_all(database: FreshDatabase, after: int) -> None:
    async with database.open() as store:
        demo = await store.create_campaign("demo", Settings(), NOW)
        await load(store, demo, [person(1)], "old")
    await asyncio.to_thread(kill_in_the_middle, database.place, "upload", after)
    async with database.open() as store:
        assert numbers_of(await store.claim(request(demo))) == [phone(1)]
        (left,) = await store.interrupted_uploads(NOW + HOUR, 0)
        known = await store.known_numbers(left, [phone(1000 + n) for n in range(100_000)])
        assert len(known) >= after * 100
        assert len(known) % 100 == 0, "whole batches or nothing"
        await store.discard_uploads([left])
        assert not await store.interrupted_uploads(NOW + HOUR, 0)
        await check_counts(store, demo)


@pytest.mark.parametrize("after", [1, 3, 8])
async def test_killed_claims_are_whole(database: FreshDatabase, after: int) -> None:
    async with database.open() as store:
        demo = await store.create_campaign("demo", Settings(), NOW)
        await load(store, demo, [person(n) for n in range(3000)])
    await asyncio.to_thread(kill_in_the_middle, database.place, "claim", after)
    async with database.open() as store:
        live = await store.open_attempts()
        assert len(live) >= after * 5
        assert len(live) % 5 == 0
        in_call = {number for number, row in (await people(store)).items() if row["state"] == "in_call"}
        assert in_call == {claim.contact.numbers[0].number for claim in live}
        await check_counts(store, demo)
        rest = await store.claim(request(demo, limit=3000))
        assert len(rest) == 3000 - len(live), "nothing is lost, nothing is claimed twice"
