"""A base's file → its rows, one by one, in constant memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
import shutil
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from astdialer.upload import encoding as encodings
from astdialer.upload import formats
from astdialer.upload.errors import RowError, UploadError
from astdialer.upload.formats import Layout

MAX_LINE = 64 * 1024  #: characters of a row, and of a line
MAX_ROW_LINES = 100  #: lines that one row's quoted fields may span
DELIMITERS = (";", ",", "\t", "|")

_CHUNK = 256 * 1024
_UTF8 = ("utf-8", "utf-8-sig")
_NOT_UTF8 = re.compile("[\ud800-\udfff]")
_REPLACED = re.compile("[\ud800-\udfff\ufffd]")


class Record(NamedTuple):
    """A row: its fields, or why they can't be told. ``text`` is the row as it stands in the file, from ``line`` on."""

    line: int
    text: str
    fields: Sequence[str]
    error: RowError | None = None


class BaseFile:
    """An open base whose encoding, delimiter and layout are known. Iterating gives its records once."""

    def __init__(
        self,
        file: BinaryIO,
        *,
        encoding: str = "",
        delimiter: str = "",
        mapping: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Empty ``encoding`` and ``delimiter`` are detected. ``mapping``: see formats.layout_of. Raises UploadError."""
        self._file = file
        self.size = file.seek(0, io.SEEK_END)  #: bytes
        file.seek(0)
        self.encoding = encodings.check_encoding(encoding) if encoding else encodings.detect(file)
        self._lines = _Lines(file, self.encoding)
        self._bad_start: list[Record] = []
        self.delimiter = delimiter or detect_delimiter(self._lines.peek(20))
        self.layout, self.header = self._layout(mapping)

    @property
    def done(self) -> int:
        """Bytes read so far."""
        return self._file.tell()

    def __iter__(self) -> Iterator[Record]:
        yield from self._bad_start
        yield from self._records()

    def _records(self) -> Iterator[Record]:
        while (found := self._lines.next()) is not None:
            line, text = found
            if text and not text.isspace():
                yield self._record(line, text)

    def _layout(self, mapping: Sequence[tuple[str, str]]) -> tuple[Layout, tuple[str, ...]]:
        first = self._first()
        if mapping or formats.is_header(first.fields):
            if first.error:
                raise UploadError(f"line {first.line}, the header: {first.error}")
            return formats.layout_of(first.fields, mapping), tuple(first.fields)
        if self.delimiter == ";" or formats.looks_native(first.fields):
            self._lines.push_back(first.line, first.text.split("\n"))
            return formats.NATIVE_LAYOUT, ()
        raise UploadError(
            f"line {first.line}: neither a row {formats.NATIVE} nor a header with a column for the number. If it is "
            f"a header, name that column with --map number=COLUMN. Found: {', '.join(first.fields)[:200]}"
        )

    def _first(self) -> Record:
        """The first row whose fields can be told; rows before it are kept for the rejects."""
        for record in self._records():
            if record.fields:
                return record
            self._bad_start.append(record)
        raise UploadError("the file has no rows" if not self._bad_start else f"no row: {self._bad_start[0].error}")

    def _record(self, line: int, text: str) -> Record:
        if len(text) > MAX_LINE:
            return Record(line, text[:200], (), RowError("too_long", f"longer than {MAX_LINE} characters"))
        if '"' not in text:
            return Record(line, text, text.split(self.delimiter), _undecoded(text, self.encoding))
        return self._quoted(line, text)

    def _quoted(self, line: int, text: str) -> Record:
        """A row with quotes, which may go on over lines. If they don't close, only its first line is lost."""
        taken = [text]

        def lines() -> Iterator[str]:
            yield text + "\n"
            while len(taken) < MAX_ROW_LINES and sum(map(len, taken)) < MAX_LINE:
                following = self._lines.next()
                if following is None:
                    return
                taken.append(following[1])
                yield following[1] + "\n"

        try:
            fields = next(csv.reader(lines(), delimiter=self.delimiter, strict=True))
        except csv.Error:
            self._lines.push_back(line + 1, taken[1:])
            return Record(line, text, (), RowError("quotes", f"{_QUOTES} (within {MAX_ROW_LINES} lines)"))
        whole = "\n".join(taken)
        return Record(line, whole, fields, _undecoded(whole, self.encoding))


_QUOTES = 'a field that begins with " must end with " before the next delimiter, and have "" for every " inside'


def _undecoded(text: str, encoding: str) -> RowError | None:
    bad = _NOT_UTF8 if encoding in _UTF8 else _REPLACED
    if text.isascii() or not bad.search(text):
        return None
    return RowError("encoding", f"has bytes that are not {encoding}; give the file's encoding with --encoding")


class _Lines:
    """Numbered lines without their ends. Of a line that is too long only the first MAX_LINE + 1 characters are kept."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._source = enumerate(_lines_of(file, encoding), 1)
        self._pushed: deque[tuple[int, str]] = deque()

    def next(self) -> tuple[int, str] | None:
        """The next line and its number, 1 first; None at the end."""
        return self._pushed.popleft() if self._pushed else next(self._source, None)

    def push_back(self, first: int, lines: Sequence[str]) -> None:
        """Give these lines again; ``first`` is the number of the first."""
        self._pushed.extendleft(reversed(list(enumerate(lines, first))))

    def peek(self, count: int) -> list[str]:
        """The next lines, which stay to be read."""
        found = [line for line in (self.next() for _ in range(count)) if line]
        self._pushed.extendleft(reversed(found))
        return [text for _, text in found]


def _lines_of(file: BinaryIO, encoding: str) -> Iterator[str]:
    # surrogateescape keeps the bytes for the rejects file; only UTF-8's decoder can do it at any byte
    errors = "surrogateescape" if encoding in _UTF8 else "replace"
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(errors), translate=True)
    carry = ""
    while chunk := file.read(_CHUNK):
        lines = (carry + decoder.decode(chunk)).split("\n")
        carry = lines.pop()[: MAX_LINE + 1]
        yield from lines
    yield from (carry + decoder.decode(b"", final=True)).split("\n")


def detect_delimiter(lines: Sequence[str]) -> str:
    """The delimiter that cuts these first lines into most fields, the same number in most of them."""
    lines = [line for line in lines if line.strip()]

    def score(delimiter: str) -> tuple[int, int]:
        counts = Counter(line.count(delimiter) for line in lines)
        fields, agreeing = max(counts.items(), key=lambda item: (item[1] if item[0] else 0, item[0]), default=(0, 0))
        return (agreeing if fields else 0), fields

    if not lines:
        return ";"
    if lines[0].count(";") >= 2:  # the semicolon format: rows may leave fields out, and values may have commas
        return ";"
    return max(DELIMITERS, key=score)


def open_source(path: str) -> BinaryIO:
    """The file at ``path``, or a temporary copy of the standard input for ``-``. Raises UploadError."""
    if path != "-":
        try:
            return Path(path).open("rb")
        except OSError as error:
            raise UploadError(f"{path}: can't be read: {error.strerror or error}") from error
    copy = tempfile.TemporaryFile()  # noqa: SIM115  (the caller closes it)
    shutil.copyfileobj(sys.stdin.buffer, copy)
    copy.seek(0)
    return copy
