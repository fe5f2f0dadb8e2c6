"""What a hang, a crash or the death of the parent costs: one job, and nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sounds import MakeGsm, listen

from astdialer.config import Records
from astdialer.ports import Recording
from astdialer.records.files import RecordingFiles
from astdialer.records.pool import ConversionFailed

pytest_plugins = ("sound_fixtures",)

CALL = Recording(attempt_id="call", date="20170620")


def running(marker: str) -> list[int]:
    """Processes whose command line holds the marker."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    def holds() -> object:
        try:
            return condition()
        except FileNotFoundError:
            return False

    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)


@pytest.fixture
def hanging(settings: Records, fake_ffmpeg: Callable[[str], str]) -> Records:
    """ffmpeg writes half a file and hangs."""
    return replace(settings, ffmpeg=fake_ffmpeg('echo half > "${!#}"; sleep 1000'), timeout_s=1.0)


async def test_hang_is_killed_with_all_it_started(hanging: Records, make_gsm: MakeGsm, tmp_path: Path) -> None:
    gsm = make_gsm()
    async with RecordingFiles(hanging) as files:
        began = time.monotonic()
        with pytest.raises(ConversionFailed, match="not done within 1 s"):
            await files.convert(CALL)
        assert time.monotonic() - began < 4
        await until(lambda: not running(f"bash\0{tmp_path}"))
        assert files.pool.pids == []
    assert not gsm.with_suffix(".mp3").exists()


async def test_next_job_after_a_hang_succeeds(hanging: Records, settings: Records, make_gsm: MakeGsm) -> None:
    make_gsm()
    async with RecordingFiles(hanging) as files:
        with pytest.raises(ConversionFailed):
            await files.convert(CALL)
    async with RecordingFiles(settings) as files:
        result = await files.convert(CALL)
    assert result
    assert listen(result.path).seconds == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("whole_group", [False, True])
async def test_kill_9_in_the_middle(
    hanging: Records, settings: Records, make_gsm: MakeGsm, tmp_path: Path, whole_group: bool
) -> None:
    gsm = make_gsm()
    async with RecordingFiles(replace(hanging, timeout_s=30)) as files:
        conversion = asyncio.create_task(files.convert(CALL))
        await until(lambda: (gsm.parent / ".call.mp3.part").exists() and running(f"bash\0{tmp_path}"))
        (worker,) = files.pool.pids
        (os.killpg if whole_group else os.kill)(worker, signal.SIGKILL)
        with pytest.raises(ConversionFailed, match="ended in the middle"):
            await conversion
        await until(lambda: not running(f"bash\0{tmp_path}"))
    assert gsm.exists()
    assert not gsm.with_suffix(".mp3").exists()
    async with RecordingFiles(settings) as files:
        result = await files.convert(CALL)
    assert result
    assert sorted(path.name for path in gsm.parent.iterdir()) == ["call.mp3"]


async def test_idle_worker_that_died_is_replaced(settings: Records, make_gsm: MakeGsm) -> None:
    make_gsm("a")
    make_gsm("b")
    async with RecordingFiles(settings) as files:
        await files.convert(Recording(attempt_id="a", date="20170620"))
        (worker,) = files.pool.pids
        os.kill(worker, signal.SIGKILL)
        await until(lambda: not is_alive(worker))
        await asyncio.sleep(0.1)
        assert await files.convert(Recording(attempt_id="b", date="20170620"))


async def test_worker_is_kept_between_jobs(settings: Records, make_gsm: MakeGsm) -> None:
    async with RecordingFiles(settings) as files:
        pids = set()
        for guid in ("a", "b", "c"):
            make_gsm(guid)
            await files.convert(Recording(attempt_id=guid, date="20170620"))
            pids.update(files.pool.pids)
        assert len(pids) == 1


async def test_at_most_so_many_at_a_time(
    settings: Records, make_gsm: MakeGsm, fake_ffmpeg: Callable[[str], str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    counting = fake_ffmpeg(f'echo + >> {log}; sleep 0.1; env ffmpeg "$@"; echo - >> {log}')
    guids = [f"call{i}" for i in range(8)]
    for guid in guids:
        make_gsm(guid, 1)
    async with RecordingFiles(replace(settings, ffmpeg=counting, workers=3)) as files:
        results = await asyncio.gather(*(files.convert(Recording(attempt_id=g, date="20170620")) for g in guids))
        assert len(files.pool.pids) <= 3
    assert all(results)
    depth, deepest = 0, 0
    for line in log.read_text().split():
        depth += 1 if line == "+" else -1
        deepest = max(deepest, depth)
    assert 2 <= deepest <= 3


async def test_cancelled_caller_leaves_no_stray_reply(
    settings: Records, hanging: Records, make_gsm: MakeGsm, tmp_path: Path
) -> None:
    make_gsm()
    async with RecordingFiles(replace(hanging, timeout_s=30)) as files:
        conversion = asyncio.create_task(files.convert(CALL))
        await until(lambda: running(f"bash\0{tmp_path}"))
        conversion.cancel()
        with pytest.raises(asyncio.CancelledError):
            await conversion
        await until(lambda: not running(f"bash\0{tmp_path}"))
        assert files.pool.pids == []


async def test_stop_ends_what_runs(hanging: Records, make_gsm: MakeGsm, tmp_path: Path) -> None:
    make_gsm()
    async with RecordingFiles(replace(hanging, timeout_s=30)) as files:
        conversion = asyncio.create_task(files.convert(CALL))
        await until(lambda: running(f"bash\0{tmp_path}"))
        pids = files.pool.pids
    with pytest.raises(ConversionFailed):
        await conversion
    await until(lambda: not running(f"bash\0{tmp_path}") and not any(map(is_alive, pids)))
    with pytest.raises(ConversionFailed, match="stopped"):
        await files.convert(CALL)


PARENT = """
import asyncio, sys
from astdialer.config import Records
from astdialer.ports import Recording
from astdialer.records.files import RecordingFiles

async def main():
    async with RecordingFiles(Records(directory=sys.argv[1], ffmpeg=sys.argv[2])) as files:
        await files.convert(Recording(attempt_id="call", date="20170620"))

asyncio.run(main())
"""


def children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # gone meanwhile
            if f"PPid:\t{parent}\n" in path.read_text():
                found.append(int(path.parent.name))
    return [pid for pid in found if is_alive(pid)]


async def test_death_of_the_parent_ends_the_workers(hanging: Records, make_gsm: MakeGsm, tmp_path: Path) -> None:
    make_gsm()
    arguments = [sys.executable, "-c", PARENT, hanging.directory, hanging.ffmpeg]
    with subprocess.Popen(arguments) as parent:  # noqa: ASYNC220
        try:
            await until(lambda: (tmp_path / "records/20170620/.call.mp3.part").read_text() == "half\n")
            workers = children(parent.pid)
        finally:
            parent.kill()
    assert workers
    await until(lambda: not running(f"bash\0{tmp_path}") and not any(map(is_alive, workers)))


def test_worker_without_a_parent_ends_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "astdialer.records.worker"], check=False, stdin=subprocess.DEVNULL, timeout=20
    )
    assert done.returncode == -signal.SIGKILL
