"""Real GSM files, made by sox, in a records directory of the test's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sounds import MakeGsm, make_old

from astdialer.config import Records


@pytest.fixture
def make_gsm(tmp_path: Path) -> MakeGsm:
    """A GSM file under the records root: ``make_gsm(guid, seconds, "sine 440" or "silence")``; old by default."""

    if not (shutil.which("sox") and shutil.which("ffmpeg")):
        pytest.skip("needs sox and ffmpeg")

    def make(guid: str = "call", seconds: float = 3.0, sound: str = "sine 440", *, old: bool = True) -> Path:
        path = tmp_path / "records" / "20170620" / f"{guid}.gsm"
        path.parent.mkdir(parents=True, exist_ok=True)
        synth = ["trim", "0", str(seconds)] if sound == "silence" else ["synth", str(seconds), *sound.split()]
        gain = [] if sound == "silence" else ["vol", "0.5"]
        subprocess.run(["sox", "-D", "-n", "-r", "8000", "-c", "1", path, *synth, *gain], check=True, timeout=60)
        return make_old(path) if old else path

    return make


@pytest.fixture
def settings(tmp_path: Path) -> Records:
    """Defaults, in the test's own directory."""
    return Records(directory=str(tmp_path / "records"), timeout_s=30)


@pytest.fixture
def fake_ffmpeg(tmp_path: Path) -> Callable[[str], str]:
    """A program in ffmpeg's place: ``fake_ffmpeg("sleep 60")`` gives its path."""

    def make(script: str) -> str:
        path = tmp_path / "ffmpeg"
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return make
