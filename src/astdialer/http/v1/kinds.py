"""Kinds of values that several endpoints take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict

from astdialer.domain.access import Access, Permission
from astdialer.http.access import Needs

#: Who may look, or act for a telephone of its own: an endpoint that takes it checks which.
LookerOrCaller = Annotated[Access, Depends(Needs(Permission.READ, Permission.OWN_CALLS))]

Guid = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$",
        description="The call's id: `guid` of its record, the Uniqueid of its channel.",
        examples=["0d6f2c1e-7a53-4b0e-9c57-1f6f1a0f8a11"],
    ),
]
Name = Annotated[str, Path(max_length=70, description="Its name.", examples=["spring"])]


def _real_date(text: str | None) -> str | None:
    try:
        if text is not None:
            datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("expected a real date as YYYYMMDD") from None
    return text


DateFolder = Annotated[
    str | None,
    Query(pattern="^[0-9]{8}$", description="Only of this day, the call's own date YYYYMMDD.", examples=["20251009"]),
    AfterValidator(_real_date),
]
#: The latest instant that anything has, ms.
LATEST = 2**53
Days = Annotated[int, Query(ge=1, le=3660, description="The last so many days, today among them.")]


class Row(BaseModel):
    """An answer of these keys alone, whatever else the store's row has."""

    model_config = ConfigDict(extra="ignore")
