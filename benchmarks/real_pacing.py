"""A predictive campaign on a real Asterisk, against what the simulator predicts for the same laws.

    python benchmarks/real_pacing.py [--minutes 15] [--agents 20] [--talk 60] [--share 0.25] [--days 20] [--json FILE]

The lab's carrier answers each number after a time, and talks for a time, that were drawn beforehand and are written in
the number. The engine starts knowing nothing. The simulator runs so many days of the same length with the same laws.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import accumulate
from math import inf
from pathlib import Path
from statistics import mean, quantiles, stdev
from typing import Any

from astdialer import lab
from astdialer.domain.pacer import Pacer
from astdialer.domain.settings import Settings
from astdialer.lab import Lab
from astdialer.lab.model import QUEUE
from astdialer.simulator.day import Day, Record
from astdialer.simulator.own import OwnPacing
from astdialer.simulator.world import Draws, End, Lognormal, World

RING_S, WRAP_UP_S, HANDOFF_S = 25, 1, 0.2
#: A call that lasts so long without an answer rings until we give it up.
RINGS_ON_S = 24
SETTINGS = {
    "mode": "predictive",
    "trunk": "carrier",
    "queue": QUEUE,
    "caller_id": "442079460000",
    "originate_timeout_s": str(RING_S),
    "wrap_up_s": str(WRAP_UP_S),
    "max_calls": "500",
    "record": "false",
    "calling_hours": "00:00-24:00",
    **{f"retry_{name}": "1/0" for name in ("busy", "no_answer", "congestion", "failed", "abandoned", "short")},
}
COLUMNS = "dialed_at, answered_at, connected_at, talk_ended_at, gone_at, agent_ring_s, disposition"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run came to; shares in percent, seconds."""

    busy: float
    abandoned: float
    people: int
    calls: int
    calls_per_talk: float
    wait_mean_s: float
    most_dialing: int


def world_of(options: argparse.Namespace) -> World:
    """The laws of both."""
    return World(
        agents=options.agents,
        share=lambda _: options.share,
        hours=options.minutes / 60,
        talk=Lognormal(options.talk, 0.8),
        wrap_up=Lognormal(WRAP_UP_S, 0.01),
        ring_s=RING_S - 3,
        handoff_s=HANDOFF_S,
    )


# --- the real one ----------------------------------------------------------------------------------------------------


def numbers(world: World, count: int) -> Iterator[str]:
    """997BRRTTTNNNN, see the lab's extensions-carrier.conf."""
    draws = Draws(world, seed=1)
    for n in range(count):
        fate, (talk_s, _) = draws.fate(draws.contact(), 0.0), draws.handle()
        after_s = max(1, round(fate.after_s))
        if fate.end is End.PERSON:
            kind, talk = 0, min(max(1, round(talk_s)), 999)
        else:
            kind, talk = (3 if after_s >= RINGS_ON_S else 2), 0
        yield f"997{kind}{after_s:02}{talk:03}{n:04}"


def real(made: Lab, world: World, talk_s: float, directory: Path) -> Figures:
    """Dial for the time of the world, and read the store."""
    config, database = directory / "astdialer.toml", directory / "astdialer.db"
    text = made.config_file.read_text().replace(f"sqlite://{made.directory}/astdialer.db", f"sqlite://{database}")
    config.write_text(text.replace('number_check = "possible"', 'number_check = "none"'))
    count = int(3 * world.agents * world.ends_s / (talk_s + WRAP_UP_S) / world.share(0)) + 100
    base = directory / "base.csv"
    base.write_text("".join(f"real;{number};;;;\n" for number in numbers(world, min(count, 9999))))

    def astdialer(*words: str) -> None:
        subprocess.run([*_command(config), *words], check=True, stdout=subprocess.DEVNULL)

    astdialer("trunk", "create", "carrier", "--dial", "PJSIP/{number}@carrier", "--cps", "50", "--max-calls", "500")
    astdialer("campaign", "create", "real", *(f"{key}={value}" for key, value in SETTINGS.items()))
    astdialer("upload", str(base))
    with _serving(config):
        astdialer("campaign", "start", "real")
        _watch(config, world.ends_s)
        astdialer("campaign", "stop", "real", "--hang-up")
        time.sleep(3)
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(f"SELECT {COLUMNS} FROM attempts WHERE dialed_at IS NOT NULL")]
    return figures(rows, world)


def _command(config: Path) -> list[str]:
    return [sys.executable, "-m", "astdialer", "--config", str(config)]


