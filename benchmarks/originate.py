"""Sustained originations per second: the engine against a bare asyncio AMI loop, on the same lab, in the same run.

    python benchmarks/originate.py [--calls 3000] [--in-flight 400] [--json]

Busy numbers (9982…) are refused at once; answered ones (9980…) are taken at once, hear the same sound file either way,
and hang up after a second. The bare loop does no more than write Originate and count how calls end: no store, no CDR,
no FastAGI. Both keep at most so many calls in flight.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astdialer import lab
from astdialer.lab import Lab

SOUND = lab.sounds() / "talk"
KINDS = {"busy": "9982", "answered": "9980"}


async def bare_loop(made: Lab, prefix: str, calls: int, in_flight: int) -> float:
    """Calls per second of a loop that does nothing else."""
    reader, writer = await asyncio.open_connection(made.host, made.ami_port, limit=1 << 20)
    login = f"Action: Login\r\nUsername: {made.ami_username}\r\nSecret: {made.ami_secret}\r\nEvents: call\r\n\r\n"
    writer.write(login.encode())
    room, done, left = asyncio.Semaphore(in_flight), asyncio.Event(), calls

    async def read() -> None:
        nonlocal left
        while not done.is_set():
            message = await reader.readuntil(b"\r\n\r\n")
            if b"Event: Hangup\r\n" in message and b"Uniqueid: bench-" in message:
                room.release()
                left -= 1
                if not left:
                    done.set()

    await reader.readline()
    reading = asyncio.create_task(read())
    began = time.perf_counter()
    for n in range(calls):
        await room.acquire()
        order = (
            f"Action: Originate\r\nActionID: {n}\r\nChannel: PJSIP/{prefix}{n:06}@carrier\r\nApplication: Playback\r\n"
            f"Data: {SOUND}\r\nTimeout: 30000\r\nAsync: true\r\nChannelId: bench-{uuid.uuid4()}\r\n\r\n"
        )
        writer.write(order.encode())
        await writer.drain()
    async with asyncio.timeout(120):
        await done.wait()
    took = time.perf_counter() - began
    await asyncio.gather(reading, return_exceptions=True)
    writer.close()
    return calls / took


def engine(made: Lab, prefix: str, calls: int, in_flight: int) -> tuple[float, float]:
    """Calls per second through ``astdialer serve``, from the first Originate to the last attempt closed in the store,
    and the engine's CPU seconds per 1000 calls."""
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        config = here / "astdialer.toml"
        database = here / "astdialer.db"
        text = made.config_file.read_text()
        text = text.replace(f"sqlite://{made.directory}/astdialer.db", f"sqlite://{database}")
        config.write_text(text.replace('number_check = "possible"', 'number_check = "none"\nmax_calls = 5000'))
        base = here / "base.csv"
        base.write_text("".join(f"bench;{prefix}{n:06};;;;\n" for n in range(calls)))

        def astdialer(*words: str) -> None:
            subprocess.run([*command(config), *words], check=True, capture_output=True)

        astdialer("trunk", "create", "t", "--dial", "PJSIP/{number}@carrier", "--cps", "1000", "--max-calls", "5000")
        settings = ("mode=broadcast", "trunk=t", f"max_calls={in_flight}", "record=false", "calling_hours=00:00-24:00")
        once = [f"retry_{name}=1/0" for name in ("busy", "congestion", "failed", "no_answer")]
        astdialer("campaign", "create", "bench", *settings, f"sound={SOUND}", *once)
        astdialer("upload", str(base))
        astdialer("campaign", "start", "bench")
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        with serving(config, here / "engine.log"):
            took = wait_done(database, calls)
        cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        return calls / took, cpu / calls * 1000


def command(config: Path) -> list[str]:
    """``astdialer`` with this configuration."""
    return [sys.executable, "-m", "astdialer", "--config", str(config), "--log-level", "warning"]


@contextmanager
def serving(config: Path, log: Path) -> Iterator[None]:
    """The engine, in a process of its own."""
    with log.open("w") as out:
        process = subprocess.Popen([*command(config), "serve"], stderr=out)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_done(database: Path, calls: int) -> float:
    """Seconds from the first call's claim until the last one was closed."""
    end = time.monotonic() + 300
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        while connection.execute("SELECT count(*) FROM cdrs").fetchone()[0] < calls:
            if time.monotonic() > end:
                raise SystemExit("the engine did not finish within 300 s")
            time.sleep(0.1)
        first, last, wrong = connection.execute(
            "SELECT min(created_at), max(closed_at), sum(disposition IN ('unknown', 'failed')) FROM attempts"
        ).fetchone()
    connection.close()
    if wrong:
        raise SystemExit(f"{wrong} calls failed")
    return float(last - first) / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--in-flight", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        made = lab.up(Path(directory), say=lambda text: print(text, file=sys.stderr))
        try:
            for kind, prefix in KINDS.items():
                results += [measure(made, kind, prefix, arguments) for _ in range(arguments.rounds)]
        finally:
            lab.down(made.directory)
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'numbers':10} {'bare loop/s':>12} {'engine/s':>10} {'ratio':>7} {'engine CPU s/1000 calls':>24}")
    for row in results:
        print("{kind:10} {bare:12.0f} {engine:10.0f} {ratio:7.2f} {cpu:24.2f}".format(**row))


def measure(made: Lab, kind: str, prefix: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One round of one kind; the PBX starts anew for each, for it grows with every call it has carried."""
    lab.restart_pbx(made)
    bare = asyncio.run(bare_loop(made, prefix, arguments.calls, arguments.in_flight))
    lab.restart_pbx(made)
    ours, cpu = engine(made, prefix, arguments.calls, arguments.in_flight)
    return {"kind": kind, "bare": bare, "engine": ours, "ratio": ours / bare, "cpu": cpu}


if __name__ == "__main__":
    main()
