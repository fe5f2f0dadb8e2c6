"""What the native API's endpoints share: who asks and with what, pages, and what errors are in the document."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from astdialer.domain.access import Access, Permission
from astdialer.http.access import Needs
from astdialer.http.paging import MOST, USUAL
from astdialer.http.services import Services, provided

Found = Annotated[Services, Depends(provided)]
Reader = Annotated[Access, Depends(Needs(Permission.READ))]
Listener = Annotated[Access, Depends(Needs(Permission.LISTEN))]
ContactKeeper = Annotated[Access, Depends(Needs(Permission.CONTACTS))]
CampaignKeeper = Annotated[Access, Depends(Needs(Permission.CAMPAIGNS))]
Administrator = Annotated[Access, Depends(Needs(Permission.SETUP))]
AgentKeeper = Annotated[Access, Depends(Needs(Permission.AGENTS))]
Caller = Annotated[Access, Depends(Needs(Permission.OWN_CALLS))]
HookKeeper = Annotated[Access, Depends(Needs(Permission.HOOKS))]
TokenKeeper = Annotated[Access, Depends(Needs(Permission.TOKENS))]

#: How many items a page has.
Limit = Annotated[int, Query(ge=1, le=MOST, description="Items of a page.")]
Cursor = Annotated[str | None, Query(max_length=500, description="The `next` of the page before.")]
USUAL_LIMIT = USUAL

#: A campaign's.
Name = Annotated[str, Field(max_length=70)]
#: An id of ours: what SQLite can count.
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Model(BaseModel):
    """A body; a key that it does not have is an error that names it."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """An answer; keys that only some have are left as they are."""

    model_config = ConfigDict(extra="allow")


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page of a list; ``next`` is the cursor of the page behind it, null on the last one."""

    items: list[Item]
    next: str | None = None


class ProblemModel(BaseModel):
    """problem+json, RFC 9457."""

    type: str = Field(examples=["urn:astdialer:problem:invalid_setting"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["max_calls = '0': expected a whole number from 1 to 10000"])
    instance: str = Field(examples=["/v1/campaigns"])
    errors: list[dict[str, str]] = Field(
        default=[], examples=[[{"field": "max_calls", "message": "expected a whole number from 1 to 10000"}]]
    )


def _problem(words: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemModel"}
    return {"description": words, "model": ProblemModel, "content": {"application/problem+json": {"schema": schema}}}


#: Errors that any endpoint may answer with, for the OpenAPI document.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: _problem("The request can't be read."),
    401: _problem("No token, or none that is good."),
    403: _problem("The token's role does not allow it."),
    404: _problem("There is no such thing, or it is another tenant's."),
    405: _problem("The path has other methods."),
    409: _problem("It can't be done in the present state."),
    413: _problem("The body is too large."),
    422: _problem("A value can't be; the answer names its field."),
    429: _problem("Too many requests; Retry-After says when to come again."),
    503: _problem("Asterisk, the store or the engine is not there."),
}