@contextmanager
def _serving(config: Path) -> Iterator[None]:
    with (config.parent / "engine.log").open("w") as log:
        engine = subprocess.Popen([*_command(config), "serve"], stdout=log, stderr=log)
        try:
            time.sleep(3)
            yield
        finally:
            engine.terminate()
            engine.wait(30)


def _watch(config: Path, for_s: float) -> None:
    """Show every half minute what binds."""
    end = time.monotonic() + for_s
    while (left_s := end - time.monotonic()) > 0:
        time.sleep(min(30.0, left_s))
        said = subprocess.run(
            [*_command(config), "campaign", "explain", "real"], stdout=subprocess.PIPE, text=True, check=True
        )
        print("\n".join(said.stdout.splitlines()[:2]), file=sys.stderr, flush=True)


def figures(rows: Sequence[dict[str, Any]], world: World) -> Figures:
    """From attempts, in the span of the world's length from the first call on."""
    begin = min(row["dialed_at"] for row in rows)
    end = begin + int(world.ends_s * 1000)
    seen = [row for row in rows if row["dialed_at"] < end]
    talks = [row for row in seen if row["connected_at"] and row["connected_at"] < end]
    busy_ms = sum(_busy_ms(row, end) for row in talks)
    lost = [r for r in seen if r["disposition"] == "abandoned" and r["answered_at"] < end]
    waits = [(row["connected_at"] - row["answered_at"]) / 1000 for row in talks]
    return Figures(
        busy=100 * busy_ms / (world.agents * world.ends_s * 1000),
        abandoned=100 * len(lost) / max(1, len(lost) + len(talks)),
        people=len(lost) + len(talks),
        calls=len(seen),
        calls_per_talk=len(seen) / max(1, len(talks)),
        wait_mean_s=mean(waits) if waits else 0.0,
        most_dialing=most_dialing(seen, end),
    )


def most_dialing(rows: Sequence[dict[str, Any]], end: float = inf) -> int:
    """The most calls that nobody had answered at a time; who has not ended either rings until ``end``."""
    steps = [(row["dialed_at"], 1) for row in rows]
    steps += [(row["answered_at"] or row["gone_at"] or end, -1) for row in rows]
    return max(accumulate(step for _, step in sorted(steps)))


def _busy_ms(row: dict[str, Any], end: int) -> float:
    """From the ringing of the agent's telephone to the end of its wrap-up."""
    ended = (row["talk_ended_at"] or row["gone_at"] or end) + WRAP_UP_S * 1000
    return float(max(0.0, min(ended, end) - (row["connected_at"] - 1000 * row["agent_ring_s"])))


# --- the simulated one -----------------------------------------------------------------------------------------------


def simulated(world: World, days: int) -> list[Figures]:
    """So many days with the same laws, each begun knowing nothing."""
    pace = Settings(originate_timeout_s=RING_S, wrap_up_s=WRAP_UP_S).pace
    return [_of(Day(world, OwnPacing(Pacer(pace)), seed).run()) for seed in range(days)]


def _of(record: Record) -> Figures:
    return Figures(
        busy=100 * record.utilisation,
        abandoned=100 * record.abandonment,
        people=record.answered,
        calls=record.dialed,
        calls_per_talk=record.dialed / max(1, record.connected),
        wait_mean_s=mean(record.waits_s) + HANDOFF_S,
        most_dialing=record.most_calls,
    )


def main() -> None:
    """Run both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--talk", type=float, default=60.0, help="mean seconds")
    parser.add_argument("--share", type=float, default=0.25, help="of the calls that a person answers")
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    world = world_of(options)
    with tempfile.TemporaryDirectory() as name:
        made = lab.up(Path(name) / "lab", agents=world.agents, say=lambda text: print(text, file=sys.stderr))
        try:
            found = real(made, world, options.talk, Path(name))
        finally:
            lab.down(Path(name) / "lab")
    expected = simulated(world, options.days)
    print("| | real | simulated, mean | 95 % of the days between | |\n|---|---|---|---|---|")
    for key, value in asdict(found).items():
        values = [getattr(each, key) for each in expected]
        cuts = quantiles(values, n=40, method="inclusive")
        low, high = cuts[0], cuts[-1]
        agrees = (
            "agrees" if low <= value <= high else f"{(value - mean(values)) / (stdev(values) or 1):+.1f} deviations"
        )
        print(f"| {key} | {value:.2f} | {mean(values):.2f} | {low:.2f} to {high:.2f} | {agrees} |")
    if options.json:
        both = {"real": asdict(found), "simulated": [asdict(each) for each in expected]}
        options.json.write_text(json.dumps(both, indent=1))


if __name__ == "__main__":
    main()
