"""Finding a recording: MP3 in the four places, then GSM in the same four."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from astdialer.records import layout


def find(guid: str, date: str | None, *, root: Path, backup: Path | None = None) -> Path | None:
    """The recording's file: MP3 before GSM, in the order of `places`.

    Without a date every date folder is looked into, newest first, after the places that need none.
    Raises InvalidName or OutsideRoot.
    """
    layout.checked_guid(guid)
    for suffix in layout.SUFFIXES:
        for top, folder in _places(date, root, backup):
            path = layout.place(top, guid, folder, suffix)
            if path.is_file():
                return path
    return None


def places(guid: str, date: str, *, root: Path, backup: Path | None = None) -> list[Path]:
    """Every path that `find` tries, in its order. Raises InvalidName or OutsideRoot."""
    return [
        layout.place(top, guid, folder, suffix)
        for suffix in layout.SUFFIXES
        for top, folder in _places(date, root, backup)
    ]


def _places(date: str | None, root: Path, backup: Path | None) -> Iterator[tuple[Path, str | None]]:
    # The order is that of the source system: flat and dated in the main root, dated and flat in the backup.
    yield root, None
    if date is not None:
        yield root, layout.checked_date(date)
        if backup:
            yield backup, date
    if backup:
        yield backup, None
    if date is None:
        for top in (root, backup) if backup else (root,):
            yield from ((top, folder.name) for folder in layout.date_folders(top))


def unconverted(root: Path) -> Iterator[Path]:
    """GSM files of the root and of its date folders that have no MP3 beside them, newest folder first."""
    for folder in (root, *layout.date_folders(root)):
        for path in sorted(folder.glob("*.gsm")):
            is_ours = layout.guid_of(path.name) and path.is_file() and not path.is_symlink()
            if is_ours and not path.with_suffix(".mp3").exists():
                yield path
