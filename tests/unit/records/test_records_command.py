"""``astdialer records``, as somebody at a terminal sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sounds import MakeGsm, listen

from astdialer.cli.records import records
from astdialer.domain.errors import NotFound
from astdialer.records.layout import InvalidName

pytest_plugins = ("sound_fixtures",)


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTDIALER_RECORDS_DIRECTORY", str(tmp_path / "records"))
    monkeypatch.setenv("ASTDIALER_RECORDS_BACKUP_DIRECTORY", str(tmp_path / "backup"))
    monkeypatch.setenv("ASTDIALER_STORE_URL", f"sqlite://{tmp_path}/astdialer.db")


def call(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(records, arguments, input=input)


def test_list_of_an_empty_store() -> None:
    assert json.loads(call("list", "--json").stdout) == []
    assert call("list", "--csv").stdout.startswith("date,campaign,number,state")
    assert isinstance(call("list", "--date", "2017").exception, InvalidName)


def test_find(make_gsm: MakeGsm) -> None:
    gsm = make_gsm("1497946560.123", 3)
    assert call("find", "1497946560.123").stdout == f"{gsm}\n"
    found = json.loads(call("find", "1497946560.123", "--date", "20170620", "--json").stdout)
    assert found == {"guid": "1497946560.123", "path": str(gsm), "bytes": 150 * 33, "duration_s": 3.0}
    assert isinstance(call("find", "other").exception, NotFound)
    assert isinstance(call("find", "../records/20170620/1497946560.123").exception, InvalidName)


def test_convert_one(make_gsm: MakeGsm) -> None:
    gsm = make_gsm("a")
    for _ in range(2):
        (row,) = json.loads(call("convert", "a", "--json").stdout)
        assert (row["result"], row["path"]) == ("converted", str(gsm.with_suffix(".mp3")))
    assert isinstance(call("convert", "b").exception, NotFound)


def test_convert_in_the_backup(make_gsm: MakeGsm, tmp_path: Path) -> None:
    gsm = make_gsm("a")
    (tmp_path / "backup").mkdir()
    gsm.rename(tmp_path / "backup/a.gsm")
    assert call("convert", "a").exit_code == 0
    assert listen(tmp_path / "backup/a.mp3").seconds == pytest.approx(3, rel=0.02)


def test_convert_all(make_gsm: MakeGsm) -> None:
    for guid in ("a", "b"):
        make_gsm(guid, 1)
    make_gsm("young", 1, old=False)
    empty = make_gsm("empty", 1)
    empty.write_bytes(b"")
    result = call("convert", "--all", "--untouched", "1", "--json")
    assert {row["guid"]: row["result"] for row in json.loads(result.stdout)} == {"a": "converted", "b": "converted"}
    assert sorted(path.name for path in empty.parent.glob("*.gsm")) == ["empty.gsm", "young.gsm"]


def test_convert_all_goes_on_after_a_failure(make_gsm: MakeGsm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTDIALER_RECORDS_FFMPEG", "/bin/false")
    for guid in ("a", "b"):
        make_gsm(guid, 1)
    result = call("convert", "--all", "--untouched", "0", "--json")
    assert [row["result"] for row in json.loads(result.stdout)] == ["failed", "failed"]
    assert result.exit_code == 75


@pytest.mark.parametrize(
    "arguments", [["convert"], ["convert", "a", "--all"], ["convert", "--all", "--date", "20170620"], ["trim", "a"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


def test_trim(make_gsm: MakeGsm) -> None:
    gsm = make_gsm("a", 6)
    done = json.loads(call("trim", "a", "--left", "2", "--length", "3", "--json").stdout)
    assert done == {"path": str(gsm), "duration_s": 3.0}
    assert listen(gsm).seconds == pytest.approx(3, rel=0.02)


def test_prune_asks(make_gsm: MakeGsm, tmp_path: Path) -> None:
    gsm = make_gsm("a")
    backup = tmp_path / "backup/20170620/b.mp3"
    backup.parent.mkdir(parents=True)
    backup.write_bytes(b"x")
    assert call("prune", "--days", "30", "--dry-run").stdout == f"{gsm}\n"
    assert call("prune", "--days", "30", input="n\n").exit_code == 1
    assert gsm.exists()
    assert call("prune", "--days", "30", input="y\n").stdout.endswith(f"{gsm}\n")
    assert not gsm.parent.exists()
    assert backup.exists()
    assert call("prune", "--days", "30", "--yes", "--backup").stdout == f"{backup}\n"
    assert not backup.exists()
    assert call("prune", "--days", "0", "--yes").exit_code == 2
