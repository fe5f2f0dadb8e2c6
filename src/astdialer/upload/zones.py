"""Telephone numbers → the zones in which their owners may be, by phonenumbers' prefixes.

The library takes 30 to 100 µs a number, most of it to find the number's type, which decides whether its prefix says
where it is or only its country. Here one compiled pattern per region and length finds the type, in some 3 µs.
tests/unit/upload/test_zones.py holds the two against each other for every country.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberType
from phonenumbers.phonenumberutil import is_number_type_geographical
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from astdialer.domain.calendar import join_zones, zone_of
from astdialer.domain.errors import InvalidSetting

#: Kinds of number that are nowhere in their country, and are looked for before the others.
_ANYWHERE = ("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail")
_E164 = re.compile(r"\+[1-9]\d{4,14}", re.ASCII)
_NEVER = re.compile(r"(?!)")
#: Zones count as the same if their clocks agree in these years, looked at in steps of six hours.
_PROBED_FROM, _PROBED_UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
_STEP = timedelta(hours=6)


def zones_of(e164: str) -> str:
    """The zones text of a number: several if it may be in any of them, "" if unknown or if it is no valid number."""
    if not _E164.fullmatch(e164):
        return ""
    digits = e164[1:]
    code = next((digits[:n] for n in (1, 2, 3) if int(digits[:n]) in COUNTRY_CODE_TO_REGION_CODE), "")
    kind = _kind(code, digits[len(code) :]) if code else ""
    if not kind:
        return ""
    return _of_prefix(digits) if kind in _telling(code) else _text(TIMEZONE_DATA.get(code, ()))


def _of_prefix(digits: str) -> str:
    prefixes = (digits[:length] for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1))
    return _text(next((TIMEZONE_DATA[prefix] for prefix in prefixes if prefix in TIMEZONE_DATA), ()))


def _kind(code: str, national: str) -> str:
    """``fixed``, ``mobile`` or ``anywhere``; "" if the number is not valid in the regions of its calling code."""
    for region, leading in _regions(int(code)):
        if leading is None or leading.match(national):
            match = _pattern(region, len(national)).fullmatch(national)
            if match or leading:  # a number with a region's own leading digits is of no other
                return str(match.lastgroup) if match else ""
    return ""


@lru_cache(maxsize=300)
def _telling(code: str) -> frozenset[str]:
    """Kinds of number whose prefix says where they are: mobile ones in a few countries only."""
    is_mobile_telling = is_number_type_geographical(PhoneNumberType.MOBILE, int(code))
    return frozenset({"fixed", "mobile"} if is_mobile_telling else {"fixed"})


@lru_cache(maxsize=300)
def _regions(code: int) -> tuple[tuple[str, re.Pattern[str] | None], ...]:
    """The regions of a calling code, each with the leading digits that make a number its own."""
    found = ((name, PhoneMetadata.metadata_for_region(name)) for name in COUNTRY_CODE_TO_REGION_CODE[code])
    leading = [(name, metadata.leading_digits) for name, metadata in found if metadata]  # no region: +800 and the like
    return tuple((name, re.compile(digits) if digits else None) for name, digits in leading)


@lru_cache(maxsize=3000)
def _pattern(region: str, length: int) -> re.Pattern[str]:
    """Matches the valid national numbers of a length; its last group is named after their kind."""
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    if length not in metadata.general_desc.possible_length:
        return _NEVER
    # where both have the same pattern, it is a line of either kind, and the library calls none of them mobile
    mobile = [] if metadata.same_mobile_and_fixed_line_pattern else [metadata.mobile]
    anywhere = _either([getattr(metadata, kind) for kind in _ANYWHERE], length)
    fixed, mobiles = _either([metadata.fixed_line], length), _either(mobile, length)
    general = metadata.general_desc.national_number_pattern
    kinds = rf"(?P<anywhere>(?:{anywhere})\Z)|(?P<fixed>(?:{fixed})\Z)|(?P<mobile>(?:{mobiles})\Z)"
    return re.compile(rf"(?=(?:{general})\Z)(?:{kinds})", re.ASCII)


def _either(kinds: Iterable[Any], length: int) -> str:
    usable = [kind for kind in kinds if kind and kind.national_number_pattern]
    patterns = (k.national_number_pattern for k in usable if not k.possible_length or length in k.possible_length)
    return "|".join(patterns) or "(?!)"


@lru_cache(maxsize=1000)
def _text(zones: tuple[str, ...]) -> str:
    """The zones without those whose clocks another one shows.

    One that this machine does not know makes all unknown: without it a number might be dialed at night.
    """
    shown: dict[tuple[tuple[int, timedelta | None], ...], str] = {}
    try:
        for zone in sorted(zones, key=lambda name: (-_prominence()[name], name)):
            shown.setdefault(_clock(zone), zone)
    except InvalidSetting:
        return ""
    return join_zones(shown.values())


@lru_cache(maxsize=1)
def _prominence() -> Counter[str]:
    """How many prefixes lead to a zone: Europe/London is shown rather than Europe/Guernsey."""
    return Counter(zone for zones in TIMEZONE_DATA.values() for zone in zones)


@lru_cache(maxsize=1000)
def _clock(zone: str) -> tuple[tuple[int, timedelta | None], ...]:
    """A zone's offsets from UTC in the probed years: each change, by its step."""
    zone_info, changes = zone_of(zone), list[tuple[int, timedelta | None]]()
    for step in range((_PROBED_UNTIL - _PROBED_FROM) // _STEP):
        offset = (_PROBED_FROM + step * _STEP).astimezone(zone_info).utcoffset()
        if not changes or changes[-1][1] != offset:
            changes.append((step, offset))
    return tuple(changes)
