"""Rows per second of `astdialer upload`, beside `sqlite3 .import` of the same contacts into the same tables.

The import is the floor: it gets rows that are split into the two tables and in E.164 already, and only writes them,
all in one transaction. The upload reads the semicolon format, checks and normalises every number, looks for
duplicates, and writes in transactions of 2,000 rows so that dialing goes on meanwhile. Both fill the same schema with
all its indexes. Needs the sqlite3 command (Debian: apt install sqlite3).

    python benchmarks/upload.py [--rows 1000000] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from astdialer.clock import SystemClock
from astdialer.domain.settings import Settings
from astdialer.store import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``ratio``: how many times longer the upload took."""

    rows: int
    upload_s: float
    upload_rows_per_s: int
    upload_peak_mb: int
    import_s: float
    import_rows_per_s: int
    ratio: float


def people(rows: int) -> Iterator[tuple[str, str, int, int]]:
    """Number, name, account and priority of each contact; the same for every run."""
    rng = random.Random(20260101)
    for index in range(rows):
        yield f"6{index * 61 % 10**8:08d}", f"Person {index}", rng.randrange(10**8), index % 100 + 1


def write_base(path: Path, rows: int) -> None:
    """The semicolon format, national Spanish numbers."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"demo;{n};name={name}:account={account};;{p};\n" for n, name, account, p in people(rows))


#: What the upload derives from a Spanish mobile number.
ZONES = "Atlantic/Canary|Europe/Madrid"


def write_tables(contacts: Path, numbers: Path, rows: int) -> None:
    """What the upload makes of it, as .import takes it: every column of both tables."""
    with (
        contacts.open("w", encoding="utf-8", newline="") as one,
        numbers.open("w", encoding="utf-8", newline="") as two,
    ):
        contact_rows, number_rows = csv.writer(one), csv.writer(two)
        for index, (n, name, account, priority) in enumerate(people(rows), 1):
            params = json.dumps({"name": name, "account": str(account)})
            waits, rest = (0, 0, 0, 0, "", 0, 0, "", 0, "", ""), ("", "", index, "", 0, "", "", 0)
            contact_rows.writerow((index, 1, 1, 1, 1, f"+34{n}", "ready", 2, priority, *waits, params, *rest))
            number_rows.writerow((index, index, 0, f"+34{n}", n, "P", 0, "", ZONES, "{}", 0, "{}", "", 0, 0, ""))


async def make_store(path: Path) -> None:
    """An empty store with the campaign ``demo``."""
    async with open_store(path, SystemClock()) as store:
        await store.create_campaign("demo", Settings(), 0)


def run_upload(folder: Path, rows: int) -> tuple[float, int]:
    """Seconds and peak memory (MB) of the command, from its start to its end."""
    base, store = folder / "base.csv", folder / "upload.db"
    write_base(base, rows)
    asyncio.run(make_store(store))
    environment = {
        **os.environ,
        "ASTDIALER_STORE_URL": f"sqlite:///{store}",
        "ASTDIALER_ENGINE_DEFAULT_COUNTRY": "ES",
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "astdialer", "upload", str(base), "--json"], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    _check(store, rows)
    return seconds, usage.ru_maxrss // 1024


def run_import(folder: Path, rows: int) -> float:
    """Seconds of the sqlite3 command for both tables."""
    contacts, numbers, store = folder / "contacts.csv", folder / "numbers.csv", folder / "import.db"
    write_tables(contacts, numbers, rows)
    asyncio.run(make_store(store))
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("DROP INDEX contacts_expiring")  # .import has no NULL, and would fill it
    commands = f".mode csv\n.import {contacts} contacts\n.import {numbers} numbers\n"
    started = time.perf_counter()
    subprocess.run(["sqlite3", "-batch", "-bail", str(store)], input=commands, text=True, check=True)
    seconds = time.perf_counter() - started
    _check(store, rows)
    return seconds


def _check(store: Path, rows: int) -> None:
    with closing(sqlite3.connect(store)) as connection:
        for table in ("contacts", "numbers"):
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # a name of ours, not data
            if found != rows:
                raise SystemExit(f"{store.name}: {found} rows in {table}, expected {rows}")


def measure(rows: int) -> Result:
    """Both, one after the other, on the same disk."""
    with tempfile.TemporaryDirectory(prefix="astdialer-upload-") as name:
        folder = Path(name)
        import_s = run_import(folder, rows)
        upload_s, peak_mb = run_upload(folder, rows)
    return Result(
        rows=rows,
        upload_s=round(upload_s, 2),
        upload_rows_per_s=round(rows / upload_s),
        upload_peak_mb=peak_mb,
        import_s=round(import_s, 2),
        import_rows_per_s=round(rows / import_s),
        ratio=round(upload_s / import_s, 2),
    )


def main() -> None:
    """Print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments.rows)
    if arguments.json:
        print(json.dumps(asdict(result)))
        return
    print(
        f"astdialer upload  {result.upload_s:8.2f} s  {result.upload_rows_per_s:9,} rows/s  {result.upload_peak_mb} MB"
    )
    print(f"sqlite3 .import   {result.import_s:8.2f} s  {result.import_rows_per_s:9,} rows/s")
    print(f"ratio             {result.ratio:8.2f}")


if __name__ == "__main__":
    main()
