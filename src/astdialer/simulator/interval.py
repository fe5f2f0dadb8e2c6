"""How far chance may have moved a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

#: Student's t of 97.5 % (Student 1908), by degrees of freedom from 1 on.
_STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045),
)


def half_width(values: Sequence[float]) -> float:
    """Of the 95 % interval of their mean; NaN of a single one."""
    freedom = len(values) - 1
    if not freedom:
        return math.nan
    # Beyond the table it is right within 0.002.
    student = _STUDENT[freedom - 1] if freedom <= len(_STUDENT) else 1.96 + 2.5 / freedom
    return student * stdev(values) / math.sqrt(len(values))
