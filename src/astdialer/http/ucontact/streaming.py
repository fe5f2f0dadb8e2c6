"""A form of any size, read as it comes: one of its fields is a file in base64, which goes to disk."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import unquote_plus

from astdialer.http.ucontact.forms import MOST_FIELDS, Unreadable

LONGEST_FIELD = 65_536
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_SPACES = re.compile(rb"[\s=]+")


class FormReader:
    """Reads ``application/x-www-form-urlencoded``; the bytes of field ``name`` are decoded into ``file``."""

    def __init__(self, name: str, file: BinaryIO, charset: str) -> None:
        self._base64, self._charset = Base64Sink(file), charset
        self._wanted = name.encode()
        self._pending = b""  #: of a field that is not whole yet; of the file, what follows was not decoded
        self._in_file = self._had_file = False
        self._raw: list[tuple[bytes, bytes]] = []
        self.size = 0  #: of the file

    async def read(self, chunks: AsyncIterator[bytes]) -> dict[str, str]:
        """The other fields. Raises Unreadable."""
        async for chunk in chunks:
            self._take(chunk)
        self._take(b"&")
        self._base64.end()
        self.size = self._base64.size
        return self._fields()

    def _take(self, chunk: bytes) -> None:
        *whole, self._pending = (self._pending + chunk).split(b"&")
        for piece in whole:
            self._piece(piece, ends=True)
        if self._in_file or self._is_file(self._pending):
            self._pending = self._piece(self._pending, ends=False)
        elif len(self._pending) > LONGEST_FIELD:
            raise Unreadable(f"a field of the form is longer than {LONGEST_FIELD} bytes")

    def _is_file(self, piece: bytes) -> bool:
        return piece.startswith(self._wanted + b"=")

    def _piece(self, piece: bytes, *, ends: bool) -> bytes:
        """Take up a field, or a part of the file; what of it must wait for more."""
        if not self._in_file and not self._is_file(piece):
            self._field(piece)
            return b""
        if not self._in_file:
            if self._had_file:
                raise Unreadable(f"{self._wanted.decode()} is given twice")
            piece, self._in_file, self._had_file = piece[len(self._wanted) + 1 :], True, True
        rest = b"" if ends else _unfinished(piece)
        text = piece[: len(piece) - len(rest)].replace(b"+", b" ")
        self._base64.write(_PERCENT.sub(lambda match: bytes([int(match[1], 16)]), text))
        self._in_file = not ends
        return rest

    def _field(self, piece: bytes) -> None:
        if piece:
            name, _, value = piece.partition(b"=")
            self._raw.append((name, value))
        if len(self._raw) > MOST_FIELDS:
            raise Unreadable(f"the form has more than {MOST_FIELDS} fields")

    def _fields(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in self._raw:
            found.setdefault(self._text(name), self._text(value))
        return found

    def _text(self, raw: bytes) -> str:
        try:
            return unquote_plus(raw.decode(self._charset), encoding=self._charset, errors="strict")
        except UnicodeDecodeError:
            raise Unreadable(f"a field of the form is not {self._charset}") from None


def _unfinished(piece: bytes) -> bytes:
    """The end of a piece that may be the beginning of an escape."""
    at = piece.rfind(b"%", max(0, len(piece) - 2))
    return piece[at:] if at >= 0 else b""


class Base64Sink:
    """Decodes base64 that comes in pieces. A plus may have come as a space, and line breaks do not count."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, b""
        self.size = 0

    def write(self, text: bytes) -> None:
        """Raises Unreadable."""
        plain = _SPACES.sub(b"", text.replace(b" ", b"+").replace(b"-", b"+").replace(b"_", b"/"))
        text = self._left + plain
        self._left = text[len(text) - len(text) % 4 :]
        self._decode(text[: len(text) - len(self._left)])

    def end(self) -> None:
        """What is left has lost its padding, or is none. Raises Unreadable."""
        if self._left:
            self._decode(self._left + b"=" * (4 - len(self._left)))

    def _decode(self, text: bytes) -> None:
        try:
            decoded = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise Unreadable("fileb64 is not base64") from None
        self.size += len(decoded)
        self._file.write(decoded)
