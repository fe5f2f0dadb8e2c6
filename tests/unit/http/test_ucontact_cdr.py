"""getrecords: the keys of a record, its filters, its pages."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import Hands, hands
from ucontact_hands import ANA, agent_row, claim, close, load, phone, post, refused, talk

from astdialer.domain.agent import AgentProfile
from astdialer.domain.contact import NewNumber
from astdialer.domain.disposition import Disposition

PATH = "Cdr/getrecords"
HOUR = 3_600_000
SAMPLES = json.loads((Path(__file__).parents[2] / "requests.json").read_text())
(SAMPLE,) = (each["expect"]["body"][0] for each in SAMPLES if each["id"] == "UC-09")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("demo")
        await opened.campaign("theirs", tenant="a")
        yield opened


async def records(api: Hands, fields: dict[str, Any] | None = None, **wanted: Any) -> list[dict[str, Any]]:
    filters = dict.fromkeys(("agent", "campaign", "source", "destination", "data", "range"), "") | wanted
    asked = {"lastrow": "0", "searchLimit": "50", "random": "1", "filter": filters}
    answer = await post(api, PATH, asked | (fields or {}))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def three(api: Hands) -> list[str]:
    """Calls of an hour ago, now, and in an hour: with Ana, with nobody, of the tenant's campaign."""
    demo, theirs = await api.store.campaign("demo"), await api.store.campaign("theirs")
    made = [await talk(api, demo, 1, seconds=90)]
    api.clock.at += HOUR
    made.append(await talk(api, demo, 2, disposition=Disposition.NO_ANSWER, agent="", seconds=20))
    api.clock.at += HOUR
    made.append(await talk(api, theirs, 3, agent="Local/1002@agents/n", seconds=30))
    return made


