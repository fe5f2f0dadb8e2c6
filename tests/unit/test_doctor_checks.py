"""Each of doctor's checks with scripted answers: how it went, and the words."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from doctor_script import Fields, Script, getvar

from astdialer.config import Ami
from astdialer.doctor import queues, server, trunks
from astdialer.doctor.findings import Finding, Level
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.errors import Unavailable
from astdialer.domain.settings import parse_settings
from astdialer.domain.trunk import Trunk

OK, WARNING, FAULT = Level.OK, Level.WARNING, Level.FAULT


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


async def test_a_login_that_fails_says_why() -> None:
    class Down:
        is_up, why_down = False, "Asterisk refuses the manager user"

    with pytest.raises(Unavailable, match="refuses"):
        await server.log_in(Down(), 1.0)  # type: ignore[arg-type]
    Down.why_down = "Asterisk is starting"
    with pytest.raises(Unavailable, match="no login within"):
        await server.log_in(Down(), 0.1)  # type: ignore[arg-type]
