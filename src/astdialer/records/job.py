"""What the pool asks of a worker: one JSON object a line, and one back."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Make ``target`` from ``source``; the suffixes (.gsm, .mp3) say the formats. May be the same path (trim)."""

    source: str
    target: str
    ffmpeg: str
    bitrate: str
    remove_source: bool = False
    left_s: float = 0.0  #: seconds cut from the beginning
    length_s: float | None = None  #: seconds kept behind that; None: all

    @property
    def source_path(self) -> Path:
        """The file that is read."""
        return Path(self.source)

    @property
    def target_path(self) -> Path:
        """The file that is made."""
        return Path(self.target)

    def to_line(self) -> bytes:
        """For the worker's stdin."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Job:
        """From the worker's stdin."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Reply:
    """How a job went: seconds of the target, or an error for people."""

    duration_s: float = 0.0
    error: str = ""

    def to_line(self) -> bytes:
        """For the worker's stdout; short enough for the reader's line limit."""
        return json.dumps({"duration_s": self.duration_s, "error": self.error[:2000]}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Reply:
        """From the worker's stdout."""
        body: dict[str, Any] = json.loads(line)
        return cls(body["duration_s"], body["error"])
