"""``astdialer contact``."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

import click

from astdialer.cli import context
from astdialer.cli.context import clock, config, e164, instant, local_time, pairs, user, with_store
from astdialer.cli.output import csv_option, emit_record, emit_rows, json_option, print_table, say
from astdialer.domain.contact import Contact, ContactState, Rank
from astdialer.domain.errors import NotFound
from astdialer.domain.typification import Result
from astdialer.engine import contacts, outcomes
from astdialer.store import SqliteStore

COLUMNS = (
    "id",
    "campaign",
    "base",
    "number",
    "state",
    "next_try",
    "why",
    "end_reason",
    "attempts",
    "dispositions",
    "tag",
)
ENDED = ("id", "at", "campaign", "contact_id", "number", "tries", "successful", "end_reason", "end_cause")
RANKS = {rank.name.lower(): rank for rank in Rank}


@click.group()
def contact() -> None:
    """Look at contacts, and say what is to become of them."""


# --- looking ---------------------------------------------------------------------------------------------------------


@contact.command("list")
@click.option("--campaign", help="Only of this campaign.")
@click.option("--base", help="Only of this base.")
@click.option("--state", type=click.Choice([state.value for state in ContactState]), help="Only in this state.")
@click.option("--rank", type=click.Choice(list(RANKS)), help="Only scheduled calls, tasks, or entries of lists.")
@click.option("--end-reason", help="Only ended so, such as answered or blacklisted.")
@click.option("--number", help="Only with this number, as an upload takes it.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out so many first.")
@json_option
@csv_option
def list_(limit: int, offset: int, rank: str | None, as_json: bool, as_csv: bool, **filters: Any) -> None:
    """Contacts, in the order of their bases."""
    filters["number"] = e164(filters["number"]) if filters["number"] else None

    filters["rank"] = RANKS[rank] if rank else None
    rows = [_in_words(row) for row in with_store(lambda store: store.contacts(filters, limit, offset))]
    emit_rows(rows, COLUMNS, as_json=as_json, as_csv=as_csv)


def _in_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """For people: instants as local time, ranks by name. A contact that is ready has no time."""
    words = dict(row) | {"next_try": local_time(row["next_at"] or None)}
    return words | {"rank": Rank(row["rank"]).name.lower()}


@contact.command("show")
@click.argument("contact_id", type=int)
@json_option
def show(contact_id: int, as_json: bool) -> None:
    """A contact with its numbers, its attempts and what each of them came to."""
    found = dict(with_store(lambda store: store.contact(contact_id)))
    if as_json:
        emit_record(found | {"rank": Rank(found["rank"]).name.lower()}, as_json=True)
        return
    numbers, attempts = found.pop("numbers"), found.pop("attempts")
    instants = ("next_at", "last_call_at", "ended_at", "expires_at", "held_until")
    found |= {key: local_time(found[key] or None) for key in instants}
    emit_record(found | {"rank": Rank(found["rank"]).name.lower()})
    click.echo()
    print_table(
        [n | {"next_try": local_time(n["next_at"]) if n["next_at"] else None} for n in numbers],
        ("number", "type", "zones", "tries", "last_disposition", "tally", "next_try", "end_reason"),
    )
    click.echo()
    print_table(
        [a | {"began": local_time(a["dialed_at"] or a["created_at"])} for a in attempts],
        ("began", "number", "state", "disposition", "cause", "sip_code", "amd_verdict", "agent", "refusal", "id"),
    )


@contact.command("ended")
@click.option("--after", type=click.IntRange(0), default=0, help="Only ends with a higher id than this one.")
@click.option("--campaign", help="Only of this campaign.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@json_option
@csv_option
def ended(after: int, campaign: str | None, limit: int, as_json: bool, as_csv: bool) -> None:
    """Who is done, in the order in which it happened. To go on reading, give the last id as --after."""

    async def find(store: SqliteStore) -> list[dict[str, Any]]:
        names = {one.id: one.name for one in await store.campaigns()}
        chosen = (await store.campaign(campaign)).id if campaign else None
        found = await store.endings(after, chosen, limit)
        return [dataclasses.asdict(ending) | {"campaign": names[ending.campaign_id]} for ending in found]

    rows = with_store(find)
    if not as_json:
        rows = [row | {"at": local_time(row["at"])} for row in rows]
    emit_rows(rows, ENDED, as_json=as_json, as_csv=as_csv)


# --- saying what becomes of them -------------------------------------------------------------------------------------


def _tell(found: Contact) -> None:
    """Where the contact stands now."""
    due = f", due {local_time(found.next_at)}" if found.next_at and found.state is ContactState.WAITING else ""
    why = f": {found.end_reason}" if found.end_reason else ""
    say(f"contact {found.id} is {found.state.value.replace('_', ' ')}{why}{due}")


@contact.command("result")
@click.argument("contact_id", type=int)
@click.option(
    "--success/--no-success", default=None, help="Whether it is done, or dialing goes on within the tries left."
)
@click.option("--reset-retries", is_flag=True, help="Begin every count of tries anew.")
@click.option("--next-after", type=int, metavar="SECONDS", help="To the next try; 0 is at once.")
@click.option("--next-number", metavar="NUMBER", help="Where the next try goes; one that it has not yet is added.")
@click.option("--stop", multiple=True, metavar="NUMBER", help="Never call this number of it again. Repeatable.")
@click.option("--stop-all", is_flag=True, help="Never call any number of it again but --next-number.")
@click.option("--description", default="", help="A comment for the log.")
@click.option("--call", "attempt_id", default="", metavar="GUID", help="Only if this is the call whose result is due.")
def result(
    contact_id: int,
    *,
    success: bool | None,
    reset_retries: bool,
    next_after: int | None,
    next_number: str | None,
    stop: tuple[str, ...],
    stop_all: bool,
    description: str,
    attempt_id: str,
) -> None:
    """Say what came of the last talk of a contact that waits for it (campaign setting wait_for_result)."""
    if success is None:
        raise click.UsageError("say --success, or --no-success to go on dialing")
    following = context.new_number(next_number) if next_number else None
    found = Result(
        success=success,
        reset_retries=reset_retries,
        next_after_s=next_after,
        next_number=following.number if following else "",
        next_number_as_given=following.as_uploaded if following else "",
        next_number_zones=following.zones if following else "",
        stop_numbers=tuple(map(e164, stop)),
        stop_all=stop_all,
        description=description,
        attempt_id=attempt_id,
    )
    zone = config().engine.zone
    _tell(with_store(lambda store: contacts.result(store, clock, zone, contact_id, found)))


@contact.command("terminate")
@click.argument("contact_id", type=int)
@click.option("--hang-up", is_flag=True, help="End the call that it is in, too.")
def terminate(contact_id: int, hang_up: bool) -> None:
    """Do not call a contact any more."""
    found = with_store(lambda store: contacts.terminate(store, clock, contact_id, hang_up=hang_up))
    if found.state is ContactState.IN_CALL:
        say(f"contact {contact_id} is in a call that is being hung up; it is done then")
    else:
        _tell(found)


@contact.command("outcome")
@click.argument("campaign")
@click.argument("guid")
@click.argument("levels", nargs=-1, required=True)
@click.option("--agent", default="", help="Who says so.  [default: who runs the command]")
@click.option("--comment", default="", help="For the log, and the reason of a blacklisted number.")
@click.option("--schedule", metavar="TIME", help="When to call again: 'YYYY-MM-DD HH:MM:SS'.")
@click.option("--promised", is_flag=True, help="At that time whatever the calling hours: the person was promised it.")
@click.option("--campaign-to", default="", metavar="NAME", help="The campaign that is to call again.")
@click.option("--tag", default="", help="In place of the outcome's own, which is its levels joined by |.")
@json_option
def outcome(
    campaign: str,
    guid: str,
    levels: tuple[str, ...],
    *,
    agent: str,
    comment: str,
    schedule: str | None,
    promised: bool,
    campaign_to: str,
    tag: str,
    as_json: bool,
) -> None:
    """Choose the outcome of a call by its one to three LEVELS, and do what it does.

    GUID is the call's, or the number that was called: then its last call is meant. The outcomes of a campaign are in
    astdialer outcome list CAMPAIGN.
    """
    choice = outcomes.Choice(
        campaign=campaign,
        levels=levels,
        guid=guid if _is_guid(guid) else "",
        number="" if _is_guid(guid) else _number(guid),
        agent=agent or user(),
        comment=comment,
        at=instant(schedule) if schedule else None,
        promised=promised,
        to_campaign=campaign_to,
        tag=tag,
    )
    zone = config().engine.zone
    chosen = with_store(lambda store: outcomes.choose(store, clock, zone, choice))
    if chosen.words:
        say(chosen.words)
    if chosen.task_id is not None:
        say(f"contact {chosen.task_id} of {campaign_to or chosen.outcome.argument} is called instead")
    _tell(chosen.contact)
    if as_json:
        state = chosen.contact.state.value
        emit_record(
            {
                "contact": chosen.contact.id,
                "state": state,
                "action": chosen.outcome.action.value,
                "tag": chosen.contact.tag,
                "task": chosen.task_id,
            },
            as_json=True,
        )


def _number(text: str) -> str:
    try:
        return e164(text)
    except click.BadParameter:
        remedy = "astdialer cdr list has the guids"
        raise NotFound("call with this guid, and no number", text, remedy) from None


def _is_guid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return "-" in text  # 32 digits could be a number


@contact.command("respool")
@click.argument("campaign")
@click.argument("number")
@click.option("--base", default="", help="In which base, if several have it.")
@click.option("--new-number", metavar="NUMBER", help="Call this number instead; every count begins anew.")
@click.option("--alternative", multiple=True, help="NUMBER, or W=NUMBER with its type. In place of all it has.")
@click.option("--data", multiple=True, metavar="NAME=VALUE", help="A param. In place of all it has. Repeatable.")
@click.option("--priority", type=int, help="Smaller is dialed first.")
@click.option("--agentphone", help="The agent who alone may have it; empty is anybody.")
@click.option("--tries-used", type=int, metavar="N", help="Begin every count of tries anew, at N.")
def respool(
    campaign: str,
    number: str,
    *,
    base: str,
    new_number: str | None,
    alternative: tuple[str, ...],
    data: tuple[str, ...],
    priority: int | None,
    agentphone: str | None,
    tries_used: int | None,
) -> None:
    """Call a contact of CAMPAIGN again whose main number is NUMBER, though it is done or waits."""
    wanted = contacts.Respool(
        campaign=campaign,
        number=e164(number),
        base=base,
        new_number=context.new_number(new_number) if new_number else None,
        alternatives=[context.alternative(text) for text in alternative] if alternative else None,
        params=pairs(data) if data else None,
        priority=priority,
        agentphone=agentphone,
        tries_used=tries_used,
    )
    _tell(with_store(lambda store: contacts.respool(store, clock, wanted)))


@contact.command("remove")
@click.argument("campaign")
@click.argument("number")
def remove(campaign: str, number: str) -> None:
    """End every open contact of CAMPAIGN whose main number is NUMBER, in a base or asked for."""
    plain = e164(number)
    removed = with_store(lambda store: contacts.remove(store, clock, campaign, plain))
    say(f"{removed.now} removed, {removed.after_call} in a call: done when that has ended")
