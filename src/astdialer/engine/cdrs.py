"""CDRs as they are given out: the columns of every export, and instants as the source systems write them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from astdialer.domain.calendar import zone_of
from astdialer.domain.cdr import Cdr

COLUMNS = tuple(f.name for f in dataclasses.fields(Cdr))


def shown(row: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """A row of the store's with its ``calldate`` as YYYY-MM-DD HH:MM:SS in a zone."""
    return dict(row) | {"calldate": local_time(row["calldate"], zone)}


def local_time(at: int, zone: str) -> str:
    """An instant as the source systems' calldate has it: YYYY-MM-DD HH:MM:SS."""
    return datetime.fromtimestamp(at / 1000, tz=zone_of(zone)).strftime("%Y-%m-%d %H:%M:%S")
