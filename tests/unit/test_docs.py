"""No command, option, key or setting without its place in the reference."""

import dataclasses
import re
import shlex
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from astdialer import config
from astdialer.cli.main import cli
from astdialer.domain.cause import DEFAULT_CLASSES, Cause, CauseClass
from astdialer.domain.settings import Settings, parse_settings, setting_docs

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


def cell(sentence: str) -> str:
    """A sentence as a table has it."""
    return sentence.replace("<", "&lt;").replace("|", "\\|")


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["cli.md", "configuration.md", "campaign-settings.md", "causes.md", "http-api.md"])
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


def test_arguments_have_names_for_people() -> None:
    assert re.findall(r"[A-Z]_\b", page("cli.md")) == []


def test_every_configuration_key_is_in_the_reference() -> None:
    for section, kind in config.SECTIONS.items():
        text = page("configuration.md").partition(f"## [{section}]")[2].partition("\n## ")[0]
        assert [f.name for f in dataclasses.fields(kind) if f"| `{f.name}` |" not in text] == []


def test_every_campaign_setting_is_in_the_reference_with_its_default() -> None:
    text = page("campaign-settings.md")
    for key, (default, sentence) in setting_docs().items():
        shown = f"`{default}`" if default else ""
        assert re.search(rf"^\| `{key}` \| {re.escape(shown)} \| .* \| {re.escape(cell(sentence))} \|$", text, re.M), (
            key
        )


def test_every_cause_is_in_the_reference_with_its_class() -> None:
    for cause in Cause:
        kind = next((kind for kind, causes in DEFAULT_CLASSES.items() if cause in causes), CauseClass.RETRY)
        assert re.search(rf"^\| `{cause}` \| .* \| {kind} \| .* \|$", page("causes.md"), re.M), cause


#: Pages whose console examples are typed by people: their commands parse, and their settings are settings.
TYPED = (
    *(REFERENCE / f"{name}.md" for name in ("agents", "calendars", "campaign-files", "causes", "routes")),
    *(
        ROOT / "docs/how-to" / f"{name}.md"
        for name in (
            "campaign-in-version-control",
            "check-a-campaign",
            "http-api",
            "rehearse-a-campaign",
            "several-trunks",
            "twin24",
            "webhooks",
            "webitel-v4",
        )
    ),
)


def typed(text: str) -> Iterator[str]:
    """The astdialer commands of a page's console examples; a line that ends in a backslash goes on."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ astdialer "):
                yield re.split(r" [|>;] ", line.removeprefix("$ "))[0]


@pytest.mark.parametrize("path", TYPED, ids=lambda path: path.name)
def test_what_a_page_types_can_be_typed(path: Path) -> None:
    lines = list(typed(path.read_text(encoding="utf-8")))
    assert lines
    for line in lines:
        made = parsed(shlex.split(line)[1:])
        settings = [text for text in made.params.get("settings") or () if isinstance(text, str)]
        parse_settings(dict(text.split("=", 1) for text in settings))


def parsed(words: list[str]) -> click.Context:
    """The context of a command, as click reads its words; raises what click raises."""
    command: click.Command = cli
    context = click.Context(cli, info_name="astdialer")
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        context, command = click.Context(found, info_name=name, parent=context), found
    return command.make_context(command.name, list(words), parent=context.parent)


@pytest.mark.parametrize("path", [*TYPED, ROOT / "docs/README.md"], ids=lambda path: path.name)
def test_the_links_of_a_page_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([\w./-]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = page("../README.md")
    folders = ("tutorial", "how-to", "reference", "explanation", "adr")
    pages = [path for folder in folders for path in (ROOT / "docs" / folder).glob("*.md")]
    assert [path.name for path in pages if f"({path.parent.name}/{path.name})" not in index] == []


def test_every_setting_that_routes_agents_and_calendars_are_about_is_explained() -> None:
    for name, keys in {
        "agents.md": [key for key in Settings.__dataclass_fields__ if key.startswith(("agent_", "preview_"))]
        + ["agents", "skills", "max_no_answer", "busy_delay_s", "reject_delay_s", "no_answer_delay_s", "wrap_up_s"],
        "routes.md": ["routes", "trunk", "caller_id"],
        "calendars.md": ["calendar", "calling_hours", "weekdays", "timezone", "require_zone", "ranges"],
    }.items():
        assert [key for key in keys if f"`{key}" not in page(name)] == [], name


def test_the_check_of_signatures_that_is_shown_is_one() -> None:
    """With the example of Standard Webhooks, at its time."""
    text = (ROOT / "docs/how-to/webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(code, scope)
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,bm9uZQ== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    scope["time"] = SimpleNamespace(time=lambda: 1614265400.0)
    assert scope["is_genuine"](secret, headers, body)
    assert not scope["is_genuine"](secret, headers, body + b" ")
    assert not scope["is_genuine"](secret, headers | {"webhook-id": "other"}, body)
    scope["time"] = SimpleNamespace(time=lambda: 1614266000.0)
    assert not scope["is_genuine"](secret, headers, body), "somebody has kept it"
