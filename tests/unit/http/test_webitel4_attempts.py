"""Webitel v4: post-processing of attempts, and what is shown of them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from contact_hands import hang_up
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, ContactState
from astdialer.domain.disposition import Disposition
from astdialer.domain.route import Way
from astdialer.domain.selection import Judgement, NumberFacts, Why
from astdialer.ports import Claim, ClaimRequest

HOUR = 3_600_000
FIRST, SECOND = "+447700900001", "+447700900002"
AGENT = "PJSIP/1001"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


@pytest.fixture
async def queue(api: Hands) -> Campaign:
    return await api.campaign(wait_for_result="yes", result_retry_s="600", max_tries="3")


async def member(api: Hands, queue: Campaign, *numbers: str, **more: Any) -> dict[str, Any]:
    numbers = numbers or (FIRST, SECOND)
    communications = [{"destination": n, "type": {"id": 1}, "priority": -at} for at, n in enumerate(numbers)]
    body = {"name": "Ann", "communications": communications, "variables": {"order": "1"}} | more
    found: dict[str, Any] = (await api.ask("POST", f"/call_center/queues/{queue.id}/members", json=body)).json()
    return found


async def dial(api: Hands, queue: Campaign) -> Claim:
    """A call to whoever comes next, at its first open number."""

    def judge(found: Contact, _facts: Mapping[str, NumberFacts]) -> Judgement:
        chosen = next(number for number in found.numbers if number.is_open)
        return Judgement(contact=found, why=Why.READY, number=chosen, way=Way("", "carrier", ""))

    request = ClaimRequest(
        campaign_id=queue.id,
        campaign=queue.name,
        server="default",
        limit=1,
        is_open=lambda _zones: True,
        judge=judge,
        attempt_ids=[str(uuid.uuid4())],
        reason="",
        now=api.clock.now(),
        buckets=("", "@1001"),
    )
    (claim,) = await api.store.claim(request)
    return claim


async def talk(api: Hands, queue: Campaign, disposition: Disposition = Disposition.ANSWERED, agent: str = AGENT) -> str:
    """A whole call; one that was answered was a talk with the agent. Its guid."""
    claim = await dial(api, queue)
    spoken = agent if disposition is Disposition.ANSWERED else ""
    await hang_up(api, claim, campaign=queue.name, agent=spoken, how=disposition, caller_id="Shop <442079460000>")
    return claim.attempt.id


async def report(api: Hands, attempt: str, **said: Any) -> Any:
    answer = await api.ask("PATCH", f"/call_center/attempts/{attempt}", json=said)
    return answer.json() if answer.status_code == 200 else answer


async def shown(api: Hands, queue: Campaign, made: dict[str, Any], more: str = "") -> Any:
    return (await api.ask("GET", f"/call_center/queues/{queue.id}/members/{made['id']}{more}")).json()


async def test_success_ends_the_member(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    attempt = await talk(api, queue)
    assert await report(api, attempt, status="success", description="sold") == {"status": "success"}
    after = await shown(api, queue, made)
    assert (after["stop_cause"], after["attempts"]) == ("success", 1)
    (row,) = (await shown(api, queue, made, "/attempts"))["items"]
    assert (row["id"], row["result"], row["active"], row["destination"]) == (attempt, "success", False, FIRST)
    assert row["agent"] == {"id": "1001", "name": "1001"}
    one = (await api.ask("GET", f"/call_center/attempts/{attempt}")).json()
    assert (one["result"], one["description"], one["reporting_at"]) == ("success", "sold", str(NOW))


async def test_a_retry_is_made_at_the_time_that_is_given(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    at = NOW + 5 * HOUR
    said = {"status": "abandoned", "min_offering_at": str(at), "expire_at": at + HOUR, "variables": {"why": "busy"}}
    await report(api, await talk(api, queue), **said, agent_id=1001, exclude_current_communication=True)
    after = await shown(api, queue, made)
    assert (after["stop_cause"], after["min_offering_at"], after["expire_at"]) == ("", str(at), str(at + HOUR))
    assert after["variables"] == {"order": "1", "why": "busy"}
    assert after["agent"]["id"] == "1001"
    assert [each["stop_at"] == "0" for each in after["communications"]] == [False, True]
    found = await api.store.load_contact(int(made["id"]))
    assert (found.state, found.agentphone, found.next_at) == (ContactState.WAITING, "1001", at)


async def test_a_retry_without_a_time_waits_as_the_report_or_the_campaign_says(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    await report(api, await talk(api, queue), wait_between_retries=90)
    assert (await shown(api, queue, made))["min_offering_at"] == str(NOW + 90_000)
    api.clock.at += 90_000
    await report(api, await talk(api, queue), status="later", wait_between_retries=0)
    assert (await shown(api, queue, made))["min_offering_at"] == str(NOW + 690_000)
    api.clock.at += 600_000
    await report(api, await talk(api, queue), status="later")
    assert (await shown(api, queue, made))["stop_cause"] == "max_try_count"


async def test_only_the_number_of_the_call_may_be_kept(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    await report(api, await talk(api, queue), only_current_communication=True)
    assert [each["stop_at"] == "0" for each in (await shown(api, queue, made))["communications"]] == [True, False]


async def test_the_caller_id_of_the_call_may_be_kept(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    await report(api, await talk(api, queue), display=True)
    params = (await api.store.load_contact(int(made["id"]))).params
    assert (params["outbound_caller_id_number"], params["outbound_caller_id_name"]) == ("442079460000", "Shop")


async def test_a_report_is_taken_once(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    attempt = await talk(api, queue)
    await report(api, attempt, status="later")
    again = await report(api, attempt, status="success")
    assert (again.status_code, again.json()["id"]) == (409, "app.conflict")
    assert (await shown(api, queue, made))["stop_cause"] == ""
    (row,) = (await shown(api, queue, made, "/attempts"))["items"]
    assert row["result"] == "later"


async def test_a_call_that_nobody_took_awaits_no_report(api: Hands, queue: Campaign) -> None:
    await member(api, queue)
    attempt = await talk(api, queue, Disposition.BUSY)
    assert (await report(api, attempt, status="success")).status_code == 409


async def test_a_queue_that_awaits_no_reports_takes_none(api: Hands) -> None:
    queue = await api.campaign("plain")
    made = await member(api, queue)
    answer = await report(api, await talk(api, queue), status="later")
    assert answer.status_code == 409
    assert (await shown(api, queue, made))["stop_cause"] == "success"


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"min_offering_at": "soon"}, "min_offering_at"),
        ({"min_offering_at": NOW + 400 * 24 * HOUR}, "min_offering_at"),
        ({"variables": {"a b": "1"}}, "variables"),
        ({"variables": {"ORDER": "2"}}, "variables"),
        ({"agent_id": "x;y"}, "agent"),
        ({"wait_between_retries": -1}, "wait_between_retries"),
        ({"status": "a\nb"}, "status"),
    ],
)
async def test_a_report_that_can_t_be_is_refused_and_may_be_made_again(
    api: Hands, queue: Campaign, said: dict[str, Any], where: str
) -> None:
    made = await member(api, queue)
    attempt = await talk(api, queue)
    answer = await report(api, attempt, **{"status": "later"} | said)
    assert answer.status_code == 400, answer.text
    assert where in answer.json()["detail"]
    found = await api.store.load_contact(int(made["id"]))
    assert (found.state, found.agentphone) == (ContactState.HELD, "")
    assert await report(api, attempt, status="success") == {"status": "success"}


async def test_an_attempt_is_found_by_its_member_too(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    attempt = await talk(api, queue)
    url = f"/api/call_center/queues/{queue.id}/members/{made['id']}/attempts/{attempt}"
    assert (await api.ask("PATCH", url.replace(f"/{made['id']}/", "/77/"), json={})).status_code == 404
    assert (await api.ask("PATCH", url, json={"status": "success"})).json() == {"status": "success"}


@pytest.mark.parametrize("attempt", ["x", "00000000-0000-4000-8000-000000000000", "1' OR '1'='1"])
async def test_an_attempt_that_is_not_there(api: Hands, queue: Campaign, attempt: str) -> None:
    answer = await api.ask("PATCH", f"/call_center/attempts/{attempt}", json={"status": "success"})
    assert (answer.status_code, answer.json()["code"]) == (404, 404)


async def test_another_tenants_attempt_is_not_there(api: Hands) -> None:
    theirs = await api.campaign("theirs", tenant="b", wait_for_result="yes")
    await member(api, theirs)
    attempt = await talk(api, theirs)
    for method in ("GET", "PATCH"):
        answer = await api.ask(method, f"/call_center/attempts/{attempt}", role=Role.INTEGRATION, tenant="a", json={})
        assert answer.status_code == 404, method
    for which in ("active", "history"):
        listed = await api.ask("GET", f"/call_center/queues/attempts/{which}", tenant="a")
        assert listed.json()["items"] == []


async def test_an_agents_token_reports_on_the_agents_own_calls(api: Hands, queue: Campaign) -> None:
    await member(api, queue)
    await member(api, queue)
    own, other = await talk(api, queue), await talk(api, queue, agent="PJSIP/1002")
    answers = [
        (await api.ask("PATCH", f"/call_center/attempts/{each}", role=Role.AGENT, json={"status": "success"}))
        for each in (own, other)
    ]
    assert [answer.status_code for answer in answers] == [200, 403]


async def test_attempts_that_go_on_or_await_a_report_are_active(api: Hands, queue: Campaign) -> None:
    await member(api, queue, FIRST)
    waiting = await talk(api, queue)
    second = await member(api, queue, SECOND)
    live = (await dial(api, queue)).attempt.id
    listed = (await api.ask("GET", "/call_center/queues/attempts/active")).json()["items"]
    assert {row["id"]: (row["state"], row["result"]) for row in listed} == {
        waiting: ("processing", ""),
        live: ("idle", ""),
    }
    (row,) = (await api.ask("GET", f"/call_center/queues/attempts/active?member_id={second['id']}")).json()["items"]
    assert (row["id"], row["variables"]["order"], row["member"]["name"]) == (live, "1", "Ann")
    assert (await api.ask("GET", "/call_center/queues/attempts/active?queue_id=77")).json()["items"] == []
    (one,) = (await shown(api, queue, second, "/attempts"))["items"]
    assert (one["id"], one["active"]) == (live, True)
    assert (await api.ask("GET", f"/call_center/attempts/{live}")).json()["state"] == "idle"


async def test_the_history_has_what_is_over_in_pages_and_by_time(api: Hands, queue: Campaign) -> None:
    guids = []
    for each in (FIRST, SECOND):
        await member(api, queue, each)
        guids.append(await talk(api, queue))
        api.clock.at += HOUR
    url = "/call_center/queues/attempts/history"

    async def ids(**query: Any) -> list[str]:
        return [row["id"] for row in (await api.ask("GET", url, params=query)).json()["items"]]

    assert await ids() == guids[::-1]
    assert (await ids(size=1), await ids(size=1, page=2)) == (guids[1:], guids[:1])
    assert await ids(**{"joined_at.from": NOW + 1}) == guids[1:]
    assert await ids(**{"joined_at.to": NOW}) == guids[:1]
    assert await ids(id=guids[0]) == guids[:1]
    assert (await ids(queue_id=queue.id), await ids(queue_id="x")) == (guids[::-1], [])


@pytest.mark.parametrize(
    ("disposition", "result"),
    [
        (Disposition.BUSY, "abandoned"),
        (Disposition.NO_ANSWER, "timeout"),
        (Disposition.CANCELED, "cancel"),
        (Disposition.ABANDONED, "abandoned"),
    ],
)
async def test_what_nobody_reported_on_is_told_as_the_call_ended(
    api: Hands, queue: Campaign, disposition: Disposition, result: str
) -> None:
    made = await member(api, queue)
    await talk(api, queue, disposition)
    (row,) = (await shown(api, queue, made, "/attempts"))["items"]
    assert row["result"] == result


async def test_a_member_in_a_call_is_removed_with_its_end(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    claim = await dial(api, queue)
    url = f"/call_center/queues/{queue.id}/members/{made['id']}"
    assert (await api.ask("DELETE", url)).status_code == 200
    await api.ask("PATCH", url, json={"stop_cause": "cancel"})
    assert (await shown(api, queue, made))["reserved"] is True
    await hang_up(api, claim, campaign=queue.name, agent="", how=Disposition.BUSY, caller_id="")
    for gone in (url, f"/v1/contacts/{made['id']}"):
        assert (await api.ask("GET", gone)).status_code == 404
    assert await api.store.documents("webitel4", "member", [made["id"]]) == {}
    (row,) = (await api.ask("GET", "/call_center/queues/attempts/history")).json()["items"]
    assert (row["id"], row["variables"]) == (claim.attempt.id, {})


async def test_a_member_whose_call_ends_while_it_is_removed_goes_too(
    api: Hands, queue: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await member(api, queue)
    claim = await dial(api, queue)
    end_after_call = api.store.end_after_call

    async def too_late(contact_id: int, reason: str) -> bool:
        await hang_up(api, claim, campaign=queue.name, agent="", how=Disposition.BUSY, caller_id="")
        return await end_after_call(contact_id, reason)

    monkeypatch.setattr(api.store, "end_after_call", too_late)
    url = f"/call_center/queues/{queue.id}/members/{made['id']}"
    assert (await api.ask("DELETE", url)).status_code == 200
    assert (await api.ask("GET", url)).status_code == 404


async def test_a_member_in_a_call_can_only_be_cancelled(api: Hands, queue: Campaign) -> None:
    made = await member(api, queue)
    await dial(api, queue)
    url = f"/call_center/queues/{queue.id}/members/{made['id']}"
    assert (await shown(api, queue, made))["reserved"] is True
    for change in ({"name": "Bea"}, {"stop_cause": ""}, {"stop_cause": "cancel", "priority": 3}):
        assert (await api.ask("PATCH", url, json=change)).status_code == 409, change
    assert (await api.ask("PATCH", url, json={"stop_cause": "cancel"})).status_code == 200
    ends = await api.store._db.read("contact", {"id": int(made["id"])})
    assert ends[0]["ends_after_call"] == "cancel"
