"""The four documented places, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from astdialer.records.find import find, places, unconverted
from astdialer.records.layout import InvalidName, OutsideRoot

ORDER = [
    "main/a.mp3",
    "main/20170620/a.mp3",
    "backup/20170620/a.mp3",
    "backup/a.mp3",
    "main/a.gsm",
    "main/20170620/a.gsm",
    "backup/20170620/a.gsm",
    "backup/a.gsm",
]


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_order_is_the_source_systems(tmp_path: Path) -> None:
    main, backup = tmp_path / "main", tmp_path / "backup"
    assert [str(p.relative_to(tmp_path)) for p in places("a", "20170620", root=main, backup=backup)] == ORDER


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_first_of_those_there_wins(tmp_path: Path, first: int) -> None:
    for name in ORDER[first:]:
        put(tmp_path / name)
    found = find("a", "20170620", root=tmp_path / "main", backup=tmp_path / "backup")
    assert found == tmp_path / ORDER[first]


def test_without_backup_only_the_main_root(tmp_path: Path) -> None:
    put(tmp_path / "backup/a.mp3")
    assert find("a", "20170620", root=tmp_path / "main") is None
    gsm = put(tmp_path / "main/a.gsm")
    assert find("a", "20170620", root=tmp_path / "main") == gsm


def test_without_a_date_every_folder_newest_first(tmp_path: Path) -> None:
    old = put(tmp_path / "main/20170620/1497946560.123.mp3")
    assert find("1497946560.123", None, root=tmp_path / "main") == old
    new = put(tmp_path / "main/20180620/1497946560.123.mp3")
    assert find("1497946560.123", None, root=tmp_path / "main") == new
    backup = put(tmp_path / "backup/20190101/b.gsm")
    assert find("b", None, root=tmp_path / "main", backup=tmp_path / "backup") == backup


def test_wrong_date_finds_nothing(tmp_path: Path) -> None:
    put(tmp_path / "main/20170620/a.mp3")
    assert find("a", "20170621", root=tmp_path / "main") is None


def test_bad_names_and_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidName):
        find("../etc/passwd", None, root=tmp_path)
    with pytest.raises(InvalidName):
        find("a", "..", root=tmp_path)
    (tmp_path / "a.mp3").symlink_to("/etc/passwd")
    with pytest.raises(OutsideRoot):
        find("a", None, root=tmp_path)


def test_directory_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").mkdir()
    assert find("a", None, root=tmp_path) is None


def test_unconverted(tmp_path: Path) -> None:
    put(tmp_path / "20170620/done.gsm")
    put(tmp_path / "20170620/done.mp3")
    put(tmp_path / "notadate/x.gsm")
    put(tmp_path / "20170620/a b.gsm")
    wanted = [put(tmp_path / "flat.gsm"), put(tmp_path / "20170621/b.gsm"), put(tmp_path / "20170620/a.gsm")]
    (tmp_path / "20170620/link.gsm").symlink_to("/etc/passwd")
    assert list(unconverted(tmp_path)) == wanted
