"""``astdialer serve`` in a process of its own, without any Asterisk: its links stay down."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any


def free_port() -> int:
    """A TCP port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """An engine with a store of its own."""

    def __init__(self, folder: Path, http: str = "", webhooks: str = "") -> None:
        self.folder, self.port = folder, free_port()
        self.config = folder / "astdialer.toml"
        self.database = folder / "s.db"
        self.log = folder / "engine.log"
        self.config.write_text(
            f'[store]\nurl = "sqlite://{self.database}"\n'
            f'[records]\ndirectory = "{folder}/records"\n'
            f"[agi]\nport = {free_port()}\n[ami]\nport = {free_port()}\n"
            f'[engine]\ndefault_country = "GB"\nnumber_check = "possible"\n'
            f"[http]\nport = {self.port}\n{http}\n[webhooks]\n{webhooks}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> str:
        """A command; what it printed."""
        command = [sys.executable, "-m", "astdialer", "--config", str(self.config), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def token(self, name: str = "root", role: str = "admin", *more: str) -> str:
        """A token's secret."""
        return self.run("token", "create", name, "--role", role, *more)

    def start(self) -> None:
        """Until it answers."""
        command = [sys.executable, "-m", "astdialer", "--config", str(self.config), "serve"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, stdout=log)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self._process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"no answer within 60 s\n{self.log.read_text()}")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """As a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As systemd does."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            os.kill(self._process.pid, number)
            self._process.wait(30)

    def ask(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """A request of the native API; the answer's JSON."""
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
