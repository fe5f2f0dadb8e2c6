"""Durations from headers agree with what is heard."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from sounds import MakeGsm, listen

from astdialer.records.duration import NotAudio, duration_s, mp3_duration_s

pytest_plugins = ("sound_fixtures",)


def encode(source: Path, *arguments: str) -> Path:
    target = source.with_suffix(".mp3")
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*quiet, "-i", str(source), *arguments, str(target)], check=True, timeout=60)
    return target


@pytest.mark.parametrize("seconds", [0.02, 0.5, 7.3])
def test_gsm(make_gsm: MakeGsm, seconds: float) -> None:
    assert duration_s(make_gsm(seconds=seconds)) == pytest.approx(seconds, abs=0.021)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-b:a", "16k"],
        ["-b:a", "8k"],
        ["-q:a", "5"],
        ["-ar", "44100", "-ac", "2", "-b:a", "128k"],
        ["-ar", "22050", "-b:a", "48k"],
        ["-b:a", "16k", "-write_xing", "0"],
        ["-b:a", "16k", "-id3v2_version", "0"],
        ["-b:a", "16k", "-metadata", "title=" + "x" * 70_000],
    ],
)
def test_mp3(make_gsm: MakeGsm, arguments: list[str]) -> None:
    mp3 = encode(make_gsm(seconds=7), *arguments)
    assert mp3_duration_s(mp3) == pytest.approx(7, rel=0.03 if "-write_xing" in arguments else 0.01)
    assert mp3_duration_s(mp3) == pytest.approx(listen(mp3).seconds, rel=0.03)


@pytest.mark.parametrize("content", [b"", b"ID3", b"x" * 10_000, b"\xff" * 10_000, b"ID3\x04\0\0\x7f\x7f\x7f\x7f"])
def test_not_audio(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    with pytest.raises(NotAudio):
        mp3_duration_s(path)


def test_broken_off(make_gsm: MakeGsm) -> None:
    mp3 = encode(make_gsm(seconds=7), "-b:a", "16k")
    mp3.write_bytes(mp3.read_bytes()[:-1])
    with pytest.raises(NotAudio, match="breaks off"):
        mp3_duration_s(mp3)
