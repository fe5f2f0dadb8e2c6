"""Asterisk's configuration files, read with pyst2; and the faults of pyst2 that make the guard necessary."""

from pathlib import Path

import pytest
from asterisk.config import ParseError

from astdialer.doctor.asterisk_files import Unreadable, _Lines, sections


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.conf").write_bytes(text.encode("latin-1"))
    return folder / "queues.conf"


@pytest.mark.parametrize(
    "line", ['#include "more.conf"', "[sales](+)", "[base](!)", "[sales](base)", "Category without a sign"]
)
def test_what_pyst2_dies_of(line: str) -> None:
    with pytest.raises(ParseError):
        _Lines("queues.conf", [line])


def test_what_pyst2_leaves_in_a_value() -> None:
    assert _Lines("queues.conf", ["[sales]", "timeout = 15"]).categories[0].items[0].value == " 15"


def test_plain_sections(tmp_path: Path) -> None:
    path = written(tmp_path, queues="[general]\nautofill=yes\n\n[sales]\ntimeout = 15 ; seconds\nmember => PJSIP/1\n")
    assert sections(path) == {"general": {"autofill": "yes"}, "sales": {"timeout": "15", "member": "PJSIP/1"}}


def test_the_last_value_counts(tmp_path: Path) -> None:
    assert sections(written(tmp_path, queues="[a]\nx=1\nx=2\n")) == {"a": {"x": "2"}}


def test_included_files_and_additions(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        queues='[general]\n#include more.conf\n#include "custom*.conf"\n#tryinclude none.conf\n#include "no*.conf"\n',
        more="[100]\nwrapuptime=0\n",
        custom_a="[100](+)\nwrapuptime=10\n",
        custom_b="[200]\nx=1\n",
    )
    assert sections(path) == {"general": {}, "100": {"wrapuptime": "10"}, "200": {"x": "1"}}


def test_an_include_may_be_absolute(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    far = written(tmp_path / "far", queues="[a]\nx=1\n")
    assert sections(written(tmp_path, queues=f"#include <{far}>\n")) == {"a": {"x": "1"}}


def test_templates(tmp_path: Path) -> None:
    text = "[base](!)\nstrategy=rrmemory\ntimeout=15\n[own](base)\ntimeout=20\n[other](base)\n"
    assert sections(written(tmp_path, queues=text)) == {
        "own": {"strategy": "rrmemory", "timeout": "20"},
        "other": {"strategy": "rrmemory", "timeout": "15"},
    }


def test_comments(tmp_path: Path) -> None:
    text = ";[no]\n[a]  ; one\nx=1\\;2\n;--\n[b]\ny=1\n--;\n#exec /bin/true\nno sign\nz=3;;\n"
    assert sections(written(tmp_path, queues=text)) == {"a": {"x": "1;2", "z": "3"}}


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    assert sections(written(tmp_path, queues="[a]\nname=Jos\xe9\nx=1\n"))["a"]["x"] == "1"


def test_a_missing_include_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"gone\.conf: included, but no such file"):
        sections(written(tmp_path, queues="#include gone.conf\n"))


def test_a_circle_of_includes_ends(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="without end"):
        sections(written(tmp_path, queues="#include queues.conf\n"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"queues\.conf: No such file"):
        sections(tmp_path / "queues.conf")


@pytest.mark.parametrize("header", ["[400](+)", "[own](base)"])
def test_what_builds_on_nothing_is_named(tmp_path: Path, header: str) -> None:
    with pytest.raises(Unreadable, match="is not above it; Asterisk refuses the file"):
        sections(written(tmp_path, queues=f"{header}\nx=1\n[base](!)\n"))
