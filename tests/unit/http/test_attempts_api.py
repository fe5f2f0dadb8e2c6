"""/v1/attempts and /v1/calls."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from call_hands import DATE, called, claimed, closed, engine, phone
from http_hands import NOW, Hands, hands

from astdialer.domain.access import Role
from astdialer.domain.disposition import Disposition
from astdialer.engine.cdrs import COLUMNS
from astdialer.http.v1 import attempts
from astdialer.ports import Converted

D = Disposition


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


async def guids(api: Hands, query: str = "", **who: str) -> list[str]:
    answer = await api.ask("GET", f"/v1/attempts{query}", **who)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return [row["guid"] for row in answer.json()["items"]]


async def test_records_are_listed_the_newest_first_and_by_what_is_asked(api: Hands) -> None:
    demo, other = await api.campaign("demo"), await api.campaign("other")
    made = []
    for n, (campaign, how) in enumerate(
        [
            (demo, {"disposition": D.BUSY}),
            (demo, {"agent": "PJSIP/1001", "talk_s": 30}),
            (other, {"agent": "PJSIP/1002", "talk_s": 5}),
        ]
    ):
        made.append(await called(api, campaign, n, **how))  # type: ignore[arg-type]
        await api.clock.sleep(1)
    first, second, third = made

    assert await guids(api) == [third, second, first]
    assert await guids(api, "?campaign=demo") == [second, first]
    assert await guids(api, "?disposition=busy") == [first]
    assert await guids(api, "?agent=PJSIP/1001") == [second]
    assert await guids(api, "?number=020+7946+0002") == [third]
    assert await guids(api, "?base=x") == []
    assert await guids(api, f"?from={NOW + 1000}&to={NOW + 2000}") == [second]
    assert await guids(api, "?min_talk_s=5.5") == [second]
    (row,) = (await api.ask("GET", "/v1/attempts?disposition=busy")).json()["items"]
    assert set(row) == set(COLUMNS)
    assert (row["calldate"], row["dst"], row["campaign"], row["dialerbase"]) == (NOW, phone(0), "demo", "b")


async def test_pages_follow_each_other_though_calls_began_at_one_instant(api: Hands) -> None:
    demo = await api.campaign()
    made = {await called(api, demo, n) for n in range(5)}
    seen, cursor = [], ""
    while cursor is not None:
        found = (await api.ask("GET", f"/v1/attempts?limit=2{cursor and f'&cursor={cursor}'}")).json()
        seen += [row["guid"] for row in found["items"]]
        cursor = found["next"]
    assert len(seen) == 5
    assert set(seen) == made


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("number=12", "number"),
        ("disposition=lost", "query.disposition"),
        ("from=yesterday", "query.from"),
        ("to=-1", "query.to"),
        ("min_talk_s=-1", "query.min_talk_s"),
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
        ("cursor=x", "cursor"),
        ("colour=red", "query.colour"),
    ],
)
async def test_a_bad_filter_is_named(api: Hands, query: str, field: str) -> None:
    answer = await api.ask("GET", f"/v1/attempts?{query}")
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, [field])


async def test_a_live_attempt_has_no_record_yet(api: Hands) -> None:
    demo = await api.campaign()
    (claim,) = await claimed(api, demo, 1)
    guid = claim.attempt.id
    live = (await api.ask("GET", f"/v1/attempts/{guid}")).json()
    assert (live["state"], live["campaign"], live["base"], live["number"]) == ("created", "demo", "b", phone(1))
    assert (live["cdr"], live["recording"], live["disposition"], live["manual"]) == (None, None, None, False)
    assert "tenant" not in live

    await closed(api, demo, claim, agent="PJSIP/1001", talk_s=9, record=True)
    over = (await api.ask("GET", f"/v1/attempts/{guid}")).json()
    assert (over["state"], over["disposition"], over["cdr"]["talk_s"]) == ("closed", "answered", 9.0)
    assert over["recording"] == {"state": "pending", "date": DATE, "duration_s": None, "error": ""}
    await api.store.recording_done(guid, Converted(path=Path("/x"), duration_s=8.5), NOW)
    assert (await api.ask("GET", f"/v1/attempts/{guid}")).json()["recording"]["duration_s"] == 8.5


@pytest.mark.parametrize(
    ("guid", "status"), [("none", 404), ("a" * 65, 422), ("..", 404), ("a%20b", 422), ("a%0d%0ax", 422)]
)
async def test_an_attempt_that_can_not_be_or_is_not(api: Hands, guid: str, status: int) -> None:
    assert (await api.ask("GET", f"/v1/attempts/{guid}")).status_code == status


async def test_live_calls_are_those_that_are_not_over(api: Hands) -> None:
    demo, other = await api.campaign("demo"), await api.campaign("other")
    first, second = await claimed(api, demo, 1, 2)
    (third,) = await claimed(api, other, 3)
    await closed(api, demo, second)

    async def live(query: str = "") -> set[str]:
        return {row["guid"] for row in (await api.ask("GET", f"/v1/calls/live{query}")).json()["items"]}

    assert await live() == {first.attempt.id, third.attempt.id}
    assert await live("?campaign=other") == {third.attempt.id}
    assert (await api.ask("GET", "/v1/calls/live?campaign=none")).status_code == 404


async def test_the_export_has_every_record_in_the_columns_of_the_command(
    api: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BATCH", 2)
    demo = await api.campaign()
    made = []
    for n in range(5):
        made.append(await called(api, demo, n, agent="=cmd"))
        await api.clock.sleep(1)
    answer = await api.ask("GET", "/v1/attempts/export.csv?campaign=demo")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="attempts.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["guid"] for row in rows] == made[::-1]
    assert (tuple(rows[0]), rows[-1]["calldate"], rows[0]["agent"]) == (COLUMNS, "2025-10-09 08:53:20", "'=cmd")
    assert (await api.ask("GET", "/v1/attempts/export.csv?limit=1")).status_code == 422


async def test_another_tenants_calls_are_not_there(api: Hands) -> None:
    mine, theirs = await api.campaign("mine", tenant="a"), await api.campaign("theirs", tenant="b")
    nobodys = await api.campaign("nobodys")
    own, other = await called(api, mine, 1), await called(api, theirs, 2)
    await called(api, nobodys, 3)
    (live,) = await claimed(api, theirs, 4)
    who = {"tenant": "a"}
    assert await guids(api, **who) == [own]
    assert len(await guids(api)) == 3
    for path in (
        f"/v1/attempts/{other}",
        f"/v1/attempts/{live.attempt.id}",
        "/v1/attempts?campaign=theirs",
        "/v1/attempts/export.csv?campaign=theirs",
        "/v1/calls/live?campaign=theirs",
    ):
        assert (await api.ask("GET", path, **who)).status_code == 404, path  # type: ignore[arg-type]
    assert (await api.ask("GET", "/v1/calls/live", tenant="a")).json()["items"] == []
    exported = (await api.ask("GET", "/v1/attempts/export.csv", tenant="a")).text
    assert (own in exported, other in exported) == (True, False)
    assert (await api.ask("POST", f"/v1/calls/{live.attempt.id}/hangup", tenant="a")).status_code == 404


async def test_a_live_call_is_hung_up_by_the_engine(api: Hands) -> None:
    demo = await api.campaign()
    (claim,) = await claimed(api, demo, 1)
    path = f"/v1/calls/{claim.attempt.id}/hangup"
    with engine(api, hangup_call={"hung_up": 1}) as asked:
        assert (await api.ask("POST", path)).json() == {"hung_up": 1}
    assert asked.asked == [("hangup_call", {"contact_id": claim.contact.id})]
    assert (await api.ask("POST", path)).status_code == 503
    await closed(api, demo, claim)
    assert (await api.ask("POST", path)).json() == {"hung_up": 0}


async def test_who_may_not(api: Hands) -> None:
    assert (await api.ask("GET", "/v1/attempts", role=Role.AGENT)).status_code == 403
    assert (await api.ask("POST", "/v1/calls/x/hangup", role=Role.READ_ONLY)).status_code == 403
    assert (await api.client.get("/v1/calls/live")).status_code == 401
