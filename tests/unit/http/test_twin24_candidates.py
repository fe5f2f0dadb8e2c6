"""autoCallCandidate: whom a task calls, added singly and in batches, listed and canceled; and calls without a task."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, Hands, hands
from twin24_hands import SCENARIO, TELEPHONY, campaign_of, foreign, get, made, post, refused, status, trunk

from astdialer.domain.access import Role
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.contact import NewContact
from astdialer.domain.params import parse_params, with_own
from astdialer.http.twin24 import candidates
from astdialer.http.twin24.candidates import AT_A_STRETCH, read
from astdialer.http.twin24.models import Person
from astdialer.http.twin24.states import candidate_id, contact_id
from astdialer.http.twin24.task import reading
from astdialer.http.twin24.translate import contact_of, spellings
from astdialer.ports import BlacklistEntry

CANDIDATES = "/autoCallCandidate"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await trunk(opened)
        yield opened


def person(task_id: str, phone: Any = "447700900123", **more: Any) -> dict[str, Any]:
    return {"autoCallId": task_id, "phone": phone} | more


async def listed(api: Hands, task_id: str, query: str = "") -> list[dict[str, Any]]:
    found = await get(api, f"{CANDIDATES}?autoCallId={task_id}{query}")
    return list(found["items"])


async def contacts(api: Hands, campaign: Campaign) -> list[dict[str, Any]]:
    rows = await api.store.contacts({"campaign": campaign.name}, 1000)
    return [dict(await api.store.contact(row["id"])) for row in rows]


# --- one -------------------------------------------------------------------------------------------------------------


async def test_a_candidate_is_added_and_read_back(api: Hands) -> None:
    task_id = await made(api)
    sent = person(
        task_id,
        ["447700900123", "+44 7700 900124"],
        variables={"Name": "Ana", "age": 41, "vip": True, "rate": 1.5, "none": None},
        callbackData={"id": [1, {"deep": "ü"}]},
        clientExternalId="c-1",
        timezone=25200,
    )
    answer = await post(api, CANDIDATES, sent)
    assert answer["added"] is True
    (found,) = await listed(api, task_id)
    assert found["id"] == answer["id"]["identity"]
    assert (found["status"], found["isDone"], found["calls"]) == ("SCHEDULED", False, [])
    assert found["phone"] == ["+447700900123", "+447700900124"]
    assert found["callbackData"] == {"id": [1, {"deep": "ü"}]}
    assert found["variables"] == {"Name": "Ana", "age": "41", "vip": "true", "rate": "1.5", "none": ""}
    assert (found["clientExternalId"], found["timezone"]) == ("c-1", 25200)
    assert await get(api, f"{CANDIDATES}/{found['id']}") == found

    (contact,) = await contacts(api, await campaign_of(api, task_id))
    assert [(n["number"], n["zones"]) for n in contact["numbers"]] == [
        ("+447700900123", "UTC+07:00"),
        ("+447700900124", "UTC+07:00"),
    ]
    assert contact["params"] == {"Name": "Ana", "age": "41", "vip": "true", "rate": "1.5", "none": ""}


async def test_a_candidates_variables_do_not_say_what_the_task_says(api: Hands) -> None:
    """Its secondExec is a param of the campaign, which gives way to a contact's own."""
    task_id = await made(api, secondExec="end", secondExecData=None)
    variables = {"SECOND_EXEC": "ch", "second_exec": "ch", "SECOND_EXEC_DATA": "own"}
    await post(api, CANDIDATES, person(task_id, variables=variables))
    campaign = await campaign_of(api, task_id)
    (contact,) = await contacts(api, campaign)
    assert with_own(contact["params"], parse_params("params", campaign.settings.params)) == {
        "SECOND_EXEC": "end",
        "SECOND_EXEC_DATA": "own",
    }


@pytest.mark.parametrize("again", [{}, {"phone": "447700900999"}, {"clientExternalId": "other"}])
async def test_who_is_there_already_is_taken_and_not_added(api: Hands, again: dict[str, Any]) -> None:
    task_id = await made(api)
    sent = person(task_id, clientExternalId="c-1")
    first = await post(api, CANDIDATES, sent)
    second = await post(api, CANDIDATES, sent | again)
    assert (second["added"], second["id"]) == (False, first["id"])
    assert len(await listed(api, task_id)) == 1


