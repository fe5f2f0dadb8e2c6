"""Which character encoding a base is in."""

from __future__ import annotations

import codecs
from typing import BinaryIO

from charset_normalizer import from_bytes

from astdialer.upload.errors import UploadError

_CHUNK = 1 << 20
_SAMPLE = 64 * 1024
#: What is guessed among when it isn't Unicode. More candidates make worse guesses: cp1250 takes Spanish for Polish.
_CANDIDATES = ["cp1252", "cp1251", "koi8_r", "cp866", "cp850"]
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def check_encoding(name: str) -> str:
    """The encoding of this name; raises UploadError."""
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise UploadError(f"--encoding {name}: expected a name such as utf-8, cp1251 or latin-1") from error
    return codecs.lookup(name).name


def detect(file: BinaryIO) -> str:
    """The encoding of an open file, which is read through once; its position is left at 0.

    UTF-8 whenever the whole file is, or nearly every line of it that isn't ASCII: a broken line is then one row's
    fault. Anything else is a guess from a sample of such lines.
    """
    start = file.read(4096)
    file.seek(0)
    encoding = _by_start(start) or _by_content(file)
    file.seek(0)
    return encoding


def _by_start(start: bytes) -> str | None:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    pairs = len(start) // 2
    if pairs >= 4 and start[1::2].count(0) > pairs * 0.4 > start[0::2].count(0) * 4:
        return "utf-16-le"
    if pairs >= 4 and start[0::2].count(0) > pairs * 0.4 > start[1::2].count(0) * 4:
        return "utf-16-be"
    return None


def _by_content(file: BinaryIO) -> str:
    if _is_utf8(file):
        return "utf-8"
    file.seek(0)
    lines = _not_ascii(file)
    utf8_lines = sum(map(_decodes, lines))
    if utf8_lines > len(lines) * 0.8:
        return "utf-8"
    best = from_bytes(b"\n".join(lines), cp_isolation=_CANDIDATES).best()
    return best.encoding if best else "cp1252"


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _not_ascii(file: BinaryIO) -> list[bytes]:
    """Lines with bytes beyond ASCII, from the whole file until the sample is full."""
    lines: list[bytes] = []
    size = 0
    while size < _SAMPLE and (line := file.readline(4096)):
        if not line.isascii():
            lines.append(line.rstrip(b"\r\n"))
            size += len(line)
    return lines


def _decodes(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
