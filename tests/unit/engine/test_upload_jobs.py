"""Files that were sent to us are loaded, whatever dies meanwhile, and leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from astdialer.config import Engine
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewContact, NewNumber
from astdialer.domain.errors import InvalidSetting, NotFound, Unavailable
from astdialer.domain.settings import Settings
from astdialer.engine import uploads
from astdialer.engine.uploads import JOB_KEPT_S, KEPT_S, REJECTS, SWEEP_S, UploadRunner, options_of, submit
from astdialer.ports import UploadJob
from astdialer.store import SqliteStore, open_store
from astdialer.upload.spool import spool_loader

NOW = 1_790_000_000_000
ENGINE = Engine(default_country="ES")
GOOD = "612345678;x\n612345679;y\n"


class SteppedClock:
    """Time goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.at = NOW
        self.slept: list[float] = []

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += round(seconds * 1000)
        await asyncio.sleep(0.001)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def store(tmp_path: Path, clock: SteppedClock) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "s.db", clock) as opened:
        yield opened


@pytest.fixture
async def demo(store: SqliteStore) -> Campaign:
    return await store.create_campaign("demo", Settings(), NOW)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    made.mkdir()
    return made


async def sent(
    store: SqliteStore, clock: SteppedClock, file: Path, text: str, of: Campaign | None, **values: Any
) -> UploadJob:
    """A file that has come whole."""
    file.write_text(text, encoding="utf-8")
    known: dict[str, Any] = {"base": "march", "file_name": "march.csv", "size": file.stat().st_size, "done_by": "ana"}
    return await submit(store, clock, path=file, campaign=of, **known | values)


def csv_text(*numbers: int) -> str:
    return "number,name\n" + "".join(f"{number},Ana\n" for number in numbers)


