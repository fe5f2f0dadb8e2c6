"""No command, option, key or setting without its place in the reference."""

import dataclasses
import re
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import click
import pytest

from astdialer import config
from astdialer.cli.main import cli
from astdialer.domain.campaign import setting_docs

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def generator() -> Any:
    loader = SourceFileLoader("generate_docs", str(ROOT / "scripts" / "generate-docs"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def commands(command: click.Command, path: str = "astdialer") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["cli.md", "configuration.md", "campaign-settings.md"])
def test_a_page_is_what_would_be_generated(name: str) -> None:
    assert page(name) == generator().pages()[name], "run: .venv/bin/python scripts/generate-docs"


def test_every_command_and_option_is_in_the_reference() -> None:
    sections = dict(re.findall(r"^#+ (astdialer.*)\n((?:(?!^#).*\n)*)", page("cli.md"), re.MULTILINE))
    assert set(sections) == {path for path, _ in commands(cli)}
    for path, command in commands(cli):
        for option in (p for p in command.params if isinstance(p, click.Option)):
            for spelling in option.opts + option.secondary_opts:
                assert re.search(rf"{spelling}\b", sections[path]), f"{path} {spelling}"


def test_every_command_has_help() -> None:
    assert [path for path, command in commands(cli) if not command.help] == []


def test_every_option_has_help() -> None:
    options = [(path, p) for path, command in commands(cli) for p in command.params if isinstance(p, click.Option)]
    assert [(path, option.opts) for path, option in options if not option.help] == []


def test_every_configuration_key_is_in_the_reference() -> None:
    for section, kind in config.SECTIONS.items():
        text = page("configuration.md").partition(f"## [{section}]")[2].partition("\n## ")[0]
        assert [f.name for f in dataclasses.fields(kind) if f"| `{f.name}` |" not in text] == []


def test_every_campaign_setting_is_in_the_reference_with_its_default() -> None:
    text = page("campaign-settings.md")
    for key, (default, sentence) in setting_docs().items():
        shown = f"`{default}`" if default else ""
        assert re.search(
            rf"^\| `{key}` \| {re.escape(shown)} \| .* \| {re.escape(sentence.replace('<', '&lt;'))} \|$", text, re.M
        ), key
