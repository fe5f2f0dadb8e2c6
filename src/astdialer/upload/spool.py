"""Loading what others sent to the spool, as ports.BaseLoader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from astdialer.config import Engine
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import NewNumber
from astdialer.domain.errors import InvalidNumber
from astdialer.engine.uploads import REJECTS
from astdialer.ports import BaseLoader, Clock, Store, UploadJob
from astdialer.upload.errors import RowError, UploadError
from astdialer.upload.load import Options, load
from astdialer.upload.numbers import NumberReader, read_prefix
from astdialer.upload.report import UploadReport
from astdialer.upload.zones import zones_of

#: Rows of a transaction: between two the engine has its turn, whose thread this is.
AT_ONCE = 200


def number_reader(settings: Engine) -> Callable[[str, str], NewNumber]:
    """Reads a number that somebody wrote, of a type, as an upload does. What it returns raises InvalidNumber."""
    reader = NumberReader(settings.default_country, settings.number_check)

    def read(text: str, kind: str) -> NewNumber:
        try:
            number, digits = reader.parse(text)
        except RowError as error:
            raise InvalidNumber(text[:80], str(error)) from None
        return NewNumber(number=number, as_uploaded=digits, type=kind, zones=zones_of(number))

    return read


def covered_reader(settings: Engine) -> Callable[[str], str]:
    """Reads what the blacklist is to cover: a number, or with a ``*`` at the end how such numbers begin. What it
    returns gives either as the store has it, and raises InvalidNumber."""
    reader = NumberReader(settings.default_country, settings.number_check)

    def read(text: str) -> str:
        plain = text.strip()
        try:
            if plain.endswith("*"):
                return read_prefix(plain[:-1], settings.default_country, settings.number_check) + "*"
            return reader.parse(plain)[0]
        except RowError as error:
            raise InvalidNumber(plain[:80], str(error)) from None

    return read


def spool_loader(store: Store, clock: Clock, settings: Engine) -> BaseLoader:
    """Loads jobs' files into campaigns of the job's tenant."""

    async def load_job(job: UploadJob, progress: Callable[[int, int], None]) -> Mapping[str, Any]:
        campaigns = {
            campaign.name: campaign for campaign in await store.campaigns() if job.tenant in ("", campaign.tenant)
        }
        options = _options(job, campaigns, settings)
        # What it left when the process died would make its own rows duplicates, and be removed afterwards.
        await store.discard_uploads(await store.unfinished_of_job(job.id))
        earlier = await store.added_by_job(job.id)
        try:
            report = await load(job.path, store, campaigns, options, clock, progress=progress)
        except UploadError as error:
            raise UploadError(str(error).replace(job.path, job.file_name)) from error
        return _told(report, job, earlier)

    return load_job


def _told(report: UploadReport, job: UploadJob, earlier: Mapping[str, int]) -> Mapping[str, Any]:
    """The report, with what the job had added before the process died right after that: now these are duplicates."""
    told, ours = report.as_dict(), sum(earlier.values())
    for base in told["bases"]:
        before = earlier.get(base["campaign"], 0)
        base["added"], base["duplicates"] = base["added"] + before, base["duplicates"] - before
    counts = {"added": report.added + ours, "duplicates": report.duplicates - ours}
    return told | counts | {"file": job.file_name}


def _options(job: UploadJob, campaigns: Mapping[str, Campaign], settings: Engine) -> Options:
    given = dict(job.options)
    mapping = tuple((str(name), str(column)) for name, column in given.get("mapping", ()))
    return Options(
        base=job.base,
        file_name=job.file_name,
        job=job.id,
        campaign=_campaign(job, campaigns),
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
        batch=AT_ONCE,
        dry_run=bool(given.get("dry_run")),
    )


def _campaign(job: UploadJob, campaigns: Mapping[str, Campaign]) -> str:
    """The job's campaign; empty: each row names its own."""
    if job.campaign_id is None:
        return ""
    name = next((name for name, campaign in campaigns.items() if campaign.id == job.campaign_id), None)
    if name is None:
        raise UploadError(f"the campaign that {job.file_name} was sent for is not there any more")
    return name
