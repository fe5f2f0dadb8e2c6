"""The HTTP API: contacts added a second, and how long reading the live status takes while 50 calls a second are placed.

    python benchmarks/http_api.py [--seconds 10] [--calls-per-second 50] [--connections 16] [--json]

Beside each figure, in the same run: a bare FastAPI application on uvicorn, which reads the same body, or answers the
same bytes, and keeps nothing; and, for contacts, how many transactions of one row a second a bare sqlite3 connection
commits to the same disk: every contact that was answered for is on the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from originate import command

from astdialer import lab
from astdialer.lab import Lab

BULK = 1000
#: What the bare application is.
BARE = """
import sys, uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel

class Number(BaseModel):
    number: str

class Contact(BaseModel):
    numbers: list[Number]
    params: dict[str, str] = {}

class Contacts(BaseModel):
    items: list[Contact]

app = FastAPI()
view = open(sys.argv[2], "rb").read()

@app.post("/one")
async def one(contact: Contact) -> dict[str, int]:
    return {"id": len(contact.numbers)}

@app.post("/bulk")
async def bulk(contacts: Contacts) -> dict[str, list[int]]:
    return {"ids": [len(contact.numbers) for contact in contacts.items]}

@app.get("/view")
async def show() -> Response:
    return Response(view, media_type="application/json")

uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""


# --- a client that costs little --------------------------------------------------------------------------------------


