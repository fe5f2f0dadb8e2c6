"""Telephone numbers: as a base writes them → E.164.

phonenumbers decides what a number is. It takes about 50 µs for one, so numbers that are plainly valid take a short cut
through its own metadata, some twenty times faster; whatever the short cut is not sure of goes to the library.
tests/unit/upload/test_numbers.py holds the two against each other for every country.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumberFormat,
    ValidationResult,
    phonenumberutil,
)

from astdialer.domain.contact import NewNumber
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.selection import SHORTEST_PREFIX
from astdialer.upload.errors import RowError

#: The kinds of number that make one valid, as phonenumbers' own is_valid_number has them.
_KINDS = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "fixed_line",
    "mobile",
)
_PREFIX = re.compile(r"\+?[0-9]{1,15}")
_DIGITS = re.compile(r"\+?[0-9]{3,20}")
_FLOAT = re.compile(r"(\+?[0-9]{6,20})\.0")  # what pandas makes of a column of numbers with gaps
_SCIENTIFIC = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")  # what a spreadsheet makes of long numbers
_SEPARATORS = str.maketrans("", "", " \t-.()/\u2010\u2011\u2012\u2013\u2014\u2212\u200b\u200e\u200f\u202a\u202c\ufeff")


@dataclass(frozen=True, slots=True)
class _Region:
    """When a national number belongs to a region (leading digits), and which ones are valid there, by length."""

    leading: re.Pattern[str] | None
    valid: dict[int, re.Pattern[str]]

    def accepts(self, national: str) -> bool:
        pattern = self.valid.get(len(national))
        return pattern is not None and pattern.fullmatch(national) is not None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbers of one calling code, parsed by the rules of one of its regions."""

    calling_code: str
    national_prefix: re.Pattern[str] | None
    abroad: re.Pattern[str] | None
    lengths: frozenset[int]
    regions: tuple[_Region, ...]

    def e164(self, digits: str) -> str | None:
        """A number without calling code as E.164 if it is plainly valid; None when the library must decide."""
        match = self.national_prefix.match(digits) if self.national_prefix else None
        if match and (match.lastindex or match.end() == 0):
            return None  # rewritten by a rule of the country
        national = digits[match.end() :] if match else digits
        if match and len(national) not in self.lengths:
            return None  # the library would keep the prefix
        return f"+{self.calling_code}{national}" if self._accepts(national) else None

    def _accepts(self, national: str) -> bool:
        for region in self.regions:
            if region.leading is None:
                if region.accepts(national):
                    return True
            elif region.leading.match(national):
                return region.accepts(national)
        return False


class NumberReader:
    """Reads numbers with one default country and one strictness; raises RowError with reason ``number``."""

    def __init__(self, country: str, check: str) -> None:
        """``country`` is ISO 3166 or empty; ``check`` is valid, possible or none. Raises InvalidSetting."""
        self._country = country.upper() or None
        if self._country and self._country not in phonenumbers.SUPPORTED_REGIONS:
            raise InvalidSetting("default_country", country, "a country by its two letters (ISO 3166), such as ES")
        self._check = check
        self._home = _plan(self._country) if self._country else None

    def read(self, text: str, kind: str) -> NewNumber:
        """A number as the base has it. Raises RowError."""
        number, digits = self.parse(text)
        return NewNumber(number=number, as_uploaded=digits, type=kind)

    def parse(self, text: str) -> tuple[str, str]:
        """A number as E.164, and its digits as uploaded. Raises RowError."""
        digits = text if _DIGITS.fullmatch(text) else _clean(text)
        return self._e164(digits), digits

    def _e164(self, digits: str) -> str:
        if self._check == "none":
            return "+" + digits[2:] if digits.startswith("00") else digits
        return self._short_cut(digits) or self._by_library(digits)

    def _short_cut(self, digits: str) -> str | None:
        if digits[0] == "+":
            return _international(digits[1:])
        home = self._home
        if home is None or digits.startswith(home.calling_code) or (home.abroad and home.abroad.match(digits)):
            return None
        return home.e164(digits)

    def _by_library(self, digits: str) -> str:
        if self._country is None and digits[0] != "+":
            raise RowError(
                "number",
                f"number {digits!r} has no country code and there is no default country: "
                "set [engine] default_country, give --country, or write +34...",
            )
        try:
            number = phonenumbers.parse(digits, self._country)
        except NumberParseException as error:
            raise self._bad(digits, _PARSE_ERRORS.get(error.error_type, "is not a telephone number")) from None
        # IS_POSSIBLE_LOCAL_ONLY, a number without its area code, can't be dialed from everywhere
        if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
            raise self._bad(digits, "is too short or too long")
        if self._check == "valid" and not phonenumbers.is_valid_number(number):
            raise self._bad(digits, "is in no range that is in use (number_check = valid)")
        return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))

    def _bad(self, digits: str, complaint: str) -> RowError:
        return RowError("number", f"number {digits!r} {complaint}; expected one such as {_example(self._country)}")


