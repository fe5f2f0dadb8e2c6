"""Loading what others sent to the spool, as ports.BaseLoader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from astdialer.config import Engine
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewNumber
from astdialer.domain.errors import InvalidNumber
from astdialer.ports import BaseLoader, Clock, Store, UploadJob
from astdialer.upload.errors import RowError
from astdialer.upload.load import Options, load
from astdialer.upload.numbers import NumberReader
from astdialer.upload.zones import zones_of

#: Beside a job's file: the rows that could not be loaded.
REJECTS = ".rejects.csv"


def number_reader(settings: Engine) -> Callable[[str, str], NewNumber]:
    """Reads a number that somebody wrote, of a type, as an upload does. What it returns raises InvalidNumber."""
    reader = NumberReader(settings.default_country, settings.number_check)

    def read(text: str, kind: str) -> NewNumber:
        try:
            number = reader.read(text, kind)
        except RowError as error:
            raise InvalidNumber(text[:80], str(error)) from None
        return replace(number, zones=zones_of(number.number))

    return read


def spool_loader(store: Store, clock: Clock, settings: Engine) -> BaseLoader:
    """Loads jobs' files into campaigns of the job's tenant."""

    async def load_job(job: UploadJob, progress: Callable[[int, int], None]) -> Mapping[str, Any]:
        campaigns = {
            campaign.name: campaign for campaign in await store.campaigns() if job.tenant in ("", campaign.tenant)
        }
        options = _options(job, campaigns, settings)
        report = await load(job.path, store, campaigns, options, clock, progress=progress)
        return report.as_dict() | {"file": job.file_name}

    return load_job


def _options(job: UploadJob, campaigns: Mapping[str, Campaign], settings: Engine) -> Options:
    given = dict(job.options)
    mapping = tuple((str(name), str(column)) for name, column in given.get("mapping", ()))
    return Options(
        base=job.base,
        campaign=next((name for name, c in campaigns.items() if c.id == job.campaign_id), ""),
        fallback=given.get("fallback", ""),
        spellings=bool(given.get("spellings")),
        timezone=given.get("timezone", ""),
        local_zone=settings.zone,
        country=given.get("country") or settings.default_country,
        number_check=settings.number_check,
        mapping=mapping,
        encoding=given.get("encoding", ""),
        delimiter=given.get("delimiter", ""),
        rejects=Path(job.path + REJECTS),
        dry_run=bool(given.get("dry_run")),
    )
