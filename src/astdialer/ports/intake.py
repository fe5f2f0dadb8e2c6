"""What has come in before: the contacts that a new one repeats, and what a job for loading has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from astdialer.domain.contact import NewContact
from astdialer.ports.facts import BaseUpload


class IntakeStore(Protocol):
    """Looks back at what came in."""

    async def already_there(self, campaign_id: int, base: str, contacts: Sequence[NewContact]) -> Sequence[int | None]:
        """Of each contact the id of the one whose main number, or else reference, it repeats."""

    async def unfinished_of_job(self, job_id: str) -> Sequence[BaseUpload]:
        """What a job that was broken off has left: uploads that were neither published nor removed."""

    async def added_by_job(self, job_id: str) -> Mapping[str, int]:
        """How many contacts that can be dialed a job has brought, by campaign."""
