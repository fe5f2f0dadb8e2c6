"""Calls that are over, as Twin24's analysis tells them: ``search/cis/sessions``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from astdialer.domain.errors import InvalidNumber
from astdialer.http.services import Services
from astdialer.http.twin24 import task as tasks
from astdialer.http.twin24.states import CALL, candidate_id, digits, iso
from astdialer.http.twin24.task import Task
from astdialer.http.twin24.tasks import From, Limit, Word, place_in_list
from astdialer.http.twin24.translate import spellings
from astdialer.http.v1.common import Found, Reader

router = APIRouter(prefix="/sessions", tags=["twin24"])


@router.get("")
async def search_sessions(
    found: Found,
    access: Reader,
    *,
    id: Word = "",
    task_id: Annotated[Word, Query(alias="taskId")] = "",
    phone: Word = "",
    from_: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    to: AwareDatetime | None = None,
    fields: Annotated[str, Query(max_length=2000)] = "",
    page: From = None,
    offset: From = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Calls of tasks, the newest first; ``fields`` joined by commas leave only these of each."""
    first = place_in_list(page, offset, limit)
    if task_id:
        of = {task.campaign.name: task for task in [await tasks.find(found, access, task_id)]}
    else:
        of = {task.campaign.name: task for task in await tasks.find_all(found, access)}
    filters = {"guid": id or None, "from_at": _ms(from_), "to_at": _ms(to)}
    filters |= {"campaign": next(iter(of))} if task_id else {}
    rows = await _rows(found, of, filters, phone, first + limit)
    kept = await found.store.attachments([row["contact_id"] for row in rows[first:]])
    items = [_session(of[row["campaign"]], row, kept.get(row["contact_id"], {})) for row in rows[first:]]
    wanted = {name.strip() for name in fields.split(",") if name.strip()}
    if wanted:
        items = [{name: value for name, value in item.items() if name in wanted | {"id"}} for item in items]
    return {"count": len(items), "items": items}


async def _rows(
    found: Services, of: Mapping[str, Task], filters: Mapping[str, Any], phone: str, most: int
) -> Sequence[Mapping[str, Any]]:
    """The first calls of these tasks; of a phone, in whatever way it is written."""
    for number in _numbers(found, phone) if phone else [None]:
        rows = []
        async for row in found.store.cdrs({**filters, "number": number}, None):
            if row["campaign"] in of:
                rows.append(row)
            if len(rows) >= most:
                break
        if rows:
            return rows
    return []


def _numbers(found: Services, phone: str) -> list[str]:
    numbers = []
    for spelling in (*spellings(phone, russian=False), *spellings(phone, russian=True)):
        try:
            numbers.append(found.read_number(spelling, "M").number)
        except InvalidNumber:
            continue
    return list(dict.fromkeys(numbers))


def _ms(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def _session(task: Task, cdr: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    results = {"keypress": cdr["keypress"]} if cdr["keypress"] else {}
    ended_at = cdr["calldate"] + cdr["duration"] * 1000
    return {
        "id": cdr["guid"],
        "taskId": task.id,
        "botId": task.body.get("defaultExecData"),
        "autoCallCandidateId": candidate_id(task.id, cdr["contact_id"]),
        "isIncoming": False,
        "number": digits(cdr["dst"]),
        "callFrom": digits(cdr["clid"]),
        "callTo": digits(cdr["dst"]),
        "currentStatusName": CALL[cdr["disposition"]],
        "disposition": cdr["disposition"],
        "createdAt": iso(cdr["calldate"]),
        "startedAt": iso(cdr["calldate"]),
        "finishedAt": iso(ended_at),
        "duration": cdr["billsec"],
        "mainCallDuration": cdr["billsec"],
        "robotCallDuration": round(cdr["billsec"] - cdr["talk_s"]),
        "hungUpBy": cdr["hung_up_by"],
        "variables": kept.get("variables") or {},
        "callbackData": kept.get("callbackData") or [],
        "results": results,
        "resultsString": json.dumps(results),
        "messagesAsString": "",
    }
