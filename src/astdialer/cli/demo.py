"""``astdialer lab demo``: an example base dialed through the lab, from upload to MP3."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.live import Live

from astdialer import app, lab
from astdialer import config as configuration
from astdialer.cli.cdr import COLUMNS as CDR_COLUMNS
from astdialer.cli.context import Invocation, clock, local_time
from astdialer.cli.output import Exit, print_table, say
from astdialer.cli.top import screen
from astdialer.domain.campaign import CampaignState
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import AstdialerError
from astdialer.engine.explain import is_stale
from astdialer.lab.places import asterisk_conf
from astdialer.store import SqliteStore

D = Disposition
CAMPAIGN, TRUNK = "demo", "carrier"
LIMIT_S = 170.0

#: What the lab's carrier does by a number's digit after 447700900, and how such a contact must end.
BEHAVIOURS: Mapping[str, tuple[str, Disposition]] = {
    "0": ("person", D.ANSWERED),
    "1": ("voicemail", D.MACHINE),
    "2": ("busy", D.BUSY),
    "3": ("no answer", D.NO_ANSWER),
    "4": ("dead number", D.INVALID_NUMBER),
    "5": ("rejected", D.REJECTED),
    "6": ("congestion", D.CONGESTION),
    "7": ("silence", D.MACHINE),
    "8": ("short call", D.SHORT),
    "9": ("nobody free", D.ABANDONED),
}

#: Short waits, so that the demo is; a busy number is tried a second time, to show a retry.
SETTINGS = {
    "mode": "progressive",
    "trunk": TRUNK,
    "queue": "astdialer",
    "caller_id": "442079460000",
    "originate_timeout_s": "6",
    "min_ring_s": "0",
    "wrap_up_s": "1",
    "amd": "true",
    "calling_hours": "00:00-24:00",
    "retry_busy": "2/10",
    "retry_no_answer": "1/0",
    "retry_machine": "1/0",
    "retry_congestion": "1/0",
    "retry_failed": "1/0",
    "retry_unknown": "1/0",
}


class DemoFailed(AstdialerError):
    """The demo did not end as it must."""


def example_base() -> Path:
    """The base that the demo uploads: 40 contacts in the semicolon format."""
    return asterisk_conf().parent / "examples" / "demo.csv"


def behaviour(number: str) -> tuple[str, Disposition]:
    """What the lab does with an E.164 number, and the disposition that follows."""
    return BEHAVIOURS[number.removeprefix("+447700900")[0]]


@click.command("demo")
@click.option("--directory", type=click.Path(path_type=Path), help="Where the lab is kept.")
@click.option("--keep", is_flag=True, help="Leave lab and data as they are at the end, to look around.")
def demo(directory: Path | None, keep: bool) -> None:
    """Dial 40 example contacts through a private Asterisk and show what came of each.

    Exit code 0 only if every contact ended as its number's behaviour demands.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    made = lab.up(directory, agents=3, say=say)
    try:
        click.get_current_context().obj = Invocation(made.config_file)
        _fresh(made)
        ok = _run(made)
    finally:
        if not keep:
            lab.down(made.directory)
    if keep:
        say(f"\nThe lab is still up. To look around: export ASTDIALER_CONFIG={made.config_file}; astdialer lab down")
    sys.exit(Exit.OK if ok else Exit.FAILURE)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """A demo that is ended from outside takes its lab with it."""
    raise KeyboardInterrupt


def _fresh(made: lab.Lab) -> None:
    """An earlier demo's database would hold the same numbers."""
    for name in ("astdialer.db", "astdialer.db-wal", "astdialer.db-shm"):
        (made.directory / name).unlink(missing_ok=True)


def _run(made: lab.Lab) -> bool:
    config = configuration.load(made.config_file)
    log = made.directory / "engine.log"
    with log.open("w") as out:
        engine = subprocess.Popen([*_astdialer(made), "serve"], stderr=out, stdout=out)
    try:
        _prepare(made)
        rows = asyncio.run(_watch(config))
    finally:
        engine.terminate()
        engine.wait(20)
    say(f"The engine's log is {log}")
    return _report(config, rows)


