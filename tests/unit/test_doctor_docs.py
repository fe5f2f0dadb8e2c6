"""What an administrator types from our pages: every command parses, every setting exists, completion completes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from astdialer.cli.main import cli
from astdialer.domain.settings import parse_settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "docs/tutorial/first-campaign.md",
    ROOT / "docs/how-to/freepbx-and-issabel.md",
    ROOT / "asterisk_conf/README.md",
)


def commands(page: Path) -> Iterator[str]:
    """The astdialer commands in a page's code blocks and inline code."""
    text = page.read_text()
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [line for block in blocks for line in block.splitlines()] + inline:
        if line.startswith("astdialer "):
            yield line.split("  #")[0].split(" < ")[0].strip()


@pytest.mark.parametrize("line", sorted({line for page in PAGES for line in commands(page)}))
def test_command_parses(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="astdialer")
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, line
        context, command = click.Context(found, info_name=name, parent=context), found
    made = command.make_context(command.name, list(words), parent=context.parent)
    settings = made.params.get("settings") or ()
    parse_settings(dict(setting.split("=", 1) for setting in settings))


def test_pages_have_commands() -> None:
    assert len(list(commands(PAGES[0]))) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_pages_name_are_there(page: Path) -> None:
    named = re.findall(r"(?:asterisk_conf|packaging|docs|tests)/[\w./-]+\w", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []
    links = re.findall(r"\]\(([\w./-]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(("shell", "answer"), [("bash", "plain,campaign"), ("zsh", "campaign"), ("fish", "campaign")])
def test_completion(shell: str, answer: str) -> None:
    script = (ROOT / "packaging" / "completions" / f"astdialer.{shell}").read_text()
    assert f"_ASTDIALER_COMPLETE={shell}_complete" in script
    asked = {"COMP_WORDS": "astdialer camp", "COMP_CWORD": "camp" if shell == "fish" else "1"}
    done = subprocess.run(
        [sys.executable, "-c", "from astdialer.cli.main import main; main()"],
        env=os.environ | asked | {"_ASTDIALER_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert answer in done.stdout


def test_service() -> None:
    unit = (ROOT / "packaging" / "astdialer.service").read_text()
    assert "Type=notify" in unit
    assert "WatchdogSec" not in unit, "astdialer serve sends no keep-alive"
    assert "ExecReload" not in unit, "SIGHUP would end astdialer serve"
    assert re.search(r"(?m)^ExecStart=/usr/local/bin/astdialer serve$", unit)
    assert "RestartPreventExitStatus=78" in unit
