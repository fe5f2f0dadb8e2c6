"""What requests over HTTP leave behind: files to load, a dialect's own objects, answers to repeat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from astdialer.domain.contact import NewContact


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadJob:
    """A base that was sent to us, and how far loading it has come."""

    id: str
    campaign_id: int | None  #: None: each row names its own
    base: str
    tenant: str
    file_name: str
    path: str  #: where its file waits
    options: Mapping[str, Any] = field(default_factory=dict)
    state: str = "waiting"  #: waiting, loading, done or failed
    bytes: int = 0
    bytes_done: int = 0
    created_at: int = 0
    created_by: str = ""
    ended_at: int | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignObject:
    """An object in the words of a dialect, as it came, under the id that the dialect knows it by."""

    dialect: str
    kind: str
    id: str
    tenant: str = ""
    name: str = ""  #: what it is here: a campaign's id, a calendar's name
    body: Mapping[str, Any] = field(default_factory=dict)
    created_at: int = 0
    changed_at: int = 0


#: Dialects, and their kinds of objects, whose id is that of a contact: they go when the contact is removed.
CONTACT_DOCUMENTS = (("webitel3", "member"), ("webitel4", "member"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The answer to a request that came with a key. ``status`` None: the request is still being done."""

    fingerprint: str
    created_at: int
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


#: Loads a job's file; told how many bytes are read. Returns the report, raises AstdialerError.
BaseLoader = Callable[[UploadJob, Callable[[int, int], None]], Awaitable[Mapping[str, Any]]]


class RequestStore(Protocol):
    """What requests leave behind."""

    async def add_to_base(
        self, campaign_id: int, base: str, contacts: Sequence[NewContact], now: int
    ) -> Sequence[int | None]:
        """Add contacts one by one to a base that can be dialed at once; makes the base. Their ids, None for one whose
        main number, or reference, is there already. Who has expired, or has no number that can be dialed, ends."""

    async def contact_by_reference(self, campaign_id: int, reference: str) -> int | None:
        """The contact that the other system calls so."""

    async def add_job(self, job: UploadJob) -> None: ...
    async def job(self, job_id: str) -> UploadJob:
        """Raises NotFound."""

    async def jobs(self, tenant: str | None, limit: int, after: tuple[int, str] | None = None) -> Sequence[UploadJob]:
        """The newest first; ``after``: those behind the one of this time and id."""

    async def open_jobs(self) -> Sequence[UploadJob]:
        """Those that are not ended, the oldest first."""

    async def save_job(self, job: UploadJob) -> None: ...
    async def forget_jobs(self, before: int) -> None:
        """Those that are ended and came before an instant."""

    async def foreign(self, dialect: str, kind: str, object_id: str) -> ForeignObject | None: ...
    async def foreign_by_name(self, dialect: str, kind: str, name: str) -> ForeignObject | None: ...
    async def foreign_all(self, dialect: str, kind: str, tenant: str | None = None) -> Sequence[ForeignObject]:
        """In the order in which they were made."""

    async def save_foreign(self, made: ForeignObject) -> None:
        """Make or replace."""

    async def documents(self, dialect: str, kind: str, ids: Sequence[str]) -> Mapping[str, ForeignObject]:
        """Those that there are of these ids, by them."""

    async def save_documents(self, made: Sequence[ForeignObject]) -> None:
        """Make or replace, all of them or none."""

    async def remove_foreign(self, dialect: str, kind: str, object_id: str) -> bool: ...

    async def begin_request(self, token_id: str, key: str, fingerprint: str, now: int) -> Kept | None:
        """None: it is new, and now being done; else what is kept of the first one."""

    async def end_request(
        self, token_id: str, key: str, *, status: int, headers: Mapping[str, str], body: bytes
    ) -> None: ...
    async def forget_request(self, token_id: str, key: str) -> None:
        """It failed on our side: it may be tried again."""

    async def forget_requests(self, before: int) -> None: ...