@contextlib.asynccontextmanager
async def running(runner: UploadRunner) -> AsyncIterator[None]:
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def when(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def ended(store: SqliteStore, runner: UploadRunner, job: UploadJob) -> UploadJob:
    """The job, once a runner is done with it."""

    async def is_over() -> bool:
        return (await store.job(job.id)).ended_at is not None

    async with running(runner):
        await when(is_over)
        await asyncio.sleep(0.05)  # its file is removed right after that
    return await store.job(job.id)


def loader(store: SqliteStore, clock: SteppedClock) -> Any:
    return spool_loader(store, clock, ENGINE)


async def numbers(store: SqliteStore) -> list[str]:
    return [row["number"] for row in await store.contacts({}, 1_000_000)]


# --- the usual -------------------------------------------------------------------------------------------------------


async def test_a_file_is_loaded_and_removed_and_its_job_has_the_report(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    job = await sent(store, clock, spool / "a", csv_text(612345678, 612345679, 612345678), demo)
    assert (job.state, job.tenant, job.created_by) == ("waiting", "", "ana")
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    assert (done.state, done.bytes_done, done.error) == ("done", job.bytes, "")
    assert (done.report["added"], done.report["duplicates"], done.report["file"]) == (2, 1, "march.csv")
    assert await numbers(store) == ["+34612345678", "+34612345679"]
    assert list(spool.iterdir()) == []
    (base,) = await store.bases(demo.id)
    assert (base["base"], base["file_name"], base["contacts"]) == ("march", "march.csv", 2)


async def test_rejected_rows_stay_beside_where_the_file_was(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    job = await sent(store, clock, spool / "a", csv_text(612345678, 12), demo)
    done = await ended(store, UploadRunner(store, clock, loader(store, clock), spool), job)
    assert (done.report["added"], done.report["rejected"]) == (1, 1)
    (rejects,) = spool.iterdir()
    assert rejects.name == "a" + REJECTS
    rows = list(csv.reader(rejects.read_text(encoding="utf-8").splitlines()))
    assert (rows[1][0], rows[1][1], rows[1][3]) == ("3", "number", "12,Ana")


async def test_rows_may_name_their_campaigns_but_no_other_tenants(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    await store.create_campaign("theirs", Settings(), NOW, "b")
    text = "demo;612345678\ntheirs;612345679\n"
    job = await sent(store, clock, spool / "a", text, None, tenant="b")
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    assert (done.report["added"], done.report["rejects"]) == (1, {"campaign": 1})
    assert await numbers(store) == ["+34612345679"]


async def test_a_dry_run_says_what_would_be_and_adds_nobody(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    options = options_of(dry_run=True, mapping=["number=Phone"])
    job = await sent(store, clock, spool / "a", "Phone;N\n" + GOOD, demo, options=options)
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    assert (done.state, done.report["added"], done.report["dry_run"]) == ("done", 2, True)
    assert await numbers(store) == []


async def test_files_are_loaded_in_the_order_in_which_they_came(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    first = await sent(store, clock, spool / "z", csv_text(612345678), demo)
    clock.at += 1
    second = await sent(store, clock, spool / "a", csv_text(612345678, 612345679), demo)
    await ended(store, UploadRunner(store, clock, loader(store, clock)), second)
    assert [(await store.job(job.id)).report["added"] for job in (first, second)] == [1, 1]


async def test_the_same_file_twice_adds_nobody_twice(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    runner = UploadRunner(store, clock, loader(store, clock))
    await ended(store, runner, await sent(store, clock, spool / "a", csv_text(612345678), demo))
    again = await ended(store, runner, await sent(store, clock, spool / "b", csv_text(612345678), demo))
    assert (again.state, again.report["added"], again.report["duplicates"]) == ("done", 0, 1)
    assert await numbers(store) == ["+34612345678"]
    assert len(await store.bases(demo.id)) == 1


# --- what can't be loaded --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("", {}, "the file has no rows"),
        ("a,b\n1,2\n", {}, "neither a row"),
        (csv_text(612345678), {"mapping": [["number", "Phone"]]}, "no such column"),
        (csv_text(612345678), {"country": "XX"}, "default_country"),
        (csv_text(612345678), {"encoding": "none"}, "expected a name such as utf-8"),
    ],
)
async def test_a_file_that_cannot_be_loaded_says_why_and_goes(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock, *, text: str, options: Any, says: str
) -> None:
    job = await sent(store, clock, spool / "a", text, demo, options=options)
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    assert (done.state, done.ended_at is not None) == ("failed", True)
    assert says in done.error
    assert str(spool) not in done.error
    assert list(spool.iterdir()) == []


async def test_a_file_that_is_gone_fails_alone(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    lost = await sent(store, clock, spool / "a", csv_text(612345678), demo)
    (spool / "a").unlink()
    clock.at += 1
    kept = await sent(store, clock, spool / "b", csv_text(612345679), demo)
    await ended(store, UploadRunner(store, clock, loader(store, clock)), kept)
    failed = await store.job(lost.id)
    assert (failed.state, "march.csv: can't be read" in failed.error) == ("failed", True)
    assert await numbers(store) == ["+34612345679"]


async def test_a_campaign_that_is_gone_does_not_let_rows_choose(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    job = await sent(store, clock, spool / "a", "demo;612345678\n", replace(demo, id=77))
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    assert (done.state, "not there any more" in done.error) == ("failed", True)
    assert await numbers(store) == []


async def test_a_fault_in_one_file_ends_nothing_but_that_file(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    real = loader(store, clock)

    async def faulty(job: UploadJob, progress: Callable[[int, int], None]) -> Mapping[str, Any]:
        if job.path.endswith("bad"):
            raise ZeroDivisionError("7 / 0")
        found: Mapping[str, Any] = await real(job, progress)
        return found

    bad = await sent(store, clock, spool / "bad", GOOD, demo)
    clock.at += 1
    good = await sent(store, clock, spool / "good", csv_text(612345678), demo)
    await ended(store, UploadRunner(store, clock, faulty), good)
    failed = await store.job(bad.id)
    assert (failed.state, failed.error) == ("failed", "a fault of astdialer: ZeroDivisionError('7 / 0')")
    assert (await store.job(good.id)).state == "done"
    assert list(spool.iterdir()) == []


# --- what dies -------------------------------------------------------------------------------------------------------


async def test_what_a_dead_process_was_loading_is_loaded_whole(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    """It left half of the rows in the store: they are no duplicates of themselves, and none is lost afterwards."""
    job = await sent(store, clock, spool / "a", csv_text(612345678, 612345679), demo)
    await store.save_job(replace(job, state="loading", bytes_done=5))
    left = await store.open_upload(demo.id, "march", file_name="march.csv", timezone="", now=NOW, job=job.id)
    await store.add_contacts(left, [_contact("+34612345678")], NOW)
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    assert (done.state, done.report["added"], done.report["duplicates"]) == ("done", 2, 0)
    assert await numbers(store) == ["+34612345678", "+34612345679"]
    await store.discard_uploads(await store.interrupted_uploads(clock.now() + 10**9, 0))
    assert len(await numbers(store)) == 2


def _contact(number: str) -> NewContact:
    new = NewNumber(number=number, as_uploaded=number, type="P")
    return NewContact(numbers=(new,), params={}, priority=1, agentphone="", line=2)


async def test_a_job_that_was_done_but_for_saying_so_reports_what_it_added(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    text = csv_text(612345678, 612345679, 612345679, 12)
    job = await sent(store, clock, spool / "a", text, demo)
    first = await loader(store, clock)(job, lambda _done, _size: None)
    await store.save_job(replace(job, state="loading"))
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    for key in ("added", "duplicates", "rejected", "rejects"):
        assert done.report[key] == first[key], key
    assert (done.report["added"], done.report["duplicates"]) == (2, 1)
    assert [base["added"] for base in done.report["bases"]] == [2]
    assert len(await numbers(store)) == 2


async def test_a_process_that_is_killed_is_followed_by_one_that_loads_the_file(tmp_path: Path) -> None:
    rows = 60_000
    clock = SteppedClock()
    file = tmp_path / "a"
    async with open_store(tmp_path / "s.db", clock) as store:
        demo = await store.create_campaign("demo", Settings(), NOW)
        text = csv_text(*range(612_000_000, 612_000_000 + rows))
        job = await sent(store, clock, file, text, demo)
    at_kill = await asyncio.to_thread(_killed_in_the_middle, tmp_path / "s.db")
    assert 0 < at_kill < rows, "killed in the middle"
    async with open_store(tmp_path / "s.db", clock) as store:
        assert (await store.job(job.id)).state == "loading"
        assert await numbers(store) == []
        done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
        assert (done.state, done.report["added"], done.report["duplicates"]) == ("done", rows, 0)
        assert (await store.counts(demo.id)).ready == rows
        assert await store.unfinished_of_job(job.id) == []
    assert not file.exists()


def _killed_in_the_middle(path: Path) -> int:
    """A process loads, and is killed; how many contacts there were then."""
    child = subprocess.Popen([sys.executable, str(Path(__file__).with_name("upload_child.py")), str(path)])
    try:
        return _wait_for_rows(path, child)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(30)


def _wait_for_rows(path: Path, child: subprocess.Popen[bytes]) -> int:
    """How many contacts are there, once there are some."""
    end = time.monotonic() + 60
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        while time.monotonic() < end:
            assert child.poll() is None
            found = int(connection.execute("SELECT count(*) FROM contacts").fetchone()[0])
            if found:
                return found
            time.sleep(0.005)
    raise AssertionError("nothing was loaded")


async def test_a_stop_in_the_middle_keeps_nothing_and_the_next_start_begins_anew(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    job = await sent(store, clock, spool / "a", csv_text(*range(612_000_000, 612_020_000)), demo)

    async def has_begun() -> bool:
        return any(base["contacts"] for base in await store.bases(demo.id))

    async with running(UploadRunner(store, clock, loader(store, clock))):
        await when(has_begun)
    assert await store.unfinished_of_job(job.id) == []
    assert await store.bases(demo.id) == []
    assert (await store.job(job.id)).state == "loading"
    assert (spool / "a").exists()
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    assert (done.state, done.report["added"]) == ("done", 20_000)


async def test_a_second_stop_waits_for_the_first_ones_clearing(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    cleared, begun = asyncio.Event(), asyncio.Event()

    async def slow(_job: UploadJob, _progress: Callable[[int, int], None]) -> Mapping[str, Any]:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
            cleared.set()
            raise
        return {}

    await sent(store, clock, spool / "a", GOOD, demo)
    task = asyncio.create_task(UploadRunner(store, clock, slow).run())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleared.is_set()


# --- what fails for a while ------------------------------------------------------------------------------------------


async def test_a_store_that_fails_is_tried_again_with_growing_pauses(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    failures = 9

    async def failing(job: UploadJob, progress: Callable[[int, int], None]) -> Mapping[str, Any]:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable("the store can't write: database or disk is full")
        found: Mapping[str, Any] = await real(job, progress)
        return found

    real = loader(store, clock)
    job = await sent(store, clock, spool / "a", csv_text(612345678), demo)
    done = await ended(store, UploadRunner(store, clock, failing), job)
    assert (done.state, done.report["added"]) == ("done", 1)
    assert clock.slept[:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_a_full_disk_keeps_nothing_and_the_file_waits_for_room(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    job = await sent(store, clock, spool / "a", csv_text(*range(612_000_000, 612_005_000)), demo)

    async def limit(pages: int) -> None:
        await store._db._writer.execute_fetchall(f"PRAGMA max_page_count = {pages}")

    (found,) = await store._db._writer.execute_fetchall("PRAGMA page_count")
    pages = int(found[0])
    await limit(pages + 30)

    async def has_failed() -> bool:
        return len(clock.slept) > 2

    async with running(UploadRunner(store, clock, loader(store, clock))):
        await when(has_failed)
    assert (await store.job(job.id)).ended_at is None
    assert await numbers(store) == []
    assert (spool / "a").exists()
    await limit(1_000_000)
    done = await ended(store, UploadRunner(store, clock, loader(store, clock)), job)
    assert (done.state, done.report["added"]) == ("done", 5000)


async def test_a_file_that_cannot_be_removed_is_no_reason_to_end(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    runner = UploadRunner(store, clock, loader(store, clock))
    assert (
        await ended(store, runner, await sent(store, clock, spool / "a", csv_text(612345678), demo))
    ).state == "done"
    again = await ended(store, runner, await sent(store, clock, spool / "b", csv_text(612345679), demo))
    assert again.state == "done"


async def test_a_fault_outside_of_any_file_does_not_end_the_runner(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, faults = store.open_jobs, [KeyError("x"), KeyError("y")]

    async def faulty() -> Any:
        if faults:
            raise faults.pop()
        return await real()

    monkeypatch.setattr(store, "open_jobs", faulty)
    job = await sent(store, clock, spool / "a", csv_text(612345678), demo)
    assert (await ended(store, UploadRunner(store, clock, loader(store, clock)), job)).state == "done"


# --- progress --------------------------------------------------------------------------------------------------------


async def test_progress_is_written_down_meanwhile(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SAVE_S", 0.01)
    go_on = asyncio.Event()

    async def half(job: UploadJob, progress: Callable[[int, int], None]) -> Mapping[str, Any]:
        progress(7, job.bytes)
        await go_on.wait()
        return {"added": 1}

    job = await sent(store, clock, spool / "a", GOOD, demo)

    async def is_half_done() -> bool:
        now = await store.job(job.id)
        return (now.state, now.bytes_done) == ("loading", 7)

    async with running(UploadRunner(store, clock, half)):
        await when(is_half_done)
        go_on.set()

        async def is_done() -> bool:
            return (await store.job(job.id)).state == "done"

        await when(is_done)
    assert (await store.job(job.id)).bytes_done == job.bytes


# --- the spool -------------------------------------------------------------------------------------------------------


async def test_what_is_old_in_the_spool_is_removed_and_what_waits_is_not(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    old, new = NOW / 1000 - KEPT_S - 60, NOW / 1000 - KEPT_S + 60

    async def never(_job: UploadJob, _progress: Callable[[int, int], None]) -> Mapping[str, Any]:
        raise Unavailable("not yet")

    await sent(store, clock, spool / "waits", GOOD, demo)
    for name, at in (
        ("waits", old),
        ("waits" + REJECTS + ".part", old),
        ("orphan", old),
        ("rejects" + REJECTS, old),
        ("young" + REJECTS, new),
    ):
        (spool / name).touch()
        os.utime(spool / name, (at, at))
    (spool / "folder").mkdir()
    os.utime(spool / "folder", (old, old))

    async def has_swept() -> bool:
        return not (spool / "orphan").exists()

    async with running(UploadRunner(store, clock, never, spool)):
        await when(has_swept)

        async def is_later() -> bool:
            return clock.at > NOW + SWEEP_S * 1000

        assert {path.name for path in spool.iterdir()} == {
            "waits",
            "waits" + REJECTS + ".part",
            "young" + REJECTS,
            "folder",
        }
        await when(is_later)

        async def young_is_gone() -> bool:
            return not (spool / ("young" + REJECTS)).exists()

        await when(young_is_gone)
    assert (spool / "waits").exists()


async def test_what_came_of_a_file_is_forgotten_after_its_time(
    store: SqliteStore, demo: Campaign, spool: Path, clock: SteppedClock
) -> None:
    async def fails(_job: UploadJob, _progress: Callable[[int, int], None]) -> Mapping[str, Any]:
        raise NotFound("campaign", "x")

    async def failed(name: str) -> UploadJob:
        job = await sent(store, clock, spool / name, GOOD, demo)

        async def has_failed() -> bool:
            return (await store.job(job.id)).state == "failed"

        async with running(UploadRunner(store, clock, fails)):
            await when(has_failed)
        return job

    await failed("old")
    clock.at = NOW + JOB_KEPT_S * 1000 + 1
    young = await failed("young")
    assert [job.id for job in await store.jobs(None, 9)] == [young.id]


async def test_a_spool_that_is_not_there_yet_is_no_fault(
    store: SqliteStore, demo: Campaign, tmp_path: Path, clock: SteppedClock
) -> None:
    job = await sent(store, clock, tmp_path / "a", csv_text(612345678), demo)
    runner = UploadRunner(store, clock, loader(store, clock), tmp_path / "nowhere")
    assert (await ended(store, runner, job)).state == "done"


# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"timezone": "Mars"}, "timezone"),
        ({"country": "Spain"}, "country"),
        ({"country": "É1"}, "country"),
        ({"mapping": ["number"]}, "map"),
        ({"mapping": ["=Phone"]}, "map"),
        ({"mapping": [" =Phone"]}, "map"),
        ({"encoding": "none"}, "encoding"),
        ({"encoding": "hex"}, "encoding"),
        ({"encoding": "\0"}, "encoding"),
        ({"delimiter": "::"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
    ],
)
def test_what_no_file_can_be_read_by_names_its_field(values: Any, key: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        options_of(**values)
    assert raised.value.key == key


def test_what_a_file_is_read_by_is_kept_plainly() -> None:
    found = options_of(timezone="Europe/Rome", country="it", mapping=["number=A=B"], encoding="cp1252", delimiter="TAB")
    assert found == {
        "timezone": "Europe/Rome",
        "country": "it",
        "mapping": (("number", "A=B"),),
        "encoding": "cp1252",
        "delimiter": "\t",
        "dry_run": False,
    }


async def test_a_base_with_a_bad_name_is_no_job(
    store: SqliteStore, demo: Campaign, tmp_path: Path, clock: SteppedClock
) -> None:
    with pytest.raises(InvalidSetting):
        await sent(store, clock, tmp_path / "a", GOOD, demo, base="../x")
    assert await store.open_jobs() == []
