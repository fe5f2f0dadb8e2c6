"""What a check says: how it went, what was found, and what an administrator can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"  #: dialing works, but not as well or as safely as it should
    FAULT = "FAULT"  #: dialing fails, or harms somebody


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    check: str
    result: Level
    found: str
    remedy: str = ""
    unreachable: bool = False  #: an Asterisk that does not answer at all


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check=check, result=Level.OK, found=found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Dialing works, but."""
    return Finding(check=check, result=Level.WARNING, found=found, remedy=remedy)


def fault(check: str, found: str, remedy: str) -> Finding:
    """Dialing does not work."""
    return Finding(check=check, result=Level.FAULT, found=found, remedy=remedy)


def or_ok(check: str, found: str, troubles: Iterable[Finding]) -> Sequence[Finding]:
    """The troubles; if there are none, one line that says so."""
    listed = list(troubles)
    return listed or [ok(check, found)]


def is_faulty(findings: Iterable[Finding]) -> bool:
    """Whether there is a fault among them."""
    return any(finding.result is Level.FAULT for finding in findings)
