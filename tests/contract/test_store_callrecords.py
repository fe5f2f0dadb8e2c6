"""Store contract: calls are looked up by what is known of them, page by page, the oldest first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stores import DAY, HOUR, NOW, FreshDatabase, closing, load, person, phone, request

from astdialer.domain.attempt import State
from astdialer.domain.campaign import Campaign
from astdialer.domain.daytimes import DayRange
from astdialer.domain.disposition import Disposition
from astdialer.domain.settings import Settings
from astdialer.ports import CallSearch, Claim, Store

pytest_plugins = ("store_fixtures",)

ANA, BO = "PJSIP/1001", "Local/1002@agents/n"


async def call(store: Store, campaign: Campaign, n: int, at: int = NOW, *, seconds: int = 10, agent: str = ANA) -> str:
    """A call to that contact's first number, which began at ``at``; its guid."""
    asked = request(campaign, 1, at)
    (claim,) = await store.claim(asked)
    assert claim.attempt.number == phone(n)
    spoken = replace(claim.attempt, dialed_at=at, answered_at=at, connected_at=at if agent else None, agent=agent)
    ended = closing(
        replace(claim, attempt=spoken), Disposition.ANSWERED, now=at + seconds * 1000, campaign=campaign.name
    )
    await store.close([ended])
    return claim.attempt.id


async def found(store: Store, limit: int = 100, offset: int = 0, **search: Any) -> list[str]:
    return [row["guid"] for row in await store.call_records(CallSearch(**search), limit, offset)]


@pytest.fixture
async def calls(store: Store, demo: Campaign) -> list[str]:
    """Four calls an hour apart: two agents, two campaigns."""
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1, 11), person(2), person(3)])
    await load(store, other, [person(4)])
    return [
        await call(store, demo, 1, NOW, seconds=5),
        await call(store, demo, 2, NOW + HOUR, seconds=20, agent=BO),
        await call(store, demo, 3, NOW + 2 * HOUR, seconds=30, agent=""),
        await call(store, other, 4, NOW + 3 * HOUR, seconds=40),
    ]


async def test_pages_begin_with_the_oldest_call(store: Store, calls: list[str]) -> None:
    assert await found(store) == calls
    assert await found(store, limit=2) == calls[:2]
    assert await found(store, limit=2, offset=2) == calls[2:]
    assert await found(store, limit=2, offset=4) == []
    rows = await store.call_records(CallSearch(), 10, 0)
    assert [row["id"] for row in rows] == [1, 2, 3, 4], "in the order in which they ended"


@pytest.mark.parametrize(
    ("search", "which"),
    [
        ({"from_at": NOW + 1}, [1, 2, 3]),
        ({"to_at": NOW + HOUR}, [0]),
        ({"campaigns": ["other"]}, [3]),
        ({"campaigns": ["demo", "other"]}, [0, 1, 2, 3]),
        ({"campaigns": []}, []),
        ({"campaigns": ["demo"], "from_at": NOW + HOUR}, [1, 2]),
        ({"agents": [ANA]}, [0, 3]),
        ({"agents": [ANA, BO], "campaigns": ["demo"]}, [0, 1]),
        ({"agents": []}, []),
        ({"number": phone(2)}, [1]),
        ({"number": phone(2), "campaigns": ["other"]}, []),
        ({"number": phone(2), "from_at": NOW + 2 * HOUR}, []),
        ({"source": "100"}, [0, 1, 2, 3]),
        ({"source": "10"}, []),
        ({"excluded": phone(2)}, [0, 2, 3]),
        ({"shortest_s": 30}, [2, 3]),
        ({"calls_at_least": 1}, [0, 1, 2, 3]),
        ({"calls_at_least": 2}, []),
    ],
)
async def test_each_filter(store: Store, calls: list[str], search: dict[str, Any], which: list[int]) -> None:
    assert await found(store, **search) == [calls[n] for n in which]


async def test_by_the_calls_tag_in_whatever_case(store: Store, calls: list[str]) -> None:
    await store.tag_call(calls[1], "Sale|Cash")
    await store.tag_call(calls[2], "Sale|Card")
    assert await found(store, tag="cash") == [calls[1]]
    assert await found(store, tag="sale") == calls[1:3]
    assert [row["tag"] for row in await store.call_records(CallSearch(), 9, 0)] == ["", "Sale|Cash", "Sale|Card", ""]
    assert await found(store, tag="%") == []


