"""Bases that are sent to us: their files wait in the spool, and are loaded one after the other, whatever dies."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import AstdialerError, Unavailable
from astdialer.domain.names import check_name
from astdialer.ports import BaseLoader, Clock, RequestStore, UploadJob

logger = logging.getLogger(__name__)

#: Between two looks for files.
LOOK_S = 0.5
#: How often progress is written down, at most.
SAVE_S = 1.0


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
    """Have the file at ``path``, which is ours from now on, loaded. Without a campaign each row names its own."""
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


class UploadRunner:
    """Loads what waits. A file that was being loaded when the process died is begun anew: nothing of it was kept."""

    def __init__(self, store: RequestStore, clock: Clock, load: BaseLoader) -> None:
        self._store, self._clock, self._load = store, clock, load

    async def run(self) -> None:
        """Until canceled."""
        while True:
            try:
                for job in await self._store.open_jobs():
                    await self._one(job)
            except Unavailable as error:
                logger.error("uploads.store_failed", extra={"error": str(error)})
            await self._clock.sleep(LOOK_S)

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
        await asyncio.to_thread(Path(job.path).unlink, missing_ok=True)
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
                    await self._store.save_job(replace(job, bytes_done=done))
        except BaseException:
            loading.cancel()
            await asyncio.wait([loading])
            raise
        return loading.result()
