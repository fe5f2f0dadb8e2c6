"""docs/tutorial/first-campaign.md, step by step, on an Asterisk that the lab's templates have nothing to do with.

It has the distribution's own default configuration and every module; the far end is the lab's carrier. Only what must
differ to run beside other Asterisks is changed: directories and ports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from astdialer import lab as laboratory
from astdialer.lab import Lab
from astdialer.lab import ports as lab_ports
from astdialer.lab.binary import Asterisk
from astdialer.lab.model import Plan
from astdialer.lab.places import asterisk_conf

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]

SECRET = "0123456789abcdef0123456789abcdef"
BOOT_S = 90.0
DIAL_S = 90.0

#: What an administrator has before astdialer comes: a trunk, telephones, outbound rules.
PJSIP = """
[loopback]
type = transport
protocol = udp
bind = 127.0.0.1:{sip_port}

[mytrunk]
type = endpoint
context = default
disallow = all
allow = alaw,ulaw
direct_media = no
aors = mytrunk

[mytrunk]
type = aor
contact = sip:127.0.0.1:{carrier_port}

[mytrunk]
type = identify
endpoint = mytrunk
match = 127.0.0.1/32
"""
PHONE = """
[agent{n}]
type = endpoint
context = default
disallow = all
allow = alaw,ulaw
direct_media = no
aors = agent{n}

[agent{n}]
type = aor
contact = sip:agent{n}@127.0.0.1:{carrier_port}
"""
OUTBOUND = """
[from-internal]
exten => _X.,1,Dial(PJSIP/${EXTEN}@mytrunk,60)
 same => n,Hangup(${HANGUPCAUSE})
"""
#: Number → how its contact must end, by the behaviours of the lab's carrier.
BASE = {
    "07700900021": "answered",
    "07700900022": "answered",
    "07700900121": "machine",
    "07700900221": "busy",
    "07700900421": "invalid_number",
    "07700900321": "no_answer",
}


class Plain:
    """An Asterisk in `directory` and an astdialer beside it, set up as the tutorial says."""

    def __init__(self, directory: Path, carrier: Lab) -> None:
        self.directory, self.etc = directory, directory / "etc"
        self.asterisk: Asterisk = laboratory.fetch_asterisk(lambda _: None)
        self.carrier_port = Plan.read(carrier.directory).carrier_port
        self.ami_port, self.agi_port = (lab_ports.free(socket.SOCK_STREAM) for _ in range(2))
        self.config = directory / "astdialer.toml"
        self.records = directory / "records"
        self.command = [*self.asterisk.command, "-C", str(self.etc / "asterisk.conf")]

    # --- the Asterisk that an administrator has

    def install(self) -> None:
        """The distribution's defaults, with places and ports of its own, a trunk, telephones and outbound rules."""
        shutil.copytree(self.asterisk.data.parents[2] / "etc" / "asterisk", self.etc)
        for name in ("var", "spool", "run", "log", "cache"):
            (self.directory / name).mkdir()
        self._data()
        (self.etc / "asterisk.conf").write_text(self._asterisk_conf())
        self._edit("manager.conf", r"(?m)^port\s*=.*$", f"port = {self.ami_port}")
        self._append("pjsip.conf", PJSIP.format(sip_port=_free_udp(), carrier_port=self.carrier_port))
        for n in (1, 2):
            self._append("pjsip.conf", PHONE.format(n=n, carrier_port=self.carrier_port))
        self._append("extensions.conf", OUTBOUND)

    def _data(self) -> None:
        """Asterisk's data folder, whose sounds can be added to."""
        sounds = self.directory / "data" / "sounds"
        sounds.mkdir(parents=True)
        for entry in self.asterisk.data.iterdir():
            if entry.name != "sounds":
                (sounds.parent / entry.name).symlink_to(entry)
        shutil.copytree(self.asterisk.data / "sounds" / "en", sounds / "en", symlinks=False)

    def _asterisk_conf(self) -> str:
        places = {"etc": self.etc, "mod": self.asterisk.modules, "data": self.directory / "data"}
        places |= {name: self.directory / "var" for name in ("varlib", "db", "key", "agi", "sbin")}
        places |= {name: self.directory / name for name in ("spool", "run", "log", "cache")}
        return "[directories]\n" + "".join(f"ast{name}dir => {path}\n" for name, path in places.items())

    def _edit(self, name: str, pattern: str, text: str) -> None:
        path = self.etc / name
        path.write_text(re.sub(pattern, text, path.read_text(errors="replace"), count=1))

    def _append(self, name: str, text: str) -> None:
        path = self.etc / name
        path.write_text(path.read_text(errors="replace") + "\n" + text)

    def boot(self) -> None:
        """Start it, and wait until its modules are loaded."""
        subprocess.run(self.command, check=True, timeout=BOOT_S, stdin=subprocess.DEVNULL)
        wait_for(lambda: "fully booted" in self.rx("core waitfullybooted"), "Asterisk boots", BOOT_S)

    def rx(self, command: str) -> str:
        """`asterisk -rx`."""
        done = subprocess.run(
            [*self.command, "-rx", command], capture_output=True, text=True, timeout=30, check=False, errors="replace"
        )
        return done.stdout

    def end(self) -> None:
        """Stop it."""
        pid = int((self.directory / "run" / "asterisk.pid").read_text())
        self.rx("core stop now")
        with suppress(ProcessLookupError, AssertionError):
            wait_for(lambda: not Path(f"/proc/{pid}/cmdline").read_bytes(), "Asterisk ends", 10)
            os.kill(pid, signal.SIGKILL)

    # --- the tutorial

    def add_files(self) -> None:
        """Step 2: the files of asterisk_conf, a secret, the includes, the sound, a queue with members."""
        for path in asterisk_conf().glob("*_astdialer.conf"):
            shutil.copy(path, self.etc)
        self._edit("manager_astdialer.conf", "CHANGE_ME", SECRET)
        for name in ("manager", "extensions", "queues"):
            self._append(f"{name}.conf", f"#include {name}_astdialer.conf\n")
        self._append("queues_astdialer.conf", "member => PJSIP/agent1,0,One\nmember => PJSIP/agent2,0,Two\n")
        shutil.copy(asterisk_conf() / "sounds" / "astdialer-safe-harbour.gsm", self.directory / "data/sounds/en")
        self.rx("core reload")

    def configure(self) -> None:
        """Step 3: astdialer.toml."""
        secret = self.directory / "ami.secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        self.records.mkdir()
        self.config.write_text(f"""[ami]
port = {self.ami_port}
secret_file = "{secret}"

[agi]
port = {self.agi_port}

[store]
url = "sqlite://{self.directory}/astdialer.db"

[records]
directory = "{self.records}"

[engine]
default_country = "GB"
number_check = "possible"
timezone = "Europe/London"
""")

    def astdialer(self, *words: str, expect: int = 0) -> str:
        """A command of the tutorial; its output."""
        done = subprocess.run(self._words(*words), capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "astdialer", "--config", str(self.config), *words]

    def serve(self) -> subprocess.Popen[bytes]:
        """The engine, as a process of its own."""
        with (self.directory / "engine.log").open("a") as log:
            return subprocess.Popen(self._words("serve"), stdout=log, stderr=log)

    def agents(self) -> int:
        """How many agents the engine sees; none while it does not run."""
        done = subprocess.run(
            self._words("agent", "list", "--json"), capture_output=True, text=True, timeout=30, check=False
        )
        return len(json.loads(done.stdout)) if done.returncode == 0 else 0

    def results(self) -> Mapping[str, str]:
        """How doctor's checks went."""
        done = subprocess.run(self._words("doctor", "--json"), capture_output=True, text=True, timeout=90, check=False)
        return {row["check"]: row["result"] for row in json.loads(done.stdout)}


