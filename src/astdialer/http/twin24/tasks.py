"""``autoCall``: make, list, show, play, pause, halt."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from astdialer.domain.errors import InvalidSetting
from astdialer.http.access import CheckedRoute
from astdialer.http.twin24 import task as tasks
from astdialer.http.twin24.models import AutoCall
from astdialer.http.twin24.states import STATUSES
from astdialer.http.v1.common import CampaignKeeper, Found, Reader

router = APIRouter(prefix="/autoCall", tags=["twin24"], route_class=CheckedRoute)

MOST = 1000
_SORTS = ("status", "name", "createdAt")

From = Annotated[int | None, Query(ge=0, le=10**9)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Word = Annotated[str, Query(max_length=255)]


def place_in_list(page: int | None, offset: int | None, limit: int) -> int:
    """Where a page begins; pages are counted from 0. Raises InvalidSetting."""
    if page is not None and offset is not None:
        raise InvalidSetting("page", page, "page or offset, not both")
    return offset or (page or 0) * limit


@router.post("")
async def make_task(request: Request, found: Found, access: CampaignKeeper, task: AutoCall) -> dict[str, Any]:
    """A new task, which starts by itself at its startMoment, or when it is played."""
    made = await tasks.make(found, access, task, await tasks.raw_body(request))
    return {"id": {"identity": made.id}}


@router.get("")
async def list_tasks(
    found: Found,
    access: Reader,
    *,
    page: From = None,
    offset: From = None,
    limit: Limit = 100,
    keyword: Word = "",
    status: Word = "",
    from_: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    to: AwareDatetime | None = None,
    sort: Word = "createdAt",
) -> dict[str, Any]:
    """Tasks that were made ``from`` an instant ``to`` another, have one of the statuses (joined by commas), and the
    keyword in their name."""
    first, wanted = place_in_list(page, offset, limit), _statuses(status)
    key = _sort_key(sort.removeprefix("-"))
    listed = [
        task
        for task in await tasks.find_all(found, access)
        if task.status in wanted
        and keyword.lower() in task.text("name").lower()
        and _ms(from_, 0) <= task.created_at < _ms(to, 2**63)
    ]
    listed.sort(key=key, reverse=sort.startswith("-"))
    shown = [await tasks.shown(found, task) for task in listed[first : first + limit]]
    return {"count": len(listed), "items": shown}


def _statuses(text: str) -> tuple[str, ...]:
    wanted = tuple(filter(None, text.split(",")))
    for status in wanted:
        if status not in STATUSES:
            raise InvalidSetting("status", status, f"some of {', '.join(STATUSES)}, joined by commas")
    return wanted or STATUSES


def _sort_key(name: str) -> Any:
    keys: dict[str, Any] = {
        "status": lambda task: STATUSES.index(task.status),
        "name": lambda task: task.text("name").lower(),
        "createdAt": lambda task: task.created_at,
    }
    if name not in keys:
        raise InvalidSetting("sort", name, f"one of {', '.join(_SORTS)}, with - in front for the other way round")
    return keys[name]


def _ms(at: datetime | None, otherwise: int) -> int:
    return otherwise if at is None else int(at.timestamp() * 1000)


@router.get("/{identity}")
async def show_task(found: Found, access: Reader, identity: str) -> dict[str, Any]:
    """A task: its document as it came, and what it is doing."""
    return await tasks.shown(found, await tasks.find(found, access, identity))


@router.post("/{identity}/play")
async def play_task(found: Found, access: CampaignKeeper, identity: str) -> dict[str, Any]:
    """Let it dial, after a pause too."""
    return _moved(await tasks.play(found, access, identity))


@router.post("/{identity}/pause")
async def pause_task(found: Found, access: CampaignKeeper, identity: str) -> dict[str, Any]:
    """Place no new call; live ones run on."""
    return _moved(await tasks.pause(found, access, await tasks.find(found, access, identity)))


@router.post("/{identity}/halted")
@router.post("/{identity}/halt", include_in_schema=False)
async def halt_task(found: Found, access: CampaignKeeper, identity: str) -> dict[str, Any]:
    """End it for ever; live calls run on."""
    return _moved(await tasks.halt(found, access, await tasks.find(found, access, identity)))


def _moved(task: tasks.Task) -> dict[str, Any]:
    return {"id": {"identity": task.id}, "status": task.status}
