"""Retry decisions: bounded tries, and no contact without a next time or an end."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astdialer.domain.contact import Contact, Number, NumberType
from astdialer.domain.disposition import NOT_COUNTED, PERSON_REACHED, Disposition
from astdialer.domain.retry import DEFAULTS, Retry, after_attempt, without_number

D = Disposition
NOW = 1_000_000

rules = st.fixed_dictionaries(
    {d: st.builds(Retry, tries=st.integers(1, 4), delay_s=st.integers(0, 7200)) for d in Disposition}
)
results = st.lists(st.tuples(st.sampled_from(Disposition), st.booleans()), min_size=1, max_size=30)


def contact(numbers: int) -> Contact:
    made = (
        Number(id=n, number=f"+3460000000{n}", as_uploaded=f"60000000{n}", type=NumberType.MOBILE, position=n)
        for n in range(numbers)
    )
    return Contact(id=1, campaign_id=1, base_id=1, numbers=tuple(made))


def due(one: Contact, now: int) -> Number | None:
    return next((n for n in one.numbers if n.next_at is not None and n.next_at <= now), None)


@given(st.integers(1, 4), results, rules)
def test_every_step_of_a_contacts_life_is_sound(
    numbers: int, results: list[tuple[Disposition, bool]], rules: Mapping[Disposition, Retry]
) -> None:
    one, now = contact(numbers), NOW
    for disposition, counted in results:
        if one.next_at is None:
            break
        now = max(now, one.next_at)
        number = due(one, now)
        assert number is not None, "a contact that is due has a number that is due"
        one = after_attempt(one, number.id, disposition, rules, now, counted=counted)
        check(one, rules)
        check_dialed(one, number, disposition, rules, now, counted=counted)


def check(one: Contact, rules: Mapping[Disposition, Retry]) -> None:
    assert (one.next_at is None) == bool(one.end_reason)
    open_times = [n.next_at for n in one.numbers if n.next_at is not None]
    assert one.next_at == min(open_times, default=None)
    for number in one.numbers:
        assert (number.next_at is None) == bool(number.end_reason)
        assert all(count <= rules[Disposition(d)].tries for d, count in number.tally.items())


def check_dialed(
    one: Contact,
    before: Number,
    disposition: Disposition,
    rules: Mapping[Disposition, Retry],
    now: int,
    *,
    counted: bool,
) -> None:
    dialed = next(n for n in one.numbers if n.id == before.id)
    later = now + rules[disposition].delay_s * 1000
    counted = counted and disposition not in NOT_COUNTED
    assert sum(dialed.tally.values()) == sum(before.tally.values()) + counted
    assert dialed.next_at in (None, later)
    assert counted or dialed.next_at == later
    if disposition in PERSON_REACHED:
        others = [n.next_at for n in one.numbers if n.id != before.id]
        rested = later if dialed.next_at is not None else None
        assert all(at is None or (rested is not None and at >= rested) for at in others)


@given(st.integers(1, 3), rules, st.data())
def test_a_contact_comes_to_an_end(numbers: int, rules: Mapping[Disposition, Retry], data: st.DataObject) -> None:
    one, now, tries = contact(numbers), NOW, 0
    counting = [d for d in Disposition if d not in NOT_COUNTED]
    while one.next_at is not None:
        now = max(now, one.next_at)
        number = due(one, now)
        assert number is not None
        one = after_attempt(one, number.id, data.draw(st.sampled_from(counting)), rules, now)
        tries += 1
    assert tries <= numbers * sum(rules[d].tries for d in counting)


@pytest.mark.parametrize("disposition", sorted(PERSON_REACHED))
def test_a_person_reached_is_not_sought_at_the_other_numbers(disposition: Disposition) -> None:
    one = after_attempt(contact(3), 0, disposition, DEFAULTS, NOW)
    assert one.next_at is None
    assert one.end_reason == disposition
    assert all(n.end_reason == disposition for n in one.numbers)


def test_the_other_numbers_rest_until_the_person_may_be_tried_again() -> None:
    rules = {**DEFAULTS, D.SHORT: Retry(tries=3, delay_s=600)}
    one = after_attempt(contact(2), 0, D.BUSY, rules, NOW)
    one = after_attempt(one, 1, D.SHORT, rules, NOW)
    assert [n.next_at for n in one.numbers] == [NOW + 600_000] * 2


def test_a_number_closed_before_keeps_its_own_reason_when_a_person_is_reached() -> None:
    again = {**DEFAULTS, D.SHORT: Retry(tries=2, delay_s=60)}
    one = after_attempt(contact(3), 0, D.INVALID_NUMBER, again, NOW)
    one = after_attempt(one, 1, D.SHORT, again, NOW)
    assert one.numbers[0].end_reason == D.INVALID_NUMBER
    one = after_attempt(one, 1, D.ANSWERED, again, NOW)
    assert [n.end_reason for n in one.numbers] == [D.INVALID_NUMBER, D.ANSWERED, D.ANSWERED]


def test_the_next_number_is_tried_at_once_when_one_does_not_exist() -> None:
    one = after_attempt(contact(2), 0, D.INVALID_NUMBER, DEFAULTS, NOW)
    assert (one.next_at, one.end_reason) == (0, "")


@pytest.mark.parametrize("disposition", [D.CANCELED, D.FAILED])
def test_our_own_fault_costs_no_try(disposition: Disposition) -> None:
    one = after_attempt(contact(1), 0, disposition, DEFAULTS, NOW, counted=False)
    assert one.numbers[0].tally == {}
    assert one.next_at == NOW + DEFAULTS[disposition].delay_s * 1000


def test_a_blacklisted_number_ends_its_contact_only_as_the_last_one() -> None:
    one = without_number(contact(2), 0, "blacklisted")
    assert (one.next_at, one.numbers[0].end_reason) == (0, "blacklisted")
    one = without_number(one, 1, "blacklisted")
    assert (one.next_at, one.end_reason) == (None, "blacklisted")


def test_a_number_of_somebody_else_is_an_error() -> None:
    with pytest.raises(KeyError):
        after_attempt(contact(1), 99, D.BUSY, DEFAULTS, NOW)


def test_every_disposition_has_a_rule() -> None:
    assert set(DEFAULTS) == set(Disposition)
