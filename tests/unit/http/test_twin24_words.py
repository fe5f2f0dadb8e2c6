"""What Twin24's receivers are told, and what its search finds: of calls that were really closed in the store."""

import asyncio
import contextlib
import dataclasses
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import Hands, Receiver, hands, receiver
from twin24_hands import SCENARIO, SEED, TELEPHONY, campaign_of, made, post, trunk

from astdialer import config
from astdialer.domain.access import Role
from astdialer.domain.attempt import State
from astdialer.domain.calendar import CallingWindow, Schedule
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.contact import Number
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import RedialRules, Retry, after_attempt
from astdialer.domain.route import Way
from astdialer.domain.selection import DialingRules, judge
from astdialer.engine import campaigns, webhooks
from astdialer.engine.webhooks import Herald
from astdialer.http.dialects import WORDS
from astdialer.http.notify import HttpNotifier
from astdialer.http.twin24.states import CALL, candidate_status
from astdialer.ports import ClaimRequest, Closing, NewEvent

D = Disposition
ANY_TIME = DialingRules(
    schedule=Schedule(window=CallingWindow(start_minute=0, end_minute=1440, weekdays=frozenset(range(7)))),
    default_zone="UTC",
)
HOOK = {"partialResults": True, "delay": 0}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await trunk(opened)
        yield opened


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LOOK_S", 0.0)


async def called(
    api: Hands, task_id: str, *ends: Disposition, redial: int = 9, key: str = "", dialed: bool = True
) -> list[str]:
    """Calls to the task's candidate that ended so, one after the other; their ids."""
    campaign, guids = await campaign_of(api, task_id), []
    rules = RedialRules(retries=dict.fromkeys(D, Retry(tries=redial, delays_s=(60,))))
    for end in ends:
        (claim,) = await api.store.claim(
            ClaimRequest(
                campaign_id=campaign.id,
                campaign=campaign.name,
                server="default",
                limit=1,
                is_open=lambda zones: True,
                judge=lambda contact, facts: judge(contact, ANY_TIME, facts, _way, api.clock.now()),
                attempt_ids=[str(uuid.uuid4())],
                reason="test",
                now=api.clock.now(),
            )
        )
        at = api.clock.now()
        answered = at + 5000 if CALL[end] == "ANSWERED" else None
        attempt = dataclasses.replace(
            claim.attempt,
            state=State.GONE,
            dialed_at=at if dialed else None,
            answered_at=answered,
            gone_at=at + 20_000,
            caller_id="Acme <442079460000>",
            key=key,
        )
        api.clock.at += 20_000
        context = CdrContext(campaign=campaign.name, base=claim.base, caller_id=attempt.caller_id, queue="")
        closing = Closing(
            attempt=attempt,
            disposition=end,
            contact=after_attempt(claim.contact, attempt, end, rules, api.clock.now()),
            cdr=cdr_of(attempt, end, context, api.clock.now()),
            recording=None,
            now=api.clock.now(),
            day="2025-10-09",
        )
        await api.store.close([closing])
        guids.append(attempt.id)
        api.clock.at += 60_000
    return guids


def _way(_number: Number) -> Way:
    return Way("", "carrier", "")