class Client:
    """One kept connection."""

    def __init__(self, port: int, token: str = "") -> None:
        self._port, self._token = port, token

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The body of the answer; anything but success ends the benchmark."""
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self._token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.partition("content-length: ")[2].partition("\r")[0])
        answer = await self._reader.readexactly(size)
        if head.split()[1][0] != "2":
            raise SystemExit(f"{method} {path}: {head.splitlines()[0]} {answer[:300]!r}")
        return answer


Clients = Callable[[], Client]


async def rate(clients: Clients, connections: int, seconds: float, ask: Callable[[Client, int], Any]) -> float:
    """Requests a second of so many connections that each ask one after the other."""
    began, done, turn = time.perf_counter(), 0, iter(range(10**9))

    async def one() -> None:
        nonlocal done
        async with clients() as opened:
            while time.perf_counter() < began + seconds:
                await ask(opened, next(turn))
                done += 1

    await asyncio.gather(*(one() for _ in range(connections)))
    return done / (time.perf_counter() - began)


# --- what is measured ------------------------------------------------------------------------------------------------


def contact(n: int) -> dict[str, Any]:
    """A contact as a CRM sends it."""
    return {"numbers": [{"number": f"+4477{n:08}"}], "params": {"name": f"Contact {n}", "account": str(n)}}


async def adding(dialer: Clients, bare: Clients, options: argparse.Namespace) -> dict[str, float]:
    """Contacts a second, one by one and in bulk, and requests a second of the bare application."""
    path = "/v1/campaigns/bench/contacts"

    async def one(client: Client, n: int) -> None:
        await client.ask("POST", path, json.dumps(contact(n)).encode())

    async def bare_one(client: Client, n: int) -> None:
        await client.ask("POST", "/one", json.dumps(contact(n)).encode())

    async def bulk(client: Client, n: int, where: str = f"{path}/bulk") -> None:
        items = [contact(50_000_000 + n * BULK + at) for at in range(BULK)]
        await client.ask("POST", where, json.dumps({"items": items}).encode())

    async def bare_bulk(client: Client, n: int) -> None:
        await bulk(client, n, "/bulk")

    found = {}
    for name, client, ask, connections in (
        ("one", dialer, one, options.connections),
        ("bare one", bare, bare_one, options.connections),
        ("bulk", dialer, bulk, 2),
        ("bare bulk", bare, bare_bulk, 2),
    ):
        found[name] = await rate(client, connections, options.seconds, ask)
    return found


def commits(directory: Path, seconds: float) -> float:
    """Transactions of one row a second."""
    connection = sqlite3.connect(directory / "commits.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)")
    began, done = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        connection.execute("INSERT INTO t (body) VALUES (?)", (json.dumps(contact(done)),))
        done += 1
    connection.close()
    return done / seconds


async def latencies(clients: Clients, path: str, per_second: float, seconds: float) -> list[float]:
    """Seconds from when each request was due, one after the other, to its answer."""
    found = []
    async with clients() as opened:
        began = time.perf_counter()
        for n in range(round(per_second * seconds)):
            due = began + n / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await opened.ask("GET", path)
            found.append(time.perf_counter() - due)
    return found


def p99(found: Sequence[float]) -> float:
    """Milliseconds."""
    return statistics.quantiles(found, n=100)[98] * 1000


# --- what is asked ---------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A TCP port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(words: Sequence[str], log: Path) -> Iterator[None]:
    """Run a program beside."""
    with log.open("w") as out:
        running = subprocess.Popen(words, stderr=out, stdout=out)
    try:
        yield
    finally:
        running.terminate()
        running.wait(30)


@asynccontextmanager
async def both(here: Path, view: Path) -> AsyncIterator[tuple[Clients, Clients]]:
    """Clients of ``astdialer serve`` on the lab, and of the bare application."""
    config, port, bare_port = here / "astdialer.toml", free_port(), free_port()
    token = await asyncio.to_thread(made_token, config, f"bench{port}")
    config.write_text(re.sub(r"(\[http\]\nport = )\d+", rf"\g<1>{port}", config.read_text()))
    bare = here / "bare.py"
    bare.write_text(BARE)
    served = process([*command(config), "serve"], here / "engine.log")
    with served, process([sys.executable, str(bare), str(bare_port), str(view)], here / "bare.log"):
        for each in (port, bare_port):
            await answering(each)
        yield (lambda: Client(port, token)), (lambda: Client(bare_port))


def made_token(config: Path, name: str) -> str:
    """An administrator's."""
    words = [*command(config), "token", "create", name, "--role", "admin"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


async def answering(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


async def measure(made: Lab, options: argparse.Namespace) -> dict[str, float]:
    """Everything."""
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        config = here / "astdialer.toml"
        text = made.config_file.read_text().replace(f"sqlite://{made.directory}/astdialer.db", f"sqlite://{here}/a.db")
        text = re.sub(r"(\[http\]\nport = \d+)", r"\1\nrate_per_second = 100000\nburst = 100000", text)
        config.write_text(text.replace('number_check = "possible"', 'number_check = "none"\nmax_calls = 5000'))
        prepare(config, here, options)
        view = here / "view.json"
        view.write_text("{}")
        found: dict[str, float] = {"commits": commits(here, options.seconds)}
        async with both(here, view) as (dialer, bare):
            found |= await adding(dialer, bare, options)
            async with dialer() as client:
                view.write_bytes(await client.ask("GET", "/v1/live"))
                await client.ask("POST", "/v1/campaigns/calls/start")
        async with both(here, view) as (dialer, bare):
            await asyncio.sleep(5)  # the first calls have begun and ended
            count = calls_ended(here)
            began = time.perf_counter()
            status = latencies(dialer, "/v1/live", options.reads_per_second, options.seconds * 3)
            plain = latencies(bare, "/view", options.reads_per_second, options.seconds * 3)
            (reads, bare_reads) = await asyncio.gather(status, plain)
            found["calls"] = (calls_ended(here) - count) / (time.perf_counter() - began)
        found |= {"p99": p99(reads), "bare p99": p99(bare_reads), "median": statistics.median(reads) * 1000}
        return found


def prepare(config: Path, here: Path, options: argparse.Namespace) -> None:
    """A campaign that only takes contacts, and one that calls busy numbers at the pace."""
    calls = round(options.calls_per_second * (options.seconds * 3 + 20))
    base = here / "base.csv"
    base.write_text("".join(f"calls;9982{n:06};;;;\n" for n in range(calls)))
    settings = ("mode=broadcast", "trunk=t", "max_calls=400", "record=false", "calling_hours=00:00-24:00", "sound=x")
    once = [f"retry_{name}=1/0" for name in ("busy", "congestion", "failed", "no_answer")]
    for words in (
        (
            "trunk",
            "create",
            "t",
            "--dial",
            "PJSIP/{number}@carrier",
            "--cps",
            str(options.calls_per_second),
            "--max-calls",
            "5000",
        ),
        ("campaign", "create", "bench", *settings),
        ("campaign", "create", "calls", *settings, *once),
        ("upload", str(base)),
    ):
        subprocess.run([*command(config), *words], check=True, capture_output=True)


def calls_ended(here: Path) -> int:
    """CDRs so far."""
    with sqlite3.connect(f"file:{here}/a.db?mode=ro", uri=True) as connection:
        return int(connection.execute("SELECT count(*) FROM cdrs").fetchone()[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--calls-per-second", type=float, default=50)
    parser.add_argument("--reads-per-second", type=float, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        made = lab.up(Path(directory), say=lambda text: print(text, file=sys.stderr))
        try:
            found = asyncio.run(measure(made, options))
        finally:
            lab.down(made.directory)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(
        f"contacts one by one   {found['one']:8.0f}/s   bare FastAPI {found['bare one']:8.0f}/s   "
        f"ratio {found['one'] / found['bare one']:.2f}   bare commits {found['commits']:.0f}/s"
    )
    print(
        f"contacts by {BULK:5}     {found['bulk'] * BULK:8.0f}/s   bare FastAPI {found['bare bulk'] * BULK:8.0f}/s   "
        f"ratio {found['bulk'] / found['bare bulk']:.2f}"
    )
    print(
        f"live status, p99      {found['p99']:8.1f} ms  bare FastAPI {found['bare p99']:8.1f} ms   median "
        f"{found['median']:.1f} ms, while {found['calls']:.1f} calls/s ended"
    )


if __name__ == "__main__":
    main()
