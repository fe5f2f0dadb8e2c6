"""Scripts of the administrator's own."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from agi_peer import Peer, serving

from astdialer.agi.own import load_folder
from astdialer.config import ConfigError

GOOD = """
from dataclasses import dataclass

@dataclass
class Greeting:
    text: str

async def run(session):
    await session.set_variable("GREETING", Greeting("hello").text + session.query.get("name", ""))
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.replace('__', '-')}.py").write_text(text)
    return folder


async def test_a_file_answers_its_route(tmp_path: Path) -> None:
    write(tmp_path, my__script=GOOD)
    async with serving({}, scripts=str(tmp_path)) as server:
        peer = await Peer.call(server.port, "my-script?name= you")
        assert await peer.serve(lambda _: "200 result=1\n") == ['SET VARIABLE "GREETING" "hello you"']
        assert server.broken == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def run(:\n", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("import no_such_module_here\n", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("def run(session): ...\n", "it has no  async def run(session)"),
        ("x = 1\n", "it has no  async def run(session)"),
    ],
)
async def test_a_broken_file_is_named_and_stops_nothing(
    tmp_path: Path, text: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, broken=text, good=GOOD)
    async with serving({}, scripts=str(tmp_path)) as server:
        assert server.broken == {"broken": error}
        peer = await Peer.call(server.port, "good")
        assert await peer.serve(lambda _: "200 result=1\n") == ['SET VARIABLE "GREETING" "hello"']
    [record] = [record for record in caplog.records if record.message == "agi.own_script_broken"]
    assert vars(record)["file"] == str(tmp_path / "broken.py")
    assert bool(record.exc_info) == (": " in error)


def test_names_are_checked(tmp_path: Path) -> None:
    (tmp_path / "Upper Case.py").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("not a script")
    write(tmp_path, answered=GOOD, good=GOOD)
    found = load_folder(tmp_path, reserved={"answered"})
    assert list(found.routes) == ["good"]
    assert found.broken == {
        "Upper Case": "its name may have the characters a-z 0-9 _ - only",
        "answered": "astdialer has a script of this name",
    }


async def test_a_folder_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[agi\] scripts = '.*none': expected an existing folder"):
        async with serving({}, scripts=str(tmp_path / "none")):
            pass


async def test_the_script_of_the_how_to_runs(tmp_path: Path) -> None:
    how_to = Path(__file__).parents[3] / "docs/how-to/own-agi-script.md"
    found = re.search(r"```python\n(.*?)```", how_to.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    write(tmp_path, office__hours=textwrap.dedent(found[1]))
    async with serving({}, scripts=str(tmp_path)) as server:
        assert server.broken == {}
        peer = await Peer.call(server.port, "office-hours?zone=Europe/Madrid")
        [sent] = await peer.serve(lambda _: "200 result=1\n")
    assert sent in ('SET VARIABLE "OFFICE" "open"', 'SET VARIABLE "OFFICE" "closed"')
