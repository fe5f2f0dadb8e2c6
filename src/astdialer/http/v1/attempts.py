"""Attempts: each try to reach a number, live or over, and its call detail record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from astdialer.domain.access import Access
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound
from astdialer.engine import cdrs, orders
from astdialer.engine.csv_rows import csv_text
from astdialer.http.idempotency import IdempotentRoute
from astdialer.http.paging import MOST, page, place_of
from astdialer.http.services import Services
from astdialer.http.v1.common import PROBLEMS, USUAL_LIMIT, AgentKeeper, Found, Page, Reader
from astdialer.http.v1.kinds import LATEST, Guid, Row

router = APIRouter(tags=["attempts"], route_class=IdempotentRoute, responses=PROBLEMS)

#: Rows that the export reads at a time: no reader of the store stays open while somebody takes them slowly.
BATCH = 1000
EXAMPLE_GUID = "0d6f2c1e-7a53-4b0e-9c57-1f6f1a0f8a11"


# --- what is asked ---------------------------------------------------------------------------------------------------


class CallFilter(BaseModel):
    """Which calls; all of it together."""

    model_config = ConfigDict(extra="forbid")

    campaign: str | None = Field(default=None, max_length=70, description="Only of this campaign.", examples=["spring"])
    number: str | None = Field(default=None, max_length=80, description="Only to this number, as an upload takes it.")
    disposition: Disposition | None = Field(default=None, description="Only ended so.")
    agent: str | None = Field(
        default=None, max_length=128, description="Only with this agent.", examples=["PJSIP/1001"]
    )
    base: str | None = Field(default=None, max_length=70, description="Only from this base.")
    from_at: int | None = Field(
        default=None, alias="from", ge=0, le=LATEST, description="Begun at this instant or later, ms."
    )
    to_at: int | None = Field(default=None, alias="to", ge=0, le=LATEST, description="Begun before this instant, ms.")
    min_talk_s: float | None = Field(default=None, ge=0, le=1e9, description="Talked so many seconds at least.")


class CallPage(CallFilter):
    """Which calls, and which page of them."""

    limit: int = Field(default=USUAL_LIMIT, ge=1, le=MOST, description="Items of a page.")
    cursor: str | None = Field(default=None, max_length=500, description="The `next` of the page before.")


# --- what is answered ------------------------------------------------------------------------------------------------


class CdrRow(Row):
    """A call detail record: the fields of the source systems, and ours. ``calldate`` is when dialing began."""

    guid: str = Field(examples=[EXAMPLE_GUID], description="The attempt's id.")
    calldate: int = Field(examples=[1760000000000], description="When dialing began, ms.")
    campaign: str = Field(examples=["spring"])
    dialerbase: str = Field(examples=["march"], description="The base that the contact is of.")
    contact_id: int = Field(examples=[4711])
    dst: str = Field(examples=["+442079460123"], description="The number.")
    clid: str = Field(examples=["442079460000"], description="The caller id that was shown.")
    src: str = Field(examples=["442079460000"], description="Its digits.")
    disposition: str = Field(examples=["answered"], description="What came of it.")
    causecode: int = Field(examples=[16], description="Q.850 cause, 0 if none is known.")
    sip_code: int = Field(examples=[200], description="SIP code of the far end, 0 if none is known.")
    dial_status: str = Field(examples=["ANSWER"], description="Asterisk's own word.")
    amd_verdict: str = Field(examples=["human"], description="What AMD took the answering side for.")
    amd_cause: str = Field(examples=["HUMAN-1-1"], description="AMD's reason.")
    agent: str = Field(examples=["PJSIP/1001"], description="Who took the call.")
    queue: str = Field(examples=["sales"])
    duration: int = Field(examples=[41], description="Seconds from dialing to the end.")
    billsec: int = Field(examples=[33], description="Seconds from the answer to the end.")
    ring_s: float = Field(examples=[7.8], description="How long it rang.")
    wait_s: float = Field(examples=[0.4], description="How long the person waited for an agent.")
    talk_s: float = Field(examples=[32.5], description="How long they talked.")
    hung_up_by: str = Field(examples=["contact"], description="contact, agent, engine, network, asterisk, or empty.")
    keypress: str = Field(examples=[""], description="The key that the person pressed.")
    carrier: str = Field(examples=["carrier"], description="The trunk.")
    server: str = Field(examples=["default"], description="The Asterisk.")
    channel: str = Field(examples=["PJSIP/carrier-00000007"])
    dstchannel: str = Field(examples=["PJSIP/1001"])
    dcontext: str = Field(examples=["astdialer-answered"])
    lastapp: str = Field(examples=["Queue"])
    uniqueid: str = Field(examples=[EXAMPLE_GUID])
    linkedid: str = Field(examples=[EXAMPLE_GUID])
    direction: str = Field(examples=["outbound"])
    accountcode: str = Field(examples=["spring"])


class RecordingState(Row):
    """What is known of an attempt's recording."""

    state: str = Field(examples=["done"], description="pending, done, none (nothing was recorded) or failed.")
    date: str = Field(examples=["20251009"], description="Its date folder, YYYYMMDD.")
    duration_s: float | None = Field(default=None, examples=[33.1])
    error: str = Field(default="", description="Why it could not be converted.")


