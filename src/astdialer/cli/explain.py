"""``astdialer contact explain``, and how explanations and checks of campaigns are shown to people."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from astdialer.cli.context import clock, config, local_time, with_store
from astdialer.cli.output import emit_record, json_option, print_table, say, words
from astdialer.doctor.findings import Finding
from astdialer.engine.check import Preflight
from astdialer.engine.explain import ContactExplanation, Explanation, explain_contact

NUMBER_COLUMNS = (
    "turn",
    "number",
    "type",
    "waits_for",
    "from",
    "way",
    "blacklisted",
    "today",
    "week",
    "tries",
    "ended",
)
#: ``true_rate_at_most``: with a confidence of 95 %; ``room``: how many more may be abandoned now.
WINDOW_COLUMNS = ("window", "since", "people", "abandoned", "rate", "true_rate_at_most", "limit", "room")
ATTEMPT_COLUMNS = ("began", "number", "disposition", "what_it_did", "agent", "trunk", "refusal", "id")


@click.command("explain")
@click.argument("contact_id", type=int)
@json_option
def contact_explain(contact_id: int, as_json: bool) -> None:
    """Why a contact is called or not: the rule for each number, its route and trunk, and the last attempts."""
    found = with_store(lambda store: explain_contact(store, clock, config().engine.zone, contact_id))
    if as_json:
        emit_record(dataclasses.asdict(found), as_json=True)
    else:
        _show_contact(found)


def _show_contact(found: ContactExplanation) -> None:
    until = f", until {local_time(found.until)}" if found.until else ""
    click.echo(f"Contact {found.contact} of {found.campaign}: {found.verdict}{until}.")
    emit_record(
        {
            "campaign": f"{found.campaign} ({found.campaign_state})",
            "state": found.state,
            "rank": f"{found.rank}, priority {found.priority}",
            "only for": found.only or "anybody",
            "zones": found.zones,
        }
    )
    _table("Numbers, in the order in which they would be tried", map(_number_row, found.numbers), NUMBER_COLUMNS)
    _table("Last attempts", map(_attempt_row, found.attempts), ATTEMPT_COLUMNS)


def _number_row(number: Mapping[str, Any]) -> dict[str, Any]:
    ways = [f"{way['dials'] or way['trunk']}" + ("" if way["usable"] else " (can't be used)") for way in number["ways"]]
    ended = number["end_reason"] or number["last_disposition"]
    return {**number, "from": local_time(number["from"]), "way": ", ".join(ways) or "none", "ended": ended}


def _attempt_row(attempt: Mapping[str, Any]) -> dict[str, Any]:
    began = local_time(attempt["dialed_at"] or attempt["created_at"])
    return {**attempt, "began": began}


# --- campaigns -------------------------------------------------------------------------------------------------------


def show_explanation(found: Explanation) -> None:
    """A campaign's explanation."""
    until = f", until {local_time(found.until)}" if found.until else ""
    rule = f" ({found.rule})" if found.rule else ""
    click.echo(f"{found.campaign} is {found.state}. What binds: {found.limit}{rule}{until}.")
    if found.detail:
        click.echo(found.detail)
    emit_record({key: value for key, value in _facts(found.facts).items() if value not in (None, {})})
    rules = found.rules
    _table("Abandonment, as the law counts it", map(window_cells, found.facts.get("windows", ())), WINDOW_COLUMNS)
    _calendar(rules.get("calendar"))
    show_closed(rules["closed_zones"])
    show_waiting(rules["put_off"])
    resting = [row | {"until": local_time(row["until"])} for row in rules.get("resting_trunks", ())]
    _table("Trunks that rest", resting, ("trunk", "until", "why"))
    if rules["caps"]:
        click.echo(f"\nCaps: {words(rules['caps'])}")


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(facts)
    shown["next_due_at"] = local_time(shown.get("next_due_at"))
    if shown.get("abandonment") is not None:
        shown["abandonment"] = f"{shown['abandonment']:.1%} of the calls that people answered"
    shown.pop("windows", None)
    if shown.get("prediction"):
        shown["prediction"] = prediction_words(shown["prediction"])
    month = shown.pop("abandonment_30_days")
    if month["rate"] is not None:
        shown["last 30 days"] = f"{month['rate']:.1%} abandoned, {month['abandoned']} of {month['people']} people"
    return shown


def prediction_words(found: Mapping[str, Any]) -> str:
    """What predictive dialing reckons."""
    return (
        f"risk of one call more {found['risk']:.1%}, allowed {found['allowed_risk']:.1%}; "
        f"{found['answer_rate']:.1%} of calls lead to a person ({found['answers_learned']} did)"
    )


def window_cells(window: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the windows of the law."""
    return {
        **window,
        "rate": "" if window["rate"] is None else f"{window['rate']:.2%}",
        "true_rate_at_most": "" if window["at_most"] is None else f"{window['at_most']:.2%}",
        "limit": f"{window['limit']:.2%}",
    }


def _calendar(calendar: Mapping[str, Any] | None) -> None:
    if calendar and calendar["opens_at"]:
        click.echo(f"calendar {calendar['calendar']} sleeps until {local_time(calendar['opens_at'])}")
    if calendar and calendar["ends_at"]:
        click.echo(f"calendar {calendar['calendar']} ends on {local_time(calendar['ends_at'])}")


def show_closed(closed: Sequence[Mapping[str, Any]]) -> None:
    """Zones in which nobody may be dialed now."""
    rows = [{**row, "opens": local_time(row["opens_at"]) or "nobody knows when"} for row in closed]
    _table("Out of hours", rows, ("zones", "contacts", "opens", "rule"))


def show_waiting(waiting: Sequence[Mapping[str, Any]]) -> None:
    """Contacts that wait, by rule."""
    rows = [
        {
            "wait_for": row["why"],
            "contacts": row["n"],
            "first": local_time(row["first_at"]),
            "last": local_time(row["last_at"]),
        }
        for row in waiting
    ]
    _table("Waiting", rows, ("wait_for", "contacts", "first", "last"))


def show_preflight(found: Preflight, findings: Sequence[Finding]) -> None:
    """A campaign's check."""
    emit_record({"campaign": f"{found.campaign} ({found.state})"} | dict(found.contacts))
    show_closed(found.closed)
    show_waiting(found.waiting)
    _table("For certain agents alone", found.bound, ("only", "contacts", "agents"))
    trunks = [{"trunk": trunk, "numbers": n} for trunk, n in found.trunks.items()]
    _table("Trunks, by the numbers that leave by them first", trunks, ("trunk", "numbers"))
    _table("Asterisk", map(dataclasses.asdict, findings), ("check", "result", "found"))
    for finding in findings:
        if finding.remedy:
            say(f"\n{finding.result.value}: {finding.check}: {finding.found}\n  {finding.remedy}")
    for text in found.warnings:
        say(f"\nwarning: {text}")
    for text in found.obstacles:
        say(f"\nOBSTACLE: {text}")
    if not found.obstacles:
        say(f"\nNothing that the store knows of keeps {found.campaign} from dialing.")


def _table(title: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    listed = list(rows)
    if listed:
        click.echo(f"\n{title}:")
        print_table(listed, columns)