def read_prefix(text: str, country: str, check: str) -> str:
    """How numbers begin, such as ``+4477``, ``0044 77`` or ``077`` in Britain, as the numbers of the store do.

    ``country`` and ``check`` are as NumberReader has them. Raises RowError.
    """
    digits = re.sub(r"[\s.()/-]", "", text)
    if not _PREFIX.fullmatch(digits):
        raise RowError("number", f"{text[:40] + '*'!r}: expected how numbers begin and a *, such as +4477*")
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if not digits.startswith("+") and check != "none":
        digits = _with_country(digits, country.upper())
    if len(digits) < SHORTEST_PREFIX:
        raise RowError("number", f"{text + '*'!r}: expected the country code and more, two digits at least")
    return digits


def _with_country(digits: str, country: str) -> str:
    if not country:
        raise RowError(
            "number",
            f"{digits + '*'!r} has no country code and there is no default country: "
            "set [engine] default_country, or write it as +4477*",
        )
    trunk_prefix = phonenumberutil.ndd_prefix_for_region(country, True) or ""
    return f"+{phonenumberutil.country_code_for_region(country)}{digits.removeprefix(trunk_prefix)}"


_PARSE_ERRORS = {
    NumberParseException.INVALID_COUNTRY_CODE: "has a country code that does not exist",
    NumberParseException.TOO_SHORT_AFTER_IDD: "is too short",
    NumberParseException.TOO_SHORT_NSN: "is too short",
    NumberParseException.TOO_LONG: "is too long",
}


def _clean(text: str) -> str:
    """The digits of a number written with spaces, dashes and the like, with a + in front if it has one."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if whole := _FLOAT.fullmatch(plain):
        return whole[1]
    digits = plain.translate(_SEPARATORS)
    if _DIGITS.fullmatch(digits):
        return digits
    if not plain:
        raise RowError("number", "the number is empty")
    if _SCIENTIFIC.fullmatch(plain):
        raise RowError(
            "number", f"number {plain!r} was rounded by a spreadsheet: format its column as text and export again"
        )
    raise RowError("number", f"number {plain[:40]!r}: expected 3 to 20 digits, with + before a country code")


@lru_cache(maxsize=300)
def _example(country: str | None) -> str:
    number = phonenumbers.example_number_for_type(country or "ES", phonenumbers.PhoneNumberType.MOBILE)
    if number is None:
        return "+34612345678"
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    international = str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    return f"{national} or {international}" if country else international


def _international(digits: str) -> str | None:
    """A number that begins with its calling code, as _Plan.e164 does it."""
    for length in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions:
            return None if regions[0] == "001" else _plan(regions[0]).e164(digits[length:])
    return None


@lru_cache(maxsize=300)
def _plan(region: str) -> _Plan:
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    return _Plan(
        calling_code=str(metadata.country_code),
        national_prefix=_compiled(metadata.national_prefix_for_parsing),
        abroad=_compiled(metadata.international_prefix),
        lengths=frozenset(metadata.general_desc.possible_length),
        regions=tuple(map(_region, COUNTRY_CODE_TO_REGION_CODE[metadata.country_code])),
    )


@lru_cache(maxsize=300)
def _region(name: str) -> _Region:
    metadata: Any = PhoneMetadata.metadata_for_region(name)
    kinds = [kind for kind in (getattr(metadata, name) for name in _KINDS) if kind and kind.national_number_pattern]
    lengths = metadata.general_desc.possible_length
    return _Region(
        leading=_compiled(metadata.leading_digits),
        valid={length: _valid(metadata.general_desc, kinds, length) for length in lengths if length > 0},
    )


def _valid(general: Any, kinds: list[Any], length: int) -> re.Pattern[str]:
    patterns = [
        kind.national_number_pattern for kind in kinds if not kind.possible_length or length in kind.possible_length
    ]
    return re.compile(rf"(?=(?:{general.national_number_pattern})\Z)(?:{'|'.join(patterns) or '(?!)'})")


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    return re.compile(pattern) if pattern else None
