"""The lab's files, its plan and its ports."""

import json
import socket
import tomllib
from pathlib import Path

import pytest

from astdialer.lab import config, control, places, ports
from astdialer.lab.binary import Asterisk
from astdialer.lab.errors import LabError
from astdialer.lab.model import Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        directory=tmp_path,
        run=tmp_path / "run",
        secret="0123456789abcdef",
        agents=2,
        ami_port=30001,
        agi_port=30002,
        http_port=30005,
        pbx_port=30003,
        carrier_port=30004,
        asterisk=Asterisk(command=("asterisk",), modules=Path("/m"), data=Path("/d"), version="22.0.0"),
    )


def test_a_plan_is_read_as_it_was_kept(plan: Plan) -> None:
    config.private(plan.directory / "lab.json", plan.to_json())

    assert Plan.read(plan.directory) == plan


def test_the_published_manager_user_differs_by_its_secret_only(plan: Plan) -> None:
    published = (places.asterisk_conf() / "manager_astdialer.conf").read_text().splitlines()
    used = config.manager_user(plan.secret).splitlines()

    assert [pair for pair in zip(published, used, strict=True) if pair[0] != pair[1]] == [
        ("secret = CHANGE_ME", f"secret = {plan.secret}")
    ]


def test_every_file_is_the_owners_only(plan: Plan) -> None:
    config.write(plan)

    files = [path for path in plan.directory.rglob("*") if path.is_file()]
    assert len(files) > 30
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_no_placeholder_is_left(plan: Plan) -> None:
    config.write(plan)

    assert [path for path in plan.directory.rglob("*.conf") if "@@" in path.read_text()] == []


def test_the_engines_settings_lead_to_this_lab(plan: Plan) -> None:
    config.write(plan)

    settings = tomllib.loads(plan.lab.config_file.read_text())
    assert settings["ami"] == {
        "host": "127.0.0.1",
        "port": plan.ami_port,
        "username": "astdialer",
        "secret_file": str(plan.directory / "ami.secret"),
    }
    assert settings["store"]["url"] == f"sqlite://{plan.directory}/astdialer.db"
    assert (plan.directory / "ami.secret").read_text().strip() == plan.secret


def test_no_lab_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="astdialer lab up"):
        control.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"asterisk": {}})])
def test_a_damaged_plan_is_an_error_with_a_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "lab.json").write_text(text)

    with pytest.raises(LabError, match=r"cannot be read(.|\n)*Remove"):
        control.status(tmp_path)


def test_a_pid_that_is_another_process_now_is_not_ours(plan: Plan) -> None:
    config.write(plan)
    config.private(plan.directory / "lab.json", plan.to_json())
    (config.run(plan, "pbx") / "asterisk.pid").write_text("1\n")

    assert control.status(plan.directory).instances[0].pid is None


@pytest.mark.parametrize("agents", [0, 51])
def test_the_number_of_agents_has_limits(tmp_path: Path, agents: int) -> None:
    with pytest.raises(LabError, match="1 to 50"):
        control.up(tmp_path, agents=agents, say=lambda text: None)


def test_a_port_in_use_is_not_free() -> None:
    port = ports.free(socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", port))
        assert not ports.is_free(socket.SOCK_DGRAM, port)


def test_directories_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("ASTDIALER_LAB_CACHE", str(tmp_path / "cache"))

    assert places.default_directory() == tmp_path / "astdialer" / "lab"
    assert places.default_cache() == tmp_path / "cache"
