"""What may be removed, and what may not."""

from __future__ import annotations

import fcntl
import os
import time
from datetime import date
from pathlib import Path

import pytest

from astdialer.records.retention import expired, remove_expired, sweep

TODAY = date(2017, 6, 30)


def put(path: Path, age_s: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(("days", "gone"), [(9, ["20170620"]), (10, []), (8, ["20170621", "20170620"])])
def test_older_than_so_many_days(tmp_path: Path, days: int, gone: list[str]) -> None:
    for day in ("20170620", "20170621", "20170622", "20170630", "20170701"):
        put(tmp_path / day / "a.mp3")
    assert list(expired(tmp_path, days=days, today=TODAY)) == [tmp_path / day / "a.mp3" for day in gone]
    assert len(files(tmp_path)) == 5
    assert len(list(remove_expired(tmp_path, days=days, today=TODAY))) == len(gone)
    assert not any((tmp_path / day).exists() for day in gone)
    assert len(files(tmp_path)) == 5 - len(gone)


def test_only_recordings_in_date_folders(tmp_path: Path) -> None:
    kept = [
        put(tmp_path / "root/20000101/notes.txt"),
        put(tmp_path / "root/20000101/.hidden.mp3"),
        put(tmp_path / "root/flat.mp3", 10**8),
        put(tmp_path / "root/20000231/a.mp3"),
        put(tmp_path / "root/old/20000101/a.mp3"),
        put(tmp_path / "elsewhere/a.mp3"),
    ]
    put(tmp_path / "root/20000101/1497946560.123.gsm")
    put(tmp_path / "root/20000101/.b.mp3.part", 10_000)
    (tmp_path / "root/20000102").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/20000101/link.mp3").symlink_to(tmp_path / "elsewhere/a.mp3")
    gone = list(remove_expired(tmp_path / "root", days=1, today=TODAY))
    assert [path.name for path in gone] == ["1497946560.123.gsm"]
    assert all(path.exists() for path in kept)
    assert not (tmp_path / "root/20000101/.b.mp3.part").exists()


def test_no_root(tmp_path: Path) -> None:
    assert list(remove_expired(tmp_path / "missing", days=1, today=TODAY)) == []
    assert sweep(tmp_path / "missing") == []


def test_sweep_takes_old_parts_of_ours_only(tmp_path: Path) -> None:
    kept = [
        put(tmp_path / "20170620/.young.mp3.part", 10),
        put(tmp_path / "20170620/upload.part", 10_000),
        put(tmp_path / "20170620/.other.wav.part", 10_000),
        put(tmp_path / "20170620/a.mp3", 10_000),
        put(tmp_path / "other/.a.mp3.part", 10_000),
    ]
    left = [put(tmp_path / ".flat.mp3.part", 10_000), put(tmp_path / "20170620/.a.mp3.part", 10_000)]
    assert sweep(tmp_path) == left
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)


def test_sweep_leaves_what_another_process_is_at(tmp_path: Path) -> None:
    part = put(tmp_path / "20170620/.a.mp3.part", 10_000)
    with part.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert sweep(tmp_path) == []
    assert sweep(tmp_path) == [part]


def test_sweep_of_the_newest_folders(tmp_path: Path) -> None:
    new, old = (put(tmp_path / day / ".a.mp3.part", 10_000) for day in ("20170621", "20170620"))
    assert sweep(tmp_path, newest=1) == [new]
    assert sweep(tmp_path) == [old]
