"""astdialer doctor against a real Asterisk: all fine, and real faults, each by its words."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dialing import Dialer

from astdialer import lab as laboratory
from astdialer.lab import Lab
from astdialer.lab.places import asterisk_conf

pytestmark = [pytest.mark.asterisk]


@pytest.fixture
def dialer(quiet_lab: Lab, tmp_path: Path) -> Dialer:
    """An astdialer with a trunk and a campaign that needs every kind of thing."""
    made = Dialer(quiet_lab, tmp_path)
    made.records.mkdir()
    made.trunk()
    made.campaign("sales", ["+447700900001"], queue=quiet_lab.queue, amd="true", wrap_up_s="1")
    return made


def doctor(dialer: Dialer, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Its exit code, and its findings by check; of several the worst."""
    began = time.monotonic()
    command = [sys.executable, "-m", "astdialer", "--config", str(dialer.config), "doctor", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert time.monotonic() - began < 40
    assert "Traceback" not in done.stderr
    findings: dict[str, dict[str, Any]] = {}
    for row in json.loads(done.stdout):
        if row["result"] != "ok" or row["check"] not in findings:
            findings[row["check"]] = row
    return done.returncode, findings


def faults(findings: dict[str, dict[str, Any]]) -> set[str]:
    return {check for check, row in findings.items() if row["result"] == "FAULT"}


def change(dialer: Dialer, pattern: str, text: str) -> None:
    dialer.config.write_text(re.sub(pattern, text, dialer.config.read_text()))


def test_all_is_well(dialer: Dialer) -> None:
    code, findings = doctor(dialer)
    assert code == 0
    assert {check for check, row in findings.items() if row["result"] != "ok"} == {"engine"}
    assert findings["trunk carrier"]["found"].startswith("PJSIP/{number}@carrier: endpoint carrier")
    assert "queue astdialer: settings" in findings
    assert findings["default: recording"]["result"] == "ok"
    assert not list(dialer.records.iterdir()), "the test recording is still there"


def test_uses_the_running_engine(dialer: Dialer) -> None:
    dialer.serve()
    try:
        code, findings = doctor(dialer, "--campaign", "sales")
    finally:
        dialer.stop()
    assert code == 0
    assert {row["result"] for row in findings.values()} == {"ok"}
    assert any(check.startswith("default: sound /") for check in findings)


def test_wrong_secret(dialer: Dialer, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")
    change(dialer, 'secret_file = ".*"', f'secret_file = "{tmp_path}/wrong"')
    code, findings = doctor(dialer)
    assert code == 1
    assert faults(findings) == {"default: login"}
    assert "secret_file" in findings["default: login"]["remedy"]


def test_no_asterisk_at_all(dialer: Dialer) -> None:
    change(dialer, r"(\[ami\]\nhost = .*\nport = )\d+", r"\g<1>1")
    code, findings = doctor(dialer)
    assert code == 69
    assert faults(findings) == {"default: reachable"}
    assert findings["ffmpeg"]["result"] == "ok"


def test_an_asterisk_that_hangs(dialer: Dialer) -> None:
    pid = next(each.pid for each in laboratory.status(dialer.lab.directory).instances if each.which == "pbx")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        code, findings = doctor(dialer)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert code == 69
    assert "nothing answers" in findings["default: reachable"]["found"]


def test_another_server_still_answers(dialer: Dialer) -> None:
    with dialer.config.open("a") as file:
        file.write("[ami.servers.second]\nport = 1\nsecret = 'x'\n")
    code, findings = doctor(dialer)
    assert code == 1
    assert faults(findings) == {"second: reachable"}


def test_no_such_queue_trunk_and_sound(dialer: Dialer) -> None:
    dialer.run("trunk", "set", "carrier", "--dial", "PJSIP/{number}@nowhere")
    dialer.run("campaign", "set", "sales", "queue=nobody", "safe_harbour=no-such-sound")
    code, findings = doctor(dialer)
    assert code == 1
    sound = f"default: sound {asterisk_conf() / 'sounds'}/no-such-sound"
    assert faults(findings) == {"queue nobody", "trunk carrier", sound}
    assert "no PJSIP endpoint nowhere" in findings["trunk carrier"]["found"]
    assert str(asterisk_conf() / "sounds") in findings[sound]["remedy"]
    assert findings["default: AGI"]["result"] == "ok"


def test_no_such_context(dialer: Dialer) -> None:
    dialer.run("trunk", "set", "carrier", "--dial", "Local/{number}@nowhere")
    assert faults(doctor(dialer)[1]) == {"trunk carrier"}
    dialer.run("trunk", "set", "carrier", "--dial", "Local/{number}@from-internal/n")
    assert doctor(dialer)[0] == 0


def test_wrap_up_differs(dialer: Dialer) -> None:
    dialer.run("campaign", "set", "sales", "wrap_up_s=30")
    code, findings = doctor(dialer)
    assert code == 0
    assert "wrapuptime = 1, but campaign sales has wrap_up_s=30" in findings["queue astdialer: settings"]["found"]


def test_agi_port_is_taken_by_a_program_that_says_nothing(dialer: Dialer) -> None:
    port = int(re.findall(r"\[agi\]\nhost = .*\nport = (\d+)", dialer.config.read_text())[0])
    with silent_listener(port):
        code, findings = doctor(dialer)
    assert code == 1
    assert faults(findings) == {"AGI port", "default: AGI"}
    assert "does not answer" in findings["default: AGI"]["found"]


def test_asterisk_is_not_among_the_peers(dialer: Dialer) -> None:
    change(dialer, r"\[agi\]", '[agi]\npeers = ["192.0.2.1"]')
    code, findings = doctor(dialer)
    assert code == 1
    assert faults(findings) == {"default: AGI"}
    assert "peers" in findings["default: AGI"]["remedy"]


def test_table(dialer: Dialer) -> None:
    done = dialer.run("doctor")
    assert "default: AGI" in done.stdout
    assert "0 faults, 1 warnings" in done.stderr
    assert "astdialer serve" in done.stderr


@contextmanager
def silent_listener(port: int) -> Iterator[None]:
    """Takes connections and never answers."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", port)) as server:

        def take() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for each in kept:
        each.close()
