"""Names and places: ``ROOT/YYYYMMDD/<guid>.gsm`` with ``<guid>.mp3`` beside it.

Guids and dates come from callers, bases and URLs. They are checked here, before any of them becomes a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from astdialer.domain.errors import AstdialerError

SUFFIXES = (".mp3", ".gsm")  #: in the order in which they are looked for
FOLDER_MODE = 0o2775  # setgid: files that Asterisk makes and files that we make get the folder's group

_GUID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", re.ASCII)
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_PART = re.compile(r"\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}\.(?:mp3|gsm)\.part", re.ASCII)


class InvalidName(AstdialerError):
    """A guid or a date that no recording can have."""

    code = "invalid_recording_name"


class OutsideRoot(AstdialerError):
    """A recording that a link leads out of the records directory."""

    code = "recording_outside_root"


def checked_guid(guid: str) -> str:
    """The guid itself. Raises InvalidName unless it is safe as a file name; ``1497946560.123`` is."""
    if not _GUID.fullmatch(guid) or ".." in guid:
        raise InvalidName(f"guid {guid[:80]!r}: expected 1 to 64 of A-Z a-z 0-9 . _ - without a leading dot or '..'")
    return guid


def checked_date(folder: str) -> str:
    """The folder's name itself. Raises InvalidName unless it is a real date YYYYMMDD."""
    if folder_date(folder) is None:
        raise InvalidName(f"date {folder[:80]!r}: expected a real date as YYYYMMDD, such as 20170620")
    return folder


def folder_date(name: str) -> date | None:
    """The date that a folder's name is; None if it is none."""
    if not _DATE.fullmatch(name):
        return None
    try:
        return date(int(name[:4]), int(name[4:6]), int(name[6:]))
    except ValueError:
        return None


def place(root: Path, guid: str, folder: str | None, suffix: str) -> Path:
    """Where a recording is, or would be; ``folder`` None is the root itself.

    Raises InvalidName, and OutsideRoot when a link in the root leads elsewhere.
    """
    directory = root / checked_date(folder) if folder is not None else root
    return inside(root, directory / (checked_guid(guid) + suffix))


def inside(root: Path, path: Path) -> Path:
    """The path itself. Raises OutsideRoot unless it stays in the root after following every link."""
    try:
        target = path.resolve()
        is_inside = target.is_relative_to(root.resolve())
        is_loop = any(part.is_symlink() for part in (target, *target.parents))  # Python 3.13 leaves loops as they are
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, up to Python 3.12
        raise OutsideRoot(f"{path}: can't be followed: {error}") from error
    if is_loop:
        raise OutsideRoot(f"{path}: can't be followed: its links lead in a circle")
    if not is_inside:
        raise OutsideRoot(
            f"{path}: leads out of {root}; name the other place as [records] backup_directory instead of linking to it"
        )
    return path


def part_of(target: Path) -> Path:
    """The temporary name under which a file is written before it is whole."""
    return target.with_name(f".{target.name}.part")


def is_part(name: str) -> bool:
    """Whether a file's name is one of `part_of`."""
    return _PART.fullmatch(name) is not None


def guid_of(name: str) -> str | None:
    """The guid of a recording's file name; None if it is not the name of a recording."""
    stem, dot, suffix = name.rpartition(".")
    if dot + suffix not in SUFFIXES or ".." in stem or not _GUID.fullmatch(stem):
        return None
    return stem


def date_folders(root: Path) -> Iterator[Path]:
    """The date folders of a root, newest first; links are passed over. None if there is no such root."""
    try:
        names = sorted((entry.name for entry in root.iterdir() if folder_date(entry.name)), reverse=True)
    except FileNotFoundError:
        return
    for name in names:
        folder = root / name
        if folder.is_dir() and not folder.is_symlink():
            yield folder


def make_folder(root: Path, folder: str) -> Path:
    """The date's folder, made if need be, so that Asterisk's group may write there. Raises OSError."""
    made = [path for path in (root / checked_date(folder), root) if not path.exists()]
    inside(root, root / folder).mkdir(parents=True, exist_ok=True)
    for path in made:
        path.chmod(FOLDER_MODE)  # mkdir's own mode is cut by the umask
    return root / folder
