"""Bases, and the files that fill them: streamed to the disk, loaded one after the other, followed while that lasts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from astdialer.domain.access import Access
from astdialer.domain.campaign import Campaign
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.domain.names import base_of
from astdialer.engine import uploads
from astdialer.engine.contacts import TASKS
from astdialer.http.bodies import plain_name, spooled
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import page, place_of
from astdialer.http.services import Services
from astdialer.http.v1.common import (
    PROBLEMS,
    USUAL_LIMIT,
    ContactKeeper,
    Cursor,
    Found,
    Limit,
    Name,
    Page,
    Reader,
)
from astdialer.http.v1.numbers import LINE, base_name
from astdialer.ports import UploadJob

router = APIRouter(tags=["bases"], route_class=IdempotentRoute, responses=PROBLEMS)

JobId = Annotated[str, Field(max_length=40)]

FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string", "format": "binary"},
                "example": "number,name,alt\n+447700900123,Ana,W=02079460958\n",
            },
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    }
}


class Upload(BaseModel):
    """A file that was sent to us, and how far loading it has come."""

    id: str
    campaign: str | None = Field(description="null: each row names its own")
    base: str
    file_name: str
    dry_run: bool
    state: str = Field(description="waiting, loading, done or failed")
    bytes: int
    bytes_done: int
    progress: float = Field(description="0 to 1")
    created_at: int
    created_by: str
    ended_at: int | None
    report: dict[str, Any] = Field(description="When it is done: what was added, and what was wrong with other rows.")
    rejects: str | None = Field(description="Where the rows are that could not be loaded, for a week.")
    error: str


class BaseUpload(BaseModel):
    """What one file brought, or, without a name, what came one by one."""

    file_name: str
    state: str = Field(description="published (it is dialed), loading or discarding")
    contacts: int
    done: int


class BaseRow(BaseModel):
    """A base of a campaign."""

    base: str
    timezone: str = Field(description="Of all its contacts that have none of their own; empty: as their numbers say.")
    created_at: int
    contacts: int
    done: int
    uploads: list[BaseUpload]


class Wanted:
    """The query of an upload."""

    def __init__(
        self,
        *,
        base: Annotated[
            str, Query(max_length=64, description="Name of the base; else it is called as the file is.")
        ] = "",
        file_name: Annotated[str, Query(max_length=500, pattern=LINE, description="What the file is called.")] = "",
        timezone: Annotated[
            str, Query(max_length=64, description="Its zone, such as America/Lima; else each number's.")
        ] = "",
        country: Annotated[
            str, Query(max_length=2, description="Country of numbers without a code, in place of the default.")
        ] = "",
        mapping: Annotated[
            list[str],
            Query(
                alias="map",
                max_length=200,
                description="FIELD=COLUMN, repeatable: the column of number, campaign, alt (repeatable), priority, "
                "agentphone, bucket, timezone, not_before, expires or params; any other FIELD names a param.",
                examples=["number=Phone"],
            ),
        ] = [],  # noqa: B006  (FastAPI copies it)
        encoding: Annotated[
            str, Query(max_length=40, description="Such as utf-8 or cp1251; else it is detected.")
        ] = "",
        delimiter: Annotated[str, Query(max_length=10, description="One character, or tab; else it is detected.")] = "",
        dry_run: Annotated[bool, Query(description="Check everything, and add nothing.")] = False,
    ) -> None:
        self.base, self.file_name = base and base_name(base), plain_name(file_name)
        self.options = uploads.options_of(
            timezone=timezone,
            country=country,
            mapping=mapping,
            encoding=encoding,
            delimiter=delimiter,
            dry_run=dry_run,
        )


Asked = Annotated[Wanted, Depends()]


@router.get("/campaigns/{name}/bases")
async def list_bases(found: Found, access: Reader, name: Name) -> Page[BaseRow]:
    """The bases of a campaign, in the order in which they were made."""
    campaign = await found.campaign(access, name)
    rows = await found.store.bases(campaign.id)
    return Page[BaseRow](items=[_base(list(of)) for _, of in groupby(rows, key=lambda row: row["id"])])


def _base(rows: list[Mapping[str, Any]]) -> BaseRow:
    parts = [
        BaseUpload(file_name=_file(row), state=row["state"], contacts=row["contacts"], done=row["done"])
        for row in rows
        if row["state"]
    ]
    published = [part for part in parts if part.state == "published"]
    return BaseRow(
        base=rows[0]["base"],
        timezone=rows[0]["timezone"],
        created_at=rows[0]["created_at"],
        contacts=sum(part.contacts for part in published),
        done=sum(part.done for part in published),
        uploads=parts,
    )


def _file(row: Mapping[str, Any]) -> str:
    return "" if row["file_name"] == TASKS else str(row["file_name"])


# --- files -----------------------------------------------------------------------------------------------------------


@router.post("/campaigns/{name}/uploads", status_code=202, openapi_extra=FILE_BODY)
async def upload_to_campaign(
    request: Request, found: Found, access: ContactKeeper, *, name: Name, wanted: Asked, response: Response
) -> Upload:
    """Send a file of contacts of one campaign, whatever its rows say. It is loaded when it has come whole; all of its
    good rows can be dialed together, at the end."""
    campaign = await found.campaign(access, name)
    return await _taken(request, found, access, wanted, response, campaign=campaign)


@router.post("/uploads", status_code=202, openapi_extra=FILE_BODY)
async def upload(request: Request, found: Found, access: ContactKeeper, wanted: Asked, response: Response) -> Upload:
    """Send a file of contacts whose rows name their campaigns."""
    return await _taken(request, found, access, wanted, response)


async def _taken(
    request: Request,
    found: Services,
    access: Access,
    wanted: Wanted,
    response: Response,
    *,
    campaign: Campaign | None = None,
) -> Upload:
    file = await spooled(request, found.spool, found.settings.timeout_s)
    try:
        name = wanted.file_name or file.name
        if not wanted.base and not name:
            raise InvalidSetting("base", "", "the name of the base, or file_name to call it as the file is")
        job = await uploads.submit(
            found.store,
            found.clock,
            path=file.path,
            base=wanted.base or base_name(base_of(name)),
            file_name=name or wanted.base,
            size=file.size,
            campaign=campaign,
            tenant=access.tenant,
            options=wanted.options,
            done_by=access.name,
        )
    except BaseException:
        file.drop()
        raise
    response.headers["location"] = f"/v1/uploads/{job.id}"
    return _shown(job, {campaign.id: campaign.name} if campaign else {})


@router.get("/uploads")
async def list_uploads(found: Found, access: Reader, limit: Limit = USUAL_LIMIT, cursor: Cursor = None) -> Page[Upload]:
    """Files that were sent to us, the newest first. One that was loaded, or could not be, is forgotten 90 days after it
    came, with its report."""
    place = place_of(cursor, int, str)
    jobs = await found.store.jobs(access.tenant or None, limit, (place[0], place[1]) if place else None)
    names = await _names(found, access)
    last = [(job.created_at, job.id) for job in jobs[-1:]]
    return Page[Upload](**page([_shown(job, names) for job in jobs], limit, *(last[0] if last else ())))


@router.get("/uploads/{job_id}")
async def show_upload(found: Found, access: Reader, job_id: JobId) -> Upload:
    """How far loading has come, and what came of it."""
    return _shown(await _job(found, access, job_id), await _names(found, access))


@router.get("/uploads/{job_id}/rejects", response_class=FileResponse, responses={200: {"content": {"text/csv": {}}}})
async def upload_rejects(found: Found, access: Reader, job_id: JobId) -> FileResponse:
    """The rows that could not be loaded, as CSV: line, reason, message, and the row as it came."""
    job = await _job(found, access, job_id)
    path = Path(job.path + uploads.REJECTS)
    if not path.is_file():
        raise NotFound("rejects of upload", job_id, "it had none, is not done, or was done more than a week ago")
    return FileResponse(path, media_type="text/csv", filename=f"{base_of(job.file_name)}{uploads.REJECTS}")


async def _job(found: Services, access: Access, job_id: str) -> UploadJob:
    """Another tenant's is not there. Raises NotFound."""
    job = await found.store.job(job_id)
    if not access.sees(job.tenant):
        raise NotFound("upload", job_id)
    return job


async def _names(found: Services, access: Access) -> Mapping[int, str]:
    return {campaign.id: campaign.name for campaign in await found.campaigns(access)}


def _shown(job: UploadJob, names: Mapping[int, str]) -> Upload:
    report = {key: value for key, value in job.report.items() if key not in ("rejects_file", "warnings_file")}
    done = job.bytes_done / job.bytes if job.bytes else 0.0
    return Upload(
        id=job.id,
        campaign=names.get(job.campaign_id) if job.campaign_id is not None else None,
        base=job.base,
        file_name=job.file_name,
        dry_run=bool(job.options.get("dry_run")),
        state=job.state,
        bytes=job.bytes,
        bytes_done=job.bytes_done,
        progress=round(min(1.0, done), 4),
        created_at=job.created_at,
        created_by=job.created_by,
        ended_at=job.ended_at,
        report=report,
        rejects=f"/v1/uploads/{job.id}/rejects" if job.report.get("rejects_file") else None,
        error=job.error,
    )
