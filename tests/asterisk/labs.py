"""Labs for tests, and what is asked of them after each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astdialer import lab as laboratory
from astdialer.lab import Lab

QUIET_S = 10.0


@contextmanager
def lab_in(directory: Path, *, agents: int = 3) -> Iterator[Lab]:
    """A lab of its own, for tests that break theirs. Several can run at once."""
    said: list[str] = []
    found = laboratory.up(directory, agents=agents, say=said.append)
    try:
        yield found
    finally:
        laboratory.down(directory)


def wait_quiet(lab: Lab, within_s: float = QUIET_S) -> list[str]:
    """The PBX's channels, once there are none or the time is over."""
    end = time.monotonic() + within_s
    while (left := channels(lab)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def channels(lab: Lab) -> list[str]:
    """The names of the PBX's channels, but for the empty bodies that Asterisk may leave behind when Bridge() takes a
    channel (docs/reference/ami.md)."""
    rows = laboratory.rx(lab, "pbx", "core show channels concise").splitlines()
    names = [row.split("!")[0] for row in rows if "!" in row]
    return [name for name in names if not name.startswith("Surrogate/")]
