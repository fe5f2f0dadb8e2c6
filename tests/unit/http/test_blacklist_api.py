"""/v1/blacklist."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from contact_hands import ANA, BEN, CAT, added, fields, refused, shown
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.http.v1 import blacklist as module

HOUR = 3_600_000


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path, max_body_kb=64) as opened:
        await opened.campaign("demo")
        yield opened


async def listed(api: Hands, query: str = "", **who: Any) -> list[tuple[str, str]]:
    answer = await api.ask("GET", f"/v1/blacklist{query}", **who)
    assert answer.status_code == 200, answer.text
    return [(row["number"], row["campaign"]) for row in answer.json()["items"]]


async def forbid(api: Hands, *numbers: str, **more: Any) -> Any:
    answer = await api.ask("POST", "/v1/blacklist", json={"numbers": numbers, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- adding ----------------------------------------------------------------------------------------------------------


async def test_numbers_and_how_they_begin_are_added_as_they_are_written(api: Hands) -> None:
    done = await forbid(api, "07700 900001", "+44 7701*", "0044 7702*", "07703*", reason="asked", until=NOW + HOUR)
    assert done == {
        "added": 4,
        "kept": 0,
        "withdrawn": 0,
        "numbers": [ANA, "+447701*", "+447702*", "+447703*"],
    }
    rows = (await api.ask("GET", "/v1/blacklist")).json()["items"]
    assert rows[0] == {
        "number": ANA,
        "campaign": "*",
        "reason": "asked",
        "added_by": "admin",
        "added_at": NOW,
        "until": NOW + HOUR,
    }


async def test_who_waits_is_not_called_there_any_more(api: Hands) -> None:
    ana = await added(api, ANA)
    assert (await forbid(api, ANA, campaign="demo"))["withdrawn"] == 1
    assert (await shown(api, ana))["end_reason"] == "blacklisted"
    assert await listed(api, "?campaign=demo") == [(ANA, "demo")]
    assert await listed(api, "?campaign=*") == []


async def test_what_is_listed_already_may_end_later_and_never_sooner(api: Hands) -> None:
    await forbid(api, ANA, until=NOW + HOUR)
    assert (await forbid(api, ANA, until=NOW + 1))["kept"] == 1
    await forbid(api, ANA, ANA)
    (row,) = (await api.ask("GET", "/v1/blacklist")).json()["items"]
    assert row["until"] is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"numbers": [ANA, "12", "call me", "4*4*"]}, ["numbers.1", "numbers.2", "numbers.3"]),
        ({"numbers": ["*"]}, ["numbers.0"]),
        ({"numbers": ["+1*"]}, ["numbers.0"]),
        ({"numbers": []}, ["numbers"]),
        ({"numbers": ["+44\r\n"]}, ["numbers.0"]),
        ({"until": NOW}, ["until"]),
        ({"until": -1}, ["until"]),
        ({"reason": "a\nb"}, ["reason"]),
        ({"x": 1}, ["x"]),
    ],
)
async def test_what_cannot_be_an_entry_is_refused_and_nothing_is_added(
    api: Hands, change: dict[str, Any], named: list[str]
) -> None:
    answer = await api.ask("POST", "/v1/blacklist", json={"numbers": [ANA]} | change)
    assert fields(answer) == named
    assert await listed(api) == []


async def test_an_unknown_campaign_is_not_found(api: Hands) -> None:
    for method, path, more in (
        ("POST", "", {"json": {"numbers": [ANA], "campaign": "x"}}),
        ("GET", "?campaign=x", {}),
        ("GET", "/check?number=07700900001&campaign=x", {}),
        ("DELETE", "?number=07700900001&campaign=x", {}),
        ("POST", "/import?campaign=x", {"content": b"07700900001\n"}),
    ):
        assert (await api.ask(method, f"/v1/blacklist{path}", **more)).status_code == 404, path
    assert await listed(api) == []


# --- looking and removing --------------------------------------------------------------------------------------------


async def test_entries_come_page_by_page(api: Hands) -> None:
    await forbid(api, CAT, ANA, BEN)
    await forbid(api, ANA, campaign="demo")
    seen, cursor = list[tuple[str, str]](), ""
    while cursor is not None:
        page = (await api.ask("GET", f"/v1/blacklist?limit=2{cursor and f'&cursor={cursor}'}")).json()
        seen += [(row["number"], row["campaign"]) for row in page["items"]]
        cursor = page["next"]
    assert seen == [(ANA, "*"), (ANA, "demo"), (BEN, "*"), (CAT, "*")]


async def test_it_is_said_what_bars_a_number(api: Hands) -> None:
    await api.campaign("care")
    await forbid(api, "+4477*", until=NOW + HOUR)
    await forbid(api, ANA, campaign="demo", reason="asked")

    async def barring(query: str) -> list[tuple[str, str]]:
        answer = await api.ask("GET", f"/v1/blacklist/check?number={query}")
        return [(row["number"], row["campaign"]) for row in answer.json()]

    assert await barring("07700900001") == [("+4477*", "*"), (ANA, "demo")]
    assert await barring("+447700900001&campaign=care") == [("+4477*", "*")]
    assert await barring("02079460958") == []
    api.clock.at += 2 * HOUR
    assert await barring("07700900001") == [(ANA, "demo")]
    assert fields(await api.ask("GET", "/v1/blacklist/check?number=x")) == ["number"]


async def test_an_entry_is_removed_and_who_waited_for_its_end_comes_up(api: Hands) -> None:
    ana = await added(api, ANA)
    await forbid(api, "077*", until=NOW + HOUR)
    assert (await shown(api, ana))["next_at"] == NOW + HOUR
    for number in ("+4477*", "%2B4477*", "077*"):
        answer = await api.ask("DELETE", f"/v1/blacklist?number={number}")
        assert (answer.status_code, answer.json()) == (200, {"removed": 1})
        assert await listed(api) == []
        assert (await shown(api, ana))["next_at"] is None
        await forbid(api, "077*", until=NOW + HOUR)
    assert (await api.ask("DELETE", "/v1/blacklist?number=077*&campaign=demo")).status_code == 404
    assert fields(await api.ask("DELETE", "/v1/blacklist?number=*")) == ["number"]
    assert await listed(api) == [("+4477*", "*")]


# --- a whole list ----------------------------------------------------------------------------------------------------


async def imported(api: Hands, content: Any, query: str = "") -> Any:
    answer = await api.ask("POST", f"/v1/blacklist/import{query}", content=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_list_is_added_line_by_line_and_bad_lines_are_told(api: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    ana = await added(api, ANA)
    text = f"\ufeff{ANA};moved \x00 away\r\n{BEN},\r\n+4477*\n\n  \nbad*\n{CAT}"
    done = await imported(api, text.encode(), f"?reason=asked&until={NOW + HOUR}")
    assert {key: done[key] for key in ("added", "kept", "withdrawn", "lines", "bad")} == {
        "added": 4,
        "kept": 0,
        "withdrawn": 1,
        "lines": 7,
        "bad": 1,
    }
    (error,) = done["errors"]
    assert (error["line"], "expected how numbers begin and a *" in error["message"]) == (6, True)
    rows = (await api.ask("GET", "/v1/blacklist")).json()["items"]
    assert {row["number"]: (row["reason"], row["until"]) for row in rows} == {
        ANA: ("moved   away", NOW + HOUR),
        BEN: ("asked", NOW + HOUR),
        CAT: ("asked", NOW + HOUR),
        "+4477*": ("asked", NOW + HOUR),
    }
    assert (await shown(api, ana))["next_at"] == NOW + HOUR


async def test_a_list_may_be_larger_than_other_bodies_and_come_in_any_pieces(api: Hands) -> None:
    text = "".join(f"+4477{n:08},grün\n" for n in range(6000)).encode()
    assert len(text) > 64 * 1024

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(text), 997):
            yield text[at : at + 997]

    done = await imported(api, pieces(), "?campaign=demo")
    assert (done["added"], done["lines"], done["bad"]) == (6000, 6000, 0)
    assert {entry.reason for entry in await api.store.blacklist("demo", 10_000)} == {"grün"}


async def test_a_line_without_an_end_takes_no_room(api: Hands) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"7" * 10_000
        yield f"\n{ANA}\n".encode()

    done = await imported(api, endless())
    assert (done["added"], done["bad"], done["errors"][0]["line"]) == (1, 1, 1)
    assert len(done["errors"][0]["message"]) < 300


async def test_only_the_first_bad_lines_are_quoted(api: Hands) -> None:
    done = await imported(api, b"x\n" * 100)
    assert (done["bad"], len(done["errors"])) == (100, 20)


async def test_bytes_that_are_no_text_are_bad_lines(api: Hands) -> None:
    done = await imported(api, b"\xff\xfe\n" + ANA.encode())
    assert (done["added"], done["bad"]) == (1, 1)


async def test_a_sender_of_a_list_who_falls_silent_is_given_up_and_what_came_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 1)

    async def slow() -> AsyncIterator[bytes]:
        yield f"{ANA}\n{BEN}".encode()
        await asyncio.sleep(3600)

    async with hands(tmp_path, timeout_s=5.0) as api:
        answer = await api.ask("POST", "/v1/blacklist/import", content=slow())
        assert answer.status_code in (408, 503)  # the body's own limit, or that of requests
        assert await listed(api) == [(ANA, "*")]


@pytest.mark.parametrize(("query", "field"), [(f"?until={NOW}", "until"), ("?reason=a%0Ab", "query.reason")])
async def test_what_no_list_can_have_is_refused(api: Hands, query: str, field: str) -> None:
    assert fields(await api.ask("POST", f"/v1/blacklist/import{query}", content=ANA.encode())) == [field]
    assert await listed(api) == []


# --- tenants ---------------------------------------------------------------------------------------------------------


async def test_a_tenant_changes_entries_of_its_own_campaigns_only(api: Hands) -> None:
    for name, tenant in (("ours", "a"), ("theirs", "b")):
        await api.campaign(name, tenant=tenant)
        await forbid(api, ANA, campaign=name, reason=f"asked {name}")
    await forbid(api, BEN)
    for campaign, status in (("*", 403), ("theirs", 404), ("demo", 404)):
        new = {"numbers": [CAT], "campaign": campaign}
        await refused(api, "POST", "/v1/blacklist", status, json=new)
        await refused(api, "POST", f"/v1/blacklist/import?campaign={campaign}", status, content=CAT.encode())
        await refused(api, "DELETE", f"/v1/blacklist?number=07700900001&campaign={campaign}", status)
    await refused(api, "POST", "/v1/blacklist", 403, json={"numbers": [CAT]})
    await refused(api, "GET", "/v1/blacklist?campaign=theirs", 404)
    assert await listed(api) == [(ANA, "ours"), (ANA, "theirs"), (BEN, "*")]

    assert await listed(api, tenant="a") == [(ANA, "ours"), (BEN, "*")]
    check = await api.ask("GET", "/v1/blacklist/check?number=07700900001", tenant="a")
    assert [row["campaign"] for row in check.json()] == ["ours"]
    more: Any = {"role": Role.INTEGRATION, "tenant": "a"}
    new = {"numbers": [CAT], "campaign": "ours"}
    assert (await api.ask("POST", "/v1/blacklist", json=new, **more)).status_code == 200
    path = "/v1/blacklist?number=07700900001&campaign=ours"
    assert (await api.ask("DELETE", path, **more)).status_code == 200
    assert await listed(api) == [(ANA, "theirs"), (BEN, "*"), (CAT, "ours")]


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.AGENT])
async def test_who_may_not_change_contacts_forbids_nobody(api: Hands, role: Role) -> None:
    for method, path, more in (
        ("POST", "", {"json": {"numbers": [ANA]}}),
        ("POST", "/import", {"content": ANA.encode()}),
        ("DELETE", "?number=07700900001", {}),
    ):
        assert (await api.ask(method, f"/v1/blacklist{path}", role=role, **more)).status_code == 403
    assert await listed(api) == []
