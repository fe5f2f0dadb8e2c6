"""Bases in base64: they are on disk and in the queue when 1 is answered, and are loaded after that."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from astdialer.domain.access import Access, Permission
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import InvalidSetting, Unavailable
from astdialer.domain.names import base_of
from astdialer.engine import uploads
from astdialer.http.access import Needs
from astdialer.http.bodies import new_file, received, settle
from astdialer.http.problems import TooLarge
from astdialer.http.services import Services, services
from astdialer.http.ucontact.forms import FORM, JSON, Fields, Unreadable, content_type, many_fields_of
from astdialer.http.ucontact.streaming import Base64Sink, FormReader
from astdialer.http.ucontact.values import campaign_of, done, whole_number

router = APIRouter(prefix="/Dialers")
Keeper = Annotated[Access, Depends(Needs(Permission.CONTACTS))]
FILE = "fileb64"
MOST_ROWS = 10**9


@router.post("/uploadbase")
async def upload_base(request: Request, access: Keeper) -> Response:
    """Load a base; each contact in its own zone."""
    return await _upload(request, access, zoned=False)


@router.post("/uploadbasewithtimezone")
async def upload_base_with_timezone(request: Request, access: Keeper) -> Response:
    """Load a base whose contacts are all in ``timezone``."""
    return await _upload(request, access, zoned=True)


async def _upload(request: Request, access: Access, *, zoned: bool) -> Response:
    found = services(request)
    path = found.spool / f"{uuid.uuid4()}.csv"
    try:
        fields, size = await _received(request, found, path)
        await _submit(found, access, fields, path, size, zoned=zoned)
    except BaseException:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(path.unlink)
        raise
    return done()


async def _submit(found: Services, access: Access, fields: Fields, path: Path, size: int, *, zoned: bool) -> None:
    """Raises InvalidSetting and NotFound; then the file is not ours."""
    name = fields.line("filename")
    if not size:
        raise InvalidSetting(FILE, "", "the base in base64")
    if fields.line("cant"):
        whole_number("cant", fields.line("cant"), 0, MOST_ROWS)
    campaign = fields.line("campaign")
    zone = _zone(fields) if zoned else ""
    fallback = (await campaign_of(found, access, campaign)).name if campaign else ""
    who = fields.line("username")
    await uploads.submit(
        found.store,
        found.clock,
        path=path,
        base=base_of(name),
        file_name=name or "base",
        size=size,
        tenant=access.tenant,
        options={"fallback": fallback, "spellings": True, "timezone": zone},
        done_by=f"{who} ({access.name})" if who else access.name,
    )


def _zone(fields: Fields) -> str:
    """Raises InvalidSetting."""
    zone = fields.line("timezone")
    zone_of(zone)
    return zone


# --- onto the disk ---------------------------------------------------------------------------------------------------


async def _received(request: Request, found: Services, path: Path) -> tuple[Fields, int]:
    """The fields, and the size of the file, which is at ``path`` whatever dies from now on."""
    kind, charset = content_type(request)
    if kind not in (FORM, JSON, ""):
        raise HTTPException(415, f"Content-Type {kind[:80]}: expected {FORM}")
    try:
        with new_file(path) as file:
            if kind == JSON:
                return await _of_json(request, found, file)
            reader = FormReader(FILE, file, charset)
            fields = await reader.read(_chunks(request, found.settings.timeout_s))
            await asyncio.to_thread(settle, file, path.parent)
            return Fields(fields), reader.size
    except OSError as error:
        raise Unavailable(f"{path.parent}: {error.strerror or error}") from error


async def _chunks(request: Request, idle_s: float) -> AsyncIterator[bytes]:
    """The body as it comes; other requests are served between its pieces. Raises BadBody, and HTTPException 408."""
    async for piece in received(request, idle_s):
        yield piece
        await asyncio.sleep(0)


async def _of_json(request: Request, found: Services, file: BinaryIO) -> tuple[Fields, int]:
    """JSON is read whole, and may be no larger than other bodies."""
    announced = request.headers.get("content-length", "")
    largest = found.settings.max_body_kb * 1024
    if not announced.isdigit() or int(announced) > largest:
        raise TooLarge(f"a base in JSON: at most {largest} bytes, with a Content-Length; larger ones as a form")
    fields = await many_fields_of(request)
    text: Any = fields.raw(FILE)
    if not isinstance(text, str):
        raise Unreadable(f"{FILE}: expected text")
    size = await asyncio.to_thread(_decoded, text, file)
    await asyncio.to_thread(settle, file, found.spool)
    return fields, size


def _decoded(text: str, file: BinaryIO) -> int:
    """How many bytes came of it. Raises Unreadable."""
    sink = Base64Sink(file)
    sink.write(text.encode("ascii", "replace"))
    sink.end()
    return sink.size
