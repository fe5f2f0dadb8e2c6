"""Draw docs/images/top.svg: what ``astdialer top`` shows while three campaigns run on the lab's real Asterisk.

    .venv/bin/python docs/images/make-top.py

It takes about a minute. The lab lives in a temporary directory and is gone afterwards.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from astdialer import app, lab
from astdialer import config as configuration
from astdialer.cli.context import Invocation, clock
from astdialer.cli.top import screen
from astdialer.lab.places import asterisk_conf

PICTURE = Path(__file__).with_name("top.svg")
#: How many contacts of each behaviour (the digit after 447700900) the first campaign has.
SPRING = {"0": 60, "1": 12, "2": 10, "3": 8, "4": 5, "5": 2, "8": 4, "9": 1}
COMMON = ["trunk=carrier", "calling_hours=00:00-24:00", "originate_timeout_s=12", "min_ring_s=0", "wrap_up_s=4"]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="astdialer-top-") as place:
        made = lab.up(Path(place), agents=8, say=lambda text: click.echo(text, err=True))
        engine = subprocess.Popen([*command(made), "serve"], stderr=subprocess.DEVNULL)
        try:
            prepare(made)
            draw(made, asyncio.run(best_view(made)))
        finally:
            engine.terminate()
            engine.wait(20)
            lab.down(made.directory)


def command(made: lab.Lab) -> list[str]:
    return [sys.executable, "-m", "astdialer", "--config", str(made.config_file)]


def prepare(made: lab.Lab) -> None:
    """Three campaigns, with the commands an administrator gives."""
    spring = [f"447700900{digit}{n:02}" for digit, count in SPRING.items() for n in range(count)]
    random.Random(4).shuffle(spring)
    base(made, "spring", spring)
    base(made, "reminder", [f"4477009000{n}" for n in range(60, 89)])
    base(made, "night", [f"4477009001{n}" for n in range(40, 69)])
    safe_harbour = f"safe_harbour={asterisk_conf() / 'sounds' / 'astdialer-safe-harbour'}"
    announcement = f"sound={lab.sounds() / 'announcement'}"
    agents = ["queue=astdialer", "amd=true", safe_harbour]
    for words in (
        ["trunk", "create", "carrier", "--dial", "PJSIP/{number}@carrier", "--cps", "5", "--max-calls", "20"],
        ["campaign", "create", "spring", "mode=progressive", *agents, *COMMON],
        ["campaign", "create", "reminder", "mode=broadcast", "max_calls=2", announcement, *COMMON],
        ["campaign", "create", "night", "mode=progressive", *agents, *COMMON, "calling_hours=23:58-23:59"],
        *(["upload", str(made.directory / f"{name}.csv")] for name in ("spring", "reminder", "night")),
        *(["campaign", "start", name] for name in ("spring", "reminder", "night")),
    ):
        subprocess.run([*command(made), *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def base(made: lab.Lab, campaign: str, numbers: list[str]) -> None:
    text = "".join(f"{campaign};{number};name=Contact {n}\n" for n, number in enumerate(numbers))
    (made.directory / f"{campaign}.csv").write_text(text)


async def best_view(made: lab.Lab) -> Mapping[str, Any]:
    """Of the views of half a minute, the one with the most different things going on."""
    views = []
    config = configuration.load(made.config_file)
    async with app.open_store(config, clock) as store:
        await asyncio.sleep(15)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            views.append(await store.live_view())
            await asyncio.sleep(0.5)
    return max((view for view in views if view), key=variety)


def variety(view: Mapping[str, Any]) -> tuple[int, int]:
    states = {(row["campaign"], state) for row in view["campaigns"] for state in row["calls"]}
    return len(states) + len({row["status"] for row in view["agents"]}), view["calls"]


def draw(made: lab.Lab, view: Mapping[str, Any]) -> None:
    console = Console(record=True, width=110, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with click.Context(click.Command("top"), obj=Invocation(made.config_file)):
        console.print(screen(view))
    # The picture must not load a font from the network.
    plain = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    text = console.export_svg(title="astdialer top", code_format=plain, unique_id="top")
    PICTURE.write_text(text.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas") + "\n")


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith(configuration.PREFIX + "CONFIG")]:
        del os.environ[name]
    main()
