"""Store contract: orders to the engine, offers to agents, and agents' statistics."""

from dataclasses import replace
from typing import Any

import pytest
from stores import HOUR, NOW, TODAY, FreshDatabase, closing, load, person, request

from astdialer.domain.campaign import Campaign
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound
from astdialer.ports import Claim, Closing, Offer, Order, Store

pytest_plugins = ("store_fixtures",)

ORDER = Order(
    id="o1", kind="call", body={"contact": 7, "why": "ñ"}, created_at=NOW, expires_at=NOW + 10_000, state="new"
)
OFFER = Offer(
    attempt_id="a1",
    agent="PJSIP/1001",
    campaign_id=1,
    contact_id=2,
    number="+34600000001",
    made_at=NOW,
    expires_at=NOW + 60_000,
)


async def test_an_order_is_taken_once_and_answered(store: Store) -> None:
    await store.give_order(ORDER)
    assert await store.order("o1") == ORDER
    assert list(await store.take_orders(NOW)) == [replace(ORDER, state="taken")]
    assert not await store.take_orders(NOW)
    assert (await store.order("o1")).state == "taken"
    await store.order_done("o1", result='{"attempt": "a1"}')
    assert await store.order("o1") == replace(ORDER, state="done", result='{"attempt": "a1"}')


async def test_a_failed_order_says_why(store: Store) -> None:
    await store.give_order(ORDER)
    await store.take_orders(NOW)
    await store.order_done("o1", result="no trunk is free", failed=True)
    found = await store.order("o1")
    assert (found.state, found.result) == ("failed", "no trunk is free")


async def test_an_order_that_nobody_took_in_time_is_never_carried_out(store: Store) -> None:
    await store.give_order(ORDER)
    await store.give_order(replace(ORDER, id="o2", expires_at=NOW + HOUR))
    assert [order.id for order in await store.take_orders(NOW + 10_000)] == ["o2"]
    late = await store.order("o1")
    assert (late.state, "serve" in late.result) == ("failed", True)


async def test_orders_are_taken_in_the_order_in_which_they_were_given(store: Store) -> None:
    for n, at in (("b", 2), ("c", 1), ("a", 3)):
        await store.give_order(replace(ORDER, id=n, created_at=NOW + at))
    assert [order.id for order in await store.take_orders(NOW + 5)] == ["c", "b", "a"]


async def test_an_order_is_taken_by_one_engine(database: FreshDatabase) -> None:
    async with database.open() as one, database.open() as two:
        await one.give_order(ORDER)
        assert len(await two.take_orders(NOW)) == 1
        assert not await one.take_orders(NOW)


async def test_an_unknown_order_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="o9"):
        await store.order("o9")


async def test_an_offer_is_answered_once(store: Store) -> None:
    await store.make_offer(OFFER)
    assert list(await store.offers()) == [OFFER]
    assert await store.answer_offer("a1", "accept")
    assert not await store.answer_offer("a1", "skip")
    assert not await store.answer_offer("a2", "skip")
    assert list(await store.offers()) == [replace(OFFER, answer="accept")]


async def test_an_offers_end_is_told_when_it_is_known(store: Store) -> None:
    await store.make_offer(OFFER)
    await store.make_offer(replace(OFFER, attempt_id="a2"))
    await store.answer_offer("a1", "accept")
    await store.limit_offer("a1", NOW + 1234)
    changed = replace(OFFER, expires_at=NOW + 1234, answer="accept")
    assert list(await store.offers()) == [changed, replace(OFFER, attempt_id="a2")]


async def test_a_withdrawn_offer_is_gone(store: Store) -> None:
    for n in (2, 1):
        await store.make_offer(replace(OFFER, attempt_id=f"a{n}", made_at=NOW + n))
    assert [offer.attempt_id for offer in await store.offers()] == ["a1", "a2"]
    await store.withdraw_offer("a1")
    await store.withdraw_offer("a1")
    assert [offer.attempt_id for offer in await store.offers()] == ["a2"]
    assert not await store.answer_offer("a1", "accept")


async def test_an_agents_day_is_added_up_as_its_calls_are_closed(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in (1, 2, 3, 4)])
    talked, missed, again, other = await store.claim(request(demo))

    def of(claim: Claim, day: str = TODAY, **facts: Any) -> Closing:
        known = replace(claim, attempt=replace(claim.attempt, answered_at=NOW, **facts))
        return closing(known, Disposition.ANSWERED, now=NOW + 2500, day=day)

    talk: dict[str, Any] = {"connected_at": NOW, "talk_ended_at": NOW + 2500}
    closings = [
        of(talked, agent="PJSIP/1", **talk),
        of(missed, reserved_agent="PJSIP/1"),
        of(again, "2026-09-20", agent="PJSIP/1", **talk),
        of(other, agent="PJSIP/2", **talk),
    ]
    await store.close(closings)
    await store.close(closings)
    rows = [tuple(row.values()) for row in await store.agent_days(TODAY)]
    assert rows == [("PJSIP/1", "demo", TODAY, 2, 1, 2.5), ("PJSIP/2", "demo", TODAY, 1, 1, 2.5)]
    assert len(await store.agent_days("2026-09-20")) == 3