async def test_a_candidate_is_known_by_its_first_phone(api: Hands) -> None:
    """A further one may be that of another: each is called for its own."""
    task_id = await made(api)
    household = await post(api, CANDIDATES, person(task_id, ["447700900001", "447700900002"]))
    other = await post(api, CANDIDATES, person(task_id, "447700900002"))
    assert (household["added"], other["added"]) == (True, True)
    for first, same in ((["447700900002", "447700900003"], other), (["1", "447700900001"], household)):
        again = await post(api, CANDIDATES, person(task_id, first))
        assert (again["added"], again["id"]) == (False, same["id"])


async def test_the_batch_wrapper_belongs_to_its_own_path(api: Hands) -> None:
    told = await refused(api, CANDIDATES, {"batch": [person(await made(api))]})
    assert {"autoCallId", "phone"} <= {error["field"] for error in told["errors"]}


@pytest.mark.parametrize(
    ("text", "russian", "expected"),
    [
        ("79876543210", False, ["+79876543210", "79876543210"]),
        ("447700900123", False, ["+447700900123", "447700900123"]),
        ("07700900123", False, ["07700900123", "+07700900123"]),
        ("88005553535", False, ["88005553535", "+88005553535"]),
        ("8 (800) 555-35-35", True, ["+78005553535"]),
        ("9876543210", True, ["+79876543210"]),
        ("79876543210", True, ["+79876543210"]),
        ("447700900123", True, ["+447700900123", "447700900123"]),
        ("+447700900123", False, ["+447700900123"]),
        ("one", True, ["one"]),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, russian: bool, expected: list[str]) -> None:
    assert list(spellings(text, russian=russian)) == expected


async def test_russian_numbers_are_normalized_where_the_task_says_so(api: Hands) -> None:
    task_id = await made(api, phoneNormalization="RU")
    await post(api, CANDIDATES, person(task_id, "8 987 654-32-10"))
    (contact,) = await contacts(api, await campaign_of(api, task_id))
    assert contact["number"] == "+79876543210"
    assert len(await listed(api, task_id, "&phone=89876543210")) == 1


async def test_a_phone_that_is_none_is_kept_and_never_dialed(api: Hands) -> None:
    task_id = await made(api)
    await post(api, CANDIDATES, person(task_id, "not a number"))
    (found,) = await listed(api, task_id)
    assert (found["status"], found["isDone"], found["reason"]) == ("INVALID", True, "INVALID_NUMBER_FORMAT")
    await post(api, CANDIDATES, person(task_id, ["123", "447700900123"]))
    *_, mixed = await listed(api, task_id)
    assert (mixed["status"], mixed["phone"]) == ("SCHEDULED", ["+447700900123", "123"])


@pytest.mark.parametrize("where", ["task", "candidate"])
async def test_a_phone_that_is_none_is_refused_where_phones_are_checked(api: Hands, where: str) -> None:
    task_id = await made(api, checkPhone=where == "task")
    sent = person(task_id, ["447700900123", "123"]) | ({"checkPhone": True} if where == "candidate" else {})
    told = await refused(api, CANDIDATES, sent)
    assert told["errors"][0]["field"] == "phone.1"
    assert await listed(api, task_id) == []
    assert (await post(api, CANDIDATES, sent | {"checkPhone": False}))["added"]


@pytest.mark.parametrize(
    ("offset", "zone"),
    [(25200, "UTC+07:00"), (-12600, "UTC-03:30"), (0, "UTC"), ("25200", "UTC+07:00"), (420, "UTC+07:00"), (None, "")],
)
async def test_a_zone_is_seconds_from_utc_and_minutes_where_it_can_be_nothing_else(
    api: Hands, offset: Any, zone: str
) -> None:
    task_id = await made(api)
    await post(api, CANDIDATES, person(task_id, timezone=offset))
    (contact,) = await contacts(api, await campaign_of(api, task_id))
    assert contact["numbers"][0]["zones"] == zone


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("autoCallId", {"autoCallId": ...}),
        ("phone", {"phone": ...}),
        ("phone", {"phone": []}),
        ("phone", {"phone": ["1"] * 21}),
        ("phone.0", {"phone": ["1" * 61]}),
        ("timezone", {"timezone": 1000}),
        ("timezone", {"timezone": 90_000}),
        ("timezone", {"timezone": "Moscow"}),
        ("variables", {"variables": {"Имя": "Ана"}}),
        ("variables", {"variables": {"name": "a\r\nAction: Logoff"}}),
        ("variables", {"variables": {"name": "x" * 1000}}),
        ("variables", {"variables": {f"n{n}": "x" for n in range(80)}}),
        ("variables.name.str", {"variables": {"name": {"deep": 1}}}),
        ("clientExternalId", {"clientExternalId": "a\nb"}),
        ("clientExternalId", {"clientExternalId": "x" * 300}),
        ("callbackData", {"callbackData": "x" * 70_000}),
    ],
)
async def test_a_bad_field_is_named_and_nobody_is_added(api: Hands, field: str, changes: dict[str, Any]) -> None:
    task_id = await made(api)
    sent = {key: value for key, value in (person(task_id) | changes).items() if value is not ...}
    told = await refused(api, CANDIDATES, sent)
    assert field in [error["field"] for error in told["errors"]]
    batch = await refused(api, f"{CANDIDATES}/batch", {"batch": [person(task_id, "447700900001"), sent]})
    assert f"batch.1.{field}" in [error["field"] for error in batch["errors"]]
    assert await listed(api, task_id) == []


