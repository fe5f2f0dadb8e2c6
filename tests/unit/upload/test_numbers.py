"""Numbers, and the short cut against the library that it stands for."""

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from astdialer.domain.contact import NumberType
from astdialer.domain.errors import InvalidSetting
from astdialer.upload.errors import RowError
from astdialer.upload.numbers import NumberReader

_KINDS = (
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
)


def read(text: str, country: str = "GB", check: str = "valid") -> str:
    return NumberReader(country, check).read(text, NumberType.MOBILE).number


@pytest.mark.parametrize(
    "text",
    [
        "07400 123456",
        "+447400123456",
        "00447400123456",
        "(07400) 123-456",
        "+44 (0)7400 123456",
        "07400\u00a0123\u2011456",
        "\u202a+447400123456\u202c",
        "０７４００１２３４５６",
        "07400123456.0",
        "447400123456",
    ],
)
def test_any_usual_way_to_write_a_number_gives_e164(text: str) -> None:
    assert read(text) == "+447400123456"


def test_digits_as_uploaded_and_type_are_kept() -> None:
    number = NumberReader("GB", "valid").read(" 07400 123456", NumberType.WORK)
    assert (number.as_uploaded, number.type) == ("07400123456", NumberType.WORK)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("nobody", "expected 3 to 20 digits"),
        ("07400 123456 ext 3", "expected 3 to 20 digits"),
        ("4.47E+11", "format its column as text"),
        ("4,474E+11", "format its column as text"),
        ("07400 12345678", "too short or too long; expected one such as 07400 123456 or +447400123456"),
        ("+999123456", "country code that does not exist"),
        ("07700900001", "no range that is in use"),
    ],
)
def test_a_bad_number_says_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(RowError, match=says.replace("+", r"\+")) as caught:
        read(text)
    assert caught.value.reason == "number"


def test_a_national_number_needs_a_country() -> None:
    with pytest.raises(RowError, match="set \\[engine\\] default_country"):
        read("612345678", country="")
    assert read("+34612345678", country="") == "+34612345678"


def test_numbers_that_are_only_possible_pass_when_told_so() -> None:
    assert read("07700 900012", check="possible") == "+447700900012"


@pytest.mark.parametrize(
    ("text", "kept"), [("612 345", "612345"), ("+34612", "+34612"), ("0034612345678", "+34612345678"), ("100", "100")]
)
def test_without_a_check_digits_are_kept(text: str, kept: str) -> None:
    assert read(text, country="", check="none") == kept


def test_a_number_without_its_area_code_is_refused() -> None:
    with pytest.raises(RowError, match="too short"):
        read("555 1234", country="US", check="possible")


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="two letters"):
        NumberReader("Spain", "valid")


@given(st.text(max_size=40), st.sampled_from(["valid", "possible", "none"]), st.sampled_from(["", "ES", "US", "RU"]))
def test_any_text_gives_a_number_or_a_row_error(text: str, check: str, country: str) -> None:
    try:
        number = read(text, country, check)
    except RowError:
        return
    assert number.removeprefix("+").isascii()
    assert number.removeprefix("+").isdigit()


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_short_cut_agrees_with_the_library(region: str) -> None:
    reader = NumberReader(region, "valid")
    for text in _numbers_of(region, random.Random(region)):
        found = reader._short_cut(text)
        assert found in (None, _by_library(text, region)), text


def test_short_cut_takes_nearly_every_valid_number() -> None:
    reader = NumberReader("ES", "valid")
    assert all(reader._short_cut(f"6{n:08d}") == f"+346{n:08d}" for n in range(0, 10**8, 10**6 + 7))


def _numbers_of(region: str, rng: random.Random) -> list[str]:
    """Numbers around real ones, written with every prefix that there is."""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    code, prefix = str(metadata.country_code), metadata.national_prefix or "0"
    texts = []
    for _ in range(40):
        example = phonenumbers.example_number_for_type(region, rng.choice(_KINDS)) or phonenumbers.example_number(
            region
        )
        assert example is not None
        digits = list(phonenumbers.national_significant_number(example))
        for _ in range(rng.choice([0, 1, 2, 6])):
            digits[rng.randrange(len(digits))] = rng.choice("0123456789")
        national = "".join(digits)[: rng.choice([99, 99, 99, len(digits) - 1])] + rng.choice(["", "", "", "5"])
        texts += [front + national for front in ("", prefix, "0", code, "+" + code, "+" + code + prefix, "00" + code)]
    return [text for text in texts if 3 <= len(text) <= 20]


def _by_library(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if valid else None
