"""Store contract: the blacklist, its prefixes and its ends."""

from dataclasses import replace

import pytest
from stores import DAY, HOUR, NOW, begin, forbid, load, new_number, numbers_of, person, phone, request

from astdialer.domain.campaign import Campaign
from astdialer.domain.result import terminate
from astdialer.domain.settings import Settings
from astdialer.ports import BlacklistEntry, Store

pytest_plugins = ("store_fixtures",)


def prefix(digits: str, campaign: str = "*", expires_at: int | None = None) -> BlacklistEntry:
    return forbid(0, campaign, number=f"{digits}*", expires_at=expires_at)


async def test_the_blacklist_keeps_each_entry_once(store: Store) -> None:
    assert await store.add_to_blacklist([forbid(1), forbid(2), forbid(1, "demo")]) == (3, 0)
    assert await store.add_to_blacklist([forbid(1), forbid(3)]) == (1, 1)
    assert list(await store.blacklist(None, 100)) == [forbid(1), forbid(1, "demo"), forbid(2), forbid(3)]
    assert list(await store.blacklist("demo", 100)) == [forbid(1, "demo")]
    assert len(await store.blacklist("*", 2)) == 2


@pytest.mark.parametrize("end", [None, NOW + DAY])
async def test_an_entry_that_is_added_again_for_longer_gets_the_new_reason_and_end(
    store: Store, end: int | None
) -> None:
    await store.add_to_blacklist([forbid(1, expires_at=NOW + 1)])
    again = forbid(1, reason="court order", expires_at=end, added_by="bob", added_at=NOW + 5)
    assert await store.add_to_blacklist([again]) == (0, 0)
    assert list(await store.blacklist(None, 10)) == [again]


@pytest.mark.parametrize(
    ("end", "sooner"), [(None, NOW + DAY), (None, None), (NOW + DAY, NOW + HOUR), (NOW + DAY, NOW + DAY)]
)
async def test_an_entry_is_never_shortened_by_adding_it_again(
    store: Store, end: int | None, sooner: int | None
) -> None:
    first = forbid(1, reason="court order", expires_at=end)
    await store.add_to_blacklist([first])
    again = forbid(1, reason="on holiday", expires_at=sooner, added_by="bob", added_at=NOW + 5)
    assert await store.add_to_blacklist([again]) == (0, 1)
    assert list(await store.blacklist(None, 10)) == [first]


async def test_an_entry_that_comes_twice_in_one_go_is_new_once_and_the_longest_one_counts(store: Store) -> None:
    thrice = [forbid(1, expires_at=NOW + DAY), forbid(1, reason="longest"), forbid(1, expires_at=NOW + 2 * DAY)]
    assert await store.add_to_blacklist([*thrice, forbid(2)]) == (2, 1)
    assert [(entry.reason, entry.expires_at) for entry in await store.blacklist(None, 10)] == [
        ("longest", None),
        ("asked", None),
    ]


async def test_more_entries_are_added_than_fit_into_one_transaction(store: Store) -> None:
    await store.add_to_blacklist([forbid(n) for n in range(0, 12_000, 2)])
    assert await store.add_to_blacklist([forbid(n) for n in range(12_000)]) == (6000, 6000)
    assert len(await store.blacklist(None, 100_000)) == 12_000
    assert await store.add_to_blacklist([]) == (0, 0)


async def test_a_removed_entry_binds_no_more(store: Store) -> None:
    await store.add_to_blacklist([forbid(1)])
    assert await store.remove_from_blacklist(phone(1), "*")
    assert not await store.remove_from_blacklist(phone(1), "*")
    assert not await store.is_blacklisted(phone(1), "demo", NOW)


async def test_an_entry_binds_until_its_end_and_is_listed_ever_after(store: Store) -> None:
    await store.add_to_blacklist([forbid(1, expires_at=NOW + HOUR)])
    assert await store.is_blacklisted(phone(1), "demo", NOW + HOUR - 1)
    assert not await store.is_blacklisted(phone(1), "demo", NOW + HOUR)
    assert [entry.expires_at for entry in await store.blacklist(None, 10)] == [NOW + HOUR]


async def test_a_prefix_binds_every_number_that_begins_so(store: Store) -> None:
    await store.add_to_blacklist([prefix("+4477"), prefix("+33", "demo")])
    assert await store.is_blacklisted("+447700900123", "demo", NOW)
    assert await store.is_blacklisted("+4477", "demo", NOW)
    assert not await store.is_blacklisted("+44700900123", "demo", NOW)
    assert await store.is_blacklisted("+33123456789", "demo", NOW)
    assert not await store.is_blacklisted("+33123456789", "other", NOW)


