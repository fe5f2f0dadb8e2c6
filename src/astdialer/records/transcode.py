"""One job, done inside a worker process: decode, encode, check, and only then let the result be seen.

pydub does it. Its faults (0.25.1) and what is done about each:

- it waits for ffmpeg for ever: the pool kills the worker's whole process group after a time;
- it lets ffmpeg read our stdin, which carries the jobs: the worker puts /dev/null there;
- without ``codec=`` it runs ffprobe as well: the codec is always named;
- ``export()`` runs a second ffmpeg and leaves temporary files behind when that fails: the MP3 is a second output of
  the decoding run instead, which takes a third less time (docs/adr/0004-gsm-to-mp3.md);
- it holds all samples that it decodes in memory, three times over: it is given one second of them;
- it can't be imported on Python 3.13 without audioop-lts: the error says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from astdialer.records import layout
from astdialer.records.duration import NotAudio, duration_s, gsm_duration_s, mp3_duration_s
from astdialer.records.job import Job

TOLERANCE_S = 0.2  #: how far a result's duration may be off, beside 1 %

_DECODER = {".gsm": "gsm", ".mp3": "mp3"}  # name of the container and of the codec alike


class TranscodeFailed(Exception):
    """The job could not be done; the source is as it was. The message is for people."""


def perform(job: Job) -> float:
    """Do a job; returns the target's duration in seconds. Doing it twice does no harm.

    Raises TranscodeFailed. The target appears whole or not at all; the source goes only after that.
    """
    try:
        with _locked(layout.part_of(job.target_path)) as part:
            if job.source_path != job.target_path and not job.source_path.exists() and job.target_path.exists():
                return duration_s(job.target_path)  # another process was faster
            return _make(job, part)
    except (OSError, NotAudio) as error:
        raise TranscodeFailed(str(error)) from error


def _make(job: Job, part: int) -> float:
    before = job.source_path.stat()
    expected = _clipped(duration_s(job.source_path), job)
    if expected <= 0:
        raise TranscodeFailed(f"{job.source}: has no sound from {job.left_s:g} s on")
    _encode(job)
    made = _made_duration(job)
    if abs(made - expected) > TOLERANCE_S + expected / 100:
        raise TranscodeFailed(f"{job.source}: {made:.2f} s came out of {expected:.2f} s")
    _publish(job, part, before)
    return made


def _clipped(duration: float, job: Job) -> float:
    rest = duration - job.left_s
    return rest if job.length_s is None else min(rest, job.length_s)


def _made_duration(job: Job) -> float:
    part = layout.part_of(job.target_path)
    return gsm_duration_s(part) if job.target_path.suffix == ".gsm" else mp3_duration_s(part)


# --- encoding --------------------------------------------------------------------------------------------------------


def _encode(job: Job) -> None:
    segment, decode_error = _pydub()
    segment.converter = job.ffmpeg
    decoder = _DECODER[job.source_path.suffix]
    try:
        # pydub puts the parameters behind its own output, which `duration` keeps to a second: they are a second
        # output, the whole file, straight to disk
        segment.from_file(job.source, format=decoder, codec=decoder, duration=1, parameters=_output(job))
    except decode_error as error:
        raise TranscodeFailed(f"{job.source}: ffmpeg: {_last_line(str(error))}") from error
    except OSError as error:
        if error.filename != job.ffmpeg:
            raise
        remedy = "install it, or set [records] ffmpeg to its path"
        raise TranscodeFailed(f"ffmpeg {job.ffmpeg!r} can't be run ({error.strerror}): {remedy}") from error


def _output(job: Job) -> list[str]:
    """ffmpeg's arguments for the temporary file."""
    clip = ["-ss", f"{job.left_s:.3f}"] if job.left_s else []
    clip += ["-t", f"{job.length_s:.3f}"] if job.length_s is not None else []
    mp3 = ["-vn", "-acodec", "libmp3lame", "-b:a", job.bitrate, "-f", "mp3"]
    gsm = ["-vn", "-acodec", "libgsm", "-ar", "8000", "-ac", "1", "-f", "gsm"]
    return [*clip, *(gsm if job.target_path.suffix == ".gsm" else mp3), str(layout.part_of(job.target_path))]


def _pydub() -> tuple[Any, type[Exception]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes, audioop's deprecation, ffmpeg not in PATH
        try:
            from pydub import AudioSegment
            from pydub.exceptions import CouldntDecodeError
        except ImportError as error:
            raise TranscodeFailed(f"pydub can't be imported ({error}): pip install pydub audioop-lts") from error
    return AudioSegment, CouldntDecodeError


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "ended without a word"


# --- files -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[int]:
    """The temporary file, open and locked against other processes; gone afterwards unless it was renamed."""
    file = _open_locked(part)
    inode = os.fstat(file).st_ino
    try:
        yield file
    finally:
        with contextlib.suppress(FileNotFoundError):
            if part.stat().st_ino == inode:
                part.unlink()
        os.close(file)


def _open_locked(part: Path) -> int:
    for _ in range(10):
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o660)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if part.stat().st_ino == os.fstat(file).st_ino:
                return file
        except BlockingIOError:
            os.close(file)
            raise TranscodeFailed(f"{part}: another process is at this recording") from None
        except FileNotFoundError:
            pass  # the other process finished between our open and our lock: the name is free again
        os.close(file)
    raise TranscodeFailed(f"{part}: other processes are at this recording")


def _publish(job: Job, part: int, before: os.stat_result) -> None:
    now = job.source_path.stat()
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise TranscodeFailed(f"{job.source}: was written to meanwhile")
    os.fchmod(part, before.st_mode & 0o777)
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.fsync(part)  # the name must not outlive the bytes in a power cut
    layout.part_of(job.target_path).rename(job.target_path)
    _sync_folder(job.target_path.parent)
    if job.remove_source:
        job.source_path.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
