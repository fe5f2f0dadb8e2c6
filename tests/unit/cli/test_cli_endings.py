"""How commands end: a sentence and an exit code, never a traceback; and each has its help."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from astdialer.cli.main import Commands, cli
from astdialer.cli.output import Exit
from astdialer.config import ConfigError
from astdialer.domain.errors import AstdialerError, Conflict, InvalidSetting, LinkLost, NotFound, Unavailable
from astdialer.store.migrate import SchemaError


def ask(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


@pytest.mark.parametrize("path", list(commands(cli)), ids=lambda path: " ".join(path) or "astdialer")
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_its_help(path: tuple[str, ...], flag: str) -> None:
    result = ask(*path, flag)
    assert result.exit_code == Exit.OK
    assert result.stdout.startswith("Usage: ")
    assert len(result.stdout.splitlines()) > 4


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("astdialer.toml: bad"), Exit.CONFIG),
        (Unavailable("no Asterisk"), Exit.UNAVAILABLE),
        (LinkLost("cut"), Exit.UNAVAILABLE),
        (NotFound("campaign", "x"), Exit.FAILURE),
        (Conflict("taken"), Exit.FAILURE),
        (InvalidSetting("a", "b", "c"), Exit.FAILURE),
        (SchemaError("newer"), Exit.FAILURE),
        (AstdialerError("whatever"), Exit.FAILURE),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
    ],
)
def test_an_error_is_a_sentence_and_a_code(error: BaseException, code: Exit) -> None:
    @click.group(cls=Commands)
    def group() -> None: ...

    @group.command()
    def fail() -> None:
        raise error

    result = CliRunner().invoke(group, ["fail"])
    assert result.exit_code == code
    assert result.stderr == f"astdialer: {str(error) or 'interrupted'}\n"
    assert result.stdout == ""


def test_the_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "UNAVAILABLE": 69,
        "TRY_AGAIN": 75,
        "CONFIG": 78,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--config", "/nowhere.toml", "campaign", "list"], Exit.CONFIG, "/nowhere.toml: no such file"),
        (["nonsense"], Exit.USAGE, "No such command 'nonsense'"),
        (["campaign", "show"], Exit.USAGE, "Missing argument 'NAME'"),
        (["campaign", "show", "nobody"], Exit.FAILURE, "no campaign 'nobody'"),
        (["campaign", "create", "x", "max_calls=0"], Exit.FAILURE, "max_calls = '0': expected a whole number"),
        (["campaign", "create", "x", "max_calls"], Exit.USAGE, "expected KEY=VALUE"),
        (["campaign", "create", "../x"], Exit.FAILURE, "name = '../x'"),
        (["agent", "list"], Exit.UNAVAILABLE, "the engine is not running"),
        (["contact", "show", "5"], Exit.FAILURE, "no contact '5'"),
        (["cdr", "list", "--from", "yesterday"], Exit.USAGE, "expected YYYY-MM-DD"),
        (["trunk", "create", "t"], Exit.USAGE, "--dial"),
        (["trunk", "create", "t", "--dial", "PJSIP/x"], Exit.FAILURE, "PJSIP/{number}@carrier"),
        (["trunk", "remove", "t"], Exit.FAILURE, "no trunk 't'"),
        (["blacklist", "add", "12"], Exit.USAGE, "number '12': expected 3 to 20 digits"),
    ],
)
def test_what_goes_wrong_is_said_on_stderr(words: list[str], code: Exit, sentence: str) -> None:
    result = ask(*words)
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert "Traceback" not in result.output


def test_a_bad_configuration_ends_every_command_that_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTDIALER_AMI_PORT", "x")
    result = ask("campaign", "list")
    assert result.exit_code == Exit.CONFIG
    assert result.stderr == (
        "astdialer: environment ASTDIALER_AMI_PORT: [ami] port = 'x': expected a whole number from 1 to 65535\n"
    )


def test_the_version_is_shown() -> None:
    assert "version" in ask("--version").stdout
