"""The blacklist: numbers, and how numbers begin, that are not dialed, for one campaign or for all."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from astdialer.domain.access import Access, Forbidden
from astdialer.domain.errors import InvalidSetting, NotFound
from astdialer.engine import contacts
from astdialer.http.bodies import FileBody
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
    Model,
    Page,
    Reader,
)
from astdialer.http.v1.numbers import Instant, Line, NumberText, plain_number, refusal
from astdialer.ports import BlacklistEntry

router = APIRouter(prefix="/blacklist", tags=["blacklist"], route_class=IdempotentRoute, responses=PROBLEMS)

#: Campaign of entries that bind every one.
ALL = "*"
#: Entries that are added together, and lines that are read before others have a turn.
BATCH, AT_ONCE = 5000, 200
#: Lines that are quoted of those that can't be read, and the longest one, bytes.
QUOTED, LONGEST = 20, 4096

CampaignName = Annotated[str, Field(max_length=70, description="The campaign; * is all of them.")]
NumberQuery = Annotated[str, Query(max_length=60, description="As an upload takes it.")]
Covered = Annotated[str, Query(max_length=60, description="A number, or with a * at the end how numbers begin.")]
TEXT_BODY = {
    "requestBody": {
        "required": True,
        "content": {"text/plain": {"schema": {"type": "string"}, "example": "+447700900123,asked\n+4477*\n"}},
    }
}


class Entry(BaseModel):
    """A number that is not dialed, or every number that begins so."""

    number: str = Field(examples=["+447700900123", "+4477*"])
    campaign: str
    reason: str
    added_by: str
    added_at: int
    until: int | None = Field(description="null: for ever")


class NewEntries(Model):
    """Numbers that are not to be dialed. Of what is listed already the later end counts, with its reason."""

    numbers: list[NumberText] = Field(
        min_length=1, max_length=10_000, description="With a * at the end: how numbers begin.", examples=[["+4477*"]]
    )
    campaign: CampaignName = ALL
    reason: Line = ""
    until: Instant | None = Field(default=None, description="Only until then.")


class Listed(BaseModel):
    """What came of entries."""

    added: int = Field(description="New, or with a later end.")
    kept: int = Field(description="They were there already, and end no sooner.")
    withdrawn: int = Field(description="Waiting contacts that are not called there any more, or only later.")


class ListedNumbers(Listed):
    """And how they are kept."""

    numbers: list[str]


class BadLine(BaseModel):
    """A line that can't be read."""

    line: int
    message: str


class Imported(Listed):
    """What came of a file."""

    lines: int
    bad: int = Field(description="Lines that could not be read; the first of them are in `errors`.")
    errors: list[BadLine]


class Removed(BaseModel):
    """How many entries were removed."""

    removed: int


# --- looking ---------------------------------------------------------------------------------------------------------


@router.get("")
async def list_entries(
    found: Found,
    access: Reader,
    campaign: Annotated[str | None, Query(max_length=70, description="Of this campaign; * for those of all.")] = None,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
) -> Page[Entry]:
    """Who is not dialed, by number."""
    if campaign not in (None, ALL):
        await found.campaign(access, campaign)
    place = place_of(cursor, str, str) or ("", "")
    entries = await found.store.blacklist(campaign, limit, tenant=access.tenant or None, after=(place[0], place[1]))
    last = [(entry.number, entry.campaign) for entry in entries[-1:]]
    return Page[Entry](**page([_shown(entry) for entry in entries], limit, *(last[0] if last else ())))


@router.get("/check")
async def check_number(
    found: Found,
    access: Reader,
    number: NumberQuery,
    campaign: Annotated[str | None, Query(max_length=70, description="Only for this campaign's calls.")] = None,
) -> list[Entry]:
    """The entries that keep a number from being dialed now; none: it may be."""
    if campaign is not None:
        await found.campaign(access, campaign)
    plain = plain_number(found, number)
    entries = await found.store.barring(plain, campaign, found.clock.now())
    seen = {one.name for one in await found.campaigns(access)} | {ALL}
    return [_shown(entry) for entry in entries if not access.tenant or entry.campaign in seen]


def _shown(entry: BlacklistEntry) -> Entry:
    return Entry(
        number=entry.number,
        campaign=entry.campaign,
        reason=entry.reason,
        added_by=entry.added_by,
        added_at=entry.added_at,
        until=entry.expires_at,
    )


# --- changing --------------------------------------------------------------------------------------------------------


async def check_campaign(found: Services, access: Access, campaign: str) -> None:
    """Raises NotFound, and Forbidden for all campaigns, which are more than a tenant's."""
    if campaign != ALL:
        await found.campaign(access, campaign)
    elif access.tenant:
        raise Forbidden("entries for all campaigns are the whole installation's: name one of your campaigns")


def _until(found: Services, until: int | None) -> int | None:
    if until is not None and until <= found.clock.now():
        raise InvalidSetting("until", until, "an instant to come")
    return until


