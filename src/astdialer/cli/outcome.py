"""``astdialer outcome``."""

from __future__ import annotations

import click

from astdialer.cli.context import with_store
from astdialer.cli.output import csv_option, emit_rows, json_option
from astdialer.domain.typification import MOST_LEVELS, parse_outcomes

COLUMNS = ("level_1", "level_2", "level_3", "action", "argument", "tag")


@click.group()
def outcome() -> None:
    """What agents may choose after a talk."""


@outcome.command("list")
@click.argument("campaign")
@json_option
@csv_option
def list_(campaign: str, as_json: bool, as_csv: bool) -> None:
    """The outcomes of CAMPAIGN, and what each does. To change them: astdialer campaign set CAMPAIGN outcomes=…"""
    settings = with_store(lambda store: store.campaign(campaign)).settings
    rows = []
    for one in parse_outcomes(settings.outcomes):
        levels = (*one.levels, *[""] * (MOST_LEVELS - len(one.levels)))
        rows.append(dict(zip(COLUMNS, (*levels, one.action.value, one.argument, one.tag), strict=True)))
    emit_rows(rows, COLUMNS, as_json=as_json, as_csv=as_csv)
