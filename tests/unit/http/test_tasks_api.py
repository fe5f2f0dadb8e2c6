"""/v1/campaigns/{name}/tasks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from call_hands import agent_row, engine
from contact_hands import ANA, BEN, CAT, added, fields, refused, shown
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role

HOUR = 3_600_000
PATH = "/v1/campaigns/demo/tasks"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("demo")
        yield opened


def wish(number: str = ANA, **more: Any) -> dict[str, Any]:
    return {"number": {"number": number}, **more}


async def asked(api: Hands, number: str = ANA, **more: Any) -> Any:
    answer = await api.ask("POST", PATH, json=wish(number, **more))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def listed(api: Hands, query: str = "") -> list[tuple[str, int]]:
    answer = await api.ask("GET", f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    return [(row["number"], row["at"]) for row in answer.json()["items"]]


async def test_a_call_is_scheduled_with_all_that_it_has(api: Hands) -> None:
    added_ = await asked(
        api,
        "07700 900001",
        alternatives=[{"number": BEN, "type": "W"}, {"number": "07700 900003"}],
        at=NOW + HOUR,
        promised=True,
        agent="1001",
        params={"name": "Ana", "n": 1},
        priority=7,
    )
    assert added_["guid"] == ""
    assert "demo is idle" in added_["message"]
    (row,) = (await api.ask("GET", PATH)).json()["items"]
    assert row == {
        "contact": added_["contact"],
        "at": NOW + HOUR,
        "number": ANA,
        "alternatives": [BEN, CAT],
        "agent": "1001",
        "tries": 0,
        "promised": True,
        "params": {"name": "Ana", "n": "1"},
    }
    found = await shown(api, added_["contact"])
    assert (found["rank"], found["priority"], found["base"]) == ("dated", 7, "tasks")
    assert [n["type"] for n in found["numbers"]] == ["P", "W", "U"]


async def test_the_same_wish_again_is_no_second_call(api: Hands) -> None:
    first = await asked(api, at=NOW + HOUR)
    again = await asked(api, at=NOW + HOUR, params={"a": "b"})
    assert (again["contact"], "asked for already" in again["message"]) == (first["contact"], True)
    assert await listed(api) == [(ANA, NOW + HOUR)]


@pytest.mark.parametrize(("when", "rank", "priority"), [("next", "task", 1), ("list", "list", 9999)])
async def test_a_call_without_a_time_is_made_next_or_in_its_turn(
    api: Hands, when: str, rank: str, priority: int
) -> None:
    found = await shown(api, (await asked(api, when=when))["contact"])
    assert (found["rank"], found["priority"], found["state"]) == (rank, priority, "ready")
    assert await listed(api) == []


async def test_an_agent_calls_at_once(api: Hands) -> None:
    await api.view()

    async def carry_out() -> None:
        while True:
            for order in await api.orders():
                assert (order.kind, order.body["agent"], order.body["number"]) == ("agent_call", "1001", ANA)
                await api.store.order_done(order.id, result='{"contact_id": 7, "guid": "g-1"}')
                return
            await asyncio.sleep(0)

    answer, _ = await asyncio.gather(api.ask("POST", PATH, json=wish(when="now", agent="1001")), carry_out())
    assert (answer.status_code, answer.json()["contact"], answer.json()["guid"]) == (201, 7, "g-1")


async def test_a_tenants_token_has_no_agent_of_others_call(api: Hands) -> None:
    await api.campaign("mine", tenant="a", queue="a-sales")
    await api.view(agents=[agent_row("PJSIP/1001", "a-sales"), agent_row("PJSIP/2001", "sales")])
    path = "/v1/campaigns/mine/tasks"
    with engine(api, agent_call={"guid": "g", "contact_id": 7}) as asked_for:
        statuses = [
            (await api.ask("POST", path, tenant="a", json=wish(when="now", agent=agent))).status_code
            for agent in ("1001", "2001")
        ]
    assert statuses == [201, 404]
    assert [order.body["agent"] for order in asked_for.orders] == ["PJSIP/1001"]


async def test_an_agent_cannot_call_at_once_without_an_engine(api: Hands) -> None:
    answer = await api.ask("POST", PATH, json=wish(when="now", agent="1001"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_a_blacklisted_number_is_not_scheduled(api: Hands) -> None:
    await api.ask("POST", "/v1/blacklist", json={"numbers": [ANA]})
    assert (await api.ask("POST", PATH, json=wish(at=NOW + HOUR))).status_code == 409
    assert await listed(api) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number": {"number": "12"}}, "number.number"),
        ({"number": {"number": ANA, "timezone": "Mars"}}, "number.timezone"),
        ({"number": ANA}, "number"),
        ({"alternatives": [{"number": BEN}, {"number": "x"}]}, "alternatives.1.number"),
        ({"at": -1}, "at"),
        ({"at": NOW + 10**11}, "at"),
        ({"at": NOW + HOUR, "when": "now"}, "when"),
        ({"when": "never"}, "when"),
        ({"promised": True}, "promised"),
        ({"when": "now"}, "agent"),
        ({"agent": "a b"}, "agent"),
        ({"params": {"a b": "x"}}, "params"),
        ({"priority": 0}, "priority"),
    ],
)
async def test_what_no_call_can_be_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    assert fields(await api.ask("POST", PATH, json=wish() | change)) == [field]
    assert (await api.ask("GET", "/v1/contacts")).json()["items"] == []


async def test_scheduled_calls_are_listed_by_their_time_page_by_page(api: Hands) -> None:
    for number, hours in ((ANA, 2), (BEN, 1), (CAT, 2), (ANA, 3)):
        await asked(api, number, at=NOW + hours * HOUR)
    await asked(api, BEN)
    everything = [(BEN, NOW + HOUR), (ANA, NOW + 2 * HOUR), (CAT, NOW + 2 * HOUR), (ANA, NOW + 3 * HOUR)]
    assert await listed(api) == everything
    assert await listed(api, "?number=07700900001") == [everything[1], everything[3]]
    assert await listed(api, f"?from={NOW + 2 * HOUR}&to={NOW + 3 * HOUR}") == everything[1:3]
    seen, cursor = list[tuple[str, int]](), ""
    while cursor is not None:
        page = (await api.ask("GET", f"{PATH}?limit=1{cursor and f'&cursor={cursor}'}")).json()
        seen += [(row["number"], row["at"]) for row in page["items"]]
        cursor = page["next"]
    assert seen == everything
    assert fields(await api.ask("GET", f"{PATH}?number=x")) == ["number"]
    assert fields(await api.ask("GET", f"{PATH}?from=x")) == ["query.from"]


async def test_scheduled_calls_are_removed(api: Hands) -> None:
    for number, hours in ((ANA, 1), (ANA, 2), (BEN, 1)):
        await asked(api, number, at=NOW + hours * HOUR)
    await added(api, ANA)
    answer = await api.ask("DELETE", f"{PATH}?number=+447700900001&to={NOW + 2 * HOUR}")
    assert answer.json() == {"removed": 1}
    assert await listed(api) == [(BEN, NOW + HOUR), (ANA, NOW + 2 * HOUR)]
    assert (await api.ask("DELETE", f"{PATH}?number=07700900001")).json() == {"removed": 1}
    assert (await api.ask("DELETE", f"{PATH}?number=07700900001")).json() == {"removed": 0}
    assert fields(await api.ask("DELETE", PATH)) == ["query.number"]
    rows = (await api.ask("GET", "/v1/contacts?state=ready")).json()["items"]
    assert [row["base"] for row in rows] == ["api"]


async def test_another_tenants_calls_are_not_there(api: Hands) -> None:
    await api.campaign("theirs", tenant="b")
    path = "/v1/campaigns/theirs/tasks"
    assert (await api.ask("POST", path, json=wish(at=NOW + HOUR))).status_code == 201
    await refused(api, "GET", path, 404)
    await refused(api, "POST", path, 404, json=wish())
    await refused(api, "DELETE", f"{path}?number=07700900001", 404)
    assert len((await api.ask("GET", path, tenant="b")).json()["items"]) == 1


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.AGENT])
async def test_who_may_not_change_contacts_schedules_nothing(api: Hands, role: Role) -> None:
    assert (await api.ask("POST", PATH, json=wish(), role=role)).status_code == 403
    assert (await api.ask("DELETE", f"{PATH}?number=07700900001", role=role)).status_code == 403
    assert (await api.ask("GET", "/v1/contacts")).json()["items"] == []
