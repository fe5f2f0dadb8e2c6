"""An engine process on a lab: started, killed, asked through its own commands, and looked at from both ends."""

import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labs import wait_quiet

from astdialer import lab as laboratory
from astdialer.lab import Lab
from astdialer.lab.places import asterisk_conf

SAFE_HARBOUR = asterisk_conf() / "sounds" / "astdialer-safe-harbour"
ANNOUNCEMENT = laboratory.sounds() / "announcement"
MESSAGE = laboratory.sounds() / "message"

#: Short and without retries: each contact has one attempt, whose disposition is its end.
ONCE = {
    "trunk": "carrier",
    "caller_id": "442079460000",
    "originate_timeout_s": "6",
    "min_ring_s": "0",
    "attempts_per_day": "0",
    "attempts_per_week": "0",
    "wrap_up_s": "1",
    "calling_hours": "00:00-24:00",
    "safe_harbour": str(SAFE_HARBOUR),
} | {
    f"retry_{name}": "1/0"
    for name in ("machine", "busy", "no_answer", "congestion", "failed", "unknown", "abandoned", "short")
}

#: The end that a number's behaviour demands, by its digit after 447700900.
ENDS = {
    "0": "answered",
    "1": "machine",
    "2": "busy",
    "3": "no_answer",
    "4": "invalid_number",
    "5": "rejected",
    "6": "congestion",
    "7": "machine",
    "8": "short",
    "9": "abandoned",
}


def number(behaviour: int, n: int) -> str:
    """A number of the lab's carrier, E.164."""
    return f"+447700900{behaviour}{n:02}"


def free_port() -> int:
    """A TCP port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Dialer:
    """``astdialer`` with a configuration and a store of its own, on a lab's PBX."""

    def __init__(self, lab: Lab, directory: Path, *, ami_port: int | None = None) -> None:
        self.lab, self.directory = lab, directory
        self.records = directory / "records"
        self.database = directory / "astdialer.db"
        self.log = directory / "engine.log"
        self.config = directory / "astdialer.toml"
        text = lab.config_file.read_text()
        text = re.sub(r"(\[agi\]\nhost = .*\nport = )\d+", rf"\g<1>{free_port()}", text)
        self.http_port = free_port()
        text = re.sub(r"(\[http\]\nport = )\d+", rf"\g<1>{self.http_port}", text)
        text = re.sub(r'url = ".*"', f'url = "sqlite://{self.database}"', text)
        text = re.sub(r'(\[records\]\ndirectory = )".*"', rf'\g<1>"{self.records}"', text)
        if ami_port:
            text = re.sub(r"(\[ami\]\nhost = .*\nport = )\d+", rf"\g<1>{ami_port}", text)
        self.config.write_text(text)
        self._engine: subprocess.Popen[bytes] | None = None

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command, as an administrator gives it."""
        done = subprocess.run(
            [sys.executable, "-m", "astdialer", "--config", str(self.config), *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def ask(self, *words: str) -> Any:
        """A command's JSON."""
        return json.loads(self.run(*words, "--json").stdout)

    def trunk(self, dial: str = "PJSIP/{number}@carrier", *, cps: float = 20, max_calls: int = 300) -> None:
        """Make the trunk ``carrier``."""
        self.run("trunk", "create", "carrier", "--dial", dial, "--cps", str(cps), "--max-calls", str(max_calls))

    def campaign(self, name: str, numbers: Iterable[str], **settings: str) -> None:
        """Make a campaign and load its numbers, in this order; a number may bring its own params;alternatives."""
        merged = ONCE | settings
        self.run("campaign", "create", name, *(f"{key}={value}" for key, value in merged.items()))
        base = self.directory / f"{name}.csv"
        rows = [
            f"{name};{text if ';' in text else f'{text};name=Contact {n}:n={n};'};{n + 1}"
            for n, text in enumerate(numbers)
        ]
        base.write_text("\n".join(rows) + "\n")
        self.run("upload", str(base))

    def serve(self) -> None:
        """Start the engine and wait until it has published a view."""
        began = int(time.time() * 1000)
        with self.log.open("a") as out:
            command = [sys.executable, "-m", "astdialer", "--config", str(self.config), "serve"]
            self._engine = subprocess.Popen(command, stdout=out, stderr=out)
        wait_for(lambda: (self.view() or {}).get("written_at", 0) > began, "the engine publishes a view")
        wait_for(self._listens, "the HTTP API is there", 60, self.tail)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.http_port)) == 0

    def kill(self) -> None:
        """kill -9."""
        assert self._engine is not None
        self._engine.send_signal(signal.SIGKILL)
        self._engine.wait(10)
        self._engine = None

    def stop(self) -> None:
        """End the engine as systemd does."""
        if self._engine is not None:
            self._engine.terminate()
            assert self._engine.wait(30) == 0, self.log.read_text()[-2000:]
            self._engine = None

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """The store, read past the engine."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10) as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute(sql, values)]
        connection.close()
        return found

    def view(self) -> dict[str, Any] | None:
        """The newest live view."""
        rows = self.rows("SELECT written_at, body FROM live_views ORDER BY written_at DESC LIMIT 1")
        return json.loads(rows[0]["body"]) | {"written_at": rows[0]["written_at"]} if rows else None

    def state(self, name: str) -> str:
        """A campaign's state."""
        return str(self.rows("SELECT state FROM campaigns WHERE name = ?", name)[0]["state"])

    def wait_finished(self, name: str, within_s: float = 120) -> None:
        """Until every contact of the campaign is done, and its recordings converted."""
        wait_for(lambda: self.state(name) == "finished", f"{name} finishes", within_s, self.tail)
        pending = "SELECT count(*) AS n FROM recordings WHERE state = 'pending'"
        wait_for(lambda: self.rows(pending)[0]["n"] == 0, "recordings are converted", 60, self.tail)

    def attempts(self) -> list[dict[str, Any]]:
        """Every attempt, in order."""
        return self.rows("SELECT * FROM attempts ORDER BY created_at, id")

    def ends(self) -> dict[str, str]:
        """Main number → end reason of every contact."""
        return {row["main_number"]: row["end_reason"] for row in self.rows("SELECT * FROM contacts")}

    def tail(self) -> str:
        """The last of the engine's log."""
        return self.log.read_text()[-3000:] if self.log.exists() else ""


