"""`astdialer lab`: a private real Asterisk and a carrier, to try the dialer on."""

from pathlib import Path

import click

from astdialer import lab as laboratory
from astdialer.cli.output import Exit, emit_record, emit_rows, json_option, say
from astdialer.lab import Lab, LabError, LabStatus

_directory = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the lab is kept.  [default: $XDG_STATE_HOME/astdialer/lab, else ~/.local/state/astdialer/lab]",
)
_COLUMNS = ("instance", "state", "pid", "channels", "memory_mb", "version")


@click.group()
def lab() -> None:
    """A private real Asterisk and a carrier that answers its calls: nothing leaves this machine.

    The system's own Asterisk is not touched. Numbers decide who answers: 447700900BNN, where B is
    0 a person, 1 voicemail, 2 busy, 3 rings for ever, 4 a dead number, 5 rejected, 6 congestion,
    7 silence, 8 a short call, 9 a person whom no agent takes; NN is anything.
    """


@lab.command()
@_directory
@click.option("--agents", type=click.IntRange(1, 50), default=3, show_default=True, help="Agents in its queue.")
def up(directory: Path | None, agents: int) -> None:
    """Start the lab, fetching Asterisk the first time. One that runs already is left as it is."""
    try:
        found = laboratory.up(directory, agents=agents, say=say)
    except LabError as error:
        raise _unavailable(error) from error
    emit_record(_facts(found))
    say(_how_to_use(found))


@lab.command()
@_directory
@json_option
def status(directory: Path | None, as_json: bool) -> None:
    """Say whether both Asterisks live and what they do. Exit code 69 when one does not."""
    try:
        found = laboratory.status(directory)
    except LabError as error:
        raise _unavailable(error) from error
    if as_json:
        emit_record({"directory": found.directory, "up": found.up, "instances": _rows(found)}, as_json=True)
    else:
        emit_rows(_rows(found), _COLUMNS)
    if not found.up:
        say("The lab is down. Start it: astdialer lab up" + _named(directory))
        raise SystemExit(Exit.UNAVAILABLE)


@lab.command()
@_directory
def down(directory: Path | None) -> None:
    """Stop the lab. Its logs, recordings and database stay."""
    try:
        laboratory.down(directory)
    except LabError as error:
        raise _unavailable(error) from error
    say("The lab is down.")


class _Unavailable(click.ClickException):
    """Words on stderr and exit code 69, never a traceback."""

    exit_code = Exit.UNAVAILABLE


def _unavailable(error: LabError) -> _Unavailable:
    return _Unavailable(str(error))


def _facts(found: Lab) -> dict[str, object]:
    return {
        "config": found.config_file,
        "ami": f"{found.host}:{found.ami_port}",
        "agi": f"{found.host}:{found.agi_port}",
        "http": f"http://{found.host}:{found.http_port}",
        "queue": f"{found.queue} ({found.agents} agents)",
        "trunk": "PJSIP/{number}@carrier",
        "logs": found.directory / "pbx" / "log",
    }


def _rows(found: LabStatus) -> list[dict[str, object]]:
    return [
        {
            "instance": each.which,
            "state": "up" if each.alive else "down",
            "pid": each.pid,
            "channels": each.channels,
            "memory_mb": each.memory_mb,
            "version": each.version,
        }
        for each in found.instances
    ]


def _named(directory: Path | None) -> str:
    return f" --directory {directory}" if directory else ""


def _how_to_use(found: Lab) -> str:
    named = "" if found.directory == laboratory.default_directory() else f" --directory {found.directory}"
    return (
        "\nThe lab is up. In this shell:\n\n"
        f"  export ASTDIALER_CONFIG={found.config_file}\n"
        "  astdialer doctor                    # does everything the dialer needs answer?\n"
        f"  astdialer lab status{named}\n"
        f"  astdialer lab down{named}\n\n"
        "Numbers to call: 447700900001 (a person), 447700900101 (voicemail), 447700900201 (busy);\n"
        "all of them: astdialer lab --help"
    )
