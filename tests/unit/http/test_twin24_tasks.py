"""autoCall: tasks made, refused, listed, played, paused, halted."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, Hands, hands
from twin24_hands import (
    SCENARIO,
    SEED,
    TELEPHONY,
    campaign_of,
    foreign,
    get,
    made,
    post,
    refused,
    status,
    task,
    trunk,
)

from astdialer.domain.access import Access, Role
from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import NotFound
from astdialer.domain.hooks import Form
from astdialer.domain.settings import Mode
from astdialer.engine import campaigns
from astdialer.http.twin24 import task as tasks
from astdialer.ports import Delivery
from astdialer.store import candidates


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await trunk(opened)
        yield opened


# --- TW-01 -----------------------------------------------------------------------------------------------------------


async def test_the_seeds_task_is_made_as_it_stands(api: Hands) -> None:
    answer = await post(api, "/autoCall", SEED)
    identity = answer["id"]["identity"]
    assert answer == {"id": {"identity": identity}}
    kept = await foreign(api, identity)
    assert kept.body == SEED

    campaign = await campaign_of(api, identity)
    settings = campaign.settings
    assert campaign.name == f"test_autocall-{identity[:8]}"
    assert (settings.mode, settings.trunk) == (Mode.BROADCAST, "carrier")
    assert settings.calls_per_second == 3
    assert settings.goto == f"astdialer-scenarios,{SCENARIO},1"
    assert settings.caller_id == f"pool:{SEED['cidData']}"
    assert settings.start_at == "2023-06-02T10:00:00Z"
    assert (settings.record, settings.amd, settings.short_call_s) == (True, True, 1)
    assert settings.retry_busy.text == settings.retry_short.text == settings.retry_unknown.text == "1/0"
    assert {hook.url for hook in await api.store.webhooks()} == set(SEED["webhookUrls"])
    assert {hook.form for hook in await api.store.webhooks()} == {Form.TWIN24}


async def test_the_seeds_task_is_not_played_with_a_number_that_nobody_knows(api: Hands) -> None:
    """It waits for it, and begins when it is there: it is never dialed with another caller id."""
    identity = (await post(api, "/autoCall", SEED))["id"]["identity"]
    told = await refused(api, f"/autoCall/{identity}/play")
    assert f"there are no numbers for caller_id=pool:{SEED['cidData']}" in told["message"]
    assert await status(api, identity) == "READY"
    await api.store.save_caller_id_pool(SEED["cidData"], ["+74950000000"])
    assert (await post(api, f"/autoCall/{identity}/play"))["status"] == "PROCESS"


@pytest.mark.parametrize("prefix", ["/api/v1/telephony", "/cis/api/v1/telephony"])
async def test_a_task_is_made_at_each_of_its_places(api: Hands, prefix: str) -> None:
    assert (await api.ask("POST", f"{prefix}/autoCall", json=task())).status_code == 200


# --- what it becomes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"cps": "0.97"}, {"calls_per_second": pytest.approx(1 / 3)}),
        ({"cps": 0.4}, {"calls_per_second": pytest.approx(1 / 60)}),
        ({"cidType": "gornum", "cidData": "74950000000"}, {"caller_id": "74950000000"}),
        ({"cidType": "pool", "cidData": "north"}, {"caller_id": "pool:north"}),
        ({"additionalOptions__fullListTime": "12"}, {"short_call_s": 12}),
        ({"additionalOptions__recordCall": "false", "additionalOptions__recTrimLeft": ...}, {"record": False}),
        ({"additionalOptions__recTrimLeft": 5}, {"record_trim_s": 5}),
        ({"additionalOptions__recTrimLeft": True}, {"record_trim_s": 1}),
        ({"additionalOptions__recTrimLeft": False}, {"record_trim_s": 0}),
        ({"additionalOptions__detectRobot": "false", "additionalOptions__detectRobotMode": None}, {"amd": False}),
        ({"additionalOptions__detectRobotMode": "block"}, {"amd": True}),
        ({"additionalOptions__providerId": "own-trunk"}, {"trunk": "own-trunk"}),
        ({}, {"calling_hours": "00:00-24:00", "require_zone": False, "max_calls": 10_000, "stop_at": ""}),
        ({}, {"attempts_per_day": 0, "attempts_per_week": 0}),
        ({"lifetime": 300}, {"stop_at": "2025-10-09T08:58:20Z"}),
        (
            {"lifetime": 60, "startType": "time", "startMoment": "2025-10-10 10:00"},
            {"start_at": "2025-10-10T10:00:00Z", "stop_at": "2025-10-10T10:01:00Z"},
        ),
        ({"callStrategy": "STEP_2_STEP", "scheduleId": "x", "sendReportAfterFinish": True}, {}),
        ({"redialStrategyOptions": {"redialStrategyEn": False}}, {"max_tries": 0}),
        ({"secondExec": "end", "secondExecData": None}, {"params": "SECOND_EXEC=end"}),
        ({"secondExecData": "a;b"}, {"params": r"SECOND_EXEC=ch;SECOND_EXEC_DATA=a\;b"}),
    ],
)
async def test_a_field_becomes_a_setting(api: Hands, changes: dict[str, Any], settings: dict[str, Any]) -> None:
    found = (await campaign_of(api, await made(api, **changes))).settings
    assert {key: getattr(found, key) for key in settings} == settings


@pytest.mark.parametrize(
    ("from_s", "to_s", "hours"),
    [
        (0, 86399, "00:00-24:00"),
        ("32401", "75599", "09:01-21:00"),
        (36000, 64800, "10:00-18:00"),
        (0, 86400, "00:00-24:00"),
        (35976, 75636, "10:00-21:00"),
    ],
)
async def test_the_recipients_hours_are_whole_minutes_within_those_that_were_given(
    api: Hands, from_s: object, to_s: object, hours: str
) -> None:
    given: dict[str, Any] = {"additionalOptions__allowCallTimeFrom": from_s, "additionalOptions__allowCallTimeTo": to_s}
    found = (await campaign_of(api, await made(api, additionalOptions__useTr="true", **given))).settings
    assert (found.calling_hours, found.require_zone) == (hours, True)


async def test_the_law_230_keeps_its_hours_and_its_caps(api: Hands) -> None:
    law: dict[str, Any] = {"additionalOptions__fz230": True}
    found = (await campaign_of(api, await made(api, **law))).settings
    assert (found.calling_hours, found.attempts_per_day, found.attempts_per_week) == ("09:10-19:50", 2, 4)
    hours: dict[str, Any] = {"additionalOptions__allowCallTimeFrom": 36000, "additionalOptions__allowCallTimeTo": 86399}
    found = (await campaign_of(api, await made(api, additionalOptions__useTr=True, **law, **hours))).settings
    assert found.calling_hours == "10:00-19:50"


REDIAL = {
    "redialStrategyEn": "true",
    "busy": {"redial": True, "time": 1800, "count": 3},
    "noAnswer": {"redial": True, "time": "7200", "count": "5"},
    "answerMash": {"redial": False},
    "congestion": {"redial": 1, "time": 900, "count": 5},
    "answerNoList": {"redial": True, "time": 3600, "count": 0},
    "candidateLimit": {"redial": True, "count": 6},
    "numberLimit": {"redial": True, "count": 4},
}


async def test_each_redial_rule_counts_for_itself(api: Hands) -> None:
    """So many calls more make so many tries and one."""
    found = (await campaign_of(api, await made(api, redialStrategyOptions=REDIAL))).settings
    rules = {name: getattr(found, f"retry_{name}").text for name in ("busy", "no_answer", "machine", "short")}
    assert rules == {"busy": "4/1800", "no_answer": "6/7200", "machine": "1/0", "short": "1/3600"}
    assert found.retry_congestion.text == found.retry_failed.text == found.retry_unknown.text == "6/900"
    assert found.retry_rejected.text == found.retry_abandoned.text == "1/0"
    assert (found.max_tries, found.max_tries_per_number) == (6, 4)


async def test_nothing_is_redialed_while_that_is_switched_off(api: Hands) -> None:
    found = (await campaign_of(api, await made(api, redialStrategyOptions=REDIAL | {"redialStrategyEn": 0}))).settings
    assert {found.retries[disposition].tries for disposition in found.retries} == {1}
    assert (found.max_tries, found.max_tries_per_number) == (0, 0)


async def test_a_start_is_in_the_companys_zone(tmp_path: Path) -> None:
    async with hands(tmp_path) as api:
        object.__setattr__(api.services, "zone", "Europe/Moscow")
        await trunk(api)
        identity = await made(api, startType="time", startMoment="2026-06-02 10:00")
        assert (await campaign_of(api, identity)).settings.start_at == "2026-06-02T07:00:00Z"
        assert await status(api, identity) == "READY"


async def test_tasks_begin_as_the_administrators_template(tmp_path: Path) -> None:
    async with hands(tmp_path, autocall_template="usual") as api:
        await trunk(api)
        missing = await refused(api, "/autoCall", task())
        assert "[http] autocall_template = 'usual': there is no such campaign" in missing["message"]
        template = {"calling_hours": "10:00-12:00", "attempts_per_day": "4", "amd_max_words": "5", "goto": "own,s,1"}
        await api.campaign("usual", mode="broadcast", params="source=spring;second_exec=x", **template)
        found = (await campaign_of(api, await made(api))).settings
        assert (found.calling_hours, found.attempts_per_day, found.amd_max_words) == ("10:00-12:00", 4, 5)
        assert found.goto == f"astdialer-scenarios,{SCENARIO},1"
        assert found.params == f"source=spring;SECOND_EXEC=ch;SECOND_EXEC_DATA={SEED['secondExecData']}"


async def test_a_title_in_any_script_makes_a_name(api: Hands) -> None:
    identity = await made(api, name="ПК - Тёплый отклик - 21.11.2026")
    assert (await campaign_of(api, identity)).name == f"21.11.2026-{identity[:8]}"
    identity = await made(api, name="Звонки")
    assert (await campaign_of(api, identity)).name == f"autocall-{identity[:8]}"
    assert (await get(api, f"/autoCall/{identity}"))["name"] == "Звонки"


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": ...}),
        ("name", {"name": ""}),
        ("name", {"name": "x" * 300}),
        ("defaultExec", {"defaultExec": "human"}),
        ("defaultExecData", {"defaultExecData": ...}),
        ("defaultExecData", {"defaultExecData": "a,b"}),
        ("defaultExecData", {"defaultExecData": "x\r\nAction: Logoff"}),
        ("secondExec", {"secondExec": "transfer"}),
        ("secondExecData", {"secondExecData": ...}),
        ("secondExecData", {"secondExecData": "a\nb"}),
        ("secondExecData", {"secondExecData": "x" * 1000}),
        ("cidType", {"cidType": "own"}),
        ("cidData", {"cidType": "pool"}),
        ("cidData", {"cidType": "gornum", "cidData": "${X}"}),
        ("startType", {"startType": "now"}),
        ("startMoment", {"startType": "time"}),
        ("startMoment", {"startType": "time", "startMoment": "02.06.2023 10:00"}),
        ("startMoment", {"startType": "time", "startMoment": "2023-02-30 10:00"}),
        ("cps", {"cps": ...}),
        ("cps", {"cps": 0}),
        ("cps", {"cps": "fast"}),
        ("additionalOptions", {"additionalOptions": ...}),
        ("additionalOptions.fullListMethod", {"additionalOptions__fullListMethod": "accept"}),
        ("additionalOptions.fullListTime", {"additionalOptions__fullListTime": ...}),
        ("additionalOptions.fullListTime", {"additionalOptions__fullListTime": 601}),
        ("additionalOptions.recordCall", {"additionalOptions__recordCall": "perhaps"}),
        ("additionalOptions.recTrimLeft", {"additionalOptions__recTrimLeft": ...}),
        ("additionalOptions.detectRobotMode", {"additionalOptions__detectRobotMode": None}),
        ("additionalOptions.detectRobotMode", {"additionalOptions__detectRobotMode": "front"}),
        ("additionalOptions.providerId", {"additionalOptions__providerId": "a b"}),
        (
            "additionalOptions.allowCallTimeTo",
            {"additionalOptions__useTr": True, "additionalOptions__allowCallTimeTo": ...},
        ),
        (
            "additionalOptions.allowCallTimeTo",
            {"additionalOptions__useTr": True, "additionalOptions__allowCallTimeFrom": 86399},
        ),
        (
            "additionalOptions.fz230",
            {
                "additionalOptions__useTr": True,
                "additionalOptions__fz230": True,
                "additionalOptions__allowCallTimeTo": 3600,
            },
        ),
        ("redialStrategyOptions", {"redialStrategyOptions": ...}),
        ("redialStrategyOptions.redialStrategyEn", {"redialStrategyOptions": {}}),
        ("redialStrategyOptions.busy", {"redialStrategyOptions": {"redialStrategyEn": True}}),
        (
            "redialStrategyOptions.busy.count",
            {"redialStrategyOptions": REDIAL | {"busy": {"redial": True, "time": 3}}},
        ),
        ("redialStrategyOptions.busy.time", {"redialStrategyOptions": REDIAL | {"busy": {"redial": True, "time": -3}}}),
        (
            "redialStrategyOptions.numberLimit.count",
            {"redialStrategyOptions": REDIAL | {"numberLimit": {"redial": True, "count": 0}}},
        ),
        ("callStrategy", {"callStrategy": "PARALLEL"}),
        ("lifetime", {"lifetime": -1}),
        ("phoneNormalization", {"phoneNormalization": "KZ"}),
        ("webhookUrls.0", {"webhookUrls": ["ftp://example.com"]}),
        ("webhookUrls.1", {"webhookUrls": ["https://example.com", {"url": "https://user:secret@example.com"}]}),
        (
            "webhookUrls.1.delay",
            {"webhookUrls": ["https://a.example.com", {"url": "https://example.com", "delay": 3601}]},
        ),
        ("webhookUrls.0.Hook.delay", {"webhookUrls": [{"url": "https://example.com", "delay": -4}]}),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_made(api: Hands, field: str, changes: dict[str, Any]) -> None:
    told = await refused(api, "/autoCall", task(**changes))
    assert field in [error["field"] for error in told["errors"]], told
    assert field.split(".", maxsplit=1)[0] in told["message"]
    assert await api.store.campaigns() == []
    assert await api.store.webhooks() == []
    assert await api.store.foreign_all("twin24", "autoCall") == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"null", b'{"name": "\xff"}', b"[" * 100_000, b'{"a":' * 5000 + b"1"]
)
async def test_what_is_no_task_at_all_is_refused(api: Hands, body: bytes) -> None:
    answer = await api.ask("POST", f"{TELEPHONY}/autoCall", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert await api.store.campaigns() == []


@pytest.mark.parametrize("extra", [b'"taskComment": "\\ud800"', b'"own": NaN', b'"own": "\\ud800"', b'"own": Infinity'])
async def test_what_cant_be_said_back_is_refused(api: Hands, extra: bytes) -> None:
    body = json.dumps(task(taskComment=...)).encode()[:-1] + b", " + extra + b"}"
    answer = await api.ask("POST", f"{TELEPHONY}/autoCall", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert await api.store.campaigns() == []


async def test_who_may_not_keep_webhooks_makes_no_task_that_has_any(api: Hands) -> None:
    body = task(webhookUrls=["https://example.com/hook"])
    await refused(api, "/autoCall", body, status=403, role=Role.SUPERVISOR)
    assert await api.store.campaigns() == []
    await post(api, "/autoCall", task(), role=Role.SUPERVISOR)


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.AGENT])
async def test_who_may_not_keep_campaigns_makes_none(api: Hands, role: Role) -> None:
    await refused(api, "/autoCall", task(), status=403, role=role)


async def test_nobody_is_told_anything_without_a_token(api: Hands) -> None:
    answer = await api.client.get(f"{TELEPHONY}/autoCall")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["code"] == 401


# --- receivers of events ---------------------------------------------------------------------------------------------


async def test_receivers_are_told_what_they_want_when_they_want_it(api: Hands) -> None:
    hooks = [
        "https://a.example.com",
        {"url": "https://b.example.com", "partialResults": True, "delay": 4},
        {
            "url": "https://c.example.com",
            "events": {
                "CALL_ENDED": {"name": "CALL_ENDED", "value": True},
                "CANDIDATE_CHANGED": {"name": "CANDIDATE_CHANGED", "value": "false"},
                "RECALL_SCHEDULED": True,
                "SOMETHING_ELSE": {"value": True},
            },
        },
        {"url": "https://d.example.com", "events": {"CALL_ENDED": {"name": "CALL_ENDED", "value": False}}},
        {"url": "https://e.example.com", "events": []},
    ]
    identity = await made(api, webhookUrls=hooks)
    campaign = await campaign_of(api, identity)
    found = {hook.url[8]: hook for hook in await api.store.webhooks()}
    assert {name: set(hook.events) for name, hook in found.items()} == {
        "a": {"CALL_REDIRECTED", "CALL_ENDED", "CANDIDATE_CHANGED"},
        "b": {"*"},
        "c": {"CALL_ENDED", "RECALL_SCHEDULED"},
        "e": {"*"},
    }
    assert {hook.campaign_id for hook in found.values()} == {campaign.id}
    assert found["b"].options["delay_s"] == 4
    assert found["a"].options["taskId"] == identity


HOOKED: dict[str, Any] = {"webhookUrls": [{"url": "https://example.com/hook", "delay": 4}]}


async def ended(api: Hands, end: CampaignState) -> int:
    """The campaign of a task with a receiver, moved to this state."""
    campaign = await campaign_of(api, await made(api, **HOOKED))
    await api.store.set_state(campaign.id, end, now=api.clock.at)
    return campaign.id


async def hooked(api: Hands) -> set[int | None]:
    """The campaigns that have receivers after one more task, which has none, was made."""
    await made(api)
    return {hook.campaign_id for hook in await api.store.webhooks()}


@pytest.mark.parametrize(
    ("end", "days"), [(CampaignState.STOPPED, 1), (CampaignState.FINISHED, 3), (CampaignState.RUNNING, 1000)]
)
async def test_receivers_of_a_task_that_ended_long_ago_are_forgotten(api: Hands, end: CampaignState, days: int) -> None:
    campaign = await ended(api, end)
    api.clock.at += days * 86_400_000
    assert await hooked(api) == {campaign}, "it may have to be told yet"
    api.clock.at += 1000
    assert await hooked(api) == ({campaign} if end is CampaignState.RUNNING else set())


async def test_a_receiver_that_waits_for_a_message_is_kept(api: Hands) -> None:
    campaign = await ended(api, CampaignState.STOPPED)
    (hook,) = await api.store.webhooks()
    waiting = Delivery(id="d", webhook_id=hook.id, event_id=1, kind="CALL_ENDED", body="{}", created_at=NOW, retry_at=0)
    await api.store.queue_deliveries("webhooks", 1, [waiting])
    api.clock.at += 9 * 86_400_000
    assert await hooked(api) == {campaign}


async def test_requests_that_come_together_forget_the_same_receivers(api: Hands) -> None:
    for _ in range(3):
        await ended(api, CampaignState.STOPPED)
    api.clock.at += 9 * 86_400_000
    identities = await asyncio.gather(*(made(api) for _ in range(5)))
    assert len(set(identities)) == 5
    assert await api.store.webhooks() == []


async def test_a_new_task_waits_for_few_receivers_to_be_forgotten(api: Hands) -> None:
    for _ in range(12):
        await ended(api, CampaignState.STOPPED)
    api.clock.at += 9 * 86_400_000
    assert [len(await hooked(api)) for _ in range(2)] == [2, 0]


async def test_a_task_that_is_played_again_has_its_receivers_back(api: Hands) -> None:
    identity = await made(api, role=Role.INTEGRATION, tenant="a", **HOOKED)
    (before,) = await api.store.webhooks()
    assert before.campaign_id is not None
    await api.store.set_state(before.campaign_id, CampaignState.FINISHED, now=NOW)
    api.clock.at += 4 * 86_400_000
    assert await hooked(api) == set()
    await asyncio.gather(*(post(api, f"/autoCall/{identity}/play") for _ in range(3)))
    (after,) = await api.store.webhooks()
    changed = {"id", "secret", "created_at", "created_by", "since_event"}
    again = {key: value for key, value in dataclasses.asdict(after).items() if key not in changed}
    assert again == {key: value for key, value in dataclasses.asdict(before).items() if key not in changed}


async def test_what_cant_be_kept_leaves_nothing_of_a_task(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "webhook_row", lambda _: {})
    answer = await api.ask("POST", f"{TELEPHONY}/autoCall", json=task(**HOOKED))
    assert answer.status_code == 500
    assert await api.store.campaigns() == []
    assert await api.store.foreign_all("twin24", "autoCall") == []


# --- what it does ----------------------------------------------------------------------------------------------------


async def state(api: Hands, identity: str) -> CampaignState:
    return (await campaign_of(api, identity)).state


async def test_a_task_is_played_paused_and_halted(api: Hands) -> None:
    identity = await made(api)
    assert await status(api, identity) == "BLANK"
    for move, expected in (
        ("play", "PROCESS"),
        ("play", "PROCESS"),
        ("pause", "PAUSED"),
        ("pause", "PAUSED"),
        ("play", "PROCESS"),
        ("halted", "HALTED"),
        ("halted", "HALTED"),
    ):
        answer = await post(api, f"/autoCall/{identity}/{move}")
        assert answer == {"id": {"identity": identity}, "status": expected}
        assert await status(api, identity) == expected
    assert await state(api, identity) is CampaignState.STOPPING
    told = await refused(api, f"/autoCall/{identity}/play")
    assert "for ever" in told["message"]


@pytest.mark.parametrize(("does", "after"), [("resume", 200), ("halt", 400)])
async def test_a_task_that_another_request_has_just_moved_is_played_if_it_dials(
    api: Hands, monkeypatch: pytest.MonkeyPatch, does: str, after: int
) -> None:
    identity = await made(api)
    name = (await campaign_of(api, identity)).name
    for move in ("play", "pause"):
        await post(api, f"/autoCall/{identity}/{move}")

    async def meanwhile(*_: Any) -> None:
        await getattr(campaigns, does)(api.store, api.clock, name)

    monkeypatch.setattr(tasks, "check_playable", meanwhile)
    assert (await api.ask("POST", f"{TELEPHONY}/autoCall/{identity}/play")).status_code == after


@pytest.mark.parametrize("move", ["halted", "halt"])
async def test_a_task_that_was_never_played_is_halted_too(api: Hands, move: str) -> None:
    identity = await made(api, startType="time", startMoment="2026-01-01 10:00")
    assert (await post(api, f"/autoCall/{identity}/{move}"))["status"] == "HALTED"
    assert await state(api, identity) is CampaignState.STOPPED, "it does not start by itself any more"


async def test_a_finished_task_is_played_again(api: Hands) -> None:
    identity = await made(api)
    campaign = await campaign_of(api, identity)
    await api.store.set_state(campaign.id, CampaignState.FINISHED, now=NOW)
    assert await status(api, identity) == "FINISHED"
    await refused(api, f"/autoCall/{identity}/pause")
    assert (await post(api, f"/autoCall/{identity}/play"))["status"] == "PROCESS"


async def test_a_task_that_cant_be_dialed_says_why_and_goes_on_once_it_is_mended(api: Hands) -> None:
    identity = await made(api)
    campaign = await campaign_of(api, identity)
    await api.store.set_state(campaign.id, CampaignState.ERROR, explanation="its trunk is gone", now=NOW)
    shown = await get(api, f"/autoCall/{identity}")
    assert (shown["status"], shown["statusComment"]) == ("PAUSED", "its trunk is gone")
    assert (await post(api, f"/autoCall/{identity}/play"))["status"] == "PROCESS"


async def test_a_task_without_a_trunk_is_made_and_not_played(tmp_path: Path) -> None:
    async with hands(tmp_path) as api:
        identity = await made(api)
        assert "no trunk" in (await refused(api, f"/autoCall/{identity}/play"))["message"]


@pytest.mark.parametrize("move", ["play", "pause", "halted"])
async def test_a_task_that_is_not_there_is_not_found(api: Hands, move: str) -> None:
    await refused(api, f"/autoCall/228cc4fa-92f2-4709-94e3-7344a96a5903/{move}", status=404)
    await refused(api, f"/autoCall/..%2f..%2fetc/{move}", status=404)


async def test_what_is_changed_elsewhere_is_shown(api: Hands) -> None:
    identity = await made(api)
    campaign = await campaign_of(api, identity)
    await campaigns.change(api.store, api.clock, campaign.name, {"calls_per_second": "1/60"})
    assert (await get(api, f"/autoCall/{identity}"))["cps"] == 0.4


async def test_a_task_is_found_without_looking_at_all_campaigns(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = await made(api)

    async def never() -> None:
        raise AssertionError("all campaigns are asked for")

    monkeypatch.setattr(api.store, "campaigns", never)
    assert await status(api, identity) == "BLANK"
    with pytest.raises(NotFound):
        await api.services.campaign_by_id(Access(name="ana", role=Role.ADMIN), 2**70)


# --- lists -----------------------------------------------------------------------------------------------------------


async def names(api: Hands, query: str = "", **more: Any) -> list[str]:
    return [item["name"] for item in (await get(api, f"/autoCall{query}", **more))["items"]]


async def test_tasks_are_listed_searched_and_sorted(api: Hands) -> None:
    for name in ("beta", "Alpha", "gamma"):
        identity = await made(api, name=name)
        api.clock.at += 1000
    await post(api, f"/autoCall/{identity}/play")
    assert await names(api) == ["beta", "Alpha", "gamma"]
    assert await names(api, "?sort=name") == ["Alpha", "beta", "gamma"]
    assert await names(api, "?sort=-status") == ["gamma", "beta", "Alpha"]
    assert await names(api, "?keyword=ALPH") == ["Alpha"]
    assert await names(api, "?status=PROCESS,PAUSED") == ["gamma"]
    assert await names(api, "?page=1&limit=2") == ["gamma"]
    assert await names(api, "?offset=1&limit=1") == ["Alpha"]
    assert await names(api, "?from=2025-10-09T08:53:21.000Z&to=2025-10-09T08:53:22.000Z") == ["Alpha"]
    assert (await get(api, "/autoCall?limit=1"))["count"] == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0&offset=0", "page"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("page=-1", "page"),
        ("status=DONE", "status"),
        ("sort=cps", "sort"),
        ("from=yesterday", "from"),
    ],
)
async def test_a_bad_question_is_refused_by_name(api: Hands, query: str, field: str) -> None:
    answer = await api.ask("GET", f"{TELEPHONY}/autoCall?{query}")
    assert answer.status_code == 400
    assert field in answer.json()["message"]


async def test_another_tenants_task_is_not_there(api: Hands) -> None:
    identity = await made(api, role=Role.INTEGRATION, tenant="a")
    assert await names(api, role=Role.INTEGRATION, tenant="b") == []
    assert await names(api, role=Role.INTEGRATION, tenant="a") == [SEED["name"]]
    assert await names(api) == [SEED["name"]], "who has no tenant sees all"
    for move in ("play", "pause", "halted"):
        await refused(api, f"/autoCall/{identity}/{move}", status=404, role=Role.INTEGRATION, tenant="b")
    answer = await api.ask("GET", f"{TELEPHONY}/autoCall/{identity}", role=Role.INTEGRATION, tenant="b")
    assert answer.status_code == 404
