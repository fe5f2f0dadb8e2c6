"""What became of a base: counts for people and programs, and the files of rows that need mending."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from astdialer.domain.contact import NewContact
from astdialer.upload.errors import RowError, UploadError
from astdialer.upload.read import Record

_EXAMPLES = 5  #: rejects and warnings that a report quotes, each


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCount:
    """What one campaign's base got."""

    campaign: str
    base: str
    added: int
    duplicates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A line of the file and what is wrong with it."""

    line: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadReport:
    """How an upload went. Duplicates are rows whose main number the base has, or the file had before."""

    file: str
    dry_run: bool
    encoding: str
    delimiter: str
    columns: Mapping[str, str]  #: what each column of the header is taken for; empty without a header
    rows: int
    bases: tuple[BaseCount, ...]
    added: int
    duplicates: int
    rejected: int
    rejects: Mapping[str, int]  #: rejected rows by reason
    reject_examples: tuple[Quote, ...]
    rejects_file: str | None
    zones: Mapping[str, int]  #: added contacts by the zones of their main number, joined by |, most first
    without_zone: int  #: added contacts with a number of no known zone; not in ``zones``
    warnings: int  #: alternatives left out, contacts that have expired
    warning_reasons: Mapping[str, int]
    warning_examples: tuple[Quote, ...]
    warnings_file: str | None
    removed: tuple[str, ...]  #: campaign/base of interrupted earlier uploads that were cleared away
    seconds: float

    @property
    def is_failure(self) -> bool:
        """Whether there were rows and none of them is in a base."""
        return self.added == 0 and self.duplicates == 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class SideFile:
    """A CSV file of rows with something wrong, made only if there is one, in its place only when complete."""

    def __init__(self, path: Path | None) -> None:
        """``path`` None: nothing is written, only counted."""
        self.counts: Counter[str] = Counter()
        self.examples: list[Quote] = []
        self._path = path
        self._file: TextIO | None = None

    @property
    def _part(self) -> Path:
        assert self._path is not None
        return self._path.with_name(self._path.name + ".part")

    def add(self, record: Record, error: RowError) -> None:
        """Count an error and write its row down. Raises UploadError if that fails."""
        self.counts[error.reason] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(Quote(line=record.line, reason=error.reason, message=str(error)))
        if self._path is None:
            return
        try:
            self._file = self._file or self._create()
            csv.writer(self._file, lineterminator="\n").writerow((record.line, error.reason, error, record.text))
        except OSError as problem:
            raise UploadError(f"{self._path}: can't be written: {problem.strerror}; try --rejects PATH") from problem

    def _create(self) -> TextIO:
        file = self._part.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        csv.writer(file, lineterminator="\n").writerow(("line", "reason", "message", "original"))
        return file

    def keep(self) -> str | None:
        """Put the file into its place; its path, or None when there is none."""
        if self._file is None or self._path is None:
            return None
        self._file.close()
        self._part.replace(self._path)
        return str(self._path)

    def drop(self) -> None:
        """Remove an incomplete file."""
        if self._file is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)


@dataclass(slots=True)
class Tally:
    """Counts while a file is being read."""

    rejects: SideFile
    warnings: SideFile
    rows: int = 0
    added: Counter[str] = field(default_factory=Counter)  #: by campaign
    duplicates: Counter[str] = field(default_factory=Counter)
    zones: Counter[str] = field(default_factory=Counter)  #: added contacts, by zones_text


def zones_text(contact: NewContact) -> str:
    """Under which zones a contact is counted: its main number's, or none if any of its numbers has none."""
    return contact.numbers[0].zones if all([number.zones for number in contact.numbers]) else ""
