"""Figures by day, and the abandonment rate of thirty days."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from use_case_hands import DAY, HOUR, NOON, UTC, Clock, campaign, dial, hang_up, person

from astdialer.domain.attempt import State
from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import Campaign, CampaignState
from astdialer.domain.cdr import CdrContext, cdr_of
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import Conflict, NotFound
from astdialer.engine import statistics
from astdialer.ports import Closing, Store
from astdialer.store import open_store

D = Disposition
TODAY = "2026-09-22"  # the day that use_case_hands.hang_up closes calls on


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db", clock) as opened:
        yield opened


@pytest.fixture
async def sales(store: Store) -> Campaign:
    return await campaign(store, trunk="carrier", queue="q")


async def called(store: Store, sales: Campaign, *dispositions: Disposition) -> None:
    for n, disposition in enumerate(dispositions, 1):
        claim = await dial(store, sales, await person(store, sales, n, base=f"b{n}"))
        await hang_up(store, sales, claim, disposition)


async def test_a_day_has_every_disposition_and_its_sums(store: Store, clock: Clock, sales: Campaign) -> None:
    await called(store, sales, D.ANSWERED, D.ABANDONED, D.SHORT, D.MACHINE, D.BUSY, D.BUSY, D.NO_ANSWER, D.FAILED)
    (day,) = await statistics.campaign_days(store, clock, UTC, "sales", 7)
    assert (day["day"], day["attempts"], day["people"], day["picked_up"]) == (TODAY, 8, 3, 0.5)
    assert (day["busy"], day["invalid_number"]) == (2, 0)
    assert statistics.total([day, day])["attempts"] == 16
    assert statistics.total([])["picked_up"] is None


async def test_days_that_are_too_long_ago_are_left_out(store: Store, clock: Clock, sales: Campaign) -> None:
    await called(store, sales, D.BUSY)
    clock.at += 2 * DAY
    assert await statistics.campaign_days(store, clock, UTC, "sales", 2) == []
    assert len(await statistics.campaign_days(store, clock, UTC, "sales", 3)) == 1


async def test_today_is_the_campaigns_own(store: Store, clock: Clock, sales: Campaign) -> None:
    await called(store, sales, D.BUSY)
    clock.at += 4 * HOUR  # 16:00 UTC: tomorrow in Auckland
    assert len(await statistics.campaign_days(store, clock, UTC, "sales", 1)) == 1
    assert await statistics.campaign_days(store, clock, "Pacific/Auckland", "sales", 1) == []
    await store.save_calendar(
        WorkingCalendar.from_dict({"name": "office", "timezone": "Pacific/Auckland", "hours": "mon 09:00-10:00"})
    )
    other = await campaign(store, "other", calendar="office")
    assert await statistics.zone_of(store, other, UTC) == "Pacific/Auckland"


async def test_a_trunk_counts_over_all_its_days(store: Store, clock: Clock, sales: Campaign) -> None:
    await called(store, sales, D.ANSWERED, D.CONGESTION, D.CONGESTION)
    (row,) = await statistics.trunk_totals(store, clock, UTC, 7)
    assert (row["trunk"], row["attempts"], row["congestion"], row["picked_up"]) == ("carrier", 3, 2, 0.3333)


def agent_day(folder: Path, agent: str, campaign_id: int, *values: object) -> None:
    """A day of an agent as closed calls leave it: day, offered, answered, talk_s."""
    row = (agent, campaign_id, *values, 0, 0)[:6]
    with sqlite3.connect(folder / "store.db") as connection:
        connection.execute("INSERT INTO agent_days VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.close()


async def offered(store: Store, of: Campaign, agent: str, n: int, *, day: str = TODAY, talk_s: int = 0) -> None:
    """A call that this agent was meant for, and took if it was a talk."""
    claim = await dial(store, of, await person(store, of, n, base=f"agent{n}"))
    attempt = replace(
        claim.attempt,
        state=State.GONE,
        reserved_agent=agent,
        answered_at=NOON,
        connected_at=NOON if talk_s else None,
        gone_at=NOON + talk_s * 1000,
    )
    disposition = D.ANSWERED if talk_s else D.NO_ANSWER
    closing = Closing(
        attempt=attempt,
        disposition=disposition,
        contact=claim.contact,
        cdr=cdr_of(attempt, disposition, CdrContext(campaign=of.name, base="", caller_id="", queue="q"), NOON),
        recording=None,
        now=NOON,
        day=day,
    )
    await store.close([closing])


async def test_an_agent_counts_by_campaign_over_all_days(store: Store, clock: Clock, sales: Campaign) -> None:
    other = await campaign(store, "other")
    await offered(store, sales, "PJSIP/1001", 1, talk_s=60)
    await offered(store, sales, "PJSIP/1001", 2, talk_s=30, day="2026-09-20")
    await offered(store, sales, "PJSIP/1001", 3)
    await offered(store, other, "PJSIP/1001", 4)
    await offered(store, other, "PJSIP/1002", 5, day="2026-09-01")
    rows = await statistics.agent_totals(store, clock, UTC, 7)
    assert [tuple(row.values()) for row in rows] == [
        ("PJSIP/1001", "other", 1, 0, 0, None),
        ("PJSIP/1001", "sales", 3, 2, 90, 45),
    ]


async def test_abandonment_is_of_the_calls_that_people_answered(store: Store, clock: Clock, sales: Campaign) -> None:
    await called(store, sales, D.ABANDONED, D.ANSWERED, D.SHORT, D.ANSWERED, D.MACHINE, D.BUSY)
    found = await statistics.abandonment(store, clock, UTC, "sales")
    assert (found.people, found.abandoned, found.rate, found.from_day) == (4, 1, 0.25, "2026-08-24")
    assert [dict(row) for row in found.days] == [{"day": TODAY, "people": 4, "abandoned": 1, "rate": 0.25}]


async def test_abandonment_forgets_after_thirty_days(store: Store, clock: Clock, sales: Campaign) -> None:
    await called(store, sales, D.ABANDONED)
    clock.at += 29 * DAY
    assert (await statistics.abandonment(store, clock, UTC, "sales")).abandoned == 1
    clock.at += DAY
    found = await statistics.abandonment(store, clock, UTC, "sales")
    assert (found.abandoned, found.people, found.rate) == (0, 0, None)


async def test_a_reset_zeroes_totals_and_keeps_days(store: Store, clock: Clock, sales: Campaign) -> None:
    await called(store, sales, D.ABANDONED, D.ANSWERED)
    await statistics.reset(store, clock, UTC, "sales", done_by="ana")
    assert (await store.counts(sales.id)).dispositions == {}
    assert (await statistics.abandonment(store, clock, UTC, "sales")).abandoned == 1
    assert len(await statistics.campaign_days(store, clock, UTC, "sales", 1)) == 1
    assert await store.stats_day(sales.id) == TODAY
    (event,) = await store.history(sales.id, 10)
    assert (event.event, event.done_by) == ("zeroed", "ana")


@pytest.mark.parametrize("state", [CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.STOPPING])
async def test_an_active_campaign_is_not_reset(
    store: Store, clock: Clock, sales: Campaign, state: CampaignState
) -> None:
    await called(store, sales, D.BUSY)
    await store.set_state(sales.id, state, now=NOON)
    with pytest.raises(Conflict, match=f"sales is {state.value}: stop it first"):
        await statistics.reset(store, clock, UTC, "sales")
    assert (await store.counts(sales.id)).dispositions == {"busy": 1}
    assert await store.history(sales.id, 10) == []


async def test_nobody_has_no_figures(store: Store, clock: Clock) -> None:
    with pytest.raises(NotFound):
        await statistics.abandonment(store, clock, UTC, "nobody")


def test_one_day_is_today() -> None:
    assert statistics.first_day(UTC, NOON, 1) == TODAY
