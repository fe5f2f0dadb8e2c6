"""A recording as an answer: whole, a range of it, or nothing if the one who asks has it already (RFC 9110).

The file is opened once: what is converted, cut or removed meanwhile is sent as it was.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO

from fastapi import HTTPException, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from astdialer.domain.errors import NotFound

TYPES = {".mp3": "audio/mpeg", ".gsm": "audio/gsm"}
#: Bytes read at a time.
CHUNK = 65_536

#: One range. Several of them, and other units, are passed over, as section 14.2 allows: then the whole is sent.
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def audio_response(request: Request, path: Path) -> Response:
    """The file at ``path``, which has to be a recording's. A GET is answered 200, 206, 304 or 416, a HEAD 200 or 304.

    The answer raises NotFound when the file is gone by then.
    """
    return _Audio(request, path)


class _Audio(Response):
    """Looks at the file when it is sent."""

    def __init__(self, request: Request, path: Path) -> None:
        super().__init__()
        self._request, self._path = request, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or what there is to say in place of it."""
        try:
            file = await asyncio.to_thread(self._path.open, "rb")
        except OSError:
            raise NotFound("recording", self._path.stem) from None
        try:
            await self._answer(file)(scope, receive, send)
        finally:
            file.close()

    def _answer(self, file: BinaryIO) -> Response:
        found = os.fstat(file.fileno())
        headers = {
            "accept-ranges": "bytes",
            "cache-control": "private, no-cache",
            "content-disposition": f'inline; filename="{self._path.name}"',
            "content-type": TYPES.get(self._path.suffix, "application/octet-stream"),
            "etag": f'"{found.st_mtime_ns:x}-{found.st_size:x}"',
            "last-modified": format_datetime(datetime.fromtimestamp(int(found.st_mtime), UTC), usegmt=True),
            "x-content-type-options": "nosniff",
        }
        if self._is_known(headers["etag"], int(found.st_mtime)):
            return Response(status_code=304, headers={name: headers[name] for name in ("cache-control", "etag")})
        if self._request.method == "HEAD":
            return Response(headers=headers | {"content-length": str(found.st_size)})
        return self._part(file, found.st_size, headers)

    def _part(self, file: BinaryIO, size: int, headers: dict[str, str]) -> Response:
        wanted = self._range(headers, size)
        first, end = wanted or (0, size)
        if wanted:
            headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
        headers["content-length"] = str(end - first)
        return StreamingResponse(_read(file, first, end), 206 if wanted else 200, headers)

    def _is_known(self, tag: str, changed_s: int) -> bool:
        """Whether who asks has this very file; its date counts only where it sent no tag."""
        tags = self._request.headers.get("if-none-match")
        if tags is not None:
            return tags.strip() == "*" or tag in _TAG.findall(tags)
        since = _seconds(self._request.headers.get("if-modified-since", ""))
        return since is not None and changed_s <= since

    def _range(self, headers: dict[str, str], size: int) -> tuple[int, int] | None:
        """The first byte and the one behind the last; None: all. Raises HTTPException for what the file has not."""
        match = _RANGE.fullmatch(self._request.headers.get("range", ""))
        only_if = self._request.headers.get("if-range")
        if not match or only_if not in (None, headers["etag"], headers["last-modified"]):
            return None
        first, last = match.groups()
        if not first + last or (first and last and int(first) > int(last)):
            return None
        start = int(first) if first else max(0, size - int(last))
        if start >= size:
            raise HTTPException(416, f"the recording has {size} bytes", {"content-range": f"bytes */{size}"})
        return start, min(size, int(last) + 1) if first and last else size


def _seconds(date: str) -> int | None:
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return None


async def _read(file: BinaryIO, at: int, end: int) -> AsyncIterator[bytes]:
    file.seek(at)
    while at < end and (piece := await asyncio.to_thread(file.read, min(CHUNK, end - at))):
        at += len(piece)
        yield piece
