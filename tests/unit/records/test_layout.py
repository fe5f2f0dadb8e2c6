"""Nothing that comes from outside becomes a path out of the records directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from astdialer.records import layout
from astdialer.records.layout import InvalidName, OutsideRoot


def test_place(tmp_path: Path) -> None:
    assert layout.place(tmp_path, "abc-1", "20170620", ".gsm") == tmp_path / "20170620/abc-1.gsm"
    assert layout.place(tmp_path, "1497946560.123", None, ".mp3") == tmp_path / "1497946560.123.mp3"


@pytest.mark.parametrize(
    "guid", ["", ".", "..", ".a", "a..b", "a/b", "../a", "a\n", "a\0", "a b", "é", "٣", "a" * 65, "a\\b", "a.gsm\n"]
)
def test_bad_guids(tmp_path: Path, guid: str) -> None:
    with pytest.raises(InvalidName, match="guid"):
        layout.place(tmp_path, guid, "20170620", ".gsm")


@pytest.mark.parametrize(
    "date",
    ["", "..", "2017-06-20", "20170231", "20171301", "2017062", "201706200", "00000101", "٢٠١٧٠٦٢٠", "20170620\n"],
)
def test_bad_dates(tmp_path: Path, date: str) -> None:
    with pytest.raises(InvalidName, match="YYYYMMDD"):
        layout.place(tmp_path, "a", date, ".gsm")


_NASTY = st.one_of(st.text(max_size=80), st.text(alphabet="./\\a0%\0\n-_~", max_size=12))


@given(guid=_NASTY, date=st.none() | _NASTY | st.dates().map(lambda day: day.strftime("%Y%m%d")))
@example(guid="a", date="../..")
@example(guid="..", date=None)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_refused_or_stays_inside(tmp_path: Path, guid: str, date: str | None) -> None:
    try:
        path = layout.place(tmp_path, guid, date, ".mp3")
    except InvalidName:
        return
    folder = tmp_path if date is None else tmp_path / date
    assert path.parent == folder
    assert os.path.normpath(path) == str(path)
    assert layout.guid_of(path.name) == guid


@given(name=_NASTY)
def test_guid_of_gives_only_valid_guids(name: str) -> None:
    for suffix in (".mp3", ".gsm", ".wav", ""):
        guid = layout.guid_of(name + suffix)
        assert guid is None or layout.checked_guid(guid) + Path(name + suffix).suffix == name + suffix


def test_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "records", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (root / "20170620").symlink_to(elsewhere)
    (root / "20170621").mkdir()
    (root / "20170621/a.mp3").symlink_to("/etc/passwd")
    (root / "20170622").symlink_to("20170622")  # a loop
    for guid, date in (("a", "20170620"), ("a", "20170621"), ("a", "20170622")):
        with pytest.raises(OutsideRoot):
            layout.place(root, guid, date, ".mp3")
    with pytest.raises(OutsideRoot):
        layout.make_folder(root, "20170620")


def test_root_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "records").symlink_to(tmp_path / "disk")
    assert layout.place(tmp_path / "records", "a", "20170620", ".mp3").name == "a.mp3"


def test_new_folder_is_for_asterisks_group(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        folder = layout.make_folder(tmp_path / "records", "20170620")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o2775, 0o2775]


def test_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    folder = layout.make_folder(tmp_path, "20170620")
    folder.chmod(0o750)
    assert stat.S_IMODE(layout.make_folder(tmp_path, "20170620").stat().st_mode) == 0o750


def test_parts() -> None:
    assert layout.part_of(Path("/r/a.mp3")) == Path("/r/.a.mp3.part")
    assert layout.is_part(".a.mp3.part")
    assert not any(map(layout.is_part, ("a.mp3.part", ".a.part", ".a.mp3", "..a.mp3.part", ".a.wav.part")))


def test_date_folders_are_dates_newest_first(tmp_path: Path) -> None:
    for name in ("20170620", "20170621", "20170231", "lost+found", "2017"):
        (tmp_path / name).mkdir()
    (tmp_path / "20170622").write_text("a file")
    (tmp_path / "20170623").symlink_to(tmp_path / "2017")
    assert [folder.name for folder in layout.date_folders(tmp_path)] == ["20170621", "20170620"]
    assert list(layout.date_folders(tmp_path / "missing")) == []
