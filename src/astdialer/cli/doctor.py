"""``astdialer doctor``."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from astdialer import config as configuration
from astdialer.cli.context import Invocation, clock, config, run
from astdialer.cli.output import Exit, emit_rows, json_option, say
from astdialer.doctor.examine import Subject, examine
from astdialer.doctor.findings import Finding, Level, is_faulty
from astdialer.logs import silenced

COLUMNS = ("check", "result", "found")


@click.command()
@click.option("--campaign", default="", help="Only what this campaign needs.")
@click.option(
    "--asterisk-etc",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Asterisk's configuration folder. [default: the one that Asterisk names, when it is on this machine]",
)
@json_option
def doctor(campaign: str, asterisk_etc: Path | None, as_json: bool) -> None:
    """Look whether everything that dialing needs is there, and say how to mend what is not.

    Rings nobody. Exit code 1 when there is a fault, 69 when no Asterisk can be reached.
    """
    subject = Subject(config=config(), file=_file(), clock=clock, campaign=campaign, etc=asterisk_etc)
    with silenced():
        findings = run(examine(subject))
    emit_rows(map(_row, findings), COLUMNS, as_json=as_json)
    if not as_json:
        _remedies(findings)
    sys.exit(_exit_code(findings, len(subject.config.asterisks)))


def _file() -> Path:
    invocation = click.get_current_context().find_object(Invocation)
    named = (invocation and invocation.file) or os.environ.get(configuration.PREFIX + "CONFIG")
    return Path(named) if named else configuration.DEFAULT_FILE


def _row(finding: Finding) -> Mapping[str, Any]:
    row = dataclasses.asdict(finding)
    del row["unreachable"]
    return row


def _remedies(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.remedy:
            say(f"\n{finding.result.value}: {finding.check}: {finding.found}\n  {finding.remedy}")
    faults = sum(finding.result is Level.FAULT for finding in findings)
    warnings = sum(finding.result is Level.WARNING for finding in findings)
    say(f"\n{len(findings)} checks, {faults} faults, {warnings} warnings.")


def _exit_code(findings: Sequence[Finding], servers: int) -> Exit:
    if sum(finding.unreachable for finding in findings) == servers:
        return Exit.UNAVAILABLE
    return Exit.FAILURE if is_faulty(findings) else Exit.OK
