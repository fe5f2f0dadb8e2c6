"""What is removed: recordings past their time, and temporary files of conversions that were killed."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from astdialer.records import layout

OLD_S = 3600.0  #: age at which a temporary file that nobody holds counts as left over


def expired(root: Path, *, days: int, today: date) -> Iterator[Path]:
    """Recordings in date folders that are more than ``days`` days before ``today``, newest first.

    Files that are no recordings, and whatever is not in a date folder, are passed over.
    """
    for folder in _expired_folders(root, days, today):
        yield from (path for path in sorted(folder.iterdir()) if layout.guid_of(path.name) and _is_plain(path))


def remove_expired(root: Path, *, days: int, today: date) -> Iterator[Path]:
    """Remove what `expired` lists, giving each path when it is gone; then the folders that are empty."""
    for path in expired(root, days=days, today=today):
        path.unlink(missing_ok=True)
        yield path
    for folder in _expired_folders(root, days, today):
        _sweep_folder(folder, OLD_S)
        with contextlib.suppress(OSError):  # not empty: somebody else's files stay
            folder.rmdir()


def sweep(root: Path, *, older_than_s: float = OLD_S, newest: int | None = None) -> list[Path]:
    """Remove leftover temporary files of the root and its date folders; only old ones that nobody has locked.

    ``newest`` limits it to so many date folders: a start need not read ten years of them.
    """
    folders = itertools.islice(layout.date_folders(root), newest)
    return [path for folder in (root, *folders) for path in _sweep_folder(folder, older_than_s)]


def _expired_folders(root: Path, days: int, today: date) -> list[Path]:
    first_kept = today - timedelta(days=days)
    return [folder for folder in layout.date_folders(root) if _date(folder) < first_kept]


def _date(folder: Path) -> date:
    day = layout.folder_date(folder.name)
    assert day, folder
    return day


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _sweep_folder(folder: Path, older_than_s: float) -> list[Path]:
    try:
        parts = [path for path in folder.iterdir() if layout.is_part(path.name) and _is_plain(path)]
    except FileNotFoundError:
        return []
    return [path for path in parts if _remove_if_left(path, older_than_s)]


def _remove_if_left(part: Path, older_than_s: float) -> bool:
    with contextlib.suppress(OSError):  # gone, or another process is at it
        handle = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if time.time() - os.fstat(handle).st_mtime < older_than_s:
                return False
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
            return True
        finally:
            os.close(handle)
    return False