def wait_for(holds: Callable[[], Any], what: str, seconds: float) -> None:
    """Look four times a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(FileNotFoundError):
            if holds():
                return
        time.sleep(0.25)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def _free_udp() -> int:
    return lab_ports.free(socket.SOCK_DGRAM)


@pytest.fixture(scope="module")
def plain(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    made = Plain(Path(tmp_path_factory.mktemp("p")), lab)
    made.install()
    made.boot()
    try:
        yield made
    finally:
        made.end()


def test_tutorial(plain: Plain) -> None:
    plain.configure()
    assert plain.results()["default: login"] == "FAULT"
    plain.add_files()
    plain.astdialer("doctor")

    plain.astdialer("trunk", "create", "mytrunk", "--dial", "PJSIP/{number}@mytrunk")
    _make(plain, "first", "mytrunk")
    plain.astdialer("doctor", "--campaign", "first")
    _dial(plain, "first")
    assert len(json.loads(plain.astdialer("cdr", "list", "--campaign", "first", "--json"))) == len(BASE)
    wait_for(lambda: "0 active channels" in plain.rx("core show channels count"), "no channel is left", 10)


def test_outbound_rules_of_a_distribution(plain: Plain) -> None:
    plain.astdialer("trunk", "create", "outbound", "--dial", "Local/{number}@from-internal")
    _make(plain, "second", "outbound")
    plain.astdialer("doctor", "--campaign", "second")
    _dial(plain, "second")


def _make(plain: Plain, name: str, trunk: str) -> None:
    settings = ("queue=astdialer", "amd=true", "calling_hours=00:00-24:00", "originate_timeout_s=8", "min_ring_s=0")
    once = (f"retry_{each}=1/0" for each in ("busy", "no_answer", "machine"))
    plain.astdialer("campaign", "create", name, f"trunk={trunk}", "caller_id=442079460000", *settings, *once)
    base = plain.directory / f"{name}.csv"
    base.write_text("number,name\n" + "".join(f"{number},Contact {number}\n" for number in BASE))
    plain.astdialer("upload", str(base), "--campaign", name)


def _dial(plain: Plain, name: str) -> None:
    engine = plain.serve()
    try:
        wait_for(lambda: plain.agents() == 2, "the engine runs and sees its agents", 20)
        plain.astdialer("campaign", "start", name)
        assert "What binds" in plain.astdialer("campaign", "explain", name)
        wait_for(lambda: _state(plain, name) == "finished", "the campaign finishes", DIAL_S)
        assert _ends(plain, name) == {f"+44{number[1:]}": end for number, end in BASE.items()}
        wait_for(lambda: _recorded(plain, name) == 2, "both talks are recorded and converted", 30)
    finally:
        engine.terminate()
        assert engine.wait(20) == 0


def _state(plain: Plain, name: str) -> str:
    state: str = json.loads(plain.astdialer("campaign", "show", name, "--json"))["state"]
    return state


def _ends(plain: Plain, name: str) -> Mapping[str, str]:
    rows = json.loads(plain.astdialer("contact", "list", "--campaign", name, "--json"))
    return {row["number"]: row["end_reason"] for row in rows}


def _recorded(plain: Plain, name: str) -> int:
    rows = json.loads(plain.astdialer("records", "list", "--campaign", name, "--json"))
    return sum(row["state"] == "done" and Path(row["path"]).suffix == ".mp3" for row in rows)
