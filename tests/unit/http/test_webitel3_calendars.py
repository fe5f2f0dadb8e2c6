"""/api/v2/calendars."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, hands
from webitel3_hands import ALWAYS, DAY_MS, UNKNOWN, Webitel, dialer

from astdialer.domain.access import Role
from astdialer.domain.calendar import DAYS, WorkingCalendar, calendar_hours_text, holiday_text
from astdialer.domain.errors import Conflict

PATH = "/api/v2/calendars"
OFFICE: dict[str, Any] = {
    "name": "WorksDay",
    "startDate": NOW - DAY_MS,
    "endDate": NOW + DAY_MS,
    "timeZone": {"id": "Europe/Kyiv"},
    "accept": [
        {"weekDay": 1, "startTime": 540, "endTime": 1080},
        {"weekDay": 7, "startTime": 0, "endTime": 1439},
    ],
    "except": [
        {"name": "New year", "date": 1_767_218_400_000, "repeat": 1},
        {"name": "Bridge", "date": "2026-05-04", "repeat": 0},
    ],
}


@pytest.fixture
async def webitel(tmp_path: Path) -> AsyncIterator[Webitel]:
    async with hands(tmp_path) as opened:
        yield Webitel(opened)


async def test_a_calendar_is_answered_as_mongo_does_and_shown_as_it_was_sent(webitel: Webitel) -> None:
    answer = await webitel.ask("POST", PATH, OFFICE)
    (made,) = answer.json()["data"]["insertedIds"]
    assert answer.json() == {
        "status": "OK",
        "data": {"result": {"ok": 1, "n": 1}, "ops": [], "insertedCount": 1, "insertedIds": [made]},
    }
    assert int(made[:8], 16) == NOW // 1000
    shown = OFFICE | {"_id": made, "domain": ""}
    assert await webitel.data("GET", f"{PATH}/{made}") == shown
    assert await webitel.data("GET", PATH) == [shown]


async def test_it_is_a_working_calendar(webitel: Webitel) -> None:
    await webitel.data("POST", PATH, OFFICE)
    (calendar,) = await webitel.store.calendars()
    assert (calendar.name, calendar.timezone) == ("WorksDay", "Europe/Kyiv")
    assert calendar_hours_text(calendar.hours) == "mon 09:00-18:00, sun 00:00-24:00"
    assert [holiday_text(off) for off in calendar.exceptions] == ["2026-01-01 yearly New year", "2026-05-04 Bridge"]
    assert (calendar.starts_at, calendar.ends_at) == (NOW - DAY_MS, NOW + DAY_MS)


async def test_a_change_takes_its_place(webitel: Webitel) -> None:
    made = await webitel.calendar()
    webitel.clock.at += 1000
    changed = ALWAYS | {"accept": [{"weekDay": 2, "startTime": 60, "endTime": 120}]}
    answer = await webitel.ask("PUT", f"{PATH}/{made}", changed)
    assert answer.json() == {"status": "OK", "data": {"ok": 1, "nModified": 1, "n": 1}}
    assert (await webitel.data("GET", f"{PATH}/{made}"))["accept"] == changed["accept"]
    assert calendar_hours_text((await webitel.store.calendars())[0].hours) == "tue 01:00-02:00"


async def test_names_may_repeat_here_and_do_not_there(webitel: Webitel) -> None:
    for _ in range(2):
        await webitel.calendar(name="Рабочие дни")
    assert [row["name"] for row in await webitel.data("GET", PATH)] == ["Рабочие дни"] * 2
    assert [one.name for one in await webitel.store.calendars()] == ["calendar", "calendar-2"]


async def test_two_that_are_made_at_once_are_two(webitel: Webitel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a tenant is called in another's hours."""
    ours, theirs = (Webitel(webitel.hands, tenant=tenant) for tenant in ("a", "b"))
    known, made = webitel.store.calendars, list[str]()

    async def stale() -> Any:
        found = await known()
        if not made:
            made.append("")
            made[0] = await theirs.calendar(name="WorksDay", accept=[{"weekDay": 1, "startTime": 0, "endTime": 60}])
        return found

    monkeypatch.setattr(webitel.store, "calendars", stale)
    mine = await ours.calendar(name="WorksDay")
    assert {one.name: calendar_hours_text(one.hours) for one in await known()} == {
        "WorksDay": "mon 00:00-01:00",
        "WorksDay-2": ", ".join(f"{day} 00:00-24:00" for day in DAYS),
    }
    assert len((await ours.data("GET", f"{PATH}/{mine}"))["accept"]) == 7
    assert len((await theirs.data("GET", f"{PATH}/{made[0]}"))["accept"]) == 1


