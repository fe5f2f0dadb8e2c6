"""Recordings: listed, listened to, converted, cut and removed."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import Field

from astdialer.domain.access import Access
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.engine.recordings import trim_s
from astdialer.http.audio import audio_response
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import page, place_of
from astdialer.http.services import Services
from astdialer.http.v1.common import (
    PROBLEMS,
    USUAL_LIMIT,
    Administrator,
    Cursor,
    Found,
    Limit,
    Listener,
    Model,
    Page,
    Reader,
)
from astdialer.http.v1.kinds import DateFolder, Guid, Row

router = APIRouter(prefix="/recordings", tags=["recordings"], route_class=IdempotentRoute, responses=PROBLEMS)

EXAMPLE_GUID = "0d6f2c1e-7a53-4b0e-9c57-1f6f1a0f8a11"
_FOLDER = re.compile(r"[0-9]{8}")
_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"audio/mpeg": {}, "audio/gsm": {}}},
    206: {"description": "The bytes that Range asks for.", "content": {"audio/mpeg": {}, "audio/gsm": {}}},
    304: {"description": "If-None-Match or If-Modified-Since say that it is known."},
    416: {"description": "It has no such bytes."},
}


class RecordingRow(Row):
    """An attempt's recording, whose MP3 is made after the call."""

    guid: str = Field(examples=[EXAMPLE_GUID], description="The attempt's id.")
    date: str = Field(examples=["20251009"], description="The call's date.")
    campaign: str = Field(examples=["spring"])
    contact_id: int = Field(examples=[4711])
    number: str = Field(examples=["+442079460123"])
    calldate: int = Field(examples=[1760000000000], description="When dialing began, ms.")
    agent: str = Field(examples=["PJSIP/1001"])
    disposition: str = Field(examples=["answered"])
    talk_s: float = Field(examples=[32.5])
    state: str = Field(examples=["done"], description="pending, done, none (nothing was recorded) or failed.")
    duration_s: float | None = Field(examples=[33.1])
    tries: int = Field(examples=[1], description="Tries to convert it.")
    error: str = Field(examples=[""], description="Why it could not be converted.")


class RecordingFile(Row):
    """The file of a recording."""

    guid: str = Field(examples=[EXAMPLE_GUID])
    campaign: str | None = Field(examples=["spring"], description="Null for a file that no attempt is known of.")
    contact_id: int | None = Field(examples=[4711])
    number: str | None = Field(examples=["+442079460123"])
    date: str | None = Field(examples=["20251009"], description="Its date folder; null outside of them.")
    format: Literal["mp3", "gsm"] = Field(examples=["mp3"], description="What is there: MP3, else GSM.")
    bytes: int = Field(examples=[66200])
    changed_at: int = Field(examples=[1760000043000], description="When the file was last written, ms.")
    state: str | None = Field(examples=["done"])
    duration_s: float | None = Field(examples=[33.1], description="Null until it is converted.")


class ConvertedRecording(Row):
    """What came of a conversion."""

    guid: str = Field(examples=[EXAMPLE_GUID])
    result: Literal["converted", "nothing recorded"]
    duration_s: float | None = Field(examples=[33.1])


class Trim(Model):
    """What to cut off: the beginning, the end, or both."""

    left_s: float = Field(default=0, ge=0, le=86_400, examples=[2.5], description="Cut so many seconds off.")
    length_s: float | None = Field(
        default=None, gt=0, le=86_400, examples=[30], description="Keep so many seconds behind that."
    )


class Prune(Model):
    """Which recordings to remove."""

    days: int = Field(ge=1, le=36_500, examples=[365], description="Keep so many days before today.")
    backup: bool = Field(default=False, description="In the backup directory too.")
    dry_run: bool = Field(default=False, description="Only say what would go.")


class Pruned(Row):
    """What was removed, or would be."""

    removed: int = Field(examples=[2])
    dry_run: bool
    files: list[str] = Field(examples=[["20240101/0d6f2c1e-7a53-4b0e-9c57-1f6f1a0f8a11.mp3"]])


class _Known(NamedTuple):
    """What the store says of a recording; all of it None for a file that it does not know of."""

    date: str | None = None
    campaign: str | None = None
    contact_id: int | None = None
    number: str | None = None
    state: str | None = None
    duration_s: float | None = None


async def _known(found: Services, access: Access, guid: str) -> _Known:
    """Raises NotFound for another tenant's. What no attempt is known of belongs to no tenant."""
    try:
        row = await found.store.attempt(guid)
    except NotFound:
        if access.tenant:
            raise NotFound("recording", guid) from None
        return _Known()
    if not access.sees(row["tenant"]):
        raise NotFound("recording", guid)
    return _Known(
        date=row["recording_date"],
        campaign=row["campaign"],
        contact_id=row["contact_id"],
        number=row["number"],
        state=row["recording_state"],
        duration_s=row["recording_s"],
    )


