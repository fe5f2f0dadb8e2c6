"""Doctor's check calls and its looks at this machine: how each went, and the words."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from doctor_script import Fields, Script, getvar

from astdialer import config as configuration
from astdialer.config import Agi, Ami, Config, Records, Secret, Store
from astdialer.doctor import calls, machine
from astdialer.doctor.calls import CheckCalls, Ended, Result
from astdialer.doctor.findings import Finding, Level

OK, WARNING, FAULT = Level.OK, Level.WARNING, Level.FAULT


# --- check calls -----------------------------------------------------------------------------------------------------


class Calls(CheckCalls):
    """Check calls that end as told."""

    def __init__(self, ended: Ended) -> None:
        super().__init__("127.0.0.1:4573")
        self._ended = ended

    async def place(self, *_: object, **__: object) -> Ended:
        return self._ended


@pytest.mark.parametrize(
    ("ended", "level", "words"),
    [
        (Ended(Result.ANSWERED), OK, "reaches 127.0.0.1:4573"),
        (Ended(Result.FAILED), FAULT, "does not reach the AGI server"),
        (Ended(Result.NO_ANSWER), FAULT, "takes the connection and does not answer"),
        (Ended(Result.REFUSED, "Permission denied"), FAULT, "Permission denied"),
        (Ended(Result.UNHEARD), FAULT, "reads too little"),
    ],
)
async def test_reach(ended: Ended, level: Level, words: str) -> None:
    found = await calls.reach("default", Calls(ended), Script(), Agi())
    assert found.result is level
    assert words in found.found
    assert bool(found.remedy) == (level is not OK)


@pytest.mark.parametrize(
    ("ended", "has_func_env", "level", "words"),
    [
        (Result.ANSWERED, True, OK, "has it"),
        (Result.FAILED, True, FAULT, "does not have this sound file"),
        (Result.FAILED, False, WARNING, "func_env.so is not loaded"),
        (Result.NO_ANSWER, True, WARNING, "no answer"),
        (Result.UNHEARD, True, FAULT, "reads too little"),
    ],
)
async def test_sound(ended: Result, has_func_env: bool, level: Level, words: str) -> None:
    link = Script(Getvar=getvar(BASENAME="b" if has_func_env else "", ASTDATADIR="/usr/share/asterisk"))
    found = await calls.sound("default", Calls(Ended(ended)), link, "hello")
    assert found.result is level
    assert words in found.found
    if level is FAULT and "does not have" in words:
        assert "/usr/share/asterisk/sounds/en" in found.remedy


@pytest.mark.parametrize(
    ("event", "result"),
    [
        ({"Response": "Success", "Reason": "4"}, Result.ANSWERED),
        ({"Response": "Failure", "Reason": "0"}, Result.FAILED),
        ({"Response": "Failure", "Reason": "3"}, Result.NO_ANSWER),
    ],
)
async def test_a_check_call(event: dict[str, str], result: Result) -> None:
    placed = CheckCalls("127.0.0.1:4573")

    def originate(action: Fields) -> object:
        placed.hear({"Event": "OriginateResponse", "ActionID": "another", "Response": "Success"})
        placed.hear({"Event": "OriginateResponse", "ActionID": str(action["ActionID"]), **event})
        return {"Response": "Success"}

    link = Script(Originate=originate)
    assert (await placed.place(link, sounds="a,b")).result is result
    assert link.sent[0]["Variable"] == ["ASTDIALER_AGI=127.0.0.1:4573", "ASTDIALER_SOUNDS=a\\,b"]


async def test_a_check_call_that_asterisk_refuses_or_never_reports() -> None:
    placed = CheckCalls("127.0.0.1:4573")
    refused = await placed.place(Script(Originate=lambda _: {"Response": "Error", "Message": "no"}))
    assert refused == Ended(Result.REFUSED, "no")
    silent = Script(Originate=lambda _: {"Response": "Success"})
    assert (await placed.place(silent, hear_s=-calls.ANSWER_S + 0.05)).result is Result.UNHEARD


async def _recorded(root: Path, mode: int | None) -> Finding:
    class Recording(CheckCalls):
        async def place(self, *_: object, data: str = "", **__: object) -> Ended:
            path = Path(data.partition(",")[0])
            assert path.parent.stat().st_mode & 0o7777 == 0o2775
            if mode is not None:
                path.touch()
                path.chmod(mode)
            return Ended(Result.ANSWERED)

    return await calls.recording("default", Recording(""), Script(), root)


async def test_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "WRITE_LOOKS", 1)
    assert (await _recorded(tmp_path, 0o644)).result is OK
    nothing = await _recorded(tmp_path, None)
    assert "can't write into" in nothing.found
    assert f"chmod 2770 {tmp_path}" in nothing.remedy
    if os.geteuid() != 0:  # root reads everything
        assert "we can't read it" in (await _recorded(tmp_path, 0o000)).found
    assert not list(tmp_path.iterdir())
    gone = await _recorded(tmp_path / "gone", 0o644)
    assert gone.result is FAULT


def test_agi_address() -> None:
    assert calls.address(Agi()) is None
    assert calls.address(Agi(host="0.0.0.0", public="192.0.2.1:4573")) is None
    found = calls.address(Agi(host="0.0.0.0"))
    assert found is not None
    assert "public" in found.remedy


async def test_agi_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        agi = Agi(port=taken.getsockname()[1])
        async with calls.listening(agi, engine_runs=False) as trouble:
            assert trouble is not None
            assert "can't listen" in trouble.found
        async with calls.listening(agi, engine_runs=True) as trouble:
            assert trouble is None


# --- this machine ----------------------------------------------------------------------------------------------------


def test_settings(tmp_path: Path) -> None:
    file = tmp_path / "astdialer.toml"
    [none, store] = machine.settings(Config(), file)
    assert "no " in none.found
    assert "[store] url" in store.remedy
    file.touch()
    good = Config(store=Store(url="sqlite:///var/lib/astdialer/astdialer.db"))
    assert [each.result for each in machine.settings(good, file)] == [OK]
    [zone] = machine.settings(Config(store=good.store, engine=configuration.Engine(timezone="Mars/Olympus")), file)
    assert zone.result is FAULT


def test_secrets(tmp_path: Path) -> None:
    file, secret = tmp_path / "astdialer.toml", tmp_path / "secret"
    file.touch(0o640)
    secret.touch(0o644)
    [none] = machine.secrets(Config(), file)
    assert none.result is FAULT
    ami = Ami(secret=Secret("s"), secret_file=str(secret))
    [open_to_all] = machine.secrets(Config(ami=ami), file)
    assert open_to_all.result is WARNING
    assert f"chmod 600 {secret}" in open_to_all.remedy
    secret.chmod(0o640)
    assert machine.secrets(Config(ami=ami), file)[0].result is OK
    inside = Config(ami=Ami(secret=Secret("s")))
    assert machine.secrets(inside, file)[0].result is OK
    file.chmod(0o644)
    assert machine.secrets(inside, file)[0].result is WARNING


def test_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "install -d" in machine.records(tmp_path / "none")[0].remedy
    assert machine.records(tmp_path)[0].result is OK
    monkeypatch.setattr(machine, "ENOUGH_BYTES", 10**18)
    [little] = machine.records(tmp_path)
    assert (little.result, "only" in little.found) == (WARNING, True)
    monkeypatch.setattr(machine, "_unwritable", lambda folder: f"{folder}: we can't write there: Permission denied")
    assert machine.records(tmp_path)[0].result is FAULT
    assert machine.store_folder(tmp_path / "s.db")[0].result is FAULT


def test_store(tmp_path: Path) -> None:
    path = tmp_path / "astdialer.db"
    assert machine.store_folder(path) == []
    assert machine.store_writes(path).result is OK
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    broken = machine.store_writes(path)
    assert (broken.result, "not a database" in broken.found) == (FAULT, True)


async def test_ffmpeg(tmp_path: Path) -> None:
    assert (await machine.ffmpeg(Records().ffmpeg)).result is OK
    assert "no program" in (await machine.ffmpeg("no-such-ffmpeg")).found
    poor = tmp_path / "ffmpeg"
    poor.write_text("#!/bin/sh\necho \"Unknown encoder 'libmp3lame'\" >&2\nexit 1\n")
    poor.chmod(0o755)
    found = await machine.ffmpeg(str(poor))
    assert (found.result, "libmp3lame" in found.found) == (FAULT, True)


async def test_an_ffmpeg_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "FFMPEG_S", 0.2)
    slow = tmp_path / "ffmpeg"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    assert "did not end" in (await machine.ffmpeg(str(slow))).found


def test_engine() -> None:
    view = {"written_at": 1_000_000, "calls": 3}
    assert machine.engine(view, 1_001_000, has_store=True).result is OK
    assert "not running" in machine.engine(view, 2_000_000, has_store=False).found
    assert "not running" in machine.engine(None, 2_000_000, has_store=False).found
    assert "has the store" in machine.engine(None, 2_000_000, has_store=True).found
