"""``astdialer agent``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from astdialer.cli.context import clock, local_time, with_store
from astdialer.cli.output import emit_rows, json_option
from astdialer.domain.errors import Unavailable
from astdialer.engine.explain import is_stale
from astdialer.store import SqliteStore


@click.group()
def agent() -> None:
    """Queue members as Asterisk has them, with status codes 0 to 9."""


@agent.command("list")
@click.option("--queue", help="Only of this queue.")
@json_option
def list_(queue: str | None, as_json: bool) -> None:
    """Every agent of every queue: code, status, pause and its reason, wrap-up."""
    rows = [
        row | {"last_call": local_time(row["last_call_at"]), "wrap_up": local_time(row["wrap_up_until"])}
        for row in with_store(live_view)["agents"]
        if queue in (None, row["queue"])
    ]
    columns = ("agent", "name", "queue", "code", "status", "paused", "pause_reason", "free", "calls_taken", "last_call")
    emit_rows(rows, columns, as_json=as_json)


async def live_view(store: SqliteStore) -> Mapping[str, Any]:
    """What the engine sees now. Raises Unavailable when none runs."""
    view = await store.live_view()
    if view is None or is_stale(view, clock.now()):
        raise Unavailable("the engine is not running: start it with astdialer serve")
    return view
