"""Store contract: single calls, and CDRs and recordings page by page."""

from dataclasses import replace

import pytest
from stores import HOUR, NOW, cdrs, closing, load, person, phone, request

from astdialer.domain.campaign import Campaign
from astdialer.domain.disposition import Disposition
from astdialer.domain.errors import NotFound
from astdialer.domain.hooks import Webhook
from astdialer.domain.settings import Settings
from astdialer.ports import Claim, Delivery, Store

pytest_plugins = ("store_fixtures",)

D = Disposition


async def called(store: Store, campaign: Campaign, first: int, count: int) -> list[Claim]:
    await load(store, campaign, [person(first + n) for n in range(count)], base=f"b{first}")
    return list(await store.claim(request(campaign)))


async def test_a_call_is_there_while_it_is_live_and_has_a_record_when_it_is_over(store: Store, demo: Campaign) -> None:
    (claim,) = await called(store, demo, 0, 1)
    guid = claim.attempt.id
    live = await store.attempt(guid)
    assert (live["campaign"], live["base"], live["number"], live["state"]) == ("demo", "b0", phone(0), "created")
    assert (live["tenant"], live["recording_state"], await store.cdr(guid)) == ("", None, None)

    await store.close([closing(claim, D.ANSWERED, record=True)])
    over = await store.attempt(guid)
    assert (over["state"], over["disposition"], over["recording_state"], over["recording_date"]) == (
        "closed",
        "answered",
        "pending",
        "20260921",
    )
    record = await store.cdr(guid)
    assert record is not None
    assert record["disposition"] == "answered"
    with pytest.raises(NotFound, match="no attempt 'x'"):
        await store.attempt("x")
    assert await store.cdr("x") is None


async def test_live_attempts_are_those_of_a_tenant_or_campaign(store: Store, demo: Campaign) -> None:
    theirs = await store.create_campaign("theirs", Settings(), NOW, "b")
    first, second = await called(store, demo, 0, 2)
    (other,) = await called(store, theirs, 10, 1)
    await store.close([closing(second, D.BUSY)])

    async def live(tenant: str | None, campaign: str | None = None) -> list[str]:
        return [row["id"] for row in await store.live_attempts(tenant, campaign)]

    assert set(await live(None)) == {first.attempt.id, other.attempt.id}
    assert await live("b") == [other.attempt.id]
    assert await live(None, "demo") == [first.attempt.id]
    assert await live("b", "demo") == []


@pytest.mark.parametrize("filters", [{}, {"campaign": "demo"}])
async def test_pages_of_records_leave_nothing_out_and_repeat_nothing(
    store: Store, demo: Campaign, filters: dict[str, str]
) -> None:
    claims = await called(store, demo, 0, 9)
    await store.close([closing(claim, D.BUSY, now=NOW + n // 4, record=True) for n, claim in enumerate(claims)])
    whole = [row["guid"] for row in await cdrs(store, **filters)]
    assert len(whole) == 9

    async def pages(recordings: bool) -> list[str]:
        seen: list[str] = []
        before = None
        while True:
            wanted = {**filters, "before": before}
            found = await store.recordings(wanted, 2) if recordings else [row async for row in store.cdrs(wanted, 2)]
            if not found:
                return seen
            seen += [row["guid"] for row in found]
            before = (found[-1]["calldate"], found[-1]["guid"])

    assert await pages(recordings=False) == whole
    assert await pages(recordings=True) == whole


async def test_records_of_a_number_a_tenant_and_a_shortest_talk(store: Store, demo: Campaign) -> None:
    theirs = await store.create_campaign("theirs", Settings(), NOW, "b")
    mine = await called(store, demo, 0, 2)
    (other,) = await called(store, theirs, 1_000, 1)
    await store.close([closing(claim, D.BUSY) for claim in mine])
    await store.close([closing(other, D.ANSWERED, campaign="theirs", record=True)])

    async def found(**filters: object) -> set[str]:
        return {row["guid"] for row in await cdrs(store, **filters)}

    assert await found(tenant="b") == {other.attempt.id}
    assert await found(tenant="b", campaign="demo") == set()
    assert await found(tenant="") == {claim.attempt.id for claim in mine}
    assert await found(number=phone(1), campaign="demo") == {mine[1].attempt.id}
    assert await found(number=phone(1), from_at=NOW + HOUR) == set()
    assert await found(min_talk_s=0.0) == {claim.attempt.id for claim in [*mine, other]}
    assert await found(min_talk_s=1.0) == set()
    assert [row["guid"] for row in await store.recordings({"tenant": "b"}, 9)] == [other.attempt.id]
    assert [row["guid"] for row in await store.recordings({"tenant": "a"}, 9)] == []
    assert [row["guid"] for row in await store.recordings({"date": "20260921"}, 9)] == [other.attempt.id]
    assert [row["guid"] for row in await store.recordings({"date": "20260920"}, 9)] == []


async def test_records_of_an_agent(store: Store, demo: Campaign) -> None:
    claims = await called(store, demo, 0, 4)
    talks = [replace(claim, attempt=replace(claim.attempt, agent=f"A/{n % 2}")) for n, claim in enumerate(claims)]
    await store.close([closing(talk, D.ANSWERED) for talk in talks])
    last, first = sorted((talks[1].attempt.id, talks[3].attempt.id), reverse=True)  # all at the same instant

    async def found(**filters: object) -> list[str]:
        return [row["guid"] for row in await cdrs(store, agent="A/1", **filters)]

    assert await found() == await found(campaign="demo", tenant="", disposition="answered") == [last, first]
    assert await found(number=talks[1].attempt.number) == [talks[1].attempt.id]
    assert await found(before=(NOW, last)) == [first]
    assert await found(campaign="other") == await found(base="x") == await found(to_at=NOW) == []


async def test_one_delivery(store: Store) -> None:
    with pytest.raises(NotFound, match="no delivery 'x'"):
        await store.delivery("x")
    await store.add_webhook(Webhook(id="w", url="https://a.example/", secret="s"))
    made = Delivery(id="d", webhook_id="w", event_id=1, kind="attempt.closed", body="{}", created_at=NOW, retry_at=NOW)
    await store.queue_deliveries("webhooks", 1, [made])
    assert replace(await store.delivery("d"), seq=made.seq) == made  # which the store gives
