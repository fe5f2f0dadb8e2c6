"""What `astdialer upload` says of zones and warnings."""

from collections.abc import Mapping
from typing import Any

import pytest

from astdialer.cli import upload as command
from astdialer.upload.report import UploadReport


def said(capsys: pytest.CaptureFixture[str], **values: Any) -> str:
    """What the command says of a report with these values."""
    nothing: Mapping[str, Any] = {
        "file": "b.csv",
        "dry_run": True,
        "encoding": "utf-8",
        "delimiter": ";",
        "columns": {},
        "rows": 9,
        "bases": (),
        "added": 9,
        "duplicates": 0,
        "rejected": 0,
        "rejects": {},
        "reject_examples": (),
        "rejects_file": None,
        "zones": {},
        "without_zone": 0,
        "warnings": 0,
        "warning_reasons": {},
        "warning_examples": (),
        "warnings_file": None,
        "removed": (),
        "seconds": 1.0,
    }
    command._show(UploadReport(**{**nothing, **values}))
    return capsys.readouterr().err


def test_zones_are_told_with_those_that_hold_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    zones = {"Europe/Madrid": 1234, "Atlantic/Canary|Europe/Madrid": 5, "Asia/Anadyr|Asia/Omsk|Europe/Moscow": 2}
    assert (
        "Zones of the contacts: 1,234 in Europe/Madrid, 5 in Atlantic/Canary and Europe/Madrid at once, "
        "2 in 3 zones at once (Asia/Anadyr ... Europe/Moscow)\n"
    ) in said(capsys, zones=zones)


def test_only_the_most_frequent_zones_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, zones={f"UTC+0{n}:00": 10 - n for n in range(7)})
    assert "6 in UTC+04:00, 9 in others\n" in text
    assert "UTC+05:00" not in text


def test_contacts_of_no_known_zone_are_told_only_when_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    assert "ZONE" not in said(capsys, zones={"Europe/Madrid": 9})
    text = said(capsys, without_zone=3)
    assert "3 contacts with a number of NO KNOWN ZONE: their campaign's zone holds; with require_zone" in text
    assert "Zones of" not in text


def test_warnings_are_told_by_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, warnings=3, warning_reasons={"alternative": 2, "expired": 1}, warnings_file="b.warnings.csv")
    assert "2 alternatives left out, 1 contacts never dialed: EXPIRED; their rows are in b.warnings.csv" in text
