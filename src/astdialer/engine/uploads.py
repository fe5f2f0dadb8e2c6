"""Bases that are sent to us: their files wait in the spool, and are loaded one after the other, whatever dies."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from astdialer.domain.calendar import zone_of
from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import AstdialerError, InvalidSetting, Unavailable
from astdialer.domain.names import check_name
from astdialer.ports import BaseLoader, Clock, RequestStore, UploadJob

logger = logging.getLogger(__name__)

#: Between two looks for files, and between two tries while the store fails, at most.
LOOK_S, LONGEST_PAUSE_S = 0.5, 60.0
#: How often progress is written down, at most.
SAVE_S = 1.0
#: Beside a job's file: the rows that could not be loaded.
REJECTS = ".rejects.csv"
#: What is left in the spool is removed after so long; it is looked for this often.
KEPT_S, SWEEP_S = 7 * 86_400, 3600
#: A job that is ended is forgotten so long after it came: its report quotes rows, which are people's data.
JOB_KEPT_S = 90 * 86_400

DELIMITERS = {"tab": "\t", "\\t": "\t", "semicolon": ";", "comma": ",", "pipe": "|"}
_COUNTRY = re.compile(r"[A-Za-z]{2}")


# --- what is asked for -----------------------------------------------------------------------------------------------


def mapping_of(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """``FIELD=COLUMN`` each. Raises InvalidSetting."""
    pairs = [text.partition("=") for text in texts]
    for text, (name, _, column) in zip(texts, pairs, strict=True):
        if not name.strip() or not column:
            raise InvalidSetting("map", text, "FIELD=COLUMN, such as number=Phone")
    return tuple((name.strip(), column) for name, _, column in pairs)


def delimiter_of(text: str) -> str:
    """A character, or a word for it. Raises InvalidSetting."""
    delimiter = DELIMITERS.get(text.lower(), text)
    if len(delimiter) > 1 or delimiter in ('"', "\r", "\n"):
        raise InvalidSetting("delimiter", text, "one character, or tab")
    return delimiter


def options_of(
    *,
    timezone: str = "",
    country: str = "",
    mapping: Sequence[str] = (),
    encoding: str = "",
    delimiter: str = "",
    dry_run: bool = False,
) -> Mapping[str, Any]:
    """How a file is to be read, as a job keeps it; empty texts: as the file says. Raises InvalidSetting."""
    if timezone:
        zone_of(timezone)
    if country and not _COUNTRY.fullmatch(country):
        raise InvalidSetting("country", country, "a country by its two letters (ISO 3166), such as ES")
    if encoding:
        _check_encoding(encoding)
    return {
        "timezone": timezone,
        "country": country,
        "mapping": mapping_of(mapping),
        "encoding": encoding,
        "delimiter": delimiter_of(delimiter),
        "dry_run": dry_run,
    }


def _check_encoding(name: str) -> None:
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise InvalidSetting("encoding", name, "a name such as utf-8, cp1251 or latin-1") from None


async def submit(
    store: RequestStore,
    clock: Clock,
    *,
    path: Path,
    base: str,
    file_name: str,
    size: int,
    campaign: Campaign | None = None,
    tenant: str = "",
    options: Mapping[str, Any] | None = None,
    done_by: str = "",
) -> UploadJob:
    """Have the file at ``path``, which is ours from now on, loaded. Without a campaign each row names its own.

    Raises InvalidSetting and Unavailable; then the file is still the caller's.
    """
    job = UploadJob(
        id=str(uuid.uuid4()),
        campaign_id=campaign.id if campaign else None,
        base=check_name(base),
        tenant=campaign.tenant if campaign else tenant,
        file_name=file_name,
        path=str(path),
        options=dict(options or {}),
        bytes=size,
        created_at=clock.now(),
        created_by=done_by,
    )
    await store.add_job(job)
    return job


# --- loading ---------------------------------------------------------------------------------------------------------


class UploadRunner:
    """Loads what waits. A file that was being loaded when the process died is begun anew: nothing of it was kept."""

    def __init__(self, store: RequestStore, clock: Clock, load: BaseLoader, spool: Path | None = None) -> None:
        """``spool`` is where the files wait: what nobody needs there any more is removed."""
        self._store, self._clock, self._load, self._spool = store, clock, load, spool
        self._swept_at: int | None = None

    async def run(self) -> None:
        """Until canceled. Nothing that goes wrong with one file, or for a while, ends it."""
        pause_s = LOOK_S
        while True:
            try:
                await self._look()
                pause_s = LOOK_S
            except Unavailable as error:
                logger.error("uploads.store_failed", extra={"error": str(error), "again_in_s": pause_s})
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except Exception as error:
                logger.exception("uploads.failed", extra={"error": repr(error), "again_in_s": pause_s})
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            await self._clock.sleep(pause_s)

    async def _look(self) -> None:
        jobs = await self._store.open_jobs()
        if self._swept_at is None or self._clock.now() - self._swept_at >= SWEEP_S * 1000:
            self._swept_at = self._clock.now()
            await self._sweep([job.path for job in jobs])
        for job in jobs:
            await self._one(job)

    async def _one(self, job: UploadJob) -> None:
        job = replace(job, state="loading", bytes_done=0)
        await self._store.save_job(job)
        try:
            report = await self._followed(job)
            ended = replace(job, state="done", bytes_done=job.bytes, report=report)
        except Unavailable:
            raise  # the store: it is begun anew
        except AstdialerError as error:
            ended = replace(job, state="failed", error=str(error))
        except Exception as error:  # a fault of ours in one file must not end the engine
            logger.exception("upload.failed", extra={"upload": job.id})
            ended = replace(job, state="failed", error=f"a fault of astdialer: {error!r}")
        await self._store.save_job(replace(ended, ended_at=self._clock.now()))
        await asyncio.to_thread(_remove, [Path(job.path)])
        logger.info("upload.ended", extra={"upload": job.id, "base": job.base, "state": ended.state})

    async def _followed(self, job: UploadJob) -> Mapping[str, Any]:
        """Load it, and write down now and then how far that has come."""
        done = 0

        def progress(at: int, _size: int) -> None:
            nonlocal done
            done = at

        loading = asyncio.ensure_future(self._load(job, progress))
        try:
            while not loading.done():
                await asyncio.wait([loading], timeout=SAVE_S)
                if not loading.done():
                    await self._store.save_job(replace(job, bytes_done=min(done, job.bytes)))
        except BaseException:
            await _canceled(loading)
            raise
        return loading.result()

    async def _sweep(self, needed: Collection[str]) -> None:
        """Forget jobs and remove rejects that had their time, and files of requests that died before they became a
        job."""
        await self._store.forget_jobs(self._clock.now() - JOB_KEPT_S * 1000)
        if self._spool:
            before_s = self._clock.now() / 1000 - KEPT_S
            await asyncio.to_thread(_remove_old, self._spool, before_s, [Path(path).name for path in needed])


async def _canceled(loading: asyncio.Future[Mapping[str, Any]]) -> None:
    """End the loading, and wait until it has removed what it brought: begun again, it would find its own rows."""
    loading.cancel()
    while not loading.done():
        try:
            await asyncio.wait([loading])
        except asyncio.CancelledError:
            continue
    if not loading.cancelled() and (error := loading.exception()):
        logger.warning("upload.canceled", extra={"error": str(error)})


def _remove(paths: Collection[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # it is tried again with what is old
            logger.warning("upload.file_stays", extra={"path": str(path), "error": str(error)})


def _remove_old(spool: Path, before_s: float, needed: Collection[str]) -> None:
    if not spool.is_dir():
        return
    old = [path for path in spool.iterdir() if path.is_file() and path.stat().st_mtime < before_s]
    _remove([path for path in old if not any(path.name.startswith(name) for name in needed)])
