"""Twin24's API asked without a socket: its usual task, and the words of its webhooks."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from http_hands import Hands

from astdialer.domain.access import Role
from astdialer.domain.campaign import Campaign
from astdialer.domain.trunk import Trunk
from astdialer.ports import ForeignObject

TELEPHONY = "/api/v1/telephony"
#: TW-01, as Twin24's document has it.
SEED: dict[str, Any] = next(
    each["body"]
    for each in json.loads((Path(__file__).parents[2] / "requests.json").read_text(encoding="utf-8"))
    if each["id"] == "TW-01"
)
SCENARIO = SEED["defaultExecData"]


def task(**changes: Any) -> dict[str, Any]:
    """The seed's task, but started by hand, with the trunk's own caller id, and told to nobody. ``a__b`` is b of a."""
    body = copy.deepcopy(SEED)
    plain: dict[str, Any] = {
        "cidType": "default",
        "cidData": None,
        "startType": "manual",
        "startMoment": "",
        "webhookUrls": [],
    }
    for path, value in (plain | changes).items():
        place = body
        *parents, last = path.split("__")
        for parent in parents:
            place = place[parent]
        place[last] = value
        if value is ...:
            del place[last]
    return body


async def trunk(api: Hands) -> None:
    await api.store.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@carrier"))


async def post(api: Hands, path: str, body: Any = None, **more: Any) -> Any:
    """A request of telephony that must succeed: its answer."""
    answer = await api.ask("POST", TELEPHONY + path, json=body, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def get(api: Hands, path: str, **more: Any) -> Any:
    answer = await api.ask("GET", TELEPHONY + path, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(api: Hands, path: str, body: Any = None, status: int = 400, **more: Any) -> Any:
    """A request that must fail: its body, which has a message."""
    answer = await api.ask("POST", TELEPHONY + path, json=body, **more)
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert told["code"] == status
    assert told["message"]
    return told


async def made(api: Hands, *, role: Role = Role.ADMIN, tenant: str = "", **changes: Any) -> str:
    """A new task's id."""
    answer = await post(api, "/autoCall", task(**changes), role=role, tenant=tenant)
    return str(answer["id"]["identity"])


async def foreign(api: Hands, identity: str) -> ForeignObject:
    found = await api.store.foreign("twin24", "autoCall", identity)
    assert found is not None
    return found


async def campaign_of(api: Hands, identity: str) -> Campaign:
    """The campaign behind a task."""
    found = await foreign(api, identity)
    return next(one for one in await api.store.campaigns() if str(one.id) == found.name)


async def status(api: Hands, identity: str) -> str:
    return str((await get(api, f"/autoCall/{identity}"))["status"])