async def test_a_calendar_is_removed_unless_a_dialer_uses_it(webitel: Webitel) -> None:
    made = await webitel.calendar()
    path = await webitel.dialer(calendar={"id": made})
    status, info = await webitel.refused("DELETE", f"{PATH}/{made}")
    assert (status, "in the setting calendar of myPredictiveDialer" in info) == (400, True)
    await webitel.data("DELETE", path)
    assert await webitel.data("DELETE", f"{PATH}/{made}") == {"ok": 1, "n": 1}
    assert [one.name for one in await webitel.store.calendars()] == ["always-2"]
    assert await webitel.refused("GET", f"{PATH}/{made}") == (404, "Not found.")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "Name is required."),
        ({"name": None}, "Name is required."),
        ({"accept": None}, "Accept is required."),
        ({"accept": {}}, "Accept is required."),
        ({"accept": []}, "accept = []: expected hours"),
        ({"accept": [{"weekDay": 0, "startTime": 0, "endTime": 5}]}, "accept[0].weekDay = 0"),
        ({"accept": [{"weekDay": 8, "startTime": 0, "endTime": 5}]}, "accept[0].weekDay = 8"),
        ({"accept": [{"weekDay": 1, "startTime": 9, "endTime": 9}]}, "accept[0].endTime = 9"),
        ({"accept": [{"weekDay": 1, "startTime": -1, "endTime": 9}]}, "accept[0].startTime = -1"),
        ({"accept": [{"weekDay": 1, "startTime": 0, "endTime": 1441}]}, "accept[0].endTime = 1441"),
        ({"accept": ["x"]}, 'accept[0] = "x": expected an object'),
        ({"timeZone": {"id": "Mars/Olympus"}}, 'timeZone.id = "Mars/Olympus"'),
        ({"timeZone": "UTC"}, 'timeZone = "UTC": expected an object'),
        ({"startDate": "x"}, 'startDate = "x": expected a number'),
        ({"endDate": 5, "startDate": 6}, "endDate = 5: expected an instant after startDate"),
        ({"except": [{"name": "x", "date": "soon"}]}, 'except[0].date = "soon"'),
        ({"except": [{"name": "x", "date": 10**20}]}, "except[0].date = "),
        ({"except": [{"name": "x", "date": True}]}, "except[0].date = true"),
        ({"except": [{"name": "x", "date": 0, "repeat": 2}]}, "except[0].repeat = 2"),
        ({"except": [{"name": "a\u202eb", "date": 0}]}, "except[0].name = "),
    ],
)
async def test_what_cant_be_a_calendar_is_refused_and_nothing_is_made(
    webitel: Webitel, changes: dict[str, Any], words: str
) -> None:
    status, info = await webitel.refused("POST", PATH, OFFICE | changes)
    assert (status, words in info) == (400, True), info
    assert await webitel.store.calendars() == []
    made = await webitel.calendar()
    assert (await webitel.refused("PUT", f"{PATH}/{made}", OFFICE | changes))[0] == 400
    assert await webitel.data("GET", f"{PATH}/{made}") == ALWAYS | {"_id": made, "domain": ""}


