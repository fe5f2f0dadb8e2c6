"""Between rows and the domain's objects."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from astdialer.domain.amd import Action, Verdict
from astdialer.domain.attempt import Attempt, State
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.contact import Contact, ContactState, Held, Number, Rank
from astdialer.domain.settings import Settings, parse_settings, settings_texts
from astdialer.domain.trunk import Trunk

_ATTEMPT_FIELDS = tuple(f.name for f in dataclasses.fields(Attempt))
_NUMBER_FIELDS = tuple(f.name for f in dataclasses.fields(Number))
_CONTACT_FIELDS = tuple(f.name for f in dataclasses.fields(Contact) if f.name != "numbers")
_FLAGS = ("manual", "uncounted", "adopted", "vanished", "canceled", "contact_hung_up", "concluded")


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
        settings=_settings(row["settings"]),
        hang_up=bool(row["hang_up"]),
        explanation=row["explanation"],
        tenant=row["tenant"],
    )


@lru_cache(maxsize=4096)
def _settings(text: str) -> Settings:
    """What settings_json has written: read again and again, of thousands of campaigns."""
    return parse_settings(json.loads(text))


def settings_json(settings: Settings) -> str:
    """What differs from the defaults, so that a better default reaches old campaigns."""
    usual = settings_texts(Settings())
    return json.dumps({key: text for key, text in settings_texts(settings).items() if text != usual[key]})


def trunk_of(row: Mapping[str, Any]) -> Trunk:
    """The trunk of a row."""
    return Trunk(**{**row, "enabled": bool(row["enabled"])})


def number_of(row: Mapping[str, Any]) -> Number:
    """The number of a row."""
    values = {name: row[name] for name in _NUMBER_FIELDS}
    counts = {name: json.loads(row[name]) for name in ("tally", "range_tally")}
    return Number(**{**values, **counts})


def number_row(number: Number) -> dict[str, Any]:
    """The number as parameters of save_number and add_number."""
    row = {name: getattr(number, name) for name in _NUMBER_FIELDS}
    return row | {name: json.dumps(dict(row[name])) for name in ("tally", "range_tally")}


def contact_of(row: Mapping[str, Any], numbers: Iterable[Number]) -> Contact:
    """The contact of a row and its numbers."""
    values = {name: row[name] for name in _CONTACT_FIELDS}
    values |= {name: bool(row[name]) for name in ("any_hour", "successful")}
    values["state"] = ContactState(row["state"])
    values["rank"] = Rank(row["rank"])
    values["params"] = json.loads(row["params"])
    values["held"] = Held(**json.loads(row["held"])) if row["held"] else None
    # Ready contacts have no time in their row: it would only make the ready indexes larger.
    values["next_at"] = 0 if row["state"] == ContactState.READY else row["next_at"]
    return Contact(**values, numbers=tuple(numbers))


def contact_row(contact: Contact) -> dict[str, Any]:
    """The contact as parameters of save_contact."""
    row = {name: getattr(contact, name) for name in _CONTACT_FIELDS}
    row["params"] = json.dumps(dict(contact.params), ensure_ascii=False)
    row["held"] = json.dumps(dataclasses.asdict(contact.held)) if contact.held else None
    return row