async def test_php_says_nothing_with_empty_lists(api: Hands) -> None:
    task_id = await made(api)
    await post(api, CANDIDATES, person(task_id, variables=[], callbackData=[], clientExternalId="", timezone=""))
    (found,) = await listed(api, task_id)
    assert (found["variables"], found["callbackData"], found["clientExternalId"]) == ({}, [], None)


# --- many ------------------------------------------------------------------------------------------------------------


async def test_a_batch_goes_to_its_tasks_and_each_phone_once(api: Hands) -> None:
    first, second = await made(api), await made(api)
    batch = [
        person(first, "447700900001"),
        person(second, "447700900001"),
        person(first, "447700900001"),
        person(first, ["447700900002"], clientExternalId="x"),
        person(first, ["447700900003"], clientExternalId="x"),
    ]
    answer = await post(api, f"{CANDIDATES}/batch", {"batch": batch})
    assert (answer["count"], [item["added"] for item in answer["items"]]) == (3, [True, True, False, True, False])
    assert [item["phone"] for item in await listed(api, first)] == [["+447700900001"], ["+447700900002"]]
    assert [item["id"] for item in await listed(api, second)] == [answer["items"][1]["id"]["identity"]]
    assert await status(api, first) == "BLANK"


async def test_a_batch_may_be_larger_than_a_transaction(api: Hands) -> None:
    task_id = await made(api)
    batch = [person(task_id, f"4477009{n:05}") for n in range(2100)]
    assert (await post(api, f"{CANDIDATES}/batch", {"batch": batch}))["count"] == 2100
    page = await get(api, f"{CANDIDATES}?autoCallId={task_id}&page=2&limit=1000")
    assert (page["count"], len(page["items"])) == (2100, 100)
    assert page["items"][-1]["phone"] == ["+447700902099"]


async def test_others_are_served_while_a_full_batch_is_read(api: Hands) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    people = [Person(phone=[f"4477009{n:05}"]) for n in range(1000)]
    beside = asyncio.create_task(others())
    try:
        contacts = await read(people, [""] * 1000, [reading(api.services, {})] * 1000)
    finally:
        beside.cancel()
    assert contacts[999].numbers[0].number == "+447700900999"
    assert turns >= 1000 / AT_A_STRETCH


async def test_a_forced_start_of_one_candidate_is_of_its_task(api: Hands) -> None:
    asked, other = await made(api), await made(api)
    batch = [person(asked, "447700900001"), person(other), person(asked, "447700900002", forceStart=True)]
    assert (await post(api, f"{CANDIDATES}/batch", {"batch": batch}))["count"] == 3
    assert (await status(api, asked), await status(api, other)) == ("PROCESS", "BLANK")


