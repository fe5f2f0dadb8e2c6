"""The status callback and terminate: source-systems.md 1.8 and 1.9."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, hands
from webitel3_hands import REQUESTS, Webitel

from astdialer.domain.contact import ContactState
from astdialer.domain.disposition import Disposition
from astdialer.engine import contacts as use_cases

OK = {"status": "OK", "info": "success"}


@pytest.fixture
async def webitel(tmp_path: Path) -> AsyncIterator[Webitel]:
    async with hands(tmp_path) as opened:
        yield Webitel(opened)


@pytest.fixture
async def path(webitel: Webitel) -> str:
    return await webitel.dialer()


async def talked(webitel: Webitel, path: str, *numbers: str) -> str:
    """A member whose result is awaited."""
    one = await webitel.member(path, *numbers or ("+380911234567", "380920000000", "+380930000000"))
    await webitel.talk(one)
    return one


def states(shown: dict[str, Any]) -> dict[str, int]:
    return {each["number"]: each["state"] for each in shown["communications"]}


# --- the result ------------------------------------------------------------------------------------------------------


async def test_the_result_of_the_source(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path, "+380911234567", "+380920000000", "+380930000000")
    webitel.clock.at += 30_000
    answer = await webitel.ask("PUT", f"{one}/status", REQUESTS["W3-10"]["body"])
    assert (answer.status_code, answer.json()) == (200, OK)
    shown = await webitel.data("GET", one)
    assert states(shown) == {"+380911234567": 0, "+380920000000": 2, "+380930000000": 2, "380910000000": 0}
    *_, added = shown["communications"]
    assert (added["priority"], added["stopCommunication"], "type" in added) == (100, False, False)
    assert [each["stopCommunication"] for each in shown["communications"]] == [False, True, True, False]
    assert (shown["_nextTryTime"], shown["_endCause"]) == (webitel.clock.at + 3_600_000, None)
    assert (shown["_waitingForResultStatus"], shown["_waitingForResultStatusCb"]) == (None, None)
    assert (await webitel.contact(one)).preferred == "+380910000000"
    callback = shown["_log"][0]["callback"]
    assert (callback["from"], callback["time"]) == ("integration", webitel.clock.at)
    assert callback["data"] == REQUESTS["W3-10"]["body"]


async def test_all_numbers_are_stopped_but_the_next_one(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path, "+380911234567", "+380921234567")
    assert (await webitel.ask("PUT", f"{one}/status", REQUESTS["W3-11"]["body"])).json() == OK
    shown = await webitel.data("GET", one)
    assert states(shown) == {"+380911234567": 2, "+380921234567": 2, "380910000000": 0}


async def test_a_success_ends_the_member(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path)
    await webitel.data("PUT", f"{one}/status", {"success": True, "description": "sold\r\n<b>"})
    shown = await webitel.data("GET", one)
    assert (shown["_endCause"], shown["callSuccessful"], set(states(shown).values())) == ("NORMAL_CLEARING", True, {2})
    assert shown["_log"][0]["callSuccessful"] is True


@pytest.mark.parametrize(
    ("said", "due_s"),
    [({}, 180), ({"next_after_sec": 0}, 0), ({"next_after_sec": "7"}, 7), ({"next_after_sec": None}, 180)],
)
async def test_without_success_it_is_called_again_when_the_result_says(
    webitel: Webitel, path: str, said: dict[str, Any], due_s: int
) -> None:
    one = await talked(webitel, path)
    await webitel.data("PUT", f"{one}/status", {"success": False} | said)
    assert (await webitel.contact(one)).next_at == NOW + due_s * 1000


async def test_success_is_the_literal_true(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path)
    await webitel.data("PUT", f"{one}/status", {"success": "true"})
    assert (await webitel.data("GET", one))["_endCause"] is None


async def test_the_last_try_is_the_last(webitel: Webitel) -> None:
    path = await webitel.dialer(parameters={"waitingForResultStatus": True, "maxTryCount": 1})
    one = await talked(webitel, path)
    await webitel.data("PUT", f"{one}/status", {"success": False, "next_after_sec": 5})
    assert (await webitel.data("GET", one))["_endCause"] == "MAX_TRY_COUNT"
    again = await talked(webitel, path)
    await webitel.data("PUT", f"{again}/status", {"success": False, "reset_retries": True})
    shown = await webitel.data("GET", again)
    assert (shown["_endCause"], shown["_probeCount"]) == (None, 0)


async def test_no_number_is_left(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path)
    await webitel.data("PUT", f"{one}/status", {"success": False, "stop_communications": "all"})
    assert (await webitel.data("GET", one))["_endCause"] == "NO_COMMUNICATIONS"


@pytest.mark.parametrize("written", ["380920000000", "+380920000000", "+380 92 000 00 00"])
async def test_a_number_is_meant_however_it_is_written(webitel: Webitel, path: str, written: str) -> None:
    one = await talked(webitel, path, "+380911234567", "+380 92 000 0000")
    await webitel.data("PUT", f"{one}/status", {"success": False, "stop_communications": [written]})
    assert list(states(await webitel.data("GET", one)).values()) == [0, 2]


async def test_a_known_next_number_is_preferred_and_not_added(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path, "+380911234567", "+380920000000")
    await webitel.data("PUT", f"{one}/status", {"success": False, "next_communication": "+380 92 0000000"})
    assert len((await webitel.data("GET", one))["communications"]) == 2
    assert (await webitel.contact(one)).preferred == "+380920000000"


@pytest.mark.parametrize("base_zone", ["", "America/Lima"])
async def test_a_new_next_number_lies_where_the_member_does(webitel: Webitel, path: str, base_zone: str) -> None:
    upload = await webitel.store.open_upload(1, "webitel", file_name="f", timezone=base_zone, now=NOW)
    await webitel.store.publish_uploads([upload], NOW)
    for zone, expected in (("Asia/Tokyo", "Asia/Tokyo"), ("", base_zone or "Europe/Kyiv")):
        one = await webitel.member(path, "+447700900001", timezone=zone)
        await webitel.talk(one)
        await webitel.data("PUT", f"{one}/status", {"success": False, "next_communication": "380910000000"})
        assert (await webitel.contact(one)).numbers[1].zones == expected


async def test_a_result_is_taken_once(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path)
    await webitel.data("PUT", f"{one}/status", {"success": False})
    late = (400, f"Member {one[-24:]}: result status false")
    assert await webitel.refused("PUT", f"{one}/status", {"success": True}) == late
    assert (await webitel.data("GET", one))["callSuccessful"] is False


async def test_a_result_that_nobody_awaits_is_refused(webitel: Webitel, path: str) -> None:
    fresh = await webitel.member(path, "+447700900001")
    busy = await webitel.member(path, "+447700900002")
    ended = await webitel.member(path, "+447700900003")
    await webitel.call(fresh, Disposition.BUSY)
    await webitel.ask("PUT", f"{ended}/terminate")
    for one in (fresh, busy, ended):
        assert await webitel.refused("PUT", f"{one}/status", {"success": True}) == (
            400,
            f"Member {one[-24:]}: result status false",
        )


async def test_a_member_in_a_call_is_waited_for_a_moment(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    await webitel.call(one, None)
    status, info = await webitel.refused("PUT", f"{one}/status", {"success": True})
    assert (status, info) == (400, f"Member {one[-24:]}: result status false")


async def test_a_session_is_checked_where_it_is_given(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path)
    wrong = await webitel.refused("PUT", f"{one}/status", {"success": True, "session_id": "other"})
    assert wrong == (400, f"Member {one[-24:]}: bad session id")
    session = (await webitel.data("GET", one))["_lastSession"]
    await webitel.data("PUT", f"{one}/status", {"success": True, "session_id": session})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"next_communication": "nonsense"}, 'next_communication = "nonsense": expected a telephone number'),
        ({"next_communication": ["1"]}, "next_communication = "),
        ({"next_after_sec": -1}, "next_after_sec = -1"),
        ({"next_after_sec": "soon"}, "next_after_sec = "),
        ({"next_after_sec": 10**9}, "next_after_sec = "),
        ({"stop_communications": [{}]}, "stop_communications = "),
        ({"stop_communications": 1.5}, "stop_communications = "),
    ],
)
async def test_a_result_that_cant_be_changes_nothing(
    webitel: Webitel, path: str, said: dict[str, Any], words: str
) -> None:
    one = await talked(webitel, path)
    status, info = await webitel.refused("PUT", f"{one}/status", {"success": False} | said)
    assert (status, words in info) == (400, True), info
    assert (await webitel.contact(one)).state is ContactState.HELD


async def test_an_undialable_number_is_not_opened_by_its_name(webitel: Webitel, path: str) -> None:
    one = await talked(webitel, path, "+380911234567", "nonsense")
    status, _ = await webitel.refused("PUT", f"{one}/status", {"success": False, "next_communication": "nonsense"})
    assert status == 400


@pytest.mark.parametrize("body", [None, [], "x"])
async def test_a_callback_is_an_object(webitel: Webitel, path: str, body: Any) -> None:
    one = await talked(webitel, path)
    assert await webitel.refused("PUT", f"{one}/status", body) == (400, "Bad callback options")


async def test_a_callback_of_a_contact_of_a_base_is_shown_too(webitel: Webitel, path: str) -> None:
    from astdialer.domain.contact import NewContact

    number = webitel.hands.services.read_number("07700 900001", "M")
    new = NewContact(numbers=(number,), params={"name": "Ana", "a": "1"}, priority=9, agentphone="", line=1)
    (added,) = await webitel.store.add_to_base(1, "march", [new], NOW)
    one = f"{path}/members/61737464{added:016x}"
    await webitel.talk(one)
    await webitel.data("PUT", f"{one}/status", {"success": False})
    shown = await webitel.data("GET", one)
    assert shown["_log"][0]["callback"]["data"] == {"success": False}
    assert (shown["variables"], shown["createdOn"]) == ({"a": "1"}, NOW)


# --- terminate -------------------------------------------------------------------------------------------------------


async def test_an_idle_member_is_ended_once(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    answer = await webitel.ask("PUT", f"{one}/terminate")
    assert (answer.status_code, answer.json()) == (200, {"status": "OK", "info": {"_id": one[-24:]}})
    shown = await webitel.data("GET", one)
    assert (shown["_endCause"], states(shown)) == ("MANAGER_REQUEST", {"+447700900001": 2})
    assert await webitel.refused("PUT", f"{one}/terminate") == (405, "Not allow set terminate member")


async def test_who_is_in_a_call_or_awaits_a_result_is_not_ended(webitel: Webitel, path: str) -> None:
    held = await talked(webitel, path)
    assert await webitel.refused("PUT", f"{held}/terminate") == (405, "Not allow set terminate member")
    await webitel.data("PUT", f"{held}/status", {"success": True})
    busy = await webitel.member(path, "+447700900001")
    await webitel.call(busy, None)
    assert await webitel.refused("PUT", f"{busy}/terminate") == (405, "Not allow set terminate member")


async def test_a_live_call_is_hung_up_where_that_is_asked_for(webitel: Webitel, path: str) -> None:
    one = await webitel.member(path, "+447700900001")
    await webitel.call(one, None)
    info = await webitel.data("PUT", f"{one}/terminate?hangup=true")
    assert info == {"_id": one[-24:], "waitHangupCause": "MANAGER_REQUEST"}
    (order,) = await webitel.hands.orders()
    assert order.kind == "hangup_call"


async def test_of_two_results_at_once_one_is_taken(
    webitel: Webitel, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await talked(webitel, path)
    taken = use_cases.result

    async def late(*given: Any) -> Any:
        await taken(*given)
        return await taken(*given)

    monkeypatch.setattr("astdialer.http.webitel3.results.use_cases.result", late)
    assert await webitel.refused("PUT", f"{one}/status", {"success": True}) == (
        400,
        f"Member {one[-24:]}: result status false",
    )
