"""The recordings of one installation: the engine's `Recordings` port, and what the commands need beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

from astdialer.config import Records
from astdialer.domain.errors import NotFound, Unavailable
from astdialer.ports import Converted, Recording
from astdialer.records import layout, retention
from astdialer.records.convert import NotFinal, convert_file, is_final, job_for
from astdialer.records.find import find
from astdialer.records.pool import WorkerPool

logger = logging.getLogger(__name__)

_SWEPT_FOLDERS = 7  # killed conversions leave their files in the folders of the last days


class RecordingFiles:
    """Implements ``ports.Recordings``. As an async context manager it runs the worker processes."""

    def __init__(self, settings: Records) -> None:
        self._settings = settings
        self.root = Path(settings.directory).absolute()
        self.backup = Path(settings.backup_directory).absolute() if settings.backup_directory else None
        self.pool = WorkerPool(workers=settings.workers, timeout_s=settings.timeout_s)

    async def __aenter__(self) -> Self:
        await self.pool.__aenter__()
        for path in await asyncio.to_thread(retention.sweep, self.root, newest=_SWEPT_FOLDERS):
            logger.info("records.leftover_removed", extra={"path": str(path)})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.pool.__aexit__(kind, error, traceback)

    def gsm_path(self, attempt_id: str, date: str) -> Path:
        """Where Asterisk is to write the recording; makes the date's folder, which Asterisk's group may write.

        Raises InvalidName, OutsideRoot, or Unavailable when the folder can't be made.
        """
        path = layout.place(self.root, attempt_id, date, ".gsm")
        try:
            layout.make_folder(self.root, date)
        except OSError as error:
            raise Unavailable(f"{path.parent}: can't be made: {error.strerror} ([records] directory)") from error
        return path

    async def convert(self, recording: Recording) -> Converted | None:
        """Convert one recording; None if nothing was recorded. Idempotent.

        Raises InvalidName or OutsideRoot for a name that is none, and Unavailable (NotFinal, ConversionFailed) when
        it is worth trying again later.
        """
        gsm = layout.place(self.root, recording.attempt_id, recording.date, ".gsm")
        return await self.convert_path(gsm, trim_s=recording.trim_s)

    async def convert_path(self, gsm: Path, *, trim_s: int = 0) -> Converted | None:
        """Like `convert`, for a GSM file of the records directory or its backup."""
        root = self.backup if self.backup and gsm.is_relative_to(self.backup) else self.root
        layout.inside(root, gsm)
        if not root.is_dir():  # a disk that is not mounted is no reason to write every recording off
            raise Unavailable(f"{root}: no such directory; is the disk mounted? ([records] directory)")
        try:
            return await convert_file(gsm, self.pool, self._settings, trim_s)
        except OSError as error:
            raise Unavailable(f"{gsm}: {error.strerror}") from error

    def find(self, guid: str, date: str | None = None) -> Path | None:
        """The recording's file: MP3 before GSM, main before backup. Raises InvalidName or OutsideRoot."""
        return find(guid, date, root=self.root, backup=self.backup)

    def place(self, guid: str, folder: str | None, suffix: str) -> Path | None:
        """The file at exactly that place, main before backup; None if it is not there. Raises InvalidName or
        OutsideRoot."""
        layout.checked_guid(guid)
        for root in filter(None, (self.root, self.backup)):
            path = layout.place(root, guid, folder, suffix)
            if path.is_file():
                return path
        return None

    async def trim(
        self, guid: str, date: str | None = None, *, left_s: float = 0.0, length_s: float | None = None
    ) -> Converted:
        """Cut ``left_s`` seconds off the beginning and keep ``length_s`` of the rest, in place.

        The audio is encoded anew. Raises NotFound, NotFinal, ConversionFailed, InvalidName or OutsideRoot.
        """
        path = await asyncio.to_thread(self.find, guid, date)
        if path is None:
            raise NotFound("recording", guid)
        if path.suffix == ".gsm" and not await is_final(path):
            raise NotFinal(f"{path}: nothing is recorded in it")
        job = job_for(path, path, self._settings, left_s=left_s, length_s=length_s)
        return Converted(path=path, duration_s=await self.pool.run(job))

    def prune(self, *, days: int, today: date, backup: bool = False, dry_run: bool = False) -> Iterator[Path]:
        """Remove recordings of more than ``days`` days before ``today``, from the date folders only, giving each path
        when it is gone; or only say what would go."""
        work = retention.expired if dry_run else retention.remove_expired
        for root in (self.root, self.backup if backup else None):
            if root:
                yield from work(root, days=days, today=today)