@pytest.mark.parametrize("before", [CampaignState.IDLE, CampaignState.PAUSED, CampaignState.FINISHED])
async def test_a_forced_start_lets_the_task_dial(api: Hands, before: CampaignState) -> None:
    task_id = await made(api)
    await api.store.set_state((await campaign_of(api, task_id)).id, before, now=NOW)
    await post(api, f"{CANDIDATES}/batch", {"batch": [person(task_id)], "forceStart": "true"})
    assert await status(api, task_id) == "PROCESS"


async def test_a_task_that_finishes_before_its_candidate_is_there_is_started_again(
    api: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await made(api)
    campaign, add_to_base = await campaign_of(api, task_id), api.store.add_to_base
    await api.store.set_state(campaign.id, CampaignState.RUNNING, now=NOW)

    async def finishes_first(*given: Any) -> Any:
        await api.store.set_state(campaign.id, CampaignState.FINISHED, now=NOW)
        return await add_to_base(*given)

    monkeypatch.setattr(api.store, "add_to_base", finishes_first)
    await post(api, CANDIDATES, person(task_id, forceStart=True))
    assert await status(api, task_id) == "PROCESS"


async def test_a_start_that_cant_be_forced_adds_nobody(api: Hands) -> None:
    task_id = await made(api, cidType="pool", cidData="nobody-knows")
    told = await refused(api, f"{CANDIDATES}/batch", {"batch": [person(task_id)], "forceStart": True})
    assert "caller_id=pool:nobody-knows" in told["message"]
    assert await listed(api, task_id) == []
    await post(api, CANDIDATES, person(task_id))


async def test_a_halted_task_takes_nobody(api: Hands) -> None:
    task_id = await made(api)
    await post(api, f"/autoCall/{task_id}/halted")
    await refused(api, CANDIDATES, person(task_id))
    assert await listed(api, task_id) == []


@pytest.mark.parametrize("forced", [False, True])
async def test_a_task_whose_lifetime_has_ended_takes_nobody(api: Hands, forced: bool) -> None:
    task_id = await made(api, lifetime=300)
    await api.store.set_state((await campaign_of(api, task_id)).id, CampaignState.FINISHED, now=NOW)
    await post(api, CANDIDATES, person(task_id))
    api.clock.at += 300_000
    told = await refused(api, CANDIDATES, person(task_id, "447700900001", forceStart=forced))
    assert "its stop_at 2025-10-09T08:58:20Z is over" in told["message"]
    assert len(await listed(api, task_id)) == 1


async def test_a_batch_of_a_task_that_is_not_there_adds_nobody(api: Hands) -> None:
    task_id = await made(api)
    batch = [person(task_id), person("228cc4fa-92f2-4709-94e3-7344a96a5903", "447700900001")]
    await refused(api, f"{CANDIDATES}/batch", {"batch": batch}, status=404)
    assert await listed(api, task_id) == []
    await refused(api, f"{CANDIDATES}/batch", {"batch": []})


async def test_another_tenants_candidates_are_not_there(api: Hands) -> None:
    task_id = await made(api, role=Role.INTEGRATION, tenant="a")
    added = await post(api, CANDIDATES, person(task_id), role=Role.INTEGRATION, tenant="a")
    stranger: dict[str, Any] = {"role": Role.INTEGRATION, "tenant": "b"}
    await refused(api, CANDIDATES, person(task_id, "447700900001"), status=404, **stranger)
    await refused(api, f"{CANDIDATES}/cancel?autoCallId={task_id}&phone=447700900123", status=404, **stranger)
    for path in (f"{CANDIDATES}?autoCallId={task_id}", f"{CANDIDATES}/{added['id']['identity']}"):
        assert (await api.ask("GET", TELEPHONY + path, **stranger)).status_code == 404
    assert len(await listed(api, task_id)) == 1


# --- canceled, shown -------------------------------------------------------------------------------------------------


async def test_a_canceled_candidate_is_called_no_more(api: Hands) -> None:
    task_id, other = await made(api), await made(api)
    for each in (task_id, other):
        await post(api, CANDIDATES, person(each))
    path = f"{CANDIDATES}/cancel?autoCallId={task_id}&phone=447700900123"
    assert await post(api, path) == {"count": 1}
    (found,) = await listed(api, task_id)
    assert (found["status"], found["isDone"]) == ("CANCEL", True)
    assert [item["isDone"] for item in await listed(api, other)] == [False]
    await refused(api, path, status=404)


async def test_a_blacklisted_candidate_says_so(api: Hands) -> None:
    task_id = await made(api)
    await post(api, CANDIDATES, person(task_id))
    entry = BlacklistEntry(number="+447700900123", campaign="*", reason="", added_by="", added_at=NOW)
    await api.store.withdraw([entry], NOW)
    assert [item["status"] for item in await listed(api, task_id)] == ["BLACKLIST"]


@pytest.mark.parametrize("identity", ["x", "228cc4fa-92f2-4709-94e3-7344a96a5903", "0" * 32])
async def test_a_candidate_that_is_not_there_is_not_found(api: Hands, identity: str) -> None:
    await post(api, CANDIDATES, person(await made(api)))
    assert (await api.ask("GET", f"{TELEPHONY}{CANDIDATES}/{identity}")).status_code == 404


async def test_a_candidates_id_is_of_its_task(api: Hands) -> None:
    task_id, other = await made(api), await made(api)
    added = (await post(api, CANDIDATES, person(task_id)))["id"]["identity"]
    number = contact_id(added)
    assert number is not None
    assert candidate_id(task_id, number) == added
    strange = candidate_id(other, number)
    assert (await api.ask("GET", f"{TELEPHONY}{CANDIDATES}/{strange}")).status_code == 404


# --- without a task --------------------------------------------------------------------------------------------------

SINGLE = f"{CANDIDATES}/single"
BOT = "a8c57dfe-92f2-4709-94e3-7344a9850d2e"


def single(phone: str = "447700900001", **more: Any) -> dict[str, Any]:
    return {"phone": [phone], "botSettingsId": BOT} | more


async def test_single_calls_of_a_day_are_of_one_task(api: Hands) -> None:
    template = await made(api, name="template", webhookUrls=["https://example.com/hook"], cps=0.4)
    wanted = {"autoCallTemplateId": template}
    first = await post(api, SINGLE, single(**wanted))
    second = await post(api, SINGLE, single("447700900002", **wanted))
    assert first["added"]
    assert first["autoCallId"] == second["autoCallId"] != template
    assert len(await listed(api, first["autoCallId"])) == 2
    shown = await get(api, f"/autoCall/{first['autoCallId']}")
    assert (shown["name"], shown["status"], shown["cps"]) == ("template 2025-10-09", "PROCESS", 0.4)
    assert shown["defaultExecData"] == BOT
    settings = (await campaign_of(api, first["autoCallId"])).settings
    assert settings.goto == f"astdialer-scenarios,{BOT},1"
    api.clock.at += 86_400_000
    third = await post(api, SINGLE, single("447700900003", **wanted))
    assert third["autoCallId"] != first["autoCallId"]


async def test_a_single_call_may_have_a_candidates_other_fields(api: Hands) -> None:
    template = await made(api)
    sent = single(autoCallTemplateId=template, autoCallId=template, forceStart="later")
    answer = await post(api, SINGLE, sent)
    assert answer["added"]
    assert answer["autoCallId"] != template


async def test_the_persons_of_single_calls_are_read_once(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    template, taken = await made(api), []

    def taking(*given: Any) -> NewContact:
        taken.append(given)
        return contact_of(*given)

    monkeypatch.setattr(candidates, "contact_of", taking)
    batch = [single(f"44770090000{n}", autoCallTemplateId=template) for n in range(3)]
    assert (await post(api, f"{SINGLE}/batch", {"batch": batch}))["count"] == 3
    assert len(taken) == 3


async def test_single_calls_of_another_scenario_are_of_another_task(api: Hands) -> None:
    template = await made(api)
    batch = [
        single("447700900001", autoCallTemplateId=template),
        single("447700900002", autoCallTemplateId=template, botSettingsId=SCENARIO),
        single("447700900003", autoCallTemplateId=template),
    ]
    answer = await post(api, f"{SINGLE}/batch", {"batch": batch})
    tasks = [item["autoCallId"] for item in answer["items"]]
    assert answer["count"] == 3
    assert tasks[0] == tasks[2] != tasks[1]


async def test_a_day_goes_on_in_another_task_when_the_first_was_halted(api: Hands) -> None:
    wanted = {"autoCallTemplateId": await made(api)}
    first = (await post(api, SINGLE, single(**wanted)))["autoCallId"]
    await post(api, f"/autoCall/{first}/halted")
    assert (await post(api, SINGLE, single(**wanted)))["autoCallId"] != first


@pytest.mark.parametrize("ended", [CampaignState.FINISHED, CampaignState.RUNNING])
async def test_a_day_goes_on_in_another_task_when_the_first_has_lived_its_time(
    api: Hands, ended: CampaignState
) -> None:
    wanted = {"autoCallTemplateId": await made(api, lifetime=3600)}
    first = (await post(api, SINGLE, single(**wanted)))["autoCallId"]
    await api.store.set_state((await campaign_of(api, first)).id, ended, now=NOW)
    api.clock.at += 3_600_000
    second = await post(api, SINGLE, single(**wanted))
    assert second["added"]
    assert second["autoCallId"] != first
    assert await status(api, second["autoCallId"]) == "PROCESS"


async def test_a_days_task_has_as_much_of_its_templates_name_as_a_name_may_have(api: Hands) -> None:
    template = await made(api, name="x" * 250)
    task_id = (await post(api, SINGLE, single(autoCallTemplateId=template)))["autoCallId"]
    assert (await get(api, f"/autoCall/{task_id}"))["name"] == "x" * 244 + " 2025-10-09"


async def test_single_calls_are_as_the_administrators_template(tmp_path: Path) -> None:
    async with hands(tmp_path, autocall_template="usual") as api:
        await trunk(api)
        await api.campaign("usual", mode="broadcast", calls_per_second="2", calling_hours="10:00-12:00")
        task_id = (await post(api, SINGLE, single()))["autoCallId"]
        settings = (await campaign_of(api, task_id)).settings
        assert (settings.calls_per_second, settings.calling_hours) == (2, "10:00-12:00")
        assert settings.goto == f"astdialer-scenarios,{BOT},1"
        assert (await foreign(api, task_id)).body["autoCallTemplateId"] == "usual"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "autoCallTemplateId"),
        ({"autoCallTemplateId": "nobody"}, "autoCallTemplateId"),
        ({"autoCallTemplateId": "bare", "botSettingsId": None}, "botSettingsId"),
        ({"autoCallTemplateId": "bare", "botSettingsId": "a,b"}, "botSettingsId"),
        ({"autoCallTemplateId": "bare", "timezone": 7}, "timezone"),
        ({"autoCallTemplateId": "bare", "phone": []}, "phone"),
    ],
)
async def test_a_single_call_without_its_template_is_refused(api: Hands, changes: dict[str, Any], field: str) -> None:
    await api.campaign("bare", mode="broadcast", sound="hello")
    told = await refused(api, SINGLE, single(**changes))
    assert field in told["errors"][0]["field"]
    assert [campaign.name for campaign in await api.store.campaigns()] == ["bare"]


async def test_another_tenants_template_is_not_there(api: Hands) -> None:
    template = await made(api, role=Role.INTEGRATION, tenant="a")
    await refused(api, SINGLE, single(autoCallTemplateId=template), role=Role.INTEGRATION, tenant="b")
    assert (await post(api, SINGLE, single(autoCallTemplateId=template), role=Role.INTEGRATION, tenant="a"))["added"]


async def test_a_missing_template_of_the_configuration_is_said(tmp_path: Path) -> None:
    async with hands(tmp_path, autocall_template="usual") as api:
        assert "[http] autocall_template" in (await refused(api, SINGLE, single()))["message"]
