"""Who calls us: the customer's system is asked for an inbound call, and its answer goes into channel variables."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from astdialer.domain.errors import Unavailable
from astdialer.ports import Notifier

logger = logging.getLogger(__name__)

FOUND, NONE, ERROR = "found", "none", "error"
#: Variables of one answer, and how long their names and values may be, in characters and bytes.
MOST_VALUES, LONGEST_NAME, LONGEST_VALUE_BYTES = 50, 40, 900
_UNFIT_NAME = re.compile(r"[^A-Z0-9]+")
#: What can't travel in one line, or be written as UTF-8.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_NUMBER = re.compile(r"[!-~]{1,80}")


@dataclass(frozen=True, slots=True)
class Answer:
    """``word`` is found, none or error; ``values``: what was told, safe as channel variables."""

    word: str
    values: Mapping[str, str] = field(default_factory=dict)


class Lookup:
    """Asks ``url`` with ?cid=NUMBER. Never takes longer than ``timeout_s``, and raises nothing."""

    def __init__(self, notifier: Notifier, url: str, timeout_s: float) -> None:
        self._notifier, self._url, self._timeout_s = notifier, url, timeout_s

    async def ask(self, cid: str) -> Answer:
        """What is known about a number."""
        if not self._url:
            logger.error("lookup.no_url", extra={"remedy": "set [webhooks] lookup_url"})
            return Answer(ERROR)
        if not _NUMBER.fullmatch(cid):
            return Answer(NONE)  # nothing to look for: the caller shows no number
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._notifier.get_json(self._url, {"cid": cid})
        except (Unavailable, TimeoutError) as error:
            logger.warning("lookup.failed", extra={"cid": cid, "error": str(error) or f"over {self._timeout_s:g} s"})
            return Answer(ERROR)
        return read_answer(found)


def read_answer(found: Mapping[str, Any]) -> Answer:
    """What an answer means. An empty object is none, and so is one that says ``found`` is false."""
    values = dict(_values(found))
    is_none = not found or values.get("FOUND", "").lower() in ("false", "0", "no")
    return Answer(NONE if is_none else FOUND, values)


def _values(found: Mapping[str, Any]) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for key, value in found.items():
        name = _UNFIT_NAME.sub("_", str(key).upper()).strip("_")[:LONGEST_NAME]
        text = _text(value)
        if name and text is not None and len(values) < MOST_VALUES:
            values.setdefault(name, text)
    return values


def _text(value: Any) -> str | None:
    """A scalar in one line; None for a list or an object."""
    if isinstance(value, list | dict):
        return None
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return _UNFIT.sub(" ", text).encode()[:LONGEST_VALUE_BYTES].decode(errors="ignore").strip()