@router.post("")
async def add_entries(found: Found, access: ContactKeeper, new: NewEntries) -> ListedNumbers:
    """Never dial these numbers, or not until the entry ends; waiting calls to them are not placed any more. All of
    them are added, or none."""
    await check_campaign(found, access, new.campaign)
    until = _until(found, new.until)
    numbers = await _numbers(found, new.numbers)
    entry = _entry(found, access, new.campaign, new.reason, until)
    entries = [replace(entry, number=number) for number in numbers]
    done = await contacts.forbid(found.store, found.clock, entries)
    return ListedNumbers(added=done.added, kept=done.kept, withdrawn=done.withdrawn, numbers=numbers)


async def _numbers(found: Services, given: Sequence[str]) -> list[str]:
    """Raises RequestValidationError, which names all that can't be read."""
    numbers: list[str] = []
    mistakes: list[tuple[str, str]] = []
    for at, text in enumerate(given):
        if at % AT_ONCE == 0:
            await asyncio.sleep(0)  # calls are being placed by the same thread
        try:
            numbers.append(found.read_covered(text))
        except InvalidSetting as error:
            mistakes.append((f"numbers.{at}", str(error)))
    if mistakes:
        raise refusal(mistakes)
    return list(dict.fromkeys(numbers))


def _entry(found: Services, access: Access, campaign: str, reason: str, until: int | None) -> BlacklistEntry:
    """Without its number."""
    now = found.clock.now()
    return BlacklistEntry(
        number="", campaign=campaign, reason=reason, added_by=access.name, added_at=now, expires_at=until
    )


@router.delete("")
async def remove_entry(
    found: Found, access: ContactKeeper, number: Covered, campaign: Annotated[CampaignName, Query()] = ALL
) -> Removed:
    """Allow a number again. Who only waited for the end of the entry comes up; who was closed for it stays closed."""
    await check_campaign(found, access, campaign)
    text = "+" + number.strip() if number.startswith(" ") else number
    try:
        covered = found.read_covered(text)
    except InvalidSetting as error:
        raise refusal([("number", str(error))]) from None
    if not await found.store.remove_from_blacklist(covered, campaign):
        raise NotFound("entry of the blacklist", covered, f"none for campaign {campaign}")
    return Removed(removed=1)


# --- a whole list ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tally:
    """What an import has come to so far."""

    added: int = 0
    kept: int = 0
    withdrawn: int = 0
    lines: int = 0
    bad: int = 0
    errors: list[BadLine] = field(default_factory=list)

    def refuse(self, message: str) -> None:
        self.bad += 1
        if len(self.errors) < QUOTED:
            self.errors.append(BadLine(line=self.lines, message=message))


@router.post("/import", openapi_extra=TEXT_BODY)
async def import_entries(
    request: Request,
    found: Found,
    access: ContactKeeper,
    *,
    campaign: Annotated[CampaignName, Query()] = ALL,
    reason: Annotated[Line, Query(description="Of numbers that have none of their own.")] = "",
    until: Annotated[Instant | None, Query(description="Only until then.")] = None,
) -> Imported:
    """Add every number of a text file: one a line, as UTF-8; what follows a comma or semicolon is its reason. Lines
    that can't be read are left out. What came before a broken connection is kept: send the file again."""
    await check_campaign(found, access, campaign)
    entry = _entry(found, access, campaign, reason, _until(found, until))
    tally, batch = _Tally(), list[BlacklistEntry]()
    async for line in _lines(FileBody(request, found.settings.timeout_s)):
        tally.lines += 1
        if tally.lines % AT_ONCE == 0:
            await asyncio.sleep(0)
        number, own_reason = contacts.number_and_reason(line)
        if not number:
            continue
        try:
            covered = found.read_covered(number if len(line) <= LONGEST else line)
        except InvalidSetting as error:
            tally.refuse(str(error))
            continue
        batch.append(replace(entry, number=covered, reason=own_reason or reason))
        if len(batch) == BATCH:
            await _add(found, batch, tally)
    await _add(found, batch, tally)
    return Imported(
        added=tally.added,
        kept=tally.kept,
        withdrawn=tally.withdrawn,
        lines=tally.lines,
        bad=tally.bad,
        errors=tally.errors,
    )


async def _add(found: Services, batch: list[BlacklistEntry], tally: _Tally) -> None:
    if batch:
        done = await contacts.forbid(found.store, found.clock, batch)
        tally.added, tally.kept = tally.added + done.added, tally.kept + done.kept
        tally.withdrawn += done.withdrawn
        batch.clear()


async def _lines(body: FileBody) -> AsyncIterator[str]:
    """Of a line that is too long only the beginning is kept."""
    decoder, rest = codecs.getincrementaldecoder("utf-8-sig")("replace"), ""
    async for piece in body.pieces():
        lines = (rest + decoder.decode(piece)).split("\n")
        rest = lines.pop()[: LONGEST + 1]
        for line in lines:
            yield line
    if rest := rest + decoder.decode(b"", final=True):
        yield rest
