"""``astdialer top``: the live screen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from astdialer.cli.agent import live_view
from astdialer.cli.context import local_time, with_store
from astdialer.cli.output import emit_record, json_option, words

STATUS_STYLE = {
    "NOT_INUSE": "green",
    "INUSE": "cyan",
    "RINGING": "yellow",
    "RINGINUSE": "yellow",
    "WRAPUP": "magenta",
    "ONHOLD": "cyan",
    "BUSY": "cyan",
}


@click.command()
@click.option("--once", is_flag=True, help="Print the screen once and end.")
@json_option
def top(once: bool, as_json: bool) -> None:
    """Campaigns, agents and trunks as the engine sees them now, each second. Ctrl-C ends it."""
    if as_json:
        emit_record(with_store(live_view), as_json=True)
        return
    console = Console()
    if once or not console.is_terminal:
        console.print(screen(with_store(live_view)))
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(screen(with_store(live_view)), refresh=True)
            time.sleep(1)


def screen(view: Mapping[str, Any]) -> RenderableType:
    """The whole screen."""
    return Group(
        _head(view),
        Text(),
        _campaigns(view),
        Text(),
        _limits(view),
        Text(),
        *_predictions(view),
        _results(view),
        Text(),
        _agents(view),
        Text(),
        _trunks(view),
    )


def _head(view: Mapping[str, Any]) -> Text:
    head = Text("astdialer", style="bold")
    head.append(f"  {local_time(view['written_at'])}  calls {view['calls']}", style="default")
    for server in view["servers"]:
        ok = server["up"]
        words = "up" if ok else f"DOWN: {server['why_down']}"
        head.append(f"  {server['server']} {words}", style="green" if ok else "bold red")
    if not view["store_writes"]:
        head.append("  the store does not write", style="bold red")
    return head


def _campaigns(view: Mapping[str, Any]) -> Table:
    table = _table("campaign", "state", "dial", "ring", "answ", "talk", "agents", "left", "done")
    for row in view["campaigns"]:
        calls, contacts = row["calls"], row["contacts"]
        table.add_row(
            row["campaign"],
            Text(row["state"], style="green" if row["state"] == "running" else "yellow"),
            str(calls.get("created", 0) + calls.get("dialing", 0)),
            str(calls.get("ringing", 0)),
            str(calls.get("answered", 0)),
            str(calls.get("connected", 0)),
            "-" if row["mode"] == "broadcast" else f"{row['free_agents']}/{row['logged_in_agents']}",
            str(contacts["ready"] + contacts["waiting"] + contacts["in_call"]),
            str(contacts["done"]),
        )
    return table


def _limits(view: Mapping[str, Any]) -> Table:
    table = _table("campaign", "what binds")
    for row in view["campaigns"]:
        until = f", until {local_time(row['until'])}" if row["until"] else ""
        table.add_row(row["campaign"], row["limit"] + until)
    return table


def _predictions(view: Mapping[str, Any]) -> list[RenderableType]:
    """Predictive campaigns: the live probability, the share believed, and what the law leaves today."""
    rows = [row for row in view["campaigns"] if row.get("prediction")]
    if not rows:
        return []
    table = _table("predictive", "risk", "allowed", "answers", "window", "people", "abandoned", "rate", "room")
    for row in rows:
        found = row["prediction"]
        risks = (f"{found['risk']:.1%}", f"{found['allowed_risk']:.1%}", f"{found['answer_rate']:.1%}")
        for n, window in enumerate(row["windows"]):
            cells = (window["window"], f"{window['people']:g}", f"{window['abandoned']:g}")
            rate = "" if window["rate"] is None else f"{window['rate']:.2%}"
            table.add_row(*((row["campaign"], *risks) if n == 0 else ("",) * 4), *cells, rate, str(window["room"]))
    return [table, Text()]


def _results(view: Mapping[str, Any]) -> Table:
    table = _table("campaign", "abandonment", "attempts by disposition")
    for row in view["campaigns"]:
        if row["dispositions"]:
            rate = "-" if row["abandonment"] is None else f"{row['abandonment']:.1%}"
            table.add_row(row["campaign"], rate, words(row["dispositions"]))
    return table


def _agents(view: Mapping[str, Any]) -> Table:
    table = _table("agent", "queue", "code", "status", "paused", "talks")
    for row in view["agents"]:
        paused = (row["pause_reason"] or "yes") if row["paused"] else ""
        style = STATUS_STYLE.get(row["status"], "red")
        table.add_row(
            row["name"] or row["agent"],
            row["queue"],
            str(row["code"]),
            Text(row["status"], style=style),
            paused,
            str(row["calls_taken"]),
        )
    return table


def _trunks(view: Mapping[str, Any]) -> Table:
    table = _table("trunk", "calls", "of")
    for row in view["trunks"]:
        table.add_row(row["trunk"], str(row["calls"]), str(row["max_calls"]))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table
