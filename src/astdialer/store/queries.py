"""SQL from the ``.sql`` files beside this module: ``-- name: x`` begins a query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

_HEADING = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@lru_cache(maxsize=1)
def queries() -> Mapping[str, str]:
    """Every named query of ``store/sql``."""
    found: dict[str, str] = {}
    for file in sorted(files("astdialer.store").joinpath("sql").iterdir(), key=lambda entry: entry.name):
        parts = _HEADING.split(file.read_text(encoding="utf-8"))[1:]
        found.update(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))
    return found
