"""Where recordings are, and how GSM becomes MP3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An entry of the durable conversion queue."""

    attempt_id: str
    date: str  #: YYYYMMDD, the call's own date
    tries: int = 0
    trim_s: int = 0  #: cut off the beginning, by the campaign's record_trim_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A finished MP3."""

    path: Path
    duration_s: float


class Recordings(Protocol):
    """Where recordings are, and how GSM becomes MP3."""

    def gsm_path(self, attempt_id: str, date: str) -> Path:
        """Where Asterisk is to write the recording; makes the date's folder."""

    async def convert(self, recording: Recording) -> Converted | None:
        """Convert one recording; None if nothing was recorded. Idempotent.

        Raises Unavailable when the file is not final yet or the converter fails: try again later.
        """
