"""Ears for recordings: any audio file as seconds and loudness."""

from __future__ import annotations

import os
import subprocess
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MakeGsm = Callable[..., Path]


@dataclass(frozen=True)
class Heard:
    """What a listener can say about a file: seconds, and root mean square from 0 to 1."""

    seconds: float
    loudness: float


def listen(path: Path) -> Heard:
    """Decode any audio file to samples, and measure them."""
    sound = path.with_suffix(".heard.wav")
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*quiet, "-i", path, "-ac", "1", "-ar", "8000", sound], check=True, timeout=60)
    with wave.open(str(sound)) as file:
        frames = memoryview(file.readframes(file.getnframes())).cast("h")
    sound.unlink()
    return Heard(len(frames) / 8000, (sum(sample * sample for sample in frames) / max(1, len(frames))) ** 0.5 / 32768)


def make_old(path: Path, seconds: float = 100.0) -> Path:
    """As if it had been written so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path
