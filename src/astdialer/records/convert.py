"""GSM→MP3 of one recording: is it final, is it done already, and if not, have a worker do it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

from astdialer.config import Records
from astdialer.domain.errors import Unavailable
from astdialer.ports import Converted
from astdialer.records.duration import GSM_FRAME, GSM_FRAME_S, NotAudio, duration_s, gsm_duration_s
from astdialer.records.job import Job
from astdialer.records.pool import ConversionFailed, WorkerPool

QUIET_S = 0.5  #: how long a young file's size must stay the same
SETTLED_S = 10.0  #: a file untouched for so long is final without a look at its growth
TORN_S = 60.0  #: after so long a torn last frame is what a crash left, not a write in progress


class NotFinal(Unavailable):
    """The recording is still being written."""

    code = "recording_not_final"


async def convert_file(gsm: Path, pool: WorkerPool, settings: Records, trim_s: int = 0) -> Converted | None:
    """Make the MP3 beside a GSM file, without its first seconds; None if nothing else was recorded. Idempotent.

    Raises NotFinal or ConversionFailed: try again later.
    """
    mp3 = gsm.with_suffix(".mp3")
    done = await asyncio.to_thread(_already_done, gsm, mp3, settings.keep_gsm, trim_s)
    if done:
        return done
    if not await is_final(gsm):
        return await asyncio.to_thread(_without_gsm, mp3)
    if trim_s and await asyncio.to_thread(gsm_duration_s, gsm) <= trim_s:
        if not settings.keep_gsm:
            await asyncio.to_thread(gsm.unlink, missing_ok=True)
        return None
    job = job_for(gsm, mp3, settings, remove_source=not settings.keep_gsm, left_s=trim_s)
    return Converted(path=mp3, duration_s=await pool.run(job))


def job_for(
    source: Path,
    target: Path,
    settings: Records,
    *,
    remove_source: bool = False,
    left_s: float = 0.0,
    length_s: float | None = None,
) -> Job:
    """A worker's job; times are seconds."""
    return Job(
        source=str(source),
        target=str(target),
        ffmpeg=settings.ffmpeg,
        bitrate=settings.bitrate,
        remove_source=remove_source,
        left_s=left_s,
        length_s=length_s,
    )


async def is_final(gsm: Path) -> bool:
    """Whether there is a recording and nobody writes it any more; False if nothing was recorded.

    Asterisk closes the file shortly after the hangup and writes at least every 2.5 s before, so a young file is
    watched for QUIET_S. Raises NotFinal.
    """
    first = await asyncio.to_thread(_stat, gsm)
    if first is None:
        return False
    if time.time() - first.st_mtime < SETTLED_S:
        await asyncio.sleep(QUIET_S)
        second = await asyncio.to_thread(_stat, gsm)
        if second is None or _stamp(first) != _stamp(second) or 0 <= time.time() - second.st_mtime < QUIET_S:
            raise NotFinal(f"{gsm}: still being written")
    if first.st_size % GSM_FRAME and time.time() - first.st_mtime < TORN_S:
        raise NotFinal(f"{gsm}: its last frame of {GSM_FRAME} bytes is not whole yet")
    return first.st_size >= GSM_FRAME


def _stat(path: Path) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        return path.stat()
    return None


def _stamp(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns


def _already_done(gsm: Path, mp3: Path, keep_gsm: bool, trim_s: int) -> Converted | None:
    """An MP3 that is there is whole, because it gets its name last. A GSM that a crash left beside it goes now."""
    try:
        seconds = duration_s(mp3)
    except (FileNotFoundError, NotAudio):
        return None
    recorded = _stat(gsm)
    if recorded and not keep_gsm and _covers(seconds + trim_s, recorded):
        gsm.unlink(missing_ok=True)
    return Converted(path=mp3, duration_s=seconds)


def _without_gsm(mp3: Path) -> Converted | None:
    """Nothing recorded, unless another process has finished it between two looks of ours."""
    try:
        return Converted(path=mp3, duration_s=duration_s(mp3))
    except FileNotFoundError:
        return None
    except NotAudio as error:
        raise ConversionFailed(f"{error}, and its GSM file is gone") from error


def _covers(seconds: float, gsm: os.stat_result) -> bool:
    """Whether an MP3 holds all of a GSM: one that somebody trimmed, or another program half made, does not."""
    return seconds >= gsm.st_size // GSM_FRAME * GSM_FRAME_S * 0.99 - 0.2
