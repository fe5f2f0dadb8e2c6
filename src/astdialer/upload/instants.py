"""Zones and points in time, as a base writes them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from astdialer.domain.base_fields import short
from astdialer.domain.calendar import zone_of
from astdialer.domain.errors import InvalidSetting
from astdialer.upload.errors import RowError

_OFFSET = re.compile(r"[+-]?\d{1,5}", re.ASCII)
_QUARTER_S = 900  #: every zone's offset is a multiple of it; one in minutes or hours, taken for seconds, is not
_MOST_S = 14 * 3600
_EPOCH_MS = re.compile(r"\d{12,13}", re.ASCII)  # seconds have ten digits: they would be read as 1970
_YEARS, _1970 = (1970, 3000), datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?) ?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_ZONES = "an IANA name such as America/Lima, UTC-05:00, or an offset in seconds such as -18000"
_INSTANTS = (
    "YYYY-MM-DD, YYYY-MM-DD HH:MM[:SS] in the contact's zone, the same with an offset such as +01:00, "
    "or milliseconds since 1970 UTC"
)


@lru_cache(maxsize=1024)
def zone_name(text: str) -> str:
    """A zone as calendar.zone_of takes it: ``25200`` is ``UTC+07:00``. Raises RowError."""
    if _OFFSET.fullmatch(text):
        return _fixed(int(text), text)
    try:
        zone_of(text)
    except InvalidSetting:
        raise RowError("timezone", f"timezone {short(text)}: expected {_ZONES}") from None
    return text


def _fixed(seconds: int, text: str) -> str:
    if seconds % _QUARTER_S or abs(seconds) > _MOST_S:
        raise RowError("timezone", f"timezone {short(text)}: expected {_ZONES}, a multiple of {_QUARTER_S}")
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"UTC{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}" if seconds else "UTC"


@lru_cache(maxsize=4096)
def instant(column: str, text: str, zone: str, *, day_ends: bool = False) -> int:
    """Milliseconds since 1970 UTC of a point in time; ``zone`` is that of local times.

    A date alone is its beginning, or, if ``day_ends``, its end. Raises RowError with the column as reason.
    """
    try:
        return _instant(text, zone, day_ends=day_ends)
    except ValueError:
        raise RowError(column, f"{column} {short(text)}: expected {_INSTANTS}") from None


def _instant(text: str, zone: str, *, day_ends: bool) -> int:
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    if _DATE.fullmatch(text):
        return _ms(datetime.fromisoformat(text), zone, timedelta(days=1 if day_ends else 0))
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(text)
    return _ms(datetime.fromisoformat(f"{match[1]} {match[2]}{match[3] or ''}"), zone)


def _ms(at: datetime, zone: str, more: timedelta = timedelta()) -> int:
    if not _YEARS[0] <= at.year < _YEARS[1]:  # 9999-12-31 is many a system's never
        at, more = datetime(max(_YEARS[0], min(at.year, _YEARS[1])), 1, 1, tzinfo=UTC), timedelta()
    aware = at + more if at.tzinfo else (at + more).replace(tzinfo=zone_of(zone))
    return max(0, (aware - _1970) // timedelta(milliseconds=1))
