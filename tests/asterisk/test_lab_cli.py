"""`astdialer lab`: data on stdout, words on stderr, exit codes that scripts may rely on."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from astdialer import lab as laboratory
from astdialer.cli.main import cli
from astdialer.lab import Lab, LabError
from astdialer.lab import config as lab_config
from astdialer.lab.model import Plan

pytestmark = pytest.mark.asterisk


def test_up_status_down(tmp_path: Path) -> None:
    where = ["--directory", str(tmp_path / "lab")]
    runner = CliRunner()

    up = runner.invoke(cli, ["lab", "up", *where, "--agents", "2"])
    running = runner.invoke(cli, ["lab", "status", *where, "--json"])
    down = runner.invoke(cli, ["lab", "down", *where])
    ended = runner.invoke(cli, ["lab", "status", *where])

    assert up.exit_code == 0
    assert "export ASTDIALER_CONFIG=" in up.stderr
    assert "astdialer (2 agents)" in up.stdout
    assert running.exit_code == 0
    told = json.loads(running.stdout)
    assert told["up"] is True
    assert [each["instance"] for each in told["instances"]] == ["pbx", "carrier"]
    assert down.exit_code == 0
    assert ended.exit_code == 69
    assert "astdialer lab up" in ended.stderr


@pytest.mark.parametrize("subcommand", ["status", "down"])
def test_where_no_lab_is(tmp_path: Path, subcommand: str) -> None:
    result = CliRunner().invoke(cli, ["lab", subcommand, "--directory", str(tmp_path)])

    assert result.exit_code == 69
    assert "there is no lab" in result.stderr


def test_a_failure_shows_the_end_of_the_log(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = lab_config.write

    def break_it(plan: Plan) -> None:
        write(plan)
        (lab_config.etc(plan, "carrier") / "modules.conf").write_text("[modules]\nrequire = no_such_module.so\n")

    monkeypatch.setattr(lab_config, "write", break_it)

    with pytest.raises(LabError, match=r"carrier did not boot(.|\n)*no_such_module(.|\n)*The whole log"):
        laboratory.up(tmp_path / "broken", say=lambda text: None)

    assert not any(each.alive for each in laboratory.status(tmp_path / "broken").instances)
