"""Where the lab gets its Asterisk from."""

import os
from pathlib import Path

import pytest

from astdialer.lab import binary, fetch
from astdialer.lab.errors import LabError
from astdialer.lab.fetch import Release, Target, source_lines

DEBIAN = Release(name="debian", codename="bookworm")
UBUNTU = Release(name="ubuntu", codename="jammy")


def target(release: str, component: str = "main", site: str = "http://mirror.test/debian") -> Target:
    return Target(site=site, release=release, component=component)


def test_debian_takes_the_development_suite_of_its_own_mirror() -> None:
    targets = [
        target("stable", site="https://packages.test/something-else"),
        target("bookworm-security", site="http://mirror.test/debian-security"),
        target("bookworm-updates"),
        target("bookworm"),
    ]

    lines = source_lines(targets[1:], DEBIAN, system_has_asterisk=False)

    assert len(lines) == 1
    assert lines[0].endswith("http://mirror.test/debian sid main")
    assert "signed-by=" in lines[0]


@pytest.mark.parametrize(
    "third",
    [
        target("stable", site="https://packages.test/chat"),
        Target(site="https://packages.test/cloud", release="bookworm", component="main", origin="Cloud"),
    ],
)
def test_a_third_partys_suite_is_not_taken_for_the_distributions(third: Target) -> None:
    known = Target(site="http://mirror.test/any", release="bookworm", component="main", origin="Debian")

    for targets in ([third, target("bookworm")], [third, known]):
        assert "http://mirror.test/" in source_lines(targets, DEBIAN, system_has_asterisk=False)[0]


def test_ubuntu_takes_its_own_suites_and_components() -> None:
    site = "http://mirror.test/ubuntu"
    targets = [
        target("jammy", "main", site),
        target("jammy", "universe", site),
        target("jammy-updates", "main", site),
        target("jammy", "main", "http://third.test/party"),
    ]

    lines = source_lines(targets, UBUNTU, system_has_asterisk=False)

    assert [line.split("] ")[1] for line in lines] == [
        f"{site} jammy main universe",
        f"{site} jammy-updates main",
    ]


def test_a_debian_that_has_asterisk_uses_its_own() -> None:
    lines = source_lines([target("bookworm")], DEBIAN, system_has_asterisk=True)

    assert lines[0].endswith(" bookworm main")


def test_without_a_mirror_the_error_says_what_to_do() -> None:
    with pytest.raises(LabError, match="put it on PATH"):
        source_lines([], DEBIAN, system_has_asterisk=False)


def test_without_apt_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LabError, match=r"without apt-get(.|\n)*put it on PATH"):
        fetch.private_copy(tmp_path / "cache", lambda text: None)


def test_a_broken_fetch_leaves_nothing_that_looks_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("apt-cache", "apt-config", "dpkg", "dpkg-deb"):
        script(tools / tool, "exit 0")
    script(
        tools / "apt-get",
        'case "$1" in indextargets) echo Packages http://mirror.test/debian bookworm main;;'
        " *) echo 'E: no route to the mirror'; exit 100;; esac",
    )
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/usr/bin:/bin")
    monkeypatch.setattr(fetch, "_release", lambda: DEBIAN)
    cache = tmp_path / "cache"

    with pytest.raises(LabError, match="no route to the mirror"):
        fetch.private_copy(cache, lambda text: None)

    assert [path.name for path in cache.iterdir()] == ["lock"]


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("version", "good"), [("18.10.0~dfsg", True), ("22.10.1", True), ("16.28.0", False)])
def test_an_asterisk_has_to_be_new_enough(tmp_path: Path, version: str, good: bool) -> None:
    script(tmp_path / "asterisk", f"echo Asterisk {version}")
    for name in binary.NEEDED:
        (tmp_path / name).touch()

    found = binary.usable((str(tmp_path / "asterisk"),), tmp_path, tmp_path)

    assert (found is not None) == good
    assert found is None or found.version == version


def test_an_asterisk_without_the_modules_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "asterisk", "echo Asterisk 20.1.0")

    assert binary.usable((str(tmp_path / "asterisk"),), tmp_path, tmp_path) is None


def test_an_incomplete_private_copy_names_itself(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"rm -r {tmp_path}"):
        binary.in_root(tmp_path)
