"""Bodies as Webitel's clients write them: int64 as number or text, null for what is not set, keys that nobody knows."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from astdialer.domain.access import Access, Permission
from astdialer.domain.errors import InvalidSetting
from astdialer.http.access import Needs
from astdialer.http.services import Services, provided

DIALECT = "webitel4"
#: What the samples of Webitel's Swagger page have in place of a time.
PLACEHOLDER = "string"
#: The end of the year 9999, ms.
LATEST = 253_402_300_799_999
MOST_ITEMS, MOST_COMMUNICATIONS = 50_000, 50
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Found = Annotated[Services, Depends(provided)]
Reader = Annotated[Access, Depends(Needs(Permission.READ))]
Keeper = Annotated[Access, Depends(Needs(Permission.CONTACTS))]
Worker = Annotated[Access, Depends(Needs(Permission.OWN_CALLS))]

PathId = Annotated[str, Path(max_length=80)]
Ids = Annotated[list[str] | None, Query(alias="id", max_length=1000)]
Search = Annotated[str, Query(max_length=200)]


class Refused(InvalidSetting):
    """A value that Webitel refuses, with Webitel's own id for that."""

    def __init__(self, code: str, key: str, value: object, expected: str) -> None:
        super().__init__(key, value, expected)
        self.code = code


def _instant(value: Any) -> Any:
    """Milliseconds since 1970; None for the many ways of saying nothing."""
    if value in (None, "", 0, "0", PLACEHOLDER):
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LATEST:
        raise ValueError("expected milliseconds since 1970, as a number or text, such as 1767225600000")
    return value


def _key(value: Any) -> Any:
    """An id, as text; empty for none."""
    if value in (None, "", 0, "0"):
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _variables(value: Any) -> Any:
    """Scalars as text."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        return value
    return {key: _scalar(each) for key, each in value.items()}


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("expected text, or a number that can be written down")
    return str(value) if isinstance(value, int | float) else value


def _plain(text: str) -> str:
    if _UNFIT.search(text):
        raise ValueError("expected text in one line, without control characters")
    return text


def _or(nothing: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: nothing if value is None else value)


Instant = Annotated[int | None, BeforeValidator(_instant)]
Key = Annotated[str, BeforeValidator(_key), Field(max_length=64), AfterValidator(_plain)]
Whole = Annotated[int, _or(0), Field(ge=-(2**31), lt=2**31)]
Flag = Annotated[bool, _or(False)]
Word = Annotated[str, _or(""), Field(max_length=50), AfterValidator(_plain)]
Name = Annotated[str, _or(""), Field(max_length=200), AfterValidator(_plain)]
Line = Annotated[str, _or(""), Field(max_length=500), AfterValidator(_plain)]
Number = Annotated[str, _or(""), Field(max_length=100), AfterValidator(_plain)]
Variables = Annotated[dict[str, str], BeforeValidator(_variables)]


class Body(BaseModel):
    """Keys that are not known are passed over, as Webitel does."""

    model_config = ConfigDict(extra="ignore")


class Lookup(Body):
    """Something else, meant by its id."""

    id: Key = ""
    name: Name = ""


def id_of(lookup: Lookup | None) -> str:
    """The id that is meant; empty for none."""
    return lookup.id if lookup else ""


class Communication(Body):
    """A number of a member. A higher priority goes first."""

    destination: Number = ""
    priority: Whole = 0
    description: Line = ""
    type: Lookup | None = None
    display: Word = ""
    resource: Lookup | None = None
    stop_at: Instant = None
    dtmf: Word = ""


Communications = Annotated[list[Communication], _or([])]


class Member(Body):
    """A contact on its way in. A higher priority goes first."""

    name: Name = ""
    priority: Whole = 0
    expire_at: Instant = None
    min_offering_at: Instant = None
    variables: Variables = Field(default_factory=dict)
    timezone: Lookup | None = None
    bucket: Lookup | None = None
    agent: Lookup | None = None
    skill: Lookup | None = None
    communications: Communications = Field(default_factory=list)


class Bulk(Body):
    """Many contacts: all of them, or none."""

    items: list[Member] = Field(min_length=1, max_length=MOST_ITEMS)
    file_name: Name = ""


class MemberPatch(Member):
    """What is changed of a member: the keys that are there."""

    stop_cause: Word | None = None
    attempts: Annotated[int, _or(0), Field(ge=0, le=999)] = 0

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self.model_fields_set


class AttemptResult(Body):
    """What came of an attempt."""

    status: Word = ""
    min_offering_at: Instant = None
    expire_at: Instant = None
    variables: Variables = Field(default_factory=dict)
    display: Flag = False
    description: Line = ""
    agent_id: Key = ""
    exclude_current_communication: Flag = False
    only_current_communication: Flag = False
    wait_between_retries: Annotated[int, _or(0), Field(ge=0, lt=2**31)] = 0


class Paging:
    """Which page of a list, from 1 on."""

    def __init__(
        self,
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        size: Annotated[int, Query(ge=1, le=1000)] = 40,
    ) -> None:
        self.size, self.offset = size, (page - 1) * size
        self.limit = size + 1  #: one more tells whether there is a next page

    def shown(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """A page of rows that were looked for with ``limit`` and ``offset``."""
        return {"next": len(rows) > self.size, "items": rows[: self.size]}

    def of(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The page of rows that are all there."""
        return self.shown(rows[self.offset : self.offset + self.limit])


Pages = Annotated[Paging, Depends()]
