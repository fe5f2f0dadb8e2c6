"""The blacklist over uContact's API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_hands import NOW, Hands, hands
from ucontact_hands import contact_of, e164, load, phone, refused, result

from astdialer.domain.contact import ContactState, NewNumber
from astdialer.engine import tasks
from astdialer.ports import BlacklistEntry


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        await opened.campaign("demo")
        await opened.campaign("theirs", tenant="a")
        yield opened


def entry(n: int, campaign: str = "demo<-", **fields: Any) -> dict[str, Any]:
    return {"phone": phone(n), "campaign": campaign, "username": "ana", **fields}


async def listed(api: Hands) -> list[tuple[str, str]]:
    return [(each.number, each.campaign) for each in await api.store.blacklist(None, 9)]


async def test_adding_drops_what_waits_for_the_number_in_spool_and_scheduler(api: Hands) -> None:
    demo = await api.store.campaign("demo")
    await load(api, demo, 1, 2)
    number = NewNumber(number=e164(1), as_uploaded=phone(1), type="P")
    wish = tasks.Wish(campaign="demo", numbers=[number], at=NOW + 86_400_000)
    await tasks.add(api.store, api.clock, wish)
    company = {"company": "Shop", "job_title": "Developer", "name": "Bo"}
    assert await result(api, "admin/addblack", {"black": entry(1, **company)}) == "1"
    assert list(await api.store.blacklist(None, 9)) == [
        BlacklistEntry(number=e164(1), campaign="demo", reason="Bo, Developer, Shop", added_by="ana", added_at=NOW)
    ]
    states = [each.state for each in await api.store.contacts_with(e164(1), demo.id, open_only=False)]
    assert states == [ContactState.DONE, ContactState.DONE]
    assert (await contact_of(api, 2)).state is ContactState.READY


async def test_many_at_once_for_one_campaign_or_all(api: Hands) -> None:
    many = [entry(1), entry(2, "*"), entry(1)]
    assert await result(api, "admin/addblackbulk", {"blacklist": many}) == "1"
    assert await listed(api) == [(e164(1), "demo"), (e164(2), "*")]
    assert await result(api, "admin/deleteblackbulk", {"x": [entry(1), entry(3), entry(2)]}) == "1"
    assert await listed(api) == [(e164(2), "*")], "what was listed for all is not removed for one"
    assert await result(api, "admin/deleteblack", {"black": entry(2, "*")}) == "1"
    assert await listed(api) == []


async def test_hundreds_are_taken_in_one_request(api: Hands) -> None:
    many = [{"phone": phone(n), "campaign": "demo"} for n in range(500)]
    assert await result(api, "admin/addblackbulk", {"black": many}) == "1"
    assert len(await api.store.blacklist("demo", 1000)) == 500
    assert {each.added_by for each in await api.store.blacklist("demo", 1000)} == {"integration"}


@pytest.mark.parametrize(
    ("bad", "status", "says"),
    [
        (entry(2, "gone"), 404, "no campaign 'gone'"),
        (entry(2, ""), 422, "campaign = ''"),
        (entry(2, phone="123"), 422, "phone = '123'"),
        (entry(2, phone=""), 422, "phone = ''"),
        (entry(2, phone="1'; DROP TABLE blacklist; --"), 422, "phone = "),
        (entry(2, phone=None), 422, "phone = ''"),
        (entry(2, "theirs\x00"), 422, "campaign = "),
        ("text", 422, "black[1] = 'text'"),
        (entry(2, username="a\r\nb"), 422, "username = "),
    ],
)
async def test_one_that_is_wrong_keeps_all_from_being_taken(api: Hands, bad: Any, status: int, says: str) -> None:
    for path in ("addblackbulk", "deleteblackbulk"):
        answered, text = await refused(api, f"admin/{path}", {"black": [entry(1), bad]})
        assert (answered, says in text) == (status, True), text
    assert await listed(api) == []


async def test_none_is_no_request(api: Hands) -> None:
    assert (await refused(api, "admin/addblackbulk", {"black": []}))[0] == 422
    assert (await refused(api, "admin/addblack"))[0] == 422


async def test_a_tenant_speaks_for_its_own_campaigns_alone(api: Hands) -> None:
    assert await result(api, "admin/addblack", {"black": entry(1, "theirs")}, tenant="a") == "1"
    assert (await refused(api, "admin/addblack", {"black": entry(1, "demo")}, tenant="a"))[0] == 404
    assert (await refused(api, "admin/addblack", {"black": entry(1, "*")}, tenant="a"))[0] == 403
    assert (await refused(api, "admin/deleteblack", {"black": entry(1, "*")}, tenant="a"))[0] == 403
    assert await listed(api) == [(e164(1), "theirs")]
