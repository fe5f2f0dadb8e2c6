"""DispositionCall: its texts, its results, what it does."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, Hands, hands
from ucontact_hands import claim, contact_of, e164, load, post, refused, talk

from astdialer.domain.access import Role
from astdialer.domain.contact import ContactState, Rank

PATH = "api/DispositionCall"
OUTCOMES = "Sale=success;No|Too expensive=close;No|Never again=blacklist:*;Later=reschedule;Note=tag:noted"
BAD_DATE = "El formato de la fecha tiene que ser yyyy-MM-dd HH:mm:ss"
NO_OUTCOME = "Disposição não encontrada para o nível1: {}, level2: {}, nível3: {}"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("demo", outcomes=OUTCOMES)
        await opened.campaign("calls", outcomes=OUTCOMES)
        yield opened


@pytest.fixture
async def guid(api: Hands) -> str:
    return await talk(api, await api.store.campaign("demo"), 1)


def said(call: str, /, **fields: Any) -> dict[str, Any]:
    known = {"campaign": "demo->", "agent": "Ana", "callerid": "07700900001", "guid": call, "l1": "Sale"}
    empty = dict.fromkeys(("l2", "l3", "d1", "d2", "comment", "schedule", "camptoreschedule", "tag"), "")
    return empty | known | fields


async def chosen(api: Hands, guid: str, **fields: Any) -> Any:
    answer = await post(api, PATH, said(guid, **fields))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def test_a_choice_is_made(api: Hands, guid: str) -> None:
    assert await chosen(api, guid) == {"Result": "ok", "txtcode": "Sale"}
    contact = await contact_of(api, 1)
    assert (contact.state, contact.successful, contact.tag) == (ContactState.DONE, True, "Sale")


async def test_levels_are_found_in_any_case_and_the_tag_may_be_another(api: Hands, guid: str) -> None:
    answer = await chosen(api, guid, l1="no", l2="TOO EXPENSIVE", tag="price")
    assert answer == {"Result": "ok", "txtcode": "No|Too expensive"}
    contact = await contact_of(api, 1)
    assert (contact.successful, contact.tag) == (False, "price")
    await chosen(api, guid, l1="Note")
    assert (await contact_of(api, 1)).tag == "noted"


async def test_the_number_is_blacklisted_with_comment_and_extra_data(api: Hands, guid: str) -> None:
    more = {"comment": "very\r\nangry", "d1": "7", "d2": "x"}
    await chosen(api, guid, l1="No", l2="Never again", **more)
    (entry,) = await api.store.blacklist(None, 9)
    assert (entry.number, entry.campaign, entry.added_by) == (e164(1), "*", "Ana")
    assert entry.reason == "No|Never again: very angry; d1: 7; d2: x"


async def test_a_call_is_scheduled_in_local_time_by_this_campaign_or_another(api: Hands, guid: str) -> None:
    when, at = "2025-10-10 12:00:00", NOW - NOW % 86_400_000 + 36 * 3_600_000
    assert await chosen(api, guid, l1="Later", schedule=when) == {"Result": "ok", "txtcode": "Later"}
    contact = await contact_of(api, 1)
    assert (contact.state, contact.next_at, contact.rank) == (ContactState.WAITING, at, Rank.DATED)
    await chosen(api, guid, l1="Later", schedule=when, camptoreschedule="calls->")
    (there,) = await api.store.scheduled(
        (await api.store.campaign("calls")).id, number=None, from_at=None, to_at=None, limit=9
    )
    assert (there.numbers[0].number, there.next_at) == (e164(1), at)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("campaign", "Parâmetros errados: Campanha vazia"),
        ("callerid", "Parâmetros errados: Callerid vazio"),
        ("guid", "Parâmetros errados: guid vazio"),
        ("agent", "Parâmetros errados: Agente vazio"),
        ("l1", "Parâmetros errados: Valor vazio1"),
    ],
)
async def test_what_is_empty_is_told_in_the_words_of_the_source(api: Hands, guid: str, field: str, text: str) -> None:
    assert await refused(api, PATH, said(guid, **{field: " "})) == (400, text)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"l1": "Gone"}, NO_OUTCOME.format("Gone", "", "")),
        ({"l1": "No", "l2": "Gone", "l3": "x"}, NO_OUTCOME.format("No", "Gone", "x")),
        ({"l1": "No"}, NO_OUTCOME.format("No", "", "")),
        ({"campaign": "gone"}, NO_OUTCOME.format("Sale", "", "")),
        ({"l1": "Later"}, "Parâmetros incorretos: Data da programação vazia."),
        ({"l1": "Later", "schedule": "10/10/2025"}, BAD_DATE),
        ({"l1": "Later", "schedule": "2025-02-30 10:00:00"}, BAD_DATE),
        ({"l1": "Later", "schedule": "2025-10-10 10:00"}, BAD_DATE),
    ],
)
async def test_what_does_not_fit_is_told_in_the_words_of_the_source(
    api: Hands, guid: str, fields: dict[str, str], text: str
) -> None:
    assert await refused(api, PATH, said(guid, **fields)) == (400, text)
    assert (await contact_of(api, 1)).tag == ""


async def test_all_else_is_400_too(api: Hands, guid: str) -> None:
    for fields, says in (
        ({"guid": "gone"}, "no call 'gone'"),
        ({"campaign": "calls"}, "it is none of calls's"),
        ({"l1": "Later", "schedule": "2099-01-01 00:00:00"}, "a time within 366 days"),
        ({"l1": "Later", "schedule": "2025-10-10 10:00:00", "camptoreschedule": "gone"}, "no campaign 'gone'"),
        ({"tag": "x" * 201}, "tag = "),
        ({"agent": "a\nb"}, "agent = "),
    ):
        status, text = await refused(api, PATH, said(guid, **fields))
        assert (status, says in text) == (400, True), text
    assert (await refused(api, PATH, said(guid), tenant="a"))[0] == 400


async def test_while_the_call_goes_on_only_some_are_taken(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    await load(api, demo, 2)
    taken = await claim(api, demo)
    status, text = await refused(api, PATH, said(taken.attempt.id))
    assert (status, "is in a call" in text) == (400, True)
    assert await chosen(api, taken.attempt.id, l1="Note") == {"Result": "ok", "txtcode": "Note"}


async def test_an_agent_chooses_for_its_own_calls(api: Hands, guid: str) -> None:
    demo = await api.store.campaign("demo")
    other = await talk(api, demo, 2, agent="PJSIP/1002")
    assert (await post(api, PATH, said(guid), role=Role.AGENT)).status_code == 200
    assert (await refused(api, PATH, said(other), role=Role.AGENT))[0] == 400
    assert (await contact_of(api, 2)).tag == ""
