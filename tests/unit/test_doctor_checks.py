"""Each of doctor's checks with scripted answers: how it went, and the words."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from astdialer import config as configuration
from astdialer.config import Agi, Ami, Config, Records, Secret, Store
from astdialer.doctor import calls, machine, queues, server, trunks
from astdialer.doctor.calls import CheckCalls, Ended, Result
from astdialer.doctor.findings import Finding, Level
from astdialer.domain.campaign import Campaign, CampaignState, parse_settings
from astdialer.domain.errors import Unavailable
from astdialer.domain.trunk import Trunk

OK, WARNING, FAULT = Level.OK, Level.WARNING, Level.FAULT
Fields = Mapping[str, str | Sequence[str]]


class Script:
    """An AMI link that answers as told: action → what it gives for the action's fields."""

    def __init__(self, **answers: Callable[[Fields], object]) -> None:
        self._answers = answers
        self.sent: list[Fields] = []

    async def action(self, action: Fields) -> Mapping[str, str]:
        self.sent.append(action)
        found = self._answers[str(action["Action"])](action)
        assert isinstance(found, Mapping)
        return found

    async def action_list(self, action: Fields) -> Sequence[Mapping[str, str]]:
        found = self._answers[str(action["Action"])](action)
        assert isinstance(found, list)
        return found


def getvar(**values: str) -> Callable[[Fields], object]:
    return lambda action: {"Response": "Success", "Value": values.get(str(action["Variable"]).partition("(")[0], "")}


def campaign(**settings: str) -> Campaign:
    texts = {"queue": "sales", "trunk": "t"} | settings
    return Campaign(id=1, name="c", state=CampaignState.IDLE, settings=parse_settings(texts))


# --- the server ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "level", "words"),
    [
        ("22.10.1+dfsg", OK, "Asterisk 22.10.1+dfsg"),
        ("22.6.0", OK, "does not tell SIP codes"),
        ("20.17.0", OK, "Asterisk 20.17.0"),
        ("20.16.0", OK, "does not tell SIP codes"),
        ("18.26.4", OK, "does not tell SIP codes"),
        ("24.0.0", OK, "Asterisk 24.0.0"),
        ("16.28.0", FAULT, "Asterisk 16.28.0"),
        ("", WARNING, "does not tell its version"),
    ],
)
def test_version(text: str, level: Level, words: str) -> None:
    found = server.version("default", {"AsteriskVersion": text})
    assert found.result is level
    assert words in found.found
    assert ("SIP codes" in found.found) == ("SIP codes" in words)


def test_rights() -> None:
    enough = dict.fromkeys((*server.NEEDED, *server.USEFUL), "")
    assert [each.result for each in server.rights("default", enough)] == [OK]

    too_few = {name: "" for name in enough if name not in ("Originate", "Getvar", "ShowDialPlan")}
    needed, useful = server.rights("default", too_few)
    assert (needed.result, useful.result) == (FAULT, WARNING)
    assert "Originate" in needed.found
    assert "Add reporting" in useful.remedy

    [dangerous] = server.rights("default", enough | {"Command": "", "UpdateConfig": ""})
    assert dangerous.result is WARNING
    assert "Command, UpdateConfig" in dangerous.found


def _contexts(*missing: str) -> Callable[[Fields], object]:
    def answer(action: Fields) -> object:
        if action["Context"] in missing:
            return {"Response": "Error", "Message": f"Did not find context {action['Context']}"}
        return {"Response": "Success"}

    return answer


async def test_dialplan() -> None:
    assert (await server.dialplan("default", Script(ShowDialPlan=_contexts()))).result is OK
    found = await server.dialplan("default", Script(ShowDialPlan=_contexts("astdialer-play", "astdialer-check")))
    assert found.result is FAULT
    assert found.found == "no context astdialer-play, astdialer-check"
    assert "#include extensions_astdialer.conf" in found.remedy
    denied = await server.dialplan("default", Script(ShowDialPlan=lambda _: {"Message": "Permission denied"}))
    assert denied.result is WARNING


async def test_clocks() -> None:
    def ping(ahead_s: float) -> Script:
        return Script(Ping=lambda _: {"Timestamp": f"{time.time() + ahead_s:.6f}"})

    assert (await server.clocks("default", ping(0.5))).result is OK
    behind = await server.clocks("default", ping(-90))
    assert (behind.result, behind.found) == (WARNING, "Asterisk's clock is 90 s behind")
    assert (await server.clocks("default", Script(Ping=lambda _: {}))).result is WARNING


async def test_nothing_listens() -> None:
    found = await server.knock("default", Ami(port=1))
    assert found is not None
    assert found.unreachable
    assert found.result is FAULT
    assert "127.0.0.1:1" in found.found


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9\r\n", b""])
async def test_something_else_listens(banner: bytes) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(banner)
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with listener:
        found = await server.knock("default", Ami(port=listener.sockets[0].getsockname()[1]))
    assert found is not None
    assert "is not Asterisk's manager interface" in found.found


async def test_a_silent_listener_does_not_hold_us_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KNOCK_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = await server.knock("default", Ami(port=listener.getsockname()[1]))
    assert found is not None
    assert "nothing answers" in found.found


# --- queues and trunks -----------------------------------------------------------------------------------------------

PARAMS = {"Event": "QueueParams", "Queue": "sales"}


def member(location: str, status: str = "1", state: str = "") -> dict[str, str]:
    return {"Event": "QueueMember", "Location": location, "StateInterface": state or location, "Status": status}


