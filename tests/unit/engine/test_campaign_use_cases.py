"""What an administrator does with campaigns: what is refused, and what the history says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from use_case_hands import MINUTE, NOON, Clock

from astdialer.domain.calendar import WorkingCalendar
from astdialer.domain.campaign import CampaignState
from astdialer.domain.errors import Conflict, InvalidSetting, NotFound, Unavailable
from astdialer.domain.route import Destination, Route
from astdialer.domain.trunk import Trunk
from astdialer.engine import campaigns
from astdialer.ports import CampaignEvent, Store
from astdialer.store import open_store

S = CampaignState
USUAL = {"trunk": "carrier", "queue": "q"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db", clock) as opened:
        await opened.save_trunk(Trunk(name="carrier", dial="PJSIP/{number}@c"))
        await opened.save_trunk(Trunk(name="north", dial="PJSIP/{number}@n", server="north"))
        yield opened


async def lines(store: Store, name: str = "sales") -> list[str]:
    """The history, the oldest first."""
    return [event.event for event in reversed(await campaigns.history(store, name, 100))]


async def last(store: Store, name: str = "sales") -> CampaignEvent:
    return (await campaigns.history(store, name, 1))[0]


async def route(store: Store, name: str, *trunks: str, enabled: bool = True) -> None:
    to = tuple(Destination(trunk, enabled=enabled) for trunk in trunks)
    await store.save_route(Route(name, "^34", to))


async def test_a_new_campaign_begins_its_history(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", USUAL | {"max_calls": "7"}, done_by="ana")
    event = await last(store)
    assert (event.at, event.event, event.done_by) == (NOON, "created", "ana")
    assert event.detail == "trunk (none) → carrier, queue (none) → q, max_calls 30 → 7"


@pytest.mark.parametrize(
    ("moves", "after", "told"),
    [
        ([], S.STOPPED, "stopped"),
        ([campaigns.start], S.STOPPING, "stopping"),
        ([campaigns.start, campaigns.pause], S.STOPPING, "stopping"),
        ([campaigns.halt], S.STOPPED, "stopped"),
    ],
)
async def test_a_campaign_is_halted_whatever_it_is_doing(
    store: Store, clock: Clock, moves: list[Any], after: CampaignState, told: str
) -> None:
    await campaigns.create(store, clock, "sales", USUAL)
    for move in moves:
        await move(store, clock, "sales")
    assert (await campaigns.halt(store, clock, "sales", done_by="ana")).state is after
    assert (await last(store)).event == told


async def test_a_campaign_that_is_halted_has_it_in_its_history_whatever_dies(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state and the line are one transaction: there is no second write that could be missing."""
    await campaigns.create(store, clock, "sales", USUAL)

    async def dies(*_: Any) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(store, "add_event", dies)
    await campaigns.halt(store, clock, "sales", done_by="ana")
    event = await last(store)
    assert (event.event, event.detail, event.done_by) == ("stopped", "it was idle", "ana")