@pytest.mark.parametrize("entry", [forbid(1), prefix("+3460000000")], ids=["number", "prefix"])
async def test_a_claim_ends_contacts_that_are_blacklisted_for_good(
    store: Store, demo: Campaign, entry: BlacklistEntry
) -> None:
    await load(store, demo, [person(1), person(1000)])
    await store.add_to_blacklist([entry])
    assert numbers_of(await store.claim(request(demo))) == [phone(1000)]
    (ending,) = await store.endings(0, demo.id, 10)
    assert (ending.number, ending.end_reason, ending.end_cause) == (phone(1), "blacklisted", "NO_COMMUNICATIONS")


@pytest.mark.parametrize("entry", [forbid(1), prefix("+3460000000")], ids=["number", "prefix"])
async def test_a_claim_puts_off_contacts_until_their_entry_ends(
    store: Store, demo: Campaign, entry: BlacklistEntry
) -> None:
    await load(store, demo, [person(1)])
    await store.add_to_blacklist([replace(entry, expires_at=NOW + HOUR)])
    assert not await store.claim(request(demo))
    assert [(row["why"], row["n"], row["first_at"]) for row in await store.put_off(demo.id)] == [
        ("the blacklist", 1, NOW + HOUR)
    ]
    assert numbers_of(await store.claim(request(demo, now=NOW + HOUR))) == [phone(1)]


async def barred(store: Store, campaign: Campaign) -> list[tuple[int, int]]:
    """When those come up who are blacklisted altogether, and how many they are."""
    return [(row["at"], row["n"]) for row in await store.barred_contacts(campaign.id, NOW)]


async def test_contacts_that_are_blacklisted_altogether_are_counted_once(store: Store, demo: Campaign) -> None:
    other = await store.create_campaign("other", Settings(), NOW)
    numbers = (new_number(6), new_number(0, number="+447700900123"))
    await load(store, demo, [person(1, 2), person(3), person(4), person(5), person(6, numbers=numbers), person(7)])
    await load(store, other, [person(1)])
    await store.add_contacts(await begin(store, demo, "unpublished"), [person(1)], NOW)
    await store.change_contact((await store.contacts_with(phone(7), demo.id))[0].id, terminate, NOW)
    assert await barred(store, demo) == []
    await store.add_to_blacklist(
        [
            *(forbid(n) for n in (1, 2, 7, 99)),
            forbid(1, "demo"),
            forbid(3, "other"),
            forbid(4, expires_at=NOW + 1),
            forbid(5, expires_at=NOW),
            prefix("+4477"),
            prefix("+447"),
            prefix("+3"),  # too short to bind anybody
            prefix("+346", "other"),
            prefix("+3460", expires_at=NOW),
        ]
    )
    assert await barred(store, demo) == [(0, 2)]
    assert await barred(store, other) == [(0, 1)]
    await store.add_to_blacklist([prefix("+346")])
    assert await barred(store, demo) == [(0, 5)]


async def test_a_contact_with_another_number_is_not_blacklisted_until_that_is_closed(
    store: Store, demo: Campaign
) -> None:
    await load(store, demo, [person(1, 2)])
    await store.add_to_blacklist([forbid(1)])
    assert await barred(store, demo) == []
    await store.withdraw([forbid(2)], NOW)
    assert await barred(store, demo) == [(0, 1)]


async def test_who_waits_and_who_is_blacklisted_meanwhile_come_up_at_the_same_time(
    store: Store, demo: Campaign
) -> None:
    """So that the ones can be taken off the others."""
    times = [HOUR, HOUR + 1, DAY, 3 * DAY, 30 * DAY]
    await load(store, demo, [person(n, not_before=NOW + at) for n, at in enumerate(times)])
    await store.add_to_blacklist([prefix("+346")])
    coming = await store.coming_up(demo.id, NOW)
    assert sorted(map(str, coming)) == sorted(map(str, await store.barred_contacts(demo.id, NOW)))
    counted = sorted((row["at"], row["n"]) for row in coming)
    assert [n for _, n in counted] == [2, 1, 2]
    for (at, _), exact in zip(counted, (HOUR, DAY, 26 * HOUR), strict=True):
        assert 0 <= NOW + exact - at < 15 * 60_000
    assert [(row["at"], row["n"]) for row in await store.coming_up(demo.id, NOW + 30 * DAY)] == [(0, 5)]
