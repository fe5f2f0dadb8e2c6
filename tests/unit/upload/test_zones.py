"""Zones by a number's prefix: the short way against phonenumbers' own, in every country."""

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from phonenumbers.timezone import time_zones_for_number

from astdialer.domain.calendar import split_zones, zone_of
from astdialer.domain.errors import InvalidSetting
from astdialer.upload import zones
from astdialer.upload.zones import zones_of

KINDS = (
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.VOIP,
    PhoneNumberType.PERSONAL_NUMBER,
    PhoneNumberType.PAGER,
    PhoneNumberType.UAN,
    PhoneNumberType.VOICEMAIL,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("+4930123456", "Europe/Berlin"),
        ("+34912345678", "Europe/Madrid"),
        ("+34928123456", "Atlantic/Canary"),
        ("+34612345678", "Atlantic/Canary|Europe/Madrid"),  # a mobile may be anywhere in its country
        ("+12125550123", "America/New_York"),
        ("+13105550123", "America/Los_Angeles"),
        ("+74951234567", "Europe/Moscow"),
        ("+5511961234567", "America/Sao_Paulo"),  # in Brazil a mobile's prefix says where it is
        ("+919876543210", "Asia/Calcutta"),
        ("+442079460958", "Europe/London"),
    ],
)
def test_a_number_is_in_the_zones_of_its_prefix(number: str, text: str) -> None:
    assert zones_of(number) == text


def test_zones_whose_clocks_agree_are_one_and_the_best_known_is_named() -> None:
    assert zones_of("+447400123456") == "Europe/London"  # and Guernsey, Jersey, the Isle of Man


def test_a_number_that_may_be_anywhere_has_each_clock_of_its_country_once() -> None:
    names = split_zones(zones_of("+79123456789"))
    assert {"Asia/Vladivostok", "Asia/Yakutsk", "Europe/Moscow"} <= set(names)
    assert len({zones._clock(name) for name in names}) == len(names)
    assert list(names) == sorted(names)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "34612345678",
        "+0034612345678",
        "+34 612345678",
        "+346",
        "+34112",
        "+1612345678901234",
        "+80012345678",  # of no country
        "+21012345678",  # no calling code
        "+999123456789",
        "+3461234567\u0668",
        "sip:+34612345678",
    ],
)
def test_a_number_that_can_t_be_placed_has_no_zones(number: str) -> None:
    assert zones_of(number) == ""


def test_a_zone_that_this_machine_does_not_know_makes_all_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_canary(name: str) -> object:
        if name == "Atlantic/Canary":
            raise InvalidSetting("timezone", name, "")
        return zone_of(name)

    monkeypatch.setattr(zones, "zone_of", without_canary)
    for cached in (zones._text, zones._clock):
        cached.cache_clear()
    try:
        assert zones_of("+34612345678") == ""
        assert zones_of("+34912345678") == "Europe/Madrid"
    finally:
        for cached in (zones._text, zones._clock):
            cached.cache_clear()


def numbers_like_those_of(region: str, how_many: int) -> list[str]:
    """Examples of each kind with some digits changed, as E.164."""
    rng, numbers = random.Random(region), []
    for kind in KINDS:
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        for _ in range(how_many):
            digits = list(phonenumbers.national_significant_number(example))
            for _ in range(rng.randint(0, 4)):
                digits[rng.randrange(len(digits))] = rng.choice("0123456789")
            numbers.append(f"+{example.country_code}{''.join(digits[: -1 if rng.random() < 0.05 else None])}")
    return numbers


def library_zones(number: str) -> str | None:
    """What phonenumbers says; None if it takes the number for another one, which is never stored."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return ""
    if phonenumbers.format_number(parsed, PhoneNumberFormat.E164) != number:
        return None
    found = tuple(time_zones_for_number(parsed))
    return "" if found == ("Etc/Unknown",) else zones._text(found)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_country_has_the_zones_that_the_library_gives_it(region: str) -> None:
    for number in numbers_like_those_of(region, how_many=8):
        expected = library_zones(number)
        assert expected is None or zones_of(number) == expected, number


@given(st.from_regex(r"\+[0-9]{1,16}", fullmatch=True) | st.text(max_size=20))
def test_any_text_has_zones_that_exist_or_none(text: str) -> None:
    for name in split_zones(zones_of(text)):
        assert zone_of(name)


def test_a_second_number_of_a_kind_asks_the_library_nothing() -> None:
    """Millions of numbers are placed in seconds because all that takes long is done once for a kind and a length."""
    numbers = [number for region in ("ES", "US", "GB", "RU", "AR") for number in numbers_like_those_of(region, 100)]
    caches = (zones._pattern, zones._regions, zones._telling, zones._text, zones._clock)
    for number in numbers:
        zones_of(number)
    known = [cache.cache_info().misses for cache in caches]
    for number in numbers:
        zones_of(number)
    assert [cache.cache_info().misses for cache in caches] == known
