"""/v1/trunks, /v1/routes and /v1/callerids."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from call_hands import phone
from http_hands import Hands, hands

from astdialer.domain.access import Role

DIAL = "PJSIP/{number}@carrier"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def made(api: Hands, what: str, **body: Any) -> dict[str, Any]:
    answer = await api.ask("POST", f"/v1/{what}", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/{what}/{body['name']}"
    shown: dict[str, Any] = answer.json()
    return shown


async def refused(api: Hands, method: str, path: str, body: dict[str, Any]) -> tuple[int, list[str]]:
    answer = await api.ask(method, path, json=body)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, [each["field"] for each in answer.json().get("errors", [])]


# --- trunks ----------------------------------------------------------------------------------------------------------


async def test_a_trunk_is_made_changed_and_removed(api: Hands) -> None:
    shown = await made(api, "trunks", name="carrier", dial=DIAL, max_calls=3)
    assert shown == {
        "name": "carrier",
        "dial": DIAL,
        "server": "default",
        "max_calls": 3,
        "calls_per_second": 5.0,
        "caller_id": "",
        "enabled": True,
    }
    changed = await api.ask("PATCH", "/v1/trunks/carrier", json={"enabled": False, "max_calls": 0})
    assert changed.json() == shown | {"enabled": False, "max_calls": 0}
    assert (await api.ask("GET", "/v1/trunks/carrier")).json() == changed.json()
    assert (await api.ask("GET", "/v1/trunks")).json() == {"items": [changed.json()], "next": None}
    assert (await api.ask("DELETE", "/v1/trunks/carrier")).status_code == 204
    assert (await api.ask("PATCH", "/v1/trunks/carrier", json={})).status_code == 404
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, "/v1/trunks/carrier")).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": None}, "name"),
        ({"dial": "carrier"}, "dial"),
        ({"dial": "PJSIP/{number}@c\r\nAction: Reload"}, "dial"),
        ({"server": "two"}, "server"),
        ({"max_calls": -1}, "max_calls"),
        ({"max_calls": "many"}, "max_calls"),
        ({"calls_per_second": 0}, "calls_per_second"),
        ({"caller_id": "nobody"}, "caller_id"),
        ({"caller_id": "pool:none"}, "caller_id"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_can_not_be_a_trunk_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    body = {"name": "carrier", "dial": DIAL} | change
    assert await refused(api, "POST", "/v1/trunks", body) == (422, [field])
    assert await api.store.trunks() == []


async def test_a_bad_change_of_a_trunk_changes_nothing(api: Hands) -> None:
    before = await made(api, "trunks", name="carrier", dial=DIAL)
    assert await refused(api, "PATCH", "/v1/trunks/carrier", {"max_calls": 9, "server": "x"}) == (422, ["server"])
    assert (await api.ask("GET", "/v1/trunks/carrier")).json() == before
    assert await refused(api, "POST", "/v1/trunks", {"name": "carrier", "dial": DIAL}) == (409, [])


async def test_a_trunk_in_use_stays(api: Hands) -> None:
    await api.campaign("demo")
    answer = await api.ask("DELETE", "/v1/trunks/carrier")
    assert (answer.status_code, "the setting trunk of demo" in answer.json()["detail"]) == (409, True)


# --- routes ----------------------------------------------------------------------------------------------------------


async def test_a_route_is_made_changed_and_removed(api: Hands) -> None:
    for name in ("carrier", "spare"):
        await made(api, "trunks", name=name, dial=DIAL)
    to = [{"trunk": "carrier", "rewrite": "0$1", "order": 2}, {"trunk": "spare"}]
    shown = await made(api, "routes", name="uk", pattern=r"/^44(\d+)$/", destinations=to)
    assert (shown["pattern"], shown["enabled"]) == (r"^44(\d+)$", True)
    assert shown["destinations"] == [
        {"trunk": "carrier", "rewrite": "0$1", "order": 2, "enabled": True},
        {"trunk": "spare", "rewrite": "$&", "order": 0, "enabled": True},
    ]
    await api.campaign("demo", routes="uk")
    assert (await api.ask("GET", "/v1/routes/uk")).json() == shown | {"campaigns": ["demo"]}
    assert (await api.ask("DELETE", "/v1/routes/uk")).status_code == 409
    changed = await api.ask("PATCH", "/v1/routes/uk", json={"destinations": [{"trunk": "spare"}], "enabled": False})
    assert (changed.json()["enabled"], len(changed.json()["destinations"])) == (False, 1)
    assert [row["name"] for row in (await api.ask("GET", "/v1/routes")).json()["items"]] == ["uk"]
    await api.ask("PATCH", "/v1/campaigns/demo", json={"settings": {"routes": ""}})
    assert (await api.ask("DELETE", "/v1/routes/uk")).status_code == 204
    assert (await api.ask("GET", "/v1/routes/uk")).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"pattern": "("}, "pattern"),
        ({"pattern": r"(?:\d{100}){100}0"}, "pattern"),
        ({"destinations": []}, "destinations"),
        ({"destinations": [{"trunk": "gone"}]}, "trunk"),
        ({"destinations": [{"trunk": "carrier", "rewrite": "$9"}]}, "rewrite"),
        ({"destinations": [{"trunk": "carrier", "order": 10**9}]}, "order"),
        ({"destinations": [{"trunk": "carrier", "colour": 1}]}, "destinations.0.colour"),
    ],
)
async def test_what_can_not_be_a_route_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    await made(api, "trunks", name="carrier", dial=DIAL)
    body = {"name": "uk", "pattern": "^44", "destinations": [{"trunk": "carrier"}]} | change
    assert await refused(api, "POST", "/v1/routes", body) == (422, [field])
    assert await api.store.routes() == []


async def test_a_change_that_breaks_a_rewrite_is_refused(api: Hands) -> None:
    await made(api, "trunks", name="carrier", dial=DIAL)
    to = [{"trunk": "carrier", "rewrite": "0$1"}]
    before = await made(api, "routes", name="uk", pattern=r"^44(\d+)$", destinations=to)
    assert await refused(api, "PATCH", "/v1/routes/uk", {"pattern": "^44"}) == (422, ["rewrite"])
    assert (await api.ask("GET", "/v1/routes/uk")).json() == before | {"campaigns": []}


async def test_a_number_is_tried(api: Hands) -> None:
    for name in ("carrier", "spare"):
        await made(api, "trunks", name=name, dial=f"PJSIP/{{number}}@{name}")
    to = [{"trunk": "carrier", "rewrite": "0$1"}, {"trunk": "spare", "order": 1}]
    await made(api, "routes", name="uk", pattern=r"^44(\d+)$", destinations=to)
    await made(api, "routes", name="es", pattern="^34", destinations=[{"trunk": "spare"}])
    await api.ask("PATCH", "/v1/trunks/spare", json={"enabled": False})

    tried = (await api.ask("POST", "/v1/routes/test", json={"number": "020 7946 0001"})).json()
    assert (tried["number"], tried["leaves"]) == (phone(1), True)
    assert [(way["turn"], way["route"], way["dials"], way["note"]) for way in tried["ways"]] == [
        (None, "es", "", "^34 does not match"),
        (1, "uk", "PJSIP/02079460001@carrier", ""),
        (None, "uk", "PJSIP/442079460001@spare", "the trunk is disabled"),
    ]
    await api.campaign("demo", routes="es")
    of_demo = await api.ask("POST", "/v1/routes/test", json={"number": phone(1), "campaign": "demo"})
    assert (of_demo.json()["leaves"], len(of_demo.json()["ways"])) == (False, 1)
    assert await refused(api, "POST", "/v1/routes/test", {"number": "12"}) == (422, ["number"])
    assert await refused(api, "POST", "/v1/routes/test", {"number": phone(1), "campaign": "x"}) == (404, [])


# --- caller ids ------------------------------------------------------------------------------------------------------


async def test_a_pool_is_made_changed_and_removed(api: Hands) -> None:
    numbers = ["442079460000", "Sales <442079460001>"]
    assert await made(api, "callerids", name="london", numbers=numbers) == {"name": "london", "numbers": numbers}
    changed = await api.ask("PUT", "/v1/callerids/london", json={"numbers": ["442079460002"]})
    assert changed.json()["numbers"] == ["442079460002"]
    assert (await api.ask("GET", "/v1/callerids")).json()["items"] == [changed.json()]
    await api.campaign("demo", caller_id="pool:london")
    in_use = await api.ask("DELETE", "/v1/callerids/london")
    assert (in_use.status_code, "campaign demo" in in_use.json()["detail"]) == (409, True)
    await api.ask("PATCH", "/v1/campaigns/demo", json={"settings": {"caller_id": ""}})
    assert (await api.ask("DELETE", "/v1/callerids/london")).status_code == 204
    assert (await api.ask("GET", "/v1/callerids/london")).status_code == 404
    assert await refused(api, "PUT", "/v1/callerids/london", {"numbers": ["1234"]}) == (404, [])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"numbers": []}, "numbers"),
        ({"numbers": ["1234567-89"]}, "number"),
        ({"numbers": ["44\r\n55"]}, "number"),
        ({"numbers": "442079460000"}, "numbers"),
    ],
)
async def test_what_can_not_be_a_pool_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    body = {"name": "london", "numbers": ["442079460000"]} | change
    assert await refused(api, "POST", "/v1/callerids", body) == (422, [field])
    assert await api.store.caller_id_pools() == {}


async def test_a_name_that_is_taken(api: Hands) -> None:
    await made(api, "trunks", name="carrier", dial=DIAL)
    for what, body in (
        ("callerids", {"name": "a", "numbers": ["442079460000"]}),
        ("routes", {"name": "a", "pattern": "^44", "destinations": [{"trunk": "carrier"}]}),
    ):
        await made(api, what, **body)
        assert await refused(api, "POST", f"/v1/{what}", body) == (409, [])


# --- who may ---------------------------------------------------------------------------------------------------------


async def test_a_tenant_reads_names_alone(api: Hands) -> None:
    await made(api, "trunks", name="carrier", dial=DIAL)
    await made(api, "routes", name="uk", pattern="^44", destinations=[{"trunk": "carrier"}])
    await made(api, "callerids", name="london", numbers=["442079460000"])
    for what, name in (("trunks", "carrier"), ("routes", "uk"), ("callerids", "london")):
        assert (await api.ask("GET", f"/v1/{what}", tenant="a")).json() == {"items": [{"name": name}], "next": None}
        assert (await api.ask("GET", f"/v1/{what}/{name}", tenant="a")).json() == {"name": name}


@pytest.mark.parametrize("who", [{"role": Role.SUPERVISOR}, {"role": Role.INTEGRATION}, {"tenant": "a"}])
async def test_only_an_administrator_of_everything_changes_anything(api: Hands, who: dict[str, Any]) -> None:
    to = [{"trunk": "carrier"}]
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "/v1/trunks", {"name": "carrier", "dial": DIAL}),
        ("PATCH", "/v1/trunks/carrier", {"enabled": False}),
        ("DELETE", "/v1/trunks/carrier", None),
        ("POST", "/v1/routes", {"name": "uk", "pattern": "^44", "destinations": to}),
        ("PATCH", "/v1/routes/uk", {"enabled": False}),
        ("DELETE", "/v1/routes/uk", None),
        ("POST", "/v1/routes/test", {"number": phone(1)}),
        ("POST", "/v1/callerids", {"name": "london", "numbers": ["442079460000"]}),
        ("PUT", "/v1/callerids/london", {"numbers": ["442079460000"]}),
        ("DELETE", "/v1/callerids/london", None),
    ]
    for method, path, body in requests:
        assert (await api.ask(method, path, json=body, **who)).status_code == 403, (method, path)
        assert (await api.client.request(method, path, json=body)).status_code == 401
    for path in ("/v1/trunks", "/v1/routes", "/v1/callerids"):
        assert (await api.ask("GET", path, role=Role.AGENT)).status_code == 403
