"""Store contract: whom a claim takes first, whom it puts off, and what is known about numbers."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from stores import (
    DAY,
    FREELY,
    HOUR,
    NOW,
    check_counts,
    closing,
    forbid,
    load,
    numbers_of,
    people,
    person,
    phone,
    request,
    task,
)

from astdialer.domain.campaign import Campaign
from astdialer.domain.contact import Contact, Rank
from astdialer.domain.disposition import Disposition
from astdialer.domain.retry import RedialRules, Retry
from astdialer.domain.selection import FOR_EVER, NO_FACTS, DialingRules, Judgement, NumberFacts, Why
from astdialer.domain.settings import ContactStrategy, Settings
from astdialer.ports import Claim, Store

pytest_plugins = ("store_fixtures",)

D = Disposition
AT_ONCE = RedialRules(retries=dict.fromkeys(D, Retry(tries=None, delays_s=(0,))))


async def busy(store: Store, claims: list[Claim], now: int) -> None:
    """These calls end so that the contacts are due again at once."""
    sent = [replace(c, attempt=replace(c.attempt, dialed_at=now)) for c in claims]
    await store.close([closing(claim, D.BUSY, now=now, rules=AT_ONCE) for claim in sent])


async def one(store: Store, demo: Campaign, now: int, strategy: ContactStrategy) -> str:
    claims = list(await store.claim(request(demo, limit=1, now=now, strategy=strategy)))
    await busy(store, claims, now)
    return numbers_of(claims)[0]


# --- order -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (ContactStrategy.PRIORITY, [1, 1, 1, 1, 1]),
        (ContactStrategy.NEXT_TRIES_CIRCUIT, [1, 1, 1, 1, 1]),
        (ContactStrategy.STRICT_CIRCUIT, [1, 2, 3, 1, 2]),
    ],
)
async def test_strategies_differ_once_a_contact_was_called(
    store: Store, demo: Campaign, strategy: ContactStrategy, expected: list[int]
) -> None:
    await load(store, demo, [person(n, priority=n) for n in (3, 1, 2)])
    assert [await one(store, demo, NOW + n, strategy) for n in range(5)] == [phone(n) for n in expected]


async def test_due_retries_go_before_the_untouched_only_if_the_campaign_wants_it(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, priority=1)])
    assert await one(store, demo, NOW, ContactStrategy.PRIORITY) == phone(1)
    await load(store, demo, [person(2, priority=0)], "more")
    assert await one(store, demo, NOW + 1, ContactStrategy.NEXT_TRIES_CIRCUIT) == phone(1)
    assert await one(store, demo, NOW + 2, ContactStrategy.PRIORITY) == phone(2)
    assert await one(store, demo, NOW + 3, ContactStrategy.STRICT_CIRCUIT) == phone(1)


@pytest.mark.parametrize("strategy", ContactStrategy)
async def test_the_order_holds_over_all_pools(store: Store, demo: Campaign, strategy: ContactStrategy) -> None:
    zones = ("", "UTC", "Europe/Madrid")
    await load(store, demo, [person(n, priority=n, zones=zones[n % 3]) for n in range(12)], "one")
    await load(store, demo, [person(n, priority=n, zones=zones[n % 3]) for n in range(12, 20)], "two")
    await store.add_task(task(demo, 30, priority=99), NOW)
    await store.add_task(task(demo, 31, priority=99, rank=Rank.DATED), NOW)
    order = [numbers_of(await store.claim(request(demo, limit=2, strategy=strategy))) for _ in range(11)]
    assert [number for two in order for number in two] == [phone(n) for n in (31, 30, *range(20))]


async def test_an_agents_own_contacts_go_before_anybodys(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, priority=1), person(2, priority=9, agentphone="1001"), person(3, bucket="vip")])
    assert sorted(await store.bound_buckets(demo.id)) == ["@1001", "vip"]
    assert numbers_of(await store.claim(request(demo, limit=2, buckets=["", "@1001"]))) == [phone(2), phone(1)]
    assert await store.bound_buckets(demo.id) == ["vip"]
    assert not await store.claim(request(demo))


# --- putting off -----------------------------------------------------------------------------------------------------


async def test_who_only_lacks_a_free_trunk_keeps_its_place(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in range(5)])
    assert not await store.claim(request(demo, full=True))
    assert (await store.counts(demo.id)).ready == 5
    assert numbers_of(await store.claim(request(demo, limit=1))) == [phone(0)]


async def test_who_is_put_off_waits_for_its_rule_and_hides_nobody(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(n) for n in range(300)])
    await store.add_to_blacklist([forbid(n, expires_at=NOW + DAY) for n in range(299)])
    assert numbers_of(await store.claim(request(demo, limit=1))) == [phone(299)]
    (rule,) = await store.put_off(demo.id)
    assert (rule["why"], rule["first_at"]) == (Why.BLACKLISTED, NOW + DAY)
    await check_counts(store, demo)


@pytest.mark.parametrize("strategy", ContactStrategy)
async def test_a_claim_that_gave_up_is_gone_on_with_behind(
    store: Store, demo: Campaign, strategy: ContactStrategy
) -> None:
    """Thousands without a free trunk are in front, in two pools, some called before; the last one has one."""
    zones = ("", "UTC")
    await load(store, demo, [person(n, priority=n % 3, zones=zones[n % 2]) for n in range(2500)])
    await busy(store, list(await store.claim(request(demo, strategy=strategy))), NOW)
    await load(store, demo, [person(2500, priority=9)], "more")
    await store.add_task(task(demo, 2501), NOW)

    def only_the_last(contact: Contact, facts: Mapping[str, NumberFacts]) -> Judgement:
        judged = request(demo, full=contact.numbers[0].number != phone(2500)).judge(contact, facts)
        looked_at.append(contact.numbers[0].number)
        return judged

    looked_at: list[str] = []
    wish = request(demo, limit=1, strategy=strategy, judge=only_the_last, now=NOW + 1)
    first = await store.claim(wish)
    assert not first
    assert first.stopped_at is not None
    assert 1000 < len(looked_at) <= 2001, "a claim is bounded"
    second = await store.claim(replace(wish, after=first.stopped_at))
    assert (numbers_of(second), second.stopped_at) == ([phone(2500)], None)
    called_last = 100 if strategy is ContactStrategy.STRICT_CIRCUIT else 0
    assert len(looked_at) == len(set(looked_at)) == 2502 - called_last, "nobody twice, nobody left out"
    assert (await store.claim(replace(wish, after=first.stopped_at))).stopped_at is None


async def test_a_contact_that_has_expired_when_it_comes_up_ends(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, expires_at=NOW)])
    assert not await store.claim(request(demo))
    row = (await people(store))[phone(1)]
    assert (row["state"], row["end_cause"]) == ("done", "MEMBER_EXPIRED")


async def test_a_reserved_agent_is_written_to_the_attempt(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1)])
    (claim,) = await store.claim(request(demo, limit=1, reserved_agent="PJSIP/1001", leg_id="leg-1"))
    (kept,) = await store.open_attempts()
    assert kept.attempt == claim.attempt
    assert (claim.attempt.reserved_agent, claim.attempt.leg_id) == ("PJSIP/1001", "leg-1")


# --- facts -----------------------------------------------------------------------------------------------------------


async def test_what_is_known_about_a_number_comes_from_all_campaigns(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    await load(store, demo, [person(1), person(2)])
    await load(store, other, [person(3), person(1)])
    claims = list(await store.claim(request(demo, now=NOW - HOUR)))
    sent = [replace(c, attempt=replace(c.attempt, dialed_at=NOW - HOUR)) for c in claims]
    await store.close([closing(c, D.ABANDONED, now=NOW) for c in sent])
    await store.claim(request(other))
    await store.add_to_blacklist(
        [forbid(2, "other"), forbid(3, expires_at=NOW + 5), forbid(0, number=phone(3)[:8] + "*", expires_at=NOW + 9)]
    )
    numbers = [phone(n) for n in (1, 2, 3, 4)]
    facts = await store.facts(numbers, "demo", NOW)
    called = NumberFacts(placed_at=(NOW - HOUR,), abandoned_at=NOW - HOUR)
    assert facts[phone(1)] == replace(called, blacklisted_until=NOW + 9, in_call=True)
    assert facts[phone(2)] == replace(called, blacklisted_until=NOW + 9)
    assert facts[phone(3)] == NumberFacts(blacklisted_until=NOW + 9, in_call=True)
    assert (await store.facts(numbers, "other", NOW))[phone(2)].blacklisted_until == FOR_EVER
    assert (await store.facts(["+10000000"], "demo", NOW)) == {"+10000000": NO_FACTS}


async def test_a_call_that_was_refused_is_none_that_was_placed(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1), person(2)])
    first, second = await store.claim(request(demo))
    refused = replace(first, attempt=replace(first.attempt, dialed_at=NOW, refusal="no such endpoint", uncounted=True))
    await store.close([closing(refused, D.FAILED), closing(second, D.FAILED)])
    facts = await store.facts([phone(1), phone(2)], "demo", NOW + 1)
    assert [facts[phone(n)].placed_at for n in (1, 2)] == [(), ()]


async def test_caps_count_the_attempts_of_all_campaigns(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    rules: DialingRules = replace(FREELY, per_day=2)
    await load(store, demo, [person(1)])
    await load(store, other, [person(1)])
    for campaign, n in ((demo, 0), (other, 1)):
        claims = list(await store.claim(request(campaign, now=NOW + n, rules=rules)))
        assert len(claims) == 1
        await busy(store, claims, NOW + n)
    assert not await store.claim(request(demo, now=NOW + 2, rules=rules))
    assert [row["why"] for row in await store.put_off(demo.id)] == [Why.DAY_CAP]


async def test_a_promised_call_is_claimed_although_its_zone_is_shut(store: Store, demo: Campaign) -> None:
    await load(store, demo, [person(1, zones="Europe/Madrid"), person(2, zones="Europe/Madrid", any_hour=True)])
    shut = request(demo)
    shut = replace(shut, is_open=lambda zones: FREELY.is_open(zones, NOW) and zones == "*")
    assert numbers_of(await store.claim(shut)) == [phone(2)]
