"""Starting, asking and stopping one Asterisk of the lab."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from astdialer.lab import config
from astdialer.lab.errors import LabError
from astdialer.lab.model import HOST, InstanceStatus, Plan, Which

BOOT_S = 60.0
STOP_S = 10.0
CONSOLE_S = 20.0
_LOG_LINES = 15
_DEATHS = 20  # tenths of a second without the process


def start(plan: Plan, which: Which) -> None:
    """Start it in the background; it goes on when this process ends."""
    done = subprocess.run(
        [*_command(plan, which)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=plan.directory / which,
        text=True,
        timeout=BOOT_S,
        check=False,
    )
    if done.returncode != 0:
        raise _failure(plan, which, f"the lab's {which} does not start: {done.stderr.strip()}")


def wait_booted(plan: Plan, which: Which) -> None:
    """Return when its modules are loaded and the PBX's manager port answers; LabError if it ends or hangs."""
    deaths = 0

    def decided() -> bool:
        nonlocal deaths
        # Between its fork and its pid file it looks dead for a moment.
        deaths = 0 if find_pid(plan, which) else deaths + 1
        return deaths > _DEATHS or "fully booted" in rx(plan, which, "core waitfullybooted")

    if not _until(decided, BOOT_S) or deaths > _DEATHS:
        raise _failure(plan, which, f"the lab's {which} did not boot")
    if which == "pbx" and not _until(lambda: _listens(plan.ami_port), STOP_S):
        raise _failure(plan, which, f"the lab's {which} does not listen on its manager port {plan.ami_port}")


def stop(plan: Plan, which: Which) -> None:
    """End it and wait; at once, when it does not end when asked to. Its logs stay."""
    pid = find_pid(plan, which)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        if not _until(lambda: find_pid(plan, which) is None, STOP_S):
            kill(plan, which)
    _remove_sockets(plan, which)


def kill(plan: Plan, which: Which) -> None:
    """End it without warning, as a crash would."""
    pid = find_pid(plan, which)
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if not _until(lambda: find_pid(plan, which) is None, STOP_S):
        raise LabError(f"process {pid}, the lab's {which}, does not end", remedy=f"Look at it: ps -fp {pid}")
    _remove_sockets(plan, which)


def find_pid(plan: Plan, which: Which) -> int | None:
    """The pid it recorded, if that process lives and still is this very Asterisk."""
    try:
        pid = int((config.run(plan, which) / "asterisk.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    # A process that ended and was not yet waited for has no command line.
    return pid if str(_settings(plan, which)).encode() in words else None


def rx(plan: Plan, which: Which, command: str) -> str:
    """What the console says to a command; an empty string when there is nobody to ask."""
    try:
        done = subprocess.run(
            [*_command(plan, which), "-rx", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CONSOLE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""


def status(plan: Plan, which: Which) -> InstanceStatus:
    """What it is doing now."""
    pid = find_pid(plan, which)
    count = re.search(r"(\d+) active channel", rx(plan, which, "core show channels count")) if pid else None
    return InstanceStatus(
        which=which,
        alive=pid is not None,
        pid=pid,
        version=plan.asterisk.version,
        channels=int(count[1]) if count else None,
        memory_mb=_memory_mb(pid) if pid else None,
    )


def _memory_mb(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        resident = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(resident[1]) // 1024 if resident else None
    return None


def _command(plan: Plan, which: Which) -> list[str]:
    return [*plan.asterisk.command, "-C", str(_settings(plan, which))]


def _settings(plan: Plan, which: Which) -> Path:
    return config.etc(plan, which) / "asterisk.conf"


def _remove_sockets(plan: Plan, which: Which) -> None:
    for name in ("asterisk.ctl", "asterisk.pid"):
        (config.run(plan, which) / name).unlink(missing_ok=True)


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    """Ask every tenth of a second until it holds or the time is over."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            return connection.recv(64).startswith(b"Asterisk Call Manager")
    except OSError:
        return False


def _failure(plan: Plan, which: Which, message: str) -> LabError:
    """The message with the end of the log, which mostly holds the reason."""
    path = config.log(plan, which)
    tail: list[str] = []
    with contextlib.suppress(OSError):
        tail = path.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    lines = "".join(f"\n  {line}" for line in tail)
    return LabError(
        f"{message}{lines}",
        remedy=f"The whole log: {path}. A fresh start: astdialer lab down; astdialer lab up",
    )