async def test_a_campaign_whose_time_is_over_cant_be_started(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", USUAL | {"stop_at": "2026-01-01T00:00Z"})
    with pytest.raises(Conflict, match=r"its stop_at 2026-01-01T00:00Z is over"):
        await campaigns.start(store, clock, "sales")


async def test_every_move_is_a_line_of_the_history(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", USUAL)
    clock.at += MINUTE
    await campaigns.start(store, clock, "sales", done_by="ana")
    await campaigns.pause(store, clock, "sales", done_by="bea")
    await campaigns.resume(store, clock, "sales", done_by="ana")
    await campaigns.stop(store, clock, "sales", hang_up=True, done_by="bea")
    assert await lines(store) == ["created", "started", "paused", "resumed", "stopping"]
    event = await last(store)
    assert (event.at, event.done_by, event.detail) == (NOON + MINUTE, "bea", "its calls are hung up")


async def test_a_campaign_that_runs_is_not_started_twice(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", USUAL)
    for _ in range(2):
        assert (await campaigns.start(store, clock, "sales")).state is S.RUNNING
    assert await lines(store) == ["created", "started"]


async def test_a_change_notes_what_is_different_and_nothing_else(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", USUAL)
    await campaigns.change(store, clock, "sales", {"max_calls": "30"})
    assert await lines(store) == ["created"]
    await campaigns.change(store, clock, "sales", {"max_calls": "30", "calling_hours": "09:00-18:00"}, done_by="ana")
    event = await last(store)
    assert (event.event, event.detail) == ("changed", "calling_hours 08:00-21:00 → 09:00-18:00")


async def test_a_long_value_is_cut_in_the_history(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", {"outcomes": ";".join(f"Outcome {n}=close" for n in range(50))})
    assert len((await last(store)).detail) < 100
    assert (await last(store)).detail.endswith("…")


async def test_without_routes_none_is_asked_for(store: Store, clock: Clock) -> None:
    await route(store, "uk", "gone")
    await campaigns.create(store, clock, "sales", {"routes": ""} | USUAL)
    assert (await campaigns.start(store, clock, "sales")).state is S.RUNNING


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"trunk": "gone"}, "there is no trunk 'gone'"),
        ({"routes": "gone"}, "there is no route 'gone'"),
        ({"calendar": "gone"}, "there is no calendar 'gone'"),
        ({"caller_id": "pool:gone"}, "there are no numbers for caller_id=pool:gone"),
    ],
)
async def test_what_a_campaign_names_has_to_be_there(
    store: Store, clock: Clock, setting: dict[str, str], words: str
) -> None:
    with pytest.raises(Conflict, match=words):
        await campaigns.create(store, clock, "sales", setting)
    assert await store.campaigns() == []
    await campaigns.create(store, clock, "sales", USUAL)
    with pytest.raises(Conflict, match=words):
        await campaigns.change(store, clock, "sales", setting | {"max_calls": "7"})
    assert (await store.campaign("sales")).settings.max_calls == 30
    assert await lines(store) == ["created"]


async def test_what_is_there_may_be_named(store: Store, clock: Clock) -> None:
    await route(store, "es", "carrier")
    await store.save_calendar(WorkingCalendar.from_dict({"name": "office", "hours": "mon-fri 09:00-18:00"}))
    await store.save_caller_id_pool("pool", ["100"])
    named = {"routes": "es", "calendar": "office", "caller_id": "pool:pool", "queue": "q"}
    await campaigns.create(store, clock, "sales", named)
    assert (await campaigns.start(store, clock, "sales")).state is S.RUNNING


async def test_a_pool_without_numbers_is_none(store: Store, clock: Clock) -> None:
    await store.save_caller_id_pool("pool", [])
    with pytest.raises(Conflict, match="no numbers"):
        await campaigns.create(store, clock, "sales", {"caller_id": "pool:pool"})


async def test_a_name_that_went_away_hinders_no_other_change_but_the_start(store: Store, clock: Clock) -> None:
    made = await campaigns.create(store, clock, "sales", USUAL)
    await store.save_settings(made.id, replace(made.settings, trunk="gone"))
    await campaigns.change(store, clock, "sales", {"max_calls": "7"})
    with pytest.raises(Conflict, match="can't start: there is no trunk 'gone'"):
        await campaigns.start(store, clock, "sales")


async def test_with_routes_the_trunk_is_not_asked_for(store: Store, clock: Clock) -> None:
    await route(store, "es", "carrier")
    made = await campaigns.create(store, clock, "sales", {"trunk": "north", "queue": "q"})
    await store.save_settings(made.id, replace(made.settings, trunk="gone"))
    await campaigns.change(store, clock, "sales", {"routes": "es"})
    assert (await campaigns.start(store, clock, "sales")).state is S.RUNNING


async def test_every_trunk_of_the_routes_is_on_one_asterisk(store: Store, clock: Clock) -> None:
    await route(store, "es", "carrier")
    await route(store, "uk", "north")
    words = r"several Asterisk servers \(carrier on default, north on north\)"
    with pytest.raises(Conflict, match=words):
        await campaigns.create(store, clock, "sales", {"routes": "es,uk", "queue": "q"})
    await campaigns.create(store, clock, "sales", {"routes": "es", "queue": "q"})
    with pytest.raises(Conflict, match=words):
        await campaigns.change(store, clock, "sales", {"routes": "es,uk"})
    await route(store, "es", "carrier", "north")
    with pytest.raises(Conflict, match=words):
        await campaigns.start(store, clock, "sales")


async def test_a_destination_that_is_switched_off_counts_for_nothing(store: Store, clock: Clock) -> None:
    await route(store, "es", "carrier")
    await route(store, "uk", "north", "gone", enabled=False)
    await campaigns.create(store, clock, "sales", {"routes": "es,uk", "queue": "q"})
    assert (await campaigns.start(store, clock, "sales")).state is S.RUNNING


async def test_a_route_to_a_trunk_that_is_gone_stops_the_start(store: Store, clock: Clock) -> None:
    await route(store, "es", "carrier")
    await campaigns.create(store, clock, "sales", {"routes": "es", "queue": "q"})
    await route(store, "es", "gone")
    await campaigns.change(store, clock, "sales", {"max_calls": "7"})
    with pytest.raises(Conflict, match="route es leads to trunk 'gone', which does not exist"):
        await campaigns.start(store, clock, "sales")


async def test_settings_that_contradict_each_other_are_refused(store: Store, clock: Clock) -> None:
    with pytest.raises(InvalidSetting, match="at least min_ring_s"):
        await campaigns.create(store, clock, "sales", {"originate_timeout_s": "5"})
    await campaigns.create(store, clock, "sales", {"originate_timeout_s": "20"})
    with pytest.raises(InvalidSetting, match="at least min_ring_s"):
        await campaigns.change(store, clock, "sales", {"min_ring_s": "25"})
    assert await lines(store) == ["created"]


async def test_after_an_error_it_can_be_started_and_the_history_says_so(store: Store, clock: Clock) -> None:
    made = await campaigns.create(store, clock, "sales", USUAL)
    await store.set_state(made.id, S.ERROR, explanation="its calendar was gone", now=NOON)
    started = await campaigns.start(store, clock, "sales")
    assert (started.state, started.explanation) == (S.RUNNING, "")
    assert (await last(store)).detail == "after an error: its calendar was gone"


async def test_a_running_campaign_keeps_what_it_needs(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", USUAL)
    await campaigns.start(store, clock, "sales")
    with pytest.raises(Conflict, match=r"running and needs it.*queue=NAME"):
        await campaigns.change(store, clock, "sales", {"queue": ""})
    assert (await store.campaign("sales")).settings.queue == "q"


async def test_nobody_has_no_history(store: Store) -> None:
    with pytest.raises(NotFound, match="no campaign 'nobody'"):
        await campaigns.history(store, "nobody", 10)


async def test_a_history_can_be_long(store: Store, clock: Clock) -> None:
    await campaigns.create(store, clock, "sales", USUAL)
    for n in range(5):
        await campaigns.change(store, clock, "sales", {"max_calls": str(n + 1)})
    assert [event.detail for event in await campaigns.history(store, "sales", 2)] == [
        "max_calls 4 → 5",
        "max_calls 3 → 4",
    ]