@contextlib.asynccontextmanager
async def herald(api: Hands) -> AsyncIterator[None]:
    """Messages are made and sent inside."""
    async with HttpNotifier(config.Webhooks(allow_private=True)) as notifier:
        task = asyncio.create_task(Herald(api.store, notifier, api.clock, WORDS).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


PERSON = {
    "phone": ["447700900123"],
    "variables": {"Name": "Ana"},
    "callbackData": {"id_client": "123456"},
    "clientExternalId": "c-1",
}


async def told_task(api: Hands, to: Receiver, **hook: Any) -> str:
    """A task with a candidate, whose events go to the receiver."""
    task_id = await made(api, webhookUrls=[{"url": to.url, **HOOK, **hook}])
    await post(api, "/autoCallCandidate", PERSON | {"autoCallId": task_id})
    return task_id


def by_kind(to: Receiver) -> dict[str, Any]:
    return {body["event"]: body for body in to.bodies}


async def test_a_call_and_its_candidate_are_told_in_twin24s_words(api: Hands) -> None:
    async with receiver() as to, herald(api):
        task_id = await told_task(api, to)
        (guid,) = await called(api, task_id, D.ANSWERED, key="5")
        await to.wait_for(3)
        told = by_kind(to)
    assert sorted(body["event"] for body in to.bodies) == ["CALL_ENDED", "CANDIDATE_CHANGED", "EFFICIENCY_REACHED"]
    ended = told["CALL_ENDED"]
    assert {key: ended[key] for key in ("type", "botId", "id", "taskId", "status", "callFrom", "callTo")} == {
        "type": "OUTGOING",
        "botId": SCENARIO,
        "id": guid,
        "taskId": task_id,
        "status": "ANSWERED",
        "callFrom": "442079460000",
        "callTo": "447700900123",
    }
    assert (ended["startedAt"], ended["duration"]) == ("2025-10-09T08:53:20+00:00", 15)
    assert (ended["variables"], ended["callbackData"], ended["result"]) == (
        {"Name": "Ana"},
        {"id_client": "123456"},
        {"keypress": "5"},
    )
    assert told["EFFICIENCY_REACHED"] == ended | {"event": "EFFICIENCY_REACHED"}
    changed = told["CANDIDATE_CHANGED"]
    assert (changed["taskId"], changed["lastCallId"], changed["callbackData"]) == (
        task_id,
        guid,
        {"id_client": "123456"},
    )
    assert (changed["status"], changed["isEffective"], changed["clientExternalId"]) == ("ANSWERED", True, "c-1")
    headers = to.taken[0][0]
    assert headers["webhook-signature"].startswith("v1,")


async def test_a_redial_is_told_with_its_time(api: Hands) -> None:
    async with receiver() as to, herald(api):
        task_id = await told_task(api, to)
        first, second = await called(api, task_id, D.BUSY, D.NO_ANSWER, redial=2)
        await to.wait_for(4)
    ended = {body["id"]: body["status"] for body in to.bodies if body["event"] == "CALL_ENDED"}
    assert ended == {first: "BUSY", second: "NOANSWER"}
    again = [body for body in to.bodies if body["event"] == "RECALL_SCHEDULED"]
    assert {body["scheduledAt"] for body in again} == {"2025-10-09T08:54:40+00:00", "2025-10-09T08:56:00+00:00"}
    assert {body["callbackData"]["id_client"] for body in again} == {"123456"}


@pytest.mark.parametrize(("to_whom", "destination"), [("", "ch"), (SEED["secondExecData"], "ch"), ("10103", "custom")])
async def test_a_call_that_is_handed_over_is_told_before_its_end(api: Hands, to_whom: str, destination: str) -> None:
    async with receiver() as to, herald(api):
        task_id = await told_task(api, to, events={"CALL_REDIRECTED": {"name": "CALL_REDIRECTED", "value": True}})
        (guid,) = await called(api, task_id, D.BUSY)
        campaign = await campaign_of(api, task_id)
        contact = await api.store.contact_of_attempt(guid)
        event = NewEvent(
            at=api.clock.now(),
            kind="attempt.redirected",
            campaign_id=campaign.id,
            contact_id=contact,
            attempt_id=guid,
            body={"number": "+447700900123", "to": to_whom},
        )
        await api.store.add_events([event])
        await to.wait_for(1)
        assert to.bodies == [
            {
                "event": "CALL_REDIRECTED",
                "id": guid,
                "redirectAdditional": None,
                "redirectAnons": None,
                "redirectDestination": destination,
                "redirectDestinationId": to_whom or SEED["secondExecData"],
                "callbackData": {"id_client": "123456"},
            }
        ]


async def test_a_task_tells_what_it_does(api: Hands) -> None:
    async with receiver() as to, herald(api):
        task_id = await told_task(api, to)
        for move in ("play", "pause", "play", "halted"):
            await post(api, f"/autoCall/{task_id}/{move}")
        await to.wait_for(3)
        campaign = await campaign_of(api, task_id)
        await campaigns.note(api.store, api.clock, campaign, "stopped", "its last call has ended")
        await to.wait_for(4)
    assert {(body["event"], body["taskId"]) for body in to.bodies} == {("AUTOCALL_STATUS_CHANGED", task_id)}
    assert sorted(body["status"] for body in to.bodies) == ["HALTED", "PAUSED", "PROCESS", "PROCESS"]


async def test_a_call_that_was_never_dialed_is_told_to_nobody(api: Hands) -> None:
    async with receiver() as to, herald(api):
        task_id = await told_task(api, to)
        await called(api, task_id, D.CANCELED, dialed=False)
        await called(api, task_id, D.ANSWERED)
        await to.wait_for(2)
    assert [body["event"] for body in to.bodies if body["event"].startswith("CALL")] == ["CALL_ENDED"]
    assert by_kind(to)["CALL_ENDED"]["status"] == "ANSWERED"


async def test_a_receiver_is_told_only_of_its_own_task_and_what_it_wants(api: Hands) -> None:
    async with receiver() as to, herald(api):
        wanted = {"CANDIDATE_CHANGED": {"name": "CANDIDATE_CHANGED", "value": True}}
        mine = await told_task(api, to, events=wanted)
        other = await made(api)
        await post(api, "/autoCallCandidate", {"autoCallId": other, "phone": ["447700900999"]})
        await called(api, other, D.ANSWERED)
        (guid,) = await called(api, mine, D.ANSWERED)
        await to.wait_for(1)
        assert [(body["event"], body["lastCallId"]) for body in to.bodies] == [("CANDIDATE_CHANGED", guid)]


async def test_a_message_waits_as_long_as_its_receiver_asks(api: Hands) -> None:
    async with receiver() as to:
        task_id = await told_task(api, to, delay=600)
        await called(api, task_id, D.ANSWERED)
        async with herald(api):
            async with asyncio.timeout(10):
                while not await api.store.deliveries(None, None, 10):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            for delivery in await api.store.deliveries(None, None, 10):
                assert delivery.retry_at - delivery.created_at == 600_000


async def test_what_a_receiver_does_not_take_comes_again(api: Hands) -> None:
    async with receiver(statuses=[500, 503, 200]) as to, herald(api):
        task_id = await told_task(api, to, events={"CALL_ENDED": True})
        await called(api, task_id, D.BUSY)
        async with asyncio.timeout(20):
            while len(to.taken) < 3:  # the try may be noted, and with it when the next one is due, at any moment
                api.clock.at += 60_000
                await asyncio.sleep(0.05)
    assert len({headers["webhook-id"] for headers, _ in to.taken}) == 1
    assert len({body for _, body in to.taken}) == 1


async def test_a_candidate_that_came_with_nothing_gives_nothing_back(api: Hands) -> None:
    async with receiver() as to, herald(api):
        task_id = await made(api, webhookUrls=[to.url])
        await post(api, "/autoCallCandidate", {"autoCallId": task_id, "phone": "447700900123"})
        await called(api, task_id, D.MACHINE, redial=1)
        await to.wait_for(2)
    ended = by_kind(to)["CALL_ENDED"]
    assert (ended["callbackData"], ended["variables"], ended["result"]) == ([], {}, {})
    assert (ended["status"], ended["disposition"]) == ("ANSWERED", "machine")


# --- what the search finds -------------------------------------------------------------------------------------------


async def found(api: Hands, query: str, place: str = "/api/v1/search/cis", **more: Any) -> list[dict[str, Any]]:
    answer = await api.ask("GET", f"{place}/sessions?{query}", **more)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["count"] == len(told["items"])
    return list(told["items"])


async def test_calls_are_found_by_task_id_phone_and_time(api: Hands) -> None:
    task_id = await made(api)
    await post(api, "/autoCallCandidate", PERSON | {"autoCallId": task_id})
    busy, answered = await called(api, task_id, D.BUSY, D.ANSWERED, key="3")
    newest_first = [answered, busy]
    assert [item["id"] for item in await found(api, f"taskId={task_id}")] == newest_first
    assert [item["id"] for item in await found(api, "phone=447700900123")] == newest_first
    assert [item["id"] for item in await found(api, "phone=447700900124")] == []
    assert [item["id"] for item in await found(api, "phone=no-number")] == []
    assert [item["id"] for item in await found(api, "from=2025-10-09T08:54:00Z")] == [answered]
    assert [item["id"] for item in await found(api, "to=2025-10-09T08:54:00Z")] == [busy]
    assert [item["id"] for item in await found(api, "limit=1&page=1")] == [busy]
    (one,) = await found(api, f"taskId={task_id}&id={answered}", "/analyse/api/v1/search/cis")
    assert (one["taskId"], one["botId"], one["currentStatusName"]) == (task_id, SCENARIO, "ANSWERED")
    assert (one["number"], one["callFrom"], one["duration"]) == ("447700900123", "442079460000", 15)
    assert (one["results"], json.loads(one["resultsString"])) == ({"keypress": "3"}, {"keypress": "3"})
    assert (one["variables"], one["callbackData"]) == ({"Name": "Ana"}, {"id_client": "123456"})
    assert one["finishedAt"] == "2025-10-09T08:55:00+00:00"
    candidates = (await api.ask("GET", f"{TELEPHONY}/autoCallCandidate?autoCallId={task_id}")).json()["items"]
    assert one["autoCallCandidateId"] == candidates[0]["id"]
    assert [call["status"] for call in candidates[0]["calls"]] == ["BUSY", "ANSWERED"]
    assert candidates[0]["lastCallId"] == answered


async def test_only_wanted_fields_are_told(api: Hands) -> None:
    """As a client asks, with a line break in its list."""
    task_id = await made(api)
    await post(api, "/autoCallCandidate", PERSON | {"autoCallId": task_id})
    (guid,) = await called(api, task_id, D.BUSY)
    query = "fields=currentStatusName,%0A%20number"
    expected = [{"id": guid, "currentStatusName": "BUSY", "number": "447700900123"}]
    assert await found(api, f"{query}&taskId={task_id}&id={guid}") == expected


async def test_another_tenants_calls_and_those_of_other_campaigns_are_not_found(api: Hands) -> None:
    task_id = await made(api, role=Role.INTEGRATION, tenant="a")
    await post(api, "/autoCallCandidate", PERSON | {"autoCallId": task_id})
    (guid,) = await called(api, task_id, D.BUSY)
    assert await found(api, f"id={guid}", role=Role.INTEGRATION, tenant="b") == []
    assert [item["id"] for item in await found(api, f"id={guid}", role=Role.READ_ONLY, tenant="a")] == [guid]
    answer = await api.ask("GET", f"/api/v1/search/cis/sessions?taskId={task_id}", role=Role.READ_ONLY, tenant="b")
    assert answer.status_code == 404
    answer = await api.ask("GET", "/api/v1/search/cis/sessions", role=Role.AGENT)
    assert answer.status_code == 403


# --- words -----------------------------------------------------------------------------------------------------------


def test_every_disposition_has_a_status() -> None:
    assert set(CALL) == set(Disposition)


def statuses() -> Iterator[tuple[str, str, list[dict[str, str]], str]]:
    busy, live = {"disposition": "busy", "state": "closed"}, {"disposition": "", "state": "connected"}
    yield "ready", "", [], "SCHEDULED"
    yield "waiting", "", [busy], "SCHEDULED"
    yield "in_call", "", [busy, live], "INPROGRESS"
    yield "in_call", "", [{"disposition": "", "state": "ringing"}], "DIAL"
    yield "in_call", "", [], "CANCEL"
    yield "done", "busy", [busy], "BUSY"
    yield "done", "blacklisted", [busy], "BLACKLIST"
    yield "done", "expired", [], "EXPIRED"
    yield "done", "removed", [], "CANCEL"


@pytest.mark.parametrize(("state", "reason", "attempts", "status"), list(statuses()))
def test_a_candidate_has_a_status(state: str, reason: str, attempts: list[dict[str, str]], status: str) -> None:
    assert candidate_status(state, reason, attempts) == status
