"""Calls by hand, hangups, tags, and what is known of an agent's call."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from http_hands import Hands, hands
from ucontact_hands import (
    ANA,
    agent_row,
    claim,
    close,
    contact_of,
    e164,
    load,
    phone,
    post,
    refused,
    result,
    talk,
    why_zero,
)

from astdialer.domain.access import Role
from astdialer.ports import Order

BO = "Local/1002@from-queue/n"
HOUR = 3_600_000
CALL = {"outqueue": "demo->", "destination": phone(1), "agent": "Ana", "phone": "1001", "tech": "SIP"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("demo")
        await opened.view(agents=[agent_row(), agent_row(BO, name="Bo Li"), agent_row("PJSIP/7", "care", name="Cy")])
        yield opened


async def ordered(
    api: Hands, path: str, fields: Mapping[str, Any], answer: Mapping[str, Any] | str = "", **who: Any
) -> tuple[httpx.Response, Order | None]:
    """The answer, and the order that the engine got, which it answers so; a text is a refusal. Time stands still."""

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0.001)

    with patch.object(api.clock, "sleep", sleep):
        return await _ordered(api, path, fields, answer, **who)


async def _ordered(
    api: Hands, path: str, fields: Mapping[str, Any], answer: Mapping[str, Any] | str, **who: Any
) -> tuple[httpx.Response, Order | None]:
    asked = asyncio.create_task(post(api, path, fields, **who))
    taken: Order | None = None
    while not asked.done():
        for order in await api.orders():
            taken = order
            failed = isinstance(answer, str)
            text = answer if isinstance(answer, str) else json.dumps(dict(answer))
            await api.store.order_done(order.id, result=text, failed=failed)
        await asyncio.sleep(0.001)
    return await asked, taken


async def called(api: Hands, path: str = "Agents/AgentCall", **fields: Any) -> Mapping[str, Any]:
    """What the engine is asked to do."""
    answer, order = await ordered(api, path, {**CALL, **fields}, {"guid": "g-1", "contact_id": 5})
    assert (answer.status_code, answer.text) == (200, "g-1"), answer.headers
    assert order is not None
    assert order.kind == "agent_call"
    return order.body


async def test_a_call_rings_the_agent_and_then_the_number(api: Hands) -> None:
    assert await called(api, callerid="44 20-7946 0000", context="from-agents") == {
        "campaign": "demo",
        "agent": ANA,
        "number": e164(1),
        "zones": "",
        "data": {"outbound_caller_id_number": "44 20-7946 0000"},
        "usual_context": "from-agents",
    }


async def test_a_context_of_a_tenants_or_an_agents_token_is_passed_over(api: Hands) -> None:
    await api.campaign("theirs", tenant="a")
    for fields, who in (({}, {"role": Role.AGENT}), ({"outqueue": "theirs"}, {"tenant": "a"})):
        wanted = CALL | {"context": "from-agents", **fields}
        answer, order = await ordered(api, "Agents/AgentCall", wanted, {"guid": "g"}, **who)
        assert order is not None, answer.headers
        assert order.body["usual_context"] == ""


@pytest.mark.parametrize(
    ("fields", "agent"),
    [
        ({"phone": "1002"}, BO),
        ({"phone": BO, "agent": ""}, BO),
        ({"phone": "", "agent": "Bo Li"}, BO),
        ({"phone": "1002", "agent": "Ana"}, BO),
        ({"phone": "999", "agent": "Ana"}, ANA),
    ],
)
async def test_the_agent_is_meant_by_telephone_or_name(api: Hands, fields: dict[str, str], agent: str) -> None:
    assert (await called(api, **fields))["agent"] == agent


async def test_the_caller_id_may_have_a_name_and_the_campaign_its_spelling(api: Hands) -> None:
    body = await called(api, callerid="Shop <442079460000>", outqueue="démo<-")
    assert body["data"] == {"outbound_caller_id_number": "442079460000", "outbound_caller_id_name": "Shop"}


async def test_data_and_form_go_with_the_call(api: Hands) -> None:
    data = '{\n "order": 7,\r\n "name": "Ñ"}'
    body = await called(api, "Agents/AgentCallwithData", data=data, form="https://crm.example.com/f?x=1")
    assert body["data"] == {"data": '{"order": 7, "name": "Ñ"}', "form": "https://crm.example.com/f?x=1"}
    assert (await called(api, "Agents/AgentCallwithData", data="order=7"))["data"] == {"data": "order=7"}
    assert (await called(api, data="order=7"))["data"] == {}, "of AgentCall it is no field"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"outqueue": "gone->"}, "no campaign 'gone->'"),
        ({"outqueue": ""}, "campaign = ''"),
        ({"destination": "<number>"}, "destination = '<number>'"),
        ({"destination": ""}, "destination = ''"),
        ({"destination": phone(1) + "\r\nAction: Logoff"}, "destination = "),
        ({"callerid": "<callerid>"}, "callerid = "),
        ({"callerid": "1\n2"}, "callerid = "),
        ({"phone": "999", "agent": "nobody"}, "no agent '999 nobody'"),
        ({"phone": "", "agent": ""}, "no agent ''"),
    ],
)
async def test_whatever_is_wrong_is_0_and_a_header_says_what(api: Hands, fields: dict[str, str], says: str) -> None:
    assert says in await why_zero(api, "Agents/AgentCall", {**CALL, **fields})
    assert await api.orders() == []


async def test_data_that_no_channel_variable_holds_is_0(api: Hands) -> None:
    assert "900 bytes" in await why_zero(api, "Agents/AgentCallwithData", {**CALL, "data": "x" * 901})


async def test_the_engines_refusal_is_0_in_its_words(api: Hands) -> None:
    answer, order = await ordered(api, "Agents/AgentCall", CALL, "agent PJSIP/1001 is on a call")
    assert order is not None
    assert (answer.text, answer.headers["astdialer-error"]) == ("0", "agent PJSIP/1001 is on a call")


async def test_without_an_engine_a_call_is_0(api: Hands) -> None:
    api.clock.at += 60_000
    assert "the engine is not running" in await why_zero(api, "Agents/AgentCall", CALL)


# --- hanging up ------------------------------------------------------------------------------------------------------


async def test_hanging_up_is_1_only_if_there_was_a_call(api: Hands) -> None:
    answer, order = await ordered(api, "Agents/HangupPhone", {"phone": "1001"}, {"hung_up": 1})
    assert order is not None
    assert (answer.text, order.kind, order.body) == ("1", "agent_hangup", {"agent": ANA})
    answer, _ = await ordered(api, "Agents/HangupPhone", {"phone": "1001"}, {"hung_up": 0})
    assert answer.text == "0"
    assert "no agent '999'" in await why_zero(api, "Agents/HangupPhone", {"phone": "999"})
    answer, order = await ordered(api, "Agents/HangupPhone", {"phone": "PJSIP/lobby"}, {"hung_up": 2})
    assert order is not None
    assert (answer.text, order.body) == ("1", {"agent": "PJSIP/lobby"}), "a telephone in no queue, by its interface"


# --- an agent's own token, and tenants' ------------------------------------------------------------------------------


async def test_an_agents_token_calls_and_hangs_up_from_its_own_telephone_alone(api: Hands) -> None:
    own = {"outqueue": "demo", "destination": phone(1)}
    answer, order = await ordered(api, "Agents/AgentCall", own, {"guid": "g"}, role=Role.AGENT)
    assert order is not None
    assert (answer.text, order.body["agent"]) == ("g", ANA)
    answer, order = await ordered(api, "Agents/HangupPhone", {}, {"hung_up": 1}, role=Role.AGENT)
    assert order is not None
    assert (answer.text, order.body) == ("1", {"agent": ANA})
    for path, fields in (
        ("Agents/AgentCall", own | {"phone": "1002"}),
        ("Agents/HangupPhone", {"phone": "1002"}),
        ("Agents/HangupPhone", {"phone": "PJSIP/lobby"}),
        ("Agents/CTI", {"phone": "1002"}),
    ):
        answer = await post(api, path, fields, role=Role.AGENT)
        assert answer.status_code in (403, 404), path
    assert await api.orders() == []


async def test_a_tenant_sees_neither_the_campaigns_nor_the_agents_of_another(api: Hands) -> None:
    assert "no campaign 'demo->'" in await why_zero(api, "Agents/AgentCall", CALL, tenant="a")
    await api.campaign("theirs", tenant="a", queue="care")
    assert "no agent '1001 Ana'" in await why_zero(api, "Agents/AgentCall", CALL | {"outqueue": "theirs"}, tenant="a")
    for phone_ in ("1001", ANA):
        assert "no agent" in await why_zero(api, "Agents/HangupPhone", {"phone": phone_}, tenant="a")
    answer, order = await ordered(
        api, "Agents/AgentCall", CALL | {"outqueue": "theirs", "phone": "7"}, {"guid": "g"}, tenant="a"
    )
    assert order is not None
    assert (answer.text, order.body["agent"]) == ("g", "PJSIP/7")
    answer, order = await ordered(api, "Agents/HangupPhone", {"phone": "7"}, {"hung_up": 1}, tenant="a")
    assert order is not None
    assert order.body == {"agent": "PJSIP/7", "server": "default"}, "on another Asterisk it may be another tenant's"


async def test_the_agent_of_a_call_is_one_of_the_campaigns_asterisk(api: Hands) -> None:
    await api.view(agents=[agent_row("SIP/1001", server="other"), agent_row()])
    assert (await called(api))["agent"] == ANA
    await api.campaign("theirs", tenant="a", queue="care")
    await api.view(agents=[agent_row(queue="care", server="other")])
    fields = CALL | {"outqueue": "theirs"}
    assert "no agent '1001 Ana'" in await why_zero(api, "Agents/AgentCall", fields, tenant="a")


# --- tags ------------------------------------------------------------------------------------------------------------


async def test_a_call_is_tagged_by_its_guid_or_by_the_number_that_was_called(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    guid = await talk(api, demo, 1)
    assert await result(api, "Agents/TagRecord", {"phone": "", "guid": guid, "data": " Sale|Cash\n<b>"}) == ""
    assert (await contact_of(api, 1)).tag == "Sale|Cash <b>"
    assert await result(api, "Agents/TagRecord", {"phone": phone(1), "guid": "", "data": "Other"}) == ""
    assert (await contact_of(api, 1)).tag == "Other"


async def test_each_call_of_a_contact_has_its_own_tag(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    first = await talk(api, demo, 1)
    assert await result(api, "Agents/TagRecord", {"guid": first, "data": "first"}) == ""
    api.clock.at += HOUR
    spool = {"callspool": {"campaign": "demo", "destination": phone(1)}}
    assert await result(api, "Dialers/Respool", spool) == "1"
    second = await close(api, demo, await claim(api, demo))
    assert await result(api, "Agents/TagRecord", {"phone": phone(1), "data": "second"}) == ""
    assert (await contact_of(api, 1)).tag == "second"
    shown = {row["guid"]: row["note"] for row in (await post(api, "Cdr/getrecords")).json()}
    assert shown == {first: "first", second: "second"}
    (found,) = (await post(api, "Cdr/getrecords", {"filter": {"data": "first"}})).json()
    assert found["guid"] == first


async def test_nothing_is_tagged_where_nothing_is_named(api: Hands) -> None:
    assert await result(api, "Agents/TagRecord", {"phone": "", "guid": "", "data": ""}) == ""


async def test_a_live_calls_tag_is_left_to_the_engine(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    (contact_id,) = await load(api, demo, 1)
    taken = await claim(api, demo)
    assert await result(api, "Agents/TagRecord", {"guid": taken.attempt.id, "data": "Later"}) == ""
    (order,) = await api.orders()
    assert (order.kind, order.body) == ("tag_contact", {"contact_id": contact_id, "tag": "Later"})


async def test_a_tag_that_can_not_be(api: Hands) -> None:
    guid = await talk(api, await api.store.campaign("demo"), 1)
    assert await refused(api, "Agents/TagRecord", {"guid": "gone", "data": "x"}) == (
        404,
        "no call 'gone'",
    )
    assert (await refused(api, "Agents/TagRecord", {"phone": phone(2), "data": "x"}))[0] == 404
    assert (await refused(api, "Agents/TagRecord", {"guid": guid, "data": "x" * 201}))[0] == 422
    assert (await refused(api, "Agents/TagRecord", {"guid": guid, "data": "x"}, tenant="a"))[0] == 404
    assert (await refused(api, "Agents/TagRecord", {"phone": phone(1), "data": "x"}, tenant="a"))[0] == 404
    assert (await contact_of(api, 1)).tag == ""


async def test_an_agent_tags_its_own_calls(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    own, other = await talk(api, demo, 1), await talk(api, demo, 2, agent=BO)
    assert await result(api, "Agents/TagRecord", {"guid": own, "data": "mine"}, role=Role.AGENT) == ""
    assert (await refused(api, "Agents/TagRecord", {"guid": other, "data": "mine"}, role=Role.AGENT))[0] == 404
    assert [(await contact_of(api, n)).tag for n in (1, 2)] == ["mine", ""]


# --- what is known of a call -----------------------------------------------------------------------------------------


async def test_what_is_known_of_an_agents_call_goes_back_into_the_spool(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    assert (await refused(api, "Agents/CTI", {"phone": "1001"}))[0] == 404
    (contact_id,) = await load(api, demo, 1, params={"name": "Ana", "url": "http://x"}, agentphone="1001")
    taken = await claim(api, demo, reserved_agent=ANA)
    shown = (await post(api, "Agents/CTI", {"phone": "1001"})).json()
    assert shown == {
        "guid": taken.attempt.id,
        "campaign": "demo",
        "callerid": e164(1),
        "Dialer": {
            "campaign": "demo",
            "destination": phone(1),
            "dialerbase": "list",
            "status": 1,
            "data": "name=Ana:url=http //x",
            "alternatives": "",
            "contact": contact_id,
            "retries": 0,
            "priority": 9999,
            "agentphone": "1001",
        },
    }
    await close(api, demo, taken)
    assert (await post(api, "Agents/CTI", {}, role=Role.AGENT)).json()["guid"] == taken.attempt.id, "its last one"
    api.clock.at += 3_600_000  # no engine any more
    assert (await post(api, "Agents/CTI", {"phone": "1001"})).json()["Dialer"]["retries"] == 1
    assert (await refused(api, "Agents/CTI", {"phone": "1001"}, tenant="a"))[0] == 404
