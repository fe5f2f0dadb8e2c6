"""Bringing the lab up and down."""

import fcntl
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from astdialer.lab import config, fetch, instance, places, ports
from astdialer.lab.errors import LabError
from astdialer.lab.model import BOTH, MOST_AGENTS, InstanceStatus, Lab, LabStatus, Plan, Which

# A Unix socket's path has to fit into 108 bytes with its closing zero: DIR/carrier/asterisk.ctl.
_LONGEST_RUN = 107 - len("/carrier/asterisk.ctl")


def up(directory: Path | None = None, *, agents: int = 3, say: Callable[[str], None]) -> Lab:
    """Bring the lab up and wait until both Asterisks are booted. One that runs already is left as it is.

    `say` hears what is being done. Raises LabError with a remedy.
    """
    if not 1 <= agents <= MOST_AGENTS:
        raise LabError(f"{agents} agents", remedy=f"The lab has 1 to {MOST_AGENTS} agents.")
    directory = _absolute(directory)
    _make(directory)
    with _locked(directory):
        old = _previous(directory)
        if old and old.agents == agents and all(instance.find_pid(old, which) for which in BOTH):
            _wait(old)
            return old.lab
        if old:
            _stop(old)
        plan = _plan(directory, agents, old, say)
        _start(plan, say)
        return plan.lab


def down(directory: Path | None = None) -> None:
    """End both Asterisks and wait for it. Logs, recordings and the database stay.

    LabError if there is no lab.
    """
    plan = Plan.read(_absolute(directory))
    with _locked(plan.directory):
        _stop(plan)


def status(directory: Path | None = None) -> LabStatus:
    """Whether both Asterisks live, and what they do. LabError if there is no lab."""
    plan = Plan.read(_absolute(directory))
    found = tuple(instance.status(plan, which) for which in BOTH)
    return LabStatus(directory=plan.directory, up=all(_answers(each) for each in found), instances=found)


def load(directory: Path | None = None) -> Lab:
    """The lab that was brought up in `directory`. LabError if there is none."""
    return Plan.read(_absolute(directory)).lab


def rx(lab: Lab, which: Which, command: str) -> str:
    """What one console says to a command; empty when that Asterisk is down."""
    return instance.rx(Plan.read(lab.directory), which, command)


def kill_pbx(lab: Lab) -> None:
    """End the PBX as a crash would."""
    instance.kill(Plan.read(lab.directory), "pbx")


def start_pbx(lab: Lab) -> None:
    """Start the PBX after kill_pbx, and wait until it has booted."""
    plan = Plan.read(lab.directory)
    instance.start(plan, "pbx")
    instance.wait_booted(plan, "pbx")


def restart_pbx(lab: Lab) -> None:
    """End the PBX in the ordinary way (its calls end with it) and start it again."""
    instance.stop(Plan.read(lab.directory), "pbx")
    start_pbx(lab)


def _answers(found: InstanceStatus) -> bool:
    return found.alive and found.channels is not None


def _absolute(directory: Path | None) -> Path:
    return (directory or places.default_directory()).expanduser().absolute()


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"{directory} cannot be made: {error}", remedy="Name another: --directory DIR") from error


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One `up` or `down` at a time."""
    with (directory / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _previous(directory: Path) -> Plan | None:
    return Plan.read(directory) if (directory / "lab.json").exists() else None


def _plan(directory: Path, agents: int, old: Plan | None, say: Callable[[str], None]) -> Plan:
    """The old plan where it still fits, so that settings which name its ports stay good; else a new one."""
    asterisk = fetch.asterisk(say)
    if old and _ports_free(old):
        return replace(old, directory=directory, run=_run_directory(directory), agents=agents, asterisk=asterisk)
    tcp = ports.free(socket.SOCK_STREAM)
    agi = ports.free(socket.SOCK_STREAM, taken=(tcp,))
    udp = ports.free(socket.SOCK_DGRAM)
    return Plan(
        directory=directory,
        run=_run_directory(directory),
        secret=secrets.token_hex(16),
        agents=agents,
        ami_port=tcp,
        agi_port=agi,
        http_port=ports.free(socket.SOCK_STREAM, taken=(tcp, agi)),
        pbx_port=udp,
        carrier_port=ports.free(socket.SOCK_DGRAM, taken=(udp,)),
        asterisk=asterisk,
    )


def _ports_free(plan: Plan) -> bool:
    """The AGI and HTTP ports are not asked for: the engine may be listening there already."""
    return ports.is_free(socket.SOCK_STREAM, plan.ami_port) and all(
        ports.is_free(socket.SOCK_DGRAM, port) for port in (plan.pbx_port, plan.carrier_port)
    )


def _run_directory(directory: Path) -> Path:
    """Where the sockets are: in the lab's directory, or in /tmp when its path is too long for a socket's."""
    own = directory / "run"
    return own if len(os.fsencode(own)) <= _LONGEST_RUN else Path(tempfile.mkdtemp(prefix="astlab-", dir="/tmp"))


def _start(plan: Plan, say: Callable[[str], None]) -> None:
    try:
        config.write(plan)
        config.private(plan.directory / "lab.json", plan.to_json())
    except OSError as error:
        raise LabError(
            f"{plan.directory}: {error}", remedy="Make room there, or name another: --directory DIR"
        ) from error
    say(f"Starting two private Asterisks {plan.asterisk.version} in {plan.directory} …")
    try:
        for which in BOTH:
            instance.start(plan, which)
        _wait(plan)
    except BaseException:  # an interrupt too must leave no Asterisk behind
        _stop(plan)
        raise


def _wait(plan: Plan) -> None:
    for which in BOTH:
        instance.wait_booted(plan, which)


def _stop(plan: Plan) -> None:
    for which in BOTH:
        instance.stop(plan, which)
        with suppress(OSError):
            config.run(plan, which).rmdir()
    if plan.run.parent != plan.directory:
        shutil.rmtree(plan.run, ignore_errors=True)