async def test_an_instant_with_a_zone_is_a_day_where_the_calendar_is(webitel: Webitel) -> None:
    off = [{"name": "x", "date": "2026-05-03T23:30:00Z"}, {"name": "y", "date": "2026-05-03T23:30:00"}]
    await webitel.data("POST", PATH, OFFICE | {"except": off})
    assert [str(each.date) for each in (await webitel.store.calendars())[0].exceptions] == ["2026-05-04", "2026-05-03"]


async def test_a_calendar_of_the_command_is_shown_and_used(webitel: Webitel) -> None:
    made = WorkingCalendar.from_dict(
        {
            "name": "office",
            "hours": "mon-tue 09:00-18:00",
            "timezone": "Europe/Kyiv",
            "exceptions": ["2026-05-04 yearly Bridge"],
            "ends_at": NOW + DAY_MS,
        }
    )
    await webitel.store.save_calendar(made)
    (shown,) = await webitel.data("GET", PATH)
    assert shown["accept"] == [{"weekDay": day, "startTime": 540, "endTime": 1080} for day in (1, 2)]
    assert (shown["name"], shown["timeZone"], shown["endDate"]) == ("office", {"id": "Europe/Kyiv"}, NOW + DAY_MS)
    for calendar in ({"id": shown["_id"]}, {"id": "office"}, {"id": UNKNOWN, "name": "office"}):
        await webitel.data("POST", "/api/v2/dialer", dialer(calendar=calendar))
    assert {one.settings.calendar for one in await webitel.store.campaigns()} == {"office"}

    sent = {key: value for key, value in shown.items() if key != "except"}
    await webitel.data("PUT", f"{PATH}/{shown['_id']}", sent)
    assert (await webitel.data("GET", f"{PATH}/{shown['_id']}"))["name"] == "office"
    (now,) = await webitel.store.calendars()
    assert (now.name, now.exceptions, now.ends_at) == ("office", (), NOW + DAY_MS)
    with pytest.raises(Conflict):
        await webitel.store.remove_calendar("office")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_ids_that_are_none_and_ids_that_are_nobodys(webitel: Webitel, method: str) -> None:
    assert await webitel.refused(method, f"{PATH}/x", OFFICE) == (400, "Bad request calendar id.")
    assert await webitel.refused(method, f"{PATH}/{UNKNOWN}", OFFICE) == (404, "Not found.")


async def test_a_tenants_calendars_are_its_own(webitel: Webitel) -> None:
    await webitel.store.save_calendar(WorkingCalendar.from_dict({"name": "common", "hours": "mon 10:00-11:00"}))
    ours, theirs = (Webitel(webitel.hands, tenant=tenant) for tenant in ("a", "b"))
    made = await ours.calendar()
    assert [row["domain"] for row in await ours.data("GET", PATH)] == ["a"]
    assert await theirs.data("GET", PATH) == []
    for method in ("GET", "PUT", "DELETE"):
        assert (await theirs.refused(method, f"{PATH}/{made}", OFFICE))[0] == 404
    assert len(await webitel.data("GET", PATH)) == 2
    await webitel.data("POST", f"{PATH}?domain=b", OFFICE)
    await webitel.data("POST", PATH, OFFICE | {"domain": "b"})
    assert [row["domain"] for row in await theirs.data("GET", PATH)] == ["b", "b"]


async def test_a_reader_changes_none(webitel: Webitel) -> None:
    reader = Webitel(webitel.hands, Role.READ_ONLY)
    made = await webitel.calendar()
    assert (await reader.data("GET", f"{PATH}/{made}"))["name"] == "always"
    for method, where in (("POST", PATH), ("PUT", f"{PATH}/{made}"), ("DELETE", f"{PATH}/{made}")):
        assert (await reader.refused(method, where, OFFICE))[0] == 403


async def test_a_dialer_may_mean_a_calendar_by_the_name_that_it_was_sent_with(webitel: Webitel) -> None:
    await webitel.calendar(name="Рабочие дни")
    await webitel.data("POST", "/api/v2/dialer", dialer(calendar={"id": UNKNOWN, "name": "Рабочие дни"}))
    assert (await webitel.store.campaigns())[0].settings.calendar == "calendar"
