"""Recordings at uContact's addresses: ``/records/GUID.mp3``, ``/records/YYYYMMDD/GUID.mp3``, the same with ``.gsm``;
and from GSM to MP3 at a word."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from astdialer.domain.access import Access, Permission
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.engine.recordings import trim_s
from astdialer.http.access import Needs
from astdialer.http.audio import audio_response
from astdialer.http.services import Services, services
from astdialer.http.ucontact.forms import fields_of
from astdialer.http.ucontact.values import done

SUFFIXES = (".mp3", ".gsm")
Listener = Annotated[Access, Depends(Needs(Permission.LISTEN))]


def router(prefix: str) -> APIRouter:
    """The files."""
    made = APIRouter(prefix=prefix)
    for path in ("/{name}", "/{folder}/{name}"):
        made.add_api_route(path, _file, methods=["GET", "HEAD"])
    return made


async def _file(request: Request, access: Listener) -> Response:
    """A recording, or a range of it. Another tenant's is not there."""
    folder, name = request.path_params.get("folder"), request.path_params["name"]
    path = Path(name)
    if path.suffix not in SUFFIXES:
        raise NotFound("recording", name[:80], "its name ends in .mp3 or .gsm")
    found = services(request)
    place = await _found(found, access, path.stem, folder, path.suffix)
    if place is None:
        raise NotFound("recording", f"{folder}/{name}" if folder else name)
    return audio_response(request, place)


async def _found(found: Services, access: Access, guid: str, folder: str | None, suffix: str) -> Path | None:
    """The file at that place; where no folder is named, that of the call's date will do as well."""
    await _check_seen(found, access, guid)
    place = await asyncio.to_thread(found.library.place, guid, folder, suffix)
    if place is None and folder is None:
        rows = await found.store.recordings({"guid": guid}, 1)
        if rows:
            place = await asyncio.to_thread(found.library.place, guid, str(rows[0]["date"]), suffix)
    return place


async def _check_seen(found: Services, access: Access, guid: str) -> None:
    """Raises NotFound for another tenant's call. Files of other dialers, of which no call is known, are nobody's: only
    tokens without a tenant see them."""
    try:
        await found.call(access, guid)
    except NotFound:
        if access.tenant:
            raise


def convert_router(prefix: str) -> APIRouter:
    """Supervisor/convert."""
    made = APIRouter(prefix=f"{prefix}/resources/Supervisor")
    made.add_api_route("/convert", _convert, methods=["POST"])
    return made


async def _convert(request: Request, access: Listener) -> Response:
    """Make the MP3 beside a GSM file, and answer when it is there; the folder is empty for files in none."""
    found, fields = services(request), await fields_of(request)
    guid, folder = fields.line("guid"), fields.line("folder", "pasta") or None
    if not guid:
        raise InvalidSetting("guid", "", "the recording's guid")
    if await _found(found, access, guid, folder, ".mp3"):
        return done()
    gsm = await _found(found, access, guid, folder, ".gsm")
    if gsm is None:
        raise NotFound("recording", f"{folder}/{guid}" if folder else guid)
    if await found.library.convert_path(gsm, trim_s=await trim_s(found.store, guid)) is None:
        raise NotFound("sound in recording", guid)
    return done()
