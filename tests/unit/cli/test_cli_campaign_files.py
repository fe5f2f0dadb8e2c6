"""Campaign files by command."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from astdialer.cli.main import cli


@pytest.fixture(autouse=True)
def sales(own_store_and_logging: None) -> None:
    done("trunk", "create", "carrier", "--dial", "PJSIP/{number}@c")
    done("calendar", "create", "office", "--hours", "mon-fri 09:00-18:00")
    done("route", "create", "es", "--pattern", "^34", "--to", "carrier")
    done("campaign", "create", "sales", "routes=es", "queue=q", "calendar=office", "max_calls=7")


def ask(*words: str, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, words, input=text)


def done(*words: str, text: str | bytes | None = None) -> Result:
    result = ask(*words, text=text)
    assert result.exit_code == 0, result.output
    return result


def settings(name: str) -> Any:
    return json.loads(done("campaign", "show", name, "--json").stdout)["settings"]


def test_a_campaign_goes_to_a_file_and_comes_back_under_another_name(tmp_path: Path) -> None:
    file = tmp_path / "sales.toml"
    done("campaign", "export", "sales", str(file))
    assert file.read_text(encoding="utf-8") == done("campaign", "export", "sales").stdout
    assert "two is made" in done("campaign", "import", str(file), "--name", "two").stderr
    assert settings("two") == settings("sales")
    assert "carrier" in file.read_text(encoding="utf-8")
    assert "PJSIP" not in file.read_text(encoding="utf-8")


def test_a_file_may_come_from_standard_input() -> None:
    text = done("campaign", "export", "sales").stdout
    done("campaign", "import", "-", "--name", "two", text=text)
    assert settings("two") == settings("sales")


def test_a_file_changes_a_campaign_only_when_asked_to() -> None:
    text = done("campaign", "export", "sales").stdout.replace("max_calls = 7", "max_calls = 8")
    result = ask("campaign", "import", "-", text=text)
    assert (result.exit_code, "--replace changes it" in result.stderr) == (1, True)
    assert settings("sales")["max_calls"] == "7"
    assert "sales is as in the file" in done("campaign", "import", "-", "--replace", text=text).stderr
    assert settings("sales")["max_calls"] == "8"


def test_what_else_was_changed_is_told() -> None:
    text = done("campaign", "export", "sales").stdout.replace("09:00-18:00", "09:00-19:00")
    result = done("campaign", "import", "-", "--replace", text=text)
    assert "calendar office is as in the file" in result.stderr
    assert "route" not in result.stderr


def test_a_bad_file_is_named_with_line_and_key_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sales.toml"
    text = done("campaign", "export", "sales").stdout
    file.write_text(text.replace("max_calls = 7", "max_calls = 0"), encoding="utf-8")
    line = text[: text.index("max_calls = 7")].count("\n") + 1
    result = ask("campaign", "import", str(file), "--replace")
    assert result.exit_code == 1
    assert f"{file}, line {line}: settings.max_calls = '0': expected a whole number" in result.stderr
    assert settings("sales")["max_calls"] == "7"


def test_a_file_that_is_no_text_is_refused() -> None:
    result = ask("campaign", "import", "-", text=b'format = 1\nname = "\xff"\n')
    assert (result.exit_code, "expected UTF-8; byte 20 is none" in result.stderr) == (1, True)


def test_a_campaign_that_is_not_there_leaves_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "gone.toml"
    assert ask("campaign", "export", "gone", str(file)).exit_code == 1
    assert not file.exists()
    file.write_text("precious", encoding="utf-8")
    assert ask("campaign", "export", "gone", str(file)).exit_code == 1
    assert file.read_text(encoding="utf-8") == "precious"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = ask("campaign", "import", str(tmp_path / "gone.toml"))
    assert (result.exit_code, "gone.toml: No such file" in result.stderr) == (1, True)