class LiveCall(Row):
    """An attempt that is not over."""

    guid: str = Field(examples=[EXAMPLE_GUID])
    campaign: str = Field(examples=["spring"])
    base: str = Field(examples=["march"])
    contact_id: int = Field(examples=[4711])
    number: str = Field(examples=["+442079460123"])
    trunk: str = Field(examples=["carrier"])
    server: str = Field(examples=["default"])
    state: str = Field(examples=["connected"], description="created, dialing, ringing, answered, connected, or gone.")
    reason: str = Field(examples=["no free agent"], description="Which limit bound when it was claimed.")
    manual: bool = Field(examples=[False], description="An agent asked for it.")
    agent: str = Field(examples=["PJSIP/1001"], description="Who has taken it.")
    reserved_agent: str = Field(examples=[""], description="For whom it was made, and who is called first.")
    created_at: int = Field(examples=[1760000000000])
    dialed_at: int | None = Field(examples=[1760000000100])
    ringing_at: int | None = Field(examples=[1760000001000])
    answered_at: int | None = Field(examples=[1760000008800])
    connected_at: int | None = Field(examples=[1760000009200])
    caller_id: str = Field(examples=["442079460000"])
    amd_verdict: str | None = Field(examples=["human"])
    action: str | None = Field(examples=["queue"], description="What was done with the answered call.")


class AttemptDetail(LiveCall):
    """An attempt with all that is known of it."""

    disposition: str | None = Field(default=None, examples=["answered"], description="None while it is not over.")
    closed_at: int | None = Field(default=None, examples=[1760000041000])
    talk_ended_at: int | None = None
    gone_at: int | None = None
    dialed_as: str = Field(examples=[""], description="What a route made of the number.")
    channel: str = ""
    refusal: str = Field(default="", description="Why it was not dialed at all.")
    canceled: bool = Field(default=False, description="We took it back.")
    vanished: bool = Field(default=False, description="Nobody saw how it ended.")
    cause: int = Field(default=0, examples=[16], description="Q.850 cause of our channel.")
    sip_code: int = Field(default=0, examples=[200])
    dial_status: str = ""
    amd_cause: str = ""
    queue_status: str = ""
    key: str = ""
    agent_ring_s: float = 0
    cdr: CdrRow | None = Field(default=None, description="Null while it is not over.")
    recording: RecordingState | None = Field(default=None, description="Null if none was asked for, or it is not over.")


class HungUp(Row):
    """What was hung up."""

    hung_up: int = Field(examples=[1], description="Calls that were hung up; 0: there was none any more.")