@pytest.mark.parametrize(
    ("items", "level", "words"),
    [
        ([], FAULT, "no such queue"),
        ([PARAMS], WARNING, "has no members"),
        ([PARAMS, member("PJSIP/1"), member("PJSIP/2", "5")], OK, "2 members"),
        ([PARAMS, member("PJSIP/1", "4"), member("PJSIP/2", "5")], WARNING, "none of its 2 members"),
        ([PARAMS, member("Local/1@agents")], WARNING, "seems free always"),
        ([PARAMS, member("Local/1@agents", state="PJSIP/1")], OK, "1 members"),
    ],
)
async def test_queue(items: list[dict[str, str]], level: Level, words: str) -> None:
    [found] = await queues.queue("sales", Script(QueueStatus=lambda _: items))
    assert found.result is level
    assert words in found.found


GOOD = {"timeoutpriority": "conf", "setinterfacevar": "yes", "wrapuptime": "10"}


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({}, OK, "are right"),
        ({"timeoutpriority": "app"}, FAULT, "timeoutpriority = app"),
        ({"setinterfacevar": "no"}, WARNING, "setinterfacevar is off"),
        ({"wrapuptime": "3"}, WARNING, "wrapuptime = 3, but campaign c has wrap_up_s=10"),
        ({"joinempty": "strict"}, WARNING, "joinempty = strict"),
    ],
)
def test_queue_settings(changed: dict[str, str], level: Level, words: str) -> None:
    [found] = queues.settings(campaign(), {"sales": GOOD | changed})
    assert found.result is level
    assert words in found.found
    assert bool(found.remedy) == (level is not OK)


def test_queue_settings_that_are_not_seen(tmp_path: Path) -> None:
    [defaults] = [each for each in queues.settings(campaign(), {"sales": {}}) if each.result is FAULT]
    assert "timeoutpriority = app" in defaults.found
    assert "realtime" in queues.settings(campaign(), {})[0].remedy
    unread = queues.read(tmp_path)
    assert "No such file" in queues.settings(campaign(), unread)[0].found


def test_amd_conf(tmp_path: Path) -> None:
    assert queues.amd_conf(campaign(), tmp_path) is None
    missing = queues.amd_conf(campaign(amd="true"), tmp_path)
    assert missing is not None
    assert missing.result is FAULT
    (tmp_path / "amd.conf").touch()
    there = queues.amd_conf(campaign(amd="true"), tmp_path)
    assert there is not None
    assert there.result is OK


def test_trunk_settings() -> None:
    good = Trunk(name="t", dial="PJSIP/{number}@carrier")
    assert trunks.settings(good, ["default"]) is None
    for bad, words in (
        (Trunk(name="t", dial="PJSIP/{number}@carrier", server="other"), "is on server other"),
        (Trunk(name="t", dial="PJSIP/carrier"), "expected technology"),
        (Trunk(name="t", dial="PJSIP/{number}@carrier", enabled=False), "is disabled"),
    ):
        found = trunks.settings(bad, ["default"])
        assert found is not None
        assert words in found.found
        assert found.remedy


@pytest.mark.parametrize(
    "dial", ["PJSIP/{number}@carrier", "PJSIP/carrier/sip:{number}@192.0.2.1", "pjsip/{e164}@carrier"]
)
@pytest.mark.parametrize(
    ("state", "level", "words"),
    [
        ("NOT_INUSE", OK, "endpoint carrier NOT_INUSE"),
        ("UNAVAILABLE", WARNING, "is not reachable now"),
        ("INVALID", FAULT, "no PJSIP endpoint carrier"),
    ],
)
async def test_pjsip_trunk(dial: str, state: str, level: Level, words: str) -> None:
    found = await trunks.where_to(Trunk(name="t", dial=dial), Script(Getvar=getvar(DEVICE_STATE=state)))
    assert found.result is level
    assert words in found.found


async def test_pjsip_trunk_without_func_devstate() -> None:
    trunk = Trunk(name="t", dial="PJSIP/{number}@carrier")

    async def found(answer: dict[str, str]) -> Finding:
        return await trunks.where_to(trunk, Script(Getvar=getvar(), PJSIPQualify=lambda _: answer))

    assert (await found({"Response": "Error", "Message": "Unable to retrieve endpoint"})).result is FAULT
    assert "func_devstate" in (await found({"Response": "Success"})).found
    assert "could not" in (await found({"Response": "Error", "Message": "Permission denied"})).found


async def test_local_and_other_trunks() -> None:
    local = Trunk(name="t", dial="Local/{number}@from-internal/n")
    assert (await trunks.where_to(local, Script(ShowDialPlan=_contexts()))).result is OK
    missing = await trunks.where_to(local, Script(ShowDialPlan=_contexts("from-internal")))
    assert (missing.result, "no context from-internal" in missing.found) == (FAULT, True)
    dahdi = await trunks.where_to(Trunk(name="t", dial="DAHDI/g0/{number}"), Script())
    assert "no check" in dahdi.found


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


async def test_a_login_that_fails_says_why() -> None:
    class Down:
        is_up, why_down = False, "Asterisk refuses the manager user"

    with pytest.raises(Unavailable, match="refuses"):
        await server.log_in(Down(), 1.0)  # type: ignore[arg-type]
    Down.why_down = "Asterisk is starting"
    with pytest.raises(Unavailable, match="no login within"):
        await server.log_in(Down(), 0.1)  # type: ignore[arg-type]
