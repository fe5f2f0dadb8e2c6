"""The lab's agents in tests: who they are, their telephones' channels and pauses, and commands that cost little."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from dialing import ONCE, Dialer, carrier_log, dialer_on, wait_for

from astdialer import lab as laboratory
from astdialer.cli.main import cli
from astdialer.lab import Lab

QUEUE = "astdialer"
STAYS, BUSY, DECLINES, RINGS_ON, PRESSES_1, PRESSES_2 = (f"agent{n}" for n in range(90, 96))
AGENT_FIRST = {"mode": "agent-first", "queue": QUEUE}


class Floor(Dialer):
    """A dialer whose commands run in this process: each is spared the start of a Python."""

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command; the engine runs in a process of its own."""
        found = CliRunner().invoke(cli, ["--config", str(self.config), *words])
        code = found.exit_code if found.exception is None or isinstance(found.exception, SystemExit) else 99
        said = found.stderr if code != 99 else repr(found.exception)
        assert not check or code == 0, f"{words}: {code}\n{found.stdout}\n{said}"
        return subprocess.CompletedProcess(words, code, found.stdout, said)

    def start(self, *names: str) -> None:
        """Start campaigns."""
        for name in names:
            self.run("campaign", "start", name)

    def rules(self, name: str, **settings: str) -> None:
        """Make a campaign without a base."""
        self.run("campaign", "create", name, *(f"{key}={value}" for key, value in (ONCE | settings).items()))

    def of(self, name: str) -> list[dict[str, Any]]:
        """A campaign's attempts, in order, each with its CDR's fields where they differ."""
        return self.rows(
            "SELECT d.*, a.*, a.id AS id FROM attempts a JOIN campaigns c ON c.id = a.campaign_id"
            " LEFT JOIN cdrs d ON d.guid = a.id WHERE c.name = ? ORDER BY a.created_at, a.id",
            name,
        )

    def contacts(self, name: str) -> list[dict[str, Any]]:
        """A campaign's contacts, in order."""
        return self.rows(
            "SELECT k.* FROM contacts k JOIN campaigns c ON c.id = k.campaign_id WHERE c.name = ? ORDER BY k.id", name
        )

    def closed(self, name: str) -> list[dict[str, Any]]:
        """A campaign's attempts that are over."""
        return [row for row in self.of(name) if row["state"] == "closed"]

    def wait_closed(self, name: str, n: int, within_s: float = 30) -> list[dict[str, Any]]:
        """Until so many attempts of a campaign are over."""
        what = f"{n} calls of {name} are over"
        wait_for(lambda: len(self.closed(name)) >= n, what, within_s, lambda: f"{self.of(name)}\n{self.tail()}")
        return self.closed(name)

    def agent(self, name: str) -> dict[str, Any]:
        """An agent as the engine sees it; before it does, of no status."""
        rows = (self.view() or {"agents": []})["agents"]
        return next((row for row in rows if row["agent"] == f"PJSIP/{name}"), {"code": None})

    def wait_free(self, *names: str) -> None:
        """Until the engine could call these agents."""
        wait_for(lambda: set(names) <= self._free(), f"{names} are free", 20, self.tail)

    def _free(self) -> set[str]:
        rows = (self.view() or {"agents": []})["agents"]
        return {row["agent"].removeprefix("PJSIP/") for row in rows if row["free"]}


@contextmanager
def floor_on(lab: Lab, directory: Path, *members: str, ami_port: int | None = None) -> Iterator[Floor]:
    """A dialer, and these telephones in the queue beside the lab's own three agents; no pause is left behind."""
    with pytest.MonkeyPatch.context() as patch, members_of(lab, *members):
        patch.setattr("dialing.Dialer", Floor)
        with dialer_on(lab, directory, ami_port=ami_port) as found:
            assert isinstance(found, Floor)
            found.trunk()
            yield found


@contextmanager
def members_of(lab: Lab, *names: str) -> Iterator[None]:
    """These telephones are members of the queue for a while."""
    for name in names:
        laboratory.rx(lab, "pbx", f"queue add member PJSIP/{name} to {QUEUE}")
    try:
        yield
    finally:
        for name in names:
            laboratory.rx(lab, "pbx", f"queue remove member PJSIP/{name} from {QUEUE}")
        for name in ("agent1", "agent2", "agent3"):
            laboratory.rx(lab, "pbx", f"queue unpause member PJSIP/{name} queue {QUEUE}")


def pauses(lab: Lab) -> dict[str, str]:
    """Who is paused in app_queue, and why."""
    found = re.findall(r"PJSIP/(\w+)\b[^\n]*\(paused(?::([^\n]*?))?(?: was \d+ secs? ago)?\)", _queue(lab))
    return {name: reason.strip() for name, reason in found}


def _queue(lab: Lab) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", laboratory.rx(lab, "pbx", f"queue show {QUEUE}"))


def phones(lab: Lab) -> Counter[str]:
    """How many channels each agent's telephone has."""
    rows = laboratory.rx(lab, "pbx", "core show channels concise").splitlines()
    return Counter(name for row in rows for name in re.findall(r"^PJSIP/(agent\d+)-", row))


def talks(lab: Lab) -> dict[str, str]:
    """Variables of the channel of each agent's telephone, as the console shows them."""
    rows = laboratory.rx(lab, "pbx", "core show channels concise").splitlines()
    names = [row.split("!")[0] for row in rows if row.startswith("PJSIP/agent")]
    return {name.split("-")[0].removeprefix("PJSIP/"): _shown(lab, name) for name in names}


def _shown(lab: Lab, channel: str) -> str:
    return laboratory.rx(lab, "pbx", f"core show channel {channel}")


def since(lab: Lab, at: int) -> str:
    """What the carrier has logged from that byte on."""
    return carrier_log(lab).read_bytes()[at:].decode(errors="replace")