def _astdialer(made: lab.Lab) -> list[str]:
    return [sys.executable, "-m", "astdialer", "--config", str(made.config_file)]


def _prepare(made: lab.Lab) -> None:
    """What an administrator does by hand, with the same commands."""
    settings = SETTINGS | {"safe_harbour": str(asterisk_conf() / "sounds" / "astdialer-safe-harbour")}
    for words in (
        ["trunk", "create", TRUNK, "--dial", "PJSIP/{number}@carrier", "--cps", "10"],
        ["campaign", "create", CAMPAIGN, *(f"{key}={value}" for key, value in settings.items())],
        ["upload", str(example_base())],
        ["campaign", "start", CAMPAIGN],
    ):
        say("\n$ astdialer " + " ".join(words))
        done = subprocess.run([*_astdialer(made), *words], check=False, env=_environment())
        if done.returncode:
            raise DemoFailed(f"astdialer {words[0]} failed with exit code {done.returncode}")


def _environment() -> dict[str, str]:
    """Without settings of the user's own astdialer."""
    return {name: value for name, value in os.environ.items() if not name.startswith(configuration.PREFIX)}


async def _watch(config: configuration.Config) -> Sequence[Mapping[str, Any]]:
    """Show progress until every contact is done and every recording converted; the contacts."""
    began = time.monotonic()
    console = Console(stderr=True)
    async with app.open_store(config, clock) as store:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not await _is_done(store):
                if time.monotonic() - began > LIMIT_S:
                    raise DemoFailed(f"the campaign has not finished within {LIMIT_S:.0f} s")
                await _show(store, live, console)
                await asyncio.sleep(0.5)
        say(f"\nThe campaign took {time.monotonic() - began:.0f} s.")
        return await store.contacts({"campaign": CAMPAIGN}, 1000)


async def _show(store: SqliteStore, live: Live, console: Console) -> None:
    view = await store.live_view()
    if view is None or is_stale(view, clock.now()):
        return
    if console.is_terminal:
        live.update(screen(view), refresh=True)
    elif view["campaigns"] and int(time.time()) % 5 == 0:
        row = view["campaigns"][0]
        say(f"{local_time(view['written_at'])}  {row['contacts']}  live {row['calls']}  {row['limit']}")
        await asyncio.sleep(0.5)


async def _is_done(store: SqliteStore) -> bool:
    campaign = await store.campaign(CAMPAIGN)
    recordings = await store.recordings({}, 1000)
    return campaign.state is CampaignState.FINISHED and all(row["state"] != "pending" for row in recordings)


def _report(config: configuration.Config, contacts: Sequence[Mapping[str, Any]]) -> bool:
    rows = [_result(row) for row in contacts]
    click.echo("\nWhat happened to each contact")
    print_table(rows, ("number", "name", "behaviour", "expected", "result", "attempts", "ok"))
    asyncio.run(_report_calls(config))
    wrong = [row for row in rows if row["ok"] != "yes"]
    click.echo(f"\n{len(rows) - len(wrong)} of {len(rows)} contacts ended as their numbers' behaviour demands.")
    return not wrong and bool(rows)


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    name, expected = behaviour(row["number"])
    return {
        "number": row["number"],
        "name": row["params"].get("name", ""),
        "behaviour": name,
        "expected": expected.value,
        "result": row["end_reason"],
        "attempts": row["attempts"],
        "ok": "yes" if row["end_reason"] == expected.value else "NO",
    }


async def _report_calls(config: configuration.Config) -> None:
    async with app.open_store(config, clock) as store:
        cdrs = [dict(row) | {"calldate": local_time(row["calldate"])} async for row in store.cdrs({}, None)]
        recordings = await store.recordings({}, 1000)
    click.echo("\nCall detail records")
    print_table(reversed(cdrs), CDR_COLUMNS)
    click.echo("\nRecordings")
    print_table([row for row in recordings if row["state"] == "done"], ("number", "duration_s", "path"))
