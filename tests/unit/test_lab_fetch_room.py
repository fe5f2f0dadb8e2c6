"""Fetching an Asterisk where there is no room, and where apt has never fetched a list."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from astdialer.lab import fetch
from astdialer.lab.errors import LabError
from astdialer.lab.fetch import Target, targets_to_come

URIS = """\
'http://mirror.test/debian/dists/trixie/InRelease' mirror.test_debian_dists_trixie_InRelease 0
'http://mirror.test/debian/dists/trixie/main/binary-amd64/Packages.xz' x_Packages 0
'http://mirror.test/debian/dists/trixie/main/binary-all/Packages.xz' y_Packages 0
'http://mirror.test/debian/dists/trixie/main/i18n/Translation-en.xz' z 0
'http://mirror.test/security/dists/trixie/updates/main/binary-amd64/Packages.xz' s_Packages 0
"""


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_require_tools", lambda: None)


def test_sources_are_known_before_their_lists_are() -> None:
    found = list(dict.fromkeys(targets_to_come(URIS)))

    assert found == [
        Target(site="http://mirror.test/debian", release="trixie", component="main"),
        Target(site="http://mirror.test/security", release="trixie/updates", component="main"),
    ]
    assert targets_to_come("") == []


@pytest.mark.usefixtures("tools")
def test_a_full_disk_is_named_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=100 << 20))

    with pytest.raises(LabError, match=r"not enough room(.|\n)*500 MB(.|\n)*ASTDIALER_LAB_CACHE"):
        fetch.private_copy(tmp_path / "cache", print)


@pytest.mark.usefixtures("tools")
def test_a_cache_that_cannot_be_made_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LabError, match=r"cannot be kept in(.|\n)*ASTDIALER_LAB_CACHE"):
        fetch.private_copy(tmp_path / "file" / "cache", print)
