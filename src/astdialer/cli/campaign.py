"""``astdialer campaign``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import click

from astdialer.cli.context import clock, local_time, with_store
from astdialer.cli.output import emit_record, emit_rows, json_option, say
from astdialer.domain.campaign import Campaign, settings_texts
from astdialer.engine import campaigns
from astdialer.engine.explain import explain, is_stale
from astdialer.store import SqliteStore


@click.group()
def campaign() -> None:
    """Make, steer and explain campaigns."""


def _pairs(settings: Sequence[str]) -> dict[str, str]:
    for text in settings:
        if "=" not in text:
            raise click.UsageError(f"{text!r}: expected KEY=VALUE, such as max_calls=10")
    return dict(text.split("=", 1) for text in settings)


@campaign.command("create")
@click.argument("name")
@click.argument("settings", nargs=-1)
def create_(name: str, settings: tuple[str, ...]) -> None:
    """Make a campaign: NAME and SETTINGS as KEY=VALUE."""
    with_store(lambda store: campaigns.create(store, clock, name, _pairs(settings)))
    say(f"{name} is made; next: astdialer upload FILE --campaign {name}; astdialer campaign start {name}")


@campaign.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All campaigns with their states and counts."""

    async def rows(store: SqliteStore) -> list[dict[str, Any]]:
        return [await _row(store, one) for one in await store.campaigns()]

    columns = ("campaign", "state", "mode", "trunk", "queue", "ready", "waiting", "in_call", "done")
    emit_rows(with_store(rows), columns, as_json=as_json)


async def _row(store: SqliteStore, one: Campaign) -> dict[str, Any]:
    counts = await store.counts(one.id)
    return {
        "campaign": one.name,
        "state": one.state.value,
        "mode": one.settings.mode.value,
        "trunk": one.settings.trunk,
        "queue": one.settings.queue,
        "ready": counts.ready,
        "waiting": counts.waiting,
        "in_call": counts.in_call,
        "done": counts.done,
        "dispositions": dict(counts.dispositions),
    }


@campaign.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One campaign with every setting."""

    async def record(store: SqliteStore) -> dict[str, Any]:
        one = await store.campaign(name)
        row = await _row(store, one)
        texts = settings_texts(one.settings)
        return row | {"settings": texts} if as_json else row | texts

    emit_record(with_store(record), as_json=as_json)


@campaign.command("set")
@click.argument("name")
@click.argument("settings", nargs=-1, required=True)
def set_(name: str, settings: tuple[str, ...]) -> None:
    """Change SETTINGS, given as KEY=VALUE; a running campaign takes them up within a second."""
    with_store(lambda store: campaigns.change(store, name, _pairs(settings)))
    say(f"{name} is changed; a running engine takes it up within a second")


def _moved(one: Campaign) -> None:
    say(f"{one.name} is {one.state.value}")


@campaign.command("start")
@click.argument("name")
def start(name: str) -> None:
    """Let a campaign dial."""

    async def work(store: SqliteStore) -> Campaign:
        started = await campaigns.start(store, clock, name)
        if is_stale(await store.live_view(), clock.now()):
            say("the engine is not running: start it with astdialer serve, or systemctl start astdialer")
        return started

    _moved(with_store(work))


@campaign.command("pause")
@click.argument("name")
def pause(name: str) -> None:
    """Place no new call; live ones run on."""
    _moved(with_store(lambda store: campaigns.pause(store, clock, name)))


@campaign.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Dial on after a pause."""
    _moved(with_store(lambda store: campaigns.resume(store, clock, name)))


@campaign.command("stop")
@click.argument("name")
@click.option("--hang-up", is_flag=True, help="Hang live calls up instead of letting them end.")
def stop(name: str, hang_up: bool) -> None:
    """End a campaign: no new calls, and stopped when the live ones have ended."""
    _moved(with_store(lambda store: campaigns.stop(store, clock, name, hang_up=hang_up)))


@campaign.command("explain")
@click.argument("name")
@json_option
def explain_(name: str, as_json: bool) -> None:
    """Say which limit binds now, when it ends, and the counts behind it."""
    found = with_store(lambda store: explain(store, clock, name))
    if as_json:
        emit_record(dataclasses.asdict(found), as_json=True)
        return
    until = f", until {local_time(found.until)}" if found.until else ""
    click.echo(f"{found.campaign} is {found.state}. What binds: {found.limit}{until}.")
    if found.detail:
        click.echo(found.detail)
    facts = {key: value for key, value in found.facts.items() if value not in (None, {})}
    if "next_due_at" in facts:
        facts["next_due_at"] = local_time(facts["next_due_at"])
    if "abandonment" in facts:
        facts["abandonment"] = f"{facts['abandonment']:.1%} of the calls that people answered"
    emit_record(facts)