@contextmanager
def dialer_on(lab: Lab, directory: Path, *, ami_port: int | None = None) -> Iterator[Dialer]:
    """A dialer whose engine is ended, and whose PBX is quiet, at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    found = Dialer(lab, directory, ami_port=ami_port)
    try:
        yield found
        found.stop()
    finally:
        if found._engine is not None:
            found.kill()
        laboratory.rx(lab, "pbx", "channel request hangup all")
        wait_quiet(lab)
        shutil.rmtree(found.records, ignore_errors=True)


def wait_for(
    condition: Callable[[], object], what: str, within_s: float = 30, more: Callable[[], str] = lambda: ""
) -> None:
    """Until the condition holds; the limit is generous, for slow machines."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"waited {within_s} s in vain until {what}\n{more()}"
        time.sleep(0.05)


def consistent(dialer: Dialer) -> None:
    """What always holds once all is quiet: closed attempts, one CDR each, no contact in a call."""
    attempts = dialer.attempts()
    assert {row["state"] for row in attempts} <= {"closed"}
    guids = [row["guid"] for row in dialer.rows("SELECT guid FROM cdrs")]
    assert sorted(guids) == sorted(row["id"] for row in attempts)
    assert dialer.rows("SELECT id FROM contacts WHERE state = 'in_call'") == []
    recount = "SELECT state, count(*) AS n FROM contacts GROUP BY state"
    counted = "SELECT state, sum(n) AS n FROM contact_counts GROUP BY state HAVING sum(n) <> 0"
    assert _tally(dialer.rows(recount)) == _tally(dialer.rows(counted))


def _tally(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    return {row["state"]: row["n"] for row in rows}


def calls_at_carrier(lab: Lab, since: int) -> Counter[str]:
    """How often each number really rang at the carrier, from its own log, which begins at byte ``since``."""
    text = carrier_log(lab).read_bytes()[since:].decode(errors="replace")
    return Counter(f"+{found}" for found in re.findall(r"Executing \[(4477\d+)@from-pbx:1\]", text))


def carrier_log(lab: Lab) -> Path:
    """The carrier's log file."""
    return next(
        path for path in (lab.directory / "carrier").rglob("*") if path.name in ("full", "messages", "full.log")
    )


def log_size(lab: Lab) -> int:
    """Where the carrier's log ends now."""
    return carrier_log(lab).stat().st_size