async def test_by_hours_of_the_local_day(store: Store, calls: list[str]) -> None:
    """NOW is 14:13:20 UTC, and the calls are an hour apart."""
    hours = DayRange(15 * HOUR, 17 * HOUR)
    assert await found(store, hours=hours) == calls[1:3]
    assert await found(store, hours=hours, zone="UTC+01:00") == calls[:2]
    assert await found(store, hours=DayRange(16 * HOUR, 15 * HOUR)) == [calls[0], *calls[2:]], "past midnight"
    assert await found(store, hours=DayRange(0, 24 * HOUR)) == calls


async def test_hours_follow_the_zones_clock(store: Store, demo: Campaign) -> None:
    """Madrid's clock goes back on 2026-10-25: the same hour there is an hour later in UTC."""
    await load(store, demo, [person(1), person(2)])
    before, after = 1_792_836_000_000, 1_793_012_400_000  # 12:00 there: 10:00 UTC on the 24th, 11:00 UTC on the 26th
    both = [await call(store, demo, 1, before), await call(store, demo, 2, after)]
    noon = DayRange(12 * HOUR, 12 * HOUR + 60_000)
    assert await found(store, hours=noon, zone="Europe/Madrid") == both
    assert await found(store, hours=noon, zone="UTC") == []


async def test_hours_of_a_store_without_calls(store: Store) -> None:
    assert await found(store, hours=DayRange(0, HOUR), zone="Europe/Madrid") == []


async def test_how_often_a_number_was_called_counts_in_the_same_span_and_campaigns(
    store: Store, demo: Campaign
) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1)])
    await load(store, other, [person(1)])
    both = [await call(store, demo, 1), await call(store, other, 1, NOW + DAY)]
    assert await found(store, calls_at_least=2) == both
    assert await found(store, calls_at_least=2, to_at=NOW + DAY) == []
    assert await found(store, calls_at_least=2, campaigns=["demo"]) == []


async def test_a_record_has_its_contact_beside_it(store: Store, calls: list[str]) -> None:
    (row,) = await store.call_records(CallSearch(number=phone(1)), 1, 0)
    assert (row["id"], row["campaign"], row["dst"], row["as_uploaded"]) == (1, "demo", phone(1), phone(1)[3:])
    assert row["params"] == {"name": "Ñandú 1"}
    assert row["others"] == [["M", phone(11), phone(11)[3:], 0, ""]]
    assert (row["gone_at"], row["tag"], row["reserved_agent"]) == (NOW + 5000, "", "")


async def test_a_closing_that_comes_twice_is_numbered_once(
    database: FreshDatabase, demo: Campaign, store: Store
) -> None:
    await load(store, demo, [person(1), person(2)])
    claims = await store.claim(request(demo, 2))
    ends = [closing(claim, Disposition.BUSY) for claim in claims]
    await store.close([ends[0]])
    await store.close(ends)
    assert [row["id"] for row in await store.call_records(CallSearch(), 9, 0)] in ([1, 2], [2, 1])


async def test_the_agents_that_had_calls_and_their_last_one(store: Store, demo: Campaign, calls: list[str]) -> None:
    assert await store.called_agents() == [BO, ANA]
    assert await store.call_of_agents([BO]) == calls[1]
    assert await store.call_of_agents([ANA, BO]) == calls[3]
    assert await store.call_of_agents(["PJSIP/9"]) is None
    assert await store.call_of_agents([]) is None


async def test_the_live_call_of_an_agent_goes_before_older_ones(store: Store, demo: Campaign, calls: list[str]) -> None:
    await load(store, demo, [person(5), person(6)], base="c")
    reserved, taken = await store.claim(request(demo, 1, reserved_agent=BO)), await store.claim(request(demo, 1))
    await _connected(store, taken[0])
    assert await store.call_of_agents([BO]) == reserved[0].attempt.id
    assert await store.call_of_agents([ANA]) == taken[0].attempt.id


async def _connected(store: Store, claim: Claim) -> None:
    await store.save_attempts([replace(claim.attempt, state=State.CONNECTED, dialed_at=NOW, agent=ANA)])
