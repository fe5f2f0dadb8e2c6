"""``astdialer agent``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from astdialer.cli.context import clock, local_time, new_number, pairs, with_store
from astdialer.cli.output import emit_record, emit_rows, json_option, say
from astdialer.domain.agent import AgentProfile, is_agent
from astdialer.domain.errors import Unavailable
from astdialer.engine import offers as preview
from astdialer.engine import profiles
from astdialer.engine.explain import is_stale
from astdialer.engine.orders import ask
from astdialer.ports import Offer
from astdialer.store import SqliteStore

AS_CAMPAIGN = "campaign"
_COLUMNS = ("agent", "name", "queue", "code", "status", "paused", "pause_reason", "free", "reserved", "rests_until")
LIST_COLUMNS = (*_COLUMNS, "skills", "buckets", "calls_taken", "last_call")
PROFILE_COLUMNS = ("agent", "name", "skills", "buckets", *profiles.LIMITS)


@click.group()
def agent() -> None:
    """Queue members as Asterisk has them, with status codes 0 to 9; what is said about them; calls by hand."""


@agent.command("list")
@click.option("--queue", help="Only of this queue.")
@json_option
def list_(queue: str | None, as_json: bool) -> None:
    """Every agent of every queue: code, status, pause and its reason, reserved, resting, skills and buckets."""

    async def read(store: SqliteStore) -> tuple[Mapping[str, Any], Sequence[AgentProfile]]:
        return await live_view(store), await store.agents()

    view, known = with_store(read)
    rows = [_row(row, known, as_json=as_json) for row in view["agents"] if queue in (None, row["queue"])]
    emit_rows(rows, LIST_COLUMNS, as_json=as_json)


def _row(row: Mapping[str, Any], known: Sequence[AgentProfile], *, as_json: bool) -> dict[str, Any]:
    profile = next((p for p in known if is_agent(p.agent, row["agent"], row["name"])), AgentProfile(agent=""))
    found = {**row, "skills": list(profile.skills), "buckets": list(profile.buckets)}
    found |= {"last_call": local_time(row["last_call_at"]), "wrap_up": local_time(row["wrap_up_until"])}
    if as_json:
        return found
    found["rests_until"] = local_time(row.get("rests_until"))
    return found | {key: ", ".join(found[key]) or None for key in ("skills", "buckets")}


async def live_view(store: SqliteStore) -> Mapping[str, Any]:
    """What the engine sees now. Raises Unavailable when none runs."""
    view = await store.live_view()
    if view is None or is_stale(view, clock.now()):
        raise Unavailable("the engine is not running: start it with astdialer serve")
    return view


# --- what is said about agents ---------------------------------------------------------------------------------------


def _own(spelling: str, key: str, words: str) -> Any:
    """The option of a whole number of the agent's own, or the word that takes it away again."""
    low, high = profiles.LIMITS[key]

    def read(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | str | None:
        if text in (None, AS_CAMPAIGN):
            return text
        if not re.fullmatch(r"[0-9]{1,5}", text) or not low <= int(text) <= high:
            raise click.BadParameter(f"{text!r}: expected a whole number from {low} to {high}, or {AS_CAMPAIGN}")
        return int(text)

    return click.option(spelling, key, metavar="N", callback=read, help=words)


def _options(function: Any) -> Any:
    options = (
        click.option("--name", help="For people."),
        click.option("--skill", "skills", multiple=True, help="In place of all there are; '' is none. Repeatable."),
        click.option("--bucket", "buckets", multiple=True, help="Whose contacts it alone may have. As --skill."),
        _own("--call-timeout", "call_timeout_s", "How long its telephone rings, s."),
        _own("--wrap-up", "wrap_up_s", "Rest after a talk, s."),
        _own("--max-no-answer", "max_no_answer", "Paused after so many unanswered calls; 0: never."),
        _own("--busy-delay", "busy_delay_s", "Rest after its telephone was busy, s."),
        _own("--reject-delay", "reject_delay_s", "Rest after it declined a call, s."),
        _own("--no-answer-delay", "no_answer_delay_s", "Rest after it did not answer, s."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@agent.command("set")
@click.argument("agent_", metavar="AGENT")
@_options
def set_(agent_: str, **given: Any) -> None:
    """Say something about AGENT, an extension or interface. The word campaign for a number: as the campaign says."""
    changes = {key: value for key, value in given.items() if value not in (None, ())}
    for key in ("skills", "buckets"):
        if key in changes:
            changes[key] = tuple(name for name in changes[key] if name)
    for key in profiles.LIMITS:
        if changes.get(key) == AS_CAMPAIGN:
            changes[key] = None
    with_store(lambda store: profiles.change(store, agent_, changes))
    say(f"agent {agent_} is changed; a running engine takes it up within a second")


@agent.command("forget")
@click.argument("agent_", metavar="AGENT")
def forget(agent_: str) -> None:
    """Take back whatever was said about AGENT. In its queues it stays."""
    with_store(lambda store: store.remove_agent(agent_))
    say(f"agent {agent_} is as every other")


@agent.command("profiles")
@json_option
def profiles_(as_json: bool) -> None:
    """What is said about agents. A dash is as the campaign says."""
    rows = [dataclasses.asdict(profile) for profile in with_store(lambda store: store.agents())]
    if not as_json:
        rows = [row | {key: ", ".join(row[key]) or None for key in ("skills", "buckets")} for row in rows]
    emit_rows(rows, PROFILE_COLUMNS, as_json=as_json)


# --- orders ----------------------------------------------------------------------------------------------------------


def _ask(kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    return with_store(lambda store: ask(store, clock, kind, body))


@agent.command("call")
@click.argument("agent_", metavar="AGENT")
@click.argument("number")
@click.option("--campaign", required=True, help="Whose call it is: its trunk, its rules, its history.")
@click.option("--data", multiple=True, metavar="NAME=VALUE", help="A param of the call. Repeatable.")
@click.option("--context", default="", help="Dial by this dialplan context in place of the trunk.")
@click.option("--promised", is_flag=True, help="Whatever the calling hours: the person was promised it.")
@json_option
def call(
    agent_: str, number: str, *, campaign: str, data: tuple[str, ...], context: str, promised: bool, as_json: bool
) -> None:
    """Ring AGENT, and then NUMBER: a call by hand, at once. Prints the call's guid."""
    plain = new_number(number)
    body = {
        "agent": agent_,
        "number": plain.number,
        "zones": plain.zones,
        "campaign": campaign,
        "data": pairs(data),
        "context": context,
        "any_hour": promised,
    }
    result = _ask("agent_call", body)
    if as_json:
        emit_record(result, as_json=True)
    else:
        click.echo(result["guid"])


@agent.command("hangup")
@click.argument("agent_", metavar="AGENT")
def hangup(agent_: str) -> None:
    """Hang up whatever call the telephone of AGENT has."""
    ended = _ask("agent_hangup", {"agent": agent_}).get("hung_up", 0)
    say(f"{ended} calls of {agent_} are hung up" if ended else f"{agent_} has no call")


@agent.command("pause")
@click.argument("agent_", metavar="AGENT")
@click.option("--reason", default="", help="Why: agents and reports see it.")
def pause(agent_: str, reason: str) -> None:
    """Pause AGENT in all of its queues."""
    _ask("agent_pause", {"agent": agent_, "paused": True, "reason": reason})
    say(f"{agent_} is paused")


@agent.command("unpause")
@click.argument("agent_", metavar="AGENT")
def unpause(agent_: str) -> None:
    """End the pause of AGENT in all of its queues."""
    _ask("agent_pause", {"agent": agent_, "paused": False, "reason": ""})
    say(f"{agent_} is not paused")


# --- preview ---------------------------------------------------------------------------------------------------------


@agent.command("offers")
@json_option
def offers(as_json: bool) -> None:
    """Calls that agents of preview campaigns are asked about now."""

    async def read(store: SqliteStore) -> list[dict[str, Any]]:
        names = {campaign.id: campaign.name for campaign in await store.campaigns()}
        return [_offer_row(offer, names) for offer in await store.offers()]

    columns = ("agent", "campaign", "contact_id", "number", "made", "expires", "answer", "attempt_id")
    emit_rows(with_store(read), columns, as_json=as_json)


def _offer_row(offer: Offer, names: Mapping[int, str]) -> dict[str, Any]:
    row = dataclasses.asdict(offer) | {"campaign": names.get(offer.campaign_id, "")}
    return row | {"made": local_time(offer.made_at), "expires": local_time(offer.expires_at)}


@agent.command("accept")
@click.argument("agent_", metavar="AGENT")
def accept(agent_: str) -> None:
    """Have the call placed that AGENT is asked about."""
    say(f"{_answer(agent_, preview.ACCEPT).number} is called")


@agent.command("skip")
@click.argument("agent_", metavar="AGENT")
def skip(agent_: str) -> None:
    """Leave the contact that AGENT is asked about for later."""
    say(f"{_answer(agent_, preview.SKIP).number} is left for later")


def _answer(agent_: str, word: str) -> Offer:
    return with_store(lambda store: preview.answer(store, clock, agent_, word))
