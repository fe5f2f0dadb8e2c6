"""Call detail records as a campaign leaves them."""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

from astdialer.domain.cdr import Cdr
from astdialer.domain.disposition import Disposition

D = Disposition
#: 2026-09-01 08:00 UTC.
BEGAN_AT = 1_788_249_600_000


def cdr(number: int, disposition: Disposition, **told: Any) -> dict[str, Any]:
    """A record; what is not told is empty."""
    empty: dict[str, Any] = {name: "" if kind == "str" else 0 for name, kind in Cdr.__annotations__.items()}
    record = Cdr(**empty | {"channel": "PJSIP/c-1", "disposition": disposition.value} | told)
    return asdict(record) | {"guid": f"g{number}", "calldate": BEGAN_AT + 10_000 * number, "campaign": "sales"}


def cdrs(count: int, *, share: float = 0.3, machines: float = 0.0, contacts: int = 500) -> list[dict[str, Any]]:
    """Of calls that people answer after 8 s, to talk for 60 s on average; others fail at once, or ring for 25 s."""
    rng = random.Random(1)
    return [_one(number, number % contacts, rng, share, machines) for number in range(count)]


def _one(number: int, contact: int, rng: random.Random, share: float, machines: float) -> dict[str, Any]:
    if rng.random() < share:
        talk_s = rng.expovariate(1 / 60)
        told = {"duration": round(8 + 1.5 + talk_s), "billsec": round(1.5 + talk_s), "wait_s": 1.5, "talk_s": talk_s}
        return cdr(number, D.ANSWERED, contact_id=contact, ring_s=7.2, **told)
    if rng.random() < machines:
        return cdr(number, D.MACHINE, contact_id=contact, duration=25, billsec=3, wait_s=3.0, ring_s=21.0)
    busy = rng.random() < 0.4
    return cdr(number, D.BUSY if busy else D.NO_ANSWER, contact_id=contact, duration=2 if busy else 25)
