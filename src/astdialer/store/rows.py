"""Between rows and the domain's objects."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from astdialer.domain.amd import Action, Verdict
from astdialer.domain.attempt import Attempt, State
from astdialer.domain.campaign import Campaign, CampaignState, Settings, parse_settings, settings_texts
from astdialer.domain.contact import Contact, Number, NumberType
from astdialer.domain.trunk import Trunk

_ATTEMPT_FIELDS = tuple(f.name for f in dataclasses.fields(Attempt))
_FLAGS = ("uncounted", "adopted", "vanished", "canceled", "contact_hung_up", "concluded")


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    """The attempt as parameters of insert_attempt and save_attempt."""
    row = {name: getattr(attempt, name) for name in _ATTEMPT_FIELDS}
    row["state"] = attempt.state.word
    return row


def attempt_of(row: Mapping[str, Any]) -> Attempt:
    """The attempt of a row."""
    values = {name: row[name] for name in _ATTEMPT_FIELDS}
    values |= {name: bool(row[name]) for name in _FLAGS}
    success = row["originate_success"]
    values["state"] = State[row["state"].upper()]
    values["originate_success"] = None if success is None else bool(success)
    values["amd_verdict"] = Verdict(row["amd_verdict"]) if row["amd_verdict"] else None
    values["action"] = Action(row["action"]) if row["action"] else None
    return Attempt(**values)


def campaign_of(row: Mapping[str, Any]) -> Campaign:
    """The campaign of a row."""
    return Campaign(
        id=row["id"],
        name=row["name"],
        state=CampaignState(row["state"]),
        settings=parse_settings(json.loads(row["settings"])),
        hang_up=bool(row["hang_up"]),
        explanation=row["explanation"],
    )


def settings_json(settings: Settings) -> str:
    """What differs from the defaults, so that a better default reaches old campaigns."""
    usual = settings_texts(Settings())
    return json.dumps({key: text for key, text in settings_texts(settings).items() if text != usual[key]})


def trunk_of(row: Mapping[str, Any]) -> Trunk:
    """The trunk of a row."""
    return Trunk(**{**row, "enabled": bool(row["enabled"])})


def number_of(row: Mapping[str, Any]) -> Number:
    """The number of a row."""
    values = {name: row[name] for name in row if name != "contact_id"}
    return Number(**{**values, "type": NumberType(row["type"]), "tally": json.loads(row["tally"])})


def contact_of(row: Mapping[str, Any], numbers: Iterable[Number]) -> Contact:
    """The contact of a row and its numbers."""
    return Contact(**{**row, "params": json.loads(row["params"]), "numbers": tuple(numbers)})