async def _file(found: Services, guid: str, date: str | None, suffix: str | None = None) -> Path:
    """Where it is. Raises NotFound."""
    path = await asyncio.to_thread(_search, found, guid, date, suffix)
    if path is None:
        raise NotFound("recording", guid, f"there is no {suffix} of it" if suffix else "")
    return path


def _search(found: Services, guid: str, date: str | None, suffix: str | None) -> Path | None:
    path = found.library.find(guid, date) or (found.library.find(guid) if date else None)
    if path is None or suffix in (None, path.suffix):
        return path
    return found.library.place(guid, _folder(path), suffix)


def _folder(path: Path) -> str | None:
    return path.parent.name if _FOLDER.fullmatch(path.parent.name) else None


# --- endpoints -------------------------------------------------------------------------------------------------------


@router.get("")
async def list_recordings(
    found: Found,
    access: Reader,
    date: DateFolder = None,
    campaign: Annotated[str | None, Query(max_length=70, description="Only of this campaign.")] = None,
    *,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
) -> Page[RecordingRow]:
    """Recordings of attempts, the newest first, and whether they are converted."""
    if campaign is not None:
        await found.campaign(access, campaign)
    filters = {"date": date, "campaign": campaign, "tenant": access.tenant or None}
    rows = await found.store.recordings(filters | {"before": place_of(cursor, int, str)}, limit)
    return Page[RecordingRow](**page(rows, limit, *((rows[-1]["calldate"], rows[-1]["guid"]) if rows else ())))


@router.get("/{guid}")
async def show_recording(found: Found, access: Reader, guid: Guid) -> RecordingFile:
    """A recording's file, in the records directory or its backup."""
    known = await _known(found, access, guid)
    path = await _file(found, guid, known.date)
    try:
        stat = path.stat()
    except OSError:  # converted, or removed, this very moment
        raise NotFound("recording", guid) from None
    facts = {"format": path.suffix.removeprefix("."), "bytes": stat.st_size, "changed_at": int(stat.st_mtime * 1000)}
    return RecordingFile(guid=guid, **known._asdict() | facts | {"date": _folder(path)})


@router.head("/{guid}/audio", include_in_schema=False)
@router.get("/{guid}/audio", response_class=FileResponse, responses=_AUDIO)
async def hear_recording(
    request: Request,
    found: Found,
    access: Listener,
    guid: Guid,
    format: Annotated[Literal["mp3", "gsm"] | None, Query(description="Only this; else MP3 before GSM.")] = None,
) -> Response:
    """The audio itself, whole or in byte ranges, with an ETag and the time it was last changed."""
    known = await _known(found, access, guid)
    return audio_response(request, await _file(found, guid, known.date, f".{format}" if format else None))


@router.post("/{guid}/convert")
async def convert_recording(found: Found, access: Administrator, guid: Guid) -> ConvertedRecording:
    """Convert a recording from GSM to MP3 now. The engine does so by itself after each call."""
    known = await _known(found, access, guid)
    path = await _file(found, guid, known.date)
    done = await found.library.convert_path(path.with_suffix(".gsm"), trim_s=await trim_s(found.store, guid))
    if known.state:
        await found.store.recording_done(guid, done, found.clock.now())
    result: Literal["converted", "nothing recorded"] = "converted" if done else "nothing recorded"
    return ConvertedRecording(guid=guid, result=result, duration_s=round(done.duration_s, 2) if done else None)


@router.post("/{guid}/trim")
async def trim_recording(found: Found, access: Administrator, guid: Guid, trim: Trim) -> ConvertedRecording:
    """Cut a recording in place. What is cut off is gone; the rest is encoded anew."""
    if not trim.left_s and trim.length_s is None:
        raise InvalidSetting("left_s", trim.left_s, "left_s, length_s or both")
    known = await _known(found, access, guid)
    path = await _file(found, guid, known.date)
    done = await found.library.trim(guid, _folder(path), left_s=trim.left_s, length_s=trim.length_s)
    return ConvertedRecording(guid=guid, result="converted", duration_s=round(done.duration_s, 2))


@router.post("/prune")
async def prune_recordings(found: Found, access: Administrator, prune: Prune) -> Pruned:
    """Remove recordings of calls more than so many days ago, from the date folders only."""
    today = datetime.fromtimestamp(found.clock.now() / 1000, tz=zone_of(found.zone)).date()

    def work() -> list[str]:
        gone = found.library.prune(days=prune.days, today=today, backup=prune.backup, dry_run=prune.dry_run)
        return [f"{path.parent.name}/{path.name}" for path in gone]

    files = await asyncio.to_thread(work)
    return Pruned(removed=len(files), dry_run=prune.dry_run, files=files)