async def test_a_record_has_every_key_of_the_source_document_in_its_order(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    numbers = tuple(NewNumber(number="+447700900" + n, as_uploaded="07700900" + n, type="U") for n in ("001", "002"))
    (contact_id,) = await load(api, demo, 1, numbers=numbers, params={"a": "1", "b": "2"})
    guid = await close(api, demo, await claim(api, demo))
    await api.store.tag_call(guid, "Sale|Cash")
    (record,) = await records(api)
    assert list(record) == list(SAMPLE)
    assert record == {
        "id": 1,
        "calldate": "2025-10-09 08:53:20",
        "clid": '"demo" <442079460000>',
        "src": "442079460000",
        "dst": phone(1),
        "dcontext": "astdialer-answered",
        "channel": "",
        "dstchannel": ANA,
        "lastapp": "Hangup",
        "lastdata": "",
        "duration": 60,
        "billsec": 60,
        "disposition": "ANSWERED",
        "amaflags": 3,
        "accountcode": "demo",
        "userfield": "answered",
        "uniqueid": guid,
        "type": "record",
        "guid": guid,
        "causecode": "0",
        "campaign": "demo",
        "direction": "outbound",
        "carrier": "carrier",
        "linkedid": guid,
        "peeraccount": "1001",
        "sequence": 0,
        "charged_balance": None,
        "real_balance": None,
        "note": "Sale|Cash",
        "contact": contact_id,
        "finishtime": "2025-10-09 08:54:20",
        "rating": 0,
        "dialerbase": "list",
        "parandvalues": "a=1:b=2",
        "alternatives": phone(2),
        "quality": 0,
    }
    types = {key: type(value) for key, value in SAMPLE.items() if value is not None}
    assert {key: type(record[key]) for key in types} == types


@pytest.mark.parametrize(
    ("disposition", "agent", "word"),
    [
        (Disposition.ANSWERED, "", "ANSWERED"),
        (Disposition.SHORT, ANA, "ANSWERED"),
        (Disposition.SHORT, "", "NO ANSWER"),
        (Disposition.MACHINE, "", "NO ANSWER"),
        (Disposition.ABANDONED, "", "NO ANSWER"),
        (Disposition.NO_ANSWER, "", "NO ANSWER"),
        (Disposition.REJECTED, "", "NO ANSWER"),
        (Disposition.BUSY, "", "BUSY"),
        (Disposition.CONGESTION, "", "CONGESTION"),
        (Disposition.INVALID_NUMBER, "", "FAILED"),
        (Disposition.FAILED, "", "FAILED"),
        (Disposition.UNKNOWN, "", "FAILED"),
    ],
)
async def test_results_in_asterisks_words(api: Hands, disposition: Disposition, agent: str, word: str) -> None:
    await talk(api, await api.store.campaign("demo"), 1, disposition=disposition, agent=agent)
    (record,) = await records(api)
    assert (record["disposition"], record["userfield"]) == (word, disposition.value)


async def test_pages_begin_with_the_oldest(api: Hands) -> None:
    guids = await three(api)
    assert [record["guid"] for record in await records(api)] == guids
    pages = [await records(api, {"lastrow": str(at), "searchLimit": "2"}) for at in (0, 2, 4)]
    assert [[record["guid"] for record in page] for page in pages] == [guids[:2], guids[2:], []]
    assert [record["id"] for record in pages[0] + pages[1]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("wanted", "which"),
    [
        ({}, [0, 1, 2]),
        ({"calldatei": "2025-10-09 08:53:21"}, [1, 2]),
        ({"calldatef": "2025-10-09 09:53:20"}, [0, 1]),
        ({"calldatei": "2025-10-09 09:53:20", "calldatef": "2025-10-09 09:53:20"}, [1]),
        ({"agent": "1001"}, [0]),
        ({"agent": ANA}, [0]),
        ({"agent": "Agente1"}, [0]),
        ({"agent": "Bo Li"}, [2]),
        ({"agent": "nobody"}, []),
        ({"campaign": "démo->"}, [0, 1]),
        ({"source": "442079460000"}, [0, 1, 2]),
        ({"source": "+442079460000"}, [0, 1, 2]),
        ({"source": "9901"}, []),
        ({"destination": phone(2)}, [1]),
        ({"destination": "07700-900 002"}, [1]),
        ({"data": "sale"}, [0]),
        ({"range": "09:00-10:00"}, [1]),
        ({"range": "10-9"}, [0, 2]),
        ({"rating": "0"}, [0, 1, 2]),
        ({"rating": 5}, []),
        ({"mindur": "30"}, [0, 2]),
        ({"exclude": phone(1)}, [1, 2]),
        ({"type": "record"}, [0, 1, 2]),
        ({"cont": "1"}, [0, 1, 2]),
        ({"cont": 2}, []),
    ],
)
async def test_each_filter(api: Hands, wanted: dict[str, Any], which: list[int]) -> None:
    guids = await three(api)
    await api.store.tag_call(guids[0], "Sale|Cash")
    await api.store.save_agent(AgentProfile(agent="1001", name="Agente1"))
    await api.view(agents=[agent_row("Local/1002@agents/n", name="Bo Li")])
    assert [record["guid"] for record in await records(api, **wanted)] == [guids[n] for n in which]


async def test_an_agents_name_is_shown_where_it_is_known(api: Hands) -> None:
    await talk(api, await api.store.campaign("demo"), 1)
    await api.store.save_agent(AgentProfile(agent=ANA, name="Ana"))
    assert [record["peeraccount"] for record in await records(api)] == ["Ana"]


@pytest.mark.parametrize(
    ("fields", "wanted", "status", "says"),
    [
        ({"lastrow": "-1"}, {}, 422, "lastrow = '-1'"),
        ({"lastrow": "x"}, {}, 422, "lastrow = 'x'"),
        ({"searchLimit": "10001"}, {}, 422, "searchLimit = '10001'"),
        ({"filter": "{"}, {}, 422, "filter = '{'"),
        ({"filter": "[]"}, {}, 422, "filter = '[]'"),
        ({}, {"calldatei": "yesterday"}, 422, "calldatei = 'yesterday'"),
        ({}, {"calldatef": "2025-13-01 00:00:00"}, 422, "calldatef = "),
        ({}, {"campaign": "gone"}, 404, "no campaign 'gone'"),
        ({}, {"destination": "x"}, 422, "destination = 'x'"),
        ({}, {"exclude": "1"}, 422, "exclude = '1'"),
        ({}, {"range": "25-26"}, 422, "range = '25-26'"),
        ({}, {"rating": "good"}, 422, "rating = 'good'"),
        ({}, {"mindur": "long"}, 422, "mindur = 'long'"),
        ({}, {"cont": "x"}, 422, "cont = 'x'"),
        ({}, {"type": "chat"}, 422, "type = 'chat'"),
        ({}, {"data": "a\nb"}, 422, "data = "),
    ],
)
async def test_what_is_wrong_is_named(
    api: Hands, fields: dict[str, Any], wanted: dict[str, Any], status: int, says: str
) -> None:
    asked = {"lastrow": "0", "searchLimit": "50", "filter": wanted} | fields
    answered, text = await refused(api, PATH, asked)
    assert (answered, says in text) == (status, True), text


async def test_a_request_that_says_nothing_gets_the_first_page(api: Hands) -> None:
    guids = await three(api)
    for fields in ({}, {"filter": ""}, {"x": {"campaign": "demo"}, "random": "1"}):
        assert [record["guid"] for record in (await post(api, PATH, fields)).json()][:2] == guids[:2]


async def test_a_tenant_sees_its_own_calls(api: Hands) -> None:
    guids = await three(api)
    answer = await post(api, PATH, {"filter": {}}, tenant="a")
    assert [record["guid"] for record in answer.json()] == guids[2:]
    assert (await post(api, PATH, {"filter": {}}, tenant="b")).json() == []
    assert (await refused(api, PATH, {"filter": {"campaign": "demo"}}, tenant="a"))[0] == 404
