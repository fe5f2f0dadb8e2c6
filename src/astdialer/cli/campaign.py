"""``astdialer campaign``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from astdialer.cli.context import clock, config, local_time, run, user, with_store
from astdialer.cli.explain import show_explanation, show_preflight
from astdialer.cli.output import Exit, emit_record, emit_rows, json_option, say
from astdialer.doctor.examine import Subject, examine_campaign
from astdialer.doctor.findings import is_faulty
from astdialer.domain.campaign import Campaign
from astdialer.domain.settings import settings_texts
from astdialer.engine import campaigns, statistics, transfer
from astdialer.engine.check import check
from astdialer.engine.explain import explain, is_stale
from astdialer.engine.removal import remove_campaign
from astdialer.logs import silenced
from astdialer.store import SqliteStore


@click.group()
def campaign() -> None:
    """Make, steer, check and explain campaigns."""


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
    with_store(lambda store: campaigns.create(store, clock, name, _pairs(settings), done_by=user()))
    say(f"{name} is made; next: astdialer upload FILE --campaign {name}; astdialer campaign start {name}")


@campaign.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All campaigns with their states and counts."""

    async def rows(store: SqliteStore) -> list[dict[str, Any]]:
        return [await _row(store, one) for one in await store.campaigns()]

    columns = ("campaign", "state", "mode", "trunk", "queue", "ready", "waiting", "in_call", "held", "done")
    emit_rows(with_store(rows), columns, as_json=as_json)


async def _row(store: SqliteStore, one: Campaign) -> dict[str, Any]:
    counts = await store.counts(one.id)
    return {
        "campaign": one.name,
        "state": one.state.value,
        "mode": one.settings.mode.value,
        "trunk": one.settings.routes or one.settings.trunk,
        "queue": one.settings.queue,
        "ready": counts.ready,
        "waiting": counts.waiting,
        "in_call": counts.in_call,
        "held": counts.held,
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
    with_store(lambda store: campaigns.change(store, clock, name, _pairs(settings), done_by=user()))
    say(f"{name} is changed; a running engine takes it up within a second")


def _moved(one: Campaign) -> None:
    say(f"{one.name} is {one.state.value}")


@campaign.command("start")
@click.argument("name")
def start(name: str) -> None:
    """Let a campaign dial."""

    async def work(store: SqliteStore) -> Campaign:
        started = await campaigns.start(store, clock, name, done_by=user())
        if is_stale(await store.live_view(), clock.now()):
            say("the engine is not running: start it with astdialer serve, or systemctl start astdialer")
        return started

    _moved(with_store(work))


@campaign.command("pause")
@click.argument("name")
def pause(name: str) -> None:
    """Place no new call; live ones run on."""
    _moved(with_store(lambda store: campaigns.pause(store, clock, name, done_by=user())))


@campaign.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Dial on after a pause."""
    _moved(with_store(lambda store: campaigns.resume(store, clock, name, done_by=user())))


@campaign.command("stop")
@click.argument("name")
@click.option("--hang-up", is_flag=True, help="Hang live calls up instead of letting them end.")
def stop(name: str, hang_up: bool) -> None:
    """End a campaign: no new calls, and stopped when the live ones have ended."""
    _moved(with_store(lambda store: campaigns.stop(store, clock, name, hang_up=hang_up, done_by=user())))


# --- looking ---------------------------------------------------------------------------------------------------------


@campaign.command("check")
@click.argument("name")
@click.option("--no-asterisk", is_flag=True, help="Look at contacts and settings only, not at Asterisk.")
@json_option
def check_(name: str, no_asterisk: bool, as_json: bool) -> None:
    """Say before the first call whom the campaign may call now, when the others, and what is missing.

    Rings nobody and changes nothing. Exit code 1 when something would keep it from dialing.
    """
    found = with_store(lambda store: check(store, clock, config().engine.zone, name))
    findings = [] if no_asterisk else _infrastructure(name)
    if as_json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        emit_record(dataclasses.asdict(found) | {"infrastructure": rows}, as_json=True)
    else:
        show_preflight(found, findings)
    sys.exit(Exit.FAILURE if found.obstacles or is_faulty(findings) else Exit.OK)


def _infrastructure(name: str) -> Any:
    with silenced():
        return run(examine_campaign(Subject(config=config(), file=Path(), clock=clock, campaign=name)))


@campaign.command("explain")
@click.argument("name")
@json_option
def explain_(name: str, as_json: bool) -> None:
    """Say which limit binds now, when it ends, and the counts and rules behind it."""
    found = with_store(lambda store: explain(store, clock, name, config().engine.zone))
    if as_json:
        emit_record(dataclasses.asdict(found), as_json=True)
    else:
        show_explanation(found)


@campaign.command("history")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
def history(name: str, limit: int, as_json: bool) -> None:
    """What was done to the campaign, when and by whom, the newest first."""
    events = with_store(lambda store: campaigns.history(store, name, limit))
    rows = [dataclasses.asdict(event) | {"when": local_time(event.at)} for event in events]
    emit_rows(rows, ("when", "event", "done_by", "detail"), as_json=as_json)


@campaign.command("reset")
@click.argument("name")
def reset(name: str) -> None:
    """Zero the totals of a campaign that is not active. Its days stay: the law asks for them."""
    with_store(lambda store: statistics.reset(store, clock, config().engine.zone, name, done_by=user()))
    say(f"the totals of {name} are zero; its days are in astdialer stats campaign {name}")


@campaign.command("remove")
@click.argument("name")
@click.confirmation_option(prompt="Its contacts and its history will be erased; its CDRs and days stay. Go on?")
def remove(name: str) -> None:
    """Take a campaign away that is not active, with its contacts and its history. Its CDRs, recordings and days stay,
    and its name remains taken."""

    async def remove_it(store: SqliteStore) -> None:
        await remove_campaign(store, clock, await store.campaign(name), done_by=user())

    with_store(remove_it)
    say(f"{name} is removed; astdialer serve erases its contacts one after the other")


# --- files -----------------------------------------------------------------------------------------------------------


@campaign.command("export")
@click.argument("name")
@click.argument("file", default="-")
def export(name: str, file: str) -> None:
    """Write a campaign as TOML to FILE, or to standard output: settings, calendar, routes, no secrets, no contacts."""
    text = with_store(lambda store: transfer.export(store, name))
    with click.open_file(file, "w", encoding="utf-8", atomic=file != "-") as out:
        out.write(text)


@campaign.command("import")
@click.argument("file")
@click.option("--name", metavar="NEW", default="", help="Call the campaign so, whatever the file says.")
@click.option("--replace", is_flag=True, help="In place of a campaign, calendar, route or pool that is there.")
def import_(file: str, name: str, replace: bool) -> None:
    """Make a campaign from FILE (- is standard input), which campaign export wrote. All of it or nothing."""
    source = transfer.read(*_text(file))

    async def work(store: SqliteStore) -> transfer.Imported:
        return await transfer.import_campaign(store, clock, source, name=name, replace=replace, done_by=user())

    found = with_store(work)
    for thing in found.saved:
        say(f"{thing} is as in the file")
    say(f"{found.campaign.name} is {'made' if found.created else 'as in the file'}")


def _text(file: str) -> tuple[str, str]:
    """The file's text, and what to call it. Raises BadCampaignFile."""
    source = "standard input" if file == "-" else file
    try:
        with click.open_file(file, "rb") as opened:
            return opened.read().decode("utf-8-sig"), source
    except OSError as error:
        raise transfer.BadCampaignFile(f"{source}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise transfer.BadCampaignFile(f"{source}: expected UTF-8; byte {error.start + 1} is none") from None
