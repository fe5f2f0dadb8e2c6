"""/v1/calendars, the outcomes of campaigns, and campaigns from files."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from contact_hands import fields, refused
from http_hands import Hands, hands

from astdialer.domain.access import Role
from astdialer.domain.route import Destination, Route

HOURS = "mon-fri 09:00-18:00, sat 10:00-14:00"
#: 1 January 2026 and 2027 in Lima.
LIMA_2026, LIMA_2027 = 1_767_243_600_000, 1_798_779_600_000


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def made(api: Hands, **values: Any) -> Any:
    answer = await api.ask("POST", "/v1/calendars", json={"name": "office", "hours": HOURS, **values})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/calendars/{answer.json()['name']}"
    return answer.json()


async def changed(api: Hands, **values: Any) -> Any:
    answer = await api.ask("PATCH", "/v1/calendars/office", json=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- calendars -------------------------------------------------------------------------------------------------------


async def test_a_calendar_is_made_and_shown(api: Hands) -> None:
    await made(
        api,
        timezone="America/Lima",
        exceptions=["2026-12-25 yearly Christmas"],
        **{"from": "2026-01-01"},
        until="2026-12-31",
    )
    await api.campaign("demo", calendar="office")
    assert (await api.ask("GET", "/v1/calendars/office")).json() == {
        "name": "office",
        "hours": HOURS,
        "timezone": "America/Lima",
        "exceptions": ["2026-12-25 yearly Christmas"],
        "from": "2026-01-01",
        "until": "2026-12-31",
        "starts_at": LIMA_2026,
        "ends_at": LIMA_2027,
        "open_now": False,
        "opens_at": LIMA_2026 + 9 * 3_600_000,
        "in_zone": "America/Lima",
        "campaigns": ["demo"],
    }


async def test_a_calendar_is_changed_in_what_is_given(api: Hands) -> None:
    await made(api, exceptions=["2026-12-25 A"], until="2026-12-31")
    found = await changed(api, timezone="Europe/Rome", hours="mon-sun 00:00-24:00")
    assert (found["timezone"], found["open_now"], found["opens_at"]) == ("Europe/Rome", True, None)
    assert (found["exceptions"], found["ends_at"] is None) == (["2026-12-25 A"], False)
    found = await changed(api, exceptions=["2026-12-28 once B"], until=None, **{"from": "2026-01-01"})
    assert (found["exceptions"], found["until"], found["from"]) == (["2026-12-28 B"], None, "2026-01-01")
    assert (await changed(api, **{"from": None}))["starts_at"] is None


async def test_calendars_are_listed_by_name_page_by_page(api: Hands) -> None:
    for name in ("b", "c", "a"):
        await made(api, name=name)
    first = (await api.ask("GET", "/v1/calendars?limit=2")).json()
    assert [row["name"] for row in first["items"]] == ["a", "b"]
    second = (await api.ask("GET", f"/v1/calendars?limit=2&cursor={first['next']}")).json()
    assert ([row["name"] for row in second["items"]], second["next"]) == (["c"], None)


async def test_a_calendar_that_nobody_uses_is_removed(api: Hands) -> None:
    await made(api)
    await api.campaign("demo", calendar="office")
    answer = await api.ask("DELETE", "/v1/calendars/office")
    assert (answer.status_code, "demo" in answer.json()["detail"]) == (409, True)
    await api.ask("PATCH", "/v1/campaigns/demo", json={"settings": {"calendar": ""}})
    assert (await api.ask("DELETE", "/v1/calendars/office")).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        more: Any = {"json": {}} if method == "PATCH" else {}
        assert (await api.ask(method, "/v1/calendars/office", **more)).status_code == 404


async def test_a_name_is_taken_once(api: Hands) -> None:
    await made(api)
    answer = await api.ask("POST", "/v1/calendars", json={"name": "office", "hours": "mon 09:00-10:00"})
    assert answer.status_code == 409
    assert (await api.ask("GET", "/v1/calendars/office")).json()["hours"] == HOURS


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "../office"}, "name"),
        ({"name": ""}, "name"),
        ({"hours": "noon"}, "hours"),
        ({"hours": None}, "hours"),
        ({"timezone": "Mars"}, "timezone"),
        ({"exceptions": ["Christmas"]}, "exceptions"),
        ({"exceptions": "2026-12-25"}, "exceptions"),
        ({"from": "tomorrow"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"from": "1969-12-31"}, "from"),
        ({"until": "9999-12-31"}, "until"),
        ({"from": "2026-02-02", "until": "2026-02-01"}, "until"),
        ({"starts_at": 5}, "starts_at"),
    ],
)
async def test_what_no_calendar_can_be_is_refused(api: Hands, change: dict[str, Any], field: str) -> None:
    answer = await api.ask("POST", "/v1/calendars", json={"name": "office", "hours": HOURS} | change)
    assert fields(answer) == [field]
    assert (await api.ask("GET", "/v1/calendars")).json()["items"] == []


async def test_a_bad_change_changes_nothing(api: Hands) -> None:
    before = await made(api)
    for change, field in (
        ({"exceptions": ["2026-12-28 B"], "hours": "noon"}, "hours"),
        ({"timezone": "Europe/Rome", "from": "2026-02-02", "until": "2026-02-01"}, "until"),
        ({"name": "other"}, "name"),
    ):
        assert fields(await api.ask("PATCH", "/v1/calendars/office", json=change)) == [field]
    assert (await api.ask("GET", "/v1/calendars/office")).json() == before


async def test_a_tenant_reads_calendars_and_changes_none(api: Hands) -> None:
    before = await made(api)
    await api.campaign("theirs", tenant="b", calendar="office")
    await refused(api, "POST", "/v1/calendars", 403, json={"name": "own", "hours": HOURS})
    await refused(api, "PATCH", "/v1/calendars/office", 403, json={"hours": "mon 09:00-10:00"})
    await refused(api, "DELETE", "/v1/calendars/office", 403)
    shown = await api.ask("GET", "/v1/calendars/office", tenant="a")
    assert shown.json() == before
    assert (await api.ask("GET", "/v1/calendars", tenant="b")).json()["items"][0]["campaigns"] == ["theirs"]


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.AGENT])
async def test_who_may_not_change_campaigns_changes_no_calendar(api: Hands, role: Role) -> None:
    await made(api)
    asked: Any = (
        ("POST", "", {"json": {"name": "own", "hours": HOURS}}),
        ("PATCH", "/office", {"json": {"hours": "mon 09:00-10:00"}}),
        ("DELETE", "/office", {}),
    )
    for method, path, more in asked:
        assert (await api.ask(method, f"/v1/calendars{path}", role=role, **more)).status_code == 403


# --- outcomes --------------------------------------------------------------------------------------------------------


async def test_the_outcomes_of_a_campaign_say_what_they_do(api: Hands) -> None:
    await api.campaign("demo", outcomes="Sale=success;No|Never=blacklist:*;Note=tag:noted")
    assert (await api.ask("GET", "/v1/campaigns/demo/outcomes")).json() == {
        "items": [
            {"levels": ["Sale"], "action": "success", "argument": "", "tag": "Sale"},
            {"levels": ["No", "Never"], "action": "blacklist", "argument": "*", "tag": "No|Never"},
            {"levels": ["Note"], "action": "tag", "argument": "noted", "tag": "noted"},
        ],
        "next": None,
    }
    await api.campaign("theirs", tenant="b")
    await refused(api, "GET", "/v1/campaigns/theirs/outcomes", 404)


# --- campaigns from files --------------------------------------------------------------------------------------------


async def exported(api: Hands, name: str = "demo") -> bytes:
    return (await api.ask("GET", f"/v1/campaigns/{name}/export")).content


async def settings(api: Hands, name: str) -> Any:
    return (await api.ask("GET", f"/v1/campaigns/{name}")).json()["settings"]


async def test_a_campaign_is_made_from_a_file_and_replaced_when_asked(api: Hands) -> None:
    await api.campaign("demo", max_calls="7")
    file = await exported(api)
    answer = await api.ask("POST", "/v1/campaigns/import?name=copy", content=b"\xef\xbb\xbf" + file)
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/campaigns/copy")
    assert (answer.json()["name"], answer.json()["settings"]["max_calls"], answer.json()["saved"]) == ("copy", "7", [])
    (event,) = (await api.ask("GET", "/v1/campaigns/copy/history")).json()["items"]
    assert (event["event"], event["done_by"]) == ("created", "admin")

    file = file.replace(b"max_calls = 7", b"max_calls = 8")
    assert (await api.ask("POST", "/v1/campaigns/import", content=file)).status_code == 409
    assert (await settings(api, "demo"))["max_calls"] == "7"
    answer = await api.ask("POST", "/v1/campaigns/import?replace=true", content=file)
    assert (answer.status_code, (await settings(api, "demo"))["max_calls"]) == (200, "8")


async def test_a_file_brings_its_calendar_and_routes(api: Hands) -> None:
    await made(api)
    await api.campaign("demo")
    await api.store.save_route(Route(name="uk", pattern="^44", destinations=(Destination(trunk="carrier"),)))
    changes = {"settings": {"calendar": "office", "routes": "uk"}}
    assert (await api.ask("PATCH", "/v1/campaigns/demo", json=changes)).status_code == 200
    file = await exported(api)
    changed_file = file.replace(b"09:00-18:00", b"09:00-17:00")
    assert changed_file != file
    path = "/v1/campaigns/import?name=copy"
    assert (await api.ask("POST", path, content=changed_file)).status_code == 409
    answer = await api.ask("POST", f"{path}&replace=true", content=changed_file)
    assert (answer.status_code, answer.json()["saved"]) == (201, ["calendar office"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "format = None"),
        (b"\xff", "byte 1"),
        (b"format = 1\nname = ", "no TOML"),
        (b"format = " + b"9" * 5000, "no TOML"),
        (b"format = " + b"[" * 20_000, "no TOML"),
        (b'format = 1\nname = "a/b"\n', "line 2: name = 'a/b'"),
        (b'format = 1\nname = "x"\n[settings]\nmax_calls = 0\n', "line 4: settings.max_calls"),
    ],
)
async def test_a_file_that_cannot_be_used_names_the_line(api: Hands, content: bytes, says: str) -> None:
    answer = await api.ask("POST", "/v1/campaigns/import", content=content)
    assert (fields(answer), says in answer.json()["detail"]) == (["body"], True), answer.text
    assert (await api.ask("GET", "/v1/campaigns")).json()["items"] == []


async def test_a_file_that_names_what_is_not_there_makes_nothing(api: Hands) -> None:
    content = b'format = 1\nname = "x"\ntrunks = ["gone"]\n[settings]\ntrunk = "gone"\n'
    assert (await api.ask("POST", "/v1/campaigns/import", content=content)).status_code == 409
    assert fields(await api.ask("POST", "/v1/campaigns/import?name=a/b", content=content)) == ["name"]
    assert (await api.ask("GET", "/v1/campaigns")).json()["items"] == []


async def test_a_tenants_file_makes_its_own_campaign_and_touches_nothing_else(api: Hands) -> None:
    await made(api)
    await api.campaign("theirs", tenant="b", calendar="office")
    await api.campaign("first", tenant="a")
    file = await exported(api, "theirs")
    who: Any = {"role": Role.INTEGRATION, "tenant": "a"}

    answer = await api.ask("POST", "/v1/campaigns/import?name=ours", content=file, **who)
    assert answer.status_code == 201
    assert (await api.store.campaign("ours")).tenant == "a"

    for query in ("", "?replace=true"):
        answer = await api.ask("POST", f"/v1/campaigns/import{query}", content=file, **who)
        assert (answer.status_code, answer.json()["detail"]) == (409, "the name 'theirs' is taken")

    other_hours = file.replace(b"09:00-18:00", b"09:00-17:00")
    answer = await api.ask("POST", "/v1/campaigns/import?name=ours2&replace=true", content=other_hours, **who)
    assert (answer.status_code, "calendar 'office'" in answer.json()["detail"]) == (403, True)
    assert (await api.ask("GET", "/v1/calendars/office")).json()["hours"] == HOURS
    assert [row["name"] for row in (await api.ask("GET", "/v1/campaigns", tenant="a")).json()["items"]] == [
        "first",
        "ours",
    ]


async def test_who_may_not_set_up_routes_imports_none(api: Hands) -> None:
    await api.campaign("demo")
    await api.store.save_route(Route(name="uk", pattern="^44", destinations=(Destination(trunk="carrier"),)))
    assert (await api.ask("PATCH", "/v1/campaigns/demo", json={"settings": {"routes": "uk"}})).status_code == 200
    file = (await exported(api)).replace(b"^44", b"^4")
    path = "/v1/campaigns/import?name=copy&replace=true"
    answer = await api.ask("POST", path, content=file, role=Role.SUPERVISOR)
    assert (answer.status_code, "route 'uk'" in answer.json()["detail"]) == (403, True)
    assert [route.pattern for route in await api.store.routes()] == ["^44"]
    assert (await api.ask("POST", path, content=file)).status_code == 201
