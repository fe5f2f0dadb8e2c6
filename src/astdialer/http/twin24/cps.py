"""Twin24's ``cps``: how fast a task dials, as one number. Pure.

N calls a second are ``1 + N/100`` (three a second: 1.03), one call in N seconds is ``1 - N/100`` (one in 60 s: 0.4).
``1``, which is seen on the wire, is one call a second. Two decimals count.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from astdialer.domain.errors import InvalidSetting
from astdialer.domain.settings import FASTEST

#: Calls a second, or seconds of a call, that are one hundredth each.
_HUNDRED = 100
#: One call in so many seconds at least: the number is above 0.
_SLOWEST_S = 99


def setting_of(cps: object) -> str:
    """The campaign's calls_per_second: ``3``, or ``1/60``. Raises InvalidSetting."""
    faster = _hundredths(cps) - _HUNDRED
    if -_SLOWEST_S <= faster < 0:
        return f"1/{-faster}"
    if 0 <= faster <= FASTEST:
        return str(faster or 1)
    raise _invalid(cps)


def cps_of(calls_per_second: float) -> float | None:
    """The number that says it, or comes nearest; None where there is no pace, or none so slow."""
    if calls_per_second >= 1:
        return (_HUNDRED + round(calls_per_second)) / _HUNDRED
    if calls_per_second < 1 / (_SLOWEST_S + 0.5):
        return None
    return (_HUNDRED - min(_SLOWEST_S, round(1 / calls_per_second))) / _HUNDRED


def _hundredths(cps: object) -> int:
    if isinstance(cps, bool) or not isinstance(cps, int | float | str) or len(str(cps)) > 40:
        raise _invalid(cps)
    try:
        return int((Decimal(str(cps).strip()) * _HUNDRED).to_integral_value(ROUND_HALF_UP))
    except (InvalidOperation, ValueError, OverflowError):
        raise _invalid(cps) from None


def _invalid(cps: object) -> InvalidSetting:
    shown = cps if isinstance(cps, int | float) else str(cps)[:40]
    return InvalidSetting(
        "cps",
        shown,
        f"1.01 to {1 + FASTEST / 100:g}: 1 + calls a second / 100, or 0.01 to 0.99: 1 - seconds of one call / 100",
    )
