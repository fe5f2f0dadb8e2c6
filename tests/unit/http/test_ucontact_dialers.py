"""Calls that are asked for, contacts that are put back, and what is taken out: uContact's Dialers."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from http_hands import NOW, Hands, hands
from ucontact_hands import ANA, agent_row, claim, contact_of, e164, load, phone, post, refused, result, talk, why_zero

from astdialer.domain.access import Role
from astdialer.domain.agent import AgentProfile
from astdialer.domain.contact import Contact, ContactState, Rank
from astdialer.engine.contacts import base_name
from astdialer.ports import BlacklistEntry

TASK, SCHEDULE, RESPOOL = "Dialers/DialerTask", "Dialers/ScheduleDialerCall", "Dialers/Respool"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("nombreCampana<-")
        await opened.campaign("demo->")
        await opened.store.save_agent(AgentProfile(agent="1001", name="Agente1"))
        yield opened


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def call(n: int = 1, **fields: Any) -> dict[str, Any]:
    """As the source document has it."""
    known = {
        "calldate": None,
        "campaign": "nombreCampaña<-",
        "destination": f"07700-900{n:03}",
        "alternatives": "",
        "agent": "",
        "data": "idcustomer=7:name=Seba",
        "source": "source",
        "bulk": False,
        "automatic": True,
    }
    return {"call": known | fields}


async def tasks_of(api: Hands) -> list[Contact]:
    found = await api.store.contacts({}, 100)
    return [await api.store.load_contact(row["id"]) for row in found]


async def only(api: Hands) -> Contact:
    (found,) = await tasks_of(api)
    return found


# --- tasks -----------------------------------------------------------------------------------------------------------


async def test_an_automatic_task_is_called_next(api: Hands) -> None:
    assert await result(api, TASK, call()) == "1"
    contact = await only(api)
    assert (contact.rank, contact.priority, contact.state) == (Rank.TASK, 1, ContactState.READY)
    assert (contact.numbers[0].number, dict(contact.params)) == (e164(1), {"idcustomer": "7", "name": "Seba"})
    assert await base_name(api.store, contact) == "tasks"


async def test_a_bulk_task_is_an_entry_of_a_list_for_its_agent_by_name_or_number(api: Hands) -> None:
    for n, agent in ((1, "Agente1"), (2, "1001")):
        assert await result(api, TASK, call(n, agent=agent, bulk=True, automatic="false")) == "1"
    first, second = await tasks_of(api)
    assert {(each.rank, each.priority, each.agentphone) for each in (first, second)} == {(Rank.LIST, 9999, "1001")}


async def test_a_dated_task_waits_for_its_date(api: Hands) -> None:
    assert await result(api, TASK, call(calldate="2025-10-10 15:00:00", bulk=True, automatic=False)) == "1"
    contact = await only(api)
    assert (contact.rank, contact.next_at or contact.numbers[0].next_at) == (Rank.DATED, at("2025-10-10 15:00"))


async def test_a_date_in_the_past_is_now(api: Hands) -> None:
    assert await result(api, TASK, call(calldate="2015-10-11 15:00:00", bulk=True, automatic=False)) == "1"
    assert (await only(api)).rank is Rank.DATED


async def test_a_manual_task_has_its_agent_call_at_once(api: Hands) -> None:
    await api.view(agents=[agent_row()])

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0.001)

    with patch.object(api.clock, "sleep", sleep):
        asked = asyncio.create_task(post(api, TASK, call(agent="Agente1", automatic=False)))
        while not (orders := await api.orders()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        answer = json.dumps({"guid": "g", "contact_id": 5})
        await api.store.order_done(orders[0].id, result=answer)
        assert (await asked).text == "1"
    body = orders[0].body
    assert (orders[0].kind, body["agent"], body["number"]) == ("agent_call", ANA, e164(1))
    assert body["campaign"] == "nombreCampana<-"


async def test_a_manual_task_without_an_agent_is_the_dialers(api: Hands) -> None:
    assert await result(api, TASK, call(automatic=False)) == "1"
    assert (await only(api)).rank is Rank.TASK


async def test_without_an_engine_a_manual_task_is_0(api: Hands) -> None:
    assert "engine" in await why_zero(api, TASK, call(agent="1001", automatic=False))


async def test_alternatives_come_with_their_types_in_the_order_of_trying(api: Hands) -> None:
    alternatives = f"{phone(5)}:H=0={phone(6)}:P=9={phone(7)}=his boss"
    assert await result(api, TASK, call(alternatives=alternatives)) == "1"
    contact = await only(api)
    assert [(n.number, n.type, n.priority, n.description) for n in contact.numbers] == [
        (e164(1), "P", 0, ""),
        (e164(7), "P", 9, "his boss"),
        (e164(6), "H", 0, ""),
        (e164(5), "U", 0, ""),
    ]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"campaign": "gone<-"}, "no campaign 'gone<-'"),
        ({"campaign": None}, "campaign = ''"),
        ({"destination": "not a number"}, "destination = "),
        ({"destination": {"a": 1}}, "destination = "),
        ({"alternatives": "123:x"}, "alternatives = "),
        ({"alternatives": "H=x=1"}, "priority 'x'"),
        ({"data": "a:b"}, "expected name=value"),
        ({"data": "a=1:A=2"}, "given twice"),
        ({"calldate": "10/10/2025"}, "calldate = "),
        ({"calldate": "2025-10-10 25:00:00"}, "calldate = "),
        ({"calldate": "2099-10-10 10:00:00"}, "366 days"),
        ({"automatic": "perhaps"}, "automatic = "),
        ({"agent": "a b\r\nc"}, "agent = "),
        ({"agent": "<script>"}, "agent = "),
    ],
)
async def test_what_is_wrong_with_a_task_is_0_and_nothing_is_added(
    api: Hands, fields: dict[str, Any], says: str
) -> None:
    assert says in await why_zero(api, TASK, call(**fields))
    assert await tasks_of(api) == []


async def test_a_blacklisted_number_is_0(api: Hands) -> None:
    entry = BlacklistEntry(number=e164(1), campaign="*", reason="", added_by="x", added_at=NOW)
    await api.store.add_to_blacklist([entry])
    assert "is blacklisted" in await why_zero(api, TASK, call())


async def test_a_task_that_is_no_json_is_0(api: Hands) -> None:
    assert "call = " in await why_zero(api, TASK, {"call": "{calldate: null}"})
    assert await why_zero(api, TASK) == "campaign = '': expected a campaign's name"


async def test_a_tenants_task_rings_none_but_its_own_agents(api: Hands) -> None:
    await api.campaign("ours->", tenant="a", queue="ours")
    await api.campaign("theirs->", tenant="b", queue="theirs")
    elsewhere = agent_row("PJSIP/2002", "ours", name="Cy", server="other")
    await api.view(agents=[agent_row(queue="ours"), agent_row("PJSIP/2001", "theirs", name="Bo"), elsewhere])
    await api.store.save_agent(AgentProfile(agent="2001", name="Bea"))
    for agent in ("2001", "PJSIP/2001", "Bo", "Bea", "2002"):
        fields = call(agent=agent, campaign="ours->", automatic=False)
        assert "no agent" in await why_zero(api, TASK, fields, tenant="a"), agent
        assert await api.orders() == []


async def test_a_tenant_knows_none_but_its_own_agents_by_name(api: Hands) -> None:
    await api.campaign("ours->", tenant="a", queue="ours")
    await api.view(agents=[agent_row(queue="ours"), agent_row("PJSIP/2001", "theirs", name="Bo")])
    for n, agent in ((1, "Agente1"), (2, "Ana"), (3, "Bo")):
        wanted = call(n, agent=agent, campaign="ours->", bulk=True, automatic=False)
        assert await result(api, TASK, wanted, tenant="a") == "1"
    assert [each.agentphone for each in await tasks_of(api)] == ["1001", "1001", "Bo"]


async def test_another_tenants_campaign_is_0(api: Hands) -> None:
    assert "no campaign" in await why_zero(api, TASK, call(), tenant="a")
    assert await tasks_of(api) == []


# --- scheduled calls -------------------------------------------------------------------------------------------------


def schedule(**fields: Any) -> dict[str, Any]:
    known = {
        "calldate": "2025-10-11 15:00:00",
        "campaign": "demo->",
        "destination": phone(1),
        "alternatives": phone(2),
        "agentphone": "1001",
        "data": "Par1=Val1:Par2=Val2",
    }
    return {"callschedule": known | fields}


async def test_a_scheduled_call(api: Hands) -> None:
    assert await result(api, SCHEDULE, schedule()) == "1"
    assert await result(api, SCHEDULE, schedule()) == "1", "the same again is no second call"
    contact = await only(api)
    assert (contact.rank, contact.agentphone, dict(contact.params)) == (
        Rank.DATED,
        "1001",
        {"Par1": "Val1", "Par2": "Val2"},
    )
    assert [n.number for n in contact.numbers] == [e164(1), e164(2)]


async def test_a_scheduled_call_needs_its_date(api: Hands) -> None:
    assert "calldate = ''" in await why_zero(api, SCHEDULE, schedule(calldate=""))
    assert "calldate = 'soon'" in await why_zero(api, SCHEDULE, schedule(calldate="soon"))


async def test_scheduled_calls_are_removed_by_number_and_date(api: Hands) -> None:
    for n, date in ((1, "2025-10-11 15:00:00"), (1, "2025-10-12 15:00:00"), (2, "2025-10-11 15:00:00")):
        await result(api, SCHEDULE, schedule(destination=phone(n), calldate=date, alternatives=""))
    remove, of = "Dialers/RemoveScheduleDialerCall", {"campaign": "demo->", "destination": phone(1)}
    span = {"from": "2025-10-11 00:00:00", "to": "2025-10-11 15:00:00"}
    assert await result(api, remove, of | span) == "1"
    assert [each.state is ContactState.DONE for each in await tasks_of(api)] == [True, False, False]
    assert await result(api, remove, of | span) == "1", "there is none any more"
    assert await result(api, remove, of | {"from": "", "to": ""}) == "1"
    assert [each.state is ContactState.DONE for each in await tasks_of(api)] == [True, True, False]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"campaign": "gone"}, 404),
        ({"campaign": ""}, 422),
        ({"destination": ""}, 422),
        ({"destination": "x"}, 422),
        ({"from": "YYYY-MM-DD hh:mm:ss"}, 422),
        ({"to": "tomorrow"}, 422),
    ],
)
async def test_a_removal_that_says_something_wrong_removes_nothing(
    api: Hands, fields: dict[str, str], status: int
) -> None:
    await result(api, SCHEDULE, schedule())
    known = {"campaign": "demo->", "destination": phone(1), "from": "", "to": ""}
    assert (await refused(api, "Dialers/RemoveScheduleDialerCall", known | fields))[0] == status
    assert (await only(api)).state is not ContactState.DONE


async def test_a_removal_that_says_nothing_removes_nothing(api: Hands) -> None:
    await result(api, SCHEDULE, schedule())
    placeholder = "YYYY-MM-DD hh:mm:ss"
    empty = {"campaign": "", "destination": "", "from": placeholder, "to": placeholder}
    assert await result(api, "Dialers/RemoveScheduleDialerCall", empty) == "1"
    assert await result(api, "Dialers/RemoveContact", {"campaign": "", "number": ""}) == "1"
    assert (await only(api)).state is not ContactState.DONE


# --- contacts --------------------------------------------------------------------------------------------------------


async def test_a_contact_is_removed_by_its_number(api: Hands) -> None:
    demo = await api.store.campaign("demo->")
    await load(api, demo, 1, 2)
    remove = {"campaign": "demo->", "number": phone(1)}
    assert await result(api, "Dialers/RemoveContact", remove) == "1"
    assert await result(api, "Dialers/RemoveContact", remove) == "1"
    assert [(await contact_of(api, n)).state for n in (1, 2)] == [ContactState.DONE, ContactState.READY]
    for fields, status in (
        ({"campaign": "gone"}, 404),
        ({"number": "x"}, 422),
        ({"number": ""}, 422),
        ({"campaign": ""}, 422),
    ):
        assert (await refused(api, "Dialers/RemoveContact", remove | fields))[0] == status
    assert (await refused(api, "Dialers/RemoveContact", remove, tenant="a"))[0] == 404


def spool(**fields: Any) -> dict[str, Any]:
    known = {
        "campaign": "demo->",
        "destination": phone(1),
        "dialerbase": "list",
        "status": 1,
        "data": "Par1=Val1",
        "alternatives": f"{phone(2)}:W=0={phone(3)}",
        "retries": 0,
        "priority": 5,
        "agentphone": "",
    }
    return {"callspool": known | fields}


async def test_a_contact_that_is_done_is_put_back(api: Hands) -> None:
    demo = await api.store.campaign("demo->")
    await talk(api, demo, 1)
    assert (await contact_of(api, 1)).state is ContactState.DONE
    assert await result(api, RESPOOL, spool()) == "1"
    contact = await contact_of(api, 1)
    assert (contact.state, contact.tries, contact.priority) == (ContactState.WAITING, 0, 5)
    assert dict(contact.params) == {"Par1": "Val1"}
    assert [n.number for n in contact.numbers] == [e164(1), e164(3), e164(2)]


async def test_a_contact_is_meant_by_its_id_whatever_number_it_is_to_have(api: Hands) -> None:
    demo = await api.store.campaign("demo->")
    await talk(api, demo, 1)
    contact_id = (await contact_of(api, 1)).id
    fields = spool(contact=contact_id, destination=phone(9), alternatives=phone(1), agentphone="Agente1", retries=2)
    assert await result(api, RESPOOL, fields) == "1"
    contact = await api.store.load_contact(contact_id)
    assert [n.number for n in contact.numbers] == [e164(9), e164(1)]
    assert (contact.tries, contact.agentphone) == (2, "1001")


async def test_of_several_contacts_with_a_number_the_one_of_the_id_is_put_back(api: Hands) -> None:
    for date in ("2025-10-10 15:00:00", "2025-10-12 15:00:00"):
        await result(api, SCHEDULE, schedule(calldate=date, alternatives=""))
    first, second = await tasks_of(api)
    fields = spool(contact=first.id, dialerbase="tasks", alternatives="")
    assert await result(api, RESPOOL, fields) == "1"
    assert (await api.store.load_contact(first.id)).priority == 5
    assert await api.store.load_contact(second.id) == second


async def test_an_id_of_another_campaign_means_nobody_here(api: Hands) -> None:
    other = await api.store.campaign("nombreCampana<-")
    (stranger,) = await load(api, other, 8)
    demo = await api.store.campaign("demo->")
    await talk(api, demo, 1)
    assert await result(api, RESPOOL, spool(contact=stranger)) == "1"
    assert await result(api, RESPOOL, spool(contact=222)) == "1", "the source document's own"
    assert (await api.store.load_contact(stranger)).priority == 9999
    assert (await refused(api, RESPOOL, spool(contact=stranger, destination=phone(8))))[0] == 404


async def test_what_the_object_does_not_say_stays(api: Hands) -> None:
    demo = await api.store.campaign("demo->")
    await talk(api, demo, 1)
    before = await contact_of(api, 1)
    assert await result(api, RESPOOL, {"callspool": {"campaign": "demo->", "destination": phone(1)}}) == "1"
    after = await contact_of(api, 1)
    assert (after.params, after.priority, after.tries, len(after.numbers)) == (
        before.params,
        before.priority,
        before.tries,
        1,
    )
    assert after.state is ContactState.WAITING


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"campaign": "gone"}, 404, "no campaign 'gone'"),
        ({"destination": phone(7)}, 404, "no contact with main number"),
        ({"dialerbase": "other"}, 404, "none in base other"),
        ({"status": 0}, 422, "status = '0'"),
        ({"priority": 0}, 422, "priority = '0'"),
        ({"priority": "high"}, 422, "priority = 'high'"),
        ({"retries": -1}, 422, "retries = '-1'"),
        ({"contact": "abc"}, 422, "contact = 'abc'"),
        ({"contact": True}, 422, "contact = 'True'"),
        ({"data": "x"}, 422, "expected name=value"),
        ({"alternatives": "x"}, 422, "alternatives = 'x'"),
        ({"agentphone": "a;b"}, 422, "agent = 'a;b'"),
    ],
)
async def test_what_is_wrong_with_a_respool_changes_nothing(
    api: Hands, fields: dict[str, Any], status: int, says: str
) -> None:
    await talk(api, await api.store.campaign("demo->"), 1)
    answered, text = await refused(api, RESPOOL, spool(**fields))
    assert (answered, says in text) == (status, True), text
    assert (await contact_of(api, 1)).state is ContactState.DONE


async def test_who_is_in_a_call_is_not_put_back(api: Hands) -> None:
    demo = await api.store.campaign("demo->")
    await load(api, demo, 1)
    await claim(api, demo)
    assert (await refused(api, RESPOOL, spool()))[0] == 409
    assert (await refused(api, RESPOOL, spool(), tenant="a"))[0] == 404


async def test_an_agent_puts_back_and_schedules_whom_it_talked_with(api: Hands) -> None:
    demo = await api.store.campaign("demo->")
    await talk(api, demo, 1)
    await talk(api, demo, 2, agent="PJSIP/1002")
    own = (await contact_of(api, 1)).id
    assert await result(api, RESPOOL, spool(contact=own, agentphone="1002"), role=Role.AGENT) == "1"
    assert (await contact_of(api, 1)).agentphone == "1001", "for itself, or for anybody"
    assert await result(api, RESPOOL, spool(agentphone=""), role=Role.AGENT) == "1"
    assert (await contact_of(api, 1)).agentphone == ""
    assert await result(api, SCHEDULE, schedule(agentphone="1002"), role=Role.AGENT) == "1"
    assert (await contact_of(api, 1)).agentphone == "1001"
    assert (await refused(api, RESPOOL, spool(destination=phone(2)), role=Role.AGENT))[0] == 404
    assert "no call of yours" in await why_zero(api, SCHEDULE, schedule(destination=phone(7)), role=Role.AGENT)
