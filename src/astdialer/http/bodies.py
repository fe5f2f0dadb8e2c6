"""Files that are sent to us, piece by piece: as the whole body, or as the one file of multipart/form-data."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from astdialer.domain.errors import AstdialerError, InvalidSetting, Unavailable

#: What is written to the disk at once, bytes.
PIECE = 1 << 20
#: Of a file's name so much is kept.
LONGEST_NAME = 200
_SHARED = "multipart/form-data"


class BadBody(AstdialerError):
    """The body can't be read."""

    code = "bad_body"


async def received(request: Request, idle_s: float) -> AsyncIterator[bytes]:
    """The body as it comes. Raises BadBody when it ends too soon, and HTTPException 408 when nothing comes for so
    long."""
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(idle_s):
                piece = await anext(stream, None)
        except TimeoutError:
            raise HTTPException(408, f"nothing came for {idle_s:g} s") from None
        except ClientDisconnect:
            raise BadBody("the connection ended before the body did") from None
        if piece is None:
            return
        if piece:
            yield piece


class FileBody:
    """The file of a request, to be read once. Who wants its digest puts a hash into ``request.state.digest``."""

    def __init__(self, request: Request, idle_s: float) -> None:
        """``idle_s``: a sender who is silent for so long is given up."""
        self._request, self._idle_s = request, idle_s
        self.name = ""  #: the file's own, once its first piece is read; empty if it has none

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises BadBody, and HTTPException 408."""
        digest = getattr(self._request.state, "digest", None)
        async for piece in self._of_file():
            if digest:
                digest.update(piece)
            yield piece

    async def _of_file(self) -> AsyncIterator[bytes]:
        kind, options = parse_options_header(self._request.headers.get("content-type", ""))
        if kind != _SHARED.encode():
            async for piece in received(self._request, self._idle_s):
                yield piece
            return
        form = _Form(options.get(b"boundary", b""))
        async for piece in received(self._request, self._idle_s):
            for of_file in form.read(piece):
                self.name = form.name
                yield of_file
        form.end()
        self.name = form.name


class _Form:
    """multipart/form-data with one file in it."""

    def __init__(self, boundary: bytes) -> None:
        if not boundary:
            raise BadBody(f"{_SHARED} without a boundary")
        self.name, self._files, self._is_whole = "", 0, False
        self._header, self._value = b"", b""
        self._pieces: list[bytes] = []
        with _readable():
            self._parser = MultipartParser(
                boundary,
                {
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_begin": self._on_part_begin,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )

    def read(self, piece: bytes) -> list[bytes]:
        """What of the file is in a piece of the body. Raises BadBody."""
        self._pieces = []
        with _readable():
            self._parser.write(piece)
        return self._pieces

    def end(self) -> None:
        """Raises BadBody when it is not whole, or had no file."""
        if not self._is_whole:
            raise BadBody(f"{_SHARED} without its end")
        if not self._files:
            raise BadBody(f"{_SHARED} without a file")

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            field = options.get(b"name", b"").decode(errors="replace")[:40]
            raise BadBody(f"the form's field {field!r} is no file: options go into the query")
        self._files += 1
        if self._files > 1:
            raise BadBody("the form has several files: send one at a time")
        self.name = options[b"filename"].decode(errors="replace")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def _on_end(self) -> None:
        self._is_whole = True


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise BadBody(f"{_SHARED} that can't be read: {error}") from None


# --- the spool -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file that has come whole, and is on the disk."""

    path: Path
    size: int
    name: str  #: what the sender calls it; empty if it is not said

    def drop(self) -> None:
        """Nobody needs it."""
        self.path.unlink(missing_ok=True)


def plain_name(name: str) -> str:
    """A file's name without its folders and control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "_" for c in last)[:LONGEST_NAME]


async def spooled(request: Request, spool: Path, idle_s: float) -> Spooled:
    """Put the file of a request into the spool; of one that breaks off nothing is left.

    Raises BadBody, InvalidSetting when it is empty, HTTPException 408, TooLarge, and Unavailable when it can't be
    written.
    """
    body, path = FileBody(request, idle_s), spool / str(uuid.uuid4())
    try:
        file = await asyncio.to_thread(new_file, path)
        try:
            size = await _written(body, file)
            await asyncio.to_thread(settle, file, spool)
        finally:
            file.close()
        if not size:
            raise InvalidSetting("body", "", "a file with rows")
    except OSError as error:
        path.unlink(missing_ok=True)
        raise Unavailable(f"the file can't be kept: {error.strerror or error}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Spooled(path, size, plain_name(body.name))


async def _written(body: FileBody, file: BinaryIO) -> int:
    size, waiting = 0, bytearray()
    async for piece in body.pieces():
        waiting += piece
        if len(waiting) >= PIECE:
            size += await asyncio.to_thread(file.write, bytes(waiting))
            waiting.clear()
    return size + await asyncio.to_thread(file.write, bytes(waiting))


def new_file(path: Path) -> BinaryIO:
    """A new file in the spool, which nobody but us may look into: it is people's data."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")


def settle(file: BinaryIO, folder: Path) -> None:
    """It is on the disk when we say so, and its name too."""
    file.flush()
    os.fsync(file.fileno())
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