_FLAGS = ("manual", "canceled", "vanished")


def _call(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "guid": row["id"], **{key: bool(row[key]) for key in _FLAGS}}


async def where(found: Services, access: Access, asked: CallFilter) -> dict[str, Any]:
    """The store's filters. Raises NotFound for another tenant's campaign, InvalidNumber."""
    filters = asked.model_dump(include=set(CallFilter.model_fields))
    if asked.campaign is not None:
        await found.campaign(access, asked.campaign)
    if asked.number is not None:
        filters["number"] = found.read_number(asked.number, "U").number
    return filters | {"tenant": access.tenant or None}


# --- endpoints -------------------------------------------------------------------------------------------------------


@router.get("/attempts")
async def list_attempts(found: Found, access: Reader, asked: Annotated[CallPage, Query()]) -> Page[CdrRow]:
    """Call detail records of the attempts that are over, the newest first."""
    filters = await where(found, access, asked)
    filters["before"] = place_of(asked.cursor, int, str)
    rows = [row async for row in found.store.cdrs(filters, asked.limit)]
    return Page[CdrRow](**page(rows, asked.limit, *((rows[-1]["calldate"], rows[-1]["guid"]) if rows else ())))


@router.get(
    "/attempts/export.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "A line for each."}},
)
async def export_attempts(found: Found, access: Reader, asked: Annotated[CallFilter, Query()]) -> StreamingResponse:
    """The same as CSV, however many there are, with a heading and the columns of `astdialer cdr list --csv`."""
    filters = await where(found, access, asked)
    headers = {"content-disposition": 'attachment; filename="attempts.csv"'}
    return StreamingResponse(_csv(found, filters), media_type="text/csv; charset=utf-8", headers=headers)


async def _csv(found: Services, filters: dict[str, Any]) -> AsyncIterator[str]:
    yield csv_text([], cdrs.COLUMNS)
    while rows := [row async for row in found.store.cdrs(filters, BATCH)]:
        yield csv_text([cdrs.shown(row, found.zone) for row in rows], cdrs.COLUMNS, header=False)
        filters["before"] = (rows[-1]["calldate"], rows[-1]["guid"])


@router.get("/attempts/{guid}")
async def show_attempt(found: Found, access: Reader, guid: Guid) -> AttemptDetail:
    """One attempt, live or over, with its record and the state of its recording."""
    row = await _attempt(found, access, guid)
    recording = None
    if row["recording_state"]:
        recording = {key: row[f"recording_{key}"] for key in ("state", "date", "error")}
        recording["duration_s"] = row["recording_s"]
    return AttemptDetail(**_call(row) | {"cdr": await found.store.cdr(guid), "recording": recording})


@router.get("/calls/live")
async def list_live_calls(
    found: Found,
    access: Reader,
    campaign: Annotated[str | None, Query(max_length=70, description="Only of this campaign.")] = None,
) -> Page[LiveCall]:
    """Attempts that are not over, the oldest first, all of them."""
    if campaign is not None:
        await found.campaign(access, campaign)
    rows = await found.store.live_attempts(access.tenant or None, campaign)
    return Page[LiveCall](items=[LiveCall(**_call(row)) for row in rows])


@router.post("/calls/{guid}/hangup")
async def hang_up_call(found: Found, access: AgentKeeper, guid: Guid) -> HungUp:
    """Hang up a live call, or take it back before it is answered."""
    row = await _attempt(found, access, guid)
    if row["state"] == "closed":
        return HungUp(hung_up=0)
    return HungUp(**await orders.ask(found.store, found.clock, "hangup_call", {"contact_id": row["contact_id"]}))


async def _attempt(found: Services, access: Access, guid: str) -> Mapping[str, Any]:
    row = await found.store.attempt(guid)
    if not access.sees(row["tenant"]):
        raise NotFound("attempt", guid)
    return row
